"""The ledger on PostgreSQL, inside a transaction of the host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

import psycopg
from psycopg.pq import PipelineStatus, TransactionStatus
from psycopg.rows import dict_row

from paygate.errors import (
    InvalidValue,
    NotAllowedHere,
    SchemaMismatch,
    StoreBusy,
    StoreError,
)
from paygate.ledger.lending import AwaitedCursor, not_of
from paygate.ledger.postgres import locks
from paygate.ledger.postgres.channel import Cursors
from paygate.ledger.postgres.errors import (
    CONFLICTS,
    TAKEN_MEANWHILE,
    is_lost,
    message_of,
    translated,
)
from paygate.ledger.postgres.session import ADAPTERS, Session
from paygate.ledger.roots import HOLDS_MAX, LEDGER, HoldFirst
from paygate.ledger.schema_files import SCHEMA
from paygate.ledger.store import Writes
from paygate.ledger.tx import Tx

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from psycopg.adapt import AdaptersMap

    from paygate.ledger.lending import Lent
    from paygate.ledger.roots import Root
    from paygate.ledger.tx import Context

T = TypeVar("T")

IDENTITY: Final = b"""
SELECT (SELECT system_identifier FROM pg_control_system()) AS cluster,
  (SELECT CAST(oid AS int8) FROM pg_database WHERE datname = current_database()) AS database,
  CAST(CAST(to_regclass('paygate_meta') AS oid) AS int8) AS ledger
"""
"""Identifies a ledger by its server, its database and its tables."""

_ABOUT: Final = b"""
SELECT current_setting('transaction_isolation') AS isolation,
  current_setting('transaction_read_only') AS reads,
  current_setting('client_encoding') AS encoding
"""
_SCHEMA: Final = b"SELECT value FROM paygate_meta WHERE name = 'schema'"

_ISOLATION_LEVELS: Final = ("read committed", "read uncommitted")
"""The levels at which a statement sees everything committed before; PostgreSQL merges the two."""

_WAITED: Final = frozenset({*CONFLICTS, "55P03", "57014"})
_LOOKS_MAX: Final = 3


class HostStore(Writes):
    """The ledger inside a transaction that the host opened on its own connection.

    Every unit of work is a savepoint in it; the host commits or rolls back. A unit locks what it
    is about until the host's transaction ends.
    """

    session_class: ClassVar[type[Session]] = Session
    """The class that executes statements; tests have one that checks that roots are locked."""

    def __init__(self, take: Callable[[], Lent], identity: Mapping[str, Any], name: str) -> None:
        self._take = take
        self._identity = identity
        self._name = name
        try:
            connection = self._check()
            self._check_ledger(connection)
        except psycopg.Error as error:
            raise self._in_words(error) from None

    def write(self, context: Context, work: Callable[[Tx], T]) -> T:
        """Run *work* in a savepoint of the host's transaction."""
        tries, holds = 0, 0
        held: frozenset[Root] = frozenset()
        while True:
            tries += 1
            try:
                return self._in_savepoint(self._check(), context, work, held)
            except HoldFirst as more:
                tries, holds = 0, holds + 1
                held |= more.roots if holds < HOLDS_MAX else {LEDGER}
            except psycopg.Error as error:
                # A concurrent transaction wrote the row that this one did not find.
                if error.sqlstate != TAKEN_MEANWHILE or tries > _LOOKS_MAX:
                    raise self._in_words(error) from None

    def _in_savepoint(
        self,
        connection: HostConnection,
        context: Context,
        work: Callable[[Tx], T],
        held: frozenset[Root],
    ) -> T:
        connection.execute(b"SAVEPOINT paygate")
        try:
            connection.execute(locks.entering(held))
            tx = Tx(self.session_class(Cursors(connection), held), context)
            result = work(tx)
            tx.finish()
            connection.execute(b"RELEASE SAVEPOINT paygate")
        except BaseException:
            _undo(connection)
            raise
        return result

    def _check(self) -> HostConnection:
        """Return the connection; raise `NotAllowedHere` if its transaction is not suitable."""
        connection = connection_of(self._take())
        _check_state(connection.driver)
        about = connection.execute(_ABOUT).fetchone()
        assert about is not None, "a query of settings returns a row"
        if about["isolation"] not in _ISOLATION_LEVELS:
            raise NotAllowedHere(
                f"this transaction is {about['isolation'].upper()}, and would not see changes that "
                "other processes commit, such as a refund of the same payment; begin one that is "
                "READ COMMITTED"
            )
        if about["reads"] == "on":
            raise NotAllowedHere(
                "this transaction or its server is read-only; begin a transaction that writes, on "
                "the primary server"
            )
        if about["encoding"] != "UTF8":
            raise NotAllowedHere(
                f"this connection's client_encoding is {about['encoding']}, which cannot represent "
                "every name; set it to UTF8"
            )
        return connection

    def _check_ledger(self, connection: HostConnection) -> None:
        found = connection.execute(IDENTITY).fetchone()
        assert found is not None, "a query of identities returns a row"
        here = {**found}
        if here["ledger"] is None:
            raise SchemaMismatch(
                "this connection sees no ledger; lend a connection to the ledger's database, whose "
                "search_path contains the ledger's schema"
            )
        if here != self._identity:
            raise InvalidValue(
                f"connection: this is not {self._name}; lend a connection to the same database, "
                "with the same search_path",
                argument="connection",
            )
        row = connection.execute(_SCHEMA).fetchone()
        if row is None or row["value"] != str(SCHEMA):
            raise SchemaMismatch(
                "this database has no ledger of this version; open it once with Cashier.open()"
            )

    def _in_words(self, error: psycopg.Error) -> BaseException:
        """Return the store error for an error of PostgreSQL in the host's transaction."""
        if error.sqlstate in _WAITED:
            return StoreBusy(
                f"{self._name}: {message_of(error)}; this step wrote nothing, and waiting inside "
                "your transaction does not help: roll it back and repeat it"
            )
        found = translated(error, self._name)
        if is_lost(error) and isinstance(found, StoreError):
            return StoreError(
                f"{self._name}: {message_of(error)}; your transaction was rolled back with its "
                "connection, repeat it on a new one"
            )
        return found


def _check_state(driver: Any) -> None:
    """Raise `NotAllowedHere` unless the connection has an open transaction that can commit."""
    if driver.closed:
        raise NotAllowedHere("this connection is closed; lend one that is open")
    status = driver.info.transaction_status
    if driver.info.pipeline_status != PipelineStatus.OFF:
        raise NotAllowedHere("this connection is in pipeline mode; leave it before within()")
    if status == TransactionStatus.IDLE and driver.autocommit:
        raise NotAllowedHere(
            "no transaction is open on this connection, and it commits each statement by itself; "
            "begin one with connection.transaction(), or BEGIN, before within()"
        )
    if status == TransactionStatus.INERROR:
        raise NotAllowedHere(
            "a statement of your transaction failed; roll it back (or to a savepoint)"
        )
    if status == TransactionStatus.ACTIVE:
        raise NotAllowedHere("a statement is running on this connection; finish it first")


def _undo(connection: HostConnection) -> None:
    """Roll back to our savepoint, unless the connection is lost."""
    if connection.driver.closed:
        return
    try:
        connection.execute(b"ROLLBACK TO SAVEPOINT paygate")
        connection.execute(b"RELEASE SAVEPOINT paygate")
    except psycopg.Error as error:
        if not is_lost(error):
            raise


# --- The host's connection, with the ledger's conversions of values -----------------------------


class _Adapted:
    """A cursor with the ledger's conversions of values instead of the host's."""

    @property
    def adapters(self) -> AdaptersMap:
        return ADAPTERS


class _Cursor(_Adapted, psycopg.Cursor[Any]): ...


class _AsyncCursor(_Adapted, psycopg.AsyncCursor[Any]): ...


class HostConnection:
    """The interface that `Cursors` needs, on a connection that the host lends."""

    silence_s: float | None = None
    """Not used: how long to wait for the server is the host's choice."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def cursor(self, *, row_factory: Any = dict_row) -> Any:
        """Return a new cursor."""
        return _Cursor(self.driver, row_factory=row_factory)

    def execute(self, sql: bytes, params: Mapping[str, Any] | None = None) -> Any:
        """Execute a statement and return its cursor."""
        return self.cursor().execute(sql, params)


class AwaitedConnection(HostConnection):
    """An async connection of psycopg, inside ``run_sync`` of SQLAlchemy."""

    def __init__(self, driver: Any, wait: Any) -> None:
        super().__init__(driver)
        self._wait = wait

    def cursor(self, *, row_factory: Any = dict_row) -> Any:
        """Return a new cursor."""
        made: Any = _AsyncCursor(self.driver, row_factory=row_factory)
        return AwaitedCursor(made, self._wait)


def connection_of(lent: Lent) -> HostConnection:
    """Return the psycopg connection that the host lends; raise `InvalidValue` for any other."""
    driver = lent.driver
    if isinstance(driver, psycopg.Connection):
        return HostConnection(lent.driver)
    if isinstance(driver, psycopg.AsyncConnection) and lent.wait is not None:
        return AwaitedConnection(lent.driver, lent.wait)
    raise not_of("PostgreSQL", lent.driver, "a psycopg.Connection")
