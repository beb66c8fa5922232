"""Short references: eight characters by which a payer names a payment to support.

They are those of Crockford's Base32, which has no letters that look like digits. A reference is
read as people write it: in any case, with or without the hyphen, and with an O for a zero.
"""

from __future__ import annotations

import re
import unicodedata
from hashlib import sha256
from typing import Final

LENGTH: Final = 8
"""How many characters a reference has, without the hyphen."""

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_BITS: Final = 5
_LOOKS_LIKE: Final = str.maketrans({"O": "0", "I": "1", "L": "1"})
_BETWEEN: Final = re.compile(r"[\s\-\u2010-\u2015]+")


def derived(id_: str, attempt: int = 0) -> str:
    """Return the reference of the payment *id_*; *attempt* counts those that were taken."""
    digest = sha256(f"{id_}/{attempt}".encode() if attempt else id_.encode()).digest()
    number = int.from_bytes(digest[:LENGTH]) >> (LENGTH * 8 - LENGTH * _BITS)
    return "".join(_ALPHABET[number >> _BITS * place & 31] for place in reversed(range(LENGTH)))


def written(reference: str) -> str:
    """Return *reference* as people read it: in two halves."""
    return f"{reference[: LENGTH // 2]}-{reference[LENGTH // 2 :]}"


def read(text: str) -> str | None:
    """Return the reference that somebody wrote, or None if it cannot be one."""
    plain = unicodedata.normalize("NFKC", text)
    found = _BETWEEN.sub("", plain).upper().translate(_LOOKS_LIKE)
    return found if len(found) == LENGTH and set(found) <= set(_ALPHABET) else None
