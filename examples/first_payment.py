"""Collect an invoice by card, and reverse a check that bounced: no account, no network.

    python examples/first_payment.py

If you run it twice, it has its effect once. The ledger is payments.db in the working directory.
"""

from paygate import Cashier, Money
from paygate.testing import FakeGateway


def main() -> None:
    with Cashier.open("sqlite:///payments.db", gateways={"card": FakeGateway()}) as cashier:
        invoice = cashier.issue(
            number="INV-7", customer="C-1", total=Money.of("USD", "30.00"), due="2026-12-01"
        )
        payment = cashier.collect([invoice], via="card", method="tok_visa", key="checkout-7")
        print(f"{payment.status}: received {payment.received}")

        cashier.issue(
            number="INV-8", customer="C-1", total=Money.of("USD", "40.00"), due="2026-11-15"
        )
        check = cashier.record("INV-8", by="check", reference="1042", key="check-1042")
        reversal = cashier.reverse(check, reason="check returned", fee=Money.of("USD", "25.00"))
        print(f"{reversal.number} of {reversal.on}: {reversal.amount} taken back")
        for invoice in cashier.open_invoices("C-1"):
            print(f"open: {invoice.number} {invoice.open}")

        violations = cashier.fsck()
        print(violations or "the books are sound")


if __name__ == "__main__":
    main()
