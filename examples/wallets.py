"""Take money with four simulated wallets on this machine: PayPal, Skrill, Remita and Payarena.

    python -m examples.wallets     # in a clone of the repository, which has the simulations

At each wallet one payer comes back, one pays and never returns, one never pays, and one
pays late, after the payment has expired or days after the page was left. Whatever comes
first, a report, an inquiry or nothing, the money is booked once. The last lines come
from the ledger. Nothing leaves this machine.
"""

import sys
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta

from paygate import Callback, Cashier, Customer, Money, Payment
from paygate.testing import FakeClock
from tests.support import (
    simulated_payarena,
    simulated_paypal,
    simulated_remita,
    simulated_skrill,
)

BACK = "https://shop.example/payments/return?payment={payment}"
TOKEN = "a-long-random-text-of-our-own"
ADA = Customer("C-1", name="Ada Obi", email="ada@example.com", phone="+234 803 555 0143")
AMOUNTS = {"paypal": "30.00 USD", "skrill": "30.00 EUR"}

clock = FakeClock()  # skips the minutes and days between
paypal = simulated_paypal.SimulatedPayPal(now=clock.now)
skrill = simulated_skrill.SimulatedSkrill(now=clock.now)
remita = simulated_remita.SimulatedRemita(now=clock.now)
payarena = simulated_payarena.SimulatedPayarena(now=clock.now)

PAY: dict[str, Callable[[str], object]] = {
    "paypal": lambda reference: paypal.approve(reference, "ada"),
    "skrill": skrill.pay,
    "remita": remita.pay,
    "payarena": payarena.turn,
}
"""What a payer does on the page of each wallet."""


def main() -> int:
    with ExitStack() as running:
        gateways = {
            "paypal": {
                "driver": "paypal",
                "client_id": paypal.client_id,
                "client_secret": paypal.client_secret,
                "merchant_id": paypal.merchant_id,
                "webhook_id": paypal.webhook_id,
                "webhook_check": "api",
                # In all four: leave api_base out to use the wallet itself.
                "api_base": running.enter_context(simulated_paypal.serving(paypal)),
            },
            "skrill": {
                "driver": "skrill",
                "email": skrill.email,
                "merchant_id": skrill.merchant_id,
                "secret_word": skrill.secret_word,
                "api_password": skrill.api_password,
                "status_url": skrill.status_url,
                "api_base": running.enter_context(simulated_skrill.serving(skrill)),
            },
            "remita": {
                "driver": "remita",
                "merchant_id": remita.merchant_id,
                "service_type_id": remita.service_type_id,
                "api_key": remita.api_key,
                "callback_tokens": TOKEN,
                "api_base": running.enter_context(simulated_remita.serving(remita)),
            },
            "payarena": {
                "driver": "payarena",
                "merchant_id": payarena.merchant_id,
                "secret_key": payarena.secret_key,
                "api_base": running.enter_context(simulated_payarena.serving(payarena)),
            },
        }
        with Cashier.in_memory(gateways=gateways, clock=clock) as cashier:
            for wallet in gateways:
                come_back(cashier, wallet)
                never_return(cashier, wallet)
                never_pay(cashier, wallet)
                pay_late(cashier, wallet)
            show_ledger(cashier)
            return 1 if cashier.fsck() else 0


def open_page(cashier: Cashier, wallet: str, about: str) -> Payment:
    """Bill a customer, and get the page to send them to."""
    number = f"{wallet}-{about}"
    amount, currency = AMOUNTS.get(wallet, "21000.00 NGN").split()
    cashier.issue(number=number, customer=ADA, total=Money.of(currency, amount), due="2031-12-01")
    return cashier.collect(number, via=wallet, return_url=BACK, payer=ADA, key=number)


def come_back(cashier: Cashier, wallet: str) -> None:
    payment = open_page(cashier, wallet, "back")
    PAY[wallet](payment.reference)
    # The browser says nothing that is believed: the wallet is asked.
    payment = cashier.inquire(payment)
    if wallet == "paypal":  # approved, and not taken before we complete it
        payment = cashier.complete(payment).payment
    show(wallet, "came back", payment)


def never_return(cashier: Cashier, wallet: str) -> None:
    payment = open_page(cashier, wallet, "gone")
    PAY[wallet](payment.reference)
    hear(cashier)
    how = "reported" if cashier.payment(payment).received.minor else "polled"
    work(cashier, timedelta(minutes=10))
    show(wallet, f"never came back, {how}", cashier.payment(payment))


def never_pay(cashier: Cashier, wallet: str) -> None:
    payment = open_page(cashier, wallet, "never")
    for _ in range(8):
        work(cashier, timedelta(hours=7))
    if wallet == "remita":  # a reference has no end of its own
        payment = cashier.withdraw_page(payment).payment
    show(wallet, "never paid", cashier.payment(payment))


def pay_late(cashier: Cashier, wallet: str) -> None:
    payment = open_page(cashier, wallet, "late")
    for _ in range(8):
        work(cashier, timedelta(hours=7))
    before = cashier.payment(payment).status
    if wallet == "paypal":  # the order has lapsed, and nobody can pay it any more
        show(wallet, "too late", cashier.payment(payment))
        return
    PAY[wallet](payment.reference)
    hear(cashier)
    cashier.inquire(payment)  # the payer comes back after all
    show(wallet, f"paid late, after {before}", cashier.payment(payment))


def work(cashier: Cashier, later: timedelta) -> None:
    """Let time pass, and do what a worker does: ask about what is open."""
    clock.advance(later)
    cashier.recover()


def hear(cashier: Cashier) -> None:
    """Receive what the wallets sent: in your shop, the application for callbacks does this."""
    for headers, body in paypal.webhooks:
        receive(cashier, "paypal", body, headers=headers)
    for url, body in skrill.reports:
        receive(cashier, "skrill", body, query=url.partition("?")[2])
    for body in remita.notifications:
        receive(cashier, "remita", body, query=f"token={TOKEN}")
    for waiting in (paypal.webhooks, skrill.reports, remita.notifications):
        waiting.clear()
    cashier.apply_callbacks()


def receive(
    cashier: Cashier,
    wallet: str,
    body: bytes,
    *,
    headers: dict[str, str] | None = None,
    query: str = "",
) -> None:
    sent = Callback(
        method="POST",
        path=f"/callbacks/{wallet}",
        headers=headers or {},
        query=query,
        body=body,
        received_at=clock.now(),
    )
    cashier.receive(wallet, sent)


def show(wallet: str, what: str, payment: Payment) -> None:
    print(f"{wallet}: {what}: {payment.status} {payment.received}")


def show_ledger(cashier: Cashier) -> None:
    for payment in cashier.payments(oldest_first=True):
        for receipt in cashier.receipts(payment):
            print(f"  {receipt.kind:<8} {receipt.amount!s:>15}")
    for invoice in cashier.open_invoices("C-1"):
        print(f"open: {invoice.number} {invoice.open}")
    print("the books are sound" if not cashier.fsck() else "the books are wrong")


if __name__ == "__main__":
    sys.exit(main())
