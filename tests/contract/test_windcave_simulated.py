"""
Payments through a cashier at the simulated Windcave, over HTTP.

It is ours, so it proves the two of us against each other: sessions, stored cards, what follows,
notifications, and what becomes of lost answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from cryptography.fernet import Fernet

from paygate import (
    Cashier,
    Customer,
    Mandate,
    Money,
    Payment,
    PaymentMethod,
    PaymentStatus,
    Redirect,
    ScriptStep,
)
from paygate.domain.outcome import DeclineCode
from paygate.errors import ItemAlreadyBeingPaid, NotAuthentic
from paygate.gateway import Callback
from paygate.testing import FakeClock
from tests.support.simulated_windcave import SimulatedWindcave, serving

ADA = Customer("C-1", name="Ada Lovelace", email="ada@example.org")
MANDATE = Mandate(text_version="1", accepted_at=datetime(2026, 1, 1, tzinfo=UTC))
BACK = "https://shop.example/back"
KEYS = [Fernet.generate_key()]


def nzd(amount: str) -> Money:
    return Money.of("NZD", amount)


class Shop:
    """A cashier whose only account is at the simulated processor."""

    def __init__(self, windcave: SimulatedWindcave, clock: FakeClock, **given: Any) -> None:
        self.windcave, self.clock, self.count = windcave, clock, 0
        account = {
            "driver": "windcave",
            "username": "ShopRest_Dev",
            "api_key": "a3f1e5c7d9b2468024681357",
            "currencies": ["NZD"],
            "notification_url": "https://shop.example/callbacks/windcave",
            "api_base": windcave.url,
            **given,
        }
        self.cashier = Cashier.in_memory(
            gateways={"windcave": account}, clock=clock, token_keys=KEYS
        )

    def owe(self, total: str = "30.00") -> str:
        self.count += 1
        number = f"INV-{self.count}"
        self.cashier.issue(number=number, customer=ADA, total=nzd(total), due="2031-12-01")
        return number

    def page(self, **given: Any) -> Payment:
        number = self.owe()
        facts = {"return_url": BACK, "payer": ADA, **given}
        return self.cashier.collect(number, via="windcave", key=number, **facts)

    def paid(self, card: str = "4111111111111111", **given: Any) -> Payment:
        payment = self.page(**given)
        self.windcave.pay(payment.reference, card)
        return self.cashier.complete(payment).payment

    def stored(self, card: str = "4111111111111111") -> PaymentMethod:
        paid = self.paid(card, save_method=True, mandate=MANDATE)
        assert paid.method is not None
        return self.cashier.method(paid.method)

    def charge(self, method: PaymentMethod) -> Payment:
        number = self.owe()
        return self.cashier.collect(
            number, via="windcave", key=number, method=method, payer_present=False
        )

    def hear(self, query: str) -> int:
        sent = Callback(
            method="GET",
            path="/callbacks/windcave",
            headers={},
            body=b"",
            query=query,
            received_at=self.clock.now(),
        )
        status = self.cashier.receive("windcave", sent).status
        self.cashier.apply_callbacks()
        return status

    def poll(self, **later: float) -> None:
        self.clock.advance(timedelta(**(later or {"minutes": 6})))
        self.cashier.recover()

    def now(self, payment: Payment) -> Payment:
        return self.cashier.payment(payment.id)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def windcave(clock: FakeClock) -> Iterator[SimulatedWindcave]:
    made = SimulatedWindcave(now=clock.now)
    with serving(made):
        yield made


def shop_at(windcave: SimulatedWindcave, clock: FakeClock, **given: Any) -> Iterator[Shop]:
    shop = Shop(windcave, clock, **given)
    yield shop
    assert shop.cashier.fsck() == []
    shop.cashier.close()


@pytest.fixture
def shop(windcave: SimulatedWindcave, clock: FakeClock) -> Iterator[Shop]:
    yield from shop_at(windcave, clock)


@pytest.fixture
def by_pxpost(windcave: SimulatedWindcave, clock: FakeClock) -> Iterator[Shop]:
    yield from shop_at(
        windcave, clock, pxpost_username="ShopPx_Dev", pxpost_password="pxpost-password"
    )


def assert_same_money(shop: Shop) -> None:
    """What the processor has of us is what the books say."""
    payments = shop.cashier.payments()
    ours = sum(((each.received - each.returned).decimal for each in payments), Decimal(0))
    assert shop.windcave.received() == ours


# --- Pages --------------------------------------------------------------------------------


def test_a_payer_pays_on_the_page_and_comes_back(shop: Shop) -> None:
    payment = shop.page()
    assert isinstance(payment.action, Redirect)

    returned = httpx.post(payment.action.url, data={"answer": "pay"})

    assert returned.headers["location"].endswith("status=approved")
    paid = shop.cashier.complete(payment, parameters={"status": "approved"}).payment
    assert (paid.status, paid.received) == (PaymentStatus.SUCCEEDED, nzd("30.00"))
    assert_same_money(shop)


def test_who_cancels_has_not_paid_whatever_the_browser_says(shop: Shop) -> None:
    payment = shop.page()

    now = shop.cashier.complete(payment, parameters={"status": "approved"}).payment

    assert (now.status, now.received) == (PaymentStatus.REQUIRES_ACTION, nzd("0.00"))


def test_a_declined_page_ends_the_payment(shop: Shop) -> None:
    declined = shop.paid("5431111111111228")

    assert declined.status is PaymentStatus.DECLINED
    assert declined.code == DeclineCode.INSUFFICIENT_FUNDS
    assert shop.paid().status is PaymentStatus.SUCCEEDED
    assert_same_money(shop)


def test_a_notification_is_enough_and_the_same_again_changes_nothing(shop: Shop) -> None:
    payment = shop.page()
    shop.windcave.pay(payment.reference)

    for _ in range(7):
        assert shop.hear(f"sessionId={payment.reference}") == 200

    assert shop.now(payment).received == nzd("30.00")
    assert_same_money(shop)


def test_the_notification_of_another_merchant_is_not_even_asked_for(shop: Shop) -> None:
    asked = len(shop.windcave.journal)

    assert shop.hear(f"sessionId={'f' * 32}") == 200
    with pytest.raises(NotAuthentic):
        shop.hear("status=approved")

    assert len(shop.windcave.journal) == asked
    assert shop.cashier.payments() == []


def test_a_session_that_nobody_finished_expires(shop: Shop) -> None:
    payment = shop.page()

    for _ in range(6):
        shop.poll(days=1)

    assert shop.now(payment).status is PaymentStatus.EXPIRED


def test_hosted_fields_take_a_card(windcave: SimulatedWindcave, clock: FakeClock) -> None:
    for shop in shop_at(windcave, clock, form="fields"):
        payment = shop.page()
        assert isinstance(payment.action, ScriptStep)
        windcave.pay(payment.reference)
        assert shop.cashier.complete(payment).payment.received == nzd("30.00")


# --- Holds, voids and refunds -------------------------------------------------------------


def test_a_hold_is_captured_in_part(shop: Shop) -> None:
    number = shop.owe()
    held = shop.cashier.authorize(number, via="windcave", key="h", return_url=BACK, payer=ADA)
    shop.windcave.pay(held.reference)
    held = shop.cashier.complete(held).payment
    assert held.status is PaymentStatus.AUTHORIZED

    done = shop.cashier.capture(held, amount=nzd("20.00"), key="c").payment

    assert done.received == nzd("20.00")
    assert_same_money(shop)


def test_a_hold_is_voided_and_nothing_moves(shop: Shop) -> None:
    number = shop.owe()
    held = shop.cashier.authorize(number, via="windcave", key="h", return_url=BACK, payer=ADA)
    shop.windcave.pay(held.reference)
    held = shop.cashier.complete(held).payment

    shop.cashier.cancel(held, key="v")

    assert shop.now(held).status is PaymentStatus.CANCELED
    assert_same_money(shop)


def test_a_payment_is_voided_or_refunded(shop: Shop) -> None:
    voided, refunded = shop.paid(), shop.paid()

    shop.cashier.cancel(voided, key="v")
    shop.cashier.refund(refunded, amount=nzd("12.50"), key="r")

    assert shop.now(voided).returned == nzd("30.00")
    assert shop.now(refunded).returned == nzd("12.50")
    assert_same_money(shop)


# --- Stored cards -------------------------------------------------------------------------


def test_a_card_is_stored_with_a_payment_and_charged_without_the_payer(shop: Shop) -> None:
    method = shop.stored()

    paid = shop.charge(method)

    assert (method.brand, method.last4) == ("visa", "1111")
    assert (paid.status, paid.received) == (PaymentStatus.SUCCEEDED, nzd("30.00"))
    assert_same_money(shop)


def test_a_card_is_stored_without_a_payment(shop: Shop) -> None:
    request = shop.cashier.enroll(ADA, via="windcave", key="e", return_url=BACK, mandate=MANDATE)
    shop.windcave.pay(request.reference)

    assert shop.cashier.inquire_method(request).state.value == "succeeded"

    [method] = shop.cashier.methods("C-1")
    assert shop.charge(method).status is PaymentStatus.SUCCEEDED
    assert_same_money(shop)


def test_a_stored_card_that_has_expired_is_declined(shop: Shop) -> None:
    method = shop.stored()
    [token] = shop.windcave.cards
    shop.windcave.cards[token] = "4999999999999996"

    declined = shop.charge(method)

    assert (declined.status, declined.code) == (PaymentStatus.DECLINED, "expired_method")


def test_what_is_forgotten_is_not_charged(shop: Shop) -> None:
    method = shop.stored()

    shop.cashier.forget_method(method, key="f")

    assert shop.cashier.methods("C-1") == []
    assert shop.windcave.cards, "Windcave is not known to delete one"


# --- Lost answers -------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["lost request", "lost answer", "html"])
def test_a_lost_answer_by_rest_is_unknown_and_never_sent_again(shop: Shop, fault: str) -> None:
    method = shop.stored()
    shop.windcave.breaks = [fault]
    unknown = shop.charge(method)
    sent = shop.windcave.journal.count(("POST", "/api/v1/transactions"))

    for _ in range(20):
        shop.poll(hours=12)

    now = shop.now(unknown)
    assert (now.status, now.needs_review) == (PaymentStatus.UNKNOWN, True)
    assert shop.windcave.journal.count(("POST", "/api/v1/transactions")) == sent
    with pytest.raises(ItemAlreadyBeingPaid):
        shop.cashier.collect(
            f"INV-{shop.count}", via="windcave", key="again", method=method, payer_present=False
        )


def test_what_was_still_processed_is_found(shop: Shop) -> None:
    method = shop.stored()
    shop.windcave.breaks = ["202"]
    unknown = shop.charge(method)
    assert unknown.status is PaymentStatus.UNKNOWN

    shop.poll()

    assert shop.now(unknown).received == nzd("30.00")
    assert_same_money(shop)


def test_a_lost_answer_of_pxpost_is_found_by_our_id(by_pxpost: Shop) -> None:
    method = by_pxpost.stored()
    by_pxpost.windcave.breaks = ["lost answer"]
    unknown = by_pxpost.charge(method)
    assert unknown.status is PaymentStatus.UNKNOWN

    by_pxpost.poll()

    assert by_pxpost.now(unknown).received == nzd("30.00")
    assert by_pxpost.windcave.journal.count(("PXPOST", "Purchase")) == 1
    assert_same_money(by_pxpost)


def test_a_request_to_pxpost_that_never_arrived_stays_unknown(by_pxpost: Shop) -> None:
    method = by_pxpost.stored()
    by_pxpost.windcave.breaks = ["lost request"]
    unknown = by_pxpost.charge(method)

    for _ in range(20):
        by_pxpost.poll(hours=12)

    assert by_pxpost.now(unknown).status is PaymentStatus.UNKNOWN
    assert_same_money(by_pxpost)


def test_a_charge_of_pxpost_is_refunded_there(by_pxpost: Shop) -> None:
    paid = by_pxpost.charge(by_pxpost.stored())
    by_pxpost.windcave.breaks = ["lost answer"]

    by_pxpost.cashier.refund(paid, amount=nzd("10.00"), key="r")
    by_pxpost.poll()

    assert by_pxpost.now(paid).returned == nzd("10.00")
    assert_same_money(by_pxpost)
