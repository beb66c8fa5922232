"""Statements that travel together: their order, their errors, and how often the server is asked."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest

from paygate import Cashier, Money
from paygate.ledger.postgres.channel import Channel
from paygate.ledger.postgres.session import LedgerConnection
from paygate.ledger.postgres.store import PostgresStore
from paygate.testing import FakeGateway

TABLE = "CREATE TABLE thing (id bigint PRIMARY KEY, name text)"
INSERT = b"INSERT INTO thing (id, name) VALUES (%(id)s, %(name)s)"
ALL = b"SELECT id, name FROM thing ORDER BY id"


@pytest.fixture
def connection(url: str) -> Iterator[LedgerConnection]:
    with (
        closing(PostgresStore(url)) as store,
        store._open_pool().connection() as connection,
    ):
        connection.execute(TABLE)
        yield connection
        connection.abandon_unit()


@pytest.fixture
def channel(connection: LedgerConnection) -> Channel:
    connection.begin_unit([b"BEGIN"])
    channel = connection.statements
    assert isinstance(channel, Channel)
    return channel


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many answers were waited for together, each time."""
    found: list[int] = []
    real = Channel._answers

    def counted(channel: Channel) -> list[Any]:
        results = real(channel)
        found.append(len(results))
        return results

    monkeypatch.setattr(Channel, "_answers", counted)
    return found


def thing(number: int) -> dict[str, Any]:
    return {"id": number, "name": f"n{number}"}


def test_what_needs_no_answer_is_executed_in_order_before_what_does(
    channel: Channel, waits: list[int]
) -> None:
    for number in range(3):
        channel.send(INSERT, thing(number))
    channel.send(b"DELETE FROM thing WHERE id = %(id)s", {"id": 1})

    assert waits == []
    assert channel.rows(ALL) == [thing(0), thing(2)]
    assert len(waits) == 1


def test_as_much_as_the_server_can_answer_at_once_and_more(channel: Channel) -> None:
    """Neither side waits for the other to read first."""
    name = "x" * 10_000
    select = b"SELECT CAST(%(name)s AS text) AS name FROM generate_series(1, 50)"
    for _ in range(200):
        channel.send(select, {"name": name})

    [row] = channel.rows(b"SELECT count(*) AS rows FROM thing")

    assert row["rows"] == 0


def test_an_error_is_that_of_the_statement_that_failed(
    connection: LedgerConnection, channel: Channel
) -> None:
    channel.send(INSERT, thing(1))
    channel.send(INSERT, thing(1))
    channel.send(b"DELETE FROM nowhere")

    with pytest.raises(psycopg.errors.UniqueViolation):
        channel.rows(ALL)

    assert channel.failed == INSERT
    with pytest.raises(psycopg.errors.PipelineAborted):
        channel.rows(ALL)
    assert connection.end_unit(b"COMMIT") == "ROLLBACK"
    connection.abandon_unit()
    assert connection.execute(ALL).fetchall() == []


def test_an_error_at_the_end_commits_nothing(
    connection: LedgerConnection, channel: Channel
) -> None:
    channel.send(INSERT, thing(1))
    channel.send(INSERT, thing(1))

    with pytest.raises(psycopg.errors.UniqueViolation):
        connection.end_unit(b"COMMIT")

    connection.abandon_unit()
    assert connection.execute(ALL).fetchall() == []


def test_a_statement_that_failed_can_be_executed_in_the_next_transaction(
    connection: LedgerConnection, channel: Channel
) -> None:
    channel.send(b"DELETE FROM nowhere")
    channel.send(INSERT, thing(1))
    with pytest.raises(psycopg.errors.UndefinedTable):
        channel.rows(ALL)
    connection.abandon_unit()

    connection.begin_unit([b"BEGIN"])
    channel.send(INSERT, thing(2))
    channel.batch(INSERT, [thing(3), thing(4)])

    assert channel.count(b"UPDATE thing SET name = %(name)s", {"name": "all"}) == 3
    assert connection.end_unit(b"COMMIT") == "COMMIT"
    assert [row["id"] for row in connection.execute(ALL)] == [2, 3, 4]


def test_what_was_not_sent_is_rolled_back(connection: LedgerConnection, channel: Channel) -> None:
    channel.send(INSERT, thing(1))

    connection.abandon_unit()

    assert connection.info.transaction_status is psycopg.pq.TransactionStatus.IDLE
    assert connection.execute(ALL).fetchall() == []


def test_values_come_back_as_they_were_given(channel: Channel) -> None:
    given = {"text": "Ä%$1 ':x'", "large": 1 << 62, "none": None, "bytes": b"\0\\x", "true": True}
    sql = b"""
    SELECT CAST(%(text)s AS text) AS text, %(large)s AS large, CAST(%(none)s AS text) AS none,
      CAST(%(bytes)s AS bytea) AS bytes, %(true)s AS true, '100%%' AS percent, %(large)s AS again
    """

    [row] = channel.rows(sql, given)

    assert row == {**given, "true": 1, "percent": "100%", "again": 1 << 62}


def test_a_collect_waits_fifteen_times(url: str, waits: list[int]) -> None:
    """A script that writes the same rows one by one waits 21 times."""
    with Cashier.open(url, gateways={"card": FakeGateway()}) as cashier:
        for number in ("A-1", "A-2"):
            cashier.issue(
                number=number, customer="C-1", total=Money.of("USD", "30.00"), due="2026-12-01"
            )
            waits.clear()
            cashier.collect(number, via="card", method="tok_visa", key=number)

    assert len(waits) == 15
