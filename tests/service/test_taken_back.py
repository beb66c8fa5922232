"""What banks do afterwards, seen by an inquiry: failed refunds, chargebacks, returned e-checks."""

from collections.abc import Iterator

import pytest

from paygate import Cashier, InvoiceStatus, Kind, Money, Payment
from paygate.dialogue import Dialogue, at_once
from paygate.domain.kind import Operation
from paygate.domain.movement import Movement, MovementKind
from paygate.domain.outcome import Approved, Finding
from paygate.domain.words import RefundToWord
from paygate.errors import NotRefundable
from paygate.gateway import Inquiry
from paygate.testing import FakeClock, FakeGateway, Plan, Verdict


def usd(amount: str) -> Money:
    return Money.of("USD", amount)


class Shop:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.card = FakeGateway(Kind.CARD, clock=self.clock)
        self.bank = FakeGateway(Kind.E_CHECK, clock=self.clock)
        self.cashier = Cashier.in_memory(
            gateways={
                "card": self.card,
                "bank": {"gateway": self.bank, "refundable_after": 0},
            },
            clock=self.clock,
        )

    def charge(self, *, amount: Money | None = None) -> Payment:
        self.cashier.issue(number="A", customer="C", total=usd("30"), due="2026-02-01")
        return self.cashier.collect("A", via="card", method="tok_visa", key="pay", amount=amount)

    def capture(self) -> Payment:
        self.cashier.issue(number="A", customer="C", total=usd("30"), due="2026-02-01")
        payment = self.cashier.authorize("A", via="card", method="tok_visa", key="auth")
        return self.cashier.capture(payment, key="cap").payment

    def e_check(self, *, amount: Money | None = None) -> Payment:
        """An e-check that has settled."""
        self.cashier.issue(number="A", customer="C", total=usd("30"), due="2026-02-01")
        sent = self.cashier.collect("A", via="bank", method="tok_bank", key="pay", amount=amount)
        self.clock.advance(days=4)
        return self.cashier.inquire(sent)

    def refund(self, payment: Payment, amount: str, to: RefundToWord | None = None) -> str:
        """Refund, and tell the processor's reference of it."""
        self.cashier.refund(payment, key=f"r-{amount}", amount=usd(amount), to=to)
        return self.cashier.attempts(payment)[-1].reference

    def open(self, number: str = "A") -> str:
        return str(self.cashier.invoice(number).open.decimal)

    def balance(self) -> str:
        return str(self.cashier.balance("C").get("USD", usd("0")).decimal)

    def kinds(self, payment: Payment) -> list[str]:
        return [str(each.kind) for each in self.cashier.receipts(payment)]

    def events(self, of: Payment) -> list[str]:
        return [each.type for each in self.cashier.events(limit=1000) if each.aggregate == of.id]


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture(autouse=True)
def the_books_are_sound_and_agree_with_the_processor(shop: Shop) -> Iterator[None]:
    yield
    assert shop.cashier.fsck() == []
    booked = usd("0")
    for payment in shop.cashier.payments():
        if payment.account in ("card", "bank"):
            booked += payment.received - payment.returned
    assert booked == shop.card.moved("USD") + shop.bank.moved("USD")


# --- A refund that fails after it succeeded -------------------------------------------------


def test_a_refund_that_fails_puts_the_money_back_on_the_invoice(shop: Shop) -> None:
    payment = shop.charge()
    reference = shop.refund(payment, "10")
    assert shop.open() == "10.00"

    shop.card.fail_refund(reference)
    told = shop.cashier.inquire(payment)
    shop.cashier.inquire(payment)

    assert (told.received, told.returned) == (usd("40"), usd("10"))
    assert shop.kinds(payment) == ["charge", "refund", "refund_failed"]
    assert (shop.open(), shop.balance()) == ("0.00", "0.00")
    assert shop.events(payment).count("payment.refund_failed") == 1


def test_a_refund_that_fails_is_credit_where_the_invoice_was_paid_meanwhile(shop: Shop) -> None:
    payment = shop.charge()
    reference = shop.refund(payment, "10")
    shop.cashier.record("A", by="cash", key="cash")

    shop.card.fail_refund(reference)
    shop.cashier.inquire(payment)

    assert (shop.open(), shop.balance()) == ("0.00", "10.00")


def test_a_refund_of_credit_that_fails_is_credit_again(shop: Shop) -> None:
    payment = shop.charge(amount=usd("50"))
    reference = shop.refund(payment, "15")
    assert shop.balance() == "5.00"

    shop.card.fail_refund(reference)
    shop.cashier.inquire(payment)

    assert (shop.open(), shop.balance()) == ("0.00", "20.00")


def test_a_refund_with_a_credit_note_that_fails_is_credit(shop: Shop) -> None:
    """The note stays: the customer does not owe it, and we still have the money."""
    payment = shop.charge()
    reference = shop.refund(payment, "10", "credit_note")

    shop.card.fail_refund(reference)
    shop.cashier.inquire(payment)

    assert (shop.open(), shop.balance()) == ("0.00", "10.00")


def test_what_came_back_can_be_refunded_again(shop: Shop) -> None:
    payment = shop.charge()
    shop.card.fail_refund(shop.refund(payment, "10"))
    shop.cashier.inquire(payment)

    again = shop.cashier.refund(payment, key="again").payment

    assert again.received == again.returned == usd("40")
    assert (shop.open(), shop.balance()) == ("30.00", "0.00")
    with pytest.raises(NotRefundable):
        shop.cashier.refund(payment, key="more")


def test_a_refund_of_a_capture_that_fails_is_no_second_capture(shop: Shop) -> None:
    payment = shop.capture()
    shop.card.fail_refund(shop.refund(payment, "10"))

    told = shop.cashier.inquire(payment)

    assert (told.received, told.returned) == (usd("40"), usd("10"))
    assert shop.open() == "0.00"


def test_between_two_captures_a_failed_refund_takes_nothing_from_the_second(shop: Shop) -> None:
    shop.cashier.issue(number="A", customer="C", total=usd("30"), due="2026-02-01")
    payment = shop.cashier.authorize("A", via="card", method="tok_visa", key="auth")
    shop.cashier.capture(payment, key="1", amount=usd("10"), final=False)
    shop.card.fail_refund(shop.refund(payment, "5"))
    shop.cashier.inquire(payment)
    assert shop.cashier.invoice("A").claimed == usd("20")

    last = shop.cashier.capture(payment, key="2", amount=usd("20")).payment

    assert (last.received, last.returned) == (usd("35"), usd("5"))
    assert (shop.open(), shop.balance()) == ("0.00", "0.00")


# --- Chargebacks ---------------------------------------------------------------------------


def test_a_chargeback_opens_the_invoice_and_marks_the_payment_disputed(shop: Shop) -> None:
    payment = shop.charge()

    shop.card.dispute(payment.reference)
    told = shop.cashier.inquire(payment)

    assert told.disputed
    assert told.returned == usd("30")
    assert shop.open() == "30.00"
    assert shop.events(payment).count("payment.charged_back") == 1
    with pytest.raises(NotRefundable):
        shop.cashier.refund(payment, key="r")


def test_a_chargeback_that_is_won_pays_the_invoice_again(shop: Shop) -> None:
    payment = shop.charge()
    shop.card.dispute(payment.reference)
    shop.cashier.inquire(payment)

    shop.card.win_dispute(payment.reference)
    told = shop.cashier.inquire(payment)
    shop.cashier.inquire(payment)

    assert not told.disputed
    assert told.received - told.returned == usd("30")
    assert shop.kinds(payment) == ["charge", "chargeback", "chargeback_won"]
    assert shop.open() == "0.00"


def test_a_chargeback_and_its_end_seen_at_once_are_both_booked(shop: Shop) -> None:
    payment = shop.charge()
    shop.card.dispute(payment.reference)
    shop.card.win_dispute(payment.reference)

    told = shop.cashier.inquire(payment)

    assert not told.disputed
    assert (told.received, told.returned) == (usd("60"), usd("30"))
    assert (shop.open(), shop.balance()) == ("0.00", "0.00")


def test_a_chargeback_of_a_part_leaves_the_rest_to_be_refunded(shop: Shop) -> None:
    payment = shop.charge()

    shop.card.dispute(payment.reference, usd("12"))
    shop.cashier.inquire(payment)

    assert shop.open() == "12.00"
    shop.card.lose_dispute(payment.reference)
    shop.cashier.inquire(payment)
    assert shop.cashier.refund(payment, key="r").payment.returned == usd("30")


def test_a_chargeback_after_a_refund_takes_only_what_is_left(shop: Shop) -> None:
    payment = shop.charge()
    shop.refund(payment, "10")

    shop.card.dispute(payment.reference)
    told = shop.cashier.inquire(payment)

    assert told.returned == usd("30")
    assert (shop.open(), shop.balance()) == ("30.00", "0.00")


def test_a_bank_that_takes_more_than_is_left_calls_a_person() -> None:
    """The whole is charged back though a part was refunded; the fake itself never does that."""

    class Rude(FakeGateway):
        def look_up(self, inquiry: Inquiry) -> Dialogue[Finding]:
            taken = Movement(
                movement_id="cb-1", kind=MovementKind.CHARGEBACK, amount=usd("30"), code="10.4"
            )
            charge = inquiry.operation is Operation.CHARGE
            return (yield from at_once(Approved(movements=(taken,) if charge else ())))

    cashier = Cashier.in_memory(gateways={"card": Rude()})
    cashier.issue(number="A", customer="C", total=usd("30"), due="2026-02-01")
    payment = cashier.collect("A", via="card", method="tok_visa", key="pay")
    cashier.refund(payment, key="r", amount=usd("10"))

    told = cashier.inquire(payment)

    assert told.needs_review
    assert (told.received, told.returned) == (usd("30"), usd("40"))
    assert cashier.invoice("A").open == usd("30")
    assert cashier.balance("C") == {"USD": usd("-10")}
    assert cashier.fsck() == []


def test_a_chargeback_of_spent_credit_is_owed_by_the_customer(shop: Shop) -> None:
    payment = shop.charge(amount=usd("50"))
    shop.cashier.issue(number="B", customer="C", total=usd("20"), due="2026-02-01")
    shop.cashier.pay_from_credit("B", key="use")

    shop.card.dispute(payment.reference)
    shop.cashier.inquire(payment)

    assert (shop.open("A"), shop.open("B"), shop.balance()) == ("30.00", "0.00", "-20.00")
    assert "payment.alert" in shop.events(payment)


def test_a_captured_payment_is_charged_back_and_won(shop: Shop) -> None:
    payment = shop.capture()
    capture = shop.cashier.attempts(payment)[-1].reference

    shop.card.dispute(capture)
    assert shop.cashier.inquire(payment).disputed
    shop.card.win_dispute(capture)
    told = shop.cashier.inquire(payment)

    assert (told.received, told.returned, told.disputed) == (usd("60"), usd("30"), False)
    assert shop.open() == "0.00"


# --- Returned e-checks ----------------------------------------------------------------------


def test_a_returned_e_check_is_reversed(shop: Shop) -> None:
    payment = shop.e_check()
    assert shop.cashier.invoice("A").status is InvoiceStatus.PAID

    shop.bank.return_check(payment.reference)
    told = shop.cashier.inquire(payment)

    assert told.reversed
    assert told.returned == usd("30")
    assert shop.open() == "30.00"
    assert "payment.reversed" in shop.events(payment)


@pytest.mark.parametrize("to", ["reopen", "credit_note"])
def test_a_returned_e_check_is_reversed_after_a_part_was_refunded(
    shop: Shop, to: RefundToWord
) -> None:
    payment = shop.e_check()
    shop.refund(payment, "10", to)

    shop.bank.return_check(payment.reference)
    told = shop.cashier.inquire(payment)
    shop.cashier.inquire(payment)

    assert told.reversed
    assert not told.needs_review
    assert told.returned == usd("30")
    assert shop.balance() == "0.00"
    assert shop.open() == ("30.00" if to == "reopen" else "20.00")


def test_a_returned_e_check_is_reversed_after_credit_was_paid_out(shop: Shop) -> None:
    payment = shop.e_check(amount=usd("50"))
    shop.refund(payment, "15")

    shop.bank.return_check(payment.reference)

    assert shop.cashier.inquire(payment).reversed
    assert (shop.open(), shop.balance()) == ("30.00", "0.00")


def test_a_returned_e_check_after_a_refund_of_what_was_spent_is_owed_once(shop: Shop) -> None:
    payment = shop.e_check(amount=usd("50"))
    shop.cashier.issue(number="B", customer="C", total=usd("20"), due="2026-02-01")
    shop.cashier.pay_from_credit("B", key="use")
    shop.refund(payment, "40", "reopen")
    assert (shop.open(), shop.balance()) == ("30.00", "-10.00")

    shop.bank.return_check(payment.reference)

    assert shop.cashier.inquire(payment).reversed
    assert (shop.open("A"), shop.open("B"), shop.balance()) == ("30.00", "0.00", "-20.00")


def test_a_returned_e_check_is_reversed_after_a_refund_failed(shop: Shop) -> None:
    payment = shop.e_check()
    shop.bank.fail_refund(shop.refund(payment, "10"))
    shop.cashier.inquire(payment)

    shop.bank.return_check(payment.reference)
    told = shop.cashier.inquire(payment)

    assert told.reversed
    assert (shop.open(), shop.balance()) == ("30.00", "0.00")


def test_a_refund_that_succeeds_after_the_bank_took_it_all_calls_a_person(shop: Shop) -> None:
    """The credit that it sends back was held for it, so nothing else tells that it is too much."""
    payment = shop.cashier.top_up("C", usd("10"), via="card", method="tok_visa", key="up")
    shop.card.script(Plan(verdict=Verdict.WAIT), operation="refund")
    shop.refund(payment, "10", to="from_credit")
    shop.card.dispute(payment.reference)
    shop.cashier.inquire(payment)
    before = shop.cashier.payment(payment)
    shop.clock.advance(days=2)
    after = shop.cashier.inquire(payment)

    assert (before.returned, before.needs_review) == (usd("10"), False)
    assert (after.returned, after.needs_review) == (usd("20"), True)
    assert shop.balance() == "-10.00"
    assert "payment.needs_review" in shop.events(payment)
