"""Identify: assign money to a customer that came for a number that no customer has.

Such money is booked at once, without a customer: it is in suspense, and its payment is flagged. If
more went out than came, the suspense is negative until it is known who owes it. When a clerk names
the customer, the payment and its receipts get that customer. Postings never change, so the postings
without a customer are reversed and posted again for the customer: two balanced entries, after which
nothing of the payment is posted without a customer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.ledger import customers, payments, posting, receipts, reviews
from paygate.ledger.posting import PostingLine
from paygate.service import events

if TYPE_CHECKING:
    from collections.abc import Iterable

    from paygate.domain.customer import Customer
    from paygate.domain.payment import Payment
    from paygate.ledger.tx import Tx


def follow_up(tx: Tx, payment: Payment) -> None:
    """Flag *payment* while money of it is unallocated and its customer is unknown."""
    now = payments.by_id(tx, payment.id) or payment
    if now.customer or not receipts.waits(tx, payment.id):
        reviews.end(tx, payment.id, reviews.UNIDENTIFIED)
    elif reviews.raise_(tx, payment.id, reviews.UNIDENTIFIED):
        text = f"money came for payer number {now.payer_number}, which no customer has; assign it"
        if now.unallocated.minor < 0:
            text = (
                f"more went back than came for payer number {now.payer_number}, which no customer "
                "has; assign it to the customer who owes it"
            )
        events.emit(tx, "payment.needs_review", now, reason=text)


def identify(tx: Tx, payment: Payment, customer: Customer | str) -> None:
    """Record *customer* as that of *payment*, which has none, and of all its receipts."""
    whose = customers.save(tx, customer)
    booked = [receipt.id for receipt in receipts.of_payment(tx, payment.id)]
    payments.set_customer(tx, payment.id, whose)
    for receipt in booked:
        receipts.set_customer(tx, receipt, whose)
    for currency, lines in posting.unassigned(tx, payment.id).items():
        back = [
            PostingLine(one.account, -one.minor, receipt=one.receipt, credit=one.credit)
            for one in lines
        ]
        _post(tx, payment, back, f"nobodys:{payment.id}", currency, "", whose)
        _post(tx, payment, lines, f"identified:{payment.id}", currency, whose, whose)
    found = payments.by_id(tx, payment.id)
    assert found is not None, "payments are never deleted"
    events.emit(tx, "payment.identified", found, payer_number=found.payer_number)


def _post(
    tx: Tx,
    payment: Payment,
    lines: Iterable[PostingLine],
    entry: str,
    currency: str,
    customer: str,
    whose: str,
) -> None:
    posting.post(
        tx,
        list(lines),
        entry=entry,
        currency=currency,
        customer=customer,
        payment=payment.id,
        effective=customers.today(tx, whose),
    )
