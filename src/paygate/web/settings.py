"""Settings of the payment pages: who is paid, at which address, and how the pages look."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from paygate.domain.customer import zone_of
from paygate.domain.origin import origin_of
from paygate.domain.secret import as_secret
from paygate.domain.text import line
from paygate.errors import InvalidValue
from paygate.ledger.page_keys import PageKeys
from paygate.printing import shown_value
from paygate.web.languages import LANGUAGES
from paygate.web.theme import Theme

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from paygate.domain.secret import Secret

LOGO_BYTES_MAX: Final = 2_500
"""The largest logo: it is part of every page, and a page has at most 14 kB."""

_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_HOST: Final = re.compile(r"[A-Za-z\d.-]+|[A-Fa-f\d:]+")
# Browsers read a backslash as a slash; the others end a word in a header or in HTML.
_ODD: Final = re.compile(r"[ \\\"'<>;,]")
_PHONE: Final = re.compile(r"\+?[\d ()./-]{3,30}")
_EMAIL: Final = re.compile(r"[^\s@<>\"'?&]{1,64}@[^\s@<>\"'?&]{1,190}")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings:
    """Who is paid, at which address the pages are, and how they look.

    - *payee* is the merchant's name. *support_phone* and *support_email* are on every page,
      *legal_lines* (legal name, address, tax number) on payment receipts.
    - *base_url* is the address at which the application is mounted, with its prefix. It is never
      taken from a request. It is https, except on loopback.
    - *return_origins* are the origins to which a payer can be sent home, *embed_origins* those that
      can show the pages in a frame.
    - *logo* is an SVG or PNG file, *theme* the colors. Times are shown in *zone*.
    - *languages* are those that the pages offer; the first is used if the payer accepts none.
    - *processors* are the names by which payers know the processors, by gateway account.
    - *keys* sign the results that payers bring home, in the form of ``page_keys``, which you can
      give here, too; the first one signs.
    - *tries_per_day* is how many payments can be started on a link within a day, and
      *misses_per_minute* how many addresses that lead nowhere a visitor can open within a minute.
      A visitor is the peer of the connection, or what the *trusted_proxies* (networks such as
      ``10.0.0.0/8``) say. Each process counts by itself.

    Raises `InvalidValue` for anything that the pages could not show or keep safe.
    """

    payee: str
    base_url: str
    return_origins: Sequence[str] = ()
    embed_origins: Sequence[str] = ()
    support_phone: str = ""
    support_email: str = ""
    legal_lines: Sequence[str] = ()
    logo: bytes = b""
    theme: Theme = field(default_factory=Theme)
    zone: str = "UTC"
    languages: Sequence[str] = tuple(LANGUAGES)
    processors: Mapping[str, str] = field(default_factory=dict[str, str])
    keys: Sequence[Secret[str] | str | bytes] = field(default=(), repr=False)
    tries_per_day: int = 20
    misses_per_minute: int = 30
    trusted_proxies: Sequence[str] = ()

    def __post_init__(self) -> None:
        if not self.payee.strip() or not line(self.payee):
            raise _invalid("payee", "the merchant's name", self.payee)
        _require_url(self.base_url)
        for name in ("return_origins", "embed_origins"):
            for each in getattr(self, name):
                require_origin(name, each)
        if self.support_phone and not _PHONE.fullmatch(self.support_phone):
            raise _invalid("support_phone", "a telephone number", self.support_phone)
        if self.support_email and not _EMAIL.fullmatch(self.support_email):
            raise _invalid("support_email", "an e-mail address", self.support_email)
        unknown = [each for each in self.languages if each not in LANGUAGES]
        if unknown or not self.languages:
            raise _invalid("languages", f"some of {', '.join(LANGUAGES)}", unknown)
        zone_of(self.zone)
        logo_source(self.logo)
        if self.keys:
            # Nothing prints a key that is given as text.
            object.__setattr__(self, "keys", tuple(as_secret(each) for each in self.keys))
            _ = PageKeys(self.keys)
        for name in ("tries_per_day", "misses_per_minute"):
            if getattr(self, name) < 1:
                raise _invalid(name, "a number above zero", getattr(self, name))
        for each in self.trusted_proxies:
            _require_network(each)

    @property
    def root(self) -> str:
        """The address of the pages, without a slash at its end."""
        return self.base_url.rstrip("/")

    @property
    def origin(self) -> str:
        """The origin of the pages, as browsers send it."""
        return origin_of(self.base_url)

    def local_date(self, at: datetime) -> date:
        """Return the date at *at* in the zone of the pages."""
        return at.astimezone(zone_of(self.zone)).date()


def is_safe(url: str) -> bool:
    """Return whether a payer may be sent to *url*: by https, or on the same machine."""
    try:
        parts = urlsplit(url)
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError:
        return False
    if not _HOST.fullmatch(parts.hostname or "") or parts.username is not None:
        return False
    if not port_is_valid or not (url.isascii() and url.isprintable()) or _ODD.search(url):
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


def require_origin(argument: str, given: str) -> None:
    """Raise `InvalidValue` if *given* is not an origin that is safe to name in a policy."""
    if not is_safe(given) or origin_of(given) != given:
        raise _invalid(argument, "origins such as https://shop.example", given)


def logo_source(logo: bytes) -> str:
    """Return *logo* as the source of an image, or an empty text without a logo."""
    if not logo:
        return ""
    if len(logo) > LOGO_BYTES_MAX:
        raise InvalidValue(
            f"logo has {len(logo)} bytes, and is part of every page; it may have {LOGO_BYTES_MAX}",
            argument="logo",
        )
    if logo.startswith(b"\x89PNG\r\n"):
        return f"data:image/png;base64,{base64.b64encode(logo).decode('ascii')}"
    text = logo.decode("utf-8", "replace").strip()
    if not text.startswith(("<svg", "<?xml")) or "</svg>" not in text:
        raise InvalidValue("logo must be the bytes of an SVG or PNG file", argument="logo")
    quoted = quote(text, safe="!$&()*+,-./:;=?@_~'")
    encoded = f";base64,{base64.b64encode(text.encode()).decode('ascii')}"
    return "data:image/svg+xml" + min(f",{quoted}", encoded, key=len)


def _require_url(url: str) -> None:
    parts = urlsplit(url)
    if not is_safe(url) or parts.query or parts.fragment:
        raise _invalid("base_url", "the https address of the pages, without a query", url)


def _require_network(given: str) -> None:
    try:
        ip_network(given)
    except ValueError:
        raise _invalid("trusted_proxies", "networks such as 10.0.0.0/8", given) from None


def _invalid(argument: str, what: str, given: object) -> InvalidValue:
    return InvalidValue(f"{argument} must be {what}, not {shown_value(given)}", argument=argument)
