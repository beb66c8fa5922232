"""Execution of the ledger's statements on a PostgreSQL connection.

Rows look as they do on SQLite: numbers are integers, true is 1, JSON is text.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import psycopg
from psycopg.adapt import AdaptersMap, Buffer, Dumper, Loader
from psycopg.types.numeric import Int8Dumper
from psycopg.types.string import TextLoader

from paygate import logs
from paygate.ledger.postgres import locks
from paygate.ledger.postgres.errors import translated
from paygate.ledger.postgres.statements import compiled
from paygate.ledger.roots import LEDGER, HoldFirst, Holding, table_written
from paygate.ledger.tx import LOGGER

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence

    from paygate.ledger.roots import Root
    from paygate.ledger.tx import Row

Connection: TypeAlias = "psycopg.Connection[dict[str, Any]]"

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


SCANS_AVOIDED: Final = b"""
SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off;
SET LOCAL max_parallel_workers_per_gather = 0
"""
"""
Plan for an index, as SQLite does, until the transaction ends.

Each statement of a unit of work finds its rows by an index. The planner cannot know that: a plan
made while a table is small would scan it, and be kept while the table grows. A page of a listing
would read and sort all rows that are left, because a condition that a caller may omit seems to
leave one row of them.
"""
SCANS_ALLOWED: Final = b"""
SET LOCAL enable_seqscan = DEFAULT; SET LOCAL enable_bitmapscan = DEFAULT;
SET LOCAL max_parallel_workers_per_gather = DEFAULT
"""
"""Plan as the server is configured until the transaction ends, to read whole tables."""


class Record:
    """A row of a query that is read row by row; columns are read by name or in order."""

    __slots__ = ("_indexes", "_values")

    def __init__(self, indexes: Mapping[str, int], values: Sequence[Any]) -> None:
        self._indexes = indexes
        self._values = values

    def __getitem__(self, key: str | int, /) -> Any:
        return self._values[self._indexes[key] if isinstance(key, str) else key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)


def record_row(cursor: psycopg.Cursor[Any]) -> Callable[[Sequence[Any]], Record]:
    """Return a row factory that makes a `Record` of each row of *cursor*."""
    indexes = _indexes(tuple(column.name for column in cursor.description or ()))
    return lambda values: Record(indexes, values)


@lru_cache(maxsize=1024)
def _indexes(names: tuple[str, ...]) -> Mapping[str, int]:
    """Return the index of each column."""
    return {name: index for index, name in enumerate(names)}


class Session:
    """
    Executes the ledger's statements on one PostgreSQL connection, inside a transaction.

    The roots *held* are locked at its beginning: see `paygate.ledger.roots`.
    """

    __slots__ = ("_connection", "_cursor", "_holding", "_opened")

    locks = True

    def __init__(self, connection: Connection, held: frozenset[Root] = frozenset()) -> None:
        self._connection = connection
        self._cursor = connection.cursor()
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
        locks.lock(self._connection, roots)

    def own(self, root: Root) -> None:
        """Count *root*, which this transaction creates, as locked."""
        self._holding.held.add(root)

    def queue(self, names: Iterable[str]) -> None:
        """Lock *names*, in the given order, until the transaction ends."""
        locks.queue(self._connection, names)

    def peek(self, sql: str, params: Mapping[str, Any], /) -> Sequence[Row]:
        """Return all rows of a query about facts that never change."""
        return self._cursor.execute(compiled(sql), params).fetchall()

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

    def run(self, sql: str, params: Mapping[str, Any]) -> int:
        """Execute a statement and return how many rows it changed."""
        return self._cursor.execute(self._enter(sql), params).rowcount

    def all(self, sql: str, params: Mapping[str, Any]) -> Sequence[Row]:
        """Return all rows of a query."""
        return self._cursor.execute(self._enter(sql), params).fetchall()

    def each(self, sql: str, params: Mapping[str, Any]) -> Iterator[Row]:
        """Yield the rows of a query one by one, through a server-side cursor."""
        self._opened += 1
        try:
            name = f"paygate_{self._opened}"
            with self._connection.cursor(name, row_factory=record_row) as cursor:
                cursor.itersize = _ROWS_AT_ONCE
                yield from cursor.execute(self._enter(sql), params)
        except psycopg.Error as error:
            raise translated(error) from None

    def many(self, sql: str, params: Sequence[Mapping[str, Any]]) -> None:
        """Execute a statement once for each of *params*."""
        self._cursor.executemany(self._enter(sql), params)

    @contextmanager
    def reading_all(self) -> Generator[None]:
        """Let queries scan whole tables; PostgreSQL sorts on disk beyond ``work_mem``."""
        self._connection.execute(SCANS_ALLOWED)
        yield
        self._connection.execute(SCANS_AVOIDED)
