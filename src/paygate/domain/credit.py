"""Credit: a customer's balance, kept as lots that are used oldest first."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from paygate.domain.money import Money

if TYPE_CHECKING:
    from datetime import datetime


class CreditReason(StrEnum):
    """Where a credit came from."""

    OVERPAYMENT = "overpayment"
    """More came than was open."""
    TOP_UP = "top_up"
    """It came for the balance, without an invoice."""
    ALREADY_PAID = "already_paid"
    """It came for an invoice that was paid otherwise."""
    BEING_PAID = "being_paid"
    """It came for an invoice that another payment held."""
    NOT_OWED = "not_owed"
    """It came for an invoice that was void or written off."""
    INVOICE_VOIDED = "invoice_voided"
    """It was on an invoice that was voided."""
    RETURNED = "returned"
    """Money went back that the customer had spent; such a lot is negative."""


class Balance(dict[str, Money]):
    """A customer's free credit by currency; zero in a currency in which nothing stands."""

    def __missing__(self, currency: str) -> Money:
        """Return zero, or raise `InvalidCurrency` for what is no currency."""
        return Money.of(currency, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit:
    """A lot of customer balance; a negative one is what the customer owes us back."""

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
