"""Papers: receipts, statements and slips as PDF, drawn line by line, in both directions of writing.

A paper takes texts that are already in the reader's language. It draws each line as soon as it is
known, and keeps only finished pages, so a statement of ten thousand lines needs no memory for its
layout. The letters are those of DejaVu, which has Latin, Greek, Cyrillic and Arabic ones. Arabic
letters are joined and put into the order in which they are drawn before they reach the PDF, so a
text that is copied from it has them in that order; the HTML page is the accessible form.
"""

# reportlab has no types of its own, and those that pyright has for it are not complete.
# pyright: basic, reportArgumentType=false, reportAttributeAccessIssue=false

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from paygate.documents.pdf import BOLD, FONT, fonts
from paygate.errors import InvalidValue, MissingExtra
from paygate.printing import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PaperSize: TypeAlias = Literal["a4", "letter"]
"""The sizes of paper."""

PAPER_SIZES: Final = ("a4", "letter")
"""The sizes of paper, for checks."""

_MM: Final = 72 / 25.4
_MARGIN: Final = 18 * _MM
_FOOT: Final = 16 * _MM
_SIZE: Final = 9.5
_LEADING: Final = 1.4
_GREY: Final = "#555555"
_INK: Final = "#1a1a1a"
_PAD: Final = 3
_GAP: Final = 6
_PAIRS: Final = {"(": ")", "[": "]", "{": "}", "<": ">", "«": "»"}
_BACK: Final = {closing: opening for opening, closing in _PAIRS.items()}
_RIGHT_TO_LEFT: Final = ("R", "AL")
# Marks of direction did their work once the letters are in the order in which they are drawn.
_MARKS: Final = re.compile("[\u061c\u200b-\u200f\u202a-\u202e\u2066-\u2069]")
# DejaVu has no narrow no-break space, which French puts between the digits of a number.
_SPACES: Final = {"\u202f": "\u00a0", "\u2007": "\u00a0"}


@dataclass(frozen=True, slots=True)
class PaperColumn:
    """A column of a table: its heading, its share of the width, and whether it has numbers."""

    heading: str
    share: float
    numeric: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperHead:
    """What is at the top of a paper and in its description; *footer* names a page by its number."""

    title: str
    payee: str
    lines: Sequence[str] = ()
    recipient: Sequence[str] = ()
    footer: Callable[[int], str] = str
    size: PaperSize = "a4"
    language: str = "en"
    right_to_left: bool = False


class Paper:
    """A PDF that is drawn from top to bottom; `finish` returns it. The same calls give its bytes.

    Raises `InvalidValue` for a character that the font does not have, and `MissingExtra` without
    the extra ``documents``.
    """

    def __init__(self, head: PaperHead) -> None:
        from reportlab.lib.pagesizes import A4, LETTER
        from reportlab.pdfgen.canvas import Canvas

        self._glyphs = fonts()[FONT].face.charToGlyph
        self._head = head
        self._width, self._height = LETTER if head.size == "letter" else A4
        self._out = BytesIO()
        self._canvas: Any = Canvas(
            self._out,
            pagesize=(self._width, self._height),
            pageCompression=1,
            invariant=1,
            lang=head.language,
        )
        self._canvas.setTitle(f"{head.title} · {head.payee}")
        self._canvas.setAuthor(head.payee)
        self._number = 1
        self._columns: Sequence[PaperColumn] = ()
        self._y = self._height - _MARGIN
        self._top()

    # --- What a paper has, from top to bottom -------------------------------------------------

    def heading(self, text: str) -> None:
        """Draw the heading of a section."""
        self._space(8)
        self._need(40)
        self._lines(text, size=11.5, font=BOLD)
        self._space(2)

    def paragraph(self, text: str, *, strong: bool = False, soft: bool = False) -> None:
        """Draw a paragraph."""
        self._lines(text, font=BOLD if strong else FONT, color=_GREY if soft else _INK)
        self._space(3)

    def lead(self, label: str, value: str) -> None:
        """Draw the amount that a paper is about."""
        self._need(34)
        self._lines(label, color=_GREY)
        self._lines(value, size=16, font=BOLD)
        self._space(4)

    def fact(self, label: str, value: str) -> None:
        """Draw a label and its value."""
        share = 0.3
        self._row([(label, FONT, _GREY, False), (value, FONT, _INK, False)], [share, 1 - share], 1)

    def table(self, columns: Sequence[PaperColumn]) -> None:
        """Begin a table; its headings are repeated on each page."""
        self._columns = columns
        self._headings()

    def row(self, cells: Sequence[str], *, strong: bool = False) -> None:
        """Draw a row of the table."""
        font = BOLD if strong else FONT
        shares = [each.share for each in self._columns]
        drawn = [
            (cell, font, _INK, column.numeric)
            for cell, column in zip(cells, self._columns, strict=True)
        ]
        if self._row(drawn, shares, _PAD):
            self._headings()
            self._row(drawn, shares, _PAD)
        self._rule("#cccccc", 0.5)

    def end_table(self) -> None:
        """End the table."""
        self._columns = ()
        self._space(8)

    def modules(
        self, rows: Sequence[Sequence[bool]], *, wide: float, high: float | None = None
    ) -> None:
        """Draw the dark modules of a code, *wide* millimeters wide, at the start of the line."""
        across, down = wide * _MM / len(rows[0]), (high or wide) * _MM / len(rows)
        self._need(down * len(rows) + 6)
        left = self._width - _MARGIN - wide * _MM if self._head.right_to_left else _MARGIN
        self._canvas.setFillColor("#000000")
        for place, row in enumerate(rows):
            start = 0
            while start < len(row):
                end = start
                while end < len(row) and row[end] == row[start]:
                    end += 1
                if row[start]:
                    # A little more than a module, so that there is no hairline between two rows.
                    self._canvas.rect(
                        left + start * across,
                        self._y - (place + 1) * down,
                        (end - start) * across,
                        down * (1.02 if len(rows) > 1 else 1),
                        stroke=0,
                        fill=1,
                    )
                start = end
        self._y -= down * len(rows)
        self._space(6)

    def next_page(self) -> None:
        """Begin a new page."""
        self._foot()
        self._canvas.showPage()
        self._number += 1
        self._y = self._height - _MARGIN

    def finish(self) -> bytes:
        """Return the PDF."""
        self._foot()
        self._canvas.showPage()
        self._canvas.save()
        return self._out.getvalue()

    # --- How it is drawn ------------------------------------------------------------------------

    def _top(self) -> None:
        head = self._head
        self._lines(head.payee, size=12, font=BOLD)
        for each in head.lines:
            self._lines(each, color=_GREY)
        self._space(10)
        for each in head.recipient:
            self._lines(each)
        if head.recipient:
            self._space(12)
        self._lines(head.title, size=17, font=BOLD)
        self._space(6)

    def _foot(self) -> None:
        text = self._head.footer(self._number)
        self._draw(text, 0, self._width - 2 * _MARGIN, 9 * _MM, size=7.5, color=_GREY, end=True)

    def _headings(self) -> None:
        if not self._columns:
            return
        self._row(
            [(each.heading, BOLD, _INK, each.numeric) for each in self._columns],
            [each.share for each in self._columns],
            _PAD,
        )
        self._rule(_INK, 1)

    def _rule(self, color: str, width: float) -> None:
        self._canvas.setStrokeColor(color)
        self._canvas.setLineWidth(width)
        self._canvas.line(_MARGIN, self._y, self._width - _MARGIN, self._y)

    def _space(self, points: float) -> None:
        self._y -= points

    def _need(self, points: float) -> bool:
        """Begin a new page unless *points* are left on this one; return whether one was begun."""
        if self._y - points >= _FOOT:
            return False
        self.next_page()
        return True

    def _lines(
        self, text: str, *, size: float = _SIZE, font: str = FONT, color: str = _INK
    ) -> None:
        whole = self._width - 2 * _MARGIN
        for line in self._folded(text, font, size, whole):
            self._need(size * _LEADING)
            self._y -= size * _LEADING
            self._draw(line, 0, whole, self._y + size * 0.3, size=size, font=font, color=color)

    def _row(
        self, cells: Sequence[tuple[str, str, str, bool]], shares: Sequence[float], pad: float
    ) -> bool:
        """Draw cells next to each other; return True, with nothing drawn, on a new page."""
        whole = self._width - 2 * _MARGIN
        widths = [share * whole for share in shares]
        folded = [
            self._folded(text, font, _SIZE, width - _GAP)
            for (text, font, _, _), width in zip(cells, widths, strict=True)
        ]
        leading = _SIZE * _LEADING
        high = leading * max(map(len, folded)) + 2 * pad
        if self._need(high) and self._columns:
            return True
        start = 0.0
        for (_, font, color, end), lines, width in zip(cells, folded, widths, strict=True):
            for place, line in enumerate(lines):
                y = self._y - pad - (place + 1) * leading + _SIZE * 0.3
                self._draw(line, start, width - _GAP, y, font=font, color=color, end=end)
            start += width
        self._y -= high
        return False

    def _draw(
        self,
        text: str,
        start: float,
        width: float,
        y: float,
        *,
        size: float = _SIZE,
        font: str = FONT,
        color: str = _INK,
        end: bool = False,
    ) -> None:
        """Draw one line, from the side at which readers begin, or up to the other one."""
        visual = self._visual(text)
        self._canvas.setFont(font, size)
        self._canvas.setFillColor(color)
        if self._head.right_to_left:
            right = self._width - _MARGIN - start
            if end:
                self._canvas.drawString(right - width, y, visual)
            else:
                self._canvas.drawRightString(right, y, visual)
        elif end:
            self._canvas.drawRightString(_MARGIN + start + width, y, visual)
        else:
            self._canvas.drawString(_MARGIN + start, y, visual)

    def _folded(self, text: str, font: str, size: float, width: float) -> list[str]:
        """Return *text* in lines of this *width*; a word that is too long is broken."""
        lines: list[str] = []
        for part in text.split("\n"):
            line = ""
            for word in part.split(" "):
                longer = f"{line} {word}" if line else word
                if self._wide(longer, font, size) <= width:
                    line = longer
                    continue
                if line:
                    lines.append(line)
                line = word
                while self._wide(line, font, size) > width and len(line) > 1:
                    fits = self._fitting(line, font, size, width)
                    lines.append(line[:fits])
                    line = line[fits:]
            lines.append(line)
        return lines

    def _fitting(self, word: str, font: str, size: float, width: float) -> int:
        low, high = 1, len(word)
        while low < high:
            middle = (low + high + 1) // 2
            if self._wide(word[:middle], font, size) <= width:
                low = middle
            else:
                high = middle - 1
        return low

    def _wide(self, text: str, font: str, size: float) -> float:
        from reportlab.pdfbase.pdfmetrics import stringWidth

        wide: float = stringWidth(self._visual(text), font, size)
        return wide

    def _visual(self, text: str) -> str:
        """Return *text* with its letters joined, in the order in which they are drawn."""
        spaced = "".join(_SPACES.get(each, each) for each in text)
        # A text without such letters, such as an address, is read from left to right on any paper.
        if any(unicodedata.bidirectional(each) in _RIGHT_TO_LEFT for each in spaced):
            spaced = _reordered(spaced, right_to_left=self._head.right_to_left)
        found = _MARKS.sub("", spaced)
        for each in found:
            if ord(each) not in self._glyphs:
                raise InvalidValue(
                    f"the PDF cannot show {shown(each)} in {shown(text)}: its font has Latin, "
                    "Greek, Cyrillic and Arabic letters; print the page instead",
                    argument="media",
                )
        return found


def _reordered(text: str, *, right_to_left: bool) -> str:
    try:
        import arabic_reshaper
        from bidi import get_display
    except ImportError as error:
        raise MissingExtra(
            "PDF documents with Arabic letters need arabic-reshaper and python-bidi; install "
            "paygate-sdk[documents]",
            extra="documents",
        ) from error
    joined = arabic_reshaper.reshape(text)
    ordered = get_display(joined, base_dir="R" if right_to_left else "L")
    return _mirrored(str(ordered))


def _mirrored(visual: str) -> str:
    """Return *visual* with the brackets turned around that are read from right to left.

    The library reorders them and leaves their shapes: such a pair begins with a closing one.
    """
    turned = list(visual)
    opened: list[int] = []
    closed: list[int] = []
    for place, each in enumerate(visual):
        if each in _PAIRS:
            opened.append(place)
        elif each in _BACK and opened and _PAIRS[visual[opened[-1]]] == each:
            opened.pop()
        elif each in _BACK:
            closed.append(place)
    for place in opened:
        turned[place] = _PAIRS[visual[place]]
    for place in closed:
        turned[place] = _BACK[visual[place]]
    return "".join(turned)
