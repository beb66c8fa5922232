"""The entry point: says what to install if the extra ``cli`` is missing."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from io import TextIOWrapper

from paygate.cli.listing import asked_for


def main() -> None:
    """Run the command line."""
    if not (find_spec("rich") and find_spec("typer")):
        from paygate.errors import MissingExtra

        error = MissingExtra(
            "the paygate command needs typer and rich; pip install 'paygate-sdk[cli]'", extra="cli"
        )
        sys.stderr.write(f"{type(error).__name__}: {error.message}\n")
        raise SystemExit(2)
    # A list of commands is written without what would run them: it answers at once.
    text = asked_for(sys.argv[1:])
    if text is not None:
        sys.stdout.write(text)
        return
    from paygate.cli.app import app

    for stream in (sys.stdout, sys.stderr):
        # A name in a ledger may contain a character that an old terminal cannot show.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    app()
