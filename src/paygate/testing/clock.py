"""Clocks: the sources of the fake's time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

START: Final = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
"""The instant at which a `FakeClock` starts by default."""


class ProcessorClock(Protocol):
    """A source of the current time, in UTC."""

    def now(self) -> datetime:
        """Return the current instant."""
        ...


class FakeClock:
    """A clock that stands still until a test moves it."""

    def __init__(self, start: datetime = START) -> None:
        self._now = _utc(start)

    def now(self) -> datetime:
        """Return the instant to which the clock was last moved."""
        return self._now

    def advance(self, by: timedelta | None = None, **parts: float) -> datetime:
        """Move the clock forward, as in ``advance(days=3)``, and return the new instant.

        ``advance(timedelta(days=3))`` does the same.
        """
        self._now += _duration(by, parts)
        return self._now

    def set(self, instant: datetime) -> None:
        """Move to *instant*, which may be in the past, as when a wrong clock is corrected."""
        self._now = _utc(instant)


class WallClock:
    """The real time, plus the time that a test has added with `advance`."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def now(self) -> datetime:
        """Return the real time plus what was added."""
        return datetime.now(UTC) + self._ahead

    def advance(self, by: timedelta | None = None, **parts: float) -> datetime:
        """Move the clock forward, as in ``advance(days=3)``, and return the new instant.

        ``advance(timedelta(days=3))`` does the same.
        """
        self._ahead += _duration(by, parts)
        return self.now()


def _utc(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError("an instant needs a time zone; write datetime(..., tzinfo=UTC)")
    return instant.astimezone(UTC)


def _duration(by: timedelta | None, parts: dict[str, float]) -> timedelta:
    return (by or timedelta()) + timedelta(**parts)
