"""A Stripe account, a charge, and Stripe's answers to it."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from paygate.dialogue import Response
from paygate.domain.kind import Kind, Operation
from paygate.domain.money import Money
from paygate.domain.secret import OneTimeToken
from paygate.drivers.stripe import Stripe, StripeSettings
from paygate.gateway import Charge, Inquiry

SENT_AT = datetime(2026, 8, 3, 12, 0, tzinfo=UTC)
NOON = 1785758400


def settings(**given: Any) -> StripeSettings:
    return StripeSettings(**{"secret_key": "sk_test_4eC39HqLyjW", **given})


@pytest.fixture
def stripe() -> Stripe:
    return Stripe(settings())


def charge(**given: Any) -> Charge:
    return Charge(
        **{
            "key": "k7",
            "our_ref": "att_1",
            "payment": "pay_1",
            "amount": Money("USD", 1099),
            "kind": Kind.CARD,
            "method": OneTimeToken.of("pm_card_visa"),
            **given,
        }
    )


def inquiry(**given: Any) -> Inquiry:
    return Inquiry(
        **{
            "operation": Operation.CHARGE,
            "key": "k7",
            "our_ref": "att_1",
            "payment": "pay_1",
            "reference": "pi_1",
            "amount": Money("USD", 1099),
            "sent_at": SENT_AT,
            **given,
        }
    )


def intent(status: str, **given: Any) -> dict[str, Any]:
    return {
        "id": "pi_1",
        "object": "payment_intent",
        "amount": 1099,
        "amount_capturable": 0,
        "amount_received": 0,
        "currency": "usd",
        "livemode": False,
        "status": status,
        "latest_charge": None,
        "last_payment_error": None,
        "next_action": None,
        "client_secret": "pi_1_secret_x",
        "created": NOON,
        "metadata": {"paygate_attempt": "att_1", "paygate_payment": "pay_1"},
        **given,
    }


def paid(**given: Any) -> dict[str, Any]:
    card = {
        "brand": "visa",
        "last4": "4242",
        "exp_month": 8,
        "exp_year": 2031,
        "wallet": {"type": "apple_pay"},
        "network_transaction_id": "976910110049114",
        "checks": {"cvc_check": "pass", "address_line1_check": None},
    }
    latest = {
        "id": "ch_1",
        "object": "charge",
        "created": NOON,
        "payment_method_details": {"card": card},
    }
    return intent("succeeded", amount_received=1099, latest_charge=latest, **given)


def answers(body: object, status: int = 200) -> Response:
    return Response(status=status, headers={"request-id": "req_1"}, body=json.dumps(body).encode())


def refuses(status: int, **error: Any) -> Response:
    return answers({"error": {"type": "invalid_request_error", **error}}, status)


CREATED = answers(intent("requires_confirmation"))
PAID = answers(paid())

Answers = Callable[..., Response]
