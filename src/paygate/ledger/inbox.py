"""The inbox: what processors told us, kept before anything is made of it, once per event."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from paygate.domain.callback import InboxState, StoredCallback
from paygate.ledger.tx import instant, read_instant

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.ledger.tx import Row, Tx

_INSERT = """
INSERT INTO paygate_inbox (
  tenant, account, event_id, type, headers, body, notice, received_at, next_try_at)
VALUES (
  :tenant, :account, :event_id, :type, :headers, :body, :notice, :received_at, :at)
ON CONFLICT (tenant, account, event_id) DO NOTHING
"""
_BY_EVENT = """
SELECT * FROM paygate_inbox
WHERE tenant = :tenant AND account = :account AND event_id = :event_id
"""
_BY_ID = "SELECT * FROM paygate_inbox WHERE tenant = :tenant AND id = :id"
_DUE = """
SELECT id FROM paygate_inbox
WHERE tenant = :tenant AND next_try_at <= :at ORDER BY next_try_at, id LIMIT :limit
"""
_PAGE = """
SELECT * FROM paygate_inbox
WHERE tenant = :tenant AND id > :after AND (:state IS NULL OR state = :state)
ORDER BY id LIMIT :limit
"""
# Whoever comes second finds nothing to do: the first one's transaction has ended it.
_END = """
UPDATE paygate_inbox
SET state = :state, applied_at = :at, next_try_at = NULL, error = :error
WHERE id = :id AND state = 'new'
"""
_WAIT = """
UPDATE paygate_inbox SET tries = tries + 1, next_try_at = :again, error = :error
WHERE id = :id AND state = 'new' AND tries = :tries
"""
_REVIVE = """
UPDATE paygate_inbox
SET state = 'new', tries = 0, next_try_at = :at, applied_at = NULL, error = ''
WHERE tenant = :tenant AND id = :id AND state <> 'new'
"""
_KEEP_REPLY = "UPDATE paygate_inbox SET reply = :reply WHERE id = :id"


@dataclass(frozen=True, slots=True)
class InboxRow:
    """What is in the inbox, with what it says and what was replied."""

    callback: StoredCallback
    notice: str
    reply: str | None


def insert(
    tx: Tx,
    *,
    account: str,
    event_id: str,
    type_: str,
    headers: Mapping[str, str],
    body: bytes,
    notice: str,
    received_at: datetime,
) -> InboxRow | None:
    """Keep what was told; None where this event is there already."""
    params = {
        "tenant": tx.tenant,
        "account": account,
        "event_id": event_id,
        "type": type_,
        "headers": json.dumps(dict(headers), sort_keys=True),
        "body": body,
        "notice": notice,
        "received_at": instant(received_at),
        "at": tx.at,
    }
    return by_event(tx, account, event_id) if tx.run(_INSERT, params) else None


def by_event(tx: Tx, account: str, event_id: str) -> InboxRow | None:
    """Find what an account told under its own id of the event."""
    params = {"tenant": tx.tenant, "account": account, "event_id": event_id}
    row = tx.one(_BY_EVENT, params)
    return None if row is None else inbox_row_of(row)


def by_id(tx: Tx, id_: int) -> InboxRow | None:
    """Read one row."""
    row = tx.one(_BY_ID, {"tenant": tx.tenant, "id": id_})
    return None if row is None else inbox_row_of(row)


def due(tx: Tx, limit: int) -> list[int]:
    """Tell what wants to be applied now, what waited longest first."""
    rows = tx.all(_DUE, {"tenant": tx.tenant, "at": tx.at, "limit": limit})
    return [row["id"] for row in rows]


def page(tx: Tx, *, state: InboxState | None, after: int, limit: int) -> list[StoredCallback]:
    """Read what is behind *after*, in the order in which it came."""
    params = {
        "tenant": tx.tenant,
        "state": None if state is None else state.value,
        "after": after,
        "limit": limit,
    }
    return [inbox_row_of(row).callback for row in tx.all(_PAGE, params)]


def end(tx: Tx, id_: int, state: InboxState, error: str = "") -> bool:
    """Say what became of it; false where somebody else has done so."""
    params = {"id": id_, "state": state.value, "at": tx.at, "error": error}
    return bool(tx.run(_END, params))


def wait(tx: Tx, row: InboxRow, again: datetime, error: str) -> bool:
    """Try it again at the instant *again*."""
    params = {
        "id": row.callback.id,
        "tries": row.callback.tries,
        "again": instant(again),
        "error": error,
    }
    return bool(tx.run(_WAIT, params))


def revive(tx: Tx, id_: int) -> None:
    """Let it be applied again, from the beginning."""
    tx.run(_REVIVE, {"tenant": tx.tenant, "id": id_, "at": tx.at})


def keep_reply(tx: Tx, id_: int, reply: str) -> None:
    """Keep what we replied, for whoever asks again."""
    tx.run(_KEEP_REPLY, {"id": id_, "reply": reply})


def inbox_row_of(row: Row) -> InboxRow:
    """Read what is in the inbox from its row."""
    return InboxRow(
        StoredCallback(
            id=row["id"],
            account=row["account"],
            event_id=row["event_id"],
            type=row["type"],
            state=InboxState(row["state"]),
            received_at=datetime.fromisoformat(row["received_at"]),
            body=bytes(row["body"]),
            tries=row["tries"],
            next_try_at=read_instant(row["next_try_at"]),
            applied_at=read_instant(row["applied_at"]),
            error=row["error"],
        ),
        row["notice"],
        row["reply"],
    )
