"""Finding out at Stripe what became of a charge."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from paygate.dialogue import Response
from paygate.domain.money import Money
from paygate.domain.outcome import (
    ActionRequired,
    Approved,
    DeclineCode,
    Declined,
    Finding,
    NotFound,
    Pending,
    Unknown,
)
from paygate.drivers.stripe import Stripe
from paygate.errors import BadResponse, CredentialsRejected
from paygate.testing.play import play
from tests.drivers.stripe.conftest import (
    NOON,
    PAID,
    answers,
    inquiry,
    intent,
    paid,
    refuses,
    settings,
)


def look_up(stripe: Stripe, reply: Response) -> Finding:
    return play(stripe.look_up(inquiry()), reply).outcome


def page(*entries: object, more: bool = False) -> Response:
    return answers({"object": "list", "data": list(entries), "has_more": more})


def test_a_charge_is_found_by_its_reference_in_one_get(stripe: Stripe) -> None:
    played = play(stripe.look_up(inquiry()), PAID)

    (request,) = played.requests
    assert (request.method, request.repeatable, request.moves_money) == ("GET", True, False)
    assert urlsplit(request.url).path == "/v1/payment_intents/pi_1"
    assert "Idempotency-Key" not in request.headers
    assert isinstance(played.outcome, Approved)


def test_a_declined_try_is_found(stripe: Stripe) -> None:
    error = {"type": "card_error", "code": "card_declined", "decline_code": "do_not_honor"}

    found = look_up(stripe, answers(intent("requires_payment_method", last_payment_error=error)))

    assert found == Declined(
        code=DeclineCode.GENERIC,
        raw_code="do_not_honor",
        retryable=True,
        reference="pi_1",
        final=True,
    )


@pytest.mark.parametrize("status", ["requires_confirmation", "requires_payment_method"])
def test_an_intent_that_nobody_confirmed_is_not_found(stripe: Stripe, status: str) -> None:
    assert look_up(stripe, answers(intent(status))) == NotFound()


def test_a_charge_that_is_on_its_way_is_pending(stripe: Stripe) -> None:
    assert look_up(stripe, answers(intent("processing"))) == Pending(reference="pi_1")


@pytest.mark.parametrize(
    "reply",
    [
        refuses(404, code="resource_missing"),
        refuses(401),
        refuses(403),
        refuses(429),
        refuses(500),
        Response(status=404, body=b"not here"),
        answers(intent("succeeded", id="pi_2")),
        answers({**paid(), "amount": 1}),
        answers({**paid(), "livemode": True}),
        answers(intent("requires_payment_method", last_payment_error={"odd": 1})),
    ],
)
def test_an_inquiry_that_is_refused_finds_nothing_out(stripe: Stripe, reply: Response) -> None:
    # An intent that Stripe named and now does not know belongs to another account's key.
    with pytest.raises(BadResponse):
        look_up(stripe, reply)


def test_a_reference_that_is_no_id_is_not_put_into_an_address(stripe: Stripe) -> None:
    with pytest.raises(BadResponse):
        play(stripe.look_up(inquiry(reference="../balance")))


# --- Without a reference ---------------------------------------------------------------


def test_without_a_reference_the_time_of_sending_is_scanned(stripe: Stripe) -> None:
    played = play(stripe.look_up(inquiry(reference="")), page())

    (request,) = played.requests
    query = dict(parse_qsl(urlsplit(request.url).query))
    assert urlsplit(request.url).path == "/v1/payment_intents"
    assert query == {
        "created[gte]": str(NOON - 600),
        "created[lte]": str(NOON + 3600),
        "limit": "100",
        "expand[0]": "data.latest_charge",
    }
    assert played.outcome == NotFound()


def test_a_scan_goes_on_to_the_last_page_and_knows_ours_by_its_metadata(stripe: Stripe) -> None:
    other: dict[str, Any] = {"id": "pi_8", "object": "payment_intent", "metadata": {}}

    played = play(
        stripe.look_up(inquiry(reference="")),
        page({"id": "pi_9", "metadata": None}, other, more=True),
        page(paid(), more=False),
    )

    assert "starting_after=pi_8" in played.requests[1].url
    assert isinstance(played.outcome, Approved)


def test_of_two_with_our_reference_the_one_with_the_money_counts(stripe: Stripe) -> None:
    played = play(
        stripe.look_up(inquiry(reference="")),
        page(
            intent("requires_confirmation", id="pi_3"), intent("requires_action"), paid(id="pi_2")
        ),
    )

    assert isinstance(played.outcome, Approved)
    assert played.outcome.reference == "pi_2"


def test_one_that_waits_for_the_payer_is_found_in_a_scan(stripe: Stripe) -> None:
    played = play(stripe.look_up(inquiry(reference="")), page(intent("requires_action")))

    assert isinstance(played.outcome, ActionRequired)


def test_a_scan_without_end_is_unknown_and_not_absence(stripe: Stripe) -> None:
    endless = [page({"id": "pi_8"}, more=True)] * 100

    assert isinstance(play(stripe.look_up(inquiry(reference="")), *endless).outcome, Unknown)


@pytest.mark.parametrize(
    "reply",
    [
        page(more=True),
        page({"id": 5}, more=True),
        answers({"object": "list", "data": []}),
        answers({"object": "list", "data": {}, "has_more": False}),
        answers({"object": "charge", "data": [], "has_more": False}),
        refuses(500),
        page(paid(amount=3)),
    ],
)
def test_a_page_that_cannot_be_trusted_is_a_bad_reply(stripe: Stripe, reply: Response) -> None:
    with pytest.raises(BadResponse):
        play(stripe.look_up(inquiry(reference="")), reply)


def test_an_icelandic_amount_comes_back_in_whole_kronur(stripe: Stripe) -> None:
    told = {**paid(), "amount": 50000, "amount_received": 50000, "currency": "isk"}

    found = play(stripe.look_up(inquiry(amount=Money("ISK", 500))), answers(told)).outcome

    assert isinstance(found, Approved)
    assert found.movements[0].amount == Money("ISK", 500)


# --- Are the credentials good? ---------------------------------------------------------


def test_the_balance_proves_the_key() -> None:
    stripe = Stripe(settings(account="acct_1"))
    balance = {
        "object": "balance",
        "livemode": False,
        "available": [{"amount": 0, "currency": "usd"}, {"amount": 0, "currency": "eur"}],
    }

    facts = play(stripe.check(), answers(balance)).outcome

    assert (facts.merchant_account, facts.live) == ("acct_1", False)
    assert facts.currencies == ("EUR", "USD")


def test_a_key_that_is_not_accepted_is_a_reason_of_its_own(stripe: Stripe) -> None:
    with pytest.raises(CredentialsRejected, match="does not accept the key: status 401"):
        play(stripe.check(), refuses(401))


@pytest.mark.parametrize(
    "reply",
    [refuses(401), answers({"object": "balance", "livemode": True}), answers({}), refuses(503)],
)
def test_a_key_that_is_not_accepted_proves_nothing(stripe: Stripe, reply: Response) -> None:
    with pytest.raises(BadResponse):
        play(stripe.check(), reply)
