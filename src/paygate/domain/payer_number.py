"""Numbers of payers: where a customer can pay by themselves, without an attempt of ours."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


class Pays(StrEnum):
    """What money for a payer's number pays by itself."""

    OLDEST_DUE = "oldest_due"
    """The open invoices of the customer, the oldest due date first; the rest is credit."""
    BALANCE = "balance"
    """No invoice: all of it is credit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PayerNumber:
    """
    A number at a gateway account under which a customer pays, such as a virtual account.

    It is the `customer`'s until it is released; `released_at` says when that was.
    """

    id: str
    account: str
    number: str
    customer: str
    pays: Pays
    assigned_at: datetime
    released_at: datetime | None = None
