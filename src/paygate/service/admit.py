"""Admit: take gateway accounts into use, on a ledger that is for live or for test money."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.errors import LiveModeMismatch
from paygate.ledger import accounts, book
from paygate.service.flow import Flow, look, transact

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.service.account import GatewayAccount


def admit(
    given: Mapping[str, GatewayAccount], *, live: bool | None
) -> Flow[dict[str, LiveModeMismatch]]:
    """
    Store which accounts a tenant has, so that one that nobody recovers is noticed.

    Return what is wrong with those that do not fit the ledger: live and test money never share
    one. A ledger without a mode gets *live*, or without it that of the first account.
    """
    if not given:
        return {}
    first = next(iter(given.values())).traits.live if live is None else live
    wanted = "live" if first else "test"
    mode = yield from look(book.mode)
    if mode is None:
        mode = yield from transact(lambda tx: book.set_mode(tx, wanted))
    wrong = {
        name: error
        for name, account in given.items()
        if (error := mismatch(account, mode)) is not None
    }
    seen = {
        name: (account.gateway.name, account.has_feed)
        for name, account in given.items()
        if name not in wrong
    }
    if seen and (yield from look(lambda tx: accounts.unseen(tx, seen))):
        yield from transact(lambda tx: accounts.see(tx, seen))
    return wrong


def mismatch(account: GatewayAccount, mode: str | None) -> LiveModeMismatch | None:
    """Return the error of an account that does not fit the *mode* of the ledger, if it has one."""
    if mode is None or account.traits.live is (mode == "live"):
        return None
    return LiveModeMismatch(
        f"this ledger holds {mode} payments, but the account {account.name!r} is "
        f"{'live' if account.traits.live else 'test'}; use a separate ledger for each"
    )
