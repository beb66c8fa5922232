"""A payer comes back from a page whose invoice another payment has paid, or is paying."""

from collections.abc import Iterator

import pytest

from paygate import Cashier, CreditReason, Kind, Money, OperationState, Payment, PaymentStatus
from paygate.dialogue import Dialogue, at_once
from paygate.domain.outcome import Ended, Ending, Finding, Pending
from paygate.errors import ItemAlreadyBeingPaid
from paygate.gateway import Inquiry, InquiryBy
from paygate.testing import FakeClock, FakeGateway, Habits

BACK = "https://shop.example/back"


def usd(amount: str) -> Money:
    return Money.of("USD", amount)


class Shop:
    """An account whose pages take the money by themselves, one whose pages wait, and a till."""

    def __init__(self) -> None:
        clock = FakeClock()
        self.clock = clock
        self.form = FakeGateway(Kind.REDIRECT, clock=clock, withdrawable=False)
        self.waits = FakeGateway(
            Kind.REDIRECT, clock=clock, withdrawable=False, habits=Habits(needs_complete=True)
        )
        self.card = FakeGateway(Kind.CARD, clock=clock)
        self.cashier = self.open(form=self.form, waits=self.waits, card=self.card)

    def open(self, **gateways: FakeGateway) -> Cashier:
        cashier = Cashier.in_memory(gateways=gateways, clock=self.clock)
        cashier.issue(number="A", customer="C-1", total=usd("30"), due="2026-02-01")
        return cashier

    def shown(self, via: str = "form") -> Payment:
        return self.cashier.collect("A", via=via, key="page", return_url=BACK)

    def credit(self) -> list[tuple[Money, CreditReason]]:
        return [(each.amount, each.reason) for each in self.cashier.credits("C-1")]

    def warned(self, payment: Payment, text: str) -> bool:
        return any(
            each.type == "payment.alert" and text in each.data["reason"]
            for each in self.cashier.events(limit=1000)
            if each.aggregate == payment.id
        )


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()
    yield shop
    assert shop.cashier.fsck() == []
    shop.cashier.close()


def test_money_paid_on_a_page_for_an_invoice_paid_meanwhile_is_credit(shop: Shop) -> None:
    page = shop.shown()
    cash = shop.cashier.record("A", by="cash", key="till")
    shop.form.pay(page.reference)

    result = shop.cashier.complete(page)

    assert (result.state, result.succeeded) == (OperationState.SUCCEEDED, usd("30"))
    assert (result.payment.status, result.payment.received) == (PaymentStatus.SUCCEEDED, usd("30"))
    assert shop.credit() == [(usd("30"), CreditReason.ALREADY_PAID)]
    assert shop.warned(page, "paid otherwise; it is credit")
    assert shop.cashier.payment(cash).received == usd("30")


def test_money_paid_on_a_page_that_another_payment_took_over_is_credit(shop: Shop) -> None:
    page = shop.shown()
    shop.cashier.collect("A", via="card", method="tok_unknown_executed", key="card")
    shop.form.pay(page.reference)

    result = shop.cashier.complete(page)

    assert (result.payment.status, result.payment.received) == (PaymentStatus.SUCCEEDED, usd("30"))
    assert shop.credit() == [(usd("30"), CreditReason.BEING_PAID)]
    assert shop.warned(page, "another payment holds; it is credit")
    shop.cashier.recover()
    assert shop.cashier.invoice("A").open == usd("0")


def test_money_that_came_is_booked_once_however_often_the_payer_comes_back(shop: Shop) -> None:
    page = shop.shown()
    shop.cashier.record("A", by="cash", key="till")
    shop.form.pay(page.reference)

    first, again = shop.cashier.complete(page), shop.cashier.complete(page)

    assert again == first
    assert [each.amount for each in shop.cashier.receipts(page)] == [usd("30")]


def test_the_refusal_says_that_no_money_came_on_the_page(shop: Shop) -> None:
    page = shop.shown()
    cash = shop.cashier.record("A", by="cash", key="till")

    with pytest.raises(ItemAlreadyBeingPaid, match="the gateway shows no money on it") as caught:
        shop.cashier.complete(page)

    assert caught.value.payments == [cash.id]
    assert caught.value.ways == {page.id: ["resolve"]}
    assert shop.cashier.payment(page).status is PaymentStatus.REQUIRES_ACTION


def test_a_page_that_was_taken_over_is_still_not_completed(shop: Shop) -> None:
    page = shop.shown("waits")
    shop.cashier.record("A", by="cash", key="till")
    shop.waits.pay(page.reference)

    with pytest.raises(ItemAlreadyBeingPaid):
        shop.cashier.complete(page)

    assert shop.waits.processor.moved("USD") == usd("0")
    assert [each.operation for each in shop.cashier.attempts(page)] == ["charge"]


def test_the_refusal_says_that_the_gateway_did_not_answer(shop: Shop) -> None:
    page = shop.shown()
    shop.cashier.record("A", by="cash", key="till")
    shop.form.pay(page.reference)
    shop.form.script("unsent", operation="look_up")

    with pytest.raises(ItemAlreadyBeingPaid, match="may have arrived on it") as caught:
        shop.cashier.complete(page)

    assert caught.value.ways == {page.id: ["inquire", "resolve"]}
    assert shop.cashier.inquire(page).received == usd("30")
    assert shop.credit() == [(usd("30"), CreditReason.ALREADY_PAID)]


def test_a_gateway_that_cannot_be_asked_is_said_to_be_so() -> None:
    shop = Shop()
    form = FakeGateway(Kind.REDIRECT, clock=shop.clock, withdrawable=False, inquiry=InquiryBy.NONE)
    shop.cashier.close()
    shop.cashier = shop.open(form=form)
    page = shop.shown()
    shop.cashier.record("A", by="cash", key="till")
    form.pay(page.reference)

    with pytest.raises(ItemAlreadyBeingPaid, match="may have arrived on it") as caught:
        shop.cashier.complete(page)

    assert caught.value.ways == {page.id: ["resolve"]}
    shop.cashier.close()


class OnItsWay(FakeGateway):
    """An account that says of every page that its money is on its way."""

    def look_up(self, inquiry: Inquiry) -> Dialogue[Finding]:
        return at_once(Pending(reference=inquiry.reference))


def test_money_on_its_way_to_a_page_that_was_taken_over_is_pending() -> None:
    shop = Shop()
    shop.cashier.close()
    shop.cashier = shop.open(form=OnItsWay(Kind.REDIRECT, clock=shop.clock, withdrawable=False))
    page = shop.shown()
    shop.cashier.record("A", by="cash", key="till")

    result = shop.cashier.complete(page)

    assert (result.state, result.payment.status) == (
        OperationState.PENDING,
        PaymentStatus.PROCESSING,
    )
    assert (result.succeeded, result.under_way) == (usd("0"), usd("30"))
    shop.cashier.close()


def test_money_paid_on_a_page_that_was_resolved_as_closed_is_booked(shop: Shop) -> None:
    page = shop.shown()
    shop.cashier.resolve(page, Ended(how=Ending.CANCELED), evidence="the payer said so")
    shop.form.pay(page.reference)

    result = shop.cashier.complete(page)

    assert (result.state, result.payment.received) == (OperationState.SUCCEEDED, usd("30"))
    assert shop.cashier.invoice("A").open == usd("0")


def test_a_page_that_ended_unpaid_says_so(shop: Shop) -> None:
    page = shop.shown()
    shop.cashier.resolve(page, Ended(how=Ending.CANCELED), evidence="the payer said so")

    result = shop.cashier.complete(page)

    assert (result.state, result.code) == (OperationState.FAILED, "canceled")
    assert (result.succeeded, result.repeated) == (usd("0"), True)


def test_a_completion_that_was_overtaken_by_a_part_says_how_much_came(shop: Shop) -> None:
    form = FakeGateway(Kind.REDIRECT, clock=shop.clock, withdrawable=False, variable_amount=True)
    with shop.open(form=form) as cashier:
        page = cashier.collect("A", via="form", key="page", return_url=BACK)
        cashier.record("A", by="cash", key="till")
        form.pay(page.reference, usd("12"))

        result = cashier.complete(page)

        assert (result.state, result.succeeded) == (OperationState.PARTLY_SUCCEEDED, usd("12"))
        assert result.code == "other_amount"
        assert [each.amount for each in cashier.credits("C-1")] == [usd("12")]
        assert cashier.fsck() == []
