"""The ledger on PostgreSQL, for several processes and machines; durable when a call returns.

A unit of work that writes is a transaction at READ COMMITTED; one that only reads sees one
snapshot. A writer first locks the roots of what it is about (`paygate.ledger.roots`) and holds them
until its transaction ends, because the rules read before they write. Each of its statements sees
what earlier holders have committed. A unit that finds out late what it is about is run again with
that locked first. Readers do not wait.

A transaction that conflicts with another one is retried after a random pause, and so is one that
began on a connection that the server had closed, for example because it was restarted. If the
connection is lost during COMMIT, it is unknown whether the commit took effect: `CommitUnknown`.

A signal handler may raise an exception between any two lines. So the clean-up that returns a
connection to the pool is nested in itself and does nothing the second time. A forked child must
not touch its parent's connections, not even to close them, so it abandons them and opens new ones.
"""

from __future__ import annotations

import os
import random
import threading
import time
import weakref
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar, cast

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from paygate import logs
from paygate.domain.secret import Sealed
from paygate.errors import CommitUnknown, InvalidValue, NotAllowedHere, StoreBusy, StoreError
from paygate.ledger import forking
from paygate.ledger.postgres import locks
from paygate.ledger.postgres.errors import (
    CONFLICTS,
    OUTDATED_PLAN,
    TAKEN_MEANWHILE,
    ServerSilent,
    is_lost,
    message_of,
    translated,
)
from paygate.ledger.postgres.migrations import migrate
from paygate.ledger.postgres.session import ADAPTERS, LedgerConnection, Session
from paygate.ledger.roots import HOLDS_MAX, LEDGER, HoldFirst
from paygate.ledger.schema_files import POSTGRES, SchemaFiles
from paygate.ledger.store import BUSY_S, CONNECTIONS_MAX, Store
from paygate.ledger.tx import LOGGER, Tx

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from paygate.ledger.lending import Lent
    from paygate.ledger.postgres.channel import Statements
    from paygate.ledger.roots import Root
    from paygate.ledger.store import Writes
    from paygate.ledger.tx import Context

T = TypeVar("T")

_CONNECT_S: Final = 10.0
"""How many seconds a process waits for its first connection."""

_OLDEST_SERVER: Final = 140_000

_DEFAULTS: Final = {
    "application_name": "paygate",
    "client_encoding": "UTF8",
    "connect_timeout": f"{_CONNECT_S:.0f}",
    # Detect a server that has vanished within a minute: while it is waited for, and while it has
    # not acknowledged what was sent, during which TCP sends no keepalives.
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}
"""Connection parameters, unless the URL sets them."""

_BEGIN: Final = b"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
_BEGIN_READING: Final = b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

_PAUSE_S: Final = (0.002, 0.02)
_CONFLICTS_MAX: Final = 20
_RERUNS_MAX: Final = 3

# Pools of a parent process, kept from the garbage collector, which would close their connections.
_abandoned: list[ConnectionPool[Any]] = []

_stores: weakref.WeakSet[PostgresStore] = weakref.WeakSet()


class PostgresStore(Store):
    """A ledger in one PostgreSQL database.

    Thread-safe; a forked child opens connections of its own. Raises `StoreBusy` after waiting
    *busy_s* seconds for other transactions or for a connection, `StoreFull` if the disk is full,
    `SchemaMismatch` for a ledger of a newer paygate, and `CommitUnknown` if the connection was
    lost during COMMIT.
    """

    schema_files: ClassVar[SchemaFiles] = POSTGRES
    """The schema files of the ledger; a test adds one."""
    session_class: ClassVar[type[Session]] = Session
    """The class that executes statements; a test has one that locks nothing."""
    connection_class: ClassVar[type[LedgerConnection]] = LedgerConnection
    """The class of the connections; a test has one whose commits go wrong."""
    silence_s: ClassVar[float] = 60.0
    """
    How many seconds longer than for a lock we wait for a server that is connected and silent.

    It hangs, or a proxy before it does. What reads whole tables waits as long as it takes.
    """
    idle_s: ClassVar[float] = 20.0
    """
    After how many seconds the server ends a transaction in which it receives nothing more.

    Less than others wait for its locks. A unit of work computes for milliseconds, and one whose
    connection was ended is run again. The server applies it behind a pooler; in pipeline mode it
    notices by TCP alone that a client has vanished.
    """

    def __init__(
        self, url: str, *, busy_s: float = BUSY_S, connections_max: int = CONNECTIONS_MAX
    ) -> None:
        # Tracebacks can show local variables, so none may hold the password.
        self._target = _target(Sealed(url))
        del url
        self._name = _name_of(self._target.open())
        self._busy_s = busy_s
        self._connections_max = self.units_at_once = connections_max
        self._closed = False
        self._pid = os.getpid()
        self._opening = threading.Lock()
        self._pool: ConnectionPool[LedgerConnection] | None = None
        self._identity: dict[str, Any] | None = None
        self._migrate()
        _stores.add(self)

    # --- Writing ------------------------------------------------------------------------------

    def write(self, context: Context, work: Callable[[Tx], T]) -> T:
        """Run *work* in one transaction, atomic and durable on return."""
        lines: list[logs.LogLine] = []
        held: frozenset[Root] = frozenset()

        def unit(on: Statements) -> T:
            tx = Tx(self.session_class(on, held), context)
            result = work(tx)
            tx.finish()
            lines[:] = tx.lines
            return result

        def transact() -> T:
            return self._transact((_BEGIN, locks.entering(held)), unit)

        for tries in count(1):
            try:
                done = self._retrying(transact)
            except HoldFirst as more:
                held |= more.roots if tries < HOLDS_MAX else {LEDGER}
            except CommitUnknown as lost:
                logs.write(LOGGER, "ledger.commit_unknown", lost.message, logs.NOTHING)
                raise
            else:
                logs.write_lines(lines)
                return done
        raise AssertionError("a unit that holds the ledger needs nothing else")

    def write_group(
        self, group: Sequence[tuple[Context, Callable[[Tx], Any]]]
    ) -> list[tuple[Any, BaseException | None]]:
        """
        Run several units of work, each in a transaction of its own.

        A single transaction would hold the rows of all their customers until the last unit is
        done, and other processes would have to wait for all of them.
        """
        return [self._unit(context, work) for context, work in group]

    def _unit(
        self, context: Context, work: Callable[[Tx], Any]
    ) -> tuple[Any, BaseException | None]:
        try:
            return self.write(context, work), None
        except Exception as error:  # noqa: BLE001  (returned to the caller of this unit)
            return None, error

    # --- Reading ------------------------------------------------------------------------------

    def read(self, context: Context, work: Callable[[Tx], T]) -> T:
        """Run *work*, which only reads, on one consistent snapshot."""
        return self._retrying(
            lambda: self._transact((_BEGIN_READING,), lambda on: work(Tx(Session(on), context)))
        )

    # --- Inside a transaction of the host -----------------------------------------------------

    def lend(self, take: Callable[[], Lent]) -> Writes:
        """Return a store that writes in the host's transaction, on what *take* returns."""
        from paygate.ledger.postgres.host import IDENTITY, HostStore

        if self._identity is None:
            row = self._retrying(
                lambda: self._transact((_BEGIN_READING,), lambda on: on.rows(IDENTITY)[0])
            )
            self._identity = cast("dict[str, Any]", row)
        return HostStore(take, self._identity, self._name)

    # --- A transaction ------------------------------------------------------------------------

    def _retrying(self, transact: Callable[[], T]) -> T:
        """Run a transaction; retry it if it conflicted or its connection was closed."""
        self._check_process()
        tries = 0
        while True:
            tries += 1
            try:
                return transact()
            except PoolTimeout:
                raise self._no_connection() from None
            except PoolClosed:
                raise NotAllowedHere("the ledger is closed; open a new cashier") from None
            except psycopg.Error as error:
                if tries > self._tries_max(error):
                    raise translated(error, self._name) from None
            time.sleep(random.uniform(*_PAUSE_S) * tries)  # noqa: S311  (no secret)

    def _tries_max(self, error: psycopg.Error) -> int:
        """Return how often a transaction that failed with *error* is retried."""
        if error.sqlstate in CONFLICTS:
            return _CONFLICTS_MAX
        if error.sqlstate in (TAKEN_MEANWHILE, OUTDATED_PLAN):
            return _RERUNS_MAX
        # Every idle connection of the pool may be closed.
        if isinstance(error, ServerSilent):
            return 0  # it would be waited for as long again
        return self._connections_max if is_lost(error) else 0

    def _transact(self, first: Sequence[bytes], work: Callable[[Statements], T]) -> T:
        pool = self._open_pool()
        lent: list[LedgerConnection] = []
        try:
            try:
                lent.append(pool.getconn())
                result = self._run(lent[0], first, work)
            except psycopg.errors.FeatureNotSupported as error:
                # The server refuses to begin, or a statement that this connection prepared.
                if lent[0].failed in (b"", *first):
                    raise self._is_standby(error) from None
                lent[0].close()
                raise
            finally:
                _give_back(pool, lent)
        finally:
            _give_back(pool, lent)
        return result

    def _run(
        self, connection: LedgerConnection, first: Sequence[bytes], work: Callable[[Statements], T]
    ) -> T:
        begin, *rest = first
        # Behind a pooler, settings hold for one transaction.
        settings = () if connection.is_direct else (self._settings(here=True),)
        connection.silence_s = self._busy_s + self.silence_s
        connection.begin_unit((begin, *settings, *rest))
        result = work(connection.statements)
        if begin == _BEGIN:
            connection.settle_unit()
            _commit(connection, result)
        else:
            connection.end_unit(b"ROLLBACK")
        return result

    def _is_standby(self, error: psycopg.Error) -> StoreError:
        return StoreError(
            f"{self._name}: {message_of(error)}; this step wrote nothing: the server is a "
            "standby, connect to the primary (target_session_attrs=read-write in the URL)"
        )

    # --- Opening and closing ------------------------------------------------------------------

    def close(self) -> None:
        """Close the connections; a second call does nothing."""
        self._closed = True
        pool, self._pool = self._pool, None
        if pool is not None and self._pid == os.getpid():
            pool.close()

    def _check_process(self) -> None:
        if self._closed:
            raise NotAllowedHere("the ledger is closed; open a new cashier")
        self._forget_parent()

    def _forget_parent(self) -> None:
        """Abandon the parent's connections, in a child that was just forked."""
        if self._pid == os.getpid():
            return
        if self._pool is not None:
            _abandoned.append(self._pool)
        self._pool = None
        self._opening = threading.Lock()
        self._pid = os.getpid()

    def _open_pool(self) -> ConnectionPool[LedgerConnection]:
        with self._opening:
            if self._pool is None:
                pool: ConnectionPool[LedgerConnection] = ConnectionPool(
                    connection_class=self.connection_class,
                    kwargs=self._target.open(),
                    configure=self._configure,
                    min_size=1,
                    max_size=self._connections_max,
                    timeout=self._busy_s,
                    # A longer one would still be pausing when the server is back.
                    reconnect_timeout=self._busy_s,
                    num_workers=1,
                    name="paygate",
                    open=True,
                )
                try:
                    pool.wait(_CONNECT_S)  # even if busy_s is shorter
                except BaseException:
                    pool.close()
                    raise
                self._pool = pool
            return self._pool

    def _configure(self, connection: LedgerConnection) -> None:
        """
        Configure a new connection for all its transactions.

        Behind a pooler, each transaction may run in another session of the server, so nothing may
        be prepared there or set for the session. A pooler is recognized by the backend's process
        id, which differs from the one that the connection reports.
        """
        connection.prepared_max = None
        row = connection.execute(_ABOUT_SESSION, {"pid": connection.info.backend_pid}).fetchone()
        assert row is not None, "a query of constants returns a row"
        if not row["direct"]:
            connection.prepare_threshold = None
            return
        connection.is_direct = True
        connection.execute(_PLANNED_ONCE)
        connection.execute(self._settings(here=False))

    def _settings(self, *, here: bool) -> bytes:
        """Return the statement that sets how to wait for locks and the disk, and how to plan."""
        until = b"true" if here else b"false"
        return _SETTINGS % {
            b"wait": int(self._busy_s * 1000),
            b"idle": int(self.idle_s * 1000),
            b"here": until,
        }

    def _migrate(self) -> None:
        try:
            with _connect(self._target) as connection:
                if connection.info.server_version < _OLDEST_SERVER:
                    raise StoreError(f"{self._name}: PostgreSQL is older than 14; upgrade it")
                migrate(connection, self.schema_files, self._name)
        except psycopg.Error as error:
            raise translated(error, self._name) from None

    def _no_connection(self) -> StoreError:
        """Find out why the pool has no connection, and return the error that says so."""
        try:
            _connect(self._target).close()
        except psycopg.Error as error:
            found = translated(error, self._name)
            assert isinstance(found, StoreError), "an error of psycopg becomes a StoreError"
            return found
        return StoreBusy(
            f"{self._name}: all {self._connections_max} connections were in use for "
            f"{self._busy_s:g} seconds, and nothing was written; try again"
        )


_ABOUT_SESSION: Final = b"SELECT pg_backend_pid() = %(pid)s AS direct"
# A statement is planned once, because it finds its rows by the same index whatever its parameters
# are.
_PLANNED_ONCE: Final = b"SET plan_cache_mode = force_generic_plan"
# A transaction whose client vanished would hold its locks until TCP notices, which takes hours.
# A commit always waits for the disk, even if the server's default is not to. Plans use indexes
# (see SCANS_AVOIDED), and none is worth workers or compiling:
# what it costs is estimated far too high.
_SETTINGS: Final = b"""
SELECT set_config('lock_timeout', '%(wait)dms', %(here)b),
  set_config('idle_in_transaction_session_timeout', '%(idle)dms', %(here)b),
  set_config('tcp_keepalives_idle', '30', %(here)b),
  set_config('tcp_keepalives_interval', '10', %(here)b),
  set_config('tcp_keepalives_count', '3', %(here)b),
  set_config('tcp_user_timeout', '60000', %(here)b),
  set_config('synchronous_commit', CASE current_setting('synchronous_commit')
    WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, %(here)b),
  set_config('enable_seqscan', 'off', %(here)b), set_config('enable_bitmapscan', 'off', %(here)b),
  set_config('max_parallel_workers_per_gather', '0', %(here)b), set_config('jit', 'off', %(here)b)
"""


def connect(url: Sealed[str]) -> tuple[LedgerConnection, str]:
    """Return a new connection to the database at *url*, and the ledger's name in messages."""
    target = _target(url)
    name = _name_of(target.open())
    try:
        return _connect(target), name
    except psycopg.Error as error:
        raise translated(error, name) from None


def _connect(target: Sealed[dict[str, Any]]) -> LedgerConnection:
    # The row factory is one of the parameters, which type checkers cannot see.
    return LedgerConnection.connect(**target.open())


def _target(url: Sealed[str]) -> Sealed[dict[str, Any]]:
    """Return the parameters of a connection."""
    try:
        given = conninfo_to_dict(url.open())
    except psycopg.Error:
        raise InvalidValue(
            "this is not a PostgreSQL URL; write it as "
            "postgresql://role:password@host:5432/database, with special characters of the "
            "password percent-encoded (@ as %40, / as %2F)",
            argument="url",
        ) from None
    return Sealed(
        {
            **_DEFAULTS,
            **given,
            "autocommit": True,  # transactions begin explicitly
            "context": _Context(),
            "row_factory": dict_row,
        }
    )


class _Context:
    """The adaptation context that psycopg takes the adapters from."""

    adapters = ADAPTERS
    connection = None


def _name_of(target: Mapping[str, Any]) -> str:
    """Return the ledger's name in messages: the host and database, without the password."""
    host, port = target.get("host") or "localhost", target.get("port")
    return f"the ledger at {host}{f':{port}' if port else ''}/{target.get('dbname') or ''}"


def _commit(connection: LedgerConnection, result: object) -> None:
    """
    Commit the transaction, or raise.

    If a statement failed before, the server replies that it rolled back. If it does not reply,
    the transaction may have been committed or not; only reading the ledger again can tell.
    """
    try:
        done = connection.end_unit(b"COMMIT")
    except psycopg.Error as error:
        if connection.closed or is_lost(error):
            raise CommitUnknown.of(message_of(error), result) from None
        raise
    if done != "COMMIT":
        raise StoreError("the ledger: a statement failed earlier, and nothing was written")


def _give_back(pool: ConnectionPool[LedgerConnection], lent: list[LedgerConnection]) -> None:
    """Return a connection to the pool, rolled back; close it if that fails."""
    while lent:
        lent[0].abandon_unit()
        pool.putconn(lent.pop())


def _forget_parents() -> None:
    for store in list(_stores):
        store._forget_parent()  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001


forking.after_fork_call(_forget_parents)
