"""One transaction: the only way to read and write the ledger."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, cast
from zoneinfo import ZoneInfo

from paygate import logs
from paygate.ledger.codec import write_instant
from paygate.ledger.elapsed import Lease

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import timedelta

    from paygate.ledger.elapsed import Mark, Stopwatch
    from paygate.ledger.vault import Vault

T = TypeVar("T")

_UTC: Final = ZoneInfo("UTC")

LOGGER: Final = "paygate.ledger"
"""The logger of what has become true in the ledger."""


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> datetime:
        """Tell the present instant, in UTC."""
        ...


class SystemClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        """Tell the present instant, in UTC."""
        return datetime.now(UTC)


class Ids(Protocol):
    """Where new ids come from."""

    def new(self, noun: str) -> str:
        """Make an id that no other row has, beginning with *noun*."""
        ...


class TimedIds:
    """Ids that begin with the time, so that rows lie and are listed in the order they were made."""

    def __init__(self) -> None:
        self._last = 0

    def new(self, noun: str) -> str:
        """Make an id of the microsecond, later than the last one's, and 64 bits of chance."""
        self._last = max(self._last + 1, time.time_ns() // 1000)
        return f"{noun}_{self._last:014x}{os.urandom(8).hex()}"


class Row(Protocol):
    """A row of a result, by column name."""

    def __getitem__(self, key: str, /) -> Any: ...


class Connection(Protocol):
    """What the statements of the ledger need of a database connection."""

    def run(self, sql: str, params: Mapping[str, Any]) -> int:
        """Execute a statement and tell how many rows it changed."""
        ...

    def all(self, sql: str, params: Mapping[str, Any]) -> Sequence[Row]:
        """Read all rows of a query."""
        ...

    def each(self, sql: str, params: Mapping[str, Any]) -> Iterator[Row]:
        """Read the rows of a query one by one, so that no more than one is in memory."""
        ...

    def many(self, sql: str, params: Sequence[Mapping[str, Any]]) -> None:
        """Execute a statement once for each of *params*."""
        ...

    def sorting_on_disk(self) -> AbstractContextManager[None]:
        """Sort on disk meanwhile, and not in memory, however much it is."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """On whose behalf, by which clock, and with which keys transactions run.

    *zone* is the merchant's, for customers whose own is not known.
    Without a *stopwatch*, as with a clock that a test moves, time is what the clock says.
    """

    tenant: str
    actor: str
    clock: Clock
    ids: Ids
    zone: ZoneInfo = _UTC
    vault: Vault | None = None
    stopwatch: Stopwatch | None = None


class Tx:
    """An open transaction, with the instant it began at and who acts.

    Work that is given a Tx may run twice (after a conflict, or in a group that
    is tried again), so it changes nothing but rows.

    `known` is what was read or written here, by what it is and whose, so that no row is read
    twice. Only the module that writes a table keeps something of it there, and each of its
    statements that changes a row brings that up to date or drops it.
    """

    __slots__ = (
        "_all",
        "_at_end",
        "_ids",
        "_stopwatch",
        "actor",
        "at",
        "each",
        "known",
        "lines",
        "many",
        "now",
        "run",
        "sorting_on_disk",
        "tenant",
        "vault",
        "zone",
    )

    def __init__(self, connection: Connection, context: Context) -> None:
        self._all = connection.all
        self.run = connection.run
        self.many = connection.many
        self.each = connection.each
        self.sorting_on_disk = connection.sorting_on_disk
        self._ids = context.ids
        self._stopwatch = context.stopwatch
        self.tenant = context.tenant
        self.actor = context.actor
        self.vault = context.vault
        self.zone = context.zone
        self.lines: list[logs.LogLine] = []
        self.known: dict[tuple[str, str], Any] = {}
        self._at_end: dict[str, list[Mapping[str, Any]]] = {}
        self.now = context.clock.now()
        self.at = write_instant(self.now)

    def all(self, sql: str, params: Mapping[str, Any]) -> Sequence[Row]:
        """Read all rows of a query."""
        return self._all(sql, params)

    def one(self, sql: str, params: Mapping[str, Any]) -> Row | None:
        """Read the first row of a query, or None."""
        rows = self._all(sql, params)
        return rows[0] if rows else None

    def at_end(self, sql: str, params: Mapping[str, Any]) -> None:
        """
        Execute a statement when the work of this transaction is done, with others of its kind.

        It is for rows that nothing reads in the transaction that writes them. They are written in
        the order in which they were given.
        """
        self._at_end.setdefault(sql, []).append(params)

    def finish(self) -> None:
        """Write what was left for the end; whoever opened this transaction calls it."""
        for sql, params in self._at_end.items():
            self.many(sql, params)

    def new_id(self, noun: str) -> str:
        """Make a new id."""
        return self._ids.new(noun)

    def say(self, name: str, text: str, about: logs.About, *, level: int | None = None) -> None:
        """
        Write a line to the log when this transaction is durable, once; otherwise never.

        Inside a transaction of the host's own nothing is written: only the host learns
        whether that became durable.
        """
        loud = logs.level_of(name) if level is None else level
        if logs.wanted(LOGGER, loud):
            self.lines.append(
                logs.LogLine(LOGGER, name, loud, text, replace(about, tenant=self.tenant))
            )

    @property
    def mark(self) -> Mark | None:
        """The moment it is now by the machine's own count; None where nothing counts."""
        return None if self._stopwatch is None else self._stopwatch.read()

    def lease(self, length: timedelta) -> Lease:
        """Make a lease that begins with this transaction."""
        return Lease(self.now + length, length, self.mark)


def in_turns(queues: Sequence[Sequence[T]]) -> list[T]:
    """Return what waits in *queues*: the first of each, then the second of each, and so on."""
    missing = object()
    return [
        cast("T", each)
        for round_ in zip_longest(*queues, fillvalue=missing)
        for each in round_
        if each is not missing
    ]
