"""The inbox: what processors told us, kept before anything is made of it, once per fact.

A callback may carry the token of a stored method, and no driver can promise that
it does not. So what came word for word goes through the vault; without a vault
only the digest of the body is kept. What is applied, now or in a replay, is the
notice that was read when the signature held, and that holds no token.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from paygate.domain.callback import InboxState, StoredCallback
from paygate.domain.secret import Secret
from paygate.errors import TokenUnreadable
from paygate.ledger import checksums, paging
from paygate.ledger.codec import read_instant, read_instant_or_none, write_instant
from paygate.ledger.methods import vault_of
from paygate.ledger.tx import in_turns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
# One that waits is applied for all that came meanwhile. One that was applied is applied again.
_HEAR_AGAIN = """
UPDATE paygate_inbox SET times = times + 1, state = 'new', applied_at = NULL,
  tries = CASE state WHEN 'new' THEN tries ELSE 0 END,
  error = CASE state WHEN 'new' THEN error ELSE '' END,
  dismissed_by = '', dismissed_for = '',
  next_try_at = CASE state WHEN 'new' THEN next_try_at ELSE :at END
WHERE id = :id
"""
_BY_ID = "SELECT * FROM paygate_inbox WHERE tenant = :tenant AND id = :id"
_DUE = """
SELECT id, length(notice) AS length FROM paygate_inbox
WHERE tenant = :tenant AND account = :account AND next_try_at <= :at
ORDER BY next_try_at, id LIMIT :limit
"""
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
# Whoever comes second finds nothing to do: the first one's transaction has ended it. What came
# again while it was being applied is not ended: nobody has looked since.
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


_LONG: Final = 4000
"""What is longer than this tells of about twenty movements or more."""


@dataclass(frozen=True, slots=True)
class InboxRow:
    """What is in the inbox, with what it says and what was replied."""

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
    """Write what was told, to be applied; or not, if it *conflicts_with* what is there."""
    error = ""
    if conflicts_with is not None:
        error = f"callback {conflicts_with} told the same event with other contents"
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
    tx.run(_INSERT, params)
    [row] = [row for row in by_event(tx, account, event_id) if row.digest == digest]
    checksums.renew(tx, checksums.INBOX, row.callback.id)
    return row


def by_event(tx: Tx, account: str, event_id: str) -> list[InboxRow]:
    """Return what an account told under its own id of an event, the first one first."""
    params = {"tenant": tx.tenant, "account": account, "event_id": event_id}
    return [inbox_row_of(row) for row in tx.all(_BY_EVENT, params)]


def by_body(tx: Tx, account: str, body: bytes) -> InboxRow | None:
    """Return what an account told in just these bytes, the last of it."""
    digest = hashlib.sha256(body).hexdigest()
    row = tx.one(_BY_BODY, {"tenant": tx.tenant, "account": account, "digest": digest})
    return None if row is None else inbox_row_of(row)


def hear_again(tx: Tx, row: InboxRow) -> InboxRow:
    """Let a hint that came again be applied: with the one that waits, or once more."""
    tx.run(_HEAR_AGAIN, {"id": row.callback.id, "at": tx.at})
    checksums.renew(tx, checksums.INBOX, row.callback.id)
    again = by_id(tx, row.callback.id)
    assert again is not None, "nothing is deleted from the inbox"
    return again


def by_id(tx: Tx, id_: int) -> InboxRow | None:
    """Read one row."""
    row = tx.one(_BY_ID, {"tenant": tx.tenant, "id": id_})
    return None if row is None else inbox_row_of(row)


def due(tx: Tx, accounts: Sequence[str], limit: int) -> list[int]:
    """
    Return what *accounts* told that wants to be applied now.

    The accounts take turns. What tells of many movements takes long, and comes after all others.
    """
    queues = [
        tx.all(_DUE, {"tenant": tx.tenant, "account": account, "at": tx.at, "limit": limit})
        for account in accounts
    ]
    rows = in_turns(queues)[:limit]
    return [int(row["id"]) for row in sorted(rows, key=lambda row: int(row["length"]) > _LONG)]


def unattended(tx: Tx, before: datetime) -> dict[str, tuple[int, datetime]]:
    """Return what wanted to be applied *before* an instant: how many by account, since when."""
    rows = tx.all(_UNATTENDED, {"tenant": tx.tenant, "before": write_instant(before)})
    return {row["account"]: (row["callbacks"], read_instant(row["since"])) for row in rows}


def page(
    tx: Tx, which: Page, *, state: InboxState | None = None, account: str | None = None
) -> list[StoredCallback]:
    """Read a page of what was told, by when it came, word for word; None asks for all."""
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
    """Write what became of *row*; false if somebody else has, or if it came again since."""
    params = {
        "id": row.callback.id,
        "times": row.callback.times,
        "state": state.value,
        "at": tx.at,
        "error": error,
    }
    return _changed(tx, row, _END, params)


def wait(tx: Tx, row: InboxRow, again: datetime, error: str, *, counts: bool = True) -> bool:
    """Try it again at the instant *again*; one that *counts* brings it nearer to its last try."""
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
    """Let it be applied again, from the beginning."""
    if tx.run(_REVIVE, {"tenant": tx.tenant, "id": id_, "at": tx.at}):
        checksums.renew(tx, checksums.INBOX, id_)


def dismiss(tx: Tx, id_: int, reason: str) -> bool:
    """Write that a person has seen that nothing is to be done about one that is stuck."""
    params = {"tenant": tx.tenant, "id": id_, "at": tx.at, "actor": tx.actor, "reason": reason}
    dismissed = bool(tx.run(_DISMISS, params))
    if dismissed:
        checksums.renew(tx, checksums.INBOX, id_)
    return dismissed


def keep_reply(tx: Tx, id_: int, reply: str) -> None:
    """Keep what we replied, for whoever asks again."""
    tx.run(_KEEP_REPLY, {"id": id_, "reply": reply})
    checksums.renew(tx, checksums.INBOX, id_)


def reseal_page(tx: Tx, after: int, limit: int) -> tuple[int, int, int]:
    """
    Put what came behind *after* under the first key, at most *limit*.

    Tells as `methods.reseal_page` does. What none of the keys opens stays as it is:
    it is evidence, which no payment waits for.
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
    """Name the callback that is sealed in; a processor's id of an event may be any text."""
    return f"callback {hashlib.sha256(json.dumps([account, event_id]).encode()).hexdigest()}"


def _sealed(
    tx: Tx, account: str, event_id: str, headers: Mapping[str, str], body: bytes
) -> bytes | None:
    """Encrypt what came; None where nothing came, or where there is no key."""
    if tx.vault is None or not body:
        return None
    raw = {"headers": dict(headers), "body": base64.b64encode(body).decode()}
    return tx.vault.seal(Secret(json.dumps(raw)), of=_owner(account, event_id))


def _opened(tx: Tx, row: Row) -> StoredCallback:
    """Read a callback, with what came where one of the keys opens it."""
    told = inbox_row_of(row).callback
    if row["raw_encrypted"] is None or tx.vault is None:
        return told
    try:
        raw = tx.vault.open(row["raw_encrypted"], of=_owner(told.account, told.event_id))
    except TokenUnreadable:
        return told
    return replace(told, body=base64.b64decode(json.loads(raw.reveal())["body"]))


def inbox_row_of(row: Row) -> InboxRow:
    """Read what is in the inbox from its row, without what came word for word."""
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
