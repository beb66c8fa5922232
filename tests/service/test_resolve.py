"""What a person says of how an attempt ended: about which, what fits, and what comes of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.fernet import Fernet

from paygate import Cashier, Kind, MethodRequest, Payment, PaymentStatus, Secret
from paygate.domain.attempt import Attempt, AttemptState
from paygate.domain.method import StoredMethod
from paygate.domain.movement import Movement, MovementKind
from paygate.domain.outcome import Approved, Authorized, DeclineCode, Declined, Ended, Ending
from paygate.errors import (
    AlreadyFinal,
    AttemptNotFound,
    InvalidValue,
    MethodNotFound,
    OutcomeDoesNotFit,
    SeveralInDoubt,
    TokenKeysMissing,
)
from paygate.gateway import InquiryBy, NotIdempotent
from paygate.testing import FakeClock, FakeGateway
from tests.service.world import usd

NO = Declined(code=DeclineCode.GENERIC, raw_code="05", retryable=False)
SEEN = "their dashboard"
BACK = "https://shop.example/back"
KEPT = StoredMethod(token=Secret("pm_seen"), kind=Kind.CARD, brand="visa", last4="4242")


def moved(amount: str, kind: MovementKind, movement_id: str = "seen") -> Approved:
    return Approved(movements=(Movement(movement_id=movement_id, amount=usd(amount), kind=kind),))


class Shop:
    """A shop whose processor tells nothing twice: whatever is lost, a person must look up."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.card = FakeGateway(
            clock=self.clock, inquiry=InquiryBy.NONE, idempotency=NotIdempotent()
        )
        self.cashier = Cashier.in_memory(
            gateways={"card": self.card},
            clock=self.clock,
            token_keys=[Fernet.generate_key()],
        )
        self.cashier.issue(number="A", customer="C-1", total=usd("30"), due="2026-02-01")

    def authorize(self, token: str = "tok_visa") -> Payment:
        return self.cashier.authorize("A", via="card", method=token, key="auth")

    def captured_in_parts(self) -> Payment:
        payment = self.authorize()
        for part in ("12", "10", "8"):
            payment = self.cashier.capture(payment, key=part, amount=usd(part), final=False).payment
        return payment

    def in_doubt(self, payment: Payment) -> list[Attempt]:
        return [each for each in self.cashier.attempts(payment) if each.state.in_doubt]

    def tire(self) -> None:
        """Let the plan of inquiries come to its end."""
        for _ in range(40):
            self.clock.advance(timedelta(days=1))
            self.cashier.recover()

    def enroll(self) -> MethodRequest:
        return self.cashier.enroll("C-1", via="card", method="tok_unknown_executed", key="e")

    def told(self, type_: str) -> list[object]:
        return [
            event.data.get("evidence")
            for event in self.cashier.events(limit=1000)
            if event.type == type_
        ]


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()
    yield shop
    assert shop.cashier.fsck() == []
    shop.cashier.close()


# --- Which attempt --------------------------------------------------------------------


def test_where_several_are_in_doubt_the_person_says_which(shop: Shop) -> None:
    payment = shop.captured_in_parts()
    shop.card.script("unknown_lost", operation="refund")
    shop.card.script("unknown_lost", operation="refund")
    shop.cashier.refund(payment, key="1", amount=usd("1"), to="reopen")
    shop.cashier.refund(payment, key="2", amount=usd("2"), to="reopen")
    first, second = shop.in_doubt(payment)

    with pytest.raises(SeveralInDoubt) as refused:
        shop.cashier.resolve(payment, NO, evidence=SEEN)
    assert refused.value.attempts == [first.id, second.id]
    back = shop.cashier.resolve(
        payment, moved("2", MovementKind.REFUND), evidence=SEEN, attempt=second
    )

    assert back.returned == usd("2")
    assert shop.in_doubt(payment) == [first]
    assert shop.cashier.resolve(payment, NO, evidence=SEEN).returned == usd("2")
    assert shop.in_doubt(payment) == []


def test_the_payment_waits_for_a_person_until_the_last_part_is_resolved(shop: Shop) -> None:
    payment = shop.captured_in_parts()
    for _ in range(3):
        shop.card.script("unknown_lost", operation="refund")
    shop.cashier.refund(payment, key="r", to="reopen")
    shop.tire()
    parts = shop.in_doubt(payment)
    assert [part.amount for part in parts] == [usd("8"), usd("10"), usd("12")]

    review = [
        shop.cashier.resolve(payment, NO, evidence=SEEN, attempt=part.id).needs_review
        for part in parts
    ]

    assert review == [True, True, False]


def test_an_attempt_of_another_payment_or_one_that_ended_is_not_resolved(shop: Shop) -> None:
    payment = shop.authorize()
    shop.card.script("unknown_lost", operation="capture")
    shop.cashier.capture(payment, key="c")
    [main, capture] = shop.cashier.attempts(payment)
    shop.cashier.resolve(payment, NO, evidence=SEEN)

    with pytest.raises(AlreadyFinal):
        shop.cashier.resolve(payment, NO, evidence=SEEN, attempt=capture)
    with pytest.raises(AttemptNotFound):
        shop.cashier.resolve(payment, NO, evidence=SEEN, attempt="att_elsewhere")
    ended = Ended(how=Ending.EXPIRED)
    closed = shop.cashier.resolve(payment, ended, evidence=SEEN, attempt=main)
    assert closed.status is PaymentStatus.EXPIRED


# --- What fits ------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["collect", "authorize", "capture", "void", "refund"])
def test_money_of_another_kind_than_the_operation_moves_is_refused(shop: Shop, verb: str) -> None:
    fits = {
        "collect": moved("30", MovementKind.CHARGE),
        "authorize": moved("30", MovementKind.CAPTURE),
        "capture": moved("30", MovementKind.CAPTURE),
        "void": Approved(),
        "refund": moved("30", MovementKind.REFUND),
    }
    payment = in_doubt_after(shop, verb)
    before = shop.cashier.payment(payment)

    for kind in MovementKind:
        if kind in {each.kind for each in fits[verb].movements}:
            continue
        if (verb, kind) == ("void", MovementKind.VOID):
            continue  # of a charge it moves money, of an authorisation none
        with pytest.raises(OutcomeDoesNotFit):
            shop.cashier.resolve(payment, moved("30", kind), evidence=SEEN)

    assert shop.cashier.payment(payment) == before
    resolved = shop.cashier.resolve(payment, fits[verb], evidence=SEEN)
    assert (resolved.received, resolved.returned) == {
        "void": (usd("0"), usd("0")),
        "refund": (usd("30"), usd("30")),
    }.get(verb, (usd("30"), usd("0")))


def in_doubt_after(shop: Shop, verb: str) -> Payment:
    if verb == "collect":
        return shop.cashier.collect("A", via="card", method="tok_unknown_lost", key="k")
    if verb == "authorize":
        return shop.authorize("tok_unknown_lost")
    if verb == "refund":
        payment = shop.cashier.collect("A", via="card", method="tok_visa", key="k")
        shop.card.script("unknown_lost", operation="refund")
        return shop.cashier.refund(payment, key="r", to="reopen").payment
    payment = shop.authorize()
    shop.card.script("unknown_lost", operation=verb)
    if verb == "void":
        return shop.cashier.cancel(payment, key="v").payment
    return shop.cashier.capture(payment, key="c").payment


def test_a_person_says_that_an_amount_is_held(shop: Shop) -> None:
    payment = shop.authorize("tok_unknown_executed")
    assert payment.status is PaymentStatus.UNKNOWN

    held = shop.cashier.resolve(
        payment, Authorized(amount=usd("30"), reference="au_1"), evidence=SEEN
    )

    assert (held.status, held.authorized) == (PaymentStatus.AUTHORIZED, usd("30"))
    assert shop.cashier.invoice("A").claimed == usd("30")
    assert shop.cashier.capture(held, key="c").payment.received == usd("30")


def test_a_charge_is_not_resolved_as_held(shop: Shop) -> None:
    payment = in_doubt_after(shop, "collect")

    with pytest.raises(OutcomeDoesNotFit) as refused:
        shop.cashier.resolve(payment, Authorized(amount=usd("30")), evidence=SEEN)

    assert refused.value.operation == "charge"
    assert shop.cashier.payment(payment) == payment


# --- Stored methods -------------------------------------------------------------------


def test_a_person_says_that_a_method_was_stored(shop: Shop) -> None:
    change = shop.enroll()
    shop.tire()
    assert shop.cashier.method_changes(needs_review=True) == [shop.cashier.inquire_method(change)]

    done = shop.cashier.resolve_method(change, Approved(method=KEPT), evidence=SEEN)

    assert (done.state, done.needs_review) == (AttemptState.SUCCEEDED, False)
    assert [each.last4 for each in shop.cashier.methods("C-1")] == ["4242"]
    assert shop.told("method.resolved") == [SEEN]
    assert shop.cashier.method_changes(needs_review=True) == []
    assert shop.cashier.method_changes() == [done]
    with pytest.raises(AlreadyFinal):
        shop.cashier.resolve_method(change, NO, evidence=SEEN)


def test_a_person_says_that_a_method_was_not_stored(shop: Shop) -> None:
    done = shop.cashier.resolve_method(shop.enroll(), NO, evidence=SEEN)

    assert done.state is AttemptState.DECLINED
    assert shop.cashier.methods("C-1") == []


def test_what_makes_no_sense_of_a_method_is_refused(shop: Shop) -> None:
    change = shop.enroll()

    for outcome in (Approved(), moved("1", MovementKind.CHARGE)):
        with pytest.raises(OutcomeDoesNotFit):
            shop.cashier.resolve_method(change, outcome, evidence=SEEN)
    with pytest.raises(InvalidValue):
        shop.cashier.resolve_method(change, NO, evidence=" ")
    with pytest.raises(MethodNotFound):
        shop.cashier.resolve_method("att_elsewhere", NO, evidence=SEEN)
    with pytest.raises(InvalidValue):
        shop.cashier.resolve(in_doubt_after(shop, "collect"), NO, evidence="")

    assert shop.cashier.method_changes() == [change]


def test_a_method_is_not_kept_without_a_key_to_keep_it_under() -> None:
    shop = Shop()
    change = shop.enroll()
    keyless = shop.cashier.acting_as("somebody without keys")
    keyless._context = replace(keyless._context, vault=None)

    with pytest.raises(TokenKeysMissing):
        keyless.resolve_method(change, Approved(method=KEPT), evidence=SEEN)

    assert shop.cashier.method_changes() == [change]
    shop.cashier.close()


def test_a_person_says_that_a_method_was_deleted(shop: Shop) -> None:
    method = shop.cashier.enroll("C-1", via="card", method="tok_visa", key="e").method
    assert method is not None
    shop.card.script("unknown_lost", operation="forget")
    change = shop.cashier.forget_method(method, key="f")
    assert not change.state.final

    done = shop.cashier.resolve_method(change, Approved(), evidence=SEEN)

    assert done.state is AttemptState.SUCCEEDED
    assert shop.told("method.resolved") == [SEEN]
