"""Whoever reads in an order loses nothing, though transactions end in another one."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from paygate import Cashier, Money
from paygate.domain.callback import InboxState
from paygate.gateway import Notice
from paygate.ledger import holding, inbox, outbox
from paygate.ledger.postgres import store as postgres_store
from paygate.ledger.tx import Tx
from paygate.service import notices
from paygate.testing import FakeClock, FakeGateway
from tests.ledger.postgres.races import KEY
from tests.reading import every_event

NEW_KEY = KEY[::-1].replace("=", "") + "="


@pytest.fixture
def cashier(url: str) -> Iterator[Cashier]:
    with Cashier.open(url, gateways={"card": FakeGateway()}, token_keys=[KEY]) as cashier:
        yield cashier


@contextmanager
def held_back(
    cashier: Cashier, work: Callable[[Tx], Any], patch: pytest.MonkeyPatch
) -> Iterator[Callable[[], object]]:
    """Do *work* in a transaction that is about to commit; yield what lets it, and waits for it."""
    written, go_on, commit = threading.Event(), threading.Event(), postgres_store._commit

    def last(tx: Tx) -> str:
        work(tx)
        return "last"

    def commit_when_told(connection: Any, result: object) -> None:
        if result == "last":
            connection.statements.rows(b"SELECT 1 AS one")  # sends what was kept back
            written.set()
            assert go_on.wait(60)
        commit(connection, result)

    patch.setattr(postgres_store, "_commit", commit_when_told)
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(cashier._store.write, cashier._context, last)
        assert written.wait(60)

        def let_it() -> object:
            go_on.set()
            return done.result(60)

        try:
            yield let_it
        finally:
            go_on.set()


def somebody_waits(url: str) -> bool:
    """Return whether a transaction waits for a lock of another one."""
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchall()
    return rows != []


def tell(name: str) -> Callable[[Tx], None]:
    return lambda tx: outbox.emit(tx, "ledger.sending_stopped", name, {"reason": name})


def test_an_event_that_was_stored_first_and_committed_last_is_not_passed_over(
    cashier: Cashier, monkeypatch: pytest.MonkeyPatch
) -> None:
    received: list[str] = []
    cashier.subscribe("books", lambda event: received.append(event.aggregate))
    with held_back(cashier, tell("first"), monkeypatch) as let_it:
        cashier._store.write(cashier._context, tell("second"))
        [second] = cashier.events()
        cashier.publish()
        let_it()

    [first] = cashier.events(after=second.position)
    cashier.publish()

    assert (second.aggregate, first.aggregate) == ("second", "first")
    assert received == ["second", "first"]
    assert [each.aggregate for each in every_event(cashier)] == received


def test_a_subscriber_that_begins_with_the_next_event_gets_one_that_was_stored_before(
    cashier: Cashier, monkeypatch: pytest.MonkeyPatch
) -> None:
    received: list[str] = []
    with held_back(cashier, tell("first"), monkeypatch) as let_it:
        cashier._store.write(cashier._context, tell("second"))
        cashier.subscribe(
            "books", lambda event: received.append(event.aggregate), from_beginning=False
        )
        let_it()

    cashier.publish()

    assert received == ["first"]


def test_events_of_one_aggregate_keep_their_order(cashier: Cashier) -> None:
    total = Money.of("USD", 30)
    cashier.issue(number="A", customer="C", total=total, due="2026-12-01")
    cashier.collect("A", via="card", method="tok_visa", key="a")

    seen: dict[str, list[int]] = {}
    for event in every_event(cashier):
        seen.setdefault(event.aggregate, []).append(event.seq)

    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in seen.values())


def test_a_position_is_given_once(cashier: Cashier) -> None:
    cashier._store.write(cashier._context, tell("only"))
    cashier.events()

    def move(tx: Tx) -> None:
        tx.run("UPDATE paygate_outbox SET position = position + 1", {})

    with pytest.raises(Exception, match="events are append-only"):
        cashier._store.write(cashier._context, move)


def test_a_callback_that_was_stored_first_and_committed_last_is_put_under_the_new_key(
    cashier: Cashier, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def store(name: str) -> Callable[[Tx], None]:
        def work(tx: Tx) -> None:
            holding.hold_notices(tx, "card", (name,))
            inbox.insert(
                tx,
                account="card",
                event_id=name,
                type_="told",
                digest=name,
                headers={},
                body=name.encode(),
                notice=notices.write_notice(Notice(event_id=name, type="told")),
                received_at=tx.now,
            )

        return work

    gateways = {"card": FakeGateway()}
    with (
        Cashier.open(url, gateways=gateways, token_keys=[NEW_KEY, KEY]) as other,
        ThreadPoolExecutor(1) as pool,
    ):
        with held_back(cashier, store("first"), monkeypatch) as let_it:
            cashier._store.write(cashier._context, store("second"))
            rotating = pool.submit(other.rotate_keys)
            while not (rotating.done() or somebody_waits(url)):
                pass
            let_it()
        rotated = rotating.result(60)
    with Cashier.open(url, gateways=gateways, token_keys=[NEW_KEY]) as after:
        found = after.callbacks()

    assert rotated.rotated == 2
    assert {each.body for each in found} == {b"first", b"second"}
    assert {each.state for each in found} == {InboxState.NEW}


def test_a_stop_and_its_end_at_one_instant_are_told_apart(url: str) -> None:
    with Cashier.open(url, clock=FakeClock()) as cashier:
        for _ in range(3):
            cashier.stop_sending(reason="restored")
            cashier.resume_sending(evidence="compared")

        assert cashier.fsck() == []
        cashier.stop_sending(reason="restored again")
        assert cashier.fsck() == []
