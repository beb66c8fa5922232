"""Chargebacks: what payers' banks dispute, took, and gave back."""

from __future__ import annotations

from typing import Annotated

import typer

from paygate.cli import options, show
from paygate.cli.opening import Where, with_ledger


@with_ledger
def chargebacks(
    where: Where,
    state: Annotated[
        str | None, typer.Option(help="Only those that are opened, lost or won.")
    ] = None,
    payment: Annotated[str | None, typer.Option(help="Only those of this payment.")] = None,
    after: Annotated[str, typer.Option(help="Go on behind the chargeback of this id.")] = "",
    limit: options.LimitOption = 100,
) -> None:
    """List disputes of payments: how each stands, until when to answer, and what it cost."""
    with where.open() as cashier:
        page = cashier.chargebacks(payment=payment, state=state, after=after, limit=limit + 1)
    following = page[limit - 1].id if len(page) > limit else None
    page = page[:limit]
    if where.as_json:
        show.write_json({"chargebacks": page, "next": following})
        return
    console = show.console()
    if not page:
        console.print("No chargebacks.")
        return
    table = show.table("Dispute", "Payment", "State", ">Amount", ">Taken", ">Lost", "Answer by")
    for one in page:
        until = None if one.respond_by is None else one.respond_by.date()
        show.add(
            table, one.reference, one.payment, one.state, one.amount, one.taken, one.lost, until
        )
    console.print(table)
    if following is not None:
        console.print(f"There are more: --after {following}", style="dim", soft_wrap=True)
