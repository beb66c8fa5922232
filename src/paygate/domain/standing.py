"""Standings: how a customer stands who owes money late, and what comes next."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from paygate.domain.campaign import CustomerState
    from paygate.domain.episode import Hold
    from paygate.domain.money import Money


class PromiseStatus(StrEnum):
    """What became of a promise."""

    OPEN = "open"
    """Its day has not passed."""
    KEPT = "kept"
    """The invoices were paid in time."""
    BROKEN = "broken"
    """They were not."""
    CANCELED = "canceled"
    """The host reinstated the customer before its day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """
    A customer's promise to pay invoices until the end of a day.

    Until then, their campaign does not go on, and the invoices are not charged automatically.
    """

    id: str
    customer: str
    currency: str
    until: date
    invoices: Sequence[str]
    status: PromiseStatus
    made_at: datetime
    ended_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OverdueDebt:
    """
    What a customer owes late in one currency, and how far the campaign about it has come.

    `amount` is the open amount of `invoices` less credit. `days` have passed since the due date of
    the oldest. `stage` is the last one that was reached, and `next_stage` comes on `next_on` at the
    earliest; `holds` say why it would not come today.
    """

    amount: Money
    invoices: Sequence[str]
    due: date
    days: int
    state: CustomerState
    stage: str | None = None
    next_stage: str | None = None
    next_state: CustomerState | None = None
    next_on: date | None = None
    holds: Sequence[Hold] = ()
    promise: Promise | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """
    How a customer stands: the state, since when, and what is overdue in each currency.

    `since` is None if the customer was always clear. The state is the worst of the `debts`, except
    that a terminated customer stays so until `reinstate`.
    """

    customer: str
    state: CustomerState
    since: datetime | None
    debts: Sequence[OverdueDebt] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStage:
    """A stage that a sweep would take a customer to."""

    customer: str
    currency: str
    stage: str
    state: CustomerState


@dataclass(frozen=True, slots=True, kw_only=True)
class OverdueRun:
    """
    The sweep of a day over overdue invoices.

    One that is not `finished` continues at `next_at`, when the day has begun for customers in
    western time zones. `customers` counts those that it looked at; `announced` the invoices whose
    due date has passed; `stages` the stages reached, by name; `held` the stages that wait, by
    reason; `failed` the customers left for the next sweep because of an error. Of a dry run, which
    changes nothing, `planned` says who would reach which stage now.
    """

    on: date
    finished: bool
    dry_run: bool
    customers: int
    announced: int
    stages: Mapping[str, int]
    held: Mapping[Hold, int]
    failed: int = 0
    planned: Sequence[PlannedStage] = ()
    next_at: datetime | None = None
