"""Arrivals of notices: each reported fact is stored once, before it is interpreted.

A processor's event id names one fact. So the same id with the same contents is a repetition, which
changes nothing. The same id with other contents contradicts the first: both cannot be the fact that
the id names. The second is stored as conflicted, for manual review, and an event reports it. The
contents are compared as the driver reads them, since processors vary the bytes of a repetition.

A hint without proof is not a fact. It causes one inquiry for all hints that come while it waits;
after that inquiry, the next hint causes another.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from paygate.domain.callback import InboxState
from paygate.domain.outcome import Approved, Authorized, Declined, Rejected, Unknown
from paygate.errors import RecordNotFound
from paygate.gateway import CallbackProof
from paygate.ledger import holding, inbox, outbox
from paygate.service import notices

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from paygate.gateway import Callback, Notice
    from paygate.ledger.inbox import InboxRow
    from paygate.ledger.tx import Tx
    from paygate.service.account import GatewayAccount


# A recorded request must not become a way to sign in.
_NOT_KEPT: Final = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key"})


@dataclass(frozen=True, slots=True)
class Kept:
    """The row of a notice in the inbox, and whether it is `new`."""

    row: InboxRow
    new: bool = False

    @property
    def conflicted(self) -> bool:
        """Return whether it contradicts an earlier notice, so that it needs manual review."""
        return self.row.callback.state is InboxState.CONFLICTED


def keep(
    tx: Tx,
    account: GatewayAccount,
    event_id: str,
    notice: Notice,
    *,
    headers: Mapping[str, str],
    body: bytes,
    received_at: datetime,
    proven: bool,
) -> Kept:
    """Store *notice* under *event_id*, unless it is there; *proven* if it is authenticated."""
    holding.hold_notices(tx, account.name, (event_id,))
    stored = storable(notice, account)
    unproven = not proven and not _says(stored)
    digest = notices.digest_of_names(stored) if unproven else notices.digest_of(stored)
    before = inbox.by_event(tx, account.name, event_id)
    bytes_digest = hashlib.sha256(body).hexdigest() if body else ""
    for row in before:
        if row.digest == digest or (body and row.callback.digest == bytes_digest):
            return Kept(inbox.repeat(tx, row) if unproven else row)
    conflicted = bool(before) and not unproven
    row = inbox.insert(
        tx,
        account=account.name,
        event_id=event_id,
        type_=notice.type,
        digest=digest,
        headers=headers,
        body=body,
        notice=notices.write_notice(stored),
        received_at=received_at,
        conflicts_with=before[0].callback.id if conflicted else None,
    )
    if conflicted:
        emit(tx, "callback.conflicted", row, row.callback.error)
    return Kept(row, new=True)


def keep_callback(
    tx: Tx, account: GatewayAccount, event_id: str, notice: Notice, callback: Callback
) -> Kept:
    """Store a *notice* of *callback* under *event_id*, unless it is there."""
    headers = {name: text for name, text in callback.headers.items() if name not in _NOT_KEPT}
    headers |= {":method": callback.method, ":path": callback.path, ":query": callback.query}
    return keep(
        tx,
        account,
        event_id,
        notice,
        headers=account.hidden.blot(headers),
        body=callback.body,
        received_at=callback.received_at,
        proven=account.traits.callback_proof is not CallbackProof.NONE,
    )


def find(tx: Tx, id_: int) -> InboxRow:
    """Return a callback by its number, or raise `RecordNotFound`."""
    row = inbox.by_id(tx, id_)
    if row is None:
        raise RecordNotFound(f"there is no callback {id_} in this ledger")
    return row


def storable(notice: Notice, account: GatewayAccount) -> Notice:
    """
    Return *notice* without what the inbox must not keep.

    A notice with the token of a stored method becomes a hint, because the inbox keeps no secrets.
    Messages of the processor are removed, because they may name the payer; codes suffice to apply
    the notice.
    """
    match notice.answer:
        case Approved() | Authorized() as answer if answer.method and account.inquirer:
            return replace(notice, answer=None)
        case Declined() | Rejected() as answer if answer.message:
            return replace(notice, answer=replace(answer, message=""))
        case Unknown() as answer if answer.reason:
            return replace(notice, answer=replace(answer, reason=""))
        case _:
            return notice


def _says(notice: Notice) -> bool:
    """Return whether *notice* says what happened; a driver has that from the processor itself."""
    answered = notice.answer is not None or notice.method is not None
    return bool(answered or notice.movements or notice.disputes)


def emit(tx: Tx, type_: str, row: InboxRow, reason: str, **more: object) -> None:
    """Emit an event about a callback that needs, or had, manual review."""
    callback = row.callback
    outbox.emit(
        tx,
        type_,
        f"callbacks:{callback.account}",
        {
            "callback": callback.id,
            "account": callback.account,
            "event_id": callback.event_id,
            "type": callback.type,
            "reason": reason,
            **more,
        },
    )
