"""What happens to the money, rule by rule, through the cashier."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path

import pytest

from paygate import (
    Cashier,
    CreditReason,
    Customer,
    Invoice,
    InvoiceStatus,
    Kind,
    Money,
    Payment,
    PaymentStatus,
    Share,
)
from paygate.dialogue import Dialogue, at_once
from paygate.domain.customer import PayerField
from paygate.domain.movement import Movement
from paygate.domain.outcome import (
    Approved,
    DeclineCode,
    Declined,
    Outcome,
    RejectCause,
    Rejected,
    Unknown,
)
from paygate.errors import (
    AlreadyFinal,
    AlreadyPaid,
    AlreadyReversed,
    AmountOutsideLimits,
    BadReversalDate,
    CreditConsumed,
    CurrencyMismatch,
    GatewayNotFound,
    InvalidAmount,
    InvalidValue,
    InvoiceIsVoid,
    InvoiceNotFound,
    ItemAlreadyBeingPaid,
    KeyReused,
    LiveModeMismatch,
    MissingPayerField,
    NotEnoughCredit,
    NotEnoughOpen,
    NothingToAssign,
    NothingToReverse,
    NumberReused,
    OutcomeDoesNotFit,
    OutcomeUnknown,
    PaymentNotFound,
    Unsupported,
    UsageError,
)
from paygate.gateway import Charge, Limits
from paygate.testing import FakeClock, FakeGateway


def usd(amount: str) -> Money:
    return Money.of("USD", amount)


class Shop:
    """A cashier in memory with a card, a bank and a page, and its clock."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.card = FakeGateway(Kind.CARD, clock=self.clock)
        self.page = FakeGateway(Kind.REDIRECT, clock=self.clock)
        self.cashier = Cashier.in_memory(
            gateways={"card": self.card, "page": self.page}, clock=self.clock
        )

    def invoice(
        self, number: str, total: str = "30.00", *, customer: str = "C-1", due: str = "2026-02-01"
    ) -> Invoice:
        return self.cashier.issue(number=number, customer=customer, total=usd(total), due=due)

    def pay(self, *items: Invoice | Share | str, key: str, token: str = "tok_visa") -> Payment:
        return self.cashier.collect(items, via="card", method=token, key=key)

    def open(self, number: str) -> str:
        return str(self.cashier.invoice(number).open.decimal)

    def balance(self, customer: str = "C-1") -> str:
        return str(self.cashier.balance(customer).get("USD", Money.zero("USD")).decimal)

    def snapshot(self, customer: str = "C-1") -> object:
        """What is open and what is credit, as a clerk would compare it."""
        return (
            [(each.number, each.open, each.due) for each in self.cashier.open_invoices(customer)],
            [(each.id, each.amount, each.free) for each in self.cashier.credits(customer)],
        )

    def events(self, of: str) -> list[str]:
        return [each.type for each in self.cashier.events(limit=1000) if each.aggregate == of]


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()
    yield shop
    shop.cashier.close()


@pytest.fixture(autouse=True)
def the_books_are_sound_afterwards(shop: Shop) -> object:
    yield
    assert shop.cashier.fsck() == []


# --- Issuing -----------------------------------------------------------------------


def test_issuing_the_same_facts_again_returns_the_invoice_that_is_there(shop: Shop) -> None:
    first = shop.invoice("INV-7")

    again = shop.invoice("INV-7")

    assert again == first
    assert shop.events(first.id) == ["invoice.generated"]


@pytest.mark.parametrize(
    ("facts", "differs"),
    [
        ({"total": usd("31")}, "total"),
        ({"customer": "C-2"}, "customer"),
        ({"due": "2026-02-02"}, "due"),
    ],
)
def test_a_number_is_not_reused(shop: Shop, facts: dict[str, object], differs: str) -> None:
    shop.invoice("INV-7")
    same = {"number": "INV-7", "customer": "C-1", "total": usd("30"), "due": "2026-02-01"}

    with pytest.raises(NumberReused) as caught:
        shop.cashier.issue(**{**same, **facts})  # type: ignore[arg-type]

    assert caught.value.differs == [differs]


@pytest.mark.parametrize(
    "facts",
    [
        {"total": usd("0")},
        {"total": usd("-1")},
        {"total": "30.00"},
        {"total": 30},
        {"number": ""},
        {"number": "a\nb"},
        {"number": "n" * 101},
        {"customer": " "},
        {"due": "tomorrow"},
        {"due": "2026-02-30"},
    ],
)
def test_a_bill_that_makes_no_sense_is_refused(shop: Shop, facts: dict[str, object]) -> None:
    good = {"number": "N", "customer": "C-1", "total": usd("30"), "due": "2026-02-01"}

    with pytest.raises(UsageError):
        shop.cashier.issue(**{**good, **facts})  # type: ignore[arg-type]

    assert shop.cashier.invoices() == []
    assert shop.cashier.events() == []


# --- Collecting -----------------------------------------------------------------------


def test_several_invoices_are_paid_by_one_charge(shop: Shop) -> None:
    invoices = [shop.invoice("A", "10"), shop.invoice("B", "20")]

    payment = shop.pay(*invoices, key="k")

    assert payment.status is PaymentStatus.SUCCEEDED
    assert payment.received == usd("30")
    assert [shop.open("A"), shop.open("B")] == ["0.00", "0.00"]
    assert shop.card.processor.moved("USD") == usd("30")


def test_a_part_fills_the_items_in_the_order_given(shop: Shop) -> None:
    invoices = [shop.invoice("A", "10"), shop.invoice("B", "20"), shop.invoice("C", "5")]

    shop.cashier.collect(
        [invoices[1], invoices[0], invoices[2]],
        via="card",
        method="tok_visa",
        key="k",
        amount=usd("25"),
    )

    assert [shop.open("A"), shop.open("B"), shop.open("C")] == ["5.00", "0.00", "5.00"]
    assert shop.cashier.invoice("A").status is InvoiceStatus.PARTIALLY_PAID


def test_shares_say_how_much_goes_where(shop: Shop) -> None:
    shop.invoice("A", "10"), shop.invoice("B", "20")

    payment = shop.pay(Share("A", usd("4")), Share("B", usd("6")), key="k")

    assert payment.amount == usd("10")
    assert [shop.open("A"), shop.open("B")] == ["6.00", "14.00"]


def test_more_than_is_open_becomes_credit(shop: Shop) -> None:
    invoice = shop.invoice("A", "10")

    payment = shop.cashier.collect(
        invoice, via="card", method="tok_visa", key="k", amount=usd("25")
    )

    assert payment.credited == usd("15")
    [credit] = shop.cashier.credits("C-1")
    assert (credit.free, credit.reason) == (usd("15"), CreditReason.OVERPAYMENT)
    assert "credit.created" in shop.events("customer:C-1")


def test_a_top_up_needs_no_invoice(shop: Shop) -> None:
    shop.cashier.top_up("C-1", usd("50"), via="card", method="tok_visa", key="k")

    [credit] = shop.cashier.credits("C-1")
    assert (credit.amount, credit.reason) == (usd("50"), CreditReason.TOP_UP)


def test_credit_pays_beside_the_card(shop: Shop) -> None:
    shop.cashier.top_up("C-1", usd("12"), via="card", method="tok_visa", key="top")
    invoice = shop.invoice("A", "30")

    payment = shop.cashier.collect(
        invoice, via="card", method="tok_visa", key="k", credit=usd("12")
    )

    assert (payment.received, payment.from_credit) == (usd("18"), usd("12"))
    assert shop.open("A") == "0.00"
    assert shop.balance() == "0.00"


def test_a_decline_gives_reserved_credit_and_claims_back(shop: Shop) -> None:
    shop.cashier.top_up("C-1", usd("12"), via="card", method="tok_visa", key="top")
    invoice = shop.invoice("A", "30")

    payment = shop.cashier.collect(
        invoice, via="card", method="tok_declined_insufficient_funds", key="k", credit=usd("12")
    )

    assert payment.status is PaymentStatus.DECLINED
    assert (payment.code, payment.raw_code) == ("insufficient_funds", "51")
    assert shop.balance() == "12.00"
    assert shop.cashier.invoice("A").claimed == usd("0")


def test_the_same_key_returns_the_same_payment(shop: Shop) -> None:
    invoice = shop.invoice("A")

    first = shop.pay(invoice, key="k")
    again = shop.pay(invoice, key="k", token="tok_mastercard")

    assert again == first
    assert len(shop.card.processor.journal) == 1


def test_a_key_is_for_one_thing(shop: Shop) -> None:
    shop.pay(shop.invoice("A"), key="k")

    with pytest.raises(KeyReused) as caught:
        shop.pay(shop.invoice("B"), key="k")

    assert caught.value.key == "k"
    assert len(shop.card.processor.journal) == 1


def test_a_declined_payment_is_tried_again_under_a_new_key(shop: Shop) -> None:
    invoice = shop.invoice("A")
    declined = shop.pay(invoice, key="k", token="tok_declined_insufficient_funds")

    assert shop.pay(invoice, key="k").status is declined.status is PaymentStatus.DECLINED
    assert shop.pay(invoice, key="k-2").status is PaymentStatus.SUCCEEDED


def test_an_unknown_outcome_blocks_another_payment_until_inquiry_settles_it(shop: Shop) -> None:
    invoice = shop.invoice("A")
    unknown = shop.pay(invoice, key="k", token="tok_unknown_executed")

    with pytest.raises(ItemAlreadyBeingPaid) as caught:
        shop.pay(invoice, key="k-2")

    assert unknown.status is PaymentStatus.UNKNOWN
    assert caught.value.payments == [unknown.id]
    assert shop.cashier.inquire(unknown).status is PaymentStatus.SUCCEEDED
    assert shop.card.processor.moved("USD") == usd("30")


def test_a_lost_request_fails_only_after_two_inquiries_agree(shop: Shop) -> None:
    invoice = shop.invoice("A")
    payment = shop.pay(invoice, key="k", token="tok_unknown_lost")

    assert shop.cashier.inquire(payment).status is PaymentStatus.UNKNOWN
    shop.clock.advance(timedelta(hours=1))
    assert shop.cashier.inquire(payment).status is PaymentStatus.UNKNOWN
    assert shop.cashier.inquire(payment).status is PaymentStatus.FAILED
    assert shop.pay(invoice, key="k-2").status is PaymentStatus.SUCCEEDED
    assert shop.card.processor.moved("USD") == usd("30")


def test_a_partial_approval_frees_the_rest(shop: Shop) -> None:
    invoice = shop.invoice("A")

    payment = shop.pay(invoice, key="k", token="tok_partial")

    now = shop.cashier.invoice("A")
    assert payment.status is PaymentStatus.SUCCEEDED
    assert usd("0") < payment.received < usd("30")
    assert now.open == usd("30") - payment.received
    assert now.claimed == usd("0")


@pytest.mark.parametrize("token", ["tok_other_amount", "tok_other_currency"])
def test_other_money_than_asked_is_booked_and_waits_for_a_person(shop: Shop, token: str) -> None:
    invoice = shop.invoice("A")

    payment = shop.pay(invoice, key="k", token=token)

    assert payment.conflicted
    assert payment.needs_review
    assert len(shop.cashier.receipts(payment)) == 1
    assert shop.open("A") == "30.00"
    with pytest.raises(ItemAlreadyBeingPaid):  # until a person has decided
        shop.pay("A", key="again")
    shop.cashier.reverse(payment, reason="sent back by hand", force=True)
    assert shop.pay("A", key="again").status is PaymentStatus.SUCCEEDED


def test_a_person_assigns_money_that_is_not_what_was_asked_for(shop: Shop) -> None:
    shop.invoice("A"), shop.invoice("B", "5")
    payment = shop.pay("A", key="k", token="tok_other_amount")
    waiting = payment.unallocated

    decided = shop.cashier.assign(payment, ["B", "A"], reason="the payer rounded up")

    assert not decided.conflicted
    assert not decided.needs_review
    assert decided.unallocated == usd("0")
    assert shop.open("B") == "0.00"
    paid = usd("35") - shop.cashier.invoice("A").open - shop.cashier.invoice("B").open
    assert paid + decided.credited == waiting
    with pytest.raises(NothingToAssign):
        shop.cashier.assign(payment, reason="again")


def test_money_in_another_currency_becomes_credit_in_it(shop: Shop) -> None:
    shop.invoice("A")
    payment = shop.pay("A", key="k", token="tok_other_currency")
    [receipt] = shop.cashier.receipts(payment)

    with pytest.raises(CurrencyMismatch):
        shop.cashier.assign(payment, "A", reason="same value")
    shop.cashier.assign(payment, reason="keep it for the customer")

    assert shop.cashier.balance("C-1") == {receipt.amount.currency: receipt.amount}
    shop.cashier.reverse(payment, reason="returned", force=True)
    assert shop.cashier.balance("C-1") == {}


def test_payments_are_listed_by_what_they_need(shop: Shop) -> None:
    strange = shop.pay(shop.invoice("A"), key="a", token="tok_other_amount")
    unknown = shop.pay(shop.invoice("B"), key="b", token="tok_unknown_executed")
    shop.pay(shop.invoice("C", customer="C-2"), key="c")

    def listed(**which: object) -> list[str]:
        return [each.id for each in shop.cashier.payments(**which)]  # type: ignore[arg-type]

    assert listed(needs_review=True) == [strange.id]
    assert listed(status=PaymentStatus.UNKNOWN) == [unknown.id]
    assert listed(customer="C-1", needs_review=False) == [unknown.id]
    assert len(listed()) == 3


def test_credit_is_not_spent_that_the_customer_owes_us_back() -> None:
    clock = FakeClock()
    bank = FakeGateway(Kind.E_CHECK, clock=clock)
    cashier = Cashier.in_memory(gateways={"bank": bank}, clock=clock)
    for number in ("A", "B"):
        cashier.issue(number=number, customer="C", total=usd("20"), due="2026-02-01")
    paid = cashier.collect(
        "A", via="bank", method="tok_bank_returned_r01", key="k", amount=usd("30")
    )
    clock.advance(days=4)
    cashier.inquire(paid)
    cashier.pay_from_credit("B", key="use")
    cashier.record([], by="cash", key="cash", customer="C", amount=usd("10"))

    clock.advance(days=10)
    returned = cashier.inquire(paid)

    assert returned.reversed
    assert cashier.balance("C") == {"USD": usd("0")}
    with pytest.raises(NotEnoughCredit):
        cashier.pay_from_credit("A", key="more")
    assert [str(cashier.invoice(number).open) for number in "AB"] == ["20.00 USD", "10.00 USD"]
    assert cashier.fsck() == []


def test_somebody_else_may_pay(shop: Shop) -> None:
    payment = shop.cashier.collect(
        shop.invoice("A"), via="card", method="tok_visa", key="k", payer=Customer("P-9", "A Friend")
    )

    assert (payment.customer, payment.payer) == ("C-1", "P-9")


# --- What is refused ------------------------------------------------------------------


def refused(
    shop: Shop, error: type[Exception], *items: Invoice | Share | str, **more: object
) -> None:
    rows = len(shop.cashier.payments()), len(shop.cashier.events(limit=1000))
    call = {"via": "card", "method": "tok_visa", "key": "refused", **more}
    with pytest.raises(error):
        shop.cashier.collect(list(items), **call)  # type: ignore[arg-type]
    assert (len(shop.cashier.payments()), len(shop.cashier.events(limit=1000))) == rows
    assert not shop.card.processor.journal


def test_what_cannot_be_paid_is_refused_before_anything_is_written(shop: Shop) -> None:
    invoice, other = shop.invoice("A"), shop.invoice("B", customer="C-2")
    euros = shop.cashier.issue(
        number="E", customer="C-1", total=Money.of("EUR", 5), due="2026-02-01"
    )
    shop.cashier.void(shop.invoice("V"), reason="mistake")
    shop.cashier.record(shop.invoice("P"), by="cash", key="p")

    refused(shop, InvoiceNotFound, "nope")
    refused(shop, InvoiceIsVoid, "V")
    refused(shop, AlreadyPaid, "P")
    refused(shop, CurrencyMismatch, invoice, euros)
    refused(shop, CurrencyMismatch, invoice, amount=Money.of("EUR", 1))
    refused(shop, InvalidValue, invoice, other)
    refused(shop, InvalidValue, invoice, invoice)
    refused(shop, InvalidValue)
    refused(shop, InvalidValue, invoice, customer="C-2")
    refused(shop, InvalidAmount, invoice, amount=usd("0"))
    refused(shop, InvalidAmount, invoice, amount=usd("-5"))
    refused(shop, InvalidAmount, invoice, amount="5")
    refused(shop, InvalidAmount, Share("A", usd("0")))
    refused(shop, NotEnoughOpen, Share("A", usd("31")))
    refused(shop, NotEnoughCredit, invoice, credit=usd("5"))
    refused(shop, GatewayNotFound, invoice, via="paypal")
    refused(shop, InvalidValue, invoice, key="")
    refused(shop, InvalidValue, invoice, key="k" * 256)
    refused(shop, InvalidValue, invoice, kind="gold")
    refused(shop, Unsupported, invoice, kind="bitcoin")
    refused(shop, Unsupported, invoice, method=None)
    refused(shop, Unsupported, invoice, via="page", return_url="https://shop.example")
    refused(shop, InvalidValue, invoice, via="page", method=None)


def test_what_a_gateway_needs_is_checked_before_anything_is_written(
    request: pytest.FixtureRequest,
) -> None:
    card = FakeGateway(
        limits={"USD": Limits(100, 5000)},
        currencies=frozenset({"USD"}),
        payer_fields=frozenset({PayerField.EMAIL}),
    )
    cashier = Cashier.in_memory(gateways={"card": card})
    request.addfinalizer(cashier.close)
    payer = Customer("P", email="p@example.org")

    def collect(currency: str, total: str, who: Customer | None) -> None:
        number = f"{currency}{total}"
        cashier.issue(
            number=number, customer="C", total=Money.of(currency, total), due="2026-02-01"
        )
        cashier.collect(number, via="card", method="tok_visa", key=number, payer=who)

    with pytest.raises(AmountOutsideLimits):
        collect("USD", "0.99", payer)
    with pytest.raises(AmountOutsideLimits):
        collect("USD", "50.01", payer)
    with pytest.raises(Unsupported):
        collect("EUR", "5", payer)
    with pytest.raises(MissingPayerField) as caught:
        collect("USD", "5", None)
    assert caught.value.fields == ["email"]
    collect("USD", "5.01", payer)
    assert [each.status for each in cashier.payments()] == [PaymentStatus.SUCCEEDED]


def test_a_contact_fact_of_the_customer_serves_the_gateway(request: pytest.FixtureRequest) -> None:
    card = FakeGateway(payer_fields=frozenset({PayerField.EMAIL}))
    cashier = Cashier.in_memory(gateways={"card": card})
    request.addfinalizer(cashier.close)
    cashier.issue(
        number="A",
        customer=Customer("C", email="c@example.org"),
        total=usd("5"),
        due="2026-02-01",
    )

    cashier.collect("A", via="card", method="tok_visa", key="k")
    cashier.erase_contact("C")

    assert cashier.invoice("A").status is InvoiceStatus.PAID
    found = cashier.customer("C")
    assert found is not None
    assert found.email == ""


def test_a_fake_gateway_is_refused_beside_real_money(shop: Shop) -> None:
    from dataclasses import replace

    class Live(FakeGateway):
        @property
        def traits(self):  # type: ignore[no-untyped-def]
            return replace(super().traits, live=True)

    with pytest.raises(LiveModeMismatch):
        Cashier.in_memory(gateways={"real": Live(), "fake": FakeGateway()})


# --- Pages -------------------------------------------------------------------------------


def page(shop: Shop, number: str, key: str) -> Payment:
    return shop.cashier.collect(number, via="page", key=key, return_url="https://shop.example/back")


def test_an_abandoned_page_does_not_lock_its_invoice(shop: Shop) -> None:
    shop.invoice("A")
    abandoned = page(shop, "A", "page")
    assert abandoned.status is PaymentStatus.REQUIRES_ACTION

    paid = shop.pay("A", key="card")

    assert paid.status is PaymentStatus.SUCCEEDED
    assert shop.cashier.payment(abandoned).status is PaymentStatus.CANCELED


def test_a_page_that_cannot_be_closed_is_superseded(shop: Shop) -> None:
    shop.invoice("A")
    abandoned = page(shop, "A", "page")
    shop.page.script("unknown_lost", operation="withdraw")

    paid = shop.pay("A", key="card")

    assert paid.status is PaymentStatus.SUCCEEDED
    assert shop.cashier.payment(abandoned).superseded


def test_money_on_a_superseded_page_becomes_credit_and_an_alert(shop: Shop) -> None:
    shop.invoice("A")
    abandoned = page(shop, "A", "page")
    shop.page.script("unknown_lost", operation="withdraw")
    shop.pay("A", key="card")

    shop.page.pay(abandoned.reference)
    late = shop.cashier.inquire(abandoned)

    assert late.status is PaymentStatus.SUCCEEDED
    assert late.credited == usd("30")
    assert shop.cashier.credits("C-1")[0].reason is CreditReason.ALREADY_PAID
    assert "payment.alert" in shop.events(abandoned.id)


def test_money_on_a_page_pays_its_invoice(shop: Shop) -> None:
    shop.invoice("A")
    waiting = page(shop, "A", "page")

    shop.page.pay(waiting.reference)

    assert shop.cashier.inquire(waiting).status is PaymentStatus.SUCCEEDED
    assert shop.open("A") == "0.00"


# --- Recording, credit, write-offs -----------------------------------------------------


def test_a_paper_check_is_recorded_once(shop: Shop) -> None:
    shop.invoice("A")

    first = shop.cashier.record("A", by="check", key="check-1042", reference="1042")
    again = shop.cashier.record("A", by="check", key="check-1042", reference="1042")

    assert again == first
    assert (first.kind, first.reference, first.received) == (Kind.CHECK, "1042", usd("30"))
    with pytest.raises(InvalidValue):
        shop.cashier.record("A", by="card", key="x")  # type: ignore[arg-type]


def test_credit_is_used_oldest_first_and_can_be_given_back(shop: Shop) -> None:
    for key, amount in (("old", "10"), ("new", "10")):
        shop.cashier.record([], by="cash", key=key, customer="C-1", amount=usd(amount))
        shop.clock.advance(timedelta(days=1))
    shop.invoice("A", "15")
    before = shop.snapshot()

    payment = shop.cashier.pay_from_credit("A", key="k")

    assert [credit.free for credit in shop.cashier.credits("C-1")] == [usd("5")]
    assert shop.open("A") == "0.00"
    shop.cashier.undo_credit_use(payment)
    shop.cashier.undo_credit_use(payment)
    assert shop.snapshot() == before


def test_credit_that_is_not_there_is_not_used(shop: Shop) -> None:
    shop.invoice("A", "15")

    with pytest.raises(NotEnoughCredit):
        shop.cashier.pay_from_credit("A", key="k")
    shop.cashier.record([], by="cash", key="cash", customer="C-1", amount=usd("10"))
    with pytest.raises(NotEnoughCredit):
        shop.cashier.pay_from_credit("A", key="k", amount=usd("11"))

    shop.cashier.pay_from_credit("A", key="k")
    assert shop.open("A") == "5.00"


def test_a_write_off_closes_an_invoice_and_can_be_undone(shop: Shop) -> None:
    shop.invoice("A")

    written_off = shop.cashier.write_off("A", reason="bankrupt", key="w")

    assert shop.cashier.invoice("A").status is InvoiceStatus.WRITTEN_OFF
    shop.cashier.undo_write_off(written_off)
    assert shop.open("A") == "30.00"
    with pytest.raises(NotEnoughOpen):
        shop.cashier.write_off("A", amount=usd("31"), reason="x", key="w2")
    with pytest.raises(InvalidValue):
        shop.cashier.write_off("A", reason=" ", key="w3")


def test_voiding_an_invoice_turns_its_money_to_credit(shop: Shop) -> None:
    shop.invoice("A")
    shop.cashier.collect("A", via="card", method="tok_visa", key="k", amount=usd("20"))

    shop.cashier.void("A", reason="wrong customer")

    assert shop.cashier.invoice("A").status is InvoiceStatus.VOID
    assert shop.balance() == "20.00"


def test_an_invoice_that_is_being_paid_is_not_voided(shop: Shop) -> None:
    shop.invoice("A")
    unknown = shop.pay("A", key="k", token="tok_unknown_executed")

    with pytest.raises(ItemAlreadyBeingPaid):
        shop.cashier.void("A", reason="mistake")
    with pytest.raises(NotEnoughOpen):
        shop.cashier.write_off("A", reason="mistake", key="w")

    shop.cashier.inquire(unknown)
    assert shop.open("A") == "0.00"


# --- Reversing -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["fee", "bank_charge"])
def test_a_fee_for_a_reversal_is_in_the_currency_of_the_payment(shop: Shop, name: str) -> None:
    check = shop.cashier.record(shop.invoice("A"), by="check", key="c")

    with pytest.raises(CurrencyMismatch, match=f"{name} is in EUR") as caught:
        shop.cashier.reverse(check, reason="bounced", **{name: Money.of("EUR", 5)})  # type: ignore[arg-type]

    assert caught.value.argument == name
    assert shop.open("A") == "0.00"


def test_a_bounced_check_leaves_everything_as_it_was(shop: Shop) -> None:
    shop.cashier.record([], by="cash", key="cash", customer="C-1", amount=usd("5"))
    shop.invoice("A", "30"), shop.invoice("B", "20")
    before = shop.snapshot()

    payment = shop.cashier.record(["A", "B"], by="check", key="c", amount=usd("60"))
    assert shop.snapshot() != before
    shop.cashier.reverse(payment, reason="returned unpaid")

    assert shop.snapshot() == before
    assert shop.cashier.payment(payment).reversed


def test_a_reversal_gives_used_credit_back(shop: Shop) -> None:
    shop.cashier.record([], by="cash", key="cash", customer="C-1", amount=usd("5"))
    shop.invoice("A", "30")
    before = shop.snapshot()

    payment = shop.cashier.collect("A", via="card", method="tok_visa", key="k", credit=usd("5"))
    shop.cashier.reverse(payment, reason="returned unpaid", force=True)

    assert shop.snapshot() == before


def test_a_fee_is_an_invoice_of_its_own_and_the_bank_charge_is_posted(shop: Shop) -> None:
    payment = shop.cashier.record(shop.invoice("A"), by="check", key="c")
    shop.clock.advance(timedelta(days=7))

    reversal = shop.cashier.reverse(
        payment, reason="returned", on="2026-01-05", fee=usd("25"), bank_charge=usd("10")
    )

    assert reversal.fee_invoice is not None
    fee = shop.cashier.invoice(reversal.fee_invoice)
    assert (fee.total, fee.due, fee.reversal) == (usd("25"), date(2026, 1, 5), reversal.number)
    assert reversal.bank_charge == usd("10")


def test_reversing_twice_is_one_reversal(shop: Shop) -> None:
    payment = shop.cashier.record(shop.invoice("A"), by="check", key="c")

    first = shop.cashier.reverse(payment, reason="returned", fee=usd("25"))

    assert shop.cashier.reverse(payment, reason="returned", fee=usd("25")) == first
    with pytest.raises(AlreadyReversed) as caught:
        shop.cashier.reverse(payment, reason="returned")
    assert caught.value.reversal == first.number


def test_reversals_are_numbered_without_gaps_or_by_the_host(shop: Shop) -> None:
    payments = [
        shop.cashier.record(shop.invoice(number), by="check", key=number) for number in "ABC"
    ]

    numbers = [
        shop.cashier.reverse(payments[0], reason="r").number,
        shop.cashier.reverse(payments[1], reason="r", number="CN-77").number,
        shop.cashier.reverse(payments[2], reason="r").number,
    ]

    assert numbers == ["REV-1", "CN-77", "REV-2"]


def test_a_reversal_number_is_not_reused(shop: Shop) -> None:
    payments = [
        shop.cashier.record(shop.invoice(number), by="check", key=number) for number in "AB"
    ]
    shop.cashier.reverse(payments[0], reason="r", number="CN-77")
    before = shop.snapshot()

    with pytest.raises(NumberReused):
        shop.cashier.reverse(payments[1], reason="r", number="CN-77")

    assert shop.snapshot() == before


def test_a_later_payment_stays_when_an_earlier_one_is_reversed(shop: Shop) -> None:
    shop.invoice("A", "30")
    bounced = shop.cashier.record("A", by="check", key="c", amount=usd("10"))
    shop.cashier.record("A", by="cash", key="d", amount=usd("20"))

    shop.cashier.reverse(bounced, reason="returned")

    assert shop.open("A") == "10.00"


def test_a_reversal_is_refused_where_it_would_be_wrong(shop: Shop) -> None:
    declined = shop.pay(shop.invoice("A"), key="a", token="tok_declined_insufficient_funds")
    with pytest.raises(NothingToReverse):
        shop.cashier.reverse(declined, reason="r")

    unknown = shop.pay(shop.invoice("B"), key="b", token="tok_unknown_executed")
    with pytest.raises(OutcomeUnknown):
        shop.cashier.reverse(unknown, reason="r")

    paid = shop.pay(shop.invoice("C"), key="c")
    with pytest.raises(BadReversalDate):
        shop.cashier.reverse(paid, reason="r", on="2025-12-31", force=True)
    with pytest.raises(InvalidValue):
        shop.cashier.reverse(paid, reason="")
    with pytest.raises(InvalidAmount):
        shop.cashier.reverse(paid, reason="r", fee=usd("0"))
    with pytest.raises(PaymentNotFound, match=r"in this ledger$"):
        shop.cashier.reverse("pay_nope", reason="r")
    with pytest.raises(PaymentNotFound, match="payment_by_key"):
        shop.cashier.reverse("c", reason="r")

    assert [shop.open(number) for number in "ABC"] == ["30.00", "30.00", "0.00"]


def test_a_reversal_is_refused_while_its_credit_is_used(shop: Shop) -> None:
    over = shop.cashier.record(shop.invoice("A"), by="check", key="c", amount=usd("40"))
    shop.invoice("B", "10")
    use = shop.cashier.pay_from_credit("B", key="use")

    with pytest.raises(CreditConsumed) as caught:
        shop.cashier.reverse(over, reason="returned")

    assert caught.value.consumers == [use.id]
    shop.cashier.undo_credit_use(use)
    shop.cashier.reverse(over, reason="returned")
    assert [shop.open("A"), shop.open("B"), shop.balance()] == ["30.00", "10.00", "0.00"]


def test_a_closed_period_takes_no_reversal(request: pytest.FixtureRequest) -> None:
    clock = FakeClock()
    cashier = Cashier.in_memory(period_closed=lambda on: on < date(2026, 2, 1), clock=clock)
    request.addfinalizer(cashier.close)
    cashier.issue(number="A", customer="C", total=usd("5"), due="2026-02-01")
    payment = cashier.record("A", by="check", key="c")
    clock.advance(timedelta(days=40))

    with pytest.raises(BadReversalDate, match="closed"):
        cashier.reverse(payment, reason="r", on="2026-01-15")

    assert cashier.reverse(payment, reason="r", on="2026-02-02").on == date(2026, 2, 2)


# --- Resolving ------------------------------------------------------------------------------


def test_an_operator_resolves_what_nobody_can_find_out(shop: Shop) -> None:
    payment = shop.pay(shop.invoice("A"), key="k", token="tok_unknown_executed")
    movement = Movement(movement_id="seen-on-dashboard", amount=usd("30"))

    resolved = shop.cashier.resolve(
        payment, Approved(movements=(movement,)), evidence="dashboard, transaction 4711"
    )

    assert resolved.status is PaymentStatus.SUCCEEDED
    assert shop.open("A") == "0.00"
    with pytest.raises(AlreadyFinal):
        shop.cashier.resolve(payment, Approved(movements=(movement,)), evidence="again")


def test_resolving_needs_evidence_and_a_movement(shop: Shop) -> None:
    payment = shop.pay(shop.invoice("A"), key="k", token="tok_unknown_executed")
    declined = Declined(code=DeclineCode.GENERIC, raw_code="05", retryable=True)

    with pytest.raises(InvalidValue):
        shop.cashier.resolve(payment, declined, evidence="")
    with pytest.raises(OutcomeDoesNotFit):
        shop.cashier.resolve(payment, Approved(), evidence="dashboard")

    assert shop.cashier.resolve(payment, declined, evidence="x").status is PaymentStatus.DECLINED
    assert shop.open("A") == "30.00"


def test_what_the_driver_refuses_at_once_is_refused_before_anything_is_written(
    request: pytest.FixtureRequest, shop: Shop
) -> None:
    class Picky(FakeGateway):
        def charge(self, charge: Charge) -> Dialogue[Outcome]:
            raise Unsupported(f"{charge.amount} is no amount for us")

    cashier = Cashier.in_memory(gateways={"card": Picky()})
    request.addfinalizer(cashier.close)
    cashier.issue(number="A", customer="C", total=usd("5"), due="2026-02-01")

    with pytest.raises(Unsupported):
        cashier.collect("A", via="card", method="tok_visa", key="k")

    assert cashier.payments() == []
    assert cashier.invoice("A").claimed == usd("0")


@pytest.mark.parametrize("answer", ["declined", "rejected", "unknown"])
def test_a_token_that_the_processor_repeats_is_not_stored(
    request: pytest.FixtureRequest, answer: str
) -> None:
    token = "tok_of_this_card_alone"
    text = f"No such token: '{token}'; try another"
    told: dict[str, Outcome] = {
        "declined": Declined(code=DeclineCode.GENERIC, raw_code="05", retryable=True, message=text),
        "rejected": Rejected(cause=RejectCause.VALIDATION, retryable=False, message=text),
        "unknown": Unknown(reason=text),
    }

    class Talkative(FakeGateway):
        def charge(self, charge: Charge) -> Dialogue[Outcome]:
            assert charge.method is not None
            return at_once(told[answer])

    cashier = Cashier.in_memory(gateways={"card": Talkative()})
    request.addfinalizer(cashier.close)
    cashier.issue(number="A", customer="C", total=usd("5"), due="2026-02-01")

    payment = cashier.collect("A", via="card", method=token, key="k")

    assert token not in repr(asdict(payment)) + repr(cashier.events())
    assert "No such token" in payment.reason


def test_a_fake_that_forgets_does_not_name_new_money_like_old(tmp_path: Path) -> None:
    for key in ("first", "second"):
        with Cashier.open(
            f"sqlite:///{tmp_path}/ledger.db", gateways={"card": FakeGateway()}
        ) as cashier:
            cashier.issue(number=key, customer="C", total=usd("5"), due="2026-02-01")
            payment = cashier.collect(key, via="card", method="tok_visa", key=key)

            assert (payment.status, payment.received) == (PaymentStatus.SUCCEEDED, usd("5"))
            assert cashier.fsck() == []


def test_money_that_is_another_payments_is_a_conflict(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    for key in ("first", "second"):  # each run's processor begins to count anew
        clock = FakeClock()
        gateways = {"card": FakeGateway(clock=clock)}
        with Cashier.open(url, gateways=gateways, clock=clock) as cashier:
            cashier.issue(number=key, customer="C", total=usd("5"), due="2026-02-01")
            payment = cashier.collect(key, via="card", method="tok_visa", key=key)

            assert payment.conflicted is (key == "second")
            assert cashier.fsck() == []


def test_rows_are_listed_in_the_order_they_were_made(shop: Shop) -> None:
    numbers = [str(number) for number in range(50)]
    for number in numbers:
        shop.invoice(number)

    assert [invoice.number for invoice in shop.cashier.invoices(oldest_first=True)] == numbers
