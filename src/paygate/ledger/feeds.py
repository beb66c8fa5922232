"""How far each feed has been read, who is reading it, and what keeps it from being read."""

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

# After a stop a feed does not rest: somebody waits for it to be read.
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
# Only from where this reader began: if another one took over, it reads the page itself. The cursor
# alone does not tell, since a page can change what is remembered and leave the cursor.
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
# A feed of which only some pages were read does not rest: there is more to read.
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
# It is to be read at once.
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
    """The right to read a feed: from where, after how many pages, and since when."""

    cursor: str
    version: int
    at: datetime


def resting(tx: Tx, pause: timedelta) -> set[str]:
    """Return the accounts whose feeds were read, or failed, within *pause*."""
    params = {"tenant": tx.tenant, "since": write_instant(tx.now - pause)}
    return {row["account"] for row in tx.all(_READ_SINCE, params)}


def begin(tx: Tx, account: str, length: timedelta) -> Begun | datetime:
    """Become the reader of a feed, or return until when another one may read it."""
    params = {
        "tenant": tx.tenant,
        "account": account,
        "at": tx.at,
        "until": write_instant(tx.now + length),
    }
    tx.run(_ADD, checksums.signed(checksums.FEED, {**params, "cursor": "", "since_stop": "unread"}))
    leased = tx.run(_LEASE, params)
    checksums.renew(tx, checksums.FEED, tx.tenant, account)
    row = tx.one(_FEED, params)
    assert row is not None, "the row is there"
    if not leased:
        return read_instant(row["lease_until"])
    return Begun(row["cursor"], row["version"], tx.now)


def advance(tx: Tx, account: str, *, version: int, after: str, until: datetime) -> bool:
    """Remember how far the feed has been read; false if another reader took over."""
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
    """Return what the gateway remembers beside the cursor of its feed."""
    rows = tx.all(_MEMORY, {"tenant": tx.tenant, "account": account})
    return {row["name"]: row["value"] for row in rows}


def remember(tx: Tx, account: str, changes: Mapping[str, bytes | None]) -> None:
    """Write what is new or different in the memory, and delete what has become None."""
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
    """How the feed stood before a reading ended: failing since then, and whether that was told."""

    since: datetime | None
    alerted: bool


def end(tx: Tx, account: str, *, began: datetime, at_end: bool, fault: str) -> FeedEnd:
    """Write how a reading that *began* then has ended; return how the feed stood before."""
    params = {"tenant": tx.tenant, "account": account}
    before = tx.one(_FEED, params)
    more = {"at": tx.at, "began": write_instant(began), "at_end": int(at_end), "fault": fault}
    tx.run(_END, params | more)
    checksums.renew(tx, checksums.FEED, tx.tenant, account)
    if before is None:
        return FeedEnd(None, alerted=False)
    since = read_instant_or_none(before["failing_since"])
    return FeedEnd(since, alerted=before["alerted_at"] is not None)


def let_go(tx: Tx, account: str) -> None:
    """End a reading that has read nothing."""
    tx.run(_LET_GO, {"tenant": tx.tenant, "account": account})
    checksums.renew(tx, checksums.FEED, tx.tenant, account)


def alert(tx: Tx, account: str) -> None:
    """Note that it was told that the feed is failing."""
    tx.run(_ALERT, {"tenant": tx.tenant, "account": account, "at": tx.at})


@dataclass(frozen=True, slots=True)
class Standing:
    """How a feed stands: when it was last read to its end, and what keeps it from being read.

    `complete_since` is when the last reading that came to its end began.
    """

    account: str
    complete_since: datetime | None
    fault: str
    failing_since: datetime | None


def standing(tx: Tx) -> list[Standing]:
    """Return how each feed stands that anybody has begun to read."""
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
    Return, for each feed that anybody has begun to read, whether it is read since the stop.

    The feeds are those of all tenants, each by its tenant and account.

    It is if a reading that began after sending was stopped has come to the feed's end.
    """
    rows = tx.all(_BEGUN, {})
    return {(row["tenant"], row["account"]): row["since_stop"] == "read" for row in rows}


def begin_again(tx: Tx) -> None:
    """Let no reading that has begun by now count, in the whole ledger."""
    tx.run(_BEGIN_AGAIN, {})
    for row in tx.all(_EVERY, {}):
        checksums.renew(tx, checksums.FEED, row["tenant"], row["account"])
