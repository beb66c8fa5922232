"""Movements: what a processor says of money that moved, or that is on its way."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date, datetime

    from paygate.domain.money import Money
    from paygate.domain.quoting import Valuation


class MovementKind(StrEnum):
    """Why money moved; the direction follows from it."""

    CHARGE = "charge"
    """In: money of a charge or of a page."""
    CAPTURE = "capture"
    """In: money that an authorisation had held."""
    VOID = "void"
    """Out: a charge or capture that was undone before it settled."""
    REFUND = "refund"
    """Out: sent back by the merchant, whoever asked for it."""
    REFUND_FAILED = "refund_failed"
    """In: a refund that did not reach the payer and came back; it undoes the refund."""
    RETURN = "return"
    """Out: the payer's bank says that the money of a debit never came."""
    CHARGEBACK = "chargeback"
    """Out: the cardholder's bank took the money in a dispute."""
    CHARGEBACK_WON = "chargeback_won"
    """In: a dispute gave it back; it undoes the chargeback."""
    REVERSAL = "reversal"
    """Out: for the engine alone, a clerk booked the opposite; a driver never says it."""
    UNDONE = "undone"
    """In: for the engine alone, a person took back what was recorded as gone out."""

    @property
    def inward(self) -> bool:
        """Whether money of this kind comes to the merchant."""
        return self in _INWARD


_INWARD = frozenset(
    {
        MovementKind.CHARGE,
        MovementKind.CAPTURE,
        MovementKind.REFUND_FAILED,
        MovementKind.CHARGEBACK_WON,
        MovementKind.UNDONE,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """The processor says that money moved; booked once as a `Receipt`.

    `movement_id` is the processor's own id of this one movement: together with
    account and kind it makes booking idempotent. `amount` is always positive.
    `effective` is when it moved: an instant, which counts on the date that it has in
    the customer's zone, or the date that the processor gives. `undoes` is the movement
    id that this one takes back, `code` the processor's reason for it (an ACH return
    code, say). `settled` is what of it reached us until now (or left us), on the day
    `settled_on`, and `fee` what the processor took for it; the same movement with
    more of these later is its settlement. `valued` is for the engine alone: at which price
    what came in another currency is counted as *amount*.
    """

    movement_id: str
    amount: Money
    kind: MovementKind = MovementKind.CHARGE
    effective: datetime | date | None = None
    settled: Money | None = None
    fee: Money | None = None
    settled_on: date | None = None
    undoes: str | None = None
    code: str = ""
    valued: Valuation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """Money that a feed about addresses sees on its way, or that came: an output of a transaction.

    `name` is the processor's own, the same from when it is first seen until it is gone for good,
    and `quantity` how much it is. It counts when it has `needed` of its `confirmations`.
    `replaces` names the sighting in whose place it came: the same payment in other clothes.
    Only as much of it as was seen before is, and no more than `replaced` if that is given:
    what was seen once may be replaced by several.
    """

    name: str
    quantity: Money
    confirmations: int = 0
    needed: int = 0
    replaces: str = ""
    replaced: Money | None = None
