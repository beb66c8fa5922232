"""The command: check the name, write the package, and say what to do next."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from paygate.cli import options, show
from paygate.cli.new_driver.package import KINDS, write_package


class Kinds(StrEnum):
    """The kinds of payment that a new driver can start with."""

    CARD = "card"
    E_CHECK = "e_check"
    REDIRECT = "redirect"
    VOUCHER = "voucher"


def new_driver(
    name: Annotated[str, typer.Argument(help="The driver's name in settings, such as acme.")],
    into: Annotated[Path, typer.Option(help="The folder in which to create it.")] = Path(),
    kind: Annotated[
        Kinds, typer.Option(help="What it collects with: cards, debits, a page, or slips.")
    ] = Kinds.CARD,
    authorize: Annotated[bool, typer.Option("--authorize", help="Hold, capture and void.")] = False,
    refund: Annotated[bool, typer.Option("--refund", help="Send money back.")] = False,
    redirect: Annotated[
        bool, typer.Option("--redirect", help="In addition to cards, a page to pay on.")
    ] = False,
    store: Annotated[bool, typer.Option("--store", help="Store methods for later.")] = False,
    webhooks: Annotated[
        bool, typer.Option("--webhooks", help="Callbacks, signed with HMAC-SHA256.")
    ] = False,
    everything: Annotated[bool, typer.Option("--all", help="All that the kind can have.")] = False,
    as_json: options.JsonOption = False,
) -> None:
    """Create a package with a gateway driver that passes the conformance kit at once.

    It collects payments of one kind at a made-up processor and can inquire about
    them; the options add more. Replace that processor with yours, message by message.
    """
    asked = {
        "authorize": authorize,
        "refund": refund,
        "redirect": redirect,
        "store": store,
        "webhooks": webhooks,
    }
    chosen = KINDS[kind] if everything else frozenset(key for key in asked if asked[key])
    written = write_package(name, into, chosen, kind)
    if as_json:
        show.write_json({"package": written})
        return
    out = show.console()
    out.print(f"{len(written.files)} files in {written.folder}")
    out.print(f"Next: cd {written.folder}; pip install -e '.[dev]'; pytest")
