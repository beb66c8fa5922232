"""What an operator sees at eight in the morning: each thing that needs attention, by its name."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from paygate import Cashier, Event, Money
from paygate.dialogue import Dialogue, at_once
from paygate.domain.callback import InboxState, Refusal
from paygate.domain.outcome import Finding, Outcome, RejectCause, Rejected
from paygate.domain.status import Concern, LedgerStatus
from paygate.errors import BadResponse, NoResponse, NotAuthentic
from paygate.gateway import Callback, Charge, FeedPage, Inquiry, Notice
from paygate.service.publish import RETRY_PLAN
from paygate.testing import FakeClock, FakeGateway


class Moody(FakeGateway):
    """A processor with which everything can go wrong."""

    credentials_good = True
    feed_good = True
    reachable = True
    told: tuple[Notice, ...] = ()

    def charge(self, charge: Charge) -> Dialogue[Outcome]:
        if self.credentials_good:
            return super().charge(charge)
        return at_once(Rejected(cause=RejectCause.CREDENTIALS, retryable=False, raw_code="E00007"))

    def look_up(self, inquiry: Inquiry) -> Dialogue[Finding]:
        if self.reachable:
            return super().look_up(inquiry)
        raise NoResponse("nothing within 30 s")

    def feed(self, _: str) -> Dialogue[FeedPage]:
        if not self.feed_good:
            raise BadResponse("the processor's events cannot be read (403)")
        return at_once(FeedPage(notices=self.told, cursor="1", more=False))


class Shop:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.card = Moody(clock=self.clock)
        self.cashier = Cashier.in_memory(
            gateways={"card": self.card}, clock=self.clock, token_keys=[KEY]
        )
        self.number = 0
        self.cashier.recover()

    def issue(self, due: str = "2031-03-01", currency: str = "USD") -> str:
        self.number += 1
        number, total = f"INV-{self.number}", Money.of(currency, "84.00")
        self.cashier.issue(number=number, customer="K-1", total=total, due=due)
        return number

    def pay(self, method: str = "tok_visa") -> Any:
        number = self.issue()
        return self.cashier.collect(number, via="card", method=method, key=number)

    def wait(self, times: int = 1, **pause: float) -> None:
        for _ in range(times):
            self.clock.advance(timedelta(**pause))
            self.cashier.recover()

    def status(self) -> LedgerStatus:
        return self.cashier.status()

    def concern(self) -> Concern:
        [one] = self.status().concerns
        return one


KEY = "cGF5Z2F0ZS1zdGF0dXMtdGVzdHMtZXhhbXBsZS1rZXk="


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()
    yield shop
    assert shop.cashier.fsck() == []
    shop.cashier.close()


def test_a_day_on_which_all_went_well_needs_nobody(shop: Shop) -> None:
    for method in ("tok_visa", "tok_declined", "tok_pending"):
        shop.pay(method)
    shop.wait(minutes=30)

    found = shop.status()

    assert found.concerns == []
    assert [(one.name, one.feed_fault) for one in found.accounts] == [("card", "")]
    assert found.accounts[0].read_at == shop.clock.now()


def test_invoices_and_payments_are_counted_and_added_up(shop: Shop) -> None:
    overdue, part = shop.issue(due="2020-01-01"), shop.issue()
    shop.issue(currency="CAD")
    shop.cashier.void(shop.issue(), reason="typo")
    shop.pay()
    shop.pay("tok_declined")
    shop.cashier.record(part, by="cash", key="c", amount=Money.of("USD", "4.00"))
    del overdue

    found = shop.status()

    [cad, usd] = found.invoices
    assert (cad.currency, cad.open, cad.still_open) == ("CAD", 1, Money.of("CAD", "84.00"))
    assert (usd.open, usd.partially_paid, usd.paid, usd.void, usd.overdue) == (2, 1, 1, 1, 1)
    assert usd.still_open == Money.of("USD", "248.00")
    assert {(one.status, one.count, str(one.amount)) for one in found.payments} == {
        ("succeeded", 2, "88.00 USD"),
        ("declined", 1, "84.00 USD"),
    }


def test_payments_are_added_up_net_of_what_was_returned(shop: Shop) -> None:
    paid, other = shop.pay(), shop.pay()
    shop.cashier.refund(paid, key="r", amount=Money.of("USD", "10.00"))
    shop.cashier.cancel(other, key="x")
    shop.pay("tok_declined")

    found = {
        one.status: tuple(map(str, (one.amount, one.received, one.returned, one.net)))
        for one in shop.status().payments
    }

    assert found == {
        "succeeded": ("168.00 USD", "168.00 USD", "94.00 USD", "74.00 USD"),
        "declined": ("84.00 USD", "0.00 USD", "0.00 USD", "0.00 USD"),
    }


def test_wrong_credentials(shop: Shop) -> None:
    shop.card.credentials_good = False
    shop.pay()

    one = shop.concern()

    assert (one.name, one.subject, one.since) == (
        "credentials-rejected",
        "card",
        shop.clock.now(),
    )
    assert "E00007" in one.text


def test_a_feed_that_fails_for_an_hour(shop: Shop) -> None:
    shop.card.feed_good = False
    shop.wait(minutes=10)
    began = shop.clock.now()
    soon = shop.status()
    shop.wait(6, minutes=10)

    one = shop.concern()

    assert soon.concerns == []
    assert "403" in soon.accounts[0].feed_fault
    assert (one.name, one.subject, one.since) == ("feed-failing", "card", began)
    assert "403" in one.text


def test_a_feed_that_nobody_reads() -> None:
    clock = FakeClock()
    with Cashier.in_memory(gateways={"card": Moody(clock=clock)}, clock=clock) as cashier:
        opened = clock.now()
        fresh = cashier.status().concerns
        clock.advance(days=2)
        [never] = cashier.status().concerns
        cashier.read_feeds()
        read = cashier.status().concerns
        clock.advance(days=2)
        [stale] = cashier.status().concerns
        clock.advance(days=60)
        retired = cashier.status().concerns

    assert (fresh, read, retired) == ([], [], [])
    assert (never.name, never.subject, never.since) == ("feed-unread", "card", opened)
    assert "never read" in never.text
    assert stale.name == "feed-unread"


def test_refused_callbacks_and_why(shop: Shop) -> None:
    forged = Callback(
        method="POST",
        path="/",
        headers={"fake-signature": "t=1,v1=0"},
        body=b'{"type": "payment.succeeded", "id": "evt_1"}',
        received_at=shop.clock.now(),
    )
    with pytest.raises(NotAuthentic):
        shop.cashier.receive("card", forged)

    one = shop.concern()
    [account] = shop.status().accounts
    shop.wait(50, hours=1)
    later = shop.status()

    assert (one.name, one.subject) == ("callbacks-refused", "card")
    assert all(text in one.text for text in ("1 refused (signature)", "payment.succeeded evt_1"))
    assert [(each.why, each.times) for each in account.refused] == [(Refusal.SIGNATURE, 1)]
    assert later.concerns == []
    assert later.accounts[0].refused == account.refused


def test_what_anybody_can_send_needs_nobody(shop: Shop) -> None:
    nothing = Callback(method="GET", path="/", headers={}, body=b"", received_at=shop.clock.now())
    with pytest.raises(NotAuthentic):
        shop.cashier.receive("card", nothing)

    assert shop.status().concerns == []
    assert [each.why for each in shop.status().accounts[0].refused] == [Refusal.UNSIGNED]


def test_an_orphan(shop: Shop) -> None:
    shop.card.told = (Notice(event_id="e", type="paid", our_ref="att_of_nobody"),)
    reported_at = shop.clock.now() + timedelta(hours=7)
    shop.wait(12, hours=7)

    one = shop.concern()

    assert (one.name, one.subject, one.since) == ("callbacks-stuck", "card", reported_at)
    assert one.text == "1 about operations that are not in this ledger"
    assert shop.status().accounts[0].stuck == {InboxState.ORPHAN: 1}


def test_unknown_outcomes_by_age(shop: Shop) -> None:
    shop.card.reachable = False
    first = shop.pay("tok_unknown_executed")
    began = shop.clock.now()
    young = shop.status()
    shop.wait(7, hours=6)
    shop.pay("tok_unknown_executed")

    found = shop.status()

    assert (young.unknown.within_an_hour, young.concerns) == (1, [])
    assert (found.unknown.within_an_hour, found.unknown.within_a_week) == (1, 1)
    assert found.unknown.oldest[0] == first.id
    [one] = found.concerns
    assert (one.name, one.since) == ("outcome-unknown", began)
    assert one.text.startswith("1 outcome unknown for more than a day: ")
    assert first.id in one.text


def test_a_review_and_a_conflict(shop: Shop) -> None:
    payment = shop.pay("tok_other_amount")

    one = shop.concern()

    assert (one.name, one.since) == ("review", payment.created_at)
    assert one.text == f"1 payment to review, 1 of them conflicted: {payment.id}"


def test_nobody_recovers(shop: Shop) -> None:
    shop.pay("tok_unknown_executed")
    shop.clock.advance(hours=2)

    one = shop.concern()

    assert (one.name, one.subject) == ("recovery-overdue", "card")
    assert one.text.startswith("1 inquiry and 0 callbacks are overdue")


def test_a_sink_that_cannot_be_reached_and_one_that_refuses(shop: Shop) -> None:
    def away(event: Event) -> None:
        raise ConnectionError("no route")

    def refusing(event: Event) -> None:
        raise ValueError("409: who is this?")

    shop.cashier.subscribe("crm", away)
    shop.cashier.subscribe("books", refusing)
    shop.issue()
    shop.cashier.publish()
    began = shop.clock.now()
    soon = shop.status().concerns
    for pause in RETRY_PLAN:
        shop.wait(seconds=pause.total_seconds())
        shop.cashier.publish()

    dead, down = shop.status().concerns

    assert soon == []
    assert (down.name, down.subject, down.since) == ("sink-unreached", "crm", began)
    assert (dead.name, dead.subject, dead.since) == ("dead-letters", "books", began)
    assert dead.text.startswith("1 event given up, the last one for: ValueError: 409")
    assert {each.name: each.dead_letters for each in shop.status().sinks} == {"books": 1, "crm": 0}


def test_nobody_publishes(shop: Shop) -> None:
    heard: list[Event] = []
    shop.cashier.subscribe("crm", heard.append)
    shop.issue()
    shop.cashier.publish()
    shop.wait(hours=2)
    before = shop.status().concerns
    shop.issue()
    began = shop.clock.now()
    shop.wait(minutes=59)
    soon = shop.status().concerns
    shop.wait(30, days=1)

    one = shop.concern()

    assert (before, soon) == ([], [])
    assert (one.name, one.subject, one.since) == ("sink-behind", "crm", began)
    assert one.text.startswith("no process publishes events to it; if it was removed, run")
    shop.cashier.publish()
    assert shop.status().concerns == []
    assert len(heard) == 2


def test_sending_is_stopped(shop: Shop) -> None:
    shop.cashier.acting_as("ann").stop_sending(reason="restored from Tuesday's backup")

    one = shop.concern()

    assert (one.name, one.since) == ("sending-stopped", shop.clock.now())
    assert one.text == "sending was stopped by ann: restored from Tuesday's backup"
