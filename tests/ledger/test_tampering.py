"""Every column of every table is tampered with, one row at a time, and the check notices it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from paygate.ledger.unnoticed import UNNOTICED
from tests.ledger import rich
from tests.ledger.tampering import Tampered, tamper_with_everything

ALWAYS_NULL = {
    "paygate_account.rejected_at": "these processors take our credentials",
    "paygate_account.rejected_since": "these processors take our credentials",
    "paygate_attempt.created_mark": "a reading of the machine's clock; a test has its own",
    "paygate_attempt.sent_mark": "a reading of the machine's clock; a test has its own",
    "paygate_attempt.verified": "these processors tell no checks of a card",
    "paygate_feed.alerted_at": "the feeds of these processors can be read",
    "paygate_feed.failing_since": "the feeds of these processors can be read",
    "paygate_feed.lease_until": "nobody reads a feed just now",
    "paygate_inbox.reply": "these processors want no answer in the reply",
    "paygate_autopay_run.lease_until": "nobody works on a run just now",
    "paygate_autopay_run.wait_until": "nobody works on a run just now",
    "paygate_overdue_run.lease_until": "nobody works on a sweep just now",
    "paygate_overdue_run.next_at": "the day has begun for all customers with something to do",
    "paygate_overdue_run.wait_until": "nobody works on a sweep just now",
    "paygate_address_count.told_limit": "no wallet here has come near its limit",
    "paygate_address_count.told_reached": "no wallet here has come near its limit",
    "paygate_sink.forgotten_at": "no sink was removed",
    "paygate_sink.lease_until": "nobody reads for a sink just now",
    "paygate_write_off.payment": "nothing writes it yet",
}
"""The columns that say nothing in any row of the ledger that is tampered with, and why."""

EMPTY = {
    "paygate_report_line",
    "paygate_refused_callback",
    "paygate_job",
    "paygate_delivery_try",
}
"""The tables to which nothing is written yet, or nothing about money: none of it is checked."""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rich") / "ledger.db"
    rich.fill(path)
    return path


@pytest.fixture(scope="module")
def tampered(path: Path) -> dict[str, Tampered]:
    return {each.column: each for each in tamper_with_everything(str(path))}


def test_the_ledger_has_rows_in_every_table_and_something_in_every_column(path: Path) -> None:
    empty, silent = set[str](), set[str]()
    with closing(sqlite3.connect(path)) as ledger:
        sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'paygate_%'"
        for (table,) in ledger.execute(sql).fetchall():
            columns = [row[1] for row in ledger.execute(f"PRAGMA table_info({table})")]
            counts = ", ".join(f"count({name})" for name in columns)
            sql = f"SELECT count(*), {counts} FROM {table}"  # noqa: S608  (names of the schema)
            total, *filled = ledger.execute(sql).fetchone()
            if not total:
                empty.add(table)
                continue
            silent |= {
                f"{table}.{name}" for name, count in zip(columns, filled, strict=True) if not count
            }

    assert empty == EMPTY
    assert silent == ALWAYS_NULL.keys()


def test_what_is_changed_is_noticed_unless_there_is_a_reason(
    tampered: dict[str, Tampered],
) -> None:
    missed = {name: each.missed[:3] for name, each in tampered.items() if each.missed}

    assert {name: rows for name, rows in missed.items() if name not in UNNOTICED} == {}


def test_no_reason_is_given_for_what_is_noticed(tampered: dict[str, Tampered]) -> None:
    noticed = {name for name, each in tampered.items() if each.tried and not each.missed}

    assert noticed & UNNOTICED.keys() == set()
    assert UNNOTICED.keys() <= tampered.keys()


def test_every_column_was_tampered_with(tampered: dict[str, Tampered]) -> None:
    untried = {name for name, each in tampered.items() if not each.tried}

    assert {name.partition(".")[0] for name in untried} == EMPTY
    assert sum(each.tried for each in tampered.values()) > 5_000


def test_what_a_refund_does_and_whose_a_method_is_are_facts_of_their_own(path: Path) -> None:
    with closing(sqlite3.connect(path)) as ledger:
        rows = ledger.execute(
            "SELECT DISTINCT operation, refund_to IS NOT NULL, method_plan IS NOT NULL "
            "FROM paygate_attempt"
        )
        facts = {operation: (bool(to), bool(plan)) for operation, to, plan in rows}
        wrong = {
            "refund_to = 'reopen'": "charge",
            "method_plan = '{}'": "refund",
        }
        for change, operation in wrong.items():
            with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
                ledger.execute(
                    f"UPDATE paygate_attempt SET {change} WHERE operation = ?",  # noqa: S608
                    (operation,),
                )

    assert facts["refund"] == (True, False)
    assert facts["enroll"] == facts["forget"] == (False, True)
    assert {each for name, each in facts.items() if name not in {"refund", "enroll", "forget"}} == {
        (False, False)
    }
