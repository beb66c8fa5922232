"""Serving: make the accounts of one tenant ready, from what the host or the ledger gave.

An account that cannot be made, because its settings are wrong or its driver fails, does not
prevent the use of the others: its problem is raised by the verbs that ask for it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

from paygate import logs
from paygate.cashier.merchants import not_found
from paygate.cashier.opening import account_of
from paygate.cashier.roster import Served
from paygate.cashier.routes import check_timeouts, own_network
from paygate.domain.secret import Sealed
from paygate.errors import DriverBroken, InvalidSettings, PaygateError
from paygate.sink import ROUTE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from paygate.cashier.routes import Routes
    from paygate.ledger.account_settings import SealedSettings
    from paygate.ledger.tx import Context
    from paygate.registry import Driver
    from paygate.service.account import GatewayAccount, Timing

_LOGGER: Final = "paygate.cashier"


def serve(
    tenant: str,
    given: Sealed[Any],
    settings: Sealed[Mapping[str, object]],
    *,
    routes: Routes[Any],
    timing: Timing,
    now: datetime,
    drivers: dict[str, Driver],
) -> Served:
    """
    Return the accounts of *tenant*, made from *settings*; they come from what was *given*.

    *drivers* are those that were loaded before; it gets those that are loaded now.
    """
    accounts: dict[str, GatewayAccount] = {}
    problems: dict[str, PaygateError] = {}
    networks: dict[str, Any] = dict(routes.networks)  # those of sinks
    for name in settings.open():
        if name.startswith(ROUTE):
            problems[name] = InvalidSettings(f"the name of an account does not begin with {ROUTE}")
            continue
        entry = Sealed(settings.open()[name])
        made = _made(name, entry, drivers)
        if isinstance(made, PaygateError):
            problems[name] = made
            continue
        accounts[name] = made
        network = own_network(name, entry.open())
        if network is not None:
            networks[name] = network
    own = replace(routes, networks=networks)
    for name in list(accounts):
        try:
            check_timeouts(own, (name,), timing)
        except PaygateError as error:
            problems[name] = _bare(error)
            del accounts[name]
    return Served(tenant, given, accounts, problems, own, now)


def stored_accounts(tenant: str, found: list[SealedSettings]) -> Sealed[Any]:
    """Return the stored accounts of *tenant*, or raise `TenantNotFound` if it has none."""
    if not found:
        raise not_found(tenant)
    return Sealed(found)


def stored_settings(context: Context, given: Sealed[Any]) -> Sealed[Mapping[str, object]]:
    """Return the settings of stored accounts; for one that cannot be decrypted, its problem."""
    return Sealed({each.account.name: _opened(context, each) for each in given.open()})


def _opened(context: Context, found: SealedSettings) -> object:
    from paygate.ledger.account_settings import unseal

    try:
        settings = unseal(context.vault, context.tenant, found)
    except PaygateError as error:
        return _bare(error)
    return settings.open() if found.account.enabled else {**settings.open(), "enabled": False}


def note_problems(served: Served, known: Mapping[str, PaygateError]) -> None:
    """Write a line to the log for each account that cannot be used, unless that is *known*."""
    for name, problem in served.problems.items():
        if name in known and known[name].message == problem.message:
            continue
        about = logs.About(tenant=served.tenant, account=name)
        logs.write(_LOGGER, "account.unusable", problem.message, about)


def _made(
    name: str, entry: Sealed[object], drivers: dict[str, Driver]
) -> GatewayAccount | PaygateError:
    """Return the account, or what is wrong with it, without the frames that hold its settings."""
    if isinstance(entry.open(), PaygateError):
        return _bare(entry.open())
    try:
        own_network(name, entry.open())
        return account_of(name, entry, Sealed(None), drivers)
    except PaygateError as error:
        return _bare(error)
    except Exception as bug:  # noqa: BLE001  (a driver's code)
        kind = type(bug).__name__
    return DriverBroken(f"the account {name!r} could not be made: {kind} in its driver", name=name)


def _bare(error: Any) -> PaygateError:
    """Return *error* without its traceback."""
    kind = cast("type[PaygateError]", type(error))
    return kind(error.message, **error.facts)
