"""Payment links of BIP 21: what a wallet opens, and what a QR code holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from paygate.driver import InvalidAmount

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

COINS_MAX: Final = 21_000_000 * 10**8
"""All satoshis that can ever be; no output holds more."""
_MESSAGE_MAX: Final = 80


def write_amount(satoshis: int) -> str:
    """Write an amount in bitcoin: plain digits, a point, never an exponent."""
    if not 0 < satoshis <= COINS_MAX:
        raise InvalidAmount(f"{satoshis} satoshi cannot be paid")
    whole, rest = divmod(satoshis, 10**8)
    return f"{whole}.{rest:08d}".rstrip("0").rstrip(".")


def list_of(numbers: Sequence[str]) -> str:
    """Return what is paid in at most 80 characters, so that the code of the link can be scanned."""
    whole = ", ".join(numbers)
    if len(whole) <= _MESSAGE_MAX:
        return whole
    rest = f" and {len(numbers) - 1} more" if len(numbers) > 1 else ""
    return numbers[0][: _MESSAGE_MAX - len(rest)] + rest


def write_uri(address: str, satoshis: int, *, label: str = "", message: str = "") -> str:
    """Write the link: *label* names who is paid, *message* what for."""
    facts: Mapping[str, str] = {
        "amount": write_amount(satoshis),
        **({"label": label} if label else {}),
        **({"message": message} if message else {}),
    }
    query = "&".join(f"{name}={quote(text, safe='')}" for name, text in facts.items())
    return f"bitcoin:{address}?{query}"
