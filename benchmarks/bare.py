"""The floor of collecting: a bare sqlite3 script that writes the same rows.

The rows are taken from real collects: all tables are read before T1, between T1 and T2 and after
T2, and the differences are written again, each row once per transaction, as a plain INSERT, UPDATE
or DELETE with positional parameters that are ready before the clock starts. The floor reads
nothing, checks nothing and builds nothing; file, schema, indexes, triggers and pragmas are the
same.
"""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from benchmarks import ledgers
from paygate import Cashier
from paygate.testing import FakeGateway

if TYPE_CHECKING:
    from pathlib import Path

    from paygate.dialogue import Request, Response

Statement: TypeAlias = tuple[str, tuple[Any, ...]]
Payment: TypeAlias = tuple[list[Statement], list[Statement]]
Image: TypeAlias = "dict[Table, dict[tuple[Any, ...], tuple[Any, ...]]]"


@dataclass(frozen=True, slots=True)
class Table:
    """A table and its written columns, with the positions of the primary key's."""

    name: str
    columns: tuple[str, ...]
    key: tuple[int, ...]

    @property
    def where(self) -> str:
        return " AND ".join(f"{self.columns[place]} = ?" for place in self.key)


def capture(made: Path) -> list[Payment]:
    """Collect every invoice of a copy of *made*, and return the writes of each payment."""
    path = ledgers.fresh(made, "captured.db")
    reader = sqlite3.connect(path, isolation_level=None)
    tables = tables_of(reader)
    between: list[Image] = []

    class Watched(FakeGateway):
        def answer(self, request: Request) -> Response:
            between.append(image_of(reader, tables))
            return super().answer(request)

    payments: list[Payment] = []
    before = image_of(reader, tables)
    with Cashier.open(f"sqlite:///{path}", gateways={"card": Watched()}) as cashier:
        for number in ledgers.NUMBERS:
            cashier.collect(number, via="card", method="tok_visa", key=f"checkout-{number}")
            after = image_of(reader, tables)
            [opened] = between
            payments.append((writes_between(before, opened), writes_between(opened, after)))
            before = after
            between.clear()
    reader.close()
    return payments


def run(made: Path, payments: list[Payment], cpu_us: list[float]) -> float:
    """Write *payments* into a copy of *made*, two transactions each; return payments per second."""
    connection = sqlite3.connect(ledgers.fresh(made, "bare.db"), isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    execute = connection.execute
    started, spent = time.perf_counter(), time.process_time()
    for opened, merged in payments:
        execute("BEGIN IMMEDIATE")
        for sql, params in opened:
            execute(sql, params)
        execute("COMMIT")
        execute("BEGIN IMMEDIATE")
        for sql, params in merged:
            execute(sql, params)
        execute("COMMIT")
    taken = time.perf_counter() - started
    cpu_us.append((time.process_time() - spent) / len(payments) * 1e6)
    connection.close()
    return len(payments) / taken


def tables_of(reader: sqlite3.Connection) -> list[Table]:
    """Return the tables, parents before those that refer to them."""
    names = reader.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY rowid")
    tables: list[Table] = []
    for (name,) in names.fetchall():
        # Generated columns are left out: they are not written.
        columns = reader.execute(f"PRAGMA table_info({name})").fetchall()
        key = tuple(place for place, column in enumerate(columns) if column[5])
        tables.append(Table(name, tuple(column[1] for column in columns), key))
    return tables


def image_of(reader: sqlite3.Connection, tables: list[Table]) -> Image:
    return {
        table: {
            tuple(row[place] for place in table.key): row
            for row in reader.execute(f"SELECT {', '.join(table.columns)} FROM {table.name}")
        }
        for table in tables
    }


def writes_between(before: Image, after: Image) -> list[Statement]:
    """Return the statements that turn *before* into *after*."""
    writes: list[Statement] = []
    for table, rows in after.items():
        old = before[table]
        columns, marks = ", ".join(table.columns), ", ".join("?" * len(table.columns))
        for key, row in rows.items():
            if key not in old:
                writes.append((f"INSERT INTO {table.name} ({columns}) VALUES ({marks})", row))
            elif row != old[key]:
                writes.append(_update(table, old[key], row, key))
        delete = f"DELETE FROM {table.name} WHERE {table.where}"
        writes += [(delete, key) for key in old.keys() - rows.keys()]
    return writes


def _update(
    table: Table, old: tuple[Any, ...], new: tuple[Any, ...], key: tuple[Any, ...]
) -> Statement:
    changed = [place for place in range(len(new)) if new[place] != old[place]]
    assignments = ", ".join(f"{table.columns[place]} = ?" for place in changed)
    values = tuple(new[place] for place in changed)
    return f"UPDATE {table.name} SET {assignments} WHERE {table.where}", (*values, *key)
