"""The later life of a payment: authorised, captured in parts, voided, refunded, completed."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest

from paygate import (
    AsyncCashier,
    Cashier,
    Invoice,
    InvoiceStatus,
    Kind,
    Money,
    Payment,
    PaymentStatus,
)
from paygate.dialogue import Request, Response
from paygate.domain.attempt import AttemptState
from paygate.domain.kind import Operation
from paygate.domain.movement import Movement, MovementKind
from paygate.domain.outcome import Approved, Ended, Ending
from paygate.errors import (
    HasRefunds,
    InvalidAmount,
    InvalidValue,
    ItemAlreadyBeingPaid,
    KeyReused,
    NotCancelable,
    NotCapturable,
    NotEnoughCredit,
    NotPayable,
    NotRefundable,
    OutcomeUnknown,
    Refused,
    Unsupported,
)
from paygate.gateway import DedupWindow, InquiryBy, NotIdempotent
from paygate.service.account import Timing
from paygate.testing import FakeClock, FakeGateway, Habits, Plan


def usd(amount: str) -> Money:
    return Money.of("USD", amount)


class Shop:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.card = FakeGateway(Kind.CARD, clock=self.clock)
        self.page = FakeGateway(Kind.REDIRECT, clock=self.clock, habits=Habits(needs_complete=True))
        self.cashier = Cashier.in_memory(
            gateways={"card": self.card, "page": self.page}, clock=self.clock
        )

    def invoice(self, number: str = "A", total: str = "30") -> Invoice:
        return self.cashier.issue(number=number, customer="C-1", total=usd(total), due="2026-02-01")

    def authorize(self, number: str = "A", total: str = "30", token: str = "tok_visa") -> Payment:
        self.invoice(number, total)
        return self.cashier.authorize(number, via="card", method=token, key=f"auth-{number}")

    def charge(self, number: str = "A", *, amount: Money | None = None) -> Payment:
        self.invoice(number)
        return self.cashier.collect(
            number, via="card", method="tok_visa", key=f"pay-{number}", amount=amount
        )

    def open(self, number: str = "A") -> str:
        return str(self.cashier.invoice(number).open.decimal)

    def moved(self) -> Money:
        return self.card.processor.moved("USD")

    def events(self, of: str) -> list[str]:
        return [each.type for each in self.cashier.events(limit=1000) if each.aggregate == of]


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()
    yield shop
    shop.cashier.close()


@pytest.fixture(autouse=True)
def the_books_are_sound_and_agree_with_the_processor(shop: Shop) -> Iterator[None]:
    yield
    assert shop.cashier.fsck() == []
    booked = usd("0")
    for payment in shop.cashier.payments():
        booked += payment.received - payment.returned
    assert booked == shop.moved() + shop.page.processor.moved("USD")


# --- Authorising and capturing ---------------------------------------------------------


def test_an_authorisation_holds_the_invoice_and_moves_nothing(shop: Shop) -> None:
    payment = shop.authorize()

    assert payment.status is PaymentStatus.AUTHORIZED
    assert payment.authorized == usd("30")
    assert (shop.open(), shop.cashier.invoice("A").claimed) == ("30.00", usd("30"))
    with pytest.raises(ItemAlreadyBeingPaid):
        shop.cashier.collect("A", via="card", method="tok_visa", key="other")


def test_a_capture_takes_it_all(shop: Shop) -> None:
    payment = shop.authorize()

    captured = shop.cashier.capture(payment, key="cap").payment

    assert (captured.status, captured.received) == (PaymentStatus.SUCCEEDED, usd("30"))
    assert shop.cashier.invoice("A").status is InvoiceStatus.PAID
    assert shop.cashier.capture(payment, key="cap").payment == captured
    assert shop.moved() == usd("30")
    assert "payment.captured" in shop.events(payment.id)


def test_a_final_partial_capture_frees_the_rest(shop: Shop) -> None:
    payment = shop.authorize()

    captured = shop.cashier.capture(payment, key="cap", amount=usd("12")).payment

    assert (captured.status, captured.received) == (PaymentStatus.SUCCEEDED, usd("12"))
    assert (shop.open(), shop.cashier.invoice("A").claimed) == ("18.00", usd("0"))


def test_several_captures_take_it_in_parts_and_hold_the_rest(shop: Shop) -> None:
    payment = shop.authorize()

    first = shop.cashier.capture(payment, key="1", amount=usd("10"), final=False).payment
    assert (first.status, shop.open()) == (PaymentStatus.AUTHORIZED, "20.00")
    assert shop.cashier.invoice("A").claimed == usd("20")
    shop.cashier.capture(payment, key="2", amount=usd("5"), final=False)
    last = shop.cashier.capture(payment, key="3", amount=usd("7")).payment

    assert (last.status, last.received) == (PaymentStatus.SUCCEEDED, usd("22"))
    assert (shop.open(), shop.cashier.invoice("A").claimed) == ("8.00", usd("0"))


def test_parts_that_take_it_all_end_it_though_none_was_said_to_be_the_last(shop: Shop) -> None:
    payment = shop.authorize()
    shop.cashier.capture(payment, key="1", amount=usd("10"), final=False)

    last = shop.cashier.capture(payment, key="2", amount=usd("20"), final=False).payment

    assert (last.status, last.received) == (PaymentStatus.SUCCEEDED, usd("30"))
    with pytest.raises(NotCapturable):
        shop.cashier.capture(payment, key="3")


def test_what_was_captured_stays_when_the_rest_runs_out(shop: Shop) -> None:
    payment = shop.authorize()
    shop.cashier.capture(payment, key="1", amount=usd("10"), final=False)
    shop.clock.advance(timedelta(days=8))

    shop.cashier.recover()

    over = shop.cashier.payment(payment)
    assert (over.status, over.received) == (PaymentStatus.SUCCEEDED, usd("10"))
    assert (shop.open(), shop.cashier.invoice("A").claimed) == ("20.00", usd("0"))
    told = shop.events(payment.id)
    assert told.count("payment.rest_released") == 1
    assert "payment.expired" not in told


def test_an_authorisation_that_runs_out_without_a_capture_has_expired(shop: Shop) -> None:
    payment = shop.authorize()
    shop.clock.advance(timedelta(days=8))

    shop.cashier.recover()

    assert shop.cashier.payment(payment).status is PaymentStatus.EXPIRED
    told = shop.events(payment.id)
    assert ("payment.expired" in told, "payment.rest_released" in told) == (True, False)


def test_where_less_was_authorised_the_last_part_frees_what_was_asked_for(shop: Shop) -> None:
    shop.card.script(Plan(percent=50), operation="authorize")
    payment = shop.authorize()

    shop.cashier.capture(payment, key="1", amount=usd("15"), final=False)

    assert (shop.open(), shop.cashier.invoice("A").claimed) == ("15.00", usd("0"))


@pytest.mark.parametrize("verb", ["capture", "cancel"])
def test_nobody_asks_about_an_authorisation_that_is_over(shop: Shop, verb: str) -> None:
    payment = shop.authorize()

    getattr(shop.cashier, verb)(payment, key="end")

    assert [each.next_check_at for each in shop.cashier.attempts(payment)] == [None, None]


def test_captures_over_several_invoices_fill_them_in_order(shop: Shop) -> None:
    shop.invoice("A", "10"), shop.invoice("B", "20")
    payment = shop.cashier.authorize(["A", "B"], via="card", method="tok_visa", key="auth")

    shop.cashier.capture(payment, key="1", amount=usd("15"), final=False)
    assert (shop.open("A"), shop.open("B")) == ("0.00", "15.00")
    shop.cashier.capture(payment, key="2")

    assert (shop.open("A"), shop.open("B")) == ("0.00", "0.00")


def test_no_more_is_captured_than_was_authorised(shop: Shop) -> None:
    payment = shop.authorize()
    shop.cashier.capture(payment, key="1", amount=usd("20"), final=False)

    with pytest.raises(NotCapturable) as caught:
        shop.cashier.capture(payment, key="2", amount=usd("10.01"))
    assert caught.value.left == usd("10")
    with pytest.raises(InvalidAmount):
        shop.cashier.capture(payment, key="2", amount=usd("0"))
    with pytest.raises(KeyReused):
        shop.cashier.capture(payment, key="1", amount=usd("9"))

    assert shop.moved() == usd("20")


def test_what_was_charged_at_once_is_not_captured(shop: Shop) -> None:
    payment = shop.charge()

    with pytest.raises(NotCapturable):
        shop.cashier.capture(payment, key="cap")


def test_an_account_that_captures_once_says_so(shop: Shop) -> None:
    del shop
    card = FakeGateway(partial_capture=False, multiple_capture=False)
    cashier = Cashier.in_memory(gateways={"card": card})
    cashier.issue(number="A", customer="C", total=usd("30"), due="2026-02-01")
    payment = cashier.authorize("A", via="card", method="tok_visa", key="auth")

    with pytest.raises(Unsupported):
        cashier.capture(payment, key="1", amount=usd("10"), final=False)
    with pytest.raises(Unsupported):
        cashier.capture(payment, key="1", amount=usd("10"))
    assert cashier.capture(payment, key="1").payment.received == usd("30")
    cashier.close()


@pytest.mark.parametrize(
    ("fault", "received", "status"),
    [
        ("unknown_executed", "30", PaymentStatus.SUCCEEDED),
        ("unknown_lost", "30", PaymentStatus.SUCCEEDED),  # sent again under its key
        ("500", "0", PaymentStatus.AUTHORIZED),  # the processor keeps the error under the key
    ],
)
def test_a_capture_whose_answer_is_lost_is_found_out(
    shop: Shop, fault: str, received: str, status: PaymentStatus
) -> None:
    payment = shop.authorize()
    shop.card.script(fault, operation="capture")

    unknown = shop.cashier.capture(payment, key="cap", amount=usd("30")).payment
    with pytest.raises(NotCapturable):
        shop.cashier.capture(payment, key="again", amount=usd("1"), final=False)
    assert unknown.received == usd("0")
    for _ in range(8):
        shop.clock.advance(timedelta(minutes=30))
        shop.cashier.recover()

    assert shop.cashier.payment(payment).received == shop.moved() == usd(received)
    assert shop.cashier.payment(payment).status is status


def test_a_person_says_how_a_capture_ended_and_not_how_its_authorisation_did(shop: Shop) -> None:
    payment = shop.authorize()
    shop.card.script("unknown_executed", operation="capture")
    shop.cashier.capture(payment, key="1", amount=usd("10"), final=False)
    [entry] = shop.card.journal
    moved = Movement(movement_id=entry.movement_id, amount=entry.amount, kind=entry.kind)

    resolved = shop.cashier.resolve(payment, Approved(movements=(moved,)), evidence="dashboard")

    assert (resolved.status, resolved.received) == (PaymentStatus.AUTHORIZED, usd("10"))
    assert shop.cashier.capture(payment, key="2").payment.received == usd("30")


def test_a_person_says_that_an_authorisation_was_voided_which_moved_nothing(shop: Shop) -> None:
    payment = shop.authorize()
    shop.card.script("unknown_executed", operation="void")
    shop.cashier.cancel(payment, key="c")

    resolved = shop.cashier.resolve(payment, Approved(), evidence="dashboard")

    assert resolved.status is PaymentStatus.CANCELED
    assert shop.cashier.invoice("A").claimed == usd("0")


@pytest.mark.parametrize(("fault", "total"), [("unknown_executed", "15"), ("500", "5")])
def test_the_last_capture_does_not_free_what_another_may_bring(
    shop: Shop, fault: str, total: str
) -> None:
    payment = shop.authorize()
    shop.card.script(fault, operation="capture")
    shop.cashier.capture(payment, amount=usd("10"), final=False, key="1")

    second = shop.cashier.capture(payment, amount=usd("5"), final=True, key="2").payment
    claimed = shop.cashier.invoice("A").claimed
    with pytest.raises(ItemAlreadyBeingPaid):
        shop.cashier.collect("A", amount=usd("30"), via="card", method="tok_visa", key="other")
    for _ in range(8):
        shop.clock.advance(timedelta(minutes=30))
        shop.cashier.recover()

    assert (second.status, claimed) == (PaymentStatus.AUTHORIZED, usd("25"))
    last = shop.cashier.payment(payment)
    assert (last.status, last.received) == (PaymentStatus.SUCCEEDED, usd(total))
    invoice = shop.cashier.invoice("A")
    assert (invoice.claimed, invoice.open) == (usd("0"), usd("30") - usd(total))
    assert shop.moved() == usd(total)


def test_a_capture_that_fails_leaves_the_authorisation(shop: Shop) -> None:
    payment = shop.authorize()
    shop.card.script("declined", operation="capture")

    failed = shop.cashier.capture(payment, key="cap").payment

    assert (failed.status, failed.received) == (PaymentStatus.AUTHORIZED, usd("0"))
    assert shop.cashier.capture(payment, key="cap-2").payment.received == usd("30")


def test_an_authorisation_that_comes_too_late_is_voided_by_itself(shop: Shop) -> None:
    shop.invoice()
    shop.card.script("unknown_executed", operation="authorize")
    payment = shop.cashier.authorize("A", via="card", method="tok_visa", key="auth")
    shop.cashier.resolve(payment, Ended(how=Ending.CANCELED), evidence="the payer left")

    late = shop.cashier.inquire(payment)  # and the processor has held it all the time
    shop.cashier.recover()

    assert late.status is PaymentStatus.CANCELED
    assert "payment.voided" in shop.events(payment.id)
    assert [(each.operation, each.state) for each in shop.cashier.attempts(payment)] == [
        ("authorize", "canceled"),
        ("void", "succeeded"),
    ]
    again = shop.cashier.inquire(payment)
    assert again.status is PaymentStatus.CANCELED
    assert len(shop.cashier.attempts(payment)) == 2


# --- Cancelling -----------------------------------------------------------------------------


def test_cancelling_an_authorisation_frees_the_invoice(shop: Shop) -> None:
    payment = shop.authorize()

    canceled = shop.cashier.cancel(payment, key="c").payment

    assert canceled.status is PaymentStatus.CANCELED
    assert shop.cashier.invoice("A").claimed == usd("0")
    assert shop.cashier.cancel(payment, key="c").payment.status is PaymentStatus.CANCELED
    with pytest.raises(NotCapturable):
        shop.cashier.capture(payment, key="cap")


def test_cancelling_after_a_part_was_captured_frees_the_rest(shop: Shop) -> None:
    payment = shop.authorize()
    shop.cashier.capture(payment, key="1", amount=usd("10"), final=False)

    canceled = shop.cashier.cancel(payment, key="c").payment

    assert (canceled.status, canceled.received) == (PaymentStatus.SUCCEEDED, usd("10"))
    assert (shop.open(), shop.cashier.invoice("A").claimed) == ("20.00", usd("0"))


def test_the_rest_is_freed_though_some_of_what_was_captured_went_back(shop: Shop) -> None:
    payment = shop.authorize()
    shop.cashier.capture(payment, key="1", amount=usd("10"), final=False)
    shop.cashier.refund(payment, key="r", amount=usd("4"))

    canceled = shop.cashier.cancel(payment, key="c").payment

    assert (canceled.status, canceled.returned) == (PaymentStatus.SUCCEEDED, usd("4"))
    assert (shop.open(), shop.cashier.invoice("A").claimed) == ("24.00", usd("0"))


def test_cancelling_a_charge_voids_it_while_that_is_possible(shop: Shop) -> None:
    payment = shop.charge()

    canceled = shop.cashier.cancel(payment, key="c").payment

    assert (canceled.status, canceled.returned) == (PaymentStatus.SUCCEEDED, usd("30"))
    assert [each.kind for each in shop.cashier.receipts(payment)] == ["charge", "void"]
    assert shop.open() == "30.00"


def test_cancelling_a_charge_refunds_it_when_it_is_too_late_to_void(shop: Shop) -> None:
    payment = shop.charge()
    shop.clock.advance(timedelta(days=3))

    canceled = shop.cashier.cancel(payment, key="c").payment

    assert canceled.returned == usd("30")
    assert [each.kind for each in shop.cashier.receipts(payment)] == ["charge", "refund"]
    assert shop.open() == "30.00"


def test_a_void_that_never_arrived_is_asked_again_and_not_made_a_refund(shop: Shop) -> None:
    payment = shop.charge()
    shop.card.script("unsent", operation="void")

    failed = shop.cashier.cancel(payment, key="c").payment

    assert failed.returned == usd("0")
    assert shop.cashier.cancel(payment, key="c").payment == failed
    assert shop.cashier.cancel(payment, key="c-2").payment.returned == usd("30")
    assert [each.kind for each in shop.cashier.receipts(payment)] == ["charge", "void"]


def test_a_void_of_unknown_outcome_blocks_a_capture(shop: Shop) -> None:
    payment = shop.authorize()
    shop.card.script("unknown_lost", operation="void")
    shop.cashier.cancel(payment, key="c")

    with pytest.raises(NotCapturable, match="being voided"):
        shop.cashier.capture(payment, key="cap")


def test_what_is_under_way_blocks_a_void(shop: Shop) -> None:
    held, paid = shop.authorize("A"), shop.charge("B")
    shop.card.script("pending", operation="capture")
    shop.card.script("pending", operation="refund")
    shop.cashier.capture(held, key="cap", amount=usd("10"), final=False)
    shop.cashier.refund(paid, key="r", amount=usd("10"))

    for payment in (held, paid):
        with pytest.raises(NotCancelable):
            shop.cashier.cancel(payment, key=f"c-{payment.id}")


def test_nothing_is_sent_again_while_the_first_may_still_be_sending(shop: Shop) -> None:
    payment = shop.authorize()
    shop.card.script("unknown_lost", operation="capture")
    shop.cashier.capture(payment, key="cap")

    shop.clock.advance(timedelta(seconds=31))  # it is asked about, and its lease runs on
    shop.cashier.recover()
    assert shop.moved() == usd("0")

    shop.clock.advance(timedelta(minutes=3))
    shop.cashier.recover()
    assert shop.moved() == usd("30")


def test_the_gateway_sees_the_same_key_from_a_ledger_that_was_restored() -> None:
    class Listening(FakeGateway):
        def answer(self, request: Request) -> Response:
            heard.append(request.headers.get("idempotency-key", ""))
            return super().answer(request)

    heard: list[str] = []
    for _ in range(2):
        cashier = Cashier.in_memory(gateways={"card": Listening()})
        cashier.issue(number="A", customer="C", total=usd("30"), due="2026-02-01")
        payment = cashier.authorize("A", via="card", method="tok_visa", key="auth")
        cashier.capture(payment, key="cap")
        cashier.refund(payment, key="ref")

    assert heard[:3] == heard[3:]
    assert len(set(heard)) == 3


def test_a_refund_that_is_executed_after_it_was_given_up_is_counted_once() -> None:
    clock = FakeClock()
    card = FakeGateway(
        clock=clock, idempotency=NotIdempotent(), habits=Habits(late_after=timedelta(hours=3))
    )
    cashier = Cashier.in_memory(
        gateways={"card": card}, clock=clock, timing=Timing(feed_pause=None)
    )
    cashier.issue(number="A", customer="C", total=usd("30"), due="2026-02-01")
    payment = cashier.collect("A", via="card", method="tok_visa", key="k")
    card.script("timeout_late", operation="refund")
    cashier.refund(payment, key="r", amount=usd("10"))
    for _ in range(4):
        clock.advance(timedelta(minutes=30))
        cashier.recover()
    assert cashier.attempts(payment)[-1].code == "not_found"

    clock.advance(timedelta(hours=2))
    late = cashier.inquire(payment)

    assert late.returned == usd("10")
    assert "payment.late_success" in [each.type for each in cashier.events()]
    assert cashier.fsck() == []
    assert cashier.refund(payment, key="rest").payment.returned == usd("30")


def test_a_void_of_unknown_outcome_blocks_a_refund(shop: Shop) -> None:
    payment = shop.charge()
    shop.card.script("unknown_executed", operation="void")
    shop.cashier.cancel(payment, key="c")

    with pytest.raises(NotRefundable):
        shop.cashier.refund(payment, key="r")
    with pytest.raises(Refused):
        shop.cashier.reverse(payment, reason="r")

    assert shop.cashier.inquire(payment).returned == usd("30")


def test_what_ended_is_not_canceled(shop: Shop) -> None:
    shop.invoice()
    declined = shop.cashier.collect(
        "A", via="card", method="tok_declined_insufficient_funds", key="k"
    )

    with pytest.raises(NotCancelable):
        shop.cashier.cancel(declined, key="c")


# --- Refunding ---------------------------------------------------------------------------------


def test_a_refund_reopens_the_invoice(shop: Shop) -> None:
    payment = shop.charge()

    refunded = shop.cashier.refund(payment, key="r", amount=usd("10")).payment

    assert (refunded.returned, shop.open()) == (usd("10"), "10.00")
    assert shop.cashier.refund(payment, key="r", amount=usd("10")).payment == refunded
    assert shop.cashier.refund(payment, key="r2").payment.returned == usd("30")
    assert shop.open() == "30.00"
    assert shop.moved() == usd("0")


def test_a_refund_with_a_credit_note_leaves_nothing_open(shop: Shop) -> None:
    payment = shop.charge()

    shop.cashier.refund(payment, key="r", amount=usd("10"), to="credit_note")

    invoice = shop.cashier.invoice("A")
    assert (invoice.open, invoice.written_off, invoice.allocated) == (
        usd("0"),
        usd("10"),
        usd("20"),
    )


def test_a_refund_pays_out_credit_where_there_is_some(shop: Shop) -> None:
    payment = shop.charge(amount=usd("50"))

    shop.cashier.refund(payment, key="r", amount=usd("15"))

    assert shop.open() == "0.00"
    assert shop.cashier.balance("C-1") == {"USD": usd("5")}
    with pytest.raises(NotEnoughCredit):
        shop.cashier.refund(payment, key="r2", amount=usd("6"), to="from_credit")


def test_credit_is_paid_out_though_the_customer_owes_elsewhere_if_a_person_says_so(
    shop: Shop,
) -> None:
    payment = shop.charge(amount=usd("50"))
    shop.invoice("B", "40")

    back = shop.cashier.refund(payment, key="r", amount=usd("20")).payment

    # The amount was the person's word; what is owed is not paid by it, nor made more.
    assert back.returned == usd("20")
    assert (shop.open("A"), shop.open("B")) == ("0.00", "40.00")
    assert shop.cashier.balance("C-1") == {}


def test_credit_is_paid_out_though_the_customer_owes_us_money_back() -> None:
    clock = FakeClock()
    bank = FakeGateway(Kind.E_CHECK, clock=clock)
    card = FakeGateway(clock=clock)
    with Cashier.in_memory(gateways={"bank": bank, "card": card}, clock=clock) as cashier:
        for number in ("A", "B"):
            cashier.issue(number=number, customer="C", total=usd("20"), due="2026-02-01")
        bounced = cashier.collect(
            "A", via="bank", method="tok_bank_returned_r01", key="k", amount=usd("30")
        )
        clock.advance(days=4)
        cashier.inquire(bounced)
        cashier.pay_from_credit("B", key="use")
        clock.advance(days=10)
        cashier.inquire(bounced)
        assert cashier.balance("C") == {"USD": usd("-10")}
        paid = cashier.top_up("C", usd("15"), via="card", method="tok_visa", key="t")
        assert cashier.balance("C") == {"USD": usd("5")}

        back = cashier.refund(paid, key="r").payment

        assert back.returned == usd("15")
        assert cashier.balance("C") == {"USD": usd("-10")}, "the debt stands as it stood"
        with pytest.raises(NotEnoughCredit):
            cashier.pay_from_credit("A", key="more")
        assert cashier.fsck() == []


def test_credit_that_is_being_paid_out_is_not_used(shop: Shop) -> None:
    payment = shop.charge(amount=usd("50"))
    shop.invoice("B", "20")
    shop.card.script("unknown_lost", operation="refund")
    shop.cashier.refund(payment, key="r", amount=usd("20"))

    with pytest.raises(NotEnoughCredit):
        shop.cashier.pay_from_credit("B", key="use")

    for _ in range(4):
        shop.clock.advance(timedelta(minutes=30))
        shop.cashier.recover()
    assert shop.cashier.payment(payment).returned == usd("20")


def test_no_more_goes_back_than_came(shop: Shop) -> None:
    payment = shop.charge()
    shop.cashier.refund(payment, key="1", amount=usd("20"))

    with pytest.raises(NotRefundable) as caught:
        shop.cashier.refund(payment, key="2", amount=usd("10.01"))
    assert caught.value.left == usd("10")
    shop.cashier.refund(payment, key="2", amount=usd("10"))
    with pytest.raises(NotRefundable):
        shop.cashier.refund(payment, key="3")
    with pytest.raises(InvalidValue):
        shop.cashier.refund(payment, key="3", to="heaven")  # type: ignore[arg-type]

    assert shop.moved() == usd("0")


def test_a_refund_goes_to_the_capture_of_which_enough_is_left(shop: Shop) -> None:
    payment = shop.authorize()
    shop.cashier.capture(payment, key="1", amount=usd("10"), final=False)
    shop.cashier.capture(payment, key="2", amount=usd("20"))

    for key, amount in {"a": "15", "b": "10", "c": "5"}.items():
        shop.cashier.refund(payment, key=key, amount=usd(amount))

    assert shop.cashier.payment(payment).returned == usd("30")


def captured_in_parts(shop: Shop) -> Payment:
    payment = shop.authorize()
    for part in ("12", "10", "8"):
        payment = shop.cashier.capture(
            payment, key=f"cap-{part}", amount=usd(part), final=False
        ).payment
    return payment


def refunded(shop: Shop, payment: Payment) -> list[str]:
    """Tell what went back of each capture, the first one first, as the processor has it."""
    back: Counter[str] = Counter()
    for entry in shop.card.processor.journal:
        if entry.kind is MovementKind.REFUND:
            back[entry.undoes or ""] += entry.minor
    came = [each for each in shop.cashier.receipts(payment) if each.kind is MovementKind.CAPTURE]
    return [str(back[each.movement_id]) for each in came]


def test_a_refund_of_more_than_any_capture_is_spread_newest_first(shop: Shop) -> None:
    payment = captured_in_parts(shop)

    back = shop.cashier.refund(payment, amount=usd("20"), key="r", to="reopen").payment

    assert (back.returned, shop.moved(), shop.open()) == (usd("20"), usd("10"), "20.00")
    assert refunded(shop, payment) == ["200", "1000", "800"]
    parts = [each for each in shop.cashier.attempts(payment) if each.operation == "refund"]
    assert [each.amount for each in parts] == [usd("8"), usd("10"), usd("2")]
    assert shop.cashier.refund(payment, amount=usd("20"), key="r", to="reopen").payment == back
    shop.cashier.refund(payment, key="rest")
    assert refunded(shop, payment) == ["1200", "1000", "800"]
    with pytest.raises(NotRefundable):
        shop.cashier.refund(payment, amount=usd("0.01"), key="more")


def test_a_refund_that_one_capture_can_bear_is_one_request(shop: Shop) -> None:
    payment = captured_in_parts(shop)

    shop.cashier.refund(payment, amount=usd("9"), key="r")

    assert refunded(shop, payment) == ["0", "900", "0"]


def test_a_canceled_payment_of_several_captures_goes_back_by_each_of_them(shop: Shop) -> None:
    payment = captured_in_parts(shop)
    shop.clock.advance(timedelta(days=3))

    back = shop.cashier.cancel(payment, key="c").payment

    assert (back.returned, shop.open()) == (usd("30"), "30.00")
    assert refunded(shop, payment) == ["1200", "1000", "800"]


def test_what_the_payers_bank_took_back_is_not_asked_of_the_same_capture(shop: Shop) -> None:
    payment = captured_in_parts(shop)
    captures = [each for each in shop.cashier.attempts(payment) if each.operation == "capture"]
    shop.card.dispute(captures[-1].reference)
    shop.card.lose_dispute(captures[-1].reference)
    shop.cashier.recover()
    assert shop.cashier.payment(payment).returned == usd("8")

    shop.cashier.refund(payment, key="rest")

    assert refunded(shop, payment) == ["1200", "1000", "0"]


def test_a_refund_that_failed_after_all_can_be_asked_of_its_capture_again(shop: Shop) -> None:
    payment = captured_in_parts(shop)
    shop.cashier.refund(payment, key="1", amount=usd("20"))
    failed = shop.cashier.attempts(payment)[-2]
    assert failed.amount == usd("10")
    shop.card.fail_refund(failed.reference)
    shop.cashier.recover()
    assert shop.cashier.payment(payment).received == usd("40")

    shop.cashier.refund(payment, key="2")

    assert refunded(shop, payment) == ["1200", "2000", "800"]


def test_to_cancel_what_went_back_in_part_refunds_the_rest(shop: Shop) -> None:
    payment = shop.charge()
    shop.cashier.refund(payment, key="r", amount=usd("10"))

    back = shop.cashier.cancel(payment, key="c").payment

    assert (back.returned, shop.moved(), shop.open()) == (usd("30"), usd("0"), "30.00")
    assert shop.cashier.cancel(payment, key="c").payment == back
    with pytest.raises(NotCancelable):
        shop.cashier.cancel(payment, key="again")


def test_a_part_of_a_refund_that_is_refused_leaves_the_others(shop: Shop) -> None:
    payment = captured_in_parts(shop)
    shop.card.script("declined", operation="refund")

    back = shop.cashier.refund(payment, key="r", to="reopen").payment

    assert (back.returned, shop.open()) == (usd("22"), "22.00")
    assert refunded(shop, payment) == ["1200", "1000", "0"]
    again = shop.cashier.refund(payment, key="again", to="reopen").payment
    assert (again.returned, refunded(shop, payment)) == (usd("30"), ["1200", "1000", "800"])


def test_credit_and_loose_money_are_each_paid_out_once_by_the_parts(shop: Shop) -> None:
    payment = captured_in_parts(shop)
    shop.cashier.void("A", reason="not delivered")

    back = shop.cashier.refund(payment, key="r").payment

    assert back.returned == usd("30")
    assert shop.cashier.balance("C-1").get("USD", usd("0")) == usd("0")


def test_a_refund_under_way_counts(shop: Shop) -> None:
    payment = shop.charge()
    shop.card.script("unknown_executed", operation="refund")
    shop.cashier.refund(payment, key="1", amount=usd("20"))

    with pytest.raises(NotRefundable):
        shop.cashier.refund(payment, key="2", amount=usd("20"))

    shop.cashier.inquire(payment)
    assert shop.moved() == usd("10")


def test_a_refund_that_is_declined_changes_nothing(shop: Shop) -> None:
    payment = shop.charge(amount=usd("50"))
    shop.card.script("declined", operation="refund")

    refused = shop.cashier.refund(payment, key="r", amount=usd("20")).payment

    assert refused.returned == usd("0")
    assert shop.cashier.balance("C-1") == {"USD": usd("20")}
    assert "payment.refund_failed" in shop.events(payment.id)


def test_a_refund_is_sent_again_as_it_was(shop: Shop) -> None:
    payment = shop.charge()
    shop.card.script("unknown_lost", operation="refund")
    sent: list[bytes] = []
    answer = shop.card.answer

    def listening(request: Request) -> Response:
        if request.moves_money:
            sent.append(request.body)
        return answer(request)

    shop.card.answer = listening  # type: ignore[method-assign]
    shop.cashier.refund(payment, key="r", reason="wrong colour")
    shop.clock.advance(hours=1)
    shop.cashier.recover()

    assert len(sent) == 2
    assert sent[0] == sent[1]
    assert shop.cashier.payment(payment).returned == usd("30")


def test_what_was_refunded_is_not_reversed(shop: Shop) -> None:
    payment = shop.charge()
    shop.cashier.refund(payment, key="r", amount=usd("10"))

    with pytest.raises(HasRefunds):
        shop.cashier.reverse(payment, reason="r")


def test_what_is_on_its_way_back_is_not_reversed(shop: Shop) -> None:
    payment = shop.charge()
    shop.card.script("pending", operation="refund")
    shop.cashier.refund(payment, key="r", amount=usd("10"))

    with pytest.raises(OutcomeUnknown):
        shop.cashier.reverse(payment, reason="r")

    shop.clock.advance(timedelta(days=2))
    assert shop.cashier.inquire(payment).returned == usd("10")


def test_what_was_recorded_by_hand_is_not_refunded_by_a_gateway(shop: Shop) -> None:
    shop.invoice()
    recorded = shop.cashier.record("A", by="cash", key="k")

    with pytest.raises(NotRefundable, match="recorded by hand"):
        shop.cashier.refund(recorded, key="r")
    assert shop.cashier.payment(recorded).returned == usd("0")
    shop.cashier.reverse(recorded, reason="given back")


def test_what_was_taken_for_a_duplicate_is_not_voided() -> None:
    """The gateway answered for the first payment, and that one would lose its money."""
    window = DedupWindow(window=timedelta(minutes=30), returns_original=True)
    card = FakeGateway(idempotency=window)
    cashier = Cashier.in_memory(gateways={"card": card})
    first, second = (
        cashier.top_up("C", usd("20"), via="card", method="tok_visa", key=key) for key in "12"
    )

    with pytest.raises(NotCancelable, match=first.id):
        cashier.cancel(second, key="c")

    assert (second.received, second.conflicted) == (usd("0"), True)
    assert card.moved("USD") == usd("20")
    assert cashier.cancel(first, key="c1").payment.returned == usd("20")
    assert card.moved("USD") == usd("0")
    assert cashier.fsck() == []
    cashier.close()


# --- Pages ---------------------------------------------------------------------------------------


def page(shop: Shop) -> Payment:
    shop.invoice()
    return shop.cashier.collect("A", via="page", key="page", return_url="https://shop.example/back")


def test_a_page_is_completed_when_the_payer_comes_back(shop: Shop) -> None:
    waiting = page(shop)
    shop.page.pay(waiting.reference)

    done = shop.cashier.complete(waiting).payment

    assert (done.status, done.received) == (PaymentStatus.SUCCEEDED, usd("30"))
    assert shop.open() == "0.00"
    assert shop.cashier.complete(waiting).payment == done


def test_coming_back_without_having_paid_changes_nothing(shop: Shop) -> None:
    waiting = page(shop)

    still = shop.cashier.complete(waiting).payment

    assert still.status is PaymentStatus.REQUIRES_ACTION
    assert shop.cashier.invoice("A").claimed == usd("0")
    shop.page.pay(waiting.reference)
    assert shop.cashier.complete(waiting).payment.status is PaymentStatus.SUCCEEDED


def test_a_completion_that_never_arrived_does_not_end_the_page() -> None:
    clock = FakeClock()
    page = FakeGateway(
        Kind.REDIRECT,
        clock=clock,
        habits=Habits(needs_complete=True, page_expires_after=timedelta(days=1)),
        idempotency=NotIdempotent(),
    )
    cashier = Cashier.in_memory(
        gateways={"page": page}, clock=clock, timing=Timing(feed_pause=None)
    )
    cashier.issue(number="A", customer="C", total=usd("30"), due="2026-02-01")
    waiting = cashier.collect("A", via="page", key="k", return_url="https://shop.example/back")
    page.pay(waiting.reference)
    page.script("unknown_lost", operation="complete")
    cashier.complete(waiting)

    for _ in range(4):
        clock.advance(timedelta(minutes=10))
        cashier.inquire(waiting)  # not recover, which would read that the payer is ready

    assert cashier.payment(waiting).status is PaymentStatus.REQUIRES_ACTION
    assert cashier.invoice("A").claimed == usd("0")
    assert cashier.complete(waiting, key="again").payment.status is PaymentStatus.SUCCEEDED
    assert cashier.fsck() == []
    cashier.close()


def test_a_completion_is_done_when_the_hold_it_was_for_is_known() -> None:
    """Asked again after the capture, the processor knows of no money that completing moved."""
    clock = FakeClock()
    window = DedupWindow(window=timedelta(minutes=30), returns_original=True)
    card = FakeGateway(
        clock=clock,
        idempotency=window,
        inquiry=InquiryBy.OUR_REF,
    )
    cashier = Cashier.in_memory(
        gateways={"card": card}, clock=clock, timing=Timing(feed_pause=None)
    )
    cashier.issue(number="A", customer="C", total=usd("30"), due="2026-02-01")
    held = cashier.authorize(
        "A", via="card", method="tok_action", key="k", return_url="https://shop.example/back"
    )
    card.pay(held.reference)
    card.script("unknown_lost", operation="complete")
    cashier.complete(held, key="back")
    cashier.inquire(held)
    cashier.capture(held, key="take")

    for _ in range(4):
        clock.advance(timedelta(minutes=5))
        cashier.recover()

    done = [each for each in cashier.attempts(held) if each.operation is Operation.COMPLETE]
    assert [(each.state, each.needs_review) for each in done] == [(AttemptState.AUTHORIZED, False)]
    assert cashier.payment(held).received == usd("30")
    assert card.moved("USD") == usd("30")
    assert cashier.fsck() == []
    cashier.close()


def test_a_superseded_page_is_never_completed_by_us(shop: Shop) -> None:
    waiting = page(shop)
    shop.page.script("rejected_rate_limit", operation="withdraw")
    shop.cashier.collect("A", via="card", method="tok_visa", key="card")
    shop.page.pay(waiting.reference)

    with pytest.raises(ItemAlreadyBeingPaid) as caught:
        shop.cashier.complete(waiting)

    assert caught.value.ways == {waiting.id: ["withdraw_page", "resolve"]}
    assert shop.page.processor.moved("USD") == usd("0")


def test_a_completion_whose_answer_is_lost_keeps_the_invoice_held(shop: Shop) -> None:
    waiting = page(shop)
    shop.page.pay(waiting.reference)
    shop.page.script("unknown_executed", operation="complete")
    shop.cashier.complete(waiting)

    with pytest.raises(ItemAlreadyBeingPaid):
        shop.cashier.collect("A", via="card", method="tok_visa", key="card")

    assert shop.cashier.inquire(waiting).status is PaymentStatus.SUCCEEDED


def test_a_page_is_closed(shop: Shop) -> None:
    waiting = page(shop)

    closed = shop.cashier.withdraw_page(waiting).payment

    assert closed.status is PaymentStatus.CANCELED
    assert shop.cashier.withdraw_page(waiting).payment == closed
    with pytest.raises(NotPayable):
        shop.cashier.withdraw_page(shop.charge("B"))


async def test_the_same_awaited() -> None:
    async with AsyncCashier.in_memory(gateways={"card": FakeGateway()}) as cashier:
        await cashier.issue(number="A", customer="C", total=usd("30"), due="2026-02-01")
        payment = await cashier.authorize("A", via="card", method="tok_visa", key="a")
        await cashier.capture(payment, key="c", amount=usd("20"))
        refunded = (await cashier.refund(payment, key="r", amount=usd("5"))).payment

        assert (refunded.received, refunded.returned) == (usd("20"), usd("5"))
        assert await cashier.fsck() == []


def test_a_completion_that_never_arrived_ends_when_the_hold_it_was_for_is_known() -> None:
    clock = FakeClock()
    card = FakeGateway(
        clock=clock,
        idempotency=NotIdempotent(),
        inquiry=InquiryBy.OUR_REF,
        not_found_is_final_after=None,
    )
    cashier = Cashier.in_memory(
        gateways={"card": card}, clock=clock, timing=Timing(feed_pause=None)
    )
    cashier.issue(number="A", customer="C", total=usd("30"), due="2026-02-01")
    held = cashier.authorize(
        "A", via="card", method="tok_action", key="k", return_url="https://shop.example/back"
    )
    card.pay(held.reference)
    card.script("unknown_lost", operation="complete")
    cashier.complete(held, key="back")
    cashier.inquire(held)
    cashier.capture(held, key="take")

    for _ in range(20):
        clock.advance(timedelta(hours=12))
        cashier.recover()

    [done] = [each for each in cashier.attempts(held) if each.operation is Operation.COMPLETE]
    assert (done.state, done.needs_review) == (AttemptState.FAILED, False)
    assert not cashier.payment(held).needs_review
    assert cashier.payment(held).received == card.moved("USD") == usd("30")
    assert cashier.fsck() == []
    cashier.close()
