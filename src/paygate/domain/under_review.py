"""The rule that decides for which reasons a payment needs manual review."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from paygate.domain.attempt import AttemptState
from paygate.domain.kind import Operation
from paygate.domain.payment import PaymentStatus
from paygate.domain.review import REVIEWS, Review, ReviewCause

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def reviews_of(
    *,
    status: PaymentStatus,
    conflicted: bool,
    waits: bool,
    waits_foreign: bool,
    can_void: bool,
    flagged: Sequence[FlaggedAttempt],
    causes: Iterable[str],
) -> tuple[Review, ...]:
    """
    Return all reviews that a payment is under, beginning with those about its money.

    *waits* and *waits_foreign* say whether money, in its own or another currency, waits for a
    decision; *can_void* that its gateway can void.
    """
    found: list[Review] = []
    if conflicted:
        of_money = _of(ReviewCause.FOREIGN_MONEY if waits_foreign else ReviewCause.OTHER_MONEY)
        waiting = waits or waits_foreign
        found.append(of_money if waiting else _of_conflict(status, can_void=can_void))
    for each in flagged:
        # The conflict is about an amount that is held, or about money that came in.
        ended = each.state.final and not each.late_pending
        over = ended or each.state is AttemptState.AUTHORIZED
        if conflicted and over and each.operation in _OF_MONEY:
            continue
        found.append(_of(_cause_of(each, ended=ended), each.operation, each.id))
    found += [_of(_cause_named(each)) for each in causes]
    return tuple(found)


@dataclass(frozen=True, slots=True)
class FlaggedAttempt:
    """An attempt that is flagged for manual review."""

    id: str
    operation: Operation
    state: AttemptState
    late_pending: bool


_OF_ENDED: Final = {
    Operation.REFUND: ReviewCause.REFUND,
    Operation.CAPTURE: ReviewCause.CAPTURE,
    Operation.VOID: ReviewCause.VOID,
}
_OF_MONEY: Final = (Operation.CHARGE, Operation.AUTHORIZE, Operation.CAPTURE, Operation.COMPLETE)


def _of(cause: ReviewCause, operation: Operation | str = "", attempt: str = "") -> Review:
    reason, verbs = REVIEWS[cause]
    return Review(cause, reason.format(operation=operation), verbs, attempt)


def _of_conflict(status: PaymentStatus, *, can_void: bool) -> Review:
    """Return the review of a conflict in which no money waits for a decision."""
    if status is not PaymentStatus.AUTHORIZED:
        return _of(ReviewCause.CONTRADICTION)
    held = _of(ReviewCause.OTHER_HOLD)
    return held if can_void else Review(held.cause, held.reason, ("resolve",))


def _cause_of(of: FlaggedAttempt, *, ended: bool) -> ReviewCause:
    if of.state.in_doubt:
        return ReviewCause.IN_DOUBT
    if of.state is AttemptState.AUTHORIZED:
        return ReviewCause.HOLD
    if not ended:
        return ReviewCause.UNDECIDED
    if of.state is not AttemptState.SUCCEEDED:
        return ReviewCause.LATE_REPORT
    return _OF_ENDED.get(of.operation, ReviewCause.LATE_REPORT)


def _cause_named(cause: str) -> ReviewCause:
    """Return the cause in a row of the ledger, which may name its subject after a colon."""
    name = cause.partition(":")[0].replace("-", "_")
    known = name in ReviewCause.__members__.values()
    return ReviewCause(name) if known else ReviewCause.CONTRADICTION
