"""The ledger on SQLite, inside a transaction of the host."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, TypeVar

from paygate.errors import NotAllowedHere, SchemaMismatch, StoreBusy, StoreError
from paygate.ledger.migrations import schema_of
from paygate.ledger.schema_files import SCHEMA
from paygate.ledger.sqlite_errors import primary_code, translated
from paygate.ledger.sqlite_session import OVERWRITE, HostSession
from paygate.ledger.store import Writes
from paygate.ledger.tx import Tx

if TYPE_CHECKING:
    from collections.abc import Callable

    from paygate.ledger.tx import Context

T = TypeVar("T")


class HostStore(Writes):
    """The ledger inside a transaction that the host opened on its own connection.

    Each unit of work is a savepoint in it; the host commits or rolls back.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        if not connection.in_transaction:
            raise NotAllowedHere(
                "no transaction is open on this connection; execute BEGIN IMMEDIATE first"
            )
        if schema_of(connection) != SCHEMA:
            raise SchemaMismatch(
                "this database has no ledger of this version; open it once with Cashier.open()"
            )
        connection.execute(f"PRAGMA {OVERWRITE}")

    def write(self, context: Context, work: Callable[[Tx], T]) -> T:
        """Run *work* in a savepoint of the host's transaction."""
        if not self._connection.in_transaction:
            raise NotAllowedHere("the host's transaction has ended; call within() again")
        try:
            return self._in_savepoint(context, work)
        except BaseException as error:  # noqa: BLE001  (raised again, translated)
            self._roll_back()
            raise self._translated(error) from error.__cause__

    def _in_savepoint(self, context: Context, work: Callable[[Tx], T]) -> T:
        try:
            self._connection.execute("SAVEPOINT paygate")
            tx = Tx(HostSession(self._connection), context)
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
