"""Charging a card at Stripe: what is sent, and what each answer means for the money."""

from typing import Any
from urllib.parse import parse_qsl

import pytest

from paygate.dialogue import Request, Response
from paygate.domain.action import Redirect, ScriptStep
from paygate.domain.advice import Advice
from paygate.domain.card_checks import CardCheck, CardChecks, CheckResult
from paygate.domain.charging import ChargeReason
from paygate.domain.customer import Customer, PostalAddress
from paygate.domain.kind import Kind
from paygate.domain.method import MethodFacts
from paygate.domain.money import Money
from paygate.domain.movement import Movement
from paygate.domain.outcome import (
    ActionRequired,
    Approved,
    Authorized,
    DeclineCode,
    Declined,
    Ended,
    Ending,
    Outcome,
    Pending,
    RejectCause,
    Rejected,
    Unknown,
)
from paygate.domain.secret import OneTimeToken, RawCard, Secret
from paygate.drivers.stripe import Stripe
from paygate.drivers.stripe.intents import STRIPE_JS
from paygate.errors import BadResponse, GatewayError, NoResponse, NotSent, Unsupported
from paygate.gateway import Charge, Method, StoredToken
from paygate.testing.play import Played, play
from tests.drivers.stripe.conftest import (
    CREATED,
    PAID,
    SENT_AT,
    answers,
    charge,
    intent,
    paid,
    refuses,
    settings,
)


def form_of(request: Request) -> dict[str, str]:
    return dict(parse_qsl(request.body.decode(), keep_blank_values=True))


def confirmed(stripe: Stripe, *replies: Response | Exception, **given: Any) -> Played[Outcome]:
    return play(stripe.charge(charge(**given)), CREATED, *replies)


# --- What is sent ----------------------------------------------------------------------


def test_an_intent_is_created_noted_and_only_then_confirmed(stripe: Stripe) -> None:
    steps: list[str] = []
    dialogue = stripe.charge(charge())

    asked = next(dialogue)
    steps.append(repr(asked))
    noted = dialogue.send(CREATED)
    steps.append(repr(noted))
    steps.append(repr(dialogue.send(Response(status=0))))

    assert [step.split(",")[0] for step in steps] == [
        "Request(create: POST",
        "Note(reference='pi_1')",
        "Request(confirm: POST",
    ]


def test_only_the_confirmation_moves_money(stripe: Stripe) -> None:
    created, confirm = confirmed(stripe, PAID).requests

    assert (created.moves_money, confirm.moves_money) == (False, True)
    assert (created.repeatable, confirm.repeatable) == (True, False)


def test_every_request_has_the_key_the_version_and_its_own_idempotency_key(stripe: Stripe) -> None:
    requests = confirmed(stripe, PAID).requests

    for request in requests:
        assert request.headers["Authorization"] == "Bearer sk_test_4eC39HqLyjW"
        assert request.headers["Stripe-Version"] == "2026-06-24.dahlia"
    assert [r.headers["Idempotency-Key"] for r in requests] == ["k7-create", "k7-confirm"]


def test_the_same_charge_is_the_same_bytes(stripe: Stripe) -> None:
    assert confirmed(stripe, PAID).requests == confirmed(stripe, PAID).requests


def test_a_long_key_stays_within_stripes_limit_and_its_own(stripe: Stripe) -> None:
    requests = confirmed(stripe, PAID, key="k" * 300).requests

    keys = [request.headers["Idempotency-Key"] for request in requests]
    assert all(len(key) <= 255 for key in keys)
    assert len(set(keys)) == 2


def test_the_intent_names_amount_card_and_our_ids(stripe: Stripe) -> None:
    created = confirmed(stripe, PAID, invoices=("INV-7", "INV-8"), description="Rent").requests[0]

    assert form_of(created) == {
        "amount": "1099",
        "currency": "usd",
        "payment_method_types[0]": "card",
        "payment_method": "pm_card_visa",
        "metadata[paygate_payment]": "pay_1",
        "metadata[paygate_attempt]": "att_1",
        "metadata[paygate_invoices]": "INV-7, INV-8",
        "description": "Rent",
    }


def test_more_invoices_than_metadata_holds_are_counted(stripe: Stripe) -> None:
    numbers = tuple(f"INV-{number:06}" for number in range(100))

    listed = form_of(confirmed(stripe, PAID, invoices=numbers).requests[0])[
        "metadata[paygate_invoices]"
    ]

    assert len(listed) <= 500
    assert listed.startswith("INV-000000, ")
    shown, _, rest = listed.partition(" +")
    assert len(shown.split(", ")) + int(rest) == 100


def test_a_stored_card_is_charged_with_its_customer(stripe: Stripe) -> None:
    token = StoredToken(Secret("cus_9/pm_8"))

    played = play(stripe.charge(charge(method=token, payer_present=False)), PAID)

    (request,) = played.requests
    form = form_of(request)
    assert (request.step, request.moves_money, form["confirm"]) == ("charge", True, "true")
    assert (form["customer"], form["payment_method"]) == ("cus_9", "pm_8")
    assert form["off_session"] == "true"
    assert form["metadata[paygate_attempt]"] == "att_1"
    assert played.notes == ["cus_9"]
    assert isinstance(played.outcome, Approved)
    assert played.outcome.reference == "pi_1"


@pytest.mark.parametrize(
    ("reason", "sent"),
    [
        (None, "true"),
        (ChargeReason.RECURRING, "recurring"),
        (ChargeReason.INSTALLMENT, "recurring"),
        (ChargeReason.UNSCHEDULED, "one_off"),
        (ChargeReason.DELAYED, "true"),
    ],
)
def test_stripe_is_told_why_the_payer_is_not_there(
    stripe: Stripe, reason: ChargeReason | None, sent: str
) -> None:
    token = StoredToken(Secret("cus_9/pm_8"))
    asked = charge(method=token, payer_present=False, reason=reason)

    (request,) = play(stripe.charge(asked), PAID).requests

    assert form_of(request)["off_session"] == sent


def test_the_hosts_own_facts_go_with_the_payment(stripe: Stripe) -> None:
    created, _ = confirmed(
        stripe,
        PAID,
        statement_suffix="ROW 12",
        receipt_email="desk@club.example",
        metadata={"boat": "Ida", "season": "2031"},
    ).requests

    form = form_of(created)
    assert form["statement_descriptor_suffix"] == "ROW 12"
    assert form["receipt_email"] == "desk@club.example"
    assert (form["metadata[boat]"], form["metadata[season]"]) == ("Ida", "2031")
    assert form["metadata[paygate_attempt]"] == "att_1"


ADA = Customer(
    "C-9",
    name="Ada",
    email="ada@example.com",
    phone="+44 1353 660",
    address=PostalAddress(
        line1="4 Elm Row", city="Ely", region="Cambs", postal_code="CB7", country="GB"
    ),
)
WHERE = {
    "name": "Ada",
    "phone": "+44 1353 660",
    "address[line1]": "4 Elm Row",
    "address[city]": "Ely",
    "address[state]": "Cambs",
    "address[postal_code]": "CB7",
    "address[country]": "GB",
}


def of_shipping(form: dict[str, str], within: str = "") -> dict[str, str]:
    start = f"{within}[shipping]" if within else "shipping"
    found = {name[len(start) :]: value for name, value in form.items() if name.startswith(start)}
    return {name.replace("[", "", 1).replace("]", "", 1): each for name, each in found.items()}


def test_stripe_is_told_who_gets_the_goods(stripe: Stripe) -> None:
    created, _ = confirmed(stripe, PAID, ship_to=ADA).requests

    assert of_shipping(form_of(created)) == WHERE


def test_a_customer_is_made_with_telephone_and_address(stripe: Stripe) -> None:
    made = answers({"id": "cus_5", "object": "customer", "livemode": False})
    asked = charge(store_method=True, payer=ADA)

    customer, _, _ = play(stripe.charge(asked), made, CREATED, PAID).requests

    form = form_of(customer)
    assert form == {**WHERE, "email": "ada@example.com", "metadata[paygate_customer]": "C-9"}


@pytest.mark.parametrize("method", [OneTimeToken.of("pm_1"), StoredToken(Secret("cus_9/pm_8"))])
def test_a_card_given_by_telephone_is_marked(stripe: Stripe, method: Method) -> None:
    begun = [CREATED] if isinstance(method, OneTimeToken) else []

    played = play(stripe.charge(charge(method=method, moto=True)), *begun, PAID)

    assert form_of(played.requests[0])["payment_method_options[card][moto]"] == "true"


def test_a_card_is_kept_with_the_customer_that_stripe_has_already(stripe: Stripe) -> None:
    known = answers({"id": "cus_4", "object": "customer", "livemode": False})
    asked = charge(store_method=True, customer_reference="cus_4")

    look, created, _ = play(stripe.charge(asked), known, CREATED, PAID).requests

    assert (look.method, look.url.rpartition("/")[2]) == ("GET", "cus_4")
    assert form_of(created)["customer"] == "cus_4"


@pytest.mark.parametrize(
    "gone",
    [
        refuses(404, code="resource_missing"),
        answers({"id": "cus_4", "object": "customer", "deleted": True}),
    ],
    ids=["unknown", "deleted"],
)
def test_a_customer_that_was_deleted_at_stripe_is_made_anew(stripe: Stripe, gone: Response) -> None:
    made = answers({"id": "cus_5", "object": "customer", "livemode": False})
    asked = charge(store_method=True, customer_reference="cus_4")

    _, _, created, _ = play(stripe.charge(asked), gone, made, CREATED, PAID).requests

    assert form_of(created)["customer"] == "cus_5"


@pytest.mark.parametrize(
    ("given", "configured", "sent"),
    [
        ({}, {}, {}),
        ({"return_url": "https://shop/back"}, {}, {"return_url": "https://shop/back"}),
        ({"payer_present": False, "return_url": "https://shop/back"}, {}, {"off_session": "true"}),
        (
            {},
            {"decline_if_authentication_is_needed": True},
            {"error_on_requires_action": "true"},
        ),
        (
            {"return_url": "https://shop/back"},
            {"decline_if_authentication_is_needed": True},
            {"return_url": "https://shop/back"},
        ),
    ],
)
def test_the_confirmation_says_where_the_payer_is(
    given: dict[str, Any], configured: dict[str, Any], sent: dict[str, str]
) -> None:
    stripe = Stripe(settings(**configured))

    confirm = confirmed(stripe, PAID, **given).requests[1]

    assert form_of(confirm) == {"expand[0]": "latest_charge", **sent}


# --- What is refused before anything is sent -------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        {"kind": Kind.E_CHECK},
        {"method": None},
        {"method": RawCard(Secret("4242424242424242"), 12, 2030)},
        {"method": OneTimeToken.of("tok_visa")},
        {"method": OneTimeToken.of("")},
        {"method": OneTimeToken.of("pm_\r\nx")},
        {"kind": Kind.REDIRECT},
        {"kind": Kind.REDIRECT, "method": None},
        {"amount": Money("BTC", 1000)},
        {"amount": Money("UGX", 1000)},
        {"amount": Money("LYD", 1000)},
        {"amount": Money("KWD", 5124)},
        {"amount": Money("MGA", 150)},
        {"amount": Money("CUP", 100)},
        {"ship_to": Customer("C-9", name="Ada")},
        {"ship_to": Customer("C-9", address=PostalAddress(line1="4 Elm Row"))},
    ],
)
def test_what_stripe_cannot_charge_is_refused_before_anything_is_sent(
    stripe: Stripe, given: dict[str, Any]
) -> None:
    with pytest.raises(Unsupported):
        stripe.charge(charge(**given))


@pytest.mark.parametrize(
    ("money", "sent"),
    [
        (Money("USD", 1099), "1099"),
        (Money("JPY", 500), "500"),
        (Money("KWD", 5120), "5120"),
        (Money("ISK", 500), "50000"),
        (Money("MGA", 50000), "500"),
        (Money("HUF", 12345), "12345"),
    ],
)
def test_amounts_are_counted_as_stripe_counts_them(stripe: Stripe, money: Money, sent: str) -> None:
    currency = money.currency.lower()
    replies = [
        answers(intent("requires_confirmation", amount=int(sent), currency=currency)),
        answers(
            {**paid(), "amount": int(sent), "amount_received": int(sent), "currency": currency}
        ),
    ]

    played = play(stripe.charge(charge(amount=money)), *replies)

    assert form_of(played.requests[0])["amount"] == sent
    assert isinstance(played.outcome, Approved)
    assert played.outcome.movements[0].amount == money


# --- What the answer to the confirmation means -----------------------------------------


def test_a_charge_that_succeeded_is_money_with_the_charge_s_id(stripe: Stripe) -> None:
    assert confirmed(stripe, PAID).outcome == Approved(
        reference="pi_1",
        movements=(Movement(movement_id="ch_1", amount=Money("USD", 1099), effective=SENT_AT),),
        network_transaction_id="976910110049114",
        method_facts=MethodFacts(
            brand="visa", last4="4242", expires_month=8, expires_year=2031, wallet="apple_pay"
        ),
        checks=CardChecks(security_code=CardCheck(CheckResult.PASS, "pass")),
    )


def test_a_decline_says_which_card_and_what_was_checked(stripe: Stripe) -> None:
    card = {"brand": "visa", "last4": "0002", "checks": {"cvc_check": "fail"}}
    told = refuses(
        402, type="card_error", code="card_declined", payment_method={"id": "pm_1", "card": card}
    )

    outcome = confirmed(stripe, told).outcome

    assert isinstance(outcome, Declined)
    assert outcome.method_facts == MethodFacts(brand="visa", last4="0002")
    assert outcome.checks == CardChecks(security_code=CardCheck(CheckResult.FAIL, "fail"))


def test_a_charge_that_is_not_expanded_is_money_too(stripe: Stripe) -> None:
    outcome = confirmed(stripe, answers({**paid(), "latest_charge": "ch_1"})).outcome

    assert isinstance(outcome, Approved)
    assert [m.movement_id for m in outcome.movements] == ["ch_1"]


def test_a_part_that_was_received_is_what_is_booked(stripe: Stripe) -> None:
    outcome = confirmed(stripe, answers({**paid(), "amount_received": 500})).outcome

    assert isinstance(outcome, Approved)
    assert outcome.movements[0].amount == Money("USD", 500)


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        (intent("processing"), Pending(reference="pi_1")),
        (
            intent("requires_capture", amount_capturable=1099),
            Authorized(amount=Money("USD", 1099), reference="pi_1"),
        ),
        (intent("canceled"), Ended(how=Ending.CANCELED, reference="pi_1")),
        *(
            (
                intent("canceled", cancellation_reason=reason),
                Ended(how=Ending.EXPIRED, reference="pi_1"),
            )
            for reason in ("automatic", "expired")
        ),
        (
            intent(
                "requires_action",
                next_action={
                    "type": "redirect_to_url",
                    "redirect_to_url": {"url": "https://hooks.stripe.com/3ds/1"},
                },
            ),
            ActionRequired(action=Redirect(url="https://hooks.stripe.com/3ds/1"), reference="pi_1"),
        ),
        (
            intent("requires_action", next_action={"type": "use_stripe_sdk"}),
            ActionRequired(
                action=ScriptStep(
                    script_url=STRIPE_JS,
                    publishable_key="",
                    client_secret=Secret("pi_1_secret_x"),
                ),
                reference="pi_1",
            ),
        ),
        (
            intent("requires_confirmation"),
            Unknown(reason="Stripe left the charge at requires_confirmation", reference="pi_1"),
        ),
        (intent("on_the_moon"), Unknown(reason="Stripe says 'on_the_moon'", reference="pi_1")),
    ],
)
def test_a_state_of_the_intent_is_an_outcome(
    stripe: Stripe, told: dict[str, Any], outcome: Outcome
) -> None:
    assert confirmed(stripe, answers(told)).outcome == outcome


def test_stripes_script_is_given_the_publishable_key() -> None:
    stripe = Stripe(settings(publishable_key="pk_test_1"))

    outcome = confirmed(stripe, answers(intent("requires_action"))).outcome

    assert isinstance(outcome, ActionRequired)
    assert isinstance(outcome.action, ScriptStep)
    assert outcome.action.publishable_key == "pk_test_1"
    assert "_secret_" not in repr(outcome)


# --- Declines --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code", "raw_code", "retryable"),
    [
        (
            {"code": "card_declined", "decline_code": "insufficient_funds"},
            DeclineCode.INSUFFICIENT_FUNDS,
            "insufficient_funds",
            True,
        ),
        (
            {"code": "card_declined", "decline_code": "lost_card"},
            DeclineCode.LOST_OR_STOLEN,
            "lost_card",
            False,
        ),
        ({"code": "expired_card"}, DeclineCode.EXPIRED_METHOD, "expired_card", False),
        (
            {"code": "authentication_required", "decline_code": "authentication_required"},
            DeclineCode.AUTHENTICATION_REQUIRED,
            "authentication_required",
            False,
        ),
        ({"decline_code": "of_tomorrow"}, DeclineCode.GENERIC, "of_tomorrow", False),
    ],
)
def test_a_decline_keeps_stripes_code_and_says_ours(
    stripe: Stripe, error: dict[str, Any], code: DeclineCode, raw_code: str, retryable: bool
) -> None:
    reply = refuses(402, **{"type": "card_error", "message": "No.", **error})

    assert confirmed(stripe, reply).outcome == Declined(
        code=code,
        raw_code=raw_code,
        retryable=retryable,
        message="No.",
        reference="pi_1",
        final=True,
    )


def of_card(brand: str, **more: str) -> dict[str, Any]:
    return {"payment_method": {"id": "pm_1", "card": {"brand": brand}}, **more}


@pytest.mark.parametrize(
    ("error", "advice", "retryable"),
    [
        ({"advice_code": "do_not_try_again"}, Advice.NEVER, False),
        ({"advice_code": "confirm_card_data"}, Advice.UPDATE, False),
        ({"advice_code": "try_again_later"}, Advice.LATER, True),
        ({"advice_code": "of_tomorrow"}, None, True),
        (
            of_card("mastercard", network_advice_code="27", advice_code="try_again_later"),
            Advice.AFTER_4_DAYS,
            True,
        ),
        (of_card("mastercard", network_advice_code="21"), Advice.REVOKED, False),
        (of_card("visa", network_decline_code="R3"), Advice.REVOKED, False),
        (of_card("visa", network_decline_code="46"), Advice.NEVER, False),
        (of_card("visa", network_decline_code="05"), None, True),
        (of_card("amex", network_advice_code="21", advice_code="try_again_later"), "later", True),
        (
            {
                "payment_intent": {
                    "id": "pi_1",
                    "livemode": False,
                    "latest_charge": {"outcome": {"advice_code": "do_not_try_again"}},
                }
            },
            Advice.NEVER,
            False,
        ),
    ],
)
def test_the_networks_advice_takes_precedence_over_stripes_word_and_over_the_decline(
    stripe: Stripe, error: dict[str, Any], advice: Advice | None, retryable: bool
) -> None:
    reply = refuses(402, type="card_error", decline_code="generic_decline", **error)

    outcome = confirmed(stripe, reply).outcome

    assert isinstance(outcome, Declined)
    assert (outcome.advice, outcome.retryable) == (advice, retryable)


def test_a_decline_in_the_wrong_mode_is_not_believed(stripe: Stripe) -> None:
    reply = refuses(402, code="card_declined", payment_intent=intent("x", livemode=True))

    with pytest.raises(BadResponse, match="mode"):
        confirmed(stripe, reply)


@pytest.mark.parametrize("status", ["succeeded", "processing", "requires_capture"])
def test_a_decline_whose_own_payment_went_on_is_asked_about(stripe: Stripe, status: str) -> None:
    reply = refuses(402, type="card_error", code="card_declined", payment_intent=intent(status))

    outcome = confirmed(stripe, reply).outcome

    assert isinstance(outcome, Unknown)
    assert (outcome.reference, status in outcome.reason) == ("pi_1", True)


# --- Refusals, and answers that leave us in doubt --------------------------------------


@pytest.mark.parametrize("at_create", [True, False])
@pytest.mark.parametrize(
    ("reply", "cause", "retryable"),
    [
        (refuses(400, code="amount_too_small"), RejectCause.VALIDATION, False),
        (refuses(400, code="livemode_mismatch"), RejectCause.CREDENTIALS, False),
        (refuses(401), RejectCause.CREDENTIALS, False),
        (refuses(403), RejectCause.PERMISSION, False),
        (refuses(429, code="rate_limit"), RejectCause.RATE_LIMIT, True),
        (
            refuses(400, code="resource_missing", param="payment_method"),
            RejectCause.METHOD_GONE,
            False,
        ),
    ],
)
def test_a_refused_request_does_not_blame_the_card(
    stripe: Stripe, at_create: bool, reply: Response, cause: RejectCause, retryable: bool
) -> None:
    replies = [reply] if at_create else [CREATED, reply]

    outcome = play(stripe.charge(charge()), *replies).outcome

    assert isinstance(outcome, Rejected)
    assert (outcome.cause, outcome.retryable) == (cause, retryable)


@pytest.mark.parametrize(
    "reply",
    [
        refuses(409, code="idempotency_key_in_use"),
        refuses(400, type="idempotency_error"),
        refuses(500, type="api_error"),
        refuses(502),
        refuses(503),
        refuses(504),
        refuses(424),
    ],
)
def test_an_answer_that_leaves_the_charge_in_doubt_is_unknown(
    stripe: Stripe, reply: Response
) -> None:
    outcome = confirmed(stripe, reply).outcome

    assert isinstance(outcome, Unknown)
    assert outcome.reference == "pi_1"


@pytest.mark.parametrize("type_", ["api_error", "a_type_of_next_year", ""])
def test_an_error_of_a_type_that_refuses_nothing_is_unknown(stripe: Stripe, type_: str) -> None:
    outcome = confirmed(stripe, refuses(400, type=type_)).outcome

    assert isinstance(outcome, Unknown)


def test_a_processor_that_is_down_before_money_moves_is_a_refusal(stripe: Stripe) -> None:
    outcome = play(stripe.charge(charge()), refuses(503)).outcome

    assert isinstance(outcome, Rejected)
    assert (outcome.cause, outcome.retryable) == (RejectCause.UNAVAILABLE, True)


def test_an_intent_that_is_not_where_we_left_it_is_looked_at_and_adopted(stripe: Stripe) -> None:
    reply = refuses(400, code="payment_intent_unexpected_state")

    played = confirmed(stripe, reply, PAID)

    assert isinstance(played.outcome, Approved)
    assert [request.step for request in played.requests] == ["create", "confirm", "look_up"]


def test_an_intent_that_stripe_will_not_confirm_and_has_not_is_unknown(stripe: Stripe) -> None:
    reply = refuses(400, code="payment_intent_unexpected_state")

    assert isinstance(confirmed(stripe, reply, CREATED).outcome, Unknown)


# --- Answers that are not what was asked for -------------------------------------------


WRONG: list[object] = [
    {**paid(), "livemode": True},
    {**paid(), "livemode": None},
    {**paid(), "amount": 1100},
    {**paid(), "amount": "1099"},
    {**paid(), "currency": "eur"},
    {**paid(), "object": "charge"},
    {**paid(), "id": "pi_2"},
    {**paid(), "status": None},
    {**paid(), "latest_charge": None},
    {**paid(), "amount_received": 0},
    {**paid(), "amount_received": -5},
    {**paid(), "amount_received": 10**30},
    intent("requires_action", client_secret=None),
    intent("requires_action", next_action={"redirect_to_url": {"url": "http://evil/"}}),
    [],
]


@pytest.mark.parametrize("body", WRONG)
def test_an_answer_that_is_not_what_was_asked_for_is_a_bad_reply(
    stripe: Stripe, body: object
) -> None:
    with pytest.raises(BadResponse):
        confirmed(stripe, answers(body))


@pytest.mark.parametrize(
    "reply",
    [
        Response(status=200, body=b"<html>welcome to the hotel's wifi</html>"),
        Response(status=403, body=b"<html>blocked</html>"),
        Response(status=502, body=b"<html>bad gateway</html>"),
        Response(status=200, body=b""),
        answers({"error": None}, 400),
        answers({"status": "ok"}, 402),
        answers(paid(), 201),
        answers({}, 302),
    ],
)
@pytest.mark.parametrize("at_create", [True, False])
def test_an_answer_that_is_none_of_stripes_is_a_bad_reply(
    stripe: Stripe, reply: Response, at_create: bool
) -> None:
    with pytest.raises(BadResponse):
        play(stripe.charge(charge()), *([reply] if at_create else [CREATED, reply]))


def test_a_live_key_wants_live_answers() -> None:
    live = Stripe(settings(secret_key="sk_live_1"))

    with pytest.raises(BadResponse, match="live"):
        play(live.charge(charge()), CREATED)
    played = play(
        live.charge(charge()),
        answers(intent("requires_confirmation", livemode=True)),
        answers({**paid(), "livemode": True}),
    )
    assert isinstance(played.outcome, Approved)


@pytest.mark.parametrize("fault", [NotSent("x"), NoResponse("x"), BadResponse("x")])
@pytest.mark.parametrize("before", [0, 1])
def test_a_fault_passes_through(stripe: Stripe, fault: GatewayError, before: int) -> None:
    with pytest.raises(type(fault)):
        play(stripe.charge(charge()), *[CREATED][:before], fault)


def test_a_request_shows_no_secret(stripe: Stripe) -> None:
    shown = repr(confirmed(stripe, PAID).requests) + repr(stripe)

    assert "sk_test" not in shown
    assert "pm_card" not in shown


def test_charge_is_typed(stripe: Stripe) -> None:
    asked: Charge = charge()

    assert play(stripe.charge(asked), CREATED, PAID).notes == ["pi_1"]
