"""Execution of the ledger's statements on a PostgreSQL connection.

Rows look as they do on SQLite: numbers are integers, true is 1, JSON is text.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg.adapt import AdaptersMap, Buffer, Dumper, Loader
from psycopg.pq import TransactionStatus
from psycopg.types.numeric import Int8Dumper
from psycopg.types.string import TextLoader

from paygate import logs
from paygate.ledger.postgres import locks
from paygate.ledger.postgres.channel import Channel, Cursors
from paygate.ledger.postgres.errors import is_lost, translated
from paygate.ledger.postgres.patience import PatientConnection
from paygate.ledger.postgres.statements import compiled
from paygate.ledger.roots import LEDGER, HoldFirst, Holding, Root, RootKind, table_written
from paygate.ledger.tx import LOGGER

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence

    from paygate.ledger.postgres.channel import Statements
    from paygate.ledger.roots import Owned
    from paygate.ledger.tx import Row

_ROWS_AT_ONCE: Final = 500
"""How many rows a query that is read row by row fetches at a time."""


class _TruthDumper(Dumper):
    """Writes a boolean as the integer 0 or 1."""

    oid = psycopg.adapters.types["int8"].oid

    def dump(self, obj: bool) -> Buffer:  # noqa: FBT001  (psycopg passes it by position)
        return b"1" if obj else b"0"


class _TruthLoader(Loader):
    def load(self, data: Buffer) -> int:
        return int(bytes(data) == b"t")


class _WholeNumberLoader(Loader):
    """Reads a sum, which PostgreSQL returns as numeric; a fraction raises ValueError."""

    def load(self, data: Buffer) -> int:
        return int(bytes(data))


def _adapters() -> AdaptersMap:
    adapters = AdaptersMap(psycopg.adapters)
    # One parameter type for every integer: a statement is prepared once, whatever their size.
    adapters.register_dumper(int, Int8Dumper)
    adapters.register_dumper(bool, _TruthDumper)
    adapters.register_loader("bool", _TruthLoader)
    adapters.register_loader("numeric", _WholeNumberLoader)
    adapters.register_loader("json", TextLoader)
    return adapters


ADAPTERS: Final = _adapters()
"""The conversions between Python and PostgreSQL values."""


SCANS_AVOIDED: Final = (
    b"SET LOCAL enable_seqscan = off",
    b"SET LOCAL enable_bitmapscan = off",
    b"SET LOCAL max_parallel_workers_per_gather = 0",
)
"""
Plan for an index, as SQLite does, until the transaction ends.

Each statement of a unit of work finds its rows by an index. The planner cannot know that: a plan
made while a table is small would scan it, and be kept while the table grows. A page of a listing
would read and sort all rows that are left, because a condition that a caller may omit seems to
leave one row of them.
"""
SCANS_ALLOWED: Final = (
    b"SET LOCAL enable_seqscan = DEFAULT",
    b"SET LOCAL enable_bitmapscan = DEFAULT",
    b"SET LOCAL max_parallel_workers_per_gather = DEFAULT",
)
"""Plan as the server is configured until the transaction ends, to read whole tables."""


class LedgerConnection(PatientConnection):
    """A connection of a store, which runs one transaction at a time."""

    is_direct = False
    """Whether no pooler is in between, so that statements may be prepared and sent together."""

    _channel: Channel | None = None

    def begin_unit(self, first: Sequence[bytes]) -> None:
        """Begin a transaction with these statements."""
        if not self.is_direct:
            self.execute(b";".join(first), prepare=False)
            return
        if self._channel is None:
            self._channel = Channel(self)
        self._channel.begin(first)

    @property
    def statements(self) -> Statements:
        """What executes the statements of the current transaction."""
        return Cursors(self) if self._channel is None else self._channel

    @property
    def failed(self) -> bytes:
        """The statement of the last error; empty if it was waited for by itself."""
        return b"" if self._channel is None else self._channel.failed

    def settle_unit(self) -> None:
        """Wait for the server, unless it has answered in this transaction."""
        if self._channel is not None:
            self._channel.settle()

    def end_unit(self, last: bytes) -> str:
        """Execute the last statement of the transaction, and return what the server did."""
        if self._channel is not None:
            return self._channel.end(last)
        return self.execute(last, prepare=False).statusmessage or ""

    def abandon_unit(self) -> None:
        """Roll back whatever is left of the transaction; close the connection if that fails."""
        if self._channel is not None:
            self._channel.abandon()
        if self.info.transaction_status is not TransactionStatus.IDLE:
            try:
                self.execute(b"ROLLBACK", prepare=False)
            except psycopg.Error:
                self.close()


class Session:
    """
    Executes the ledger's statements in one transaction.

    The roots *held* are locked at its beginning: see `paygate.ledger.roots`.
    """

    __slots__ = ("_holding", "_on", "_opened")

    locks = True
    runs_again = True

    def __init__(self, on: Statements, held: frozenset[Root] = frozenset()) -> None:
        self._on = on
        self._opened = 0
        self._holding = Holding()
        if LEDGER in held:  # locked when the transaction began
            self._holding.held.add(LEDGER)
        self.hold(held)

    def hold(self, roots: Iterable[Root]) -> None:
        """Lock *roots*; raise `HoldFirst` if something was already read without them."""
        missing = self._holding.missing(roots)
        if missing and missing[0] == LEDGER:
            raise HoldFirst(missing)
        if missing:
            self.lock(missing)
            self._holding.held.update(missing)

    def lock(self, roots: Sequence[Root]) -> None:
        """Lock *roots*, given in order; a test overrides this."""
        locks.lock(self._on, roots)

    def hold_owner(self, noun: Owned, tenant: str, id_: str, /) -> bool:
        """Find and lock the customers of something at once; return whether all are locked."""
        if self._holding.held or self._holding.has_read:
            return False
        rows = self.lock_owner(noun, {"tenant": tenant, "id": id_})
        self._holding.held.update(Root(RootKind.CUSTOMER, tenant, row["id"]) for row in rows)
        return bool(rows) and len(rows) == rows[0]["owners"]

    def lock_owner(self, noun: Owned, params: Mapping[str, Any], /) -> Sequence[Row]:
        """Lock the customers of something and return them; a test overrides this."""
        return self._on.rows(compiled(locks.OWNERS[noun]), params)

    def own(self, root: Root) -> None:
        """Count *root*, which this transaction creates, as locked."""
        self._holding.held.add(root)

    def queue(self, names: Iterable[str]) -> None:
        """Lock *names*, in the given order, until the transaction ends."""
        locks.queue(self._on, names)

    def peek(self, sql: str, params: Mapping[str, Any], /) -> Sequence[Row]:
        """Return all rows of a query about facts that never change."""
        return self._on.rows(compiled(sql), params)

    def _enter(self, sql: str) -> bytes:
        """Return the text of a statement to execute, after checking that its root is locked."""
        self._holding.has_read = True
        if not self._holding.covers(sql):
            self.forgotten(sql)
        return compiled(sql)

    def forgotten(self, sql: str, /) -> None:
        """
        Run a unit again with the whole ledger locked, because it forgot to lock a root.

        That is correct but slow, so the log says it; in tests it is an error.
        """
        text = f"{table_written(sql)} was to be written without its root; please report this"
        logs.write(LOGGER, "ledger.root_forgotten", text, logs.NOTHING)
        raise HoldFirst((LEDGER,))

    def execute(self, sql: str, params: Mapping[str, Any]) -> None:
        """Execute a statement now or later, but before any that is given afterwards."""
        self._on.send(self._enter(sql), params)

    def run(self, sql: str, params: Mapping[str, Any]) -> int:
        """Execute a statement and return how many rows it changed."""
        return self._on.count(self._enter(sql), params)

    def all(self, sql: str, params: Mapping[str, Any]) -> Sequence[Row]:
        """Return all rows of a query."""
        return self._on.rows(self._enter(sql), params)

    def each(self, sql: str, params: Mapping[str, Any]) -> Iterator[Row]:
        """Yield the rows of a query one by one, through a server-side cursor."""
        self._opened += 1
        name = b"paygate_%d" % self._opened
        try:
            self._on.send(b"DECLARE %b NO SCROLL CURSOR FOR " % name + self._enter(sql), params)
            fetch = b"FETCH FORWARD %d FROM %b" % (_ROWS_AT_ONCE, name)
            while rows := self._on.records(fetch):
                yield from rows
            self._on.send(b"CLOSE %b" % name)
        except psycopg.Error as error:
            if is_lost(error):
                raise  # the store runs the whole unit again
            raise translated(error) from None

    def many(self, sql: str, params: Sequence[Mapping[str, Any]]) -> None:
        """Execute a statement once for each of *params*."""
        self._on.batch(self._enter(sql), params)

    @contextmanager
    def reading_all(self) -> Generator[None]:
        """Let queries scan whole tables; PostgreSQL sorts on disk beyond ``work_mem``."""
        self._on.take_time()
        for setting in SCANS_ALLOWED:
            self._on.send(setting)
        yield
        for setting in SCANS_AVOIDED:
            self._on.send(setting)
