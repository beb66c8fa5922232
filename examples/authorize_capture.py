"""Authorize an amount, capture it in two parts, and refund some of it: no account, no network.

    python examples/authorize_capture.py

If you run it twice, it has its effect once. The ledger is shop.db in the working directory.
"""

from paygate import Cashier, Money
from paygate.testing import FakeGateway


def main() -> None:
    # With a journal the fake processor remembers payments, as a real one does.
    card = FakeGateway(journal="processor.jsonl")
    with Cashier.open("sqlite:///shop.db", gateways={"card": card}) as cashier:
        invoice = cashier.issue(
            number="ORDER-12", customer="C-1", total=Money.of("USD", "80.00"), due="2026-12-01"
        )
        held = cashier.authorize([invoice], via="card", method="tok_visa", key="order-12")
        print(f"{held.authorized} held")

        first = Money.of("USD", "50.00")
        cashier.capture(held, amount=first, final=False, key="order-12-parcel-1")
        taken = cashier.capture(held, key="order-12-parcel-2")
        print(f"{taken.payment.received} captured, parcel by parcel: {taken.state}")

        broken = Money.of("USD", "15.00")
        back = cashier.refund(held, amount=broken, to="credit_note", key="order-12-broken")
        print(f"{back.succeeded} sent back, {cashier.invoice('ORDER-12').open} open: {back.state}")

        print(cashier.fsck() or "the books are sound")


if __name__ == "__main__":
    main()
