"""Issue an invoice, and void one.

An invoice gets its number from the host, or from a series of ours. The count of a series is
incremented in the transaction that issues the invoice, so a number is neither skipped nor given
twice: what is rolled back gives its number back, and others wait for the row of the count. It is
taken after the customer is locked, and several invoices of one transaction lock all customers
first, so that nobody waits in a circle.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from paygate.domain.credit import CreditReason
from paygate.domain.customer import Customer
from paygate.domain.invoice import Invoice, InvoiceStatus
from paygate.domain.invoice_lines import NO_TEXT, InvoiceText, write_lines, write_tax
from paygate.domain.money import AMOUNT_MAX, Money
from paygate.domain.prepayment import assignment_key
from paygate.domain.text import identifier, spelled_alike
from paygate.errors import AssignmentConflict, InvalidAmount, InvalidValue, NumberReused
from paygate.ledger import (
    allocations,
    claims,
    customers,
    documents,
    invoice_texts,
    items,
    keys,
    letterheads,
    lots,
    outbox,
    posting,
    reversals,
)
from paygate.ledger.invoice_texts import Details
from paygate.ledger.posting import LedgerAccount, PostingLine
from paygate.service import allocation, assignment, claiming, crediting, finding, ways
from paygate.service.flow import Flow, repeatable, transact

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from paygate.domain.allocation import Allocation
    from paygate.domain.document import Document
    from paygate.domain.number_series import NumberSeries
    from paygate.ledger.tx import Tx

NUMBER_LENGTH_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """
    The facts of an invoice to be issued.

    It has a number of the host's, or gets one of a `series`; then `key` makes it safe to issue
    again. `operation` is whose keys they are.
    """

    number: str = ""
    customer: Customer | str
    total: Money
    due: date
    on: date | None = None
    reversal: str | None = None
    assignment_key: str | None = None
    text: InvoiceText = NO_TEXT
    series: NumberSeries | None = None
    key: str = ""
    operation: str = "issue"
    documents: tuple[Document, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "number", spelled_alike(self.number))
        if self.assignment_key is not None:
            object.__setattr__(self, "assignment_key", assignment_key(self.assignment_key))
        if isinstance(self.customer, str):
            object.__setattr__(self, "customer", spelled_alike(self.customer))

    @property
    def customer_id(self) -> str:
        """The id of the customer."""
        return self.customer if isinstance(self.customer, str) else self.customer.id

    @property
    def label(self) -> str:
        """How a message names the invoice."""
        return f"invoice {self.number}" if self.number else f"the invoice with key {self.key}"


def issue(bill: Bill) -> Flow[Invoice]:
    """Issue an invoice once; the same facts again return the existing one."""
    try:
        return (yield from repeatable(lambda tx: issue_in(tx, bill)))
    except AssignmentConflict as error:
        yield from report(error)
        raise


def report(error: AssignmentConflict) -> Flow[None]:
    """Emit that the key of another customer was refused; the refusal itself stored nothing."""
    if error.owner != error.customer:
        yield from transact(partial(_report_in, error=error))


def _report_in(tx: Tx, error: AssignmentConflict) -> None:
    finding.hold(tx, (), error.customer)
    assignment.emit_conflict(tx, error)


def issue_in(tx: Tx, bill: Bill) -> Invoice:
    """Issue an invoice in this transaction."""
    check(bill)
    customer = customers.save(tx, bill.customer)
    on = bill.on or customers.today(tx, customer)
    id_ = tx.new_id("inv")
    if bill.key:
        before = keys.take(tx, bill.operation, bill.key, print_of(bill), id_)
        if before is not None:
            return finding.invoice(tx, before)
    if bill.assignment_key is not None:
        assignment.own_key(tx, bill.total.currency, bill.assignment_key, customer)
    place = None if bill.series is None else invoice_texts.next_place(tx, bill.series, on)
    number = bill.number
    if place is not None and bill.series is not None:
        number = bill.series.number(place.count, on)
    made = items.insert(
        tx,
        id_=id_,
        number=number,
        customer=customer,
        total=bill.total,
        due=bill.due,
        effective=on,
        reversal=bill.reversal,
        assignment_key=bill.assignment_key,
    )
    if made is None:
        found = already_issued(tx, bill) if place is None else None
        if found is None:
            raise number_taken(number)
        return found
    if place is not None or bill.text or bill.documents:
        version = letterheads.newest_version(tx)
        invoice_texts.save(tx, id_, Details(bill.text, place, version, bill.key))
        documents.add(tx, id_, bill.documents)
    names = list(dict.fromkeys(each.name for each in bill.documents))
    return booked(tx, made, on, names)


def booked(tx: Tx, issued: Invoice, on: date, attached: Sequence[str]) -> Invoice:
    """Post an invoice that has just got its number, emit it, and let it take what waits for it."""
    id_, total = issued.id, issued.total
    lines = [
        PostingLine(LedgerAccount.RECEIVABLE, total.minor, item=id_),
        PostingLine(LedgerAccount.BILLED, -total.minor, item=id_),
    ]
    posting.post(
        tx, lines, entry=id_, currency=total.currency, customer=issued.customer, effective=on
    )
    names = {"documents": list(attached)} if attached else {}
    outbox.emit(tx, "invoice.generated", id_, allocation.facts_of(issued) | names)
    if issued.assignment_key is None or not assignment.awaits(tx, issued):
        return issued
    if assignment.on_issue(tx, issued):
        allocation.emit_invoices(tx, [id_])
    return finding.invoice(tx, id_)


def print_of(bill: Bill) -> str:
    """Return the fingerprint of the facts that must be the same if a key is used again."""
    series = None if bill.series is None else [bill.series.name, bill.series.format]
    return keys.fingerprint(
        number=bill.number,
        customer=bill.customer_id,
        total=str(bill.total),
        due=bill.due,
        assignment_key=bill.assignment_key,
        lines=write_lines(bill.text),
        tax=write_tax(bill.text),
        series=series,
        documents=[each.digest for each in bill.documents],
    )


def check(bill: Bill) -> None:
    """Raise if *bill* cannot become an invoice."""
    label = bill.label
    if bill.series is None:
        label = f"invoice {identifier(bill.number, 'number', length_max=NUMBER_LENGTH_MAX)}"
    identifier(bill.customer_id, "customer")
    if bill.total.minor <= 0:
        raise InvalidAmount(
            f"the total of {label} is {bill.total}; it must be more than zero",
            argument="total",
        )
    if not bill.total.is_payable:
        raise InvalidAmount(
            f"the total of {label} is {bill.total}; the maximum is "
            f"{Money(bill.total.currency, AMOUNT_MAX)}",
            argument="total",
        )
    if bill.text:
        bill.text.check_total(bill.total)


def number_taken(number: str) -> NumberReused:
    """Return the error that another invoice has *number*."""
    return NumberReused(
        f"another invoice has the number {number}; use another number, or give the series a "
        "format that only it writes",
        number=number,
        differs=["number"],
    )


def already_issued(tx: Tx, bill: Bill) -> Invoice | None:
    """Return the invoice that *bill* was issued as, if any; raise `NumberReused` if it differs."""
    found = items.by_number(tx, bill.number)
    if found is None:
        return None
    facts = {
        "customer": (found.customer, bill.customer_id),
        "total": (found.total, bill.total),
        "due": (found.due, bill.due),
        "assignment_key": (found.assignment_key, bill.assignment_key),
    }
    differs = [name for name, (there, given) in facts.items() if there != given]
    if differs:
        there = ", ".join(f"{name} {facts[name][0]}" for name in differs)
    else:
        differs = _other_text(tx, found, bill)
        there = " and ".join(f"other {name}" for name in differs)
    if differs:
        raise NumberReused(
            f"invoice {bill.number} exists with {there}; use another number, or the same facts",
            number=bill.number,
            differs=differs,
        )
    return found


def _other_text(tx: Tx, found: Invoice, bill: Bill) -> list[str]:
    """Return which of lines, tax and documents of an invoice differ from those of *bill*."""
    text = invoice_texts.of_item(tx, found.id).text
    given = {each.digest for each in bill.documents}
    there = {each.digest for each in documents.of_item(tx, found.id)} if given else given
    pairs = {
        "lines": text.lines == bill.text.lines,
        "tax": text.tax == bill.text.tax,
        "documents": given <= there,
    }
    return [name for name, same in pairs.items() if not same]


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
    if invoice.status is InvoiceStatus.DRAFT:
        return _void_draft(tx, invoice, reason)
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


def _void_draft(tx: Tx, draft: Invoice, reason: str) -> Invoice:
    """Void a draft, on which nothing was posted."""
    items.void_draft(tx, draft.id)
    voided = finding.invoice(tx, draft.id)
    facts = {"credited_minor": 0, "reason": reason}
    outbox.emit(tx, "invoice.voided", draft.id, allocation.facts_of(voided) | facts)
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
