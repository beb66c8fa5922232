"""Elapsed time that does not depend on the wall clock.

The wall clock can be wrong and can be set at any moment, so it cannot measure how long ago
something happened. The counter that a machine starts when it boots can: nobody sets it, and
all processes of the machine read the same value.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from datetime import datetime

_BOOT_ID: Final = "/proc/sys/kernel/random/boot_id"


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment, in seconds since a machine was booted."""

    boot: str
    seconds: float

    def since(self, earlier: Mark | None) -> timedelta | None:
        """Return the time since *earlier*; None if it is not from the same boot."""
        if earlier is None or earlier.boot != self.boot or earlier.seconds > self.seconds:
            return None
        return timedelta(seconds=self.seconds - earlier.seconds)

    def __str__(self) -> str:
        return f"{self.boot}/{self.seconds:.6f}"


def read_mark(text: str | None) -> Mark | None:
    """Return the mark that `str` wrote as *text*."""
    if text is None:
        return None
    boot, _, seconds = text.rpartition("/")
    return Mark(boot, float(seconds))


class Stopwatch(Protocol):
    """A source of marks."""

    def read(self) -> Mark | None:
        """Return the current moment; None if it cannot be measured."""
        ...


class MachineStopwatch:
    """The time since this machine was booted, including time asleep.

    Linux only: other systems do not identify the boot, so a mark from before a restart
    could be mistaken for one from after it.
    """

    def read(self) -> Mark | None:
        """Return the current moment; None if this system does not identify its boot."""
        boot = _boot()
        return None if boot is None else Mark(boot, time.clock_gettime(time.CLOCK_BOOTTIME))


@cache
def _boot() -> str | None:
    try:
        # As bytes: importing a codec takes a lock, which a fork in another thread would copy.
        with open(_BOOT_ID, "rb") as file:  # noqa: PTH123  (pathlib is slow to import)
            return file.read().strip().decode()
    except OSError:
        return None


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to send a request, until an instant or for a duration, whichever ends first."""

    until: datetime
    length: timedelta
    taken: Mark | None

    def left(self, now: datetime, mark: Mark | None) -> timedelta:
        """Return the time left for its holder; zero or negative once it has ended."""
        counted = self._counted(mark)
        return self.until - now if counted is None else min(self.until - now, counted)

    def left_to_others(self, now: datetime, mark: Mark | None) -> timedelta:
        """Return the time for which its holder, whose clock may differ, may still send."""
        counted = self._counted(mark)
        return self.until - now if counted is None else counted

    def _counted(self, mark: Mark | None) -> timedelta | None:
        passed = None if mark is None else mark.since(self.taken)
        return None if passed is None else self.length - passed


def age(now: datetime, since: datetime, mark: Mark | None, began: Mark | None) -> timedelta:
    """Return the elapsed time, by the clock or by the stopwatch, whichever is longer."""
    counted = None if mark is None else mark.since(began)
    return now - since if counted is None else max(now - since, counted)
