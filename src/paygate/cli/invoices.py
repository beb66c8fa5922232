"""Invoices: import a file of them, list them, show one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from paygate.cli import facts, options, pages, show
from paygate.cli.exits import Spelled
from paygate.cli.opening import Where, read_amount, with_ledger, without_missing_ledger
from paygate.domain.money import Money
from paygate.errors import ImportRejected, InvalidValue
from paygate.printing import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from paygate.cashier.sync import Cashier
    from paygate.domain.invoice import Invoice
    from paygate.domain.words import InvoiceStatusWord


@with_ledger
def import_(
    where: Where,
    file: Annotated[str, typer.Argument(help="CSV file; - reads standard input.")],
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Import the valid rows even if others are invalid.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be imported, but import nothing.")
    ] = False,
    delimiter: Annotated[
        str, typer.Option("--delimiter", help="Column separator; 'tab' is a tab.")
    ] = ",",
    encoding: Annotated[
        str, typer.Option("--encoding", help="Of the file, such as latin-1 or utf-16.")
    ] = "utf-8",
    decimal: Annotated[
        str, typer.Option("--decimal", help="Decimal separator: a point or a comma.")
    ] = ".",
) -> None:
    """Issue the invoices of a CSV file: number, customer, currency, total, due.

    It may also have a column assignment_key, the key of the prepayments that pay the invoice, and
    columns with facts of the customer: name, email, phone, line1, line2, city, region, postal_code,
    country.
    """
    content = _read(file)
    if dry_run:
        where = without_missing_ledger(where)
    with where.open(make=True) as cashier:
        try:
            done = cashier.import_invoices(
                content,
                skip_bad=skip_bad,
                dry_run=dry_run,
                delimiter="\t" if delimiter in ("tab", "\\t") else delimiter,
                encoding=encoding,
                decimal=decimal,
            )
        except ImportRejected as rejected:
            if not where.as_json:
                _print_problems(where, rejected.problems)
            raise
    if where.as_json:
        show.write_json(
            {
                "imported": {
                    "issued": [one.number for one in done.issued],
                    "would_issue": [bill.number for bill in done.would_issue],
                    "known": [one.number for one in done.known],
                    "problems": done.problems,
                }
            }
        )
        return
    console = show.console()
    new = [bill.total for bill in done.would_issue] or [one.total for one in done.issued]
    table = show.table("Currency", ">Invoices", ">Total")
    for currency, totals in _by_currency(new):
        show.add(table, currency, len(totals), Money.sum(currency, totals))
    if new:
        console.print(table)
        console.print()
    what = "would be issued" if dry_run else "issued"
    console.print(f"{len(new)} {what}, {len(done.known)} were there already", end="")
    console.print(f", {counted(len(done.problems), 'row')} left out" if done.problems else "")
    _print_problems(where, [(problem.line, problem.reason) for problem in done.problems])


@with_ledger
def issue(
    where: Where,
    number: Annotated[str, typer.Argument(help="Its number.")],
    customer: Annotated[str, typer.Option(help="Id of the customer.")],
    total: Annotated[str, typer.Option(metavar="AMOUNT", help="Such as '30.00 USD'.")],
    due: Annotated[str, typer.Option(metavar="DATE", help="Due date.")],
    on: Annotated[str | None, typer.Option(metavar="DATE", help="Date of issue.")] = None,
    assignment_key: Annotated[
        str | None, typer.Option(help="The key of the prepayments that pay it.")
    ] = None,
    create: Annotated[
        bool, typer.Option("--create", help="Create the ledger if it does not exist.")
    ] = False,
) -> None:
    """Issue an invoice, once per number."""
    with where.open(make=create) as cashier:
        money = read_amount(cashier, total)
        made = cashier.issue(
            number=number,
            customer=customer,
            total=money,
            due=due,
            on=on,
            assignment_key=assignment_key,
        )
    tell(made, where)


@with_ledger
def void(
    where: Where,
    number: Annotated[str, typer.Argument(help="Number or id of the invoice.")],
    reason: options.ReasonOption,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask before its money becomes credit.")
    ] = False,
) -> None:
    """Void an invoice that should not have been issued; money on it becomes credit."""
    with where.open() as cashier:
        found = cashier.invoice(number)
        if found.allocated and not yes:
            paid = show.amount(found.allocated)
            text = f"{paid} is paid on {found.number}, and becomes credit. Void it?"
            typer.confirm(text, abort=True, err=True)
        made = cashier.void(found, reason=reason)
    tell(made, where)


@with_ledger
def list_(
    where: Where,
    customer: options.CustomerOption = None,
    status: Annotated[
        str | None, typer.Option("--status", help="Only those with this status, such as paid.")
    ] = None,
    only_open: Annotated[
        bool,
        typer.Option("--open", help="Only those with an open amount, the oldest due date first."),
    ] = False,
    due_since: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="Of the open ones, those due on this day or later."),
    ] = None,
    due_until: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="Of the open ones, those due before this day."),
    ] = None,
    since: pages.SinceOption = None,
    until: pages.UntilOption = None,
    oldest_first: pages.OldestFirstOption = False,
    after: Annotated[str, typer.Option(help="Continue after the invoice with this id.")] = "",
    limit: options.LimitOption = 100,
) -> None:
    """List invoices, the last issued first, a page at a time."""
    owed = only_open or due_since is not None or due_until is not None
    if owed and (status or since or until):
        raise InvalidValue(
            "open invoices are listed by due date: leave out --status, --since and --until"
        )
    with where.open() as cashier:

        def list_invoices(behind: str, most: int) -> list[Invoice]:
            if owed:
                return cashier.open_invoices(
                    customer, due_since=due_since, due_until=due_until, after=behind, limit=most
                )
            return cashier.invoices(
                customer=customer,
                status=cast("InvoiceStatusWord | None", status),
                since=since,
                until=until,
                oldest_first=oldest_first,
                after=behind,
                limit=most,
            )

        page, following = pages.read(list_invoices, after, limit)
    if where.as_json:
        show.write_json({"invoices": [facts.invoice(one) for one in page], "next": following})
        return
    console = show.console()
    table = show.table("Invoice", "Customer", "Status", "Due", ">Total", ">Open")
    for one in page:
        show.add(
            table, one.number, one.customer, show.words(one.status), one.due, one.total, one.open
        )
    console.print(table)
    pages.tell_more(following)


@with_ledger
def show_(
    where: Where,
    number: Annotated[str, typer.Argument(help="Number or id of the invoice.")],
) -> None:
    """Show an invoice: lines and tax, what was put on it and taken off again, and write-offs."""
    with where.open() as cashier:
        found = cashier.invoice(number)
        allocations = cashier.allocations(found)
        given_up = cashier.write_offs(found)
        text = cashier.invoice_text(found)
    if where.as_json:
        made = {"invoice": facts.invoice(found), "lines": text.lines, "tax": text.tax}
        show.write_json({**made, "allocations": allocations, "write_offs": given_up})
        return
    console = show.console()
    write_invoice(found)
    if text:
        table = show.table("Line", ">Quantity", ">Unit price", ">Amount")
        for line in text.lines:
            price = "" if line.unit_price is None else f"{line.unit_price:f}"
            show.add(table, line.description, f"{line.quantity:f} {line.unit}", price, line.amount)
        for tax in text.tax:
            show.add(table, f"{tax.name} {tax.rate:f} %", "", "", tax.amount)
        console.print()
        console.print(table)
    if allocations:
        table = show.table("When", "From", ">Amount")
        for one in allocations:
            source = one.payment or one.credit or ""
            show.add(table, one.booked_at.date(), source, one.amount)
        console.print()
        console.print(table)
    if given_up:
        table = show.table("Write-off", "Reason", "Undone", ">Amount")
        for each in given_up:
            show.add(table, each.id, each.reason, "yes" if each.undone else "no", each.amount)
        console.print()
        console.print(table)


def tell(made: Invoice, where: Where) -> None:
    """Write an invoice that was changed."""
    if where.as_json:
        show.write_json({"invoice": facts.invoice(made)})
    else:
        write_invoice(made)


def write_invoice(of: Invoice) -> None:
    """Print the facts of an invoice."""
    show.write_sheet(
        {
            "Invoice": of.number,
            "Customer": of.customer,
            "Status": show.words(of.status),
            "Due": of.due,
            "Assignment key": of.assignment_key,
            "Total": of.total,
            "Open": of.open,
            "Held": of.claimed or None,
            "Held by": ", ".join(of.claimed_by) or None,
            "Became credit": of.credited or None,
            "Written off": of.written_off or None,
            "Fee of reversal": of.reversal,
        }
    )


def each_invoice(cashier: Cashier) -> Iterator[Invoice]:
    """Yield all invoices, a page at a time, the oldest first."""
    after = ""
    while page := cashier.invoices(oldest_first=True, after=after, limit=1_000):
        yield from page
        after = page[-1].id


def _read(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise InvalidValue(f"the file {file} cannot be read: {error.strerror}") from None


def _print_problems(where: Where, problems: Iterable[tuple[int, str]]) -> None:
    spelled = Spelled(where.ctx.command)
    table = show.table(">Line", "Problem")
    for line, reason in problems:
        show.add(table, line, spelled(reason))
    if table.row_count:
        out = show.console(stderr=True)
        out.print(table)
        out.print()


def _by_currency(amounts: Iterable[Money]) -> list[tuple[str, list[Money]]]:
    found: dict[str, list[Money]] = {}
    for one in amounts:
        found.setdefault(one.currency, []).append(one)
    return sorted(found.items())
