"""The roster: the tenants whose accounts and connections are ready, at most a given number.

The least recently used tenant makes room for a new one. Its connections are closed at once, but
never while a verb uses them: then they are closed by the last verb that does.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from paygate.cashier.merchants import alike

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from paygate.cashier.merchants import Merchants
    from paygate.cashier.routes import Routes
    from paygate.domain.secret import Sealed
    from paygate.errors import PaygateError
    from paygate.registry import Driver
    from paygate.service.account import GatewayAccount


@dataclass(slots=True, eq=False)
class Served:
    """The accounts of a tenant with their clients, as made from what was *given*.

    `problems` are the accounts that cannot be used. `users` is how many verbs are using it.
    """

    tenant: str
    given: Sealed[Any]
    accounts: dict[str, GatewayAccount]
    problems: dict[str, PaygateError]
    routes: Routes[Any]
    checked_at: datetime
    couriers: dict[str, Any] = field(default_factory=dict[str, Any])
    users: int = 0
    replaced: bool = False


class Roster:
    """The tenants that are ready; thread-safe, and empty in a forked child."""

    def __init__(self, merchants: Merchants, abandon: Callable[[Served], None]) -> None:
        self.merchants = merchants
        self.drivers: dict[str, Driver] = {}
        self._abandon = abandon
        self._late: dict[str, int] = {}
        self._begin()

    def __len__(self) -> int:
        return len(self._entries)

    def fresh(self, tenant: str, now: datetime) -> Served | None:
        """Return what is ready for *tenant*, in use, if it need not be looked up again."""
        self._follow_fork()
        with self._lock:
            found = self._entries.get(tenant)
            until = None if found is None else found.checked_at + self.merchants.fresh_for
            if found is None or until is None or not found.checked_at <= now < until:
                return None
            return self._use(found)

    def same(self, tenant: str, given: Sealed[Any], now: datetime) -> Served | None:
        """Return what is ready for *tenant*, in use, if it was made from the same."""
        self._follow_fork()
        with self._lock:
            found = self._entries.get(tenant)
            if found is None or not alike(found.given, given):
                return None
            found.checked_at = now
            return self._use(found)

    def add(self, made: Served) -> tuple[Served, list[Served]]:
        """Add *made*; return what to use now, and what must be closed.

        If another thread has added the same in the meantime, that is used instead.
        """
        self._follow_fork()
        idle: list[Served] = []
        with self._lock:
            before = self._entries.get(made.tenant)
            if before is not None and alike(before.given, made.given):
                return self._use(before), []
            if before is not None:
                before.replaced = True
                if not before.users:
                    idle.append(before)
            self._entries[made.tenant] = made
            used = self._use(made)
            return used, idle + self._trim()

    def problems_of(self, tenant: str) -> dict[str, PaygateError]:
        """Return the accounts of *tenant* that could not be used so far."""
        found = self._entries.get(tenant)
        return {} if found is None else found.problems

    def release(self, served: Served) -> list[Served]:
        """End one use of *served*; return what must be closed."""
        with self._lock:
            served.users -= 1
            idle = [served] if served.replaced and not served.users else []
            return idle + self._trim()

    def clear(self) -> list[Served]:
        """Empty the roster, and return what must be closed."""
        self._follow_fork()
        with self._lock:
            all_ = list(self._entries.values())
            self._entries.clear()
            return all_

    def is_late(self, tenant: str) -> bool:
        """Return whether a look-up of *tenant* that took too long is still running."""
        return self._late.get(tenant, 0) > 0

    def late(self, tenant: str) -> None:
        """Note that a look-up of *tenant* takes too long."""
        with self._lock:
            self._late[tenant] = self._late.get(tenant, 0) + 1

    def no_longer_late(self, tenant: str, _: object = None) -> None:
        """Note that a look-up of *tenant* that took too long has ended."""
        with self._lock:
            left = self._late.pop(tenant, 0) - 1
            if left > 0:
                self._late[tenant] = left

    def _use(self, served: Served) -> Served:
        served.users += 1
        self._entries.move_to_end(served.tenant)
        return served

    def _trim(self) -> list[Served]:
        """Remove the least recently used tenants of which nothing is in use."""
        surplus = len(self._entries) - self.merchants.cached
        idle = [each for each in self._entries.values() if not each.users] if surplus > 0 else []
        for each in idle[: max(0, surplus)]:
            del self._entries[each.tenant]
        return idle[: max(0, surplus)]

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, Served] = OrderedDict()

    def _follow_fork(self) -> None:
        """In a forked child, forget what belongs to its parent; another thread may have locked."""
        if self._pid == os.getpid():
            return
        inherited = self._entries
        self._late = {}
        self._begin()
        for each in inherited.values():
            self._abandon(each)
