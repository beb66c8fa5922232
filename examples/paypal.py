"""Take money with a simulated PayPal on this machine.

    python -m examples.paypal     # in a clone of the repository, which has the simulation

A customer pays on PayPal's page and comes back. Another approves and closes the
browser: the webhook, or an inquiry minutes later, finds the order and takes its
money. A third disputes a payment; PayPal gives the money back and, days later,
decides for the merchant. The last lines come from the ledger. Nothing leaves this
machine.
"""

import sys
from datetime import timedelta

import httpx

from paygate import Callback, Cashier, Money, Payment, Redirect
from paygate.testing import FakeClock
from tests.support.simulated_paypal import SimulatedPayPal, serving

BACK = "https://shop.example/payments/paypal/return?payment={payment}"


def main() -> int:
    clock = FakeClock()  # skips the minutes and days between
    paypal = SimulatedPayPal(now=clock.now)
    with serving(paypal) as url:
        account = {
            "driver": "paypal",
            "client_id": paypal.client_id,
            "client_secret": paypal.client_secret,
            "merchant_id": paypal.merchant_id,
            "webhook_id": paypal.webhook_id,
            "webhook_check": "api",  # PayPal checks its signatures; leave it out to check here
            "api_base": url,  # leave it out to use PayPal itself
        }
        with Cashier.in_memory(gateways={"paypal": account}, clock=clock) as cashier:
            come_back(cashier)
            call_back(cashier, paypal)
            never_return(cashier, clock)
            dispute(cashier, paypal, clock)
            show_ledger(cashier)
            return 1 if cashier.fsck() else 0


def ask(cashier: Cashier, number: str, total: str) -> Payment:
    """Bill a customer, and get the address of the page to send them to."""
    cashier.issue(number=number, customer="C-1", total=Money.of("USD", total), due="2026-12-01")
    return cashier.collect(number, via="paypal", return_url=BACK, key=f"{number}-1")


def approve(payment: Payment) -> dict[str, str]:
    """Do what the payer does on the page; return what their browser then brings."""
    assert isinstance(payment.action, Redirect)
    page = httpx.post(payment.action.url, data={"answer": "pay"})
    return dict(httpx.URL(page.headers["location"]).params)


def come_back(cashier: Cashier) -> None:
    payment = ask(cashier, "INV-1", "30.00")
    show("to the page", payment)
    brought = approve(payment)
    show("came back", cashier.complete(payment, parameters=brought).payment)


def call_back(cashier: Cashier, paypal: SimulatedPayPal) -> None:
    payment = ask(cashier, "INV-2", "20.00")
    approve(payment)
    hear(cashier, paypal)
    show("only the webhook came", cashier.payment(payment))


def never_return(cashier: Cashier, clock: FakeClock) -> None:
    payment = ask(cashier, "INV-3", "45.00")
    approve(payment)
    work(cashier, clock, timedelta(minutes=10))
    show("nothing came", cashier.payment(payment))
    nobody = ask(cashier, "INV-4", "15.00")
    work(cashier, clock, timedelta(days=2))
    # PayPal has dropped the order; that is believed when it says so a second time.
    work(cashier, clock, timedelta(days=2))
    show("nobody approved", cashier.payment(nobody))


def dispute(cashier: Cashier, paypal: SimulatedPayPal, clock: FakeClock) -> None:
    payment = ask(cashier, "INV-5", "60.00")
    paid = cashier.complete(payment, parameters=approve(payment)).payment
    [receipt] = cashier.receipts(paid)
    opened = paypal.dispute(receipt.movement_id)
    hear(cashier, paypal)
    print(f"disputed: {cashier.payment(paid).returned}, {cashier.invoice('INV-5').open} is open")
    clock.advance(days=9)
    paypal.turn(opened["id"], won=True)
    hear(cashier, paypal)
    print(f"won: {cashier.payment(paid).returned}, {cashier.invoice('INV-5').open} is open")


def work(cashier: Cashier, clock: FakeClock, later: timedelta) -> None:
    """Let time pass, and do what a worker does: ask about what is open."""
    clock.advance(later)
    cashier.recover()


def hear(cashier: Cashier, paypal: SimulatedPayPal) -> None:
    """Receive what PayPal sent: in your shop, the application for callbacks does this."""
    waiting, paypal.webhooks = paypal.webhooks, []
    for headers, body in waiting:
        sent = Callback(
            method="POST",
            path="/callbacks/paypal",
            headers=headers,
            body=body,
            received_at=paypal.now(),
        )
        cashier.receive("paypal", sent)
    cashier.apply_callbacks()


def show(what: str, payment: Payment) -> None:
    print(f"{what}: {payment.status} {payment.received}")


def show_ledger(cashier: Cashier) -> None:
    for payment in cashier.payments(oldest_first=True):
        for receipt in cashier.receipts(payment):
            print(f"  {receipt.effective} {receipt.kind:<14} {receipt.amount}")
    for invoice in cashier.open_invoices("C-1"):
        print(f"open: {invoice.number} {invoice.open}")
    print("the books are sound" if not cashier.fsck() else "the books are wrong")


if __name__ == "__main__":
    sys.exit(main())
