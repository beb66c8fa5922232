"""The command: play the day, and exit with status 1 if the books do not balance."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paygate.cli import show
from paygate.cli.exits import FINDINGS
from paygate.errors import InvalidValue


def demo(
    file: Annotated[
        Path, typer.Option(help="The ledger to create; a number is added if it exists.")
    ] = Path("paygate-demo.db"),
    ledger: Annotated[
        str | None,
        typer.Option(metavar="URL", help="An empty ledger to use instead of a file."),
    ] = None,
    web: Annotated[
        bool,
        typer.Option("--web", help="Serve a small shop with payment pages until you stop it."),
    ] = False,
    open_browser: Annotated[
        bool, typer.Option("--open", help="With --web: open the shop in your browser.")
    ] = False,
    host: Annotated[str, typer.Option(help="With --web: a loopback address.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="With --web: the port; 0 takes a free one.")] = 8000,
) -> None:
    """Run a demo with fake gateways: no account and no network.

    It takes about ten seconds, or a minute on a busy machine. With --web it serves a shop, its
    payment pages and the pages of the fake processor on this machine, until you press Ctrl+C.
    """
    if web:
        _serve(file, ledger, host, port, open_browser=open_browser)
        return
    from paygate.cli.demo.screen import play

    if not play(file, show.console(), ledger):
        raise typer.Exit(FINDINGS)


def _serve(file: Path, ledger: str | None, host: str, port: int, *, open_browser: bool) -> None:
    import webbrowser

    from paygate.cli.demo.web import shop

    if ledger is not None:
        raise InvalidValue(
            "the demo in a browser makes a ledger of its own: leave --ledger out, or name a --file",
            argument="ledger",
        )
    with shop(file, host=host, port=port) as served:

        def ready() -> None:
            show.say(f"The shop is at {served.origin}/ (Ctrl+C ends it).")
            show.say(f"The fake processor is at {served.processor}/.")
            show.say(f"Every page in every state: {served.web.root}/_states/")
            show.say(f"The API is at {served.origin}/api; its key for this run is:")
            show.say(served.api_secret.reveal())
            if open_browser:
                _ = webbrowser.open(f"{served.origin}/")

        served.serve(ready=ready)
