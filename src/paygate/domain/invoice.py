"""Invoices: what a customer owes, and how much of it is still open."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from paygate.domain.money import Money

if TYPE_CHECKING:
    from datetime import date, datetime


class InvoiceStatus(StrEnum):
    """The state of an invoice; only draft, open and void are stored, the others are derived."""

    DRAFT = "draft"
    """It is not issued yet: it has no number and cannot be paid; its id stands for the number."""
    OPEN = "open"
    """It is issued, and nothing of it is paid."""
    PARTIALLY_PAID = "partially_paid"
    """Part of it is paid."""
    PAID = "paid"
    """Nothing is open, and money paid at least part of it; a rest may have been written off."""
    WRITTEN_OFF = "written_off"
    """Nothing is open, and no money is on it: all of it was written off."""
    VOID = "void"
    """It should not have been issued, and nothing of it is owed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """An amount that a customer owes, with a number and a due date.

    `open` is `total` less what was allocated and written off; `claimed` is the
    part of it that live payments hold right now, and `claimed_by` names them. `credited` is
    how much of its money became credit of the customer when it was voided. `reversal` is set on
    a fee invoice and names the reversal that caused it. `disputed` says that a payer's bank
    took money off it that may be lost: it is not charged automatically.
    `assignment_key` names the purpose: prepayments with the same key pay the invoice.
    """

    id: str
    number: str
    customer: str
    total: Money
    allocated: Money
    written_off: Money
    claimed: Money
    credited: Money
    due: date
    status: InvoiceStatus
    issued_at: datetime
    assignment_key: str | None = None
    reversal: str | None = None
    disputed: bool = False
    claimed_by: tuple[str, ...] = ()

    @property
    def open(self) -> Money:
        """What is still to be paid; zero on a void invoice and on a draft."""
        if self.status in (InvoiceStatus.VOID, InvoiceStatus.DRAFT):
            return Money.zero(self.total.currency)
        minor = self.total.minor - self.allocated.minor - self.written_off.minor
        return Money(self.total.currency, minor)

    @property
    def room(self) -> Money:
        """What is open and not held by a payment."""
        return self.open - self.claimed

    def is_overdue(self, today: date) -> bool:
        """Return whether anything is open after the due date; *today* is in the customer's zone."""
        return today > self.due and self.open.minor > 0
