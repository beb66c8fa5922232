"""What fits into Authorize.Net's fields, and what is cut, refused or left out.

A name, an address or a description keeps its meaning if it is cut, so it is cut. What would mean
something else (an e-mail address, a postal code, a number) is refused before anything is sent.
Control characters, angle brackets and characters that XML cannot hold become spaces.
"""

from __future__ import annotations

import re
from typing import Final

from paygate.driver import InvalidValue, Unsupported, digest_key
from paygate.driver import plain as on_one_line

ORDER_MAX: Final = 20

NUMBER: Final = re.compile(r"(?=0*[1-9])[0-9]{1,30}")
"""An id that Authorize.Net made; one of zeros means none."""

_OURS: Final = re.compile(r"pg-[0-9a-f]{17}")
_EMAIL: Final = re.compile(r"[^\s<>@]+@[^\s<>@]+")
_TOKEN: Final = re.compile(r"[A-Za-z0-9+/=._-]{1,8192}")
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


def token(text: str) -> str:
    """Return a token that Accept.js made, or raise `Unsupported`."""
    if not _TOKEN.fullmatch(text):
        raise Unsupported("that is not opaque data of Accept.js (the dataValue of its answer)")
    return text


# --- Bank accounts ------------------------------------------------------------------------

_ROUTING: Final = re.compile(r"(?=0*[1-9])[0-9]{9}")
_WEIGHTS: Final = (3, 7, 1, 3, 7, 1, 3, 7, 1)
_ACCOUNT: Final = re.compile(r"[A-Za-z0-9-]{1,17}")


def routing_number(digits: str) -> str:
    """Return a routing number: nine digits, of which the last is a check digit."""
    if not _ROUTING.fullmatch(digits) or (
        sum(int(digit) * weight for digit, weight in zip(digits, _WEIGHTS, strict=True)) % 10
    ):
        raise InvalidValue(
            "the routing number is not valid: it has nine digits, and the last is a check digit; "
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
