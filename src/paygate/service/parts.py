"""Parts: how a refund is split over the movements that brought the money.

A payment may have been captured several times, and a refund refers to one of those captures, which
it must not exceed. It goes to the newest capture that covers all of it, so that one request is
enough; if none does, to the newest first, each as far as it reaches. What is left of each is
computed from the books, in the transaction that stores the intent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from paygate.domain.kind import Operation
from paygate.domain.money import Money
from paygate.domain.movement import MovementKind
from paygate.errors import NotRefundable
from paygate.ledger import attempts, receipts

if TYPE_CHECKING:
    from paygate.domain.payment import Payment
    from paygate.domain.receipt import Receipt
    from paygate.ledger.tx import Tx

_CAME = (MovementKind.CHARGE, MovementKind.CAPTURE)


@dataclass(frozen=True, slots=True)
class Part:
    """The amount to refund of one movement."""

    receipt: Receipt
    amount: Money


def spread(tx: Tx, payment: Payment, amount: Money) -> list[Part]:
    """Return *amount* split over the movements; raise `NotRefundable` without any."""
    newest_first = [
        each
        for each in reversed(receipts.of_payment(tx, payment.id))
        if each.kind in _CAME and each.amount.currency == amount.currency
    ]
    if not newest_first:
        raise NotRefundable(
            f"payment {payment.id} has money that came back, but no charge that the account "
            f"{payment.account!r} can refund; send {amount} back another way and record it with "
            "record_refund",
            payment=payment.id,
            left=Money(amount.currency, 0),
        )
    left = _left(tx, payment, newest_first)
    for receipt in newest_first:
        if left[receipt.movement_id] >= amount.minor:
            return [Part(receipt, amount)]
    wanted = amount.minor
    taken: dict[str, int] = {}
    for receipt in newest_first:
        taken[receipt.movement_id] = min(wanted, max(left[receipt.movement_id], 0))
        wanted -= taken[receipt.movement_id]
    # The payment has the money, so some movement has it, whatever the books say of each: let the
    # processor decide.
    taken[newest_first[0].movement_id] += wanted
    return [
        Part(receipt, Money(amount.currency, taken[receipt.movement_id]))
        for receipt in newest_first
        if taken[receipt.movement_id]
    ]


def _left(tx: Tx, payment: Payment, came: list[Receipt]) -> dict[str, int]:
    """Return what is left of each movement: neither refunded nor about to be."""
    left = {receipt.movement_id: receipt.amount.minor for receipt in came}
    asked = {
        row.attempt.id: row
        for row in attempts.of_payment(tx, payment.id)
        if row.attempt.operation is Operation.REFUND and row.movement in left
    }
    for row in asked.values():
        if not row.attempt.state.ended:
            left[row.movement] -= row.attempt.amount.minor
    for gone in receipts.taken_back(tx, payment.id):
        ours = asked.get(gone.attempt)
        if gone.inward and ours is not None:
            left[ours.movement] += gone.minor  # our refund failed after all
        elif not gone.inward and ours is None and gone.undoes in left:
            left[gone.undoes] -= gone.minor  # made at the processor, or by the payer's bank
    return left
