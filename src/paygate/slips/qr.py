"""QR codes of payment links, as SVG for a page and PNG for everything else."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from paygate.errors import InvalidValue, MissingExtra

if TYPE_CHECKING:
    import segno

LENGTH_MAX = 1000
"""The longest text that is still read by a telephone from a screen."""


def qr_svg(text: str, *, scale: int = 4) -> str:
    """Draw *text* as SVG, to stand in a page as it is."""
    drawn: str = _made(text).svg_inline(scale=scale, border=4)
    return drawn


def qr_png(text: str, *, scale: int = 6) -> bytes:
    """Draw *text* as PNG."""
    drawn = BytesIO()
    _made(text).save(drawn, kind="png", scale=scale, border=4)
    return drawn.getvalue()


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
