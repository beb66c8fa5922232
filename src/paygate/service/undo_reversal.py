"""Undo a reversal that was a mistake: the money is here, and pays its invoices again.

The reversal stays in the books as an undone document, and each of its receipts gets a receipt that
takes it back. The money goes onto the payment's invoices as far as they are open; the rest becomes
credit. Credit that the payment had used, and write-offs that it had caused, were undone by the
reversal and stay undone. A fee invoice and a bank charge stay too: void the invoice if the customer
does not owe it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.domain.money import Money
from paygate.domain.movement import Movement, MovementKind
from paygate.errors import InvalidValue, NothingToReverse
from paygate.ledger import customers, holding, payments, receipts, reversals, reviews, transit
from paygate.ledger.posting import LedgerAccount
from paygate.service import allocation, events, finding, movements
from paygate.service.flow import Flow, transact

if TYPE_CHECKING:
    from paygate.domain.payment import Payment
    from paygate.domain.receipt import Receipt
    from paygate.domain.reversal import Reversal
    from paygate.ledger.tx import Tx


def undo(payment: str, *, reason: str) -> Flow[Payment]:
    """Undo the reversal of *payment*; repeating this changes nothing."""
    return (yield from transact(lambda tx: undo_in(tx, payment, reason=reason)))


def undo_in(tx: Tx, which: str, *, reason: str) -> Payment:
    """Undo the reversal of a payment in this transaction."""
    if not reason.strip():
        raise InvalidValue(
            "give the reason to undo it: reason='the letter was about another payment'",
            argument="reason",
        )
    holding.hold_payment(tx, which)
    payment = finding.payment(tx, which)
    found = reversals.of_payment(tx, payment.id)
    booked = receipts.of_payment(tx, payment.id)
    if found is None and any(each.kind is MovementKind.UNDONE for each in booked):
        return payment
    if found is None:
        raise NothingToReverse(
            f"payment {payment.id} was not reversed; there is nothing to undo", payment=payment.id
        )
    reversal = found[0]
    standing = _standing(tx, payment, reversal, booked)
    if not standing:
        raise NothingToReverse(
            f"the gateway or bank reports that payment {payment.id} went back, so "
            f"{reversal.number} is right; if the money came again, record it as a new payment",
            payment=payment.id,
        )
    reversals.undo(tx, reversal.id)
    payments.set_reversal(tx, payment.id, None)
    for receipt, amount in standing:
        _take_back(tx, payment, receipt, amount, reason)
    reviews.end(tx, payment.id, reviews.CONTRADICTED)
    events.emit(
        tx,
        "payment.reversal_undone",
        finding.payment(tx, payment.id),
        reversal=reversal.id,
        number=reversal.number,
        why=reason,
    )
    return finding.payment(tx, payment.id)


def _standing(
    tx: Tx, payment: Payment, reversal: Reversal, booked: list[Receipt]
) -> list[tuple[Receipt, Money]]:
    """Return the receipts of a reversal, with the unconfirmed amount of each."""
    found: list[tuple[Receipt, Money]] = []
    for each in booked:
        ours = each.movement_id.startswith(f"{reversal.id}:")
        if each.kind is not MovementKind.REVERSAL or not ours:
            continue
        confirmed = receipts.undone_of(tx, payment.id, each.movement_id)
        if each.amount.minor > confirmed:
            left = Money(each.amount.currency, each.amount.minor - confirmed)
            found.append((each, left))
    return found


def _take_back(tx: Tx, payment: Payment, receipt: Receipt, amount: Money, reason: str) -> None:
    cash = allocation.cash_account(payment)
    movement = Movement(
        movement_id=f"{receipt.movement_id}:undone",
        kind=MovementKind.UNDONE,
        amount=amount,
        effective=max(receipt.effective, customers.today(tx, payment.customer)),
        undoes=receipt.movement_id,
        code=reason,
    )
    back = movements.book_back(
        tx, payment, movement, account=payment.account, cash=cash, refunded=False
    )
    if back is not None and cash is LedgerAccount.IN_TRANSIT:
        # The reversal and its undoing cancel out: neither of them is still in transit.
        transit.set_minor(tx, receipt.id, receipt.in_transit.minor + amount.minor)
        transit.set_minor(tx, back, 0)
