"""Taking: take off outward money, and put money that comes back in its old place.

Money of a payment is in one of four places: it awaits settlement, it is in suspense, it is on
invoices, or it is credit of the customer. Money that goes out is looked for in all of them, in the
order that a refund asks for, and each outward receipt records what it took from each. If there is
not enough, the rest becomes a debit of the customer. If the customer is not known, the rest is
negative suspense, until the payment is assigned.

Money that comes back (a refund that failed after all, a dispute that was won) undoes one outward
receipt. First it cancels debits for this payment: as long as there is one, more has gone out than
there was. The rest returns to the places that the undone receipt took it from, in reverse order. An
invoice takes back what is open on it; if it was paid in another way, or has been voided, the money
is credit of the customer. Money in a currency other than the one taken goes to none of these
places, but into suspense.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from paygate.domain.credit import CreditReason
from paygate.domain.invoice import InvoiceStatus
from paygate.domain.money import Money
from paygate.domain.movement import MovementKind
from paygate.ledger import allocations, items, lots, outbox, posting, receipts, refunding, taken
from paygate.ledger.posting import LedgerAccount, PostingLine
from paygate.service import allocation, assignment, crediting, settle
from paygate.service.allocation import Put
from paygate.service.assignment import Passed
from paygate.service.events import alert_credited

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import date

    from paygate.domain.movement import Movement
    from paygate.domain.payment import Payment
    from paygate.ledger.taken import Taken
    from paygate.ledger.tx import Tx


class RefundTo(StrEnum):
    """What a refund does to the invoices that the money was on.

    REOPEN opens them again. CREDIT_NOTE also writes off what it reopens, because the goods went
    back too. FROM_CREDIT pays out the credit that the payment created.
    """

    REOPEN = "reopen"
    CREDIT_NOTE = "credit_note"
    FROM_CREDIT = "from_credit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgo:
    """
    Money that goes out, with its *receipt*, and where to take it from.

    First from the credit that the refund's *attempt* holds, then from *credits* and *items* (ids
    with amounts), then from the places in the order of *to*.
    """

    receipt: str
    amount: Money
    on: date
    to: RefundTo = RefundTo.REOPEN
    attempt: str | None = None
    items: tuple[tuple[str, int], ...] = ()
    credits: tuple[tuple[str, int], ...] = ()


# --- Out ---------------------------------------------------------------------------------


def take_off(tx: Tx, payment: Payment, out: Outgo) -> tuple[list[PostingLine], int]:
    """Take off money of *payment*; return the lines, and the amount that the customer owes."""
    lines: list[PostingLine] = []
    left = out.amount.minor
    if out.attempt is not None:
        lines += _from_holds(tx, out.attempt)
    for credit, minor in out.credits:
        lots.cancel(tx, credit, minor)
        lines.append(PostingLine(LedgerAccount.CUSTOMER_CREDIT, minor, credit=credit))
    left -= sum(line.minor for line in lines)
    for item, minor in out.items:
        found = _off(tx, payment, Money(out.amount.currency, min(minor, left)), out.on, item)
        lines += found
        left -= sum(line.minor for line in found)
    places: list[Callable[[Tx, Payment, Money, date], list[PostingLine]]]
    places = [_from_awaiting, _from_suspense, _from_items, _from_lots]
    if out.to is RefundTo.FROM_CREDIT:
        places = [_from_awaiting, _from_suspense, _from_lots, _from_items]
    for take in places:
        if left > 0:
            found = take(tx, payment, Money(out.amount.currency, left), out.on)
            lines += found
            left -= sum(line.minor for line in found)
    taken.insert(tx, out.receipt, lines)
    if left > 0:
        lines.append(owe(tx, payment, out.receipt, Money(out.amount.currency, left)))
    return lines, max(left, 0)


def owe(tx: Tx, payment: Payment, receipt: str, amount: Money) -> PostingLine:
    """Debit the customer with *amount*, which went out with *receipt* beyond what was there."""
    if not payment.customer:
        receipts.set_unallocated(tx, receipt, -amount.minor)
        return PostingLine(LedgerAccount.SUSPENSE, amount.minor, receipt=receipt)
    return crediting.make_credit(
        tx,
        customer=payment.customer,
        amount=-amount,
        reason=CreditReason.RETURNED,
        payment=None,
        receipt=receipt,
    )


def _from_holds(tx: Tx, attempt: str) -> list[PostingLine]:
    lines: list[PostingLine] = []
    for credit, held in refunding.held_by(tx, attempt):
        lots.release(tx, credit, held)
        lots.cancel(tx, credit, held)
        lines.append(PostingLine(LedgerAccount.CUSTOMER_CREDIT, held, credit=credit))
    refunding.end_holds(tx, attempt, "used")
    return lines


def _from_awaiting(tx: Tx, payment: Payment, wanted: Money, _: date) -> list[PostingLine]:
    return settle.take_off(tx, payment, wanted)


def _from_suspense(tx: Tx, payment: Payment, wanted: Money, _: date) -> list[PostingLine]:
    lines: list[PostingLine] = []
    left = wanted.minor
    for waiting in receipts.unallocated(tx, payment.id, wanted.currency):
        take = min(left, waiting.minor)
        if take <= 0:
            break
        receipts.set_unallocated(tx, waiting.receipt, waiting.minor - take)
        lines.append(PostingLine(LedgerAccount.SUSPENSE, take, receipt=waiting.receipt))
        left -= take
    return lines


def _from_lots(tx: Tx, payment: Payment, wanted: Money, _: date) -> list[PostingLine]:
    lines: list[PostingLine] = []
    left = wanted.minor
    for lot in lots.of_payment(tx, payment.id):
        take = min(left, lot.free.minor)
        if take <= 0 or lot.amount.currency != wanted.currency:
            continue
        lots.cancel(tx, lot.id, take)
        lines.append(PostingLine(LedgerAccount.CUSTOMER_CREDIT, take, credit=lot.id))
        left -= take
    return lines


def _from_items(tx: Tx, payment: Payment, wanted: Money, on: date) -> list[PostingLine]:
    return _off(tx, payment, wanted, on)


def _off(
    tx: Tx, payment: Payment, wanted: Money, on: date, item: str | None = None
) -> list[PostingLine]:
    """Take money off *item*, or off the invoices of *payment*, last one first."""
    lines: list[PostingLine] = []
    left = wanted.minor
    for standing in reversed(allocations.standing_of_payment(tx, payment.id)):
        take = min(left, standing.amount.minor)
        of_receipt = standing.receipt is not None and standing.amount.currency == wanted.currency
        if take <= 0 or not of_receipt or item not in (None, standing.invoice):
            continue
        allocations.reduce(tx, standing, take, on)
        items.empty(tx, standing.invoice, take)
        account = items.account_of(tx, standing.invoice)
        lines.append(PostingLine(account, take, item=standing.invoice))
        left -= take
    return lines


# --- Back --------------------------------------------------------------------------------

_UNDONE = {
    MovementKind.REFUND_FAILED: (MovementKind.REFUND, MovementKind.VOID),
    MovementKind.CHARGEBACK_WON: (MovementKind.CHARGEBACK,),
    MovementKind.UNDONE: (MovementKind.REFUND,),
}
"""The movements that each kind of money that comes back undoes."""


@dataclass(slots=True)
class PutBack:
    """The money of one inward receipt that was put back: the lines, and the invoices they touch.

    `left` has no place to return to; `waits` means that some of it is in suspense again, and
    `other` that its currency is not the one that was taken.
    """

    receipt: str
    left: Money
    lines: list[PostingLine] = field(default_factory=list[PostingLine])
    items: list[str] = field(default_factory=list[str])
    passed: list[Passed] = field(default_factory=list[Passed])
    waits: bool = False
    other: bool = False

    def add(self, line: PostingLine) -> None:
        """Count the money that *line* credits as put back."""
        self.lines.append(line)
        self.left = Money(self.left.currency, self.left.minor + line.minor)


def put_back(
    tx: Tx, payment: Payment, receipt: str, movement: Movement, on: date, cash: LedgerAccount
) -> PutBack:
    """Return the money of an inward *receipt* to where the undone movement took it from."""
    back = PutBack(receipt, movement.amount)
    _cancel_debits(tx, payment, back)
    undoes = movement.undoes or movement.movement_id
    undone = receipts.undone_by(tx, payment.id, _UNDONE[movement.kind], undoes)
    taken_from = None if undone is None else receipts.by_id(tx, undone)
    back.other = taken_from is not None and taken_from.amount.currency != movement.amount.currency
    if undone is not None and not back.other:
        for origin in taken.of_receipt(tx, undone):
            minor = min(origin.minor, back.left.minor)
            if minor > 0 and _put(tx, payment, origin, minor, back, on):
                taken.put_back(tx, undone, origin, minor)
    if back.lines:
        moved = -sum(line.minor for line in back.lines)
        posting.post(
            tx,
            [PostingLine(cash, moved, receipt=receipt), *back.lines],
            entry=receipt,
            currency=movement.amount.currency,
            customer=payment.customer,
            payment=payment.id,
            effective=on,
        )
        back.items += assignment.on_arrival(tx, back.items, back.passed)
    return back


def cancel_debits(tx: Tx, payment: Payment, wanted: Money) -> list[PostingLine]:
    """Cancel debits and negative suspense of *payment*, up to *wanted*."""
    nobodys: list[PostingLine] = []
    left = wanted.minor
    for part in receipts.overdrawn(tx, payment.id, wanted.currency):
        minor = min(-part.minor, left)
        if minor > 0:
            receipts.set_unallocated(tx, part.receipt, part.minor + minor)
            nobodys.append(PostingLine(LedgerAccount.SUSPENSE, -minor, receipt=part.receipt))
            left -= minor
    lines: list[PostingLine] = []
    for debit in lots.debits_of(tx, payment.id):
        minor = min(-debit.amount.minor, left)
        if minor <= 0 or debit.amount.currency != wanted.currency:
            continue
        lots.cancel(tx, debit.id, -minor)
        lines.append(PostingLine(LedgerAccount.CUSTOMER_CREDIT, -minor, credit=debit.id))
        left -= minor
    _emit_credit(tx, payment, lines, wanted.currency)
    return [*nobodys, *lines]


def _cancel_debits(tx: Tx, payment: Payment, back: PutBack) -> None:
    for line in cancel_debits(tx, payment, back.left):
        back.add(line)


def _put(tx: Tx, payment: Payment, origin: Taken, minor: int, back: PutBack, on: date) -> bool:
    """Return *minor* to one place; False if that place cannot take money back."""
    currency = back.left.currency
    match origin.account:
        case LedgerAccount.CUSTOMER_CREDIT:
            lots.cancel(tx, origin.name, -minor)
            line = PostingLine(LedgerAccount.CUSTOMER_CREDIT, -minor, credit=origin.name)
            back.add(line)
            _emit_credit(tx, payment, [line], currency)
        case LedgerAccount.RECEIVABLE:
            _put_on_item(tx, payment, origin.name, minor, back, on)
        case LedgerAccount.SUSPENSE:
            suspend(tx, back, minor)
        case _:
            return False
    return True


def suspend(tx: Tx, back: PutBack, minor: int) -> None:
    """Put *minor* of the money that comes back into suspense."""
    waiting = -sum(
        line.minor
        for line in back.lines
        if line.account is LedgerAccount.SUSPENSE and line.receipt == back.receipt
    )
    receipts.set_unallocated(tx, back.receipt, waiting + minor)
    back.add(PostingLine(LedgerAccount.SUSPENSE, -minor, receipt=back.receipt))
    back.waits = True


def _put_on_item(tx: Tx, payment: Payment, item: str, minor: int, back: PutBack, on: date) -> None:
    """
    Put money on the item that it was taken off, as far as that is open.

    What an invoice cannot take of the money of a prepayment waits on that.
    """
    currency = back.left.currency
    prepayment = allocations.origin_of(tx, payment.id, item)
    put = Put(payment.id, currency, on)
    take = allocation.take_room(tx, item, minor)
    if take:
        put.on_item(tx, item, take, prepayment, receipt=back.receipt)
        back.items.append(item)
    again = assignment.put_again(tx, prepayment, item, minor - take)
    if again and prepayment is not None:
        put.on_item(tx, prepayment, again, None, receipt=back.receipt)
    for line in put.lines:
        back.add(line)
    back.items += [each for each in put.items if each != item]
    back.passed += put.passed
    take += again
    if take == minor:
        return
    found = items.by_id(tx, item)
    void = found is not None and found.status is InvoiceStatus.VOID
    reason = CreditReason.INVOICE_VOIDED if void else CreditReason.ALREADY_PAID
    back.add(
        crediting.make_credit(
            tx,
            customer=payment.customer,
            amount=Money(currency, minor - take),
            reason=reason,
            payment=payment.id,
            receipt=back.receipt,
            item=item if void else None,
        )
    )
    alert_credited(tx, payment, reason, item)


def _emit_credit(tx: Tx, payment: Payment, lines: Iterable[PostingLine], currency: str) -> None:
    minor = -sum(line.minor for line in lines)
    if not minor:
        return
    outbox.emit(
        tx,
        "credit.returned",
        f"customer:{payment.customer}",
        {
            "customer": payment.customer,
            "payment": payment.id,
            "amount_minor": minor,
            "currency": currency,
        },
    )
