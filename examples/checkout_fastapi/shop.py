"""A shop in FastAPI that speaks to the payments by HTTP only: it could be in any language.

    python examples/checkout_fastapi/payments.py    # prints the settings of the shop
    uvicorn --app-dir examples/checkout_fastapi shop:app    # with these in its environment

An order is paid when a read of its entry says so. What the payer brings home is for the screen.
"""

from __future__ import annotations

import os
from typing import Any

import httpx
import jwt
from fastapi import FastAPI, HTTPException
from fastapi.responses import RedirectResponse

app = FastAPI()
ORDERS = {"1001": "49.00", "1002": "30.00"}


def payments() -> httpx.Client:
    headers = {"authorization": f"Bearer {os.environ['KEY']}"}
    return httpx.Client(base_url=os.environ["API"], headers=headers, timeout=30)


def entry_of(number: str) -> dict[str, Any] | None:
    """Return the entry of an order, found by the order's own key."""
    with payments() as client:
        found = client.get("/v1/prepayments", params={"assignment_key": f"order-{number}"})
        items: list[dict[str, Any]] = found.raise_for_status().json()["items"]
    return items[0] if items else None


@app.post("/orders/{number}/checkout")
def checkout(number: str) -> RedirectResponse:
    """Send the buyer to the payment page; a second click leads to the same one."""
    if number not in ORDERS:
        raise HTTPException(404)
    order = {
        "customer": f"buyer-{number}",
        "amount": {"amount": ORDERS[number], "currency": "USD"},
        "assignment_key": f"order-{number}",
        "link": {"return_to": f"{os.environ['SHOP']}/thanks?result={{result}}"},
    }
    with payments() as client:
        made = client.post(
            "/v1/prepayments", json=order, headers={"idempotency-key": f"order-{number}"}
        )
    return RedirectResponse(made.raise_for_status().json()["link"]["url"], status_code=303)


@app.get("/orders/{number}")
def order(number: str) -> dict[str, str]:
    """Return whether to deliver: what the payments say, and nothing that a browser says."""
    if number not in ORDERS:
        raise HTTPException(404)
    entry = entry_of(number)
    status = "new" if entry is None else str(entry["status"])
    return {"order": number, "payment": status, "deliver": str(status in ("paid", "balanced"))}


@app.get("/thanks")
def thanks(result: str) -> dict[str, str]:
    """Greet the buyer who comes home."""
    try:
        found = jwt.decode(
            result,
            bytes.fromhex(os.environ["RESULT_KEY"]),
            algorithms=["HS256"],
            audience=os.environ["SHOP"],
            issuer=os.environ["PAGES"],
        )
    except jwt.InvalidTokenError:
        return {"said": "Thank you. We will write to you."}
    return {"said": f"{found['amount']} {found['currency']}: {found['status']}"}
