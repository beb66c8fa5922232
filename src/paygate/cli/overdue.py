"""Overdue: do a sweep, show how a customer stands, take a promise, and reinstate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from paygate.cli import options, show
from paygate.cli.opening import Where, with_gateways, with_ledger
from paygate.domain.episode import HOLDS

if TYPE_CHECKING:
    from paygate.domain.standing import OverdueRun, Standing

DateOption = Annotated[
    str | None, typer.Option("--date", metavar="DAY", help="The day of the sweep; default today.")
]


@with_gateways
def run(
    where: Where,
    date: DateOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would happen now.")
    ] = False,
) -> None:
    """Announce overdue invoices and take the next stages; a second sweep of a day does nothing."""
    with where.open() as cashier:
        done = cashier.run_overdue(date, dry_run=dry_run)
    _tell_run(where, done)


@with_ledger
def status(where: Where, date: DateOption = None) -> None:
    """Show the last sweep, or that of a day."""
    with where.open() as cashier:
        found = cashier.overdue_run(date)
    if found is not None:
        _tell_run(where, found)
    elif where.as_json:
        show.write_json({"overdue_run": None})
    else:
        show.console().print("There was no sweep over overdue invoices.")


@with_gateways
def standing(where: Where, customer: options.CustomerArgument) -> None:
    """Show what a customer owes late, what comes next, and why it waits."""
    with where.open() as cashier:
        _tell_standing(where, cashier.standing(customer))


@with_gateways
def promise(
    where: Where,
    customer: options.CustomerArgument,
    until: Annotated[
        str, typer.Option("--until", metavar="DAY", help="The last day on which they will pay.")
    ],
    currency: Annotated[
        str | None, typer.Option("--currency", help="If they owe several currencies.")
    ] = None,
) -> None:
    """Record that a customer promises to pay what is overdue by a day."""
    with where.open() as cashier:
        made = cashier.promise(customer, until=until, currency=currency)
    if where.as_json:
        show.write_json({"promise": made})
        return
    show.console().print(f"{made.customer} promises to pay until {made.until}.")


@with_gateways
def reinstate(
    where: Where, customer: options.CustomerArgument, reason: options.ReasonOption
) -> None:
    """Clear a customer whatever is overdue, even a terminated one."""
    with where.open() as cashier:
        _tell_standing(where, cashier.reinstate(customer, reason=reason))


def _tell_run(where: Where, run: OverdueRun) -> None:
    if where.as_json:
        show.write_json({"overdue_run": run})
        return
    console = show.console()
    if run.planned:
        table = show.table("Customer", "Currency", "Stage", "State")
        for each in run.planned:
            show.add(table, each.customer, each.currency, each.stage, show.words(each.state))
        console.print(table)
    console.print(f"Announced as overdue: {run.announced}")
    for stage, count in run.stages.items():
        console.print(f"Stage {stage}: {count}")
    for hold, count in run.held.items():
        console.print(f"Held: {count}, because {HOLDS[hold]}")
    if run.failed:
        console.print(f"Left for the next sweep because of an error: {run.failed}; see the log.")
    if run.dry_run:
        console.print("Nothing was changed: this is a dry run.")
    elif run.next_at is not None:
        console.print(f"It continues at {run.next_at:%Y-%m-%d %H:%M} UTC.")
    else:
        console.print(f"The sweep of {run.on} is finished.")


def _tell_standing(where: Where, found: Standing) -> None:
    if where.as_json:
        show.write_json({"standing": found})
        return
    console = show.console()
    since = "" if found.since is None else f" since {found.since:%Y-%m-%d}"
    console.print(f"{found.customer} is {show.words(found.state)}{since}.")
    for debt in found.debts:
        console.print(
            f"Overdue: {show.amount(debt.amount)} on {', '.join(debt.invoices)}, for {debt.days} "
            "days."
        )
        if debt.next_stage is not None:
            console.print(f"Next: {debt.next_stage} on {debt.next_on}.")
        for hold in debt.holds:
            console.print(f"It waits, because {HOLDS[hold]}.")
