"""A ledger on SQLite as the source or the target of a copy."""

from __future__ import annotations

import json
import sqlite3
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from paygate.errors import InvalidValue
from paygate.ledger import forking
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
from paygate.ledger.migrations import upgrade
from paygate.ledger.row_rules import GAPS
from paygate.ledger.sqlite import begin_immediate, connect, create
from paygate.ledger.sqlite_errors import damaged, primary_code, translated
from paygate.ledger.sqlite_session import Session

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    from paygate.ledger.copying.side import Balances, Key, Rows
    from paygate.ledger.copying.tables import Table

_TABLES: Final = """
SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'paygate~_%' ESCAPE '~'
"""


class SqliteSide(Side):
    """A ledger in a file. A *target* is created if it does not exist."""

    def __init__(self, path: str, busy_s: float, *, target: bool) -> None:
        self._path, self._busy_s = path, busy_s
        if target:
            create(path)
        elif not Path(path).exists():
            raise InvalidValue(f"source: there is no ledger {path}", argument="source")
        with self._translating():
            self._connection = connect(path, busy_s)
            # Tables are copied in order; whether every reference exists is checked at the end.
            self._connection.execute("PRAGMA foreign_keys=OFF")

    @property
    def name(self) -> str:
        """The path as it was given."""
        return self._path

    def is_same(self, other: Side, /) -> bool:
        """Return whether both are the same file."""
        return isinstance(other, SqliteSide) and Path(self._path).samefile(other.name)

    def close(self) -> None:
        """Close the connection; an open transaction is rolled back."""
        self._connection.close()
        forking.leave()

    # --- A transaction ------------------------------------------------------------------------

    def begin_alone(self) -> None:
        """Begin a transaction that writes; there is only one at a time."""
        with self._translating():
            begin_immediate(self._connection, self._busy_s)

    def roll_back(self) -> None:
        """Roll back the open transaction, if there is one."""
        if self._connection.in_transaction:
            with self._translating():
                self._connection.execute("ROLLBACK")

    def commit(self) -> None:
        """Commit the open transaction durably."""
        with self._translating():
            self._connection.execute("COMMIT")

    # --- Reading ------------------------------------------------------------------------------

    def meta(self) -> dict[str, str] | None:
        """Return the facts about the database; None if it has no ledger."""
        with self._translating():
            try:
                return dict(self._all(META_VALUES))
            except sqlite3.OperationalError as error:
                if primary_code(error) == sqlite3.SQLITE_ERROR:  # the table does not exist
                    return None
                raise

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
            where, values = condition(table, after, until, "?")
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
        return Session(self._connection)

    # --- Writing ------------------------------------------------------------------------------

    def place_events(self) -> None:
        """Do nothing: an event has its position when it is stored."""

    def create(self) -> None:
        """Create the tables."""
        with self._translating():
            upgrade(self._connection, 0)

    def wipe(self, tables: Sequence[Table]) -> None:
        """Create all tables again, because triggers refuse to delete rows."""
        del tables
        with self._translating():
            for (name,) in self._all(_TABLES):
                self._connection.execute(f"DROP TABLE {name}")
            upgrade(self._connection, 0)

    def set_meta(self, name: str, value: str | None) -> None:
        """Store a fact about the database, or delete it."""
        with self._translating():
            self._connection.execute(f"DELETE FROM {META} WHERE name = ?", (name,))
            if value is not None:
                self._connection.execute(f"INSERT INTO {META} VALUES (?, ?)", (name, value))

    def guard(self, tables: Sequence[Table], *, on: bool) -> None:
        """Do nothing: triggers cost little here."""

    def insert(self, table: Table, rows: Rows) -> None:
        """Insert *rows*."""
        marks = ", ".join("?" * len(table.columns))
        columns = ", ".join(table.columns)
        with self._translating():
            self._connection.executemany(
                f"INSERT INTO {table.name} ({columns}) VALUES ({marks})",
                rows,
            )

    def settle(self, tables: Sequence[Table], counters: Mapping[str, int]) -> None:
        """Make the counters and the gaps of numbers agree with the rows that were copied."""
        with self._translating():
            self._connection.execute(f"DELETE FROM {ROW_COUNT}")
            self._connection.executemany(
                f"INSERT INTO {ROW_COUNT} (name, written) VALUES (?, ?)",
                sorted(counters.items()),
            )
            gaps = {table.name: self._gaps(table) for table in tables if table.numbered}
        if any(gaps.values()):
            self.set_meta(GAPS, json.dumps(gaps))

    def _gaps(self, table: Table) -> int:
        """Return how many numbers are missing; a rollback leaves such a gap in PostgreSQL."""
        sql = f"SELECT coalesce(max({table.key[0]}), 0) - count(*) FROM {table.name}"
        return int(self._all(sql)[0][0])

    def _all(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        cursor = self._connection.cursor()
        cursor.row_factory = None
        return cursor.execute(sql, values).fetchall()

    @contextmanager
    def _translating(self) -> Generator[None]:
        try:
            yield
        except UnicodeDecodeError as error:
            raise damaged(self._path, error) from None
        except sqlite3.Error as error:
            raise translated(error, self._path) from error
