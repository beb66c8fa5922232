"""The books: whether they are sound, the state of the ledger, and undelivered events."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Final

import typer

from paygate.cli import show
from paygate.cli.exits import FINDINGS
from paygate.cli.opening import Where, with_ledger
from paygate.ledger.book import chosen
from paygate.printing import counted

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from paygate.cli.grid import Grid
    from paygate.domain.money import Money
    from paygate.domain.status import AccountStatus, LedgerStatus


@with_ledger
def fsck(
    where: Where,
    rule: Annotated[
        list[str] | None,
        typer.Option("--rule", help="Check this rule only; can be given more than once."),
    ] = None,
) -> None:
    """Check the file and every balance of the ledger; exits with status 1 if a rule is broken."""
    rules = chosen(rule or None)
    with where.open() as cashier:
        found = cashier.fsck(rules=rule or None, progress=_progress())
    if where.as_json:
        show.write_json({"rules": len(rules), "violations": found})
    else:
        console = show.console()
        if found:
            table = show.table("Rule", "Row", "Detail")
            for one in found:
                show.add(table, one.rule, one.subject, one.detail, style="red")
            console.print(table)
            console.print()
        console.print(f"{counted(len(rules), 'rule')}, {counted(len(found), 'violation')}")
    if found:
        raise typer.Exit(FINDINGS)


def _progress() -> Callable[[str, int, int], None] | None:
    """Show on standard error which rule is being checked, if it is a terminal."""
    if not sys.stderr.isatty():
        return None

    def show_step(name: str, number: int, count: int) -> None:
        end = "\r" if number < count else "\n"
        print(f"{number}/{count} {name:40}", end=end, file=sys.stderr, flush=True)

    return show_step


@with_ledger
def status(
    where: Where,
) -> None:
    """Show the state of the ledger; exits with status 1 if anything needs attention."""
    with where.open() as cashier:
        found = cashier.status()
    if where.as_json:
        show.write_json({"status": found})
    else:
        _show_status(found)
    if found.concerns:
        raise typer.Exit(FINDINGS)


def _show_status(found: LedgerStatus) -> None:
    console = show.console()
    for one in found.concerns:
        subject = f"{one.subject}: " if one.subject else ""
        since = f" (since {_at(one.since)})" if one.since is not None else ""
        text = f"{one.name}  {subject}{one.text}{since}"
        show.say(text, style="bold yellow")
    if not found.concerns:
        console.print("Nothing needs attention.")
    for table in (
        *(_invoices(found), _prepayments(found), _payments(found)),
        *(_accounts(found), _sinks(found)),
    ):
        if table.row_count:
            console.print()
            console.print(table)
    unknown = found.unknown
    if unknown.count:
        console.print()
        console.print(
            f"Unknown outcomes by age: {unknown.within_an_hour} within an hour, "
            f"{unknown.within_a_day} within a day, {unknown.within_a_week} within a week, "
            f"{unknown.older} older"
        )


def _invoices(found: LedgerStatus) -> Grid:
    table = show.table(
        "Invoices", ">Open", ">Partially paid", ">Paid", ">Void", ">Overdue", ">Still open"
    )
    for row in found.invoices:
        counts = (row.open, row.partially_paid, row.paid, row.void, row.overdue)
        show.add(table, row.currency, *counts, _total(row.still_open))
    return table


def _prepayments(found: LedgerStatus) -> Grid:
    table = show.table("Prepayments", ">Open", ">Paid", ">Waiting", ">Still open")
    for row in found.prepayments:
        counts = (row.open + row.partially_paid, row.paid)
        show.add(table, row.currency, *counts, _total(row.waiting), _total(row.still_open))
    return table


def _payments(found: LedgerStatus) -> Grid:
    table = show.table("Payments", ">Count", ">Amount", ">Returned", ">Net received")
    for row in found.payments:
        returned = "" if row.returned is not None and not row.returned else _total(row.returned)
        cells = (_total(row.amount), returned, _total(row.net))
        show.add(table, show.words(row.status), row.count, *cells)
    return table


def _total(amount: Money | None) -> Money | str:
    return _TOO_MUCH if amount is None else amount


def _accounts(found: LedgerStatus) -> Grid:
    columns = ("Account", "Credentials", "Feed", ">Refused callbacks", ">Stuck", ">Overdue")
    with_state = any(one.disabled for one in found.accounts)
    table = show.table(*columns, *(("New payments",) if with_state else ()))
    for one in found.accounts:
        credentials = "rejected" if one.credentials_rejected_since is not None else ""
        refused = sum(each.times for each in one.refused)
        overdue = one.overdue_inquiries + one.overdue_callbacks
        stuck = sum(one.stuck.values())
        state = (state_of(enabled=not one.disabled, reason=one.disabled_reason),)
        cells = (one.name, credentials, _feed(one), refused, stuck, overdue)
        show.add(table, *cells, *(state if with_state else ()))
    return table


def state_of(*, enabled: bool, reason: str = "") -> str:
    """Return whether an account is enabled, and the *reason* for it."""
    state = "enabled" if enabled else "disabled"
    return f"{state}: {reason}" if reason else state


def _feed(one: AccountStatus) -> str:
    if not one.has_feed:
        return ""
    read = "never read" if one.read_at is None else f"read {_at(one.read_at)}"
    return read if one.feed_failing_since is None else f"{read}, fails: {one.feed_fault}"


def _sinks(found: LedgerStatus) -> Grid:
    table = show.table("Sink", "Behind since", ">Set aside", ">Dead letters", "Fault")
    for one in found.sinks:
        since = "" if one.behind_since is None else _at(one.behind_since)
        show.add(table, one.name, since, one.set_aside, one.dead_letters, one.fault or one.error)
    return table


_TOO_MUCH: Final = "too large to add up"


def _at(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC"
