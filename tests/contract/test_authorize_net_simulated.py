"""
Payments through a cashier at the simulated Authorize.Net, over HTTP.

It is ours, so it proves the two of us against each other and against their
schema, which it runs on every request; what it answers is checked by it too.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.fernet import Fernet
from lxml import etree

from paygate import AsyncCashier, Cashier, Money, OneTimeToken, PaymentStatus, Secret
from paygate.domain.action import PostForm
from paygate.domain.attempt import AttemptState
from paygate.domain.customer import Customer, PostalAddress
from paygate.domain.mandate import Mandate
from paygate.domain.movement import MovementKind
from paygate.domain.payment import Payment
from paygate.errors import ItemAlreadyBeingPaid, MethodNotUsable, NotRefundable
from paygate.gateway import Callback
from paygate.testing import FakeClock
from tests.support.simulated_authorize_net import SimulatedAuthorizeNet, serving

ADA = Customer(
    "C-1",
    name="Ada Lovelace",
    email="ada@example.org",
    address=PostalAddress(line1="12 St James's Sq", postal_code="98004", country="US"),
)
VISA = {"cardNumber": "4111111111111111", "expirationDate": "2030-12", "cardCode": "900"}
BANK = {
    "accountType": "checking",
    "routingNumber": "122000661",
    "accountNumber": "123456789",
    "nameOnAccount": "Ada Lovelace",
    "echeckType": "WEB",
}
BACK = "https://shop.example/back"
TOKEN_KEYS = [Fernet.generate_key()]


def usd(amount: str) -> Money:
    return Money.of("USD", amount)


class Shop:
    """A cashier whose only account is at the simulated processor."""

    def __init__(self, processor: SimulatedAuthorizeNet, clock: FakeClock, url: str) -> None:
        self.net = processor
        self.clock = clock
        self.url = url
        self.cashier = self.open()

    def open(self, credit_on: Any = None, **given: Any) -> Cashier:
        return Cashier.in_memory(
            gateways={"net": self.settings(credit_on, **given)},
            clock=self.clock,
            token_keys=TOKEN_KEYS,
        )

    def reopen(self, credit_on: Any = None, **given: Any) -> None:
        self.cashier.close()
        self.cashier = self.open(credit_on, **given)

    def settings(self, credit_on: Any = None, **given: Any) -> dict[str, Any]:
        return {
            "driver": "authorize_net",
            "login": self.net.login,
            "transaction_key": self.net.transaction_key,
            "signature_keys": self.net.signature_key,
            "api_base": self.url,
            "form_base": self.url,
            "accept_raw_bank_accounts": True,
            "accept_raw_cards": True,
            **({"credit_on": credit_on} if credit_on else {}),
            **given,
        }

    def owe(self, *totals: str) -> list[str]:
        numbers = [f"INV-{number}" for number in range(1, len(totals) + 1)]
        for number, total in zip(numbers, totals, strict=True):
            self.cashier.issue(number=number, customer=ADA, total=usd(total), due="2026-12-01")
        return numbers

    def card(self, code: str = "900", **given: str) -> OneTimeToken:
        token = self.net.tokenize({"creditCard": {**VISA, "cardCode": code, **given}})
        return OneTimeToken(Secret(token))

    def account(self) -> OneTimeToken:
        return OneTimeToken(Secret(self.net.tokenize({"bankAccount": BANK})))

    def pay(self, *totals: str, key: str = "k", **given: Any) -> Payment:
        more: dict[str, Any] = {"method": self.card(), "kind": "card", "payer": ADA, **given}
        return self.cashier.collect(self.owe(*totals), via="net", key=key, **more)

    def hear(self) -> None:
        """Take in what the processor announced since, and apply it."""
        announced, self.net.webhooks = self.net.webhooks, []
        for headers, body in announced:
            callback = Callback(
                method="POST",
                path="/net",
                headers=headers,
                body=body,
                received_at=self.clock.now(),
            )
            assert self.cashier.receive("net", callback).status == 200
        self.cashier.apply_callbacks()

    def read_feed(self, **later: float) -> None:
        self.clock.advance(None, **(later or {"hours": 1}))
        read = self.cashier.read_feeds()
        assert read.failed == {}
        self.cashier.apply_callbacks()

    def open_of(self, *numbers: str) -> list[str]:
        return [str(self.cashier.invoice(number).open.decimal) for number in numbers]

    def fill_in(self, form: PostForm, **fields: str) -> httpx.Response:
        """Do what the payer's browser does: post the token, then the form."""
        assert form.token is not None
        token = {form.token_field: form.token.reveal()}
        shown = httpx.post(form.url, data=token)
        assert shown.status_code == 200
        return httpx.post(f"{form.url}/send", data={**token, **fields})


@pytest.fixture
def shop(protocols: Path, tmp_path: Path) -> Iterator[Shop]:
    path = protocols / "authorizenet" / "AnetApiSchema.xsd"
    clock = FakeClock()
    net = SimulatedAuthorizeNet(schema=path, journal=tmp_path / "journal.jsonl", now=clock.now)
    with serving(net) as url:
        shop = Shop(net, clock, url)
        yield shop
        assert [str(each) for each in shop.cashier.fsck()] == []
        shop.cashier.close()
    schema = etree.XMLSchema(etree.parse(path))
    for answer in net.answered:
        assert b"E00003" not in answer, answer
        schema.validate(etree.fromstring(answer.removeprefix(b"\xef\xbb\xbf")))
        assert [each.message for each in schema.error_log] == [], answer


# --- Cards -----------------------------------------------------------------------------------


def test_a_card_pays_two_invoices(shop: Shop) -> None:
    payment = shop.pay("30.00", "12.50")

    assert (payment.status, payment.received) == (PaymentStatus.SUCCEEDED, usd("42.50"))
    assert shop.open_of("INV-1", "INV-2") == ["0.00", "0.00"]
    (made,) = shop.net.transactions.values()
    assert (made.id, made.status) == (payment.reference, "capturedPendingSettlement")
    assert made.about == "INV-1, INV-2"


def test_a_decline_is_mended_with_another_card(shop: Shop) -> None:
    declined = shop.pay("30.00", method=shop.card("901"))
    paid = shop.cashier.collect("INV-1", via="net", kind="card", method=shop.card(), key="k2")

    assert (declined.status, declined.code) == (
        PaymentStatus.DECLINED,
        "invalid_security_code",
    )
    assert paid.status is PaymentStatus.SUCCEEDED
    assert shop.open_of("INV-1") == ["0.00"]


@pytest.mark.parametrize(
    ("card", "code"),
    [
        ({"expirationDate": "2020-01"}, "expired_method"),
        ({"cardNumber": "4111111111111112"}, "invalid_method"),
    ],
)
def test_a_bad_card_is_declined(shop: Shop, card: dict[str, str], code: str) -> None:
    payment = shop.pay("30.00", method=shop.card(**card))

    assert (payment.status, payment.code) == (PaymentStatus.DECLINED, code)
    assert shop.open_of("INV-1") == ["30.00"]


def test_a_token_is_good_once(shop: Shop) -> None:
    token = shop.card()
    shop.pay("1.00", method=token)
    shop.cashier.issue(number="B", customer=ADA, total=usd("2.00"), due="2026-12-01")

    again = shop.cashier.collect("B", via="net", kind="card", method=token, key="k2")

    assert (again.status, again.raw_code) == (PaymentStatus.FAILED, "E00114")


def test_what_is_held_is_taken_in_part_and_the_rest_refunded(shop: Shop) -> None:
    held = shop.cashier.authorize(
        shop.owe("50.00"), via="net", kind="card", method=shop.card(), key="k"
    )
    taken = shop.cashier.capture(held, amount=usd("40.00"), key="c").payment
    shop.net.settle()
    shop.read_feed()
    refunded = shop.cashier.refund(taken, amount=usd("15.00"), key="r").payment

    assert held.status is PaymentStatus.AUTHORIZED
    assert (taken.status, taken.received) == (PaymentStatus.SUCCEEDED, usd("40.00"))
    assert refunded.returned == usd("15.00")
    assert refunded.settled
    shop.net.settle()
    shop.read_feed()
    assert {each.settled for each in shop.cashier.receipts(taken)} == {usd("40.00"), usd("15.00")}
    kinds = [(each.kind, each.amount) for each in shop.cashier.receipts(taken)]
    assert kinds == [(MovementKind.CAPTURE, usd("40.00")), (MovementKind.REFUND, usd("15.00"))]


def test_a_hold_that_is_canceled_is_released(shop: Shop) -> None:
    held = shop.cashier.authorize(
        shop.owe("50.00"), via="net", kind="card", method=shop.card(), key="k"
    )

    canceled = shop.cashier.cancel(held, key="x").payment

    assert canceled.status is PaymentStatus.CANCELED
    assert [one.status for one in shop.net.transactions.values()] == ["voided"]


def test_a_charge_is_voided_before_it_settles_and_refunded_after(shop: Shop) -> None:
    first = shop.cashier.cancel(shop.pay("30.00"), key="x1").payment
    assert first.returned == usd("30.00")
    assert shop.open_of("INV-1") == ["30.00"]

    second = shop.cashier.collect("INV-1", via="net", kind="card", method=shop.card(), key="k2")
    shop.net.settle()
    shop.clock.advance(hours=1)
    canceled = shop.cashier.cancel(second, key="x2").payment

    assert canceled.returned == usd("30.00")
    kinds = [each.kind for each in shop.cashier.receipts(second)]
    assert kinds == [MovementKind.CHARGE, MovementKind.REFUND]


def test_a_part_of_a_charge_is_refunded_from_the_day_after(shop: Shop) -> None:
    payment = shop.pay("30.00")

    too_early = shop.cashier.refund(payment, amount=usd("12.00"), key="r-1")

    assert (too_early.state.value, too_early.code) == ("failed", "state")
    assert "refund from tomorrow" in too_early.reason
    assert too_early.retryable
    assert len(shop.net.transactions) == 1
    shop.net.settle()
    shop.clock.advance(days=1)
    back = shop.cashier.refund(payment, amount=usd("12.00"), key="r-2").payment
    assert (back.returned, shop.open_of("INV-1")) == (usd("12.00"), ["12.00"])


def test_refunds_end_when_the_contract_of_the_account_says(shop: Shop) -> None:
    payment = shop.pay("30.00")
    shop.net.settle()
    shop.net.refund_days = 180
    shop.clock.advance(days=150)
    with pytest.raises(NotRefundable, match="within 120 days"):
        shop.cashier.refund(payment, amount=usd("12.00"), key="r-1")


def test_a_longer_window_for_refunds_is_a_setting(shop: Shop) -> None:
    shop.net.refund_days = 180
    shop.reopen(refund_days=180)
    payment = shop.pay("30.00")
    shop.net.settle()
    shop.clock.advance(days=150)

    back = shop.cashier.refund(payment, amount=usd("12.00"), key="r").payment

    assert back.returned == usd("12.00")


def test_what_is_held_for_review_is_paid_when_somebody_approved_it(shop: Shop) -> None:
    shop.net.hold_next = True
    payment = shop.pay("30.00")
    assert payment.status is PaymentStatus.PROCESSING

    shop.net.review(payment.reference, approve=True)
    shop.hear()

    assert shop.cashier.payment(payment).status is PaymentStatus.SUCCEEDED
    assert shop.open_of("INV-1") == ["0.00"]


def test_what_is_held_for_review_is_declined_when_somebody_declined_it(shop: Shop) -> None:
    shop.net.hold_next = True
    payment = shop.pay("30.00")

    shop.net.review(payment.reference, approve=False)
    shop.hear()

    after = shop.cashier.payment(payment)
    assert (after.status, after.code) == (PaymentStatus.DECLINED, "fraud_suspected")


def test_wrong_credentials_blame_no_card(shop: Shop) -> None:
    shop.net.transaction_key = "another"

    payment = shop.pay("30.00")

    assert (payment.status, payment.code, payment.raw_code) == (
        PaymentStatus.FAILED,
        "credentials",
        "E00007",
    )
    assert shop.open_of("INV-1") == ["30.00"]


def test_a_prepaid_card_pays_what_it_has(shop: Shop) -> None:
    shop.reopen(partial_approvals=True)
    poor = replace(ADA, address=PostalAddress(postal_code="46225"))

    payment = shop.pay("30.00", payer=poor)

    assert (payment.status, payment.received) == (PaymentStatus.SUCCEEDED, usd("1.23"))
    assert shop.open_of("INV-1") == ["28.77"]
    rest = shop.cashier.collect("INV-1", via="net", kind="card", method=shop.card(), key="k2")
    assert rest.received == usd("28.77")


def test_a_stored_card_that_is_gone_is_told_as_such(shop: Shop) -> None:
    shop.pay("1.00", save_method=True, mandate=MANDATE)
    (stored,) = shop.cashier.methods("C-1")
    for profile in shop.net.profiles.values():
        profile.methods.clear()
    shop.cashier.issue(number="B", customer=ADA, total=usd("2.00"), due="2026-12-01")

    payment = shop.cashier.collect("B", via="net", method=stored, key="k2")

    assert (payment.status, payment.code) == (PaymentStatus.FAILED, "method_gone")
    assert shop.open_of("B") == ["2.00"]


async def test_the_awaited_face_takes_money_too(shop: Shop) -> None:
    async with AsyncCashier.in_memory(
        gateways={"net": shop.settings()}, clock=shop.clock
    ) as cashier:
        await cashier.issue(number="A", customer=ADA, total=usd("5.00"), due="2026-12-01")
        payment = await cashier.collect("A", via="net", kind="card", method=shop.card(), key="k")
        shop.net.settle()
        shop.clock.advance(hours=1)
        await cashier.recover()

        assert (await cashier.payment(payment)).settled
        assert (await cashier.invoice("A")).open == usd("0.00")


def test_the_credentials_are_proved(shop: Shop) -> None:
    assert shop.cashier.check("net").name == "Simulated Merchant"


# --- Lost answers ------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["lost answer", "html", "500"])
def test_a_lost_answer_is_found_and_nothing_is_charged_twice(shop: Shop, fault: str) -> None:
    shop.net.breaks = [fault]
    payment = shop.pay("30.00")
    assert payment.status is PaymentStatus.UNKNOWN

    shop.clock.advance(minutes=1)
    shop.cashier.recover()

    assert shop.cashier.payment(payment).status is PaymentStatus.SUCCEEDED
    assert shop.open_of("INV-1") == ["0.00"]
    assert len(shop.net.transactions) == 1


@pytest.mark.parametrize("code", ["E00001", "E00133", "19", "181"])
def test_an_error_of_the_processing_frees_no_invoice_for_a_second_charge(
    shop: Shop, code: str
) -> None:
    shop.net.breaks = [code]

    payment = shop.pay("37.00")

    assert payment.status is PaymentStatus.UNKNOWN
    with pytest.raises(ItemAlreadyBeingPaid):
        shop.cashier.collect(
            "INV-1", via="net", kind="card", method=shop.card(), payer=ADA, key="again"
        )
    shop.clock.advance(minutes=5)
    shop.cashier.recover()
    assert shop.cashier.payment(payment).status is PaymentStatus.SUCCEEDED
    assert len(shop.net.transactions) == 1


def test_an_approval_that_could_not_be_settled_alerts_and_frees_the_invoice(shop: Shop) -> None:
    shop.net.breaks = ["36"]

    payment = shop.pay("37.00")

    assert (payment.status, payment.code) == (PaymentStatus.FAILED, "state")
    assert shop.open_of("INV-1") == ["37.00"]
    [alert] = [each for each in shop.cashier.events(limit=100) if each.type == "payment.alert"]
    assert "may stay held on the card" in alert.data["reason"]


def test_a_lost_answer_of_yesterday_is_found_in_its_batch(shop: Shop) -> None:
    shop.net.breaks = ["lost answer"]
    payment = shop.pay("30.00")
    shop.net.settle()
    shop.clock.advance(days=1, hours=2)

    shop.cashier.recover()

    found = shop.cashier.payment(payment)
    assert (found.status, found.settled) == (PaymentStatus.SUCCEEDED, True)


def test_a_lost_request_of_a_stored_card_is_sent_again_as_it_was(shop: Shop) -> None:
    first = shop.pay("1.00", save_method=True, mandate=MANDATE)
    (stored,) = shop.cashier.methods("C-1")
    shop.cashier.issue(number="B", customer=ADA, total=usd("2.00"), due="2026-12-01")
    shop.net.breaks = ["lost request"]
    payment = shop.cashier.collect("B", via="net", method=stored, key="k2", payer_present=False)
    assert payment.status is PaymentStatus.UNKNOWN

    shop.clock.advance(minutes=3)
    shop.cashier.recover()
    assert len(shop.net.transactions) == 1, "the lost request may still be on its way"
    shop.clock.advance(minutes=25)
    shop.cashier.recover()

    assert shop.cashier.payment(payment).status is PaymentStatus.SUCCEEDED
    assert first.status is PaymentStatus.SUCCEEDED
    assert len(shop.net.transactions) == 2


def test_a_lost_request_with_a_token_fails_in_the_end_and_frees_the_invoice(shop: Shop) -> None:
    shop.net.breaks = ["lost request"]
    payment = shop.pay("30.00")
    for _ in range(8):
        shop.clock.advance(hours=1)
        shop.cashier.recover()

    after = shop.cashier.payment(payment)
    assert (after.status, after.code) == (PaymentStatus.FAILED, "not_found")
    assert shop.net.transactions == {}


def test_a_lost_void_and_a_lost_refund_are_found(shop: Shop) -> None:
    payment = shop.pay("30.00")
    shop.net.breaks = ["", "lost answer"]
    shop.cashier.cancel(payment, key="x")
    shop.clock.advance(minutes=1)
    shop.cashier.recover()
    assert shop.cashier.payment(payment).returned == usd("30.00")

    second = shop.cashier.collect("INV-1", via="net", kind="card", method=shop.card(), key="k2")
    shop.net.settle()
    shop.clock.advance(hours=1)
    shop.net.breaks = ["", "lost answer"]
    shop.cashier.refund(second, amount=usd("4.00"), key="r")
    shop.clock.advance(minutes=1)
    shop.cashier.recover()

    assert shop.cashier.payment(second).returned == usd("4.00")
    refunds = [one for one in shop.net.transactions.values() if one.kind == "refundTransaction"]
    assert len(refunds) == 1


# --- E-checks ----------------------------------------------------------------------------------


def test_an_e_check_counts_at_once_and_is_returned_later(shop: Shop) -> None:
    payment = shop.pay("45.00", method=shop.account(), kind="e_check")
    assert payment.status is PaymentStatus.SUCCEEDED
    assert shop.open_of("INV-1") == ["0.00"]
    shop.net.settle()
    shop.read_feed()
    assert shop.cashier.payment(payment).settled

    shop.clock.advance(days=3)
    shop.net.return_e_check(payment.reference, "R01")
    shop.read_feed()

    assert shop.open_of("INV-1") == ["45.00"]
    back = shop.cashier.payment(payment)
    assert (back.returned, back.reversal) != (usd("0.00"), None)
    shop.read_feed(days=1)
    assert shop.cashier.payment(payment).returned == usd("45.00")


def test_an_e_check_that_counts_when_it_settled_waits_for_that(shop: Shop) -> None:
    shop.reopen({"e_check": "settled"})
    payment = shop.pay("45.00", method=shop.account(), kind="e_check")
    assert shop.open_of("INV-1") == ["45.00"]
    assert payment.awaiting == usd("45.00")

    shop.net.settle()
    shop.read_feed()

    assert shop.open_of("INV-1") == ["0.00"]
    assert shop.cashier.payment(payment).awaiting == usd("0.00")


def test_an_e_check_that_comes_back_before_it_settled_frees_its_invoice(shop: Shop) -> None:
    shop.reopen({"e_check": "settled"})
    payment = shop.pay("45.00", method=shop.account(), kind="e_check")
    shop.net.settle()
    shop.net.return_e_check(payment.reference, "R03")

    shop.read_feed()

    assert shop.open_of("INV-1") == ["45.00"]
    assert shop.cashier.payment(payment).returned == usd("45.00")


def test_a_notice_of_change_returns_nothing(shop: Shop) -> None:
    payment = shop.pay("45.00", method=shop.account(), kind="e_check")
    shop.net.settle()
    shop.net.return_e_check(payment.reference, "C01")

    shop.read_feed()

    assert shop.open_of("INV-1") == ["0.00"]


def test_a_chargeback_and_its_end_are_told_by_the_feed(shop: Shop) -> None:
    payment = shop.pay("30.00")
    shop.net.settle()
    shop.read_feed()

    shop.net.charge_back(payment.reference)
    shop.read_feed(days=1)
    assert shop.cashier.payment(payment).disputed
    assert shop.open_of("INV-1") == ["30.00"]

    shop.net.win_dispute(payment.reference)
    shop.read_feed(days=1)
    assert not shop.cashier.payment(payment).disputed
    assert shop.open_of("INV-1") == ["0.00"]


def test_a_chargeback_is_found_as_long_as_the_card_holder_can_dispute(shop: Shop) -> None:
    payment = shop.pay("73.00")
    shop.net.settle()
    shop.read_feed()
    shop.clock.advance(days=84)
    shop.net.charge_back(payment.reference)

    shop.read_feed(days=1)

    assert shop.cashier.payment(payment).disputed
    assert shop.cashier.payment(payment).returned == usd("73.00")
    assert shop.open_of("INV-1") == ["73.00"]


def test_a_chargeback_after_all_windows_is_booked_by_an_inquiry(shop: Shop) -> None:
    payment = shop.pay("73.00")
    shop.net.settle()
    shop.read_feed()
    shop.clock.advance(days=300)
    shop.net.charge_back(payment.reference)
    shop.read_feed(days=1)
    assert not shop.cashier.payment(payment).disputed

    shop.cashier.inquire(payment)

    assert shop.cashier.payment(payment).returned == usd("73.00")


def test_a_dispute_that_was_won_and_is_lost_after_all_takes_the_money_again(shop: Shop) -> None:
    payment = shop.pay("73.00")
    shop.net.settle()
    shop.read_feed()
    turns = (
        (shop.net.charge_back, "0.00"),
        (shop.net.win_dispute, "73.00"),
        (shop.net.charge_back, "0.00"),
        (shop.net.win_dispute, "73.00"),
    )

    for turn, held in turns:
        turn(payment.reference)
        shop.read_feed(days=7)
        shop.read_feed(days=7)

        now = shop.cashier.payment(payment)
        assert now.received - now.returned == usd(held)
    assert shop.open_of("INV-1") == ["0.00"]
    names = [each.movement_id for each in shop.cashier.receipts(payment)]
    first, second = payment.reference, f"{payment.reference}#2"
    assert names == [first, first, first, second, second]


def test_a_second_taking_is_booked_by_an_inquiry_too(shop: Shop) -> None:
    payment = shop.pay("73.00")
    shop.net.settle()
    for turn in (shop.net.charge_back, shop.net.win_dispute, shop.net.charge_back):
        turn(payment.reference)
        shop.cashier.inquire(payment)
        shop.cashier.inquire(payment)

    now = shop.cashier.payment(payment)
    assert (now.received - now.returned, now.needs_review) == (usd("0.00"), True)


def test_what_was_approved_and_not_settled_is_flagged(shop: Shop) -> None:
    payment = shop.pay("73.00")
    shop.net.fail_settlement(payment.reference)

    shop.read_feed()

    after = shop.cashier.payment(payment)
    assert (after.settled, after.needs_review) == (False, True)
    alerts = [each for each in shop.cashier.events(limit=500) if each.type == "payment.alert"]
    assert len(alerts) == 1


# --- The form ----------------------------------------------------------------------------------


def opened(shop: Shop, *totals: str) -> tuple[Payment, PostForm]:
    payment = shop.cashier.collect(
        shop.owe(*totals), via="net", kind="redirect", key="page", payer=ADA, return_url=BACK
    )
    assert payment.status is PaymentStatus.REQUIRES_ACTION
    form = shop.cashier.action_of(payment)
    assert isinstance(form, PostForm)
    return payment, form


def shown(form: PostForm) -> str:
    assert form.token is not None
    return httpx.post(form.url, data={form.token_field: form.token.reveal()}).text


def test_three_invoices_are_paid_on_the_form(shop: Shop) -> None:
    payment, form = opened(shop, "10.00", "20.00", "30.00")

    back = shop.fill_in(form, **VISA)
    after = shop.cashier.complete(payment).payment

    assert (back.status_code, back.headers["location"]) == (303, BACK)
    assert (after.status, after.received) == (PaymentStatus.SUCCEEDED, usd("60.00"))
    assert shop.open_of("INV-1", "INV-2", "INV-3") == ["0.00"] * 3
    shop.hear()
    assert shop.cashier.payment(payment).received == usd("60.00")


def test_a_decline_on_the_form_is_mended_there(shop: Shop) -> None:
    payment, form = opened(shop, "30.00")

    again = shop.fill_in(form, **{**VISA, "cardCode": "901"})
    tried = shop.cashier.complete(payment).payment
    shop.fill_in(form, **{**VISA, "cardNumber": "5424000000000015"})
    after = shop.cashier.complete(payment).payment

    assert "has been declined" in again.text
    assert tried.status is PaymentStatus.REQUIRES_ACTION
    assert after.status is PaymentStatus.SUCCEEDED


def test_a_form_that_was_paid_for_an_invoice_paid_meanwhile_brings_credit(shop: Shop) -> None:
    payment, form = opened(shop, "30.00")
    shop.cashier.record("INV-1", by="cash", key="till")
    with pytest.raises(ItemAlreadyBeingPaid):
        shop.cashier.complete(payment)

    shop.fill_in(form, **VISA)
    after = shop.cashier.complete(payment).payment

    assert (after.status, after.received) == (PaymentStatus.SUCCEEDED, usd("30.00"))
    assert shop.cashier.balance(ADA.id)["USD"] == usd("30.00")


def test_the_same_card_with_another_code_is_a_duplicate_for_two_minutes(shop: Shop) -> None:
    payment, form = opened(shop, "30.00")
    shop.fill_in(form, **{**VISA, "cardCode": "901"})

    at_once = shop.fill_in(form, **VISA)
    still = shop.cashier.complete(payment).payment
    shop.clock.advance(seconds=121)
    shop.fill_in(form, **VISA)
    after = shop.cashier.complete(payment).payment

    assert "A duplicate transaction has been submitted." in at_once.text
    assert still.status is PaymentStatus.REQUIRES_ACTION
    assert (after.status, after.received) == (PaymentStatus.SUCCEEDED, usd("30.00"))


def test_who_gets_the_goods_is_known_there(shop: Shop) -> None:
    payment = shop.pay("30.00", ship_to=ADA)

    made = shop.net.transactions[payment.reference]
    assert (made.ship_to["lastName"], made.ship_to["zip"]) == ("Lovelace", "98004")


def test_a_payer_who_never_comes_back_is_told_by_the_webhook(shop: Shop) -> None:
    payment, form = opened(shop, "30.00")
    shop.fill_in(form, **VISA)

    shop.hear()

    after = shop.cashier.payment(payment)
    assert (after.status, after.received) == (PaymentStatus.SUCCEEDED, usd("30.00"))
    assert len(shop.cashier.orphans()) == 0


def test_a_payer_who_never_comes_back_is_found_without_a_webhook(shop: Shop) -> None:
    payment, form = opened(shop, "30.00")
    shop.fill_in(form, **VISA)
    shop.clock.advance(hours=7)

    shop.cashier.recover()

    assert shop.cashier.payment(payment).status is PaymentStatus.SUCCEEDED


def test_a_form_that_nobody_paid_ends_by_itself(shop: Shop) -> None:
    payment, form = opened(shop, "30.00")
    for _ in range(4):
        shop.clock.advance(hours=7)
        shop.cashier.recover()

    assert "no longer valid" in shown(form)
    assert shop.cashier.payment(payment).status is PaymentStatus.EXPIRED


def test_a_form_on_which_every_try_was_declined_ends_by_itself(shop: Shop) -> None:
    payment, form = opened(shop, "30.00")
    shop.fill_in(form, **{**VISA, "cardCode": "901"})
    shop.clock.advance(hours=7)

    shop.cashier.recover()

    assert shop.cashier.payment(payment).status is PaymentStatus.EXPIRED
    again = shop.cashier.collect("INV-1", via="net", kind="card", method=shop.card(), key="k2")
    assert again.status is PaymentStatus.SUCCEEDED


def test_a_bank_account_is_taken_on_the_form_too(shop: Shop) -> None:
    payment, form = opened(shop, "30.00")
    shop.fill_in(form, **BANK)
    after = shop.cashier.complete(payment).payment
    shop.net.settle()
    shop.net.return_e_check(after.reference, "R02")

    shop.read_feed()

    assert shop.cashier.payment(payment).returned == usd("30.00")
    assert shop.open_of("INV-1") == ["30.00"]


# --- Stored methods ------------------------------------------------------------------------------

MANDATE = Mandate(text_version="v1", accepted_at=FakeClock().now())


def test_a_bank_account_is_stored_and_charged_by_ourselves(shop: Shop) -> None:
    change = shop.cashier.enroll(
        ADA, via="net", kind="e_check", method=shop.account(), mandate=MANDATE, key="e"
    )
    assert (change.state, change.method) != (AttemptState.SUCCEEDED, None)
    assert change.method is not None
    payment = shop.pay("45.00", method=change.method, kind=None, payer_present=False)

    assert payment.status is PaymentStatus.SUCCEEDED
    assert (change.method.last4, change.method.brand) == ("6789", "checking")


def test_a_card_is_stored_with_its_payment_once(shop: Shop) -> None:
    shop.pay("30.00", save_method=True, mandate=MANDATE)
    shop.cashier.issue(number="B", customer=ADA, total=usd("2.00"), due="2026-12-01")
    shop.cashier.collect(
        "B", via="net", kind="card", method=shop.card(), key="k2", save_method=True, payer=ADA
    )

    methods = shop.cashier.methods("C-1")

    assert {(method.brand, method.last4) for method in methods} == {("visa", "1111")}
    (profile,) = shop.net.profiles.values()
    assert len(profile.methods) == 1


@pytest.mark.parametrize("new_ledger", [False, True])
def test_a_customer_whose_address_changed_keeps_their_profile(
    shop: Shop, *, new_ledger: bool
) -> None:
    shop.cashier.enroll(ADA, via="net", kind="card", method=shop.card(), key="s-1")
    if new_ledger:
        shop.reopen()
    moved = replace(ADA, email="countess@example.org")
    shop.cashier.issue(number="B", customer=moved, total=usd("2.00"), due="2026-12-01")
    other = shop.card(cardNumber="4007000000027")

    paid = shop.cashier.collect(
        "B", via="net", kind="card", method=other, payer=moved, key="k", save_method=True
    )
    change = shop.cashier.enroll(
        moved, via="net", kind="e_check", method=shop.account(), mandate=MANDATE, key="s-2"
    )

    assert (paid.status, change.state) == (PaymentStatus.SUCCEEDED, AttemptState.SUCCEEDED)
    (profile,) = shop.net.profiles.values()
    assert len(profile.methods) == 3


def test_a_payment_whose_card_could_not_be_stored_says_so(shop: Shop) -> None:
    shop.net.breaks = ["", "E00042"]

    payment = shop.pay("30.00", save_method=True, mandate=MANDATE)

    assert (payment.status, payment.method) == (PaymentStatus.SUCCEEDED, None)
    [alert] = [each for each in shop.cashier.events(limit=100) if each.type == "payment.alert"]
    assert "E00042" in alert.data["reason"]


def test_a_card_that_is_stored_again_is_the_method_that_is_there(shop: Shop) -> None:
    first = shop.cashier.enroll(ADA, via="net", kind="card", method=shop.card(), key="s-1")
    again = shop.cashier.enroll(ADA, via="net", kind="card", method=shop.card(), key="s-2")
    assert first.method is not None
    assert again.method is not None
    assert again.method.id == first.method.id
    [only] = shop.cashier.methods("C-1")

    shop.cashier.forget_method(again.method, key="f")

    assert shop.cashier.methods("C-1") == []
    (profile,) = shop.net.profiles.values()
    assert profile.methods == {}
    [number] = shop.owe("8.00")
    with pytest.raises(MethodNotUsable):
        shop.cashier.collect(number, via="net", method=only, payer=ADA, key="k")
    assert shop.net.transactions == {}


def test_a_card_is_stored_on_their_form(shop: Shop) -> None:
    change = shop.cashier.enroll(
        ADA, via="net", kind="card", return_url=BACK, mandate=MANDATE, key="e"
    )
    form = shop.cashier.action_of(change)
    assert isinstance(form, PostForm)

    back = shop.fill_in(form, **VISA)
    after = shop.cashier.inquire_method(change)

    assert back.headers["location"] == BACK
    assert after.state is AttemptState.SUCCEEDED
    assert after.method is not None
    assert after.method.last4 == "1111"
    assert str(after.method.expires) == "2030-12-31"


def test_what_paid_on_the_form_is_stored(shop: Shop) -> None:
    payment, form = opened(shop, "30.00")
    shop.fill_in(form, **BANK)
    paid = shop.cashier.complete(payment).payment

    change = shop.cashier.enroll(
        ADA, via="net", kind="e_check", from_payment=paid.id, mandate=MANDATE, key="e"
    )

    assert change.state is AttemptState.SUCCEEDED
    assert change.method is not None
    assert (change.method.kind, change.method.last4) == ("e_check", "6789")


def test_a_stored_method_is_forgotten_there_too(shop: Shop) -> None:
    change = shop.cashier.enroll(ADA, via="net", kind="card", method=shop.card(), key="e")
    assert change.method is not None

    shop.cashier.forget_method(change.method, key="f")

    (profile,) = shop.net.profiles.values()
    assert profile.methods == {}


# --- Elsewhere -----------------------------------------------------------------------------------


def test_a_refund_made_in_the_merchant_interface_is_booked(shop: Shop) -> None:
    payment = shop.pay("30.00")
    shop.net.settle()
    shop.hear()
    shop.net.refund_elsewhere(payment.reference, "10.00")

    shop.hear()

    assert shop.cashier.payment(payment).returned == usd("10.00")
    assert len(shop.cashier.orphans()) == 0


def test_a_void_made_in_the_merchant_interface_is_booked(shop: Shop) -> None:
    payment = shop.pay("30.00")
    shop.hear()
    shop.net.void_elsewhere(payment.reference)

    shop.hear()

    assert shop.cashier.payment(payment).returned == usd("30.00")
    assert shop.open_of("INV-1") == ["30.00"]


def test_a_void_made_there_of_a_captured_hold_gives_back_what_was_captured(shop: Shop) -> None:
    payment = shop.cashier.authorize(
        shop.owe("30.00"), via="net", kind="card", method=shop.card(), payer=ADA, key="k"
    )
    shop.cashier.capture(payment, amount=usd("10.00"), key="c")
    shop.hear()
    shop.net.void_elsewhere(payment.reference)

    shop.hear()

    after = shop.cashier.payment(payment)
    assert (after.received, after.returned) == (usd("10.00"), usd("10.00"))
    assert after.needs_review is False
    assert shop.open_of("INV-1") == ["30.00"]
    assert shop.cashier.receipts(payment)[-1].kind is MovementKind.VOID


@pytest.mark.parametrize("order", ["", "R-7"])
def test_a_refund_made_there_is_found_in_its_batch_if_the_webhook_is_lost(
    shop: Shop, order: str
) -> None:
    payment = shop.pay("73.00")
    shop.net.settle()
    shop.read_feed()
    shop.net.refund_elsewhere(payment.reference, "12.50", order=order)
    shop.net.webhooks.clear()
    shop.clock.advance(hours=20)
    shop.net.settle()

    shop.read_feed(days=1)

    assert shop.cashier.payment(payment).returned == usd("12.50")
    assert shop.cashier.orphans() == []


def test_a_refund_made_there_and_announced_is_no_orphan_when_it_settles(shop: Shop) -> None:
    payment = shop.pay("73.00")
    shop.net.settle()
    shop.read_feed()
    shop.net.refund_elsewhere(payment.reference, "12.50")
    shop.hear()
    shop.clock.advance(hours=20)
    shop.net.settle()

    for _ in range(10):
        shop.read_feed(days=1)

    back = shop.cashier.receipts(payment)[-1]
    assert (back.kind, back.settled) == (MovementKind.REFUND, usd("12.50"))
    assert shop.cashier.payment(payment).returned == usd("12.50")
    assert shop.cashier.orphans() == []


def test_a_refund_of_another_system_is_no_orphan(shop: Shop) -> None:
    payment = shop.pay("73.00")
    shop.net.transactions[payment.reference].order = "SHOP-1"
    shop.net.settle()
    shop.net.refund_elsewhere(payment.reference, "12.50")
    shop.hear()
    shop.net.settle()

    for _ in range(10):
        shop.read_feed(days=1)

    assert shop.cashier.orphans() == []


def test_a_refund_of_ours_that_is_voided_there_did_not_go(shop: Shop) -> None:
    payment = shop.pay("73.00")
    shop.net.settle()
    shop.clock.advance(days=1)
    refund = shop.cashier.refund(payment, amount=usd("12.50"), key="r")
    assert refund.payment.returned == usd("12.50")
    [back] = [each for each in shop.net.transactions.values() if each.related]
    shop.hear()

    shop.net.void_elsewhere(back.id)
    shop.hear()

    after = shop.cashier.payment(payment)
    assert (after.received - after.returned, after.needs_review) == (usd("73.00"), False)
    last = shop.cashier.receipts(payment)[-1]
    assert (last.kind, last.amount) == (MovementKind.REFUND_FAILED, usd("12.50"))
    assert shop.open_of("INV-1") == ["0.00"]


def test_a_copy_of_a_charge_made_there_is_told_to_people(shop: Shop) -> None:
    payment = shop.pay("73.00")
    copy = shop.net.charge_again_elsewhere(payment.reference)
    shop.net.webhooks.clear()
    shop.net.settle()

    for _ in range(8):
        shop.read_feed(days=1)

    [orphan] = shop.cashier.orphans()
    assert copy in orphan.event_id
    [told] = [each for each in shop.cashier.events(limit=99) if each.type == "callback.orphaned"]
    assert copy in told.data["reason"]
    assert shop.cashier.payment(payment).received == usd("73.00")


@pytest.mark.parametrize("hold", [False, True])
def test_a_void_made_there_is_found_when_it_does_not_settle(shop: Shop, *, hold: bool) -> None:
    """No batch has it and no webhook came, so the payment is asked about in the end."""
    given: dict[str, Any] = {"via": "net", "kind": "card", "method": shop.card(), "payer": ADA}
    numbers = shop.owe("73.00")
    payment = (shop.cashier.authorize if hold else shop.cashier.collect)(numbers, key="k", **given)
    if hold:
        shop.cashier.capture(payment, key="c")
    shop.net.void_elsewhere(payment.reference)
    shop.net.webhooks.clear()

    for _ in range(6):
        shop.clock.advance(days=1)
        shop.cashier.recover()

    after = shop.cashier.payment(payment)
    assert (after.returned, after.needs_review) == (usd("73.00"), False)
    assert shop.open_of("INV-1") == ["73.00"]


@pytest.mark.parametrize("hold", [False, True])
def test_a_void_made_there_is_found_by_an_inquiry_if_the_webhook_is_lost(
    shop: Shop, hold: bool
) -> None:
    if hold:
        numbers = shop.owe("73.00")
        payment = shop.cashier.authorize(
            numbers, via="net", kind="card", method=shop.card(), payer=ADA, key="k"
        )
        payment = shop.cashier.capture(payment, key="c").payment
    else:
        payment = shop.pay("73.00")
    shop.net.void_elsewhere(payment.reference)
    shop.net.webhooks.clear()

    shop.cashier.inquire(payment)

    assert shop.cashier.payment(payment).returned == usd("73.00")
    assert shop.open_of("INV-1") == ["73.00"]


def test_our_own_doings_are_announced_and_change_nothing(shop: Shop) -> None:
    payment = shop.pay("30.00")
    shop.net.settle()
    shop.clock.advance(hours=1)
    shop.cashier.refund(payment, amount=usd("5.00"), key="r")
    before = shop.cashier.payment(payment)

    shop.hear()
    shop.hear()

    after = shop.cashier.payment(payment)
    assert (after.received, after.returned) == (before.received, before.returned)
    assert {each.state.value for each in shop.cashier.callbacks()} == {"applied"}


def test_the_journal_has_every_call_and_no_card_number(shop: Shop, tmp_path: Path) -> None:
    shop.pay("30.00")

    text = (tmp_path / "journal.jsonl").read_text()
    (line,) = [json.loads(line) for line in text.splitlines()]
    assert line["call"] == "createTransactionRequest"
    assert VISA["cardNumber"] not in text
    assert shop.net.transaction_key not in text


def test_a_webhook_writes_the_amount_to_the_cent(shop: Shop) -> None:
    shop.pay("92233720368547.71")  # no float holds its cents

    [(_, body)] = shop.net.webhooks

    assert b'"authAmount": 92233720368547.71, ' in body
    told = json.loads(body, parse_float=Decimal)
    assert told["payload"]["authAmount"] == Decimal("92233720368547.71")
    assert told["payload"]["entityName"] == "transaction"
