"""The program ``paygate``: the list of its commands."""

from __future__ import annotations

from typing import Annotated

import typer

from paygate._version import __version__
from paygate.cli.exits import Commands

app = typer.Typer(
    cls=Commands,
    name="paygate",
    help="Issue invoices, collect them through any gateway, and check the books.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"paygate {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_version, is_eager=True),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the trace of an error, without secrets.")
    ] = False,
) -> None:
    """Issue invoices, collect them through any gateway, and check the books."""
