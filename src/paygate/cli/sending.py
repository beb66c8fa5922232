"""Sending: stop it from a ledger that was restored from a backup, and resume it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from paygate.cli import show
from paygate.cli.opening import Where, with_gateways, with_ledger

if TYPE_CHECKING:
    from paygate.ledger.sending import Stopped


@with_ledger
def stop_sending(
    where: Where,
    reason: Annotated[str, typer.Option(help="Why, for example which backup it came from.")],
) -> None:
    """Stop sending from a ledger that was restored from a backup, until it has caught up."""
    with where.open() as cashier:
        found = cashier.stop_sending(reason=reason)
    if where.as_json:
        show.write_json({"sending_stopped": found})
        return
    show.say(_stopped(found))


@with_gateways
def resume_sending(
    where: Where,
    evidence: Annotated[str, typer.Option(help="How you know that it has caught up.")],
    force: Annotated[
        bool, typer.Option("--force", help="Even if something is due, such as a feed.")
    ] = False,
) -> None:
    """Resume sending, after the ledger has caught up with the processors."""
    with where.open() as cashier:
        cashier.resume_sending(evidence=evidence, force=force)
    if where.as_json:
        show.write_json({"sending_stopped": None})
        return
    show.console().print("Sending is resumed.")


def _stopped(of: Stopped) -> str:
    since = f"{of.since:%Y-%m-%d %H:%M} UTC"
    return f"Sending is stopped since {since}, by {of.actor}: {of.reason}"
