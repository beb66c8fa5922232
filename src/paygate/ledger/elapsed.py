"""How much time has passed, whatever happened to the clocks meanwhile.

A clock can be wrong, and be put right at any moment; by how much an instant lies
back cannot be told from it alone. What tells is the counter that a machine starts
when it boots: nobody sets it, and all processes of the machine read the same.
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
    """A moment since a machine was booted."""

    boot: str
    seconds: float

    def since(self, earlier: Mark | None) -> timedelta | None:
        """Tell how long ago *earlier* was; None where nothing counted in between."""
        if earlier is None or earlier.boot != self.boot or earlier.seconds > self.seconds:
            return None
        return timedelta(seconds=self.seconds - earlier.seconds)

    def __str__(self) -> str:
        return f"{self.boot}/{self.seconds:.6f}"


def read_mark(text: str | None) -> Mark | None:
    """Read what `str` wrote of a mark."""
    if text is None:
        return None
    boot, _, seconds = text.rpartition("/")
    return Mark(boot, float(seconds))


class Stopwatch(Protocol):
    """Counts time."""

    def read(self) -> Mark | None:
        """Tell the moment it is now; None where nothing counts."""
        ...


class MachineStopwatch:
    """The time since this machine was booted, with the time that it slept.

    Linux only: elsewhere nothing names the boot, so that a count from before a
    restart could be taken for one from after it.
    """

    def read(self) -> Mark | None:
        """Tell the moment it is now; None where this system does not say which boot it is."""
        boot = _boot()
        return None if boot is None else Mark(boot, time.clock_gettime(time.CLOCK_BOOTTIME))


@cache
def _boot() -> str | None:
    try:
        # As bytes: a codec that is imported by one thread is locked in a child that another forks.
        with open(_BOOT_ID, "rb") as file:  # noqa: PTH123  (pathlib is slow to import)
            return file.read().strip().decode()
    except OSError:
        return None


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to send a request, until an instant and for a time, whichever ends first."""

    until: datetime
    length: timedelta
    taken: Mark | None

    def left(self, now: datetime, mark: Mark | None) -> timedelta:
        """Tell its holder how much is left of it; nothing, or less than that, when it has ended."""
        counted = self._counted(mark)
        return self.until - now if counted is None else min(self.until - now, counted)

    def left_to_others(self, now: datetime, mark: Mark | None) -> timedelta:
        """Tell others for how long its holder may still send, whose clock is perhaps not ours."""
        counted = self._counted(mark)
        return self.until - now if counted is None else counted

    def _counted(self, mark: Mark | None) -> timedelta | None:
        passed = None if mark is None else mark.since(self.taken)
        return None if passed is None else self.length - passed


def age(now: datetime, since: datetime, mark: Mark | None, began: Mark | None) -> timedelta:
    """Tell how much time has passed at most: by the clock, or counted."""
    counted = None if mark is None else mark.since(began)
    return now - since if counted is None else max(now - since, counted)
