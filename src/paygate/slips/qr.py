"""QR codes of payment links: SVG for a page, text for a terminal, PNG for everything else."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from paygate.errors import InvalidValue, MissingExtra

if TYPE_CHECKING:
    import segno

LENGTH_MAX = 1000
"""The longest text that is still read by a telephone from a screen."""

_HALVES = {(False, False): "█", (False, True): "▀", (True, False): "▄", (True, True): " "}


def qr_svg(text: str, *, scale: int = 4) -> str:
    """Draw *text* as SVG, to stand in a page as it is."""
    drawn: str = _made(text).svg_inline(scale=scale, border=4)
    return drawn


def qr_png(text: str, *, scale: int = 6) -> bytes:
    """Draw *text* as PNG."""
    drawn = BytesIO()
    _made(text).save(drawn, kind="png", scale=scale, border=4)
    return drawn.getvalue()


def qr_text(text: str) -> str:
    """Draw *text* with block characters, for a terminal that writes light on dark."""
    rows = [bytes(row) for row in _made(text).matrix_iter(border=2)]
    if len(rows) % 2:
        rows.append(bytes(len(rows[0])))
    # A character is two modules high, and what is light of them is drawn.
    return "\n".join(
        "".join(_HALVES[bool(upper), bool(lower)] for upper, lower in zip(*pair, strict=True))
        for pair in zip(rows[::2], rows[1::2], strict=True)
    )


def _made(text: str) -> segno.QRCode:
    if not 0 < len(text) <= LENGTH_MAX:
        raise InvalidValue(f"a QR code holds 1 to {LENGTH_MAX} characters that can still be read")
    try:
        import segno
    except ImportError:
        raise MissingExtra(
            "QR codes need segno; pip install 'paygate-sdk[slips]'", extra="slips"
        ) from None
    # Small codes are read better from afar; a screen does not get dirty.
    return segno.make_qr(text, error="m")
