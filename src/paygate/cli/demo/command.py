"""The command: play the day, and exit with status 1 if the books do not balance."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paygate.cli import show
from paygate.cli.exits import FINDINGS


def demo(
    file: Annotated[
        Path, typer.Option(help="The ledger to create; a number is added if it exists.")
    ] = Path("paygate-demo.db"),
    ledger: Annotated[
        str | None,
        typer.Option(metavar="URL", help="An empty ledger to use instead of a file."),
    ] = None,
) -> None:
    """Run a demo with fake gateways: no account and no network.

    It takes about ten seconds, or a minute on a busy machine.
    """
    from paygate.cli.demo.screen import play

    if not play(file, show.console(), ledger):
        raise typer.Exit(FINDINGS)
