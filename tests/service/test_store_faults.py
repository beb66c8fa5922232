"""The ledger that cannot be written when the answer is there; and the process that stalls."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

import pytest

from paygate import Cashier, Kind, Payment
from paygate.domain.payment import PaymentStatus
from paygate.errors import ItemAlreadyBeingPaid, LedgerCorrupt, StoreBusy, StoreError, StoreFull
from paygate.gateway import Keyed
from paygate.ledger.sqlite import SqliteStore
from paygate.ledger.tx import Context, Tx
from paygate.service.flow import Exchange, Step, Write
from paygate.testing import FakeClock
from tests.service.world import (
    BACK,
    LEASE,
    PAYER,
    Doomed,
    PowerCut,
    World,
    assert_sound,
    assert_truth,
    usd,
)
from tests.stores import sqlite_of

T = TypeVar("T")


class Unwritable(Doomed):
    """A cashier whose ledger refuses to be written *faults* times once something was sent."""

    fault: type[StoreError]
    faults: int
    refused: int = 0

    def _do(self, step: Step) -> Any:
        sent = any(isinstance(done, Exchange) for done in self.steps)
        if sent and isinstance(step, Write) and self.refused < self.faults:
            self.refused += 1
            raise self.fault("as planned")
        return super()._do(step)


def unwritable(world: World, fault: type[StoreError], faults: int) -> Unwritable:
    process = world.start(Unwritable)
    process.dies_at, process.steps = 0, []
    process.fault, process.faults = fault, faults
    return process


def issue(cashier: Cashier) -> None:
    cashier.issue(number="INV-1", customer=PAYER, total=usd("30.00"), due="2026-02-01")


def pay(cashier: Cashier, key: str = "k1") -> Payment:
    return cashier.collect("INV-1", via="card", method="tok_visa", key=key)


@pytest.mark.parametrize("fault", [StoreBusy, StoreFull])
@pytest.mark.parametrize("faults", [1, 2])
def test_an_answer_in_hand_is_written_when_the_ledger_recovers(
    world: World, fault: type[StoreError], faults: int
) -> None:
    world.add("card", Kind.CARD)
    issue(world.process())

    payment = pay(unwritable(world, fault, faults))

    assert payment.status is PaymentStatus.SUCCEEDED
    assert_truth(world, world.process())


@pytest.mark.parametrize("fault", [StoreBusy, StoreFull])
def test_an_answer_that_cannot_be_written_is_found_again(
    world: World, fault: type[StoreError]
) -> None:
    fake = world.add("card", Kind.CARD)
    issue(world.process())

    with pytest.raises(fault):
        pay(unwritable(world, fault, 1_000))
    cashier = world.process()
    waiting = pay(cashier)
    with pytest.raises(ItemAlreadyBeingPaid):
        pay(cashier, key="k2")
    world.settle(cashier)

    assert waiting.status is PaymentStatus.PROCESSING
    assert pay(cashier).status is PaymentStatus.SUCCEEDED
    assert fake.moved("USD") == usd("30.00")
    assert_truth(world, cashier)
    assert_sound(cashier)


def test_a_broken_rule_of_the_books_is_not_tried_again(world: World) -> None:
    world.add("card", Kind.CARD)
    issue(world.process())
    process = unwritable(world, LedgerCorrupt, 1_000)

    with pytest.raises(LedgerCorrupt):
        pay(process)

    assert process.refused == 1


class SmallDisk:
    """Lets the ledger's file grow no more, as a full disk does: the error is SQLite's own."""

    def __init__(self, cashier: Cashier) -> None:
        store = cashier._store
        assert isinstance(store, SqliteStore)
        self._connection = store._writer()

    def fill(self) -> None:
        pages = self._connection.execute("PRAGMA page_count").fetchone()[0]
        self._connection.execute(f"PRAGMA max_page_count={pages}")

    def make_room(self) -> None:
        self._connection.execute("PRAGMA max_page_count=1000000")


class FillsUp(Doomed):
    """A cashier whose disk is full once something was sent."""

    def _do(self, step: Step) -> Any:
        result = super()._do(step)
        if isinstance(step, Exchange):
            SmallDisk(self).fill()
        return result


def bulky(number: int) -> dict[str, Any]:
    """An invoice whose number takes a good part of a page, so that a disk fills soon."""
    return {
        "number": f"{number:0>100}",
        "customer": PAYER,
        "total": usd("1.00"),
        "due": "2026-02-01",
    }


def fill_up(cashier: Cashier) -> SmallDisk:
    disk = SmallDisk(cashier)
    disk.fill()
    for number in range(1_000):
        try:
            cashier.issue(**bulky(number))
        except StoreFull:
            return disk
    raise AssertionError("the disk never filled up")


@pytest.mark.sqlite
def test_a_full_disk_before_anything_was_sent_leaves_nothing(world: World) -> None:
    fake = world.add("card", Kind.CARD)
    cashier = world.process()
    issue(cashier)
    disk = fill_up(cashier)
    before = cashier.invoice("INV-1")

    refused = 0
    for number in range(100):
        try:
            cashier.record("INV-1", by="cash", amount=usd("0.01"), key=f"full-{number}")
        except StoreFull:
            refused += 1
            assert cashier.invoice("INV-1") == before
        before = cashier.invoice("INV-1")
    assert refused > 0
    assert_sound(cashier)

    disk.make_room()
    assert pay(cashier).status is PaymentStatus.SUCCEEDED
    assert fake.moved("USD") == before.open
    assert_sound(cashier)


@pytest.mark.sqlite
def test_a_disk_that_is_full_when_the_answer_comes_costs_no_second_charge(world: World) -> None:
    fake = world.add("card", Kind.CARD)
    issue(world.process())
    process = world.start(FillsUp)
    process.dies_at, process.steps = 0, []

    full = 0
    for number in range(30):
        try:
            process.top_up(PAYER, usd("1.00"), via="card", method="tok_visa", key=f"t-{number}")
        except StoreFull:
            full += 1
    assert full > 0, "the disk never filled up"
    cashier = world.process()
    world.settle(cashier)

    for payment in cashier.payments():
        assert payment.status is PaymentStatus.SUCCEEDED
    assert_truth(world, cashier)
    assert_sound(cashier)
    assert fake.moved("USD") == usd("1.00") * len(cashier.payments())


# --- The lease -----------------------------------------------------------------------------


class Stalls(Doomed):
    """A cashier that is stopped for *pause* before it sends, while *meanwhile* happens."""

    clock: FakeClock
    pause: timedelta
    meanwhile: Callable[[], object] = staticmethod(lambda: None)

    def _do(self, step: Step) -> Any:
        if isinstance(step, Exchange) and step.lease is not None:
            self.clock.advance(self.pause)
            self.meanwhile()
        return super()._do(step)


def stalls(world: World, pause: timedelta) -> Stalls:
    process = world.start(Stalls)
    process.dies_at, process.steps, process.pause = 0, [], pause
    process.clock = world.clock
    return process


def test_a_process_that_stalls_past_its_lease_does_not_send(world: World) -> None:
    fake = world.add("card", Kind.CARD)
    issue(world.process())

    payment = pay(stalls(world, LEASE))

    assert payment.status is PaymentStatus.FAILED
    assert payment.retryable
    assert fake.journal == ()
    assert pay(world.process(), key="k2").status is PaymentStatus.SUCCEEDED


def test_a_process_that_stalls_within_its_lease_sends(world: World) -> None:
    world.add("card", Kind.CARD)
    issue(world.process())

    assert pay(stalls(world, LEASE - timedelta(seconds=1))).status is PaymentStatus.SUCCEEDED


def test_a_stalled_process_does_not_undo_what_recovery_found(world: World) -> None:
    """While one stands still, another sends the same request again: the first says nothing new."""
    fake = world.add("card", Kind.REDIRECT, idempotency=Keyed(ttl=timedelta(hours=1)))
    issue(world.process())
    other = Cashier.open(
        f"sqlite:///{world.folder / 'ledger.db'}", gateways=world.gateways, clock=world.clock
    )
    found: list[Payment] = []
    process = stalls(world, LEASE)
    process.meanwhile = lambda: found.extend(other.recover())
    payment = process.collect("INV-1", via="card", key="page", payer=PAYER, return_url=BACK)
    other.close()

    assert payment.status is PaymentStatus.REQUIRES_ACTION
    assert [one.reference for one in found] == [payment.reference]
    assert list(fake.processor._truth.orders) == [payment.reference], "only recovery sent"


def test_a_late_answer_is_welcome_after_recovery_gave_up(world: World) -> None:
    """The merge of an answer is never fenced, whatever was concluded meanwhile."""
    fake = world.add("card", Kind.CARD, not_found_is_final_after=timedelta(0))
    issue(world.process())
    other = Cashier.open(
        f"sqlite:///{world.folder / 'ledger.db'}", gateways=world.gateways, clock=world.clock
    )

    class AnswersLate(Doomed):
        def _do(self, step: Step) -> Any:
            if isinstance(step, Exchange):
                # Recovery looks before the request arrives, and is wrong.
                for _ in range(4):
                    world.clock.advance(timedelta(minutes=10))
                    other.recover()
                assert other.payments(oldest_first=True)[0].status is PaymentStatus.FAILED
                return fake.answer(step.request)
            return super()._do(step)

    process = world.start(AnswersLate)
    process.dies_at, process.steps = 0, []
    payment = pay(process)
    other.close()

    assert payment.status is PaymentStatus.SUCCEEDED
    assert "payment.late_success" in [event.type for event in process.events()]
    assert_truth(world, process)
    assert_sound(process)


def test_a_clock_that_jumps_back_neither_sends_again_nor_fails(world: World) -> None:
    fake = world.add("card", Kind.CARD)
    fake.processor.clock = FakeClock()  # the processor's clock is right
    issue(world.process())
    with pytest.raises(PowerCut):
        pay(world.doomed(2, lost=True))
    cashier = world.process()

    world.clock.advance(timedelta(days=-30))
    assert cashier.recover() == []
    assert cashier.inquire(cashier.payments(oldest_first=True)[0]).status is PaymentStatus.SUCCEEDED

    assert fake.moved("USD") == usd("30.00")
    assert_truth(world, cashier)


# --- Real SQLite, busy -------------------------------------------------------------------------


@pytest.mark.sqlite
def test_a_writer_that_never_lets_go_is_a_typed_error_and_nothing_is_written(
    world: World,
) -> None:
    world.add("card", Kind.CARD)
    cashier = world.process()
    issue(cashier)
    sqlite_of(cashier)._busy_s = 0.0
    blocker = sqlite3.connect(world.folder / "ledger.db", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")

    with pytest.raises(StoreBusy):
        pay(cashier)

    blocker.close()
    assert cashier.payments() == []
    assert pay(cashier).status is PaymentStatus.SUCCEEDED


def test_a_unit_of_work_that_runs_twice_writes_once(world: World) -> None:
    """A store may run a unit of work again after a conflict: it captures no state."""
    world.add("card", Kind.CARD)
    cashier = world.process()
    store = cashier._store
    once = store.write

    def twice(context: Context, work: Callable[[Tx], T]) -> T:
        def give_up(tx: Tx) -> T:
            work(tx)
            raise StoreBusy("a serialization failure, as PostgreSQL has them")

        with pytest.raises(StoreBusy):
            once(context, give_up)
        return once(context, work)

    store.write = twice  # type: ignore[method-assign]
    issue(cashier)
    cashier.record([], customer=PAYER, amount=usd("4.00"), by="cash", key="credit")
    payment = cashier.collect("INV-1", via="card", method="tok_visa", key="k1", credit=usd("4.00"))
    cashier.reverse(payment, reason="by mistake", fee=usd("1.00"), force=True)

    assert cashier.invoice("INV-1").open == usd("30.00")
    assert_truth(world, cashier)
    assert_sound(cashier)
