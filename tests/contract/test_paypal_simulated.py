"""
Payments through a cashier at the simulated PayPal.

It is ours, so it proves the two of us against each other, and against PayPal's OpenAPI files, which
it runs on every request.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from paygate import Money, Payment, PaymentStatus, Redirect
from paygate.domain.chargeback import DisputeState
from paygate.domain.outcome import DeclineCode
from paygate.errors import NotAuthentic, NotRefundable, Unsupported
from paygate.testing import FakeClock
from paygate.testing.certification import CertificationPlan, StepResult, certify
from tests.contract.paypal_openapi import OpenApi
from tests.drivers.paypal.shop import ADA, BACK, MANDATE, Shop, simulated, usd

DONE = "https://shop.example/wallets"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def shop(paypal_openapi: OpenApi, clock: FakeClock) -> Iterator[Shop]:
    paypal = simulated(clock, check=paypal_openapi.request)
    shop = Shop(paypal, clock)
    yield shop
    assert paypal.problems == [], "PayPal's own files allow every request"
    assert shop.cashier.fsck() == []
    shop.cashier.close()


def net(payment: Payment) -> Money:
    """What came in, and did not go out again."""
    return payment.received - payment.returned


def assert_same_money(shop: Shop) -> None:
    """What the processor has of us is what the books say, without the fees."""
    ours = sum((net(payment).decimal for payment in shop.cashier.payments()), Decimal(0))
    assert shop.paypal.received() == ours


# --- The payer comes back, or not -----------------------------------------------------------


def test_a_payer_who_approves_and_comes_back_has_paid(shop: Shop) -> None:
    payment = shop.page()
    assert isinstance(payment.action, Redirect)
    assert payment.action.url.endswith(f"/checkoutnow?token={payment.reference}")
    shop.paypal.approve(payment.reference)

    paid = shop.back(payment)

    assert (paid.status, paid.received) == (PaymentStatus.SUCCEEDED, usd("30.00"))
    assert shop.cashier.invoice("INV-1").open == usd("0.00")
    assert_same_money(shop)


def comes_back(shop: Shop, payment: Payment) -> None:
    shop.back(payment)


def webhook(shop: Shop, payment: Payment) -> None:
    del payment
    shop.hear()


def poller(shop: Shop, payment: Payment) -> None:
    del payment
    shop.poll()


WAYS = (comes_back, webhook, poller)
ORDERS = [order for count in (1, 2, 3) for order in itertools.product(WAYS, repeat=count)]


@pytest.mark.parametrize(
    "order", ORDERS, ids=lambda order: ", ".join(each.__name__ for each in order)
)
def test_whoever_reports_it_first_and_however_often_the_end_is_the_same(
    shop: Shop, order: tuple[Any, ...]
) -> None:
    payment = shop.approved()

    for way in order:
        way(shop, payment)

    now = shop.now(payment)
    assert (now.status, now.received, now.needs_review) == (
        PaymentStatus.SUCCEEDED,
        usd("30.00"),
        False,
    )
    assert len(shop.paypal.all("capture")) == 1
    assert_same_money(shop)


def test_an_order_that_nobody_approves_lapses_and_frees_the_invoice(shop: Shop) -> None:
    payment = shop.page()

    for _ in range(4):
        shop.poll(hours=7)

    assert shop.now(payment).status is PaymentStatus.EXPIRED
    assert (
        shop.cashier.collect("INV-1", via="paypal", key="again", return_url=BACK, payer=ADA).status
        is PaymentStatus.REQUIRES_ACTION
    )
    assert_same_money(shop)


def test_who_comes_back_after_the_order_lapsed_pays_nothing(shop: Shop) -> None:
    payment = shop.approved()
    shop.clock.advance(None, hours=4)

    late = shop.back(payment)

    assert late.received == usd("0.00")
    assert shop.paypal.all("capture") == []


def test_money_that_arrives_after_the_end_becomes_credit(shop: Shop) -> None:
    payment = shop.approved()
    shop.waiting()
    shop.cashier.withdraw_page(payment)
    again = shop.cashier.collect("INV-1", via="paypal", key="again", return_url=BACK, payer=ADA)
    shop.paypal.approve(again.reference)
    shop.back(again)

    # A capture of the first order that was on its way for a long time.
    shop.paypal.take_order(payment.reference, "CAPTURE", {})
    shop.hear()

    now = shop.now(payment)
    assert (now.received, now.credited) == (usd("30.00"), usd("30.00"))
    assert shop.now(again).credited == usd("0.00")
    assert_same_money(shop)


def test_a_page_that_another_payment_replaced_takes_no_money(shop: Shop) -> None:
    first = shop.page()
    second = shop.cashier.collect("INV-1", via="paypal", key="two", return_url=BACK, payer=ADA)
    shop.paypal.approve(second.reference)
    shop.back(second)
    shop.paypal.approve(first.reference)

    shop.hear()
    shop.poll()

    assert len(shop.paypal.all("capture")) == 1
    assert shop.now(second).status is PaymentStatus.SUCCEEDED
    assert_same_money(shop)


def test_a_withdrawn_page_is_never_taken(shop: Shop) -> None:
    payment = shop.approved()

    ended = shop.cashier.withdraw_page(payment).payment
    shop.hear()
    shop.poll()

    assert ended.status is PaymentStatus.CANCELED
    assert shop.paypal.all("capture") == []


# --- What a payer's bank says ---------------------------------------------------------------


def test_a_payer_whose_card_is_declined_chooses_another_on_the_same_page(shop: Shop) -> None:
    payment = shop.approved("declined once")

    declined = shop.back(payment)
    assert (declined.status, declined.raw_code) == (
        PaymentStatus.REQUIRES_ACTION,
        "INSTRUMENT_DECLINED",
    )
    shop.paypal.approve(payment.reference, "ada")
    paid = shop.back(payment)

    assert (paid.status, paid.received) == (PaymentStatus.SUCCEEDED, usd("30.00"))
    assert_same_money(shop)


@pytest.mark.parametrize(
    ("payer", "code", "retryable"),
    [
        ("refused", DeclineCode.GENERIC, True),
        ("locked", DeclineCode.ACCOUNT_CLOSED, False),
        ("fails", DeclineCode.GENERIC, False),
    ],
)
def test_a_decline_for_good_ends_the_payment(
    shop: Shop, payer: str, code: DeclineCode, *, retryable: bool
) -> None:
    declined = shop.paid(payer=payer)

    assert (declined.status, declined.code) == (PaymentStatus.DECLINED, code)
    assert declined.retryable is retryable
    assert shop.cashier.invoice("INV-1").open == usd("30.00")


@pytest.mark.parametrize("denied", [False, True], ids=["clears", "denied"])
@pytest.mark.parametrize("how", [webhook, poller])
def test_an_e_check_is_decided_days_later(shop: Shop, how: Any, *, denied: bool) -> None:
    payment = shop.paid(payer="e-check")
    assert payment.status is PaymentStatus.PROCESSING
    shop.hear()
    [capture] = shop.paypal.all("capture")

    shop.clock.advance(None, days=4)
    shop.paypal.clear(capture["id"], denied=denied)
    how(shop, payment)

    now = shop.now(payment)
    assert now.status is (PaymentStatus.DECLINED if denied else PaymentStatus.SUCCEEDED)
    assert now.received == usd("0.00" if denied else "30.00")
    assert_same_money(shop)


# --- Currencies -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("currency", "amount", "written"),
    [
        ("HUF", "12000", "12000"),
        ("JPY", "3000", "3000"),
        ("TWD", "950", "950"),
        ("EUR", "4.35", "4.35"),
    ],
)
def test_amounts_are_written_with_the_digits_that_paypal_has(
    shop: Shop, currency: str, amount: str, written: str
) -> None:
    paid = shop.paid(total=Money.of(currency, amount))

    assert paid.received == Money.of(currency, amount)
    [order] = shop.posts("/orders")
    assert order["purchase_units"][0]["amount"] == {"currency_code": currency, "value": written}


def test_decimals_that_a_currency_does_not_have_at_paypal_are_refused(shop: Shop) -> None:
    with pytest.raises(Unsupported, match="round the amount first"):
        shop.page(Money.of("HUF", "1200.50"))

    assert shop.paypal.all("order") == []


def test_a_currency_that_the_account_does_not_take_waits_for_the_merchant(shop: Shop) -> None:
    shop.paypal.not_held = {"NOK"}
    payment = shop.paid(total=Money.of("NOK", "300.00"))
    assert payment.status is PaymentStatus.PROCESSING

    [capture] = shop.paypal.all("capture")
    shop.paypal.clear(capture["id"])
    shop.hear()

    assert shop.now(payment).status is PaymentStatus.SUCCEEDED


# --- Holds ----------------------------------------------------------------------------------


def test_what_is_held_is_captured_in_parts_and_the_rest_is_released(shop: Shop) -> None:
    payment = shop.hold()
    shop.paypal.approve(payment.reference)
    held = shop.back(payment)
    assert (held.status, held.authorized) == (PaymentStatus.AUTHORIZED, usd("30.00"))

    shop.cashier.capture(payment, key="c1", amount=usd("10.00"), final=False)
    shop.cashier.capture(payment, key="c2", amount=usd("5.00"), final=True)
    shop.hear()
    shop.poll(hours=5)

    now = shop.now(payment)
    assert (now.status, now.received) == (PaymentStatus.SUCCEEDED, usd("15.00"))
    assert [each["status"] for each in shop.paypal.all("authorization")] == ["CAPTURED"]
    assert_same_money(shop)


def test_what_is_held_is_released(shop: Shop) -> None:
    payment = shop.hold()
    shop.paypal.approve(payment.reference)
    shop.back(payment)

    canceled = shop.cashier.cancel(payment, key="x").payment
    shop.hear()

    assert canceled.status is PaymentStatus.CANCELED
    assert [each["status"] for each in shop.paypal.all("authorization")] == ["VOIDED"]


def test_a_hold_that_runs_out_ends_as_expired(shop: Shop) -> None:
    payment = shop.hold()
    shop.paypal.approve(payment.reference)
    shop.back(payment)

    shop.clock.advance(None, days=30)
    shop.paypal.lapse()
    shop.hear()

    assert shop.now(payment).status is PaymentStatus.EXPIRED


# --- Refunds --------------------------------------------------------------------------------


def test_money_is_sent_back_in_parts_until_all_is_back(shop: Shop) -> None:
    payment = shop.paid()

    for number in ("1", "2", "3"):
        shop.cashier.refund(payment, key=number, amount=usd("10.00"), to="reopen")
    shop.hear()
    shop.poll(hours=5)

    now = shop.now(payment)
    assert now.returned == usd("30.00")
    assert [each["amount"]["value"] for each in shop.paypal.all("refund")] == ["10.00"] * 3
    with pytest.raises(NotRefundable):
        shop.cashier.refund(payment, key="4", amount=usd("0.01"), to="reopen")
    assert_same_money(shop)


@pytest.mark.parametrize("how", [webhook, poller])
def test_a_refund_on_paypals_site_is_booked(shop: Shop, how: Any) -> None:
    payment = shop.paid()
    shop.hear()
    [capture] = shop.paypal.all("capture")

    shop.paypal.refund(capture["id"], {"amount": {"currency_code": "USD", "value": "4.00"}})
    how(shop, payment)

    assert shop.now(payment).returned == usd("4.00")
    assert_same_money(shop)


# --- Disputes -------------------------------------------------------------------------------


def test_a_dispute_is_booked_at_every_turn(shop: Shop) -> None:
    payment = shop.paid()
    shop.hear()
    [capture] = shop.paypal.all("capture")
    told: list[tuple[DisputeState, Money]] = []

    dispute = shop.paypal.dispute(capture["id"])
    for won in (None, True, False, True):
        if won is not None:
            shop.paypal.turn(dispute["id"], won=won)
        shop.hear()
        [chargeback] = shop.cashier.chargebacks(payment=payment)
        told.append((chargeback.state, net(shop.now(payment))))
        assert_same_money(shop)

    assert told == [
        (DisputeState.OPENED, usd("0.00")),
        (DisputeState.WON, usd("30.00")),
        (DisputeState.LOST, usd("0.00")),
        (DisputeState.WON, usd("30.00")),
    ]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_the_turns_of_a_dispute_may_be_told_in_any_order_and_twice(
    shop: Shop, order: tuple[int, ...]
) -> None:
    payment = shop.paid()
    shop.hear()
    [capture] = shop.paypal.all("capture")
    dispute = shop.paypal.dispute(capture["id"])
    for won in (True, False, True):
        shop.paypal.turn(dispute["id"], won=won)
    webhooks = shop.waiting()

    for number in (*order, *order[:2]):
        assert shop.deliver(*webhooks[number]) == 200
        shop.cashier.apply_callbacks()

    [chargeback] = shop.cashier.chargebacks(payment=payment)
    assert (chargeback.state, net(shop.now(payment))) == (DisputeState.WON, usd("30.00"))
    assert_same_money(shop)


def test_a_dispute_whose_webhooks_were_lost_is_found_in_the_feed(shop: Shop) -> None:
    payment = shop.paid()
    shop.hear()
    [capture] = shop.paypal.all("capture")
    dispute = shop.paypal.dispute(capture["id"])
    shop.paypal.turn(dispute["id"], won=False)
    shop.waiting()

    shop.poll(hours=5)

    [chargeback] = shop.cashier.chargebacks(payment=payment)
    assert (chargeback.state, chargeback.taken) == (DisputeState.LOST, usd("30.00"))
    assert_same_money(shop)


def test_an_open_dispute_refuses_a_refund(shop: Shop) -> None:
    payment = shop.paid()
    shop.paypal.dispute(shop.paypal.all("capture")[0]["id"])
    shop.hear()

    with pytest.raises(NotRefundable):
        shop.cashier.refund(payment, key="r", to="reopen")


# --- Settlement -----------------------------------------------------------------------------


def test_the_report_settles_what_was_taken_less_its_fee(shop: Shop) -> None:
    payment = shop.paid()
    shop.poll(minutes=30)
    assert not shop.now(payment).settled, "the report is two hours late"

    shop.poll(hours=3)

    assert shop.now(payment).settled
    [receipt] = shop.cashier.receipts(payment=payment)
    assert (receipt.settled, receipt.fee) == (usd("28.95"), usd("1.05"))


def test_what_another_system_takes_at_the_same_account_is_not_ours(shop: Shop) -> None:
    unit = {"amount": {"currency_code": "USD", "value": "7.00"}, "custom_id": "shop 12"}
    source = {"paypal": {"experience_context": {"return_url": BACK, "cancel_url": BACK}}}
    order = shop.paypal.create_order(
        {"intent": "CAPTURE", "purchase_units": [unit], "payment_source": source}
    )
    shop.paypal.approve(order["id"])
    taken = shop.paypal.take_order(order["id"], "CAPTURE", {})
    capture = taken["purchase_units"][0]["payments"]["captures"][0]["id"]
    shop.paypal.refund(capture)

    shop.hear()
    shop.poll(hours=5)

    assert shop.cashier.payments() == []
    assert shop.cashier.read_feeds().failed == {}
    assert shop.cashier.orphans() == []


# --- Stored wallets -------------------------------------------------------------------------


def test_a_wallet_is_stored_with_a_payment_and_charged_without_the_payer(shop: Shop) -> None:
    shop.paid(save_method=True, mandate=MANDATE)
    [method] = shop.cashier.methods("C-1")

    number = shop.owe()
    payment = shop.cashier.collect(
        number, via="paypal", key="auto", method=method, payer_present=False, reason="recurring"
    )

    assert (payment.status, payment.received) == (PaymentStatus.SUCCEEDED, usd("30.00"))
    shop.hear()
    assert_same_money(shop)


def test_a_wallet_is_stored_without_a_payment_and_forgotten(shop: Shop) -> None:
    change = shop.cashier.enroll(ADA, via="paypal", key="e", return_url=DONE, mandate=MANDATE)
    assert isinstance(change.action, Redirect)
    shop.paypal.approve_setup(change.reference)
    assert shop.cashier.inquire_method(change).state.value == "succeeded"
    [method] = shop.cashier.methods("C-1")

    held = shop.cashier.authorize(shop.owe(), via="paypal", key="h", method=method)
    shop.cashier.forget_method(method, key="f")
    shop.hear()

    assert held.status is PaymentStatus.AUTHORIZED
    assert shop.paypal.all("token") == []
    assert shop.cashier.methods("C-1") == []


def test_a_wallet_that_the_payer_deleted_at_paypal_is_not_charged_again(shop: Shop) -> None:
    shop.paid(save_method=True, mandate=MANDATE)
    shop.paypal.delete_token(shop.paypal.all("token")[0]["id"])

    shop.hear()

    assert shop.cashier.methods("C-1") == []


def test_a_wallet_that_is_gone_is_not_declined(shop: Shop) -> None:
    shop.paid(save_method=True, mandate=MANDATE)
    [method] = shop.cashier.methods("C-1")
    del shop.paypal.objects["token"][shop.paypal.all("token")[0]["id"]]

    payment = shop.cashier.collect(shop.owe(), via="paypal", key="auto", method=method)

    assert (payment.status, payment.code) == (PaymentStatus.FAILED, "method_gone")


# --- What goes wrong ------------------------------------------------------------------------

FAULTS = ["lost request", "lost answer", "500", "503", "html", "revoked"]
"""What can happen to a request that changes something."""


def settle(shop: Shop) -> None:
    """Let recovery finish what is open; webhooks are lost."""
    shop.waiting()
    for later in (2, 6, 20, 60, 300):
        shop.poll(minutes=later)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_while_the_order_is_created_makes_one_order(shop: Shop, fault: str) -> None:
    shop.paypal.breaks = [fault]

    payment = shop.page()
    for later in (2, 6, 20):
        shop.poll(minutes=later)

    now = shop.now(payment)
    if now.status is PaymentStatus.REQUIRES_ACTION:
        [order] = shop.paypal.all("order")
        assert now.reference == order["id"]
    else:
        assert (now.status, now.retryable) == (PaymentStatus.FAILED, True)


@pytest.mark.parametrize("again", ["fine", "lost answer", "500"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_while_the_money_is_taken_takes_it_once(shop: Shop, fault: str, again: str) -> None:
    payment = shop.approved()
    shop.paypal.breaks = [fault, again]

    shop.back(payment)
    settle(shop)

    now = shop.now(payment)
    assert (now.status, now.received) == (PaymentStatus.SUCCEEDED, usd("30.00"))
    assert len(shop.paypal.all("capture")) == 1
    assert_same_money(shop)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("step", [0, 1], ids=["order", "capture"])
def test_a_fault_while_a_wallet_is_charged_charges_it_once(
    shop: Shop, fault: str, step: int
) -> None:
    shop.paid(save_method=True, mandate=MANDATE)
    [method] = shop.cashier.methods("C-1")
    shop.paypal.breaks = [*["fine"] * step, fault]

    number = shop.owe()
    payment = shop.cashier.collect(number, via="paypal", key="a", method=method)
    settle(shop)

    now = shop.now(payment)
    taken = len(shop.paypal.all("capture")) - 1
    assert (now.status, taken) in ((PaymentStatus.SUCCEEDED, 1), (PaymentStatus.FAILED, 0))
    assert now.retryable or taken
    assert_same_money(shop)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_while_money_is_sent_back_sends_it_once(shop: Shop, fault: str) -> None:
    payment = shop.paid()
    shop.paypal.breaks = [fault]

    shop.cashier.refund(payment, key="r", amount=usd("10.00"), to="reopen")
    settle(shop)

    assert shop.now(payment).returned == usd("10.00")
    assert len(shop.paypal.all("refund")) == 1
    assert_same_money(shop)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_while_a_hold_is_captured_captures_it_once(shop: Shop, fault: str) -> None:
    payment = shop.hold()
    shop.paypal.approve(payment.reference)
    shop.back(payment)
    shop.paypal.breaks = [fault]

    shop.cashier.capture(payment, key="c", amount=usd("12.00"))
    settle(shop)

    now = shop.now(payment)
    assert (now.received, now.capturing) == (usd("12.00"), usd("0.00"))
    assert len(shop.paypal.all("capture")) == 1
    assert_same_money(shop)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_while_a_hold_is_released_does_not_lose_it(shop: Shop, fault: str) -> None:
    payment = shop.hold()
    shop.paypal.approve(payment.reference)
    shop.back(payment)
    shop.paypal.breaks = [fault]

    shop.cashier.cancel(payment, key="x")
    settle(shop)

    [hold] = shop.paypal.all("authorization")
    now = shop.now(payment)
    released = hold["status"] == "VOIDED"
    assert (now.status is PaymentStatus.CANCELED) is released
    assert released or now.status is PaymentStatus.AUTHORIZED


def test_a_refund_whose_answer_was_lost_a_week_ago_is_repeated(shop: Shop) -> None:
    payment = shop.paid()
    shop.paypal.breaks = ["lost request"]
    shop.cashier.refund(payment, key="r", amount=usd("10.00"), to="reopen")

    shop.poll(days=7)

    assert shop.now(payment).returned == usd("10.00")
    assert len(shop.paypal.all("refund")) == 1


def test_wrong_credentials_are_reported_and_nothing_is_sent(shop: Shop) -> None:
    shop.paypal.client_secret = "another"

    payment = shop.page()

    assert (payment.status, payment.retryable) == (PaymentStatus.FAILED, True)
    assert "client id and secret" in payment.reason
    assert shop.paypal.asked == []


def test_a_token_is_used_until_it_expires(shop: Shop) -> None:
    shop.paid()
    shop.paid()
    assert shop.paypal.signed_in == 1

    shop.clock.advance(None, hours=10)
    shop.paid()

    assert shop.paypal.signed_in == 2


def test_a_payer_who_cancels_can_still_pay(shop: Shop) -> None:
    payment = shop.page()

    canceled = shop.back(payment, status="cancel")
    shop.paypal.approve(payment.reference)
    paid = shop.back(payment)

    assert canceled.status is PaymentStatus.REQUIRES_ACTION
    assert paid.status is PaymentStatus.SUCCEEDED


def test_an_order_that_was_taken_elsewhere_is_found_taken(shop: Shop) -> None:
    payment = shop.approved()
    shop.paypal.take_order(payment.reference, "CAPTURE", {})

    assert shop.back(payment).status is PaymentStatus.SUCCEEDED
    assert_same_money(shop)


def test_the_books_are_rebuilt_from_the_journal_of_a_processor_that_restarts(
    tmp_path: Path, clock: FakeClock
) -> None:
    shop = Shop(simulated(clock, journal=tmp_path / "paypal.jsonl"), clock)
    payment = shop.approved()

    shop.wire.paypal = shop.paypal = simulated(clock, journal=tmp_path / "paypal.jsonl")
    shop.back(payment)
    shop.cashier.refund(payment, key="r", amount=usd("10.00"), to="reopen")

    assert net(shop.now(payment)) == usd("20.00")
    assert_same_money(shop)
    assert simulated(clock, journal=tmp_path / "paypal.jsonl").received() == Decimal("20.00")


# --- Tampering ------------------------------------------------------------------------------


def test_the_return_page_is_not_believed(shop: Shop) -> None:
    payment = shop.page()

    back = shop.back(payment, status="COMPLETED", success="true", amount="30.00")

    assert (back.status, back.received) == (PaymentStatus.REQUIRES_ACTION, usd("0.00"))


def test_a_cheaper_order_that_was_paid_does_not_pay_a_dearer_invoice(shop: Shop) -> None:
    cheap = shop.approved(total=usd("0.01"))
    dear = shop.page()

    back = shop.back(dear, token=cheap.reference)

    assert (back.status, back.received) == (PaymentStatus.REQUIRES_ACTION, usd("0.00"))
    assert shop.paypal.all("capture") == []


@pytest.mark.parametrize(
    "change",
    [
        {"amount": {"currency_code": "USD", "value": "0.01"}},
        {"amount": {"currency_code": "NOK", "value": "30.00"}},
        {"payee": {"merchant_id": "8E7MGXCWTTKK3"}},
        {"custom_id": "pay_x.att_x"},
        {"custom_id": ""},
    ],
    ids=["amount", "currency", "merchant", "another payment", "no payment"],
)
def test_an_order_that_was_changed_is_not_taken(shop: Shop, change: dict[str, Any]) -> None:
    payment = shop.approved()
    [unit] = shop.paypal.find("order", payment.reference)["purchase_units"]
    unit.update(change)

    back = shop.back(payment)
    shop.hear_all()

    assert back.received == usd("0.00")
    assert shop.paypal.all("capture") == []
    assert shop.now(payment).received == usd("0.00")


def test_an_order_with_two_parts_is_not_taken(shop: Shop) -> None:
    payment = shop.approved()
    order = shop.paypal.find("order", payment.reference)
    order["purchase_units"] = order["purchase_units"] * 2
    shop.paypal.shown = lambda order: order  # type: ignore[method-assign]

    assert shop.back(payment).received == usd("0.00")
    assert shop.paypal.all("capture") == []


def test_less_money_than_was_asked_for_is_booked_as_it_is(shop: Shop) -> None:
    payment = shop.approved()
    [unit] = shop.paypal.find("order", payment.reference)["purchase_units"]
    unit["amount"] = {"currency_code": "USD", "value": "0.01"}
    shop.paypal.take_order(payment.reference, "CAPTURE", {})

    shop.hear()

    assert shop.now(payment).received == usd("0.01")
    assert shop.cashier.invoice("INV-1").open == usd("29.99")


@pytest.mark.parametrize("field", ["value", "custom_id", "status"])
def test_a_changed_webhook_is_refused(shop: Shop, field: str) -> None:
    shop.approved()
    [(headers, body)] = shop.waiting()
    changed = {
        "value": body.replace(b'"30.00"', b'"3000.00"'),
        "custom_id": body.replace(b"pay_", b"pax_"),
        "status": body.replace(b'"APPROVED"', b'"COMPLETED"'),
    }[field]
    assert changed != body

    with pytest.raises(NotAuthentic):
        shop.deliver(headers, changed)

    assert shop.cashier.callbacks() == []


@pytest.mark.parametrize("check", ["offline", "api"])
def test_a_webhook_is_checked_on_this_machine_or_by_paypal(
    paypal_openapi: OpenApi, clock: FakeClock, check: str
) -> None:
    paypal = simulated(clock, check=paypal_openapi.request)
    shop = Shop(paypal, clock, webhook_check=check)
    payment = shop.approved()
    [(headers, body)] = shop.waiting()

    with pytest.raises(NotAuthentic):
        shop.deliver(headers, body.replace(b'"30.00"', b'"3000.00"'))
    assert shop.deliver(headers, body) == 200
    shop.cashier.apply_callbacks()

    assert shop.now(payment).status is PaymentStatus.SUCCEEDED
    asked = [path for _, path, _ in paypal.asked if path.endswith("verify-webhook-signature")]
    assert len(asked) == (2 if check == "api" else 0)
    assert paypal.problems == []


def test_the_certificate_is_fetched_once(shop: Shop) -> None:
    for _ in range(3):
        shop.paid()
    shop.hear()

    fetched = [each.url for each in shop.wire.sent if each.step == "certificate"]
    assert len(fetched) == 1


def test_what_is_answered_is_what_paypal_describes(shop: Shop, paypal_openapi: OpenApi) -> None:
    """The simulation answers as PayPal's files say, so what was read from it means something."""
    exchange, wrong = shop.wire.exchange, list[str]()

    def checked(request: Any) -> Any:
        answer = exchange(request)
        if answer.status < 300 and answer.body and not answer.body.startswith(b"--"):
            found = paypal_openapi.response(
                request.method, request.url, answer.status, json.loads(answer.body)
            )
            wrong.extend(f"{request.step}: {each}" for each in found)
        return answer

    shop.wire.exchange = checked  # type: ignore[method-assign]
    payment = shop.paid(save_method=True, mandate=MANDATE)
    shop.cashier.refund(payment, key="r", amount=usd("10.00"), to="reopen")
    held = shop.hold()
    shop.paypal.approve(held.reference)
    shop.back(held)
    shop.cashier.capture(held, key="c", amount=usd("10.00"))
    shop.hear()
    shop.poll(hours=5)

    assert wrong == [], "; ".join(wrong)


def test_the_account_is_checked(shop: Shop) -> None:
    facts = shop.cashier.check("paypal")

    assert (facts.merchant_account, facts.live) == ("7E7MGXCWTTKK2", False)


@pytest.mark.parametrize("vault", [True, False])
def test_a_certification_opens_a_page_and_charges_nobody(
    paypal_openapi: OpenApi, clock: FakeClock, vault: bool
) -> None:
    shop = Shop(simulated(clock, check=paypal_openapi.request), clock, vault=vault)

    report = certify(shop.cashier, CertificationPlan(account="paypal", kind="redirect"))

    results = {step.name: step.result for step in report.steps}
    assert report.ok
    assert {name for name, result in results.items() if result is StepResult.PASSED} == {
        "credentials",
        "page",
        "books",
    }
    assert shop.paypal.received() == 0
    shop.cashier.close()
