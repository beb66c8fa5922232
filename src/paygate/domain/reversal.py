"""Reversals: the opposite of a payment that turned out not to be money."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date, datetime

    from paygate.domain.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Reversal:
    """The opposite of a payment, as a document with its own number.

    `fee_invoice` is the number of the invoice that charges the customer for it;
    `bank_charge` is what the bank charged us.
    """

    id: str
    number: str
    payment: str
    amount: Money
    on: date
    reason: str
    booked_at: datetime
    fee_invoice: str | None = None
    bank_charge: Money | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOff:
    """An open amount that will not be collected, with the reason; it can be undone."""

    id: str
    invoice: str
    amount: Money
    reason: str
    booked_at: datetime
    undone: bool = False
