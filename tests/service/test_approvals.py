"""An approval counts for the money that the operation brings, and for no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from paygate import Cashier, Money, Payment
from paygate.dialogue import Dialogue, at_once
from paygate.domain.movement import Movement, MovementKind
from paygate.domain.outcome import Approved, Ended, Ending
from paygate.domain.payment import PaymentStatus
from paygate.errors import ItemAlreadyBeingPaid, NotRefundable, OutcomeDoesNotFit
from paygate.gateway import Callback, Notice
from paygate.testing import FakeClock, FakeGateway

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paygate.domain.outcome import Finding, Outcome
    from paygate.gateway import Capture, Charge, Inquiry, Refunding, Voiding

K = MovementKind


def nok(amount: str) -> Money:
    return Money.of("NOK", amount)


def moved(name: str, amount: str, kind: MovementKind) -> Movement:
    return Movement(movement_id=name, amount=nok(amount), kind=kind)


class Saying(FakeGateway):
    """A card account that approves with the movements that the test wants, if it wants any."""

    said: tuple[Movement, ...] | None = None
    told: tuple[Movement, ...] = ()
    sent = 0

    def _say(self, otherwise: Dialogue[Outcome]) -> Dialogue[Outcome]:
        self.sent += 1
        if self.said is None:
            return otherwise
        return at_once(Approved(reference="r5", movements=self.said))

    def charge(self, charge: Charge) -> Dialogue[Outcome]:
        return self._say(super().charge(charge))

    def capture(self, capture: Capture) -> Dialogue[Outcome]:
        return self._say(super().capture(capture))

    def refund(self, refunding: Refunding) -> Dialogue[Outcome]:
        return self._say(super().refund(refunding))

    def void(self, voiding: Voiding) -> Dialogue[Outcome]:
        return self._say(super().void(voiding))

    def look_up(self, inquiry: Inquiry) -> Dialogue[Finding]:
        if self.said is None:
            return super().look_up(inquiry)
        return at_once(Approved(reference="r5", movements=self.said))

    def verify(self, callback: Callback) -> Dialogue[list[Notice]]:
        name = callback.body.decode()
        return at_once([Notice(event_id="e1", type="t", our_ref=name, movements=self.told)])


class Shop:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.card = Saying(clock=self.clock)
        self.cashier = Cashier.in_memory(gateways={"card": self.card}, clock=self.clock)
        self.cashier.issue(number="V1", customer="C", total=nok("80"), due="2026-12-01")

    def paid(self) -> Payment:
        return self.cashier.collect("V1", via="card", method="tok_visa", key="p")

    def held(self) -> Payment:
        return self.cashier.authorize("V1", via="card", method="tok_visa", key="p")

    def hear(self, payment: Payment) -> None:
        """Take in a callback about the first attempt of *payment*."""
        [first, *_] = self.cashier.attempts(payment)
        callback = Callback(
            method="POST",
            path="/",
            headers={},
            body=first.id.encode(),
            received_at=self.clock.now(),
        )
        self.cashier.receive("card", callback)
        self.cashier.apply_callbacks()


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()
    yield shop
    assert shop.cashier.fsck() == []
    shop.cashier.close()


def test_a_refund_that_is_answered_with_the_charge_holds_its_amount(shop: Shop) -> None:
    paid = shop.paid()
    [receipt] = shop.cashier.receipts(paid)
    shop.card.said = (moved(receipt.movement_id, "80", K.CHARGE),)
    sent = shop.card.sent

    answered = shop.cashier.refund(paid, key="r1").payment
    with pytest.raises(NotRefundable):
        shop.cashier.refund(paid, key="r2")

    assert shop.card.sent == sent + 1
    assert (answered.needs_review, answered.returned) == (True, nok("0"))


def test_money_that_comes_with_the_answer_to_a_refund_is_booked(shop: Shop) -> None:
    paid = shop.paid()
    shop.card.said = (moved("other", "30", K.CHARGE),)

    answered = shop.cashier.refund(paid, key="r1").payment

    assert (answered.received, answered.returned) == (nok("110"), nok("0"))
    assert answered.needs_review


def test_the_refund_before_is_no_answer_to_the_next(shop: Shop) -> None:
    paid = shop.paid()
    shop.card.said = (moved("re1", "25", K.REFUND),)
    first = shop.cashier.refund(paid, amount=nok("25"), key="r1").payment

    second = shop.cashier.refund(paid, amount=nok("25"), key="r2").payment

    assert (first.needs_review, second.needs_review) == (False, True)
    assert second.returned == nok("25")
    with pytest.raises(NotRefundable):
        shop.cashier.refund(paid, amount=nok("40"), key="r3")


def test_a_person_cannot_resolve_a_refund_with_the_one_before(shop: Shop) -> None:
    paid = shop.paid()
    shop.card.said = (moved("re1", "25", K.REFUND),)
    shop.cashier.refund(paid, amount=nok("25"), key="r1")
    shop.cashier.refund(paid, amount=nok("25"), key="r2")
    the_first = Approved(movements=(moved("re1", "25", K.REFUND),))

    with pytest.raises(OutcomeDoesNotFit, match="re1 is already booked"):
        shop.cashier.resolve(paid, the_first, evidence="dashboard")

    assert shop.cashier.payment(paid).needs_review
    ended = shop.cashier.resolve(paid, Ended(how=Ending.CANCELED), evidence="dashboard")
    assert (ended.needs_review, ended.returned) == (False, nok("25"))
    shop.card.said = (moved("re3", "55", K.REFUND),)
    assert shop.cashier.refund(paid, amount=nok("55"), key="r3").payment.returned == nok("80")


def test_a_refund_that_was_heard_of_before_its_answer_is_done(shop: Shop) -> None:
    paid = shop.paid()
    shop.card.told = shop.card.said = (moved("re1", "25", K.REFUND),)
    shop.hear(paid)

    refunded = shop.cashier.refund(paid, amount=nok("25"), key="r1").payment

    assert (refunded.returned, refunded.needs_review) == (nok("25"), False)


@pytest.mark.parametrize("kind", [K.RETURN, K.REFUND, K.CHARGEBACK_WON, K.REFUND_FAILED])
def test_a_charge_that_shows_no_charge_holds_its_invoice(shop: Shop, kind: MovementKind) -> None:
    shop.card.said = (moved("m4", "80", kind),)

    answered = shop.paid()
    with pytest.raises(ItemAlreadyBeingPaid):
        shop.cashier.collect("V1", via="card", method="tok_visa", key="again")

    assert (answered.status, answered.needs_review) == (PaymentStatus.UNKNOWN, True)
    assert shop.card.sent == 1


@pytest.mark.parametrize("kind", [K.REFUND, K.VOID])
def test_a_capture_that_shows_no_capture_leaves_the_hold(shop: Shop, kind: MovementKind) -> None:
    held = shop.held()
    shop.card.said = (moved("m4", "80", kind),)

    answered = shop.cashier.capture(held, key="c").payment

    assert (answered.status, answered.needs_review) == (PaymentStatus.AUTHORIZED, True)


def test_a_hold_that_was_captured_instead_of_voided_is_not_canceled(shop: Shop) -> None:
    held = shop.held()
    shop.card.said = (moved("m4", "80", K.CAPTURE),)

    answered = shop.cashier.cancel(held, key="v").payment

    assert (answered.status, answered.received) == (PaymentStatus.AUTHORIZED, nok("80"))
    assert answered.needs_review


def test_a_void_that_leaves_some_of_the_money_here_is_reviewed(shop: Shop) -> None:
    paid = shop.paid()
    shop.card.said = (moved("m4", "35", K.VOID),)

    answered = shop.cashier.cancel(paid, key="v").payment

    assert (answered.returned, answered.needs_review) == (nok("35"), True)


def test_a_larger_refund_than_asked_for_is_booked_and_reviewed(shop: Shop) -> None:
    paid = shop.paid()
    shop.card.said = (moved("m4", "35", K.REFUND),)

    answered = shop.cashier.refund(paid, amount=nok("20"), key="r").payment

    assert (answered.returned, answered.needs_review) == (nok("35"), True)


def test_a_second_capture_of_the_same_hold_waits_for_a_person(shop: Shop) -> None:
    captured = shop.cashier.capture(shop.held(), key="c").payment
    shop.card.told = (moved("m9", "80", K.CAPTURE),)

    shop.hear(captured)

    now = shop.cashier.payment(captured)
    assert (now.received, now.unallocated, now.conflicted) == (nok("160"), nok("80"), True)


def test_a_movement_that_is_listed_twice_is_counted_once(shop: Shop) -> None:
    shop.card.said = (moved("m4", "80", K.CHARGE),) * 2

    answered = shop.paid()

    assert (answered.received, answered.needs_review) == (nok("80"), False)
    assert shop.cashier.invoice("V1").open == nok("0")
