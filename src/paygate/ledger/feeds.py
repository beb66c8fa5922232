"""Feeds: the cursor of each, its current reader, and its last failure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from paygate.ledger import checksums
from paygate.ledger.codec import read_instant, read_instant_or_none, write_instant

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from paygate.ledger.tx import Tx

# After a stop of sending, a feed does not rest, because resuming waits for it to be read.
_READ_SINCE = """
SELECT account FROM paygate_feed
WHERE tenant = :tenant AND read_at > :since AND since_stop <> 'unread'
"""
_ADD = """
INSERT INTO paygate_feed (tenant, account, cursor, checksum)
VALUES (:tenant, :account, :cursor, :checksum)
ON CONFLICT DO NOTHING
"""
_LEASE = """
UPDATE paygate_feed SET lease_until = :until,
  since_stop = CASE WHEN since_stop = 'unread' THEN 'reading' ELSE since_stop END
WHERE tenant = :tenant AND account = :account
  AND (lease_until IS NULL OR lease_until <= :at)
"""
_FEED = "SELECT * FROM paygate_feed WHERE tenant = :tenant AND account = :account"
# Advances only from the version that this reader began with: a reader that took over reads the page
# itself. The cursor is not enough, because a page can change the memory and leave the cursor.
_ADVANCE = """
UPDATE paygate_feed SET cursor = :cursor, version = version + 1, lease_until = :until
WHERE tenant = :tenant AND account = :account AND version = :version
"""
_MEMORY = """
SELECT name, value FROM paygate_feed_memory WHERE tenant = :tenant AND account = :account
"""
_REMEMBER = """
INSERT INTO paygate_feed_memory (tenant, account, name, value, checksum)
VALUES (:tenant, :account, :name, :value, :checksum)
ON CONFLICT (tenant, account, name)
DO UPDATE SET value = excluded.value, checksum = excluded.checksum
"""
_FORGET = """
DELETE FROM paygate_feed_memory WHERE tenant = :tenant AND account = :account AND name = :name
"""
# A feed that was not read to its end does not rest, because there is more to read.
_END = """
UPDATE paygate_feed SET lease_until = NULL,
  read_at = CASE WHEN :at_end = 1 OR :fault <> '' THEN :at ELSE read_at END,
  complete_since = CASE WHEN :at_end = 1 THEN :began ELSE complete_since END,
  since_stop = CASE WHEN :at_end = 1 AND since_stop = 'reading' THEN 'read' ELSE since_stop END,
  fault = :fault,
  failing_since = CASE WHEN :fault = '' THEN NULL ELSE coalesce(failing_since, :at) END,
  alerted_at = CASE WHEN :at_end = 1 AND :fault = '' THEN NULL ELSE alerted_at END
WHERE tenant = :tenant AND account = :account
"""
# The feed is due again immediately.
_LET_GO = """
UPDATE paygate_feed SET lease_until = NULL, read_at = NULL
WHERE tenant = :tenant AND account = :account
"""
_ALERT = "UPDATE paygate_feed SET alerted_at = :at WHERE tenant = :tenant AND account = :account"
_ALL = "SELECT * FROM paygate_feed WHERE tenant = :tenant ORDER BY account"
_BEGUN = "SELECT tenant, account, since_stop FROM paygate_feed"
_BEGIN_AGAIN = "UPDATE paygate_feed SET since_stop = 'unread'"
_EVERY = "SELECT tenant, account FROM paygate_feed"


@dataclass(frozen=True, slots=True)
class Begun:
    """The right to read a feed: its cursor, its version, and the time the reading began."""

    cursor: str
    version: int
    at: datetime


def resting(tx: Tx, pause: timedelta) -> set[str]:
    """Return the accounts whose feeds were read, or failed, within *pause*."""
    params = {"tenant": tx.tenant, "since": write_instant(tx.now - pause)}
    return {row["account"] for row in tx.all(_READ_SINCE, params)}


def begin(tx: Tx, account: str, length: timedelta) -> Begun | datetime:
    """Take the lease of a feed; if another reader has it, return when that lease ends."""
    params = {
        "tenant": tx.tenant,
        "account": account,
        "at": tx.at,
        "until": write_instant(tx.now + length),
    }
    tx.execute(
        _ADD, checksums.signed(checksums.FEED, {**params, "cursor": "", "since_stop": "unread"})
    )
    leased = tx.run(_LEASE, params)
    checksums.renew(tx, checksums.FEED, tx.tenant, account)
    row = tx.one(_FEED, params)
    assert row is not None, "the row was just inserted"
    if not leased:
        return read_instant(row["lease_until"])
    return Begun(row["cursor"], row["version"], tx.now)


def advance(tx: Tx, account: str, *, version: int, after: str, until: datetime) -> bool:
    """Store the cursor of a feed; return False if another reader took over."""
    params = {
        "tenant": tx.tenant,
        "account": account,
        "version": version,
        "cursor": after,
        "until": write_instant(until),
    }
    ours = bool(tx.run(_ADVANCE, params))
    checksums.renew(tx, checksums.FEED, tx.tenant, account)
    return ours


def memory(tx: Tx, account: str) -> dict[str, bytes]:
    """Return what the driver remembers in addition to the cursor of its feed."""
    rows = tx.all(_MEMORY, {"tenant": tx.tenant, "account": account})
    return {row["name"]: row["value"] for row in rows}


def remember(tx: Tx, account: str, changes: Mapping[str, bytes | None]) -> None:
    """Store the *changes* of the memory; a value of None deletes the name."""
    rows = [
        {"tenant": tx.tenant, "account": account, "name": name, "value": value}
        for name, value in changes.items()
    ]
    kept = [row for row in rows if row["value"] is not None]
    tx.many(_REMEMBER, [checksums.signed(checksums.FEED_MEMORY, row) for row in kept])
    gone = [row for row in rows if row["value"] is None]
    tx.many(_FORGET, [{name: row[name] for name in ("tenant", "account", "name")} for row in gone])


@dataclass(frozen=True, slots=True)
class FeedEnd:
    """The state of a feed before a reading ended: failing since when, and whether alerted."""

    since: datetime | None
    alerted: bool


def end(tx: Tx, account: str, *, began: datetime, at_end: bool, fault: str) -> FeedEnd:
    """Store the end of a reading that began at *began*; return the feed's state before."""
    params = {"tenant": tx.tenant, "account": account}
    before = tx.one(_FEED, params)
    more = {"at": tx.at, "began": write_instant(began), "at_end": int(at_end), "fault": fault}
    tx.execute(_END, params | more)
    checksums.renew(tx, checksums.FEED, tx.tenant, account)
    if before is None:
        return FeedEnd(None, alerted=False)
    since = read_instant_or_none(before["failing_since"])
    return FeedEnd(since, alerted=before["alerted_at"] is not None)


def let_go(tx: Tx, account: str) -> None:
    """Release the lease of a feed without having read anything."""
    tx.execute(_LET_GO, {"tenant": tx.tenant, "account": account})
    checksums.renew(tx, checksums.FEED, tx.tenant, account)


def alert(tx: Tx, account: str) -> None:
    """Store that an alert about the failing feed was emitted."""
    tx.execute(_ALERT, {"tenant": tx.tenant, "account": account, "at": tx.at})


@dataclass(frozen=True, slots=True)
class Standing:
    """The state of a feed: when it was last read to its end, and its current failure.

    `complete_since` is the time at which the last complete reading began.
    """

    account: str
    complete_since: datetime | None
    fault: str
    failing_since: datetime | None


def standing(tx: Tx) -> list[Standing]:
    """Return the state of each feed that has ever been read."""
    return [
        Standing(
            account=row["account"],
            complete_since=read_instant_or_none(row["complete_since"]),
            fault=row["fault"],
            failing_since=read_instant_or_none(row["failing_since"]),
        )
        for row in tx.all(_ALL, {"tenant": tx.tenant})
    ]


def read_since_stop(tx: Tx) -> dict[tuple[str, str], bool]:
    """
    Return whether each feed was read to its end by a reading that began after sending stopped.

    The keys are tenant and account, for all tenants; only feeds that were ever read are included.
    """
    rows = tx.all(_BEGUN, {})
    return {(row["tenant"], row["account"]): row["since_stop"] == "read" for row in rows}


def begin_again(tx: Tx) -> None:
    """Mark all feeds of all tenants as unread since the stop; current readings do not count."""
    tx.execute(_BEGIN_AGAIN, {})
    for row in tx.all(_EVERY, {}):
        checksums.renew(tx, checksums.FEED, row["tenant"], row["account"])
