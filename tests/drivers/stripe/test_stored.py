"""Cards that Stripe keeps: stored, charged, forgotten."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from paygate.dialogue import Request, Response
from paygate.domain.action import Redirect, ScriptStep
from paygate.domain.customer import Customer
from paygate.domain.kind import Kind, Operation
from paygate.domain.method import StoredMethod
from paygate.domain.outcome import (
    ActionRequired,
    Approved,
    Authorized,
    Declined,
    Ended,
    Ending,
    NotFound,
    Outcome,
    Pending,
    RejectCause,
    Rejected,
    Unknown,
)
from paygate.domain.secret import OneTimeToken, Secret
from paygate.drivers.stripe import Stripe
from paygate.errors import BadResponse, Unsupported
from paygate.gateway import Enrollment, Forgetting, StoredToken
from paygate.testing.play import Played, play
from tests.drivers.stripe.conftest import CREATED, NOON, answers, charge, inquiry, paid, refuses

PAYER = Customer("C-1", name="Ada", email="ada@example.com")
CARD = {"brand": "visa", "last4": "4242", "exp_month": 8, "exp_year": 2030, "fingerprint": "fp"}
CUSTOMER = answers({"id": "cus_1", "object": "customer", "livemode": False})
KEPT = StoredMethod(
    token=Secret("cus_1/pm_1"),
    kind=Kind.CARD,
    brand="visa",
    last4="4242",
    expires_month=8,
    expires_year=2030,
    holder="Ada",
    fingerprint="fp",
    reference="pm_1",
    customer_reference="cus_1",
)


def form_of(request: Request) -> dict[str, str]:
    return dict(parse_qsl(request.body.decode(), keep_blank_values=True))


def path_of(request: Request) -> str:
    return urlsplit(request.url).path


def setup(status: str = "succeeded", **given: Any) -> dict[str, Any]:
    return {
        "id": "seti_1",
        "object": "setup_intent",
        "livemode": False,
        "status": status,
        "customer": "cus_1",
        "client_secret": "seti_1_secret_x",
        "last_setup_error": None,
        "next_action": None,
        "payment_method": {"id": "pm_1", "card": CARD, "billing_details": {"name": "Ada"}},
        **given,
    }


def session(status: str = "open", **given: Any) -> dict[str, Any]:
    return {
        "id": "cs_1",
        "object": "checkout.session",
        "livemode": False,
        "mode": "setup",
        "status": status,
        "url": "https://checkout.stripe.com/c/cs_1#" + "x" * 900,
        "expires_at": NOON + 86400,
        "setup_intent": None,
        **given,
    }


BEGUN = answers(setup("requires_payment_method", payment_method=None))


def enrollment(**given: Any) -> Enrollment:
    asked = {"key": "k7", "our_ref": "att_5", "customer": PAYER, "kind": Kind.CARD}
    return Enrollment(**{**asked, "method": OneTimeToken.of("pm_1"), **given})


def enrolled(stripe: Stripe, *replies: Response | Exception, **given: Any) -> Played[Outcome]:
    return play(stripe.enroll(enrollment(**given)), *replies)


# --- From a one-time token -------------------------------------------------------------


def test_a_card_is_stored_with_a_customer_and_the_banks_consent(stripe: Stripe) -> None:
    played = enrolled(stripe, CUSTOMER, BEGUN, answers(setup()))

    customer, begun, confirm = played.requests
    assert [path_of(request) for request in played.requests] == [
        "/v1/customers",
        "/v1/setup_intents",
        "/v1/setup_intents/seti_1/confirm",
    ]
    assert form_of(customer) == {
        "name": "Ada",
        "email": "ada@example.com",
        "metadata[paygate_customer]": "C-1",
    }
    assert form_of(begun)["usage"] == "off_session"
    assert form_of(confirm) == {"payment_method": "pm_1", "expand[0]": "payment_method"}
    assert played.notes == ["seti_1"]
    assert played.outcome == Approved(reference="seti_1", method=KEPT)
    assert not any(request.moves_money for request in played.requests)


def test_a_second_card_is_kept_with_the_customer_of_the_first(stripe: Stripe) -> None:
    known = answers({"id": "cus_1", "object": "customer", "livemode": False})

    played = enrolled(stripe, known, BEGUN, answers(setup()), customer_reference="cus_1")

    assert [(each.method, path_of(each)) for each in played.requests] == [
        ("GET", "/v1/customers/cus_1"),
        ("POST", "/v1/setup_intents"),
        ("POST", "/v1/setup_intents/seti_1/confirm"),
    ]
    assert form_of(played.requests[1])["customer"] == "cus_1"
    assert isinstance(played.outcome, Approved)
    assert played.outcome.method is not None
    assert played.outcome.method.customer_reference == "cus_1"


def test_the_page_for_a_card_is_told_the_currency_of_later_charges(stripe: Stripe) -> None:
    given: dict[str, Any] = {"method": None, "return_url": "https://x", "currency": "EUR"}

    played = enrolled(stripe, CUSTOMER, answers(session()), **given)

    assert form_of(played.requests[1])["currency"] == "eur"


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        (
            setup("requires_action"),
            ActionRequired(
                action=ScriptStep(
                    script_url="https://js.stripe.com/v3/",
                    publishable_key="",
                    client_secret=Secret("seti_1_secret_x"),
                ),
                reference="seti_1",
            ),
        ),
        (
            setup("requires_action", next_action={"redirect_to_url": {"url": "https://bank/"}}),
            ActionRequired(action=Redirect(url="https://bank/"), reference="seti_1"),
        ),
        (setup("processing"), Pending(reference="seti_1")),
        (setup("canceled"), Ended(how=Ending.CANCELED, reference="seti_1")),
        (setup("odd"), Unknown(reason="Stripe says 'odd'", reference="seti_1")),
        (
            setup("requires_confirmation"),
            Unknown(reason="Stripe did not begin to keep the card", reference="seti_1"),
        ),
    ],
)
def test_a_state_of_the_consent_is_an_outcome(
    stripe: Stripe, told: dict[str, Any], outcome: Outcome
) -> None:
    given = {"return_url": "https://shop.example/"}

    assert enrolled(stripe, CUSTOMER, BEGUN, answers(told), **given).outcome == outcome


def test_a_card_that_the_bank_refuses_is_declined(stripe: Stripe) -> None:
    reply = refuses(402, type="card_error", code="card_declined", decline_code="do_not_honor")

    outcome = enrolled(stripe, CUSTOMER, BEGUN, reply).outcome

    assert isinstance(outcome, Declined)
    assert (outcome.raw_code, outcome.reference) == ("do_not_honor", "seti_1")


def test_a_refusal_of_a_card_that_is_kept_is_asked_about(stripe: Stripe) -> None:
    kept = {"id": "seti_1", "object": "setup_intent", "status": "succeeded"}
    reply = refuses(402, type="card_error", code="card_declined", setup_intent=kept)

    outcome = enrolled(stripe, CUSTOMER, BEGUN, reply).outcome

    assert isinstance(outcome, Unknown)
    assert outcome.reference == "seti_1"


@pytest.mark.parametrize("before", [0, 1, 2])
def test_a_refused_step_is_a_rejection(stripe: Stripe, before: int) -> None:
    outcome = enrolled(stripe, *[CUSTOMER, BEGUN][:before], refuses(401)).outcome

    assert isinstance(outcome, Rejected)
    assert outcome.cause is RejectCause.CREDENTIALS


def test_a_consent_that_was_given_before_is_adopted(stripe: Stripe) -> None:
    reply = refuses(400, code="setup_intent_unexpected_state")

    assert enrolled(stripe, CUSTOMER, BEGUN, reply, answers(setup())).outcome == Approved(
        reference="seti_1", method=KEPT
    )


@pytest.mark.parametrize(
    "given",
    [
        {"kind": Kind.E_CHECK},
        {"method": None},
        {"method": StoredToken(Secret("cus_1/pm_1"))},
        {"method": OneTimeToken.of("tok_visa")},
    ],
)
def test_what_cannot_be_stored_is_refused_before_anything_is_sent(
    stripe: Stripe, given: dict[str, Any]
) -> None:
    with pytest.raises(Unsupported):
        stripe.enroll(enrollment(**given))


@pytest.mark.parametrize(
    "told",
    [
        setup(payment_method=None),
        setup(customer=None),
        setup(livemode=True),
        setup(id="seti_2"),
        setup(object="payment_intent"),
        setup("requires_action", client_secret=None),
    ],
)
def test_an_answer_that_is_not_what_was_asked_for_is_a_bad_reply(
    stripe: Stripe, told: dict[str, Any]
) -> None:
    with pytest.raises(BadResponse):
        enrolled(stripe, CUSTOMER, BEGUN, answers(told))


def test_a_lost_enrolment_is_found_by_its_consent(stripe: Stripe) -> None:
    asked = inquiry(operation=Operation.ENROLL, reference="seti_1")

    found = play(stripe.look_up(asked), answers(setup())).outcome

    assert found == Approved(reference="seti_1", method=KEPT)
    assert play(stripe.look_up(asked), BEGUN).outcome == NotFound()
    error = {"code": "card_declined"}
    failed = answers(setup("requires_payment_method", last_setup_error=error))
    assert isinstance(play(stripe.look_up(asked), failed).outcome, Declined)


# --- On Stripe's page ------------------------------------------------------------------


def test_a_card_is_stored_on_stripes_page(stripe: Stripe) -> None:
    given = {"method": None, "return_url": "https://shop.example/back"}

    played = enrolled(stripe, CUSTOMER, answers(session()), **given)

    form = form_of(played.requests[1])
    assert path_of(played.requests[1]) == "/v1/checkout/sessions"
    assert (form["mode"], form["customer"]) == ("setup", "cus_1")
    assert form["setup_intent_data[metadata][paygate_attempt]"] == "att_5"
    assert form["client_reference_id"] == "att_5"
    assert isinstance(played.outcome, ActionRequired)
    assert isinstance(played.outcome.action, Redirect)
    assert len(played.outcome.action.url) > 900
    assert played.outcome.reference == "cs_1"


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        (session(), ActionRequired),
        (session("complete", setup_intent=setup()), Approved),
        (session("expired", url=None), Ended),
        (session("odd"), Unknown),
    ],
)
def test_a_page_tells_what_became_of_it(stripe: Stripe, told: dict[str, Any], kind: type) -> None:
    played = play(
        stripe.look_up(inquiry(operation=Operation.ENROLL, reference="cs_1")), answers(told)
    )

    assert dict(parse_qsl(urlsplit(played.requests[0].url).query)) == {
        "expand[0]": "setup_intent.payment_method"
    }
    assert isinstance(played.outcome, kind)


# --- From a payment --------------------------------------------------------------------


def keeping(**given: Any) -> dict[str, Any]:
    told = paid(customer="cus_1", payment_method="pm_1", setup_future_usage="off_session", **given)
    told["latest_charge"]["payment_method_details"]["card"] |= CARD
    told["latest_charge"]["billing_details"] = {"name": "Ada"}
    return told


def test_a_charge_may_store_its_card(stripe: Stripe) -> None:
    asked = charge(store_method=True, payer=PAYER)

    played = play(stripe.charge(asked), CUSTOMER, CREATED, answers(keeping()))

    created = form_of(played.requests[1])
    assert (created["customer"], created["setup_future_usage"]) == ("cus_1", "off_session")
    assert isinstance(played.outcome, Approved)
    method = played.outcome.method
    assert method is not None
    assert method.token == Secret("cus_1/pm_1")
    assert (method.brand, method.network_transaction_id) == ("visa", "976910110049114")


def test_an_authorisation_may_store_its_card(stripe: Stripe) -> None:
    told = {**keeping(), "status": "requires_capture", "amount_capturable": 1099}

    played = play(stripe.authorize(charge(store_method=True)), CUSTOMER, CREATED, answers(told))

    assert isinstance(played.outcome, Authorized)
    assert played.outcome.method is not None


def test_a_stored_card_is_not_stored_again(stripe: Stripe) -> None:
    asked = charge(store_method=True, method=StoredToken(Secret("cus_9/pm_8")))

    played = play(stripe.charge(asked), answers(paid()))

    assert "setup_future_usage" not in form_of(played.requests[0])
    assert isinstance(played.outcome, Approved)
    assert played.outcome.method is None


def test_a_customer_that_stripe_refuses_ends_the_charge(stripe: Stripe) -> None:
    outcome = play(stripe.charge(charge(store_method=True)), refuses(403)).outcome

    assert isinstance(outcome, Rejected)


def test_the_card_of_a_payment_just_made_is_stored(stripe: Stripe) -> None:
    given = {"method": None, "from_reference": "pi_1"}

    played = enrolled(stripe, answers(keeping()), **given)

    assert isinstance(played.outcome, Approved)
    assert played.outcome.movements == ()
    assert played.outcome.method is not None
    assert played.outcome.method.token == Secret("cus_1/pm_1")
    asked = inquiry(operation=Operation.ENROLL, reference="pi_1")
    assert play(stripe.look_up(asked), answers(keeping())).outcome == played.outcome
    assert play(stripe.look_up(asked), answers(paid())).outcome == NotFound()


def test_the_card_of_a_payment_that_did_not_store_it_is_gone(stripe: Stripe) -> None:
    outcome = enrolled(stripe, answers(paid()), method=None, from_reference="pi_1").outcome

    assert isinstance(outcome, Rejected)
    assert outcome.cause is RejectCause.STATE


def test_a_charge_off_session_that_wants_the_payer_is_declined_for_that(stripe: Stripe) -> None:
    reply = refuses(402, code="authentication_required", decline_code="authentication_required")
    asked = charge(method=StoredToken(Secret("cus_9/pm_8")), payer_present=False)

    outcome = play(stripe.charge(asked), reply).outcome

    assert isinstance(outcome, Declined)
    assert outcome.code == "authentication_required"


# --- Forgotten -------------------------------------------------------------------------


def forgetting(token: str = "cus_1/pm_1") -> Forgetting:
    return Forgetting(key="k7", our_ref="att_6", token=StoredToken(Secret(token)))


def card(customer: str | None) -> Response:
    told = {"id": "pm_1", "object": "payment_method", "livemode": False, "customer": customer}
    return answers(told)


@pytest.mark.parametrize("token", ["cus_1/pm_1", "pm_1"])
def test_a_card_is_forgotten(stripe: Stripe, token: str) -> None:
    played = play(stripe.forget(forgetting(token)), card(None))

    assert path_of(played.requests[0]) == "/v1/payment_methods/pm_1/detach"
    assert played.outcome == Approved()


def test_a_card_that_was_forgotten_before_is_forgotten(stripe: Stripe) -> None:
    assert play(stripe.forget(forgetting()), refuses(400), card(None)).outcome == Approved()


def test_a_card_that_stripe_will_not_forget_stays(stripe: Stripe) -> None:
    outcome = play(stripe.forget(forgetting()), refuses(400), card("cus_1")).outcome

    assert isinstance(outcome, Rejected)
    assert isinstance(play(stripe.forget(forgetting()), card("cus_1")).outcome, Unknown)


@pytest.mark.parametrize("token", ["", "cus_1/", "cus_1/a?b", "../x y"])
def test_what_is_no_card_is_not_forgotten(stripe: Stripe, token: str) -> None:
    with pytest.raises(Unsupported):
        stripe.forget(forgetting(token))


# --- The sheet's samples ---------------------------------------------------------------


def test_the_sheets_samples_are_read(stripe: Stripe, protocols: Path) -> None:
    told = json.loads((protocols / "stripe" / "fixtures-2026-08.json").read_text())
    sample = told["setup_intent"]
    asked = inquiry(operation=Operation.ENROLL, reference=sample["id"])

    found = play(stripe.look_up(asked), answers(sample)).outcome

    assert isinstance(found, Declined)
    customer = answers(told["customer"])
    assert path_of(play_two(stripe, customer)) == "/v1/setup_intents"


def play_two(stripe: Stripe, reply: Response) -> Request:
    """Answer the first request with *reply*, and tell the second."""
    dialogue = stripe.enroll(enrollment())
    next(dialogue)
    asked = dialogue.send(reply)
    assert isinstance(asked, Request)
    return asked
