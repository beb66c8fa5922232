"""The ledger on SQLite: one writer at a time, durable when a call returns.

The journal is write-ahead with ``synchronous=FULL``: committed transactions survive a power
failure. SQLite's own busy handler is unfair among several processes, so this module waits for
the write lock in a loop with random pauses. Readers have connections of their own and never
wait for a writer.

A signal handler may raise an exception between any two lines (Ctrl-C in a notebook, a task
queue's time limit). So each clean-up is nested in itself and does nothing the second time: if an
exception interrupts the inner one, the outer one still runs. The exception reaches the caller,
no transaction stays open, and the write lock is released.

A forked child must not touch its parent's connections, not even to close them, so it abandons
them and opens new ones. A fork waits until no thread is inside SQLite (`paygate.ledger.forking`).
"""

from __future__ import annotations

import os
import random
import sqlite3
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar, cast

from paygate import logs
from paygate.errors import (
    CommitUnknown,
    NotAllowedHere,
    PaygateError,
    SchemaMismatch,
    StoreError,
)
from paygate.ledger import forking
from paygate.ledger.migrations import schema_of, template, upgrade
from paygate.ledger.schema_files import SQLITE, SchemaFiles
from paygate.ledger.sqlite_errors import NOT_COMMITTED, damaged, primary_code, translated
from paygate.ledger.sqlite_session import OVERWRITE, Session
from paygate.ledger.store import BUSY_S, Store
from paygate.ledger.tx import LOGGER, Tx

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from paygate.ledger.lending import Lent
    from paygate.ledger.store import Writes
    from paygate.ledger.tx import Context

T = TypeVar("T")

MEMORY: Final = ":memory:"
"""The path that means a ledger in memory."""

# Temporary storage holds the undo data of savepoints, which is useless after a crash: the
# write-ahead log then rolls back the whole transaction.
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    # On macOS fsync leaves the data in the memory of the disk; elsewhere these two do nothing.
    "fullfsync=ON",
    "checkpoint_fullfsync=ON",
    "foreign_keys=ON",
    "temp_store=MEMORY",
    OVERWRITE,
)

_BUSY_PAUSE_S = (0.001, 0.015)

# Connections of a parent process, kept from the garbage collector, which would close them.
_abandoned: list[sqlite3.Connection] = []

_stores: weakref.WeakSet[SqliteStore] = weakref.WeakSet()


class SqliteStore(Store):
    """A ledger in one SQLite file, or in memory for tests.

    Thread-safe; a forked child opens connections of its own. Raises `StoreBusy` after waiting
    *busy_s* seconds for other writers, `StoreFull` if the disk is full, `SchemaMismatch` for a
    file of a newer paygate, and `CommitUnknown` if a COMMIT failed in a way that leaves open
    whether it took effect.
    """

    units_at_once = 1

    connection_class: ClassVar[type[sqlite3.Connection]] = sqlite3.Connection
    """The class of its connections; a test has one that fails on purpose."""
    schema_files: ClassVar[SchemaFiles] = SQLITE
    """The schema files of the ledger; a test adds one."""
    session_class: ClassVar[type[Session]] = Session
    """The class that executes statements; tests have one that checks that roots are locked."""

    def __init__(self, path: str, *, busy_s: float = BUSY_S) -> None:
        self.path = path
        # A relative path stays relative to the working directory at this moment.
        self._file = path if path == MEMORY else os.path.abspath(path)  # noqa: PTH100
        self._identity: tuple[int, int] | None = None
        self._busy_s = busy_s
        self._closed = False
        self._pid = os.getpid()
        self._write_lock = threading.RLock()
        self._write_connection: sqlite3.Connection | None = None
        self._readers: list[sqlite3.Connection] = []
        try:
            self._as_writer(self._open)
        except BaseException:
            self.close()
            raise

    # --- Writing ------------------------------------------------------------------------------

    def write(self, context: Context, work: Callable[[Tx], T]) -> T:
        """Run *work* in one transaction, atomic and durable on return."""
        lines: list[logs.LogLine] = []

        def unit(connection: sqlite3.Connection) -> T:
            tx = Tx(self.session_class(connection), context)
            result = work(tx)
            tx.finish()
            lines.extend(tx.lines)
            return result

        try:
            done = self._as_writer(
                lambda connection: self._transact(connection, lambda: unit(connection))
            )
        except CommitUnknown as lost:
            _log_lost_commit(lost)
            raise
        logs.write_lines(lines)
        return done

    def write_group(
        self, group: Sequence[tuple[Context, Callable[[Tx], Any]]]
    ) -> list[tuple[Any, BaseException | None]]:
        """
        Run several units of work in one transaction; one that fails is rolled back alone.

        Return the result and the error of each unit, in order. If the transaction itself
        fails, raise, and none of them is written. If it is unknown whether the commit took
        effect, each unit gets a `CommitUnknown` with its own result.
        """
        lines: list[logs.LogLine] = []

        def units(connection: sqlite3.Connection) -> list[tuple[Any, BaseException | None]]:
            return [self._unit(connection, context, work, lines) for context, work in group]

        try:
            done = self._as_writer(
                lambda connection: self._transact(connection, lambda: units(connection))
            )
        except CommitUnknown as lost:
            _log_lost_commit(lost)
            return [(None, failure or lost.with_result(result)) for result, failure in lost.result]
        logs.write_lines(lines)
        return done

    def _as_writer(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run *work* on the write connection while this thread holds the write lock."""
        self._check_process()
        lock = self._write_lock
        if _holds(lock):
            raise NotAllowedHere(
                "this thread is writing to the ledger, so a signal handler cannot use it now; "
                "let it set a flag and call later"
            )
        try:
            return self._with_lock(lock, work)
        finally:
            _release(lock)
            forking.leave()

    def _with_lock(self, lock: threading.RLock, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            forking.leave()  # while we wait for the lock
            lock.acquire()
            forking.enter()
            return work(self._writer())
        finally:
            self._roll_back()
            _release(lock)
            forking.leave()

    def _transact(self, connection: sqlite3.Connection, work: Callable[[], T]) -> T:
        self._roll_back()  # an interrupted transaction may have been left open
        try:
            self._begin(connection)
            self._check_file()
            result = work()
            _commit(connection, result)
        except BaseException as error:  # noqa: BLE001  (raised again, translated)
            self._roll_back()
            raise translated(error) from error.__cause__
        return result

    def _roll_back(self) -> None:
        """Roll back the open transaction, unless SQLite has done so after an error.

        If the rollback fails, close the connection, which rolls back, too.
        """
        connection = self._write_connection
        if connection is None or not connection.in_transaction or not _holds(self._write_lock):
            return
        try:
            connection.execute("ROLLBACK")
        except sqlite3.Error:
            self._write_connection = None
            connection.close()

    # --- Reading ------------------------------------------------------------------------------

    def read(self, context: Context, work: Callable[[Tx], T]) -> T:
        """Run *work*, which only reads, on one consistent snapshot."""
        if self.path == MEMORY:
            return self._as_writer(lambda connection: work(Tx(Session(connection), context)))
        self._check_process()
        lent: list[sqlite3.Connection] = []
        try:
            forking.enter()
            self._check_file()
            return self._read(lent, context, work)
        except sqlite3.Error as error:
            raise translated(error, self.path) from error
        finally:
            forking.leave()
            _close_all(lent)

    def _read(self, lent: list[sqlite3.Connection], context: Context, work: Callable[[Tx], T]) -> T:
        try:
            self._lend_reader(lent)
            connection = lent[0]
            connection.execute("BEGIN")
            try:
                result = work(Tx(Session(connection), context))
            except PaygateError:  # raised by our code: the connection is still usable
                self._take_back(lent)
                raise
            self._take_back(lent)
        finally:
            # After any other exception the connection may still be reading, so it is not reused.
            _close_all(lent)
            forking.leave()
        return result

    def _lend_reader(self, lent: list[sqlite3.Connection]) -> None:
        try:
            lent.append(self._readers.pop())
        except IndexError:
            lent.append(self._connect())

    def _take_back(self, lent: list[sqlite3.Connection]) -> None:
        lent[0].execute("ROLLBACK")
        if not self._closed:
            self._readers.append(lent.pop())

    # --- Inside a transaction of the host -----------------------------------------------------

    def lend(self, take: Callable[[], Lent]) -> Writes:
        """Return a store that writes in the host's transaction, on what *take* returns."""
        from paygate.ledger.sqlite_host import HostStore

        return HostStore(take, self._file)

    # --- Opening and closing ------------------------------------------------------------------

    def close(self) -> None:
        """Close the connections; a second call does nothing."""
        self._closed = True
        if self._pid != os.getpid():
            return
        lock = self._write_lock
        try:
            with lock:
                if self._write_connection is not None:
                    self._write_connection.close()
                    self._write_connection = None
        finally:
            _release(lock)
            _close_all(self._readers)

    def _check_process(self) -> None:
        if self._closed:
            raise NotAllowedHere("the ledger is closed; open a new cashier")
        if self._pid != os.getpid():
            if self.path == MEMORY:
                raise NotAllowedHere("a ledger in memory cannot be used after a fork; use a file")
            self._forget_parent()

    def _forget_parent(self) -> None:
        """Abandon the parent's connections, in a child that was just forked."""
        if self.path == MEMORY or self._pid == os.getpid():
            return
        _abandoned.extend(self._readers)
        if self._write_connection is not None:
            _abandoned.append(self._write_connection)
        self._write_connection, self._readers = None, []
        # The lock may be held by a thread that does not exist in this process.
        self._write_lock = threading.RLock()
        self._pid = os.getpid()

    def _writer(self) -> sqlite3.Connection:
        if self._write_connection is None:
            self._write_connection = self._connect()
        return self._write_connection

    def _connect(self) -> sqlite3.Connection:
        """Open the file; create it, readable by its owner only, if it does not exist."""
        try:
            if self._identity is not None:
                self._check_file()
            elif self._file != MEMORY:
                create(self._file)
            return connect(self._file, self._busy_s, self.connection_class)
        except sqlite3.Error as error:
            raise translated(error, self.path) from error
        except UnicodeDecodeError as error:
            raise damaged(self.path, error) from None

    def _begin(self, connection: sqlite3.Connection) -> None:
        try:
            begin_immediate(connection, self._busy_s)
        except sqlite3.Error as error:
            raise translated(error, self.path) from error

    def _identify(self) -> tuple[int, int] | None:
        if self._file == MEMORY:
            return None
        try:
            found = os.stat(self._file)  # noqa: PTH116  (pathlib is slow)
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _check_file(self) -> None:
        """Raise `StoreError` if the file was deleted or replaced: what is written would be lost."""
        if self._identity is not None and self._identify() != self._identity:
            raise StoreError(
                f"{self.path} was deleted or replaced while it was open; nothing was written or "
                "sent. Restore the file (or its backup) and restart this process"
            )

    @classmethod
    def _unit(
        cls,
        connection: sqlite3.Connection,
        context: Context,
        work: Callable[[Tx], Any],
        lines: list[logs.LogLine],
    ) -> tuple[Any, BaseException | None]:
        connection.execute("SAVEPOINT unit")
        tx = Tx(cls.session_class(connection), context)
        try:
            result = work(tx)
            tx.finish()
        except Exception as error:
            if not connection.in_transaction:
                raise  # a full disk rolls back the whole transaction
            connection.execute("ROLLBACK TO unit")
            connection.execute("RELEASE unit")
            return None, translated(error)
        connection.execute("RELEASE unit")
        lines.extend(tx.lines)
        return result, None

    def _open(self, connection: sqlite3.Connection) -> None:
        _stores.add(self)
        if self._file == MEMORY:  # not shared, and Python 3.13 warns of unclosed connections
            weakref.finalize(self, connection.close)
        self._migrate(connection)
        self._identity = self._identify()

    def _migrate(self, connection: sqlite3.Connection) -> None:
        try:
            if schema_of(connection) == self.schema_files.newest:
                return
            if self._file == MEMORY:
                template().backup(connection)  # faster than creating the tables
                return
            self._begin(connection)
            # Check again with the lock held: another process may have upgraded the file.
            found = schema_of(connection)
            self._check_schema(found)
            upgrade(connection, found, self.schema_files)
            connection.execute("COMMIT")
        except UnicodeDecodeError as error:
            raise damaged(self.path, error) from None
        except sqlite3.Error as error:
            raise translated(error, self.path) from error

    def _check_schema(self, found: int) -> None:
        known = self.schema_files.newest
        if found > known:
            raise SchemaMismatch(
                f"{self.path} has schema {found}, but this paygate supports {known}; "
                "upgrade paygate",
                found=found,
                known=known,
            )


def connect(
    file: str, busy_s: float, factory: type[sqlite3.Connection] = sqlite3.Connection
) -> sqlite3.Connection:
    """Return a new connection to a ledger in *file*, which is created if it does not exist."""
    opened: list[sqlite3.Connection] = []
    try:
        opened.append(
            sqlite3.connect(
                file,
                timeout=0,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=512,
                factory=factory,
            )
        )
        opened[0].row_factory = sqlite3.Row
        deadline = time.monotonic() + busy_s
        for pragma in _PRAGMAS:
            _execute_retrying(opened[0], f"PRAGMA {pragma}", deadline)
        return opened.pop()
    finally:
        _close_all(opened)


def begin_immediate(connection: sqlite3.Connection, busy_s: float) -> None:
    """Begin a transaction that writes; wait up to *busy_s* seconds for another writer."""
    _execute_retrying(connection, "BEGIN IMMEDIATE", time.monotonic() + busy_s)


def _execute_retrying(connection: sqlite3.Connection, sql: str, deadline: float) -> None:
    """Execute *sql*; retry after short random pauses while another connection holds the lock."""
    while True:
        try:
            connection.execute(sql)
        except sqlite3.OperationalError as error:
            if primary_code(error) not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise
            if time.monotonic() > deadline:
                raise
            forking.leave()  # a fork need not wait for the pause
            time.sleep(random.uniform(*_BUSY_PAUSE_S))  # noqa: S311  (no secret)
            forking.enter()
        else:
            return


def _commit(connection: sqlite3.Connection, result: object) -> None:
    """
    Commit the transaction, or raise.

    Some errors mean that nothing was written: the transaction is still open, or SQLite says why
    it rolled back. After any other error, such as a failed disk, the transaction may have been
    committed or not; only reading the ledger again can tell.
    """
    try:
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        if connection.in_transaction or primary_code(error) in NOT_COMMITTED:
            raise
        raise CommitUnknown.of(str(error), result) from error


def _log_lost_commit(lost: CommitUnknown) -> None:
    logs.write(LOGGER, "ledger.commit_unknown", lost.message, logs.NOTHING)


def _holds(lock: threading.RLock) -> bool:
    """Return whether this thread holds *lock*, even if acquiring it was interrupted."""
    return bool(cast("Any", lock)._is_owned())  # noqa: SLF001  (threading.Condition uses it, too)


def _release(lock: threading.RLock) -> None:
    while _holds(lock):
        lock.release()


def _close_all(connections: list[sqlite3.Connection]) -> None:
    """Close *connections* and remove them from the list."""
    while connections:
        connections.pop().close()


def create(path: str) -> None:
    """Create the file, readable by its owner only, because it holds personal data.

    An existing file is left unchanged. SQLite gives the write-ahead log the same mode.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except OSError:
        return  # the file exists, or SQLite reports the problem itself


def _forget_parents() -> None:
    for store in list(_stores):
        store._forget_parent()  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001


forking.after_fork_call(_forget_parents)
