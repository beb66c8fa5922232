"""Errands: the steps of one exchange with a gateway account, which a courier executes."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from paygate.errors import NotSent

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from paygate.dialogue import Request
    from paygate.domain.secret import Secret
    from paygate.domain.spellings import Spellings

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Send:
    """Send *request* once and be sent its `Response`."""

    request: Request


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait for *seconds*."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Token:
    """Be sent the account's access token, which must not be *stale*."""

    stale: HeldToken | None


@dataclass(frozen=True, slots=True)
class HeldToken:
    """A token, and the period in which it is used."""

    value: Secret[str]
    since: datetime
    until: datetime
    spellings: Spellings = field(repr=False, compare=False)
    """The ways in which a processor may repeat it."""

    def usable(self, at: datetime) -> bool:
        """Return whether to use it; not if the clock was set back, since its age is not known."""
        return self.since <= at < self.until


Errand: TypeAlias = Generator[Send | Pause | Token, Any, T]
"""A generator of the steps of an exchange, which returns a T."""


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """The end of an exchange, by the clock *seconds*, and of the right to send, by *now*."""

    ends_s: float
    not_after: datetime | None
    now: Callable[[], datetime]
    seconds: Callable[[], float]

    def left_s(self) -> float:
        """Return how many seconds are left, 0 if none are."""
        return max(0.0, self.ends_s - self.seconds())

    def may_send_in(self, pause_s: float) -> bool:
        """Return whether there is still time to send after a pause."""
        if pause_s >= self.left_s():
            return False
        if self.not_after is None:
            return True
        return pause_s < (self.not_after - self.now()).total_seconds()

    def bound(self, request: Request) -> Request:
        """Return *request* limited to the time left, or raise `NotSent` when it is over."""
        if not self.may_send_in(0):
            raise NotSent(f"{request.step}: the time to send it has ended", step=request.step)
        return replace(request, timeout_s=self.left_s())
