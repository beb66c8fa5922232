"""Invoices: issue, import, void and read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paygate.cashier import arguments
from paygate.cashier.base import OnLedger
from paygate.cashier.verbs import verb
from paygate.domain.text import note
from paygate.service.flow import look

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import date

    from paygate.domain.customer import Customer
    from paygate.domain.document import Document
    from paygate.domain.invoice import Invoice, InvoiceStatus
    from paygate.domain.invoice_lines import InvoiceLine, Rounding, TaxLine
    from paygate.domain.money import Money
    from paygate.domain.number_series import NumberSeries
    from paygate.domain.words import InvoiceStatusWord, RoundingWord
    from paygate.ledger.tx import Tx
    from paygate.service.flow import Flow
    from paygate.service.import_invoices import Imported
    from paygate.service.invoice_run import InvoiceRun, OrderRefusal
    from paygate.service.order_files import SourcedOrder
    from paygate.service.orders import InvoiceOrder


class Invoices(OnLedger):
    """Verbs about invoices."""

    @verb
    def issue(
        self,
        *,
        customer: Customer | str,
        due: date | str,
        number: str | None = None,
        total: Money | None = None,
        on: date | str | None = None,
        assignment_key: str | None = None,
        lines: Sequence[InvoiceLine] = (),
        tax: Sequence[TaxLine] = (),
        rounding: Rounding | RoundingWord = "half_up",
        document: Document | Sequence[Document] = (),
        series: NumberSeries | str | None = None,
        key: str = "",
    ) -> Flow[Invoice]:
        """
        Issue an invoice, once per number.

        The same facts again return the existing invoice. Dates are `date`
        objects or ISO 8601 text. With an *assignment_key* the invoice takes the money of
        prepayments with that key, and replaces them: see `prepay`. Raises `NumberReused` for
        different facts under the same number, `InvalidAmount` for a total that is not more than
        zero, and `AssignmentConflict` for the key of another customer.

        With *lines* and *tax* the total can be left out; they must add up to the minor unit, with
        each product rounded by *rounding*, or `InvoiceDoesNotAddUp` is raised. A *document* is a
        file of yours that goes to the customer. Instead of a number, a *series* gives the next one
        without a gap; *key* then makes it safe to call again.
        """
        from paygate.service import issue

        text = arguments.invoice_text(lines, tax, rounding)
        numbered = arguments.numbered(number, series)
        bill = issue.Bill(
            number="" if number is None else arguments.number(number, "number"),
            customer=arguments.customer(customer, "customer"),
            due=arguments.day(due, "due"),
            on=arguments.maybe(arguments.day, on, "on"),
            assignment_key=arguments.assignment_key(assignment_key),
            text=text,
            series=numbered,
            key=arguments.key_of_series(key, numbered),
            documents=arguments.documents(document, "document"),
            total=arguments.total(total, text),
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
        Issue the invoices of a CSV file, all in one transaction; run twice, it issues them once.

        The first line names the columns: number, customer, currency, total, due and,
        optionally, assignment_key, name, email and phone of the customer and the parts of a
        `PostalAddress`. A row with an assignment key takes the money of its prepayments.
        *delimiter* separates columns, *decimal* (a point or a comma) is the decimal separator, and
        *encoding* is that of bytes; none of them is guessed. Raises `ImportRejected` with every
        invalid row by its line, and issues nothing; with *skip_bad* the valid rows are issued, and
        the result lists the invalid ones. With *dry_run* nothing is written:
        `Imported.would_issue` lists what would be issued, and the same errors are raised.
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
    def invoice_run(
        self,
        source: Iterable[InvoiceOrder | Mapping[str, Any] | SourcedOrder],
        *,
        series: NumberSeries | str | None = None,
        group: int = 200,
        skip: int = 0,
        dry_run: bool = False,
        progress: Callable[[InvoiceRun], object] | None = None,
        on_refusal: Callable[[OrderRefusal], object] | None = None,
    ) -> Flow[InvoiceRun]:
        """
        Issue one invoice for each order of *source*, and let it take the money of its key.

        An order is an `InvoiceOrder`, a mapping with its fields, or one of a file (`read_orders`).
        Its id makes it safe to read again: an order that has its invoice changes nothing, and one
        with other facts is refused. Orders without a number get the next one of *series*. *group*
        orders share a transaction; one that is refused is left out, and the report lists it with
        its place in the source. *progress* is called after each group, and *on_refusal* with each
        refusal, as the report lists a thousand.

        If *source* raises, what was read before is done, and `OrderSourceFailed` says where to go
        on: run it again from the beginning, or pass over the first *skip* orders. With *dry_run*
        nothing is written, and the report is that of a run. Memory does not grow with the source.
        `AsyncCashier` reads the source in the event loop, so it must not block for long.
        """
        from paygate.service import invoice_run

        wanted = invoice_run.RunOrder(
            source=arguments.order_source(source, "source"),
            series=None if series is None else arguments.numbered(None, series),
            group=arguments.whole(group, "group", high=10_000),
            skip=arguments.whole(skip, "skip", low=0),
            dry_run=arguments.flag(dry_run, "dry_run"),
            progress=arguments.maybe(arguments.told, progress, "progress"),
            on_refusal=arguments.maybe(arguments.told, on_refusal, "on_refusal"),
        )
        return (yield from invoice_run.run(wanted))

    @verb
    def void(self, invoice: Invoice | str, *, reason: str) -> Flow[Invoice]:
        """
        Void an invoice that should not have been issued, or a draft that is not needed.

        Money that was allocated to it becomes credit of the customer; `Invoice.credited` says how
        much that was. Money that came from a prepayment returns to it, for the next invoice with
        its key. Raises `ItemAlreadyBeingPaid` while a payment that may still succeed holds
        the invoice.
        """
        from paygate.service import issue

        which = arguments.invoice(invoice, "invoice")
        return (yield from issue.void(which, reason=note(reason, "reason")))

    @verb
    def invoice(self, number: str) -> Flow[Invoice]:
        """Return an invoice by number (or id), or raise `InvoiceNotFound`."""
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
        List invoices by date of issue, the newest first, a page at a time.

        *status* is an `InvoiceStatus` or its text, such as ``"paid"``. The dates, the order and
        the pages are those of `payments`. Use `open_invoices` to list what is due by when.
        """
        from paygate.domain.invoice import InvoiceStatus
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
        List the open invoices of *customer*, or of all customers, the oldest due date first.

        *due_since* is the first due date of the period and *due_until* the first one after it,
        so ``due_until=today`` lists what is overdue. A page at a time, as in `payments`.
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
