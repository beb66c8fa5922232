"""Callbacks of processors: list them, apply one again, or dismiss some."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from paygate.cli import options, pages, show
from paygate.cli.exits import FINDINGS
from paygate.cli.opening import Where, with_gateways, with_ledger
from paygate.domain.callback import InboxState

if TYPE_CHECKING:
    from paygate.domain.callback import StoredCallback


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
    after: pages.AfterOption = 0,
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
    for one in found:
        when = f"{one.received_at:%Y-%m-%d %H:%M}"
        show.add(table, one.id, when, one.account, one.type, one.state, one.error)
    show.console().print(table)
    pages.tell_more(following)


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
        show.say(f"Callback {done.id} is {done.state}{why}")
    if done.state not in (InboxState.APPLIED, InboxState.IGNORED):
        raise typer.Exit(FINDINGS)


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
