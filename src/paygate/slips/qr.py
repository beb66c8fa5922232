"""QR codes of payment links: SVG for a page, text for a terminal, PNG for everything else."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from paygate.domain.document import is_iban
from paygate.errors import InvalidValue, MissingExtra
from paygate.printing import shown

if TYPE_CHECKING:
    import segno

    from paygate.domain.money import Money

LENGTH_MAX = 1000
"""The longest text that a phone can still read from a screen."""

_HALVES = {(False, False): "█", (False, True): "▀", (True, False): "▄", (True, True): " "}


def qr_svg(text: str, *, scale: int | None = 4) -> str:
    """Return *text* as an SVG element for a page; it fills its container if *scale* is None."""
    return _drawn(_made(text), scale)


def epc_svg(*, name: str, iban: str, amount: Money, remittance: str, scale: int | None = 4) -> str:
    """
    Return the code of a SEPA credit transfer (EPC069-12), which the apps of European banks scan.

    *name* and *iban* are the payee's, *remittance* is the text by which the transfer is
    recognized. Raises `InvalidValue` for an amount that is not in EUR, and for anything else that
    the standard does not allow.
    """
    return _drawn(_epc(name, iban, amount, remittance), scale)


def epc_modules(
    *, name: str, iban: str, amount: Money, remittance: str
) -> tuple[tuple[bool, ...], ...]:
    """Return the code that `epc_svg` draws as rows of modules, whether each is dark."""
    return _modules(_epc(name, iban, amount, remittance))


def qr_modules(text: str) -> tuple[tuple[bool, ...], ...]:
    """Return the code that `qr_svg` draws as rows of modules, whether each is dark."""
    return _modules(_made(text))


def _modules(code: segno.QRCode) -> tuple[tuple[bool, ...], ...]:
    return tuple(tuple(map(bool, row)) for row in code.matrix_iter(border=4))


def _epc(name: str, iban: str, amount: Money, remittance: str) -> segno.QRCode:
    if amount.currency != "EUR":
        raise InvalidValue(
            f"a SEPA transfer is in EUR, not in {amount.currency}", argument="amount"
        )
    account = iban.replace(" ", "").upper()
    if not is_iban(account):
        raise InvalidValue(
            f"{shown(iban)} is not an IBAN: its check digits differ", argument="iban"
        )
    try:
        from segno.helpers import make_epc_qr
    except ImportError:
        raise _missing() from None
    try:
        return make_epc_qr(name, account, amount.decimal, text=remittance)
    except ValueError as error:
        raise InvalidValue(f"a SEPA transfer cannot be shown as a code: {error}") from None


def _drawn(code: segno.QRCode, scale: int | None) -> str:
    if scale is None:
        return code.svg_inline(scale=1, border=4, omitsize=True, svgclass=None, lineclass=None)
    return code.svg_inline(scale=scale, border=4)


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
        raise _missing() from None
    # Small codes can be read from further away, and a screen does not get dirty.
    return segno.make_qr(text, error="m")


def _missing() -> MissingExtra:
    return MissingExtra("QR codes need segno; pip install 'paygate-sdk[slips]'", extra="slips")
