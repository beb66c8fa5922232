"""Money is on its way to a payment that has ended, as the callbacks of its gateway report."""

from __future__ import annotations

import pytest

from paygate import Cashier, Kind, Money, Payment
from paygate.dialogue import Dialogue, at_once
from paygate.domain.outcome import (
    DeclineCode,
    Declined,
    Ended,
    Ending,
    Finding,
    Outcome,
    Pending,
)
from paygate.gateway import Callback, Inquiry, InquiryBy, Notice, NotIdempotent
from paygate.service.account import Timing
from paygate.testing import FakeClock, FakeGateway

NO_FEEDS = Timing(feed_pause=None)
ACCEPTED = Pending()
CANCELED = Ended(how=Ending.CANCELED)
DECLINED = Declined(code=DeclineCode.GENERIC, raw_code="05", retryable=True)


class Bank(FakeGateway):
    """A bank that answers no inquiries, and reports in its callbacks what `reports` holds."""

    reports: Outcome = Pending()

    def __init__(self, clock: FakeClock, inquiry: InquiryBy = InquiryBy.NONE) -> None:
        super().__init__(Kind.REDIRECT, clock=clock, inquiry=inquiry, idempotency=NotIdempotent())

    def verify(self, callback: Callback) -> Dialogue[list[Notice]]:
        """Return a notice about the payment whose reference is all that a callback contains."""
        reference, at = callback.body.decode(), f"{callback.received_at}"
        return at_once([Notice(event_id=at, type="news", reference=reference, answer=self.reports)])


class Branch(Bank):
    """A bank that answers inquiries with what `finds` holds."""

    finds: Finding = Pending()

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock, InquiryBy.OUR_REF)

    def look_up(self, inquiry: Inquiry) -> Dialogue[Finding]:
        """Return what `finds` holds."""
        del inquiry
        return at_once(self.finds)


class Shop:
    """A shop with an invoice of 61.00, and a page of the bank that was canceled unpaid."""

    def __init__(self, bank: type[Bank] = Bank) -> None:
        self.clock = FakeClock()
        self.bank = bank(self.clock)
        self.cashier = Cashier.in_memory(
            gateways={"bank": self.bank}, clock=self.clock, timing=NO_FEEDS
        )
        total = Money.of("USD", "61.00")
        self.cashier.issue(number="A", customer="C-1", total=total, due="2031-05-01")
        page = self.cashier.collect("A", via="bank", key="p", return_url="https://shop.example/")
        self.payment = self.cashier.cancel(page, key="c").payment

    def told(self, outcome: Outcome = ACCEPTED) -> Payment:
        """Let the bank report an outcome; by default, that it has accepted the payer's money."""
        self.clock.advance(seconds=1)
        self.bank.reports = outcome
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

    after = shop.cashier.resolve(shop.payment, CANCELED, evidence="the bank by phone")

    assert (after.status, after.needs_review, shop.held()) == ("canceled", False, "0.00 USD")
    assert not shop.days(40).needs_review
    assert shop.cashier.fsck() == []


@pytest.mark.parametrize("end", [CANCELED, DECLINED])
def test_an_end_that_may_be_older_than_the_late_money_frees_no_invoice(
    shop: Shop, end: Outcome
) -> None:
    """The report of the cancellation is overtaken by that of the money; nobody can be asked."""
    shop.told()
    shop.cashier.reviewed(shop.payment, reason="the bank looks for the money")

    after = shop.told(end)

    assert (after.status, after.needs_review, shop.held()) == ("canceled", True, "61.00 USD")
    assert shop.cashier.fsck() == []
    ended = shop.cashier.resolve(shop.payment, CANCELED, evidence="the bank by phone")
    assert (ended.needs_review, shop.held()) == (False, "0.00 USD")


@pytest.mark.parametrize("end", [CANCELED, DECLINED])
def test_a_bank_is_asked_whether_an_end_is_older_than_the_late_money(end: Outcome) -> None:
    shop = Shop(Branch)
    shop.told()

    after = shop.told(end)

    assert (after.needs_review, shop.held()) == (False, "61.00 USD")
    assert isinstance(shop.bank, Branch)
    shop.bank.finds = CANCELED
    assert not shop.told(end).needs_review
    assert shop.held() == "0.00 USD"
    assert shop.cashier.fsck() == []


def test_a_bank_is_asked_whether_a_page_ended_before_its_money_was_on_its_way() -> None:
    """The payer pays an expired page; the report of its expiry is overtaken by that."""
    shop = Shop(Branch)
    page = shop.cashier.collect("A", via="bank", key="p2", return_url="https://shop.example/")
    shop.payment = page
    assert shop.told().status == "processing"

    after = shop.told(Ended(how=Ending.EXPIRED))

    assert (after.status, shop.held()) == ("processing", "61.00 USD")
    assert shop.cashier.fsck() == []
