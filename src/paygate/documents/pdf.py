"""An invoice as PDF, on A4 or Letter, with an embedded font; not tagged."""

# reportlab has no types of its own, and those that pyright has for it are not complete.
# pyright: basic, reportArgumentType=false, reportAttributeAccessIssue=false

from __future__ import annotations

import unicodedata
from functools import cache, partial
from importlib import resources
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final
from xml.sax.saxutils import escape, quoteattr

from paygate.errors import InvalidValue, MissingExtra
from paygate.printing import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from paygate.documents.sheet import InvoiceSheet

FONT: Final = "DejaVuSans"
BOLD: Final = "DejaVuSans-Bold"
_MM: Final = 72 / 25.4
_LEFT, _RIGHT, _TOP, _BOTTOM = (each * _MM for each in (20, 16, 16, 24))
_CODE: Final = 34 * _MM
_GREY: Final = "#555555"
_RED: Final = "#8a1c1c"
_SHAPED: Final = ("AL", "R")
"""The classes of characters that are written from right to left."""


_LOGO_PIXELS_MAX: Final = 4_000_000
"""How many pixels a logo may have: a small file can hold an enormous picture."""


def to_pdf(sheet: InvoiceSheet) -> bytes:
    """
    Return *sheet* as PDF; the same sheet gives the same bytes.

    Raises `InvalidValue` for characters that the font does not have, or that are written from right
    to left: a browser prints the HTML of such an invoice.
    """
    known = fonts()
    _check(sheet, known)
    from reportlab.lib.pagesizes import A4, LETTER
    from reportlab.platypus import BaseDocTemplate, Frame, PageTemplate

    size = LETTER if sheet.letterhead.paper == "letter" else A4
    out = BytesIO()
    width = size[0] - _LEFT - _RIGHT
    frame = Frame(_LEFT, _BOTTOM, width, size[1] - _TOP - _BOTTOM, 0, 0, 0, 0)
    document = BaseDocTemplate(
        out,
        pagesize=size,
        pageTemplates=[PageTemplate(frames=[frame])],
        title=f"{sheet.title} · {sheet.letterhead.name}",
        author=sheet.letterhead.name,
        lang=sheet.language,
        invariant=1,
    )
    try:
        parts = list(_parts(sheet, width))
        document.build(parts, canvasmaker=partial(_numbered(), sheet=sheet))
    except InvalidValue:
        raise
    except Exception as error:
        # What the library cannot lay out, or a logo that it cannot read, must not stop others.
        raise InvalidValue(
            f"this invoice cannot be drawn as a PDF ({type(error).__name__}): a line may be too "
            "long for a page, or the logo no image; draw the HTML, which a browser prints",
            argument="media",
        ) from error
    return out.getvalue()


# --- The parts, from top to bottom ------------------------------------------------------------


def _parts(sheet: InvoiceSheet, width: float) -> Iterator[Any]:
    from reportlab.platypus import KeepTogether, Spacer

    yield _head(sheet, width)
    yield Spacer(1, 10 * _MM)
    yield _text(escape(sheet.title), size=17, font=BOLD)
    yield Spacer(1, 3 * _MM)
    if sheet.mark:
        yield _text(escape(sheet.mark), font=BOLD, color=_RED)
        yield Spacer(1, 2 * _MM)
    yield _top(sheet, width)
    yield Spacer(1, 6 * _MM)
    yield _lines(sheet, width)
    yield Spacer(1, 3 * _MM)
    yield KeepTogether([_sums(sheet, width)])
    yield Spacer(1, 6 * _MM)
    paying = _paying(sheet, width)
    if paying is not None:
        yield KeepTogether([paying])


def _head(sheet: InvoiceSheet, width: float) -> Any:
    from reportlab.lib.utils import ImageReader
    from reportlab.platypus import Image, Table

    head = sheet.letterhead
    logo: Any = ""
    if head.logo is not None:
        wide, high = ImageReader(BytesIO(head.logo)).getSize()
        if wide * high > _LOGO_PIXELS_MAX:
            raise InvalidValue(
                f"the logo has {wide} by {high} pixels; give one of at most "
                f"{_LOGO_PIXELS_MAX:,} pixels",
                argument="logo",
            )
        scale = min(55 * _MM / wide, 22 * _MM / high)
        logo = Image(BytesIO(head.logo), wide * scale, high * scale, hAlign="LEFT")
    lines = [f'<font name="{BOLD}" size="12">{escape(head.name)}</font>']
    lines += map(escape, head.address)
    lines += [f"Tax number {escape(head.tax_id)}"] if head.tax_id else []
    lines += [escape(each) for each in (head.email, head.phone) if each]
    return _plain(
        Table([[logo, _text("<br/>".join(lines), right=True)]], [width * 0.45, width * 0.55])
    )


def _top(sheet: InvoiceSheet, width: float) -> Any:
    from reportlab.platypus import Table

    recipient = _text("<br/>".join(map(escape, sheet.recipient)))
    facts = Table(
        [
            [_text(label, color=_GREY), _text(escape(value), right=True)]
            for label, value in sheet.facts
        ],
        [width * 0.24, width * 0.30],
    )
    _plain(facts, pad=1)
    return _plain(Table([[recipient, facts]], [width * 0.46, width * 0.54]))


def _lines(sheet: InvoiceSheet, width: float) -> Any:
    from reportlab.platypus import LongTable, TableStyle

    wide = sheet.with_quantities
    head = ["Description", *(["Quantity", "Unit price"] if wide else []), "Amount"]
    rows = [[_text(each, font=BOLD, right=place > 0) for place, each in enumerate(head)]]
    for line in sheet.lines:
        described = escape(line.description).replace("\n", "<br/>")
        if line.period:
            described += f'<br/><font size="8" color="{_GREY}">{escape(line.period)}</font>'
        numbers = [*([line.quantity, line.unit_price] if wide else []), line.amount]
        rows.append([_text(described), *(_text(escape(each), right=True) for each in numbers)])
    shares = (0.46, 0.18, 0.16, 0.20) if wide else (0.75, 0.25)
    table = LongTable(rows, [width * share for share in shares], repeatRows=1)
    style = [
        ("LINEBELOW", (0, 0), (-1, 0), 1, "#1a1a1a"),
        ("LINEBELOW", (0, 1), (-1, -1), 0.5, "#cccccc"),
        ("TOPPADDING", (0, 0), (-1, -1), 4),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 4),
    ]
    _plain(table)
    table.setStyle(TableStyle(style))
    return table


def _sums(sheet: InvoiceSheet, width: float) -> Any:
    from reportlab.platypus import Table, TableStyle

    rows: list[list[Any]] = []
    style: list[tuple[Any, ...]] = []
    for place, each in enumerate(sheet.sums):
        font = BOLD if each.strong else FONT
        rows.append(
            [
                _text(escape(each.label), font=font),
                _text(escape(each.amount), font=font, right=True),
            ]
        )
        if each.strong:
            style.append(("LINEABOVE", (0, place), (-1, place), 1, "#1a1a1a"))
    table = Table(rows, [width * 0.38, width * 0.22], hAlign="RIGHT")
    _plain(table, pad=2)
    table.setStyle(TableStyle(style))
    return table


def _paying(sheet: InvoiceSheet, width: float) -> Any:
    from reportlab.platypus import Table

    head, scan = sheet.letterhead, sheet.scan
    said: list[str] = []
    if scan is not None:
        said.append(f'<font name="{BOLD}">{escape(scan.caption)}</font>')
        if scan.amount is None:
            said.append(f"<link href={quoteattr(scan.payload)}>{escape(scan.payload)}</link>")
    said += map(escape, head.bank)
    said += [f"IBAN {escape(head.iban)}"] if head.iban else []
    if not said:
        return None
    words = _text("<br/>".join(said))
    if scan is None:
        return words
    table = Table([[_code(sheet), words]], [_CODE + 6 * _MM, width - _CODE - 6 * _MM])
    _plain(table)
    table.setStyle([("VALIGN", (0, 0), (-1, -1), "MIDDLE")])
    return table


def _code(sheet: InvoiceSheet) -> Any:
    """Return the code of a transfer or a payment page as squares."""
    from reportlab.graphics.shapes import Drawing, Rect

    from paygate import slips

    scan, head = sheet.scan, sheet.letterhead
    if scan is None:
        return ""
    if scan.amount is None:
        rows = slips.qr_modules(scan.payload)
    else:
        rows = slips.epc_modules(
            name=head.name, iban=head.iban, amount=scan.amount, remittance=scan.payload
        )
    drawing = Drawing(_CODE, _CODE)
    size = _CODE / len(rows)
    for down, row in enumerate(rows):
        for across, dark in enumerate(row):
            if dark:
                drawing.add(
                    Rect(
                        across * size,
                        _CODE - (down + 1) * size,
                        size * 1.02,  # no hairlines between modules
                        size * 1.02,
                        strokeWidth=0,
                        strokeColor=None,
                        fillColor="#000000",
                    )
                )
    return drawing


# --- Small things -----------------------------------------------------------------------------


def _text(
    markup: str, *, size: float = 9.5, font: str = FONT, color: str = "#1a1a1a", right: bool = False
) -> Any:
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.platypus import Paragraph

    style = ParagraphStyle(
        "text",
        fontName=font,
        fontSize=size,
        leading=size * 1.4,
        textColor=color,
        alignment=2 if right else 0,
        splitLongWords=1,
    )
    return Paragraph(markup, style)


def _plain(table: Any, *, pad: float = 0) -> Any:
    """Return *table* without its usual padding."""
    table.setStyle(
        [
            ("LEFTPADDING", (0, 0), (-1, -1), 0),
            ("RIGHTPADDING", (0, 0), (-1, -1), 0),
            ("TOPPADDING", (0, 0), (-1, -1), pad),
            ("BOTTOMPADDING", (0, 0), (-1, -1), pad),
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ]
    )
    return table


@cache
def _numbered() -> Any:
    """Return a canvas that writes the footer and, at the end, how many pages there are."""
    from reportlab.pdfgen.canvas import Canvas

    class Numbered(Canvas):  # type: ignore[misc]
        def __init__(self, *args: Any, sheet: InvoiceSheet, **more: Any) -> None:
            super().__init__(*args, **more)
            self._sheet = sheet
            self._pages: list[dict[str, Any]] = []

        def showPage(self) -> None:  # noqa: N802  (reportlab's name)
            self._pages.append(dict(self.__dict__))
            self._startPage()

        def save(self) -> None:
            for number, page in enumerate(self._pages, 1):
                self.__dict__.update(page)
                self._foot(number, len(self._pages))
                super().showPage()
            super().save()

        def _foot(self, number: int, count: int) -> None:
            width = self._pagesize[0]
            self.setFont(FONT, 7.5)
            self.setFillColor(_GREY)
            self.setStrokeColor("#999999")
            self.setLineWidth(0.5)
            self.line(_LEFT, 20 * _MM, width - _RIGHT, 20 * _MM)
            for place, line in enumerate(self._sheet.letterhead.footer[:4]):
                self.drawString(_LEFT, (16 - 3.5 * place) * _MM, line)
            if count > 1:
                text = f"{self._sheet.title}, page {number} of {count}"
                self.drawRightString(width - _RIGHT, 5.5 * _MM, text)

    return Numbered


@cache
def fonts() -> dict[str, Any]:
    """Register the fonts, and return them by name."""
    try:
        from reportlab.pdfbase import pdfmetrics
        from reportlab.pdfbase.ttfonts import TTFont
    except ImportError as error:
        raise MissingExtra(
            "PDF documents need reportlab; install paygate-sdk[documents]", extra="documents"
        ) from error
    folder = resources.files("paygate.documents") / "fonts"
    found: dict[str, Any] = {}
    for name in (FONT, BOLD):
        found[name] = TTFont(name, BytesIO((folder / f"{name}.ttf").read_bytes()))
        pdfmetrics.registerFont(found[name])
    return found


def _check(sheet: InvoiceSheet, fonts: dict[str, Any]) -> None:
    """Raise if the font cannot draw a text of *sheet*."""
    glyphs = fonts[FONT].face.charToGlyph
    for text in _texts(sheet):
        for char in text:
            if char in "\n\t":
                continue
            shaped = unicodedata.bidirectional(char) in _SHAPED
            if shaped or unicodedata.combining(char) or ord(char) not in glyphs:
                raise InvalidValue(
                    f"the PDF cannot show {shown(char)} in {shown(text)}: its font has Latin, "
                    "Greek and Cyrillic; make the HTML, and print that with a browser",
                    argument="media",
                )


def _texts(sheet: InvoiceSheet) -> Iterable[str]:
    head = sheet.letterhead
    yield from (sheet.title, head.name, head.tax_id, head.email, head.phone, head.iban)
    yield from (*head.address, *head.bank, *head.footer, *sheet.recipient)
    for label, value in sheet.facts:
        yield from (label, value)
    for line in sheet.lines:
        yield from (line.description, line.quantity, line.unit_price, line.amount, line.period)
    for each in sheet.sums:
        yield from (each.label, each.amount)
