"""Execution of the ledger's statements on a SQLite connection."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from paygate.ledger.sqlite_errors import damaged
from paygate.ledger.statements import positional

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from paygate.ledger.roots import Owned, Root
    from paygate.ledger.tx import Row

# Deleted and overwritten bytes are zeroed, not left in the file's free space: among them are
# personal data and tokens of stored methods.
OVERWRITE: Final = "secure_delete=ON"
"""The pragma of every connection that may delete rows."""


def _by_name(rows: list[sqlite3.Row]) -> Sequence[Row]:
    """Return *rows* as dicts; a `sqlite3.Row` searches its column names for each lookup."""
    if not rows:
        return rows
    names = rows[0].keys()
    return [dict(zip(names, row, strict=True)) for row in rows]


class Alone:
    """The part of a session that locks roots: on SQLite one transaction writes at a time."""

    __slots__ = ()

    locks = False
    runs_again = False

    def hold(self, roots: Iterable[Root]) -> None:
        """Do nothing."""

    def hold_owner(self, _noun: Owned, _tenant: str, _id: str, /) -> bool:
        """Do nothing."""
        return False

    def own(self, root: Root) -> None:
        """Do nothing."""

    def queue(self, names: Iterable[str]) -> None:
        """Do nothing."""

    def peek(self, _sql: str, _params: Mapping[str, Any], /) -> Sequence[Row]:
        """Return nothing: there is nothing to lock."""
        return ()


class Session(Alone):
    """Executes the ledger's statements on one SQLite connection."""

    __slots__ = ("_connection", "_execute", "_executemany")

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._execute = connection.execute
        self._executemany = connection.executemany

    def execute(self, sql: str, params: Mapping[str, Any]) -> None:
        """Execute a statement."""
        self.run(sql, params)

    def run(self, sql: str, params: Mapping[str, Any]) -> int:
        """Execute a statement and return how many rows it changed."""
        try:
            text, values = positional(sql)
            return self._execute(text, values(params)).rowcount
        except UnicodeDecodeError as error:
            raise damaged("the ledger", error) from None

    def all(self, sql: str, params: Mapping[str, Any]) -> Sequence[Row]:
        """Return all rows of a query."""
        # The cursor is not a local: a traceback would keep it alive, and its snapshot too.
        try:
            text, values = positional(sql)
            return _by_name(self._execute(text, values(params)).fetchall())
        except UnicodeDecodeError as error:
            raise damaged("the ledger", error) from None

    def each(self, sql: str, params: Mapping[str, Any]) -> Iterator[Row]:
        """Yield the rows of a query one by one."""
        try:
            text, values = positional(sql)
            yield from self._execute(text, values(params))
        except UnicodeDecodeError as error:
            raise damaged("the ledger", error) from None

    def many(self, sql: str, params: Sequence[Mapping[str, Any]]) -> None:
        """Execute a statement once for each of *params*."""
        text, values = positional(sql)
        self._executemany(text, map(values, params))

    def reading_all(self) -> AbstractContextManager[None]:
        """Return a context in which large sorts use temporary files."""
        return _sorting_on_disk(self._connection)


class HostSession(Alone):
    """Executes the ledger's statements on the host's connection, whatever its row factory."""

    __slots__ = ("_connection",)

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def _cursor(self) -> sqlite3.Cursor:
        cursor = self._connection.cursor()
        cursor.row_factory = sqlite3.Row
        return cursor

    def execute(self, sql: str, params: Mapping[str, Any]) -> None:
        """Execute a statement."""
        self.run(sql, params)

    def run(self, sql: str, params: Mapping[str, Any]) -> int:
        """Execute a statement and return how many rows it changed."""
        try:
            text, values = positional(sql)
            return self._cursor().execute(text, values(params)).rowcount
        except UnicodeDecodeError as error:
            raise damaged("the ledger", error) from None

    def all(self, sql: str, params: Mapping[str, Any]) -> Sequence[Row]:
        """Return all rows of a query."""
        try:
            text, values = positional(sql)
            return _by_name(self._cursor().execute(text, values(params)).fetchall())
        except UnicodeDecodeError as error:
            raise damaged("the ledger", error) from None

    def each(self, sql: str, params: Mapping[str, Any]) -> Iterator[Row]:
        """Yield the rows of a query one by one."""
        try:
            text, values = positional(sql)
            yield from self._cursor().execute(text, values(params))
        except UnicodeDecodeError as error:
            raise damaged("the ledger", error) from None

    def many(self, sql: str, params: Sequence[Mapping[str, Any]]) -> None:
        """Execute a statement once for each of *params*."""
        text, values = positional(sql)
        self._cursor().executemany(text, map(values, params))

    def reading_all(self) -> AbstractContextManager[None]:
        """Return a context in which large sorts use temporary files."""
        return _sorting_on_disk(self._connection)


@contextmanager
def _sorting_on_disk(connection: sqlite3.Connection) -> Generator[None]:
    """Let SQLite sort in temporary files instead of memory."""
    cursor = connection.cursor()
    cursor.row_factory = None
    [before] = cursor.execute("PRAGMA temp_store").fetchone()
    with suppress(sqlite3.OperationalError):  # the host's transaction has temporary tables
        cursor.execute("PRAGMA temp_store=FILE")
    try:
        yield
    finally:
        with suppress(sqlite3.Error):
            cursor.execute(f"PRAGMA temp_store={int(before)}")
