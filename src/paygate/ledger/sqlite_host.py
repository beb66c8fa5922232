"""The ledger on SQLite, inside a transaction of the host."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from paygate.errors import InvalidValue, NotAllowedHere, SchemaMismatch, StoreBusy, StoreError
from paygate.ledger.lending import AwaitedCursor, not_of
from paygate.ledger.migrations import schema_of
from paygate.ledger.schema_files import SCHEMA
from paygate.ledger.sqlite_errors import primary_code, translated
from paygate.ledger.sqlite_session import OVERWRITE, HostSession
from paygate.ledger.store import Writes
from paygate.ledger.tx import Tx

if TYPE_CHECKING:
    from collections.abc import Callable

    from paygate.ledger.lending import Lent
    from paygate.ledger.tx import Context

T = TypeVar("T")


class HostStore(Writes):
    """The ledger inside a transaction that the host opened on its own connection.

    Each unit of work is a savepoint in it; the host commits or rolls back.
    """

    session_class: ClassVar[type[HostSession]] = HostSession
    """The class that executes statements; tests have one that checks that roots are locked."""

    def __init__(self, take: Callable[[], Lent], file: str) -> None:
        self._take = take
        self._connection = self._open()
        self._check_file(file)
        if schema_of(self._connection) != SCHEMA:
            raise SchemaMismatch(
                "this database has no ledger of this version; open it once with Cashier.open()"
            )
        self._connection.execute(f"PRAGMA {OVERWRITE}")

    def write(self, context: Context, work: Callable[[Tx], T]) -> T:
        """Run *work* in a savepoint of the host's transaction."""
        if not self._connection.in_transaction:
            raise NotAllowedHere("the host's transaction has ended; call within() again")
        self._connection = self._open()
        try:
            return self._in_savepoint(context, work)
        except BaseException as error:  # noqa: BLE001  (raised again, translated)
            self._roll_back()
            raise self._translated(error) from error.__cause__

    def _open(self) -> sqlite3.Connection:
        """Return the connection; raise `NotAllowedHere` if it has no open transaction."""
        lent = self._take()
        connection = connection_of(lent)
        if connection.in_transaction:
            return connection
        # Python's sqlite3 begins a transaction only at the first write. For the host's library it
        # is open already, and the library ends it by a COMMIT of the connection.
        if lent.managed and connection.isolation_level is not None:
            connection.execute("BEGIN IMMEDIATE")
            return connection
        raise NotAllowedHere(
            "no transaction is open on this connection; execute BEGIN IMMEDIATE first"
        )

    def _check_file(self, file: str) -> None:
        """Raise `InvalidValue` unless the ledger's file is the main database of the connection.

        A transaction over attached files is not atomic.
        """
        cursor = self._connection.cursor()
        cursor.row_factory = None
        files = {name: path for _, name, path in cursor.execute("PRAGMA database_list").fetchall()}
        if not _is_same(files["main"], file):
            raise InvalidValue(
                f"connection: this is not the ledger's database, {Path(file).name}; lend a "
                "connection that was opened on the ledger's file",
                argument="connection",
            )

    def _in_savepoint(self, context: Context, work: Callable[[Tx], T]) -> T:
        try:
            self._connection.execute("SAVEPOINT paygate")
            tx = Tx(self.session_class(self._connection), context)
            result = work(tx)
            tx.finish()
            self._connection.execute("RELEASE paygate")
        except BaseException:
            self._roll_back()
            raise
        return result

    def _roll_back(self) -> None:
        """Roll back to our savepoint, if it still exists."""
        if not self._connection.in_transaction:
            return
        try:
            self._connection.execute("ROLLBACK TO paygate")
            self._connection.execute("RELEASE paygate")
        except sqlite3.OperationalError as error:
            if primary_code(error) != sqlite3.SQLITE_ERROR:  # the savepoint is already gone
                raise

    def _translated(self, error: BaseException) -> BaseException:
        """Return the store error for an error of SQLite in the host's transaction."""
        if not isinstance(error, sqlite3.Error):
            return error
        if primary_code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return StoreBusy(
                f"the ledger: {error}; another process has written since your transaction began, "
                "or is writing now, and waiting does not help: roll it back and begin again with "
                "BEGIN IMMEDIATE"
            )
        found = translated(error)
        if not self._connection.in_transaction and isinstance(found, StoreError):
            return type(found)(
                f"{found.message}; SQLite rolled back your whole transaction, begin it again"
            )
        return found


def _is_same(one: str, other: str) -> bool:
    """Return whether two paths are of the same file; a database in memory is never the same."""
    try:
        return os.path.samefile(one, other)  # noqa: PTH121  (of paths as SQLite writes them)
    except OSError:
        return False


class _AwaitedConnection:
    """A connection of aiosqlite, inside ``run_sync`` of SQLAlchemy, used like one of sqlite3."""

    def __init__(self, lent: Lent) -> None:
        assert lent.wait is not None, "an async connection has a function that waits for it"
        self._driver: Any = lent.driver
        self._wait = lent.wait

    @property
    def in_transaction(self) -> bool:
        return bool(self._driver.in_transaction)

    @property
    def isolation_level(self) -> str | None:
        return cast("str | None", self._driver.isolation_level)

    def cursor(self) -> AwaitedCursor:
        return AwaitedCursor(self._wait(lambda driver: driver.cursor()), self._wait)

    def execute(self, sql: str) -> AwaitedCursor:
        return self.cursor().execute(sql)


def connection_of(lent: Lent) -> sqlite3.Connection:
    """Return the sqlite3 connection that the host lends; raise `InvalidValue` for any other."""
    if isinstance(lent.driver, sqlite3.Connection):
        return lent.driver
    if lent.wait is not None and type(lent.driver).__module__.partition(".")[0] == "aiosqlite":
        return cast("sqlite3.Connection", _AwaitedConnection(lent))
    raise not_of("SQLite", lent.driver, "a sqlite3.Connection to the ledger's file")
