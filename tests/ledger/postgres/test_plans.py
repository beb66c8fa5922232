"""
No statement of the ledger reads or sorts a table that grows, as on SQLite.

Each is planned as a unit of work plans it, without knowing its parameters, in a ledger that the
server takes for one of a million rows in each table: its files have that size, with nothing in
them, and the statistics are those that ``ANALYZE`` would leave there.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import psycopg
import pytest

from paygate.ledger.postgres.session import SCANS_ALLOWED, SCANS_AVOIDED
from paygate.ledger.postgres.statements import compiled
from paygate.ledger.postgres.store import PostgresStore
from tests.ledger.postgres.test_statements import numbered
from tests.ledger.test_statements import COMMON, DO_NOT_GROW, STATEMENTS, distinct, is_excepted
from tests.support.postgres_server import Server

ROWS = 1_000_000
PAGE = 8192
PAGES = {"r": 20_000, "i": 4_000}

# What sorts or reads more than SQLite does for the same, and why.
EXCEPTIONS = {
    "autopay_runs._SUMS": "counts the payments of one run of automatic payment",
    "claims._PAGES_ON": "sorts the payments that claim one invoice",
    "outbox.PLACE": "reads the events without a position, and gives each of them one",
    "payments._OF_ITEM": "sorts the payments that claim one invoice",
    "payments._SAME_REFERENCE": "sorts the payments that a processor calls by one name",
    "reversals._WRITE_OFFS_OF_PAYMENT": "sorts the write-offs of one payment",
}

RELATIONS = """
SELECT c.oid, c.relname, c.relkind, pg_relation_filepath(c.oid) AS file,
  coalesce(t.relname, c.relname) AS owner
FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid
LEFT JOIN pg_class t ON t.oid = i.indrelid
WHERE c.relname LIKE 'paygate_%' AND c.relkind IN ('r', 'i')
"""
COLUMNS = """
SELECT attnum, attname, attnotnull FROM pg_attribute
WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped
"""
SLOTS = [f"{name}{slot}" for slot in range(1, 6) for name in ("stakind", "staop", "stacoll")]
STATISTICS = f"""
INSERT INTO pg_statistic (starelid, staattnum, stainherit, stanullfrac, stawidth, stadistinct,
  {", ".join(SLOTS)})
VALUES (%s, %s, FALSE, %s, 16, %s, {", ".join("0" for _ in SLOTS)})
"""  # noqa: S608  (names from above)


def enlarge(server: Server, database: str) -> None:
    """Make the tables of a ledger look large to the planner; nothing can be read from them."""
    with closing(server.connect(database)) as owner:
        owner.execute("CHECKPOINT")
        owner.execute("SET allow_system_table_mods = on")
        for oid, _, kind, file, table in owner.execute(RELATIONS).fetchall():
            rows, pages = (10, 1) if table in DO_NOT_GROW else (ROWS, PAGES[kind])
            owner.execute(
                "UPDATE pg_class SET reltuples = %s, relpages = %s WHERE oid = %s",
                (rows, pages, oid),
            )
            path = server.folder / "data" / file
            os.truncate(path, max(path.stat().st_size, pages * PAGE))
            if kind == "i":
                continue
            for number, column, filled in owner.execute(COLUMNS, (oid,)).fetchall():
                values = distinct(column, rows)
                about = (oid, number, 0 if filled else 0.5, values if values < rows else -1)
                owner.execute(STATISTICS.encode(), about)


class Planner:
    """Plans statements as a unit of work does, or as a check of the books."""

    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        self._connection = connection

    def plan(self, sql: str) -> Mapping[str, Any]:
        text = numbered(compiled(sql))
        self._connection.pgconn.prepare(b"planned", text)
        nothing = ", ".join("NULL" for _ in set(re.findall(rb"\$\d+", text)))
        given = f"({nothing})" if nothing else ""
        try:
            row = self._connection.execute(
                f"EXPLAIN (FORMAT JSON) EXECUTE planned{given}".encode()
            ).fetchone()
        finally:
            self._connection.execute("DEALLOCATE planned")
        assert row is not None
        [planned] = json.loads(row["QUERY PLAN"])
        assert "JIT" not in planned
        root: Mapping[str, Any] = planned["Plan"]
        return root


@pytest.fixture(scope="module")
def large(postgres: Server) -> Iterator[str]:
    """The URL of a ledger that looks large, for plans alone."""
    postgres.create("large")
    PostgresStore(postgres.url("large")).close()
    enlarge(postgres, "large")
    yield postgres.url("large")
    postgres.drop("large")


@pytest.fixture(scope="module")
def planner(large: str) -> Iterator[Planner]:
    with closing(PostgresStore(large)) as store, store._open_pool().connection() as connection:
        yield Planner(connection)


# Steps that pass on what they get row by row, so that a limit above them ends what is below.
PASSING = {
    *("Append", "Incremental Sort", "Limit", "LockRows", "Merge Append", "ModifyTable"),
    *("Nested Loop", "Result", "Subquery Scan", "Unique", "WindowAgg"),
}


def faults_in(
    step: Mapping[str, Any], table: str = "", *, limited: bool = False, of_one_row: bool = False
) -> Iterator[str]:
    """Yield the steps of a plan that cost the more, the larger the ledger is."""
    kind, table = step["Node Type"], step.get("Relation Name", table)
    parent, below = step.get("Parent Relationship"), step.get("Plans", ())
    of_one_row = of_one_row or parent in ("SubPlan", "InitPlan")
    large = table.startswith("paygate_") and table not in DO_NOT_GROW
    if kind == "Seq Scan" and large:
        yield f"scans {table}"
    elif kind in ("Index Scan", "Index Only Scan", "Bitmap Index Scan") and large:
        condition = step.get("Index Cond", "").replace('"', "")
        columns = set(re.findall(r"(\w+)\)?(?:::\w+)? (?:=|<|>|<=|>=|IS) ", condition))
        columns |= set(re.findall(r"\bROW\((\w+), ", condition))
        if columns <= COMMON and not limited:
            yield f"reads much of {table} by {step['Index Name']}: {condition}"
    elif kind == "Sort" and not of_one_row and any(map(reads_large, below)):
        yield f"sorts by {step['Sort Key']}"
    limited = kind == "Limit" or (limited and kind in PASSING)
    for each in below:
        yield from faults_in(each, table, limited=limited, of_one_row=of_one_row)


def reads_large(step: Mapping[str, Any]) -> bool:
    table = step.get("Relation Name", "")
    large = table.startswith("paygate_") and table not in DO_NOT_GROW
    return large or any(map(reads_large, step.get("Plans", ())))


def is_excepted_here(name: str) -> bool:
    return is_excepted(name) or any(name.startswith(each) for each in EXCEPTIONS)


def test_no_statement_reads_or_sorts_a_table_that_grows(planner: Planner) -> None:
    found = {
        name: faults
        for name, sql in STATEMENTS.items()
        if not is_excepted_here(name) and (faults := list(faults_in(planner.plan(sql))))
    }

    assert found == {}


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_an_exception_is_still_needed(planner: Planner, name: str) -> None:
    found = [planner.plan(sql) for each, sql in STATEMENTS.items() if each.startswith(name)]

    assert any(list(faults_in(each)) for each in found)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM paygate_payment",
        "SELECT * FROM paygate_payment WHERE tenant = :tenant ORDER BY amount_minor LIMIT 10",
        "SELECT count(*) FROM paygate_attempt WHERE tenant = :tenant AND account = :account",
        "SELECT * FROM paygate_outbox WHERE tenant = :tenant AND type = :type",
        "SELECT * FROM paygate_item i JOIN paygate_posting p ON p.item = i.id WHERE i.id = :id",
    ],
)
def test_a_statement_that_reads_or_sorts_too_much_is_seen(planner: Planner, sql: str) -> None:
    assert list(faults_in(planner.plan(sql))) != []


def test_a_check_of_the_books_may_scan_tables(large: str) -> None:
    with closing(PostgresStore(large)) as store, store._open_pool().connection() as connection:
        planner = Planner(connection)
        sql = "SELECT payment, sum(fee_minor) FROM paygate_receipt GROUP BY payment"
        with connection.transaction():
            connection.execute(b";".join(SCANS_ALLOWED))
            allowed = "Seq Scan" in str(planner.plan(sql))
            connection.execute(b";".join(SCANS_AVOIDED))
            avoided = "Seq Scan" not in str(planner.plan(sql))

        assert allowed
        assert avoided
