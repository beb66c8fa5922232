"""Inside a transaction of the host on PostgreSQL: its commit or rollback decides."""

from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any, cast

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import tuple_row
from psycopg.types.string import TextBinaryLoader, TextLoader
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from paygate import AsyncCashier, Cashier, Money, Within
from paygate.errors import (
    InvalidValue,
    InvoiceNotFound,
    NotAllowedHere,
    NotEnoughOpen,
    SchemaMismatch,
    StoreBusy,
    StoreError,
)
from paygate.testing import FakeGateway
from tests.support.django_database import in_transaction

TOTAL = Money.of("USD", "30.00")
DUE = "2026-12-01"


def issue(within: Within, number: str = "A-1", customer: str = "C-1") -> None:
    within.issue(number=number, customer=customer, total=TOTAL, due=DUE)


def numbers(cashier: Cashier) -> list[str]:
    return [each.number for each in cashier.invoices()]


def bill(within: Within) -> None:
    """Do what writes all kinds of values and reads them again, one by one as well."""
    issue(within)
    payment = within.record("A-1", by="check", key="check-1")
    within.reverse(payment, reason="bounced", fee=Money.of("USD", "25.00"))
    assert within.invoice("A-1").open == TOTAL
    assert [each.number for each in within.invoices()] == ["REV-1-FEE", "A-1"]
    assert within.fsck() == []


@pytest.fixture
def cashier(url: str) -> Iterator[Cashier]:
    with Cashier.open(url, gateways={"card": FakeGateway()}) as cashier:
        with psycopg.connect(url) as owner:
            owner.execute("CREATE TABLE shop_order (number text)")
        yield cashier


def for_sqlalchemy(url: str, driver: str = "psycopg") -> str:
    return url.replace("postgresql://", f"postgresql+{driver}://")


# --- What hosts hold ------------------------------------------------------------------------------


@contextmanager
def by_psycopg(url: str) -> Generator[Any]:
    with psycopg.connect(url) as connection:
        yield connection


@contextmanager
def by_psycopg_with_rows_of_its_own(url: str) -> Generator[Any]:
    """A connection whose owner chose other rows, other cursors and other values than ours."""
    with psycopg.connect(
        url, autocommit=True, row_factory=tuple_row, cursor_factory=psycopg.ClientCursor
    ) as connection:
        connection.adapters.register_loader("text", TextBinaryLoader)
        connection.adapters.register_loader("int8", TextLoader)
        with connection.transaction():
            yield connection


@contextmanager
def by_sqlalchemy(url: str) -> Generator[Any]:
    engine = create_engine(for_sqlalchemy(url))
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


@contextmanager
def by_django(url: str) -> Generator[Any]:
    facts = conninfo_to_dict(url)
    with in_transaction(
        ENGINE="django.db.backends.postgresql",
        NAME=facts["dbname"],
        USER=facts["user"],
        HOST=facts["host"],
    ) as connection:
        yield connection


HOSTS = [by_psycopg, by_psycopg_with_rows_of_its_own, by_sqlalchemy, by_django]
Host = Callable[[str], Any]


@pytest.mark.parametrize("host", HOSTS)
def test_the_hosts_commit_keeps_what_was_done_within_it(
    cashier: Cashier, url: str, host: Host
) -> None:
    with host(url) as connection:
        bill(cashier.within(connection))
        assert numbers(cashier) == [], "nobody else sees it yet"

    assert numbers(cashier) == ["REV-1-FEE", "A-1"]
    assert cashier.fsck() == []


@pytest.mark.parametrize("host", HOSTS)
def test_the_hosts_rollback_undoes_what_was_done_within_it(
    cashier: Cashier, url: str, host: Host
) -> None:
    def change_of_mind() -> None:
        with host(url) as connection:
            bill(cashier.within(connection))
            raise RuntimeError("the customer left")

    with pytest.raises(RuntimeError):
        change_of_mind()

    assert numbers(cashier) == []
    assert cashier.events() == []
    assert cashier.fsck() == []


@pytest.mark.parametrize("host", HOSTS)
def test_a_refusal_undoes_only_itself(cashier: Cashier, url: str, host: Host) -> None:
    with host(url) as connection:
        within = cashier.within(connection)
        issue(within)
        with pytest.raises(NotEnoughOpen):
            within.write_off("A-1", reason="goodwill", key="w", amount=Money.of("USD", 50))
        issue(within, "A-2")

    assert numbers(cashier) == ["A-2", "A-1"]
    assert cashier.fsck() == []


def bill_on(lent: Any, cashier: AsyncCashier) -> None:
    bill(cashier.within(lent))


@asynccontextmanager
async def engine_of(url: str) -> AsyncGenerator[Any]:
    engine = create_async_engine(url)
    try:
        yield engine
    finally:
        await engine.dispose()


async def test_an_async_host_lends_what_its_connection_runs_on(cashier: Cashier, url: str) -> None:
    async with AsyncCashier.open(url) as own, engine_of(for_sqlalchemy(url)) as engine:
        async with engine.begin() as connection:
            await connection.execute(text("INSERT INTO shop_order VALUES ('A-1')"))
            await connection.run_sync(bill_on, own)
            assert numbers(cashier) == []
        async with AsyncSession(engine) as session:
            await session.run_sync(lambda held: issue(own.within(held.connection()), "A-2"))
            await session.rollback()

    assert numbers(cashier) == ["REV-1-FEE", "A-1"]
    assert cashier.fsck() == []


# --- Transactions in which the rules do not hold --------------------------------------------------


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_a_transaction_that_does_not_see_what_others_commit_is_refused(
    cashier: Cashier, url: str, level: str
) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"BEGIN ISOLATION LEVEL {level}".encode())
        with pytest.raises(NotAllowedHere, match=f"is {level}, .* READ COMMITTED"):
            cashier.within(connection)
        connection.execute("ROLLBACK")
        connection.execute("BEGIN")
        within = cashier.within(connection)
        connection.execute("COMMIT")
        connection.execute(f"BEGIN ISOLATION LEVEL {level}".encode())
        with pytest.raises(NotAllowedHere, match=f"is {level}"):
            issue(within)


def test_without_a_transaction_nothing_is_done(cashier: Cashier, url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        with pytest.raises(NotAllowedHere, match="commits each statement by itself"):
            cashier.within(connection)
        with connection.transaction():
            within = cashier.within(connection)
        with pytest.raises(NotAllowedHere, match="commits each statement by itself"):
            issue(within)

    engine = create_engine(for_sqlalchemy(url))
    with engine.connect() as held:
        with pytest.raises(NotAllowedHere, match=r"use engine\.begin\(\)"):
            cashier.within(held)
        with held.begin():
            within = cashier.within(held)
        with pytest.raises(NotAllowedHere, match=r"use engine\.begin\(\)"):
            issue(within)
    with (
        engine.execution_options(isolation_level="AUTOCOMMIT").begin() as held,
        pytest.raises(NotAllowedHere, match="commits each statement by itself"),
    ):
        cashier.within(held)
    engine.dispose()

    assert numbers(cashier) == []


def test_django_without_a_transaction_is_refused_and_so_is_one_that_will_be_undone(
    cashier: Cashier, url: str
) -> None:
    with by_django(url) as connection:
        connection.in_atomic_block = False
        connection.set_autocommit(True)
        with pytest.raises(NotAllowedHere, match=r"inside transaction\.atomic\(\)"):
            cashier.within(connection)
        connection.set_autocommit(False)
        connection.in_atomic_block = True
        within = cashier.within(connection)
        connection.needs_rollback = True
        with pytest.raises(NotAllowedHere, match=r"leave the atomic\(\) block"):
            issue(within)
        connection.needs_rollback = False

    assert numbers(cashier) == []


def test_a_transaction_that_cannot_be_committed_or_read_is_refused(
    cashier: Cashier, url: str
) -> None:
    with psycopg.connect(url) as connection:
        with pytest.raises(psycopg.Error):
            connection.execute("SELECT nonsense")
        with pytest.raises(NotAllowedHere, match="a statement of your transaction failed"):
            cashier.within(connection)
        connection.rollback()
        with connection.pipeline(), pytest.raises(NotAllowedHere, match="pipeline mode"):
            cashier.within(connection)
        connection.execute("SET TRANSACTION READ ONLY")
        with pytest.raises(NotAllowedHere, match="read-only"):
            cashier.within(connection)
        connection.rollback()
        connection.execute("SET client_encoding = LATIN1")
        with pytest.raises(NotAllowedHere, match="LATIN1"):
            cashier.within(connection)
        connection.rollback()
        rows: Any = connection.cursor().stream("SELECT generate_series(1, 2)")
        next(rows)
        with pytest.raises(NotAllowedHere, match="a statement is running"):
            cashier.within(connection)
        rows.close()
    with pytest.raises(NotAllowedHere, match="is closed"):
        cashier.within(connection)


# --- Connections to something else ----------------------------------------------------------------


def test_a_connection_to_another_ledger_is_refused(
    cashier: Cashier, url: str, database: Callable[[], str], postgres: Any
) -> None:
    other = postgres.url(database())
    with psycopg.connect(other) as connection, pytest.raises(SchemaMismatch, match="sees no"):
        cashier.within(connection)
    Cashier.open(other).close()
    with (
        psycopg.connect(other) as connection,
        pytest.raises(InvalidValue, match="this is not the ledger at"),
    ):
        cashier.within(connection)
    with psycopg.connect(url) as connection:
        connection.execute("CREATE SCHEMA aside")
        connection.execute("SET search_path = aside")
        with pytest.raises(SchemaMismatch, match="search_path"):
            cashier.within(connection)


class Connection2:
    """A connection of a driver that paygate does not speak through."""


Connection2.__module__ = "psycopg2.extensions"


def test_what_is_no_connection_of_psycopg_says_what_to_lend(cashier: Cashier, url: str) -> None:
    engine = create_engine(for_sqlalchemy(url))
    wrong = [
        (None, "this is None; lend a psycopg.Connection"),
        (url, "this is a str; lend"),
        (Connection2(), "this is a Connection2 of psycopg2; lend a psycopg.Connection"),
        (engine, r"this is an Engine; lend the connection that engine\.begin\(\) returns"),
        (Session(engine), r"this is a Session; lend session\.connection\(\)"),
    ]
    for held, said in wrong:
        with pytest.raises(InvalidValue, match=said) as refused:
            cashier.within(held)
        assert refused.value.argument == "connection"
        assert "@" not in refused.value.message, "a URL may hold a password"


async def test_what_is_async_says_how_to_lend_it(cashier: Cashier, url: str) -> None:
    engine = create_async_engine(for_sqlalchemy(url))
    async with engine.connect() as connection:
        with pytest.raises(InvalidValue, match=r"await connection\.run_sync"):
            cashier.within(connection)
    with pytest.raises(InvalidValue, match=r"await session\.run_sync"):
        cashier.within(AsyncSession(engine))
    await engine.dispose()
    async with await psycopg.AsyncConnection.connect(url) as raw:
        with pytest.raises(InvalidValue, match=r"through run_sync"):
            cashier.within(raw)


# --- What goes wrong in the middle ----------------------------------------------------------------


def test_a_connection_that_is_lost_takes_the_hosts_transaction_with_it(
    cashier: Cashier, url: str
) -> None:
    connection = psycopg.connect(url)
    within = cashier.within(connection)
    with psycopg.connect(url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [connection.info.backend_pid])

    with pytest.raises(StoreError, match="your transaction was rolled back with its connection"):
        issue(within)
    with pytest.raises(NotAllowedHere, match="is closed"):
        issue(within)
    connection.close()
    assert numbers(cashier) == []


def test_a_wait_that_is_too_long_is_told_and_the_transaction_can_go_on(
    cashier: Cashier, url: str
) -> None:
    issue_now = partial(cashier.issue, customer="C-1", total=TOTAL, due=DUE)
    issue_now(number="A-0")
    with psycopg.connect(url) as first, psycopg.connect(url) as second:
        issue(cashier.within(first), "A-1")
        second.execute("SET LOCAL lock_timeout = '10ms'")
        second.execute("INSERT INTO shop_order VALUES ('A-2')")
        with pytest.raises(StoreBusy, match="roll it back and repeat it"):
            issue(cashier.within(second), "A-2")
        second.commit()

    assert numbers(cashier) == ["A-1", "A-0"]
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT number FROM shop_order").fetchall() == [("A-2",)]


def test_an_interruption_leaves_nothing_of_the_step(
    cashier: Cashier, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(url) as connection:
        within = cashier.within(connection)

        def interrupted(*_: Any) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr("paygate.ledger.tx.Tx.finish", interrupted)
            with pytest.raises(KeyboardInterrupt):
                issue(within)
        connection.execute("INSERT INTO shop_order VALUES ('1')")

    assert numbers(cashier) == []
    assert cashier.fsck() == []


def test_a_serializable_transaction_misses_what_the_ledger_commits(url: str) -> None:
    """Why one is refused: it notices conflicts only with others that are SERIALIZABLE."""
    with (
        psycopg.connect(url, autocommit=True) as lent,
        psycopg.connect(url, autocommit=True) as own,
    ):
        own.execute("CREATE TABLE customer AS SELECT 1 AS id; CREATE TABLE back (how text)")
        lent.execute("BEGIN ISOLATION LEVEL SERIALIZABLE")
        lent.execute("SELECT id FROM customer")
        with own.transaction():
            own.execute("SELECT id FROM customer FOR NO KEY UPDATE")
            own.execute("INSERT INTO back VALUES ('refund')")

        lent.execute("SELECT id FROM customer FOR NO KEY UPDATE")
        assert lent.execute("SELECT how FROM back").fetchall() == []
        lent.execute("INSERT INTO back VALUES ('reversal')")
        lent.execute("COMMIT")

        assert len(own.execute("SELECT how FROM back").fetchall()) == 2


# --- What sends is not for the host's transaction -------------------------------------------------


def test_what_is_not_committed_cannot_be_collected(cashier: Cashier, url: str) -> None:
    gateway = FakeGateway()
    with Cashier.open(url, gateways={"card": gateway}, busy_s=0.05) as other:
        with psycopg.connect(url) as connection:
            issue(cashier.within(connection))
            with pytest.raises((InvoiceNotFound, StoreBusy)):
                other.collect("A-1", via="card", method="tok_visa", key="k")
            assert gateway.moved("USD") == Money.of("USD", 0)
        payment = other.collect("A-1", via="card", method="tok_visa", key="k")
        assert payment.received == TOTAL


def test_what_waits_for_the_hosts_transaction_sends_nothing(cashier: Cashier, url: str) -> None:
    gateway = FakeGateway()
    issue(cast("Any", cashier), "A-1")
    with (
        Cashier.open(url, gateways={"card": gateway}, busy_s=0.05) as other,
        psycopg.connect(url) as connection,
    ):
        issue(cashier.within(connection), "A-2")
        with pytest.raises(StoreBusy, match="if yours, commit it first"):
            other.collect("A-1", via="card", method="tok_visa", key="k")
        assert gateway.moved("USD") == Money.of("USD", 0)
        connection.commit()
        assert other.collect("A-1", via="card", method="tok_visa", key="k").received == TOTAL
