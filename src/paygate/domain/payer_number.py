"""Payer numbers: numbers to which customers pay without an attempt of ours."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


class Pays(StrEnum):
    """What the money for a payer number pays."""

    OLDEST_DUE = "oldest_due"
    """The open invoices of the customer, the oldest due date first; the rest is credit."""
    BALANCE = "balance"
    """No invoice: all of it is credit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PayerNumber:
    """
    A number at a gateway account to which a customer pays, such as a virtual account.

    It belongs to `customer` until it is released; `released_at` says when that was.
    """

    id: str
    account: str
    number: str
    customer: str
    pays: Pays
    assigned_at: datetime
    released_at: datetime | None = None
