"""A COMMIT that failed without saying whether it took effect: look, then go on or begin again."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from paygate import AsyncCashier, Cashier, Kind, Money
from paygate.domain.payment import PaymentStatus
from paygate.errors import CommitUnknown, ItemAlreadyBeingPaid, StoreError, StoreFull
from paygate.ledger.sqlite import SqliteStore
from paygate.service.flow import Exchange, Step, Write
from paygate.testing.simulation.faults import PlannedFault
from paygate.testing.simulation.ledger import WatchedConnection
from tests.service.world import PAYER, World, assert_sound, assert_truth, state_of, usd
from tests.stores import sqlite_of

pytestmark = pytest.mark.sqlite

LOST = [
    pytest.param(PlannedFault.COMMIT_LIES, id="it took effect"),
    pytest.param(PlannedFault.COMMIT_FAILS, id="it did not"),
]


class Faulty(Cashier):
    """A cashier of which the COMMIT number *at* is answered by *fault*."""

    fault: PlannedFault
    at: int
    steps: list[Step]

    def _do(self, step: Step) -> Any:
        self.steps.append(step)
        writes = sum(isinstance(each, Write) for each in self.steps)
        if isinstance(step, Write) and writes == self.at:
            connection = sqlite_of(self)._writer()
            assert isinstance(connection, WatchedConnection)
            connection.arm(self.fault, 0)
        return super()._do(step)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(SqliteStore, "connection_class", WatchedConnection)
    world = World(tmp_path)
    world.add("card", Kind.CARD)
    yield world
    world.close()


def faulty(world: World, fault: PlannedFault, at: int = 1) -> Faulty:
    process = world.start(Faulty)
    process.fault, process.at, process.steps = fault, at, []
    return process


def bill(cashier: Cashier, number: str = "INV-1", total: str = "47.20") -> None:
    cashier.issue(number=number, customer=PAYER, total=usd(total), due="2026-02-01")


def pay(cashier: Cashier, key: str = "k") -> Any:
    return cashier.collect("INV-1", via="card", method="tok_visa", key=key)


def exchanges(process: Faulty) -> int:
    return sum(isinstance(step, Exchange) for step in process.steps)


@pytest.mark.parametrize("at", [1, 2], ids=["the intent", "the answer"])
@pytest.mark.parametrize("fault", LOST)
def test_a_collect_whose_commit_was_lost_charges_once_and_ends(
    world: World, fault: PlannedFault, at: int
) -> None:
    bill(world.process())
    process = faulty(world, fault, at)

    payment = pay(process)

    assert payment.status is PaymentStatus.SUCCEEDED
    assert exchanges(process) == 1
    assert world.fakes["card"].moved("USD") == usd("47.20")
    assert process.payments() == [payment]
    assert_truth(world, process)
    assert_sound(process)


@pytest.mark.parametrize("fault", LOST)
def test_a_refund_whose_commit_was_lost_is_sent_once(world: World, fault: PlannedFault) -> None:
    bill(world.process())
    paid = pay(world.process())
    process = faulty(world, fault)

    payment = process.refund(paid, amount=usd("7.20"), key="back").payment

    assert payment.returned == usd("7.20")
    assert exchanges(process) == 1
    assert world.fakes["card"].moved("USD") == usd("40.00")
    assert_sound(process)


def test_an_intent_whose_commit_is_lost_again_and_again_is_not_sent(world: World) -> None:
    bill(world.process())
    process = world.start(AlwaysFaulty)

    with pytest.raises(CommitUnknown, match="Repeat the call with the same key"):
        pay(process)
    cashier = world.process()

    assert world.fakes["card"].moved("USD") == usd("0")
    assert cashier.payments() == []
    assert pay(cashier).status is PaymentStatus.SUCCEEDED
    assert_truth(world, cashier)
    assert_sound(cashier)


class AlwaysFaulty(Cashier):
    """A cashier whose disk fails at every COMMIT."""

    def _do(self, step: Step) -> Any:
        if isinstance(step, Write):
            connection = sqlite_of(self)._writer()
            assert isinstance(connection, WatchedConnection)
            connection.arm(PlannedFault.COMMIT_FAILS, 0)
        return super()._do(step)


class Overtaken(Faulty):
    """A cashier before which another process uses the key, after its own COMMIT failed."""

    other: Cashier

    def _do(self, step: Step) -> Any:
        if len(self.steps) == 1:
            pay(self.other)
        return super()._do(step)


def test_an_intent_that_another_process_stored_meanwhile_is_not_sent_again(world: World) -> None:
    bill(world.process())
    world.running.clear()
    other = world.process()
    world.running.clear()
    process = world.start(Overtaken)
    process.fault, process.at, process.steps, process.other = (
        PlannedFault.COMMIT_FAILS,
        1,
        [],
        other,
    )

    payment = pay(process)

    assert [payment] == other.payments()
    assert exchanges(process) == 0
    assert world.fakes["card"].moved("USD") == usd("47.20")
    assert_sound(other)
    other.close()


@dataclass(frozen=True)
class Verb:
    """A verb that sends nothing, and may be called again with the same key or facts."""

    name: str
    call: Callable[[Cashier], object]


VERBS = [
    Verb("issue", lambda cashier: bill(cashier, "INV-9", "3.10")),
    Verb("record", lambda cashier: cashier.record("INV-1", by="cash", key="r")),
    Verb("write_off", lambda cashier: cashier.write_off("INV-1", reason="goodwill", key="w")),
    Verb("pay_from_credit", lambda cashier: cashier.pay_from_credit("INV-1", key="c")),
]


@pytest.mark.parametrize("fault", LOST)
@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_a_verb_that_may_be_repeated_is_repeated(
    world: World, verb: Verb, fault: PlannedFault
) -> None:
    cashier = world.process()
    bill(cashier)
    cashier.record([], by="transfer", key="top", amount=usd("50.00"), customer=PAYER)
    before = cashier.events(limit=500)
    process = faulty(world, fault)

    verb.call(process)

    once = state_of(process)
    assert len(process.events(limit=500)) > len(before)
    verb.call(process)
    assert state_of(process) == once
    assert_sound(process)


def test_another_verb_says_that_nobody_knows(world: World) -> None:
    cashier = world.process()
    bill(cashier)
    check = cashier.record("INV-1", by="check", key="r")
    process = faulty(world, PlannedFault.COMMIT_LIES)

    with pytest.raises(CommitUnknown, match="not known whether this step was written") as raised:
        process.reverse(check, reason="bounced")

    assert isinstance(raised.value, StoreError)
    assert "result" not in raised.value.facts
    assert process.payment(check).reversed
    assert_sound(process)


def test_a_full_disk_at_the_commit_is_known_to_have_written_nothing(world: World) -> None:
    bill(world.process())
    process = faulty(world, PlannedFault.DISK_FULL)

    with pytest.raises(StoreFull, match="this step wrote nothing"):
        pay(process)

    assert exchanges(process) == 0
    assert process.payments() == []
    assert pay(process).status is PaymentStatus.SUCCEEDED


class Late(BaseException):
    """What a signal handler raises just when COMMIT has taken effect."""


class Interrupted(WatchedConnection):
    """A connection whose COMMIT takes effect, and then a signal comes."""

    signal = False

    def _after_commit(self) -> None:
        if self.signal:
            self.signal = False
            raise Late


@pytest.mark.parametrize("at", [1, 2], ids=["the intent", "the answer"])
def test_a_signal_between_commit_and_return_reaches_the_caller_and_costs_no_second_charge(
    world: World, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    monkeypatch.setattr(SqliteStore, "connection_class", Interrupted)
    bill(world.process())
    process = world.start(Signalled)
    process.at, process.writes = at, 0

    with pytest.raises(Late):
        pay(process)
    again = pay(process)
    if at == 1:
        assert again.status is PaymentStatus.PROCESSING
        with pytest.raises(ItemAlreadyBeingPaid):
            pay(process, "another")
    world.settle(process)
    if process.payment(again).status is PaymentStatus.FAILED:  # it is known that nothing was sent
        again = pay(process, "new")

    assert process.payment(again).status is PaymentStatus.SUCCEEDED
    assert world.fakes["card"].moved("USD") == usd("47.20")
    assert_truth(world, process)
    assert_sound(process)


class Signalled(Cashier):
    """A cashier that a signal meets just after its COMMIT number *at*."""

    at: int
    writes: int

    def _do(self, step: Step) -> Any:
        if isinstance(step, Write):
            self.writes += 1
            connection = sqlite_of(self)._writer()
            assert isinstance(connection, Interrupted)
            connection.signal = self.writes == self.at
        return super()._do(step)


@pytest.mark.sqlite
@pytest.mark.parametrize("fault", LOST)
def test_under_asyncio_each_unit_of_a_group_whose_commit_was_lost_goes_on(
    world: World, fault: PlannedFault
) -> None:
    numbers = [f"INV-{number}" for number in range(5)]
    cashier = world.process()
    for number in numbers:
        bill(cashier, number, "4.00")

    async def pay_all() -> list[Any]:
        url = f"sqlite:///{world.folder / 'ledger.db'}"
        async with AsyncCashier.open(url, gateways=world.gateways, clock=world.clock) as face:
            connection = sqlite_of(face)._writer()
            assert isinstance(connection, WatchedConnection)
            connection.arm(fault, 0)
            verbs = [face.collect(n, via="card", method="tok_visa", key=n) for n in numbers]
            paid = await asyncio.gather(*verbs)
            assert connection.struck
            return paid

    payments = asyncio.run(pay_all())

    assert [payment.status for payment in payments] == [PaymentStatus.SUCCEEDED] * 5
    assert world.fakes["card"].moved("USD") == Money.of("USD", 20)
    assert_truth(world, cashier)
    assert_sound(cashier)


@pytest.mark.sqlite
def test_an_error_that_leaves_the_transaction_open_is_known(world: World) -> None:
    """A deferred rule that COMMIT finds broken: SQLite refuses, and the transaction is ours."""
    cashier = world.process()
    store, context = cashier._store, cashier._context

    def work(tx: Any) -> None:
        tx.run("PRAGMA defer_foreign_keys=ON", {})
        tx.run("CREATE TABLE parent (id PRIMARY KEY)", {})
        tx.run("CREATE TABLE child (id REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)", {})
        tx.run("INSERT INTO child VALUES (1)", {})

    with pytest.raises(StoreError) as raised:
        store.write(context, work)

    assert not isinstance(raised.value, CommitUnknown)
    with pytest.raises(StoreError, match="no such table"):
        store.read(context, lambda tx: tx.all("SELECT * FROM parent", {}))
    assert isinstance(raised.value.__cause__, sqlite3.Error | None)
