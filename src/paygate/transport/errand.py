"""Errands: what is done at a gateway account for one exchange, as steps that a courier does."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from paygate.errors import NotSent

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from paygate.dialogue import Request
    from paygate.domain.secret import Secret

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Send:
    """Send *request* once and be sent its `Response`."""

    request: Request


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait for so long."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Token:
    """Be sent the account's access token, which is another one than *stale*."""

    stale: HeldToken | None


@dataclass(frozen=True, slots=True)
class HeldToken:
    """A token, and from when until when it is used."""

    value: Secret[str]
    since: datetime
    until: datetime

    def usable(self, at: datetime) -> bool:
        """Return whether to use it; if the clock was put back, nobody knows how old it is."""
        return self.since <= at < self.until


Errand: TypeAlias = Generator[Send | Pause | Token, Any, T]
"""Something done at a gateway account, that ends in a T."""


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """Until when an exchange may take, by *seconds*, and until when it may be sent, by *now*."""

    ends_s: float
    not_after: datetime | None
    now: Callable[[], datetime]
    seconds: Callable[[], float]

    def left_s(self) -> float:
        """Return how many seconds are left, and 0 if the time is over."""
        return max(0.0, self.ends_s - self.seconds())

    def may_send_in(self, pause_s: float) -> bool:
        """Return whether there is still time to send after a pause."""
        if pause_s >= self.left_s():
            return False
        if self.not_after is None:
            return True
        return pause_s < (self.not_after - self.now()).total_seconds()

    def bound(self, request: Request) -> Request:
        """Give *request* no more time than is left, or raise `NotSent` where none is."""
        if not self.may_send_in(0):
            raise NotSent(f"{request.step}: the time to send it ended before", step=request.step)
        return replace(request, timeout_s=self.left_s())
