"""What fits into their fields: what is shortened, what is refused, and what is left out.

A name, an address or a description says the same when it is cut, so it is. What
means something else when it is cut (an e-mail address, a postal code, a number)
is refused before anything is sent. Control characters, angle brackets and what
XML has no place for become spaces.
"""

from __future__ import annotations

import re
from typing import Final

from paygate.driver import InvalidValue, Unsupported, digest_key

ORDER_MAX: Final = 20
_OURS: Final = re.compile(r"pg-[0-9a-f]{17}")
# XML 1.0 has no place for most control characters, and none for halves of a surrogate pair. "<"
# and ">" could be escaped, but the processor takes them in free text for an attack.
_UNFIT: Final = re.compile("[\x00-\x1f\x7f-\x9f<>\u2028\u2029\ud800-\udfff\ufffe\uffff]+")
_EMAIL: Final = re.compile(r"[^\s<>@]+@[^\s<>@]+")
_NUMBER: Final = re.compile(r"[0-9]{1,30}")
_TOKEN: Final = re.compile(r"[A-Za-z0-9+/=._-]{1,8192}")


def order_number(key: str) -> str:
    """
    Make the name of one operation of ours, in the 20 characters that they have for it.

    It is the invoice number and the reference of what we send. Authorize.Net can
    be searched by neither, but shows the first in its lists, and takes two
    transactions for the same only if it is equal. So it follows from our key.
    """
    return f"pg-{digest_key('authorize_net', key)[:17]}"


def is_ours(order: str) -> bool:
    """Tell whether *order* may be a name that we made."""
    return _OURS.fullmatch(order) is not None


def is_number(text: str) -> bool:
    """Tell whether *text* may be an id that Authorize.Net made."""
    return _NUMBER.fullmatch(text) is not None and text.strip("0") != ""


def plain(text: str, length: int) -> str:
    """Make *text* fit: characters that do no good become spaces, and the end is cut."""
    if text.isascii() and text.isprintable() and "<" not in text and ">" not in text:
        return text[:length].strip()
    return _UNFIT.sub(" ", text)[:length].strip()


def whole(text: str, length: int, what: str) -> str:
    """Let *text* pass if it fits as it is; it would mean something else if it were cut."""
    fitting = plain(text, len(text))
    if len(fitting) > length:
        raise InvalidValue(f"Authorize.Net takes at most {length} characters of {what}")
    return fitting


def email(text: str) -> str:
    """Check an e-mail address."""
    fitting = whole(text, 255, "an e-mail address")
    if fitting and not _EMAIL.fullmatch(fitting):
        raise InvalidValue("the payer's e-mail address is not valid")
    return fitting


def name_parts(name: str) -> tuple[str, str]:
    """Split a name as their form does: the last word is the last name."""
    first, _, last = plain(name, 200).rpartition(" ")
    return plain(first, 50), plain(last, 50)


def customer_id(id_: str) -> str:
    """Name a customer in 20 characters; a longer id is named by a digest of it."""
    fitting = plain(id_, len(id_))
    if fitting == id_ and len(id_) <= ORDER_MAX:
        return id_
    return f"pg-{digest_key('customer', id_)[:17]}"


def token(text: str) -> str:
    """Check a token that Accept.js made."""
    if not _TOKEN.fullmatch(text):
        raise Unsupported("that is no opaque data of Accept.js (the dataValue of its answer)")
    return text


def listed(invoices: tuple[str, ...], length: int = 255) -> str:
    """Name as many invoices as fit, and count the rest."""
    names = ", ".join(invoices)
    count = len(invoices)
    while len(names) > length and count > 1:
        count -= 1
        names = f"{', '.join(invoices[:count])} +{len(invoices) - count}"
    return plain(names, length)


# --- Bank accounts ------------------------------------------------------------------------

_WEIGHTS: Final = (3, 7, 1, 3, 7, 1, 3, 7, 1)
_ACCOUNT: Final = re.compile(r"[A-Za-z0-9-]{1,17}")


def routing_number(digits: str) -> str:
    """Check a routing number: nine digits, of which the last proves the others."""
    right = (
        len(digits) == 9
        and digits.isascii()
        and digits.isdigit()
        and digits != "000000000"
        and sum(int(digit) * weight for digit, weight in zip(digits, _WEIGHTS, strict=True)) % 10
        == 0
    )
    if not right:
        raise InvalidValue(
            "the routing number is not valid: it has nine digits, and the last proves the others; "
            "ask the payer to read it again from a check"
        )
    return digits


def account_number(text: str) -> str:
    """Check a bank account number."""
    if not _ACCOUNT.fullmatch(text):
        raise InvalidValue(
            "an account number has at most 17 digits, letters and hyphens; ask the payer for it"
        )
    return text
