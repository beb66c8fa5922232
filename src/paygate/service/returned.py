"""Returned: a return that the gateway reports, which is a fact and always booked.

It reverses the payment if that is still there, and confirms the reversal of a clerk who was
earlier. What was spent as credit meanwhile becomes a debit of the customer.
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
    finding,
    opposite,
    taking,
    telling,
)
from paygate.service.opposite import ReverseOrder

if TYPE_CHECKING:
    from datetime import date

    from paygate.domain.payment import Payment
    from paygate.ledger.tx import Tx


def book_return(tx: Tx, payment: Payment, receipt: str, movement: Movement) -> bool:
    """
    Book a return that the gateway reported as a reversal; return False if it is none.

    *receipt* is the outward receipt of it. It reverses what is still there: what
    went back before, and is returned all the same, becomes a debit of the customer.
    A second return of one payment, one that a clerk anticipated, or one of a part
    is no reversal of the payment: it is taken off like other money that goes out.
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
    Net what the gateway reports as gone out against a reversal by a clerk; return the rest.

    The reversal took the money off everything that it was on, and *receipt* says the
    same fact again, in the words of the bank. It takes the place of the reversal in
    transit, and nothing more is taken off.
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
            payments.add_moved(tx, payment.id, returned=-minor)
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
        who = "the customer" if payment.customer else "whoever is found to have paid it"
        text = f"a return of {amount} does not match what is booked; {who} owes it"
        telling.emit(tx, "payment.needs_review", finding.payment(tx, payment.id), reason=text)
