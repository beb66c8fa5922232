"""Events: list them, and deliver them to other systems."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from paygate.cli import options, pages, show
from paygate.cli.opening import Where, with_gateways, with_ledger
from paygate.errors import InvalidValue

if TYPE_CHECKING:
    from paygate.domain.event import Event


@with_ledger
def list_(
    where: Where,
    about: Annotated[
        str | None,
        typer.Option(
            "--about", metavar="ID", help="Only those about this payment, invoice or method."
        ),
    ] = None,
    after: pages.AfterOption = 0,
    limit: options.LimitOption = 100,
) -> None:
    """List events in the order in which they happened, a page at a time."""
    with where.open() as cashier:

        def list_events(behind: int, most: int) -> list[Event]:
            return cashier.events(aggregate=about, after=behind, limit=most)

        found, following = pages.read_by(list_events, after, limit, lambda one: one.position)
    if where.as_json:
        show.write_json({"events": found, "next": following})
        return
    table = show.table(">No.", "When", "What, and about what", "By")
    for one in found:
        when = f"{one.occurred_at:%Y-%m-%d %H:%M:%S}"
        show.add(table, one.position, when, f"{one.type}\n  {one.aggregate}", one.actor)
    show.console().print(table)
    pages.tell_more(following)


@with_gateways
def publish(where: Where) -> None:
    """Deliver waiting events to the sinks of --gateways, or of your application (--app)."""
    with where.open() as cashier:
        if not cashier.sinks and where.app is None:
            raise InvalidValue(
                "no sink is configured; add a table such as [sinks.crm] to the file of --gateways, "
                "or name your application with --app module:function"
            )
        done = cashier.publish()
    if where.as_json:
        show.write_json({"published": done})
        return
    console = show.console()
    console.print(f"{done.delivered} delivered, {done.delayed} delayed, {done.dead} dead")
    for one in done.paused:
        if one.until is None:
            text = f"{one.name} is stopped until 'paygate sink resume {one.name}'"
        else:
            until = f"{one.until:%Y-%m-%d %H:%M:%S} UTC"
            text = f"{one.name} cannot be reached, and pauses until {until}"
        show.say(f"{text}: {one.reason}", style="yellow")
    for name in done.busy:
        show.say(f"another process delivers to {name} right now", style="yellow")
