"""Dead letters: events that a sink has refused finally."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from paygate.cli import options, show
from paygate.cli.exits import FINDINGS
from paygate.cli.opening import Where, with_ledger
from paygate.printing import counted

if TYPE_CHECKING:
    from paygate.domain.event import DeadLetter


@with_ledger
def list_(
    where: Where,
    limit: options.LimitOption = 100,
) -> None:
    """List events that a sink has refused finally; exits with status 1 if there are any."""
    with where.open() as cashier:
        found = cashier.dead_letters(limit=limit)
    if where.as_json:
        show.write_json({"dead_letters": found})
    elif found:
        _show_letters(found)
    else:
        show.console().print("No dead letters.")
    if found:
        raise typer.Exit(FINDINGS)


@with_ledger
def replay(
    where: Where,
    sink: Annotated[str, typer.Argument(help="Name of the sink.")],
    event: Annotated[
        str | None, typer.Argument(help="Id of one event; all dead letters if left out.")
    ] = None,
) -> None:
    """Let a sink try its dead letters again, at the next 'paygate event publish'."""
    with where.open() as cashier:
        revived = cashier.replay_dead_letters(sink, event=event)
    if where.as_json:
        show.write_json({"replay": {"sink": sink, "events": revived}})
        return
    show.console().print(
        f"{counted(revived, 'event')} will be retried for {sink} at the next publish"
    )


def _show_letters(found: list[DeadLetter]) -> None:
    table = show.table("Sink", ">No.", "What, and about what", "Since", "Reason")
    for one in found:
        since = f"{one.since:%Y-%m-%d %H:%M}"
        what = f"{one.event.type}\n  {one.event.aggregate}\n  {one.event.id}"
        show.add(table, one.sink, one.event.position, what, since, one.error)
    show.console().print(table)
