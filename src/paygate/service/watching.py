"""Watching: when to inquire again about an attempt, and when to flag it for review.

No attempt fails merely because time has passed. An attempt in doubt is inquired about by the plan
of its account; an accepted one until it is overdue; a page until long after its expiry. Only when
inquiries no longer help is the attempt flagged, and then its state stays. An inquiry without an
answer does not count, unless there is no answer for the length of the whole plan.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from paygate.domain.attempt import AttemptState
from paygate.domain.decide import Absence, Source
from paygate.domain.kind import Operation
from paygate.domain.outcome import ActionRequired, Authorized, NotFound, Pending

if TYPE_CHECKING:
    from datetime import datetime

    from paygate.domain.decide import Changes
    from paygate.domain.outcome import Answer
    from paygate.ledger.attempts import AttemptRow
    from paygate.ledger.tx import Tx
    from paygate.service.account import Timing
    from paygate.service.reading import AnswerSource

ABOUT_PAGE: Final = (Operation.COMPLETE, Operation.WITHDRAW)
"""Operations on a page; the outcome of the page shows on the attempt that opened it."""


def waits_late(before: AttemptRow, changes: Changes) -> bool:
    """Return whether money is on its way to an attempt that has ended."""
    return (before.late_pending or changes.hold_late) and not changes.let_go


def _is_accepted(before: AttemptRow, changes: Changes) -> bool:
    """
    Return whether the gateway has accepted the attempt, and its outcome is still to come.

    The outcome of a completion or withdrawal shows on its page, which is watched separately.
    """
    if before.attempt.operation in ABOUT_PAGE:
        return False
    state = changes.state or before.attempt.state
    return state is AttemptState.PENDING or waits_late(before, changes)


def overdue_at(
    tx: Tx, before: AttemptRow, changes: Changes, answer: Answer, timing: Timing
) -> datetime | None:
    """Return when an accepted attempt is flagged; None if no outcome is awaited."""
    if not _is_accepted(before, changes):
        return None
    begins = changes.state is AttemptState.PENDING or changes.hold_late
    if begins or before.overdue_at is None:
        expected = answer.expected_at if isinstance(answer, Pending) else None
        return max(tx.now, expected or tx.now) + timing.pending_watch
    # It is flagged now; if the review leaves it unchanged, it is flagged again later.
    over = tx.now >= before.overdue_at
    return tx.now + timing.pending_watch if over else before.overdue_at


def _is_overdue(tx: Tx, before: AttemptRow, changes: Changes) -> bool:
    """Return whether an accepted attempt has been undecided for too long."""
    if changes.hold_late or before.overdue_at is None or not _is_accepted(before, changes):
        return False
    return tx.now >= before.overdue_at


def waits_for_person(before: AttemptRow, changes: Changes) -> bool:
    """Return whether the attempt is flagged for review."""
    if not before.attempt.payment and (changes.state or before.attempt.state).final:
        return False  # storing or deleting a method has ended, and nothing is left to decide
    if changes.review:
        return True
    return before.attempt.needs_review and not found_out(before, changes)


def found_out(before: AttemptRow, changes: Changes) -> bool:
    """Return whether this ends a doubt, so that its review is no longer needed."""
    state = changes.state
    if changes.let_go:
        return True
    if state is None or state.in_doubt:
        return False
    if before.attempt.state in (AttemptState.PENDING, AttemptState.REQUIRES_ACTION):
        return state.final  # reports about an earlier try no longer matter
    return before.attempt.state.in_doubt


def absences(before: AttemptRow, answer: Answer, reading: AnswerSource) -> int:
    """Return how many inquiries in a row did not find it, not counting those made too early."""
    if not reading.answered:
        return before.absences
    counts = isinstance(answer, NotFound) and reading.absence is not Absence.WAIT
    return before.absences + 1 if counts else 0


def checks(tx: Tx, before: AttemptRow, reading: AnswerSource) -> int:
    """Return how often the outcome was asked for, by inquiry or by repeating the request."""
    repeated = reading.source is Source.RESPONSE and before.sends > 1
    asked = reading.source is Source.INQUIRY and reading.answered and not _ahead_of_plan(tx, before)
    return before.attempt.checks + (asked or repeated)


def _ahead_of_plan(tx: Tx, before: AttemptRow) -> bool:
    """Return whether this planned inquiry was counted already, perhaps by another process."""
    return before.attempt.next_check_at is not None and tx.now < before.attempt.next_check_at


def given_up(
    tx: Tx,
    before: AttemptRow,
    changes: Changes,
    reading: AnswerSource,
    next_check_at: datetime | None,
) -> Changes:
    """Return *changes*, with a review if inquiries no longer help and the state is not final."""
    state = changes.state or before.attempt.state
    if before.attempt.needs_review:
        return changes
    if state.in_doubt and (next_check_at is None or _nobody_answers(tx, before, reading)):
        text = "its outcome could not be determined; ask the processor and resolve it"
    elif _is_overdue(tx, before, changes):
        text = "it was accepted, but its outcome is not reported; ask the processor and resolve it"
    elif _is_left_to_people(before, changes, reading):
        text = "money is on its way to a payment that had ended; ask the processor and resolve it"
    elif next_check_at is None and _page_over(tx, before, changes, reading.timing):
        text = "the page is still open after its expiry; withdraw it, or resolve it"
    else:
        return changes
    return replace(changes, review=changes.review or text)


def _is_left_to_people(before: AttemptRow, changes: Changes, reading: AnswerSource) -> bool:
    """Return whether money is on its way after the end, and from now on nobody inquires."""
    if reading.can_inquire or not waits_late(before, changes):
        return False
    # A later report does not repeat the review: the next one is when it is overdue.
    return changes.hold_late or before.attempt.next_check_at != before.overdue_at


def _nobody_answers(tx: Tx, before: AttemptRow, reading: AnswerSource) -> bool:
    """Return whether inquiries have had no answer for the length of the whole plan."""
    waited = tx.now - before.attempt.created_at
    return not reading.answered and waited >= reading.timing.plan_length


def _page_over(tx: Tx, before: AttemptRow, changes: Changes, timing: Timing) -> bool:
    """Return whether a page has been watched until long after its expiry."""
    state = changes.state or before.attempt.state
    if state is not AttemptState.REQUIRES_ACTION:
        return False
    expires_at = changes.expires_at or before.expires_at
    if expires_at is None:
        expires_at = before.attempt.created_at + timing.page_life
    return tx.now >= expires_at + timing.page_watch


def next_check(
    tx: Tx,
    before: AttemptRow,
    changes: Changes,
    answer: Answer,
    reading: AnswerSource,
    overdue: datetime | None,
) -> datetime | None:
    """Return when to inquire next; None if nothing is expected, or a review is needed."""
    state = changes.state or before.attempt.state
    asked = checks(tx, before, reading)
    late = waits_late(before, changes)
    if not reading.can_inquire and (state is AttemptState.PENDING or late):
        return overdue  # the gateway has no inquiry, so it is looked at when it is overdue
    if (state.final and not late) or not reading.can_inquire:
        return None
    if changes.hold_late:
        # The report may be outdated, so inquire soon about what it makes us hold.
        return tx.now + reading.timing.plan[0]
    timing = reading.timing
    if _page_over(tx, before, changes, timing):
        return None
    if state.in_doubt:
        # Repeated requests, sent instead of inquiries, follow the plan as well.
        asked = max(asked, before.sends - 1)
        if not reading.answered:
            return tx.now + timing.pause(asked, tx.now - before.attempt.created_at)
        return tx.now + timing.plan[asked] if asked < len(timing.plan) else None
    expected: datetime | None = None
    if isinstance(answer, Pending):
        expected = answer.expected_at
    elif isinstance(answer, ActionRequired | Authorized):
        expected = answer.expires_at
    pause = timing.waiting
    if reading.polled and state is AttemptState.REQUIRES_ACTION:
        pause = min(pause, timing.pause(0, tx.now - before.attempt.created_at))
    soonest = tx.now + pause
    # An overdue one is inquired about at the usual pace, not at every pass.
    return expected if expected is not None and tx.now < expected < soonest else soonest
