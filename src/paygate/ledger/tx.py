"""Transactions: the only way to read and write the ledger."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, cast
from zoneinfo import ZoneInfo

from paygate import logs
from paygate.domain.autopay import AutopayPolicy
from paygate.domain.campaign import Campaign
from paygate.ledger.codec import write_instant
from paygate.ledger.elapsed import Lease

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import timedelta

    from paygate.ledger.elapsed import Mark, Stopwatch
    from paygate.ledger.page_keys import PageKeys
    from paygate.ledger.roots import Owned, Root
    from paygate.ledger.vault import Vault

T = TypeVar("T")

_UTC: Final = ZoneInfo("UTC")

LOGGER: Final = "paygate.ledger"
"""The logger of committed changes to the ledger."""


class Clock(Protocol):
    """The source of the time."""

    def now(self) -> datetime:
        """Return the current time, in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the current time, in UTC."""
        return datetime.now(UTC)


class Ids(Protocol):
    """The source of new ids."""

    def new(self, noun: str) -> str:
        """Return a unique id that begins with *noun*."""
        ...


class TimedIds:
    """Ids that begin with the time, so that rows are stored and listed in order of creation."""

    def __init__(self) -> None:
        self._last = 0

    def new(self, noun: str) -> str:
        """Return an id of the time in microseconds, always increasing, and 64 random bits."""
        self._last = max(self._last + 1, time.time_ns() // 1000)
        return f"{noun}_{self._last:014x}{os.urandom(8).hex()}"


class Row(Protocol):
    """A row of a result; columns are read by name."""

    def __getitem__(self, key: str, /) -> Any: ...


class Connection(Protocol):
    """Executes the ledger's statements on a database connection."""

    locks: bool
    """Whether transactions that write are concurrent, so that roots must be locked: see `roots`."""

    runs_again: bool
    """Whether a unit whose row another transaction has just written is run again."""

    def hold(self, roots: Iterable[Root]) -> None:
        """Lock *roots*, in their order, until the transaction ends."""
        ...

    def hold_owner(self, noun: Owned, tenant: str, id_: str, /) -> bool:
        """Find and lock the customers of something at once; return whether all are locked."""
        ...

    def own(self, root: Root) -> None:
        """Count *root*, which this transaction creates, as locked."""
        ...

    def queue(self, names: Iterable[str]) -> None:
        """Lock *names*, in the given order, until the transaction ends."""
        ...

    def peek(self, sql: str, params: Mapping[str, Any], /) -> Sequence[Row]:
        """Return all rows of a query about facts that never change, to find the roots to lock."""
        ...

    def execute(self, sql: str, params: Mapping[str, Any]) -> None:
        """Execute a statement now or later, but before any that is given afterwards."""
        ...

    def run(self, sql: str, params: Mapping[str, Any]) -> int:
        """Execute a statement and return the number of rows it changed."""
        ...

    def all(self, sql: str, params: Mapping[str, Any]) -> Sequence[Row]:
        """Return all rows of a query."""
        ...

    def each(self, sql: str, params: Mapping[str, Any]) -> Iterator[Row]:
        """Yield the rows of a query one by one, without keeping them all in memory."""
        ...

    def many(self, sql: str, params: Sequence[Mapping[str, Any]]) -> None:
        """Execute a statement once for each of *params*."""
        ...

    def reading_all(self) -> AbstractContextManager[None]:
        """Return a context for queries that read and sort whole tables, with little memory."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The tenant, actor, clock and keys of a transaction.

    *zone* is the merchant's, used for customers whose time zone is not known, *autopay* the
    host's policy for automatic payment, and *campaign* what follows if customers do not pay.
    Without a *stopwatch*, elapsed time is measured by *clock*, such as one that a test moves.
    """

    tenant: str
    actor: str
    clock: Clock
    ids: Ids
    zone: ZoneInfo = _UTC
    vault: Vault | None = None
    page_keys: PageKeys | None = None
    stopwatch: Stopwatch | None = None
    autopay: AutopayPolicy = field(default_factory=AutopayPolicy)
    campaign: Campaign = field(default_factory=Campaign)


class Tx:
    """An open transaction, with its start time and its actor.

    Work that is given a Tx may run twice (after a conflict, or when a group is retried), so it
    must have no side effects besides rows. It first locks the roots of what it reads and writes:
    see `roots`.

    `known` caches what this transaction has read or written, so that no row is read twice. Its
    keys are the kind of fact and the id of its owner. Only the module that writes a table caches
    its rows, and each of its statements that changes a row updates or drops the cached value.

    `automatic` names the automatic payments that changed in this transaction.

    `late` names the items of which the open amount, a claim or a dispute changed and that may be
    overdue, and `lots` the lots of credit that changed, each with its customer if that is known.

    `freed` names the items of which something became free in this transaction, in that order,
    `linked` the items whose amounts changed and that a payment link may be for, and `links` the
    links for whose payments money moved.

    `execute` is for a statement whose count is not needed: on PostgreSQL, it is sent with the next
    statement that is answered. `run` returns the count, which costs a wait for the server.
    """

    __slots__ = (
        "_all",
        "_at_end",
        "_connection",
        "_ids",
        "_queues",
        "_stopwatch",
        "actor",
        "at",
        "automatic",
        "autopay",
        "campaign",
        "each",
        "execute",
        "freed",
        "known",
        "late",
        "lines",
        "linked",
        "links",
        "locks",
        "lots",
        "many",
        "now",
        "page_keys",
        "peek",
        "reading_all",
        "run",
        "runs_again",
        "tenant",
        "vault",
        "zone",
    )

    def __init__(self, connection: Connection, context: Context) -> None:
        self._connection = connection
        self.locks = connection.locks
        self.runs_again = connection.runs_again
        self.peek = connection.peek
        self._all = connection.all
        self.execute = connection.execute
        self.run = connection.run
        self.many = connection.many
        self.each = connection.each
        self.reading_all = connection.reading_all
        self._ids = context.ids
        self._stopwatch = context.stopwatch
        self.tenant = context.tenant
        self.actor = context.actor
        self.vault = context.vault
        self.page_keys = context.page_keys
        self.zone = context.zone
        self.lines: list[logs.LogLine] = []
        self.known: dict[tuple[str, str], Any] = {}
        self.freed: dict[str, None] = {}
        self.links: dict[str, None] = {}
        self.autopay = context.autopay
        self.automatic: dict[str, None] = {}
        self.campaign = context.campaign
        self.late: dict[str, None] = {}
        self.lots: dict[str, str] = {}
        self.linked: dict[str, None] = {}
        self._queues: set[str] = set()
        self._at_end: dict[str, list[Mapping[str, Any]]] = {}
        self.now = context.clock.now()
        self.at = write_instant(self.now)

    def hold(self, *roots: Root) -> None:
        """
        Lock *roots* before anything is read, if transactions that write are concurrent.

        A unit that has already read something is run again with them locked first.
        """
        if self.locks:
            self._connection.hold(roots)

    def hold_owner(self, noun: Owned, id_: str) -> bool:
        """
        Find and lock the customers of something at once; return whether all are locked.

        That is possible if nothing was locked or read before, and their rows exist.
        """
        return self._connection.hold_owner(noun, self.tenant, id_)

    def own(self, root: Root) -> None:
        """Count *root*, which this transaction creates, as locked."""
        if self.locks:
            self._connection.own(root)

    def all(self, sql: str, params: Mapping[str, Any]) -> Sequence[Row]:
        """Return all rows of a query."""
        return self._all(sql, params)

    def one(self, sql: str, params: Mapping[str, Any]) -> Row | None:
        """Return the first row of a query, or None."""
        rows = self._all(sql, params)
        return rows[0] if rows else None

    def at_end(self, sql: str, params: Mapping[str, Any]) -> None:
        """
        Execute a statement at the end of this transaction, in one batch with the same statements.

        Use it for rows that are not read in the transaction that writes them. Rows of one
        statement keep their order.
        """
        self._at_end.setdefault(sql, []).append(params)

    def queue_at_end(self, name: str) -> None:
        """Let transactions that name the same thing execute their last statements in turn."""
        self._queues.add(f"{self.tenant}/{name}")

    def finish(self) -> None:
        """Execute the statements left for the end; the store calls this before it commits."""
        if self._queues:
            self._connection.queue(sorted(self._queues))
        for sql, params in self._at_end.items():
            self.many(sql, params)

    def new_id(self, noun: str) -> str:
        """Return a new id that begins with *noun*."""
        return self._ids.new(noun)

    def log(self, name: str, text: str, about: logs.About, *, level: int | None = None) -> None:
        """
        Write a line to the log once this transaction is committed; otherwise never.

        In a transaction of the host, no line is written, because only the host knows whether
        it was committed.
        """
        severity = logs.level_of(name) if level is None else level
        if logs.wanted(LOGGER, severity):
            self.lines.append(
                logs.LogLine(LOGGER, name, severity, text, replace(about, tenant=self.tenant))
            )

    @property
    def mark(self) -> Mark | None:
        """The current reading of the stopwatch; None without a stopwatch."""
        return None if self._stopwatch is None else self._stopwatch.read()

    def lease(self, length: timedelta) -> Lease:
        """Return a lease that begins with this transaction."""
        return Lease(self.now + length, length, self.mark)


def round_robin(queues: Sequence[Sequence[T]]) -> list[T]:
    """Return the elements of *queues* in rotation: the first of each, then the second of each."""
    missing = object()
    return [
        cast("T", each)
        for round_ in zip_longest(*queues, fillvalue=missing)
        for each in round_
        if each is not missing
    ]
