"""Documents of an invoice: the host's own, and the one that is drawn from the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from paygate.domain.document import Document, Letterhead
from paygate.domain.invoice import Invoice, InvoiceStatus
from paygate.errors import InvalidValue, RecordNotFound
from paygate.ledger import customers, documents, invoice_texts, items, letterheads
from paygate.printing import shown
from paygate.service import finding
from paygate.service.flow import Flow, look

if TYPE_CHECKING:
    from datetime import date

    from paygate.domain.customer import Customer
    from paygate.domain.event import Event
    from paygate.domain.invoice_lines import InvoiceText
    from paygate.ledger.tx import Tx

MEDIA: Final = {"pdf": "application/pdf", "html": "text/html"}
"""The media that are drawn, and their types."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToDraw:
    """What the document of an invoice is drawn from."""

    invoice: Invoice
    text: InvoiceText
    letterhead: Letterhead
    customer: Customer | None
    issued: date


def draw(which: Invoice | str, media: str, pay_url: str) -> Flow[Document]:
    """Return the document of an invoice, drawn with the letterhead of its issue."""
    found = yield from look(lambda tx: _to_draw(tx, finding.invoice(tx, which)))
    if found is None:
        raise InvalidValue(
            "a document needs to know who issues it: store a Letterhead with set_letterhead",
            argument="invoice",
        )
    return drawn(found, media, pay_url)


def _to_draw(tx: Tx, invoice: Invoice) -> ToDraw | None:
    details = invoice_texts.of_item(tx, invoice.id)
    version = details.letterhead
    letterhead = letterheads.by_version(
        tx, letterheads.newest_version(tx) if version is None else version
    )
    if letterhead is None:
        return None
    return ToDraw(
        invoice=invoice,
        text=details.text,
        letterhead=letterhead,
        customer=customers.find(tx, invoice.customer),
        issued=items.issued_on(tx, invoice.id),
    )


def drawn(of: ToDraw, media: str, pay_url: str = "") -> Document:
    """Return the document of an invoice; this takes the processor, and reads nothing."""
    from paygate.documents import sheet_of, to_html, to_pdf

    sheet = sheet_of(
        of.invoice, of.text, of.letterhead, of.customer, issued=of.issued, pay_url=pay_url
    )
    content = to_pdf(sheet) if media == "pdf" else to_html(sheet)
    name = "".join(each if each.isalnum() or each in "-_." else "-" for each in of.invoice.number)
    return Document(content=content, media_type=MEDIA[media], name=f"{name}.{media}")


def own(which: Invoice | str, name: str) -> Flow[Document]:
    """Return a document that the host gave, by its name or digest, or raise `RecordNotFound`."""

    def work(tx: Tx) -> Document:
        invoice = finding.invoice(tx, which)
        for each in documents.of_item(tx, invoice.id):
            if name in (each.name, each.digest):
                return documents.whole(tx, each)
        raise RecordNotFound(
            f"invoice {invoice.number} has no document {shown(name)}", argument="name"
        )

    return (yield from look(work))


def of_event(tx: Tx, event: Event) -> tuple[Document, ...]:
    """
    Return the documents that go with a notice of the issue of an invoice.

    They are the host's own; without any, the PDF that is drawn, if there is a letterhead.
    """
    if event.type != "invoice.generated":
        return ()
    stored = documents.of_item(tx, event.aggregate)
    if stored:
        return tuple(documents.whole(tx, each) for each in stored)
    invoice = items.by_id(tx, event.aggregate)
    if not isinstance(invoice, Invoice) or invoice.status is InvoiceStatus.VOID:
        return ()
    found = _to_draw(tx, invoice)
    if found is None:
        return ()
    try:
        return (drawn(found, "pdf"),)
    except InvalidValue:  # a script that the PDF cannot show; a browser can
        return (drawn(found, "html"),)
