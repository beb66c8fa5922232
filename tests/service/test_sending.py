"""A ledger from a backup: nothing is sent until it has caught up and a person says so."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from paygate import Cashier, PaymentStatus
from paygate.dialogue import Dialogue
from paygate.errors import InvalidValue, SendingStopped, StillCatchingUp
from paygate.gateway import FeedPage, InquiryBy, NotIdempotent
from paygate.testing import FakeClock, FakeGateway
from tests.service.world import usd

KEY = Fernet.generate_key()
BACKUP = "the backup of this morning"


class Shop:
    def __init__(self, folder: Path, **traits: Any) -> None:
        self.clock = FakeClock()
        self.card = FakeGateway(clock=self.clock, **traits)
        self.file = folder / "payments.db"
        self.cashier = self.open()

    def open(self, tenant: str = "main") -> Cashier:
        return Cashier.open(
            f"sqlite:///{self.file}",
            gateways={"card": self.card},
            clock=self.clock,
            token_keys=[KEY],
            tenant=tenant,
        )

    def issue(self, number: str) -> str:
        self.cashier.issue(number=number, customer="C-1", total=usd("30"), due="2026-02-01")
        return number

    def collect(self, number: str, token: str = "tok_visa") -> Any:
        return self.cashier.collect(
            self.issue(number), via="card", method=token, key=f"pay-{number}"
        )

    def back_up(self) -> None:
        self.cashier.close()
        shutil.copy(self.file, self.file.with_suffix(".backup"))
        self.cashier = self.open()

    def restore(self) -> None:
        self.cashier.close()
        for leftover in ("-wal", "-shm"):
            self.file.with_name(self.file.name + leftover).unlink(missing_ok=True)
        shutil.copy(self.file.with_suffix(".backup"), self.file)
        self.cashier = self.open()

    def charges(self) -> int:
        return len(self.card.journal)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path)
    yield shop
    assert shop.cashier.fsck() == []
    shop.cashier.close()


Act = Callable[[Shop], object]
SENDS: dict[str, Act] = {
    "collect": lambda shop: shop.cashier.collect("B", via="card", method="tok_visa", key="k"),
    "authorize": lambda shop: shop.cashier.authorize("B", via="card", method="tok_visa", key="k"),
    "top up": lambda shop: shop.cashier.top_up(
        "C-1", usd("5"), via="card", method="tok_visa", key="k"
    ),
    "refund": lambda shop: (
        shop.cashier.refund(shop.cashier.payments(oldest_first=True)[0], key="k").payment
    ),
    "cancel": lambda shop: (
        shop.cashier.cancel(shop.cashier.payments(oldest_first=True)[0], key="k").payment
    ),
    "enroll": lambda shop: shop.cashier.enroll("C-1", via="card", method="tok_visa", key="k"),
}


@pytest.mark.parametrize("verb", SENDS)
def test_nothing_is_stored_or_sent_while_it_is_stopped(shop: Shop, verb: str) -> None:
    shop.collect("A")
    shop.issue("B")
    shop.cashier.stop_sending(reason=BACKUP)
    before = (shop.cashier.payments(), shop.cashier.method_changes(), shop.charges())

    with pytest.raises(SendingStopped) as refused:
        SENDS[verb](shop)

    assert refused.value.reason == BACKUP
    assert (shop.cashier.payments(), shop.cashier.method_changes(), shop.charges()) == before
    assert shop.cashier.invoice("B").claimed == usd("0")
    shop.cashier.recover()
    shop.cashier.resume_sending(evidence="compared")
    SENDS[verb](shop)


def test_what_sends_nothing_goes_on(shop: Shop) -> None:
    shop.issue("A")
    shop.cashier.stop_sending(reason=BACKUP)

    paid = shop.cashier.record("A", by="cash", key="c")

    assert paid.status is PaymentStatus.SUCCEEDED


@pytest.mark.sqlite
def test_a_charge_that_the_backup_forgot_is_not_made_again(shop: Shop) -> None:
    shop.issue("A")
    shop.back_up()
    shop.cashier.collect("A", via="card", method="tok_visa", key="pay-A")
    assert shop.charges() == 1
    shop.restore()
    assert shop.cashier.payments() == []
    shop.cashier.stop_sending(reason=BACKUP)

    # A host that lost its key as well would pay a second time.
    with pytest.raises(SendingStopped):
        shop.cashier.collect("A", via="card", method="tok_visa", key="another")
    shop.cashier.recover()
    orphans = shop.cashier.callbacks()

    assert shop.charges() == 1
    assert orphans, "the feed tells of the charge that this ledger does not know"


def test_nothing_is_sent_again_while_it_is_stopped_and_once_after(shop: Shop) -> None:
    payment = shop.collect("A")
    shop.card.script("unknown_lost", operation="refund")
    shop.cashier.refund(payment, key="r", to="reopen")
    shop.cashier.stop_sending(reason=BACKUP)

    for _ in range(4):
        shop.clock.advance(timedelta(minutes=2))
        shop.cashier.recover()
    assert shop.cashier.payment(payment).returned == usd("0")
    assert shop.card.moved("USD") == usd("30")
    shop.clock.advance(timedelta(minutes=30))
    shop.cashier.recover()
    shop.cashier.resume_sending(evidence="compared with the dashboard")
    for _ in range(3):
        shop.clock.advance(timedelta(hours=2))
        shop.cashier.recover()

    assert shop.cashier.payment(payment).returned == usd("30")
    assert shop.card.moved("USD") == usd("0")


def test_sending_is_resumed_only_when_the_ledger_has_caught_up(shop: Shop) -> None:
    shop.collect("A", "tok_unknown_executed")
    for callback in shop.card.callbacks():
        shop.cashier.receive("card", callback)
    shop.clock.advance(timedelta(minutes=5))
    shop.cashier.stop_sending(reason=BACKUP)
    shop.clock.advance(timedelta(minutes=5))

    with pytest.raises(StillCatchingUp) as refused:
        shop.cashier.resume_sending(evidence="I think so")
    assert [wait.partition(" ")[2] for wait in refused.value.waits[:1]] == [
        "attempt to inquire about"
    ]
    assert refused.value.waits[-1] == "the feed of account 'card'"
    shop.cashier.recover()
    shop.cashier.resume_sending(evidence="compared with the dashboard")

    assert shop.cashier.sending_stopped() is None
    assert shop.charges() == 1


def test_a_feed_that_was_read_before_the_stop_is_read_again(shop: Shop) -> None:
    """By no clock: here none of them moves, and those of two machines differ."""
    shop.cashier.recover()
    shop.cashier.stop_sending(reason=BACKUP)

    with pytest.raises(StillCatchingUp, match="the feed of account 'card'"):
        shop.cashier.resume_sending(evidence="compared")
    shop.cashier.recover()
    shop.cashier.resume_sending(evidence="compared")

    assert shop.cashier.sending_stopped() is None


class Interrupting(FakeGateway):
    """A card account that lets something happen while its feed is read."""

    meanwhile: Callable[[], object] = staticmethod(lambda: None)

    def feed(self, cursor: str) -> Dialogue[FeedPage]:
        self.meanwhile()
        return super().feed(cursor)


def test_a_reading_that_had_begun_before_the_stop_does_not_count() -> None:
    card = Interrupting()
    with Cashier.in_memory(gateways={"card": card}) as cashier:
        card.meanwhile = lambda: cashier.stop_sending(reason=BACKUP)
        cashier.read_feeds()
        card.meanwhile = lambda: None

        with pytest.raises(StillCatchingUp, match="the feed of account 'card'"):
            cashier.resume_sending(evidence="compared")
        cashier.read_feeds()
        cashier.resume_sending(evidence="compared")


def test_a_person_may_know_better(shop: Shop) -> None:
    shop.cashier.stop_sending(reason=BACKUP)

    shop.cashier.resume_sending(evidence="their support says that no events are kept", force=True)

    [stopped, resumed] = [event for event in shop.cashier.events() if event.aggregate == "ledger"]
    assert stopped.data["reason"] == resumed.data["reason"] == BACKUP
    assert resumed.data["waits"] == ["the feed of account 'card'"]


def test_it_holds_for_every_process_and_tenant_and_is_said_once(shop: Shop) -> None:
    first = shop.cashier.stop_sending(reason=BACKUP)
    again = shop.cashier.stop_sending(reason="another word")
    other = shop.open("another merchant")

    assert first == again == other.sending_stopped()
    with pytest.raises(SendingStopped):
        other.top_up("C-9", usd("5"), via="card", method="tok_visa", key="k")
    other.close()
    with pytest.raises(InvalidValue):
        shop.cashier.stop_sending(reason=" ")
    with pytest.raises(InvalidValue):
        shop.cashier.resume_sending(evidence="")


class Two:
    """Two merchants of one ledger, each with a card account and a feed of its own."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.north, self.south = (self.open(folder, name) for name in ("north", "south"))

    def open(self, folder: Path, tenant: str) -> Cashier:
        card = FakeGateway(clock=self.clock)
        return Cashier.open(
            f"sqlite:///{folder / 'both.db'}",
            gateways={"card": card},
            clock=self.clock,
            tenant=tenant,
        )


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Two]:
    two = Two(tmp_path)
    yield two
    two.north.close()
    two.south.close()


def test_another_tenant_that_has_not_caught_up_keeps_sending_stopped(two: Two) -> None:
    two.south.issue(number="A", customer="C-1", total=usd("30"), due="2026-02-01")
    two.south.collect("A", via="card", method="tok_unknown_executed", key="k")
    two.north.stop_sending(reason=BACKUP)
    two.clock.advance(timedelta(minutes=5))
    two.north.recover()

    with pytest.raises(StillCatchingUp) as refused:
        two.north.resume_sending(evidence="compared with the dashboard")

    assert refused.value.waits == [
        "1 attempt to inquire about of tenant 'south'",
        "the feed of account 'card' of tenant 'south'",
    ]
    assert two.north.sending_stopped() is not None
    two.south.recover()
    two.north.resume_sending(evidence="compared with both dashboards")
    assert two.south.sending_stopped() is None


def test_callbacks_of_another_tenant_keep_sending_stopped(two: Two) -> None:
    two.south.issue(number="A", customer="C-1", total=usd("30"), due="2026-02-01")
    two.south.collect("A", via="card", method="tok_visa", key="k")
    two.north.stop_sending(reason=BACKUP)
    card = two.south.gateways["card"].gateway
    assert isinstance(card, FakeGateway)
    for callback in card.callbacks():
        two.south.receive("card", callback)
    two.north.recover()
    two.south.read_feeds()

    with pytest.raises(StillCatchingUp) as refused:
        two.north.resume_sending(evidence="compared with the dashboard")

    assert [wait.partition(" ")[2] for wait in refused.value.waits] == [
        "callback to apply of tenant 'south'"
    ]


def test_parts_of_a_refund_that_were_not_sent_yet_wait(tmp_path: Path) -> None:
    shop = Shop(tmp_path, inquiry=InquiryBy.NONE, idempotency=NotIdempotent())
    shop.cashier.authorize(shop.issue("A"), via="card", method="tok_visa", key="a")
    [payment] = shop.cashier.payments()
    shop.cashier.capture(payment, key="1", amount=usd("10"), final=False)
    shop.cashier.capture(payment, key="2", final=True)
    stopper = shop.open()

    class Stops(FakeGateway):
        def answer(self, request: Any) -> Any:
            if request.step == "refund":
                stopper.stop_sending(reason=BACKUP)
            return shop.card.answer(request)

    stopping = Stops(clock=shop.clock, inquiry=InquiryBy.NONE, idempotency=NotIdempotent())
    with Cashier.open(
        f"sqlite:///{shop.file}", gateways={"card": stopping}, clock=shop.clock
    ) as cashier:
        back = cashier.refund(payment, key="r", to="reopen").payment

    assert back.returned == usd("20")
    shop.clock.advance(timedelta(minutes=10))
    assert shop.cashier.payment(payment).returned == usd("20")
    shop.cashier.recover()
    shop.cashier.resume_sending(evidence="compared")
    shop.clock.advance(timedelta(hours=1))
    shop.cashier.recover()
    assert shop.cashier.payment(payment).returned == usd("30")
    assert shop.card.moved("USD") == usd("0")
    stopper.close()
    shop.cashier.close()
