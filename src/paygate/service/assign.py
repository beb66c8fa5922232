"""Assign: a clerk decides what money is for that no rule could allocate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.domain.customer import Customer
from paygate.domain.invoice import InvoiceStatus
from paygate.errors import AlreadyPaid, CurrencyMismatch, InvalidValue, NothingToAssign
from paygate.ledger import claims, customers, payments, posting, receipts, reviews
from paygate.ledger.claims import Claim
from paygate.ledger.posting import LedgerAccount, PostingLine
from paygate.printing import shown
from paygate.service import allocation, claiming, events, finding, identifying, settle, taking
from paygate.service.flow import Flow, transact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paygate.domain.invoice import Invoice
    from paygate.domain.payment import Payment
    from paygate.domain.receipt import Receipt
    from paygate.ledger.tx import Tx


def assign(
    payment: str,
    wanted: Sequence[Invoice | str],
    *,
    reason: str,
    customer: Customer | str | None = None,
) -> Flow[Payment]:
    """
    Allocate the unallocated money of *payment* to invoices, in order, and the rest to credit.

    *customer* says whose payment it is, if that is not known; without it, the first invoice does.
    If money counts only when it has settled, the invoices are held for it until then. If more went
    back than came in, the customer owes the difference.
    """
    return (yield from transact(lambda tx: assign_in(tx, payment, wanted, customer, reason)))


def assign_in(
    tx: Tx,
    which: str,
    wanted: Sequence[Invoice | str],
    customer: Customer | str | None,
    reason: str,
) -> Payment:
    """Allocate unallocated money to invoices in this transaction."""
    if not reason.strip():
        raise InvalidValue(
            "give the reason of the assignment: reason='the payer rounded up'", argument="reason"
        )
    finding.hold(tx, wanted, customer, payments=(which,))
    payment = finding.payment(tx, which)
    waiting = [each for each in receipts.of_payment(tx, payment.id) if each.unallocated.minor]
    if not waiting:
        raise _nothing(payment)
    invoices = [finding.invoice(tx, each, "invoices") for each in wanted]
    payment = _identified(tx, payment, invoices, customer)
    allocation.release(tx, payment.id, claims.of_payment(tx, payment.id))
    drafts = [each for each in invoices if each.status is InvoiceStatus.DRAFT]
    if drafts:
        raise claiming.is_draft(drafts[0])
    for receipt in waiting:
        if receipt.unallocated.minor < 0:
            _owe(tx, payment, receipt)
            continue
        touched = _place(tx, payment, receipt, invoices)
        allocation.emit_invoices(tx, touched)
    identifying.follow_up(tx, payment)
    reviews.decide(tx, payment.id, reason)
    payments.clear_conflict(tx, payment.id)
    found = finding.payment(tx, payment.id)
    events.emit(tx, "payment.assigned", found, why=reason)
    return found


def _identified(
    tx: Tx, payment: Payment, invoices: Sequence[Invoice], customer: Customer | str | None
) -> Payment:
    """Return *payment* with its customer, who is identified now if that was not known."""
    whose = customer.id if isinstance(customer, Customer) else customer
    if payment.customer:
        if whose not in (None, payment.customer):
            raise InvalidValue(
                f"payment {payment.id} is of customer {payment.customer}, not {shown(whose)}",
                argument="customer",
            )
        return payment
    found = customer or (invoices[0].customer if invoices else None)
    if found is None:
        raise InvalidValue(
            f"the customer of payment {payment.id} is not known: pass customer=, or name one of "
            "their invoices",
            argument="customer",
        )
    identifying.identify(tx, payment, found)
    return finding.payment(tx, payment.id)


def _nothing(payment: Payment) -> NothingToAssign:
    """Return the error that says why nothing can be assigned, and what to do instead."""
    text = f"payment {payment.id} has no unallocated money"
    if not payment.customer:
        text = f"{text}: {payment.returned} of {payment.received} went back"
    elif payment.awaiting.minor:
        text = f"{text}: {payment.awaiting} counts when it has settled"
    if payment.needs_review:
        text = f"{text}; finish its review with reviewed"
    return NothingToAssign(text, payment=payment.id)


def _owe(tx: Tx, payment: Payment, receipt: Receipt) -> None:
    """Charge the customer with what was returned of the payment before they were identified."""
    owed = -receipt.unallocated
    receipts.set_unallocated(tx, receipt.id, 0)
    lines = [
        taking.owe(tx, payment, receipt.id, owed),
        PostingLine(LedgerAccount.SUSPENSE, -owed.minor, receipt=receipt.id),
    ]
    posting.post(
        tx,
        lines,
        entry=f"assign:{receipt.id}",
        currency=owed.currency,
        customer=payment.customer,
        payment=payment.id,
        effective=customers.today(tx, payment.customer),
    )


def _place(tx: Tx, payment: Payment, receipt: Receipt, invoices: Sequence[Invoice]) -> list[str]:
    amount = receipt.unallocated
    made: list[Claim] = []
    position = len(claims.of_payment(tx, payment.id))
    for invoice in invoices:
        if invoice.total.currency != amount.currency:
            raise CurrencyMismatch(
                f"the money is {amount}, but invoice {invoice.number} is in "
                f"{invoice.total.currency}; assign it to no invoice to make it credit",
                argument="invoices",
            )
        if invoice.customer != payment.customer:
            raise InvalidValue(
                f"invoice {invoice.number} is of customer {invoice.customer}, the payment of "
                f"{payment.customer}",
                argument="invoices",
            )
        now = finding.invoice(tx, invoice)
        if not now.open.minor:
            raise AlreadyPaid(f"nothing is open on invoice {invoice.number}", item=invoice.number)
        made.append(Claim(position + len(made), now.id, now.open.minor, None, "released"))
    claims.insert(tx, payment.id, made)
    receipts.set_unallocated(tx, receipt.id, 0)
    source = PostingLine(LedgerAccount.SUSPENSE, amount.minor, receipt=receipt.id)
    on, entry = customers.today(tx, payment.customer), f"assign:{receipt.id}"
    if settle.still_waits(tx, payment, receipt):
        settle.accept(tx, payment, amount, on, source, entry=entry)
        return settle.place_settled(tx, payment, on)
    placed = allocation.place(
        tx, payment, receipt.id, amount, made, source=source, on=on, entry=entry
    )
    return placed.items
