"""A FastAPI shop that takes cards on its own page, with Stripe's form in it.

    python -m pip install fastapi uvicorn
    STRIPE_SECRET_KEY=sk_test_... STRIPE_PUBLISHABLE_KEY=pk_test_... \
        python examples/stripe_fastapi.py

Then open http://127.0.0.1:8000/ and pay: 4000 0000 0000 0002 is declined, the bank of
4000 0027 6000 3184 asks the payer to authenticate, and 4242 4242 4242 4242 pays. It accepts
only a test key. Webhooks need STRIPE_WEBHOOK_SECRET. STRIPE_API_BASE may name another server
that implements Stripe's API, on this machine. The ledger is shop.db in the working directory.
"""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from string import Template
from urllib.parse import parse_qsl

import anyio
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from paygate import AsyncCashier, Money, PaygateError, PaymentStatus, Redirect, Refused, UsageError
from paygate.web import callbacks

ORDER = "ORDER-12"
SAYS = {
    PaymentStatus.SUCCEEDED: "Thank you. Your payment has arrived.",
    PaymentStatus.PROCESSING: "Your payment is on its way. Please do not pay again.",
    PaymentStatus.UNKNOWN: "We do not know yet whether you have paid. Please do not pay again.",
}
PAGE = Template("""<!doctype html><html lang=en><meta charset=utf-8><title>Pay</title>
<h1>$number: $open</h1>
<form id=pay method=post action=/pay>
  <input type=hidden name=shown value=$shown>
  <input type=hidden name=tries value=$tries>
  <input type=hidden name=token>
  <div id=card></div>
  <button>Pay</button> <span id=fault role=alert></span>
</form>
<script src="https://js.stripe.com/v3/"></script>
<script>
  const stripe = Stripe("$key"), form = document.getElementById("pay");
  const card = stripe.elements().create("card"), button = form.querySelector("button");
  card.mount("#card");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    const {error, paymentMethod} = await stripe.createPaymentMethod({type: "card", card});
    if (error) {
      document.getElementById("fault").textContent = error.message;
      button.disabled = false;
    } else {
      form.elements.token.value = paymentMethod.id;
      form.submit();
    }
  });
</script>""")


def make_app(cashier: AsyncCashier, *, address: str) -> FastAPI:
    """Return the shop; *address* is the address at which browsers reach it."""

    async def work() -> None:
        while True:
            await cashier.recover()  # inquires about payments whose outcome is unknown, and more
            await anyio.sleep(30)

    @asynccontextmanager
    async def running(app: FastAPI) -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(work)
            yield
            tasks.cancel_scope.cancel()
        await cashier.aclose()

    app = FastAPI(lifespan=running)
    # Enter /payments/card at Stripe for webhooks. Payers return to /payments/card/return.
    app.mount("/payments", callbacks(cashier, landing="/"))

    @app.exception_handler(PaygateError)
    async def refuse(request: Request, error: PaygateError) -> HTMLResponse:
        if isinstance(error, Refused | UsageError):
            status = 409 if isinstance(error, Refused) else 422
            return say("Nothing was charged. Please look at your order again.", status)
        return say("Something went wrong. Please look at your order before you pay again.", 500)

    @app.get("/")
    async def order() -> HTMLResponse:
        # In your shop, check here and in `pay` that the order belongs to the person signed in.
        total = Money.of("USD", "30.00")
        invoice = await cashier.issue(number=ORDER, customer="C-1", total=total, due="2030-12-01")
        if not invoice.open.minor:
            return say(f"{ORDER} is paid.")
        made = await cashier.payments(invoice=ORDER, limit=1000)
        if made and made[0].status in (PaymentStatus.PROCESSING, PaymentStatus.UNKNOWN):
            return say(SAYS[made[0].status])
        page = PAGE.substitute(
            number=ORDER,
            open=invoice.open,
            shown=invoice.open.minor,
            tries=len(made),
            key=(await cashier.public_settings("card"))["publishable_key"],
        )
        return HTMLResponse(page)

    @app.post("/pay")
    async def pay(request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        shown, tries = int(form["shown"]), int(form["tries"])
        payment = await cashier.collect(
            ORDER,
            via="card",
            method=form["token"],
            # The same form twice is one payment. A new form, which the payer gets after a decline,
            # is a new payment; it withdraws one that waits at the bank's page.
            key=f"{ORDER}-{shown}-{tries}",
            expect=Money("USD", shown),
            return_url=f"{address}/payments/card/return?payment={{payment}}",
        )
        if isinstance(payment.action, Redirect):
            return RedirectResponse(payment.action.url, status_code=303)
        return say(SAYS.get(payment.status, "Your card was not charged. You can pay again."))

    return app


def say(sentence: str, status: int = 200) -> HTMLResponse:
    return HTMLResponse(f"{sentence} <a href=/>Your order</a>", status_code=status)


def main() -> int:
    account = {
        "driver": "stripe",
        "secret_key": os.environ.get("STRIPE_SECRET_KEY", ""),
        "publishable_key": os.environ.get("STRIPE_PUBLISHABLE_KEY", ""),
        "webhook_secrets": os.environ.get("STRIPE_WEBHOOK_SECRET", "").split(),
        "api_base": os.environ.get("STRIPE_API_BASE", "https://api.stripe.com"),
    }
    if "_test_" not in account["secret_key"][:8]:
        print("Set STRIPE_SECRET_KEY to a test key (sk_test_...).", file=sys.stderr)
        return 2
    cashier = AsyncCashier.open("sqlite:///shop.db", gateways={"card": account})
    app = make_app(cashier, address="http://127.0.0.1:8000")
    uvicorn.run(app, host="127.0.0.1", port=8000, log_level="warning")
    return 0


if __name__ == "__main__":
    sys.exit(main())
