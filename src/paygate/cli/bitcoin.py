"""Bitcoin accounts: compare the wallet with the node, and watch the chain with progress."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any, Final, cast

import typer

from paygate.cli import options, show
from paygate.cli.exits import FINDINGS
from paygate.cli.opening import Where, without_missing_ledger
from paygate.errors import GatewayNotFound, InvalidValue, PaygateError
from paygate.printing import counted

if TYPE_CHECKING:
    from paygate.cashier.sync import Cashier

PAUSE_S: Final = 30.0

AccountArgument = Annotated[
    str | None, typer.Argument(help="One account; all of them if left out.")
]


def check(
    ctx: typer.Context,
    account: AccountArgument = None,
    ledger: options.LedgerOption = options.LEDGER,
    gateways: options.GatewaysOption = None,
    app: options.AppOption = None,
    tenant: options.TenantOption = "main",
    as_json: options.JsonOption = False,
) -> None:
    """Show the wallet's first addresses to compare, the node's answer, and the unpaid gap."""
    where = Where(ctx=ctx, ledger=ledger, gateways=gateways, app=app, tenant=tenant)
    # Comparing the wallet needs no ledger, and must not create one.
    with without_missing_ledger(where).open(make=True) as cashier:
        findings = [_finding(cashier, name) for name in _chosen(cashier, account)]
    if as_json:
        show.write_json({"accounts": findings})
    else:
        for one in findings:
            rows = {show.words(name).capitalize(): _shown(value) for name, value in one.items()}
            show.write_sheet(rows)
            show.console().print()
    if any(one.get("problem") for one in findings):
        raise typer.Exit(FINDINGS)


def watch(
    ctx: typer.Context,
    account: AccountArgument = None,
    ledger: options.LedgerOption = options.LEDGER,
    gateways: options.GatewaysOption = None,
    app: options.AppOption = None,
    tenant: options.TenantOption = "main",
    once: Annotated[bool, typer.Option("--once", help="Stop at the newest block.")] = False,
    pause: Annotated[float, typer.Option(help="Seconds between two reads.", min=1.0)] = PAUSE_S,
) -> None:
    """Read blocks from the last position on, book what arrived, and continue."""
    where = Where(ctx=ctx, ledger=ledger, gateways=gateways, app=app, tenant=tenant)
    with where.open() as cashier:
        names = _chosen(cashier, account)
        while True:
            failed = _catch_up(cashier, names)
            for name, reason in failed.items():
                show.console(stderr=True).print(f"{name}: {reason}", style="red", markup=False)
            if once:
                break
            time.sleep(pause)
    if failed:
        raise typer.Exit(FINDINGS)


def rescan(
    ctx: typer.Context,
    start: Annotated[int, typer.Option("--from", help="The block to continue at.", min=0)],
    account: AccountArgument = None,
    ledger: options.LedgerOption = options.LEDGER,
    gateways: options.GatewaysOption = None,
    app: options.AppOption = None,
    tenant: options.TenantOption = "main",
) -> None:
    """Read the chain again from a block, if it cannot be read on; nothing is booked twice."""
    where = Where(ctx=ctx, ledger=ledger, gateways=gateways, app=app, tenant=tenant)
    with where.open() as cashier:
        names = _chosen(cashier, account)
        if len(names) > 1:
            raise InvalidValue(f"several accounts watch a chain; name one: {', '.join(names)}")
        moved = cashier.rescan(names[0], start=start)
    show.console().print(
        f"{moved.account} continues at block {moved.start}, {moved.behind} blocks behind; "
        "paygate bitcoin watch reads them",
        markup=False,
    )


def _catch_up(cashier: Cashier, names: list[str]) -> dict[str, str]:
    """Read all feeds to their ends, a page at a time; return why some could not be read."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = show.console()
    booked: set[str] = set()
    done = 0
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
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
    if not failed:
        console.print(
            f"read {counted(done, 'block')}, up to the newest; "
            f"{counted(len(booked), 'payment')} with news",
            markup=False,
        )
    return failed


def _chosen(cashier: Cashier, only: str | None) -> list[str]:
    from paygate.drivers.bitcoin import Bitcoin

    known = sorted(
        name for name, each in cashier.gateways.items() if isinstance(each.gateway, Bitcoin)
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

    gateway = cashier.gateways[name].gateway
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
