"""Names: which addresses a connection may go to, and which one it uses.

A name is resolved once per connection, and the connection goes to an address that was found then,
so whoever controls the name cannot switch to an unchecked address. TLS verifies the name in any
case.

Some destinations are entered by strangers, such as the URL of a webhook. A request to them is
marked `public_only`: a name with an address of this machine, of a private network or otherwise not
public is refused, since it could direct our request to a service that only we can reach.
"""

from __future__ import annotations

import socket
from importlib import import_module
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final, NamedTuple

# The first look-up of a name imports this codec. If another thread forks at that moment, the
# child can never import it.
import_module("encodings.idna")


class Endpoint(NamedTuple):
    """The destination of a connection; connections to equal endpoints are interchangeable."""

    scheme: bytes
    host: bytes
    port: int
    pinned_to: str = ""
    public_only: bool = False

    @property
    def name(self) -> str:
        """The name that is looked up, and that TLS verifies."""
        return self.host.decode("ascii")

    @property
    def tls_name(self) -> str | None:
        """The name that TLS verifies; None without TLS."""
        return self.name if self.scheme == b"https" else None

    @property
    def checked(self) -> bool:
        """Whether the address of the connection must be checked."""
        return bool(self.pinned_to) or self.public_only

    @property
    def known_address(self) -> str:
        """The address, if it is known without a look-up."""
        return self.pinned_to or literal(self.name)


class AddressRefused(OSError):
    """The connection may not go there; nothing was sent."""


def look_up(name: str, port: int) -> list[str]:
    """Return the addresses of *name*, each once, or raise an `OSError`."""
    found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def allowed(endpoint: Endpoint, addresses: list[str]) -> list[str]:
    """Return *addresses* if a connection may go to them, or raise `AddressRefused`."""
    if not addresses:
        raise AddressRefused(0, "the name has no address")
    if endpoint.public_only and not all(map(is_public, addresses)):
        # All of them: a name that mixes public and private addresses has no legitimate use.
        raise AddressRefused(0, "the name has an address that is not public")
    return addresses


def literal(name: str) -> str:
    """Return *name* if it is an IP address, and otherwise an empty text."""
    try:
        return str(ip_address(name))
    except ValueError:
        return ""


_TRANSLATED: Final = IPv6Network("64:ff9b::/96")
"""IPv4 addresses as a translator (NAT64) reaches them (RFC 6052)."""


def is_public(address: str) -> bool:
    """Return whether *address* is a public address of the internet."""
    found = ip_address(address)
    embedded = _embedded(found) if isinstance(found, IPv6Address) else None
    if embedded is not None:
        found = embedded
    if found.is_multicast or found.is_reserved or not found.is_global:
        return False
    return not (isinstance(found, IPv6Address) and found.is_site_local)


def _embedded(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that a packet to *address* is translated to, if any."""
    if address in _TRANSLATED:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour
