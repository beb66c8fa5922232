"""Credit: a customer's balance, stored as lots that are used oldest first."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from paygate.domain.money import Money

if TYPE_CHECKING:
    from datetime import datetime


class CreditReason(StrEnum):
    """The origin of a credit."""

    OVERPAYMENT = "overpayment"
    """More was paid than was open."""
    TOP_UP = "top_up"
    """It was paid for the balance, without an invoice."""
    ALREADY_PAID = "already_paid"
    """It was paid for an invoice that had already been paid."""
    BEING_PAID = "being_paid"
    """It was paid for an invoice that another payment held."""
    NOT_OWED = "not_owed"
    """It was paid for an invoice that was void or written off."""
    INVOICE_VOIDED = "invoice_voided"
    """It was on an invoice that was voided."""
    PREPAYMENT_REST = "prepayment_rest"
    """It was on a prepayment, and exceeded the invoice."""
    PREPAYMENT_CLOSED = "prepayment_closed"
    """It was on a prepayment that was closed."""
    RETURNED = "returned"
    """Money was sent back that the customer had already spent; such a lot is negative."""


class Balance(dict[str, Money]):
    """A customer's free credit by currency; zero in a currency without credit."""

    def __missing__(self, currency: str) -> Money:
        """Return zero, or raise `InvalidCurrency` if *currency* is not a currency code."""
        return Money.of(currency, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit:
    """A lot of customer balance; a negative lot is what the customer owes us."""

    id: str
    customer: str
    amount: Money
    used: Money
    reserved: Money
    reason: CreditReason
    payment: str | None
    created_at: datetime

    @property
    def free(self) -> Money:
        """What can still be used."""
        return self.amount - self.used - self.reserved
