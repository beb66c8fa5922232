"""Unserved jobs: due work of accounts that this process lacks, or cannot use.

A job of such an account is left to a process that has it. If no process does, because a key is
missing or the application was forgotten, that must be reported: nothing else looks wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from paygate.errors import (
    AccountsUnavailable,
    GatewayNotFound,
    InvalidValue,
    PaygateError,
    TenantNotFound,
)
from paygate.printing import counted
from paygate.worker.calling import call

if TYPE_CHECKING:
    from collections.abc import Iterable

    from paygate.domain.job import WaitingJobs
    from paygate.worker.calling import AnyCashier


@dataclass(frozen=True, slots=True, kw_only=True)
class Unserved:
    """Due jobs of an account that a worker lacks or cannot use, and why."""

    tenant: str
    account: str
    jobs: int
    why: str

    def __str__(self) -> str:
        wait = "waits" if self.jobs == 1 else "wait"
        return (
            f"{counted(self.jobs, 'job')} {wait} for the account {self.account!r} of tenant "
            f"{self.tenant!r}, which this worker cannot use: {self.why}"
        )


async def unserved(cashier: AnyCashier) -> list[Unserved]:
    """Return the due jobs that *cashier* cannot do, by account, and that nobody else does."""
    waiting: list[WaitingJobs] = await call(cashier, cashier.waiting_jobs)
    found: list[Unserved] = []
    for tenant, some in groupby(waiting, lambda each: each.tenant):
        desk = cashier.for_tenant(tenant) if cashier.serves_all else cashier
        of_tenant = {each.account: each for each in some}
        for account, why in (await _problems(desk, of_tenant)).items():
            jobs = of_tenant[account].jobs
            found.append(Unserved(tenant=tenant, account=account, jobs=jobs, why=why))
    return found


async def check_use(cashier: AnyCashier) -> None:
    """
    Raise if *cashier* can do nothing at all, so that nobody takes its silence for work.

    It has no account and no sink, or none of the accounts that are stored for it can be used.
    Accounts that a function of the host returns later are not known yet.
    """
    if cashier.serves_all:
        readable = await call(cashier, cashier.stored_accounts_readable)
        if cashier.accounts_are_stored and readable is False:
            raise _unreadable()
        return
    try:
        has_some = bool(await call(cashier, cashier.accounts)) or cashier.has_readers
    except AccountsUnavailable:
        return  # it is asked again with each job
    if has_some:
        return
    if cashier.accounts_are_stored:
        stored = [each.name for each in await call(cashier, cashier.stored_accounts)]
        for why in (await _problems(cashier, stored)).values():
            raise InvalidValue(f"none of the stored accounts can be used: {why}")
    raise InvalidValue(
        "there is no gateway account and no sink, so there is nothing to work with: name your "
        "application with --app, a file of settings with --gateways, or store accounts with "
        "'paygate account add'"
    )


def _unreadable() -> InvalidValue:
    return InvalidValue(
        "the token keys decrypt none of the stored accounts, so none can be used: set the keys "
        "that they were encrypted under, for the command paygate in PAYGATE_TOKEN_KEYS, or open "
        "the cashier with token_keys=[…]"
    )


async def _problems(desk: AnyCashier, names: Iterable[str]) -> dict[str, str]:
    """Return why accounts cannot be used, by name; those that can are left out."""
    try:
        usable = await call(desk, desk.accounts)
    except (TenantNotFound, AccountsUnavailable) as error:
        return dict.fromkeys(names, error.message)
    return {name: await _problem(desk, name) for name in names if name not in usable}


async def _problem(desk: AnyCashier, name: str) -> str:
    try:
        await call(desk, desk.public_settings, name)  # it sends nothing
    except GatewayNotFound:
        return "it is not configured here"
    except PaygateError as error:
        return error.message
    return "it was changed a moment ago"
