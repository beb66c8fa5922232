"""Wrong calls and foreign bytes: a typed error or the right outcome, and nothing half-written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from paygate import Cashier, Kind, Money, Payment, PaymentStatus
from paygate.errors import (
    CurrencyMismatch,
    InvalidAmount,
    InvalidValue,
    InvoiceIsVoid,
    NotEnoughOpen,
    Refused,
    UsageError,
)
from tests.service.world import PAYER, World, assert_sound, assert_truth, state_of, usd


def eur(amount: str) -> Money:
    return Money.of("EUR", amount)


def prepare(world: World) -> Cashier:
    """An open invoice in dollars, a void one, and credit in two currencies."""
    world.add("card", Kind.CARD)
    cashier = world.process()
    cashier.issue(number="INV-1", customer=PAYER, total=usd("30.00"), due="2026-02-01")
    cashier.issue(number="INV-2", customer=PAYER, total=usd("10.00"), due="2026-02-01")
    cashier.void("INV-2", reason="issued twice")
    for key, amount in (("usd", usd("8.00")), ("eur", eur("8.00"))):
        cashier.record([], customer=PAYER, amount=amount, by="cash", key=key)
    return cashier


def collect(**more: Any) -> Callable[[Cashier], object]:
    wanted: dict[str, Any] = {"items": "INV-1", "via": "card", "method": "tok_visa", "key": "k"}
    return lambda cashier: cashier.collect(**(wanted | more))


def use_credit(amount: Any) -> Callable[[Cashier], object]:
    return lambda cashier: cashier.pay_from_credit("INV-1", key="k", amount=amount)


def write_off(amount: Any) -> Callable[[Cashier], object]:
    return lambda cashier: cashier.write_off("INV-1", reason="goodwill", key="k", amount=amount)


def record(amount: Any, **more: Any) -> Callable[[Cashier], object]:
    return lambda cashier: cashier.record("INV-1", by="check", key="k", amount=amount, **more)


def top_up(amount: Any, customer: Any = PAYER) -> Callable[[Cashier], object]:
    return lambda cashier: cashier.top_up(customer, amount, via="card", method="tok_visa", key="k")


WRONG: dict[str, tuple[Callable[[Cashier], object], type[Exception]]] = {
    "credit in another currency": (collect(credit=eur("5.00")), CurrencyMismatch),
    "credit as a float": (collect(credit=5.0), InvalidAmount),
    "credit of nothing": (collect(credit=usd("0")), InvalidAmount),
    "negative credit": (collect(credit=usd("-1")), InvalidAmount),
    "credit for all of it": (collect(amount=usd("5.00"), credit=usd("5.00")), InvalidAmount),
    "more credit than is collected": (
        collect(amount=usd("5.00"), credit=usd("6.00")),
        NotEnoughOpen,
    ),
    "more than one amount can be": (collect(amount=Money("USD", 2**63 - 1)), InvalidAmount),
    "a check of more than that": (record(Money("USD", 2**62)), InvalidAmount),
    "a top-up of more than that": (top_up(Money("USD", 2**60)), InvalidAmount),
    "amount as a float": (collect(amount=5.0), InvalidAmount),
    "amount of nothing": (collect(amount=usd("0")), InvalidAmount),
    "negative amount": (collect(amount=usd("-30.00")), InvalidAmount),
    "amount in another currency": (collect(amount=eur("5.00")), CurrencyMismatch),
    "no key": (collect(key=""), InvalidValue),
    "a key of many lines": (collect(key="a\nb"), InvalidValue),
    "an endless key": (collect(key="k" * 300), InvalidValue),
    "nothing to collect": (collect(items=[]), InvalidValue),
    "an invoice twice": (collect(items=["INV-1", "INV-1"]), InvalidValue),
    "credit used in another currency": (use_credit(eur("5.00")), CurrencyMismatch),
    "credit used as a float": (use_credit(5.0), InvalidAmount),
    "credit used of nothing": (use_credit(usd("0")), InvalidAmount),
    "written off in another currency": (write_off(eur("5.00")), CurrencyMismatch),
    "written off as a float": (write_off(5.0), InvalidAmount),
    "written off of nothing": (write_off(usd("0")), InvalidAmount),
    "recorded in another currency": (record(eur("5.00")), CurrencyMismatch),
    "recorded as a float": (record(5.0), InvalidAmount),
    "recorded of nothing": (record(usd("0")), InvalidAmount),
    "recorded on no date": (record(usd("5.00"), on="yesterday"), InvalidValue),
    "top-up as a float": (top_up(5.0), InvalidAmount),
    "top-up of nothing": (top_up(usd("0")), InvalidAmount),
    "top-up of nobody": (top_up(usd("5.00"), customer=""), InvalidValue),
    "fee in another type": (
        lambda cashier: cashier.reverse(
            cashier.payments(oldest_first=True)[0],
            reason="r",
            fee=5.0,  # type: ignore[arg-type]
        ),
        InvalidAmount,
    ),
    "fee of nothing": (
        lambda cashier: cashier.reverse(
            cashier.payments(oldest_first=True)[0], reason="r", fee=usd("0")
        ),
        InvalidAmount,
    ),
    "a reversal without a reason": (
        lambda cashier: cashier.reverse(cashier.payments(oldest_first=True)[0], reason=" "),
        InvalidValue,
    ),
    "a write-off without a reason": (
        lambda cashier: cashier.write_off("INV-1", reason=" ", key="k"),
        InvalidValue,
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call_is_a_typed_error_and_writes_nothing(world: World, name: str) -> None:
    cashier = prepare(world)
    call, error = WRONG[name]
    before, events = state_of(cashier), cashier.events()

    with pytest.raises(error) as caught:
        call(cashier)

    assert isinstance(caught.value, UsageError | Refused)
    assert state_of(cashier) == before
    assert cashier.events() == events
    assert world.fakes["card"].journal == ()
    assert cashier.collect("INV-1", via="card", method="tok_visa", key="k").status is (
        PaymentStatus.SUCCEEDED
    ), "the key was not used up"
    assert_sound(cashier)


def test_a_write_off_on_a_void_invoice_is_not_undone(world: World) -> None:
    cashier = prepare(world)
    given_up = cashier.write_off("INV-1", reason="goodwill", key="w", amount=usd("5.00"))
    cashier.void("INV-1", reason="issued twice")
    before = state_of(cashier)

    with pytest.raises(InvoiceIsVoid):
        cashier.undo_write_off(given_up)

    assert state_of(cashier) == before
    assert_sound(cashier)


BYTES = ["tok_garbage", "tok_truncated", "tok_10mb", "tok_500_executed"]


@pytest.mark.parametrize("token", BYTES)
def test_an_answer_that_cannot_be_read_is_an_unknown_outcome(world: World, token: str) -> None:
    """What was asked for was done; what came back tells nothing, so nothing is concluded."""
    cashier = prepare(world)

    payment: Payment = cashier.collect("INV-1", via="card", method=token, key="k")

    assert payment.status is PaymentStatus.UNKNOWN
    assert cashier.invoice("INV-1").claimed == usd("30.00")
    world.settle(cashier)
    assert cashier.invoice("INV-1").open == usd("0")
    assert_truth(world, cashier)
