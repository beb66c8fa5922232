"""Dismiss: a person has looked at a callback that cannot be applied; nothing is to be done.

Some callbacks never can be: they are about an order of the shop that used the account before.
They would need a person forever. Dismissing one ends that and changes nothing else: who did it
and why stays with it and in an event, and a replay takes it back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.domain.callback import InboxState
from paygate.errors import InvalidValue, NothingToDismiss
from paygate.ledger import inbox
from paygate.service import notices, told
from paygate.service.flow import Flow, transact
from paygate.service.unasked import movements_of

if TYPE_CHECKING:
    from paygate.domain.callback import StoredCallback
    from paygate.ledger.tx import Tx


def dismiss(id_: int, *, reason: str) -> Flow[StoredCallback]:
    """Record that nothing is to be done about a callback; again, it returns what is there."""
    return (yield from transact(lambda tx: dismiss_in(tx, id_, reason)))


def dismiss_in(tx: Tx, id_: int, reason: str) -> StoredCallback:
    """Record that nothing is to be done about a callback, in this transaction."""
    if not reason.strip():
        raise InvalidValue(
            "say why nothing is to be done: reason='an order of the old shop, refunded there'",
            argument="reason",
        )
    row = told.find(tx, id_)
    state = row.callback.state
    if state is InboxState.DISMISSED:
        return row.callback
    if not inbox.dismiss(tx, id_, reason):
        raise NothingToDismiss(
            f"callback {id_} is {state}; only one that is orphan, failed or conflicted needs a "
            "person",
            callback=id_,
            state=state.value,
        )
    moved = [each.movement_id for each in movements_of(notices.read_notice(row.notice))]
    told.emit(tx, "callback.dismissed", row, reason, was=state.value, movements=moved)
    return told.find(tx, id_).callback
