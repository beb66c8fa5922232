"""Chargebacks: what payers' banks disputed, took, and gave back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

import typer

from paygate.cli import options, pages, show
from paygate.cli.opening import Where, with_ledger

if TYPE_CHECKING:
    from paygate.domain.chargeback import Chargeback
    from paygate.domain.words import DisputeStateWord


@with_ledger
def list_(
    where: Where,
    state: Annotated[
        str | None, typer.Option(help="Only those that are opened, lost or won.")
    ] = None,
    payment: Annotated[str | None, typer.Option(help="Only those of this payment.")] = None,
    via: pages.ViaOption = None,
    since: pages.SinceOption = None,
    until: pages.UntilOption = None,
    oldest_first: pages.OldestFirstOption = False,
    after: Annotated[str, typer.Option(help="Continue after the chargeback with this id.")] = "",
    limit: options.LimitOption = 100,
) -> None:
    """List disputes of payments, the newest first: the state of each and what it cost."""
    with where.open() as cashier:

        def list_chargebacks(behind: str, most: int) -> list[Chargeback]:
            return cashier.chargebacks(
                payment=payment,
                account=via,
                state=cast("DisputeStateWord | None", state),
                since=since,
                until=until,
                oldest_first=oldest_first,
                after=behind,
                limit=most,
            )

        page, following = pages.read(list_chargebacks, after, limit)
    if where.as_json:
        show.write_json({"chargebacks": page, "next": following})
        return
    console = show.console()
    if not page:
        console.print("No chargebacks.")
        return
    table = show.table("Dispute", "Payment", "State", ">Amount", ">Taken", ">Lost", "Answer by")
    for one in page:
        answer = None if one.respond_by is None else one.respond_by.date()
        show.add(
            table, one.reference, one.payment, one.state, one.amount, one.taken, one.lost, answer
        )
    console.print(table)
    pages.tell_more(following)
