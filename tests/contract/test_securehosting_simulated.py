"""
Payments through a cashier at the simulated Secure Hosting, over HTTP.

It is ours, so it proves the two of us against each other: the page and its callback, charges by
token, refunds, and what becomes of lost answers that nobody can be asked about.
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
)
from paygate.errors import ItemAlreadyBeingPaid, NotAuthentic
from paygate.gateway import Callback
from paygate.testing import FakeClock
from tests.support.simulated_securehosting import SimulatedSecureHosting, serving

ADA = Customer("C-1", name="Ada Lovelace", email="ada@example.org")
MANDATE = Mandate(text_version="1", accepted_at=datetime(2026, 1, 1, tzinfo=UTC))
BACK = "https://shop.example/back"
KEYS = [Fernet.generate_key()]


def gbp(amount: str) -> Money:
    return Money.of("GBP", amount)


class Shop:
    """A cashier whose only account is at the simulated processor."""

    def __init__(self, processor: SimulatedSecureHosting, clock: FakeClock) -> None:
        self.processor, self.clock, self.count = processor, clock, 0
        account = {
            "driver": "securehosting",
            "shreference": processor.shreference,
            "checkcode": processor.checkcode,
            "password": processor.password,
            "shared_secret": processor.secret,
            "callback_url": "https://shop.example/callbacks/cards",
            "phrase": processor.phrase,
            "api_base": processor.url,
        }
        self.cashier = Cashier.in_memory(gateways={"cards": account}, clock=clock, token_keys=KEYS)

    def owe(self, total: str = "30.00") -> str:
        self.count += 1
        number = f"INV-{self.count}"
        self.cashier.issue(number=number, customer=ADA, total=gbp(total), due="2031-12-01")
        return number

    def page(self, total: str = "30.00", **given: Any) -> Payment:
        number = self.owe(total)
        return self.cashier.collect(
            number, via="cards", key=number, return_url=BACK, payer=ADA, **given
        )

    def form(self, payment: Payment) -> dict[str, str]:
        assert isinstance(payment.action, Redirect)
        return dict(payment.action.fields)

    def stored(self) -> PaymentMethod:
        payment = self.page()
        self.processor.pay(self.form(payment))
        self.hear()
        stored = self.cashier.enroll(
            ADA, via="cards", from_payment=payment.id, mandate=MANDATE, key="e"
        )
        assert stored.method is not None
        return stored.method

    def charge(self, method: PaymentMethod) -> Payment:
        number = self.owe()
        return self.cashier.collect(
            number, via="cards", key=number, method=method, payer_present=False
        )

    def deliver(self, query: str) -> int:
        sent = Callback(
            method="GET",
            path="/callbacks/cards",
            headers={},
            body=b"",
            query=query,
            received_at=self.clock.now(),
        )
        return self.cashier.receive("cards", sent).status

    def hear(self) -> None:
        waiting, self.processor.callbacks = self.processor.callbacks, []
        for each in waiting:
            assert self.deliver(each) == 200
        self.cashier.apply_callbacks()

    def poll(self, **later: float) -> None:
        self.clock.advance(timedelta(**(later or {"minutes": 6})))
        self.cashier.recover()

    def now(self, payment: Payment) -> Payment:
        return self.cashier.payment(payment.id)


@pytest.fixture
def shop() -> Iterator[Shop]:
    clock, processor = FakeClock(), SimulatedSecureHosting()
    with serving(processor):
        shop = Shop(processor, clock)
        yield shop
        assert shop.cashier.fsck() == []
        shop.cashier.close()


def assert_same_money(shop: Shop) -> None:
    """What the processor has of us is what the books say."""
    payments = shop.cashier.payments()
    ours = sum(((each.received - each.returned).decimal for each in payments), Decimal(0))
    assert shop.processor.received() == ours


# --- The page -----------------------------------------------------------------------------


def test_a_payer_pays_on_the_page_and_the_callback_reports_it(shop: Shop) -> None:
    payment = shop.page()
    assert isinstance(payment.action, Redirect)
    page = httpx.post(payment.action.url, data=shop.form(payment))
    assert page.status_code == 200

    returned = httpx.post(
        payment.action.url, data={**shop.form(payment), "card": "4242424242424242"}
    )
    assert returned.headers["location"] == BACK
    assert shop.now(payment).status is PaymentStatus.REQUIRES_ACTION
    shop.hear()

    paid = shop.now(payment)
    assert (paid.status, paid.received) == (PaymentStatus.SUCCEEDED, gbp("30.00"))
    assert [each.type for each in shop.cashier.events()].count("payment.alert") == 1
    assert_same_money(shop)


def test_a_declined_card_leaves_the_page_payable(shop: Shop) -> None:
    payment = shop.page()
    shop.processor.pay(shop.form(payment), "5434849999999993")
    shop.hear()
    assert shop.now(payment).status is PaymentStatus.REQUIRES_ACTION

    shop.processor.pay(shop.form(payment))
    shop.hear()

    assert shop.now(payment).received == gbp("30.00")
    assert_same_money(shop)


def test_the_amount_of_a_form_cannot_be_changed(shop: Shop) -> None:
    payment = shop.page()

    said = shop.processor.pay({**shop.form(payment), "transactionamount": "0.01"})

    assert said == "the seal is wrong"
    assert shop.processor.callbacks == []


def test_a_callback_that_comes_again_changes_nothing(shop: Shop) -> None:
    payment = shop.page()
    shop.processor.pay(shop.form(payment))
    [call] = shop.processor.callbacks

    for _ in range(3):
        assert shop.deliver(call) == 200
        shop.cashier.apply_callbacks()

    assert shop.now(payment).received == gbp("30.00")
    assert_same_money(shop)


def test_a_number_that_was_seen_cannot_pay_another_invoice(shop: Shop) -> None:
    small, large = shop.page("1.00"), shop.page("100.00")
    shop.processor.pay(shop.form(small))
    [genuine] = shop.processor.callbacks
    shop.hear()
    data = shop.form(large)["callbackdata"].split("|")
    proofs = [each for each in genuine.split("&") if not each.startswith("pg_")]
    forged = "&".join([*map("=".join, zip(data[::2], data[1::2], strict=True)), *proofs])

    assert shop.deliver(forged) == 200
    shop.cashier.apply_callbacks()

    assert shop.now(large).received == gbp("0.00")
    assert_same_money(shop)


def test_the_swap_that_no_callback_can_exclude_is_alerted(shop: Shop) -> None:
    """The payer pays the small form with the seal of the large one."""
    small, large = shop.page("1.00"), shop.page("100.00")
    swapped = {**shop.form(small), "callbackdata": shop.form(large)["callbackdata"]}
    number = shop.processor.pay(swapped)

    shop.hear()

    [alert] = [each for each in shop.cashier.events() if each.type == "payment.alert"]
    assert number in str(alert.data)
    assert "100.00 GBP" in str(alert.data)


def test_a_forged_callback_is_refused(shop: Shop) -> None:
    payment = shop.page()
    shop.processor.pay(shop.form(payment))
    [genuine] = shop.processor.callbacks

    with pytest.raises(NotAuthentic):
        shop.deliver(genuine.replace("pg_amount=30.00", "pg_amount=300.00"))

    assert shop.now(payment).status is PaymentStatus.REQUIRES_ACTION


# --- Charges by token ---------------------------------------------------------------------


def test_the_card_of_a_first_payment_is_charged_without_the_payer(shop: Shop) -> None:
    paid = shop.charge(shop.stored())
    shop.hear()

    now = shop.now(paid)
    assert (now.status, now.received) == (PaymentStatus.SUCCEEDED, gbp("30.00"))
    assert_same_money(shop)


def test_a_declined_charge_is_declined_once(shop: Shop) -> None:
    method = shop.stored()
    for each in shop.processor.transactions.values():
        each["card"] = "5434849999999993"

    declined = shop.charge(method)
    shop.hear()

    assert (declined.status, shop.now(declined).raw_code) == (
        PaymentStatus.DECLINED,
        "CARD DECLINED",
    )
    assert_same_money(shop)


def test_what_is_forgotten_is_not_charged(shop: Shop) -> None:
    method = shop.stored()

    shop.cashier.forget_method(method, key="f")

    assert shop.cashier.methods("C-1") == []


# --- Refunds ------------------------------------------------------------------------------


def test_a_payment_is_refunded_in_parts(shop: Shop) -> None:
    paid = shop.charge(shop.stored())

    shop.cashier.refund(paid, amount=gbp("10.00"), key="r1")
    shop.cashier.refund(paid, amount=gbp("10.00"), key="r2")

    assert shop.now(paid).returned == gbp("20.00")
    assert_same_money(shop)


def test_a_refund_whose_answer_is_lost_is_not_sent_again(shop: Shop) -> None:
    paid = shop.charge(shop.stored())
    shop.processor.breaks = ["lost answer"]
    shop.cashier.refund(paid, amount=gbp("10.00"), key="r1")

    for _ in range(12):
        shop.poll(hours=13)

    assert shop.processor.journal.count("refund") == 1
    assert shop.now(paid).needs_review


# --- Lost answers -------------------------------------------------------------------------


def test_a_lost_answer_is_cleared_by_the_callback(shop: Shop) -> None:
    method = shop.stored()
    shop.processor.breaks = ["lost answer"]
    unknown = shop.charge(method)
    assert unknown.status is PaymentStatus.UNKNOWN

    shop.hear()

    assert shop.now(unknown).received == gbp("30.00")
    assert_same_money(shop)


@pytest.mark.parametrize("fault", ["lost request", "html"])
def test_without_a_callback_it_stays_unknown_and_is_never_sent_again(
    shop: Shop, fault: str
) -> None:
    method = shop.stored()
    shop.processor.breaks = [fault]
    unknown = shop.charge(method)

    for _ in range(20):
        shop.poll(hours=13)

    now = shop.now(unknown)
    assert (now.status, now.needs_review) == (PaymentStatus.UNKNOWN, True)
    assert shop.processor.journal.count("additional") == 1
    with pytest.raises(ItemAlreadyBeingPaid):
        shop.cashier.collect(
            f"INV-{shop.count}", via="cards", key="again", method=method, payer_present=False
        )
    assert_same_money(shop)
