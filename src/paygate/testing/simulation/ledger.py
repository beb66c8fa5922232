"""The ledger of a schedule: the production store in memory, with commits that go wrong.

A store starts as a page-by-page copy of an empty ledger. Its connection is reused for one
schedule after another, like that of a long-running process, so that its statements are
parsed only once: parsing them for each schedule took a quarter of the schedule's time.

Faults happen at the connection, below all of our code: a statement that is refused, a
commit that fails, a commit that succeeds but reports a failure, a process that dies
between two statements.
"""

from __future__ import annotations

import itertools
import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from typing_extensions import override

from paygate.ledger.sqlite import SqliteStore
from paygate.testing.simulation.blank import blank_ledger
from paygate.testing.simulation.faults import PlannedFault
from paygate.testing.simulation.footprints import writes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from paygate.ledger.tx import Context, Tx

T = TypeVar("T")

_numbers: Final = itertools.count()
_idle: Final[list[SimulatedStore]] = []


class PowerCut(BaseException):
    """The process died: nothing catches this, and no code of a flow runs after it."""


class Interrupted(BaseException):
    """A signal handler raised this in the middle of an operation; its process continues."""


class WatchedLedger(Protocol):
    """A ledger that a schedule plays on: a store whose commits go wrong when they should."""

    @property
    def writing(self) -> bool:
        """Whether a transaction is open."""
        ...

    @property
    def written(self) -> frozenset[str]:
        """The statements of the last transaction that wrote something, in SQLite's dialect."""
        ...

    @property
    def struck(self) -> bool:
        """Whether the armed fault has happened."""
        ...

    @property
    def committed(self) -> bool:
        """Whether the last transaction was committed, whatever it reported."""
        ...

    def arm(self, fault: PlannedFault | None, countdown: int) -> None:
        """Make *fault* happen in the next transaction, at its statement number *countdown*."""
        ...

    def disarm(self) -> None:
        """Let no fault happen any more."""
        ...

    def look(self, sql: str, **params: Any) -> Sequence[Any]:
        """Return the rows of a query, unaffected by faults; columns by name or in order."""
        ...

    def contents(self) -> bytes:
        """Return all that is stored, in which a secret would be found."""
        ...

    def write(self, context: Context, work: Callable[[Tx], T]) -> T:
        """Run *work* in one transaction."""
        ...

    def read(self, context: Context, work: Callable[[Tx], T]) -> T:
        """Run *work*, which only reads."""
        ...

    def give_back(self) -> None:
        """Keep the ledger for another schedule."""
        ...


class WatchedConnection(sqlite3.Connection):
    """A connection that records the statements, and at which a fault can be armed."""

    fault: PlannedFault | None = None
    countdown = 0
    struck = False
    committed = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.statements: list[str] = []

    @override
    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """Execute a statement, unless the armed fault is due."""
        self.statements.append(sql)
        if self.fault is not None:
            self._before(sql)
        cursor = super().execute(sql, parameters)
        if sql == "COMMIT":
            self.committed = True
            self._after_commit()
        if self.fault is PlannedFault.SIGNAL:
            self._interrupt()
        return cursor

    @override
    def executemany(self, sql: str, parameters: Any, /) -> sqlite3.Cursor:
        """Execute a statement for each of *parameters*, unless the armed fault is due."""
        self.statements.append(sql)
        if self.fault is not None:
            self._before(sql)
        return super().executemany(sql, parameters)

    def arm(self, fault: PlannedFault | None, countdown: int) -> None:
        """Make *fault* happen in the next transaction, at its statement number *countdown*."""
        self.fault, self.countdown = fault, countdown
        self.struck = self.committed = False
        self.statements.clear()

    def _before(self, sql: str) -> None:
        if sql == "ROLLBACK":
            return
        match self.fault:
            case PlannedFault.BUSY if sql == "BEGIN IMMEDIATE":
                self._strike(sqlite3.SQLITE_BUSY, "database is locked")
            case PlannedFault.COMMIT_FAILS if sql == "COMMIT":
                super().execute("ROLLBACK")
                self._strike(sqlite3.SQLITE_IOERR, "disk I/O error")
            case PlannedFault.DISK_FULL if self.countdown == 0 and writes(sql):
                # SQLite rolls back the whole transaction by itself, or only this statement.
                if len(self.statements) % 2:
                    super().execute("ROLLBACK")
                self._strike(sqlite3.SQLITE_FULL, "database or disk is full")
            case PlannedFault.CRASH if self.countdown == 0:
                self.fault, self.struck = None, True
                raise PowerCut
            case PlannedFault.SIGNAL:
                pass  # it happens after a statement, including the first and the last
            case _:
                self.countdown = max(0, self.countdown - 1)

    def _interrupt(self) -> None:
        if self.countdown == 0 or self.committed:
            self.fault, self.struck = None, True
            raise Interrupted
        self.countdown -= 1

    def _after_commit(self) -> None:
        if self.fault is PlannedFault.COMMIT_LIES:
            self._strike(sqlite3.SQLITE_IOERR, "disk I/O error")
        if self.fault is PlannedFault.CRASH_AFTER_COMMIT:
            self.fault, self.struck = None, True
            raise PowerCut

    def _strike(self, code: int, text: str) -> None:
        self.fault, self.struck = None, True
        error = sqlite3.OperationalError(text)
        error.sqlite_errorcode = code
        raise error


class SimulatedStore(SqliteStore):
    """The production store, with its file in memory and faults at its connection."""

    connection: WatchedConnection

    def __init__(self) -> None:
        self._place = f"file:/simulated-{next(_numbers)}?vfs=memdb"
        super().__init__(":memory:", busy_s=-1.0)

    @classmethod
    def fresh(cls) -> SimulatedStore:
        """Return the store of a finished schedule, emptied, or a new one."""
        while _idle:
            store = _idle.pop()
            if store.reopen():
                return store
        return cls()

    def give_back(self) -> None:
        """Keep the store for the next schedule, unless this one left a transaction open."""
        if self.writing:
            self.close()
            return
        self._closed = True
        self.connection.arm(None, 0)
        _idle.append(self)

    def reopen(self) -> bool:
        """Empty the store for another schedule; return False if it is a parent process's."""
        if self._pid != os.getpid():
            return False
        self._empty()
        self._closed = False
        return True

    def look(self, sql: str, **params: Any) -> Sequence[Any]:
        """Return the rows of a query, unaffected by faults."""
        return sqlite3.Connection.execute(self.connection, sql, params).fetchall()

    @property
    def writing(self) -> bool:
        """Whether a transaction is open."""
        return self.connection.in_transaction

    @property
    def written(self) -> frozenset[str]:
        """The statements of the last transaction that wrote something."""
        return frozenset(filter(writes, self.connection.statements))

    @property
    def struck(self) -> bool:
        """Whether the armed fault has happened."""
        return self.connection.struck

    @property
    def committed(self) -> bool:
        """Whether the last transaction was committed, whatever it reported."""
        return self.connection.committed

    def arm(self, fault: PlannedFault | None, countdown: int) -> None:
        """Make *fault* happen in the next transaction, at its statement number *countdown*."""
        self.connection.arm(fault, countdown)

    def disarm(self) -> None:
        """Let no fault happen any more."""
        self.connection.fault = None

    def contents(self) -> bytes:
        """Return all that is stored, in which a secret would be found."""
        return self.connection.serialize()

    @override
    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._place,
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=1024,
            factory=WatchedConnection,
        )
        assert isinstance(connection, WatchedConnection)
        connection.row_factory = sqlite3.Row
        self._empty()
        for pragma in ("foreign_keys=ON", "synchronous=OFF", "temp_store=MEMORY"):
            connection.execute(f"PRAGMA {pragma}")
        self.connection = connection
        return connection

    def _empty(self) -> None:
        """Overwrite the ledger with an empty one, from a second connection.

        SQLite counts a copy as a change of the schema, after which it would parse all
        statements again. The schema and its pages are the same, so it is given the same
        version number again.
        """
        blank = blank_ledger()
        [number] = blank.execute("PRAGMA schema_version").fetchone()
        with closing(sqlite3.connect(self._place, uri=True, isolation_level=None)) as second:
            second.execute("BEGIN EXCLUSIVE")  # or the copy waits endlessly for an open cursor
            second.execute("ROLLBACK")
            blank.backup(second)
            second.execute(f"PRAGMA schema_version={number}")
