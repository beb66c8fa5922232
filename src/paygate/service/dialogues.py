"""Dialogues: begin one with a gateway for a stored request, the first time or again.

The account had the capability when the intent was stored. A driver that has lost it since, such as
an older version, is refused here before anything is sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from paygate.dialogue import at_once
from paygate.domain.kind import Operation
from paygate.domain.outcome import Approved
from paygate.errors import Unsupported
from paygate.gateway import (
    Authorizes,
    Capture,
    Captures,
    Charge,
    Charges,
    Completes,
    Completion,
    Enrollment,
    Enrolls,
    Forgets,
    Forgetting,
    Refunding,
    Refunds,
    Voiding,
    Voids,
    Withdrawal,
    Withdraws,
)
from paygate.service.requests import Extras

if TYPE_CHECKING:
    from paygate.dialogue import Dialogue
    from paygate.domain.outcome import Outcome
    from paygate.gateway import Gateway
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
    """Begin to charge, or to authorize."""
    if operation is Operation.AUTHORIZE and isinstance(gateway, Authorizes):
        return gateway.authorize(charge)
    if operation is Operation.CHARGE and isinstance(gateway, Charges):
        return gateway.charge(charge)
    raise _lost(gateway, operation)


def begin_method_change(gateway: Gateway, request: Enrollment | Forgetting) -> Dialogue[Outcome]:
    """Begin to store, or to delete, a method."""
    match request:
        case Enrollment() if isinstance(gateway, Enrolls):
            return gateway.enroll(request)
        case Forgetting() if isinstance(gateway, Forgets):
            return gateway.forget(request)
        case Enrollment():
            raise _lost(gateway, Operation.ENROLL)
        case Forgetting():
            return at_once(Approved())  # the processor deletes none; we charge it no more
        case _:
            assert_never(request)


def _lost(gateway: Gateway, operation: Operation) -> Unsupported:
    return Unsupported(
        f"the driver {gateway.name} has no method to {operation}; install one that has"
    )


def begin_operation(gateway: Gateway, row: AttemptRow, extras: Extras) -> Dialogue[Outcome]:
    """Begin to capture, void, refund, withdraw or complete."""
    attempt = row.attempt
    key, our_ref, payment, about = row.gateway_key, attempt.id, attempt.payment, row.about
    match attempt.operation:
        case Operation.CAPTURE if isinstance(gateway, Captures):
            capture = Capture(
                key=key,
                our_ref=our_ref,
                payment=payment,
                reference=about,
                amount=attempt.amount,
                final=row.final,
            )
            return gateway.capture(capture)
        case Operation.VOID if isinstance(gateway, Voids):
            voiding = Voiding(
                key=key, our_ref=our_ref, payment=payment, reference=about, amount=attempt.amount
            )
            return gateway.void(voiding)
        case Operation.REFUND if isinstance(gateway, Refunds):
            refunding = Refunding(
                key=key,
                our_ref=our_ref,
                payment=payment,
                reference=about,
                movement_id=row.movement,
                amount=attempt.amount,
                reason=extras.reason,
            )
            return gateway.refund(refunding)
        case Operation.WITHDRAW if isinstance(gateway, Withdraws):
            withdrawal = Withdrawal(key=key, our_ref=our_ref, payment=payment, reference=about)
            return gateway.withdraw(withdrawal)
        case Operation.COMPLETE if isinstance(gateway, Completes):
            completion = Completion(
                key=key,
                our_ref=our_ref,
                payment=payment,
                reference=about,
                amount=attempt.amount,
                parameters={} if extras.parameters is None else extras.parameters.open(),
            )
            return gateway.complete(completion)
        case Operation.CHARGE | Operation.AUTHORIZE | Operation.ENROLL | Operation.FORGET:
            raise Unsupported(f"{attempt.operation} is not an operation on a payment")
        case _:
            raise _lost(gateway, attempt.operation)
