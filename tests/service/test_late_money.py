"""Money is on its way to a payment that has ended, and its gateway answers no inquiries."""

from __future__ import annotations

import pytest

from paygate import Cashier, Kind, Money, Payment
from paygate.dialogue import Dialogue, at_once
from paygate.domain.outcome import Ended, Ending, Pending
from paygate.gateway import Callback, InquiryBy, Notice, NotIdempotent
from paygate.service.account import Timing
from paygate.testing import FakeClock, FakeGateway

NO_FEEDS = Timing(feed_pause=None)


class Bank(FakeGateway):
    """A bank that answers no inquiries; its callbacks report that the payer's money is coming."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(
            Kind.REDIRECT, clock=clock, inquiry=InquiryBy.NONE, idempotency=NotIdempotent()
        )

    def verify(self, callback: Callback) -> Dialogue[list[Notice]]:
        """Read the reference of the payment, which is all that a callback contains."""
        reference = callback.body.decode()
        accepted = Pending(reference=reference)
        at = f"{callback.received_at}"
        return at_once([Notice(event_id=at, type="accepted", reference=reference, answer=accepted)])


class Shop:
    """A shop with an invoice of 61.00, and a page of the bank that was canceled unpaid."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        bank = Bank(self.clock)
        self.cashier = Cashier.in_memory(gateways={"bank": bank}, clock=self.clock, timing=NO_FEEDS)
        total = Money.of("USD", "61.00")
        self.cashier.issue(number="A", customer="C-1", total=total, due="2031-05-01")
        page = self.cashier.collect("A", via="bank", key="p", return_url="https://shop.example/")
        self.payment = self.cashier.cancel(page, key="c").payment

    def told(self) -> Payment:
        """Let the bank report that it has accepted the payer's money."""
        self.clock.advance(seconds=1)
        callback = Callback(
            method="POST",
            path="/",
            headers={},
            body=self.payment.reference.encode(),
            received_at=self.clock.now(),
        )
        self.cashier.receive("bank", callback)
        self.cashier.apply_callbacks()
        return self.now()

    def now(self) -> Payment:
        return self.cashier.payment(self.payment)

    def days(self, count: int) -> Payment:
        for _ in range(count):
            self.clock.advance(days=1)
            self.cashier.recover()
        return self.now()

    def held(self) -> str:
        return str(self.cashier.invoice("A").claimed)


@pytest.fixture
def shop() -> Shop:
    return Shop()


def test_late_money_that_no_inquiry_finds_is_reviewed_at_once(shop: Shop) -> None:
    assert (shop.payment.status, shop.held()) == ("canceled", "0.00 USD")

    after = shop.told()

    assert (after.status, after.needs_review, shop.held()) == ("canceled", True, "61.00 USD")
    assert shop.cashier.fsck() == []


def test_late_money_whose_review_was_finished_is_reviewed_again_after_a_month(shop: Shop) -> None:
    shop.told()

    shop.cashier.reviewed(shop.payment, reason="the bank looks for the money")

    assert shop.cashier.fsck() == []
    assert not shop.told().needs_review  # the same report again is no news
    assert not shop.days(29).needs_review
    assert shop.days(2).needs_review
    assert shop.held() == "61.00 USD"
    assert shop.cashier.fsck() == []


def test_late_money_that_does_not_come_is_ended_by_a_clerk_and_stays_ended(shop: Shop) -> None:
    shop.told()
    shop.cashier.reviewed(shop.payment, reason="the bank looks for the money")

    gone = Ended(how=Ending.CANCELED)
    after = shop.cashier.resolve(shop.payment, gone, evidence="the bank by phone")

    assert (after.status, after.needs_review, shop.held()) == ("canceled", False, "0.00 USD")
    assert not shop.days(40).needs_review
    assert shop.cashier.fsck() == []
