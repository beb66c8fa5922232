"""How far each feed has been read, and who is reading it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.ledger.tx import instant

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from paygate.ledger.tx import Tx

_READ_SINCE = """
SELECT account FROM paygate_feed
WHERE tenant = :tenant AND (lease_until > :at OR read_at > :since)
"""
_ADD = """
INSERT INTO paygate_feed (tenant, account, cursor) VALUES (:tenant, :account, '')
ON CONFLICT DO NOTHING
"""
_LEASE = """
UPDATE paygate_feed SET lease_until = :until
WHERE tenant = :tenant AND account = :account
  AND (lease_until IS NULL OR lease_until <= :at)
"""
_CURSOR = "SELECT cursor FROM paygate_feed WHERE tenant = :tenant AND account = :account"
# Only from where this reader began: if another one took over, it reads the page itself.
_ADVANCE = """
UPDATE paygate_feed SET cursor = :after, lease_until = :until
WHERE tenant = :tenant AND account = :account AND cursor = :before
"""
_RELEASE = """
UPDATE paygate_feed SET lease_until = NULL, read_at = :at
WHERE tenant = :tenant AND account = :account
"""


def resting(tx: Tx, pause: timedelta) -> set[str]:
    """Tell whose feeds are being read now, or were within *pause*."""
    params = {"tenant": tx.tenant, "at": tx.at, "since": instant(tx.now - pause)}
    return {row["account"] for row in tx.all(_READ_SINCE, params)}


def lease(tx: Tx, account: str, until: datetime) -> str | None:
    """Become the reader of a feed; tell its cursor, or None while another one reads."""
    params = {"tenant": tx.tenant, "account": account, "at": tx.at, "until": instant(until)}
    tx.run(_ADD, params)
    if not tx.run(_LEASE, params):
        return None
    row = tx.one(_CURSOR, params)
    assert row is not None, "the row was just updated"
    return str(row["cursor"])


def advance(tx: Tx, account: str, *, before: str, after: str, until: datetime) -> bool:
    """Remember how far the feed has been read; false if another reader took over."""
    params = {
        "tenant": tx.tenant,
        "account": account,
        "before": before,
        "after": after,
        "until": instant(until),
    }
    return bool(tx.run(_ADVANCE, params))


def release(tx: Tx, account: str) -> None:
    """Let the feed rest until it is due again."""
    tx.run(_RELEASE, {"tenant": tx.tenant, "account": account, "at": tx.at})
