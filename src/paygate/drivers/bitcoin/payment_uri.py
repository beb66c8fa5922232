"""Payment links of BIP 21, which a wallet opens and a QR code holds."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from paygate.driver import InvalidAmount, filled

COINS_MAX: Final = 21_000_000 * 10**8
"""The satoshis of all bitcoin that can exist; no output holds more."""
MESSAGE_MAX: Final = 80
"""With a longer message the QR code of a link becomes too dense to scan."""


def write_amount(satoshis: int) -> str:
    """Return an amount in bitcoin: plain digits and a point, never an exponent."""
    if not 0 < satoshis <= COINS_MAX:
        raise InvalidAmount(f"{satoshis} satoshi cannot be paid")
    whole, rest = divmod(satoshis, 10**8)
    return f"{whole}.{rest:08d}".rstrip("0").rstrip(".")


def write_uri(address: str, satoshis: int, *, label: str = "", message: str = "") -> str:
    """Return the link: *label* names the payee, *message* what is paid."""
    facts = filled({"amount": write_amount(satoshis), "label": label, "message": message})
    query = "&".join(f"{name}={quote(text, safe='')}" for name, text in facts)
    return f"bitcoin:{address}?{query}"
