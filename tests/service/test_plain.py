"""What is told of a payment that was approved in full is what the ledger says of it."""

from collections.abc import Callable
from typing import Any

import pytest

from paygate import Cashier, Customer, Payment
from paygate.ledger import payments
from paygate.ledger.tx import Tx
from paygate.service import plain
from paygate.testing import FakeGateway
from paygate.testing.simulation import sweep
from tests.service.world import usd


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Return for each merged answer whether its payment was told without reading it.

    What was told so is compared with what is read.
    """
    found: list[bool] = []
    approved = plain.approved

    def compared(tx: Tx, before: Any, payment: Payment, *rest: Any) -> Payment | None:
        after = approved(tx, before, payment, *rest)
        found.append(after is not None)
        if after is not None:
            tx.known.clear()
            assert after == payments.by_id(tx, payment.id)
        return after

    monkeypatch.setattr(plain, "approved", compared)
    return found


def settled(cashier: Cashier) -> Payment:
    return cashier.collect("A", via="later", method="tok_visa", key="k")


def part(cashier: Cashier) -> Payment:
    return cashier.collect("A", via="card", method="tok_visa", key="k", amount=usd("3"))


def both(cashier: Cashier) -> Payment:
    return cashier.collect(["A", "B"], via="card", method="tok_visa", key="k", amount=usd("13"))


def for_another(cashier: Cashier) -> Payment:
    payer = Customer("C-9", name="Carl Other")
    return cashier.collect("A", via="card", method="tok_visa", key="k", payer=payer)


def too_much(cashier: Cashier) -> Payment:
    return cashier.collect("A", via="card", method="tok_visa", key="k", amount=usd("11"))


def with_credit(cashier: Cashier) -> Payment:
    cashier.top_up("C-1", usd("4"), via="card", method="tok_visa", key="t")
    return cashier.collect("A", via="card", method="tok_visa", key="k", credit=usd("4"))


def declined(cashier: Cashier) -> Payment:
    return cashier.collect("A", via="card", method="tok_declined", key="k")


def other_amount(cashier: Cashier) -> Payment:
    return cashier.collect("A", via="card", method="tok_other_amount", key="k")


@pytest.mark.parametrize(
    ("collect", "without_reading"),
    [
        (part, True),
        (both, True),
        (for_another, True),
        (settled, False),
        (too_much, False),
        (with_credit, False),
        (declined, False),
        (other_amount, False),
    ],
)
def test_a_payment_is_told_as_it_is_read(
    collect: Callable[[Cashier], Payment], without_reading: bool, told: list[bool]
) -> None:
    later = {"gateway": FakeGateway(), "credit_on": "settled"}
    gateways: dict[str, Any] = {"card": FakeGateway(), "later": later}
    with Cashier.open("sqlite:///:memory:", gateways=gateways) as cashier:
        for number in ("A", "B"):
            cashier.issue(number=number, customer="C-1", total=usd("10"), due="2031-01-01")

        payment = collect(cashier)

        assert told[-1] == without_reading
        assert payment == cashier.payment(payment.id)
        assert cashier.fsck() == []


def test_in_whatever_a_payment_comes_to_it_is_told_as_it_is_read(told: list[bool]) -> None:
    broken = [each for block in sweep(0, 20, 1) for each in block.broken]

    assert broken == []
    assert True in told
