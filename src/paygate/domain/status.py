"""The state of a ledger: what is open, what fails, and what needs manual review."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from paygate.domain.callback import InboxState, RefusedCallbacks
    from paygate.domain.money import Money
    from paygate.domain.payment import PaymentStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceTotals:
    """How many invoices of one currency are in each state, and what is open on them.

    `overdue` counts those of the open and partially paid ones whose due date has passed in the
    merchant's time zone. `still_open` is None if it is more than an amount can be.
    """

    currency: str
    draft: int
    open: int
    partially_paid: int
    paid: int
    void: int
    overdue: int
    still_open: Money | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepaymentTotals:
    """How many prepayments of one currency are in each state, and what is on them.

    `waiting` is the money that waits for invoices, and `still_open` is what can still be paid on
    them. Each is None if it is more than an amount can be.
    """

    currency: str
    open: int
    partially_paid: int
    paid: int
    balanced: int
    replaced: int
    closed: int
    waiting: Money | None
    still_open: Money | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentTotals:
    """How many payments of one currency have a status, and the sums of their amounts.

    `amount` was requested, `received` came in, and `returned` went out again; `net` is what was
    received less what was returned. Each is None if it is more than an amount can be.
    """

    status: PaymentStatus
    currency: str
    count: int
    amount: Money | None
    received: Money | None
    returned: Money | None
    net: Money | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FlaggedPayments:
    """Payments that are flagged for review: how many, and the ids of the oldest of them.

    `conflicts` counts those that received money other than requested,
    `unidentified` those whose money came for a number that no customer has.
    """

    count: int
    conflicts: int
    unidentified: int
    since: datetime | None
    oldest: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownOutcomes:
    """Attempts whose outcome is not known yet, by age; `oldest` names payments or methods."""

    within_an_hour: int
    within_a_day: int
    within_a_week: int
    older: int
    since: datetime | None
    oldest: Sequence[str]

    @property
    def count(self) -> int:
        """The number of such attempts."""
        return self.within_an_hour + self.within_a_day + self.within_a_week + self.older


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountStatus:
    """The state of a gateway account.

    `read_at` is when the last complete reading of its feed began; None if there is
    no feed, or it was never read. `stuck` counts callbacks that were not applied, by state.
    `overdue_inquiries` and `overdue_callbacks` count those that have been due for an hour without
    a process that handles them. `disabled` says whether it is stored in the ledger and disabled,
    and `disabled_reason` for which reason.
    """

    name: str
    driver: str
    disabled: bool
    disabled_reason: str
    has_feed: bool
    credentials_rejected_since: datetime | None
    credentials_fault: str
    read_at: datetime | None
    feed_fault: str
    feed_failing_since: datetime | None
    refused: Sequence[RefusedCallbacks]
    stuck: Mapping[InboxState, int]
    stuck_since: datetime | None
    overdue_inquiries: int
    overdue_callbacks: int
    overdue_since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkStatus:
    """The state of a sink or subscriber.

    `behind_since` is when the first undelivered event happened, `set_aside` how
    many events wait for another try, and `due_since` when the first of them became due.
    `unreached_since` is when it was first not reached, `paused_until` when it is tried next. With
    `stopped` the other side wants no more events, and a person must resume it.
    `error` is the reason given for the last dead letter.
    """

    name: str
    behind_since: datetime | None
    set_aside: int
    due_since: datetime | None
    unreached_since: datetime | None
    paused_until: datetime | None
    stopped: bool
    fault: str
    dead_letters: int
    dead_since: datetime | None
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """One thing that needs attention; `name` is its name in the documentation.

    It is about `subject`, an account or a sink, if that is not empty.
    """

    name: str
    text: str
    subject: str = ""
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerStatus:
    """The state of one tenant's ledger at an instant; `concerns` lists what needs attention."""

    at: datetime
    concerns: Sequence[Concern]
    invoices: Sequence[InvoiceTotals]
    prepayments: Sequence[PrepaymentTotals]
    payments: Sequence[PaymentTotals]
    reviews: FlaggedPayments
    methods_need_review: Sequence[str]
    unknown: UnknownOutcomes
    accounts: Sequence[AccountStatus]
    sinks: Sequence[SinkStatus]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unattended:
    """Inquiries and callbacks of a gateway account that no process handles, and since when.

    No process recovers for the account: it is configured in a process that does not run,
    or not configured anywhere any more.
    """

    account: str
    attempts: int
    callbacks: int
    since: datetime
