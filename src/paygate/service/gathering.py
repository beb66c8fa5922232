"""Gathering: refused callbacks are counted in memory before they are written down together.

The first few are written one by one, and then one write in ten seconds: whoever can reach the
address of the callbacks can send a million of them.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

    from paygate.domain.callback import Refusal
    from paygate.ledger.refused import RefusedBatch

WRITES_AT_ONCE: Final = 20
"""So many refusals are written down one by one, before they are gathered."""

PAUSE: Final = timedelta(seconds=10)
"""How long refusals are gathered after that."""


class Refusals:
    """The refusals of one account that wait to be written down; safe to use from threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[Refusal, RefusedBatch] = {}
        self._left = float(WRITES_AT_ONCE)
        self._filled_at: datetime | None = None

    def add(self, batch: RefusedBatch) -> list[RefusedBatch]:
        """Count *batch*, and return what is to be written down now, if anything."""
        with self._lock:
            self._gather(batch)
            self._fill(batch.last_at)
            if self._left < 1:
                return []
            self._left -= 1
            return self._take()

    def take(self) -> list[RefusedBatch]:
        """Return all that waits."""
        with self._lock:
            return self._take()

    def give_back(self, batches: list[RefusedBatch]) -> None:
        """Let *batches* wait again: they could not be written down."""
        with self._lock:
            for batch in batches:
                self._gather(batch)

    def _take(self) -> list[RefusedBatch]:
        taken = list(self._waiting.values())
        self._waiting.clear()
        return taken

    def _gather(self, new: RefusedBatch) -> None:
        old = self._waiting.get(new.why)
        if old is None:
            self._waiting[new.why] = new
            return
        last = new if new.type or new.event_id else old
        self._waiting[new.why] = replace(
            last,
            times=old.times + new.times,
            first_at=min(old.first_at, new.first_at),
            last_at=max(old.last_at, new.last_at),
        )

    def _fill(self, at: datetime) -> None:
        """Allow one more write for each pause that has passed; a clock set back allows none."""
        if self._filled_at is None or at < self._filled_at:
            self._filled_at = at
        self._left = min(WRITES_AT_ONCE, self._left + (at - self._filled_at) / PAUSE)
        self._filled_at = at
