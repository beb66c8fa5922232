"""A ledger on PostgreSQL for the schedules of the simulator, with commits that go wrong.

The schedules and what must hold after them are those of SQLite. The faults happen where those of
SQLite do: before a statement, after one, and at COMMIT. A commit that reports a failure although
it was done is a connection that is lost during COMMIT.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import psycopg
from typing_extensions import override

from paygate.domain.secret import Sealed
from paygate.errors import StoreBusy
from paygate.ledger.postgres.channel import Record, Statements
from paygate.ledger.postgres.session import LedgerConnection, Session
from paygate.ledger.postgres.statements import compiled
from paygate.ledger.postgres.store import PostgresStore, connect
from paygate.ledger.roots import Root
from paygate.ledger.tx import Row
from paygate.testing.simulation.faults import PlannedFault
from paygate.testing.simulation.footprints import writes
from paygate.testing.simulation.ledger import Interrupted, PowerCut
from tests.stores import Databases

_TABLES = """
SELECT relname FROM pg_class WHERE relname LIKE 'paygate_%' AND relkind = 'r' ORDER BY relname
"""
_OPEN = """
SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
AND state LIKE 'idle in transaction%'
"""


class Plan:
    """The fault that is armed, and what the last transaction did."""

    def __init__(self) -> None:
        self.statements: list[str] = []
        self.fault: PlannedFault | None = None
        self.countdown = 0
        self.struck = self.committed = False

    def arm(self, fault: PlannedFault | None, countdown: int) -> None:
        self.fault, self.countdown = fault, countdown
        self.struck = self.committed = False
        self.statements.clear()

    def take(self, *faults: PlannedFault) -> bool:
        """Let the armed fault happen, if it is one of these."""
        if self.fault not in faults:
            return False
        self.fault, self.struck = None, True
        return True

    def before(self, sql: str) -> None:
        self.statements.append(sql)
        if self.fault not in (PlannedFault.CRASH, PlannedFault.DISK_FULL):
            return
        if self.countdown:
            self.countdown -= 1
        elif self.fault is PlannedFault.CRASH:
            self.take(PlannedFault.CRASH)
            raise PowerCut
        elif writes(sql):
            self.take(PlannedFault.DISK_FULL)
            raise psycopg.errors.DiskFull("could not extend file: No space left on device")

    def after(self) -> None:
        if self.fault is not PlannedFault.SIGNAL:
            return
        if self.countdown == 0 or self.committed:
            self.take(PlannedFault.SIGNAL)
            raise Interrupted
        self.countdown -= 1


class SimulatedConnection(LedgerConnection):
    """A connection whose commits go wrong."""

    plan: ClassVar[Plan]

    @override
    def begin_unit(self, first: Sequence[bytes]) -> None:
        if b"READ WRITE" in first[0] and self.plan.take(PlannedFault.BUSY):
            raise StoreBusy("the ledger: another transaction held the lock too long; try again")
        super().begin_unit(first)

    @override
    def end_unit(self, last: bytes) -> str:
        if last != b"COMMIT":
            return super().end_unit(last)
        if self.plan.take(PlannedFault.COMMIT_FAILS):
            super().end_unit(b"ROLLBACK")
            raise psycopg.errors.IoError("could not fsync file: Input/output error")
        done = super().end_unit(last)
        self.plan.committed = done == "COMMIT"
        if self.plan.take(PlannedFault.COMMIT_LIES):
            self.close()
            raise psycopg.OperationalError("the connection is lost")
        if self.plan.take(PlannedFault.CRASH_AFTER_COMMIT):
            raise PowerCut
        self.plan.after()
        return done


class SimulatedSession(Session):
    """A session that records the statements, and at which a fault can happen."""

    plan: ClassVar[Plan]

    def __init__(self, on: Statements, held: frozenset[Root] = frozenset()) -> None:
        super().__init__(on, held)
        self.plan.after()

    @override
    def _enter(self, sql: str) -> bytes:
        text = super()._enter(sql)
        self.plan.before(sql)
        return text

    @override
    def execute(self, sql: str, params: Mapping[str, Any]) -> None:
        super().execute(sql, params)
        self.plan.after()

    @override
    def run(self, sql: str, params: Mapping[str, Any]) -> int:
        changed = super().run(sql, params)
        self.plan.after()
        return changed

    @override
    def all(self, sql: str, params: Mapping[str, Any]) -> Sequence[Row]:
        rows = super().all(sql, params)
        self.plan.after()
        return rows

    @override
    def many(self, sql: str, params: Sequence[Mapping[str, Any]]) -> None:
        super().many(sql, params)
        self.plan.after()

    @override
    def forgotten(self, sql: str) -> None:
        raise AssertionError(f"a unit wrote without its root: {sql}")


class SimulatedPostgres(PostgresStore):
    """The production store on a server, for one schedule after another."""

    session_class = SimulatedSession
    connection_class = SimulatedConnection

    def __init__(self, databases: Databases, file: str = "schedule") -> None:
        self._databases, self._file = databases, file
        self.plan = SimulatedConnection.plan = SimulatedSession.plan = Plan()
        super().__init__(databases.url(file), connections_max=1)
        self._looks, _ = connect(Sealed(databases.url(file)))
        self._tables = [str(row["relname"]) for row in self._looks.execute(_TABLES)]
        self._set_mode()

    def fresh(self) -> SimulatedPostgres:
        """Return this ledger, emptied."""
        self.plan.arm(None, 0)
        self._looks.execute(self._databases.emptying)
        self._set_mode()
        return self

    def _set_mode(self) -> None:
        self._looks.execute("INSERT INTO paygate_meta (name, value) VALUES ('mode', 'test')")

    def give_back(self) -> None:
        self.plan.arm(None, 0)

    @override
    def close(self) -> None:
        self._looks.close()
        super().close()

    # --- What a schedule asks -----------------------------------------------------------------

    @property
    def writing(self) -> bool:
        """Whether a transaction is open."""
        return bool(self.look(_OPEN))

    @property
    def written(self) -> frozenset[str]:
        return frozenset(filter(writes, self.plan.statements))

    @property
    def struck(self) -> bool:
        return self.plan.struck

    @property
    def committed(self) -> bool:
        return self.plan.committed

    def arm(self, fault: PlannedFault | None, countdown: int) -> None:
        self.plan.arm(fault, countdown)

    def disarm(self) -> None:
        self.plan.fault = None

    def look(self, sql: str, **params: Any) -> Sequence[Any]:
        # Its parameters become literals, so that the server knows their types.
        cursor = psycopg.ClientCursor(self._looks, row_factory=_record_row)
        return cursor.execute(compiled(sql), params).fetchall()

    def contents(self) -> bytes:
        found = list[bytes]()
        for table in self._tables:
            with self._looks.cursor().copy(f"COPY {table} TO STDOUT".encode()) as copy:
                found += [bytes(part) for part in copy]
        return b"".join(found)


def _record_row(cursor: psycopg.Cursor[Any]) -> Callable[[Sequence[Any]], Record]:
    indexes = {column.name: place for place, column in enumerate(cursor.description or ())}
    return lambda values: Record(indexes, values)
