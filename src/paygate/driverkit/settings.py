"""Settings of accounts: types and checks that most processors need.

    class PennySettings(Settings):
        api_key: Annotated[Secret[str], matching("key_[a-z0-9]+", "a key begins with key_")]
        webhook_secrets: Secrets = ()
        api_base: Annotated[str, safe_url("loopback")] = "https://api.penny.example"
        minimum: AmountTable = Field(default_factory=dict)
        maximum: AmountTable = Field(default_factory=dict)

The error of a check is shown with the name of the field, never with its value.
"""

from __future__ import annotations

import ipaddress
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias, cast
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator

from paygate.domain.money import Money
from paygate.domain.secret import Secret
from paygate.errors import UsageError
from paygate.gateway import Limits

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

# --- Texts and secrets ------------------------------------------------------------------


def matching(pattern: str, says: str, *, optional: bool = False) -> AfterValidator:
    """Return a check that a text or secret, or each of several, matches *pattern* completely.

    *says* is the error otherwise. A secret with a space or line break at an end, such as copying
    from a page adds, is refused with an error of its own. With *optional* an empty one passes.
    """
    compiled = re.compile(pattern)

    def check(given: Any) -> Any:
        for each in cast("tuple[str | Secret[str], ...]", _several(given)):
            text = each.reveal() if isinstance(each, Secret) else each
            if isinstance(each, Secret) and text != text.strip():
                raise ValueError("it has a space or line break before or after it; remove that")
            if not compiled.fullmatch(text) and (text or not optional):
                raise ValueError(says)
        return given

    return AfterValidator(check)


def _several(given: Any) -> Any:
    return (given,) if isinstance(given, str | Secret) else given


Secrets: TypeAlias = Annotated[tuple[Secret[str], ...], BeforeValidator(_several)]
"""One secret, or several while one is being rolled over."""


# --- Addresses ----------------------------------------------------------------------------

Plain: TypeAlias = Literal["never", "loopback", "private"]
"""Where a URL may do without TLS: nowhere, on this machine, or also in a private network."""

_WANTED: Final[dict[Plain, str]] = {
    "never": "an address begins with https://",
    "loopback": "it is sent over https only (or over http to this machine)",
    "private": "an address begins with http:// or https://; "
    "over http only to this machine or a private network; else https",
}


def safe_url(
    http: Plain = "never", *, optional: bool = False, page: bool = False
) -> AfterValidator:
    """Return a check of a URL to which secrets are sent; it strips slashes at the end.

    The URL is https, or http if *http* allows that, and has no user info, query or fragment. A
    *page* of the host, which nothing is appended to, may have a query, and keeps its slash.
    """

    def check(address: str) -> str:
        if not address and optional:
            return ""
        parts = urlsplit(address.rstrip("/"))
        host = parts.hostname or ""
        if parts.scheme != "https" and not (parts.scheme == "http" and _is_near(host, http)):
            raise ValueError(_WANTED[http])
        if not host or (parts.query and not page) or parts.fragment or "@" in parts.netloc:
            without = "user or fragment" if page else "user, query or fragment"
            raise ValueError(f"an address without {without} is needed")
        return address if page else address.rstrip("/")

    return AfterValidator(check)


def _is_near(host: str, http: Plain) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return http != "never" and host == "localhost"
    near = address.is_loopback or (http == "private" and address.is_private)
    return http != "never" and near


# --- Amounts ------------------------------------------------------------------------------


def _are_amounts(amounts: dict[str, Decimal]) -> dict[str, Decimal]:
    for currency, amount in amounts.items():
        try:
            Money.of(currency, amount)
        except UsageError as error:
            raise ValueError(error.message) from None
    return amounts


AmountTable: TypeAlias = Annotated[dict[str, Decimal], AfterValidator(_are_amounts)]
"""Amounts by currency, such as ``{"USD": "0.50"}``."""


def limits_of(
    minimum: Mapping[str, Decimal],
    maximum: Mapping[str, Decimal],
    currencies: Collection[str],
    by: str,
) -> dict[str, Limits]:
    """Return the limits of two tables; raise `ValueError` if they contradict each other.

    Call it in a model validator, so that errors are found when the settings are created, and again
    for the traits.
    """
    for currency in minimum.keys() | maximum.keys():
        if currency not in currencies:
            raise ValueError(f"{by} does not take {currency}, or the driver does not support it")
        if currency in minimum and minimum[currency] > maximum.get(currency, minimum[currency]):
            raise ValueError(f"minimum is above maximum in {currency}, so no amount is allowed")
    _are_amounts({**minimum})
    _are_amounts({**maximum})
    return {
        currency: Limits(_minor(minimum, currency), _minor(maximum, currency))
        for currency in sorted(minimum.keys() | maximum.keys())
    }


def _minor(amounts: Mapping[str, Decimal], currency: str) -> int | None:
    amount = amounts.get(currency)
    return None if amount is None else Money.of(currency, amount).minor
