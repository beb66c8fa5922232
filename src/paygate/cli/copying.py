"""``paygate copy``: copy a ledger into another database, such as from a file to PostgreSQL."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from paygate.cli import options, show
from paygate.cli.opening import actor
from paygate.printing import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from paygate.ledger.copying.copy import CopiedLedger


def copy(
    source: Annotated[str, typer.Argument(metavar="FROM", help="URL of the ledger.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="URL of the place for the copy.")],
    start_again: Annotated[
        bool, typer.Option("--start-again", help="Discard an unfinished copy that is there.")
    ] = False,
    as_json: options.JsonOption = False,
) -> None:
    """Copy a ledger from SQLite to PostgreSQL or back, and compare both.

    Sending is stopped in both ledgers; resume it in the one that you go on with. While it is
    copied, nothing can be written to the ledger. If the copy is interrupted, run the same command
    again. Until it is finished, nobody can open it.
    """
    from paygate.cashier.copying import copy_ledger

    done = copy_ledger(source, target, start_again=start_again, actor=actor(), progress=_progress())
    if as_json:
        show.write_json({"copied": done})
        return
    _tell(done)


def _tell(done: CopiedLedger) -> None:
    console = show.console()
    table = show.table("Table", ">Rows")
    for each in done.tables:
        show.add(table, each.name, each.rows)
    console.print(table)
    console.print()
    rows = sum(each.rows for each in done.tables)
    show.say(
        f"{counted(rows, 'row')} and {counted(done.balances, 'balance')} of the copy agree with "
        "those of the source. Sending is stopped in both. Let every process use the copy, let it "
        "catch up (paygate payment recover), and then run: paygate ledger resume-sending"
    )


def _progress() -> Callable[[str, int, int], None] | None:
    """Show on standard error what is done, if it is a terminal."""
    if not sys.stderr.isatty():
        return None

    def show_step(step: str, done: int, count: int) -> None:
        print(f"{done}/{count} {step:50}", end="\r", file=sys.stderr, flush=True)

    return show_step
