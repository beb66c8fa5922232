"""Announcing: the events of a merged answer, by operation and state."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from paygate.domain.attempt import AttemptState
from paygate.domain.kind import Operation
from paygate.domain.payment import PaymentStatus
from paygate.service import events
from paygate.service.watching import ABOUT_PAGE

if TYPE_CHECKING:
    from paygate.domain.decide import Changes
    from paygate.domain.payment import Payment
    from paygate.ledger.attempts import AttemptRow
    from paygate.ledger.tx import Tx


_ENDS_HOLD = ("payment.declined", "payment.failed", "payment.canceled", "payment.expired")


_EVENTS_AFTER: dict[Operation, tuple[str, str]] = {
    Operation.CAPTURE: ("payment.captured", "payment.capture_failed"),
    Operation.VOID: ("payment.voided", "payment.void_failed"),
    Operation.REFUND: ("payment.refunded", "payment.refund_failed"),
}


_EVENT_OF: dict[AttemptState, str] = {
    AttemptState.UNKNOWN: "payment.unknown",
    AttemptState.REQUIRES_ACTION: "payment.requires_action",
    AttemptState.PENDING: "payment.pending",
    AttemptState.AUTHORIZED: "payment.authorized",
    AttemptState.SUCCEEDED: "payment.succeeded",
    AttemptState.DECLINED: "payment.declined",
    AttemptState.FAILED: "payment.failed",
    AttemptState.CANCELED: "payment.canceled",
    AttemptState.EXPIRED: "payment.expired",
}


def announce(
    tx: Tx, before: AttemptRow, payment: Payment, found: Payment, changes: Changes
) -> None:
    """Emit what changed; *found* is the payment after the change, *payment* before it."""
    now = found
    if (found.code, found.raw_code, found.reason) != (
        changes.code,
        changes.raw_code,
        changes.reason,
    ):
        now = replace(found, code=changes.code, raw_code=changes.raw_code, reason=changes.reason)
    about = before.in_log
    event = _event(before, now, changes)
    if event:
        movements = [each.movement_id for each in changes.book]
        facts: dict[str, object] = {"movements": movements} if movements else {}
        if changes.seen is not None:
            facts["seen_minor"] = changes.seen.minor
        events.emit(tx, event, now, about, amount_minor=before.attempt.amount.minor, **facts)
    if changes.seen is not None and changes.seen != payment.seen:
        events.emit(tx, "payment.seen", now, about, seen_minor=changes.seen.minor)
    _announce_flags(tx, before, payment, now, changes)


def _event(before: AttemptRow, now: Payment, changes: Changes) -> str:
    """Return the event for the new state of the attempt, or ""."""
    if changes.state is None and changes.action is not None:
        return "payment.requires_action"
    event = _event_of(before.attempt.operation, changes.state)
    if event in _ENDS_HOLD and now.status is PaymentStatus.SUCCEEDED:
        return "payment.rest_released"  # what was captured before stays
    return event


def _announce_flags(
    tx: Tx, before: AttemptRow, payment: Payment, now: Payment, changes: Changes
) -> None:
    """Emit what happened in addition to the new state, and what needs manual review."""
    about = before.in_log
    if changes.late:
        events.emit(tx, "payment.late_success", now, about)
    if changes.tried:
        events.emit(tx, "payment.declined_try", now, about)
    if conflicts(changes):
        events.emit(tx, "payment.conflicted", now, about, reason=changes.review)
    elif changes.review and not payment.needs_review:
        events.emit(tx, "payment.needs_review", now, about, reason=changes.review)
    for text in changes.alerts:
        events.alert(tx, now, text, about)
    if changes.log:
        tx.log("merge.noted", changes.log, about)


def conflicts(changes: Changes) -> bool:
    """Return whether money arrived that needs a manual decision."""
    return changes.conflict or bool(changes.held)


def _event_of(operation: Operation, state: AttemptState | None) -> str:
    """Return the event for an attempt of *operation* that reaches *state*, or ""."""
    if state is None or operation in ABOUT_PAGE:
        return ""  # the result shows on the main attempt of the payment
    if operation in (Operation.CHARGE, Operation.AUTHORIZE) or state is AttemptState.UNKNOWN:
        return _EVENT_OF[state]
    done, failed = _EVENTS_AFTER.get(operation, ("", ""))
    if state is AttemptState.SUCCEEDED:
        return done
    return failed if state.final else ""
