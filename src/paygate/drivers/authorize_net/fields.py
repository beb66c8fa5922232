"""What fits into Authorize.Net's fields: what is shortened, refused and left out.

A name, an address or a description says the same when it is cut, so it is. What means something
else when it is cut (an e-mail address, a postal code, a number) is refused before anything is
sent. Control characters, angle brackets and what XML has no place for become spaces.
"""

from __future__ import annotations

import re
from typing import Final

from paygate.driver import InvalidValue, Unsupported, digest_key
from paygate.driver import plain as on_one_line

ORDER_MAX: Final = 20

NUMBER: Final = re.compile(r"(?=0*[1-9])[0-9]{1,30}")
"""An id that Authorize.Net made; one of zeros stands for nothing."""

_OURS: Final = re.compile(r"pg-[0-9a-f]{17}")
_EMAIL: Final = re.compile(r"[^\s<>@]+@[^\s<>@]+")
_TOKEN: Final = re.compile(r"[A-Za-z0-9+/=._-]{1,8192}")
# They could be escaped, but the processor takes them in free text for an attack.
_BRACKETS: Final = str.maketrans("<>", "\n\n")


def order_number(key: str) -> str:
    """Return the name of one operation of ours, in the 20 characters that there are for it.

    It is the invoice number and the reference of what we send. Authorize.Net can be searched by
    neither, but shows the first in its lists, and takes two transactions for the same only if it
    is equal. So it follows from our key.
    """
    return f"pg-{digest_key('authorize_net', key)[:17]}"


def is_ours(order: str) -> bool:
    """Return whether *order* may be a name that we made."""
    return _OURS.fullmatch(order) is not None


def is_number(text: str) -> bool:
    """Return whether *text* may be an id that Authorize.Net made."""
    return NUMBER.fullmatch(text) is not None


def plain(text: str, longest: int) -> str:
    """Return *text* on one line, cut; what does no good in it becomes spaces."""
    return on_one_line(text.translate(_BRACKETS), longest)


def whole(text: str, longest: int, what: str) -> str:
    """Return *text* if it fits as it is; it would mean something else if it were cut."""
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
    """Return the first and the last name as the form splits one: the last word is the last name."""
    first, _, last = plain(name, 200).rpartition(" ")
    return plain(first, 50), plain(last, 50)


def customer_id(id_: str) -> str:
    """Return the id of a customer in 20 characters: a digest of it if it does not fit."""
    fits = plain(id_, len(id_)) == id_ and len(id_) <= ORDER_MAX
    return id_ if fits else f"pg-{digest_key('customer', id_)[:17]}"


def token(text: str) -> str:
    """Return a token that Accept.js made, or raise `Unsupported`."""
    if not _TOKEN.fullmatch(text):
        raise Unsupported("that is no opaque data of Accept.js (the dataValue of its answer)")
    return text


# --- Bank accounts ------------------------------------------------------------------------

_ROUTING: Final = re.compile(r"(?=0*[1-9])[0-9]{9}")
_WEIGHTS: Final = (3, 7, 1, 3, 7, 1, 3, 7, 1)
_ACCOUNT: Final = re.compile(r"[A-Za-z0-9-]{1,17}")


def routing_number(digits: str) -> str:
    """Return a routing number: nine digits, of which the last proves the others."""
    if not _ROUTING.fullmatch(digits) or (
        sum(int(digit) * weight for digit, weight in zip(digits, _WEIGHTS, strict=True)) % 10
    ):
        raise InvalidValue(
            "the routing number is not valid: it has nine digits, and the last proves the others; "
            "ask the payer to read it again from a check"
        )
    return digits


def account_number(text: str) -> str:
    """Return a bank account number, or raise `InvalidValue`."""
    if not _ACCOUNT.fullmatch(text):
        raise InvalidValue(
            "an account number has at most 17 digits, letters and hyphens; ask the payer for it"
        )
    return text
