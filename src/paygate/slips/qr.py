"""QR codes of payment links: SVG for a page, text for a terminal, PNG for everything else."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from paygate.errors import InvalidValue, MissingExtra

if TYPE_CHECKING:
    import segno

LENGTH_MAX = 1000
"""The longest text that a phone can still read from a screen."""

_HALVES = {(False, False): "█", (False, True): "▀", (True, False): "▄", (True, True): " "}


def qr_svg(text: str, *, scale: int = 4) -> str:
    """Return *text* as an SVG element to put into a page."""
    drawn: str = _made(text).svg_inline(scale=scale, border=4)
    return drawn


def qr_png(text: str, *, scale: int = 6) -> bytes:
    """Return *text* as PNG."""
    drawn = BytesIO()
    _made(text).save(drawn, kind="png", scale=scale, border=4)
    return drawn.getvalue()


def qr_text(text: str) -> str:
    """Return *text* in block characters, for a terminal that writes light on dark."""
    rows = [bytes(row) for row in _made(text).matrix_iter(border=2)]
    if len(rows) % 2:
        rows.append(bytes(len(rows[0])))
    # A character is two modules high; the light ones are drawn.
    return "\n".join(
        "".join(_HALVES[bool(upper), bool(lower)] for upper, lower in zip(*pair, strict=True))
        for pair in zip(rows[::2], rows[1::2], strict=True)
    )


def _made(text: str) -> segno.QRCode:
    if not 0 < len(text) <= LENGTH_MAX:
        raise InvalidValue(f"a QR code needs 1 to {LENGTH_MAX} characters to be readable")
    try:
        import segno
    except ImportError:
        raise MissingExtra(
            "QR codes need segno; pip install 'paygate-sdk[slips]'", extra="slips"
        ) from None
    # Small codes can be read from further away, and a screen does not get dirty.
    return segno.make_qr(text, error="m")
