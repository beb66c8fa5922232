"""The payment comes first: an entry, a link, the money, and then the invoice that finds it.

A workshop takes registrations. Who registers pays at once, before anybody writes an invoice. Days
later the billing system turns the registrations into invoices, each finds its money by its key, and
goes to the customer as a PDF. Run it with ``python examples/payment_first.py``.
"""

from __future__ import annotations

import tempfile
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.fernet import Fernet

from paygate import (
    Cashier,
    Customer,
    InvoiceLine,
    InvoiceOrder,
    InvoiceText,
    Letterhead,
    Money,
    SinkTraits,
    TaxLine,
)
from paygate.testing import FakeGateway

if TYPE_CHECKING:
    from paygate import Delivery

PAGES = "https://pay.example.com"
ADA = Customer("C-1", name="Ada Lovelace", email="ada@example.org")


class Post:
    """A sink in place of a mail server: it keeps what would have been sent."""

    def __init__(self) -> None:
        self.traits = SinkTraits(
            events=("invoice.generated",), needs_contact=True, needs_documents=True
        )
        self.sent: list[Delivery] = []

    def send(self, delivery: Delivery) -> None:
        self.sent.append(delivery)


def step(number: int, text: str) -> None:
    print(f"{number}. {text}")


def main() -> None:
    post = Post()
    cashier = Cashier.in_memory(
        gateways={"card": FakeGateway()},
        sinks={"post": post},
        page_keys=[Fernet.generate_key()],
        zone="Europe/London",
    )
    cashier.set_letterhead(
        Letterhead(name="The Workshop", address=("1 Main Street", "London"), tax_id="GB123456789")
    )

    entry = cashier.prepay(
        ADA,
        Money.of("GBP", "144.00"),
        assignment_key="REG-4711",
        key="registration-4711",
        description="Workshop on engines",
        data={"seat": 12},
    )
    step(1, f"entry: {entry.amount} for {entry.assignment_key}, {entry.status.value}")

    link = cashier.link(entry, key="mail-4711")
    step(2, f"link: {link.address(PAGES)[: len(PAGES) + 3]}…, {link.status.value}")

    token = link.token
    assert token is not None
    given = cashier.begin_try(link)
    paid = cashier.pay_link(token, given=given, via="card", method="tok_visa")
    step(3, f"paid: {paid.received} by card, {paid.status.value}")

    [receipt] = cashier.receipts(paid)
    found = cashier.payment_by_reference(paid.short_reference.lower())
    assert found.id == paid.id
    step(4, f"receipt: number {receipt.number}, found by its reference of 8 characters")

    entry = cashier.prepayment(entry)
    [totals] = cashier.status().prepayments
    step(5, f"waiting: {totals.waiting} wait for an invoice, the entry is {entry.status.value}")

    lines = [InvoiceLine.of("Workshop on engines", "120.00", "GBP", tax_category="S")]
    text = InvoiceText(lines=tuple(lines), tax=(TaxLine.of("VAT", 20, lines, category="S"),))
    order = InvoiceOrder(
        id="REG-4711", customer=ADA, total=text.total, due=date(2031, 3, 1), text=text
    )
    rehearsal = cashier.invoice_run([order], series="INV-{n:05}", dry_run=True)
    step(6, f"dry run: {rehearsal.issued} invoice over {rehearsal.totals['GBP']}")

    cashier.invoice_run([order], series="INV-{n:05}")
    again = cashier.invoice_run([order], series="INV-{n:05}")  # the job ran twice
    [invoice] = cashier.invoices()
    step(7, f"run: {invoice.number}, {again.known} order was there already")

    entry = cashier.prepayment(entry)
    step(8, f"found: the invoice is {invoice.status.value}, the entry is {entry.status.value}")

    cashier.publish()
    [delivery] = post.sent
    [document] = delivery.documents
    file = Path(tempfile.mkdtemp()) / document.name
    file.write_bytes(document.content)
    assert delivery.contact is not None
    step(9, f"sent: {document.name} ({document.media_type}) to {delivery.contact.email}")

    assert cashier.fsck() == []
    cashier.close()


if __name__ == "__main__":
    main()
