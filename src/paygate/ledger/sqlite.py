"""The ledger on SQLite: one writer at a time, durable when a call returns.

Write-ahead logging with ``synchronous=FULL``: what was committed survives the
loss of power. SQLite's own busy handler is unfair with several processes, so
waiting for the write lock is our own loop with a random pause. Reads have
connections of their own and never wait for a writer.

A forked child must not touch a connection of its parent, not even to close it,
so there the connections are abandoned and new ones opened.
"""

from __future__ import annotations

import os
import random
import sqlite3
import threading
import time
import weakref
from importlib import resources
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from paygate.errors import (
    InvalidValue,
    LedgerCorrupt,
    MissingExtra,
    NotAllowedHere,
    PaygateError,
    SchemaMismatch,
    StoreBusy,
    StoreError,
    StoreFull,
)
from paygate.ledger.tx import Tx

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from paygate.ledger.tx import Context, Row

T = TypeVar("T")

SCHEMA: Final = 1
"""The number of the newest schema file; a ledger of a higher number is refused."""

_MEMORY = ":memory:"
# What was deleted, or written over by something shorter, does not stay in free space of the file:
# facts about a person are erased, and tokens of methods.
_OVERWRITE = "secure_delete=ON"
# A savepoint keeps what it may have to undo. It needs no disk: after a crash the whole
# transaction is undone, and that is what the write-ahead log is for.
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "temp_store=MEMORY",
    _OVERWRITE,
)

_BUSY_PAUSE_S = (0.001, 0.015)

# Connections of a parent process: kept from the garbage collector, which would close them.
_abandoned: list[sqlite3.Connection] = []


class Store(Protocol):
    """Where the ledger is kept."""

    def write(self, context: Context, work: Callable[[Tx], T]) -> T:
        """Do *work* in one transaction that is durable on return, or not at all."""
        ...

    def read(self, context: Context, work: Callable[[Tx], T]) -> T:
        """Do *work*, which only reads, on one consistent state."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...


class _Session:
    """The statements of the ledger on one SQLite connection."""

    __slots__ = ("_execute", "_executemany")

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._execute = connection.execute
        self._executemany = connection.executemany

    def run(self, sql: str, params: Mapping[str, Any]) -> int:
        return self._execute(sql, params).rowcount

    def all(self, sql: str, params: Mapping[str, Any]) -> Sequence[Row]:
        return self._execute(sql, params).fetchall()

    def many(self, sql: str, params: Sequence[Mapping[str, Any]]) -> None:
        self._executemany(sql, params)


class SqliteStore:
    """A ledger in one SQLite file, or in memory for tests.

    Safe to use from threads; a fork opens connections of its own. Raises
    `StoreBusy` after waiting *busy_s* seconds for other writers, `StoreFull` when
    the disk is full, `SchemaMismatch` for a file of a newer paygate.
    """

    def __init__(self, path: str, *, busy_s: float = 30.0) -> None:
        self.path = path
        self._busy_s = busy_s
        self._closed = False
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._write_connection: sqlite3.Connection | None = None
        self._readers: list[sqlite3.Connection] = []
        try:
            with self._lock:
                connection = self._writer()
                if path == _MEMORY:  # nobody else has it, and Python 3.13 warns of what is open
                    weakref.finalize(self, connection.close)
                self._migrate(connection)
        except BaseException:
            self.close()
            raise

    @classmethod
    def at(cls, url: str, *, busy_s: float = 30.0) -> SqliteStore:
        """Open ``sqlite:///file.db`` (relative), ``sqlite:////abs/file.db`` or ``sqlite://``."""
        scheme, separator, rest = url.partition("://")
        if scheme in ("postgresql", "postgres"):
            raise MissingExtra(
                "the ledger on PostgreSQL is not part of this version; use sqlite:///payments.db",
                extra="postgres",
            )
        if scheme != "sqlite" or not separator or (rest and not rest.startswith("/")):
            raise InvalidValue(
                "a ledger is opened by a URL such as sqlite:///payments.db "
                "(three slashes: relative to here; four: from the root; two: in memory)"
            )
        return cls(rest[1:] or _MEMORY, busy_s=busy_s)

    def write(self, context: Context, work: Callable[[Tx], T]) -> T:
        """Do *work* in one transaction that is durable on return, or not at all."""
        self._check_process()
        with self._lock:
            connection = self._writer()
            self._begin(connection)
            try:
                result = work(Tx(_Session(connection), context))
                connection.execute("COMMIT")
            except BaseException as error:  # noqa: BLE001  (raised again, translated)
                _roll_back(connection)
                raise _translated(error) from error.__cause__
            return result

    def write_group(
        self, group: Sequence[tuple[Context, Callable[[Tx], Any]]]
    ) -> list[tuple[Any, BaseException | None]]:
        """
        Do several units of work in one transaction, each undone alone if it fails.

        The results come in order, each with the error that its unit raised. An
        error of the transaction itself is raised, and then nothing was done.
        """
        self._check_process()
        with self._lock:
            connection = self._writer()
            self._begin(connection)
            try:
                results = [self._unit(connection, context, work) for context, work in group]
                connection.execute("COMMIT")
            except BaseException as error:  # noqa: BLE001  (raised again, translated)
                _roll_back(connection)
                raise _translated(error) from error.__cause__
            return results

    def read(self, context: Context, work: Callable[[Tx], T]) -> T:
        """Do *work*, which only reads, on one consistent state."""
        self._check_process()
        if self.path == _MEMORY:
            with self._lock:
                return work(Tx(_Session(self._writer()), context))
        connection = self._take_reader()
        try:
            connection.execute("BEGIN")
            try:
                return work(Tx(_Session(connection), context))
            finally:
                _roll_back(connection)
        except sqlite3.Error as error:
            raise _translated(error) from error
        finally:
            self._readers.append(connection)

    def close(self) -> None:
        """Close the connections; a second call does nothing."""
        self._closed = True
        if self._pid != os.getpid():
            return
        with self._lock:
            if self._write_connection is not None:
                self._write_connection.close()
                self._write_connection = None
        while self._readers:
            self._readers.pop().close()

    def _check_process(self) -> None:
        if self._closed:
            raise NotAllowedHere("the ledger is closed; open a new cashier")
        if self._pid != os.getpid():
            if self.path == _MEMORY:
                raise NotAllowedHere("a ledger in memory does not survive a fork; use a file")
            _abandoned.extend(self._readers)
            if self._write_connection is not None:
                _abandoned.append(self._write_connection)
            # The lock may be held by a thread that this process does not have.
            self._pid, self._lock = os.getpid(), threading.RLock()
            self._write_connection, self._readers = None, []

    def _writer(self) -> sqlite3.Connection:
        if self._write_connection is None:
            self._write_connection = self._connect()
        return self._write_connection

    def _take_reader(self) -> sqlite3.Connection:
        try:
            return self._readers.pop()
        except IndexError:
            return self._connect()

    def _connect(self) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(
                self.path,
                timeout=0,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=256,
            )
            connection.row_factory = sqlite3.Row
            deadline = time.monotonic() + self._busy_s
            for pragma in _PRAGMAS:
                _patiently(connection, f"PRAGMA {pragma}", deadline)
        except sqlite3.Error as error:
            raise _translated(error, self.path) from error
        return connection

    def _begin(self, connection: sqlite3.Connection) -> None:
        try:
            _patiently(connection, "BEGIN IMMEDIATE", time.monotonic() + self._busy_s)
        except sqlite3.Error as error:
            raise _translated(error, self.path) from error

    @staticmethod
    def _unit(
        connection: sqlite3.Connection, context: Context, work: Callable[[Tx], Any]
    ) -> tuple[Any, BaseException | None]:
        connection.execute("SAVEPOINT unit")
        try:
            result = work(Tx(_Session(connection), context))
        except Exception as error:
            if not connection.in_transaction:
                raise  # a full disk rolled back everything, the other units too
            connection.execute("ROLLBACK TO unit")
            connection.execute("RELEASE unit")
            return None, _translated(error)
        connection.execute("RELEASE unit")
        return result, None

    def _migrate(self, connection: sqlite3.Connection) -> None:
        if _schema_of(connection) == SCHEMA:
            return
        self._begin(connection)
        try:
            # Another process may have been faster: look again now that we hold the lock.
            found = _schema_of(connection)
            self._check_schema(found)
            for number in range(found + 1, SCHEMA + 1):
                for statement in _statements_of(number):
                    connection.execute(statement)
                connection.execute(
                    "INSERT INTO paygate_meta (name, value) VALUES ('schema', :number) "
                    "ON CONFLICT (name) DO UPDATE SET value = :number",
                    {"number": str(number)},
                )
            connection.execute("COMMIT")
        except BaseException as error:  # noqa: BLE001  (raised again, translated)
            _roll_back(connection)
            raise _translated(error, self.path) from error.__cause__

    def _check_schema(self, found: int) -> None:
        if found > SCHEMA:
            raise SchemaMismatch(
                f"{self.path} has schema {found}, this paygate knows {SCHEMA}; upgrade paygate",
                found=found,
                known=SCHEMA,
            )


class HostStore:
    """The ledger inside a transaction that the host opened on its own connection.

    Every unit of work is a savepoint in it; the host commits or rolls back.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        if not connection.in_transaction:
            raise NotAllowedHere(
                "no transaction is open on this connection; execute BEGIN IMMEDIATE first"
            )
        if _schema_of(connection) != SCHEMA:
            raise SchemaMismatch(
                "this database has no ledger of this version; open it once with Cashier.open"
            )
        connection.execute(f"PRAGMA {_OVERWRITE}")

    def write(self, context: Context, work: Callable[[Tx], T]) -> T:
        """Do *work* in a savepoint of the host's transaction."""
        if not self._connection.in_transaction:
            raise NotAllowedHere("the host's transaction has ended; call within() again")
        self._connection.execute("SAVEPOINT paygate")
        try:
            result = work(Tx(_HostSession(self._connection), context))
        except BaseException as error:  # noqa: BLE001  (raised again, translated)
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK TO paygate")
                self._connection.execute("RELEASE paygate")
            raise _translated(error) from error.__cause__
        self._connection.execute("RELEASE paygate")
        return result

    def read(self, context: Context, work: Callable[[Tx], T]) -> T:
        """Do *work*, which only reads, inside the host's transaction."""
        return self.write(context, work)

    def close(self) -> None:
        """Do nothing: the connection is the host's."""


class _HostSession:
    """The statements of the ledger on the host's connection, whatever its row factory is."""

    __slots__ = ("_connection",)

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def _cursor(self) -> sqlite3.Cursor:
        cursor = self._connection.cursor()
        cursor.row_factory = sqlite3.Row
        return cursor

    def run(self, sql: str, params: Mapping[str, Any]) -> int:
        return self._cursor().execute(sql, params).rowcount

    def all(self, sql: str, params: Mapping[str, Any]) -> Sequence[Row]:
        return self._cursor().execute(sql, params).fetchall()

    def many(self, sql: str, params: Sequence[Mapping[str, Any]]) -> None:
        self._cursor().executemany(sql, params)


def _patiently(connection: sqlite3.Connection, sql: str, deadline: float) -> None:
    """Execute *sql*, waiting in small random pauses while somebody else holds the lock."""
    while True:
        try:
            connection.execute(sql)
        except sqlite3.OperationalError as error:
            if _primary_code(error) not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise
            if time.monotonic() > deadline:
                raise
            time.sleep(random.uniform(*_BUSY_PAUSE_S))  # noqa: S311  (no secret)
        else:
            return


def _roll_back(connection: sqlite3.Connection) -> None:
    # SQLite has rolled back by itself after some errors, a full disk among them.
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def _primary_code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _translated(error: BaseException, path: str = "the ledger") -> BaseException:
    """Say in our words what SQLite said; other errors pass as they are."""
    if not isinstance(error, sqlite3.Error) or isinstance(error, PaygateError):
        return error
    text = f"{path}: {error}"
    match _primary_code(error):
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreBusy(f"{text}; other writers held it too long, try again")
        case sqlite3.SQLITE_FULL:
            return StoreFull(f"{text}; nothing of this step was written, make room and go on")
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return LedgerCorrupt(f"{text}; restore it from a backup")
        case sqlite3.SQLITE_CONSTRAINT:
            return LedgerCorrupt(f"{text}; a rule of the books refused this, nothing was written")
        case _:
            return StoreError(text)


def _schema_of(connection: sqlite3.Connection) -> int:
    cursor = connection.cursor()
    cursor.row_factory = None
    try:
        cursor.execute("SELECT value FROM paygate_meta WHERE name = 'schema'")
    except sqlite3.OperationalError as error:
        if _primary_code(error) == sqlite3.SQLITE_ERROR:  # no such table
            return 0
        raise
    row = cursor.fetchone()
    return 0 if row is None else int(row[0])


def _statements_of(number: int) -> list[str]:
    """Read the statements of schema file *number*; a trigger has semicolons inside."""
    folder = resources.files("paygate.ledger") / "schema"
    [name] = [file.name for file in folder.iterdir() if file.name.startswith(f"{number:04}_")]
    statements: list[str] = []
    lines: list[str] = []
    for line in (folder / name).read_text("utf-8").splitlines():
        lines.append(line)
        if sqlite3.complete_statement("\n".join(lines)):
            statements.append("\n".join(lines))
            lines = []
    return statements
