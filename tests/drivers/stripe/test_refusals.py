"""What Stripe refuses: whether money can have moved, what to look at, and what to do next."""

from typing import Any

import pytest

from paygate.dialogue import Response
from paygate.domain.outcome import (
    ActionRequired,
    Approved,
    Authorized,
    DeclineCode,
    Declined,
    Ended,
    Ending,
    Pending,
    RejectCause,
    Rejected,
    Unknown,
)
from paygate.drivers.stripe import Stripe
from paygate.testing.play import play
from tests.drivers.stripe.conftest import CREATED, PAID, answers, charge, intent, paid, refuses
from tests.drivers.stripe.test_followups import (
    capture,
    captured,
    completion,
    held,
    page,
    refund,
    refunding,
    voiding,
    withdrawal,
)
from tests.drivers.stripe.test_stored import BEGUN, CUSTOMER, enrollment, setup

LOCKED = refuses(429, code="lock_timeout")
IN_USE = refuses(409, code="idempotency_key_in_use")
MISMATCH = refuses(400, type="idempotency_error")
WAITS = answers(intent("requires_confirmation"))


def refused(outcome: object) -> tuple[RejectCause, bool]:
    assert isinstance(outcome, Rejected), outcome
    return outcome.cause, outcome.retryable


# --- Locked, or too early ---------------------------------------------------------------------


def test_stripe_says_by_a_header_whether_to_send_again(stripe: Stripe) -> None:
    played = play(
        stripe.charge(charge()), CREATED, refuses(400, code="status_transition_invalid"), PAID
    )

    assert {request.retry_header for request in played.requests} == {"Stripe-Should-Retry"}


def test_an_intent_that_is_locked_is_looked_at_and_was_not_charged(stripe: Stripe) -> None:
    played = play(stripe.charge(charge()), CREATED, LOCKED, WAITS)

    assert [request.step for request in played.requests] == ["create", "confirm", "look_up"]
    assert refused(played.outcome) == (RejectCause.RATE_LIMIT, True)


def test_an_intent_that_was_locked_and_is_paid_is_money(stripe: Stripe) -> None:
    outcome = play(stripe.charge(charge()), CREATED, LOCKED, PAID).outcome

    assert isinstance(outcome, Approved)
    assert [movement.movement_id for movement in outcome.movements] == ["ch_1"]


def test_a_completion_that_is_locked_is_looked_at(stripe: Stripe) -> None:
    played = play(stripe.complete(completion()), WAITS, LOCKED, PAID)

    assert isinstance(played.outcome, Approved)


def test_what_follows_a_charge_and_is_locked_is_looked_at(stripe: Stripe) -> None:
    done = {
        "capture": play(stripe.capture(capture()), LOCKED, answers(captured())),
        "void": play(stripe.void(voiding()), LOCKED, answers(intent("canceled"))),
        "withdraw": play(stripe.withdraw(withdrawal()), LOCKED, answers(intent("canceled"))),
        "refund": play(stripe.refund(refunding()), LOCKED, page(refund())),
    }
    not_done = {
        "capture": play(stripe.capture(capture()), LOCKED, answers(held())),
        "void": play(stripe.void(voiding()), LOCKED, answers(held())),
        "withdraw": play(stripe.withdraw(withdrawal()), LOCKED, WAITS),
        "refund": play(stripe.refund(refunding()), LOCKED, page()),
    }

    for step, played in done.items():
        assert isinstance(played.outcome, Approved), step
    for step, played in not_done.items():
        assert refused(played.outcome) == (RejectCause.RATE_LIMIT, True), step


def test_a_card_whose_storing_is_locked_or_under_way_is_looked_at(stripe: Stripe) -> None:
    for reply in (LOCKED, IN_USE):
        stored = play(stripe.enroll(enrollment()), CUSTOMER, BEGUN, reply, answers(setup()))
        assert isinstance(stored.outcome, Approved)
        waits = play(stripe.enroll(enrollment()), CUSTOMER, BEGUN, reply, BEGUN)
        assert isinstance(waits.outcome, Rejected)
        assert waits.outcome.retryable


@pytest.mark.parametrize(
    ("reply", "cause"),
    [(LOCKED, RejectCause.RATE_LIMIT), (IN_USE, RejectCause.UNAVAILABLE)],
)
def test_what_is_turned_away_before_money_can_move_moved_none(
    stripe: Stripe, reply: Response, cause: RejectCause
) -> None:
    at_create = play(stripe.charge(charge()), reply)
    at_customer = play(stripe.charge(charge(store_method=True)), reply)
    at_setup = play(stripe.enroll(enrollment()), CUSTOMER, reply)

    for played in (at_create, at_customer, at_setup):
        assert played.requests[-1].repeatable
        assert refused(played.outcome) == (cause, True)


def test_a_key_that_was_used_with_other_data_is_for_a_person(stripe: Stripe) -> None:
    assert refused(play(stripe.charge(charge()), MISMATCH).outcome) == (
        RejectCause.KEY_MISMATCH,
        False,
    )
    confirmed = play(stripe.charge(charge()), CREATED, MISMATCH).outcome
    assert isinstance(confirmed, Unknown)
    assert confirmed.flagged


def test_a_key_that_is_in_use_where_money_moves_is_unknown(stripe: Stripe) -> None:
    outcome = play(stripe.charge(charge()), CREATED, IN_USE).outcome

    assert isinstance(outcome, Unknown)
    assert not outcome.flagged


# --- Answers that Stripe kept under our key -----------------------------------------------------


def replayed(body: object, status: int = 200) -> Response:
    told = answers(body, status)
    return Response(
        status=status, headers={**told.headers, "idempotent-replayed": "true"}, body=told.body
    )


@pytest.mark.parametrize("then", [intent("processing"), intent("requires_action"), held()])
def test_what_was_open_when_the_answer_was_kept_is_asked_for_again(
    stripe: Stripe, then: dict[str, Any]
) -> None:
    played = play(stripe.charge(charge()), CREATED, replayed(then), PAID)

    assert [request.step for request in played.requests] == ["create", "confirm", "look_up"]
    assert isinstance(played.outcome, Approved)


def test_a_kept_fault_is_looked_behind(stripe: Stripe) -> None:
    kept = replayed({"error": {"type": "api_error"}}, 500)

    assert isinstance(play(stripe.charge(charge()), CREATED, kept, PAID).outcome, Approved)
    assert isinstance(play(stripe.charge(charge()), CREATED, kept, WAITS).outcome, Unknown)


def test_a_kept_end_is_the_end(stripe: Stripe) -> None:
    no = {"error": {"type": "card_error", "code": "card_declined"}}

    assert isinstance(play(stripe.charge(charge()), CREATED, replayed(paid())).outcome, Approved)
    assert isinstance(play(stripe.charge(charge()), CREATED, replayed(no, 402)).outcome, Declined)


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        (intent("processing"), Pending),
        (intent("requires_action"), ActionRequired),
        (held(), Authorized),
    ],
)
def test_an_answer_of_now_is_not_asked_for_twice(
    stripe: Stripe, told: dict[str, Any], outcome: type
) -> None:
    assert isinstance(play(stripe.charge(charge()), CREATED, answers(told)).outcome, outcome)


# --- The word for a decline ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code", "raw_code", "retryable"),
    [
        (
            {"code": "authentication_required", "decline_code": "authentication_not_handled"},
            DeclineCode.AUTHENTICATION_REQUIRED,
            "authentication_not_handled",
            False,
        ),
        (
            {"code": "processing_error", "decline_code": "generic_decline"},
            DeclineCode.TRY_AGAIN_LATER,
            "processing_error",
            True,
        ),
        (
            {"code": "incorrect_cvc", "decline_code": "generic_decline"},
            DeclineCode.INVALID_SECURITY_CODE,
            "incorrect_cvc",
            False,
        ),
        (
            {"code": "card_declined", "decline_code": "generic_decline"},
            DeclineCode.GENERIC,
            "generic_decline",
            True,
        ),
        (
            {"code": "incorrect_cvc", "decline_code": "insufficient_funds"},
            DeclineCode.INSUFFICIENT_FUNDS,
            "insufficient_funds",
            True,
        ),
        (
            {"code": "card_decline_rate_limit_exceeded"},
            DeclineCode.LIMIT_EXCEEDED,
            "card_decline_rate_limit_exceeded",
            True,
        ),
        *(
            ({"code": code}, DeclineCode.MANDATE_REVOKED, code, False)
            for code in (
                "india_recurring_payment_mandate_canceled",
                "payment_intent_mandate_invalid",
                "setup_intent_mandate_invalid",
            )
        ),
    ],
)
def test_a_decline_is_named_by_the_code_that_says_most(
    stripe: Stripe, error: dict[str, Any], code: DeclineCode, raw_code: str, retryable: bool
) -> None:
    told = refuses(402, **{"type": "card_error", **error})

    outcome = play(stripe.charge(charge()), CREATED, told).outcome

    assert isinstance(outcome, Declined)
    assert (outcome.code, outcome.raw_code, outcome.retryable) == (code, raw_code, retryable)


def test_a_card_whose_bank_did_not_recognise_the_payer_is_not_stored(stripe: Stripe) -> None:
    error = {"type": "invalid_request_error", "code": "setup_intent_authentication_failure"}
    told = answers(setup("requires_payment_method", last_setup_error=error))

    outcome = play(stripe.enroll(enrollment()), CUSTOMER, BEGUN, told).outcome

    assert isinstance(outcome, Declined)
    assert outcome.code is DeclineCode.AUTHENTICATION_FAILED


# --- Not in a state for it -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "retryable"),
    [
        ("charge_disputed", False),
        ("refund_disputed_payment", False),
        ("charge_not_refundable", False),
        ("balance_insufficient", True),
    ],
)
def test_a_refund_that_the_state_forbids_says_so(
    stripe: Stripe, code: str, retryable: bool
) -> None:
    outcome = play(stripe.refund(refunding()), refuses(400, code=code), page()).outcome

    assert refused(outcome) == (RejectCause.STATE, retryable)


@pytest.mark.parametrize(
    "code", ["capture_charge_authorization_expired", "charge_expired_for_capture"]
)
def test_a_hold_that_ran_out_before_its_capture_is_over(stripe: Stripe, code: str) -> None:
    gone = answers(intent("canceled", capture_method="manual", cancellation_reason="automatic"))

    outcome = play(stripe.capture(capture()), refuses(400, code=code), gone).outcome

    assert outcome == Ended(how=Ending.EXPIRED, reference="pi_1")


def test_a_hold_that_somebody_canceled_is_not_captured(stripe: Stripe) -> None:
    gone = answers(intent("canceled", cancellation_reason="requested_by_customer"))
    reply = refuses(400, code="payment_intent_unexpected_state")

    outcome = play(stripe.capture(capture()), reply, gone).outcome

    assert outcome == Ended(how=Ending.CANCELED, reference="pi_1")


def test_an_expired_hold_that_stripe_still_shows_is_refused(stripe: Stripe) -> None:
    reply = refuses(400, code="capture_charge_authorization_expired")

    outcome = play(stripe.capture(capture()), reply, answers(held())).outcome

    assert refused(outcome) == (RejectCause.STATE, False)


def test_a_method_in_another_state_does_not_make_the_charge_unknown(stripe: Stripe) -> None:
    reply = refuses(400, code="payment_method_unexpected_state")

    assert refused(play(stripe.charge(charge()), CREATED, reply, WAITS).outcome) == (
        RejectCause.STATE,
        False,
    )


@pytest.mark.parametrize("code", ["token_already_used", "token_in_use"])
def test_a_token_that_is_used_up_is_gone(stripe: Stripe, code: str) -> None:
    outcome = play(stripe.charge(charge()), refuses(400, code=code)).outcome

    assert refused(outcome) == (RejectCause.METHOD_GONE, False)


def test_a_payment_that_left_no_card_says_how_it_would_have(stripe: Stripe) -> None:
    asked = enrollment(from_reference="pi_1", method=None)

    outcome = play(stripe.enroll(asked), PAID).outcome

    assert isinstance(outcome, Rejected)
    assert "save_method=True" in outcome.message
