"""Stored accounts: add them to the ledger, rotate their credentials, and disable them."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from paygate.domain.secret import Sealed
from paygate.errors import (
    AccountExists,
    AccountNotStored,
    InvalidSettings,
    PaygateError,
    SettingsUnreadable,
    StoreBusy,
)
from paygate.ledger import account_settings, book
from paygate.ledger.account_settings import SealedSettings
from paygate.printing import shown
from paygate.service.admit import mismatch
from paygate.service.flow import Flow, look, repeatable, transact

if TYPE_CHECKING:
    from collections.abc import Callable

    from paygate.domain.stored_account import StoredAccount
    from paygate.ledger.tx import Tx
    from paygate.service.account import GatewayAccount

    Settings = Sealed[dict[str, Any]]
    Make = Callable[[Settings], GatewayAccount]

_TRIES: Final = 20
"""How often a change starts over because another process changed the account meanwhile."""


def add(name: str, settings: Settings, make: Make) -> Flow[StoredAccount]:
    """Store *settings* as account *name*; if they are stored already, return that account."""
    made = make(settings)
    driver = str(settings.open()["driver"])
    yield from look(partial(_check_mode, made))

    def work(tx: Tx) -> StoredAccount:
        vault = account_settings.keys_of(tx.vault)
        sealed = account_settings.seal(vault, tx.tenant, name, 1, settings)
        new = account_settings.add(tx, name, driver, sealed)
        found = _found(tx, name)
        if not new and account_settings.unseal(vault, tx.tenant, found).open() != settings.open():
            raise AccountExists(
                f"there is an account {name!r} with other settings; rotate it, or choose another "
                "name",
                account=name,
            )
        return found.account

    return (yield from repeatable(work))


def rotate(name: str, settings: Settings, make: Make, *, whole: bool) -> Flow[StoredAccount]:
    """Replace these settings of account *name*, or with *whole* all of them."""
    for _ in range(_TRIES):
        before, old = yield from look(lambda tx: _opened(tx, name, readable=not whole))
        kept: dict[str, Any] = {} if whole or old is None else old.open()
        new = Sealed(kept | {"driver": before.account.driver} | settings.open())
        del kept
        if old is not None and old.open() == new.open():
            return before.account
        made = make(new)
        _check_same(before.account, new, made, old, make)
        yield from look(partial(_check_mode, made))
        enabled = before.account.enabled
        done = yield from _change(before, "account.rotated", enabled=enabled, settings=new)
        if done is not None:
            return done
    raise _busy(name)


def enable(name: str, *, enabled: bool, reason: str) -> Flow[StoredAccount]:
    """Let account *name* take new payments, or none."""
    event = "account.enabled" if enabled else "account.disabled"
    for _ in range(_TRIES):
        before = yield from look(lambda tx: _found(tx, name))
        if before.account.enabled is enabled:
            return before.account
        done = yield from _change(before, event, enabled=enabled, reason=reason)
        if done is not None:
            return done
    raise _busy(name)


def _change(
    before: SealedSettings,
    event: str,
    *,
    enabled: bool,
    settings: Settings | None = None,
    reason: str = "",
) -> Flow[StoredAccount | None]:
    """Store a change of *before*; return None if another process was faster."""
    name = before.account.name

    def work(tx: Tx) -> StoredAccount | None:
        if not account_settings.change(
            tx, before, event, enabled=enabled, settings=settings, reason=reason
        ):
            return None
        return _found(tx, name).account

    return (yield from transact(work))


def of_tenant(tx: Tx) -> list[StoredAccount]:
    """Return the stored accounts, by name."""
    return [each.account for each in account_settings.all_of(tx)]


def _found(tx: Tx, name: str) -> SealedSettings:
    found = account_settings.by_name(tx, name)
    if found is None:
        raise AccountNotStored(
            f"the ledger has no account {shown(name)} of tenant {tx.tenant!r}", account=name
        )
    return found


def _opened(tx: Tx, name: str, *, readable: bool) -> tuple[SealedSettings, Settings | None]:
    """Return the account and its settings; None if they need not be, and are not, *readable*."""
    found = _found(tx, name)
    try:
        return found, account_settings.unseal(tx.vault, tx.tenant, found)
    except SettingsUnreadable:
        if readable:
            raise
    return found, None


def _check_mode(made: GatewayAccount, tx: Tx) -> None:
    """Raise `LiveModeMismatch` for a live account on a ledger for tests, or the reverse."""
    wrong = mismatch(made, book.mode(tx))
    if wrong is not None:
        raise wrong


def _check_same(
    account: StoredAccount, new: Settings, made: GatewayAccount, old: Settings | None, make: Make
) -> None:
    """Raise unless the new settings are for the same account of the same processor."""
    theirs = ""
    # A newer version of the driver may not accept the old settings any more.
    with suppress(PaygateError):
        theirs = "" if old is None else make(old).traits.merchant_account
    ours = made.traits.merchant_account
    if new.open()["driver"] == account.driver and (not theirs or not ours or theirs == ours):
        return
    raise InvalidSettings(
        f"the new settings of account {account.name!r} are for another driver, or for another "
        "account of the processor, which knows nothing of the payments made so far: add an account "
        "under another name, and disable this one"
    )


def _busy(name: str) -> StoreBusy:
    return StoreBusy(f"other processes change the account {name!r} all the time; try again")
