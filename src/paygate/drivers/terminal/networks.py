"""The networks from which a payment terminal's requests may come."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


def networks_of(allow: Iterable[str]) -> tuple[Network, ...]:
    """Return the networks that *allow* names, or raise `ValueError`."""
    try:
        found = tuple(map(ipaddress.ip_network, allow))
    except ValueError:
        raise ValueError("write an address or a network such as 79.142.16.0/20") from None
    if any(each.prefixlen == 0 for each in found):
        raise ValueError("a network of all addresses allows everybody; leave it out")
    return found
