"""The way out: what stands between this host and its processors.

Nothing of it is taken from the environment, where a variable that somebody else set could send
every charge through their machine, and nothing from the settings of an account, which a
merchant may have typed. The operator gives it when the cashier is opened.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import unquote, urlsplit

from paygate.domain.secret import Sealed, Secret, as_secret
from paygate.errors import InvalidSettings

if TYPE_CHECKING:
    import ssl

HEAD_BYTES_MAX: Final = 16_384
"""How long the answer of a proxy to CONNECT may be."""

_PORT: Final = 3128
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})(?: |\r\n)")


class ProxyRefused(OSError):
    """The proxy did not open the tunnel; nothing was sent to the processor."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """How processors are reached: through a proxy, by which CAs, and with which certificate.

    *proxy* is ``http://proxy.example:3128``, with ``user:password@`` if it wants them: each
    connection is a tunnel (CONNECT) in which the processor's own certificate is verified, so
    the proxy reads nothing. *ca_file* is a file of PEM certificates that are trusted instead of
    the public ones. *client_certificate* and *client_key* are PEM files with which we show who
    we are (mTLS); the key may be in the same file. Raises `InvalidSettings`.
    """

    proxy: Secret[str] | str = ""
    ca_file: str = ""
    client_certificate: str = ""
    client_key: str = ""
    client_key_password: Secret[str] | str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "proxy", as_secret(self.proxy))
        object.__setattr__(self, "client_key_password", as_secret(self.client_key_password))
        for name in ("ca_file", "client_certificate", "client_key"):
            if not isinstance(cast("object", getattr(self, name)), str):
                raise InvalidSettings(f"{name} is the path of a PEM file", argument=name)
        if self.client_key and not self.client_certificate:
            raise InvalidSettings(
                "client_key is the key of a certificate: give client_certificate as well",
                argument="client_key",
            )
        _ = self.tunnel, self.context

    @cached_property
    def tunnel(self) -> Tunnel | None:
        """The proxy that is to be asked for a tunnel, if there is one."""
        return _tunnel(cast("Secret[str]", self.proxy))

    @cached_property
    def context(self) -> ssl.SSLContext | None:
        """What TLS trusts and shows; None if that is what is usual."""
        if not self.ca_file and not self.client_certificate:
            return None
        problem = ""
        try:
            return self._context()
        except (OSError, ValueError) as error:  # an SSLError is an OSError
            problem = f"{type(error).__name__}: {error}"
        raise InvalidSettings(
            f"the certificates of the network cannot be used ({problem}); ca_file, "
            "client_certificate and client_key are PEM files"
        )

    def _context(self) -> ssl.SSLContext:
        import ssl

        import httpx

        if self.ca_file:
            context = ssl.create_default_context(cafile=self.ca_file)
        else:
            context = httpx.create_ssl_context(trust_env=False)
        if self.client_certificate:
            # An empty password keeps OpenSSL from asking for one at the terminal.
            password = cast("Secret[str]", self.client_key_password)
            context.load_cert_chain(
                self.client_certificate, self.client_key or None, password.reveal
            )
        return context


@dataclass(frozen=True, slots=True)
class Tunnel:
    """A proxy, and what it wants to hear before it opens a tunnel."""

    host: str
    port: int
    authorization: Secret[str]

    def request(self, host: bytes, port: int) -> bytes:
        """Return the request for a tunnel to *host*."""
        name = b"[%s]" % host if b":" in host else host
        place = b"%s:%d" % (name, port)
        head = b"CONNECT %s HTTP/1.1\r\nHost: %s\r\n" % (place, place)
        if self.authorization:
            head += f"Proxy-Authorization: {self.authorization.reveal()}\r\n".encode()
        return head + b"\r\n"


def opened(head: bytes) -> bool:
    """
    Return whether *head*, what a proxy has answered so far, opens the tunnel.

    False while the answer is not whole. Raises `ProxyRefused` for every other answer.
    """
    if b"\r\n\r\n" not in head:
        if len(head) > HEAD_BYTES_MAX:
            raise ProxyRefused(0, "the answer of the proxy is too long")
        return False
    status = _STATUS.match(head)
    if status is None or not head.endswith(b"\r\n\r\n"):
        raise ProxyRefused(0, "the proxy does not speak HTTP")
    if not 200 <= int(status[1]) < 300:
        raise ProxyRefused(0, f"the proxy refused the tunnel with status {int(status[1])}")
    return True


def _tunnel(proxy: Secret[str]) -> Tunnel | None:
    if not proxy:
        return None
    problem = "proxy is an address such as http://proxy.example:3128"
    if isinstance(cast("object", proxy.reveal()), str):
        # The parts hold the password: they stand in no variable that a traceback would show.
        try:
            parts = Sealed(urlsplit(proxy.reveal()))
            host, port = parts.open().hostname, parts.open().port
            if parts.open().scheme == "http" and host and parts.open().path in ("", "/"):
                return Tunnel(host, port or _PORT, _basic(proxy))
        except ValueError:
            pass
    raise InvalidSettings(problem, argument="proxy")


def _basic(proxy: Secret[str]) -> Secret[str]:
    parts = urlsplit(proxy.reveal())
    if parts.username is None:
        return Secret("")
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return Secret(f"Basic {base64.b64encode(pair.encode()).decode()}")
