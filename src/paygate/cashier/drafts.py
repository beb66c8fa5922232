"""Drafts of invoices, their documents, and the letterhead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.cashier import arguments
from paygate.cashier.base import OnLedger
from paygate.cashier.verbs import verb

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from paygate.domain.customer import Customer
    from paygate.domain.document import Document, Letterhead, StoredDocument
    from paygate.domain.invoice import Invoice
    from paygate.domain.invoice_lines import InvoiceLine, InvoiceText, Rounding, TaxLine
    from paygate.domain.money import Money
    from paygate.domain.number_series import NumberSeries
    from paygate.domain.words import RoundingWord
    from paygate.service.flow import Flow


class Drafts(OnLedger):
    """Verbs about drafts and documents of invoices."""

    @verb
    def draft(
        self,
        *,
        customer: Customer | str,
        due: date | str,
        key: str,
        total: Money | None = None,
        assignment_key: str | None = None,
        lines: Sequence[InvoiceLine] = (),
        tax: Sequence[TaxLine] = (),
        rounding: Rounding | RoundingWord = "half_up",
        document: Document | Sequence[Document] = (),
    ) -> Flow[Invoice]:
        """
        Make a draft of an invoice: nobody owes it, and it can be changed until `finalize`.

        It has no number; its id stands for it. *lines*, *tax* and *total* are those of `issue`.
        *key* makes it safe to call again. `void` ends a draft that is not needed.
        """
        from paygate.service import drafts, issue

        text = arguments.invoice_text(lines, tax, rounding)
        bill = issue.Bill(
            customer=arguments.customer(customer, "customer"),
            due=arguments.day(due, "due"),
            assignment_key=arguments.assignment_key(assignment_key),
            text=text,
            key=arguments.key(key),
            documents=arguments.documents(document, "document"),
            total=arguments.total(total, text),
        )
        return (yield from drafts.draft(bill))

    @verb
    def change_draft(
        self,
        invoice: Invoice | str,
        *,
        total: Money | None = None,
        due: date | str | None = None,
        assignment_key: str | None = None,
        lines: Sequence[InvoiceLine] | None = None,
        tax: Sequence[TaxLine] = (),
        rounding: Rounding | RoundingWord = "half_up",
    ) -> Flow[Invoice]:
        """
        Change a draft; what is left out stays as it is, except that *tax* belongs to *lines*.

        Raises `InvoiceIsFinal` if it was finalized or voided, and `InvoiceDoesNotAddUp` as
        `issue` does.
        """
        from paygate.service import drafts

        text = arguments.invoice_text(() if lines is None else lines, tax, rounding)
        wanted = drafts.DraftChange(
            total=arguments.maybe(arguments.money, total, "total"),
            due=arguments.maybe(arguments.day, due, "due"),
            assignment_key=arguments.assignment_key(assignment_key),
            text=None if lines is None else text,
        )
        which = arguments.invoice(invoice, "invoice")
        return (yield from drafts.change(which, wanted))

    @verb
    def finalize(
        self,
        invoice: Invoice | str,
        *,
        number: str | None = None,
        series: NumberSeries | str | None = None,
        due: date | str | None = None,
        on: date | str | None = None,
        document: Document | Sequence[Document] = (),
    ) -> Flow[Invoice]:
        """
        Issue a draft: it gets its number, and is owed from then on.

        Pass a *number* of yours, or a *series*, which gives the next number without a gap. *on* is
        the date of issue, by default today in the customer's zone. Calling it again returns the
        invoice; `InvoiceIsFinal` is raised if it has another number or due date by then, and
        `NumberReused` if another invoice has the number.
        """
        from paygate.service import drafts

        numbered = arguments.numbered(number, series)
        how = drafts.Finalizing(
            number="" if number is None else arguments.number(number, "number"),
            series=numbered,
            due=arguments.maybe(arguments.day, due, "due"),
            on=arguments.maybe(arguments.day, on, "on"),
            documents=arguments.documents(document, "document"),
        )
        return (yield from drafts.finalize(arguments.invoice(invoice, "invoice"), how))

    @verb
    def invoice_text(self, invoice: Invoice | str) -> Flow[InvoiceText]:
        """Return the lines and the tax of an invoice; both are empty if it has only a total."""
        from paygate.service import drafts

        return (yield from drafts.text_of(arguments.invoice(invoice, "invoice")))

    @verb
    def attach_documents(
        self, invoice: Invoice | str, document: Document | Sequence[Document]
    ) -> Flow[list[StoredDocument]]:
        """
        Add documents of yours to an invoice or a draft, and return all that it has.

        A document that it has already is left out. Notices about the issue of an invoice carry
        the documents that it has when they are sent.
        """
        from paygate.service import drafts

        new = arguments.documents(document, "document")
        return (yield from drafts.add_documents(arguments.invoice(invoice, "invoice"), new))

    @verb
    def invoice_document(
        self, invoice: Invoice | str, *, media: str = "pdf", pay_url: str = ""
    ) -> Flow[Document]:
        """
        Draw the document of an invoice, as ``"pdf"`` or ``"html"``, from what the ledger has.

        It has the letterhead with which it was issued, and its current open amount. *pay_url*, such
        as `PaymentLink.address`, becomes a code to scan; without it, an invoice in EUR has the code
        of a transfer if the letterhead has an IBAN. Raises `InvalidValue` if there is no
        letterhead, or if the PDF cannot show a character; the HTML shows all of them.
        """
        from paygate.service import invoice_documents

        which = arguments.invoice(invoice, "invoice")
        wanted = arguments.one_of(tuple(invoice_documents.MEDIA), media, "media")
        url = arguments.web_address(pay_url, "pay_url")
        return (yield from invoice_documents.draw(which, wanted, url))

    @verb
    def documents(self, invoice: Invoice | str) -> Flow[list[StoredDocument]]:
        """List the documents of yours that an invoice has, in the order in which you gave them."""
        from paygate.service import drafts

        return (yield from drafts.documents_of(arguments.invoice(invoice, "invoice")))

    @verb
    def document(self, invoice: Invoice | str, name: str) -> Flow[Document]:
        """Return a document of yours, by its name or digest; raises `RecordNotFound`."""
        from paygate.service import invoice_documents

        which = arguments.invoice(invoice, "invoice")
        return (yield from invoice_documents.own(which, arguments.named(name, "name")))

    @verb
    def set_letterhead(self, letterhead: Letterhead) -> Flow[int]:
        """
        Store who issues invoices, for the documents that paygate draws; return the version.

        An invoice keeps the version with which it was issued, so its document stays as it was.
        """
        from paygate.service import drafts

        return (yield from drafts.set_letterhead(arguments.letterhead(letterhead, "letterhead")))

    @verb
    def letterhead(self) -> Flow[Letterhead | None]:
        """Return the newest letterhead, or None if none was stored."""
        from paygate.service import drafts

        return (yield from drafts.letterhead())
