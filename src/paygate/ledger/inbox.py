"""The inbox: callbacks, each stored once, before they are applied.

A callback may contain the token of a stored method; no driver can promise otherwise. So the raw
body is stored encrypted; without token keys, only its digest is stored. What is applied, at once
or in a replay, is the notice that was parsed when the signature was verified, which contains no
token.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from paygate.domain.callback import InboxState, StoredCallback
from paygate.domain.secret import Secret
from paygate.errors import TokenUnreadable
from paygate.ledger import checksums, paging
from paygate.ledger.codec import read_instant, read_instant_or_none, write_instant
from paygate.ledger.methods import vault_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.ledger.paging import Page
    from paygate.ledger.tx import Row, Tx

_INSERT = """
INSERT INTO paygate_inbox (
  tenant, account, event_id, type, digest, raw_encrypted, body_digest, notice, received_at,
  next_try_at, state, error, checksum)
VALUES (
  :tenant, :account, :event_id, :type, :digest, :raw, :body_digest, :notice, :received_at,
  :at, :state, :error, 0)
"""
_BY_EVENT = """
SELECT * FROM paygate_inbox
WHERE tenant = :tenant AND account = :account AND event_id = :event_id ORDER BY id
"""
_BY_BODY = """
SELECT * FROM paygate_inbox
WHERE tenant = :tenant AND account = :account AND body_digest = :digest AND body_digest <> ''
ORDER BY id DESC LIMIT 1
"""
# A waiting hint is applied once for all repeats; one that was already applied is applied again.
_REPEAT = """
UPDATE paygate_inbox SET times = times + 1, state = 'new', applied_at = NULL,
  tries = CASE state WHEN 'new' THEN tries ELSE 0 END,
  error = CASE state WHEN 'new' THEN error ELSE '' END,
  dismissed_by = '', dismissed_for = '',
  next_try_at = CASE state WHEN 'new' THEN next_try_at ELSE :at END
WHERE id = :id
"""
_BY_ID = "SELECT * FROM paygate_inbox WHERE tenant = :tenant AND id = :id"
_UNATTENDED = """
SELECT account, count(*) AS callbacks, min(next_try_at) AS since FROM paygate_inbox
WHERE tenant = :tenant AND next_try_at <= :before GROUP BY account
"""
_LISTING = paging.listing(
    "SELECT c.* FROM paygate_inbox c",
    table="paygate_inbox",
    alias="c",
    at="received_at",
    where={
        "paygate_inbox_listed": "c.tenant = :tenant",
        "paygate_inbox_by_account": "c.tenant = :tenant AND c.account = :account",
        "paygate_inbox_by_state": "c.tenant = :tenant AND c.state = :state",
        "paygate_inbox_by_account_and_state": (
            "c.tenant = :tenant AND c.account = :account AND c.state = :state"
        ),
    },
    noun="callback",
)
# Of two concurrent transactions, only the first ends the callback. A callback that came again while
# it was being applied is not ended, because the repeat was not processed.
_END = """
UPDATE paygate_inbox
SET state = :state, applied_at = :at, next_try_at = NULL, error = :error
WHERE id = :id AND state = 'new' AND times = :times
"""
_WAIT = """
UPDATE paygate_inbox SET tries = tries + :counts, next_try_at = :again, error = :error
WHERE id = :id AND state = 'new' AND tries = :tries
"""
_REVIVE = """
UPDATE paygate_inbox
SET state = 'new', tries = 0, next_try_at = :at, applied_at = NULL, error = '',
  dismissed_by = '', dismissed_for = ''
WHERE tenant = :tenant AND id = :id AND state <> 'new'
"""
_DISMISS = """
UPDATE paygate_inbox SET state = 'dismissed', applied_at = :at, next_try_at = NULL,
  dismissed_by = :actor, dismissed_for = :reason
WHERE tenant = :tenant AND id = :id AND state IN ('orphan', 'failed', 'conflicted')
"""
_SEALED = """
SELECT id, account, event_id, raw_encrypted FROM paygate_inbox
WHERE tenant = :tenant AND id > :after AND raw_encrypted IS NOT NULL
ORDER BY id LIMIT :limit
"""
_RESEAL = "UPDATE paygate_inbox SET raw_encrypted = :raw WHERE id = :id"
_KEEP_REPLY = "UPDATE paygate_inbox SET reply = :reply WHERE id = :id"


@dataclass(frozen=True, slots=True)
class InboxRow:
    """A callback in the inbox, with its parsed notice and our reply."""

    callback: StoredCallback
    digest: str
    notice: str
    reply: str | None


def insert(
    tx: Tx,
    *,
    account: str,
    event_id: str,
    type_: str,
    digest: str,
    headers: Mapping[str, str],
    body: bytes,
    notice: str,
    received_at: datetime,
    conflicts_with: int | None = None,
) -> InboxRow:
    """Store a callback to be applied; one that *conflicts_with* an earlier one is not applied."""
    error = ""
    if conflicts_with is not None:
        error = f"callback {conflicts_with} reported the same event with other contents"
    params = {
        "tenant": tx.tenant,
        "account": account,
        "event_id": event_id,
        "type": type_,
        "digest": digest,
        "raw": _sealed(tx, account, event_id, headers, body),
        "body_digest": hashlib.sha256(body).hexdigest() if body else "",
        "notice": notice,
        "received_at": write_instant(received_at),
        "at": None if error else tx.at,
        "state": (InboxState.CONFLICTED if error else InboxState.NEW).value,
        "error": error,
    }
    tx.execute(_INSERT, params)
    [row] = [row for row in by_event(tx, account, event_id) if row.digest == digest]
    checksums.renew(tx, checksums.INBOX, row.callback.id)
    return row


def by_event(tx: Tx, account: str, event_id: str) -> list[InboxRow]:
    """Return the callbacks of *account* with the gateway's *event_id*, oldest first."""
    params = {"tenant": tx.tenant, "account": account, "event_id": event_id}
    return [inbox_row_of(row) for row in tx.all(_BY_EVENT, params)]


def by_body(tx: Tx, account: str, body: bytes) -> InboxRow | None:
    """Return the latest callback of *account* with exactly these bytes, or None."""
    digest = hashlib.sha256(body).hexdigest()
    row = tx.one(_BY_BODY, {"tenant": tx.tenant, "account": account, "digest": digest})
    return None if row is None else inbox_row_of(row)


def repeat(tx: Tx, row: InboxRow) -> InboxRow:
    """Store that a hint came again: it is applied with the one that waits, or once more."""
    tx.execute(_REPEAT, {"id": row.callback.id, "at": tx.at})
    checksums.renew(tx, checksums.INBOX, row.callback.id)
    again = by_id(tx, row.callback.id)
    assert again is not None, "nothing is deleted from the inbox"
    return again


def by_id(tx: Tx, id_: int) -> InboxRow | None:
    """Return the callback with this id, or None."""
    row = tx.one(_BY_ID, {"tenant": tx.tenant, "id": id_})
    return None if row is None else inbox_row_of(row)


def unattended(tx: Tx, before: datetime) -> dict[str, tuple[int, datetime]]:
    """Return the number of callbacks due *before* an instant, and the first time, by account."""
    rows = tx.all(_UNATTENDED, {"tenant": tx.tenant, "before": write_instant(before)})
    return {row["account"]: (row["callbacks"], read_instant(row["since"])) for row in rows}


def page(
    tx: Tx, which: Page, *, state: InboxState | None = None, account: str | None = None
) -> list[StoredCallback]:
    """Return one page of the callbacks, with their raw bodies, by time received; None for all."""
    index = "paygate_inbox_listed"
    if account is not None and state is not None:
        index = "paygate_inbox_by_account_and_state"
    elif account is not None:
        index = "paygate_inbox_by_account"
    elif state is not None:
        index = "paygate_inbox_by_state"
    wanted = None if state is None else state.value
    rows = _LISTING.read(tx, index, which, state=wanted, account=account)
    return [_opened(tx, row) for row in rows]


def end(tx: Tx, row: InboxRow, state: InboxState, error: str = "") -> bool:
    """Store the final state of *row*; return False if it has ended, or came again since."""
    params = {
        "id": row.callback.id,
        "times": row.callback.times,
        "state": state.value,
        "at": tx.at,
        "error": error,
    }
    return _changed(tx, row, _END, params)


def wait(tx: Tx, row: InboxRow, again: datetime, error: str, *, counts: bool = True) -> bool:
    """Retry a callback at *again*; *counts* says whether this try counts toward the limit."""
    params = {
        "id": row.callback.id,
        "tries": row.callback.tries,
        "counts": int(counts),
        "again": write_instant(again),
        "error": error,
    }
    return _changed(tx, row, _WAIT, params)


def _changed(tx: Tx, row: InboxRow, statement: str, params: Mapping[str, Any]) -> bool:
    changed = bool(tx.run(statement, params))
    if changed:
        checksums.renew(tx, checksums.INBOX, row.callback.id)
    return changed


def revive(tx: Tx, id_: int) -> None:
    """Make a callback due again, with no tries counted."""
    if tx.run(_REVIVE, {"tenant": tx.tenant, "id": id_, "at": tx.at}):
        checksums.renew(tx, checksums.INBOX, id_)


def dismiss(tx: Tx, id_: int, reason: str) -> bool:
    """Dismiss a stuck callback for a *reason*; return False if it is not stuck."""
    params = {"tenant": tx.tenant, "id": id_, "at": tx.at, "actor": tx.actor, "reason": reason}
    dismissed = bool(tx.run(_DISMISS, params))
    if dismissed:
        checksums.renew(tx, checksums.INBOX, id_)
    return dismissed


def keep_reply(tx: Tx, id_: int, reply: str) -> None:
    """Store our reply, to be sent again if the callback is repeated."""
    tx.execute(_KEEP_REPLY, {"id": id_, "reply": reply})
    checksums.renew(tx, checksums.INBOX, id_)


def reseal_page(tx: Tx, after: int, limit: int) -> tuple[int, int, int]:
    """
    Encrypt raw callbacks after id *after* under the first key, at most *limit*.

    Return the same as `methods.reseal_page`. A callback that none of the keys decrypts is left
    unchanged: it is evidence only, and no payment depends on it.
    """
    vault = vault_of(tx)
    rows = tx.all(_SEALED, {"tenant": tx.tenant, "after": after, "limit": limit})
    changed = 0
    for row in rows:
        try:
            owner = _owner(row["account"], row["event_id"])
            raw = vault.reseal(row["raw_encrypted"], of=owner)
        except TokenUnreadable:
            continue
        if raw is not None:
            changed += tx.run(_RESEAL, {"id": row["id"], "raw": raw})
    return (rows[-1]["id"] if rows else after, len(rows), changed)


def _owner(account: str, event_id: str) -> str:
    """Return the owner that is encrypted with a callback; an event id may be any text."""
    return f"callback {hashlib.sha256(json.dumps([account, event_id]).encode()).hexdigest()}"


def _sealed(
    tx: Tx, account: str, event_id: str, headers: Mapping[str, str], body: bytes
) -> bytes | None:
    """Return the encrypted callback; None if its body is empty, or without token keys."""
    if tx.vault is None or not body:
        return None
    raw = {"headers": dict(headers), "body": base64.b64encode(body).decode()}
    return tx.vault.seal(Secret(json.dumps(raw)), of=_owner(account, event_id))


def _opened(tx: Tx, row: Row) -> StoredCallback:
    """Return the callback of a row, with its raw body if one of the keys decrypts it."""
    found = inbox_row_of(row).callback
    if row["raw_encrypted"] is None or tx.vault is None:
        return found
    try:
        raw = tx.vault.open(row["raw_encrypted"], of=_owner(found.account, found.event_id))
    except TokenUnreadable:
        return found
    return replace(found, body=base64.b64decode(json.loads(raw.reveal())["body"]))


def inbox_row_of(row: Row) -> InboxRow:
    """Return the callback of a row, without its raw body."""
    return InboxRow(
        StoredCallback(
            id=row["id"],
            account=row["account"],
            event_id=row["event_id"],
            type=row["type"],
            state=InboxState(row["state"]),
            received_at=read_instant(row["received_at"]),
            digest=row["body_digest"],
            tries=row["tries"],
            times=row["times"],
            next_try_at=read_instant_or_none(row["next_try_at"]),
            applied_at=read_instant_or_none(row["applied_at"]),
            error=row["error"],
            dismissed_by=row["dismissed_by"],
            dismissed_for=row["dismissed_for"],
        ),
        row["digest"],
        row["notice"],
        row["reply"],
    )
