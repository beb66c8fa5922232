"""Subscriptions: a customer's invoices are charged by themselves, until that ends."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


class SubscriptionStatus(StrEnum):
    """Whether a customer's invoices are charged automatically."""

    ACTIVE = "active"
    """They are."""
    PAUSED = "paused"
    """Not now: the host paused it, or the payer withdrew an authorization."""
    ENDED = "ended"
    """Not any more. A new mandate is a new subscription."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """
    The automatic payment of a customer's invoices, from a mandate on until it ends.

    Invoices issued at or after `since` are charged, and those whose numbers are in `pending`.
    `mandate` is the one that began it; each method has its own. `revoked` says that the payer
    withdrew an authorization: then only a new mandate resumes it, and the host cannot. `reason`
    says why it is paused or has ended, and `changed_by` who did that.
    """

    id: str
    customer: str
    status: SubscriptionStatus
    since: datetime
    mandate: str
    pending: Sequence[str] = ()
    revoked: bool = False
    reason: str = ""
    changed_at: datetime
    changed_by: str

    def covers(self, number: str, issued_at: datetime) -> bool:
        """Return whether the invoice *number* is one that it charges."""
        return issued_at >= self.since or number in self.pending
