"""The opposite of a payment: its effects are taken back, with a document.

A clerk's reversal and a return that the gateway reports do the same here: the payment's money comes
off the invoices, the write-offs that it caused are undone, the credit that it used is returned, and
the credit that it created is canceled; the spent part becomes a debit of the customer. Later
payments of the same invoices stay.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from paygate.domain.credit import CreditReason
from paygate.domain.money import Money
from paygate.errors import (
    NumberReused,
)
from paygate.ledger import (
    claims,
    items,
    lots,
    outbox,
    payments,
    posting,
    receipts,
    reversals,
)
from paygate.ledger.posting import LedgerAccount, PostingLine
from paygate.printing import shown
from paygate.service import allocation, crediting, events, issue, taking

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

    from paygate.domain.payment import Payment
    from paygate.domain.receipt import Receipt
    from paygate.ledger.tx import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class ReverseOrder:
    """The payment to reverse, and the fees of that."""

    payment: str
    reason: str
    on: date | None = None
    number: str | None = None
    fee: Money | None = None
    bank_charge: Money | None = None
    period_closed: Callable[[date], bool] | None = None
    force: bool = False


def document(
    tx: Tx,
    payment: Payment,
    inward: Sequence[Receipt],
    on: date,
    reversal: str,
    number: str,
    print_: str,
    wish: ReverseOrder,
    *,
    brought: Sequence[Receipt],
    back: int = 0,
    outward: str | None = None,
) -> None:
    """
    Take back the payment's effects, and write the document.

    *inward* are all receipts that came in, *brought* those whose money goes out now: money that
    went out and came in again is on invoices too, but is the same money. *back* is the amount that
    went back earlier and is not taken again. *outward* is the receipt of a return, which explains
    what the customer owes now.
    """
    touched: list[str] = []
    own = payment.amount.currency
    # Money in a currency other than requested is a separate entry.
    for currency in dict.fromkeys([own, *(receipt.amount.currency for receipt in inward)]):
        lines, reopened = _take_back(
            tx, payment, inward, on, currency, brought=brought, back=back, outward=outward
        )
        touched += reopened
        entry = reversal if currency == own else f"{reversal}:{currency}"
        post(tx, payment, lines, entry, currency, on)
    fee_item = _issue_fee(tx, payment, number, on, wish)
    if wish.bank_charge is not None:
        charge = [
            PostingLine(LedgerAccount.BANK_CHARGE, wish.bank_charge.minor),
            PostingLine(LedgerAccount.SETTLED, -wish.bank_charge.minor),
        ]
        post(tx, payment, charge, f"{reversal}:bank", wish.bank_charge.currency, on)
    came = {receipt.amount.currency for receipt in inward}
    of = own if own in came else min(came)
    amounts = [receipt.amount for receipt in brought if receipt.amount.currency == of]
    amount = Money.sum(of, amounts) - Money(of, back)
    written = reversals.insert(
        tx,
        id_=reversal,
        number=number,
        payment=payment.id,
        amount=amount,
        on=on,
        reason=wish.reason,
        fingerprint=print_,
        fee_item=fee_item,
        bank_charge=wish.bank_charge,
        counted=not wish.number,
    )
    if not written:
        raise NumberReused(
            f"the reversal number {shown(number)} is taken; use another, or leave it out",
            number=number,
            differs=["payment"],
        )
    _release(tx, payment)
    payments.set_reversal(tx, payment.id, reversal)
    events.note_automatic(tx, payment)
    outbox.emit(
        tx,
        "payment.reversed",
        payment.id,
        {
            "payment": payment.id,
            "customer": payment.customer,
            "reversal": reversal,
            "number": number,
            "reason": wish.reason,
            "on": on.isoformat(),
            "amount_minor": amount.minor,
            "currency": amount.currency,
        },
    )
    allocation.emit_invoices(tx, touched, reopened=True)


def _take_back(
    tx: Tx,
    payment: Payment,
    inward: Sequence[Receipt],
    on: date,
    currency: str,
    *,
    brought: Sequence[Receipt],
    back: int,
    outward: str | None,
) -> tuple[list[PostingLine], list[str]]:
    """Take back the effects of the money in one currency; return the lines and the invoices."""
    booked = [receipt for receipt in inward if receipt.amount.currency == currency]
    lines, touched = allocation.take_off_items(tx, payment, booked, on=on)
    if currency == payment.amount.currency:
        for undone, reopened in (
            allocation.give_back_credit(tx, payment, on=on),
            allocation.undo_write_offs(tx, payment),
        ):
            lines += undone
            touched += reopened
    for receipt in booked:
        lines += _let_go(tx, receipt)
    cash = allocation.cash_account(payment)
    lines += [
        PostingLine(cash, -receipt.amount.minor, receipt=receipt.id)
        for receipt in brought
        if receipt.amount.currency == currency
    ]
    lines += _cancel_credits(tx, payment, currency, outward)
    if back and booked:
        lines.append(PostingLine(cash, back))
        lines += _balance(tx, payment, lines, currency)
    return lines, touched


def _release(tx: Tx, payment: Payment) -> None:
    """Release what was held for money that awaited settlement or a decision."""
    if payment.conflicted or payment.awaiting.minor:
        allocation.release(tx, payment.id, claims.of_payment(tx, payment.id))
    if payment.conflicted:
        payments.clear_conflict(tx, payment.id)


def _let_go(tx: Tx, receipt: Receipt) -> list[PostingLine]:
    """Take the money of a receipt out of awaited settlement and out of suspense."""
    lines: list[PostingLine] = []
    if receipt.awaiting.minor:
        receipts.set_awaiting(tx, receipt.id, 0)
        lines.append(
            PostingLine(LedgerAccount.AWAITING, receipt.awaiting.minor, receipt=receipt.id)
        )
    if receipt.unallocated.minor:
        receipts.set_unallocated(tx, receipt.id, 0)
        lines.append(
            PostingLine(LedgerAccount.SUSPENSE, receipt.unallocated.minor, receipt=receipt.id)
        )
    return lines


def _cancel_credits(
    tx: Tx, payment: Payment, currency: str, outward: str | None
) -> list[PostingLine]:
    """Cancel the credit that *payment* created; the spent part becomes a debit of the customer."""
    lines: list[PostingLine] = []
    for credit in lots.of_payment(tx, payment.id):
        if credit.amount.currency != currency:
            continue
        free, gone = credit.free, credit.used + credit.reserved
        if free.minor <= 0 and not gone.minor:
            continue
        if free.minor:
            lots.cancel(tx, credit.id, free.minor)
            lines.append(PostingLine(LedgerAccount.CUSTOMER_CREDIT, free.minor, credit=credit.id))
        if gone.minor:
            lines.append(
                crediting.make_credit(
                    tx,
                    customer=payment.customer,
                    amount=-gone,
                    reason=CreditReason.RETURNED,
                    payment=None,
                    receipt=outward,
                )
            )
        outbox.emit(
            tx,
            "credit.canceled",
            f"customer:{payment.customer}",
            {
                "customer": payment.customer,
                "credit": credit.id,
                "amount_minor": free.minor,
                "spent_minor": gone.minor,
                "currency": credit.amount.currency,
                "payment": payment.id,
            },
        )
    return lines


def _balance(
    tx: Tx, payment: Payment, lines: Sequence[PostingLine], currency: str
) -> list[PostingLine]:
    """Cancel the debits of money that went back beyond what the payment had."""
    rest = sum(line.minor for line in lines)
    if not rest:
        return []
    found = taking.cancel_debits(tx, payment, Money(currency, rest))
    left = rest + sum(line.minor for line in found)
    if not left:
        return found
    credit = crediting.make_credit(
        tx,
        customer=payment.customer,
        amount=Money(currency, left),
        reason=CreditReason.RETURNED,
        payment=payment.id,
        receipt=None,
    )
    return [*found, credit]


def _issue_fee(tx: Tx, payment: Payment, number: str, on: date, wish: ReverseOrder) -> str | None:
    if wish.fee is None:
        return None
    fee_number = f"{number}-FEE"
    if items.by_number(tx, fee_number) is not None:
        raise NumberReused(
            f"the number {fee_number} of the fee invoice is taken; pass number= for the reversal",
            number=fee_number,
            differs=["reversal"],
        )
    bill = issue.Bill(
        number=fee_number,
        customer=payment.customer,
        total=wish.fee,
        due=on,
        on=on,
        reversal=number,
    )
    return issue.issue_in(tx, bill).id


def post(
    tx: Tx, payment: Payment, lines: Sequence[PostingLine], entry: str, currency: str, on: date
) -> None:
    """Post *lines* as an entry of *payment*."""
    posting.post(
        tx,
        lines,
        entry=entry,
        currency=currency,
        customer=payment.customer,
        payment=payment.id,
        effective=on,
    )
