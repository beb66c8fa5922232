"""Drafts: invoices that can still be changed, and that get their number when they are finalized.

Nobody owes a draft. It has no number, holds no money, is in no balance, and every verb that pays
refuses it. `finalize` makes it an invoice in one transaction: the number, the postings, the events
and the money that waits with its assignment key. If that transaction is rolled back, the draft is
as before, and the number of a series was not given. Finalizing again returns the invoice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from paygate.domain.invoice import Invoice, InvoiceStatus
from paygate.domain.text import identifier
from paygate.errors import AssignmentConflict, InvalidValue, InvoiceIsFinal, InvoiceIsVoid
from paygate.ledger import (
    customers,
    documents,
    invoice_texts,
    items,
    keys,
    letterheads,
    outbox,
)
from paygate.ledger.invoice_texts import Details
from paygate.service import allocation, assignment, finding, issue
from paygate.service.flow import Flow, look, repeatable, transact

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from paygate.domain.document import Document, Letterhead, StoredDocument
    from paygate.domain.invoice_lines import InvoiceText
    from paygate.domain.money import Money
    from paygate.domain.number_series import NumberSeries
    from paygate.ledger.tx import Tx
    from paygate.service.issue import Bill


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftChange:
    """What changes in a draft; None leaves a fact as it is."""

    total: Money | None = None
    due: date | None = None
    assignment_key: str | None = None
    text: InvoiceText | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finalizing:
    """How a draft becomes an invoice: with a number of the host's, or of a series."""

    number: str = ""
    series: NumberSeries | None = None
    due: date | None = None
    on: date | None = None
    documents: Sequence[Document] = ()


def draft(bill: Bill) -> Flow[Invoice]:
    """Make a draft once per key."""
    try:
        return (yield from repeatable(lambda tx: draft_in(tx, bill)))
    except AssignmentConflict as error:
        yield from issue.report(error)
        raise


def draft_in(tx: Tx, bill: Bill) -> Invoice:
    """Make a draft in this transaction."""
    id_ = tx.new_id("inv")
    issue.check(replace(bill, number=id_))
    customer = customers.save(tx, bill.customer)
    before = keys.take(tx, "draft", bill.key, issue.print_of(bill), id_)
    if before is not None:
        return finding.invoice(tx, before)
    if bill.assignment_key is not None:
        assignment.own_key(tx, bill.total.currency, bill.assignment_key, customer)
    items.insert(
        tx,
        id_=id_,
        number=id_,
        customer=customer,
        total=bill.total,
        due=bill.due,
        effective=customers.today(tx, customer),
        assignment_key=bill.assignment_key,
        draft=True,
    )
    invoice_texts.save(tx, id_, Details(bill.text, key=bill.key))
    documents.add(tx, id_, bill.documents)
    return _told(tx, "invoice.drafted", id_)


def change(which: Invoice | str, wanted: DraftChange) -> Flow[Invoice]:
    """Change a draft."""
    try:
        return (yield from transact(lambda tx: change_in(tx, which, wanted)))
    except AssignmentConflict as error:
        yield from issue.report(error)
        raise


def change_in(tx: Tx, which: Invoice | str, wanted: DraftChange) -> Invoice:
    """Change a draft in this transaction; if nothing differs, nothing is written."""
    finding.hold(tx, (which,))
    found = _draft(tx, which)
    details = invoice_texts.of_item(tx, found.id)
    text = details.text if wanted.text is None else wanted.text
    total = wanted.total or (text.total if wanted.text else found.total)
    if text:
        text.check_total(total)
    if total.currency != found.total.currency:
        raise InvalidValue(
            f"draft {found.id} is in {found.total.currency}; void it, and make one in "
            f"{total.currency}",
            argument="total",
        )
    due = wanted.due or found.due
    key = found.assignment_key if wanted.assignment_key is None else wanted.assignment_key
    if (total, due, key, text) == (found.total, found.due, found.assignment_key, details.text):
        return found
    if key is not None:
        assignment.own_key(tx, total.currency, key, found.customer)
    items.change_draft(tx, found.id, total=total, due=due, assignment_key=key)
    invoice_texts.save(tx, found.id, replace(details, text=text))
    return _told(tx, "invoice.draft_changed", found.id)


def finalize(which: Invoice | str, how: Finalizing) -> Flow[Invoice]:
    """Make a draft an invoice."""
    return (yield from repeatable(lambda tx: finalize_in(tx, which, how)))


def finalize_in(tx: Tx, which: Invoice | str, how: Finalizing) -> Invoice:
    """Make a draft an invoice in this transaction; repeating this returns the invoice."""
    finding.hold(tx, (which,))
    found = finding.invoice(tx, which)
    details = invoice_texts.of_item(tx, found.id)
    if found.status is not InvoiceStatus.DRAFT:
        return _finalized_before(found, details, how)
    on = how.on or customers.today(tx, found.customer)
    due = how.due or found.due
    number, place = identifier(how.number, "number") if how.series is None else "", None
    if how.series is not None:
        place = invoice_texts.next_place(tx, how.series, on)
        number = how.series.number(place.count, on)
    if items.by_number(tx, number) is not None:
        raise issue.number_taken(number)
    items.finalize(tx, found.id, number=number, due=due, effective=on)
    version = letterheads.newest_version(tx)
    invoice_texts.save(tx, found.id, replace(details, place=place, letterhead=version))
    documents.add(tx, found.id, how.documents)
    issued = _told(tx, "invoice.finalized", found.id)
    names = [each.name for each in documents.of_item(tx, found.id)]
    return issue.booked(tx, issued, on, names)


def _finalized_before(found: Invoice, details: Details, how: Finalizing) -> Invoice:
    """Return an invoice that was finalized in the same way; raise for any other."""
    if found.status is InvoiceStatus.VOID and details.place is None and found.number == found.id:
        raise InvoiceIsVoid(f"draft {found.id} was voided; make another one", item=found.id)
    wanted = None if how.series is None else how.series.name
    there = None if details.place is None else details.place.series
    same = found.number == how.number if how.series is None else wanted == there
    if same and how.due in (None, found.due):
        return found
    raise InvoiceIsFinal(
        f"invoice {found.number} was finalized already, with the due date {found.due}; "
        "it cannot get another number or date",
        item=found.number,
    )


def _draft(tx: Tx, which: Invoice | str) -> Invoice:
    found = finding.invoice(tx, which)
    if found.status is not InvoiceStatus.DRAFT:
        raise InvoiceIsFinal(
            f"invoice {found.number} is {found.status.value}, and no draft any more; void it and "
            "issue another one",
            item=found.number,
        )
    return found


def _told(tx: Tx, type_: str, id_: str) -> Invoice:
    invoice = finding.invoice(tx, id_)
    outbox.emit(tx, type_, id_, allocation.facts_of(invoice))
    return invoice


# --- What an invoice says ------------------------------------------------------------------------


def text_of(which: Invoice | str) -> Flow[InvoiceText]:
    """Return lines and tax of an invoice."""

    def work(tx: Tx) -> InvoiceText:
        return invoice_texts.of_item(tx, finding.invoice(tx, which).id).text

    return (yield from look(work))


def add_documents(which: Invoice | str, new: Sequence[Document]) -> Flow[list[StoredDocument]]:
    """Store more documents of an invoice, and return all; one that is there is left out."""

    def work(tx: Tx) -> list[StoredDocument]:
        finding.hold(tx, (which,))
        id_ = finding.invoice(tx, which).id
        documents.add(tx, id_, new)
        return documents.of_item(tx, id_)

    return (yield from repeatable(work))


def documents_of(which: Invoice | str) -> Flow[list[StoredDocument]]:
    """Return the documents of an invoice that the host gave."""
    return (yield from look(lambda tx: documents.of_item(tx, finding.invoice(tx, which).id)))


def set_letterhead(new: Letterhead) -> Flow[int]:
    """Store a new version of the letterhead, and return its number."""
    return (yield from repeatable(lambda tx: letterheads.save(tx, new)))


def letterhead() -> Flow[Letterhead | None]:
    """Return the newest version of the letterhead, or None."""

    def work(tx: Tx) -> Letterhead | None:
        return letterheads.by_version(tx, letterheads.newest_version(tx))

    return (yield from look(work))
