"""Gathering: refused callbacks are counted in memory and recorded together.

The first few are recorded one by one, then one write every ten seconds: anybody who can reach the
callback address can send a million of them.
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
"""The number of refusals that are recorded one by one before they are gathered."""

PAUSE: Final = timedelta(seconds=10)
"""How long refusals are then gathered before a write."""


class Refusals:
    """The refusals of one account that are not recorded yet; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[Refusal, RefusedBatch] = {}
        self._left = float(WRITES_AT_ONCE)
        self._filled_at: datetime | None = None

    def add(self, batch: RefusedBatch) -> list[RefusedBatch]:
        """Count *batch*, and return the batches to record now, if any."""
        with self._lock:
            self._gather(batch)
            self._fill(batch.last_at)
            if self._left < 1:
                return []
            self._left -= 1
            return self._take()

    def take(self) -> list[RefusedBatch]:
        """Return everything that is not recorded yet."""
        with self._lock:
            return self._take()

    def give_back(self, batches: list[RefusedBatch]) -> None:
        """Take back *batches* that could not be recorded."""
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
        """Allow one more write for each pause that has passed; none if the clock went back."""
        if self._filled_at is None or at < self._filled_at:
            self._filled_at = at
        self._left = min(WRITES_AT_ONCE, self._left + (at - self._filled_at) / PAUSE)
        self._filled_at = at
