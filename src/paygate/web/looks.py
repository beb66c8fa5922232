"""Looks at payments: one at a time for each payment, and no other for some seconds.

Anybody can open a return page as often as they like, and each look costs a request to
the processor. So requests that arrive during a look wait for it, and those that arrive
soon after it read the ledger.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime, timedelta

T = TypeVar("T")

_MANY: Final = 256
"""How many looks are kept before the expired ones are removed."""


@dataclass(slots=True)
class _Look:
    done: anyio.Event = field(default_factory=anyio.Event)
    at: datetime | None = None
    failure: Exception | None = None
    found: Any = None


class Looks:
    """The looks of one event loop, by payment."""

    def __init__(self, pause: timedelta, now: Callable[[], datetime]) -> None:
        self._pause = pause
        self._now = now
        self._last: dict[str, _Look] = {}

    async def at(self, payment: str, look: Callable[[], Awaitable[T]]) -> T:
        """
        Return what a recent look at *payment* has found: an earlier one, or *look*.

        An exception of *look* is raised for everyone who waited for it, and is not remembered.
        """
        last = self._last.get(payment)
        while last is not None and not last.done.is_set():
            await last.done.wait()
            if last.failure is not None:
                raise last.failure
            if last.at is not None:
                break
            # The look was canceled. The first of those who waited takes over.
            last = self._last.get(payment)
        if last is not None and self._counts(last):
            found: T = last.found
            return found
        return await self._begin(payment, look)

    async def _begin(self, payment: str, look: Callable[[], Awaitable[T]]) -> T:
        self._forget()
        mine = self._last[payment] = _Look()
        try:
            found = await look()
        except Exception as error:
            mine.failure = error
            raise
        else:
            mine.found, mine.at = found, self._now()
            return found
        finally:
            if mine.at is None:
                del self._last[payment]
            mine.done.set()

    def _counts(self, look: _Look) -> bool:
        """Return whether a look that has ended is still recent enough."""
        # If the clock is set back, a look does not last longer than the pause.
        return look.at is not None and abs(self._now() - look.at) < self._pause

    def _forget(self) -> None:
        if len(self._last) >= _MANY:
            self._last = {
                payment: look
                for payment, look in self._last.items()
                if not look.done.is_set() or self._counts(look)
            }
