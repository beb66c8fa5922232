"""What follows a charge at Stripe: hold, capture, cancel, complete, refund."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from paygate.dialogue import Dialogue, Request, Response
from paygate.domain.kind import Kind, Operation
from paygate.domain.money import Money
from paygate.domain.movement import Movement, MovementKind
from paygate.domain.outcome import (
    ActionRequired,
    Approved,
    Authorized,
    DeclineCode,
    Declined,
    Ended,
    Ending,
    Finding,
    NotFound,
    Outcome,
    Pending,
    RejectCause,
    Rejected,
    Unknown,
)
from paygate.drivers.stripe import Stripe
from paygate.errors import BadResponse, NoResponse, Unsupported
from paygate.gateway import Capture, Completion, Refunding, Voiding, Withdrawal
from paygate.testing.play import Played, play
from tests.drivers.stripe.conftest import (
    CREATED,
    NOON,
    PAID,
    SENT_AT,
    answers,
    charge,
    inquiry,
    intent,
    paid,
    refuses,
)

FIVE = Money("USD", 500)


def form_of(request: Request) -> dict[str, str]:
    return dict(parse_qsl(request.body.decode(), keep_blank_values=True))


def path_of(request: Request) -> str:
    return urlsplit(request.url).path


def held(**given: Any) -> dict[str, Any]:
    told = {
        "latest_charge": {
            "id": "ch_1",
            "object": "charge",
            "created": NOON,
            "payment_method_details": {
                "card": {"capture_before": NOON + 604800, "network_transaction_id": "nti"}
            },
        },
        "capture_method": "manual",
        "amount_capturable": 1099,
        **given,
    }
    return intent("requires_capture", **told)


def captured(minor: int = 500) -> dict[str, Any]:
    return {**held(), "status": "succeeded", "amount_capturable": 0, "amount_received": minor}


def capture(**given: Any) -> Capture:
    asked = {"key": "k7", "our_ref": "att_2", "payment": "pay_1", "reference": "pi_1"}
    return Capture(**{**asked, "amount": FIVE, **given})


def voiding(**given: Any) -> Voiding:
    asked = {"key": "k7", "our_ref": "att_2", "payment": "pay_1", "reference": "pi_1"}
    return Voiding(**{**asked, "amount": Money("USD", 1099), **given})


def withdrawal(**given: Any) -> Withdrawal:
    asked = {"key": "k7", "our_ref": "att_2", "payment": "pay_1", "reference": "pi_1"}
    return Withdrawal(**{**asked, **given})


def completion(**given: Any) -> Completion:
    asked = {"key": "k7", "our_ref": "att_2", "payment": "pay_1", "reference": "pi_1"}
    return Completion(**{**asked, "amount": Money("USD", 1099), **given})


def refunding(**given: Any) -> Refunding:
    asked = {"key": "k7", "our_ref": "att_2", "payment": "pay_1", "reference": "pi_1"}
    return Refunding(**{**asked, "movement_id": "ch_1", "amount": FIVE, **given})


def refund(status: str = "succeeded", **given: Any) -> dict[str, Any]:
    return {
        "id": "re_1",
        "object": "refund",
        "amount": 500,
        "currency": "usd",
        "charge": "ch_1",
        "payment_intent": "pi_1",
        "created": NOON,
        "status": status,
        "metadata": {"paygate_attempt": "att_2", "paygate_payment": "pay_1"},
        **given,
    }


def page(*entries: object, more: bool = False) -> Response:
    return answers({"object": "list", "data": list(entries), "has_more": more})


# --- Hold ------------------------------------------------------------------------------


def test_an_authorisation_holds_and_says_until_when(stripe: Stripe) -> None:
    played = play(stripe.authorize(charge()), CREATED, answers(held()))

    assert form_of(played.requests[0])["capture_method"] == "manual"
    assert played.outcome == Authorized(
        amount=Money("USD", 1099),
        reference="pi_1",
        expires_at=datetime(2026, 8, 10, 12, tzinfo=UTC),
        network_transaction_id="nti",
    )


def test_a_charge_does_not_say_how_it_is_captured(stripe: Stripe) -> None:
    played = play(stripe.charge(charge()), CREATED, PAID)

    assert "capture_method" not in form_of(played.requests[0])


def test_a_page_cannot_hold(stripe: Stripe) -> None:
    with pytest.raises(Unsupported):
        stripe.authorize(
            charge(kind=Kind.REDIRECT, method=None, return_url="https://shop.example/")
        )


def test_a_captured_authorisation_is_found_with_its_money(stripe: Stripe) -> None:
    found = play(
        stripe.look_up(inquiry(operation=Operation.AUTHORIZE)), answers(captured())
    ).outcome

    assert isinstance(found, Approved)
    assert found.movements == (
        Movement(movement_id="ch_1", amount=FIVE, kind=MovementKind.CAPTURE),
    )


def test_an_authorisation_that_ran_out_is_expired(stripe: Stripe) -> None:
    told = {**held(), "status": "canceled", "cancellation_reason": "automatic"}

    found = play(stripe.look_up(inquiry(operation=Operation.AUTHORIZE)), answers(told)).outcome

    assert found == Ended(how=Ending.EXPIRED, reference="pi_1")


# --- Capture ---------------------------------------------------------------------------


def test_a_part_is_captured_and_the_rest_released(stripe: Stripe) -> None:
    played = play(stripe.capture(capture()), answers(captured()))

    (request,) = played.requests
    assert path_of(request) == "/v1/payment_intents/pi_1/capture"
    assert form_of(request) == {"amount_to_capture": "500", "expand[0]": "latest_charge"}
    assert request.headers["Idempotency-Key"] == "k7-capture"
    assert request.moves_money
    assert played.notes == ["pi_1"]
    assert isinstance(played.outcome, Approved)
    assert played.outcome.movements == (
        Movement(movement_id="ch_1", amount=FIVE, kind=MovementKind.CAPTURE),
    )


def test_a_capture_that_leaves_the_rest_held_is_refused_before_anything_is_sent(
    stripe: Stripe,
) -> None:
    with pytest.raises(Unsupported, match="once"):
        stripe.capture(capture(final=False))


@pytest.mark.parametrize("code", ["charge_already_captured", "payment_intent_unexpected_state"])
def test_a_capture_that_was_made_before_is_adopted(stripe: Stripe, code: str) -> None:
    played = play(stripe.capture(capture()), refuses(400, code=code), answers(captured()))

    assert isinstance(played.outcome, Approved)


def test_a_refused_capture_of_what_was_not_captured_is_rejected(stripe: Stripe) -> None:
    reply = refuses(400, code="payment_intent_unexpected_state")

    outcome = play(stripe.capture(capture()), reply, answers(held())).outcome

    assert isinstance(outcome, Rejected)
    assert outcome.cause is RejectCause.STATE


def test_what_a_capture_does_not_tell_was_taken_as_asked(stripe: Stripe) -> None:
    told = captured()
    del told["amount_received"]

    outcome = play(stripe.capture(capture()), answers(told)).outcome

    assert isinstance(outcome, Approved)
    assert outcome.movements[0].amount == FIVE


@pytest.mark.parametrize(
    ("told", "finding"),
    [
        (held(), NotFound()),
        ({**held(), "status": "canceled"}, Ended(how=Ending.CANCELED, reference="pi_1")),
        ({**held(), "status": "odd"}, Unknown(reason="Stripe says 'odd'", reference="pi_1")),
    ],
)
def test_a_lost_capture_shows_in_its_intent(
    stripe: Stripe, told: dict[str, Any], finding: Finding
) -> None:
    asked = inquiry(operation=Operation.CAPTURE, our_ref="att_2", amount=FIVE)

    assert play(stripe.look_up(asked), answers(told)).outcome == finding
    assert isinstance(play(stripe.look_up(asked), answers(captured())).outcome, Approved)


# --- Cancel ----------------------------------------------------------------------------


def test_what_is_held_is_released(stripe: Stripe) -> None:
    played = play(stripe.void(voiding()), answers({**held(), "status": "canceled"}))

    (request,) = played.requests
    assert path_of(request) == "/v1/payment_intents/pi_1/cancel"
    assert request.moves_money
    assert played.outcome == Approved(reference="pi_1")


def test_what_was_captured_is_not_voided_but_refunded(stripe: Stripe) -> None:
    reply = refuses(400, code="payment_intent_unexpected_state")

    outcome = play(stripe.void(voiding()), reply, PAID).outcome

    assert isinstance(outcome, Rejected)
    assert (outcome.cause, outcome.retryable) == (RejectCause.STATE, False)
    assert "refund" in outcome.message


def test_what_is_canceled_already_is_voided(stripe: Stripe) -> None:
    reply = refuses(400, code="payment_intent_unexpected_state")

    outcome = play(stripe.void(voiding()), reply, answers(intent("canceled"))).outcome

    assert outcome == Approved(reference="pi_1")


def test_a_void_that_stripe_refuses_for_another_reason_keeps_that_reason(stripe: Stripe) -> None:
    outcome = play(stripe.void(voiding()), refuses(400, code="odd"), answers(held())).outcome

    assert isinstance(outcome, Rejected)
    assert outcome.raw_code == "odd"


@pytest.mark.parametrize("operation", [Operation.VOID, Operation.WITHDRAW])
def test_a_lost_void_shows_in_its_intent(stripe: Stripe, operation: Operation) -> None:
    asked = inquiry(operation=operation, our_ref="att_2")

    for told, finding in (
        (intent("canceled"), Approved(reference="pi_1")),
        (held(), NotFound()),
        (paid(), NotFound()),
    ):
        assert play(stripe.look_up(asked), answers(told)).outcome == finding


def test_an_intent_that_waits_for_the_payer_is_withdrawn(stripe: Stripe) -> None:
    played = play(stripe.withdraw(withdrawal()), answers(intent("canceled")))

    assert not played.requests[0].moves_money
    assert played.requests[0].headers["Idempotency-Key"] == "k7-withdraw"
    assert played.outcome == Approved(reference="pi_1")


def test_an_intent_that_was_paid_meanwhile_is_not_withdrawn(stripe: Stripe) -> None:
    reply = refuses(400, code="payment_intent_unexpected_state")

    outcome = play(stripe.withdraw(withdrawal()), reply, PAID).outcome

    assert isinstance(outcome, Rejected)
    assert outcome.cause is RejectCause.STATE


# --- Complete --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        (paid(), Approved),
        (held(), Authorized),
        (intent("requires_action"), ActionRequired),
        (intent("processing"), Pending),
        (intent("requires_payment_method", last_payment_error={"code": "x"}), Declined),
    ],
)
def test_what_the_payer_did_at_the_bank_is_adopted(
    stripe: Stripe, told: dict[str, Any], kind: type
) -> None:
    played = play(stripe.complete(completion()), answers(told))

    assert [request.method for request in played.requests] == ["GET"]
    assert isinstance(played.outcome, kind)


def test_an_intent_that_waits_for_us_is_confirmed(stripe: Stripe) -> None:
    played = play(stripe.complete(completion()), CREATED, PAID)

    confirm = played.requests[1]
    assert path_of(confirm) == "/v1/payment_intents/pi_1/confirm"
    assert confirm.moves_money
    assert isinstance(played.outcome, Approved)


def test_a_completed_hold_that_was_captured_is_a_capture(stripe: Stripe) -> None:
    outcome = play(stripe.complete(completion()), answers(captured())).outcome

    assert isinstance(outcome, Approved)
    assert outcome.movements[0].kind is MovementKind.CAPTURE


# --- Refund ----------------------------------------------------------------------------


def test_a_part_is_sent_back(stripe: Stripe) -> None:
    played = play(stripe.refund(refunding(reason="duplicate")), answers(refund()))

    (request,) = played.requests
    assert path_of(request) == "/v1/refunds"
    assert form_of(request) == {
        "charge": "ch_1",
        "amount": "500",
        "metadata[paygate_payment]": "pay_1",
        "metadata[paygate_attempt]": "att_2",
        "reason": "duplicate",
    }
    assert request.moves_money
    assert played.notes == ["ch_1"]
    assert played.outcome == Approved(
        reference="re_1",
        movements=(
            Movement(
                movement_id="re_1",
                amount=FIVE,
                kind=MovementKind.REFUND,
                effective=SENT_AT,
                undoes="ch_1",
            ),
        ),
    )


def test_a_reason_that_stripe_has_no_word_for_is_kept_beside(stripe: Stripe) -> None:
    form = form_of(play(stripe.refund(refunding(reason="oops")), answers(refund())).requests[0])

    assert form["metadata[paygate_reason]"] == "oops"
    assert "reason" not in form


@pytest.mark.parametrize("movement_id", ["", "re_9", "dp_1"])
def test_without_its_charge_the_intent_is_refunded(stripe: Stripe, movement_id: str) -> None:
    asked = refunding(movement_id=movement_id)

    form = form_of(play(stripe.refund(asked), answers(refund())).requests[0])

    assert form["payment_intent"] == "pi_1"
    assert "charge" not in form


def test_what_is_no_charge_is_not_refunded(stripe: Stripe) -> None:
    with pytest.raises(Unsupported):
        stripe.refund(refunding(movement_id="", reference="cs_1"))


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        (refund("pending"), Pending(reference="re_1")),
        (refund("requires_action"), Pending(reference="re_1")),
        (refund("canceled"), Ended(how=Ending.CANCELED, reference="re_1")),
        (refund("odd"), Unknown(reason="Stripe says 'odd' of a refund", reference="re_1")),
    ],
)
def test_a_state_of_the_refund_is_an_outcome(
    stripe: Stripe, told: dict[str, Any], outcome: Outcome
) -> None:
    assert play(stripe.refund(refunding()), answers(told)).outcome == outcome
    asked = inquiry(operation=Operation.REFUND, reference="re_1", our_ref="att_2", amount=FIVE)
    assert play(stripe.look_up(asked), answers(told)).outcome == outcome


@pytest.mark.parametrize(
    ("why", "code"),
    [
        ("lost_or_stolen_card", DeclineCode.LOST_OR_STOLEN),
        ("expired_or_canceled_card", DeclineCode.EXPIRED_METHOD),
        ("of_tomorrow", DeclineCode.GENERIC),
        (None, DeclineCode.GENERIC),
    ],
)
def test_a_refund_that_failed_is_declined(stripe: Stripe, why: str, code: DeclineCode) -> None:
    outcome = play(
        stripe.refund(refunding()), answers(refund("failed", failure_reason=why))
    ).outcome

    assert isinstance(outcome, Declined)
    assert (outcome.code, outcome.raw_code) == (code, why or "failed")


def test_a_refund_that_was_made_before_is_found_and_adopted(stripe: Stripe) -> None:
    reply = refuses(400, code="charge_already_refunded")
    other = refund(id="re_0", metadata={})

    played = play(stripe.refund(refunding()), reply, page(other, refund()))

    assert isinstance(played.outcome, Approved)
    assert played.outcome.reference == "re_1"
    assert dict(parse_qsl(urlsplit(played.requests[1].url).query)) == {
        "charge": "ch_1",
        "limit": "100",
    }


def test_more_than_there_is_is_rejected(stripe: Stripe) -> None:
    reply = refuses(400, code="charge_already_refunded")

    outcome = play(stripe.refund(refunding()), reply, page()).outcome

    assert isinstance(outcome, Rejected)
    assert outcome.cause is RejectCause.STATE


@pytest.mark.parametrize(
    "reply", [refuses(500), refuses(409), refuses(400, type="idempotency_error")]
)
def test_a_refund_whose_answer_is_in_doubt_is_unknown(stripe: Stripe, reply: Response) -> None:
    assert isinstance(play(stripe.refund(refunding()), reply).outcome, Unknown)


@pytest.mark.parametrize(
    "told",
    [
        refund(amount=501),
        refund(currency="eur"),
        refund(currency="xyz"),
        refund(amount=0),
        refund(id=""),
        refund(object="charge"),
    ],
)
def test_a_refund_that_is_not_what_was_asked_for_is_a_bad_reply(
    stripe: Stripe, told: dict[str, Any]
) -> None:
    with pytest.raises(BadResponse):
        play(stripe.refund(refunding()), answers(told))


def test_a_lost_refund_is_found_among_those_of_its_charge(stripe: Stripe) -> None:
    asked = inquiry(operation=Operation.REFUND, reference="ch_1", our_ref="att_2", amount=FIVE)

    assert isinstance(play(stripe.look_up(asked), page(refund())).outcome, Approved)
    found = play(
        stripe.look_up(asked),
        page(refund(metadata={}, id="re_0"), more=True),
        page(refund()),
    )
    assert "starting_after=re_0" in found.requests[1].url
    assert isinstance(found.outcome, Approved)
    assert play(stripe.look_up(asked), page()).outcome == NotFound()


def test_a_refund_that_a_restored_ledger_forgot_is_found_by_a_scan(stripe: Stripe) -> None:
    asked = inquiry(operation=Operation.REFUND, reference="", our_ref="att_2", amount=FIVE)

    played = play(stripe.look_up(asked), page({"id": "re_0"}, more=True), page(refund()))

    query = dict(parse_qsl(urlsplit(played.requests[0].url).query))
    assert query["created[gte]"] == str(NOON - 600)
    assert isinstance(played.outcome, Approved)
    assert play(stripe.look_up(asked), page()).outcome == NotFound()


@pytest.mark.parametrize(
    ("movement", "parent", "within"),
    [("ch_1", "pi_1", ("charge", "ch_1")), ("", "pi_1", ("payment_intent", "pi_1"))],
)
def test_a_refund_without_a_name_is_looked_for_under_its_payment(
    stripe: Stripe, movement: str, parent: str, within: tuple[str, str]
) -> None:
    asked = inquiry(
        operation=Operation.REFUND,
        reference="",
        parent_reference=parent,
        movement_id=movement,
        our_ref="att_2",
        amount=FIVE,
    )

    played = play(stripe.look_up(asked), page(refund()))

    assert within in parse_qsl(urlsplit(played.requests[0].url).query)
    assert isinstance(played.outcome, Approved)
    assert play(stripe.look_up(asked), page()).outcome == NotFound()


def test_a_capture_without_a_name_is_looked_for_under_its_authorisation(stripe: Stripe) -> None:
    asked = inquiry(operation=Operation.CAPTURE, reference="", parent_reference="pi_1")

    held = play(stripe.look_up(asked), answers(intent("requires_capture")))
    taken = play(stripe.look_up(asked), answers(paid()))

    assert "/v1/payment_intents/pi_1" in held.requests[0].url
    assert held.outcome == NotFound()
    assert isinstance(taken.outcome, Approved)


@pytest.mark.parametrize(
    "operation",
    [Operation.CAPTURE, Operation.VOID, Operation.WITHDRAW, Operation.COMPLETE, Operation.FORGET],
)
def test_what_was_never_named_was_never_sent(stripe: Stripe, operation: Operation) -> None:
    assert play(stripe.look_up(inquiry(operation=operation, reference=""))).outcome == NotFound()


# --- Refunds that somebody else made ----------------------------------------------------


def refunded(**given: Any) -> Response:
    told = paid()
    facts = {"amount": 1099, "amount_captured": 1099, "amount_refunded": 500}
    told["latest_charge"] |= {**facts, **given}
    return answers(told)


def test_a_refund_of_the_dashboard_is_found_with_its_charge(stripe: Stripe) -> None:
    played = play(stripe.look_up(inquiry()), refunded(), page(refund(metadata={})))

    assert isinstance(played.outcome, Approved)
    assert [(each.kind, each.movement_id) for each in played.outcome.movements] == [
        (MovementKind.CHARGE, "ch_1"),
        (MovementKind.REFUND, "re_1"),
    ]


def test_what_a_partial_capture_released_is_no_refund(stripe: Stripe) -> None:
    played = play(stripe.look_up(inquiry()), refunded(amount_captured=599))

    assert isinstance(played.outcome, Approved)
    assert len(played.outcome.movements) == 1


# --- Faults ----------------------------------------------------------------------------


def begun(stripe: Stripe, operation: str, reference: str = "pi_1") -> Dialogue[Outcome]:
    match operation:
        case "capture":
            return stripe.capture(capture(reference=reference))
        case "void":
            return stripe.void(voiding(reference=reference))
        case "withdraw":
            return stripe.withdraw(withdrawal(reference=reference))
        case "complete":
            return stripe.complete(completion(reference=reference))
        case _:
            return stripe.refund(refunding(movement_id="", reference=reference))


@pytest.mark.parametrize("operation", ["capture", "void", "withdraw", "complete", "refund"])
def test_a_fault_passes_through(stripe: Stripe, operation: str) -> None:
    with pytest.raises(NoResponse):
        play(begun(stripe, operation), NoResponse("x"))


@pytest.mark.parametrize("reference", ["", "../x", "a/b", "a?b"])
@pytest.mark.parametrize("operation", ["capture", "void", "withdraw", "complete", "refund"])
def test_a_reference_that_is_no_id_is_not_put_into_an_address(
    stripe: Stripe, operation: str, reference: str
) -> None:
    with pytest.raises((BadResponse, Unsupported)):
        play(begun(stripe, operation, reference))


def test_a_follow_up_is_the_same_bytes_again(stripe: Stripe) -> None:
    def sent() -> list[Played[Outcome]]:
        return [
            play(stripe.capture(capture()), answers(captured())),
            play(stripe.void(voiding()), answers(intent("canceled"))),
            play(stripe.refund(refunding()), answers(refund())),
        ]

    assert [played.requests for played in sent()] == [played.requests for played in sent()]
