"""Every body that the Stripe driver builds, checked against Stripe's own OpenAPI file."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from paygate.dialogue import Request, Response
from paygate.domain.charging import ChargeLine, ChargeReason
from paygate.domain.customer import Customer, PostalAddress
from paygate.domain.kind import Operation
from paygate.domain.money import Money
from paygate.domain.secret import Secret
from paygate.drivers.stripe import Stripe
from paygate.gateway import Inquiry, StoredToken
from paygate.testing.play import Played, play
from tests.drivers.stripe.conftest import (
    CREATED,
    PAID,
    answers,
    charge,
    inquiry,
    intent,
    settings,
)
from tests.drivers.stripe.test_followups import (
    capture,
    captured,
    completion,
    held,
    refund,
    refunding,
    voiding,
    withdrawal,
)
from tests.drivers.stripe.test_sessions import asked, page
from tests.drivers.stripe.test_stored import enrollment, forgetting, session, setup

Check = Callable[[str, str, dict[str, Any]], list[str]]

NAMES = {
    "payment_intents": "intent",
    "setup_intents": "intent",
    "refunds": "refund",
    "sessions": "session",
    "payment_methods": "payment_method",
}


def described_path(request: Request) -> str:
    """Tell the path of *request* as the OpenAPI file writes it."""
    parts = urlsplit(request.url).path.split("/")
    for number, part in enumerate(parts[:-1]):
        if part in NAMES:
            parts[number + 1] = f"{{{NAMES[part]}}}"
    return "/".join(parts)


def nested(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """Read ``a[b]=1`` and ``a[0]=x``, which is how Stripe writes what is inside something."""
    root: dict[str, Any] = {}
    for name, text in pairs:
        *path, last = name.replace("]", "").split("[")
        inner = root
        for part in path:
            inner = inner.setdefault(part, {})
        inner[last] = text
    return {name: listed(value) for name, value in root.items()}


def listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {name: listed(one) for name, one in value.items()}
    return list(inner.values()) if all(name.isdigit() for name in inner) else inner


@pytest.mark.parametrize(
    ("configured", "given"),
    [
        ({}, {}),
        ({}, {"return_url": "https://shop.example/back"}),
        ({"decline_if_authentication_is_needed": True}, {}),
        ({}, {"invoices": ("INV-1", "INV-2"), "description": "Rent & heating, März"}),
    ],
)
def test_what_we_post_is_what_stripe_takes(
    stripe_form_problems: Check, configured: dict[str, Any], given: dict[str, Any]
) -> None:
    stripe = Stripe(settings(**configured))

    requests = play(stripe.charge(charge(**given)), CREATED, PAID).requests

    for request in requests:
        check_post(stripe_form_problems, request)


def check_post(check: Check, request: Request) -> None:
    """Check the body and the path of *request*."""
    params = nested(parse_qsl(request.body.decode(), strict_parsing=True)) if request.body else {}
    assert check(request.method, described_path(request), params) == [], request.step


def followed(stripe: Stripe) -> list[Request]:
    """Tell one request of every kind that follows a charge."""
    back = "https://shop.example/back"
    customer = answers({"id": "cus_1", "object": "customer", "livemode": False})
    begun = answers(setup("requires_payment_method", payment_method=None))
    where = PostalAddress(
        line1="4 Elm Row",
        line2="back door",
        city="Ely",
        region="Cambs",
        postal_code="CB7",
        country="GB",
    )
    payer = Customer("C-1", name="Ada", email="ada@example.com", phone="+44 1353", address=where)
    card = answers({"id": "pm_1", "object": "payment_method", "livemode": False, "customer": None})
    keeping = charge(store_method=True, payer=payer)
    kept, known = StoredToken(Secret("cus_1/pm_1")), {"customer_reference": "cus_1"}
    lines = (ChargeLine("INV-7", Money("USD", 1000)), ChargeLine("INV-8", Money("USD", 99)))
    of_the_host: dict[str, Any] = {
        "metadata": {"boat": "Ida"},
        "statement_suffix": "ROW 12",
        "receipt_email": "desk@club.example",
        "ship_to": payer,
    }
    played: list[Played[Any]] = [
        play(stripe.authorize(charge()), CREATED, answers(held())),
        play(stripe.capture(capture()), answers(captured())),
        play(stripe.void(voiding()), answers(intent("canceled"))),
        play(stripe.refund(refunding(reason="duplicate")), answers(refund())),
        play(stripe.refund(refunding(reason="no reason", movement_id="")), answers(refund())),
        play(stripe.complete(completion()), CREATED, PAID),
        play(stripe.withdraw(withdrawal()), answers(intent("canceled"))),
        play(stripe.withdraw(withdrawal(reference="cs_1")), answers(page("expired"))),
        play(stripe.charge(asked(payer=payer, description="Rent")), answers(page())),
        play(stripe.charge(asked(store_method=True, invoices=("INV-7",))), answers(page())),
        play(stripe.charge(keeping), customer, CREATED, PAID),
        play(stripe.charge(charge(**of_the_host)), CREATED, PAID),
        play(stripe.charge(asked(**of_the_host, lines=lines)), answers(page())),
        play(stripe.charge(asked(store_method=True, **known)), customer, answers(page())),
        *(
            play(stripe.charge(charge(method=kept, payer_present=False, reason=why)), PAID)
            for why in ChargeReason
        ),
        play(
            stripe.enroll(enrollment(method=None, return_url=back, currency="EUR", **known)),
            customer,
            answers(session()),
        ),
        play(stripe.enroll(enrollment(return_url=back)), customer, begun, answers(setup())),
        play(stripe.enroll(enrollment(method=None, return_url=back)), customer, answers(session())),
        play(stripe.forget(forgetting()), card),
    ]
    return [request for each in played for request in each.requests if request.method == "POST"]


def test_every_follow_up_is_what_stripe_takes(stripe_form_problems: Check) -> None:
    requests = followed(Stripe(settings()))

    for request in requests:
        check_post(stripe_form_problems, request)
    steps = {request.step for request in requests}
    assert steps == {
        "capture",
        "charge",
        "withdraw",
        "complete",
        "confirm",
        "create",
        "customer",
        "forget",
        "page",
        "refund",
        "setup",
        "void",
    }


def of(operation: Operation, reference: str) -> Inquiry:
    return inquiry(operation=operation, reference=reference, amount=Money("USD", 500))


def page_of(*entries: object) -> Response:
    return answers({"object": "list", "data": entries, "has_more": True})


def test_what_we_ask_for_is_what_stripe_answers(protocols: Path) -> None:
    spec = json.loads((protocols / "stripe" / "spec3-2023-08-16-reduced.json").read_text())
    stripe = Stripe(settings())
    last = answers({"object": "list", "data": [], "has_more": False})
    requests: list[Request] = [
        *play(stripe.look_up(inquiry()), PAID).requests,
        *play(stripe.look_up(inquiry(reference="")), page_of({"id": "pi_9"}), last).requests,
        *play(stripe.check(), answers({"object": "balance", "livemode": False})).requests,
        *play(stripe.look_up(inquiry(reference="cs_1")), answers(page())).requests,
        *play(stripe.look_up(of(Operation.ENROLL, "seti_1")), answers(setup())).requests,
        *play(stripe.look_up(of(Operation.ENROLL, "cs_1")), answers(session())).requests,
        *play(stripe.look_up(of(Operation.WITHDRAW, "cs_1")), answers(page())).requests,
        *play(stripe.look_up(of(Operation.REFUND, "re_1")), answers(refund())).requests,
        *play(stripe.look_up(of(Operation.REFUND, "ch_1")), page_of({"id": "re_9"}), last).requests,
        *play(stripe.look_up(of(Operation.REFUND, "")), page_of({"id": "re_9"}), last).requests,
        *(play(stripe.feed(at), last).requests[0] for at in ("", "evt_1", "evt_2>evt_1")),
    ]

    for request in requests:
        described = spec["paths"][described_path(request)]["get"].get("parameters", [])
        known = {one["name"] for one in described if one["in"] == "query"}
        query = nested(parse_qsl(urlsplit(request.url).query, keep_blank_values=True))
        assert query.keys() <= known, request.step


def expands(spec: dict[str, Any], request: Request) -> None:
    """Follow every name in ``expand`` through the schema of the answer."""
    if request.method == "GET":
        asked = parse_qsl(urlsplit(request.url).query)
    else:
        asked = parse_qsl(request.body.decode())
    operation = spec["paths"][described_path(request)][request.method.lower()]
    answered = operation["responses"]["200"]["content"]["application/json"]["schema"]
    for path in (value for name, value in asked if name.startswith("expand")):
        schema = answered
        for name in path.split("."):
            while "$ref" in schema or "anyOf" in schema:
                schema = schema["anyOf"][0] if "anyOf" in schema else schema_at(spec, schema)
            assert name in schema.get("x-expandableFields", []), (request.step, path)
            schema = schema["properties"][name]
            schema = schema.get("x-expansionResources", {}).get("oneOf", [schema])[0]
            schema = schema.get("items", schema)


def schema_at(spec: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = spec["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found


def test_what_we_want_expanded_can_be(protocols: Path) -> None:
    spec = json.loads((protocols / "stripe" / "spec3-2023-08-16-reduced.json").read_text())
    stripe = Stripe(settings())
    empty = answers({"object": "list", "data": [], "has_more": False})
    requests = [
        *followed(stripe),
        *play(stripe.charge(charge()), CREATED, PAID).requests,
        *play(stripe.look_up(inquiry()), PAID).requests,
        *play(stripe.look_up(inquiry(reference="")), empty).requests,
        *play(stripe.look_up(inquiry(reference="cs_1")), answers(page())).requests,
        *play(stripe.look_up(of(Operation.ENROLL, "seti_1")), answers(setup())).requests,
        *play(stripe.look_up(of(Operation.ENROLL, "cs_1")), answers(session())).requests,
    ]

    for request in requests:
        expands(spec, request)


def test_no_currency_is_sent_that_stripe_counts_otherwise(stripe_form_problems: Check) -> None:
    stripe = Stripe(settings())

    for money in (Money("JPY", 500), Money("KWD", 5120), Money("ISK", 500)):
        request = next(stripe.charge(charge(amount=money)))
        assert isinstance(request, Request)
        params = nested(parse_qsl(request.body.decode()))
        assert stripe_form_problems("POST", "/v1/payment_intents", params) == []
