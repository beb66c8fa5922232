"""Charge test cards at Stripe and print the outcomes.

    STRIPE_SECRET_KEY=sk_test_... python examples/stripe_charge.py

It accepts only a test key. STRIPE_API_BASE may name another server that implements
Stripe's API, on this machine. The ledger is stripe.db in the working directory.
"""

import os
import sys
from uuid import uuid4

from paygate import Cashier, Money, PaygateError, PaymentStatus

TEST_CARDS = {
    "pm_card_visa": "a card that works",
    "pm_card_chargeCustomerFail": "a card that is declined",
}


def main() -> int:
    key = os.environ.get("STRIPE_SECRET_KEY", "")
    if not key:
        print(
            "Set STRIPE_SECRET_KEY to a test key of your Stripe account (sk_test_...); "
            "the dashboard shows it under Developers, API keys.",
            file=sys.stderr,
        )
        return 2
    if "_test_" not in key[:8]:
        print("That is not a test key; this example charges cards.", file=sys.stderr)
        return 2
    settings = {
        "driver": "stripe",
        "secret_key": key,
        "api_base": os.environ.get("STRIPE_API_BASE", "https://api.stripe.com"),
    }
    try:
        with Cashier.open("sqlite:///stripe.db", gateways={"card": settings}) as cashier:
            for method, meaning in TEST_CARDS.items():
                charge(cashier, method, meaning)
    except PaygateError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def charge(cashier: Cashier, method: str, meaning: str) -> None:
    number = f"INV-{uuid4().hex[:8]}"
    cashier.issue(number=number, customer="C-1", total=Money.of("USD", "30.00"), due="2026-12-01")
    # The key identifies the effort to collect the order, so a second run for the same order
    # would not charge again.
    payment = cashier.collect(number, via="card", method=method, key=f"{number}-1")
    print(f"{meaning}: {payment.status} {payment.code} {payment.reference}".rstrip())
    if payment.status is PaymentStatus.UNKNOWN:
        print(f"  {payment.reason}; after an inquiry: {cashier.inquire(payment).status}")
    print(f"  {number}: {cashier.invoice(number).open} is open")


if __name__ == "__main__":
    sys.exit(main())
