"""Resolve: an operator says how an attempt ended, with evidence.

What a person says is merged like any other answer, so it is checked first: it
must be about one attempt, of which nobody knows the end, and it must be
something that such an operation can end in.
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
from paygate.ledger import attempts, claims, methods, outbox, payments, receipts, reviews
from paygate.printing import shown
from paygate.service import allocation, door, finding, keeping, merge, telling, ways
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
"""What a person can say of how an attempt ended."""

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
"""What kind of movement an operation brings about; a completion does what it completes."""


def resolve(
    payment: str, outcome: Resolution, *, evidence: str, attempt: str | None = None
) -> Flow[Payment]:
    """Merge what an operator found out about the attempt of *payment* that is in doubt."""

    def work(tx: Tx) -> Payment:
        _check_evidence(evidence)
        found = finding.payment(tx, payment)
        row = _chosen(tx, found, attempt)
        _check_fit(row, outcome, _does(tx, row))
        # Recovery goes on to ask about what is held; about what has ended nobody is asked.
        held = isinstance(outcome, Authorized)
        reading = AnswerSource(source=Source.OPERATOR, can_inquire=held)
        resolved = merge.merge_in(tx, row.attempt.id, outcome, reading)
        _check_ended(tx, row, outcome)
        reviews.decide(tx, found.id, evidence)
        payments.clear_review(tx, found.id, row.attempt.id)
        telling.emit(tx, "payment.resolved", resolved, evidence=evidence, attempt=row.attempt.id)
        return finding.payment(tx, found.id)

    return (yield from transact(work))


def _check_ended(tx: Tx, before: AttemptRow, outcome: Resolution) -> None:
    """Refuse an approval that shows only money of another operation: it leaves this one open."""
    row = attempts.by_id(tx, before.attempt.id)
    if row is None or not isinstance(outcome, Approved) or not row.attempt.state.in_doubt:
        return
    named = ", ".join(movement.movement_id for movement in outcome.movements)
    raise OutcomeDoesNotFit(
        f"attempt {row.attempt.id} is to {row.attempt.operation}, and {named} is already booked "
        "for another operation; resolve it with what this one moved, or as Declined if it moved "
        "nothing",
        attempt=row.attempt.id,
        operation=str(row.attempt.operation),
    )


def reviewed(payment: str, *, reason: str) -> Flow[Payment]:
    """Finish the review of *payment*: a person has looked, and nothing is left to decide."""
    return (yield from transact(lambda tx: reviewed_in(tx, payment, reason=reason)))


def reviewed_in(tx: Tx, which: str, *, reason: str) -> Payment:
    """Finish a review in this transaction; a payment that is under none stays as it is."""
    if not reason.strip():
        raise InvalidValue(
            "say what was found: reason='the bank confirmed it by phone'", argument="reason"
        )
    payment = finding.payment(tx, which)
    if not payment.needs_review and not payment.conflicted:
        return payment
    _check_decided(tx, payment)
    reviews.finish(tx, payment.id, reason)
    if payment.conflicted:
        allocation.release(tx, payment.id, claims.of_payment(tx, payment.id))
    found = finding.payment(tx, payment.id)
    telling.emit(tx, "payment.reviewed", found, why=reason)
    return found


def _check_decided(tx: Tx, payment: Payment) -> None:
    """Refuse to finish what a decision has to end: it would hold money or invoices unseen."""
    asked = [
        row.attempt
        for row in attempts.of_payment(tx, payment.id)
        if row.attempt.needs_review and row.attempt.state.in_doubt
    ]
    if asked:
        raise StillToDecide(
            f"nobody knows how the {asked[0].operation} {asked[0].id} of payment {payment.id} "
            "ended; find out at the processor and resolve it",
            payment=payment.id,
            verbs=("inquire", "resolve"),
        )
    if payment.status is PaymentStatus.AUTHORIZED and payment.conflicted:
        raise StillToDecide(
            f"another amount than was asked for is held for payment {payment.id}; cancel it",
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
            f"{', '.join(map(str, waiting))} of payment {payment.id} belongs to no invoice yet; "
            f"assign it{back}",
            payment=payment.id,
            verbs=("assign", *verbs),
        )


def _refuse_nobodys(payment: Payment, waiting: Sequence[Money]) -> None:
    """Refuse to finish the review of money of which nobody knows whose it is."""
    owed = [-amount for amount in waiting if amount.minor < 0]
    own = not owed and all(amount.currency == payment.amount.currency for amount in waiting)
    what = f"whose {', '.join(map(str, waiting))} of payment {payment.id} is"
    if owed:
        what = f"who owes {', '.join(map(str, owed))} of payment {payment.id}"
    back = ", or send it back with refund, or by hand and record_refund" if own else ""
    raise StillToDecide(
        f"nobody knows {what}; say it with assign and customer={back}",
        payment=payment.id,
        verbs=("assign", "refund", "record_refund") if own else ("assign",),
    )


def _waiting(tx: Tx, payment: Payment) -> list[Money]:
    booked = receipts.of_payment(tx, payment.id)
    return [each.unallocated for each in booked if each.unallocated.minor]


def resolve_method(
    change: str, outcome: Approved | Declined | Ended, *, evidence: str
) -> Flow[MethodRequest]:
    """Merge what an operator found out about a method that was to be stored, or deleted."""

    def work(tx: Tx) -> MethodRequest:
        _check_evidence(evidence)
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
            "say where you saw it: evidence='processor's dashboard, transaction 4711'",
            argument="evidence",
        )


def _chosen(tx: Tx, payment: Payment, named: str | None) -> AttemptRow:
    """Find the attempt that is meant: the one that was named, else the only one in doubt."""
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
    # An authorisation and a page live on below a capture or completion that nobody knows about.
    asked = [row for row in live if row.attempt.state.in_doubt] or live
    if not asked:
        raise AlreadyFinal(
            f"payment {payment.id} is {payment.status}; there is nothing to resolve",
            payment=payment.id,
        )
    if len(asked) > 1:
        told = ", ".join(f"{row.attempt.operation} {row.attempt.id}" for row in asked)
        raise SeveralInDoubt(
            f"say which attempt of payment {payment.id} you mean: {told}",
            payment=payment.id,
            attempts=[row.attempt.id for row in asked],
        )
    return asked[0]


def _does(tx: Tx, row: AttemptRow) -> Operation:
    """Tell what an attempt does; to complete is to do what waited for the payer."""
    if row.attempt.operation is not Operation.COMPLETE:
        return row.attempt.operation
    return attempts.main_of(tx, row.attempt.payment).attempt.operation


def _check_fit(row: AttemptRow, outcome: Resolution, operation: Operation) -> None:
    """Refuse an outcome that this operation cannot have, or that no ledger can keep."""
    try:
        door.check(outcome)
    except Foreign as fault:
        raise InvalidValue(
            f"this cannot be kept as an outcome: {fault}", argument="outcome"
        ) from None
    problem = _misfit(outcome, operation)
    if problem:
        raise OutcomeDoesNotFit(
            f"attempt {row.attempt.id} is to {operation}: {problem}",
            attempt=row.attempt.id,
            operation=str(operation),
        )


def _misfit(outcome: Resolution, operation: Operation) -> str:
    """Say why an operation cannot end in *outcome*; nothing where it can."""
    match outcome:
        case Authorized() if operation is not Operation.AUTHORIZE:
            return "only an authorisation ends in an amount that is held"
        case Approved():
            return _misfit_of_approval(outcome, operation)
        case _:
            return ""


def _misfit_of_approval(outcome: Approved, operation: Operation) -> str:
    kind = MOVES[operation]
    if any(movement.kind is not kind for movement in outcome.movements):
        wanted = "it moves no money" if kind is None else f"its movements are of kind {kind}"
        told = ", ".join(sorted({str(movement.kind) for movement in outcome.movements}))
        return f"{wanted}, not {told}"
    # To void an authorisation moves nothing.
    if not outcome.movements and kind is not None and operation is not Operation.VOID:
        return "an approval needs the movement: its id at the processor and amount"
    if operation is Operation.ENROLL and outcome.method is None:
        return "an approval needs the method: its token at the processor"
    return ""
