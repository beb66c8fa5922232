"""Results: the state of an operation on a payment, apart from the status of the payment.

A payment's status says how its money was collected. It does not change if a refund fails, or if
it is not known yet whether a capture took place. So that is a result of its own: one state,
derived from the attempts that were stored for the operation. A refund of several captures has
several attempts, and its state is the least certain of theirs: nobody may conclude that all of it
was sent back while a part is in doubt.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from paygate.domain.attempt import NOT_FINISHED, AttemptState
from paygate.domain.decide import other_amount
from paygate.domain.kind import Operation
from paygate.domain.money import Money
from paygate.domain.payment import PaymentStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from paygate.domain.attempt import Attempt
    from paygate.domain.payment import Payment


class OperationState(StrEnum):
    """The state of a refund, capture, cancellation, completion or withdrawal."""

    SUCCEEDED = "succeeded"
    """It was done: no less money moved than was requested."""

    PARTLY_SUCCEEDED = "partly_succeeded"
    """Less moved than was requested, for example if one part of a refund was declined."""

    PENDING = "pending"
    """The processor accepted it; the outcome is known later."""

    UNKNOWN = "unknown"
    """It may or may not have been done; `recover` finds out. Do not repeat it with another key."""

    REQUIRES_ACTION = "requires_action"
    """The payer has not finished: `Payment.action` says what to do."""

    DECLINED = "declined"
    """The bank, or the processor's risk rules, said no; nothing was done."""

    FAILED = "failed"
    """The processor rejected the request, or it was never sent; nothing was done."""

    @property
    def failed(self) -> bool:
        """Whether nothing was done, and nothing more is expected."""
        return self in (OperationState.DECLINED, OperationState.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationResult:
    """
    The result of a refund, capture, cancellation, completion or withdrawal.

    `state` is its state, and `payment` the payment after it. `operation` is
    the requested operation: a `cancel` is a withdrawal, a void or a refund. `amount` was
    requested; `succeeded` is what moved, `under_way` what may still move. If a processor moved
    another amount than requested, `code` is ``other_amount``, and the payment is under review.
    Otherwise `code`, `raw_code` and `reason` say why it was not done, or why that is not known;
    `retryable` says that the same can be requested again, with a new key.

    `attempts` are its requests, the oldest first. It is empty if the operation was already over
    before this call: a callback was faster than the payer, or the page had already been
    withdrawn. `repeated` says that this call sent nothing, because the key was used before or
    the operation was over: the result is that of the first time.
    """

    payment: Payment
    operation: Operation
    state: OperationState
    amount: Money
    succeeded: Money
    under_way: Money
    code: str = ""
    raw_code: str = ""
    reason: str = ""
    retryable: bool = False
    attempts: tuple[Attempt, ...] = ()
    repeated: bool = field(default=False, compare=False)

    def __repr__(self) -> str:
        """Return the facts that matter most, on a line, and nothing about the payer."""
        of = f"{self.operation} {self.state}, {self.succeeded} of {self.amount}"
        return f"<OperationResult {of}: {self.payment!r}>"

    @property
    def ok(self) -> bool:
        """Whether all of it was done."""
        return self.state is OperationState.SUCCEEDED


def result_of(
    payment: Payment,
    operation: Operation,
    attempts: Sequence[Attempt],
    *,
    moved: Mapping[str, Money] | None = None,
    repeated: bool,
) -> OperationResult:
    """
    Return the result of *operation*, which consists of *attempts* under *payment*.

    *moved* is what moved under an attempt, by its id, if anything is booked for it.
    """
    if not attempts:
        return _over_before(payment, operation)
    states = [_state_of(attempt) for attempt in attempts]
    state = _least_certain(states)
    partly = state is OperationState.PARTLY_SUCCEEDED
    why = next(
        attempt
        for each, attempt in zip(states, attempts, strict=True)
        if (each.failed if partly else each is state)
    )
    result = OperationResult(
        payment=payment,
        operation=operation,
        state=state,
        amount=_sum(payment, attempts, states, OperationState),
        succeeded=_sum(payment, attempts, states, (OperationState.SUCCEEDED,), moved),
        under_way=_sum(payment, attempts, states, _UNDER_WAY),
        code=why.code or _NAMELESS.get(why.state, ""),
        raw_code=why.raw_code,
        reason=why.reason,
        retryable=why.retryable,
        attempts=tuple(attempts),
        repeated=repeated,
    )
    whole = state is OperationState.SUCCEEDED
    return _of_other_amount(result) if whole and result.succeeded != result.amount else result


def _of_other_amount(result: OperationResult) -> OperationResult:
    """Return *result* with the code that another amount moved than was requested."""
    less = result.succeeded < result.amount
    return replace(
        result,
        state=OperationState.PARTLY_SUCCEEDED if less else result.state,
        code=OTHER_AMOUNT,
        reason=other_amount(result.operation, result.amount, result.succeeded),
    )


def _over_before(payment: Payment, operation: Operation) -> OperationResult:
    """Return the result of an operation that sent nothing, because it was already over."""
    state, came = OperationState.SUCCEEDED, payment.amount
    if operation is Operation.COMPLETE:
        state = _STATE_OF.get(payment.status, OperationState.SUCCEEDED)
        if payment.status is PaymentStatus.SUCCEEDED:
            came = payment.received
    nothing = Money.zero(payment.amount.currency)
    result = OperationResult(
        payment=payment,
        operation=operation,
        state=state,
        amount=payment.amount,
        succeeded=came if state is OperationState.SUCCEEDED else nothing,
        under_way=payment.amount if state in _UNDER_WAY else nothing,
        code=payment.code or (payment.status.value if state.failed else ""),
        raw_code=payment.raw_code,
        reason=payment.reason,
        retryable=payment.retryable,
        repeated=True,
    )
    whole = state is OperationState.SUCCEEDED
    return _of_other_amount(result) if whole and came != payment.amount else result


def _state_of(attempt: Attempt) -> OperationState:
    match attempt.state:
        case AttemptState.SUCCEEDED | AttemptState.AUTHORIZED:
            return OperationState.SUCCEEDED
        case AttemptState.PENDING:
            return OperationState.PENDING
        case AttemptState.REQUIRES_ACTION:
            return OperationState.REQUIRES_ACTION
        case AttemptState.DECLINED:
            return OperationState.DECLINED
        case AttemptState.FAILED if attempt.code == NOT_FINISHED:
            return OperationState.REQUIRES_ACTION
        case AttemptState.FAILED | AttemptState.CANCELED | AttemptState.EXPIRED:
            return OperationState.FAILED
        case AttemptState.SENDING | AttemptState.UNKNOWN:
            return OperationState.UNKNOWN


_UNDER_WAY = (OperationState.UNKNOWN, OperationState.PENDING)

OTHER_AMOUNT: Final = "other_amount"
"""The code of an operation that moved another amount than was requested."""

_CERTAINTY = (
    OperationState.UNKNOWN,
    OperationState.PENDING,
    OperationState.REQUIRES_ACTION,
    OperationState.DECLINED,
    OperationState.FAILED,
    OperationState.SUCCEEDED,
)
"""From the state that must not be overlooked to the one that is done."""

_NAMELESS = {AttemptState.CANCELED: "canceled", AttemptState.EXPIRED: "expired"}
"""Codes for the endings for which a processor has no code."""

_STATE_OF = {
    PaymentStatus.PROCESSING: OperationState.PENDING,
    PaymentStatus.UNKNOWN: OperationState.UNKNOWN,
    PaymentStatus.REQUIRES_ACTION: OperationState.REQUIRES_ACTION,
    PaymentStatus.DECLINED: OperationState.DECLINED,
    PaymentStatus.FAILED: OperationState.FAILED,
    PaymentStatus.CANCELED: OperationState.FAILED,
    PaymentStatus.EXPIRED: OperationState.FAILED,
}


def _least_certain(states: Sequence[OperationState]) -> OperationState:
    state = min(states, key=_CERTAINTY.index)
    if state.failed and OperationState.SUCCEEDED in states:
        return OperationState.PARTLY_SUCCEEDED
    return state


def _sum(
    payment: Payment,
    attempts: Iterable[Attempt],
    states: Iterable[OperationState],
    of: Iterable[OperationState],
    moved: Mapping[str, Money] | None = None,
) -> Money:
    """Return the amounts of the attempts in one of the states *of*, or what they *moved*."""
    wanted, known = frozenset(of), moved or {}
    minor = sum(
        known.get(attempt.id, attempt.amount).minor
        for attempt, state in zip(attempts, states, strict=True)
        if state in wanted
    )
    return Money(payment.amount.currency, minor)
