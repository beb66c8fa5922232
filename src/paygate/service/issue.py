"""Issue an invoice, and void one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from paygate.domain.credit import CreditReason
from paygate.domain.customer import Customer
from paygate.domain.invoice import Invoice, InvoiceStatus
from paygate.domain.money import AMOUNT_MAX, Money
from paygate.domain.text import identifier, spelled_alike
from paygate.errors import InvalidAmount, InvalidValue, NumberReused
from paygate.ledger import allocations, claims, customers, items, lots, outbox, posting, reversals
from paygate.ledger.posting import LedgerAccount, PostingLine
from paygate.service import allocation, claiming, finding, ways
from paygate.service.flow import Flow, repeatable, transact

if TYPE_CHECKING:
    from datetime import date

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

    def __post_init__(self) -> None:
        object.__setattr__(self, "number", spelled_alike(self.number))
        if isinstance(self.customer, str):
            object.__setattr__(self, "customer", spelled_alike(self.customer))


def issue(bill: Bill) -> Flow[Invoice]:
    """Issue an invoice once; the same facts again return the existing one."""
    return (yield from repeatable(lambda tx: issue_in(tx, bill)))


def issue_in(tx: Tx, bill: Bill) -> Invoice:
    """Issue an invoice in this transaction."""
    check(bill)
    customer = customers.save(tx, bill.customer)
    on = bill.on or customers.today(tx, customer)
    id_ = items.insert(
        tx,
        number=bill.number,
        customer=customer,
        total=bill.total,
        due=bill.due,
        effective=on,
        reversal=bill.reversal,
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
    """Void an invoice; money that was on it becomes credit of the customer."""
    if not reason.strip():
        raise InvalidValue("give the reason to void it: reason='issued twice'", argument="reason")
    return (yield from transact(lambda tx: void_in(tx, which, reason=reason)))


def void_in(tx: Tx, which: Invoice | str, *, reason: str) -> Invoice:
    """Void an invoice in this transaction; repeating this changes nothing."""
    finding.hold(tx, (which,))
    invoice = finding.invoice(tx, which)
    if invoice.status is InvoiceStatus.VOID:
        return invoice
    if not items.void(tx, invoice.id):
        raise ways.being_paid(tx, invoice)
    for holder in claims.soft_on(tx, invoice.id):
        claiming.supersede(tx, holder)
    lines = [
        PostingLine(LedgerAccount.RECEIVABLE, -invoice.open.minor, item=invoice.id),
        PostingLine(LedgerAccount.BILLED, invoice.total.minor, item=invoice.id),
    ]
    for account, minor in reversals.given_up(tx, invoice.id).items():
        lines.append(PostingLine(account, -minor, item=invoice.id))
    lines += _money_to_credit(tx, invoice)
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
    return voided


def _money_to_credit(tx: Tx, invoice: Invoice) -> list[PostingLine]:
    lines: list[PostingLine] = []
    for standing in allocations.standing_of_item(tx, invoice.id):
        allocations.cancel(tx, standing, customers.today(tx, invoice.customer))
        items.empty(tx, invoice.id, standing.amount.minor)
        if standing.credit is not None:
            lots.give_back(tx, standing.credit, standing.amount.minor)
            lines.append(
                PostingLine(
                    LedgerAccount.CUSTOMER_CREDIT, -standing.amount.minor, credit=standing.credit
                )
            )
            continue
        lines.append(
            allocation.make_credit(
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
