"""Commitments: list what a customer has agreed to, add to it, and terminate it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from paygate.cli import options, show
from paygate.cli.opening import Where, with_ledger

if TYPE_CHECKING:
    from paygate.domain.commitment import Commitment


@with_ledger
def list_(where: Where, customer: options.CustomerArgument) -> None:
    """List what a customer has agreed to, also what has ended."""
    with where.open() as cashier:
        found = cashier.commitments(customer)
    if where.as_json:
        show.write_json({"commitments": found})
        return
    table = show.table("Id", "Name", "Start", "End", "Status", "Reason")
    for each in found:
        status = show.words(each.status)
        show.add(table, each.id, each.name, each.start, each.end, status, each.reason)
    show.console().print(table)


@with_ledger
def add(
    where: Where,
    customer: options.CustomerArgument,
    name: Annotated[str, typer.Argument(help="What it is called.")],
    start: Annotated[str, typer.Option("--start", metavar="DAY", help="Its first day.")],
    months: Annotated[int, typer.Option("--months", help="For how many months.")],
    key: options.KeyOption,
    terms: Annotated[str, typer.Option("--terms", help="The terms, in one line.")] = "",
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep it if the customer is terminated.")
    ] = False,
    replaces: Annotated[
        str | None, typer.Option("--replaces", help="Id of the one that it replaces.")
    ] = None,
) -> None:
    """Record that a customer agrees to something for a number of months."""
    with where.open() as cashier:
        made = cashier.commit_to(
            customer,
            name,
            start=start,
            months=months,
            key=key,
            terms=terms,
            on_default="keep" if keep else "terminate",
            replaces=replaces,
        )
    _tell(where, made)


@with_ledger
def end(
    where: Where,
    commitment: Annotated[str, typer.Argument(help="Id of the commitment.")],
    reason: options.ReasonOption,
) -> None:
    """Terminate a commitment before its term."""
    with where.open() as cashier:
        _tell(where, cashier.end_commitment(commitment, reason=reason))


def _tell(where: Where, found: Commitment) -> None:
    if where.as_json:
        show.write_json({"commitment": found})
        return
    why = f" ({found.reason})" if found.reason else ""
    show.console().print(
        f"{found.name} of {found.customer}, from {found.start} to {found.end}, is "
        f"{show.words(found.status)}{why}: {found.id}"
    )
