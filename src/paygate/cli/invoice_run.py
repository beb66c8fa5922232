"""The invoice run: one invoice for each order of a file, or of the host's own function."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from paygate.cli import show
from paygate.cli.exits import FINDINGS
from paygate.cli.opening import Where, made_by_app, with_ledger, without_missing_ledger
from paygate.errors import InvalidValue
from paygate.printing import counted

if TYPE_CHECKING:
    from paygate.service.invoice_run import InvoiceRun, OrderRefusal, OrderSource


@with_ledger
def run(
    where: Where,
    file: Annotated[
        Path | None, typer.Argument(help="File of orders: CSV, JSON or JSON Lines.")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(metavar="MODULE:FUNCTION", help="Or your function that yields orders."),
    ] = None,
    series: Annotated[
        str | None,
        typer.Option(metavar="FORMAT", help="For orders without a number: 'INV-{year}-{n:05}'."),
    ] = None,
    group: Annotated[int, typer.Option(help="How many orders share a transaction.")] = 200,
    skip: Annotated[int, typer.Option(help="Pass over the first orders, which are done.")] = 0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be issued, but issue nothing.")
    ] = False,
    delimiter: Annotated[
        str, typer.Option("--delimiter", help="Column separator of CSV; 'tab' is a tab.")
    ] = ",",
    encoding: Annotated[str, typer.Option("--encoding", help="Of the file.")] = "utf-8",
) -> None:
    """Issue an invoice for each order of a file; run again, it issues nothing twice.

    An order has the fields order (its id), customer, currency, due, and total or lines. In CSV,
    rows in a row with the same order are its lines. Orders that are refused are listed with their
    line, and the exit status is 1.
    """
    orders = _orders(
        where, file, source, "\t" if delimiter in ("tab", "\\t") else delimiter, encoding
    )
    if dry_run:
        where = without_missing_ledger(where)
    progress = _Progress(quiet=where.as_json)
    with where.open(make=True) as cashier:
        done = cashier.invoice_run(
            orders,
            series=series,
            group=group,
            skip=skip,
            dry_run=dry_run,
            progress=progress.told,
            on_refusal=progress.refused,
        )
    progress.end()
    if where.as_json:
        show.write_json({"run": done})
    else:
        _write(done)
    if done.refused:
        raise typer.Exit(FINDINGS)


def _orders(
    where: Where, file: Path | None, source: str | None, delimiter: str, encoding: str
) -> OrderSource:
    from paygate.service.order_files import read_orders

    if (file is None) is (source is None):
        raise InvalidValue("name a file of orders, or your function with --source")
    if file is not None:
        if not file.is_file():
            raise InvalidValue(f"the file {file} cannot be read: it does not exist")
        return read_orders(file, delimiter=delimiter, encoding=encoding)
    return cast("OrderSource", made_by_app(where.ctx, str(source), option="--source"))


class _Progress:
    """Writes to the terminal how far a run is, and each refusal as soon as it is known."""

    def __init__(self, *, quiet: bool) -> None:
        self._console = show.console(stderr=True)
        self._live = self._console.is_terminal and not quiet
        self._quiet = quiet

    def told(self, report: InvoiceRun) -> None:
        """Show how many orders were read."""
        if self._live:
            text = f"{report.read:,} read, {report.issued:,} issued, {report.refused:,} refused"
            self._console.print(text, end="\r")

    def refused(self, refusal: OrderRefusal) -> None:
        """Show an order that was refused."""
        if not self._quiet:
            named = f"{refusal.source}, order {refusal.order}" if refusal.order else refusal.source
            show.say(f"{named}: {refusal.reason}", stderr=True)

    def end(self) -> None:
        """Leave the line of the progress."""
        if self._live:
            self._console.print()


def _write(done: InvoiceRun) -> None:
    console = show.console()
    table = show.table("Currency", ">Total")
    for currency, total in done.totals.items():
        show.add(table, currency, total)
    if table.row_count:
        console.print(table)
        console.print()
    what = "would be issued" if done.dry_run else "issued"
    console.print(
        f"{counted(done.read, 'order')} read: {done.issued:,} {what}, {done.known:,} were there "
        f"already, {done.refused:,} refused"
    )
