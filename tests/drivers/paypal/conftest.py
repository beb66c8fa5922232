"""A PayPal account, a charge, and PayPal's answers to it."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from paygate.dialogue import Response
from paygate.domain.kind import Kind, Operation
from paygate.domain.money import Money
from paygate.drivers.paypal import PayPal, PayPalSettings
from paygate.gateway import Capture, Charge, Completion, Enrollment, Inquiry, Refunding
from paygate.testing.conformance import PAYER
from tests.drivers.paypal.certificates import WEBHOOK_ID, signer

SENT_AT = datetime(2026, 8, 3, 12, 0, tzinfo=UTC)
ORDER, CAPTURE, HOLD = "5O190127TN364715T", "2GG279541U471931P", "0VF52814937998046"
REFUND, MERCHANT = "1JU08902781691411", "7E7MGXCWTTKK2"
BACK = "https://shop.example/back"


def settings(**given: Any) -> PayPalSettings:
    facts = {
        "client_id": "AZDxjDScFpQtjWTOUtWKbyN",
        "client_secret": "EGnHDxD_qRPdaLdZz8iCr8N7_MzF",
        "merchant_id": MERCHANT,
        "webhook_id": WEBHOOK_ID,
        "webhook_authorities": signer().root,
        "vault": True,
        **given,
    }
    return PayPalSettings.model_validate(facts)


def paypal(**given: Any) -> PayPal:
    return PayPal(settings(**given))


_SAME: dict[str, Any] = {"key": "k7", "our_ref": "att_1", "payment": "pay_1"}
TEN = Money("USD", 1000)


def charge(**given: Any) -> Charge:
    facts = {"amount": TEN, "kind": Kind.REDIRECT, "return_url": BACK, "payer": PAYER}
    return Charge(**{**_SAME, **facts, **given})


def completion(**given: Any) -> Completion:
    return Completion(**{**_SAME, "reference": ORDER, "amount": TEN, **given})


def capture(**given: Any) -> Capture:
    return Capture(**{**_SAME, "reference": ORDER, "amount": TEN, **given})


def refunding(**given: Any) -> Refunding:
    facts = {"reference": ORDER, "movement_id": CAPTURE, "amount": TEN}
    return Refunding(**{**_SAME, **facts, **given})


def enrollment(**given: Any) -> Enrollment:
    facts = {"customer": PAYER, "kind": Kind.REDIRECT, "return_url": BACK}
    return Enrollment(key="k7", our_ref="att_1", **{**facts, **given})


def inquiry(operation: Operation = Operation.CHARGE, **given: Any) -> Inquiry:
    facts = {"operation": operation, "reference": ORDER, "amount": TEN, "sent_at": SENT_AT}
    return Inquiry(**{**_SAME, **facts, **given})


# --- What PayPal answers ------------------------------------------------------------------


def money(value: str = "10.00", currency: str = "USD") -> dict[str, str]:
    return {"currency_code": currency, "value": value}


def unit(payments: Any = None, **given: Any) -> dict[str, Any]:
    return {
        "reference_id": "page",
        "custom_id": "pay_1.att_1",
        "amount": money(),
        "payee": {"merchant_id": MERCHANT},
        **({"payments": payments} if payments else {}),
        **given,
    }


def order(status: str, payments: Any = None, **given: Any) -> dict[str, Any]:
    page = f"https://www.sandbox.paypal.com/checkoutnow?token={ORDER}"
    waits = status == "PAYER_ACTION_REQUIRED"
    return {
        "id": ORDER,
        "intent": "CAPTURE",
        "status": status,
        "purchase_units": [unit(payments)],
        "links": [{"rel": "payer-action", "href": page}] if waits else [],
        **given,
    }


def captured(status: str = "COMPLETED", **given: Any) -> dict[str, Any]:
    return {
        "id": CAPTURE,
        "status": status,
        "amount": money(),
        "custom_id": "pay_1.att_1",
        "create_time": "2026-08-03T12:00:00Z",
        "supplementary_data": {"related_ids": {"order_id": ORDER}},
        **given,
    }


def held(status: str = "CREATED", **given: Any) -> dict[str, Any]:
    return {"id": HOLD, "status": status, "amount": money(), **given}


def refunded(status: str = "COMPLETED", **given: Any) -> dict[str, Any]:
    link = f"https://api-m.sandbox.paypal.com/v2/payments/captures/{CAPTURE}"
    return {
        "id": REFUND,
        "status": status,
        "amount": money(),
        "links": [{"rel": "up", "href": link, "method": "GET"}],
        **given,
    }


def event(type_: str, resource: Any, **given: Any) -> dict[str, Any]:
    facts = {"id": "WH-1", "event_type": type_, "create_time": "2026-08-03T12:00:00Z"}
    return {**facts, "resource": resource, **given}


def answers(body: object, status: int = 200) -> Response:
    return Response(status=status, body=json.dumps(body).encode())


def refuses(issue: str, status: int = 422, name: str = "UNPROCESSABLE_ENTITY") -> Response:
    details = [{"issue": issue, "description": "It is refused."}] if issue else []
    return answers({"name": name, "message": "No.", "debug_id": "d7", "details": details}, status)


PAID = answers(order("COMPLETED", {"captures": [captured()]}), 201)
APPROVED = answers(order("APPROVED"))
CERTIFICATE = Response(status=200, body=signer().chain)

Answers = Callable[..., Response]
