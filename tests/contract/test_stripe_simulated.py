"""
Payments through a cashier at the simulated Stripe, over HTTP.

It is ours, so it proves the two of us against each other, and against Stripe's schema,
which it runs on every request. It does what the third-party double cannot: the bank's
page, kept cards, Checkout, events, and answers that are kept under their key.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from cryptography.fernet import Fernet

from paygate import (
    Cashier,
    Customer,
    Mandate,
    Money,
    OperationState,
    Payment,
    PaymentMethod,
    PaymentStatus,
    PostalAddress,
    Redirect,
)
from paygate.domain.attempt import AttemptState
from paygate.domain.outcome import DeclineCode
from paygate.gateway import Callback
from paygate.testing import FakeClock
from tests.support.simulated_stripe import SimulatedStripe, serving

ADA = Customer(
    "C-1",
    name="Ada Lovelace",
    email="ada@example.org",
    phone="+44 1353 660",
    address=PostalAddress(line1="12 St James's Sq", postal_code="SW1Y", country="GB"),
)
MANDATE = Mandate(
    text_version="2026-1", accepted_at=datetime(2026, 1, 1, tzinfo=UTC), reference="M-1"
)
BACK = "https://shop.example/back"
KEYS = [Fernet.generate_key()]
ASKS = "pm_card_authenticationRequired"
ASKS_ONCE = "pm_card_authenticationRequiredOnSetup"
ASKS_AND_DECLINES = "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds"


def usd(amount: str) -> Money:
    return Money.of("USD", amount)


class Shop:
    """A cashier whose only account is at the simulated processor."""

    def __init__(self, stripe: SimulatedStripe, clock: FakeClock) -> None:
        self.stripe = stripe
        self.clock = clock
        account = {
            "driver": "stripe",
            "secret_key": stripe.secret_key,
            "webhook_secrets": [stripe.signing_secret],
            "api_base": stripe.url,
        }
        self.cashier = Cashier.in_memory(gateways={"card": account}, clock=clock, token_keys=KEYS)
        self.count = 0

    def owe(self, total: str = "30.00") -> str:
        self.count += 1
        number = f"INV-{self.count}"
        self.cashier.issue(number=number, customer=ADA, total=usd(total), due="2031-12-01")
        return number

    def pay(self, method: object = "pm_card_visa", **given: Any) -> Payment:
        number = self.owe()
        more: dict[str, Any] = {"method": method, "kind": "card", "payer": ADA, **given}
        return self.cashier.collect(number, via="card", key=number, **more)

    def page(self, **given: Any) -> tuple[Payment, str]:
        number = self.owe()
        payment = self.cashier.collect(
            number, via="card", kind="redirect", key=number, return_url=BACK, **given
        )
        return payment, url_of(payment)

    def kept(self, card: str = "pm_card_visa") -> PaymentMethod:
        change = self.cashier.enroll(ADA, via="card", method=card, key=card, mandate=MANDATE)
        assert change.method is not None
        return change.method

    def kept_at_the_bank(self, card: str) -> PaymentMethod:
        change = self.cashier.enroll(
            ADA, via="card", method=card, key=card, mandate=MANDATE, return_url=BACK
        )
        assert isinstance(change.action, Redirect)
        answer(change.action.url, answer="yes")
        self.hear()
        (method,) = self.cashier.methods("C-1")
        return method

    def charge(self, method: PaymentMethod, *breaks: str) -> Payment:
        self.stripe.breaks = list(breaks)
        return self.pay(method, payer_present=False, reason="recurring")

    def recover(self, **later: float) -> None:
        self.clock.advance(None, **(later or {"minutes": 5}))
        self.cashier.recover()

    def hear(self) -> None:
        """Take in the webhooks that wait, and apply them."""
        waiting, self.stripe.webhooks = self.stripe.webhooks, []
        for headers, body in waiting:
            sent = Callback(
                method="POST",
                path="/card",
                headers=headers,
                body=body,
                received_at=self.clock.now(),
            )
            assert self.cashier.receive("card", sent).status == 200
        self.cashier.apply_callbacks()

    def now(self, payment: Payment) -> Payment:
        return self.cashier.payment(payment.id)

    @property
    def charges(self) -> list[dict[str, Any]]:
        return self.stripe.all("charge")

    def posts(self, path: str = "/v1/payment_intents") -> list[dict[str, Any]]:
        return [form for method, at, form in self.stripe.asked if (method, at) == ("POST", path)]


def url_of(payment: Payment) -> str:
    assert isinstance(payment.action, Redirect)
    return payment.action.url


def answer(url: str, **fields: str) -> httpx.Response:
    """Do what the payer does on a page of the processor's."""
    assert httpx.get(url).status_code == 200
    return httpx.post(url, data=fields)


@pytest.fixture
def stripe(
    stripe_form_problems: Callable[[str, str, dict[str, Any]], list[str]],
) -> Iterator[SimulatedStripe]:
    def check(method: str, path: str, given: dict[str, Any]) -> list[str]:
        # Not in the schema of 2023; it is in the library of 2026.
        known = {name: each for name, each in given.items() if name != "payment_method_options"}
        return stripe_form_problems(method, path, known)

    made = SimulatedStripe(now=FakeClock().now, check=check)
    with serving(made):
        yield made


@pytest.fixture
def shop(stripe: SimulatedStripe) -> Iterator[Shop]:
    clock = FakeClock()
    stripe.now = clock.now
    made = Shop(stripe, clock)
    yield made
    assert [str(each) for each in made.cashier.fsck()] == []
    made.cashier.close()
    assert stripe.problems == []


# --- Cards -----------------------------------------------------------------------------------


def test_a_card_pays_and_stripe_is_told_what_the_host_says(shop: Shop) -> None:
    payment = shop.pay(
        metadata={"boat": "Ida"},
        statement_suffix="ROW 12",
        receipt_email="desk@club.example",
        ship_to=ADA,
        moto=True,
    )

    assert (payment.status, payment.received) == (PaymentStatus.SUCCEEDED, usd("30.00"))
    (intent,) = shop.stripe.all("payment_intent")
    assert intent["metadata"]["boat"] == "Ida"
    assert intent["statement_descriptor_suffix"] == "ROW 12"
    assert intent["receipt_email"] == "desk@club.example"
    assert intent["shipping"]["address"]["postal_code"] == "SW1Y"


DECLINED = [
    ("pm_card_visa_chargeDeclined", DeclineCode.GENERIC, "generic_decline"),
    ("pm_card_chargeDeclined", DeclineCode.GENERIC, "generic_decline"),
    (
        "pm_card_visa_chargeDeclinedInsufficientFunds",
        DeclineCode.INSUFFICIENT_FUNDS,
        "insufficient_funds",
    ),
    (
        "pm_card_chargeDeclinedInsufficientFunds",
        DeclineCode.INSUFFICIENT_FUNDS,
        "insufficient_funds",
    ),
    ("pm_card_visa_chargeDeclinedLostCard", DeclineCode.LOST_OR_STOLEN, "lost_card"),
    ("pm_card_visa_chargeDeclinedStolenCard", DeclineCode.LOST_OR_STOLEN, "stolen_card"),
    ("pm_card_chargeDeclinedExpiredCard", DeclineCode.EXPIRED_METHOD, "expired_card"),
    ("pm_card_chargeDeclinedIncorrectCvc", DeclineCode.INVALID_SECURITY_CODE, "incorrect_cvc"),
    ("pm_card_chargeDeclinedProcessingError", DeclineCode.TRY_AGAIN_LATER, "processing_error"),
    (
        "pm_card_visa_chargeDeclinedVelocityLimitExceeded",
        DeclineCode.LIMIT_EXCEEDED,
        "card_velocity_exceeded",
    ),
]


@pytest.mark.parametrize(("card", "code", "raw_code"), DECLINED)
def test_a_declined_card_is_declined_for_its_reason_and_is_not_kept(
    shop: Shop, card: str, code: DeclineCode, raw_code: str
) -> None:
    payment = shop.pay(card)
    change = shop.cashier.enroll(ADA, via="card", method=card, key="e", mandate=MANDATE)

    assert payment.status is PaymentStatus.DECLINED
    attempt = shop.cashier.attempts(payment)[-1]
    assert (attempt.code, attempt.raw_code) == (code, raw_code)
    assert change.state is AttemptState.DECLINED
    assert shop.charges == []
    assert shop.cashier.methods("C-1") == []


def test_a_card_that_declines_after_attaching_is_kept_and_pays_nothing(shop: Shop) -> None:
    method = shop.kept("pm_card_chargeCustomerFail")

    alone = shop.charge(method)
    at_once = shop.pay("pm_card_chargeCustomerFail")

    for payment in (alone, at_once):
        assert payment.status is PaymentStatus.DECLINED
        assert shop.cashier.attempts(payment)[-1].raw_code == "generic_decline"
    assert shop.charges == []


@pytest.mark.parametrize(
    ("card", "brand"),
    [
        ("pm_card_visa_debit", "visa"),
        ("pm_card_mastercard", "mastercard"),
        ("pm_card_amex", "amex"),
        ("pm_card_discover", "discover"),
        ("pm_card_diners", "diners"),
        ("pm_card_jcb", "jcb"),
        ("pm_card_unionpay", "unionpay"),
    ],
)
def test_a_card_of_each_brand_pays_and_is_of_that_brand(shop: Shop, card: str, brand: str) -> None:
    payment = shop.pay(card)

    assert payment.received == usd("30.00")
    (charge,) = shop.charges
    assert charge["payment_method_details"]["card"]["brand"] == brand


def test_a_test_card_that_is_not_known_is_refused_in_words_that_say_so(shop: Shop) -> None:
    payment = shop.pay("pm_card_ofNobody")

    assert payment.status is not PaymentStatus.SUCCEEDED
    assert "the simulated Stripe does not know" in shop.cashier.attempts(payment)[-1].reason


# --- The bank's page -------------------------------------------------------------------------


def test_a_payer_who_authenticates_pays(shop: Shop) -> None:
    payment = shop.pay(ASKS, return_url=BACK)
    assert payment.status is PaymentStatus.REQUIRES_ACTION

    back = answer(url_of(payment), answer="yes")
    result = shop.cashier.complete(payment)

    assert (back.status_code, back.headers["location"]) == (303, BACK)
    assert result.payment.received == usd("30.00")
    assert len(shop.charges) == 1


def test_a_payer_who_does_not_authenticate_is_declined(shop: Shop) -> None:
    payment = shop.pay(ASKS, return_url=BACK)

    answer(url_of(payment), answer="no")
    result = shop.cashier.complete(payment)

    assert result.payment.status is PaymentStatus.DECLINED
    (attempt, _) = shop.cashier.attempts(payment)
    assert attempt.code == DeclineCode.AUTHENTICATION_FAILED
    assert shop.charges == []


def test_a_card_whose_payer_does_not_authenticate_is_not_kept(shop: Shop) -> None:
    change = shop.cashier.enroll(
        ADA, via="card", method=ASKS, key="e", mandate=MANDATE, return_url=BACK
    )
    assert isinstance(change.action, Redirect)

    answer(change.action.url, answer="no")
    shop.hear()

    assert shop.cashier.methods("C-1") == []
    assert shop.cashier.inquire_method(change).state is AttemptState.DECLINED


def test_a_payer_who_authenticates_without_the_money_is_declined(shop: Shop) -> None:
    payment = shop.pay(ASKS_AND_DECLINES, return_url=BACK)

    answer(url_of(payment), answer="yes")
    result = shop.cashier.complete(payment)

    assert result.payment.status is PaymentStatus.DECLINED
    assert shop.cashier.attempts(payment)[0].raw_code == "insufficient_funds"
    assert shop.charges == []


def test_a_card_that_is_set_up_already_asks_only_a_payer_who_is_there(shop: Shop) -> None:
    method = shop.kept_at_the_bank("pm_card_authenticationRequiredSetupForOffSession")

    alone = shop.charge(method)
    together = shop.pay(method, return_url=BACK)

    assert alone.received == usd("30.00")
    assert together.status is PaymentStatus.REQUIRES_ACTION


def test_a_payer_who_left_is_found_by_the_webhook(shop: Shop) -> None:
    payment = shop.pay(ASKS, return_url=BACK)

    answer(url_of(payment), answer="yes")
    shop.hear()

    assert shop.now(payment).received == usd("30.00")


# --- Kept cards ------------------------------------------------------------------------------


def test_a_card_that_is_kept_with_a_payment_is_charged_in_one_request(shop: Shop) -> None:
    first = shop.pay(ASKS_ONCE, return_url=BACK, save_method=True, mandate=MANDATE)
    answer(url_of(first), answer="yes")
    shop.cashier.complete(first)
    (method,) = shop.cashier.methods("C-1")
    before = len(shop.stripe.asked)

    second = shop.charge(method)

    assert second.received == usd("30.00")
    assert [path for _, path, _ in shop.stripe.asked[before:]] == ["/v1/payment_intents"]
    assert shop.posts()[-1]["off_session"] == "recurring"
    (customer,) = shop.stripe.all("customer")
    assert (customer["phone"], customer["address"]["country"]) == ("+44 1353 660", "GB")


def test_a_kept_card_whose_bank_wants_the_payer_is_charged_with_the_payer(shop: Shop) -> None:
    method = shop.kept("pm_card_visa")
    card = shop.stripe.all("payment_method")[0]
    card["simulated"]["card"] = ASKS

    alone = shop.charge(method)
    together = shop.pay(method, return_url=BACK)

    assert shop.cashier.attempts(alone)[0].code == DeclineCode.AUTHENTICATION_REQUIRED
    answer(url_of(together), answer="yes")
    assert shop.cashier.complete(together).payment.received == usd("30.00")


def test_a_forgotten_card_is_charged_no_more(shop: Shop) -> None:
    method = shop.kept()

    shop.cashier.forget_method(method, key="f")

    assert [each["customer"] for each in shop.stripe.all("payment_method")] == [None]


# --- Lost answers ----------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["lost request", "lost answer", "500"])
def test_a_charge_whose_answer_is_lost_is_charged_once(shop: Shop, fault: str) -> None:
    payment = shop.charge(shop.kept(), fault)
    assert payment.status is PaymentStatus.UNKNOWN

    shop.recover()

    assert shop.now(payment).received == usd("30.00")
    assert len(shop.charges) == 1
    (looked,) = [form for _, _, form in shop.stripe.asked if "created" in form]
    assert looked["customer"] == shop.stripe.all("customer")[0]["id"]


def test_what_never_arrived_is_not_sent_again_after_the_key_has_ended(shop: Shop) -> None:
    payment = shop.charge(shop.kept(), "lost request")

    shop.recover(hours=25)
    shop.recover(hours=1)

    assert shop.now(payment).status is PaymentStatus.FAILED
    assert len(shop.posts()) == 0
    assert shop.charges == []


def test_what_was_charged_is_found_after_the_key_has_ended(shop: Shop) -> None:
    payment = shop.charge(shop.kept(), "lost answer")

    shop.recover(hours=25)

    assert shop.now(payment).received == usd("30.00")
    assert len(shop.posts()) == 1


def test_a_decline_that_is_lost_is_the_same_decline(shop: Shop) -> None:
    method = shop.kept()
    shop.stripe.all("payment_method")[0]["simulated"]["card"] = "pm_card_visa_chargeDeclined"

    payment = shop.charge(method, "lost answer")
    shop.recover()

    assert shop.now(payment).status is PaymentStatus.DECLINED
    assert len(shop.stripe.all("payment_intent")) == 1


@pytest.mark.parametrize("fault", ["lost answer", "500"])
def test_a_charge_by_token_is_found_by_its_name(shop: Shop, fault: str) -> None:
    shop.stripe.breaks = ["fine", fault]

    payment = shop.pay()
    shop.recover()

    assert shop.now(payment).received == usd("30.00")
    assert len(shop.charges) == 1


# --- Locked ----------------------------------------------------------------------------------


def test_a_charge_that_is_turned_away_is_sent_again_under_its_key(shop: Shop) -> None:
    shop.stripe.breaks = ["fine", "locked"]

    payment = shop.pay()

    assert payment.received == usd("30.00")
    assert len(shop.charges) == 1


@pytest.mark.parametrize("kept", [False, True])
def test_a_charge_that_stays_locked_frees_the_invoice_at_once(shop: Shop, kept: bool) -> None:
    if kept:
        payment = shop.charge(shop.kept(), "locked for now")
    else:
        shop.stripe.breaks = ["fine", "locked for now"]
        payment = shop.pay()

    (attempt,) = shop.cashier.attempts(payment)
    assert (attempt.state, attempt.retryable) == (AttemptState.FAILED, True)
    assert shop.charges == []
    again = shop.cashier.collect(f"INV-{shop.count}", via="card", method="pm_card_visa", key="b")
    assert again.received == usd("30.00")


# --- Holds, refunds, disputes ----------------------------------------------------------------


def test_a_part_of_a_hold_is_taken_and_sent_back(shop: Shop) -> None:
    number = shop.owe()
    payment = shop.cashier.authorize(number, via="card", method="pm_card_visa", key="a")

    shop.cashier.capture(payment, amount=usd("20.00"), key="c")
    after = shop.cashier.refund(payment, amount=usd("5.00"), key="r").payment

    assert (after.received, after.returned) == (usd("20.00"), usd("5.00"))


def test_a_hold_that_ran_out_ends_its_payment(shop: Shop) -> None:
    number = shop.owe()
    payment = shop.cashier.authorize(number, via="card", method="pm_card_visa", key="a")
    shop.clock.advance(days=8)

    result = shop.cashier.capture(payment, key="c")

    assert result.payment.status is PaymentStatus.EXPIRED
    assert shop.cashier.invoice(number).claimed == usd("0.00")


def test_a_refund_that_fails_brings_the_money_back(shop: Shop) -> None:
    payment = shop.pay()
    sent = shop.cashier.refund(payment, key="r").payment
    shop.hear()

    shop.stripe.fail_refund(shop.stripe.all("refund")[0]["id"])
    shop.hear()

    assert sent.returned == usd("30.00")
    assert shop.now(payment).received - shop.now(payment).returned == usd("30.00")


def test_the_card_whose_refunds_fail_gives_the_money_back_and_then_brings_it(shop: Shop) -> None:
    payment = shop.pay("pm_card_refundFail")

    sent = shop.cashier.refund(payment, key="r")
    shop.hear()

    assert (sent.state, sent.payment.returned) == (OperationState.SUCCEEDED, usd("30.00"))
    assert shop.now(payment).received - shop.now(payment).returned == usd("30.00")
    assert shop.stripe.all("event")[0]["type"] == "refund.failed"


def test_the_card_whose_refunds_are_pending_gives_the_money_back_later(shop: Shop) -> None:
    payment = shop.pay("pm_card_pendingRefund")

    sent = shop.cashier.refund(payment, key="r")
    shop.hear()

    assert (sent.state, sent.payment.returned) == (OperationState.PENDING, usd("0.00"))
    assert shop.now(payment).returned == usd("30.00")


@pytest.mark.parametrize(
    ("card", "reason"),
    [
        ("pm_card_createDispute", "fraudulent"),
        ("pm_card_createDisputeProductNotReceived", "product_not_received"),
    ],
)
@pytest.mark.parametrize("held", [False, True])
def test_the_card_that_is_disputed_pays_and_takes_the_money_back(
    shop: Shop, card: str, reason: str, held: bool
) -> None:
    if held:
        payment = shop.cashier.authorize(shop.owe(), via="card", method=card, key="a")
        assert shop.stripe.all("dispute") == []
        payment = shop.cashier.capture(payment, key="c").payment
    else:
        payment = shop.pay(card)
    assert payment.received == usd("30.00")

    shop.hear()

    after = shop.now(payment)
    assert after.received - after.returned == usd("0.00")
    (dispute,) = shop.stripe.all("dispute")
    assert dispute["reason"] == reason


def test_a_page_that_is_paid_with_a_disputed_card_is_paid_and_then_disputed(shop: Shop) -> None:
    payment, url = shop.page()

    answer(url, number="4000 0000 0000 0259")
    shop.hear()

    after = shop.now(payment)
    assert (after.received, after.received - after.returned) == (usd("30.00"), usd("0.00"))


def test_a_dispute_takes_the_money_and_forbids_a_refund(shop: Shop) -> None:
    payment = shop.pay()

    shop.stripe.dispute(shop.charges[0]["id"])
    refused = shop.cashier.refund(payment, key="r")
    shop.hear()

    assert refused.code == "state"
    assert shop.now(payment).received - shop.now(payment).returned == usd("0.00")


# --- Checkout --------------------------------------------------------------------------------


def test_a_page_is_paid(shop: Shop) -> None:
    payment, url = shop.page(metadata={"boat": "Ida"})

    declined = answer(url, number="4000 0000 0000 0002")
    mistyped = answer(url, number="4242 4242 4242 4241")
    back = answer(url, number="4242 4242 4242 4242")
    result = shop.cashier.complete(payment)

    assert "declined" in declined.text
    assert "number is incorrect" in mistyped.text
    assert back.headers["location"] == BACK
    assert result.payment.received == usd("30.00")
    assert result.payment.reference.startswith("pi_")
    assert [each["metadata"]["boat"] for each in shop.charges] == ["Ida"]


def test_a_page_that_is_closed_is_not_paid(shop: Shop) -> None:
    payment, url = shop.page()

    shop.cashier.withdraw_page(payment, key="withdraw")

    assert "expired" in answer(url, number="4242424242424242").text
    assert shop.now(payment).status is PaymentStatus.CANCELED


def test_a_card_is_left_on_a_page(shop: Shop) -> None:
    change = shop.cashier.enroll(ADA, via="card", key="e", return_url=BACK, mandate=MANDATE)
    assert isinstance(change.action, Redirect)

    answer(change.action.url, number="4242424242424242")
    shop.hear()
    (method,) = shop.cashier.methods("C-1")

    assert shop.charge(method).received == usd("30.00")


# --- Events ----------------------------------------------------------------------------------


def test_what_webhooks_told_is_read_from_the_list_of_events(shop: Shop) -> None:
    payment, url = shop.page()
    answer(url, number="4242424242424242")
    shop.stripe.webhooks.clear()

    shop.clock.advance(hours=1)
    assert shop.cashier.read_feeds().failed == {}
    shop.cashier.apply_callbacks()

    assert shop.now(payment).received == usd("30.00")


def test_a_webhook_and_the_list_tell_the_same_event_once(shop: Shop) -> None:
    payment = shop.pay()
    shop.hear()

    shop.clock.advance(hours=1)
    shop.cashier.read_feeds()
    shop.cashier.apply_callbacks()

    assert shop.now(payment).received == usd("30.00")
    assert shop.cashier.payment(payment.id).received == usd("30.00")
