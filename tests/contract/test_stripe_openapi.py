"""Every body that the Stripe driver builds, checked against Stripe's own OpenAPI file."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from paygate.dialogue import Request
from paygate.domain.money import Money
from paygate.domain.secret import Secret
from paygate.drivers.stripe import Stripe
from paygate.gateway import StoredToken
from paygate.testing.play import play
from tests.drivers.stripe.conftest import CREATED, PAID, answers, charge, inquiry, settings

Check = Callable[[str, str, dict[str, Any]], list[str]]

PATHS = {
    "create": "/v1/payment_intents",
    "confirm": "/v1/payment_intents/{intent}/confirm",
    "look_up": "/v1/payment_intents/{intent}",
    "scan": "/v1/payment_intents",
    "check": "/v1/balance",
}


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
        ({}, {"payer_present": False, "method": StoredToken(Secret("cus_1/pm_1"))}),
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
        params = nested(parse_qsl(request.body.decode(), strict_parsing=True))
        assert stripe_form_problems(request.method, PATHS[request.step], params) == []


def test_what_we_ask_for_is_what_stripe_answers(protocols: Path) -> None:
    spec = json.loads((protocols / "stripe" / "spec3-2023-08-16-reduced.json").read_text())
    stripe = Stripe(settings())
    page = answers({"object": "list", "data": [{"id": "pi_9"}], "has_more": True})
    last = answers({"object": "list", "data": [], "has_more": False})
    requests: list[Request] = [
        *play(stripe.look_up(inquiry()), PAID).requests,
        *play(stripe.look_up(inquiry(reference="")), page, last).requests,
        *play(stripe.check(), answers({"object": "balance", "livemode": False})).requests,
    ]

    for request in requests:
        described = spec["paths"][PATHS[request.step]]["get"].get("parameters", [])
        known = {one["name"] for one in described if one["in"] == "query"}
        asked = nested(parse_qsl(urlsplit(request.url).query, strict_parsing=True))
        assert asked.keys() <= known, request.step


def test_no_currency_is_sent_that_stripe_counts_otherwise(stripe_form_problems: Check) -> None:
    stripe = Stripe(settings())

    for money in (Money("JPY", 500), Money("KWD", 5120), Money("ISK", 500)):
        request = next(stripe.charge(charge(amount=money)))
        assert isinstance(request, Request)
        params = nested(parse_qsl(request.body.decode()))
        assert stripe_form_problems("POST", PATHS["create"], params) == []
