"""Returned: a return that the gateway reports is a fact, and always booked.

It reverses the payment if its money is still there, and confirms an earlier reversal by a clerk.
What was spent as credit in the meantime becomes a debit of the customer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.domain.money import Money
from paygate.domain.movement import Movement, MovementKind
from paygate.ledger import (
    customers,
    keys,
    payments,
    receipts,
    reversals,
    reviews,
    transit,
)
from paygate.ledger.posting import LedgerAccount, PostingLine
from paygate.service import (
    allocation,
    events,
    finding,
    opposite,
    taking,
)
from paygate.service.opposite import ReverseOrder

if TYPE_CHECKING:
    from datetime import date

    from paygate.domain.payment import Payment
    from paygate.ledger.tx import Tx


def book_return(tx: Tx, payment: Payment, receipt: str, movement: Movement) -> bool:
    """
    Book a return as a reversal of the payment, and return whether it is one.

    *receipt* is the outward receipt of the return. It reverses what is still there; an amount that
    had gone back earlier, and is returned as well, becomes a debit of the customer. A second
    return, one that a clerk anticipated, and one of a part do not reverse the payment: they are
    taken off like other outward money.
    """
    on = customers.date_of(tx, payment.customer, movement.effective)
    came, went = receipts.moved(tx, payment.id)[movement.amount.currency]
    left = Money(movement.amount.currency, came - went + movement.amount.minor)
    part = movement.amount < left or left.minor <= 0
    if reversals.of_payment(tx, payment.id) is not None or part:
        return False
    booked = [
        found
        for found in receipts.of_payment(tx, payment.id)
        if found.id != receipt and found.amount.currency == movement.amount.currency
    ]
    inward = [found for found in booked if found.kind.inward]
    back = sum(found.amount.minor for found in booked if not found.kind.inward)
    reversal = tx.new_id("rev")
    number = f"REV-{keys.next_number(tx, 'reversal')}"
    reason = f"returned by the gateway: {movement.code or 'no code given'}"
    opposite.document(
        tx,
        payment,
        inward,
        on,
        reversal,
        number,
        "gateway",
        ReverseOrder(payment=payment.id, reason=reason, on=on),
        brought=inward,
        back=back,
        outward=receipt,
    )
    if movement.amount > left:
        _debit(tx, payment, receipt, movement.amount - left, on)
    return True


def confirm(tx: Tx, payment: Payment, receipt: str, movement: Movement) -> Money:
    """
    Net outward money that the gateway reports against a clerk's reversal; return the rest.

    The reversal has taken the money off already, and *receipt* is the bank's report of the same
    fact. It replaces the reversal in transit, and nothing more is taken off.
    """
    left = movement.amount.minor
    reversal = reversals.of_payment(tx, payment.id)
    if reversal is None:
        return movement.amount
    on = customers.date_of(tx, payment.customer, movement.effective)
    cash = allocation.cash_account(payment)
    lines: list[PostingLine] = []
    for each in receipts.of_payment(tx, payment.id):
        ours = each.movement_id.startswith(f"{reversal[0].id}:")
        if each.kind is not MovementKind.REVERSAL or not ours:
            continue
        minor = min(left, each.amount.minor - receipts.undone_of(tx, payment.id, each.movement_id))
        if minor <= 0 or each.amount.currency != movement.amount.currency:
            continue
        undone = Movement(
            kind=MovementKind.UNDONE,
            movement_id=f"{receipt}:{each.id}",
            amount=Money(movement.amount.currency, minor),
            effective=on,
            undoes=each.movement_id,
        )
        receipts.book(
            tx,
            undone,
            account=payment.account,
            customer=payment.customer,
            payment=payment.id,
            attempt=None,
            in_transit=False,
        )
        if undone.amount.currency == payment.amount.currency:
            payments.add_moved(tx, payment, returned=-minor)
        if cash is LedgerAccount.IN_TRANSIT:
            transit.set_minor(tx, each.id, each.in_transit.minor + minor)
        lines += [
            PostingLine(cash, minor, receipt=each.id),
            PostingLine(cash, -minor, receipt=receipt),
        ]
        left -= minor
    if lines:
        opposite.post(tx, payment, lines, f"{receipt}:confirms", movement.amount.currency, on)
        if not transit.is_reversal_in_transit(tx, payment.id):
            reviews.end(tx, payment.id, reviews.CONTRADICTED)
    return Money(movement.amount.currency, left)


def _debit(tx: Tx, payment: Payment, receipt: str, amount: Money, on: date) -> None:
    lines = [
        taking.owe(tx, payment, receipt, amount),
        PostingLine(allocation.cash_account(payment), -amount.minor, receipt=receipt),
    ]
    opposite.post(tx, payment, lines, receipt, amount.currency, on)
    if reviews.raise_(tx, payment.id, reviews.EXCESS):
        who = "the customer" if payment.customer else "the payer, who is not known yet,"
        text = f"a return of {amount} exceeds what is booked; {who} owes it"
        events.emit(tx, "payment.needs_review", finding.payment(tx, payment.id), reason=text)
