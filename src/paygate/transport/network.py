"""Network: what is between this host and its processors.

Nothing of it is taken from the environment, in which a variable set by somebody else could redirect
every charge through their machine, and nothing from the settings of an account, which a merchant
may have entered. The operator configures it: as an object, which no form or JSON can create, or in
the operator's own file that the commands read.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast
from urllib.parse import unquote, urlsplit

from paygate.domain.secret import Sealed, Secret, as_secret
from paygate.errors import InvalidSettings
from paygate.printing import shown, shown_value
from paygate.transport.names import Endpoint, literal

if TYPE_CHECKING:
    import ssl

T = TypeVar("T")

HEAD_BYTES_MAX: Final = 16_384
"""The maximum size of a proxy's response to CONNECT."""

_PORT: Final = 3128
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})(?: |\r\n)")
_HOST: Final = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?").fullmatch


class ProxyRefused(OSError):
    """The proxy did not open the tunnel; nothing was sent to the processor."""


class CertificateExpired(OSError):
    """Our client certificate has expired; nothing was sent."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """How processors are reached: proxy, trusted CAs, client certificate, time limits.

    - *proxy*: ``http://proxy.example:3128``, with ``user:password@`` if the proxy needs them. Each
      connection is a tunnel (CONNECT) in which the processor's own certificate is verified, so the
      proxy can read nothing.
    - *ca_file*: a file of PEM certificates that are trusted instead of the public ones.
    - *client_certificate*, *client_key*: PEM files that identify us (mTLS); the key may be in the
      same file as the certificate.
    - *timeout_s*: how long an exchange may take (default `Timing.deadline_s`);
      *connect_timeout_s*: how much of that connecting may take.
    - *addresses* pins names: ``{"api.bank.example": "203.0.113.7"}`` connects there without a
      look-up, and TLS verifies the name.

    None means the value for all accounts, or the default; an empty *proxy* or *ca_file* means no
    proxy or file, even if there is one for all accounts. Raises `InvalidSettings`.
    """

    proxy: Secret[str] | str | None = None
    ca_file: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None
    client_key_password: Secret[str] | str | None = None
    timeout_s: float | None = None
    connect_timeout_s: float | None = None
    addresses: Mapping[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        for name in ("proxy", "client_key_password"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, as_secret(getattr(self, name)))
        for name in ("ca_file", "client_certificate", "client_key"):
            if not isinstance(cast("object", getattr(self, name)), str | None):
                raise InvalidSettings(f"{name} is the path of a PEM file", argument=name)
        for name in ("client_key", "client_key_password"):
            if getattr(self, name) and not self.client_certificate:
                raise InvalidSettings(
                    f"{name} belongs to a certificate: pass client_certificate as well",
                    argument=name,
                )
        for name in ("timeout_s", "connect_timeout_s"):
            _check_seconds(getattr(self, name), name)
        object.__setattr__(self, "addresses", _pins(self.addresses))
        _ = self.tunnel, self.context

    def over(self, general: Network) -> Network:
        """Return this network, with the values of *general* for those that are None.

        A certificate, its key and its password are taken together.
        """
        shows = self if self.client_certificate is not None else general
        return Network(
            proxy=general.proxy if self.proxy is None else self.proxy,
            ca_file=_first(self.ca_file, general.ca_file),
            client_certificate=shows.client_certificate,
            client_key=shows.client_key,
            client_key_password=shows.client_key_password,
            timeout_s=_first(self.timeout_s, general.timeout_s),
            connect_timeout_s=_first(self.connect_timeout_s, general.connect_timeout_s),
            addresses={**general.addresses, **self.addresses},
        )

    def address_of(self, host: bytes) -> str:
        """Return the address that *host* is pinned to; empty if it is not."""
        return self.addresses.get(host.decode("ascii"), "") if self.addresses else ""

    @cached_property
    def tunnel(self) -> Tunnel | None:
        """The proxy to ask for a tunnel, if there is one."""
        return _tunnel(cast("Secret[str] | None", self.proxy))

    def tls(self, now: datetime | None = None) -> ssl.SSLContext | None:
        """Return `context` for a connection that is made *now*, or raise `CertificateExpired`.

        In TLS 1.3 a server refuses a certificate only after we may have sent the request, whose
        outcome would then be unknown.
        """
        if self._expires is not None and self._expires <= (now or datetime.now(UTC)):
            raise CertificateExpired(
                0, f"our client certificate expired on {self._expires:%Y-%m-%d}; replace it"
            )
        return self.context

    @cached_property
    def context(self) -> ssl.SSLContext | None:
        """The TLS context with our CAs and certificate; None for the default."""
        if not self.ca_file and not self.client_certificate:
            return None
        problem = ""
        try:
            _ = self._expires
            return self._context()
        except (OSError, ValueError) as error:  # an SSLError is an OSError
            problem = f"{type(error).__name__}: {error}"
        raise InvalidSettings(
            f"the certificates of the network cannot be used ({problem}); ca_file, "
            "client_certificate and client_key are PEM files"
        )

    @cached_property
    def _expires(self) -> datetime | None:
        if not self.client_certificate:
            return None
        from cryptography import x509

        pem = Path(self.client_certificate).read_bytes()
        return x509.load_pem_x509_certificates(pem)[0].not_valid_after_utc

    def _context(self) -> ssl.SSLContext:
        import ssl

        import httpx

        if self.ca_file:
            context = ssl.create_default_context(cafile=self.ca_file)
        else:
            context = httpx.create_ssl_context(trust_env=False)
        if self.client_certificate:
            # An empty password keeps OpenSSL from asking for one at the terminal.
            password = cast("Secret[str]", self.client_key_password or Secret(""))
            context.load_cert_chain(
                self.client_certificate, self.client_key or None, password.reveal
            )
        return context


def network_of(name: str, table: object) -> Network:
    """Return the network described by *table*, called *name*, of an operator's file.

    Raises `InvalidSettings`.
    """
    if not isinstance(table, Mapping):
        raise InvalidSettings(f"{name} is a table, not {shown_value(table)}")
    given = cast("Mapping[str, object]", table)
    known = [each.name for each in fields(Network)]
    wrong = sorted(set(given) - set(known))
    if wrong:
        raise InvalidSettings(
            f"{name} has no setting {', '.join(map(shown, wrong))}; a Network has: "
            f"{', '.join(known)}"
        )
    secret = ("proxy", "client_key_password")
    plain: dict[str, Any] = {
        each: value if each in secret else _plain(value) for each, value in given.items()
    }
    try:
        return Network(**plain)
    except InvalidSettings as error:
        raise InvalidSettings(f"{name}: {error.message}", **error.facts) from None


@dataclass(frozen=True, slots=True)
class Tunnel:
    """A proxy, and the credentials that it needs to open a tunnel."""

    endpoint: Endpoint
    authorization: Secret[str]

    def request(self, target: str, port: int) -> bytes:
        """Return the request for a tunnel to *target*, a name or an address."""
        place = f"[{target}]:{port}" if ":" in target else f"{target}:{port}"
        head = f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n"
        if self.authorization:
            head += f"Proxy-Authorization: {self.authorization.reveal()}\r\n"
        return f"{head}\r\n".encode("ascii")


def closed_by_proxy() -> ProxyRefused:
    """Return the error for a proxy that closed the connection without a response."""
    return ProxyRefused(0, "the proxy closed the connection")


def opened(head: bytes) -> bool:
    """
    Return whether *head*, the proxy's response so far, opens the tunnel.

    False while the response is incomplete. Raises `ProxyRefused` for any other response.
    """
    if b"\r\n\r\n" not in head:
        if len(head) > HEAD_BYTES_MAX:
            raise ProxyRefused(0, "the proxy's response is too long")
        return False
    status = _STATUS.match(head)
    if status is None or not head.endswith(b"\r\n\r\n"):
        raise ProxyRefused(0, "the proxy does not speak HTTP")
    if not 200 <= int(status[1]) < 300:
        raise ProxyRefused(0, f"the proxy refused the tunnel with status {int(status[1])}")
    return True


def _tunnel(proxy: Secret[str] | None) -> Tunnel | None:
    if not proxy:
        return None
    problem = "proxy is an address such as http://proxy.example:3128"
    if isinstance(cast("object", proxy.reveal()), str):
        # The parts contain the password: keep them out of variables that a traceback would show.
        try:
            parts = Sealed(urlsplit(proxy.reveal()))
            host, port = parts.open().hostname, parts.open().port
            if parts.open().scheme == "http" and host and parts.open().path in ("", "/"):
                at = Endpoint(b"http", host.encode("idna"), port or _PORT)
                return Tunnel(at, _basic(proxy))
        except ValueError:
            pass
    raise InvalidSettings(problem, argument="proxy")


def _basic(proxy: Secret[str]) -> Secret[str]:
    parts = urlsplit(proxy.reveal())
    if parts.username is None:
        return Secret("")
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return Secret(f"Basic {base64.b64encode(pair.encode()).decode()}")


def _plain(value: object) -> Any:
    """Return *value* in clear text; values from the environment are Secrets."""
    return cast("Secret[str]", value).reveal() if isinstance(value, Secret) else value


def _first(one: T | None, other: T | None) -> T | None:
    return other if one is None else one


def _check_seconds(value: object, name: str) -> None:
    number = not isinstance(value, bool) and isinstance(value, int | float)
    if value is not None and not (number and 0 < cast("float", value) < math.inf):
        raise InvalidSettings(
            f"{name} is a number of seconds, not {shown_value(value)}", argument=name
        )


def _pins(value: object) -> dict[str, str]:
    problem = 'addresses is a mapping of names to addresses, {"api.bank.example": "203.0.113.7"}'
    if not isinstance(value, Mapping):
        raise InvalidSettings(f"{problem}, not {shown_value(value)}", argument="addresses")
    pins: dict[str, str] = {}
    for name, given in cast("Mapping[object, object]", value).items():
        address = _plain(given)
        host = name.lower() if isinstance(name, str) else ""
        where = literal(address) if isinstance(address, str) else ""
        if not _HOST(host) or not where:
            raise InvalidSettings(
                f"{problem}; {shown_value(name)} cannot be pinned to {shown_value(address)}",
                argument="addresses",
            )
        pins[host] = where
    return pins
