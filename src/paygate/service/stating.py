"""Stating: the outcomes that a person can record, and what the attempt in question was to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from paygate.domain.kind import Operation
from paygate.domain.movement import MovementKind
from paygate.domain.outcome import DeclineCode, Declined, Ended, Ending
from paygate.service.resolve import MOVES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paygate.domain.attempt import Attempt
    from paygate.domain.money import Money
    from paygate.domain.payment import Payment


class End(StrEnum):
    """The outcome that a person can record for an attempt."""

    SUCCEEDED = "succeeded"
    HELD = "held"
    DECLINED = "declined"
    CANCELED = "canceled"
    EXPIRED = "expired"


def not_done(ended: End) -> Declined | Ended:
    """Return the outcome for an attempt that did nothing."""
    match ended:
        case End.CANCELED:
            return Ended(how=Ending.CANCELED)
        case End.EXPIRED:
            return Ended(how=Ending.EXPIRED)
        case _:
            return Declined(code=DeclineCode.GENERIC, raw_code="", retryable=False)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the chosen attempt was requested to do; *moves* says whether money moves by it."""

    amount: Money
    kind: MovementKind
    moves: bool = False


def asked_of(attempts: Sequence[Attempt], payment: Payment, attempt: str | None) -> Asked:
    """Return the chosen attempt; if there is not exactly one, the cashier will refuse."""
    live = [row for row in attempts if not row.state.final]
    meant = [row for row in attempts if row.id == attempt]
    meant = meant or [row for row in live if row.state.in_doubt] or live
    if not meant:
        return Asked(payment.amount, MovementKind.CHARGE)
    operation = meant[0].operation
    if operation is Operation.COMPLETE:
        operation = attempts[0].operation
    kind = MOVES[operation]
    # Voiding an authorization moves no money.
    moves = kind is not None and operation is not Operation.VOID
    return Asked(meant[0].amount, kind or MovementKind.CHARGE, moves)
