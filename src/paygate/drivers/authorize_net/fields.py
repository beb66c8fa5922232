"""What fits into Authorize.Net's fields, and what is cut, refused or left out.

A name, an address or a description keeps its meaning if it is cut, so it is cut. What would mean
something else (an e-mail address, a postal code, a number) is refused before anything is sent.
Control characters, angle brackets and characters that XML cannot hold become spaces.
"""

from __future__ import annotations

import re
from typing import Final

from paygate.driver import InvalidValue, digest_key
from paygate.driver import plain as on_one_line

ORDER_MAX: Final = 20

NUMBER: Final = re.compile(r"(?=0*[1-9])[0-9]{1,30}")
"""An id that Authorize.Net made; one of zeros means none."""

_OURS: Final = re.compile(r"pg-[0-9a-f]{17}")
_EMAIL: Final = re.compile(r"[^\s<>@]+@[^\s<>@]+")
TOKEN: Final = re.compile(r"[A-Za-z0-9+/=._-]{1,8192}")
ACCOUNT: Final = re.compile(r"[A-Za-z0-9-]{1,17}")
# They could be escaped, but the processor treats them in free text as an attack.
_BRACKETS: Final = str.maketrans("<>", "\n\n")


def order_number(key: str) -> str:
    """Return our name of one operation, which is derived from its key and has 20 characters.

    It is the invoice number and the reference of what we send. Authorize.Net cannot be searched by
    them, but it lists the first, and treats two transactions as the same only if that is equal.
    """
    return f"pg-{digest_key('authorize_net', key)[:17]}"


def is_ours(order: str) -> bool:
    """Return whether *order* may be a name that we made."""
    return _OURS.fullmatch(order) is not None


def is_number(text: str) -> bool:
    """Return whether *text* may be an id that Authorize.Net made."""
    return NUMBER.fullmatch(text) is not None


def plain(text: str, longest: int) -> str:
    """Return *text* on one line, cut; characters that the field does not take become spaces."""
    return on_one_line(text.translate(_BRACKETS), longest)


def whole(text: str, longest: int, what: str) -> str:
    """Return *text* if it fits uncut, or raise `InvalidValue`."""
    fitting = plain(text, len(text))
    if len(fitting) > longest:
        raise InvalidValue(f"Authorize.Net takes at most {longest} characters of {what}")
    return fitting


def email(text: str) -> str:
    """Return an e-mail address, or raise `InvalidValue`."""
    fitting = whole(text, 255, "an e-mail address")
    if fitting and not _EMAIL.fullmatch(fitting):
        raise InvalidValue("the payer's e-mail address is not valid")
    return fitting


def name_parts(name: str) -> tuple[str, str]:
    """Return the first and the last name; the last word is the last name, as on their form."""
    first, _, last = plain(name, 200).rpartition(" ")
    return plain(first, 50), plain(last, 50)


def customer_id(id_: str) -> str:
    """Return the id of a customer in 20 characters, or a digest if it does not fit."""
    fits = plain(id_, len(id_)) == id_ and len(id_) <= ORDER_MAX
    return id_ if fits else f"pg-{digest_key('customer', id_)[:17]}"
