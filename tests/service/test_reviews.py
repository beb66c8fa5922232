"""Reviews of a payment: each ends for itself, says why it was raised, and names what ends it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from paygate import Cashier, Kind, Payment
from paygate.domain.outcome import DeclineCode, Declined
from paygate.errors import NothingToReverse
from paygate.testing import FakeClock, FakeGateway
from tests.service.world import assert_sound, usd

NO = Declined(code=DeclineCode.GENERIC, raw_code="05", retryable=False)


class Shop:
    """A shop with an invoice of 30.00, and processors for cards and for e-checks."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.card = FakeGateway(clock=self.clock)
        self.bank = FakeGateway(Kind.E_CHECK, clock=self.clock)
        self.cashier = Cashier.in_memory(
            gateways={"card": self.card, "bank": self.bank}, clock=self.clock
        )
        self.cashier.issue(number="A", customer="C-1", total=usd("30"), due="2026-02-01")

    def pay(self, token: str = "tok_visa", via: str = "card") -> Payment:
        return self.cashier.collect("A", via=via, method=token, key=f"pay-{via}")


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()
    yield shop
    assert_sound(shop.cashier)
    shop.cashier.close()


def test_resolving_one_attempt_leaves_the_review_of_another(shop: Shop) -> None:
    payment = shop.pay()
    shop.card.script("partial")
    shop.cashier.refund(payment, amount=usd("4"), key="r1")
    shop.card.script("unknown_lost")
    shop.cashier.refund(payment, amount=usd("5"), key="r2")

    found = shop.cashier.resolve(payment, NO, evidence="their dashboard")

    assert found.needs_review
    assert [each.needs_review for each in shop.cashier.attempts(payment)] == [False, True, False]
    assert not shop.cashier.reviewed(payment, reason="the rest was paid in cash").needs_review


def test_assigning_other_money_leaves_the_review_of_a_refund(shop: Shop) -> None:
    payment = shop.pay("tok_other_amount")
    shop.card.script("partial")
    shop.cashier.refund(payment, amount=usd("8"), key="r1")

    found = shop.cashier.assign(payment, ["A"], reason="the payer rounded up")

    assert (found.conflicted, found.needs_review) == (False, True)
    assert [each.needs_review for each in shop.cashier.attempts(payment)] == [False, True]


# --- A reversal that the processor contradicts --------------------------------------------


def pay_out(shop: Shop, payment: Payment) -> None:
    shop.bank.pay_out(payment.reference)
    for callback in shop.bank.callbacks():
        shop.cashier.receive("bank", callback)
    shop.cashier.apply_callbacks()


def days(shop: Shop, count: int) -> None:
    for _ in range(count):
        shop.clock.advance(timedelta(days=1))
        shop.cashier.recover()


def debited(shop: Shop) -> Payment:
    payment = shop.pay("tok_bank", via="bank")
    shop.clock.advance(timedelta(days=4))
    return shop.cashier.inquire(payment)


@pytest.mark.parametrize("paid_out", ["before", "after"])
def test_money_that_settles_though_a_clerk_reversed_it_is_flagged_and_can_be_put_back(
    shop: Shop, paid_out: str
) -> None:
    payment = debited(shop)
    if paid_out == "before":
        pay_out(shop, payment)
    shop.cashier.reverse(payment, reason="letter of the bank, misread")
    if paid_out == "after":
        pay_out(shop, payment)
    assert not shop.cashier.payment(payment).needs_review

    days(shop, 20)

    found = shop.cashier.payment(payment)
    assert (found.needs_review, found.reversed, found.returned) == (True, True, usd("30"))
    told = [each for each in shop.cashier.events(limit=100) if each.type == "payment.needs_review"]
    assert ["undo_reversal" in str(each.data["reason"]) for each in told] == [True]

    found = shop.cashier.undo_reversal(payment, reason="the letter was about another payment")

    assert (found.needs_review, found.reversed, found.returned) == (False, False, usd("0"))
    assert shop.cashier.invoice("A").open == usd("0")
    assert sum(each.in_transit.minor for each in shop.cashier.receipts(payment)) == 0
    days(shop, 20)
    assert not shop.cashier.payment(payment).needs_review


def test_a_return_that_the_bank_reports_after_the_reversal_flags_nothing(shop: Shop) -> None:
    payment = debited(shop)
    pay_out(shop, payment)
    shop.cashier.reverse(payment, reason="letter of the bank")
    shop.bank.return_check(payment.reference)
    days(shop, 20)

    found = shop.cashier.payment(payment)

    assert (found.needs_review, found.returned) == (False, usd("30"))
    with pytest.raises(NothingToReverse, match="bank"):
        shop.cashier.undo_reversal(payment, reason="a mistake")


def test_a_reversal_is_undone_once_and_the_payment_can_be_reversed_again(shop: Shop) -> None:
    payment = shop.cashier.record("A", by="check", key="c")
    with pytest.raises(NothingToReverse):
        shop.cashier.undo_reversal(payment, reason="there is none")
    first = shop.cashier.reverse(payment, reason="the wrong check")
    assert shop.cashier.invoice("A").open == usd("30")

    shop.cashier.undo_reversal(payment, reason="the wrong check")
    again = shop.cashier.undo_reversal(payment, reason="the wrong check")

    assert (again.returned, again.reversal) == (usd("0"), None)
    assert shop.cashier.invoice("A").open == usd("0")
    second = shop.cashier.reverse(payment, reason="the check bounced")
    assert second.number != first.number
    assert shop.cashier.invoice("A").open == usd("30")


def test_an_invoice_that_was_paid_again_since_the_reversal_is_not_paid_twice(shop: Shop) -> None:
    payment = shop.cashier.record("A", by="check", key="c")
    shop.cashier.reverse(payment, reason="the wrong check")
    shop.cashier.record("A", by="cash", key="d")

    shop.cashier.undo_reversal(payment, reason="the wrong check")

    assert shop.cashier.balance("C-1") == {"USD": usd("30")}
