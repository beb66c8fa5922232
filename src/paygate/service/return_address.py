"""Where the payer comes back to after the processor's page: the ``return_url`` of a host.

A host writes the address before the payment has an id, so it writes ``{payment}`` where
the id belongs. The id is filled in before the driver sees the address: a processor
expands braces of its own, or sends the payer back to them as they stand.
"""

from __future__ import annotations

import re
from typing import Final, cast
from urllib.parse import urlsplit

from paygate.errors import InvalidValue
from paygate.printing import shown

_PLACEHOLDER: Final = re.compile(r"\{payment\}|%7Bpayment%7D", re.IGNORECASE)
"""The placeholder, also as ``urlencode`` and templates write it."""

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_RUNS_IN_THE_PAGE: Final = frozenset({"javascript", "data", "vbscript", "blob", "file", "about"})


def checked(url: str) -> str:
    """
    Return *url* if a payer can be sent there; empty is no address.

    It is absolute, of any scheme that leads to a site or an app, and its only braces are
    the placeholder ``{payment}``, behind the host. Raises `InvalidValue`.
    """
    given = cast("object", url)
    if not isinstance(given, str):
        raise InvalidValue(f"return_url is text, not {type(given).__name__}", argument="return_url")
    if not url:
        return ""
    if not url.isprintable() or " " in url:
        raise InvalidValue(
            f"return_url has spaces or control characters: {shown(url)}", argument="return_url"
        )
    rest = _PLACEHOLDER.sub("", url)
    if "{" in rest or "}" in rest:
        raise InvalidValue(
            f"return_url has braces that are not the placeholder {{payment}}: {shown(url)}",
            argument="return_url",
        )
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = None
    leads = parts is not None and parts.netloc and _SCHEME.fullmatch(parts.scheme)
    if parts is None or not leads or parts.scheme in _RUNS_IN_THE_PAGE:
        raise InvalidValue(
            f"return_url is a whole address, such as https://shop.example/paid, not {shown(url)}",
            argument="return_url",
        )
    if parts.scheme in ("http", "https") and _PLACEHOLDER.search(parts.netloc):
        raise InvalidValue(
            f"return_url names the payment behind its host, and not in it: {shown(url)}",
            argument="return_url",
        )
    return url


def filled(url: str, payment: str) -> str:
    """Return *url* with the id *payment* in place of each placeholder."""
    return _PLACEHOLDER.sub(payment, url)


def without_payment(url: str) -> str:
    """Return *url*, checked, where nothing is paid; raise `InvalidValue` for a placeholder."""
    if _PLACEHOLDER.search(checked(url)):
        raise InvalidValue(
            "return_url has the placeholder {payment}, and where a method is stored there is no "
            "payment; put a reference of your own into the address",
            argument="return_url",
        )
    return url
