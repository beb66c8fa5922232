"""One recorded conversation, replayed in sync, in async, and with no client at all."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
import vcr

from paygate.dialogue import Dialogue, Request, Response
from paygate.domain.money import Money
from paygate.domain.outcome import Approved, DeclineCode, Declined
from paygate.domain.secret import OneTimeToken
from paygate.drivers.stripe import Stripe
from paygate.testing.play import Played, converse
from paygate.testing.replay import read_cassette, replay
from paygate.transport import AsyncHttpTransport, HttpTransport
from tests.drivers.stripe.conftest import charge, inquiry, settings

CASSETTE = Path(__file__).parents[2] / "cassettes" / "stripe_localstripe.yaml"
STRIPE = Stripe(settings(api_base="http://localhost:8420"))

PAID = charge(invoices=("INV-7",))
DECLINED = charge(key="k8", our_ref="att_2", method=OneTimeToken.of("pm_card_chargeCustomerFail"))

Run = Callable[[Dialogue[object], int], Played[object]]


def in_sync(dialogue: Dialogue[object], _: int) -> Played[object]:
    transport = HttpTransport()
    try:
        return converse(dialogue, transport.exchange)
    finally:
        transport.close()


def in_async(dialogue: Dialogue[object], _: int) -> Played[object]:
    with asyncio.Runner() as runner:
        transport = AsyncHttpTransport()

        def respond(request: Request) -> Response:
            return runner.run(transport.exchange(request))

        try:
            return converse(dialogue, respond)
        finally:
            runner.run(transport.aclose())


def with_no_client(dialogue: Dialogue[object], first: int) -> Played[object]:
    return replay(dialogue, CASSETTE, first=first)


@pytest.mark.parametrize("run", [in_sync, in_async, with_no_client])
def test_the_recording_replays(run: Run) -> None:
    with vcr.use_cassette(str(CASSETTE), record_mode="none", match_on=["method", "uri", "body"]):
        paid = run(STRIPE.charge(PAID), 0)
        declined = run(STRIPE.charge(DECLINED), 2)
        found = run(STRIPE.look_up(inquiry(reference=paid.notes[0])), 4)
        found_declined = run(STRIPE.look_up(inquiry(reference=declined.notes[0])), 5)

    assert isinstance(paid.outcome, Approved)
    assert paid.outcome.movements[0].amount == Money("USD", 1099)
    assert found.outcome == paid.outcome
    assert isinstance(declined.outcome, Declined)
    assert declined.outcome.code is DeclineCode.GENERIC
    assert declined.outcome.raw_code == "card_declined"
    assert found_declined.outcome == declined.outcome


def test_the_recording_holds_no_secret() -> None:
    text = CASSETTE.read_text().lower()

    assert "authorization" not in text
    assert "sk_test" not in text
    assert "_secret_" not in text
    assert len(read_cassette(CASSETTE)) == 6
