"""Chargebacks: the payer's bank disputes a payment, takes its money, and keeps it or returns it.

A dispute can turn more than once: the bank takes the money, gives it back, and
takes it again if the dispute is lost after all. Each time the money is taken or given back is a
movement of its own, and they may be reported in any order. So the state of a
dispute is not a step of a sequence; it follows from everything that is known, see
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
    """The state of a dispute."""

    OPENED = "opened"
    """It is not decided, whether or not the money was taken."""
    LOST = "lost"
    """The bank keeps the money."""
    WON = "won"
    """The money is ours, or will come back."""

    @property
    def stands(self) -> bool:
        """Whether the bank still disputes the money, or keeps it."""
        return self is not DisputeState.WON


def dispute_of(movement_id: str) -> str:
    """
    Return the dispute to which a movement belongs, by the id of the movement.

    The first movement that takes the money, and the one that gives it back, have the dispute's
    own reference as id. A later turn of the same dispute is numbered: ``dp-7#2``.
    """
    return _TURN.sub("", movement_id)


def state_of(*, taken: int, given_back: int, lost: bool, won: bool) -> DisputeState:
    """
    Return the state of a dispute, from how often money was taken and given back.

    *lost* and *won* say that the processor ever reported it as such. Money decides:
    if it is back, the dispute is won; if it was taken a second time, it is lost after all. The
    reports decide only in the first turn, and before any money moved.
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
    """The state of a dispute, as the processor reports it; money is reported as a `Movement`.

    `reference` is the processor's name of the dispute, which is also the movement
    id of the money that it takes, see `dispute_of`. `respond_by` is the deadline for evidence.
    """

    reference: str
    state: DisputeState
    amount: Money
    reason: str = ""
    respond_by: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chargeback:
    """A dispute of one payment, as it is in the books.

    `taken` is what the bank has taken so far, `lost` what was written off on the
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
