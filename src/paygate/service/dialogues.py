"""Dialogues: begin one with a gateway, the first time or again, for a request of the ledger.

The account was seen to be able to when the intent was stored, so a driver without the method
that is called here fails as any driver with a bug does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never, cast

from paygate.domain.kind import Operation
from paygate.errors import Unsupported
from paygate.gateway import (
    Capture,
    Charge,
    Completion,
    Enrollment,
    Forgetting,
    Refunding,
    Voiding,
    Withdrawal,
)
from paygate.service.requests import Extras

if TYPE_CHECKING:
    from paygate.dialogue import Dialogue
    from paygate.domain.outcome import Outcome
    from paygate.gateway import (
        Authorizes,
        Captures,
        Charges,
        Completes,
        Enrolls,
        Gateway,
        Refunds,
        Voids,
        Withdraws,
    )
    from paygate.ledger.attempts import AttemptRow
    from paygate.service.requests import SentRequest


def begin(gateway: Gateway, row: AttemptRow, request: SentRequest) -> Dialogue[Outcome]:
    """Begin the dialogue of a stored attempt, with the same key and the same request."""
    match request:
        case Charge():
            return begin_charge(gateway, row.attempt.operation, request)
        case Enrollment() | Forgetting():
            return begin_method_change(gateway, request)
        case Extras():
            return begin_operation(gateway, row, request)
        case _:
            assert_never(request)


def begin_charge(gateway: Gateway, operation: Operation, charge: Charge) -> Dialogue[Outcome]:
    """Begin to charge, or to authorise."""
    if operation is Operation.AUTHORIZE:
        return cast("Authorizes", gateway).authorize(charge)
    return cast("Charges", gateway).charge(charge)


def begin_method_change(gateway: Gateway, request: Enrollment | Forgetting) -> Dialogue[Outcome]:
    """Begin to store, or to delete, a method."""
    if isinstance(request, Enrollment):
        return cast("Enrolls", gateway).enroll(request)
    return cast("Enrolls", gateway).forget(request)


def begin_operation(gateway: Gateway, row: AttemptRow, extras: Extras) -> Dialogue[Outcome]:
    """Begin to capture, void, refund, withdraw or complete."""
    attempt = row.attempt
    key, our_ref, payment, about = row.gateway_key, attempt.id, attempt.payment, row.about
    match attempt.operation:
        case Operation.CAPTURE:
            capture = Capture(
                key=key,
                our_ref=our_ref,
                payment=payment,
                reference=about,
                amount=attempt.amount,
                final=row.final,
            )
            return cast("Captures", gateway).capture(capture)
        case Operation.VOID:
            voiding = Voiding(
                key=key, our_ref=our_ref, payment=payment, reference=about, amount=attempt.amount
            )
            return cast("Voids", gateway).void(voiding)
        case Operation.REFUND:
            refunding = Refunding(
                key=key,
                our_ref=our_ref,
                payment=payment,
                reference=about,
                movement_id=row.movement,
                amount=attempt.amount,
                reason=extras.reason,
            )
            return cast("Refunds", gateway).refund(refunding)
        case Operation.WITHDRAW:
            withdrawal = Withdrawal(key=key, our_ref=our_ref, payment=payment, reference=about)
            return cast("Withdraws", gateway).withdraw(withdrawal)
        case Operation.COMPLETE:
            completion = Completion(
                key=key,
                our_ref=our_ref,
                payment=payment,
                reference=about,
                amount=attempt.amount,
                parameters={} if extras.parameters is None else extras.parameters.open(),
            )
            return cast("Completes", gateway).complete(completion)
        case Operation.CHARGE | Operation.AUTHORIZE | Operation.ENROLL | Operation.FORGET:
            raise Unsupported(f"{attempt.operation} is not done to a payment")
        case _:
            assert_never(attempt.operation)
