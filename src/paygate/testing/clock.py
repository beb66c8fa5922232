"""Clocks: where the fake's time comes from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

START: Final = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
"""Where a `FakeClock` starts unless it is told otherwise."""


class ProcessorClock(Protocol):
    """Tells the time, in UTC."""

    def now(self) -> datetime:
        """Tell the instant it is now."""
        ...


class FakeClock:
    """A clock that stands still until a test moves it."""

    def __init__(self, start: datetime = START) -> None:
        self._now = _utc(start)

    def now(self) -> datetime:
        """Tell the instant it was last moved to."""
        return self._now

    def advance(self, by: timedelta | None = None, **parts: float) -> datetime:
        """Move forward: ``advance(days=3)`` or ``advance(timedelta(days=3))``."""
        self._now += _duration(by, parts)
        return self._now

    def set(self, instant: datetime) -> None:
        """Move to *instant*, which may lie in the past, as after a clock was put right."""
        self._now = _utc(instant)


class WallClock:
    """The real time, plus as much as a test added: the next week is an `advance` away."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def now(self) -> datetime:
        """Tell the real time, moved forward by what was added."""
        return datetime.now(UTC) + self._ahead

    def advance(self, by: timedelta | None = None, **parts: float) -> datetime:
        """Move forward: ``advance(days=3)`` or ``advance(timedelta(days=3))``."""
        self._ahead += _duration(by, parts)
        return self.now()


def _utc(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError("an instant needs a zone; say datetime(..., tzinfo=UTC)")
    return instant.astimezone(UTC)


def _duration(by: timedelta | None, parts: dict[str, float]) -> timedelta:
    return (by or timedelta()) + timedelta(**parts)
