"""A FastAPI shop that its processor calls back, over HTTP: no account, no other machine.

    python -m pip install fastapi uvicorn
    python examples/webhooks_fastapi.py

It runs the shop on this machine, plays payer and processor, and ends. If you run it twice, it
has its effect once. The ledger is shop.db in the working directory.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn
from fastapi import FastAPI

from paygate import Cashier, Money, PaymentStatus, Redirect
from paygate.testing import FakeGateway
from paygate.web import callbacks

ORDER = "ORDER-12"
ENDED = ("declined", "failed", "canceled", "expired")


def make_app(cashier: Cashier) -> FastAPI:
    app = FastAPI()
    # The account "page" has /payments/page for callbacks, and /payments/page/return for payers.
    app.mount("/payments", callbacks(cashier, landing=f"/orders/{ORDER}"))

    @app.get("/orders/{number}")
    def order(number: str) -> dict[str, str]:
        invoice = cashier.invoice(number)
        made = cashier.payments(invoice=number, limit=1000)
        tries = sum(each.status in ENDED or each.returned.minor > 0 for each in made)
        return {"status": invoice.status, "open": str(invoice.open), "tries": str(tries)}

    @app.post("/orders/{number}/checkout/{tries}")
    def checkout(number: str, tries: int) -> dict[str, str]:
        # The key of a payment that ended finds that payment permanently, so each try has its own.
        key = f"checkout-{number}-{tries}"
        # {payment} is replaced by the payment's id, so that the return page can find the payment.
        back = "https://shop.example/payments/page/return?payment={payment}"
        payment = cashier.collect(number, via="page", key=key, return_url=back)
        action = payment.action
        return {
            "payment": payment.id,
            "status": payment.status,
            "go to": action.url if isinstance(action, Redirect) else "",
        }

    return app


def main() -> None:
    # With a journal the fake processor remembers payments, as a real one does.
    page = FakeGateway("redirect", journal="processor.jsonl")
    with Cashier.open("sqlite:///shop.db", gateways={"page": page}) as cashier:
        total = Money.of("USD", "80.00")
        cashier.issue(number=ORDER, customer="C-1", total=total, due="2026-12-01")
        with served(make_app(cashier)) as url, httpx.Client(base_url=url) as client:
            tries = client.get(f"/orders/{ORDER}").json()["tries"]
            begun = client.post(f"/orders/{ORDER}/checkout/{tries}").json()
            payment = cashier.payment(begun["payment"])
            if payment.status is PaymentStatus.REQUIRES_ACTION:
                page.pay(payment.reference)

            webhook = page.callbacks()[-1]
            headers = dict(webhook.headers)
            for what, body in {
                "webhook": webhook.body,
                "once more": webhook.body,
                "forged": webhook.body.replace(b"8000", b"9999"),
            }.items():
                reply = client.post("/payments/page", content=body, headers=headers)
                print(f"{what}: {reply.status_code} {reply.text}")

            # Your worker does this, among other things, with `recover`.
            cashier.apply_callbacks()
            back = f"/payments/page/return?payment={payment.id}"
            print(client.get(back, follow_redirects=True).json())
        print(f"received {cashier.payment(payment).received}")
        print(cashier.fsck() or "the books are sound")


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """Serve *app* on a free port of this machine until the block is left."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning")
    server = uvicorn.Server(config)
    listener = config.bind_socket()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        while thread.is_alive() and not server.started:
            thread.join(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


if __name__ == "__main__":
    main()
