"""Issue an invoice, and void one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from paygate.domain.credit import CreditReason
from paygate.domain.customer import Customer
from paygate.domain.invoice import Invoice, InvoiceStatus
from paygate.domain.money import AMOUNT_MAX, Money
from paygate.domain.prepayment import assignment_key
from paygate.domain.text import identifier, spelled_alike
from paygate.errors import AssignmentConflict, InvalidAmount, InvalidValue, NumberReused
from paygate.ledger import allocations, claims, customers, items, lots, outbox, posting, reversals
from paygate.ledger.posting import LedgerAccount, PostingLine
from paygate.service import allocation, assignment, claiming, crediting, finding, ways
from paygate.service.flow import Flow, repeatable, transact

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from paygate.domain.allocation import Allocation
    from paygate.ledger.tx import Tx

NUMBER_LENGTH_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """The facts of an invoice to be issued."""

    number: str
    customer: Customer | str
    total: Money
    due: date
    on: date | None = None
    reversal: str | None = None
    assignment_key: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "number", spelled_alike(self.number))
        if self.assignment_key is not None:
            object.__setattr__(self, "assignment_key", assignment_key(self.assignment_key))
        if isinstance(self.customer, str):
            object.__setattr__(self, "customer", spelled_alike(self.customer))


def issue(bill: Bill) -> Flow[Invoice]:
    """Issue an invoice once; the same facts again return the existing one."""
    try:
        return (yield from repeatable(lambda tx: issue_in(tx, bill)))
    except AssignmentConflict as error:
        yield from report(error, bill.total.currency)
        raise


def report(error: AssignmentConflict, currency: str) -> Flow[None]:
    """Emit that the key of another customer was refused; the refusal itself stored nothing."""
    if error.owner != error.customer:
        yield from transact(partial(_report_in, error=error, currency=currency))


def _report_in(tx: Tx, error: AssignmentConflict, currency: str) -> None:
    finding.hold(tx, (), error.customer)
    assignment.emit_conflict(tx, error, currency)


def issue_in(tx: Tx, bill: Bill) -> Invoice:
    """Issue an invoice in this transaction."""
    check(bill)
    customer = customers.save(tx, bill.customer)
    on = bill.on or customers.today(tx, customer)
    if bill.assignment_key is not None:
        assignment.own_key(tx, bill.total.currency, bill.assignment_key, customer)
    id_ = items.insert(
        tx,
        number=bill.number,
        customer=customer,
        total=bill.total,
        due=bill.due,
        effective=on,
        reversal=bill.reversal,
        assignment_key=bill.assignment_key,
    )
    if id_ is None:
        found = already_issued(tx, bill)
        assert found is not None, "the number is taken"
        return found
    lines = [
        PostingLine(LedgerAccount.RECEIVABLE, bill.total.minor, item=id_),
        PostingLine(LedgerAccount.BILLED, -bill.total.minor, item=id_),
    ]
    posting.post(
        tx, lines, entry=id_, currency=bill.total.currency, customer=customer, effective=on
    )
    outbox.emit(tx, "invoice.generated", id_, allocation.item_data(tx, id_))
    issued = finding.invoice(tx, id_)
    if bill.assignment_key is None:
        return issued
    if assignment.on_issue(tx, issued):
        allocation.emit_invoices(tx, [id_])
    return finding.invoice(tx, id_)


def check(bill: Bill) -> None:
    """Raise if *bill* cannot become an invoice."""
    number = identifier(bill.number, "number", length_max=NUMBER_LENGTH_MAX)
    identifier(bill.customer if isinstance(bill.customer, str) else bill.customer.id, "customer")
    if bill.total.minor <= 0:
        raise InvalidAmount(
            f"the total of invoice {number} is {bill.total}; it must be more than zero",
            argument="total",
        )
    if not bill.total.is_payable:
        raise InvalidAmount(
            f"the total of invoice {number} is {bill.total}; the maximum is "
            f"{Money(bill.total.currency, AMOUNT_MAX)}",
            argument="total",
        )


def already_issued(tx: Tx, bill: Bill) -> Invoice | None:
    """Return the invoice that *bill* was issued as, if any; raise `NumberReused` if it differs."""
    found = items.by_number(tx, bill.number)
    if found is None:
        return None
    customer = bill.customer if isinstance(bill.customer, str) else bill.customer.id
    facts = {
        "customer": (found.customer, customer),
        "total": (found.total, bill.total),
        "due": (found.due, bill.due),
        "assignment_key": (found.assignment_key, bill.assignment_key),
    }
    differs = [name for name, (there, given) in facts.items() if there != given]
    if differs:
        there = ", ".join(f"{name} {facts[name][0]}" for name in differs)
        raise NumberReused(
            f"invoice {bill.number} exists with {there}; use another number, or the same facts",
            number=bill.number,
            differs=differs,
        )
    return found


def void(which: Invoice | str, *, reason: str) -> Flow[Invoice]:
    """Void an invoice; its money becomes credit, or returns to the prepayment it came from."""
    if not reason.strip():
        raise InvalidValue("give the reason to void it: reason='issued twice'", argument="reason")
    return (yield from transact(lambda tx: void_in(tx, which, reason=reason)))


def void_in(tx: Tx, which: Invoice | str, *, reason: str) -> Invoice:
    """Void an invoice in this transaction; repeating this changes nothing."""
    finding.hold(tx, (which,))
    invoice = finding.invoice(tx, which)
    if invoice.status is InvoiceStatus.VOID:
        return invoice
    its_money = allocations.standing_of_item(tx, invoice.id)
    returned = [each for each in its_money if assignment.goes_back(tx, each)]
    if not items.void(tx, invoice.id, back=sum(each.amount.minor for each in returned)):
        raise ways.being_paid(tx, invoice)
    prepaid = assignment.before_void(tx, invoice, its_money)
    for holder in claims.soft_on(tx, invoice.id):
        claiming.supersede(tx, holder)
    lines = [
        PostingLine(LedgerAccount.RECEIVABLE, -invoice.open.minor, item=invoice.id),
        PostingLine(LedgerAccount.BILLED, invoice.total.minor, item=invoice.id),
    ]
    for account, minor in reversals.given_up(tx, invoice.id).items():
        lines.append(PostingLine(account, -minor, item=invoice.id))
    lines += _money_off(tx, invoice, its_money)
    posting.post(
        tx,
        lines,
        entry=f"void:{invoice.id}",
        currency=invoice.total.currency,
        customer=invoice.customer,
        effective=customers.today(tx, invoice.customer),
    )
    voided = finding.invoice(tx, invoice.id)
    facts = {"credited_minor": voided.credited.minor, "reason": reason}
    outbox.emit(tx, "invoice.voided", invoice.id, allocation.facts_of(voided) | facts)
    allocation.emit_invoices(tx, assignment.after_void(tx, prepaid))
    return voided


def _money_off(tx: Tx, invoice: Invoice, its_money: Sequence[Allocation]) -> list[PostingLine]:
    """Take all money off a void invoice: back to its prepayment, or into credit."""
    lines: list[PostingLine] = []
    on = customers.today(tx, invoice.customer)
    for standing in its_money:
        allocations.cancel(tx, standing, on)
        items.empty(tx, invoice.id, standing.amount.minor)
        if assignment.goes_back(tx, standing):
            lines.append(assignment.put_back(tx, standing, on))
            continue
        if standing.credit is not None:
            lots.give_back(tx, standing.credit, standing.amount.minor)
            lines.append(
                PostingLine(
                    LedgerAccount.CUSTOMER_CREDIT, -standing.amount.minor, credit=standing.credit
                )
            )
            continue
        lines.append(
            crediting.make_credit(
                tx,
                customer=invoice.customer,
                amount=standing.amount,
                reason=CreditReason.INVOICE_VOIDED,
                payment=standing.payment,
                receipt=standing.receipt,
                item=invoice.id,
            )
        )
    return lines
