"""Barcodes of payment slips, as SVG that fills its container: Code 128, ITF and PDF417.

A counter scans them; whoever pays on paper needs nothing else. Which one a slip needs is the
processor's rule. The modules come from `python-barcode` and `pdf417gen`; this module draws them.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final, cast

from paygate.errors import InvalidValue, MissingExtra
from paygate.printing import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

CODE128_LENGTH_MAX: Final = 48
"""The longest text that a page of A4 shows in bars wide enough for a scanner."""

ITF_LENGTH_MAX: Final = 44
"""The longest number: that of a Brazilian boleto."""

PDF417_BYTES_MAX: Final = 1_000
"""The longest text in a code that stays readable on paper."""

_QUIET: Final = 10
"""Modules of white on both sides, as ISO/IEC 15417 and 16390 require."""
_HEIGHT: Final = 0.3
"""The height of bars by their length; both standards ask for 15 % at least."""
_PDF417_COLUMNS: Final = 6
_PDF417_ROW: Final = 3
"""The height of a row in modules, by ISO/IEC 15438."""


def code128_svg(text: str) -> str:
    """Return *text* as Code 128: 1 to 48 printable ASCII characters."""
    return _bars(_code128(text))


def code128_modules(text: str) -> list[bool]:
    """Return the dark and light modules of *text* as Code 128, without white on its sides."""
    return [module == "1" for module in _code128(text)]


def _code128(text: str) -> str:
    if not (0 < len(text) <= CODE128_LENGTH_MAX and text.isascii() and text.isprintable()):
        raise InvalidValue(
            f"a Code 128 barcode needs 1 to {CODE128_LENGTH_MAX} printable ASCII characters, "
            f"not {shown(text)}"
        )
    try:
        from barcode.codex import Code128  # pyright: ignore[reportMissingTypeStubs]
    except ImportError:
        raise _missing("python-barcode") from None
    return str(Code128(text).build()[0])


def itf_svg(digits: str) -> str:
    """Return *digits* as Interleaved 2 of 5: an even number of digits, up to 44."""
    valid = digits.isascii() and digits.isdigit() and len(digits) % 2 == 0
    if not valid or not 0 < len(digits) <= ITF_LENGTH_MAX:
        # The library would put a zero in front, and the counter would read another number.
        raise InvalidValue(
            f"an ITF barcode needs an even number of digits, up to {ITF_LENGTH_MAX}, "
            f"not {shown(digits)}"
        )
    try:
        from barcode.itf import ITF  # pyright: ignore[reportMissingTypeStubs]
    except ImportError:
        raise _missing("python-barcode") from None
    return _bars(ITF(digits).build()[0])


def pdf417_svg(text: str) -> str:
    """Return *text* as PDF417, in UTF-8: up to 1,000 bytes."""
    if not 0 < len(text.encode("utf-8", "replace")) <= PDF417_BYTES_MAX:
        raise InvalidValue(f"a PDF417 code needs 1 to {PDF417_BYTES_MAX} bytes of text")
    try:
        import pdf417gen  # pyright: ignore[reportMissingTypeStubs]
    except ImportError:
        raise _missing("pdf417gen") from None
    # A code has three rows at least, so a short text gets fewer columns.
    columns = min(_PDF417_COLUMNS, 1 + len(text) // 8)
    rows = cast("list[list[int]]", pdf417gen.encode(text, columns=columns))  # pyright: ignore[reportUnknownMemberType]
    patterns = ["".join(f"{each:b}" for each in row) for row in rows]
    lines = ((pattern, 2 + _PDF417_ROW * at) for at, pattern in enumerate(patterns))
    return _svg(lines, len(patterns[0]) + 4, len(patterns) * _PDF417_ROW + 4, 2, _PDF417_ROW)


def _bars(modules: str) -> str:
    height = max(round(_HEIGHT * len(modules)), 20)
    return _svg([(modules, 0)], len(modules) + 2 * _QUIET, height, _QUIET, height)


def _svg(
    lines: Iterable[tuple[str, int]], width: int, height: int, left: int, line_height: int
) -> str:
    """Return the modules of *lines*, each with its top, as one path of thick strokes."""
    path = "".join(
        f"M{left} {top + line_height / 2:g}{_strokes(modules)}" for modules, top in lines
    )
    return (
        f'<svg viewBox="0 0 {width} {height}" shape-rendering="crispEdges">'
        f'<path stroke="#000" stroke-width="{line_height}" d="{path}"/></svg>'
    )


def _strokes(modules: str) -> str:
    """Return a stroke for each run of dark modules, and a gap for each run of light ones."""
    return "".join(
        f"h{len(list(run))}" if dark == "1" else f"m{len(list(run))} 0"
        for dark, run in groupby(modules.rstrip("0"))
    )


def _missing(package: str) -> MissingExtra:
    return MissingExtra(f"barcodes need {package}; pip install 'paygate-sdk[slips]'", extra="slips")
