"""The fake processor as a server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def serve(
    host: Annotated[str, typer.Option(help="A loopback address.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 uses a free port.")] = 0,
    journal: Annotated[
        Path | None, typer.Option(help="File in which it stores what moved; created if missing.")
    ] = None,
    parent: Annotated[bool, typer.Option("--parent", help="Stop when stdin closes.")] = False,
    callbacks_to: Annotated[
        str,
        typer.Option(
            metavar="URL",
            help="Where to send callbacks, on loopback; {kind} in it becomes the payment's kind.",
        ),
    ] = "",
    on_pages: Annotated[
        bool, typer.Option("--on-pages", help="Payers enter cards and bank accounts on its pages.")
    ] = False,
    late_s: Annotated[
        float, typer.Option(min=0, help="Delay in seconds of whatever comes late.")
    ] = 5,
) -> None:
    """Serve a payment processor that moves no money, with pages to click; prints its URL."""
    from paygate.testing.fake_server import serve
    from paygate.testing.processor.rails import page_traits

    serve(
        host,
        port,
        journal=journal,
        parent=parent,
        callbacks_to=callbacks_to,
        late_s=late_s,
        traits=page_traits() if on_pages else None,
    )
