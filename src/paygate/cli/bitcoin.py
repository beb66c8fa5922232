"""Bitcoin accounts: compare the wallet with the node, and watch the chain with progress."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, cast

import typer

from paygate.cli import show
from paygate.cli.exits import FINDINGS
from paygate.cli.opening import Where, with_gateways, without_missing_ledger
from paygate.errors import GatewayNotFound, InvalidValue, PaygateError
from paygate.printing import counted

if TYPE_CHECKING:
    from paygate.cashier.sync import Cashier

PAUSE_S: Final = 30.0

AccountArgument = Annotated[
    str | None, typer.Argument(help="One account; all of them if left out.")
]


@with_gateways
def check(
    where: Where,
    account: AccountArgument = None,
) -> None:
    """Show the wallet's first addresses to compare, the node's answer, and the unpaid gap."""
    # Comparing the wallet needs no ledger, and must not create one.
    with without_missing_ledger(where).open(make=True) as cashier:
        findings = [_finding(cashier, name) for name in _chosen(cashier, account)]
    if where.as_json:
        show.write_json({"accounts": findings})
    else:
        for one in findings:
            rows = {show.words(name).capitalize(): _shown(value) for name, value in one.items()}
            show.write_sheet(rows)
            show.console().print()
    if any(one.get("problem") for one in findings):
        raise typer.Exit(FINDINGS)


@with_gateways
def watch(
    where: Where,
    account: AccountArgument = None,
    once: Annotated[bool, typer.Option("--once", help="Stop at the newest block.")] = False,
    pause: Annotated[float, typer.Option(help="Seconds between two reads.", min=1.0)] = PAUSE_S,
) -> None:
    """Read blocks from the last position on, book what arrived, and continue."""
    with where.open() as cashier:
        names = _chosen(cashier, account)
        while True:
            found = _catch_up(cashier, names, quiet=where.as_json)
            if where.as_json:
                # One line for each pass: nobody knows how many there will be.
                show.write_line({"watched": found})
            else:
                _tell(found)
            if once:
                break
            time.sleep(pause)
    if found.failed:
        raise typer.Exit(FINDINGS)


@with_gateways
def rescan(
    where: Where,
    start: Annotated[int, typer.Option("--from", help="The block to continue at.", min=0)],
    account: AccountArgument = None,
) -> None:
    """Read the chain again from a block, if it cannot be read on; nothing is booked twice."""
    with where.open() as cashier:
        names = _chosen(cashier, account)
        if len(names) > 1:
            raise InvalidValue(f"several accounts watch a chain; name one: {', '.join(names)}")
        moved = cashier.rescan(names[0], start=start)
    if where.as_json:
        show.write_json({"rescan": moved})
        return
    show.say(
        f"{moved.account} continues at block {moved.start}, {moved.behind} blocks behind; "
        "'paygate bitcoin watch' reads them"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What one pass read: how many blocks, the payments with news, and why feeds were not read."""

    blocks: int
    payments: list[str]
    failed: dict[str, str]


def _tell(found: Watched) -> None:
    if not found.failed:
        show.say(
            f"read {counted(found.blocks, 'block')}, up to the newest; "
            f"{counted(len(found.payments), 'payment')} with news"
        )
    for name, reason in found.failed.items():
        show.say(f"{name}: {reason}", style="red", stderr=True)


def _catch_up(cashier: Cashier, names: list[str], *, quiet: bool) -> Watched:
    """Read all feeds to their ends, a page at a time, and apply what they brought."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    booked: set[str] = set()
    done = 0
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=show.console(stderr=True),
        transient=True,
        disable=quiet or not sys.stderr.isatty(),
    ) as progress:
        task = progress.add_task("blocks", total=None)
        while True:
            read = cashier.read_feeds(pages=1)
            booked |= {payment.id for payment in cashier.apply_callbacks()}
            done += sum(read.read.get(name, 0) for name in names)
            left = sum(read.behind.get(name) or 0 for name in names)
            progress.update(task, total=done + left or None, completed=done)
            # What waits at the end of the blocks is read too, over as many pages as it takes.
            if read.unfinished.isdisjoint(names):
                break
    while late := cashier.apply_callbacks():
        booked |= {payment.id for payment in late}
    failed = {name: reason for name, reason in read.failed.items() if name in names}
    for name in names:
        if name in read.busy:
            until = f"{read.busy[name]:%Y-%m-%d %H:%M:%S} UTC"
            failed[name] = f"not read: another process reads it, until {until} at the latest"
    return Watched(blocks=done, payments=sorted(booked), failed=failed)


def _chosen(cashier: Cashier, only: str | None) -> list[str]:
    from paygate.drivers.bitcoin import Bitcoin

    known = sorted(
        name for name, each in cashier.accounts().items() if isinstance(each.gateway, Bitcoin)
    )
    if only is None and known:
        return known
    if only in known:
        return [only]
    raise GatewayNotFound(
        f"there is no Bitcoin account {only or ''}".rstrip()
        + f"; there are: {', '.join(known) or 'none'}",
        name=only or "",
        known=known,
    )


def _shown(value: object) -> object:
    return "\n".join(cast("list[str]", value)) if isinstance(value, list) else value


def _finding(cashier: Cashier, name: str) -> dict[str, Any]:
    from paygate.drivers.bitcoin import Bitcoin

    gateway = cashier.accounts()[name].gateway
    assert isinstance(gateway, Bitcoin)  # noqa: S101  (only these are chosen)
    counted = cashier.addresses(name)
    found: dict[str, Any] = {
        "account": name,
        "wallet": gateway.wallet.identity,
        "descriptor": gateway.wallet.described,
        "network": str(gateway.wallet.network),
        "first_addresses": list(gateway.wallet.first()),
        "addresses_given_away": counted.allotted,
        "unpaid_at_the_end": counted.unused,
    }
    if gateway.wallet.depth != 3:
        found["remark"] = "the key is not that of an account (depth 3): compare the addresses"
    try:
        found["node"] = cashier.check(name).name.partition(";")[0]
    except PaygateError as error:
        found["problem"] = error.message
    return found
