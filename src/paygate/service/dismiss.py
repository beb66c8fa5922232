"""Dismiss: close a callback that cannot be applied, after somebody has looked at it.

Some callbacks can never be applied: they are about an order of the shop that used the account
before, and would stay flagged forever. Dismissing one ends that and changes nothing else. The actor
and the reason are kept with it and in an event, and a replay takes it back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.domain.callback import InboxState
from paygate.errors import InvalidValue, NothingToDismiss
from paygate.ledger import holding, inbox
from paygate.service import intake, notices
from paygate.service.flow import Flow, transact
from paygate.service.unasked import movements_of

if TYPE_CHECKING:
    from paygate.domain.callback import StoredCallback
    from paygate.ledger.tx import Tx


def dismiss(id_: int, *, reason: str) -> Flow[StoredCallback]:
    """Dismiss a callback, and return it; repeating this changes nothing."""
    return (yield from transact(lambda tx: dismiss_in(tx, id_, reason)))


def dismiss_in(tx: Tx, id_: int, reason: str) -> StoredCallback:
    """Dismiss a callback in this transaction."""
    if not reason.strip():
        raise InvalidValue(
            "give the reason to dismiss it: reason='an order of the old shop, refunded there'",
            argument="reason",
        )
    holding.hold_callback(tx, id_)
    row = intake.find(tx, id_)
    state = row.callback.state
    if state is InboxState.DISMISSED:
        return row.callback
    if not inbox.dismiss(tx, id_, reason):
        raise NothingToDismiss(
            f"callback {id_} is {state}; only orphan, failed and conflicted callbacks can be "
            "dismissed",
            callback=id_,
            state=state.value,
        )
    moved = [each.movement_id for each in movements_of(notices.read_notice(row.notice))]
    intake.emit(tx, "callback.dismissed", row, reason, was=state.value, movements=moved)
    return intake.find(tx, id_).callback
