"""Every hold ends: by an answer, by time, or by a verb that the refusal names."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

import pytest

from paygate import Cashier, Money
from paygate.dialogue import Dialogue, at_once
from paygate.domain.action import Redirect
from paygate.domain.attempt import AttemptState
from paygate.domain.kind import Kind, Operation
from paygate.domain.mandate import Mandate
from paygate.domain.movement import Movement, MovementKind
from paygate.domain.outcome import (
    ActionRequired,
    Answer,
    Approved,
    Authorized,
    DeclineCode,
    Declined,
    Ended,
    Ending,
    Finding,
    Outcome,
    Pending,
    RejectCause,
    Rejected,
    Unknown,
)
from paygate.domain.payment import Payment, PaymentStatus
from paygate.errors import (
    AlreadyPaid,
    CurrencyMismatch,
    ItemAlreadyBeingPaid,
    NotCancelable,
    NotRefundable,
)
from paygate.gateway import Capture, Charge, Completion, Inquiry, InquiryBy, Refunding, Voiding
from paygate.ledger import attempts
from paygate.ledger.attempts import AttemptRow
from paygate.testing import FakeClock, FakeGateway

T = TypeVar("T")
KEYS = ["cGF5Z2F0ZS1ob2xkcy10ZXN0cy0zMi1ieXRlcy1rZXk="]
BACK = "https://shop.example/back"
PAGE = Redirect(url="https://bank.example/page")
ENDS: dict[str, tuple[Finding, AttemptState]] = {
    "rejected": (
        Rejected(cause=RejectCause.STATE, retryable=False, raw_code="R9"),
        AttemptState.FAILED,
    ),
    "declined": (
        Declined(code=DeclineCode.GENERIC, raw_code="R9", retryable=False),
        AttemptState.DECLINED,
    ),
    "closed": (Ended(how=Ending.CANCELED), AttemptState.CANCELED),
}


class Scripted(FakeGateway):
    """A gateway that answers what `says` holds for a method, and else as the fake does."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.says: dict[str, Any] = {}
        self.finds: dict[str, Finding] = {}
        self.asked: list[Inquiry] = []

    def _say(self, name: str, otherwise: Callable[[], Dialogue[T]]) -> Dialogue[T]:
        return at_once(self.says[name]) if name in self.says else otherwise()

    def charge(self, charge: Charge) -> Dialogue[Outcome]:
        return self._say("charge", lambda: super(Scripted, self).charge(charge))

    def capture(self, capture: Capture) -> Dialogue[Outcome]:
        return self._say("capture", lambda: super(Scripted, self).capture(capture))

    def void(self, voiding: Voiding) -> Dialogue[Outcome]:
        return self._say("void", lambda: super(Scripted, self).void(voiding))

    def refund(self, refunding: Refunding) -> Dialogue[Outcome]:
        return self._say("refund", lambda: super(Scripted, self).refund(refunding))

    def complete(self, completion: Completion) -> Dialogue[Outcome]:
        return self._say("complete", lambda: super(Scripted, self).complete(completion))

    def look_up(self, inquiry: Inquiry) -> Dialogue[Finding]:
        self.asked.append(inquiry)
        if inquiry.operation in self.finds:
            return at_once(self.finds[inquiry.operation])
        return self._say("look_up", lambda: super(Scripted, self).look_up(inquiry))


class Shop:
    def __init__(self, clock: FakeClock, **gateways: FakeGateway) -> None:
        self.clock = clock
        self.cashier = Cashier.in_memory(gateways=gateways, clock=clock, token_keys=KEYS)

    def issue(self, number: str, amount: str = "61.00", currency: str = "USD") -> None:
        total = Money.of(currency, amount)
        self.cashier.issue(number=number, customer="C-7", total=total, due="2031-05-01")

    def days(self, count: int) -> None:
        for _ in range(count):
            self.clock.advance(days=1)
            self.cashier.recover()

    def events(self, kind: str) -> int:
        return sum(event.type == kind for event in self.cashier.events(limit=1000))

    def claimed(self, number: str) -> str:
        return str(self.cashier.invoice(number).claimed)

    def page(self, number: str, via: str, key: str = "page") -> Payment:
        return self.cashier.collect(number, via=via, key=key, return_url=BACK)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


# --- What was accepted and ends badly -------------------------------------------------------


@pytest.mark.parametrize("end", ENDS)
def test_a_pending_refund_that_ends_badly_frees_its_amount(end: str, clock: FakeClock) -> None:
    card = Scripted(clock=clock)
    shop = Shop(clock, card=card)
    shop.issue("N-1")
    payment = shop.cashier.collect("N-1", via="card", method="tok_visa", key="a")
    card.says = {"refund": Pending(reference="rf"), "look_up": ENDS[end][0]}
    shop.cashier.refund(payment, key="b")

    shop.days(1)

    assert [a.state for a in shop.cashier.attempts(payment)][-1] is ENDS[end][1]
    assert shop.events("payment.refund_failed") == 1
    card.says = {}
    assert shop.cashier.refund(payment, key="c").payment.returned == Money.of("USD", "61.00")
    assert shop.cashier.fsck() == []


def test_a_refund_whose_answer_was_lost_ends_when_the_gateway_shows_its_refusal(
    clock: FakeClock,
) -> None:
    card = Scripted(clock=clock)
    shop = Shop(clock, card=card)
    shop.issue("N-1")
    payment = shop.cashier.collect("N-1", via="card", method="tok_visa", key="a")
    refused = Rejected(cause=RejectCause.STATE, retryable=False, reference="rf", raw_code="R9")
    card.says = {"refund": Unknown(reason="timeout"), "look_up": refused}
    shop.cashier.refund(payment, key="b")

    shop.days(1)

    assert shop.cashier.attempts(payment)[-1].state is AttemptState.FAILED
    assert shop.events("payment.refund_failed") == 1
    card.says = {}
    assert shop.cashier.refund(payment, key="c").payment.returned == Money.of("USD", "61.00")
    assert shop.cashier.fsck() == []


@pytest.mark.parametrize("cause", [RejectCause.STATE, RejectCause.PERMISSION])
def test_a_refused_inquiry_says_nothing_of_a_refund(cause: RejectCause, clock: FakeClock) -> None:
    card = Scripted(clock=clock)
    shop = Shop(clock, card=card)
    shop.issue("N-1")
    payment = shop.cashier.collect("N-1", via="card", method="tok_visa", key="a")
    named = "rf" if cause is RejectCause.PERMISSION else ""
    refused = Rejected(cause=cause, retryable=False, reference=named)
    card.says = {"refund": Unknown(reason="timeout"), "look_up": refused}
    shop.cashier.refund(payment, key="b")

    shop.days(1)

    assert shop.cashier.attempts(payment)[-1].state is AttemptState.UNKNOWN


@pytest.mark.parametrize("end", ENDS)
def test_a_pending_capture_that_ends_badly_can_be_made_again(end: str, clock: FakeClock) -> None:
    card = Scripted(clock=clock)
    shop = Shop(clock, card=card)
    shop.issue("N-1")
    payment = shop.cashier.authorize("N-1", via="card", method="tok_visa", key="a")
    card.says = {"capture": Pending(reference="cp"), "look_up": ENDS[end][0]}
    shop.cashier.capture(payment, key="b")

    shop.cashier.inquire(shop.cashier.attempts(payment)[-1].payment)

    capture = shop.cashier.attempts(payment)[-1]
    assert capture.state is ENDS[end][1]
    assert shop.events("payment.capture_failed") == 1


def test_a_capture_that_finds_the_hold_over_ends_it(clock: FakeClock) -> None:
    card = Scripted(clock=clock)
    shop = Shop(clock, card=card)
    shop.issue("N-1")
    payment = shop.cashier.authorize("N-1", via="card", method="tok_visa", key="a")
    card.says = {"capture": Ended(how=Ending.EXPIRED)}

    after = shop.cashier.capture(payment, key="b").payment

    assert after.status is PaymentStatus.EXPIRED
    assert after.received == Money.zero("USD")
    assert shop.claimed("N-1") == "0.00 USD"
    assert shop.cashier.fsck() == []
    card.says = {}
    assert shop.cashier.collect("N-1", via="card", method="tok_visa", key="c").received


@pytest.mark.parametrize("pending", [False, True])
def test_a_capture_that_was_called_off_leaves_the_hold(pending: bool, clock: FakeClock) -> None:
    card = Scripted(clock=clock)
    shop = Shop(clock, card=card)
    shop.issue("N-1")
    payment = shop.cashier.authorize("N-1", via="card", method="tok_visa", key="a")
    called_off = Ended(how=Ending.CANCELED)
    card.says = {"capture": Pending(reference="cp") if pending else called_off}
    card.finds = {Operation.CAPTURE: called_off}
    shop.cashier.capture(payment, key="b")
    shop.cashier.inquire(payment)

    card.says, card.finds = {}, {}

    assert shop.cashier.payment(payment.id).status is PaymentStatus.AUTHORIZED
    assert shop.cashier.capture(payment, key="c").payment.received == Money.of("USD", "61.00")
    assert shop.cashier.fsck() == []


def test_a_hold_ends_with_the_last_capture_that_found_it_over(clock: FakeClock) -> None:
    card = Scripted(clock=clock, partial_capture=True, multiple_capture=True)
    shop = Shop(clock, card=card)
    shop.issue("N-1")
    payment = shop.cashier.authorize("N-1", via="card", method="tok_visa", key="a")
    part = Money.of("USD", "20.00")
    shop.cashier.capture(payment, amount=part, final=False, key="b")
    card.says = {"capture": Ended(how=Ending.EXPIRED)}

    after = shop.cashier.capture(payment, amount=part, key="c").payment

    assert (after.status, after.received) == (PaymentStatus.SUCCEEDED, part)
    assert shop.claimed("N-1") == "0.00 USD"
    assert shop.cashier.fsck() == []


def test_money_of_a_capture_that_comes_after_its_hold_has_ended_counts(clock: FakeClock) -> None:
    card = Scripted(clock=clock, partial_capture=True, multiple_capture=True)
    shop = Shop(clock, card=card)
    shop.issue("N-1")
    payment = shop.cashier.authorize("N-1", via="card", method="tok_visa", key="a")
    part = Money.of("USD", "20.00")
    card.says = {"capture": Pending(reference="cp"), "look_up": Ended(how=Ending.EXPIRED)}
    shop.cashier.capture(payment, amount=part, final=False, key="b")
    card.finds = {Operation.CAPTURE: Pending(reference="cp")}
    shop.days(8)
    assert shop.cashier.payment(payment.id).status is PaymentStatus.EXPIRED

    came = Movement(movement_id="mv_late", amount=part, kind=MovementKind.CAPTURE)
    card.finds = {Operation.CAPTURE: Approved(reference="cp", movements=(came,))}
    after = shop.cashier.inquire(payment)

    assert (after.status, after.received) == (PaymentStatus.SUCCEEDED, part)
    assert str(shop.cashier.invoice("N-1").open) == "41.00 USD"
    assert shop.events("payment.captured") == 1
    assert shop.cashier.fsck() == []


@pytest.mark.parametrize("end", ENDS)
def test_a_pending_void_that_ends_badly_lets_the_money_be_refunded(
    end: str, clock: FakeClock
) -> None:
    card = Scripted(clock=clock)
    shop = Shop(clock, card=card)
    shop.issue("N-1")
    payment = shop.cashier.collect("N-1", via="card", method="tok_visa", key="a")
    card.says = {"void": Pending(reference="vd"), "look_up": ENDS[end][0]}
    shop.cashier.cancel(payment, key="b")

    shop.days(1)

    assert shop.events("payment.void_failed") == 1
    card.says = {}
    assert shop.cashier.refund(payment, key="c").payment.returned == Money.of("USD", "61.00")


# --- Pages ----------------------------------------------------------------------------------


def test_a_payer_who_comes_back_without_paying_holds_nothing(clock: FakeClock) -> None:
    slow, card = Scripted(Kind.REDIRECT, clock=clock), FakeGateway(clock=clock)
    shop = Shop(clock, slow=slow, card=card)
    shop.issue("N-2")
    page = shop.page("N-2", "slow")
    slow.says = {"complete": ActionRequired(action=PAGE, reference=page.reference)}

    back = shop.cashier.complete(page).payment

    assert (back.status, back.action) == (PaymentStatus.REQUIRES_ACTION, PAGE)
    assert shop.claimed("N-2") == "0.00 USD"
    paid = shop.cashier.collect("N-2", via="card", method="tok_visa", key="b")
    assert paid.status is PaymentStatus.SUCCEEDED
    assert shop.cashier.fsck() == []


def test_a_page_that_cannot_be_shown_again_is_as_open_as_before(clock: FakeClock) -> None:
    slow = Scripted(Kind.REDIRECT, clock=clock)
    shop = Shop(clock, slow=slow)
    shop.issue("N-2")
    page = shop.page("N-2", "slow")
    slow.says = {"complete": ActionRequired(action=None, reference=page.reference)}

    back = shop.cashier.complete(page).payment

    assert (back.status, back.action) == (PaymentStatus.REQUIRES_ACTION, page.action)
    assert shop.claimed("N-2") == "0.00 USD"
    assert shop.cashier.attempts(page)[-1].code == "not_finished"
    assert shop.cashier.fsck() == []


def test_a_payer_who_comes_back_twice_is_asked_about_twice(clock: FakeClock) -> None:
    slow = Scripted(Kind.REDIRECT, clock=clock)
    shop = Shop(clock, slow=slow)
    shop.issue("N-2")
    page = shop.page("N-2", "slow")
    slow.says = {"complete": ActionRequired(action=PAGE, reference=page.reference)}
    shop.cashier.complete(page)

    slow.says = {"complete": Pending(reference=page.reference)}
    again = shop.cashier.complete(page).payment

    assert again.status is PaymentStatus.PROCESSING
    assert shop.claimed("N-2") == "61.00 USD"


def test_a_completion_that_is_refused_says_nothing_of_money_that_is_coming(
    clock: FakeClock,
) -> None:
    slow = Scripted(Kind.REDIRECT, clock=clock)
    shop = Shop(clock, slow=slow)
    shop.issue("N-2")
    page = shop.page("N-2", "slow")

    def refuse(completion: Completion) -> Dialogue[Outcome]:
        slow.says = {"look_up": Pending(reference=page.reference)}
        shop.cashier.inquire(page)  # the news was faster than the answer
        return at_once(Rejected(cause=RejectCause.STATE, retryable=False))

    slow.complete = refuse  # type: ignore[method-assign]
    after = shop.cashier.complete(page).payment

    assert after.status is PaymentStatus.PROCESSING
    assert shop.claimed("N-2") == "61.00 USD"


def test_a_try_that_is_told_again_by_each_inquiry_is_noted_once(clock: FakeClock) -> None:
    slow = Scripted(Kind.REDIRECT, clock=clock)
    shop = Shop(clock, slow=slow)
    shop.issue("N-3")
    slow.says = {"charge": ActionRequired(action=PAGE, reference="r")}
    page = shop.page("N-3", "slow")
    tried = Declined(code=DeclineCode.LIMIT_EXCEEDED, raw_code="61", retryable=True)
    slow.says = {"look_up": tried}

    shop.days(6)

    assert shop.cashier.payment(page).status is PaymentStatus.REQUIRES_ACTION
    assert shop.events("payment.declined_try") == 1


def test_a_final_decline_ends_the_page_with_its_code(clock: FakeClock) -> None:
    slow = Scripted(Kind.REDIRECT, clock=clock)
    shop = Shop(clock, slow=slow)
    shop.issue("N-3")
    page = shop.page("N-3", "slow")
    last = Declined(code=DeclineCode.LIMIT_EXCEEDED, raw_code="61", retryable=False, final=True)
    slow.says = {"look_up": last}

    shop.days(2)

    after = shop.cashier.payment(page)
    assert (after.status, after.code, after.raw_code) == (
        PaymentStatus.DECLINED,
        "limit_exceeded",
        "61",
    )
    assert len(slow.asked) == 1


@pytest.mark.parametrize("ends_after", [None, 3])
def test_a_page_that_stays_open_is_not_asked_about_without_end(
    ends_after: int | None, clock: FakeClock
) -> None:
    slow = Scripted(Kind.REDIRECT, clock=clock)
    shop = Shop(clock, slow=slow)
    shop.issue("N-4")
    expires_at = None if ends_after is None else clock.now() + timedelta(days=ends_after)
    still: Answer = ActionRequired(action=PAGE, reference="r", expires_at=expires_at)
    slow.says = {"charge": still, "look_up": still}
    page = shop.page("N-4", "slow")

    shop.days(45)
    asked = len(slow.asked)
    shop.days(20)

    after = shop.cashier.payment(page)
    assert (after.status, after.needs_review) == (PaymentStatus.REQUIRES_ACTION, True)
    assert asked < 45
    assert len(slow.asked) == asked
    assert shop.events("payment.needs_review") == 1
    ended = shop.cashier.resolve(page, Ended(how=Ending.EXPIRED), evidence="seen there")
    assert (ended.status, ended.needs_review) == (PaymentStatus.EXPIRED, False)


# --- What was accepted, and nobody says how it ended ------------------------------------------


def _accepted(what: str, shop: Shop, via: Scripted, pending: Pending) -> Payment:
    """A payment with a charge or refund that was accepted, and which nobody knows later."""
    shop.issue("N-4")
    via.says = {"charge": Unknown(reason="?", reference="r")} if what == "late" else {}
    via.says |= {"charge": pending} if what == "charge" else {"refund": pending}
    payment = shop.cashier.collect("N-4", via="via", method="tok_visa", key="a")
    if what == "refund":
        shop.cashier.refund(payment, key="r")
    if what == "late":
        shop.cashier.resolve(payment, Ended(how=Ending.CANCELED), evidence="their dashboard")
        via.says["look_up"] = pending
        shop.cashier.inquire(payment)
    via.says["look_up"] = Unknown(reason="the gateway does not say")
    return payment


ACCEPTED = ("charge", "refund", "late")


@pytest.mark.parametrize("what", ACCEPTED)
@pytest.mark.parametrize("expected", [None, 12])
def test_what_is_accepted_and_never_decided_is_flagged_once_and_resolved(
    expected: int | None, what: str, clock: FakeClock
) -> None:
    via = Scripted(clock=clock)
    shop = Shop(clock, via=via)
    expected_at = None if expected is None else clock.now() + timedelta(days=expected)
    payment = _accepted(what, shop, via, Pending(reference="r", expected_at=expected_at))

    shop.days(29 + (expected or 0))
    early = shop.cashier.payment(payment).needs_review
    shop.days(20)

    assert not early
    assert [each.id for each in shop.cashier.payments(needs_review=True)] == [payment.id]
    assert shop.events("payment.needs_review") == 1
    after = shop.cashier.resolve(payment, Ended(how=Ending.CANCELED), evidence="by phone")
    assert not after.needs_review
    assert shop.claimed("N-4") == "0.00 USD"
    assert shop.cashier.fsck() == []


@pytest.mark.parametrize("what", ["charge", "late"])
def test_what_is_accepted_and_never_decided_holds_its_invoice_until_it_is_resolved(
    what: str, clock: FakeClock
) -> None:
    via = Scripted(clock=clock)
    shop = Shop(clock, via=via, card=FakeGateway(clock=clock))
    payment = _accepted(what, shop, via, Pending(reference="r"))

    shop.days(33)
    shop.cashier.reviewed(payment, reason="the bank looks for it")
    shop.days(20)

    assert not shop.cashier.payment(payment).needs_review
    with pytest.raises(ItemAlreadyBeingPaid, match="resolve") as caught:
        shop.cashier.collect("N-4", via="card", method="tok_visa", key="b")
    assert "resolve" in caught.value.ways[payment.id]
    shop.days(15)
    assert shop.cashier.payment(payment).needs_review


def test_what_is_decided_after_it_was_flagged_needs_no_person_any_more(clock: FakeClock) -> None:
    via = Scripted(clock=clock)
    shop = Shop(clock, via=via)
    payment = _accepted("charge", shop, via, Pending(reference="r"))
    shop.days(33)
    flagged = shop.cashier.payment(payment).needs_review
    moved = Movement(movement_id="m", amount=payment.amount)
    via.says["look_up"] = Approved(reference="r", movements=(moved,))

    shop.days(1)

    after = shop.cashier.payment(payment)
    assert (flagged, after.status, after.needs_review) == (True, PaymentStatus.SUCCEEDED, False)
    assert shop.cashier.fsck() == []


def test_what_nobody_can_be_asked_about_is_flagged_as_well(clock: FakeClock) -> None:
    class Mute(Scripted):
        look_up = None  # type: ignore[assignment]

    via = Mute(clock=clock)
    shop = Shop(clock, via=via)
    shop.issue("N-4")
    via.says = {"charge": Pending(reference="r")}
    payment = shop.cashier.collect("N-4", via="via", method="tok_visa", key="a")

    shop.days(29)
    early = shop.cashier.payment(payment).needs_review
    shop.days(2)

    assert (early, shop.cashier.payment(payment).needs_review) == (False, True)


# --- The way out that a refusal names ---------------------------------------------------------


def debit_pending(shop: Shop) -> Payment:
    shop.issue("N-5")
    payment = shop.cashier.collect("N-5", via="bank", method="tok_bank", key="a")
    assert payment.status is PaymentStatus.PROCESSING
    return payment


@pytest.fixture
def bank(clock: FakeClock) -> Scripted:
    return Scripted(Kind.E_CHECK, clock=clock)


def test_a_debit_that_is_pending_is_withdrawn(bank: Scripted, clock: FakeClock) -> None:
    shop = Shop(clock, bank=bank)
    payment = debit_pending(shop)

    after = shop.cashier.cancel(payment, key="b").payment

    assert (after.status, after.received) == (PaymentStatus.CANCELED, Money.zero("USD"))
    assert shop.claimed("N-5") == "0.00 USD"
    assert shop.cashier.cancel(payment, key="b").payment == after
    again = shop.cashier.collect("N-5", via="bank", method="tok_bank", key="c")
    assert again.status is PaymentStatus.PROCESSING
    assert shop.cashier.fsck() == []


def test_a_debit_stays_claimed_until_its_void_is_answered(bank: Scripted, clock: FakeClock) -> None:
    shop = Shop(clock, bank=bank)
    payment = debit_pending(shop)
    bank.says = {"void": Pending(reference="vd")}

    after = shop.cashier.cancel(payment, key="b").payment

    assert after.status is PaymentStatus.PROCESSING
    assert shop.claimed("N-5") == "61.00 USD"
    bank.says = {"look_up": Rejected(cause=RejectCause.STATE, retryable=False)}
    void = shop.cashier.attempts(payment)[-1]
    assert void.state is AttemptState.PENDING


def test_a_void_of_a_debit_that_loses_to_the_money_leaves_it(
    bank: Scripted, clock: FakeClock
) -> None:
    shop = Shop(clock, bank=bank)
    payment = debit_pending(shop)
    bank.says = {"void": Rejected(cause=RejectCause.STATE, retryable=False)}

    shop.cashier.cancel(payment, key="b")

    bank.says = {}
    shop.days(5)
    after = shop.cashier.payment(payment)
    assert (after.status, str(after.received)) == (PaymentStatus.SUCCEEDED, "61.00 USD")
    assert shop.events("payment.void_failed") == 1


def test_money_of_a_debit_that_was_withdrawn_is_late_and_on_its_invoice(
    bank: Scripted, clock: FakeClock
) -> None:
    shop = Shop(clock, bank=bank)
    payment = debit_pending(shop)
    bank.says = {"void": Approved()}
    shop.cashier.cancel(payment, key="b")

    bank.says = {}
    shop.cashier.inquire(payment)
    shop.days(5)
    shop.cashier.inquire(payment)

    after = shop.cashier.payment(payment)
    assert (after.status, str(after.received)) == (PaymentStatus.SUCCEEDED, "61.00 USD")
    assert shop.events("payment.late_success") == 1
    assert shop.cashier.fsck() == []


def test_a_void_that_took_back_money_of_a_pending_debit_books_both(clock: FakeClock) -> None:
    card = Scripted(clock=clock)
    shop = Shop(clock, card=card)
    shop.issue("N-6", "44.00")
    came = Movement(movement_id="m-6", amount=Money.of("USD", "44.00"))
    went = Movement(movement_id="v-6", amount=came.amount, kind=MovementKind.VOID, undoes="m-6")
    card.says = {"charge": Pending(reference="d-6"), "void": Pending(reference="w-6")}
    payment = shop.cashier.collect("N-6", via="card", method="tok_visa", key="a")
    shop.cashier.cancel(payment, key="b")

    # The void is heard of first, and then the debit that it undid.
    card.finds = {"void": Approved(reference="w-6", movements=(went,))}
    shop.days(1)
    heard = shop.cashier.payment(payment)
    card.finds = {"charge": Approved(reference="d-6", movements=(came,))}
    shop.cashier.inquire(payment)

    for seen in (heard, shop.cashier.payment(payment)):
        assert seen.status is PaymentStatus.SUCCEEDED
        assert (seen.received, seen.returned) == (came.amount, came.amount)
    assert (shop.claimed("N-6"), shop.cashier.invoice("N-6").open) == ("0.00 USD", came.amount)
    assert shop.events("payment.late_success") == 0
    assert shop.cashier.fsck() == []


def test_a_void_without_its_money_is_reviewed(clock: FakeClock) -> None:
    card = Scripted(clock=clock)
    shop = Shop(clock, card=card)
    shop.issue("N-5")
    payment = shop.cashier.collect("N-5", via="card", method="tok_visa", key="a")
    card.says = {"void": Approved()}

    after = shop.cashier.cancel(payment, key="b").payment

    assert (after.status, after.needs_review) == (PaymentStatus.SUCCEEDED, True)


def test_an_unknown_void_blocks_a_refund(clock: FakeClock) -> None:
    card = Scripted(clock=clock)
    shop = Shop(clock, card=card)
    shop.issue("N-5")
    payment = shop.cashier.collect("N-5", via="card", method="tok_visa", key="a")
    card.says = {"void": Unknown(reason="timeout")}
    shop.cashier.cancel(payment, key="b")

    with pytest.raises(NotRefundable, match="being voided"):
        shop.cashier.refund(payment, key="c")


HOLDERS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "unknown": ({"charge": Unknown(reason="timeout")}, ["inquire", "resolve"]),
    "pending": ({"charge": Pending(reference="r")}, ["cancel", "resolve"]),
    "authorised": ({}, ["capture", "cancel"]),
    "other money": (
        {
            "charge": Approved(
                movements=(Movement(movement_id="m", amount=Money.of("USD", "122.00")),)
            )
        },
        ["assign", "refund"],
    ),
    "completing": ({"complete": Unknown(reason="timeout")}, ["inquire", "resolve"]),
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_the_refusal_names_the_ways_out_of_the_hold(holder: str, clock: FakeClock) -> None:
    says, ways = HOLDERS[holder]
    kind = Kind.REDIRECT if holder == "completing" else Kind.CARD
    via, card = Scripted(kind, clock=clock), FakeGateway(clock=clock)
    shop = Shop(clock, via=via, card=card)
    shop.issue("N-6")
    via.says = says
    more: dict[str, Any] = {"method": "tok_visa"}
    if holder == "completing":
        payment = shop.cashier.complete(shop.page("N-6", "via")).payment
    elif holder == "authorised":
        payment = shop.cashier.authorize("N-6", via="via", key="a", **more)
    else:
        payment = shop.cashier.collect("N-6", via="via", key="a", **more)

    refusals: list[ItemAlreadyBeingPaid] = []
    for refused in (
        lambda: shop.cashier.collect("N-6", via="card", method="tok_visa", key="b"),
        lambda: shop.cashier.void("N-6", reason="wrong"),
    ):
        with pytest.raises(ItemAlreadyBeingPaid) as caught:
            refused()
        refusals.append(caught.value)

    for refusal in refusals:
        assert refusal.ways == {payment.id: ways}
        assert all(verb in refusal.message for verb in ways)
    assert all(callable(getattr(shop.cashier, verb)) for verb in ways)


def test_a_debit_that_cannot_be_voided_names_what_can_be_done(clock: FakeClock) -> None:
    bank = Scripted(Kind.BITCOIN, clock=clock)
    shop = Shop(clock, bank=bank)
    shop.issue("N-7")
    bank.says = {"charge": Pending(reference="r"), "look_up": Pending(reference="r")}
    payment = shop.cashier.collect("N-7", via="bank", key="a")

    with pytest.raises(NotCancelable) as caught:
        shop.cashier.cancel(payment, key="b")

    assert caught.value.ways == ["resolve"]
    told = Declined(code=DeclineCode.GENERIC, raw_code="", retryable=False)
    shop.cashier.resolve(payment, told, evidence="it was never confirmed")
    assert shop.claimed("N-7") == "0.00 USD"


# --- A page is withdrawn before its items are charged --------------------------------------------


class Pages(Shop):
    """A shop where a page for the invoice is open, and a card is stored with a mandate."""

    def __init__(self, clock: FakeClock, kind: Kind = Kind.REDIRECT) -> None:
        self.site, self.card = FakeGateway(kind, clock=clock), FakeGateway(clock=clock)
        super().__init__(clock, site=self.site, card=self.card)
        mandate = Mandate(text_version="1", accepted_at=clock.now())
        change = self.cashier.enroll("C-7", via="card", method="tok_visa", key="e", mandate=mandate)
        assert change.method is not None
        self.method = change.method
        self.issue("N-8")
        self.open = self.page("N-8", "site")

    def by_payer(self, key: str = "payer") -> Payment:
        return self.cashier.collect("N-8", via="card", method="tok_visa", key=key)

    def by_us(self, key: str = "us") -> Payment:
        return self.cashier.collect(
            "N-8", via="card", method=self.method, key=key, payer_present=False
        )


def test_a_page_is_closed_before_its_invoice_is_charged(clock: FakeClock) -> None:
    shop = Pages(clock)

    paid = shop.by_us()

    assert paid.status is PaymentStatus.SUCCEEDED
    assert shop.cashier.payment(shop.open).status is PaymentStatus.CANCELED
    assert str(shop.card.moved("USD")) == "61.00 USD"
    assert shop.cashier.fsck() == []


@pytest.mark.parametrize("who", ["by_payer", "by_us"])
def test_a_page_that_turns_out_to_be_paid_is_not_charged_again(who: str, clock: FakeClock) -> None:
    shop = Pages(clock)
    shop.site.pay(shop.open.reference)

    with pytest.raises((AlreadyPaid, ItemAlreadyBeingPaid)):
        getattr(shop, who)()

    assert shop.cashier.payment(shop.open).status is PaymentStatus.SUCCEEDED
    assert str(shop.card.moved("USD")) == "0.00 USD"


def test_without_the_payer_nothing_is_charged_while_the_closing_is_unknown(
    clock: FakeClock,
) -> None:
    shop = Pages(clock)
    shop.site.script("unknown_lost", operation="withdraw")

    with pytest.raises(ItemAlreadyBeingPaid) as caught:
        shop.by_us()

    assert caught.value.payments == [shop.open.id]
    assert caught.value.ways[shop.open.id]
    assert str(shop.card.moved("USD")) == "0.00 USD"
    assert shop.by_us().status is PaymentStatus.SUCCEEDED
    assert shop.cashier.payment(shop.open).status is PaymentStatus.CANCELED


def test_a_payer_does_not_wait_for_a_closing_that_is_unknown(clock: FakeClock) -> None:
    shop = Pages(clock)
    shop.site.script("unknown_lost", operation="withdraw")

    paid = shop.by_payer()

    assert paid.status is PaymentStatus.SUCCEEDED
    assert shop.cashier.payment(shop.open).superseded
    shop.site.pay(shop.open.reference)
    late = shop.cashier.inquire(shop.open)
    assert str(late.credited) == "61.00 USD"
    assert shop.events("payment.alert")
    assert shop.cashier.fsck() == []


def test_a_page_that_was_superseded_is_closed_before_the_next_charge(clock: FakeClock) -> None:
    shop = Pages(clock)
    shop.site.script("rejected_rate_limit", operation="withdraw")
    shop.card.script("declined")
    assert shop.by_payer().status is PaymentStatus.DECLINED

    paid = shop.by_us()

    assert paid.status is PaymentStatus.SUCCEEDED
    assert shop.cashier.payment(shop.open).status is PaymentStatus.CANCELED


def test_a_charge_that_is_refused_closes_no_page(clock: FakeClock) -> None:
    shop = Pages(clock)

    with pytest.raises(CurrencyMismatch):
        shop.cashier.collect(
            "N-8", via="card", method="tok_visa", key="x", amount=Money.of("CAD", "1.00")
        )

    assert [a.operation for a in shop.cashier.attempts(shop.open)] == ["charge"]


# --- Money that is on its way after the end ---------------------------------------------------


def ended(shop: Shop, via: Scripted) -> Payment:
    """A page that was withdrawn, whose payer is then said to have paid."""
    shop.issue("N-9")
    payment = shop.page("N-9", "via")
    via.says = {"look_up": Ended(how=Ending.EXPIRED)}
    assert shop.cashier.inquire(payment).status is PaymentStatus.EXPIRED
    via.says = {"look_up": Pending(reference=payment.reference)}
    return shop.cashier.inquire(payment)


@pytest.fixture
def late(clock: FakeClock) -> Scripted:
    return Scripted(Kind.REDIRECT, clock=clock)


def test_money_on_its_way_after_the_end_holds_what_is_free(
    late: Scripted, clock: FakeClock
) -> None:
    shop = Shop(clock, via=late, card=FakeGateway(clock=clock))
    payment = ended(shop, late)

    assert shop.claimed("N-9") == "61.00 USD"
    assert shop.events("payment.alert") == 1
    with pytest.raises(ItemAlreadyBeingPaid) as caught:
        shop.cashier.collect("N-9", via="card", method="tok_visa", key="b")
    assert caught.value.ways == {payment.id: ["inquire", "resolve"]}
    assert shop.cashier.fsck() == []


LATE_ENDS: dict[str, Finding] = {
    "declined": Declined(code=DeclineCode.GENERIC, raw_code="R1", retryable=False),
    "rejected": Rejected(cause=RejectCause.STATE, retryable=False),
    "closed": Ended(how=Ending.CANCELED),
}


@pytest.mark.parametrize("end", LATE_ENDS)
def test_late_money_that_does_not_come_lets_go(end: str, late: Scripted, clock: FakeClock) -> None:
    shop = Shop(clock, via=late)
    payment = ended(shop, late)
    late.says = {"look_up": LATE_ENDS[end]}

    clock.advance(minutes=1)
    shop.cashier.recover()

    assert shop.cashier.payment(payment).status is PaymentStatus.EXPIRED
    assert shop.claimed("N-9") == "0.00 USD"
    asked = len(late.asked)
    shop.days(3)
    assert len(late.asked) == asked
    assert shop.cashier.fsck() == []


def test_late_money_that_comes_pays_its_invoice(late: Scripted, clock: FakeClock) -> None:
    shop = Shop(clock, via=late)
    payment = ended(shop, late)
    moved = Movement(movement_id="m", amount=payment.amount)
    late.says = {"look_up": Approved(movements=(moved,))}

    shop.cashier.inquire(payment)

    assert str(shop.cashier.invoice("N-9").open) == "0.00 USD"
    assert shop.claimed("N-9") == "0.00 USD"
    assert shop.cashier.fsck() == []


def test_a_person_ends_the_wait_for_late_money(late: Scripted, clock: FakeClock) -> None:
    shop = Shop(clock, via=late)
    payment = ended(shop, late)

    shop.cashier.resolve(payment, Ended(how=Ending.CANCELED), evidence="their dashboard")

    assert shop.claimed("N-9") == "0.00 USD"
    assert shop.cashier.fsck() == []


def superseded(shop: Shop, via: Scripted, declined: bool) -> Payment:
    """A page that could not be withdrawn when the payer tried a card."""
    shop.issue("N-9")
    payment = shop.page("N-9", "via")
    via.script("rejected_rate_limit", operation="withdraw")
    token = "tok_declined" if declined else "tok_visa"
    shop.cashier.collect("N-9", via="card", method=token, key="b")
    assert shop.cashier.payment(payment).superseded
    return payment


@pytest.mark.parametrize(("declined", "held"), [(True, "61.00 USD"), (False, "0.00 USD")])
def test_money_on_its_way_to_a_superseded_page_holds_what_is_free(
    declined: bool, held: str, late: Scripted, clock: FakeClock
) -> None:
    shop = Shop(clock, via=late, card=FakeGateway(clock=clock))
    payment = superseded(shop, late, declined)
    late.says = {"look_up": Pending(reference=payment.reference)}

    shop.cashier.inquire(payment)

    assert shop.claimed("N-9") == held
    assert shop.events("payment.alert") == 1
    assert shop.cashier.fsck() == []


@pytest.mark.parametrize("declined", [True, False])
def test_an_amount_held_on_a_superseded_page_is_voided_unless_it_finds_its_items(
    declined: bool, late: Scripted, clock: FakeClock
) -> None:
    shop = Shop(clock, via=late, card=FakeGateway(clock=clock))
    payment = superseded(shop, late, declined)
    late.says = {"look_up": Authorized(amount=payment.amount, reference=payment.reference)}

    shop.cashier.inquire(payment)

    voids = [a for a in shop.cashier.attempts(payment) if a.operation is Operation.VOID]
    assert len(voids) == (0 if declined else 1)
    assert shop.claimed("N-9") == ("61.00 USD" if declined else "0.00 USD")
    assert shop.cashier.fsck() == []


# --- A key that the processor knows -----------------------------------------------------------


def test_a_key_that_another_ledger_used_does_not_end_in_a_second_charge(clock: FakeClock) -> None:
    card = FakeGateway(clock=clock)
    first, second = Shop(clock, card=card), Shop(clock, card=card)
    for shop in (first, second):
        shop.issue("N-10")
    first.cashier.collect("N-10", via="card", method="tok_visa", key="a")

    known = second.cashier.collect("N-10", via="card", method="tok_mastercard", key="a")
    second.days(40)

    assert (known.status, known.needs_review) == (PaymentStatus.UNKNOWN, True)
    assert second.cashier.payment(known).status is PaymentStatus.UNKNOWN
    with pytest.raises(ItemAlreadyBeingPaid) as caught:
        second.cashier.collect("N-10", via="card", method="tok_visa", key="b")
    assert caught.value.ways == {known.id: ["inquire", "resolve"]}
    assert str(card.moved("USD")) == "61.00 USD"
    assert [a.sends for a in rows_of(second, known)] == [1]


def rows_of(shop: Shop, payment: Payment) -> list[AttemptRow]:
    return shop.cashier._store.read(
        shop.cashier._context, lambda tx: attempts.of_payment(tx, payment.id)
    )


def test_what_was_pending_before_it_was_withdrawn_holds_nothing_when_it_is_heard_late() -> None:
    clock = FakeClock()
    bank = FakeGateway("e_check", clock=clock, inquiry=InquiryBy.NONE)
    cashier = Cashier.in_memory(gateways={"bank": bank}, clock=clock)
    cashier.issue(number="W-1", customer="C-3", total=Money.of("USD", "19.00"), due="2026-12-01")
    payment = cashier.collect("W-1", via="bank", method="tok_bank", key="a")
    unheard = bank.callbacks()
    assert cashier.cancel(payment, key="b").payment.status is PaymentStatus.CANCELED

    for callback in unheard:
        cashier.receive("bank", callback)
    cashier.apply_callbacks()

    assert cashier.invoice("W-1").claimed.minor == 0
    assert not cashier.payment(payment).needs_review


def test_an_older_sighting_lowers_the_hold_of_a_page_that_was_taken_up_again() -> None:
    clock = FakeClock()
    coins, card = FakeGateway("bitcoin", clock=clock), FakeGateway(clock=clock)
    cashier = Cashier.in_memory(gateways={"coins": coins, "card": card}, clock=clock)
    cashier.issue(number="S-1", customer="C-8", total=Money.of("USD", "40.00"), due="2026-12-01")
    payment = cashier.collect("S-1", via="coins", key="a")
    coins.pay(payment.reference, Money.of("USD", "30.00"))
    older = coins.callbacks()
    coins.pay(payment.reference, Money.of("USD", "10.00"))
    with pytest.raises(ItemAlreadyBeingPaid):
        cashier.collect("S-1", via="card", method="tok_visa", key="b")
    assert cashier.invoice("S-1").claimed == Money.of("USD", "40.00")

    for callback in older:
        cashier.receive("coins", callback)
    cashier.apply_callbacks()

    assert cashier.invoice("S-1").claimed == Money.of("USD", "30.00")
    assert cashier.fsck() == []
