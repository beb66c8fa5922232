"""Slip numbers: what a payer types at a kiosk, with a check digit."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

DIGITS: Final = 16
"""How many digits a number has, with its check digit."""


def slip_number(our_ref: str) -> str:
    """Return the number of the slip of the charge *our_ref*: 16 digits, the last for checking.

    The same charge has the same number. It reveals nothing about the payer.
    """
    digest = int.from_bytes(sha256(our_ref.encode()).digest()[:8])
    digits = str(digest % 10 ** (DIGITS - 2)).zfill(DIGITS - 2)
    # It never begins with 0, which a kiosk may drop.
    body = f"{1 + digest % 9}{digits}"
    return body + _check_digit(body)


def is_slip_number(number: str) -> bool:
    """Return whether *number* can be that of a slip: its length and its check digit are right."""
    if len(number) != DIGITS or not (number.isascii() and number.isdigit()):
        return False
    return _check_digit(number[:-1]) == number[-1]


def _check_digit(body: str) -> str:
    """Return the Luhn digit of *body*, as on payment cards."""
    total = 0
    for place, digit in enumerate(reversed(body)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)
