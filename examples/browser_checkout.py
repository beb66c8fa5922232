"""A FastAPI shop whose checkout you can try in a browser, together with the fake processor.

    paygate fake-processor serve --port 8765 --callbacks-to http://127.0.0.1:8000/payments/page
    python examples/browser_checkout.py

Each runs in a terminal of its own. Then open http://127.0.0.1:8000/. Nothing leaves this
machine. The ledger is shop.db in the working directory.
"""

import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import uvicorn
from fastapi import FastAPI
from fastapi.responses import HTMLResponse, RedirectResponse

from paygate import Cashier, Money, Payment, PaymentStatus, Redirect
from paygate.testing import LoopbackGateway
from paygate.web import callbacks

PROCESSOR = os.environ.get("PROCESSOR", "http://127.0.0.1:8765")
PORT = int(os.environ.get("PORT", "8000"))
SHOP = f"http://127.0.0.1:{PORT}"
BACK = f"{SHOP}/payments/page/return?payment={{payment}}"

SAYS = {
    PaymentStatus.SUCCEEDED: "Thank you. Your order is paid.",
    PaymentStatus.REQUIRES_ACTION: "You have not paid yet.",
    PaymentStatus.PROCESSING: "Your payment is on its way. Please do not pay again.",
    PaymentStatus.UNKNOWN: "We do not know yet whether you have paid. Please do not pay again.",
}

page = LoopbackGateway("redirect", url=PROCESSOR)
cashier = Cashier.open("sqlite:///shop.db", gateways={"page": page})


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    # In production a separate worker calls `recover`, which applies callbacks, among other things.
    stopping = threading.Event()

    def work() -> None:
        while not stopping.wait(0.2):
            cashier.apply_callbacks()

    worker = threading.Thread(target=work)
    worker.start()
    yield
    stopping.set()
    worker.join()
    cashier.close()


app = FastAPI(lifespan=lifespan)


def thanks(payment: Payment) -> str:
    return f"/orders/{payment.id}"


app.mount("/payments", callbacks(cashier, landing=thanks))


@app.get("/", response_class=HTMLResponse)
def shop() -> str:
    return html(
        "A shop", "<form method=post action='/checkout'><button>Buy for $30.00</button></form>"
    )


@app.post("/checkout")
def checkout() -> RedirectResponse:
    number = f"ORDER-{uuid4().hex[:8]}"
    total = Money.of("USD", "30.00")
    cashier.issue(number=number, customer="C-1", total=total, due="2030-12-01")
    payment = cashier.collect(number, via="page", key=f"checkout-{number}", return_url=BACK)
    action = payment.action
    to = action.url if isinstance(action, Redirect) else thanks(payment)
    return RedirectResponse(to, status_code=303)


@app.get("/orders/{payment}", response_class=HTMLResponse)
def order(payment: str) -> str:
    found = cashier.payment(payment)
    link = ""
    if isinstance(found.action, Redirect):
        link = f"<p><a href='{found.action.url}'>Continue to payment</a></p>"
    return html(SAYS.get(found.status, "Nothing was paid."), f"<p>{found.status}</p>{link}")


def html(title: str, content: str) -> str:
    head = f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>"
    return f"{head}<body><main><h1>{title}</h1>{content}</main></body></html>"


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=PORT, log_level="warning")
