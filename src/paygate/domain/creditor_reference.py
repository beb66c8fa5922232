"""Structured creditor references of ISO 11649: ``RF18539007547034``.

A reference is ``RF``, two check digits, and up to 21 letters and digits. The check digits are those
of ISO 7064 (mod 97-10), so a reference with one wrong character is recognized as wrong.
"""

from __future__ import annotations

import re
from typing import Final

from paygate.errors import InvalidValue
from paygate.printing import shown_value

LENGTH_MAX: Final = 25
"""The most characters that a reference has."""
_SHAPE: Final = re.compile(r"RF[0-9]{2}[0-9A-Z]{1,21}", re.ASCII)
_BASIS: Final = re.compile(r"[0-9A-Z]{1,21}", re.ASCII)
_DROPPED: Final = re.compile(r"[^0-9A-Za-z]+", re.ASCII)


def creditor_reference(number: str) -> str:
    """
    Return the structured creditor reference for an invoice number: ``INV-7010`` is ``RF44INV7010``.

    Only the letters and digits of the number count. Raises `InvalidValue` for a number that has
    none, more than 21, or others than those of ASCII.
    """
    basis = _DROPPED.sub("", number).upper()
    if not number.isascii() or not _BASIS.fullmatch(basis):
        raise InvalidValue(
            f"{shown_value(number)} has no creditor reference: it must have 1 to 21 ASCII letters "
            "and digits",
            argument="number",
        )
    return f"RF{98 - _remainder(basis + 'RF00'):02d}{basis}"


def read_reference(text: str) -> str | None:
    """Return the reference that *text* is, without spaces and in upper case, or None.

    It is None as well if the check digits are wrong.
    """
    plain = "".join(text.split()).upper()
    if not _SHAPE.fullmatch(plain):
        return None
    return plain if _remainder(plain[4:] + plain[:4]) == 1 else None


def looks_like_reference(text: str) -> bool:
    """Return whether *text* has the shape of a reference, whatever its check digits are."""
    return bool(_SHAPE.fullmatch("".join(text.split()).upper()))


def _remainder(text: str) -> int:
    """Return *text* modulo 97, with its letters as the numbers 10 to 35."""
    return int("".join(str(int(each, 36)) for each in text)) % 97
