"""Settlement: what counts when, what is held meanwhile, and what is posted when money arrives.

Each test ends in sound books.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from paygate import Cashier, Kind, Money
from paygate.domain.decide import Source
from paygate.domain.movement import Movement, MovementKind
from paygate.domain.outcome import Approved, Moved
from paygate.domain.payment import Payment, PaymentStatus
from paygate.domain.receipt import Receipt
from paygate.errors import InvalidSettings, ItemAlreadyBeingPaid
from paygate.gateway import CallbackStyle, DedupWindow, InquiryBy
from paygate.ledger.tx import Tx
from paygate.service import merge
from paygate.service.reading import AnswerSource
from paygate.testing import FakeClock, FakeGateway, Habits

BACK = "https://shop.example/back"


def usd(amount: str) -> Money:
    return Money.of("USD", amount)


class Shop:
    """A merchant who waits for the money (`slow`), beside accounts that do not."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.card = FakeGateway(clock=self.clock)
        self.bank = FakeGateway(Kind.E_CHECK, clock=self.clock)
        self.told = FakeGateway(
            Kind.E_CHECK, clock=self.clock, callbacks=CallbackStyle.ANSWERED, inquiry=InquiryBy.NONE
        )
        self.page = FakeGateway(Kind.REDIRECT, clock=self.clock)
        self.fast = FakeGateway(clock=self.clock, merchant_account="another")
        self.cashier = Cashier.in_memory(
            gateways={
                "card": {"gateway": self.card, "credit_on": "settled"},
                "bank": {"gateway": self.bank, "credit_on": {"e_check": "settled"}},
                "told": {"gateway": self.told, "credit_on": {"e_check": "settled"}},
                "page": {"gateway": self.page, "credit_on": "settled"},
                "fast": self.fast,
            },
            clock=self.clock,
        )
        self.issue("A")

    def issue(self, number: str, total: str = "30") -> None:
        self.cashier.issue(number=number, customer="C", total=usd(total), due="2026-02-01")

    def pay(self, *numbers: str, amount: str | None = None, key: str = "pay") -> Payment:
        return self.cashier.collect(
            list(numbers or "A"),
            via="card",
            method="tok_visa",
            key=key,
            amount=None if amount is None else usd(amount),
        )

    def hold(self) -> Payment:
        return self.cashier.authorize("A", via="card", method="tok_visa", key="auth")

    def hear(self) -> None:
        """Take in what the processors call back about, and apply it."""
        for name in ("card", "bank", "told", "page", "fast"):
            for callback in getattr(self, name).callbacks():
                self.cashier.receive(name, callback)
        self.cashier.apply_callbacks()

    def pay_out(self, payment: Payment, *, percent: int = 100, fee: str | None = None) -> Payment:
        """Let the processor pay out what moved, and hear of it."""
        cost = None if fee is None else usd(fee)
        for reference in {row.reference for row in self.cashier.attempts(payment)}:
            self.card.pay_out(reference, percent=percent, fee=cost)
        self.hear()
        return self.cashier.payment(payment)

    def open(self, number: str = "A") -> str:
        return str(self.cashier.invoice(number).open.decimal)

    def claimed(self, number: str = "A") -> str:
        return str(self.cashier.invoice(number).claimed.decimal)

    def credit(self) -> str:
        return str(self.cashier.balance("C").get("USD", usd("0")).decimal)

    def events(self, of: Payment) -> list[str]:
        return [each.type for each in self.cashier.events(limit=1000) if each.aggregate == of.id]

    def ledger(self, account: str) -> dict[str, int]:
        """Sum the postings of an account, by currency."""

        def work(tx: Tx) -> dict[str, int]:
            sql = """SELECT currency, sum(amount_minor) AS minor FROM paygate_posting
                     WHERE ledger_account = :account GROUP BY currency
                     HAVING sum(amount_minor) <> 0"""
            return {row["currency"]: row["minor"] for row in tx.all(sql, {"account": account})}

        return self.cashier._store.write(self.cashier._context, work)


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture(autouse=True)
def the_books_are_sound(shop: Shop) -> Iterator[None]:
    yield
    assert shop.cashier.fsck() == []


# --- Accepted is not yet paid ---------------------------------------------------------------


def test_accepted_money_is_on_its_way_and_the_invoice_is_held(shop: Shop) -> None:
    payment = shop.pay()

    assert payment.status is PaymentStatus.SUCCEEDED
    assert (payment.received, payment.awaiting, payment.settled) == (usd("30"), usd("30"), False)
    assert (shop.open(), shop.claimed()) == ("30.00", "30.00")
    assert shop.ledger("awaiting") == {"USD": -3000}
    with pytest.raises(ItemAlreadyBeingPaid) as refused:
        shop.cashier.collect("A", via="fast", method="tok_visa", key="again")
    assert refused.value.payments == [payment.id]


def test_the_invoice_is_paid_when_the_money_has_settled(shop: Shop) -> None:
    payment = shop.pay_out(shop.pay(), fee="0.90")

    assert (payment.awaiting, payment.settled) == (usd("0"), True)
    assert (shop.open(), shop.claimed()) == ("0.00", "0.00")
    [receipt] = shop.cashier.receipts(payment)
    assert (receipt.settled, receipt.fee) == (usd("29.10"), usd("0.90"))
    assert receipt.settled_on == shop.clock.now().date()
    assert shop.ledger("settled") == {"USD": 2910}
    assert shop.ledger("fees") == {"USD": 90}
    assert shop.ledger("in_transit") == shop.ledger("awaiting") == {}
    assert shop.events(payment)[-2:] == ["receipt.settled", "payment.settled"]


def test_where_acceptance_counts_the_settlement_is_only_posted(shop: Shop) -> None:
    payment = shop.cashier.collect("A", via="fast", method="tok_visa", key="pay")
    assert (shop.open(), payment.settled) == ("0.00", False)

    shop.fast.pay_out(payment.reference, fee=usd("1"))
    shop.hear()

    assert shop.cashier.payment(payment).settled
    assert shop.ledger("settled") == {"USD": 2900}
    assert shop.ledger("in_transit") == {}


def test_the_same_settlement_told_twice_is_posted_once(shop: Shop) -> None:
    payment = shop.pay()
    shop.pay_out(payment, fee="1")
    before = shop.events(payment)
    shop.card.pay_out(payment.reference, fee=usd("1"))

    shop.hear()
    shop.cashier.inquire(payment)

    assert shop.ledger("settled") == {"USD": 2900}
    assert shop.events(payment) == before


def test_what_has_settled_in_part_counts_in_part(shop: Shop) -> None:
    payment = shop.pay_out(shop.pay(), percent=40)

    assert (payment.awaiting, payment.settled) == (usd("18"), False)
    assert (shop.open(), shop.claimed()) == ("18.00", "18.00")

    payment = shop.pay_out(payment)

    assert (payment.awaiting, payment.settled) == (usd("0"), True)
    assert (shop.open(), shop.claimed()) == ("0.00", "0.00")
    assert shop.ledger("settled") == {"USD": 3000}


def test_more_than_was_open_is_credit_only_when_it_has_settled(shop: Shop) -> None:
    payment = shop.pay(amount="50")
    assert (shop.credit(), payment.awaiting) == ("0.00", usd("50"))

    shop.pay_out(payment)

    assert (shop.credit(), shop.open()) == ("20.00", "0.00")


def test_an_e_check_that_comes_back_before_it_settled_frees_its_invoice(shop: Shop) -> None:
    payment = shop.cashier.collect("A", via="bank", method="tok_bank", key="pay")
    shop.clock.advance(days=4)
    payment = shop.cashier.inquire(payment)
    assert (payment.awaiting, shop.claimed()) == (usd("30"), "30.00")

    shop.bank.return_check(payment.reference)
    shop.hear()

    payment = shop.cashier.payment(payment)
    assert (payment.awaiting, payment.reversed) == (usd("0"), True)
    assert (shop.open(), shop.claimed()) == ("30.00", "0.00")
    assert shop.cashier.collect("A", via="fast", method="tok_visa", key="2").awaiting == usd("0")


def test_a_settlement_after_the_return_moves_only_our_own_money(shop: Shop) -> None:
    payment = shop.cashier.collect("A", via="bank", method="tok_bank", key="pay")
    shop.clock.advance(days=4)
    payment = shop.cashier.inquire(payment)
    shop.bank.return_check(payment.reference)
    shop.hear()

    shop.bank.pay_out(payment.reference, fee=usd("0"))
    shop.hear()

    assert (shop.open(), shop.credit()) == ("30.00", "0.00")
    assert shop.ledger("settled") == shop.ledger("in_transit") == {}


def test_the_fee_of_a_return_is_booked_when_it_is_told_with_the_money_it_undoes(
    shop: Shop,
) -> None:
    payment = shop.cashier.collect("A", via="told", method="tok_bank", key="pay")
    shop.told.return_early(payment.reference)
    shop.hear()  # it goes back before anybody has told that it came

    shop.told.pay_out(payment.reference, fee=usd("1"))
    shop.hear()

    assert (shop.open(), shop.credit()) == ("30.00", "0.00")
    assert shop.ledger("fees") == {"USD": 200}
    assert shop.ledger("settled") == {"USD": -200}
    assert shop.ledger("in_transit") == {}


def test_a_refund_before_settlement_frees_that_part(shop: Shop) -> None:
    payment = shop.pay()

    payment = shop.cashier.refund(payment, key="r", amount=usd("10")).payment

    assert payment.awaiting == usd("20")
    assert (shop.open(), shop.claimed()) == ("30.00", "20.00")
    shop.pay_out(payment)
    assert (shop.open(), shop.claimed()) == ("10.00", "0.00")


def test_a_refund_before_settlement_with_a_credit_note_gives_that_part_up(shop: Shop) -> None:
    payment = shop.pay()
    payment = shop.cashier.refund(payment, key="r", amount=usd("10"), to="credit_note").payment
    assert (shop.open(), shop.claimed()) == ("20.00", "20.00")

    shop.pay_out(payment)

    assert (shop.open(), shop.claimed()) == ("0.00", "0.00")


def test_a_credit_note_before_settlement_is_told(shop: Shop) -> None:
    """The invoice was never paid, so it is not reopened: only the credit note changes it."""
    shop.issue("B", "10")
    payment = shop.pay("A", "B")
    before = len(shop.cashier.events(limit=1000))

    shop.cashier.refund(payment, key="r", amount=usd("15"), to="credit_note")

    told = [
        (each.type, each.data["number"], each.data["open_minor"], each.data.get("amount_minor"))
        for each in shop.cashier.events(limit=1000)[before:]
        if each.type.startswith("invoice.")
    ]
    assert told == [
        ("invoice.written_off", "B", 0, 1000),
        ("invoice.written_off", "A", 2500, 500),
    ]
    assert shop.cashier.invoice("B").status == "written_off"


def test_a_refund_that_fails_before_settlement_waits_with_the_rest(shop: Shop) -> None:
    payment = shop.pay()
    shop.cashier.refund(payment, key="r", amount=usd("10"))
    refund = shop.cashier.attempts(payment)[-1].reference
    shop.card.fail_refund(refund)
    payment = shop.cashier.inquire(payment)
    shop.hear()
    payment = shop.cashier.payment(payment)
    assert (payment.awaiting, shop.open(), shop.claimed()) == (usd("30"), "30.00", "30.00")

    payment = shop.pay_out(payment)

    assert (payment.awaiting, shop.open(), shop.claimed()) == (usd("0"), "0.00", "0.00")


def test_a_void_before_settlement_frees_the_invoice(shop: Shop) -> None:
    payment = shop.cashier.cancel(shop.pay(), key="c").payment

    assert (payment.awaiting, payment.returned) == (usd("0"), usd("30"))
    assert (shop.open(), shop.claimed()) == ("30.00", "0.00")


def test_a_clerk_reverses_what_had_not_settled(shop: Shop) -> None:
    shop.cashier.reverse(shop.pay(), reason="a mistake", force=True)

    assert (shop.open(), shop.claimed()) == ("30.00", "0.00")
    assert shop.ledger("awaiting") == {}


def test_credit_of_the_customer_is_used_when_the_money_beside_it_counts(shop: Shop) -> None:
    shop.cashier.record([], by="cash", key="top-up", amount=usd("5"), customer="C")
    payment = shop.pay(amount="25")
    assert shop.open() == "30.00"

    shop.pay_out(payment)

    assert shop.open() == "5.00"


# --- Captures ---------------------------------------------------------------------------------


def test_each_capture_counts_as_it_settles(shop: Shop) -> None:
    payment = shop.hold()
    shop.cashier.capture(payment, key="1", amount=usd("10"), final=False)
    assert (shop.open(), shop.claimed()) == ("30.00", "30.00")
    shop.pay_out(payment)
    assert (shop.open(), shop.claimed()) == ("20.00", "20.00")

    payment = shop.cashier.capture(payment, key="2", amount=usd("15")).payment

    assert payment.awaiting == usd("15")
    assert (shop.open(), shop.claimed()) == ("20.00", "15.00")
    shop.pay_out(payment)
    assert (shop.open(), shop.claimed()) == ("5.00", "0.00")


def test_what_was_captured_stays_held_when_the_rest_is_released(shop: Shop) -> None:
    payment = shop.hold()
    shop.cashier.capture(payment, key="1", amount=usd("10"), final=False)

    payment = shop.cashier.cancel(payment, key="c").payment

    assert (payment.status, payment.awaiting) == (PaymentStatus.SUCCEEDED, usd("10"))
    assert (shop.open(), shop.claimed()) == ("30.00", "10.00")


# --- Pages --------------------------------------------------------------------------------------


def test_money_on_an_abandoned_page_holds_what_is_free_again(shop: Shop) -> None:
    page = shop.cashier.collect("A", via="page", key="p", return_url=BACK)
    shop.clock.advance(hours=1)
    shop.cashier.inquire(page)
    assert shop.claimed() == "0.00"

    shop.page.pay(page.reference)
    shop.hear()

    assert (shop.open(), shop.claimed()) == ("30.00", "30.00")
    with pytest.raises(ItemAlreadyBeingPaid):
        shop.cashier.collect("A", via="fast", method="tok_visa", key="again")


def test_money_on_a_superseded_page_is_credit_when_it_settles(shop: Shop) -> None:
    page = shop.cashier.collect("A", via="page", key="p", return_url=BACK)
    shop.cashier.collect("A", via="fast", method="tok_visa", key="pay")
    shop.page.pay(page.reference)
    shop.hear()
    assert (shop.credit(), shop.cashier.payment(page).awaiting) == ("0.00", usd("30"))

    shop.page.pay_out(page.reference)
    shop.hear()

    assert (shop.credit(), shop.open()) == ("30.00", "0.00")
    assert "payment.alert" in shop.events(page)


# --- Any order ----------------------------------------------------------------------------------


def test_every_order_of_what_is_told_ends_the_same(shop: Shop) -> None:
    """Accepted, settled in part, settled, refunded in part and returned: 120 orders."""
    ended: set[tuple[object, ...]] = set()
    for order in permutations(range(5)):
        one = Shop()
        one.card.script("unknown_executed")
        payment = one.pay()
        one.card.pay_out(one.card.journal[0].reference, percent=40, fee=usd("0.60"))
        one.card.pay_out(one.card.journal[0].reference, fee=usd("0.60"))
        charge = one.card.journal[0].movement_id
        one.card.open_dispute(one.card.journal[0].reference, usd("12"))
        one.card.dispute(one.card.journal[0].reference, usd("12"))
        told = one.card.callbacks()
        assert len(told) == 5
        for place in order:
            one.cashier.receive("card", told[place])
            one.cashier.receive("card", told[place])
            one.cashier.apply_callbacks()
            one.clock.advance(timedelta(minutes=1))
        for _ in range(4):
            one.clock.advance(days=1)
            one.cashier.apply_callbacks()
        payment = one.cashier.payment(payment)
        assert one.cashier.fsck() == []
        ledger = ("in_transit", "settled", "fees", "awaiting", "customer_credit", "receivable")
        ended.add(
            (
                *(payment.status, payment.awaiting, payment.settled, payment.disputed),
                *(one.open(), one.claimed(), one.credit(), charge),
                *(str(one.ledger(account)) for account in ledger),
            )
        )
    assert len(ended) == 1


def test_what_contradicts_the_books_is_for_a_person(shop: Shop) -> None:
    payment = shop.pay_out(shop.pay(), fee="1")

    shop.card.pay_out(payment.reference, fee=usd("2"))
    shop.hear()

    assert shop.cashier.payment(payment).needs_review
    assert "payment.alert" in shop.events(payment)
    assert shop.ledger("fees") == {"USD": 100}


def merged(shop: Shop, payment: Payment, **told: Any) -> Receipt:
    """Merge what a driver would tell of the first movement, and read its receipt."""
    [booked, *_] = shop.cashier.receipts(payment)
    movement = Movement(movement_id=booked.movement_id, amount=booked.amount, **told)
    answer = Approved(reference=payment.reference, movements=(movement,))
    attempt = shop.cashier.attempts(payment)[0].id
    shop.cashier._run(merge.merge(attempt, answer, AnswerSource(source=Source.REPORT)))
    return shop.cashier.receipts(payment)[0]


def test_money_may_reach_us_in_another_currency(shop: Shop) -> None:
    payment = shop.pay()

    euros = Money.of("EUR", "27")
    receipt = merged(shop, payment, settled=euros, fee=Money.of("EUR", "0.50"))

    assert (receipt.settled, receipt.in_transit) == (euros, usd("0"))
    assert shop.ledger("settled") == {"EUR": 2700}
    assert shop.ledger("fees") == {"EUR": 50}
    assert shop.ledger("exchange") == {"USD": 3000, "EUR": -2750}
    assert shop.ledger("in_transit") == {}
    assert shop.open() == "0.00"


def test_a_fee_may_be_told_before_the_money_settles(shop: Shop) -> None:
    payment = shop.pay()

    receipt = merged(shop, payment, fee=usd("0.90"))

    assert receipt.in_transit == usd("29.10")
    assert (shop.ledger("fees"), shop.ledger("in_transit")) == ({"USD": 90}, {"USD": 2910})
    receipt = merged(shop, payment, settled=usd("29.10"))
    assert (receipt.in_transit, shop.open()) == (usd("0"), "0.00")


def test_more_than_moved_cannot_settle(shop: Shop) -> None:
    payment = shop.pay()

    receipt = merged(shop, payment, settled=usd("31"))

    assert receipt.settled is None
    assert shop.cashier.payment(payment).needs_review
    assert shop.ledger("settled") == {}


# --- Settings -----------------------------------------------------------------------------------


def test_a_rail_that_never_tells_of_settlement_cannot_credit_on_it() -> None:
    silent = FakeGateway(reports_settlement=False)

    with pytest.raises(InvalidSettings, match="does not report settlement"):
        Cashier.in_memory(gateways={"card": {"gateway": silent, "credit_on": "settled"}})


@pytest.mark.parametrize("wrong", ["later", {"e_check": "settled"}, {"card": "never"}])
def test_a_wrong_setting_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidSettings, match="credit_on"):
        Cashier.in_memory(gateways={"card": {"gateway": FakeGateway(), "credit_on": wrong}})


def test_money_can_be_paid_out_by_itself_after_a_time() -> None:
    clock = FakeClock()
    card = FakeGateway(clock=clock, habits=Habits(pays_out_after=timedelta(days=2), fee_percent=3))
    accounts = {"card": {"gateway": card, "credit_on": "settled"}}
    with Cashier.in_memory(gateways=accounts, clock=clock) as cashier:
        cashier.issue(number="A", customer="C", total=usd("30"), due="2026-02-01")
        payment = cashier.collect("A", via="card", method="tok_visa", key="pay")
        clock.advance(days=2)

        cashier.recover()

        [receipt] = cashier.receipts(payment)
        assert (receipt.settled, receipt.fee) == (usd("29.10"), usd("0.90"))
        assert cashier.invoice("A").open == usd("0")


def test_other_currency_that_a_person_assigns_is_credit_and_pays_no_invoice(shop: Shop) -> None:
    payment = shop.cashier.collect("A", via="card", method="tok_other_currency", key="pay")

    shop.cashier.assign(payment, reason="the payer wants it kept")
    shop.pay_out(payment)

    assert shop.cashier.balance("C")["EUR"] == Money.of("EUR", "30")
    assert shop.open() == "30.00"


def test_parts_that_settled_on_two_days_may_be_told_at_once(shop: Shop) -> None:
    payment = shop.pay()
    shop.card.pay_out(payment.reference, percent=50)
    shop.clock.advance(days=2)

    shop.pay_out(payment)

    assert shop.ledger("settled") == {"USD": 3000}
    assert shop.open() == "0.00"


def test_money_told_after_what_went_back_of_it_holds_no_invoice(shop: Shop) -> None:
    payment = shop.cashier.collect("A", via="card", method="tok_declined", key="pay")
    charge = shop.cashier.attempts(payment)[0]
    came = Movement(movement_id="m-1", amount=usd("30"))
    back = Movement(movement_id="m-2", amount=usd("30"), kind=MovementKind.VOID, undoes="m-1")

    for answer in (Moved(movements=(back,)), Approved(reference="ch", movements=(came,))):
        shop.cashier._run(merge.merge(charge.id, answer, AnswerSource(source=Source.CALLBACK)))

    payment = shop.cashier.payment(payment)
    assert (payment.received, payment.returned, payment.awaiting) == (
        usd("30"),
        usd("30"),
        usd("0"),
    )
    assert (shop.open(), shop.claimed(), shop.credit()) == ("30.00", "0.00", "0.00")


def test_the_settlement_of_money_told_of_its_duplicate_counts_where_it_is_booked() -> None:
    """The answer to the first charge is lost, and the second is answered with the first's money."""
    clock = FakeClock()
    card = FakeGateway(
        clock=clock,
        idempotency=DedupWindow(window=timedelta(minutes=30), returns_original=True),
    )
    cashier = Cashier.in_memory(
        gateways={"card": {"gateway": card, "credit_on": "settled"}}, clock=clock
    )
    cashier.issue(number="A", customer="C", total=usd("30"), due="2026-02-01")
    half = usd("15")
    card.script("unknown_executed")
    first = cashier.collect("A", via="card", method="tok_visa", key="1", amount=half)
    second = cashier.collect("A", via="card", method="tok_visa", key="2", amount=half)
    assert (first.received, second.received) == (usd("0"), half)
    [attempt] = cashier.attempts(second)

    card.pay_out(attempt.reference)
    for callback in card.callbacks():
        cashier.receive("card", callback)
    cashier.apply_callbacks()

    assert cashier.invoice("A").open == half
    assert cashier.receipts(second)[0].settled == half
    assert card.moved("USD") == half
    assert cashier.fsck() == []
    cashier.close()
