"""Reviews of a payment: each ends for itself, says why it was raised, and names what ends it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from paygate import Cashier, Kind, Payment
from paygate.domain.outcome import DeclineCode, Declined
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
