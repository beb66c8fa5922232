"""Events for other systems, and callbacks of processors."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from paygate.cli import options, pages, show
from paygate.cli.exits import FINDINGS
from paygate.cli.opening import Where, with_gateways, with_ledger
from paygate.domain.callback import InboxState
from paygate.printing import counted

if TYPE_CHECKING:
    from paygate.domain.callback import StoredCallback
    from paygate.domain.event import DeadLetter, Event

callbacks = typer.Typer(no_args_is_help=True, help="List callbacks, and apply them again.")

AfterOption = Annotated[int, typer.Option("--after", help="Start after this number.")]


@with_ledger
def events(
    where: Where,
    about: Annotated[
        str | None,
        typer.Option(
            "--about", metavar="ID", help="Only those about this payment, invoice or method."
        ),
    ] = None,
    after: AfterOption = 0,
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


@with_ledger
def dead_letters(
    where: Where,
    replay: Annotated[
        str | None, typer.Option("--replay", metavar="SINK", help="Let this sink try again.")
    ] = None,
    limit: options.LimitOption = 100,
) -> None:
    """List events that a sink has refused finally, with the last reason."""
    with where.open() as cashier:
        revived = None if replay is None else cashier.replay_dead_letters(replay)
        found = cashier.dead_letters(limit=limit)
    if where.as_json:
        show.write_json({"dead_letters": found, "revived": revived})
    else:
        _show_letters(found, replay, revived)
    if found:
        raise typer.Exit(FINDINGS)


def _show_letters(found: list[DeadLetter], sink: str | None, revived: int | None) -> None:
    console = show.console()
    if revived is not None:
        console.print(
            f"{counted(revived, 'event')} will be retried for {sink} at the next publish",
            markup=False,
        )
    if not found:
        return
    table = show.table("Sink", ">No.", "What, and about what", "Since", "Reason")
    for one in found:
        since = f"{one.since:%Y-%m-%d %H:%M}"
        what = f"{one.event.type}\n  {one.event.aggregate}"
        show.add(table, one.sink, one.event.position, what, since, one.error)
    console.print(table)


@callbacks.command("list")
@with_ledger
def list_(
    where: Where,
    state: Annotated[
        InboxState | None, typer.Option("--state", help="Only those, such as orphan.")
    ] = None,
    via: pages.ViaOption = None,
    since: pages.SinceOption = None,
    until: pages.UntilOption = None,
    oldest_first: pages.OldestFirstOption = False,
    after: AfterOption = 0,
    limit: options.LimitOption = 100,
) -> None:
    """List callbacks, the newest first; the received text itself is never shown."""
    with where.open() as cashier:

        def list_callbacks(behind: int, most: int) -> list[StoredCallback]:
            return cashier.callbacks(
                state=state,
                account=via,
                since=since,
                until=until,
                oldest_first=oldest_first,
                after=behind,
                limit=most,
            )

        found, following = pages.read(list_callbacks, after, limit)
    if where.as_json:
        show.write_json({"callbacks": [_facts(one) for one in found], "next": following})
        return
    table = show.table(">No.", "When", "Via", "What", "State", "Why not yet")
    table.collapse_padding = True
    for one in found:
        when = f"{one.received_at:%Y-%m-%d %H:%M}"
        show.add(table, one.id, when, one.account, one.type, one.state, one.error)
    show.console().print(table)
    pages.tell_more(following)


@callbacks.command("replay")
@with_gateways
def replay(
    where: Where,
    number: Annotated[int, typer.Argument(metavar="NO.", help="Number of the callback.")],
) -> None:
    """Apply one callback again, such as an orphan; exits with status 1 if it cannot be applied."""
    with where.open() as cashier:
        done = cashier.replay_callback(number)
    if where.as_json:
        show.write_json({"callback": _facts(done)})
    else:
        why = f": {done.error}" if done.error else ""
        show.console().print(f"Callback {done.id} is {done.state}{why}")
    if done.state not in (InboxState.APPLIED, InboxState.IGNORED):
        raise typer.Exit(FINDINGS)


@callbacks.command("dismiss")
@with_ledger
def dismiss(
    where: Where,
    numbers: Annotated[
        list[int], typer.Argument(metavar="NO. ...", help="Numbers of the callbacks.")
    ],
    reason: options.ReasonOption,
) -> None:
    """Record that nothing is to be done about callbacks that could not be applied."""
    with where.open() as cashier:
        done = [cashier.dismiss_callback(number, reason=reason) for number in numbers]
    if where.as_json:
        show.write_json({"callbacks": [_facts(one) for one in done]})
        return
    for one in done:
        show.console().print(f"Callback {one.id} is {one.state}")


def _facts(one: StoredCallback) -> dict[str, Any]:
    """Return what can be shown of a callback: its body may contain a token."""
    facts = asdict(one)
    del facts["body"]
    return facts
