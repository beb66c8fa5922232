"""A bank debit is withdrawn while it is pending, or it is too late: what the payment says."""

from __future__ import annotations

import pytest

from paygate import Cashier, Money, Payment
from paygate.testing import FakeClock, FakeGateway


@pytest.fixture
def bank() -> FakeGateway:
    return FakeGateway("e_check", clock=FakeClock())


@pytest.fixture
def cashier(bank: FakeGateway) -> Cashier:
    cashier = Cashier.in_memory(gateways={"bank": bank}, clock=bank.clock)
    total = Money.of("USD", "84.00")
    cashier.issue(number="INV-1", customer="C-1", total=total, due="2031-03-01")
    return cashier


def debited(cashier: Cashier, token: str) -> Payment:
    payment = cashier.collect("INV-1", via="bank", method=token, key="a")
    assert payment.status == "processing"
    return payment


def later(cashier: Cashier, bank: FakeGateway) -> None:
    """Let four days pass, the debit settle, and everything be told."""
    bank.advance(days=4)
    for each in bank.callbacks():
        cashier.receive("bank", each)
    cashier.apply_callbacks()
    cashier.recover()


def test_a_pending_debit_is_withdrawn(cashier: Cashier, bank: FakeGateway) -> None:
    payment = debited(cashier, "tok_bank_voidable")

    result = cashier.cancel(payment, key="b")
    later(cashier, bank)

    assert (result.state, cashier.payment(payment).status) == ("succeeded", "canceled")
    assert bank.moved("USD") == Money.zero("USD")
    assert cashier.invoice("INV-1").claimed == Money.zero("USD")
    assert cashier.fsck() == []


def test_a_void_that_comes_too_late_leaves_the_debit_as_it_is(
    cashier: Cashier, bank: FakeGateway
) -> None:
    payment = debited(cashier, "tok_bank_void_too_late")

    result = cashier.cancel(payment, key="b")
    waits = cashier.payment(payment).status
    later(cashier, bank)

    assert (result.state, waits) == ("failed", "processing")
    assert cashier.payment(payment).status == "succeeded"
    assert cashier.payment(payment).received == bank.moved("USD") == Money.of("USD", "84.00")
    assert cashier.fsck() == []


def test_a_void_that_waits_loses_to_the_money(cashier: Cashier, bank: FakeGateway) -> None:
    payment = debited(cashier, "tok_bank_void_loses")

    result = cashier.cancel(payment, key="b")
    waits = cashier.payment(payment).status
    later(cashier, bank)

    assert (result.state, waits) == ("pending", "processing")
    assert cashier.payment(payment).status == "succeeded"
    assert cashier.payment(payment).received == bank.moved("USD") == Money.of("USD", "84.00")
    assert cashier.invoice("INV-1").open == Money.zero("USD")
    assert cashier.fsck() == []
