"""Automatic payment: the host's policy, and what a decision is made from.

`AutopayPolicy` says when an invoice is charged, and between which amounts. `choose_method` says by
which of the customer's methods; a host can replace it. Like all decisions about automatic payment
it is deterministic: the same facts give the same method, on any machine and on any day.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Final, TypeAlias, cast

from paygate.domain.kind import Kind
from paygate.domain.money import Money
from paygate.domain.retries import RetryPolicy
from paygate.errors import InvalidValue
from paygate.printing import shown_value

_AHEAD_MAX: Final = 60


class SkipReason(StrEnum):
    """Why an invoice that is due for automatic payment was not charged in a run."""

    NOT_SUBSCRIBED = "not_subscribed"
    """The customer has no subscription."""
    PAUSED = "paused"
    """The customer's automatic payment is paused."""
    TURNED_OFF = "turned_off"
    """Automatic payment is turned off for this invoice."""
    SENDING_STOPPED = "sending_stopped"
    """An operator has stopped sending from this ledger."""
    OUT_OF_SCOPE = "out_of_scope"
    """It was issued before the payer agreed, and is not among those that they agreed to."""
    DISPUTED = "disputed"
    """The payer's bank took money off it, or may."""
    IN_REVIEW = "in_review"
    """A payment of it is flagged for manual review."""
    IN_FLIGHT = "in_flight"
    """Another payment of it is under way, or its outcome is not known yet."""
    PAGE_OPEN = "page_open"
    """The payer has a page or slip on which it can still be paid."""
    PROMISED = "promised"
    """The customer has promised to pay it by a later day."""
    GIVEN_UP = "given_up"
    """It was tried as often as it may be."""
    ANNOUNCED = "announced"
    """It was announced to the payer, and the collection day is not reached."""
    RETRY_LATER = "retry_later"
    """Its next try is on a later day."""
    TRIED_TODAY = "tried_today"
    """It was tried today already."""
    BELOW_MINIMUM = "below_minimum"
    """The amount is below the smallest that is charged; it is carried to a later run."""
    ABOVE_MAXIMUM = "above_maximum"
    """The amount is above the largest that is charged at once."""
    OVER_CEILING = "over_ceiling"
    """The amount is above the one that the payer agreed to."""
    PAYER_FIELD_MISSING = "payer_field_missing"
    """The gateway needs a fact about the payer that is not known."""
    LEASED = "leased"
    """Another process changed something about it at the same moment."""
    NO_METHOD = "no_method"
    """None of the customer's methods can be charged."""


class MethodProblem(StrEnum):
    """Why a method cannot be charged automatically."""

    NO_MANDATE = "no_mandate"
    """The payer has not agreed to charges without them, or has withdrawn that."""
    EXPIRED = "expired"
    """The card has expired."""
    BLOCKED = "blocked"
    """A failure has blocked it, until it is replaced or updated."""
    RESTING = "resting"
    """Its bank asked to wait."""
    NETWORK_LIMIT = "network_limit"
    """It was declined as often as the card networks allow."""
    CURRENCY = "currency"
    """Its account, or the payer's agreement, is for other currencies."""
    ACCOUNT_OFF = "account_off"
    """Its gateway account is disabled, not configured here, or refuses our requests."""
    PAYER_PRESENT = "payer_present"
    """Its account charges only with the payer present."""
    USED_UP = "used_up"
    """It was tried for this invoice as often as it may be."""
    UNREADABLE = "unreadable"
    """No token key that is configured here decrypts its token."""


class PageState(StrEnum):
    """The page or slip of a payer that an invoice can be paid on."""

    YOUNG = "young"
    """It was opened a moment ago: the payer may be about to pay."""
    CLOSABLE = "closable"
    """It is withdrawn before the invoice is charged."""
    OPEN = "open"
    """It cannot be withdrawn, and can still be paid."""


class ChargeOn(StrEnum):
    """From which day on an invoice is charged."""

    ISSUE = "issue"
    """The day on which it is issued."""
    DUE = "due"
    """Its due date, or some days before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastTry:
    """
    An earlier automatic payment of an invoice, by one method.

    `live` says that its outcome is open. `next_on` and `next_at` are when the next try may follow;
    with `given_up` none does. `asked` says that the payer's bank was asked, so that it is the one
    try of its day. `presents` is set if a returned debit may be presented again: then *amount* and
    the other invoices of that payment must be the same.
    """

    payment: str
    method: str
    on: date
    amount: Money
    live: bool = False
    asked: bool = True
    next_on: date | None = None
    next_at: datetime | None = None
    given_up: bool = False
    ended_at: datetime | None = None
    presents: bool = False


@dataclass(frozen=True, slots=True)
class Announced:
    """What was announced to a payer about an invoice: at most *amount*, from *day* on."""

    amount: Money
    day: date


@dataclass(frozen=True, slots=True, kw_only=True)
class AutopayItem:
    """
    An invoice with an open amount, as automatic payment sees it.

    `open` is what is open and not held by a payment. `tries` are the earlier automatic payments of
    it, the oldest first. `method` is the one that the host pinned to it, and `announced` the last
    announcement, unless a try has used it.
    """

    id: str
    number: str
    open: Money
    due: date
    issued_on: date
    issued_at: datetime
    method: str | None = None
    turned_off: bool = False
    disputed: bool = False
    promised: bool = False
    in_review: bool = False
    held: bool = False
    page: PageState | None = None
    announced: Announced | None = None
    tries: tuple[PastTry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AutopayMethod:
    """
    A stored method of the customer, as automatic payment sees it.

    `currencies` is None if its account takes any. `minimum` and `maximum` are the account's, by
    currency. `declines` counts the automatic charges of it, and of methods with the same number,
    that failed in the last 30 days, and `declines_today` those of today. `lead` is how many days
    before a collection it is announced; with 0 it is not.
    """

    id: str
    account: str
    kind: Kind
    created_at: datetime
    is_default: bool = False
    mandate: str | None = None
    ceiling: Money | None = None
    expires: date | None = None
    blocked: bool = False
    rests_until: date | None = None
    lead: int = 0
    declines: int = 0
    declines_today: int = 0
    account_off: bool = False
    payer_present: bool = False
    unreadable: bool = False
    currencies: frozenset[str] | None = None
    minimum: tuple[Money, ...] = ()
    maximum: tuple[Money, ...] = ()

    def problem(self, currency: str, on: date, policy: AutopayPolicy) -> MethodProblem | None:
        """Return why it cannot be charged in *currency* on the day *on*; None if it can."""
        limits = policy.retry.limits
        spent = self.declines >= limits.in_30_days or self.declines_today >= limits.a_day
        other = self.currencies is not None and currency not in self.currencies
        foreign = self.ceiling is not None and self.ceiling.currency != currency
        checks = (
            (self.mandate is None, MethodProblem.NO_MANDATE),
            (self.payer_present, MethodProblem.PAYER_PRESENT),
            (self.blocked, MethodProblem.BLOCKED),
            (self.expires is not None and self.expires < on, MethodProblem.EXPIRED),
            (self.account_off, MethodProblem.ACCOUNT_OFF),
            (self.unreadable, MethodProblem.UNREADABLE),
            (other or foreign, MethodProblem.CURRENCY),
            (self.rests_until is not None and on < self.rests_until, MethodProblem.RESTING),
            (spent, MethodProblem.NETWORK_LIMIT),
        )
        return next((problem for found, problem in checks if found), None)


ChooseMethod: TypeAlias = Callable[
    [AutopayItem, Sequence[AutopayMethod], date], "AutopayMethod | None"
]
"""Which of the methods that can be charged an invoice is charged by, on a day; None for none."""


def choose_method(
    item: AutopayItem, methods: Sequence[AutopayMethod], on: date
) -> AutopayMethod | None:
    """
    Return the method by which *item* is charged, of *methods* that can be charged.

    It is the one pinned to the invoice, else the customer's default, else a bank account before a
    card, else the oldest. Nothing is drawn at random.
    """
    del on
    return min(
        methods,
        key=lambda each: (
            each.id != item.method,
            not each.is_default,
            each.kind is not Kind.E_CHECK,
            each.created_at,
            each.id,
        ),
        default=None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AutopayPolicy:
    """
    When and how the invoices of subscribed customers are charged automatically.

    - `when` is the day of issue or the due date, and `days_before` how many days before the due
      date; `not_before` is the time of day in the customer's zone before which nothing is charged.
    - Nothing below `minimum` or above `maximum` is charged at once, by currency; an account may
      have narrower limits. What is below is carried until a later invoice reaches it.
    - A page that the payer opened less than `page_rest` ago is left alone. One that cannot be
      withdrawn and has no end is waited out for `page_wait`.
    - `lead_days` says by kind how many days before a collection its amount and day are announced:
      ten for a bank account, as Regulation E wants it for amounts that vary (12 CFR
      1005.10(d)), and none for a card. A mandate with `notice_days` says it for itself, and one
      with a `ceiling` agreed to a range, about which nothing is announced.
    - With ``enabled=False``, the worker and `work_due` do no runs, and a run charges nothing.
    - With ``use_credit=False``, the customer's credit is left to the host.
    - `retry` says what follows a failure, and `choose` which method is charged.
    """

    enabled: bool = True
    when: ChargeOn = ChargeOn.DUE
    days_before: int = 0
    not_before: time = time(6)
    minimum: tuple[Money, ...] = ()
    maximum: tuple[Money, ...] = ()
    page_rest: timedelta = timedelta(minutes=30)
    page_wait: timedelta = timedelta(days=3)
    use_credit: bool = True
    lead_days: Mapping[Kind, int] = field(default_factory=lambda: {Kind.E_CHECK: 10})
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    choose: ChooseMethod = choose_method

    def __post_init__(self) -> None:
        days = cast("object", self.days_before)
        if type(days) is not int or not 0 <= days <= _AHEAD_MAX:
            raise InvalidValue(
                f"days_before must be 0 to {_AHEAD_MAX} days, not {shown_value(days)}",
                argument="days_before",
            )
        for kind, lead in self.lead_days.items():
            if not 0 <= lead <= _AHEAD_MAX:
                raise InvalidValue(
                    f"the lead of {kind} must be 0 to {_AHEAD_MAX} days, not {lead}",
                    argument="lead_days",
                )
        for name in ("minimum", "maximum"):
            limits: tuple[Money, ...] = getattr(self, name)
            if len({each.currency for each in limits}) < len(limits):
                raise InvalidValue(f"{name} has two amounts of one currency", argument=name)

    def charged_from(self, item: AutopayItem) -> date:
        """Return the first day on which *item* is charged."""
        if self.when is ChargeOn.ISSUE:
            return item.issued_on
        return max(item.issued_on, item.due - timedelta(days=self.days_before))

    def smallest(self, currency: str, method: AutopayMethod) -> int:
        """Return the smallest amount that is charged, in minor units."""
        return max(_of(self.minimum, currency, 1), _of(method.minimum, currency, 1))

    def largest(self, currency: str, method: AutopayMethod) -> int | None:
        """Return the largest amount that is charged at once, in minor units; None if any."""
        limits = [_of(each, currency, 0) for each in (self.maximum, method.maximum)]
        return min((each for each in limits if each), default=None)


def _of(limits: Sequence[Money], currency: str, otherwise: int) -> int:
    return next((each.minor for each in limits if each.currency == currency), otherwise)


REASONS: Final[Mapping[SkipReason, str]] = {
    SkipReason.NOT_SUBSCRIBED: "the customer has not agreed to automatic payment",
    SkipReason.PAUSED: "automatic payment is paused for the customer",
    SkipReason.TURNED_OFF: "automatic payment is turned off for this invoice",
    SkipReason.SENDING_STOPPED: "an operator has stopped sending",
    SkipReason.OUT_OF_SCOPE: "the customer agreed only to invoices issued later",
    SkipReason.DISPUTED: "the customer's bank disputes a payment of it",
    SkipReason.IN_REVIEW: "a payment of it is flagged for manual review",
    SkipReason.IN_FLIGHT: "a payment of it is under way, or its outcome is not known",
    SkipReason.PAGE_OPEN: "the customer has a page or slip on which it can be paid",
    SkipReason.PROMISED: "the customer has promised to pay it by a later day",
    SkipReason.GIVEN_UP: "it was tried as often as it may be",
    SkipReason.ANNOUNCED: "it was announced for a later day",
    SkipReason.RETRY_LATER: "the next try is on a later day",
    SkipReason.TRIED_TODAY: "it was tried today",
    SkipReason.BELOW_MINIMUM: "the amount is too small to charge, and is carried over",
    SkipReason.ABOVE_MAXIMUM: "the amount is above the largest that is charged at once",
    SkipReason.OVER_CEILING: "the amount is above what the customer agreed to",
    SkipReason.PAYER_FIELD_MISSING: "the gateway needs a fact about the customer that is missing",
    SkipReason.LEASED: "something about it changed at the same moment",
    SkipReason.NO_METHOD: "no stored method can be charged",
}
"""The reasons in words for a person."""
