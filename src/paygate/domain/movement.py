"""Movements: what a processor reports about money that moved, or that is on its way."""

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
    """In: money that an authorization held."""
    VOID = "void"
    """Out: a charge or capture that was voided before it settled."""
    REFUND = "refund"
    """Out: sent back by the merchant, whoever requested it."""
    REFUND_FAILED = "refund_failed"
    """In: a refund that did not reach the payer and came back; it undoes the refund."""
    RETURN = "return"
    """Out: the payer's bank reports that the money of a debit never came."""
    CHARGEBACK = "chargeback"
    """Out: the cardholder's bank took the money in a dispute."""
    CHARGEBACK_WON = "chargeback_won"
    """In: a dispute gave it back; it undoes the chargeback."""
    REVERSAL = "reversal"
    """Out: only for the engine, a clerk booked the opposite; a driver never reports it."""
    UNDONE = "undone"
    """In: only for the engine, a clerk took back a record of money sent out."""

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
    """A report of the processor that money moved; booked once, as a `Receipt`.

    `movement_id` is the processor's own id of this one movement: together with
    account and kind it makes booking idempotent. `amount` is always positive.
    `effective` is when it moved: an instant, which counts on its date in
    the customer's zone, or the date that the processor gives. `undoes` is the id of the movement
    that this one takes back, `code` the processor's reason for it (such as an ACH return
    code). `settled` is how much of it has reached us (or left us) so far, on the day
    `settled_on`, and `fee` what the processor kept of it; if the same movement is reported later
    with more of these, that is its settlement. `valued` is only for the engine: the price at which
    money in another currency is counted as *amount*.
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
    """Money that a feed about addresses sees, on its way or arrived: an output of a transaction.

    `name` is the processor's own, the same from when it is first seen until it is permanently
    gone, and `quantity` its amount. It counts when it has `needed` of its `confirmations`.
    `replaces` names the sighting that this one replaces: the same payment in a new transaction.
    Only the amount that was seen before counts as seen, and no more than `replaced` if that is
    given: one sighting may be replaced by several.
    """

    name: str
    quantity: Money
    confirmations: int = 0
    needed: int = 0
    replaces: str = ""
    replaced: Money | None = None
