"""The ledger of a schedule: the production store in memory, with commits that go wrong.

A store starts as a copy of an empty ledger, which takes microseconds. Faults
strike at the connection, below everything of ours: a statement that is refused,
a commit that fails, one that is done and says that it failed, a process that is
gone between two statements.
"""

from __future__ import annotations

import re
import sqlite3
from functools import cache
from typing import TYPE_CHECKING, Any

from paygate.ledger.sqlite import SqliteStore
from paygate.testing.simulation.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Sequence

_WRITES = re.compile(r"\s*(?:INSERT INTO|UPDATE|DELETE FROM)\s+paygate_(\w+)")


class PowerCut(BaseException):
    """The process is gone: nothing catches this, and no code of a flow runs after it."""


class Connection(sqlite3.Connection):
    """A connection that notes what was written, and at which a fault can be armed."""

    fault: Fault | None = None
    countdown = 0
    struck = False
    committed = False
    counting = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.statements: list[str] = []

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """Execute a statement, unless the armed fault is due."""
        self.statements.append(sql)
        if self.fault is not None:
            self._before(sql)
        cursor = super().execute(sql, parameters)
        if sql == "COMMIT":
            self.committed = True
            self._after_commit()
        return cursor

    def executemany(self, sql: str, parameters: Any, /) -> sqlite3.Cursor:
        """Execute a statement for each of *parameters*, unless the armed fault is due."""
        self.statements.append(sql)
        if self.fault is not None:
            self._before(sql)
        return super().executemany(sql, parameters)

    def arm(self, fault: Fault | None, countdown: int) -> None:
        """Let *fault* strike in the next transaction, at its statement number *countdown*."""
        self.fault, self.countdown = fault, countdown
        self.struck = self.committed = False
        self.statements.clear()

    def _before(self, sql: str) -> None:
        if sql == "ROLLBACK":
            return
        match self.fault:
            case Fault.BUSY if sql == "BEGIN IMMEDIATE":
                self._strike(sqlite3.SQLITE_BUSY, "database is locked")
            case Fault.COMMIT_FAILS if sql == "COMMIT":
                super().execute("ROLLBACK")
                self._strike(sqlite3.SQLITE_IOERR, "disk I/O error")
            case Fault.DISK_FULL if self.countdown == 0 and _WRITES.match(sql):
                # SQLite undoes the whole transaction by itself, or only this statement.
                if len(self.statements) % 2:
                    super().execute("ROLLBACK")
                self._strike(sqlite3.SQLITE_FULL, "database or disk is full")
            case Fault.CRASH if self.countdown == 0:
                self.fault, self.struck = None, True
                raise PowerCut
            case _:
                self.countdown = max(0, self.countdown - 1)

    def _after_commit(self) -> None:
        if self.fault is Fault.COMMIT_LIES:
            self._strike(sqlite3.SQLITE_IOERR, "disk I/O error")
        if self.fault is Fault.CRASH_AFTER_COMMIT:
            self.fault, self.struck = None, True
            raise PowerCut

    def _strike(self, code: int, text: str) -> None:
        self.fault, self.struck = None, True
        error = sqlite3.OperationalError(text)
        error.sqlite_errorcode = code
        raise error


class SimulatedStore(SqliteStore):
    """The production store, with its file in memory and faults at its connection."""

    connection: Connection

    def __init__(self) -> None:
        super().__init__(":memory:", busy_s=-1.0)

    def look(self, sql: str, **params: Any) -> Sequence[Any]:
        """Read what is committed, past all faults."""
        return sqlite3.Connection.execute(self.connection, sql, params).fetchall()

    @property
    def writing(self) -> bool:
        """Tell whether a transaction is open."""
        return self.connection.in_transaction

    @property
    def touched(self) -> set[str]:
        """Tell which tables the last transaction wrote to."""
        return {table for sql in self.connection.statements if (table := _written(sql))}

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            ":memory:",
            isolation_level=None,
            check_same_thread=False,
            cached_statements=512,
            factory=Connection,
        )
        assert isinstance(connection, Connection)
        connection.deserialize(_empty_ledger())
        connection.row_factory = sqlite3.Row
        for pragma in ("foreign_keys=ON", "synchronous=OFF", "temp_store=MEMORY"):
            connection.execute(f"PRAGMA {pragma}")
        self.connection = connection
        return connection


@cache
def _written(sql: str) -> str:
    found = _WRITES.match(sql)
    return found.group(1) if found else ""


class _Template(SqliteStore):
    def copy(self) -> bytes:
        return self._writer().serialize()


@cache
def _empty_ledger() -> bytes:
    template = _Template(":memory:")
    try:
        return template.copy()
    finally:
        template.close()
