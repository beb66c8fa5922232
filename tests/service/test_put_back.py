"""What goes out is taken off where it was, and what comes back is put there again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import permutations

import pytest

from paygate import Cashier, Invoice, Money, Payment, Share
from paygate.dialogue import Dialogue, at_once
from paygate.domain.banking_days import after_banking_days
from paygate.domain.chargeback import Dispute, DisputeState
from paygate.domain.movement import Movement, MovementKind
from paygate.domain.outcome import (
    Approved,
    DeclineCode,
    Declined,
    Ended,
    Ending,
    Finding,
    Unknown,
)
from paygate.domain.words import RefundToWord
from paygate.errors import (
    AlreadyFinal,
    AlreadyReversed,
    CreditConsumed,
    DisputeOpen,
    HasRefunds,
    ItemAlreadyBeingPaid,
    NotCancelable,
    NotEnoughCredit,
    NothingToAssign,
    NotRefundable,
    NotYetRefundable,
    OpenAmountChanged,
    StillAtGateway,
    StillToDecide,
)
from paygate.gateway import Callback, Inquiry, Notice
from paygate.testing import FakeClock, FakeGateway


def cad(amount: str) -> Money:
    return Money.of("CAD", amount)


class Reporting(FakeGateway):
    """A card account whose callbacks say what the test wants them to."""

    notice: Notice
    silent = False

    def look_up(self, inquiry: Inquiry) -> Dialogue[Finding]:
        """Answer an inquiry, unless the account finds nothing out."""
        if self.silent:
            return at_once(Unknown(reason="nobody answers"))
        return super().look_up(inquiry)

    def verify(self, callback: Callback) -> Dialogue[list[Notice]]:
        del callback  # its bytes say nothing here
        return at_once([self.notice])


class Shop:
    """A merchant with one customer, one account in memory, and one that reports what we say."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.card = FakeGateway(clock=self.clock)
        self.bank = FakeGateway("e_check", clock=self.clock)
        self.reporting = Reporting(clock=self.clock)
        self.cashier = Cashier.in_memory(
            gateways={"card": self.card, "bank": self.bank, "reporting": self.reporting},
            clock=self.clock,
        )

    def issue(self, number: str, amount: str = "51") -> Invoice:
        return self.cashier.issue(number=number, customer="C", total=cad(amount), due="2026-12-01")

    def paid(
        self, number: str = "A", *, via: str = "reporting", method: str = "tok_visa"
    ) -> Payment:
        self.issue(number)
        return self.cashier.collect(number, via=via, method=method, key=f"pay-{number}")

    def report(
        self, payment: Payment, kind: MovementKind, name: str, amount: str = "51", undoes: str = ""
    ) -> Payment:
        """Let the processor report one movement, and apply it at once."""
        first = self.cashier.receipts(payment)[0].movement_id
        moved = Movement(movement_id=name, kind=kind, amount=cad(amount), undoes=undoes or first)
        return self.tell(payment, moved)

    def tell(self, payment: Payment, moved: Movement) -> Payment:
        self.clock.advance(seconds=1)
        self.reporting.notice = Notice(
            event_id=f"{moved.kind}-{self.clock.now()}",
            type=str(moved.kind),
            reference=payment.reference,
            movements=(moved,),
        )
        self.hear()
        return self.cashier.payment(payment)

    def hear(self) -> None:
        """Take the notice in that the processor sends now, and apply it at once."""
        callback = Callback(
            method="POST", path="/", headers={}, body=b"", received_at=self.clock.now()
        )
        self.cashier.receive("reporting", callback)
        self.cashier.apply_callbacks()

    def taken(self, payment: Payment, name: str = "dp-1", amount: str = "51") -> Payment:
        return self.report(payment, MovementKind.CHARGEBACK, name, amount)

    def won(self, payment: Payment, name: str = "dp-1", amount: str = "51") -> Payment:
        return self.report(payment, MovementKind.CHARGEBACK_WON, name, amount, undoes=name)

    def open(self, number: str = "A") -> str:
        return str(self.cashier.invoice(number).open.decimal)

    def balance(self) -> str:
        return str(self.cashier.balance("C").get("CAD", cad("0")).decimal)

    def events(self, payment: Payment) -> list[str]:
        told = self.cashier.events(limit=1000)
        return [each.type for each in told if each.aggregate == payment.id]


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture(autouse=True)
def the_books_are_sound(shop: Shop) -> Iterator[None]:
    yield
    assert shop.cashier.fsck() == []


# --- Money that nobody asked for, and that went back ---------------------------------------------


@pytest.mark.parametrize("verb", ["cancel", "refund"])
def test_a_conflict_is_over_when_the_other_money_went_back(shop: Shop, verb: str) -> None:
    conflicted = shop.paid(via="card", method="tok_other_amount")
    assert (conflicted.conflicted, shop.cashier.invoice("A").claimed) == (True, cad("51"))

    payment = getattr(shop.cashier, verb)(conflicted, key="back").payment

    assert (shop.card.moved("CAD"), shop.cashier.invoice("A").claimed) == (cad("0"), cad("0"))
    assert (payment.conflicted, payment.needs_review) == (False, False)
    again = shop.cashier.collect("A", via="card", method="tok_visa", key="again")
    assert again.status == "succeeded"


def test_a_conflict_stands_while_a_part_of_the_other_money_is_here(shop: Shop) -> None:
    conflicted = shop.paid(via="card", method="tok_other_amount")

    payment = shop.cashier.refund(conflicted, amount=cad("100"), key="back").payment

    assert (payment.conflicted, payment.unallocated) == (True, cad("2"))
    assert shop.cashier.assign(payment, "A", reason="the payer says so").needs_review is False
    assert shop.open() == "49.00"


def test_no_credit_is_made_of_other_currency_that_went_back(shop: Shop) -> None:
    conflicted = shop.paid(via="card", method="tok_other_currency")

    payment = shop.cashier.cancel(conflicted, key="back").payment

    assert (payment.conflicted, payment.needs_review) == (False, False)
    with pytest.raises(NothingToAssign):
        shop.cashier.assign(payment, reason="undecided")
    assert shop.cashier.balance("C") == {}


def test_other_currency_that_became_credit_is_taken_off_that_credit(shop: Shop) -> None:
    conflicted = shop.paid(via="card", method="tok_other_currency")
    shop.cashier.assign(conflicted, reason="the payer wants it kept")
    assert shop.cashier.balance("C")["EUR"] == Money.of("EUR", "51")

    shop.card.dispute(conflicted.reference)
    payment = shop.cashier.inquire(conflicted)

    assert not any(money.minor for money in shop.cashier.balance("C").values())
    assert not payment.conflicted

    shop.card.win_dispute(conflicted.reference)
    shop.cashier.inquire(conflicted)
    assert shop.cashier.balance("C")["EUR"] == Money.of("EUR", "51")


# --- A dispute, and what comes after ------------------------------------------------


def test_a_dispute_that_is_won_after_the_invoice_was_voided_makes_credit(shop: Shop) -> None:
    payment = shop.paid(via="card")
    shop.card.dispute(payment.reference)
    shop.card.lose_dispute(payment.reference)
    shop.cashier.inquire(payment)
    shop.cashier.void("A", reason="the customer moved away")

    shop.card.win_dispute(payment.reference)
    shop.cashier.inquire(payment)

    assert shop.balance() == "51.00"
    assert shop.cashier.invoice("A").status == "void"


def test_a_dispute_that_is_won_cancels_the_debt_that_it_made(shop: Shop) -> None:
    payment = shop.paid()
    shop.cashier.refund(payment, to="reopen", key="back")
    shop.taken(payment)
    assert (shop.open(), shop.balance()) == ("51.00", "-51.00")

    shop.won(payment)

    assert (shop.open(), shop.balance()) == ("51.00", "0.00")
    assert "invoice.paid" not in [each.type for each in shop.cashier.events(after=20, limit=1000)]


def test_a_dispute_that_is_won_gives_back_the_credit_that_it_took(shop: Shop) -> None:
    payment = shop.paid()
    shop.cashier.void("A", reason="wrong")
    shop.issue("B", "20")
    shop.cashier.pay_from_credit("B", key="use")
    shop.taken(payment)
    assert shop.balance() == "-20.00"

    shop.won(payment)

    assert (shop.open("B"), shop.balance()) == ("0.00", "31.00")
    assert sorted(str(each.free.decimal) for each in shop.cashier.credits("C")) == ["31.00"]


def test_a_dispute_that_is_lost_after_it_was_won_takes_the_money_again(shop: Shop) -> None:
    payment = shop.paid()
    shop.taken(payment)
    shop.won(payment)

    lost = shop.taken(payment, "dp-1#2")

    [found] = shop.cashier.chargebacks(payment=payment)
    assert (lost.received, lost.returned, lost.disputed) == (cad("102"), cad("102"), True)
    assert (found.state, found.taken, found.lost) == ("lost", cad("51"), cad("51"))
    assert lost.needs_review
    assert shop.events(payment)[-3:] == [
        "payment.charged_back",
        "payment.chargeback_lost",
        "payment.needs_review",
    ]

    back = shop.won(payment, "dp-1#2")

    [found] = shop.cashier.chargebacks(payment=payment)
    assert (found.state, found.taken, found.lost) == ("won", cad("0"), cad("0"))
    assert (back.needs_review, back.disputed, shop.open()) == (False, False, "0.00")


@pytest.mark.parametrize("turns", [3, 4])
def test_the_turns_of_a_dispute_end_the_same_in_every_order(turns: int) -> None:
    ended: set[tuple[object, ...]] = set()
    for order in permutations(range(turns)):
        shop = Shop()
        payment = shop.paid()
        for turn in order:
            name = "dp-1" if turn < 2 else "dp-1#2"
            (shop.taken if turn % 2 == 0 else shop.won)(payment, name)
        for _ in range(8):  # what came back before it was taken waits for its turn
            shop.clock.advance(days=2)
            shop.cashier.apply_callbacks()
        after = shop.cashier.payment(payment)
        [found] = shop.cashier.chargebacks(payment=payment)
        assert shop.cashier.fsck() == []
        ended.add(
            (
                *(after.received, after.returned, after.disputed, after.needs_review),
                *(found.state, found.taken, found.lost, shop.open(), shop.balance()),
                shop.cashier.invoice("A").disputed,
            )
        )
    assert len(ended) == 1


# --- Refunds and returns ------------------------------------------------


def test_a_refund_of_credit_that_fails_goes_back_to_the_credit(shop: Shop) -> None:
    shop.issue("A")
    payment = shop.cashier.collect(
        "A", via="reporting", method="tok_visa", amount=cad("60"), key="pay"
    )
    shop.cashier.refund(payment, amount=cad("9"), key="back")
    shop.cashier.refund(payment, amount=cad("10"), to="reopen", key="back-2")
    first = next(each for each in shop.cashier.receipts(payment) if each.amount == cad("9"))

    shop.report(payment, MovementKind.REFUND_FAILED, "rf-1", "9", undoes=first.movement_id)

    assert (shop.open(), shop.balance()) == ("10.00", "9.00")


def test_a_return_of_a_part_reopens_that_part(shop: Shop) -> None:
    payment = shop.paid()

    returned = shop.report(payment, MovementKind.RETURN, "rt-1", "19")

    assert (shop.open(), shop.balance()) == ("19.00", "0.00")
    assert (returned.returned, returned.needs_review, returned.reversed) == (
        cad("19"),
        False,
        False,
    )


def test_a_return_of_the_rest_reverses_what_is_left(shop: Shop) -> None:
    payment = shop.paid()
    shop.report(payment, MovementKind.RETURN, "rt-1", "19")

    returned = shop.report(payment, MovementKind.RETURN, "rt-2", "32")

    assert (shop.open(), shop.balance(), returned.reversed) == ("51.00", "0.00", True)


def test_a_part_that_is_returned_and_was_spent_as_credit_is_owed(shop: Shop) -> None:
    payment = shop.paid()
    shop.cashier.void("A", reason="wrong")
    shop.issue("B", "40")
    shop.cashier.pay_from_credit("B", key="use")

    shop.report(payment, MovementKind.RETURN, "rt-1", "19")

    assert (shop.open("B"), shop.balance()) == ("0.00", "-8.00")


class Bouncing(Reporting):
    """A bank account whose debits stay on their way until the test reports what became of them."""

    def look_up(self, inquiry: Inquiry) -> Dialogue[Finding]:
        del inquiry
        return at_once(Unknown(reason="out of order"))


@pytest.mark.parametrize("order", list(permutations(["charge", "return"])))
def test_a_debit_that_bounced_pays_nothing_in_either_order(order: tuple[str, ...]) -> None:
    shop = Shop()
    shop.reporting = Bouncing("e_check", clock=shop.clock)
    shop.cashier = Cashier.in_memory(gateways={"reporting": shop.reporting}, clock=shop.clock)
    shop.issue("A")
    payment = shop.cashier.collect("A", via="reporting", method="tok_bank", key="pay")
    assert payment.status == "processing"

    for name in order:
        moved = Movement(movement_id="debit-7", amount=cad("51"))
        if name == "return":
            moved = Movement(
                movement_id="return-7",
                kind=MovementKind.RETURN,
                amount=cad("51"),
                undoes="debit-7",
                code="R01",
            )
        shop.tell(payment, moved)
        for _ in range(8):
            shop.clock.advance(days=2)
            shop.cashier.apply_callbacks()
        if order[0] == "return" and name == "return":
            assert shop.cashier.payment(payment).status == "declined"

    after = shop.cashier.payment(payment)
    assert (after.received, after.returned, after.reversed) == (cad("51"), cad("51"), True)
    assert (shop.open(), shop.balance(), after.needs_review) == ("51.00", "0.00", False)
    assert shop.cashier.fsck() == []


# --- Reviews ------------------------------------------------


def test_a_win_ends_the_review_that_the_loss_raised(shop: Shop) -> None:
    payment = shop.paid()
    shop.cashier.refund(payment, to="reopen", key="back")
    assert shop.taken(payment).needs_review

    assert not shop.won(payment).needs_review


def test_a_person_finishes_a_review_that_nothing_else_ends(shop: Shop) -> None:
    payment = shop.paid()
    shop.cashier.refund(payment, to="reopen", key="back")
    shop.taken(payment)
    with pytest.raises(AlreadyFinal):
        shop.cashier.resolve(payment, Ended(how=Ending.CANCELED), evidence="e")

    clerk = shop.cashier.acting_as("anna@till-2")
    done = clerk.reviewed(payment, reason="the bank will not give it back")

    assert not done.needs_review
    told = [each for each in shop.cashier.events(limit=1000) if each.type == "payment.reviewed"]
    assert [(each.actor, each.data["why"]) for each in told] == [
        ("anna@till-2", "the bank will not give it back")
    ]
    clerk.reviewed(payment, reason="again")
    assert shop.events(payment).count("payment.reviewed") == 1


def test_a_review_that_was_finished_is_raised_again_by_more_of_the_same(shop: Shop) -> None:
    payment = shop.paid()
    shop.cashier.refund(payment, to="reopen", key="back")
    shop.taken(payment)
    shop.cashier.reviewed(payment, reason="known")

    assert shop.taken(payment, "dp-2").needs_review


def test_a_decline_of_money_that_came_is_a_review_that_a_person_finishes(shop: Shop) -> None:
    payment = shop.paid()
    first = shop.cashier.attempts(payment)[0]
    shop.reporting.notice = Notice(
        event_id="late",
        type="declined",
        our_ref=first.id,
        answer=Declined(code=DeclineCode.GENERIC, raw_code="x", retryable=False),
    )
    callback = Callback(method="POST", path="/", headers={}, body=b"", received_at=shop.clock.now())
    shop.cashier.receive("reporting", callback)
    for _ in range(8):
        shop.cashier.apply_callbacks()
        shop.clock.advance(days=2)

    flagged = shop.cashier.payment(payment)
    done = shop.cashier.reviewed(payment, reason="a misprint of the processor")

    assert flagged.status == done.status == "succeeded"
    assert not done.needs_review


def test_what_a_decision_ends_is_not_finished_by_a_look(shop: Shop) -> None:
    conflicted = shop.paid(via="card", method="tok_other_amount")

    with pytest.raises(StillToDecide) as refused:
        shop.cashier.reviewed(conflicted, reason="seen")

    assert refused.value.verbs == ("assign", "refund")
    assert not shop.cashier.assign(conflicted, "A", reason="the payer rounded up").needs_review


# --- What may be sent back --------------------------------------------------------------------


def test_money_that_was_spent_as_credit_is_not_refunded_by_default(shop: Shop) -> None:
    payment = shop.paid()
    shop.cashier.void("A", reason="wrong")
    shop.issue("B", "20")
    use = shop.cashier.pay_from_credit("B", key="use")

    for send in (shop.cashier.refund, shop.cashier.cancel):
        with pytest.raises(CreditConsumed) as refused:
            send(payment, key="back")
        assert refused.value.consumers == [use.id]

    assert shop.cashier.refund(payment, amount=cad("31"), key="rest").payment.returned == cad("31")
    shop.cashier.undo_credit_use(use)
    assert shop.cashier.refund(payment, key="all").payment.returned == cad("51")
    assert (shop.open("B"), shop.balance()) == ("20.00", "0.00")


def test_a_host_that_says_so_lets_the_customer_owe_what_was_spent(shop: Shop) -> None:
    payment = shop.paid()
    shop.cashier.void("A", reason="wrong")
    shop.issue("B", "20")
    shop.cashier.pay_from_credit("B", key="use")

    shop.cashier.refund(payment, to="reopen", key="back")

    assert (shop.open("B"), shop.balance()) == ("0.00", "-20.00")


def test_a_refund_says_which_invoices_it_is_for(shop: Shop) -> None:
    shop.issue("A", "14"), shop.issue("B", "28"), shop.issue("C", "9")
    payment = shop.cashier.collect(["A", "B", "C"], via="card", method="tok_visa", key="pay")

    shop.cashier.refund(payment, items="A", to="credit_note", key="1")
    shop.cashier.refund(payment, items=["C", Share("B", cad("3"))], key="2")

    assert shop.cashier.invoice("A").written_off == cad("14")
    assert [shop.open(number) for number in "ABC"] == ["0.00", "3.00", "9.00"]
    with pytest.raises(NotRefundable) as refused:
        shop.cashier.refund(payment, items=Share("B", cad("26")), key="3")
    assert refused.value.left == cad("25")


def test_a_refund_names_no_invoice_that_another_refund_empties(shop: Shop) -> None:
    shop.issue("A", "14"), shop.issue("B", "28")
    payment = shop.cashier.collect(["A", "B"], via="card", method="tok_visa", key="pay")
    shop.card.script("unknown_executed", operation="refund")
    shop.cashier.refund(payment, items="A", key="1")

    with pytest.raises(NotRefundable):
        shop.cashier.refund(payment, items="A", key="2")

    shop.cashier.inquire(payment)
    assert (shop.open("A"), shop.open("B")) == ("14.00", "0.00")


def test_money_that_a_gateway_has_is_reversed_only_by_force(shop: Shop) -> None:
    payment = shop.paid(via="card")

    with pytest.raises(StillAtGateway) as refused:
        shop.cashier.reverse(payment, reason="typed the wrong verb")

    assert refused.value.verbs == ("refund", "cancel")
    assert shop.open() == "0.00"
    shop.cashier.reverse(payment, reason="the processor went bankrupt", force=True)
    assert shop.open() == "51.00"


@pytest.mark.parametrize("verb", ["refund", "cancel"])
def test_nothing_is_sent_back_while_a_dispute_is_open(shop: Shop, verb: str) -> None:
    payment = shop.paid(via="card")
    shop.card.open_dispute(payment.reference)
    shop.cashier.inquire(payment)
    [found] = shop.cashier.chargebacks(payment=payment)

    with pytest.raises(DisputeOpen) as refused:
        getattr(shop.cashier, verb)(payment, key="back")

    assert refused.value.dispute == found.reference
    shop.card.win_dispute(payment.reference)
    shop.cashier.inquire(payment)
    assert getattr(shop.cashier, verb)(payment, key="back").payment.returned == cad("51")


def test_a_debit_is_refunded_when_the_bank_can_return_it_no_more(shop: Shop) -> None:
    payment = shop.paid(via="bank", method="tok_bank")
    shop.clock.advance(days=4)
    shop.cashier.inquire(payment)
    shop.bank.pay_out(payment.reference)
    shop.cashier.inquire(payment)

    with pytest.raises(NotYetRefundable) as refused:
        shop.cashier.refund(payment, key="early")

    earliest = refused.value.refundable_from
    assert earliest is not None
    while shop.clock.now().date() < earliest:
        shop.clock.advance(days=1)
    assert shop.cashier.refund(payment, key="late").payment.returned == cad("51")


def test_a_debit_is_refunded_early_with_a_reason(shop: Shop) -> None:
    payment = shop.paid(via="bank", method="tok_bank")
    shop.clock.advance(days=4)
    shop.cashier.inquire(payment)
    with pytest.raises(NotYetRefundable) as refused:
        shop.cashier.refund(payment, key="early")
    assert refused.value.refundable_from is None  # it has not settled

    shop.cashier.refund(payment, key="early", force_reason="the payer is known to us")

    told = [each for each in shop.cashier.events(limit=1000) if "forced" in each.type]
    assert [each.data["why"] for each in told] == ["the payer is known to us"]


@pytest.mark.parametrize(
    ("day", "count", "expected"),
    [
        ("2026-03-06", 1, "2026-03-09"),
        ("2026-03-07", 1, "2026-03-09"),
        ("2026-03-04", 5, "2026-03-11"),
    ],
)
def test_banking_days_leave_out_the_weekend(day: str, count: int, expected: str) -> None:
    found = after_banking_days(date.fromisoformat(day), count)

    assert found == date.fromisoformat(expected)


# --- Money that is sent back by hand -----------------------------------------------------------


def test_an_overpayment_is_paid_out_of_the_till(shop: Shop) -> None:
    shop.issue("A")
    payment = shop.cashier.record("A", by="cash", amount=cad("63.40"), key="cash")

    [receipt] = shop.cashier.record_refund(
        payment, amount=cad("12.40"), by="cash", reference="till 2", key="out"
    )
    [again] = shop.cashier.record_refund(
        payment, amount=cad("12.40"), by="cash", reference="till 2", key="out"
    )

    assert (receipt, receipt.amount, receipt.by) == (again, cad("12.40"), "cash")
    assert (shop.open(), shop.balance()) == ("0.00", "0.00")
    with pytest.raises(NotRefundable):
        shop.cashier.record_refund(payment, amount=cad("52"), by="cash", reference="x", key="more")


def test_nothing_is_recorded_as_sent_back_while_a_void_may_do_it(shop: Shop) -> None:
    payment = shop.paid(via="card")
    shop.card.script("unknown_executed", operation="void")
    shop.cashier.cancel(payment, key="void")

    with pytest.raises(NotRefundable, match="being voided"):
        shop.cashier.record_refund(payment, by="cash", reference="till", key="out")

    shop.clock.advance(hours=1)
    shop.cashier.recover()
    now = shop.cashier.payment(payment.id)
    assert now is not None
    assert (now.returned, now.needs_review) == (cad("51"), False)
    assert shop.cashier.fsck() == []


def test_a_void_that_releases_the_rest_of_a_hold_moves_no_money(shop: Shop) -> None:
    shop.issue("A")
    held = shop.cashier.authorize("A", via="card", method="tok_visa", key="a")
    shop.cashier.capture(held, amount=cad("20"), final=False, key="part")
    shop.card.script("unknown_executed", operation="void")
    shop.cashier.cancel(held, key="rest")

    shop.clock.advance(days=40)  # by then the hold has run out as well
    shop.cashier.recover()
    shop.cashier.recover()

    now = shop.cashier.payment(held.id)
    assert now is not None
    assert (now.status.value, now.received, now.needs_review) == ("succeeded", cad("20"), False)
    assert shop.cashier.fsck() == []


def test_credit_of_several_payments_is_paid_out_oldest_first(shop: Shop) -> None:
    made = [
        shop.cashier.record([], customer="C", amount=cad(text), by="check", key=text)
        for text in ("5", "7")
    ]

    booked = shop.cashier.record_refund(
        customer="C", amount=cad("9"), by="transfer", reference="SEPA 88", key="out"
    )

    assert [(each.payment, each.amount) for each in booked] == [
        (made[0].id, cad("5")),
        (made[1].id, cad("4")),
    ]
    assert (shop.balance(), shop.cashier.payment(made[0]).returned) == ("3.00", cad("5"))
    with pytest.raises(NotEnoughCredit):
        shop.cashier.record_refund(
            customer="C", amount=cad("4"), by="cash", reference="till", key="more"
        )


@pytest.mark.parametrize("to", [None, "reopen"])
def test_a_recorded_refund_that_was_not_sent_is_undone(shop: Shop, to: RefundToWord | None) -> None:
    shop.issue("A")
    payment = shop.cashier.record("A", by="check", amount=cad("60"), key="check")
    before = (shop.open(), shop.balance())
    [receipt] = shop.cashier.record_refund(
        payment, amount=cad("9"), by="check", reference="77", to=to, key="out"
    )
    assert (shop.open(), shop.balance()) != before

    shop.cashier.undo_record_refund(receipt, reason="the check was torn up")
    shop.cashier.undo_record_refund(receipt, reason="the check was torn up")

    assert (shop.open(), shop.balance()) == before


@pytest.mark.parametrize("to", [None, "reopen", "credit_note"])
@pytest.mark.parametrize("amount", ["9", "51"])
def test_a_check_bounces_after_a_refund_was_recorded_by_mistake(
    shop: Shop, to: RefundToWord | None, amount: str
) -> None:
    shop.issue("A")
    payment = shop.cashier.record("A", by="check", key="check")
    [receipt] = shop.cashier.record_refund(
        payment, amount=cad(amount), by="check", reference="77", to=to, key="out"
    )

    payment = shop.cashier.undo_record_refund(receipt, reason="the wrong payment")
    assert (payment.received, payment.returned) == (cad("51"), cad("0"))
    assert (shop.open(), shop.balance()) == ("0.00", "0.00")
    reversal = shop.cashier.reverse(payment, reason="returned")

    assert (reversal.amount, shop.cashier.payment(payment).returned) == (cad("51"), cad("51"))
    assert (shop.open(), shop.balance()) == ("51.00", "0.00")


def test_the_credit_note_of_an_invoice_that_is_void_by_now_stays(shop: Shop) -> None:
    shop.issue("A")
    payment = shop.cashier.record("A", by="cash", key="cash")
    [receipt] = shop.cashier.record_refund(
        payment, amount=cad("20"), by="cash", reference="till", to="credit_note", key="out"
    )
    shop.cashier.void("A", reason="issued twice")

    shop.cashier.undo_record_refund(receipt, reason="the wrong payment")

    assert shop.balance() == "51.00"


def test_what_went_back_is_not_reversed(shop: Shop) -> None:
    shop.issue("A")
    payment = shop.cashier.record("A", by="check", key="check")
    first, second = (
        shop.cashier.record_refund(
            payment, amount=cad(amount), by="check", reference=amount, key=amount
        )[0]
        for amount in ("9", "4")
    )
    shop.cashier.undo_record_refund(first, reason="the wrong payment")

    with pytest.raises(HasRefunds) as refused:
        shop.cashier.reverse(payment, reason="returned")

    assert refused.value.amount == second.amount


def test_a_stale_page_charges_nothing(shop: Shop) -> None:
    shop.issue("A", "60")
    shop.cashier.collect("A", via="card", method="tok_visa", amount=cad("35"), key="tab-1")

    with pytest.raises(OpenAmountChanged) as refused:
        shop.cashier.collect("A", via="card", method="tok_visa", expect=cad("60"), key="tab-2")

    assert (refused.value.open, shop.card.moved("CAD")) == (cad("25"), cad("35"))
    paid = shop.cashier.collect("A", via="card", method="tok_visa", expect=cad("25"), key="tab-3")
    assert (paid.received, shop.balance()) == (cad("25"), "0.00")


def test_the_same_check_twice_is_booked_with_a_warning(shop: Shop) -> None:
    shop.issue("A"), shop.issue("B"), shop.issue("D")
    first = shop.cashier.record("A", by="check", reference="1077", key="a")

    second = shop.cashier.record("B", by="check", reference="1077", key="b")

    assert (first.warnings, shop.open("B")) == ((), "0.00")
    assert first.id in second.warnings[0]
    told = [e for e in shop.cashier.events(limit=1000) if e.type == "payment.same_reference"]
    assert [(each.aggregate, each.data["others"]) for each in told] == [(second.id, [first.id])]

    shop.cashier.reverse(first, reason="typed twice")
    shop.cashier.reverse(second, reason="bounced")
    assert shop.cashier.record("D", by="check", reference="1077", key="d").warnings == ()


# --- What a clerk reverses and the bank takes back are one fact ----------------------------------


def debited(shop: Shop, number: str = "A") -> Payment:
    """Return an e-check that the bank has accepted."""
    payment = shop.paid(number, via="bank", method="tok_bank")
    shop.clock.advance(days=4)
    return shop.cashier.inquire(payment)


def reported(shop: Shop, kind: MovementKind, amount: str, name: str = "out-1") -> Payment:
    """Return a card payment that a clerk reversed, and of which *amount* then went out."""
    payment = shop.paid()
    shop.cashier.reverse(payment, reason="the bank wrote a letter", force=True)
    return shop.report(payment, kind, name, amount)


@pytest.mark.parametrize("force", [True, False])
def test_a_return_confirms_the_reversal_by_a_clerk(shop: Shop, force: bool) -> None:
    payment = debited(shop)
    shop.cashier.reverse(payment, reason="on the statement of the bank", force=force)

    shop.bank.return_check(payment.reference)
    shop.clock.advance(days=3)
    payment = shop.cashier.inquire(payment)

    assert (payment.received, payment.returned) == (cad("51"), cad("51"))
    assert (shop.open(), shop.balance()) == ("51.00", "0.00")
    assert payment.needs_review is False


@pytest.mark.parametrize("kind", [MovementKind.RETURN, MovementKind.CHARGEBACK])
@pytest.mark.parametrize("parts", [("51",), ("20", "31"), ("8",)])
def test_what_goes_out_after_a_reversal_is_netted(
    shop: Shop, kind: MovementKind, parts: tuple[str, ...]
) -> None:
    payment = shop.paid()
    shop.cashier.reverse(payment, reason="the bank wrote a letter", force=True)

    for number, part in enumerate(parts):
        payment = shop.report(payment, kind, f"out-{number}", part)

    booked = shop.cashier.receipts(payment)
    assert (payment.returned, payment.needs_review) == (cad("51"), False)
    assert sum(each.in_transit.minor for each in booked) == 0
    assert (shop.open(), shop.balance()) == ("51.00", "0.00")


def test_more_than_was_reversed_is_owed(shop: Shop) -> None:
    payment = reported(shop, MovementKind.RETURN, "51")

    payment = shop.report(payment, MovementKind.RETURN, "out-2", "7")

    assert (payment.returned, payment.needs_review) == (cad("58"), True)
    assert (shop.open(), shop.balance()) == ("51.00", "-7.00")


def test_a_dispute_that_is_won_after_a_reversal_pays_again(shop: Shop) -> None:
    payment = reported(shop, MovementKind.CHARGEBACK, "51", "dp-1")
    assert shop.open() == "51.00"

    shop.won(payment)

    assert (shop.open(), shop.balance()) == ("0.00", "0.00")


def test_what_the_bank_returned_first_is_not_reversed_again(shop: Shop) -> None:
    payment = shop.report(shop.paid(), MovementKind.RETURN, "out-1")

    with pytest.raises(AlreadyReversed):
        shop.cashier.reverse(payment, reason="on the statement of the bank", force=True)

    assert (shop.open(), shop.balance()) == ("51.00", "0.00")


# --- Money that does not fit what it undoes ------------------------------------------------


@pytest.mark.parametrize(
    ("out", "back"),
    [
        (MovementKind.REFUND, MovementKind.REFUND_FAILED),
        (MovementKind.CHARGEBACK, MovementKind.CHARGEBACK_WON),
    ],
)
@pytest.mark.parametrize("other", [Money.of("JPY", "5100"), Money.of("EUR", "44.20")])
def test_money_that_comes_back_in_another_currency_waits_for_a_person(
    shop: Shop, out: MovementKind, back: MovementKind, other: Money
) -> None:
    payment = shop.paid()
    shop.report(payment, out, "out-1")

    after = shop.tell(
        payment, Movement(movement_id="in-1", kind=back, amount=other, undoes="out-1")
    )

    assert (shop.open(), after.conflicted, after.needs_review) == ("51.00", True, True)
    assert [each.unallocated for each in shop.cashier.receipts(payment)][-1] == other
    with pytest.raises(StillToDecide):
        shop.cashier.reviewed(payment, reason="seen")
    decided = shop.cashier.assign(payment, reason="the customer keeps it")
    assert (decided.conflicted, shop.cashier.balance("C")[other.currency]) == (False, other)


def test_no_credit_is_given_back_for_money_in_another_currency(shop: Shop) -> None:
    payment = shop.paid()
    shop.cashier.void("A", reason="never delivered")
    shop.report(payment, MovementKind.REFUND, "re-1", "20")
    assert shop.balance() == "31.00"

    euros = Money.of("EUR", "20")
    failed = MovementKind.REFUND_FAILED
    shop.tell(payment, Movement(movement_id="rf-1", kind=failed, amount=euros, undoes="re-1"))

    assert (shop.balance(), shop.cashier.payment(payment).conflicted) == ("31.00", True)


def test_the_currency_of_the_payment_is_not_put_back_for_other_currency_that_went(
    shop: Shop,
) -> None:
    payment = shop.paid()
    euros = Money.of("EUR", "51")
    shop.tell(payment, Movement(movement_id="ch-2", amount=euros))
    shop.cashier.assign(payment, reason="the customer keeps it")
    taken = MovementKind.CHARGEBACK
    shop.tell(payment, Movement(movement_id="dp-1", kind=taken, amount=euros, undoes="ch-2"))

    after = shop.won(payment, amount="51")

    assert (after.conflicted, after.needs_review, after.unallocated) == (True, True, cad("51"))
    assert "EUR" not in shop.cashier.balance("C")


def test_of_money_that_comes_after_more_went_out_only_the_rest_waits(shop: Shop) -> None:
    payment = shop.paid()
    shop.taken(payment)
    assert shop.report(payment, MovementKind.REFUND, "re-1").needs_review
    assert shop.balance() == "-51.00"

    after = shop.tell(payment, Movement(movement_id="ch-2", amount=cad("70")))

    assert (after.unallocated, shop.balance(), after.conflicted) == (cad("19"), "0.00", True)
    assert shop.cashier.fsck() == []
    assert shop.cashier.assign(payment, "A", reason="the payer says so").needs_review is False
    assert shop.open() == "32.00"


def test_money_that_comes_after_more_went_out_may_be_gone_to_the_last_cent(shop: Shop) -> None:
    payment = shop.paid()
    shop.taken(payment)
    shop.report(payment, MovementKind.REFUND, "re-1")
    shop.report(payment, MovementKind.REFUND, "re-2", "20")

    after = shop.tell(payment, Movement(movement_id="ch-2", amount=cad("60")))

    assert (after.unallocated, shop.balance()) == (cad("0"), "-11.00")
    assert not shop.cashier.reviewed(payment, reason="the rest is asked of the customer").conflicted


# --- Money that comes back, and never came ------------------------------------------------


def on_its_way(shop: Shop) -> Payment:
    """Charge an account that accepts it and tells no more of it."""
    shop.reporting.silent = True
    shop.issue("A")
    return shop.cashier.collect("A", via="reporting", method="tok_pending", key="a")


def came_back(shop: Shop, payment: Payment, amount: str = "51") -> Payment:
    """Report money that comes back and that nobody took, until its callback is applied."""
    won = MovementKind.CHARGEBACK_WON
    shop.tell(payment, Movement(movement_id="dp-1", kind=won, amount=cad(amount)))
    for _ in range(8):
        shop.clock.advance(days=2)
        shop.cashier.apply_callbacks()
    return shop.cashier.payment(payment)


def test_what_no_charge_brought_is_sent_back_by_hand(shop: Shop) -> None:
    payment = on_its_way(shop)
    assert came_back(shop, payment).received == cad("51")
    shop.cashier.resolve(payment, Ended(how=Ending.CANCELED), evidence="the bank says so")

    with pytest.raises(NotRefundable, match="record_refund"):
        shop.cashier.refund(payment, key="back")

    shop.cashier.record_refund(payment, by="cash", reference="till 4", key="by hand")
    assert shop.cashier.payment(payment).returned == cad("51")
    assert shop.balance() == "0.00"


def test_an_authorisation_without_a_capture_has_nothing_that_a_gateway_refunds(
    shop: Shop,
) -> None:
    shop.issue("A")
    payment = shop.cashier.authorize("A", via="reporting", method="tok_visa", key="a")
    won = Movement(movement_id="dp-1", kind=MovementKind.CHARGEBACK_WON, amount=cad("51"))
    shop.reporting.notice = Notice(
        event_id="e",
        type="won",
        reference=payment.reference,
        answer=Approved(reference="tx-7", movements=(won,)),
    )
    shop.hear()

    with pytest.raises(NotRefundable, match="record_refund"):
        shop.cashier.refund(payment, key="back")

    shop.cashier.record_refund(payment, by="cash", reference="till 4", key="by hand")
    assert shop.cashier.payment(payment).returned == cad("51")


def test_a_charge_that_is_resolved_as_canceled_is_canceled_though_money_came_back(
    shop: Shop,
) -> None:
    payment = on_its_way(shop)
    came_back(shop, payment, "17")

    after = shop.cashier.resolve(payment, Ended(how=Ending.CANCELED), evidence="the bank says so")

    assert (after.status, after.received, after.needs_review) == ("canceled", cad("17"), True)
    assert shop.events(payment).count("payment.needs_review") == 1
    assert not shop.cashier.reviewed(payment, reason="the customer keeps it").needs_review


def test_money_that_comes_back_after_its_charge_was_canceled_is_looked_at(shop: Shop) -> None:
    payment = on_its_way(shop)
    shop.cashier.resolve(payment, Ended(how=Ending.CANCELED), evidence="the bank says so")

    after = came_back(shop, payment, "17")

    assert (after.status, after.received, after.needs_review) == ("canceled", cad("17"), True)


# --- A dispute of two payments ------------------------------------------------


def disputed(shop: Shop, payment: Payment, state: DisputeState) -> Payment:
    shop.reporting.notice = Notice(
        event_id=f"{payment.id}-{state}",
        type="dispute",
        reference=payment.reference,
        disputes=(Dispute(reference="dp-9", state=state, amount=cad("51")),),
    )
    shop.hear()
    return shop.cashier.payment(payment)


@pytest.mark.parametrize("state", list(DisputeState))
def test_a_dispute_that_is_reported_for_two_payments_is_that_of_the_first(
    shop: Shop, state: DisputeState
) -> None:
    first, second = shop.paid("A"), shop.paid("B")
    disputed(shop, first, DisputeState.LOST)
    before = shop.cashier.chargebacks()

    after = disputed(shop, second, state)

    assert shop.cashier.chargebacks() == before
    assert shop.cashier.payment(first).disputed
    assert (after.disputed, after.needs_review) == (False, True)
    assert {"payment.alert", "payment.needs_review"} <= set(shop.events(second))
    assert not shop.cashier.reviewed(second, reason="a slip of the processor").needs_review


@pytest.mark.parametrize("reported", ["taken", "won"])
def test_money_of_a_dispute_of_another_payment_changes_nothing_of_that_one(
    shop: Shop, reported: str
) -> None:
    first, second = shop.paid("A"), shop.paid("B")
    shop.taken(first, "dp-9")
    before = shop.cashier.chargebacks()

    moved = Movement(movement_id="dp-9#2", kind=MovementKind.CHARGEBACK, amount=cad("51"))
    if reported == "won":
        won = MovementKind.CHARGEBACK_WON
        moved = Movement(movement_id="w-1", kind=won, amount=cad("51"), undoes="dp-9")
    shop.tell(second, moved)
    for _ in range(8):
        shop.clock.advance(days=2)
        shop.cashier.apply_callbacks()

    after = shop.cashier.payment(second)
    assert shop.cashier.chargebacks() == before
    assert (after.disputed, after.needs_review) == (False, True)
    assert shop.open("A") == "51.00"


def test_what_a_lost_dispute_gave_up_is_found_and_undone(shop: Shop) -> None:
    payment = shop.paid(via="card")
    shop.card.dispute(payment.reference)
    shop.card.lose_dispute(payment.reference)
    shop.cashier.inquire(payment)

    [given_up] = shop.cashier.write_offs("A")
    shop.cashier.undo_write_off(given_up)

    told = [e.data for e in shop.cashier.events(limit=1000) if e.type == "invoice.written_off"]
    assert [each["write_off"] for each in told] == [given_up.id]
    assert (given_up.amount, given_up.undone, shop.open()) == (cad("51"), False, "51.00")
    assert [each.undone for each in shop.cashier.write_offs("A")] == [True]


def test_a_debit_that_waits_to_settle_is_canceled_with_a_reason(shop: Shop) -> None:
    bank = FakeGateway("e_check", clock=shop.clock)
    cashier = Cashier.in_memory(
        gateways={"bank": {"gateway": bank, "credit_on": "settled"}}, clock=shop.clock
    )
    cashier.issue(number="A", customer="C", total=cad("37"), due="2026-12-01")
    payment = cashier.collect("A", via="bank", method="tok_bank", key="pay")
    shop.clock.advance(days=3)
    cashier.inquire(payment)
    with pytest.raises(ItemAlreadyBeingPaid) as held:
        cashier.collect("A", via="bank", method="tok_bank", key="again")
    assert "cancel" in held.value.ways[payment.id]

    with pytest.raises(NotYetRefundable):
        cashier.cancel(payment, key="back")
    payment = cashier.cancel(payment, key="back", force_reason="the payer asked twice").payment

    assert (payment.returned, cashier.invoice("A").claimed) == (cad("37"), cad("0"))
    assert cashier.fsck() == []


@pytest.mark.parametrize("way", ["assign", "cancel", "reverse"])
def test_every_way_out_of_another_currency_works(shop: Shop, way: str) -> None:
    payment = shop.paid(via="card", method="tok_other_currency")
    with pytest.raises(ItemAlreadyBeingPaid) as held:
        shop.cashier.collect("A", via="card", method="tok_visa", key="again")
    assert held.value.ways == {payment.id: ["assign", "cancel", "reverse"]}

    if way == "assign":
        shop.cashier.assign(payment, reason="as credit")
    elif way == "cancel":
        shop.cashier.cancel(payment, key="back")
    else:
        shop.cashier.reverse(payment, reason="it never came", force=True)

    assert shop.cashier.invoice("A").claimed == cad("0")
    assert shop.cashier.payment(payment).conflicted is False


def test_money_that_came_without_a_gateway_is_not_sent_back_by_one(shop: Shop) -> None:
    shop.issue("A", "20"), shop.issue("B", "6")
    recorded = shop.cashier.record("A", by="cash", amount=cad("26"), key="cash")
    by_credit = shop.cashier.pay_from_credit("B", key="use")

    for payment, verbs in (
        (recorded, ["record_refund", "reverse"]),
        (by_credit, ["undo_credit_use"]),
    ):
        with pytest.raises(NotRefundable, match=verbs[0]):
            shop.cashier.refund(payment, key="refund")
        with pytest.raises(NotCancelable, match=verbs[0]) as refused:
            shop.cashier.cancel(payment, key="cancel")
        assert refused.value.ways == verbs

    shop.cashier.undo_credit_use(by_credit)
    shop.cashier.reverse(recorded, reason="false notes")
    assert (shop.open("A"), shop.open("B"), shop.balance()) == ("20.00", "6.00", "0.00")
