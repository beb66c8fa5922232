"""Chargebacks: the payer's bank disputes a payment, takes its money, and keeps it or not."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from paygate.domain.money import Money


class DisputeState(StrEnum):
    """How a dispute stands. A win after a loss is believed, a loss after a win is not."""

    OPENED = "opened"
    LOST = "lost"
    WON = "won"

    @property
    def rank(self) -> int:
        """How much is known; news of lower or equal rank changes nothing."""
        return list(DisputeState).index(self)

    @property
    def stands(self) -> bool:
        """Tell whether the bank disputes the money still, or has it for good."""
        return self is not DisputeState.WON


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispute:
    """The processor says how a dispute stands; money that it moves is told as a `Movement`.

    `reference` is the processor's name of the dispute, which is also the movement
    id of the money that it takes. `respond_by` is until when evidence is taken.
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
    closed_at: datetime | None = None
    fee: Money | None = None
    reason: str = ""
    respond_by: datetime | None = None
