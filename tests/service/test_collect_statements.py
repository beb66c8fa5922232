"""What a collect asks of its ledger: few statements, because each is a wait on a server."""

import re
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from paygate import Cashier, Money
from paygate.ledger.sqlite import SqliteStore
from paygate.testing import FakeGateway


@pytest.fixture
def transactions(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Return the statements of each transaction that writes, in order."""
    done: list[list[str]] = []

    class Noting(sqlite3.Connection):
        def execute(self, sql: str, *given: Any) -> sqlite3.Cursor:
            self._note(sql)
            return super().execute(sql, *given)

        def executemany(self, sql: str, *given: Any) -> sqlite3.Cursor:
            self._note(sql)
            return super().executemany(sql, *given)

        def _note(self, sql: str) -> None:
            if sql == "BEGIN IMMEDIATE":
                done.append([])
            elif self.in_transaction and sql != "COMMIT":
                done[-1].append(sql)

    monkeypatch.setattr(SqliteStore, "connection_class", Noting)
    return done


def collect(path: Path, transactions: list[list[str]]) -> list[list[str]]:
    """Return the transactions of a plain collect: one invoice, approved at once."""
    with Cashier.open(f"sqlite:///{path}", gateways={"card": FakeGateway()}) as cashier:
        cashier.issue(number="A-1", customer="C-1", total=Money("USD", 3000), due="2031-01-01")
        transactions.clear()
        cashier.collect("A-1", via="card", method="tok_visa", key="A-1")
    return list(transactions)


@pytest.mark.sqlite
def test_a_collect_executes_few_statements(tmp_path: Path, transactions: list[list[str]]) -> None:
    opened, merged = collect(tmp_path / "ledger.db", transactions)

    # One of them asks whether the short reference is free; on PostgreSQL nobody waits for that.
    assert (len(opened), len(merged)) == (9, 12)


def tables_read(statements: list[str]) -> Counter[str]:
    """Return how many queries read a row of each table by itself, and not to add something up."""
    read: Counter[str] = Counter()
    for sql in statements:
        outside, before = sql, ""
        while outside != before:
            before, outside = outside, re.sub(r"\([^()]*\)", "", outside)
        if outside.lstrip().startswith("SELECT"):
            read.update(re.findall(r"(?:FROM|JOIN) (paygate_\w+)", outside))
    return read


@pytest.mark.sqlite
def test_a_collect_reads_no_row_twice(tmp_path: Path, transactions: list[list[str]]) -> None:
    opened, merged = collect(tmp_path / "ledger.db", transactions)

    once = ["paygate_item", "paygate_customer", "paygate_contact", "paygate_customer_reference"]
    # Another payment may have the short reference.
    assert tables_read(opened) == Counter([*once, "paygate_payment"])
    once = ["paygate_attempt_request", "paygate_account", "paygate_receipt", "paygate_payment"]
    # What a payment says of its attempt is read with it.
    assert tables_read(merged) == Counter([*once, "paygate_attempt", "paygate_attempt"])
