"""Gateway accounts: check whether a gateway accepts them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from paygate import registry
from paygate.cli import show
from paygate.cli.exits import FINDINGS
from paygate.cli.opening import Where, with_gateways, without_missing_ledger
from paygate.errors import GatewayNotFound, PaygateError, Unsupported
from paygate.printing import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from paygate.cashier.sync import Cashier
    from paygate.gateway import Gateway


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The result for one account; `accepted` is None if its driver cannot check credentials."""

    account: str
    driver: str = ""
    accepted: bool | None = None
    live: bool | None = None
    merchant_account: str = ""
    problem: str = ""


@with_gateways
def check(
    where: Where,
    account: Annotated[
        str | None, typer.Argument(help="One account; all of them if left out.")
    ] = None,
) -> None:
    """Check settings and credentials of gateway accounts; record the result in an existing ledger.

    No money moves.
    """
    findings = list(_findings(where, account))
    bad = any(finding.problem for finding in findings)
    if where.as_json:
        show.write_json({"ok": not bad, "accounts": findings})
    else:
        show.console().print(_table(findings))
    if bad:
        raise typer.Exit(FINDINGS)


def gateway_of(where: Where, account: str) -> Gateway:
    """Return the gateway account with that name, without a ledger and without a request."""
    if where.app is not None:
        with where.open(make=True) as cashier:
            accounts = cashier.accounts()
            [name] = _chosen(accounts, account)
            return accounts[name].gateway
    settings = where.settings()
    [name] = _chosen(settings, account)
    return registry.build(settings[name])


def _findings(where: Where, only: str | None) -> Iterator[Finding]:
    if where.app is not None:
        with where.open(make=True) as cashier:
            for name in _chosen(cashier.accounts(), only):
                yield _ask(cashier, name)
        return
    settings = where.settings()
    if where.gateways is None and (stored := _stored(where)):
        with where.open() as cashier:
            for name in _chosen(dict.fromkeys(stored), only):
                yield _ask(cashier, name)
        return
    # Checking an account needs no ledger, and must not create one.
    where = without_missing_ledger(where)
    with where.open(make=True, gateways={}):
        pass  # a problem of the ledger is not a problem of the accounts
    for name in _chosen(settings, only):
        # Each by itself: one bad account must not hide the results of the others.
        try:
            with where.open(make=True, gateways={name: settings[name]}) as cashier:
                yield _ask(cashier, name)
        except PaygateError as error:
            driver = str(settings[name].get("driver", ""))
            yield Finding(account=name, driver=driver, accepted=False, problem=error.message)


def _stored(where: Where) -> list[str]:
    """Return the names of the accounts that are stored in the ledger, if it exists."""
    with without_missing_ledger(where).open(make=True, gateways={}) as cashier:
        return [each.name for each in cashier.stored_accounts()]


def _ask(cashier: Cashier, name: str) -> Finding:
    known = cashier.accounts().get(name)
    if known is None:
        return _unusable(cashier, name)
    driver, live = known.gateway.name, known.traits.live
    merchant = known.traits.merchant_account
    try:
        facts = cashier.check(name)
    except Unsupported:
        return Finding(account=name, driver=driver, live=live, merchant_account=merchant)
    except PaygateError as error:
        return Finding(
            account=name, driver=driver, accepted=False, live=live, problem=error.message
        )
    return Finding(
        account=name,
        driver=driver,
        accepted=True,
        live=facts.live,
        merchant_account=facts.merchant_account,
    )


def _unusable(cashier: Cashier, name: str) -> Finding:
    """Return why a stored account cannot be used."""
    try:
        cashier.check(name)
    except PaygateError as error:
        return Finding(account=name, accepted=False, problem=error.message)
    return Finding(account=name)


def _chosen(accounts: Mapping[str, object], only: str | None) -> list[str]:
    if only is None and accounts:
        return sorted(accounts)
    if only is not None and only in accounts:
        return [only]
    known = sorted(accounts)
    asked = (
        f"there is no gateway account {shown(only)}" if only else "no gateway account is configured"
    )
    raise GatewayNotFound(
        f"{asked}; name accounts in a file for --gateways, or by --app; there are: "
        f"{', '.join(known) or 'none'}",
        name=only or "",
        known=known,
    )


def _table(findings: list[Finding]) -> Any:
    table = show.table("Account", "Driver", "Mode", "Merchant", "Result")
    for one in findings:
        said = {True: "accepted", None: "settings are valid; this driver cannot check more"}
        mode = {True: "live", False: "test", None: ""}[one.live]
        show.add(
            table,
            one.account,
            one.driver,
            mode,
            one.merchant_account,
            one.problem or said.get(one.accepted, ""),
            style="red" if one.problem else "",
        )
    return table
