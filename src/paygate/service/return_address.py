"""The return address: the host's ``return_url``, to which the processor's page sends the payer.

A host writes the address before the payment has an id, so it writes ``{payment}`` in place of the
id. The id is filled in before the driver sees the address, because a processor might expand the
braces itself, or send the payer back with them.
"""

from __future__ import annotations

import re
from typing import Final, cast
from urllib.parse import urlsplit

from paygate.errors import InvalidValue
from paygate.printing import shown

_PLACEHOLDER: Final = re.compile(r"\{payment\}|%7Bpayment%7D", re.IGNORECASE)
"""The placeholder, also in the form that ``urlencode`` and templates write."""

_RESULT: Final = re.compile(r"\{result\}|%7Bresult%7D", re.IGNORECASE)
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_RUNS_IN_THE_PAGE: Final = frozenset({"javascript", "data", "vbscript", "blob", "file", "about"})


def checked(url: str, argument: str = "return_url") -> str:
    """
    Return *url* if a payer can be sent there; an empty one means no address.

    It must be absolute, with any scheme that leads to a site or an app, and its only braces are the
    placeholder ``{payment}``, after the host. Raises `InvalidValue`.
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
    rest = _PLACEHOLDER.sub("", url)
    if "{" in rest or "}" in rest:
        raise InvalidValue(
            f"{argument} has braces that are not the placeholder {{payment}}: {shown(url)}",
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
    if parts.scheme in ("http", "https") and _PLACEHOLDER.search(parts.netloc):
        raise InvalidValue(
            f"{argument} may have the placeholder only after its host: {shown(url)}",
            argument=argument,
        )
    return url


def home(url: str) -> str:
    """
    Return *url* if a payment page can send its payer home there; it may be empty.

    It may have the placeholders ``{payment}`` and ``{result}``. Raises `InvalidValue`.
    """
    without = _RESULT.sub("{payment}", url)
    return url if checked(without, "return_to") else ""


def filled(url: str, payment: str) -> str:
    """Return *url* with the id *payment* in place of each placeholder."""
    return _PLACEHOLDER.sub(payment, url)


def without_payment(url: str) -> str:
    """Return *url*, checked; raise `InvalidValue` if it has a placeholder."""
    if _PLACEHOLDER.search(checked(url)):
        raise InvalidValue(
            "return_url has the placeholder {payment}, but storing a method has no payment; use a "
            "reference of your own in the address",
            argument="return_url",
        )
    return url
