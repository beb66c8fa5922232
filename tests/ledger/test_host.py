"""Inside a transaction of the host on SQLite: what hosts hold, and what does not fit."""

import sqlite3
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine

from paygate import AsyncCashier, Cashier, Money, Within
from paygate.errors import (
    AssignmentConflict,
    InvalidValue,
    NotAllowedHere,
    NotEnoughOpen,
    SchemaMismatch,
)
from tests.support.django_database import in_transaction

pytestmark = pytest.mark.sqlite

TOTAL = Money.of("USD", "30.00")
Host = Callable[[Path], Any]


def issue(within: Within, number: str = "A-1") -> None:
    within.issue(number=number, customer="C-1", total=TOTAL, due="2026-12-01")


def bill(within: Within) -> None:
    issue(within)
    payment = within.record("A-1", by="check", key="check-1")
    within.reverse(payment, reason="bounced", fee=Money.of("USD", "25.00"))
    assert [each.number for each in within.invoices()] == ["REV-1-FEE", "A-1"]
    assert within.fsck() == []


def numbers(cashier: Cashier) -> list[str]:
    return [each.number for each in cashier.invoices()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shop.db"


@pytest.fixture
def cashier(path: Path) -> Iterator[Cashier]:
    with Cashier.open(f"sqlite:///{path}") as cashier:
        yield cashier


@contextmanager
def by_sqlite3(path: Path) -> Generator[Any]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection, connection:
        connection.execute("BEGIN IMMEDIATE")
        yield connection


@contextmanager
def by_sqlalchemy(path: Path) -> Generator[Any]:
    engine = create_engine(f"sqlite:///{path}")
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


@contextmanager
def by_django(path: Path) -> Generator[Any]:
    options = {"transaction_mode": "IMMEDIATE"}
    with in_transaction(
        ENGINE="django.db.backends.sqlite3", NAME=path, OPTIONS=options
    ) as connection:
        yield connection


HOSTS = [by_sqlite3, by_sqlalchemy, by_django]


@pytest.mark.parametrize("host", HOSTS)
def test_the_hosts_commit_keeps_what_was_done_within_it(
    cashier: Cashier, path: Path, host: Host
) -> None:
    with host(path) as connection:
        bill(cashier.within(connection))
        assert numbers(cashier) == [], "nobody else sees it yet"

    assert numbers(cashier) == ["REV-1-FEE", "A-1"]
    assert cashier.fsck() == []


def test_a_prepayment_is_made_paid_and_assigned_within_the_hosts_transaction(
    cashier: Cashier, path: Path
) -> None:
    with by_sqlite3(path) as connection:
        within = cashier.within(connection)
        total, due = Money.of("USD", 50), "2031-01-01"
        made = within.prepay("C-1", total, assignment_key="O-1", key="entry")
        within.record(made, by="cash", key="till")
        within.issue(number="P-1", customer="C-1", total=total, due=due, assignment_key="O-1")
        with pytest.raises(AssignmentConflict):
            within.prepay("C-2", total, assignment_key="o-1", key="other")

    assert cashier.prepayment(made).status == "balanced"
    assert [each.type for each in cashier.events()].count("assignment.conflict") == 1
    assert cashier.fsck() == []


@pytest.mark.parametrize("host", HOSTS)
def test_the_hosts_rollback_undoes_what_was_done_within_it(
    cashier: Cashier, path: Path, host: Host
) -> None:
    def change_of_mind() -> None:
        with host(path) as connection:
            within = cashier.within(connection)
            bill(within)
            with pytest.raises(NotEnoughOpen):
                within.write_off("A-1", reason="goodwill", key="w", amount=Money.of("USD", 50))
            raise RuntimeError("the customer left")

    with pytest.raises(RuntimeError):
        change_of_mind()

    assert numbers(cashier) == []
    assert cashier.fsck() == []


async def test_an_async_host_lends_what_its_connection_runs_on(
    cashier: Cashier, path: Path
) -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
    async with AsyncCashier.open(f"sqlite:///{path}") as own:
        async with engine.begin() as connection:
            await connection.run_sync(lambda lent: bill(own.within(lent)))
        async with engine.connect() as connection, connection.begin() as begun:
            await connection.run_sync(lambda lent: issue(own.within(lent), "A-2"))
            await begun.rollback()
    await engine.dispose()

    assert numbers(cashier) == ["REV-1-FEE", "A-1"]
    assert cashier.fsck() == []


def test_sqlalchemy_without_a_transaction_is_refused(cashier: Cashier, path: Path) -> None:
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as held:
        with pytest.raises(NotAllowedHere, match=r"use engine\.begin\(\)"):
            cashier.within(held)
        with held.begin():
            within = cashier.within(held)
        with pytest.raises(NotAllowedHere, match="transaction has ended"):
            issue(within)
    alone = create_engine(f"sqlite:///{path}", isolation_level="AUTOCOMMIT")
    with alone.begin() as held, pytest.raises(NotAllowedHere, match="execute BEGIN IMMEDIATE"):
        cashier.within(held)
    engine.dispose()
    alone.dispose()
    assert numbers(cashier) == []


def test_a_connection_to_another_file_is_refused(cashier: Cashier, path: Path) -> None:
    other = path.with_name("other.db")
    Cashier.open(f"sqlite:///{other}").close()
    with (
        by_sqlite3(other) as connection,
        pytest.raises(InvalidValue, match="not the ledger's database"),
    ):
        cashier.within(connection)
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("ATTACH ? AS ledger", [str(path)])
        connection.execute("BEGIN")
        with pytest.raises(InvalidValue, match=r"shop\.db; lend a connection that was opened"):
            cashier.within(connection)


def test_a_file_that_lost_its_ledger_is_told(cashier: Cashier, path: Path) -> None:
    with by_sqlite3(path) as connection:
        connection.execute("DELETE FROM paygate_meta")
        with pytest.raises(Exception, match="no ledger of this version") as refused:
            cashier.within(connection)
        assert isinstance(refused.value, SchemaMismatch)
        connection.execute("ROLLBACK")
        connection.execute("BEGIN")


def test_a_ledger_in_memory_is_nobody_elses() -> None:
    with (
        Cashier.in_memory() as cashier,
        closing(sqlite3.connect(":memory:", isolation_level=None)) as connection,
    ):
        connection.execute("BEGIN")
        with pytest.raises(InvalidValue, match="not the ledger's database"):
            cashier.within(connection)


def test_what_is_no_connection_of_sqlite_says_what_to_lend(cashier: Cashier) -> None:
    for given, said in [
        (None, "this is None; lend a sqlite3.Connection"),
        ("shop.db", "this is a str; lend"),
        (cashier, "this is a Cashier of paygate; lend"),
    ]:
        with pytest.raises(InvalidValue, match=said) as refused:
            cashier.within(given)
        assert refused.value.argument == "connection"
