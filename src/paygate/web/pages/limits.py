"""Limits: how often one visitor or link may ask, counted in this process.

They keep guesses at tokens slow, and stop whoever tries one stolen card after another on a link.
A process counts by itself, so with several processes each limit is that much higher; the counts of
a process end with it. A shared count belongs in the proxy in front of them.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from starlette.requests import Request

_SUBJECTS_MAX: Final = 10_000
_PREFIX_V6: Final = 64
"""Whoever has one address of IPv6 usually has the whole network of this length."""


@dataclass(slots=True)
class Counter:
    """Counts what happened to each subject within *period*, up to *most*."""

    most: int
    period: timedelta
    _times: dict[str, deque[datetime]] = field(default_factory=dict[str, "deque[datetime]"])

    def is_full(self, subject: str, now: datetime) -> bool:
        """Return whether *subject* has reached the limit."""
        return len(self._recent(subject, now)) >= self.most

    def add(self, subject: str, now: datetime) -> None:
        """Count one more."""
        if subject not in self._times and len(self._times) >= _SUBJECTS_MAX:
            self._forget(now)
        times = self._times.setdefault(subject, deque(maxlen=self.most))
        times.append(now)

    def _recent(self, subject: str, now: datetime) -> Sequence[datetime]:
        times = self._times.get(subject, deque())
        while times and now - times[0] >= self.period:
            times.popleft()
        return times

    def _forget(self, now: datetime) -> None:
        """Forget subjects of which nothing is recent; if all are, those that came first."""
        for subject in list(self._times):
            if not self._recent(subject, now):
                del self._times[subject]
        while len(self._times) >= _SUBJECTS_MAX:
            del self._times[next(iter(self._times))]


def visitor_of(request: Request, trusted_proxies: Sequence[str]) -> str:
    """
    Return the address from which *request* came, as it is counted.

    It is the peer of the connection. If that is a trusted proxy, it is the last address of
    ``X-Forwarded-For`` that is not: those before it can be invented by the visitor.
    """
    peer = request.client.host if request.client else ""
    if not trusted_proxies or not _within(peer, trusted_proxies):
        return _counted(peer)
    named = request.headers.get("x-forwarded-for", "").split(",")
    hops = [each.strip() for each in named if each.strip()]
    for hop in reversed(hops):
        if not _within(hop, trusted_proxies):
            return _counted(hop)
    return _counted(peer)


def _within(address: str, networks: Sequence[str]) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return any(found in ip_network(each) for each in networks)


def _counted(address: str) -> str:
    try:
        found = ip_address(address)
    except ValueError:
        return "unknown"
    mapped = getattr(found, "ipv4_mapped", None)
    if mapped is not None:
        return str(mapped)
    return str(found if found.version == 4 else ip_network((found, _PREFIX_V6), strict=False))
