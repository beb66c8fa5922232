"""Accepted money that does not settle is asked about and flagged when its time is over."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from paygate import Cashier, Kind, Payment
from paygate.dialogue import Dialogue
from paygate.domain.outcome import Finding
from paygate.errors import InvalidSettings, NoResponse
from paygate.gateway import Inquiry
from paygate.testing import FakeClock, FakeGateway, Habits
from tests.service.world import PAYER, assert_sound, usd

DAY = timedelta(days=1)


class Asked(FakeGateway):
    """A processor that counts how often it is asked, and may be away."""

    asked = 0
    away = False

    def look_up(self, inquiry: Inquiry) -> Dialogue[Finding]:
        self.asked += 1
        if self.away:
            raise NoResponse("nothing within 30 s")
        return super().look_up(inquiry)


class Shop:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.running: list[Cashier] = []

    def open(self, gateway: FakeGateway, **settings: Any) -> Cashier:
        cashier = Cashier.in_memory(
            gateways={"card": {"gateway": gateway, **settings}}, clock=self.clock
        )
        self.running.append(cashier)
        return cashier

    def paid(self, cashier: Cashier) -> Payment:
        cashier.issue(number="N-1", customer=PAYER, total=usd("17.00"), due="2026-02-01")
        return cashier.collect("N-1", via="card", method="tok_visa", key="k", payer=PAYER)

    def days(self, cashier: Cashier, count: int) -> None:
        for _ in range(count):
            self.clock.advance(DAY)
            cashier.recover()


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()
    yield shop
    for cashier in shop.running:
        assert_sound(cashier)
        cashier.close()


def unsettled(cashier: Cashier) -> list[str]:
    """Return the events that say so."""
    return [event.id for event in cashier.events(limit=100) if event.type == "payment.unsettled"]


@pytest.mark.parametrize("credit_on", ["accepted", "settled"])
def test_what_has_not_settled_in_time_is_asked_about_and_flagged_once(
    shop: Shop, credit_on: str
) -> None:
    gateway = Asked(clock=shop.clock, settles_within=4 * DAY)
    cashier = shop.open(gateway, credit_on=credit_on)
    payment = shop.paid(cashier)

    shop.days(cashier, 3)
    assert (gateway.asked, cashier.payment(payment).needs_review) == (0, False)
    shop.days(cashier, 20)

    assert gateway.asked == 1
    assert cashier.payment(payment).needs_review
    assert cashier.payment(payment).received == usd("17.00")
    assert len(unsettled(cashier)) == 1


def test_what_settles_in_time_is_not_asked_about(shop: Shop) -> None:
    gateway = Asked(clock=shop.clock, settles_within=4 * DAY, habits=Habits(pays_out_after=2 * DAY))
    cashier = shop.open(gateway)
    payment = shop.paid(cashier)

    shop.days(cashier, 9)

    assert cashier.payment(payment).settled
    assert (gateway.asked, cashier.payment(payment).needs_review) == (0, False)


def test_what_settles_late_ends_the_review(shop: Shop) -> None:
    gateway = Asked(clock=shop.clock, settles_within=4 * DAY, habits=Habits(pays_out_after=7 * DAY))
    cashier = shop.open(gateway)
    payment = shop.paid(cashier)

    shop.days(cashier, 5)
    late = cashier.payment(payment)
    shop.days(cashier, 4)

    assert late.needs_review
    found = cashier.payment(payment)
    assert (found.settled, found.needs_review) == (True, False)


def test_what_went_back_before_it_settled_is_waited_for_no_more(shop: Shop) -> None:
    gateway = Asked(clock=shop.clock, settles_within=4 * DAY)
    cashier = shop.open(gateway)
    payment = shop.paid(cashier)
    cashier.cancel(payment, key="c")

    shop.days(cashier, 9)

    assert not cashier.payment(payment).needs_review
    assert unsettled(cashier) == []


def test_a_gateway_that_does_not_answer_says_nothing_of_the_money(shop: Shop) -> None:
    gateway = Asked(clock=shop.clock, settles_within=4 * DAY)
    cashier = shop.open(gateway)
    payment = shop.paid(cashier)
    gateway.away = True

    shop.days(cashier, 8)
    assert not cashier.payment(payment).needs_review
    gateway.away = False
    shop.days(cashier, 1)

    assert cashier.payment(payment).needs_review


def test_a_rail_that_says_no_time_has_no_deadline(shop: Shop) -> None:
    gateway = Asked(clock=shop.clock)
    cashier = shop.open(gateway)
    payment = shop.paid(cashier)

    shop.days(cashier, 60)

    assert (gateway.asked, cashier.payment(payment).needs_review) == (0, False)


@pytest.mark.parametrize(
    ("setting", "flagged"), [(2, True), ({"card": 30}, False), (0, False), ({}, True)]
)
def test_the_account_may_say_another_time(shop: Shop, setting: Any, flagged: object) -> None:
    gateway = Asked(clock=shop.clock, settles_within=4 * DAY)
    cashier = shop.open(gateway, settles_within=setting)
    payment = shop.paid(cashier)

    shop.days(cashier, 6)

    assert cashier.payment(payment).needs_review is flagged


@pytest.mark.parametrize("setting", [-1, 400, "5", True, {"card": 1.5}, {"e_check": 5}])
def test_a_time_that_means_nothing_is_refused(shop: Shop, setting: Any) -> None:
    with pytest.raises(InvalidSettings, match="settles_within of the account 'card'"):
        shop.open(FakeGateway(clock=shop.clock), settles_within=setting)


def test_a_driver_that_does_not_tell_settlement_has_no_deadline(shop: Shop) -> None:
    gateway = FakeGateway(Kind.CARD, clock=shop.clock, reports_settlement=False)

    with pytest.raises(InvalidSettings, match="reports settlement for none"):
        shop.open(gateway, settles_within={"card": 5})


# --- Money that was sent back --------------------------------------------------------------------


class PaysOut(Asked):
    """A processor that pays out what comes, and refunds only where a test says so."""

    last = ""

    def look_up(self, inquiry: Inquiry) -> Dialogue[Finding]:
        self.last = inquiry.operation
        return super().look_up(inquiry)


def refunded(shop: Shop, gateway: FakeGateway, cashier: Cashier, *, after: int = 3) -> Payment:
    """Return a payment whose money has settled, and a part of which was sent back then."""
    payment = shop.paid(cashier)
    shop.days(cashier, after)
    for callback in gateway.callbacks():
        cashier.receive("card", callback)
    cashier.recover()
    assert cashier.payment(payment).settled
    cashier.refund(payment, amount=usd("5.00"), key="back", to="reopen")
    return cashier.payment(payment)


def reviews(cashier: Cashier, payment: Payment) -> list[tuple[str, tuple[str, ...]]]:
    return [(str(each.cause), each.verbs) for each in cashier.payment(payment).reviews]


def test_a_refund_that_has_not_settled_in_time_is_asked_about_and_flagged_once(shop: Shop) -> None:
    gateway = PaysOut(
        clock=shop.clock, settles_within=4 * DAY, habits=Habits(pays_out_after=2 * DAY)
    )
    cashier = shop.open(gateway)
    payment = refunded(shop, gateway, cashier)

    before = gateway.asked
    shop.days(cashier, 3)
    assert (gateway.asked, reviews(cashier, payment)) == (before, [])
    shop.days(cashier, 20)

    assert (gateway.asked, gateway.last) == (before + 1, "refund")
    assert reviews(cashier, payment) == [("refund_unsettled", ("reviewed",))]
    assert cashier.payment(payment).returned == usd("5.00")
    assert len(unsettled(cashier)) == 1
    cashier.reviewed(payment, reason="the processor sent it another way")
    shop.days(cashier, 20)
    assert not cashier.payment(payment).needs_review


def test_a_refund_that_settles_or_fails_is_waited_for_no_more(shop: Shop) -> None:
    for late in (2, 7):
        for ends in ("pay_out", "fail_refund"):
            gateway = PaysOut(
                clock=shop.clock, settles_within=4 * DAY, habits=Habits(pays_out_after=2 * DAY)
            )
            cashier = shop.open(gateway)
            payment = refunded(shop, gateway, cashier)
            [refund] = [one for one in cashier.attempts(payment) if one.operation == "refund"]

            shop.days(cashier, late)
            assert cashier.payment(payment).needs_review is (late > 4)
            getattr(gateway, ends)(refund.reference)
            for callback in gateway.callbacks():
                cashier.receive("card", callback)
            cashier.apply_callbacks()

            assert reviews(cashier, payment) == []
            shop.days(cashier, 20)
            assert reviews(cashier, payment) == []
            assert len(unsettled(cashier)) == (late > 4)


def test_a_refund_made_before_its_money_settled_is_waited_for_from_then_on(shop: Shop) -> None:
    gateway = PaysOut(clock=shop.clock, settles_within=4 * DAY)
    cashier = shop.open(gateway)
    payment = shop.paid(cashier)
    cashier.refund(payment, amount=usd("5.00"), key="back", to="reopen")
    gateway.pay_out(payment.reference)
    for callback in gateway.callbacks():
        cashier.receive("card", callback)
    shop.clock.advance(3 * DAY)
    cashier.recover()
    assert cashier.payment(payment).received == usd("17.00")

    shop.days(cashier, 20)

    assert reviews(cashier, payment) == [("refund_unsettled", ("reviewed",))]


def test_a_gateway_that_does_not_answer_says_nothing_of_a_refund(shop: Shop) -> None:
    gateway = PaysOut(
        clock=shop.clock, settles_within=4 * DAY, habits=Habits(pays_out_after=2 * DAY)
    )
    cashier = shop.open(gateway)
    payment = refunded(shop, gateway, cashier)
    gateway.away = True

    shop.days(cashier, 8)
    assert reviews(cashier, payment) == []
    gateway.away = False
    shop.days(cashier, 1)

    assert reviews(cashier, payment) == [("refund_unsettled", ("reviewed",))]


def test_each_refund_has_its_own_time(shop: Shop) -> None:
    gateway = PaysOut(
        clock=shop.clock, settles_within=4 * DAY, habits=Habits(pays_out_after=2 * DAY)
    )
    cashier = shop.open(gateway)
    payment = refunded(shop, gateway, cashier)
    shop.days(cashier, 3)
    cashier.refund(payment, amount=usd("2.00"), key="more", to="reopen")

    shop.days(cashier, 2)
    assert len(unsettled(cashier)) == 1
    shop.days(cashier, 3)
    assert len(unsettled(cashier)) == 2
    assert len(reviews(cashier, payment)) == 2
