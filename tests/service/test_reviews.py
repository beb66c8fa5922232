"""Reviews of a payment: each ends for itself, says why it was raised, and names what ends it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from paygate import Cashier, Kind, Money, Payment, ReviewCause
from paygate.dialogue import Dialogue
from paygate.domain.outcome import DeclineCode, Declined, Ended, Ending, Finding
from paygate.domain.review import REVIEWS
from paygate.errors import NoResponse, NothingToReverse
from paygate.gateway import Inquiry
from paygate.ledger import attempts, payments, reviews
from paygate.ledger.holding import hold_ledger
from paygate.ledger.tx import Tx
from paygate.service import events
from paygate.service.flow import transact
from paygate.testing import FakeClock, FakeGateway
from tests.service.world import assert_sound, usd

FLAG = "UPDATE paygate_attempt SET needs_review = 1, version = version + 1 WHERE id = :id"
NO = Declined(code=DeclineCode.GENERIC, raw_code="05", retryable=False)


class Desk(Cashier):
    """A cashier that writes to the ledger what only a rare fault of a processor would."""

    def write(self, work: Callable[[Tx], object]) -> None:
        def held(tx: Tx) -> None:
            hold_ledger(tx)
            work(tx)

        self._run(transact(held))


class Shop:
    """A shop with an invoice of 30.00, and processors for cards and for e-checks."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.card = FakeGateway(clock=self.clock)
        self.bank = FakeGateway(Kind.E_CHECK, clock=self.clock)
        self.kiosk = FakeGateway(Kind.VOUCHER, clock=self.clock)
        self.cashier = Desk.in_memory(
            gateways={"card": self.card, "bank": self.bank, "kiosk": self.kiosk},
            clock=self.clock,
        )
        self.cashier.issue(number="A", customer="C-1", total=usd("30"), due="2026-02-01")

    def pay(self, token: str = "tok_visa", via: str = "card") -> Payment:
        return self.cashier.collect("A", via=via, method=token, key=f"pay-{via}")


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()
    yield shop
    assert_sound(shop.cashier)
    shop.cashier.close()


def test_resolving_one_attempt_leaves_the_review_of_another(shop: Shop) -> None:
    payment = shop.pay()
    shop.card.script("partial")
    shop.cashier.refund(payment, amount=usd("4"), key="r1")
    shop.card.script("unknown_lost")
    shop.cashier.refund(payment, amount=usd("5"), key="r2")

    found = shop.cashier.resolve(payment, NO, evidence="their dashboard")

    assert found.needs_review
    assert [each.needs_review for each in shop.cashier.attempts(payment)] == [False, True, False]
    assert not shop.cashier.reviewed(payment, reason="the rest was paid in cash").needs_review


def test_assigning_other_money_leaves_the_review_of_a_refund(shop: Shop) -> None:
    payment = shop.pay("tok_other_amount")
    shop.card.script("partial")
    shop.cashier.refund(payment, amount=usd("8"), key="r1")

    found = shop.cashier.assign(payment, ["A"], reason="the payer rounded up")

    assert (found.conflicted, found.needs_review) == (False, True)
    assert [each.needs_review for each in shop.cashier.attempts(payment)] == [False, True]


# --- A reversal that the processor contradicts --------------------------------------------


def pay_out(shop: Shop, payment: Payment) -> None:
    shop.bank.pay_out(payment.reference)
    for callback in shop.bank.callbacks():
        shop.cashier.receive("bank", callback)
    shop.cashier.apply_callbacks()


def days(shop: Shop, count: int) -> None:
    for _ in range(count):
        shop.clock.advance(timedelta(days=1))
        shop.cashier.recover()


def debited(shop: Shop) -> Payment:
    payment = shop.pay("tok_bank", via="bank")
    shop.clock.advance(timedelta(days=4))
    return shop.cashier.inquire(payment)


@pytest.mark.parametrize("paid_out", ["before", "after"])
def test_money_that_settles_though_a_clerk_reversed_it_is_flagged_and_can_be_put_back(
    shop: Shop, paid_out: str
) -> None:
    payment = debited(shop)
    if paid_out == "before":
        pay_out(shop, payment)
    shop.cashier.reverse(payment, reason="letter of the bank, misread")
    if paid_out == "after":
        pay_out(shop, payment)
    assert not shop.cashier.payment(payment).needs_review

    days(shop, 20)

    found = shop.cashier.payment(payment)
    assert (found.needs_review, found.reversed, found.returned) == (True, True, usd("30"))
    told = [each for each in shop.cashier.events(limit=100) if each.type == "payment.needs_review"]
    assert ["undo_reversal" in str(each.data["reason"]) for each in told] == [True]

    found = shop.cashier.undo_reversal(payment, reason="the letter was about another payment")

    assert (found.needs_review, found.reversed, found.returned) == (False, False, usd("0"))
    assert shop.cashier.invoice("A").open == usd("0")
    assert sum(each.in_transit.minor for each in shop.cashier.receipts(payment)) == 0
    days(shop, 20)
    assert not shop.cashier.payment(payment).needs_review


def test_a_return_that_the_bank_reports_after_the_reversal_flags_nothing(shop: Shop) -> None:
    payment = debited(shop)
    pay_out(shop, payment)
    shop.cashier.reverse(payment, reason="letter of the bank")
    shop.bank.return_check(payment.reference)
    days(shop, 20)

    found = shop.cashier.payment(payment)

    assert (found.needs_review, found.returned) == (False, usd("30"))
    with pytest.raises(NothingToReverse, match="bank"):
        shop.cashier.undo_reversal(payment, reason="a mistake")


def test_a_reversal_is_undone_once_and_the_payment_can_be_reversed_again(shop: Shop) -> None:
    payment = shop.cashier.record("A", by="check", key="c")
    with pytest.raises(NothingToReverse):
        shop.cashier.undo_reversal(payment, reason="there is none")
    first = shop.cashier.reverse(payment, reason="the wrong check")
    assert shop.cashier.invoice("A").open == usd("30")

    shop.cashier.undo_reversal(payment, reason="the wrong check")
    again = shop.cashier.undo_reversal(payment, reason="the wrong check")

    assert (again.returned, again.reversal) == (usd("0"), None)
    assert shop.cashier.invoice("A").open == usd("0")
    second = shop.cashier.reverse(payment, reason="the check bounced")
    assert second.number != first.number
    assert shop.cashier.invoice("A").open == usd("30")


def test_an_invoice_that_was_paid_again_since_the_reversal_is_not_paid_twice(shop: Shop) -> None:
    payment = shop.cashier.record("A", by="check", key="c")
    shop.cashier.reverse(payment, reason="the wrong check")
    shop.cashier.record("A", by="cash", key="d")

    shop.cashier.undo_reversal(payment, reason="the wrong check")

    assert shop.cashier.balance("C-1") == {"USD": usd("30")}


# --- What a payment says of its reviews ---------------------------------------------------


def scripted(script: str, verb: str) -> Callable[[Shop], Payment]:
    """Return what makes a payment of which the processor does *verb* in its own way."""

    def make(shop: Shop) -> Payment:
        cashier = shop.cashier
        if verb == "capture":
            payment = cashier.authorize("A", via="card", method="tok_visa", key="h")
            shop.card.script(script)
            return cashier.capture(payment, key="c").payment
        payment = shop.pay()
        shop.card.script(script)
        return cashier.refund(payment, amount=usd("8"), key="r").payment

    return make


def flagged(operation: str, token: str = "tok_visa") -> Callable[[Shop], Payment]:
    """Return what makes a payment whose last attempt waits for a person, whatever its state."""

    def make(shop: Shop) -> Payment:
        cashier = shop.cashier
        if operation == "authorize":
            payment = cashier.authorize("A", via="card", method=token, key="h")
        else:
            payment = shop.pay(token)
        if operation == "void":
            cashier.cancel(payment, key="v")
        attempt = cashier.attempts(payment)[-1].id

        def flag(tx: Tx) -> None:
            tx.run(FLAG, {"id": attempt})
            attempts.renew_answers(tx, payment.id)
            payments.set_status(tx, payment.id, payment.status, needs_review=True)

        shop.cashier.write(flag)
        return cashier.payment(payment)

    return make


def raised(cause: str) -> Callable[[Shop], Payment]:
    """Return what makes a payment under review for a cause that is no matter of an attempt."""

    def make(shop: Shop) -> Payment:
        payment = shop.pay()
        shop.cashier.write(lambda tx: reviews.raise_(tx, payment.id, cause))
        return shop.cashier.payment(payment)

    return make


def contradicted(shop: Shop) -> Payment:
    payment = debited(shop)
    pay_out(shop, payment)
    shop.cashier.reverse(payment, reason="misread")
    days(shop, 20)
    return shop.cashier.payment(payment)


def unidentified(shop: Shop) -> Payment:
    shop.kiosk.pay_number("VA-1", usd("12"))
    for callback in shop.kiosk.callbacks():
        shop.cashier.receive("kiosk", callback)
    shop.cashier.apply_callbacks()
    return shop.cashier.payments()[0]


def contradiction(shop: Shop) -> Payment:
    payment = shop.pay()
    shop.cashier.write(
        lambda tx: payments.set_status(
            tx, payment.id, payment.status, needs_review=True, conflicted=True
        )
    )
    found = shop.cashier.payment(payment)
    shop.cashier.write(
        lambda tx: events.emit(tx, "payment.conflicted", found, reason="told otherwise")
    )
    return found


def other_hold(shop: Shop) -> Payment:
    return shop.cashier.authorize("A", via="card", method="tok_other_amount", key="h")


MADE: dict[ReviewCause, Callable[[Shop], Payment]] = {
    ReviewCause.OTHER_MONEY: lambda shop: shop.pay("tok_other_amount"),
    ReviewCause.FOREIGN_MONEY: lambda shop: shop.pay("tok_other_currency"),
    ReviewCause.OTHER_HOLD: other_hold,
    ReviewCause.CONTRADICTION: contradiction,
    ReviewCause.IN_DOUBT: flagged("charge", "tok_unknown_lost"),
    ReviewCause.UNDECIDED: flagged("charge", "tok_pending"),
    ReviewCause.HOLD: flagged("authorize"),
    ReviewCause.REFUND: scripted("partial", "refund"),
    ReviewCause.CAPTURE: scripted("partial", "capture"),
    ReviewCause.VOID: flagged("void"),
    ReviewCause.LATE_REPORT: flagged("charge"),
    ReviewCause.EXCESS: raised(reviews.EXCESS),
    ReviewCause.UNSETTLED: raised(reviews.UNSETTLED),
    ReviewCause.REFUND_UNSETTLED: raised(f"{reviews.REFUND_UNSETTLED}:rcp_1"),
    ReviewCause.CONTRADICTED: contradicted,
    ReviewCause.UNBROUGHT: raised(reviews.UNBROUGHT),
    ReviewCause.UNIDENTIFIED: unidentified,
    ReviewCause.TWICE: raised("twice:capture:mv-1"),
    ReviewCause.OTHER_ACCOUNT: raised("other-account:bank"),
    ReviewCause.DISPUTE: raised("dispute:dsp_1"),
    ReviewCause.DISPUTE_ELSEWHERE: raised("dispute-elsewhere:dsp_1"),
}
ENDS: dict[str, Callable[[Shop, Payment], object]] = {
    "assign": lambda shop, payment: shop.cashier.assign(
        payment, (), reason="credit", customer=payment.customer or "C-1"
    ),
    "refund": lambda shop, payment: shop.cashier.refund(payment, key="end"),
    "cancel": lambda shop, payment: shop.cashier.cancel(payment, key="end"),
    "inquire": lambda shop, payment: shop.cashier.inquire(payment),
    "resolve": lambda shop, payment: shop.cashier.resolve(
        payment, Ended(how=Ending.CANCELED), evidence="their dashboard"
    ),
    "reviewed": lambda shop, payment: shop.cashier.reviewed(payment, reason="it is right"),
    "undo_reversal": lambda shop, payment: shop.cashier.undo_reversal(payment, reason="misread"),
}


@pytest.mark.parametrize(
    ("cause", "verb"), [(cause, verb) for cause, (_, verbs) in REVIEWS.items() for verb in verbs]
)
def test_each_verb_that_a_review_names_ends_it(shop: Shop, cause: ReviewCause, verb: str) -> None:
    payment = MADE[cause](shop)
    assert [each.cause for each in payment.reviews] == [cause]
    [review] = payment.reviews
    assert (payment.needs_review, verb in review.verbs) == (True, True)
    if verb == "inquire":
        ENDS[verb](shop, payment)  # it may bring no answer: resolve is there for that
        return

    ENDS[verb](shop, payment)

    found = shop.cashier.payment(payment)
    assert (found.reviews, found.needs_review) == ((), False)


def test_each_cause_has_a_sentence_and_a_verb() -> None:
    assert set(REVIEWS) == set(ReviewCause)
    assert all(reason and verbs for reason, verbs in REVIEWS.values())


# --- Money in another currency ------------------------------------------------------------


def test_money_in_another_currency_is_never_shown_under_that_of_the_payment() -> None:
    card = FakeGateway()
    with Cashier.in_memory(gateways={"card": card}) as cashier:
        yen = Money("JPY", 500)
        cashier.issue(number="Y", customer="C-1", total=yen, due="2026-02-01")

        paid = cashier.collect("Y", via="card", method="tok_other_currency", key="k")

        [other] = paid.foreign
        came, nothing = other.received, Money.zero(other.received.currency)
        assert came.currency != "JPY"
        assert (paid.received, paid.unallocated) == (Money("JPY", 0), Money("JPY", 0))
        assert (other.unallocated, other.returned, paid.undecided) == (came, nothing, (came,))
        assigned = cashier.assign(paid, (), reason="they pay in euro")
        assert assigned.credited == Money("JPY", 0)
        assert [each.credited for each in assigned.foreign] == [came]
        assert (assigned.undecided, cashier.balance("C-1")) == ((), {came.currency: came})


# --- An inquiry without an answer ---------------------------------------------------------


class Away(FakeGateway):
    """A processor that may be away when it is asked."""

    away = True

    def look_up(self, inquiry: Inquiry) -> Dialogue[Finding]:
        if self.away:
            raise NoResponse("nothing within 30 s")
        return super().look_up(inquiry)


def test_an_inquiry_that_got_no_answer_says_so() -> None:
    clock = FakeClock()
    card = Away(clock=clock)
    with Cashier.in_memory(gateways={"card": card}, clock=clock) as cashier:
        for number in ("A", "B"):
            cashier.issue(number=number, customer="C-1", total=usd("30"), due="2026-02-01")
        pending = [
            cashier.collect(number, via="card", method="tok_pending", key=number)
            for number in ("A", "B")
        ]
        assert [each.unanswered for each in pending] == ["", ""]

        assert "nothing within 30 s" in cashier.inquire(pending[0]).unanswered
        cashier.recover()  # what the feed has told before
        clock.advance(timedelta(hours=12))
        asked = cashier.recover()
        assert (len(asked), all(each.unanswered for each in asked)) == (2, True)

        card.away = False
        assert cashier.inquire(pending[0]).unanswered == ""
