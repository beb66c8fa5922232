"""Invoices: issue, import, void and read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.cashier import arguments
from paygate.cashier.base import OnLedger
from paygate.cashier.verbs import verb
from paygate.domain.invoice import InvoiceStatus
from paygate.domain.text import note
from paygate.service.flow import look

if TYPE_CHECKING:
    from datetime import date

    from paygate.domain.customer import Customer
    from paygate.domain.invoice import Invoice
    from paygate.domain.money import Money
    from paygate.domain.words import InvoiceStatusWord
    from paygate.ledger.tx import Tx
    from paygate.service.flow import Flow
    from paygate.service.import_invoices import Imported


class Invoices(OnLedger):
    """Verbs about invoices."""

    @verb
    def issue(
        self,
        *,
        number: str,
        customer: Customer | str,
        total: Money,
        due: date | str,
        on: date | str | None = None,
    ) -> Flow[Invoice]:
        """
        Issue an invoice, once per number.

        The same facts again return the invoice that is there. Dates are `date`
        objects or ISO 8601 text. Raises `NumberReused` for other facts under the
        same number, `InvalidAmount` for a total that is not more than zero.
        """
        from paygate.service import issue

        bill = issue.Bill(
            number=arguments.number(number, "number"),
            customer=arguments.customer(customer, "customer"),
            total=arguments.money(total, "total"),
            due=arguments.day(due, "due"),
            on=arguments.maybe(arguments.day, on, "on"),
        )
        return (yield from issue.issue(bill))

    @verb
    def import_invoices(
        self,
        csv: bytes | str,
        *,
        skip_bad: bool = False,
        dry_run: bool = False,
        delimiter: str = ",",
        encoding: str = "utf-8",
        decimal: str = ".",
    ) -> Flow[Imported]:
        """
        Issue the invoices of a CSV file, all in one transaction; run twice, it issues once.

        The first line names the columns: number, customer, currency, total, due and,
        if wanted, name, email, phone of the customer and the parts of an `Address`. *delimiter*
        separates columns, *decimal* (a point or a comma) marks decimals, and *encoding* is that
        of bytes; none of them is guessed. Raises `ImportRejected` with every
        bad row by its line, and then nothing was issued; with *skip_bad* the good
        rows are, and the bad ones are told in the result. With *dry_run* nothing is written:
        `Imported.would_issue` has what would be, and the same errors are raised.
        """
        from paygate.service import import_invoices

        sheet = import_invoices.read_sheet(
            arguments.content(csv, "csv"),
            delimiter=arguments.delimiter(delimiter, "delimiter"),
            encoding=arguments.encoding(encoding, "encoding"),
            decimal=arguments.decimal_mark(decimal, "decimal"),
        )
        skips = arguments.flag(skip_bad, "skip_bad")
        rehearsal = arguments.flag(dry_run, "dry_run")
        return (yield from import_invoices.import_sheet(sheet, skip_bad=skips, dry_run=rehearsal))

    @verb
    def void(self, invoice: Invoice | str, *, reason: str) -> Flow[Invoice]:
        """
        Void an invoice that should not have been issued.

        Money that was on it becomes credit of the customer; `Invoice.credited` says how
        much that was. Raises
        `ItemAlreadyBeingPaid` while a payment that may still succeed holds it.
        """
        from paygate.service import issue

        which = arguments.invoice(invoice, "invoice")
        return (yield from issue.void(which, reason=note(reason, "reason")))

    @verb
    def invoice(self, number: str) -> Flow[Invoice]:
        """Read an invoice by number (or id), or raise `InvoiceNotFound`."""
        from paygate.service import finding

        which = arguments.named(number, "number")
        return (yield from look(lambda tx: finding.invoice(tx, which)))

    @verb
    def invoices(
        self,
        *,
        customer: Customer | str | None = None,
        status: InvoiceStatus | InvoiceStatusWord | None = None,
        since: date | str | None = None,
        until: date | str | None = None,
        oldest_first: bool = False,
        after: Invoice | str = "",
        limit: int = 100,
    ) -> Flow[list[Invoice]]:
        """
        List invoices by when they were issued, the newest first, a page at a time.

        *status* is an `InvoiceStatus` or its text, such as ``"paid"``. The dates, the order and
        the pages are those of `payments`. What is to be paid until when is listed by
        `open_invoices`.
        """
        from paygate.ledger import items

        who = arguments.maybe(arguments.customer_id, customer, "customer")
        standing = arguments.member(InvoiceStatus, status, "status")
        page = self._page(
            arguments.invoice_id(after, "after"),
            limit,
            oldest_first=oldest_first,
            since=since,
            until=until,
        )

        def work(tx: Tx) -> list[Invoice]:
            return items.page(tx, page, customer=who, standing=standing)

        return (yield from look(work))

    @verb
    def open_invoices(
        self,
        customer: Customer | str | None = None,
        *,
        due_since: date | str | None = None,
        due_until: date | str | None = None,
        after: Invoice | str = "",
        limit: int = 100,
    ) -> Flow[list[Invoice]]:
        """
        List what is owed, by *customer* or by all of them: the oldest due date first.

        *due_since* is the first due date that counts and *due_until* the first that does not,
        so ``due_until=today`` lists what is overdue. A page at a time, as `payments`.
        """
        from paygate.ledger import items

        who = arguments.maybe(arguments.customer_id, customer, "customer")
        page = arguments.page_by_due(
            after=arguments.invoice_id(after, "after"),
            limit=limit,
            since=due_since,
            until=due_until,
        )
        return (yield from look(lambda tx: items.owed_page(tx, page, customer=who)))
