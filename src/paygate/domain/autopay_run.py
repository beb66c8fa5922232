"""A run of automatic payment, as a host sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from paygate.domain.autopay import SkipReason
    from paygate.domain.autopay_plan import AutopayPlan
    from paygate.domain.money import Money
    from paygate.domain.payment import PaymentStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class AutopayCount:
    """How many payments of a run have a status, and their amounts in one currency."""

    status: PaymentStatus
    payments: int
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class AutopayRun:
    """
    The run of a day: what was charged, and what was skipped.

    A run that is not `finished` continues at `next_at`: customers in western time zones come later
    in the day, and a request that was never sent is sent again. `customers` counts those with an
    invoice that was due, and `skipped` their invoices that were not charged in the last pass. Of a
    dry run, which changes and sends nothing, `plans` say what would be charged of each customer.
    """

    on: date
    finished: bool
    dry_run: bool
    customers: int
    charged: Sequence[AutopayCount]
    skipped: Mapping[SkipReason, int]
    plans: Sequence[AutopayPlan] = ()
    next_at: datetime | None = None
