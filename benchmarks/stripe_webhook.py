"""One Stripe webhook of 3 KB: verified and read, against HMAC and `json.loads` alone.

The floor computes one HMAC-SHA256 of the signed bytes, compares it, and parses the body; it reads
no header, checks no clock and looks at nothing in the event.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from datetime import UTC, datetime

from benchmarks.rounds import Measured, Target, take_turns
from paygate import Secret
from paygate.drivers.stripe import Stripe
from paygate.drivers.stripe.settings import StripeSettings
from paygate.gateway import Callback

WEBHOOKS = 2000
BYTES = 3000
NOW = 1785758400
SECRET = "whsec_benchmark"
KEY = SECRET.encode()


def event() -> bytes:
    """Return an event about a PaymentIntent of the usual length of Stripe's."""
    intent = {
        "id": "pi_3PgafyB7WZ01zgkW1SjxsAJo",
        "object": "payment_intent",
        "amount": 1099,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 1099,
        "application": None,
        "automatic_payment_methods": None,
        "canceled_at": None,
        "capture_method": "automatic_async",
        "client_secret": "pi_3PgafyB7WZ01zgkW1SjxsAJo_secret_benchmark",
        "confirmation_method": "automatic",
        "created": NOW,
        "currency": "usd",
        "customer": None,
        "description": "INV-7",
        "last_payment_error": None,
        "latest_charge": "ch_3PgafyB7WZ01zgkW1XYmPNZs",
        "livemode": False,
        "metadata": {"paygate_attempt": "att_019b762a3c00", "paygate_payment": "pay_019b762a3c"},
        "next_action": None,
        "payment_method": "pm_1PgaftB7WZ01zgkWm3waTcFp",
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": ["card"],
        "shipping": None,
        "status": "succeeded",
    }
    event = {
        "id": "evt_3PgafyB7WZ01zgkW1wyRHS12",
        "object": "event",
        "api_version": "2026-06-24.dahlia",
        "created": NOW,
        "data": {"object": intent},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": "req_1", "idempotency_key": "pg-benchmark-7f3a2b-confirm"},
        "type": "payment_intent.succeeded",
    }
    number = 0
    while len(json.dumps(event, indent=2)) < BYTES:  # Stripe indents what it sends
        intent[f"field_{number}"] = {"id": f"obj_{number:024}", "parent": None, "enabled": True}
        number += 1
    return json.dumps(event, indent=2).encode()


def measure(rounds: int) -> Measured:
    body = event()
    message = str(NOW).encode() + b"." + body
    signature = hmac.digest(KEY, message, "sha256").hex()
    stripe = Stripe(
        StripeSettings(secret_key=Secret("sk_test_benchmark"), webhook_secrets=(Secret(SECRET),))
    )
    callback = Callback(
        method="POST",
        path="/callbacks/stripe",
        headers={"stripe-signature": f"t={NOW},v1={signature}"},
        body=body,
        received_at=datetime.fromtimestamp(NOW, UTC),
    )
    assert _verified(stripe, callback) == "evt_3PgafyB7WZ01zgkW1wyRHS12"

    def ours() -> float:
        started = time.process_time()
        for _ in range(WEBHOOKS):
            _verified(stripe, callback)
        return (time.process_time() - started) / WEBHOOKS * 1e6

    def floor() -> float:
        started = time.process_time()
        for _ in range(WEBHOOKS):
            found = hmac.new(KEY, message, hashlib.sha256).hexdigest()
            assert hmac.compare_digest(found, signature)
            json.loads(body)
        return (time.process_time() - started) / WEBHOOKS * 1e6

    taken = take_turns(rounds, floor, ours)
    return Measured(
        name="webhook",
        floor_name="hmac + json.loads",
        unit="µs CPU per webhook",
        ours=taken[1],
        floor=taken[0],
        target=Target(bound=1.5, at_least=False),
        notes={"bytes of the event": len(body)},
    )


def _verified(stripe: Stripe, callback: Callback) -> str:
    try:
        next(stripe.verify(callback))
    except StopIteration as end:
        event_id: str = end.value[0].event_id
        return event_id
    raise AssertionError("verifying asked for something")
