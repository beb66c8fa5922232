"""An HTTP server that returns canned Stripe JSON, in a separate process.

It speaks only as much HTTP as the two compared clients need: a request line, headers, a body of
Content-Length bytes; connections are kept alive.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable

REFERENCE = "pi_3QbenchmarkAbCdEfGh0123456"
AMOUNT = 3000

_INTENT = {
    "id": REFERENCE,
    "object": "payment_intent",
    "amount": AMOUNT,
    "amount_capturable": 0,
    "amount_details": {"tip": {}},
    "amount_received": 0,
    "application": None,
    "application_fee_amount": None,
    "automatic_payment_methods": None,
    "canceled_at": None,
    "cancellation_reason": None,
    "capture_method": "automatic_async",
    "client_secret": f"{REFERENCE}_secret_YrKJUKribcBjcG8HVhfZluoGH",
    "confirmation_method": "automatic",
    "created": 1767225600,
    "currency": "usd",
    "customer": None,
    "description": "INV-7",
    "last_payment_error": None,
    "latest_charge": None,
    "livemode": False,
    "metadata": {
        "paygate_attempt": "att_019b762a3c00b1d6c7a1f2e3d4c5b6a79801",
        "paygate_invoices": "INV-7",
        "paygate_payment": "pay_019b762a3c00b1d6c7a1f2e3d4c5b6a79802",
    },
    "next_action": None,
    "on_behalf_of": None,
    "payment_method": "pm_1Qbenchmark0123456789abcd",
    "payment_method_configuration_details": None,
    "payment_method_options": {
        "card": {
            "installments": None,
            "mandate_options": None,
            "network": None,
            "request_three_d_secure": "automatic",
        }
    },
    "payment_method_types": ["card"],
    "processing": None,
    "receipt_email": None,
    "review": None,
    "setup_future_usage": None,
    "shipping": None,
    "source": None,
    "statement_descriptor": None,
    "statement_descriptor_suffix": None,
    "status": "requires_confirmation",
    "transfer_data": None,
    "transfer_group": None,
}
_CHARGE = {
    "id": "ch_3QbenchmarkAbCdEfGh0123456",
    "object": "charge",
    "amount": AMOUNT,
    "amount_captured": AMOUNT,
    "amount_refunded": 0,
    "application": None,
    "application_fee": None,
    "application_fee_amount": None,
    "balance_transaction": "txn_3QbenchmarkAbCdEfGh0123456",
    "billing_details": {
        "address": {
            "city": None,
            "country": None,
            "line1": None,
            "line2": None,
            "postal_code": None,
            "state": None,
        },
        "email": None,
        "name": None,
        "phone": None,
    },
    "calculated_statement_descriptor": "PORTAL",
    "captured": True,
    "created": 1767225601,
    "currency": "usd",
    "customer": None,
    "description": "INV-7",
    "disputed": False,
    "failure_balance_transaction": None,
    "failure_code": None,
    "failure_message": None,
    "fraud_details": {},
    "livemode": False,
    "metadata": _INTENT["metadata"],
    "on_behalf_of": None,
    "outcome": {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": "approved_by_network",
        "reason": None,
        "risk_level": "normal",
        "risk_score": 32,
        "seller_message": "Payment complete.",
        "type": "authorized",
    },
    "paid": True,
    "payment_intent": REFERENCE,
    "payment_method": "pm_1Qbenchmark0123456789abcd",
    "payment_method_details": {
        "card": {
            "amount_authorized": AMOUNT,
            "authorization_code": None,
            "brand": "visa",
            "checks": {
                "address_line1_check": None,
                "address_postal_code_check": None,
                "cvc_check": "pass",
            },
            "country": "US",
            "exp_month": 12,
            "exp_year": 2030,
            "extended_authorization": {"status": "disabled"},
            "fingerprint": "Xt5EWLLDS7FJjR1c",
            "funding": "credit",
            "incremental_authorization": {"status": "unavailable"},
            "installments": None,
            "last4": "4242",
            "mandate": None,
            "multicapture": {"status": "unavailable"},
            "network": "visa",
            "network_token": {"used": False},
            "network_transaction_id": "912910110104100",
            "overcapture": {"maximum_amount_capturable": AMOUNT, "status": "unavailable"},
            "regulated_status": "unregulated",
            "three_d_secure": None,
            "wallet": None,
        },
        "type": "card",
    },
    "radar_options": {},
    "receipt_email": None,
    "receipt_number": None,
    "receipt_url": "https://pay.stripe.com/receipts/payment/CAcaFwoVYWNjdF8xUWJlbmNobWFyaw",
    "refunded": False,
    "review": None,
    "shipping": None,
    "source": None,
    "source_transfer": None,
    "statement_descriptor": None,
    "statement_descriptor_suffix": None,
    "status": "succeeded",
    "transfer_data": None,
    "transfer_group": None,
}
_SUCCEEDED = _INTENT | {
    "amount_received": AMOUNT,
    "latest_charge": _CHARGE,
    "status": "succeeded",
}


def _answer(value: object) -> bytes:
    # Stripe indents its JSON, and sends about this many headers.
    body = json.dumps(value, indent=2).encode()
    head = (
        "HTTP/1.1 200 OK\r\n"
        "Server: nginx\r\n"
        "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
        "Content-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Connection: keep-alive\r\n"
        "access-control-allow-credentials: true\r\n"
        "access-control-allow-methods: GET, HEAD, PUT, PATCH, POST, DELETE\r\n"
        "access-control-allow-origin: *\r\n"
        "access-control-max-age: 300\r\n"
        "cache-control: no-cache, no-store\r\n"
        "idempotency-key: pg-benchmark-create\r\n"
        "original-request: req_benchmark01234\r\n"
        "request-id: req_benchmark01234\r\n"
        "stripe-should-retry: false\r\n"
        "stripe-version: 2026-06-24.dahlia\r\n"
        "vary: Origin\r\n"
        "Strict-Transport-Security: max-age=63072000; includeSubDomains; preload\r\n"
        "\r\n"
    )
    return head.encode() + body


ANSWERS = {"/confirm": _answer(_SUCCEEDED), "": _answer(_INTENT)}


def _answer_to(method: str, path: str) -> bytes:
    del method
    return ANSWERS["/confirm" if path.endswith("/confirm") else ""]


def _serve(
    line: socket.socket, seen: list[bytes], answer_to: Callable[[str, str], bytes], kept: int
) -> None:
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    received = b""
    while True:
        while b"\r\n\r\n" not in received:
            part = line.recv(65536)
            if not part:
                return
            received += part
        head, _, rest = received.partition(b"\r\n\r\n")
        method, path = head.decode().split(" ", 2)[:2]
        size = 0
        for header in head.split(b"\r\n")[1:]:
            name, _, text = header.partition(b":")
            if name.lower() == b"content-length":
                size = int(text)
        while len(rest) < size:
            rest += line.recv(65536)
        body, received = rest[:size], rest[size:]
        if path == "/seen":
            listed = b"\n".join(sorted(seen))
            line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(listed) + listed)
            seen.clear()
            continue
        if len(seen) < kept:
            lines = head.split(b"\r\n")
            seen.append(b"\n".join([lines[0], *sorted(map(bytes.lower, lines[1:])), body]))
        line.sendall(answer_to(method, path))


def serve(answer_to: Callable[[str, str], bytes], *, kept: int) -> None:
    """
    Serve the answers by method and path, and print the port.

    ``/seen`` returns the first *kept* requests since it was asked last.
    """
    seen: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        print(listening.getsockname()[1], flush=True)
        while True:
            line, _ = listening.accept()
            threading.Thread(target=_serve, args=(line, seen, answer_to, kept), daemon=True).start()


if __name__ == "__main__":
    serve(_answer_to, kept=2)
