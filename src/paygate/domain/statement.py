"""Account statements: what happened between a customer and the merchant, line by line."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date, datetime

    from paygate.domain.money import Money


class StatementKind(StrEnum):
    """What a line of an account statement is about."""

    INVOICE = "invoice"
    """An invoice was issued."""
    VOID = "void"
    """An invoice was voided."""
    PAYMENT = "payment"
    """Money came in."""
    REFUND = "refund"
    """Money was sent back to the customer, or a charge was voided."""
    RETURN = "return"
    """Money that had come in was taken back by a bank, or turned out not to have come."""
    GIVEN_BACK = "given_back"
    """Money that had been taken back, or sent back, came in again."""
    WRITE_OFF = "write_off"
    """The merchant gave up an open amount, or undid that."""
    OTHER = "other"
    """Anything else that changes what is owed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementLine:
    """One booking that changes what a customer owes.

    `amount` is positive if the customer owes more by it. `number` is that of the invoice or
    payment receipt, and `reference` the short reference of the payment, each empty if there is
    none. `id` is where the next page begins.
    """

    id: str
    booked_at: datetime
    effective: date
    kind: StatementKind
    amount: Money
    number: str = ""
    reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountStatement:
    """A page of the account statement of a customer in one currency.

    `opening` is what the customer owed before the first of `lines`, `closing` after the last one.
    Below zero, the customer has credit, or has paid ahead. `since` and `until` bound the period by
    the instant of booking; None for no bound.
    """

    customer: str
    currency: str
    since: datetime | None
    until: datetime | None
    opening: Money
    closing: Money
    lines: tuple[StatementLine, ...]
