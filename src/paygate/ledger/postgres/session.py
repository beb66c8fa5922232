"""How the statements of the ledger are executed on a connection to PostgreSQL.

Rows look as they do on SQLite: every number is an integer, what is true is 1, JSON is text.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import psycopg
from psycopg.adapt import AdaptersMap, Buffer, Dumper, Loader
from psycopg.types.numeric import Int8Dumper
from psycopg.types.string import TextLoader

from paygate.ledger.postgres.errors import translated
from paygate.ledger.postgres.statements import compiled

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

    from paygate.ledger.tx import Row

Connection: TypeAlias = "psycopg.Connection[dict[str, Any]]"

_ROWS_AT_ONCE: Final = 500
"""How many rows a query that is read one by one brings with each answer."""


class _TruthDumper(Dumper):
    """Writes a boolean as the number that the columns hold."""

    oid = psycopg.adapters.types["int8"].oid

    def dump(self, obj: bool) -> Buffer:  # noqa: FBT001  (psycopg passes it by position)
        return b"1" if obj else b"0"


class _TruthLoader(Loader):
    def load(self, data: Buffer) -> int:
        return int(bytes(data) == b"t")


class _WholeNumberLoader(Loader):
    """Reads a sum, which PostgreSQL gives as a number of any size; a fraction is an error."""

    def load(self, data: Buffer) -> int:
        return int(bytes(data))


def _adapters() -> AdaptersMap:
    adapters = AdaptersMap(psycopg.adapters)
    # One type of parameter for every number: a statement is prepared once, whatever its size.
    adapters.register_dumper(int, Int8Dumper)
    adapters.register_dumper(bool, _TruthDumper)
    adapters.register_loader("bool", _TruthLoader)
    adapters.register_loader("numeric", _WholeNumberLoader)
    adapters.register_loader("json", TextLoader)
    return adapters


ADAPTERS: Final = _adapters()
"""How values are written for PostgreSQL and read from it."""


class Record:
    """A row that is read one by one, by column name or in order."""

    __slots__ = ("_places", "_values")

    def __init__(self, places: Mapping[str, int], values: Sequence[Any]) -> None:
        self._places = places
        self._values = values

    def __getitem__(self, key: str | int, /) -> Any:
        return self._values[self._places[key] if isinstance(key, str) else key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)


def record_row(cursor: psycopg.Cursor[Any]) -> Callable[[Sequence[Any]], Record]:
    """Return what makes records of the rows that *cursor* reads."""
    places = _places(tuple(column.name for column in cursor.description or ()))
    return lambda values: Record(places, values)


@lru_cache(maxsize=1024)
def _places(names: tuple[str, ...]) -> Mapping[str, int]:
    """Return where the value of each column is."""
    return {name: place for place, name in enumerate(names)}


class Session:
    """The statements of the ledger on one connection to PostgreSQL, inside a transaction."""

    __slots__ = ("_connection", "_cursor", "_opened")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._cursor = connection.cursor()
        self._opened = 0

    def run(self, sql: str, params: Mapping[str, Any]) -> int:
        """Execute a statement and return how many rows it changed."""
        return self._cursor.execute(compiled(sql), params).rowcount

    def all(self, sql: str, params: Mapping[str, Any]) -> Sequence[Row]:
        """Return all rows of a query."""
        return self._cursor.execute(compiled(sql), params).fetchall()

    def each(self, sql: str, params: Mapping[str, Any]) -> Iterator[Row]:
        """Yield the rows of a query one by one; the server keeps those that are to come."""
        self._opened += 1
        try:
            name = f"paygate_{self._opened}"
            with self._connection.cursor(name, row_factory=record_row) as cursor:
                cursor.itersize = _ROWS_AT_ONCE
                yield from cursor.execute(compiled(sql), params)
        except psycopg.Error as error:
            raise translated(error) from None

    def many(self, sql: str, params: Sequence[Mapping[str, Any]]) -> None:
        """Execute a statement once for each of *params*."""
        self._cursor.executemany(compiled(sql), params)

    @contextmanager
    def sorting_on_disk(self) -> Generator[None]:
        """Do nothing: beyond ``work_mem``, PostgreSQL sorts on disk."""
        yield
