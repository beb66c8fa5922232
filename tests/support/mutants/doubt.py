"""Bugs of doubt: concluding too early, too late, or from the wrong sign."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from paygate.domain.attempt import AttemptState
from paygate.domain.decide import Absence, Changes, Source
from paygate.domain.kind import Kind
from paygate.domain.outcome import Approved, NotFound, Rejected, Unknown, Unsent
from paygate.domain.payment import PaymentStatus
from paygate.gateway import CallbackStyle, InquiryBy
from paygate.testing.simulation.bias import Bias
from paygate.testing.simulation.faults import PlannedFault
from tests.support.mutants.mutant import Mutant, Patch

if TYPE_CHECKING:
    from paygate.ledger.tx import Tx


def _silence_is_failure(original: Any) -> Any:
    def fault(**told: Any) -> Any:
        return original(**{**told, "sent": False})

    return fault


def _absence_is_final(original: Any) -> Any:
    def absence(case: Any, traits: Any, timing: Any) -> Any:
        found = original(case, traits, timing)
        return Absence.FINAL if found in (Absence.WAIT, Absence.ONCE) else found

    return absence


def _clock_is_believed(original: Any) -> Any:
    def case(tx: Tx, attempt: str) -> Any:
        return replace(original(tx, attempt), mark=None)

    return case


def _fault_is_absence(original: Any) -> Any:
    def news(answer: Any) -> Any:
        return NotFound() if isinstance(answer, Unsent | Unknown) else original(answer)

    return news


def _refused_again_is_failure(original: Any) -> Any:
    def decide(facts: Any, answer: Any, source: Any) -> Any:
        if isinstance(answer, Rejected):
            facts = replace(facts, sends=1)
        return original(facts, answer, source)

    return decide


def _tired_is_failure(original: Any) -> Any:
    attempts = import_module("paygate.ledger.attempts")

    def merge_any_in(tx: Tx, attempt: str, answer: Any, reading: Any) -> Any:
        told = original(tx, attempt, answer, reading)
        row = attempts.by_id(tx, attempt)
        tired = row.attempt.state.in_doubt and row.attempt.next_check_at is None
        if tired and reading.source is not Source.OPERATOR:
            given_up = replace(reading, source=Source.OPERATOR)
            return original(tx, attempt, Unsent(reason="nobody knows"), given_up)
        return told

    return merge_any_in


def _fence(original: Any) -> Any:
    attempts = import_module("paygate.ledger.attempts")

    def merge_any_in(tx: Tx, attempt: str, answer: Any, reading: Any) -> Any:
        row = attempts.by_id(tx, attempt)
        late = reading.source is Source.RESPONSE and tx.now >= row.lease_until
        if late and row.attempt.state.in_doubt:
            answer = Unknown(reason="the answer came after the lease")
        return original(tx, attempt, answer, reading)

    return merge_any_in


def _unknown_frees(original: Any) -> Any:
    allocation = import_module("paygate.service.allocation")

    def move(tx: Tx, payment: Any, claims: Any, changes: Any) -> Any:
        if changes.state is AttemptState.UNKNOWN:
            allocation.release(tx, payment.id, claims)
            return import_module("paygate.ledger.claims").of_payment(tx, payment.id)
        return original(tx, payment, claims, changes)

    return move


def _failure_keeps(original: Any) -> Any:
    def move(tx: Tx, payment: Any, claims: Any, changes: Any) -> Any:
        doubted = payment.status is PaymentStatus.UNKNOWN
        if doubted and changes.state is AttemptState.FAILED:
            return claims
        return original(tx, payment, claims, changes)

    return move


def _late_success_is_nothing(original: Any) -> Any:
    def decide(facts: Any, answer: Any, source: Any) -> Any:
        if facts.state.ended and isinstance(answer, Approved):
            return Changes(reference=answer.reference)
        return original(facts, answer, source)

    return decide


def _forget_the_note(original: Any) -> Any:
    def nothing(_: Tx) -> None:
        pass

    def note(attempt: str, reference: str) -> Any:
        original(attempt, reference)
        return nothing

    return note


MUTANTS: Final = (
    Mutant(
        name="silence-is-failure",
        plants="a request without a response counts as never sent",
        breaks="once the first byte of a request that moves money was sent, the outcome is unknown",
        shows="the response is lost and the money moved",
        patches=(Patch("service.asking", "_fault", _silence_is_failure),),
    ),
    Mutant(
        name="absence-is-failure",
        plants="an operation that an inquiry does not find has failed, at once",
        breaks="not found is believed after max_in_flight, and twice",
        shows="the request is late, or the inquiry lags behind",
        patches=(Patch("service.inquire", "absence", _absence_is_final),),
    ),
    Mutant(
        name="clock-is-believed",
        plants="the clock alone decides whether a request can still be on its way",
        breaks="not found is believed after max_in_flight, whatever the clocks say",
        shows="a host whose clock is behind sends, and the request is on its way for long",
        patches=(Patch("service.inquire", "_case", _clock_is_believed),),
        bias=Bias(
            faults={PlannedFault.REQUEST_LATE: 0.9, PlannedFault.CLOCK_BACK: 0.9},
            actions={
                "clock": 6,
                "poller": 6,
                "pay": 3,
                "issue": 4,
                "kill": 0,
                "callbacks arrive": 0,
                "relay": 0,
            },
            kinds=frozenset({Kind.CARD}),
            rules=frozenset({"not_idempotent"}),
            inquiries=frozenset({InquiryBy.OUR_REF, InquiryBy.LIST_SCAN}),
            callbacks=frozenset({CallbackStyle.NONE}),
            feed=False,
            found_for_sure=True,
        ),
    ),
    Mutant(
        name="failed-inquiry-is-absence",
        plants="an inquiry that gets no response counts as one that found nothing",
        breaks="a fault of the inquiry says nothing about the operation",
        shows="the response is lost, and then the inquiries are",
        patches=(Patch("service.inquire", "_news", _fault_is_absence),),
        bias=Bias(
            faults={PlannedFault.RESPONSE_LOST: 0.5, PlannedFault.CONNECT: 0.3},
            actions={"time passes": 3, "poller": 4},
            rules=frozenset({"not_idempotent"}),
            inquiries=frozenset({InquiryBy.OUR_REF, InquiryBy.LIST_SCAN}),
            found_for_sure=True,
        ),
    ),
    Mutant(
        name="refused-repetition-is-failure",
        plants="a request that was executed and is refused when it is sent again has failed",
        breaks="unsent and rejected end an attempt only as the result of its only sending",
        shows="the response is lost, and the repetition meets a rate limit",
        patches=(Patch("service.merge", "decide", _refused_again_is_failure),),
        bias=Bias(
            faults={PlannedFault.RESPONSE_LOST: 0.15, PlannedFault.TOO_MANY: 0.4},
            actions={"store method": 6, "pay": 3, "refund": 6, "time passes": 3, "poller": 8},
            kinds=frozenset({Kind.CARD, Kind.E_CHECK}),
            rules=frozenset({"keyed", "keyed_without_errors"}),
            inquiries=frozenset({InquiryBy.NONE}),
        ),
    ),
    Mutant(
        name="tired-is-failure",
        plants="when the plan of inquiries is at its end, the attempt has failed",
        breaks="an attempt never fails only because the inquiries ended",
        shows="the response is lost and no inquiry is possible",
        patches=(Patch("service.merge", "merge_any_in", _tired_is_failure),),
    ),
    Mutant(
        name="lease-fences-the-answer",
        plants="a response that comes after the lease is thrown away",
        breaks="merging a response needs no lease",
        shows="the processor is slow, and offers no second inquiry",
        patches=(Patch("service.merge", "merge_any_in", _fence),),
        bias=Bias(
            faults={PlannedFault.RESPONSE_SLOW: 0.4},
            inquiries=frozenset({InquiryBy.NONE}),
        ),
    ),
    Mutant(
        name="doubt-frees-the-invoice",
        plants="a payment with an unknown outcome releases its claim",
        breaks="the claim is kept until the outcome is known; another payment is refused",
        shows="the response is lost, and somebody pays again",
        patches=(Patch("service.booking", "_move_claims", _unknown_frees),),
    ),
    Mutant(
        name="claim-not-released",
        plants="a payment that failed after its outcome was unknown keeps its claim",
        breaks="claims of ended payments are released",
        shows="the request is lost",
        patches=(Patch("service.booking", "_move_claims", _failure_keeps),),
    ),
    Mutant(
        name="late-success-is-dropped",
        plants="a success after the end of a payment is ignored",
        breaks="money that arrives is never refused and never lost",
        shows="a page is paid after it expired or was given up",
        patches=(Patch("service.merge", "decide", _late_success_is_nothing),),
    ),
    Mutant(
        name="note-is-not-kept",
        plants="the processor's name of its object is not stored",
        breaks="a note is committed before the dialogue continues",
        shows="a process dies between create and confirm, and the processor requires its own name",
        patches=(Patch("service.asking", "_note", _forget_the_note),),
    ),
)
