"""The ledger on PostgreSQL: several processes and machines, durable when a call returns.

A unit of work is a transaction at READ COMMITTED, and a unit that only reads sees the state of one
moment. A unit that writes first takes one lock for the whole ledger and holds it until its
transaction ends, because the rules of the books read before they write: two transactions side by
side could both find that nothing has been refunded yet. So writers take it one after another, as
on SQLite, and readers do not wait. It also makes the positions of events follow the order of the
commits.

A transaction that conflicts with another one is repeated after a random pause; so is one that
began on a connection that the server had closed, for instance because it was restarted. If the
connection is lost during a COMMIT, nobody knows whether it took effect: `CommitUnknown`.

An exception may come between any two lines: a signal handler raises where the program happens to
be. So what gives a connection back stands twice, one around the other, and does nothing if it was
done before. A forked child must not touch a connection of its parent, not even to close it, so
there the connections are abandoned and new ones opened.
"""

from __future__ import annotations

import os
import random
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar, cast

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from paygate import logs
from paygate.domain.secret import Sealed
from paygate.errors import CommitUnknown, InvalidValue, NotAllowedHere, StoreBusy, StoreError
from paygate.ledger import forking
from paygate.ledger.postgres.errors import (
    CONFLICTS,
    OUTDATED_PLAN,
    TAKEN_MEANWHILE,
    is_lost,
    said,
    translated,
)
from paygate.ledger.postgres.migrations import migrate
from paygate.ledger.postgres.session import ADAPTERS, Session
from paygate.ledger.schema_files import POSTGRES, SchemaFiles
from paygate.ledger.store import BUSY_S, Store
from paygate.ledger.tx import LOGGER, Tx

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from paygate.ledger.postgres.session import Connection
    from paygate.ledger.tx import Context

T = TypeVar("T")

CONNECTIONS_MAX: Final = 10
"""How many connections a ledger has open at most; the threads that come later wait for one."""

_CONNECT_S: Final = 10.0
"""How many seconds the first connection of a process is waited for."""

_OLDEST_SERVER: Final = 140_000

_DEFAULTS: Final = {
    "application_name": "paygate",
    "client_encoding": "UTF8",
    "connect_timeout": f"{_CONNECT_S:.0f}",
    # A server that is gone without a word is noticed within a minute.
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
}
"""How a connection is made, unless the URL says otherwise."""

# Any number will do, if it is the same in every process: it is the ledger's name among the
# advisory locks of its database. Each statement after it sees what was committed before.
_BEGIN: Final = (
    b"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;"
    b"SELECT pg_advisory_xact_lock(8099003266317905254)"
)
_BEGIN_READING: Final = b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

_PAUSE_S: Final = (0.002, 0.02)
_CONFLICTS_MAX: Final = 20
_LOOKS_MAX: Final = 3

# Connections of a parent process: kept from the garbage collector, which would close them.
_abandoned: list[ConnectionPool[Any]] = []

_stores: weakref.WeakSet[PostgresStore] = weakref.WeakSet()


class PostgresStore(Store):
    """A ledger in one PostgreSQL database.

    Safe to use from threads; a fork opens connections of its own. Raises `StoreBusy` after
    waiting *busy_s* seconds for other transactions or for a connection, `StoreFull` when the
    disk is full, `SchemaMismatch` for a ledger of a newer paygate, `CommitUnknown` if the
    connection was lost during a COMMIT.
    """

    schema_files: ClassVar[SchemaFiles] = POSTGRES
    """What its tables are made of; a test has one more file."""

    def __init__(
        self, url: str, *, busy_s: float = BUSY_S, connections_max: int = CONNECTIONS_MAX
    ) -> None:
        # A traceback shows the locals of each frame: none of them holds the password.
        self._target = _target(Sealed(url))
        del url
        self._name = _name_of(self._target.open())
        self._busy_s = busy_s
        self._connections_max = connections_max
        self._closed = False
        self._pid = os.getpid()
        self._opening = threading.Lock()
        self._pool: ConnectionPool[Connection] | None = None
        self._migrate()
        _stores.add(self)

    # --- Writing ------------------------------------------------------------------------------

    def write(self, context: Context, work: Callable[[Tx], T]) -> T:
        """Do *work* in one transaction that is durable on return, or not at all."""
        lines: list[logs.LogLine] = []

        def unit(connection: Connection) -> T:
            tx = Tx(Session(connection), context)
            result = work(tx)
            tx.finish()
            lines[:] = tx.lines
            return result

        try:
            done = self._patiently(lambda: self._transact(_BEGIN, unit))
        except CommitUnknown as lost:
            logs.write(LOGGER, "ledger.commit_unknown", lost.message, logs.NOTHING)
            raise
        logs.write_lines(lines)
        return done

    def write_group(
        self, group: Sequence[tuple[Context, Callable[[Tx], Any]]]
    ) -> list[tuple[Any, BaseException | None]]:
        """
        Do several units of work, each in a transaction of its own.

        In one transaction they would hold the rows of all their customers until the last one is
        done, and other processes would wait for all of them.
        """
        return [self._unit(context, work) for context, work in group]

    def _unit(
        self, context: Context, work: Callable[[Tx], Any]
    ) -> tuple[Any, BaseException | None]:
        try:
            return self.write(context, work), None
        except Exception as error:  # noqa: BLE001  (handed to who asked for this unit)
            return None, error

    # --- Reading ------------------------------------------------------------------------------

    def read(self, context: Context, work: Callable[[Tx], T]) -> T:
        """Do *work*, which only reads, on one consistent state."""
        return self._patiently(
            lambda: self._transact(
                _BEGIN_READING, lambda connection: work(Tx(Session(connection), context))
            )
        )

    # --- A transaction ------------------------------------------------------------------------

    def _patiently(self, transact: Callable[[], T]) -> T:
        """Do a transaction, again if another one was in its way or the connection was dead."""
        self._check_process()
        tries = 0
        while True:
            tries += 1
            try:
                return transact()
            except PoolTimeout:
                raise self._why_none() from None
            except PoolClosed:
                raise NotAllowedHere("the ledger is closed; open a new cashier") from None
            except psycopg.Error as error:
                if tries > self._tries_max(error):
                    raise translated(error, self._name) from None
            time.sleep(random.uniform(*_PAUSE_S) * tries)  # noqa: S311  (no secret)

    def _tries_max(self, error: psycopg.Error) -> int:
        """Return how often a transaction is done again that ended with *error*."""
        if error.sqlstate in CONFLICTS:
            return _CONFLICTS_MAX
        if error.sqlstate in (TAKEN_MEANWHILE, OUTDATED_PLAN):
            return _LOOKS_MAX
        # Each connection that waits in the pool may be dead.
        return self._connections_max if is_lost(error) else 0

    def _transact(self, begin: bytes, work: Callable[[Connection], T]) -> T:
        pool = self._open_pool()
        lent: list[Connection] = []
        try:
            try:
                lent.append(pool.getconn())
                lent[0].execute(begin, prepare=False)  # two statements cannot be prepared
                result = work(lent[0])
                _commit(lent[0], result)
            except psycopg.Error as error:
                if error.sqlstate == OUTDATED_PLAN:
                    lent[0].close()
                raise
            finally:
                _give_back(pool, lent)
        finally:
            _give_back(pool, lent)
        return result

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
        """Abandon the connections of the parent process, in a child that was just forked."""
        if self._pid == os.getpid():
            return
        if self._pool is not None:
            _abandoned.append(self._pool)
        self._pool = None
        self._opening = threading.Lock()
        self._pid = os.getpid()

    def _open_pool(self) -> ConnectionPool[Connection]:
        with self._opening:
            if self._pool is None:
                pool: ConnectionPool[Connection] = ConnectionPool(
                    kwargs=self._target.open(),
                    configure=self._configure,
                    min_size=1,
                    max_size=self._connections_max,
                    timeout=self._busy_s,
                    num_workers=1,
                    name="paygate",
                    open=True,
                )
                try:
                    pool.wait(_CONNECT_S)  # however short somebody waits for a transaction
                except BaseException:
                    pool.close()
                    raise
                self._pool = pool
            return self._pool

    def _configure(self, connection: Connection) -> None:
        """
        Set what holds for all transactions of a connection.

        Behind a pooler each transaction may have another session of the server: nothing is
        prepared there, and what is set must not stay. It shows in the number of the session.
        """
        connection.prepared_max = None
        row = connection.execute(_ABOUT_SESSION, {"pid": connection.info.backend_pid}).fetchone()
        assert row is not None, "a row of constants is there"
        if not row["direct"]:
            connection.prepare_threshold = None
            return
        connection.execute(_SETTINGS, {"wait": f"{int(self._busy_s * 1000)}ms"})

    def _migrate(self) -> None:
        try:
            with self._connect() as connection:
                if connection.info.server_version < _OLDEST_SERVER:
                    raise StoreError(f"{self._name}: PostgreSQL is older than 14; upgrade it")
                migrate(connection, self.schema_files, self._name)
        except psycopg.Error as error:
            raise translated(error, self._name) from None

    def _connect(self) -> Connection:
        # How rows are made is one of these, and no type checker sees it.
        return cast("Connection", psycopg.connect(**self._target.open()))

    def _why_none(self) -> StoreError:
        """Find out why no connection could be had."""
        try:
            self._connect().close()
        except psycopg.Error as error:
            found = translated(error, self._name)
            assert isinstance(found, StoreError), "an error of psycopg is one of the store"
            return found
        return StoreBusy(
            f"{self._name}: each of {self._connections_max} connections was in use for "
            f"{self._busy_s:g} seconds, and nothing was written; try again"
        )


_ABOUT_SESSION: Final = b"SELECT pg_backend_pid() = %(pid)s AS direct"
# A commit waits for the disk, whatever the server's own setting is. A statement is planned once:
# each finds its rows by an index, whatever its parameters are.
_SETTINGS: Final = b"""
SELECT set_config('lock_timeout', %(wait)s, false),
  set_config('plan_cache_mode', 'force_generic_plan', false),
  set_config('synchronous_commit', CASE current_setting('synchronous_commit')
    WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false)
"""


def _target(url: Sealed[str]) -> Sealed[dict[str, Any]]:
    """Return what a connection is made with."""
    try:
        given = conninfo_to_dict(url.open())
    except psycopg.Error:
        raise InvalidValue(
            "this is no URL of PostgreSQL; it is written "
            "postgresql://role:password@host:5432/database, and a sign of the password such as "
            "@ or / as %40 or %2F",
            argument="url",
        ) from None
    return Sealed(
        {
            **_DEFAULTS,
            **given,
            "autocommit": True,  # a transaction begins where we say so
            "context": _Context(),
            "row_factory": dict_row,
        }
    )


class _Context:
    """What psycopg asks for how values are written and read."""

    adapters = ADAPTERS
    connection = None


def _name_of(target: Mapping[str, Any]) -> str:
    """Return what a message calls the ledger: the place of its database, and no password."""
    host, port = target.get("host") or "localhost", target.get("port")
    return f"the ledger at {host}{f':{port}' if port else ''}/{target.get('dbname') or ''}"


def _commit(connection: Connection, result: object) -> None:
    """
    Make the transaction durable, or raise.

    The server answers that it rolled back if a statement had failed before. If it does not
    answer, the transaction may be there or not, and only a look can tell.
    """
    try:
        done = connection.execute(b"COMMIT").statusmessage
    except psycopg.Error as error:
        if connection.closed or is_lost(error):
            raise CommitUnknown.of(said(error), result) from None
        raise
    if done != "COMMIT":
        raise StoreError("the ledger: a statement had failed before, and nothing was written")


def _give_back(pool: ConnectionPool[Connection], lent: list[Connection]) -> None:
    """Give a connection back with no transaction open; one that cannot roll back is closed."""
    while lent:
        connection = lent[0]
        if connection.info.transaction_status is not TransactionStatus.IDLE:
            try:
                connection.execute(b"ROLLBACK")
            except psycopg.Error:
                connection.close()
        pool.putconn(lent.pop())


def _forget_parents() -> None:
    for store in list(_stores):
        store._forget_parent()  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001


forking.after_fork_call(_forget_parents)
