"""What a live payment holds: hard while money may be on its way, soft while a page waits."""

from __future__ import annotations

from datetime import timedelta

import pytest

from paygate import Cashier, Kind, Payment, PaymentStatus
from paygate.errors import ItemAlreadyBeingPaid, NotEnoughCredit
from tests.service.world import BACK, PAYER, World, assert_sound, assert_truth, usd


def prepare(world: World) -> Cashier:
    for kind in (Kind.CARD, Kind.REDIRECT, Kind.BITCOIN, Kind.E_CHECK):
        world.add(kind.value, kind)
    cashier = world.process()
    cashier.issue(number="INV-1", customer=PAYER, total=usd("30.00"), due="2026-02-01")
    cashier.issue(number="INV-2", customer=PAYER, total=usd("30.00"), due="2026-02-01")
    cashier.record([], customer=PAYER, amount=usd("10.00"), by="cash", key="credit")
    return cashier


def by_card(cashier: Cashier, number: str = "INV-1", token: str = "tok_visa") -> Payment:
    return cashier.collect(number, via="card", method=token, key=f"card-{number}")


def by_bitcoin(cashier: Cashier, *, credit: str | None = None) -> Payment:
    return cashier.collect(
        "INV-1",
        via="bitcoin",
        key="bitcoin",
        payer=PAYER,
        return_url=BACK,
        credit=None if credit is None else usd(credit),
    )


def payer_sends(world: World, cashier: Cashier, payment: Payment) -> Payment:
    """The payer sends the coins; they are seen, and not confirmed yet."""
    world.fakes["bitcoin"].pay(payment.reference)
    return cashier.inquire(payment)


def test_a_page_that_waits_does_not_hold_its_invoice(world: World) -> None:
    cashier = prepare(world)

    page = by_bitcoin(cashier, credit="10.00")

    assert page.status is PaymentStatus.REQUIRES_ACTION
    assert cashier.invoice("INV-1").claimed == usd("0")
    assert cashier.balance(PAYER)["USD"] == usd("10.00")
    assert by_card(cashier).status is PaymentStatus.SUCCEEDED


def test_once_the_payer_has_paid_it_the_invoice_and_the_credit_are_held(world: World) -> None:
    cashier = prepare(world)
    page = by_bitcoin(cashier, credit="10.00")

    seen = payer_sends(world, cashier, page)

    assert seen.status is PaymentStatus.PROCESSING
    assert cashier.invoice("INV-1").claimed == usd("30.00")
    with pytest.raises(ItemAlreadyBeingPaid):
        by_card(cashier)
    with pytest.raises(NotEnoughCredit):
        cashier.pay_from_credit("INV-2", key="use")
    world.clock.advance(timedelta(hours=1))
    assert cashier.inquire(page).status is PaymentStatus.SUCCEEDED
    assert cashier.invoice("INV-1").open == usd("0")
    assert_truth(world, cashier)
    assert_sound(cashier)


def test_coins_on_their_way_to_an_invoice_that_was_paid_meanwhile_become_credit(
    world: World,
) -> None:
    cashier = prepare(world)
    page = by_bitcoin(cashier)
    world.fakes[page.account].script("unknown_lost", operation="withdraw")
    by_card(cashier)

    payer_sends(world, cashier, page)
    world.clock.advance(timedelta(hours=1))
    last = cashier.inquire(page)

    assert last.superseded
    assert last.credited == usd("30.00")
    assert cashier.balance(PAYER)["USD"] == usd("40.00")
    assert "payment.alert" in [event.type for event in cashier.events()]
    assert_truth(world, cashier)
    assert_sound(cashier)


def test_credit_that_was_spent_while_a_page_waited_is_missing_on_its_invoice(world: World) -> None:
    """The payer's money comes, the credit beside it was used elsewhere: a part stays open."""
    cashier = prepare(world)
    page = by_bitcoin(cashier, credit="10.00")
    cashier.pay_from_credit("INV-2", key="use")

    payer_sends(world, cashier, page)
    world.clock.advance(timedelta(hours=1))
    last = cashier.inquire(page)

    assert last.status is PaymentStatus.SUCCEEDED
    assert cashier.invoice("INV-1").open == usd("10.00")
    assert cashier.invoice("INV-1").claimed == usd("0")
    assert_truth(world, cashier)
    assert_sound(cashier)


@pytest.mark.parametrize("token", ["tok_unknown_executed", "tok_unknown_lost", "tok_pending"])
def test_what_may_have_been_paid_is_held(world: World, token: str) -> None:
    cashier = prepare(world)

    by_card(cashier, token=token)

    assert cashier.invoice("INV-1").claimed == usd("30.00")
    with pytest.raises(ItemAlreadyBeingPaid) as caught:
        cashier.collect("INV-1", via="card", method="tok_visa", key="other")
    assert caught.value.payments == [cashier.payments()[0].id]
    with pytest.raises(ItemAlreadyBeingPaid):
        cashier.void("INV-1", reason="issued twice")


@pytest.mark.parametrize("token", ["tok_declined", "tok_unsent", "tok_rejected_rate_limit"])
def test_what_was_certainly_not_paid_is_let_go(world: World, token: str) -> None:
    cashier = prepare(world)

    by_card(cashier, token=token)

    assert cashier.invoice("INV-1").claimed == usd("0")
    cashier.void("INV-1", reason="issued twice")
    assert_sound(cashier)
