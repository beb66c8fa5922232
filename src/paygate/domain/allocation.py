"""Allocations: money on an invoice, and money taken off it again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from paygate.domain.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """Money of a receipt or a credit, put on an invoice; negative if it was taken off again.

    `invoice` is the id of the invoice, or of a prepayment. `cancels` names the allocation that this
    one, its negative twin, cancels; `prepayment` the prepayment that the money was on before.
    """

    id: str
    invoice: str
    amount: Money
    payment: str | None
    receipt: str | None
    credit: str | None
    cancels: str | None
    booked_at: datetime
    prepayment: str | None = None
