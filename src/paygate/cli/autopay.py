"""Automatic payment: do a run, show it, and start, pause, resume or end it for a customer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from paygate.cli import invoices, options, show
from paygate.cli.methods import MethodArgument
from paygate.cli.opening import Where, read_amount, with_gateways, with_ledger
from paygate.domain.autopay import REASONS
from paygate.domain.mandate import Mandate, MandateChannel, MandateScope
from paygate.errors import InvalidValue

if TYPE_CHECKING:
    from paygate.domain.autopay_run import AutopayRun
    from paygate.domain.subscription import Subscription

DateOption = Annotated[
    str | None, typer.Option("--date", metavar="DAY", help="The day of the run; default today.")
]


@with_gateways
def run(
    where: Where,
    date: DateOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be charged now.")
    ] = False,
) -> None:
    """Charge what is due of subscribed customers; a second run of a day does nothing."""
    with where.open() as cashier:
        done = cashier.run_autopay(date, dry_run=dry_run)
    _tell_run(where, done)


@with_ledger
def status(
    where: Where,
    customer: Annotated[
        str | None, typer.Argument(help="Id of a customer; without it, the last run is shown.")
    ] = None,
    date: DateOption = None,
) -> None:
    """Show whether a customer's invoices are charged automatically, or a run."""
    with where.open() as cashier:
        if customer is None:
            found = cashier.autopay_run(date)
        else:
            _tell_subscription(where, cashier.subscription(customer))
            return
    if where.as_json or found is None:
        if where.as_json:
            show.write_json({"autopay_run": found})
        else:
            show.console().print("There was no run of automatic payment.")
        return
    _tell_run(where, found)


@with_ledger
def start(
    where: Where,
    method: MethodArgument,
    text_version: Annotated[
        str, typer.Option("--text-version", help="Version of the text that the payer accepted.")
    ],
    channel: Annotated[
        str, typer.Option("--channel", help="How the payer agreed: web, phone, paper, imported.")
    ],
    reference: Annotated[
        str, typer.Option("--reference", help="Where the evidence is, such as a file number.")
    ] = "",
    pending: Annotated[
        bool, typer.Option("--pending", help="The payer agreed to what is open now as well.")
    ] = False,
    ceiling: Annotated[
        str | None,
        typer.Option("--ceiling", metavar="AMOUNT", help="Nothing above it, such as 500 USD."),
    ] = None,
) -> None:
    """Record that a payer agreed to charges of a stored method, with the evidence."""
    if channel not in tuple(MandateChannel):
        raise InvalidValue(
            f"--channel is one of {', '.join(MandateChannel)}, not {channel!r:.80}",
            argument="channel",
        )
    with where.open() as cashier:
        mandate = Mandate(
            text_version=text_version,
            accepted_at=cashier.now(),
            scope=MandateScope.FUTURE_AND_PENDING if pending else MandateScope.FUTURE,
            reference=reference,
            channel=MandateChannel(channel),
            ceiling=None if ceiling is None else read_amount(cashier, ceiling, ()),
        )
        made = cashier.start_autopay(method, mandate=mandate)
    _tell_subscription(where, made)


@with_ledger
def end(where: Where, customer: options.CustomerArgument, reason: options.ReasonOption) -> None:
    """End a customer's automatic payment; the methods stay stored."""
    with where.open() as cashier:
        _tell_subscription(where, cashier.end_autopay(customer, reason=reason))


@with_ledger
def pause(where: Where, customer: options.CustomerArgument, reason: options.ReasonOption) -> None:
    """Charge nothing of a customer automatically until it is resumed."""
    with where.open() as cashier:
        _tell_subscription(where, cashier.pause_autopay(customer, reason=reason))


@with_ledger
def resume(where: Where, customer: options.CustomerArgument) -> None:
    """Charge a customer's invoices automatically again."""
    with where.open() as cashier:
        _tell_subscription(where, cashier.resume_autopay(customer))


@with_ledger
def invoice(
    where: Where,
    number: Annotated[str, typer.Argument(metavar="INVOICE", help="Number of the invoice.")],
    off: Annotated[bool, typer.Option("--off", help="Do not charge it automatically.")] = False,
    method: options.StoredOption = None,
) -> None:
    """Turn automatic payment of an invoice on or off, or pin the method that is charged."""
    with where.open() as cashier:
        changed = cashier.set_autopay(number, on=not off, method=method)
    invoices.tell(changed, where)


def _tell_run(where: Where, run: AutopayRun) -> None:
    if where.as_json:
        show.write_json({"autopay_run": run})
        return
    console = show.console()
    table = show.table("Customer", "Method", "Invoices", ">Amount", ">Credit")
    for plan in run.plans:
        for charge in plan.charges:
            numbers = ", ".join(each.number for each in charge.items)
            show.add(table, plan.customer, charge.method, numbers, charge.amount, charge.credit)
    if run.plans:
        console.print(table)
    for each in run.charged:
        console.print(f"{show.words(each.status)}: {each.payments}, {show.amount(each.amount)}")
    for reason, count in run.skipped.items():
        console.print(f"Skipped: {count}, because {REASONS[reason]}")
    if run.dry_run:
        console.print("Nothing was charged: this is a dry run.")
    elif run.next_at is not None:
        console.print(f"It continues at {run.next_at:%Y-%m-%d %H:%M} UTC.")
    else:
        console.print(f"The run of {run.on} is finished.")


def _tell_subscription(where: Where, found: Subscription | None) -> None:
    if where.as_json:
        show.write_json({"subscription": found})
        return
    if found is None:
        show.console().print("The customer never agreed to automatic payment.")
        return
    why = f" ({found.reason})" if found.reason else ""
    since = f"{found.since:%Y-%m-%d}"
    show.console().print(
        f"{found.customer}: automatic payment since {since} is {show.words(found.status)}{why}."
    )
