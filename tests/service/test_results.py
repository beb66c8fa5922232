"""What a portal can say to its clerk after a refund, capture, cancellation or completion."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import assert_never

import pytest

from paygate import (
    CardCheck,
    Cashier,
    CheckResult,
    Event,
    InvoiceStatus,
    Kind,
    Mandate,
    MethodFacts,
    Money,
    OperationResult,
    OperationState,
    Payment,
    PaymentStatus,
    RawBankAccount,
    RawCard,
    Secret,
)
from paygate.dialogue import Dialogue, at_once
from paygate.domain.action import Redirect
from paygate.domain.kind import Operation
from paygate.domain.outcome import ActionRequired, Outcome
from paygate.errors import (
    AlreadyPaid,
    GatewayNotFound,
    InvalidCurrency,
    InvalidSettings,
    ItemAlreadyBeingPaid,
    KeyReused,
    PaymentNotFound,
)
from paygate.gateway import Charge, Completion
from paygate.testing import FakeClock, FakeGateway, Habits

BACK = "https://shop.example/back"
KEY = "cGF5Z2F0ZS1rZXktb2YtdGhpcy10ZXN0LW1vZHVsZSE="


def cad(amount: str) -> Money:
    return Money.of("CAD", amount)


class Portal:
    """A shop with one invoice of 84.00, and what it shows its clerk after a refund."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.card = FakeGateway(Kind.CARD, clock=self.clock)
        self.page = FakeGateway(Kind.REDIRECT, clock=self.clock, habits=Habits(needs_complete=True))
        self.cashier = Cashier.in_memory(
            gateways={"card": self.card, "page": self.page}, clock=self.clock
        )
        self.cashier.issue(number="A", customer="C-1", total=cad("84"), due="2026-03-01")

    def paid(self) -> Payment:
        return self.cashier.collect("A", via="card", method="tok_visa", key="pay")

    def held(self) -> Payment:
        return self.cashier.authorize("A", via="card", method="tok_visa", key="hold")

    def shown(self) -> Payment:
        return self.cashier.collect("A", via="page", key="page", return_url=BACK)

    def refund(self, payment: Payment, amount: Money | None = None, key: str = "back") -> str:
        return say(self.cashier.refund(payment, amount=amount, key=key))


def say(result: OperationResult) -> str:
    """Say how a refund ended, as a portal would."""
    match result.state:
        case OperationState.SUCCEEDED:
            return f"{result.amount} went back"
        case OperationState.PARTLY_SUCCEEDED:
            return f"{result.succeeded} of {result.amount} went back, then: {result.code}"
        case OperationState.PENDING:
            return f"{result.under_way} is on its way back"
        case OperationState.UNKNOWN:
            return f"we do not know yet whether {result.under_way} went back; do not send it again"
        case OperationState.REQUIRES_ACTION:
            return "the payer has not finished"
        case OperationState.DECLINED | OperationState.FAILED:
            again = "try again later" if result.retryable else "send it back another way"
            return f"{result.amount} did not go back ({result.code}); {again}"
        case _:
            assert_never(result.state)


@pytest.fixture
def portal() -> Iterator[Portal]:
    portal = Portal()
    yield portal
    assert portal.cashier.fsck() == []
    portal.cashier.close()


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (None, "14.00 CAD went back"),
        ("pending", "14.00 CAD is on its way back"),
        (
            "unknown_executed",
            "we do not know yet whether 14.00 CAD went back; do not send it again",
        ),
        ("declined", "14.00 CAD did not go back (generic); try again later"),
        ("unsent", "14.00 CAD did not go back (unsent); try again later"),
    ],
)
def test_each_end_of_a_refund_can_be_said(portal: Portal, script: str | None, said: str) -> None:
    payment = portal.paid()
    if script:
        portal.card.script(script, operation="refund")

    assert portal.refund(payment, cad("14")) == said


def test_a_refund_that_failed_has_its_own_code_and_leaves_the_payment_as_it_was(
    portal: Portal,
) -> None:
    payment = portal.paid()
    portal.card.script("declined", operation="refund")

    result = portal.cashier.refund(payment, amount=cad("14"), key="back")

    assert not result.ok
    assert result.state.failed
    assert result.raw_code
    assert (result.succeeded, result.under_way) == (cad("0"), cad("0"))
    assert (result.payment.status, result.payment.code) == (PaymentStatus.SUCCEEDED, "")
    assert (result.payment.returned, result.payment.refunding) == (cad("0"), cad("0"))
    assert [attempt.operation for attempt in result.attempts] == [Operation.REFUND]


def test_what_is_on_its_way_back_is_shown_by_the_payment_until_it_ended(portal: Portal) -> None:
    payment = portal.paid()
    portal.card.script("unknown_executed", operation="refund")

    result = portal.cashier.refund(payment, amount=cad("21"), key="back")

    assert (result.payment.refunding, result.payment.returned) == (cad("21"), cad("0"))
    portal.clock.advance(timedelta(hours=1))
    portal.cashier.recover()
    after = portal.cashier.payment(payment)
    assert (after.refunding, after.returned) == (cad("0"), cad("21"))


def test_the_same_key_returns_the_same_result_and_says_that_nothing_was_sent(
    portal: Portal,
) -> None:
    payment = portal.paid()
    portal.card.script("declined", operation="refund")

    first = portal.cashier.refund(payment, amount=cad("14"), key="back")
    second = portal.cashier.refund(payment, amount=cad("14"), key="back")

    assert second == first
    assert (first.repeated, second.repeated) == (False, True)
    assert len(portal.cashier.attempts(payment)) == 2


def test_the_same_key_tells_what_became_of_the_refund_meanwhile(portal: Portal) -> None:
    payment = portal.paid()
    portal.card.script("unknown_executed", operation="refund")
    assert portal.cashier.refund(payment, key="back").state is OperationState.UNKNOWN
    portal.clock.advance(timedelta(hours=1))
    portal.cashier.recover()

    again = portal.cashier.refund(payment, key="back")

    assert (again.state, again.repeated) == (OperationState.SUCCEEDED, True)
    assert again.payment.returned == cad("84")


def test_of_a_refund_in_parts_it_is_said_how_much_went_back(portal: Portal) -> None:
    payment = portal.held()
    portal.cashier.capture(payment, amount=cad("35"), final=False, key="1")
    portal.cashier.capture(payment, amount=cad("49"), key="2")
    portal.card.script("approved", operation="refund")
    portal.card.script("declined", operation="refund")

    result = portal.cashier.refund(payment, key="back")

    assert result.state is OperationState.PARTLY_SUCCEEDED
    assert len(result.attempts) == 2
    assert result.amount == cad("84")
    assert result.succeeded == result.payment.returned
    assert cad("0") < result.succeeded < cad("84")
    assert (result.code, result.ok) == ("generic", False)
    assert portal.cashier.refund(payment, key="back").attempts == result.attempts


def test_while_a_part_is_in_doubt_the_refund_is(portal: Portal) -> None:
    payment = portal.held()
    portal.cashier.capture(payment, amount=cad("35"), final=False, key="1")
    portal.cashier.capture(payment, amount=cad("49"), key="2")
    portal.card.script("unknown_executed", operation="refund")
    portal.card.script("approved", operation="refund")

    result = portal.cashier.refund(payment, key="back")

    assert result.state is OperationState.UNKNOWN
    assert result.succeeded + result.under_way == cad("84")
    assert result.under_way == result.payment.refunding


def test_a_capture_that_was_not_made_does_not_look_like_one_that_was(portal: Portal) -> None:
    payment = portal.held()
    portal.card.script("declined", operation="capture")

    result = portal.cashier.capture(payment, amount=cad("35"), key="take")

    assert (result.operation, result.state) == (Operation.CAPTURE, OperationState.DECLINED)
    assert result.payment.status is PaymentStatus.AUTHORIZED


def test_a_capture_in_doubt_is_shown_as_under_way(portal: Portal) -> None:
    payment = portal.held()
    portal.card.script("unknown_executed", operation="capture")

    result = portal.cashier.capture(payment, amount=cad("35"), key="take")

    assert result.state is OperationState.UNKNOWN
    assert result.under_way == result.payment.capturing == cad("35")


def test_a_cancellation_says_what_it_was(portal: Portal) -> None:
    payment = portal.held()

    result = portal.cashier.cancel(payment, key="undo")
    again = portal.cashier.cancel(payment, key="undo")
    other = portal.cashier.cancel(payment, key="undo it")

    assert (result.operation, result.ok) == (Operation.VOID, True)
    assert again == result
    assert (result.repeated, again.repeated) == (False, True)
    assert (other.ok, other.attempts, other.repeated) == (True, (), True)


def test_a_cancellation_that_became_a_refund_says_how_the_refund_ended(portal: Portal) -> None:
    payment = portal.paid()
    portal.clock.advance(timedelta(days=3))
    portal.card.script("declined", operation="refund")

    result = portal.cashier.cancel(payment, key="undo")

    assert (result.operation, result.state) == (Operation.REFUND, OperationState.DECLINED)
    assert result.payment.returned == cad("0")
    assert portal.cashier.cancel(payment, key="undo") == result


def test_a_cancellation_in_doubt_is_no_cancellation(portal: Portal) -> None:
    payment = portal.paid()
    portal.card.script("unknown_executed", operation="void")

    result = portal.cashier.cancel(payment, key="undo")

    assert (result.operation, result.state) == (Operation.VOID, OperationState.UNKNOWN)


def test_a_page_that_was_closed_says_so_each_time(portal: Portal) -> None:
    payment = portal.shown()

    result = portal.cashier.withdraw_page(payment)
    again = portal.cashier.withdraw_page(payment)

    assert (result.operation, result.ok, result.repeated) == (Operation.WITHDRAW, True, False)
    assert (again.ok, again.attempts, again.repeated) == (True, (), True)
    assert again.payment.status is PaymentStatus.CANCELED


def test_a_payer_who_came_back_without_paying_has_not_finished(portal: Portal) -> None:
    payment = portal.shown()

    result = portal.cashier.complete(payment)

    assert result.state is OperationState.REQUIRES_ACTION
    assert result.payment.status is PaymentStatus.REQUIRES_ACTION


def test_a_completion_that_a_callback_has_overtaken_tells_how_the_payment_ended(
    portal: Portal,
) -> None:
    payment = portal.shown()
    portal.page.pay(payment.reference)
    assert portal.cashier.complete(payment).ok

    again = portal.cashier.complete(payment)

    assert (again.state, again.attempts) == (OperationState.SUCCEEDED, ())
    assert (again.repeated, again.payment.status) == (True, PaymentStatus.SUCCEEDED)


def test_a_completion_of_a_page_that_has_ended_is_none(portal: Portal) -> None:
    payment = portal.shown()
    portal.cashier.withdraw_page(payment)

    result = portal.cashier.complete(payment)

    assert (result.state, result.code) == (OperationState.FAILED, "canceled")
    assert result.succeeded == cad("0")


class TwoSteps(FakeGateway):
    """An account whose payers first show their browser, and are then asked for a code."""

    def charge(self, charge: Charge) -> Dialogue[Outcome]:
        del charge
        return at_once(ActionRequired(action=Redirect(url="https://acs.example/1"), reference="r"))

    def complete(self, completion: Completion) -> Dialogue[Outcome]:
        del completion
        return at_once(ActionRequired(action=Redirect(url="https://acs.example/2"), reference="r"))


def test_the_second_step_of_an_authentication_is_what_the_payer_does_next() -> None:
    clock = FakeClock()
    gateway = TwoSteps(Kind.REDIRECT, clock=clock)
    with Cashier.in_memory(gateways={"x": gateway}, clock=clock) as cashier:
        cashier.issue(number="A", customer="C-1", total=cad("84"), due="2026-03-01")
        payment = cashier.collect("A", via="x", key="a", return_url=BACK)

        result = cashier.complete(payment)

        assert result.state is OperationState.REQUIRES_ACTION
        assert result.payment.action == Redirect(url="https://acs.example/2")
        told = [event.type for event in cashier.events() if event.aggregate == payment.id]
        assert told.count("payment.requires_action") == 2


# --- A key that was used before ----------------------------------------------------------


def test_a_second_try_under_a_used_key_says_that_nothing_was_tried(
    portal: Portal, caplog: pytest.LogCaptureFixture
) -> None:
    first = portal.cashier.collect("A", via="card", method="tok_declined", key="a")

    with caplog.at_level("INFO"):
        second = portal.cashier.collect("A", via="card", method="tok_visa", key="a")

    assert (first.status, first.repeated) == (PaymentStatus.DECLINED, False)
    assert (second.status, second.repeated) == (PaymentStatus.DECLINED, True)
    assert second == first
    [line] = [each for each in caplog.records if vars(each).get("event") == "verb.repeated"]
    assert vars(line)["payment"] == first.id
    assert portal.card.processor.moved("CAD") == cad("0")


def test_a_payment_that_is_read_repeats_nothing(portal: Portal) -> None:
    portal.paid()
    again = portal.paid()

    assert again.repeated
    assert not portal.cashier.payment(again).repeated


def test_another_account_under_a_used_key_is_a_mistake(portal: Portal) -> None:
    portal.cashier.collect("A", via="card", method="tok_declined", key="a")

    with pytest.raises(KeyReused):
        portal.cashier.collect("A", via="page", return_url=BACK, key="a")


# --- What else a verb says --------------------------------------------------------------------


def test_who_comes_back_to_a_page_that_was_taken_over_is_told_by_whom(portal: Portal) -> None:
    page = portal.shown()
    portal.page.script("unsent", operation="withdraw")
    other = portal.cashier.collect("A", via="card", method="tok_unknown_executed", key="other")

    with pytest.raises(ItemAlreadyBeingPaid) as caught:
        portal.cashier.complete(page)

    assert (caught.value.item, caught.value.payments) == ("A", [other.id])
    assert portal.cashier.invoice("A").claimed_by == (other.id,)
    assert "withdraw_page" in caught.value.ways[page.id]


def test_who_comes_back_to_a_page_whose_invoice_was_paid_is_told_by_which_payment(
    portal: Portal,
) -> None:
    page = portal.shown()
    other = portal.cashier.record("A", by="cash", key="till")

    with pytest.raises(ItemAlreadyBeingPaid) as caught:
        portal.cashier.complete(page)

    assert (caught.value.item, caught.value.payments) == ("A", [other.id])
    assert portal.cashier.invoice("A").claimed_by == ()


def test_a_charge_without_the_payer_names_the_invoice_that_a_page_may_still_pay(
    portal: Portal,
) -> None:
    slip = FakeGateway(Kind.VOUCHER, clock=portal.clock, withdrawable=False)
    card = FakeGateway(Kind.CARD, clock=portal.clock)
    with Cashier.in_memory(
        gateways={"slip": slip, "card": card}, clock=portal.clock, token_keys=[KEY]
    ) as cashier:
        for number in ("A", "B"):
            cashier.issue(number=number, customer="C-1", total=cad("84"), due="2026-03-01")
        mandate = Mandate(text_version="1", accepted_at=portal.clock.now())
        change = cashier.enroll("C-1", via="card", method="tok_visa", key="m", mandate=mandate)
        shown = cashier.collect("A", via="slip", key="slip")

        with pytest.raises(ItemAlreadyBeingPaid) as caught:
            cashier.collect(
                ["A", "B"], via="card", method=change.method, key="auto", payer_present=False
            )

        assert (caught.value.item, caught.value.payments) == ("A", [shown.id])


def test_a_void_invoice_says_what_of_its_money_became_credit(portal: Portal) -> None:
    portal.cashier.collect("A", via="card", method="tok_visa", key="a", amount=cad("20"))

    voided = portal.cashier.void("A", reason="wrong customer")

    assert voided.credited == cad("20")
    assert portal.cashier.void("A", reason="wrong customer") == voided
    assert portal.cashier.balance("C-1")["CAD"] == cad("20")
    [told] = [event for event in portal.cashier.events() if event.type == "invoice.voided"]
    assert told.data["credited_minor"] == 2000


def test_a_void_invoice_gives_back_the_credit_that_had_paid_it(portal: Portal) -> None:
    portal.cashier.record([], customer="C-1", amount=cad("30"), by="cash", key="over")
    portal.cashier.pay_from_credit("A", key="use")

    voided = portal.cashier.void("A", reason="wrong customer")

    assert voided.credited == portal.cashier.balance("C-1")["CAD"] == cad("30")


def invoice_events(cashier: Cashier) -> list[tuple[str, int]]:
    return [
        (event.type, event.data["open_minor"])
        for event in cashier.events(limit=1000)
        if event.type.startswith("invoice.")
    ]


def test_an_invoice_that_was_given_up_is_not_paid(portal: Portal) -> None:
    portal.cashier.write_off("A", reason="bankrupt", key="w")

    assert portal.cashier.invoice("A").status is InvoiceStatus.WRITTEN_OFF
    assert invoice_events(portal.cashier) == [
        ("invoice.generated", 8400),
        ("invoice.written_off", 0),
    ]
    with pytest.raises(AlreadyPaid, match="written off"):
        portal.paid()


def test_an_invoice_of_which_the_rest_was_given_up_is_paid(portal: Portal) -> None:
    portal.cashier.record("A", by="cash", amount=cad("80"), key="till")

    portal.cashier.write_off("A", reason="small", key="w")

    assert portal.cashier.invoice("A").status is InvoiceStatus.PAID
    assert invoice_events(portal.cashier)[-1] == ("invoice.paid", 0)


def test_a_credit_note_reopens_no_invoice(portal: Portal) -> None:
    payment = portal.paid()

    portal.cashier.refund(payment, amount=cad("14"), to="credit_note", key="back")

    assert portal.cashier.invoice("A").status is InvoiceStatus.PAID
    assert invoice_events(portal.cashier) == [
        ("invoice.generated", 8400),
        ("invoice.paid", 0),
        ("invoice.written_off", 0),
    ]


def test_a_refund_that_opens_an_invoice_again_says_so(portal: Portal) -> None:
    payment = portal.paid()

    portal.cashier.refund(payment, amount=cad("14"), to="reopen", key="back")

    assert invoice_events(portal.cashier)[-1] == ("invoice.reopened", 1400)


def test_a_balance_in_a_currency_without_entries_is_zero(portal: Portal) -> None:
    balance = portal.cashier.balance("C-77")

    assert balance["CAD"] == cad("0")
    assert dict(balance) == {}
    with pytest.raises(InvalidCurrency):
        balance["dollars"]


@pytest.mark.parametrize("read", ["payment", "attempts", "receipts", "history", "chargebacks"])
def test_a_payment_that_is_not_there_is_an_error_to_each_reader(portal: Portal, read: str) -> None:
    argument: dict[str, str] = {"payment": "pay_0"} if read == "chargebacks" else {}
    arguments = () if argument else ("pay_0",)

    with pytest.raises(PaymentNotFound):
        getattr(portal.cashier, read)(*arguments, **argument)


# --- What a page may show of an account -------------------------------------------------------


def test_a_page_gets_the_publishable_key_of_an_account(portal: Portal) -> None:
    settings = {"driver": "stripe", "secret_key": "sk_test_1", "publishable_key": "pk_test_1"}
    with Cashier.in_memory(gateways={"fake": portal.card, "stripe": settings}) as cashier:
        assert cashier.public_settings("fake") == {"publishable_key": "pk_fake"}
        assert cashier.public_settings("stripe") == {"publishable_key": "pk_test_1"}
        with pytest.raises(GatewayNotFound):
            cashier.public_settings("strip")


class Careless(FakeGateway):
    """A driver that would put a secret of its account into the page."""

    def __init__(self) -> None:
        super().__init__()
        self.secret = Secret("sk_test_of_the_account")

    def public_settings(self) -> Mapping[str, str]:
        return {"publishable_key": f"pk-{self.secret.reveal()}"}


def test_a_driver_that_would_publish_a_secret_is_not_opened() -> None:
    with pytest.raises(InvalidSettings, match="publishable_key") as caught:
        Cashier.in_memory(gateways={"card": Careless()})

    assert "sk_test" not in str(caught.value)


# --- Events about a part ------------------------------------------------------------------------


def payment_events(cashier: Cashier, *names: str) -> list[Event]:
    return [event for event in cashier.events(limit=1000) if event.type in names]


def test_an_event_about_a_part_carries_the_part_and_the_attempt(portal: Portal) -> None:
    payment = portal.held()
    taken = portal.cashier.capture(payment, amount=cad("35"), key="1")
    back = portal.cashier.refund(payment, amount=cad("14"), key="2")

    captured, refunded = payment_events(portal.cashier, "payment.captured", "payment.refunded")

    assert captured.data["amount_minor"] == 3500
    assert captured.data["attempt"] == taken.attempts[0].id
    assert refunded.data["amount_minor"] == 1400
    assert refunded.data["attempt"] == back.attempts[0].id
    totals = ("requested_minor", "received_minor", "returned_minor")
    assert [refunded.data[name] for name in totals] == [8400, 3500, 1400]


def test_an_event_and_the_money_of_it_can_be_joined(portal: Portal) -> None:
    payment = portal.paid()
    portal.cashier.refund(payment, amount=cad("14"), key="2")

    [refunded] = payment_events(portal.cashier, "payment.refunded")
    booked = payment_events(portal.cashier, "receipt.booked")[-1]

    assert booked.data["attempt"] == refunded.data["attempt"]
    assert refunded.data["movements"] == [booked.data["movement_id"]]


def test_a_refund_that_failed_is_told_with_its_amount_code_and_attempt(portal: Portal) -> None:
    payment = portal.paid()
    portal.card.script("declined", operation="refund")
    result = portal.cashier.refund(payment, amount=cad("14"), key="2")

    [failed] = payment_events(portal.cashier, "payment.refund_failed")

    assert failed.data["amount_minor"] == 1400
    assert failed.data["attempt"] == result.attempts[0].id
    assert (failed.data["code"], failed.data["raw_code"]) == (result.code, result.raw_code)
    assert failed.data["returned_minor"] == 0


def test_a_chargeback_of_a_part_is_told_with_that_part(portal: Portal) -> None:
    payment = portal.paid()
    portal.card.dispute(payment.reference, amount=cad("21"))
    portal.cashier.inquire(payment)

    [taken] = payment_events(portal.cashier, "payment.charged_back")

    assert taken.data["amount_minor"] == 2100
    assert taken.data["requested_minor"] == 8400
    assert taken.data["movement_id"]


# --- What a payment receipt and a clerk want to know of the card -------------------------------


def test_a_card_payment_shows_what_a_payment_receipt_prints(portal: Portal) -> None:
    payment = portal.paid()

    expected = MethodFacts(brand="visa", last4="4242", expires_month=12, expires_year=2099)
    assert payment.method_facts == portal.cashier.payment(payment).method_facts == expected


def test_a_declined_card_is_shown_as_well(portal: Portal) -> None:
    payment = portal.cashier.collect("A", via="card", method="tok_declined", key="a")

    assert payment.method_facts is not None
    assert payment.method_facts.last4 == "4242"


def test_a_card_given_in_the_clear_is_known_by_its_last_four_before_any_answer(
    portal: Portal,
) -> None:
    card = RawCard("5555555555554444", 4, 2031)
    portal.card.script("unknown_lost")

    payment = portal.cashier.collect("A", via="card", method=card, key="a")

    assert payment.method_facts == MethodFacts(last4="4444", expires_month=4, expires_year=2031)


def test_a_bank_debit_shows_the_last_four_of_the_account(portal: Portal) -> None:
    bank = FakeGateway(Kind.E_CHECK, clock=portal.clock)
    with Cashier.in_memory(gateways={"bank": bank}, clock=portal.clock) as cashier:
        cashier.issue(number="A", customer="C-1", total=cad("84"), due="2026-03-01")
        account = RawBankAccount("011000015", "000123456789")

        payment = cashier.collect("A", via="bank", method=account, key="a")

        assert payment.method_facts == MethodFacts(last4="6789")


def test_money_recorded_by_hand_has_no_card(portal: Portal) -> None:
    payment = portal.cashier.record("A", by="cash", key="a")

    assert (payment.method_facts, payment.checks) == (None, None)


def test_no_driver_puts_a_whole_card_number_into_the_facts() -> None:
    assert MethodFacts(last4="4242424242424242").last4 == "4242"


def test_the_checks_of_a_card_are_kept_with_the_payment(portal: Portal) -> None:
    payment = portal.cashier.collect("A", via="card", method="tok_checks_fail", key="a")

    assert payment.status is PaymentStatus.SUCCEEDED
    assert payment.checks is not None
    assert payment.checks.failed == ("address", "postal_code", "security_code")
    assert payment.checks.address == CardCheck(CheckResult.FAIL, "fail")
    assert payment.checks.authentication == CardCheck()
    assert portal.cashier.payment(payment).checks == payment.checks
    [told] = payment_events(portal.cashier, "payment.succeeded")
    assert told.data["checks"] == {
        "address": "fail",
        "postal_code": "fail",
        "security_code": "fail",
    }


def test_a_card_of_which_nothing_was_checked_has_no_checks(portal: Portal) -> None:
    assert portal.paid().checks is None


def test_a_hold_and_its_inquiry_show_the_checks_too(portal: Portal) -> None:
    portal.card.script("unknown_executed", operation="authorize")
    payment = portal.cashier.authorize("A", via="card", method="tok_checks_pass", key="a")
    portal.clock.advance(timedelta(hours=1))

    found = portal.cashier.inquire(payment)

    assert found.status is PaymentStatus.AUTHORIZED
    assert found.method_facts is not None
    assert found.method_facts.last4 == "4242"


# --- What moved is not always what was asked for ------------------------------------------


@pytest.mark.parametrize(("script", "went"), [("partial", "42"), ("other_amount", "100")])
def test_a_refund_of_another_amount_says_what_went_back(
    portal: Portal, script: str, went: str
) -> None:
    payment = portal.paid()
    asked = "84" if script == "partial" else "50"
    portal.card.script(script)

    result = portal.cashier.refund(payment, amount=cad(asked), key="r")

    assert result.payment.returned == result.succeeded == cad(went)
    less = script == "partial"
    state = OperationState.PARTLY_SUCCEEDED if less else OperationState.SUCCEEDED
    assert (result.state, result.ok) == (state, not less)
    assert (result.amount, result.under_way, result.code) == (cad(asked), cad("0"), "other_amount")
    assert asked in result.reason
    assert went in result.reason
    assert result.payment.needs_review
    again = portal.cashier.refund(payment, amount=cad(asked), key="r")
    assert (again, again.repeated) == (result, True)


@pytest.mark.parametrize("script", ["partial", "other_amount"])
def test_a_capture_of_another_amount_says_what_came_and_is_flagged(
    portal: Portal, script: str
) -> None:
    payment = portal.cashier.authorize("A", via="card", method="tok_visa", key="h")
    asked, came = ("84", "42") if script == "partial" else ("40", "80")
    portal.card.script(script)

    result = portal.cashier.capture(payment, amount=cad(asked), key="c")

    assert result.succeeded == result.payment.received == cad(came)
    assert (result.ok, result.code) == (script == "other_amount", "other_amount")
    assert result.payment.needs_review
