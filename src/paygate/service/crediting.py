"""Crediting: money that nothing can take becomes credit of its customer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.ledger import lots, outbox
from paygate.ledger.posting import LedgerAccount, PostingLine

if TYPE_CHECKING:
    from paygate.domain.credit import CreditReason
    from paygate.domain.money import Money
    from paygate.ledger.tx import Tx


def make_credit(
    tx: Tx,
    *,
    customer: str,
    amount: Money,
    reason: CreditReason,
    payment: str | None,
    receipt: str | None,
    item: str | None = None,
) -> PostingLine:
    """Turn *amount* into credit of *customer*."""
    assert customer, "money of an unknown customer stays in suspense"
    credit = lots.insert(
        tx,
        customer=customer,
        amount=amount,
        reason=reason,
        payment=payment,
        receipt=receipt,
        item=item,
    )
    outbox.emit(
        tx,
        "credit.created",
        f"customer:{customer}",
        {
            "customer": customer,
            "credit": credit,
            "amount_minor": amount.minor,
            "currency": amount.currency,
            "reason": reason.value,
            "payment": payment,
        },
    )
    return PostingLine(LedgerAccount.CUSTOMER_CREDIT, -amount.minor, credit=credit)
