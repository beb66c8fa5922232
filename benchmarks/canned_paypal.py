"""An HTTP server that returns canned PayPal JSON, in a separate process: an order that is paid."""

from __future__ import annotations

import json
from typing import Any

from benchmarks import canned_server

ORDER, CAPTURE = "5O190127TN364715T", "3C679366HH908993F"
PAYMENT = "pay_019b762a3c00b1d6c7a1f2e3d4c5b6a79802"
OUR_REF = "att_019b762a3c00b1d6c7a1f2e3d4c5b6a79801"
MERCHANT = "7E7MGXCWTTKK2"
_AMOUNT = {"currency_code": "USD", "value": "30.00"}
_API = "https://api-m.sandbox.paypal.com/v2"


def _link(url: str, rel: str, method: str = "GET") -> dict[str, str]:
    return {"href": url, "rel": rel, "method": method}


_UNIT: dict[str, Any] = {
    "reference_id": "page",
    "amount": _AMOUNT,
    "payee": {"email_address": "merchant@example.org", "merchant_id": MERCHANT},
    "description": "INV-7",
    "custom_id": f"{PAYMENT}.{OUR_REF}",
    "invoice_id": f"INV-7 {OUR_REF}",
}
_PAYER = {
    "name": {"given_name": "Ada", "surname": "Lovelace"},
    "email_address": "ada@example.org",
    "payer_id": "QYR5Z8XDVJNXQ",
    "address": {"country_code": "US"},
}
_WALLET = {
    "paypal": {
        "email_address": "ada@example.org",
        "account_id": "QYR5Z8XDVJNXQ",
        "account_status": "VERIFIED",
        "name": {"given_name": "Ada", "surname": "Lovelace"},
        "address": {"country_code": "US"},
    }
}
_WHOLE: dict[str, Any] = {
    "id": ORDER,
    "intent": "CAPTURE",
    "create_time": "2026-01-01T00:00:00Z",
    "purchase_units": [_UNIT],
}
_OPENED = _WHOLE | {
    "status": "PAYER_ACTION_REQUIRED",
    "payment_source": {"paypal": {}},
    "links": [
        _link(f"{_API}/checkout/orders/{ORDER}", "self"),
        _link(f"https://www.sandbox.paypal.com/checkoutnow?token={ORDER}", "payer-action"),
    ],
}
_APPROVED = _WHOLE | {
    "status": "APPROVED",
    "payment_source": _WALLET,
    "payer": _PAYER,
    "links": [
        _link(f"{_API}/checkout/orders/{ORDER}", "self"),
        _link(f"{_API}/checkout/orders/{ORDER}", "update", "PATCH"),
        _link(f"{_API}/checkout/orders/{ORDER}/capture", "capture", "POST"),
    ],
}
_MADE = {
    "id": CAPTURE,
    "status": "COMPLETED",
    "amount": _AMOUNT,
    "final_capture": True,
    "seller_protection": {
        "status": "ELIGIBLE",
        "dispute_categories": ["ITEM_NOT_RECEIVED", "UNAUTHORIZED_TRANSACTION"],
    },
    "seller_receivable_breakdown": {
        "gross_amount": _AMOUNT,
        "paypal_fee": {"currency_code": "USD", "value": "1.54"},
        "net_amount": {"currency_code": "USD", "value": "28.46"},
    },
    "invoice_id": _UNIT["invoice_id"],
    "custom_id": _UNIT["custom_id"],
    "create_time": "2026-01-01T00:05:00Z",
    "update_time": "2026-01-01T00:05:00Z",
    "links": [
        _link(f"{_API}/payments/captures/{CAPTURE}", "self"),
        _link(f"{_API}/payments/captures/{CAPTURE}/refund", "refund", "POST"),
        _link(f"{_API}/checkout/orders/{ORDER}", "up"),
    ],
}
_PAID = _APPROVED | {
    "status": "COMPLETED",
    "purchase_units": [_UNIT | {"payments": {"captures": [_MADE]}}],
    "links": [_link(f"{_API}/checkout/orders/{ORDER}", "self")],
}
_TOKEN = {
    "scope": "https://uri.paypal.com/services/payments/payment",
    "access_token": "A21AA" + "benchmark" * 10,
    "token_type": "Bearer",
    "app_id": "APP-80W284485P519543T",
    "expires_in": 32400,
    "nonce": "2026-01-01T00:00:00Zbenchmark",
}


def _answer(value: object, status: str = "200 OK") -> bytes:
    body = json.dumps(value, separators=(",", ":")).encode()
    head = (
        f"HTTP/1.1 {status}\r\n"
        "Content-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Connection: keep-alive\r\n"
        "Server: nginx\r\n"
        "Cache-Control: max-age=0, no-cache, no-store, must-revalidate\r\n"
        "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
        "Paypal-Debug-Id: f1d2c3b4a5e6f\r\n"
        "Access-Control-Expose-Headers: Server-Timing\r\n"
        "Strict-Transport-Security: max-age=31536000; includeSubDomains\r\n"
        "Vary: Accept-Encoding\r\n"
        "\r\n"
    )
    return head.encode() + body


_READ, _MAKE = _answer(_APPROVED), _answer(_OPENED, "201 Created")
_TAKE, _SIGN_IN = _answer(_PAID, "201 Created"), _answer(_TOKEN)


def _answer_to(method: str, path: str) -> bytes:
    if path.endswith("/oauth2/token"):
        return _SIGN_IN
    if method == "GET":
        return _READ
    return _TAKE if path.endswith("/capture") else _MAKE


if __name__ == "__main__":
    canned_server.serve(_answer_to, kept=3)
