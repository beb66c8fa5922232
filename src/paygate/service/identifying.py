"""Identify: find out whose money it is that came for a number that nobody has.

Such money is booked at once, to no customer: it is in suspense, and its payment is flagged. So is
what went out beyond what came: it is suspense below zero until somebody is known who owes it. When
a person says whose it is, payment and receipts get their customer. Postings never change,
so what stands posted to nobody is posted back, and posted again to the customer: two entries,
each of which balances, after which nothing of the payment stands posted to nobody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.ledger import customers, payments, posting, receipts, reviews
from paygate.ledger.posting import PostingLine
from paygate.service import telling

if TYPE_CHECKING:
    from collections.abc import Iterable

    from paygate.domain.customer import Customer
    from paygate.domain.payment import Payment
    from paygate.ledger.tx import Tx


def follow_up(tx: Tx, payment: Payment) -> None:
    """Flag *payment* as long as money of it waits and nobody knows whose it is."""
    now = payments.by_id(tx, payment.id) or payment
    if now.customer or not receipts.waits(tx, payment.id):
        reviews.end(tx, payment.id, reviews.UNIDENTIFIED)
    elif reviews.raise_(tx, payment.id, reviews.UNIDENTIFIED):
        text = f"money came for payer number {now.payer_number}, which nobody has; assign it"
        if now.unallocated.minor < 0:
            text = (
                f"more went back than came for payer number {now.payer_number}, which nobody has; "
                "assign it to the customer who owes it"
            )
        telling.emit(tx, "payment.needs_review", now, reason=text)


def identify(tx: Tx, payment: Payment, customer: Customer | str) -> None:
    """Write that *payment*, which has no customer, is the customer's, with all that it moved."""
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
    telling.emit(tx, "payment.identified", found, payer_number=found.payer_number)


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
