"""Resolve: an operator states the outcome of an attempt, with evidence.

The statement is merged like any other answer, so it is checked first: it must be about one attempt
whose outcome is not known, and be a possible outcome of its operation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from paygate.domain.decide import Source
from paygate.domain.kind import Operation
from paygate.domain.movement import MovementKind
from paygate.domain.outcome import Approved, Authorized, Declined, Ended
from paygate.domain.payment import PaymentStatus
from paygate.errors import (
    AlreadyFinal,
    AttemptNotFound,
    InvalidValue,
    OutcomeDoesNotFit,
    SeveralInDoubt,
    StillToDecide,
)
from paygate.ledger import attempts, claims, holding, methods, outbox, payments, receipts, reviews
from paygate.printing import shown
from paygate.service import allocation, door, events, finding, keeping, merge, ways
from paygate.service.fitting import Foreign
from paygate.service.flow import Flow, transact
from paygate.service.reading import AnswerSource

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paygate.domain.method import MethodRequest
    from paygate.domain.money import Money
    from paygate.domain.payment import Payment
    from paygate.ledger.attempts import AttemptRow
    from paygate.ledger.tx import Tx

Resolution: TypeAlias = Approved | Authorized | Declined | Ended
"""The outcomes that an operator can state."""

MOVES: Final[Mapping[Operation, MovementKind | None]] = {
    Operation.CHARGE: MovementKind.CHARGE,
    Operation.AUTHORIZE: MovementKind.CAPTURE,
    Operation.CAPTURE: MovementKind.CAPTURE,
    Operation.REFUND: MovementKind.REFUND,
    Operation.VOID: MovementKind.VOID,
    Operation.WITHDRAW: None,
    Operation.ENROLL: None,
    Operation.FORGET: None,
}
"""The kind of movement of each operation; a completion has that of the operation it completes."""


def resolve(
    payment: str, outcome: Resolution, *, evidence: str, attempt: str | None = None
) -> Flow[Payment]:
    """Merge the outcome that an operator found for the attempt of *payment* in doubt."""

    def work(tx: Tx) -> Payment:
        _check_evidence(evidence)
        holding.hold_payment(tx, payment)
        found = finding.payment(tx, payment)
        row = _chosen(tx, found, attempt)
        _check_fit(row, outcome, _does(tx, row))
        # Recovery keeps asking about a hold; what has ended is not asked about.
        held = isinstance(outcome, Authorized)
        reading = AnswerSource(source=Source.OPERATOR, can_inquire=held)
        resolved = merge.merge_in(tx, row.attempt.id, outcome, reading)
        _check_ended(tx, row, outcome)
        reviews.decide(tx, found.id, evidence)
        payments.clear_review(tx, found.id, row.attempt.id)
        events.emit(tx, "payment.resolved", resolved, evidence=evidence, attempt=row.attempt.id)
        return finding.payment(tx, found.id)

    return (yield from transact(work))


def _check_ended(tx: Tx, before: AttemptRow, outcome: Resolution) -> None:
    """Raise if the approval names only money of another operation, so this one is still open."""
    row = attempts.by_id(tx, before.attempt.id)
    if row is None or not isinstance(outcome, Approved) or not row.attempt.state.in_doubt:
        return
    named = ", ".join(movement.movement_id for movement in outcome.movements)
    raise OutcomeDoesNotFit(
        f"attempt {row.attempt.id} is to {row.attempt.operation}, but {named} is already booked "
        "for another operation; resolve it with what this one moved, or as Declined if it moved "
        "nothing",
        attempt=row.attempt.id,
        operation=str(row.attempt.operation),
    )


def reviewed(payment: str, *, reason: str) -> Flow[Payment]:
    """Finish the review of *payment* when nothing is left to decide."""
    return (yield from transact(lambda tx: reviewed_in(tx, payment, reason=reason)))


def reviewed_in(tx: Tx, which: str, *, reason: str) -> Payment:
    """Finish a review in this transaction; a payment without review is not changed."""
    if not reason.strip():
        raise InvalidValue(
            "give the reason: reason='the bank confirmed it by phone'", argument="reason"
        )
    holding.hold_payment(tx, which)
    payment = finding.payment(tx, which)
    if not payment.needs_review and not payment.conflicted:
        return payment
    _check_decided(tx, payment)
    reviews.finish(tx, payment.id, reason)
    if payment.conflicted:
        allocation.release(tx, payment.id, claims.of_payment(tx, payment.id))
    found = finding.payment(tx, payment.id)
    events.emit(tx, "payment.reviewed", found, why=reason)
    return found


def _check_decided(tx: Tx, payment: Payment) -> None:
    """Raise if a decision is still needed; otherwise money or invoices would be held unnoticed."""
    asked = [
        row.attempt
        for row in attempts.of_payment(tx, payment.id)
        if row.attempt.needs_review and row.attempt.state.in_doubt
    ]
    if asked:
        raise StillToDecide(
            f"the outcome of the {asked[0].operation} {asked[0].id} of payment {payment.id} is "
            "not known; ask the processor and resolve it",
            payment=payment.id,
            verbs=("inquire", "resolve"),
        )
    if payment.status is PaymentStatus.AUTHORIZED and payment.conflicted:
        raise StillToDecide(
            f"an amount other than requested is held for payment {payment.id}; cancel it",
            payment=payment.id,
            verbs=("cancel",),
        )
    waiting = _waiting(tx, payment)
    if waiting and not payment.customer:
        _refuse_nobodys(payment, waiting)
    if waiting:
        own = all(amount.currency == payment.amount.currency for amount in waiting)
        verbs = ways.back(tx, payment) if own else ()
        back = f"; to give it back, {ways.back_by(verbs)}" if own else ""
        raise StillToDecide(
            f"{', '.join(map(str, waiting))} of payment {payment.id} is not allocated; "
            f"assign it{back}",
            payment=payment.id,
            verbs=("assign", *verbs),
        )


def _refuse_nobodys(payment: Payment, waiting: Sequence[Money]) -> None:
    """Raise: the review of money of an unknown customer cannot be finished."""
    owed = [-amount for amount in waiting if amount.minor < 0]
    own = not owed and all(amount.currency == payment.amount.currency for amount in waiting)
    what = f"the customer of {', '.join(map(str, waiting))} of payment {payment.id}"
    if owed:
        what = f"the customer who owes {', '.join(map(str, owed))} of payment {payment.id}"
    back = ", or send it back with refund, or by hand and record_refund" if own else ""
    raise StillToDecide(
        f"{what} is not known; name them with assign and customer={back}",
        payment=payment.id,
        verbs=("assign", "refund", "record_refund") if own else ("assign",),
    )


def _waiting(tx: Tx, payment: Payment) -> list[Money]:
    booked = receipts.of_payment(tx, payment.id)
    return [each.unallocated for each in booked if each.unallocated.minor]


def resolve_method(
    change: str, outcome: Approved | Declined | Ended, *, evidence: str
) -> Flow[MethodRequest]:
    """Merge the outcome that an operator found for storing or deleting a method."""

    def work(tx: Tx) -> MethodRequest:
        _check_evidence(evidence)
        holding.hold_attempt(tx, change)
        found = keeping.change_of(tx, change)
        row = attempts.by_id(tx, found.id)
        assert row is not None, f"the change {found.id} was just read"
        if found.state.final:
            raise AlreadyFinal(
                f"{found.operation} {found.id} is {found.state}; there is nothing to resolve"
            )
        _check_fit(row, outcome, found.operation)
        if isinstance(outcome, Approved) and found.operation is Operation.ENROLL:
            methods.vault_of(tx)
        reading = AnswerSource(source=Source.OPERATOR, can_inquire=False)
        merge.merge_any_in(tx, found.id, outcome, reading)
        attempts.clear_review(tx, found.id)
        outbox.emit(
            tx,
            "method.resolved",
            row.attempt.method,
            {
                "method": row.attempt.method,
                "customer": keeping.read_plan(row)["customer"],
                "account": found.account,
                "kind": found.kind.value,
                "evidence": evidence,
            },
        )
        return keeping.change_of(tx, found.id)

    return (yield from transact(work))


def _check_evidence(evidence: str) -> None:
    if not evidence.strip():
        raise InvalidValue(
            "name your source: evidence='the dashboard, transaction 4711'",
            argument="evidence",
        )


def _chosen(tx: Tx, payment: Payment, named: str | None) -> AttemptRow:
    """Return the attempt to resolve: the named one, else the only one in doubt."""
    rows = attempts.of_payment(tx, payment.id)
    if named is not None:
        row = next((row for row in rows if row.attempt.id == named), None)
        if row is None:
            raise AttemptNotFound(f"payment {payment.id} has no attempt {shown(named)}")
        if row.attempt.state.final and not row.late_pending:
            raise AlreadyFinal(
                f"the {row.attempt.operation} {named} is {row.attempt.state}; "
                "there is nothing to resolve",
                payment=payment.id,
            )
        return row
    live = [row for row in rows if not row.attempt.state.final or row.late_pending]
    # An authorization or a page stays live under a capture or completion that is in doubt.
    asked = [row for row in live if row.attempt.state.in_doubt] or live
    if not asked:
        raise AlreadyFinal(
            f"payment {payment.id} is {payment.status}; there is nothing to resolve",
            payment=payment.id,
        )
    if len(asked) > 1:
        listing = ", ".join(f"{row.attempt.operation} {row.attempt.id}" for row in asked)
        raise SeveralInDoubt(
            f"several attempts of payment {payment.id} are in doubt; name one: {listing}",
            payment=payment.id,
            attempts=[row.attempt.id for row in asked],
        )
    return asked[0]


def _does(tx: Tx, row: AttemptRow) -> Operation:
    """Return the operation of an attempt; for a completion, the operation that it completes."""
    if row.attempt.operation is not Operation.COMPLETE:
        return row.attempt.operation
    return attempts.main_of(tx, row.attempt.payment).attempt.operation


def _check_fit(row: AttemptRow, outcome: Resolution, operation: Operation) -> None:
    """Raise for an outcome that this operation cannot have, or that cannot be stored."""
    try:
        door.check(outcome)
    except Foreign as fault:
        raise InvalidValue(f"the outcome cannot be stored: {fault}", argument="outcome") from None
    problem = _misfit(outcome, operation)
    if problem:
        raise OutcomeDoesNotFit(
            f"attempt {row.attempt.id} is to {operation}: {problem}",
            attempt=row.attempt.id,
            operation=str(operation),
        )


def _misfit(outcome: Resolution, operation: Operation) -> str:
    """Return why an operation cannot have *outcome*; empty if it can."""
    match outcome:
        case Authorized() if operation is not Operation.AUTHORIZE:
            return "only an authorization has a held amount as its outcome"
        case Approved():
            return _misfit_of_approval(outcome, operation)
        case _:
            return ""


def _misfit_of_approval(outcome: Approved, operation: Operation) -> str:
    kind = MOVES[operation]
    if any(movement.kind is not kind for movement in outcome.movements):
        wanted = "it moves no money" if kind is None else f"its movements are of kind {kind}"
        listing = ", ".join(sorted({str(movement.kind) for movement in outcome.movements}))
        return f"{wanted}, not {listing}"
    # Voiding an authorization moves no money.
    if not outcome.movements and kind is not None and operation is not Operation.VOID:
        return "an approval needs the movement: its id at the processor and amount"
    if operation is Operation.ENROLL and outcome.method is None:
        return "an approval needs the method: its token at the processor"
    return ""
