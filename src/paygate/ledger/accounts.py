"""The known gateway accounts, and whether their gateways accept our credentials."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from paygate.ledger import outbox
from paygate.ledger.codec import read_instant, read_instant_or_none

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.ledger.tx import Row, Tx

_SEEN = """
INSERT INTO paygate_account (tenant, name, driver, has_feed, first_seen_at, last_seen_at)
VALUES (:tenant, :name, :driver, :has_feed, :at, :at)
ON CONFLICT (tenant, name) DO UPDATE SET
  driver = :driver, has_feed = :has_feed, last_seen_at = :at
"""
_ALL = "SELECT * FROM paygate_account WHERE tenant = :tenant ORDER BY name"
_FED = "SELECT tenant, name FROM paygate_account WHERE has_feed = 1"
_BY_NAME = "SELECT * FROM paygate_account WHERE tenant = :tenant AND name = :name"
# Adds an account for which no cashier was opened, as in tests of the engine.
_ADD = """
INSERT INTO paygate_account (tenant, name, driver, has_feed, first_seen_at, last_seen_at)
VALUES (:tenant, :name, '', 0, :at, :at) ON CONFLICT DO NOTHING
"""
_REJECTED = """
UPDATE paygate_account SET rejected_since = coalesce(rejected_since, :at), rejected_at = :at,
  rejected_for = :why
WHERE tenant = :tenant AND name = :name
"""
_ACCEPTED = """
UPDATE paygate_account SET rejected_since = NULL, rejected_at = NULL, rejected_for = ''
WHERE tenant = :tenant AND name = :name AND rejected_since IS NOT NULL
"""

_SEEN_AGAIN: Final = timedelta(days=1)
_WHY_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class KnownAccount:
    """A gateway account as the ledger knows it; `rejected_since` is None if it accepts us."""

    name: str
    driver: str
    has_feed: bool
    first_seen_at: datetime
    last_seen_at: datetime
    rejected_since: datetime | None
    rejected_at: datetime | None
    rejected_for: str


def unseen(tx: Tx, accounts: Mapping[str, tuple[str, bool]]) -> list[str]:
    """Return the names of *accounts* (driver, and whether it has a feed) that need storing."""
    known = {each.name: each for each in all_known(tx)}
    return [
        name
        for name, facts in accounts.items()
        if name not in known
        or (known[name].driver, known[name].has_feed) != facts
        or tx.now - known[name].last_seen_at >= _SEEN_AGAIN
    ]


def see(tx: Tx, accounts: Mapping[str, tuple[str, bool]]) -> None:
    """Store that a process was opened with *accounts*."""
    for name, (driver, has_feed) in accounts.items():
        params = {"tenant": tx.tenant, "name": name, "at": tx.at}
        tx.execute(_SEEN, params | {"driver": driver, "has_feed": int(has_feed)})


def all_known(tx: Tx) -> list[KnownAccount]:
    """Return the known accounts, by name."""
    return [_known(row) for row in tx.all(_ALL, {"tenant": tx.tenant})]


def with_feeds(tx: Tx) -> list[tuple[str, str]]:
    """Return tenant and name of each account that has a feed, for all tenants."""
    return [(row["tenant"], row["name"]) for row in tx.all(_FED, {})]


def reject(tx: Tx, name: str, why: str) -> None:
    """Store that the gateway of account *name* rejects our credentials; emit an event once."""
    params = {"tenant": tx.tenant, "name": name, "at": tx.at, "why": why[:_WHY_MAX]}
    tx.known.pop(("rejected", name), None)
    tx.execute(_ADD, params)
    row = tx.one(_BY_NAME, params)
    tx.execute(_REJECTED, params)
    if row is None or row["rejected_since"] is None:
        _emit(tx, "account.credentials_rejected", name, why)


def accept(tx: Tx, name: str) -> None:
    """Store that the gateway of account *name* accepts our credentials."""
    if not tx.known.get(("rejected", name), True):
        return
    if tx.run(_ACCEPTED, {"tenant": tx.tenant, "name": name}):
        _emit(tx, "account.credentials_accepted", name, "")


def cache_rejected(tx: Tx, name: str, *, rejected: bool) -> None:
    """Cache whether account *name* is rejected, as read with one of its attempts."""
    tx.known["rejected", name] = rejected


def are_rejected(tx: Tx, name: str) -> bool:
    """Return whether the gateway of account *name* last rejected our credentials."""
    row = tx.one(_BY_NAME, {"tenant": tx.tenant, "name": name})
    return row is not None and row["rejected_since"] is not None


def _emit(tx: Tx, type_: str, name: str, why: str) -> None:
    outbox.emit(tx, type_, f"account:{name}", {"account": name, "reason": why[:_WHY_MAX]})


def _known(row: Row) -> KnownAccount:
    return KnownAccount(
        name=row["name"],
        driver=row["driver"],
        has_feed=bool(row["has_feed"]),
        first_seen_at=read_instant(row["first_seen_at"]),
        last_seen_at=read_instant(row["last_seen_at"]),
        rejected_since=read_instant_or_none(row["rejected_since"]),
        rejected_at=read_instant_or_none(row["rejected_at"]),
        rejected_for=row["rejected_for"],
    )
