"""Pages of what is due in a ledger of a million open invoices, on both stores.

The floor is one bare cursor over the same rows in the same order. Both sides read a tenth of the
invoices; ours in pages of a thousand, by `Cashier.open_invoices`. ``PAYGATE_BENCH_INVOICES`` is the
size of the ledger.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psycopg

from benchmarks.rounds import Measured, Target, take_turns
from paygate import Cashier, Money

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.support.postgres_server import Server

INVOICES: Final = int(os.environ.get("PAYGATE_BENCH_INVOICES", "1000000"))
DUE: Final = INVOICES // 10
PAGE: Final = 1_000
TODAY: Final = "2026-12-01"
"""The first due date after that of what is due."""

_DUE: Final = f"""
SELECT i.* FROM paygate_item i
WHERE i.tenant = 'main' AND i.kind = 'invoice' AND i.status = 'open'
AND i.total_minor - i.allocated_minor - i.written_off_minor > 0
AND i.due < '{TODAY}' ORDER BY i.due, i.id
"""  # noqa: S608  (of our own constant)


def measure(server: Server, rounds: int) -> list[Measured]:
    """Measure pages on PostgreSQL, and on SQLite in a file next to the server's."""
    server.create("paged")
    path = server.folder / "paged.db"
    results: list[Measured] = []
    for name, url, floor in (
        ("SQLite", f"sqlite:///{path}", partial(_bare_sqlite, path)),
        ("PostgreSQL", server.url("paged"), partial(_bare_postgres, server.url("paged"))),
    ):
        with Cashier.open(url, gateways={}) as cashier:
            cashier.issue(number="A", customer="C", total=Money("USD", 3000), due=TODAY)
            if name == "SQLite":
                _fill_sqlite(path)
            else:
                _fill_postgres(server, "paged")
            grown: list[float] = []
            ours, least = take_turns(rounds, partial(_paged, cashier, grown), floor)
        results.append(
            Measured(
                name=f"paging, {name}",
                floor_name="one bare cursor",
                unit="µs per invoice",
                ours=ours,
                floor=least,
                target=Target(bound=2.5, at_least=False),
                notes={"memory that the last pages took, MB": max(grown)},
            )
        )
    path.unlink()
    server.drop("paged")
    return results


def _paged(cashier: Cashier, grown: list[float]) -> float:
    started, seen, after = time.perf_counter(), 0, ""
    early = 0.0
    while True:
        page = cashier.open_invoices(due_until=TODAY, limit=PAGE, after=after)
        seen += len(page)
        if len(page) < PAGE:
            break
        after = page[-1].id
        early = early or (_resident_mb() if seen >= DUE // 10 else 0.0)
    taken = time.perf_counter() - started
    assert seen == DUE, seen
    grown.append(_resident_mb() - early)
    return taken / seen * 1e6


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * 4096 / 2**20


def _us(rows: Iterable[Any]) -> float:
    started = time.perf_counter()
    seen = sum(1 for _ in rows)
    assert seen == DUE, seen
    return (time.perf_counter() - started) / seen * 1e6


def _bare_sqlite(path: Path) -> float:
    with closing(sqlite3.connect(path)) as connection:
        return _us(connection.execute(_DUE))


def _bare_postgres(url: str) -> float:
    with psycopg.connect(url) as connection, connection.cursor("due") as cursor:
        cursor.itersize = PAGE
        started = time.perf_counter()
        seen = sum(1 for _ in cursor.execute(_DUE))
        assert seen == DUE, seen
        return (time.perf_counter() - started) / seen * 1e6


_EARLY: Final = "CASE WHEN n % 10 = 0 THEN '2026-11-' ELSE '2026-12-' END"


def _copied(columns: Iterable[str], number: Callable[[str], str]) -> str:
    """Return the select list that makes copy *n* of a row."""
    changed = {
        "id": f"i.id || {number('n')}",
        "number": "'N-' || n",
        "customer": "'C-' || n % 1000",
        "due": f"{_EARLY} || substr(CAST(110 + n / 10 % 19 AS text), 2)",
    }
    return ", ".join(changed.get(column, f"i.{column}") for column in columns)


def _fill_sqlite(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("PRAGMA table_xinfo(paygate_item)").fetchall()
        columns = [str(column[1]) for column in found if column[6] == 0]
        copied = _copied(columns, lambda number: f"printf('%07d', {number})")
        connection.execute(
            f"""
            WITH RECURSIVE numbers(n) AS (
              SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {INVOICES})
            INSERT INTO paygate_item ({", ".join(columns)})
            SELECT {copied} FROM numbers CROSS JOIN paygate_item i WHERE i.number = 'A'
            """  # noqa: S608
        )
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _fill_postgres(server: Server, database: str) -> None:
    with closing(server.connect(database)) as connection:
        columns = [
            str(name)
            for (name,) in connection.execute(
                "SELECT attname FROM pg_attribute WHERE attrelid = 'paygate_item'::regclass "
                "AND attnum > 0 AND NOT attisdropped AND attgenerated = ''"
            )
        ]
        copied = _copied(columns, lambda number: f"lpad(CAST({number} AS text), 7, '0')")
        # A trigger counts the rows. In a single transaction it would leave a million versions of
        # the same counter behind, and each insert would walk through all of them.
        for first in range(1, INVOICES + 1, PAGE):
            last = min(first + PAGE - 1, INVOICES)
            connection.execute(
                f"""
                INSERT INTO paygate_item ({", ".join(columns)})
                SELECT {copied} FROM generate_series({first}, {last}) AS n
                CROSS JOIN paygate_item i WHERE i.number = 'A'
                """.encode()  # noqa: S608
            )
        connection.execute("VACUUM ANALYZE paygate_item")
