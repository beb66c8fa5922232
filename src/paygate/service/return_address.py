"""The return address: the host's ``return_url``, to which the processor's page sends the payer.

A host writes the address before the payment has an id, so it writes ``{payment}`` in place of the
id. The id is filled in before the driver sees the address, because a processor might expand the
braces itself, or send the payer back with them.

A payment page writes ``{page}`` in place of its token. The ledger stores the address with that
placeholder, because a token is stored nowhere; `page_tokens` fills it in when the charge is sent.
"""

from __future__ import annotations

import re
from typing import Final, cast
from urllib.parse import urlsplit

from paygate.errors import InvalidValue
from paygate.printing import shown

_PLACEHOLDER: Final = re.compile(r"\{payment\}|%7Bpayment%7D", re.IGNORECASE)
"""The placeholder, also in the form that ``urlencode`` and templates write."""

_PAGE: Final = re.compile(r"\{page\}|%7Bpage%7D", re.IGNORECASE)
_RESULT: Final = re.compile(r"\{result\}|%7Bresult%7D", re.IGNORECASE)
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_RUNS_IN_THE_PAGE: Final = frozenset({"javascript", "data", "vbscript", "blob", "file", "about"})


def checked(url: str, argument: str = "return_url") -> str:
    """
    Return *url* if a payer can be sent there; an empty one means no address.

    It must be absolute, with any scheme that leads to a site or an app, and its only braces are the
    placeholders ``{payment}`` and ``{page}``, after the host. Raises `InvalidValue`.
    """
    given = cast("object", url)
    if not isinstance(given, str):
        raise InvalidValue(f"{argument} is text, not {type(given).__name__}", argument=argument)
    if not url:
        return ""
    if not url.isprintable() or " " in url:
        raise InvalidValue(
            f"{argument} has spaces or control characters: {shown(url)}", argument=argument
        )
    rest = _PAGE.sub("", _PLACEHOLDER.sub("", url))
    if "{" in rest or "}" in rest:
        raise InvalidValue(
            f"{argument} has braces other than {{payment}} and {{page}}: {shown(url)}",
            argument=argument,
        )
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = None
    leads = parts is not None and parts.netloc and _SCHEME.fullmatch(parts.scheme)
    if parts is None or not leads or parts.scheme in _RUNS_IN_THE_PAGE:
        raise InvalidValue(
            f"{argument} is an absolute URL such as https://shop.example/paid, not {shown(url)}",
            argument=argument,
        )
    in_host = _PLACEHOLDER.search(parts.netloc) or _PAGE.search(parts.netloc)
    if parts.scheme in ("http", "https") and in_host:
        raise InvalidValue(
            f"{argument} may have a placeholder only after its host: {shown(url)}",
            argument=argument,
        )
    return url


def home(url: str) -> str:
    """
    Return *url* if a payment page can send its payer home there; it may be empty.

    It may have the placeholders ``{payment}`` and ``{result}``. Raises `InvalidValue`.
    """
    if _PAGE.search(url):
        raise InvalidValue(
            f"return_to leads away from the payment pages; it cannot have {{page}}: {shown(url)}",
            argument="return_to",
        )
    without = _RESULT.sub("{payment}", url)
    return url if checked(without, "return_to") else ""


def filled(url: str, payment: str) -> str:
    """Return *url* with the id *payment* in place of each placeholder."""
    return _PLACEHOLDER.sub(payment, url)


def names_page(url: str) -> bool:
    """Return whether *url* has the placeholder of a page's token."""
    return _PAGE.search(url) is not None


def with_page(url: str, token: str) -> str:
    """Return *url* with the *token* of a page in place of each placeholder."""
    return _PAGE.sub(token, url)


def sent_home(url: str, payment: str, result: str) -> str:
    """Return the address *url* of `home` with its placeholders filled in."""
    return _RESULT.sub(result, filled(url, payment))


def without_payment(url: str) -> str:
    """Return *url*, checked; raise `InvalidValue` if it has a placeholder."""
    if _PLACEHOLDER.search(checked(url)) or _PAGE.search(url):
        raise InvalidValue(
            "return_url has the placeholder {payment}, but storing a method has no payment; use a "
            "reference of your own in the address",
            argument="return_url",
        )
    return url
