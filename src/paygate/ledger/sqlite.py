"""The ledger on SQLite: one writer at a time, durable when a call returns.

Write-ahead logging with ``synchronous=FULL``: what was committed survives the
loss of power. SQLite's own busy handler is unfair with several processes, so
waiting for the write lock is our own loop with a random pause. Reads have
connections of their own and never wait for a writer.

An exception may come between any two lines: a signal handler raises where the
program happens to be (Ctrl-C in a notebook, a task queue's time limit). So each
clean-up stands twice, one around the other, and does nothing if it was done
before; an exception that interrupts the inner one finds the outer one. What is
raised reaches the caller, no transaction stays open, and the turn to write is free.

A forked child must not touch a connection of its parent, not even to close it,
so there the connections are abandoned and new ones opened. A fork waits until
no thread is inside SQLite (`paygate.ledger.forking`).
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
from paygate.ledger.migrations import blank, bring_up, schema_of
from paygate.ledger.schema_files import SQLITE, SchemaFiles
from paygate.ledger.sqlite_errors import NOT_COMMITTED, damaged, primary_code, translated
from paygate.ledger.sqlite_session import OVERWRITE, Session
from paygate.ledger.store import BUSY_S, Store
from paygate.ledger.tx import LOGGER, Tx

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from paygate.ledger.tx import Context

T = TypeVar("T")

MEMORY: Final = ":memory:"
"""What `SqliteStore` takes instead of a path for a ledger that is kept in memory."""

# A savepoint keeps what it may have to undo. It needs no disk: after a crash the whole
# transaction is undone, and that is what the write-ahead log is for.
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "temp_store=MEMORY",
    OVERWRITE,
)

_BUSY_PAUSE_S = (0.001, 0.015)

# Connections of a parent process: kept from the garbage collector, which would close them.
_abandoned: list[sqlite3.Connection] = []

_stores: weakref.WeakSet[SqliteStore] = weakref.WeakSet()


class SqliteStore(Store):
    """A ledger in one SQLite file, or in memory for tests.

    Safe to use from threads; a fork opens connections of its own. Raises
    `StoreBusy` after waiting *busy_s* seconds for other writers, `StoreFull` when
    the disk is full, `SchemaMismatch` for a file of a newer paygate, `CommitUnknown`
    if a COMMIT failed in a way that does not tell whether it took effect.
    """

    connection_class: ClassVar[type[sqlite3.Connection]] = sqlite3.Connection
    """What a connection is made of; a test has one that fails on purpose."""
    schema_files: ClassVar[SchemaFiles] = SQLITE
    """What its tables are made of; a test has one more file."""

    def __init__(self, path: str, *, busy_s: float = BUSY_S) -> None:
        self.path = path
        # SQLite opens a relative path from where the process is now, and so it stays.
        self._file = path if path == MEMORY else os.path.abspath(path)  # noqa: PTH100
        self._identity: tuple[int, int] | None = None
        self._busy_s = busy_s
        self._closed = False
        self._pid = os.getpid()
        self._turn = threading.RLock()
        self._write_connection: sqlite3.Connection | None = None
        self._readers: list[sqlite3.Connection] = []
        try:
            self._in_turn(self._open)
        except BaseException:
            self.close()
            raise

    # --- Writing ------------------------------------------------------------------------------

    def write(self, context: Context, work: Callable[[Tx], T]) -> T:
        """Do *work* in one transaction that is durable on return, or not at all."""
        said: list[logs.LogLine] = []

        def unit(connection: sqlite3.Connection) -> T:
            tx = Tx(Session(connection), context)
            result = work(tx)
            tx.finish()
            said.extend(tx.lines)
            return result

        try:
            done = self._in_turn(
                lambda connection: self._transact(connection, lambda: unit(connection))
            )
        except CommitUnknown as lost:
            _tell_lost(lost)
            raise
        logs.write_lines(said)
        return done

    def write_group(
        self, group: Sequence[tuple[Context, Callable[[Tx], Any]]]
    ) -> list[tuple[Any, BaseException | None]]:
        """
        Do several units of work in one transaction, each undone alone if it fails.

        The results come in order, each with the error that its unit raised. An
        error of the transaction itself is raised, and then nothing was done. If nobody
        knows whether it was, each unit gets a `CommitUnknown` with its own result.
        """
        said: list[logs.LogLine] = []

        def units(connection: sqlite3.Connection) -> list[tuple[Any, BaseException | None]]:
            return [self._unit(connection, context, work, said) for context, work in group]

        try:
            done = self._in_turn(
                lambda connection: self._transact(connection, lambda: units(connection))
            )
        except CommitUnknown as lost:
            _tell_lost(lost)
            return [(None, failure or lost.with_result(result)) for result, failure in lost.result]
        logs.write_lines(said)
        return done

    def _in_turn(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do *work* on the connection that writes, when it is the turn of this thread."""
        self._check_process()
        turn = self._turn
        if _has(turn):
            raise NotAllowedHere(
                "the ledger is being written by this thread; a signal handler cannot use it "
                "at once, let it set a flag and call later"
            )
        try:
            return self._take_turn(turn, work)
        finally:
            _end_turn(turn)
            forking.leave()

    def _take_turn(self, turn: threading.RLock, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            forking.leave()  # while we wait for the thread whose turn it is
            turn.acquire()
            forking.enter()
            return work(self._writer())
        finally:
            self._undo()
            _end_turn(turn)
            forking.leave()

    def _transact(self, connection: sqlite3.Connection, work: Callable[[], T]) -> T:
        self._undo()  # it is our turn: what is still open was left by an interrupted one
        try:
            self._begin(connection)
            self._check_file()
            result = work()
            _commit(connection, result)
        except BaseException as error:  # noqa: BLE001  (raised again, translated)
            self._undo()
            raise translated(error) from error.__cause__
        return result

    def _undo(self) -> None:
        """Leave no transaction open; after some errors, such as a full disk, SQLite has undone it.

        A connection that cannot even roll back is closed, which does it, too.
        """
        connection = self._write_connection
        if connection is None or not connection.in_transaction or not _has(self._turn):
            return
        try:
            connection.execute("ROLLBACK")
        except sqlite3.Error:
            self._write_connection = None
            connection.close()

    # --- Reading ------------------------------------------------------------------------------

    def read(self, context: Context, work: Callable[[Tx], T]) -> T:
        """Do *work*, which only reads, on one consistent state."""
        if self.path == MEMORY:
            return self._in_turn(lambda connection: work(Tx(Session(connection), context)))
        self._check_process()
        lent: list[sqlite3.Connection] = []
        try:
            forking.enter()
            self._check_file()
            return self._look(lent, context, work)
        except sqlite3.Error as error:
            raise translated(error, self.path) from error
        finally:
            forking.leave()
            _drop(lent)

    def _look(self, lent: list[sqlite3.Connection], context: Context, work: Callable[[Tx], T]) -> T:
        try:
            self._lend_reader(lent)
            connection = lent[0]
            connection.execute("BEGIN")
            try:
                result = work(Tx(Session(connection), context))
            except PaygateError:  # our own refusal: the connection is as good as before
                self._take_back(lent)
                raise
            self._take_back(lent)
        finally:
            # One on which anything else was raised is not used again: it may still be reading.
            _drop(lent)
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

    # --- Opening and closing ------------------------------------------------------------------

    def close(self) -> None:
        """Close the connections; a second call does nothing."""
        self._closed = True
        if self._pid != os.getpid():
            return
        turn = self._turn
        try:
            with turn:
                if self._write_connection is not None:
                    self._write_connection.close()
                    self._write_connection = None
        finally:
            _end_turn(turn)
            _drop(self._readers)

    def _check_process(self) -> None:
        if self._closed:
            raise NotAllowedHere("the ledger is closed; open a new cashier")
        if self._pid != os.getpid():
            if self.path == MEMORY:
                raise NotAllowedHere("a ledger in memory does not survive a fork; use a file")
            self._forget_parent()

    def _forget_parent(self) -> None:
        """Abandon the connections of the parent process, in a child that was just forked."""
        if self.path == MEMORY or self._pid == os.getpid():
            return
        _abandoned.extend(self._readers)
        if self._write_connection is not None:
            _abandoned.append(self._write_connection)
        self._write_connection, self._readers = None, []
        # The turn may be that of a thread which this process does not have.
        self._turn = threading.RLock()
        self._pid = os.getpid()

    def _writer(self) -> sqlite3.Connection:
        if self._write_connection is None:
            self._write_connection = self._connect()
        return self._write_connection

    def _connect(self) -> sqlite3.Connection:
        """Open the file, made for its owner alone if it is not there yet."""
        opened: list[sqlite3.Connection] = []
        try:
            if self._identity is not None:
                self._check_file()
            elif self._file != MEMORY:
                _make(self._file)
            opened.append(
                sqlite3.connect(
                    self._file,
                    timeout=0,
                    isolation_level=None,
                    check_same_thread=False,
                    cached_statements=512,
                    factory=self.connection_class,
                )
            )
            opened[0].row_factory = sqlite3.Row
            deadline = time.monotonic() + self._busy_s
            for pragma in _PRAGMAS:
                _patiently(opened[0], f"PRAGMA {pragma}", deadline)
            return opened.pop()
        except sqlite3.Error as error:
            raise translated(error, self.path) from error
        except UnicodeDecodeError as error:
            raise damaged(self.path, error) from None
        finally:
            _drop(opened)

    def _begin(self, connection: sqlite3.Connection) -> None:
        try:
            _patiently(connection, "BEGIN IMMEDIATE", time.monotonic() + self._busy_s)
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
        """Refuse to go on in a file that no longer has its name: nobody would find it again."""
        if self._identity is not None and self._identify() != self._identity:
            raise StoreError(
                f"{self.path} was deleted or replaced while it was open; nothing was written or "
                "sent. Put the file back (or its backup) and start this process again"
            )

    @staticmethod
    def _unit(
        connection: sqlite3.Connection,
        context: Context,
        work: Callable[[Tx], Any],
        said: list[logs.LogLine],
    ) -> tuple[Any, BaseException | None]:
        connection.execute("SAVEPOINT unit")
        tx = Tx(Session(connection), context)
        try:
            result = work(tx)
            tx.finish()
        except Exception as error:
            if not connection.in_transaction:
                raise  # a full disk rolled back everything, the other units too
            connection.execute("ROLLBACK TO unit")
            connection.execute("RELEASE unit")
            return None, translated(error)
        connection.execute("RELEASE unit")
        said.extend(tx.lines)
        return result, None

    def _open(self, connection: sqlite3.Connection) -> None:
        _stores.add(self)
        if self._file == MEMORY:  # nobody else has it, and Python 3.13 warns of what is open
            weakref.finalize(self, connection.close)
        self._migrate(connection)
        self._identity = self._identify()

    def _migrate(self, connection: sqlite3.Connection) -> None:
        try:
            if schema_of(connection) == self.schema_files.newest:
                return
            if self._file == MEMORY:
                blank().backup(connection)  # a copy is made faster than the tables are
                return
            self._begin(connection)
            # Another process may have been faster: look again now that we hold the lock.
            found = schema_of(connection)
            self._check_schema(found)
            bring_up(connection, found, self.schema_files)
            connection.execute("COMMIT")
        except UnicodeDecodeError as error:
            raise damaged(self.path, error) from None
        except sqlite3.Error as error:
            raise translated(error, self.path) from error

    def _check_schema(self, found: int) -> None:
        known = self.schema_files.newest
        if found > known:
            raise SchemaMismatch(
                f"{self.path} has schema {found}, this paygate knows {known}; upgrade paygate",
                found=found,
                known=known,
            )


def _patiently(connection: sqlite3.Connection, sql: str, deadline: float) -> None:
    """Execute *sql*, waiting in small random pauses while somebody else holds the lock."""
    while True:
        try:
            connection.execute(sql)
        except sqlite3.OperationalError as error:
            if primary_code(error) not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise
            if time.monotonic() > deadline:
                raise
            forking.leave()  # nobody who forks has to wait for a pause
            time.sleep(random.uniform(*_BUSY_PAUSE_S))  # noqa: S311  (no secret)
            forking.enter()
        else:
            return


def _commit(connection: sqlite3.Connection, result: object) -> None:
    """
    Make the transaction durable, or raise.

    After some errors it is known that nothing was written: the transaction is still
    open, or SQLite says why it undid it. After the others (the disk failed, a
    connection broke) it may be there or not, and only a look can tell.
    """
    try:
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        if connection.in_transaction or primary_code(error) in NOT_COMMITTED:
            raise
        raise CommitUnknown.of(str(error), result) from error


def _tell_lost(lost: CommitUnknown) -> None:
    logs.write(LOGGER, "ledger.commit_unknown", lost.message, logs.NOTHING)


def _has(turn: threading.RLock) -> bool:
    """Return whether it is this thread's turn, whatever interrupted it when it took it."""
    return bool(cast("Any", turn)._is_owned())  # noqa: SLF001  (a Condition asks it, too)


def _end_turn(turn: threading.RLock) -> None:
    while _has(turn):
        turn.release()


def _drop(connections: list[sqlite3.Connection]) -> None:
    """Close connections that nobody else has, with what is open on them."""
    while connections:
        connections.pop().close()


def _make(path: str) -> None:
    """Make the file, for its owner alone: it holds names and addresses. An old one stays as it is.

    SQLite gives the log beside it the same mode.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except OSError:
        return  # it is there, or SQLite says in its own words what is wrong


def _forget_parents() -> None:
    for store in list(_stores):
        store._forget_parent()  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001


forking.after_fork_call(_forget_parents)
