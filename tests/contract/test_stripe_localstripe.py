"""
The Stripe driver against localstripe, a server that is not ours, over real HTTP.

It declines without a decline code, repeats a charge for a repeated key, and
refuses ``return_url``, ``off_session`` on confirming, and the list filter
``created``: those are tested by schema and samples in ``tests/drivers/stripe``.
The requests here are those that Stripe would get.
"""

import asyncio
import contextlib
import json
import os
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request as PlainRequest
from urllib.request import urlopen

import pytest
import vcr

from paygate.dialogue import Request, Response
from paygate.domain.action import ScriptStep
from paygate.domain.money import Money
from paygate.domain.outcome import (
    ActionRequired,
    Approved,
    DeclineCode,
    Declined,
    NotFound,
    RejectCause,
    Rejected,
)
from paygate.domain.secret import OneTimeToken
from paygate.drivers.stripe import Stripe
from paygate.errors import BadResponse
from paygate.testing.play import converse, play
from paygate.testing.replay import read_cassette
from paygate.transport import AsyncHttpTransport, HttpTransport
from tests.drivers.stripe.conftest import charge, inquiry, settings
from tests.drivers.stripe.test_cassette import CASSETTE, DECLINED, PAID

Respond = Callable[[Request], Response]


@pytest.fixture
def stripe(localstripe: str) -> Stripe:
    return Stripe(settings(api_base=localstripe))


@pytest.fixture(params=["sync", "async"])
def respond(request: pytest.FixtureRequest) -> Iterator[Respond]:
    if request.param == "sync":
        with contextlib.closing(HttpTransport()) as transport:
            yield transport.exchange
        return
    with asyncio.Runner() as runner:
        other = AsyncHttpTransport()
        yield lambda asked: runner.run(other.exchange(asked))
        runner.run(other.aclose())


def test_a_card_is_charged_and_found_again(stripe: Stripe, respond: Respond) -> None:
    played = converse(stripe.charge(charge(invoices=("INV-1",))), respond)

    assert isinstance(played.outcome, Approved)
    (movement,) = played.outcome.movements
    assert movement.amount == Money("USD", 1099)
    assert movement.movement_id.startswith("ch_")
    found = converse(stripe.look_up(inquiry(reference=played.notes[0])), respond)
    assert found.outcome == played.outcome


def test_a_card_is_declined_and_found_declined(stripe: Stripe, respond: Respond) -> None:
    played = converse(stripe.charge(DECLINED), respond)

    assert isinstance(played.outcome, Declined)
    assert (played.outcome.code, played.outcome.raw_code) == (
        DeclineCode.GENERIC,
        "card_declined",
    )
    found = converse(stripe.look_up(inquiry(reference=played.notes[0])), respond)
    assert found.outcome == played.outcome


def test_a_charge_that_stopped_after_the_note_is_not_found(
    stripe: Stripe, respond: Respond
) -> None:
    dialogue = stripe.charge(charge())
    asked = next(dialogue)
    assert isinstance(asked, Request)
    noted: Any = dialogue.send(respond(asked))
    dialogue.close()

    found = converse(stripe.look_up(inquiry(reference=noted.reference)), respond)

    assert found.outcome == NotFound()


def test_a_second_confirmation_is_refused_and_the_first_is_adopted(
    stripe: Stripe, respond: Respond
) -> None:
    # localstripe says "Bad request" where Stripe names the unexpected state, so its answer is
    # given Stripe's code on the way.
    first = converse(stripe.charge(charge()), respond)

    def as_stripe_would(request: Request) -> Response:
        if request.step == "create":
            return Response(status=200, body=json.dumps(left_at(first.notes[0])).encode())
        response = respond(request)
        if request.step == "confirm":
            assert response.status == 400
            code = "payment_intent_unexpected_state"
            error = {"error": {"type": "invalid_request_error", "code": code}}
            return Response(status=400, body=json.dumps(error).encode())
        return response

    again = converse(stripe.charge(charge()), as_stripe_would)

    assert again.outcome == first.outcome


def left_at(reference: str) -> dict[str, Any]:
    return {
        "id": reference,
        "object": "payment_intent",
        "status": "requires_confirmation",
        "livemode": False,
        "amount": 1099,
        "currency": "usd",
    }


def test_a_card_that_wants_3d_secure_goes_on_in_stripes_script(
    stripe: Stripe, respond: Respond, localstripe: str
) -> None:
    token = post_form(
        f"{localstripe}/v1/payment_methods",
        b"type=card&card[number]=4000000000003220&card[exp_month]=12&card[exp_year]=2040"
        b"&card[cvc]=123",
    )["id"]

    played = converse(stripe.charge(charge(method=OneTimeToken.of(token))), respond)

    assert isinstance(played.outcome, ActionRequired)
    assert isinstance(played.outcome.action, ScriptStep)
    assert played.outcome.action.client_secret is not None
    secret = played.outcome.action.client_secret.reveal().encode()
    address = f"{localstripe}/v1/payment_intents/{played.notes[0]}/_authenticate"
    post_form(address, b"success=true&client_secret=" + secret)
    found = converse(stripe.look_up(inquiry(reference=played.notes[0])), respond)
    assert isinstance(found.outcome, Approved)


def post_form(url: str, body: bytes) -> dict[str, Any]:
    request = PlainRequest(url, body, {"Authorization": "Bearer sk_test_12345"})  # noqa: S310
    with urlopen(request, timeout=20) as answer:  # noqa: S310
        told: dict[str, Any] = json.load(answer)
        return told


def test_a_card_that_nobody_made_is_rejected(stripe: Stripe, respond: Respond) -> None:
    asked = charge(method=OneTimeToken.of("pm_of_nobody"))

    outcome = converse(stripe.charge(asked), respond).outcome

    assert isinstance(outcome, Rejected)
    assert outcome.cause is RejectCause.VALIDATION


def test_the_key_is_accepted(stripe: Stripe, respond: Respond) -> None:
    assert converse(stripe.check(), respond).outcome.live is False


def test_an_intent_of_another_account_is_no_finding(stripe: Stripe, respond: Respond) -> None:
    with pytest.raises(BadResponse):
        converse(stripe.look_up(inquiry(reference="pi_of_another")), respond)


def test_our_ids_are_on_the_intent(stripe: Stripe, respond: Respond, localstripe: str) -> None:
    played = converse(stripe.charge(charge(invoices=("INV-1", "INV-2"))), respond)

    request = PlainRequest(  # noqa: S310
        f"{localstripe}/v1/payment_intents/{played.notes[0]}",
        headers={"Authorization": "Bearer sk_test_12345"},
    )
    with urlopen(request, timeout=20) as answer:  # noqa: S310
        told = json.load(answer)
    assert told["metadata"] == {
        "paygate_payment": "pay_1",
        "paygate_attempt": "att_1",
        "paygate_invoices": "INV-1, INV-2",
    }


def scrubbed(response: dict[str, Any]) -> dict[str, Any]:
    told = json.loads(response["body"]["string"])
    if told.get("client_secret"):
        told["client_secret"] = "scrubbed"
    body = json.dumps(told).encode()
    headers = response["headers"] | {"Content-Length": [str(len(body))]}
    headers = {name: texts for name, texts in headers.items() if name != "content-length"}
    return response | {"body": {"string": body}, "headers": headers}


def moved(request: Any) -> Any:
    """Write the request down as one to a fixed port."""
    parts = urlsplit(request.uri)
    request.uri = parts._replace(netloc="localhost:8420").geturl()
    return request


def test_the_conversation_can_be_recorded(stripe: Stripe, tmp_path: Any) -> None:
    """Record it and replay it; with ``PAYGATE_RECORD``, into the project's cassette."""
    path = CASSETTE if os.environ.get("PAYGATE_RECORD") else tmp_path / "new.yaml"
    path.unlink(missing_ok=True)
    with (
        contextlib.closing(HttpTransport()) as transport,
        vcr.use_cassette(
            str(path),
            record_mode="once",
            filter_headers=["authorization", "host", "user-agent"],
            before_record_request=moved,
            before_record_response=scrubbed,
            allow_playback_repeats=False,
        ),
    ):
        paid = converse(stripe.charge(PAID), transport.exchange)
        declined = converse(stripe.charge(DECLINED), transport.exchange)
        for reference in (paid.notes[0], declined.notes[0]):
            converse(stripe.look_up(inquiry(reference=reference)), transport.exchange)

    recorded = read_cassette(path)
    assert len(recorded) == 6
    elsewhere = Stripe(settings(api_base="http://localhost:8420"))
    again = play(elsewhere.charge(PAID), recorded[0].response, recorded[1].response)
    assert again.outcome == paid.outcome
