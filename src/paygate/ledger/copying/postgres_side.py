"""A ledger on PostgreSQL as the source or the target of a copy."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg.rows import tuple_row

from paygate.errors import StoreBusy
from paygate.ledger.copying.side import Side
from paygate.ledger.copying.statements import (
    BALANCES,
    COUNTERS,
    META_VALUES,
    TENANTS,
    condition,
    page,
)
from paygate.ledger.copying.tables import META, ROW_COUNT
from paygate.ledger.outbox import PLACE
from paygate.ledger.postgres import locks
from paygate.ledger.postgres.channel import Cursors
from paygate.ledger.postgres.errors import translated
from paygate.ledger.postgres.host import IDENTITY
from paygate.ledger.postgres.migrations import create_tables
from paygate.ledger.postgres.session import Session
from paygate.ledger.postgres.statements import compiled
from paygate.ledger.postgres.store import connect

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    from paygate.domain.secret import Sealed
    from paygate.ledger.copying.side import Balances, Key, Rows
    from paygate.ledger.copying.tables import Table

# A copy may take longer than the server lets a statement or a transaction take.
_SETTINGS: Final = b"""
SET LOCAL lock_timeout = %d;
SET LOCAL statement_timeout = 0;
SET LOCAL idle_in_transaction_session_timeout = 0
"""
_DURABLY: Final = b"""
SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit')
  WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true)
"""
_EXISTS: Final = f"SELECT to_regclass('{META}') IS NOT NULL"
# The column that only PostgreSQL has: the number of an event, besides its position.
_IDENTITIES: Final = """
SELECT column_name FROM information_schema.columns
WHERE table_name = %s AND is_identity = 'YES'
  AND table_schema = (SELECT relnamespace::regnamespace::text FROM pg_class
    WHERE oid = to_regclass(%s))
"""


class PostgresSide(Side):
    """A ledger in a database of a server."""

    def __init__(self, url: Sealed[str], busy_s: float) -> None:
        self._wait_ms = int(busy_s * 1000)
        self._connection, self._name = connect(url)
        self._identities: dict[str, str | None] = {}

    @property
    def name(self) -> str:
        """The server and the database, without a password."""
        return self._name

    def is_same(self, other: Side, /) -> bool:
        """Return whether both are the same tables of the same database."""
        if not isinstance(other, PostgresSide):
            return False
        mine, theirs = (side.identity() for side in (self, other))
        return mine == theirs and mine["ledger"] is not None

    def close(self) -> None:
        """Close the connection; an open transaction is rolled back."""
        self._connection.close()

    def identity(self) -> Mapping[str, Any]:
        """Return what identifies the server, the database and the tables."""
        with self._translating():
            found = self._connection.execute(IDENTITY, prepare=False).fetchone()
        assert found is not None, "a query of constants returns a row"
        return found

    # --- A transaction ------------------------------------------------------------------------

    def begin_alone(self) -> None:
        """Begin a transaction that holds the lock of the whole ledger."""
        settings = _SETTINGS % self._wait_ms
        with self._translating():
            self._connection.execute(
                b";".join((b"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE", settings)),
                prepare=False,
            )
            self._connection.execute(locks.ENTER_ALONE, prepare=False)

    def roll_back(self) -> None:
        """Roll back the open transaction, if there is one."""
        if not self._connection.closed:
            with self._translating():
                self._connection.execute(b"ROLLBACK", prepare=False)

    def commit(self) -> None:
        """Commit the open transaction durably."""
        with self._translating():
            self._connection.execute(_DURABLY, prepare=False)
            self._connection.execute(b"COMMIT", prepare=False)

    # --- Reading ------------------------------------------------------------------------------

    def meta(self) -> dict[str, str] | None:
        """Return the facts about the database; None if it has no ledger."""
        with self._translating():
            return dict(self._all(META_VALUES)) if self._all(_EXISTS)[0][0] else None

    def is_empty(self, table: Table) -> bool:
        """Return whether *table* has no row."""
        with self._translating():
            return not self._all(f"SELECT 1 FROM {table.name} LIMIT 1")

    def count(self, table: Table) -> int:
        """Return the number of rows of *table*."""
        with self._translating():
            return int(self._all(f"SELECT count(*) FROM {table.name}")[0][0])

    def rows(self, table: Table, after: Key | None, until: Key | None = None) -> Iterator[Rows]:
        """Yield the rows after and up to these keys, in the order of the key, in batches."""
        while True:
            where, values = condition(table, after, until, "%s")
            with self._translating():
                found = self._all(page(table, table.columns, where), values)
            if not found:
                return
            after = tuple(found[-1][place] for place in table.key_places)
            yield found

    def counters(self) -> dict[str, int]:
        """Return how many rows were ever written to each table whose rows are counted."""
        with self._translating():
            return dict(self._all(COUNTERS))

    def balances(self) -> Balances:
        """Return the balance of each ledger account."""
        with self._translating():
            return {(row[0], row[1], row[2]): row[3] for row in self._all(BALANCES)}

    def tenants(self) -> list[str]:
        """Return the tenants that have customers."""
        with self._translating():
            return [tenant for (tenant,) in self._all(TENANTS)]

    @property
    def session(self) -> Session:
        """What the rules of the ledger are checked on, inside the open transaction."""
        return Session(Cursors(self._connection))

    # --- Writing ------------------------------------------------------------------------------

    def place_events(self) -> None:
        """Assign positions to the events that have none, in the order of their insertion."""
        with self._translating():
            self._connection.execute(compiled(PLACE), prepare=False)

    def create(self) -> None:
        """Create the tables."""
        with self._translating():
            create_tables(self._connection, self._name)

    def wipe(self, tables: Sequence[Table]) -> None:
        """Truncate all tables at once, which no trigger refuses."""
        names = ", ".join([META, ROW_COUNT, *(table.name for table in tables)])
        with self._translating():
            self._connection.execute(f"TRUNCATE {names}".encode(), prepare=False)

    def set_meta(self, name: str, value: str | None) -> None:
        """Store a fact about the database, or delete it."""
        with self._translating():
            self._run(f"DELETE FROM {META} WHERE name = %s", [name])
            if value is not None:
                self._run(f"INSERT INTO {META} (name, value) VALUES (%s, %s)", [name, value])

    def guard(self, tables: Sequence[Table], *, on: bool) -> None:
        """Turn the triggers of *tables* on or off; only their owner may."""
        with self._translating():
            for table in tables:
                word = "ENABLE" if on else "DISABLE"
                self._run(f"ALTER TABLE {table.name} {word} TRIGGER USER")

    def insert(self, table: Table, rows: Rows) -> None:
        """Insert *rows*; an event is numbered by its position."""
        columns, place = [*table.columns], None
        with self._translating():
            identity = self._identity_column(table)
            if identity is not None and identity not in columns:
                columns.append(identity)
                [place] = table.key_places
            into = f"COPY {table.name} ({', '.join(columns)}) FROM STDIN".encode()
            with self._connection.cursor().copy(into) as copy:
                for row in rows:
                    copy.write_row(row if place is None else (*row, row[place]))

    def settle(self, tables: Sequence[Table], counters: Mapping[str, int]) -> None:
        """Make the counters and the next numbers agree with the rows that were copied."""
        with self._translating():
            self._run(f"DELETE FROM {ROW_COUNT}")
            for name, written in sorted(counters.items()):
                self._run(
                    f"INSERT INTO {ROW_COUNT} (name, shard, written) VALUES (%s, 0, %s)",
                    [name, written],
                )
            for table in tables:
                column = self._identity_column(table)
                if column is not None:
                    self._run(
                        f"SELECT setval(pg_get_serial_sequence('{table.name}', '{column}'), "
                        f"coalesce(max({column}), 1), max({column}) IS NOT NULL) FROM {table.name}"
                    )

    def _identity_column(self, table: Table) -> str | None:
        """Return the column of *table* that the database numbers."""
        if table.name not in self._identities:
            found = self._all(_IDENTITIES, [table.name, table.name])
            self._identities[table.name] = found[0][0] if found else None
        return self._identities[table.name]

    def _run(self, sql: str, values: Sequence[Any] = ()) -> None:
        self._connection.execute(sql.encode(), values, prepare=False)

    def _all(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        cursor = self._connection.cursor(row_factory=tuple_row)
        return cursor.execute(sql.encode(), values, prepare=False).fetchall()

    @contextmanager
    def _translating(self) -> Generator[None]:
        try:
            yield
        except psycopg.errors.LockNotAvailable:
            raise StoreBusy(
                f"{self._name}: another process has been writing for {self._wait_ms / 1000:g} "
                "seconds; stop every process that uses it, and run the copy again"
            ) from None
        except psycopg.Error as error:
            raise translated(error, self._name) from None
