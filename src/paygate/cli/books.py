"""The books: are they right, how do things stand, and who is still to be told."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from paygate.cli import options, show
from paygate.cli.exits import FINDINGS
from paygate.cli.invoices import each_invoice
from paygate.cli.opening import Where, with_gateways, with_ledger
from paygate.cli.payments import each_payment
from paygate.domain.invoice import Invoice, InvoiceStatus
from paygate.domain.money import Money
from paygate.errors import InvalidAmount, InvalidValue
from paygate.ledger.book import RULES

if TYPE_CHECKING:
    from paygate.ledger.sending import Stopped


@with_ledger
def fsck(
    where: Where,
) -> None:
    """Rebuild every balance of the ledger and compare; exits with 1 where one differs."""
    with where.open() as cashier:
        found = cashier.fsck()
    if where.as_json:
        show.write_json({"rules": len(RULES), "violations": found})
    else:
        console = show.console()
        if found:
            table = show.table("Rule", "Row", "Detail")
            for one in found:
                show.add(table, one.rule, one.subject, one.detail, style="red")
            console.print(table)
            console.print()
        console.print(f"{len(RULES)} rules, {len(found)} violations")
    if found:
        raise typer.Exit(FINDINGS)


@with_ledger
def status(
    where: Where,
) -> None:
    """Tell how invoices and payments stand, and what waits for a person."""
    with where.open() as cashier:
        standing = _standing(list(each_invoice(cashier)))
        payments = list(each_payment(cashier))
        dead = len(cashier.dead_letters(limit=1_000_000))
        stopped = cashier.sending_stopped()
        changes = [one.id for one in cashier.method_changes(needs_review=True)]
        unattended = cashier.unattended()
    stand = Counter(payment.status for payment in payments)
    waiting = [one.id for one in payments if one.needs_review or one.conflicted]
    if where.as_json:
        show.write_json(
            {
                "invoices": standing,
                "payments": stand,
                "needs_review": waiting,
                "methods_need_review": changes,
                "dead_letters": dead,
                "sending_stopped": stopped,
                "unattended": unattended,
            }
        )
        return
    console = show.console()
    if stopped is not None:
        console.print(_stopped(stopped), style="bold yellow", soft_wrap=True)
        console.print()
    shown = ("open", "partially_paid", "paid", "written_off", "overdue")
    names = [f">{show.words(name).capitalize()}" for name in shown]
    table = show.table("Currency", *names, ">Still open")
    for row in standing:
        show.add(
            table,
            *(row[name] for name in ("currency", *shown)),
            "too large to add up" if row["still_open"] is None else row["still_open"],
        )
    console.print(table)
    console.print()
    counts = ", ".join(f"{number} {show.words(name)}" for name, number in sorted(stand.items()))
    console.print(f"{len(payments)} payments" + (f": {counts}" if counts else ""))
    if waiting:
        console.print(f"A person must look at: {', '.join(waiting)}", style="yellow")
    if changes:
        told = ", ".join(changes)
        console.print(f"A person must look at storing or deleting: {told}", style="yellow")
    if dead:
        console.print(f"{dead} events were refused for good by a sink", style="yellow")
    for one in unattended:
        console.print(
            f"Nobody asks about the account {one.account} since {one.since:%Y-%m-%d %H:%M} UTC "
            f"({one.attempts} inquiries and {one.callbacks} callbacks wait): run `paygate recover` "
            "where it is configured",
            style="yellow",
            markup=False,
        )


@with_ledger
def stop_sending(
    where: Where,
    reason: Annotated[str, typer.Option(help="Why, such as the backup it came from.")],
) -> None:
    """Let nothing be sent from a ledger that came from a backup, until it has caught up."""
    with where.open() as cashier:
        found = cashier.stop_sending(reason=reason)
    if where.as_json:
        show.write_json({"sending_stopped": found})
        return
    show.console().print(_stopped(found), soft_wrap=True)


@with_gateways
def resume_sending(
    where: Where,
    evidence: Annotated[str, typer.Option(help="How you know that it has caught up.")],
    force: Annotated[
        bool, typer.Option("--force", help="Although something waits, such as a feed.")
    ] = False,
) -> None:
    """Let things be sent again, once the ledger has caught up with the processors."""
    with where.open() as cashier:
        cashier.resume_sending(evidence=evidence, force=force)
    if where.as_json:
        show.write_json({"sending_stopped": None})
        return
    show.console().print("Things are sent again.")


def _stopped(of: Stopped) -> str:
    since = f"{of.since:%Y-%m-%d %H:%M} UTC"
    return f"Nothing is sent since {since}, by {of.actor}: {of.reason}"


def publish(
    ctx: typer.Context,
    app: options.AppOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Hand waiting events to the sinks of your application, named by --app."""
    if app is None:
        raise InvalidValue("sinks are made in code; name yours with --app module:function")
    where = Where(ctx=ctx, ledger=options.LEDGER, gateways=None, app=app, tenant="main")
    with where.open() as cashier:
        done = cashier.publish()
    if as_json:
        show.write_json({"published": done})
        return
    console = show.console()
    console.print(f"{done.delivered} delivered, {done.delayed} delayed, {done.dead} dead")
    for name in done.unreached:
        console.print(f"{name} cannot be reached; its events wait", style="yellow", markup=False)


def _standing(invoices: list[Invoice]) -> list[dict[str, Any]]:
    today = datetime.now(UTC).date()
    rows: list[dict[str, Any]] = []
    for currency in sorted({one.total.currency for one in invoices}):
        here = [one for one in invoices if one.total.currency == currency]
        stand = Counter(one.status for one in here)
        rows.append(
            {
                "currency": currency,
                **{str(status): stand[status] for status in InvoiceStatus},
                "overdue": sum(one.is_overdue(today) for one in here),
                "still_open": _sum(currency, here),
            }
        )
    return rows


def _sum(currency: str, invoices: list[Invoice]) -> Money | None:
    """Return what is open on *invoices*; None if that is more than an amount can be."""
    try:
        return Money.sum(currency, (one.open for one in invoices))
    except InvalidAmount:
        return None
