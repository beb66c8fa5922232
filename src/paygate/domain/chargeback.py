"""Chargebacks: the payer's bank disputes a payment, takes its money, and keeps it or not.

A dispute can turn more than once: the bank takes the money, gives it back, and
takes it again when it is lost after all. Each taking and each giving back is a
movement of its own, and they may be reported in any order. So the state of a
dispute is no step of a sequence; it follows from what is known in all, see
`state_of`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

    from paygate.domain.money import Money

_TURN: Final = re.compile(r"#[0-9]+\Z")


class DisputeState(StrEnum):
    """How a dispute stands."""

    OPENED = "opened"
    """It is not decided, whether or not the money was taken."""
    LOST = "lost"
    """The bank has the money for good."""
    WON = "won"
    """The money is ours, or is to come back."""

    @property
    def stands(self) -> bool:
        """Whether the bank disputes the money still, or has it for good."""
        return self is not DisputeState.WON


def dispute_of(movement_id: str) -> str:
    """
    Return the dispute that a movement is about, by the id of the movement.

    The first taking of a dispute, and what gives it back, have the dispute's own
    reference as id. A later turn of the same dispute is numbered: ``dp-7#2``.
    """
    return _TURN.sub("", movement_id)


def state_of(*, taken: int, given_back: int, lost: bool, won: bool) -> DisputeState:
    """
    Return how a dispute stands, by how often money was taken and given back.

    *lost* and *won* say that the processor reported it as such, ever. Money decides:
    what is back is won, and what is taken a second time is lost after all. Only in
    the first turn, and before any money moved, the reports decide.
    """
    if 0 < taken <= given_back:
        return DisputeState.WON
    if taken > 1:
        return DisputeState.LOST
    if won or given_back:
        return DisputeState.WON
    return DisputeState.LOST if lost else DisputeState.OPENED


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispute:
    """The processor says how a dispute stands; money that it moves is told as a `Movement`.

    `reference` is the processor's name of the dispute, which is also the movement
    id of the money that it takes, see `dispute_of`. `respond_by` is until when evidence is taken.
    """

    reference: str
    state: DisputeState
    amount: Money
    reason: str = ""
    respond_by: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chargeback:
    """A dispute of one payment, as it stands in the books.

    `taken` is what the bank took until now, `lost` what was given up of the
    invoices for it, `fee` what the processor charged for it.
    """

    id: str
    payment: str
    account: str
    reference: str
    state: DisputeState
    amount: Money
    taken: Money
    lost: Money
    opened_at: datetime
    ended_at: datetime | None = None
    fee: Money | None = None
    reason: str = ""
    respond_by: datetime | None = None
