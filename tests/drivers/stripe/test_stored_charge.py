"""A stored card is charged in one request: what is sent, and how a lost answer is found out."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from paygate.dialogue import Request, Response
from paygate.domain.outcome import (
    ActionRequired,
    Approved,
    Authorized,
    DeclineCode,
    Declined,
    NotFound,
    RejectCause,
    Rejected,
    Unknown,
)
from paygate.domain.secret import Secret
from paygate.drivers.stripe import Stripe
from paygate.gateway import StoredToken
from paygate.testing.play import play
from tests.drivers.stripe.conftest import (
    PAID,
    answers,
    charge,
    inquiry,
    intent,
    paid,
    refuses,
    settings,
)
from tests.drivers.stripe.test_followups import held
from tests.drivers.stripe.test_look_up import page
from tests.drivers.stripe.test_refusals import replayed
from tests.drivers.stripe.test_stored import form_of

STORED = StoredToken(Secret("cus_9/pm_8"))
LOCKED = refuses(429, code="lock_timeout")


def query_of(request: Request) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(request.url).query))


def charged(stripe: Stripe, *replies: Response | Exception, **given: Any) -> Any:
    return play(stripe.charge(charge(method=STORED, **given)), *replies)


def test_a_hold_on_a_stored_card_is_one_request(stripe: Stripe) -> None:
    played = play(stripe.authorize(charge(method=STORED)), answers(held()))

    (request,) = played.requests
    assert form_of(request)["capture_method"] == "manual"
    assert isinstance(played.outcome, Authorized)


@pytest.mark.parametrize(
    ("given", "configured", "sent"),
    [
        ({"return_url": "https://shop/back"}, {}, {"return_url": "https://shop/back"}),
        ({"payer_present": False}, {}, {"off_session": "true"}),
        (
            {},
            {"decline_if_authentication_is_needed": True},
            {"error_on_requires_action": "true"},
        ),
    ],
)
def test_it_says_where_the_payer_is(
    given: dict[str, Any], configured: dict[str, Any], sent: dict[str, str]
) -> None:
    (request,) = charged(Stripe(settings(**configured)), PAID, **given).requests

    assert sent.items() <= form_of(request).items()
    assert form_of(request)["expand[0]"] == "latest_charge"


def test_the_same_charge_is_the_same_bytes_under_the_same_key(stripe: Stripe) -> None:
    (one,) = charged(stripe, PAID, metadata={"boat": "Ida"}).requests
    (two,) = charged(stripe, PAID, metadata={"boat": "Ida"}).requests

    assert (one.body, one.headers["Idempotency-Key"]) == (two.body, two.headers["Idempotency-Key"])


@pytest.mark.parametrize("token", ["cus_9/pm_8", "pm_8"])
def test_a_charge_that_is_turned_away_is_looked_for_and_was_not_made(
    stripe: Stripe, token: str
) -> None:
    asked = charge(method=StoredToken(Secret(token)))
    looks = [page()] if "/" in token else []

    outcome = play(stripe.charge(asked), LOCKED, *looks).outcome

    assert isinstance(outcome, Rejected)
    assert (outcome.cause, outcome.retryable) == (RejectCause.RATE_LIMIT, True)


def test_a_charge_that_was_turned_away_and_made_before_is_found(stripe: Stripe) -> None:
    other = paid(metadata={"paygate_attempt": "att_2"})

    played = charged(stripe, LOCKED, page(other, paid()))

    assert query_of(played.requests[1])["customer"] == "cus_9"
    assert isinstance(played.outcome, Approved)


def test_a_decline_names_the_intent_that_it_is_of(stripe: Stripe) -> None:
    error = {"code": "card_declined", "decline_code": "insufficient_funds"}
    told = refuses(
        402, type="card_error", payment_intent=intent("requires_payment_method"), **error
    )

    outcome = charged(stripe, told).outcome

    assert isinstance(outcome, Declined)
    assert (outcome.code, outcome.reference) == (DeclineCode.INSUFFICIENT_FUNDS, "pi_1")


def test_a_decline_whose_own_payment_succeeded_is_asked_about(stripe: Stripe) -> None:
    told = refuses(402, type="card_error", payment_intent=intent("succeeded"), code="card_declined")

    outcome = charged(stripe, told).outcome

    assert isinstance(outcome, Unknown)
    assert outcome.reference == "pi_1"


@pytest.mark.parametrize("reply", [refuses(409), refuses(500, type="api_error")])
def test_an_answer_that_leaves_it_in_doubt_is_unknown(stripe: Stripe, reply: Response) -> None:
    assert isinstance(charged(stripe, reply).outcome, Unknown)


def test_what_was_open_when_the_answer_was_kept_is_asked_for_again(stripe: Stripe) -> None:
    played = charged(stripe, replayed(intent("requires_action")), PAID)

    assert [request.step for request in played.requests] == ["charge", "look_up"]
    assert isinstance(played.outcome, Approved)


def test_a_payer_who_must_authenticate_is_sent_to_the_bank(stripe: Stripe) -> None:
    url = "https://hooks.stripe.com/3ds/1"
    told = intent("requires_action", next_action={"redirect_to_url": {"url": url}})

    assert isinstance(charged(stripe, answers(told)).outcome, ActionRequired)


# --- Found in the list of the customer -----------------------------------------------------------


def test_it_is_looked_for_in_the_list_of_its_customer(stripe: Stripe) -> None:
    other = paid(metadata={"paygate_attempt": "att_2"})

    played = play(stripe.look_up(inquiry(reference="cus_9")), page(other, paid()))

    (request,) = played.requests
    assert query_of(request)["customer"] == "cus_9"
    assert "created[gte]" in query_of(request)
    assert isinstance(played.outcome, Approved)


def test_what_is_not_in_the_list_of_its_customer_is_not_found(stripe: Stripe) -> None:
    assert play(stripe.look_up(inquiry(reference="cus_9")), page()).outcome == NotFound()
