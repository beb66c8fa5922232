"""The plan of a run: what is charged of one customer on one day, and what is not, and why.

`plan` is a pure function of the facts, the policy and the day. A run makes it twice: once to see
what to do, and again in the transaction that stores a payment, with the facts of that moment. The
payment is stored only if the second plan has the same charge. So whatever happened in between, such
as a payment by hand or the end of the subscription, is taken into account, by the same rule.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from paygate.domain.autopay import MethodProblem, PageState, SkipReason
from paygate.domain.money import Money
from paygate.domain.subscription import SubscriptionStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date, datetime

    from paygate.domain.autopay import AutopayItem, AutopayMethod, AutopayPolicy, PastTry
    from paygate.domain.subscription import Subscription


@dataclass(frozen=True, slots=True, kw_only=True)
class AutopayFacts:
    """
    What is known about a customer when a plan is made.

    `on` is the day of the run, `today` the current date in the customer's zone and `now` the
    instant. `credit` is the free credit by currency, in minor units.
    """

    customer: str
    subscription: Subscription | None
    items: tuple[AutopayItem, ...]
    methods: tuple[AutopayMethod, ...]
    on: date
    today: date
    now: datetime
    credit: Mapping[str, int] = field(default_factory=dict[str, int])
    sending_stopped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedItem:
    """An invoice of a planned charge, and how much of it is paid."""

    id: str
    number: str
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCharge:
    """
    A charge of one method for the invoices of one currency.

    `amount` is collected by the method, and `credit` is used of the customer's balance; together
    they are the sum of the items. Without an account, credit pays it all. `presents` is the payment
    of a returned debit that is presented again.
    """

    currency: str
    account: str
    method: str
    items: tuple[PlannedItem, ...]
    amount: Money
    credit: Money
    presents: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedAnnouncement:
    """What is announced to a payer: at most *amount* for *items*, from *day* on."""

    currency: str
    account: str
    method: str
    items: tuple[PlannedItem, ...]
    amount: Money
    day: date


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSkip:
    """An invoice that is not charged, and why; `methods` are the problems by method."""

    id: str
    number: str
    open: Money
    reason: SkipReason
    methods: Mapping[str, MethodProblem] = field(default_factory=dict[str, MethodProblem])


@dataclass(frozen=True, slots=True, kw_only=True)
class AutopayPlan:
    """What is charged of one customer, what is skipped, and what is announced to them."""

    customer: str
    charges: tuple[PlannedCharge, ...] = ()
    announcements: tuple[PlannedAnnouncement, ...] = ()
    skips: tuple[PlannedSkip, ...] = ()


_NOBODY: Final = ""


def plan(facts: AutopayFacts, policy: AutopayPolicy) -> AutopayPlan:
    """Return what is charged of a customer on the day of *facts*, and what is skipped."""
    ahead = timedelta(days=max((each.lead for each in facts.methods), default=0))
    due = [
        item
        for item in facts.items
        if (item.open.minor > 0 or item.held) and policy.charged_from(item) - ahead <= facts.on
    ]
    due.sort(key=lambda item: (item.due, item.number))
    skips: list[PlannedSkip] = []
    groups: dict[tuple[str, str, str, str], list[AutopayItem]] = {}
    told: dict[tuple[str, str, str, date], list[AutopayItem]] = {}
    by_id = {each.id: each for each in facts.methods}
    for item in due:
        is_due = policy.charged_from(item) <= facts.on
        reason = _why_not(facts, item) if policy.enabled else SkipReason.TURNED_OFF
        if reason is not None:
            skips += [_skip(item, reason)] if is_due else []
            continue
        found, problems = _method_of(facts, policy, item)
        if found is None:
            skips += [_skip(item, SkipReason.NO_METHOD, problems)] if is_due else []
            continue
        presents = _presented(item, found)
        if not presents and not _may_collect(facts, item, found):
            day = _collection_day(facts, policy, item, found)
            if day is not None:
                told.setdefault((item.open.currency, found.account, found.id, day), []).append(item)
            skips += [_skip(item, SkipReason.ANNOUNCED)] if is_due else []
            continue
        if not is_due:
            continue
        key = (item.open.currency, found.account, found.id, presents)
        groups.setdefault(key, []).append(item)
    credit = dict(facts.credit) if policy.use_credit else {}
    charges: list[PlannedCharge] = []
    for (currency, _, method, presents), items in groups.items():
        if presents:
            charge, left = _again(facts, policy, by_id[method], items, presents)
        else:
            free = credit.get(currency, 0)
            charge, left = _charge(policy, by_id[method], items, free)
            if charge is not None:
                credit[currency] = free - charge.credit.minor
        charges += [] if charge is None else [charge]
        skips += left
    skips.sort(key=lambda each: each.number)
    return AutopayPlan(
        customer=facts.customer,
        charges=tuple(charges),
        announcements=tuple(_announcement(*key, items) for key, items in told.items()),
        skips=tuple(skips),
    )


def _may_collect(facts: AutopayFacts, item: AutopayItem, method: AutopayMethod) -> bool:
    """Return whether *item* need not be announced, or was, for a day that has come."""
    if not method.lead:
        return True
    return _is_announced(item) and item.announced is not None and item.announced.day <= facts.on


def _is_announced(item: AutopayItem) -> bool:
    """Return whether the payer knows of an amount that is not lower than the open one."""
    return item.announced is not None and item.open <= item.announced.amount


def _collection_day(
    facts: AutopayFacts, policy: AutopayPolicy, item: AutopayItem, method: AutopayMethod
) -> date | None:
    """Return the day for which *item* is announced now; None if it was, or not yet."""
    planned = policy.charged_from(item)
    if _is_announced(item) or planned - timedelta(days=method.lead) > facts.on:
        return None
    return max(planned, facts.today + timedelta(days=method.lead))


def _announcement(
    currency: str, account: str, method: str, day: date, items: Sequence[AutopayItem]
) -> PlannedAnnouncement:
    return PlannedAnnouncement(
        currency=currency,
        account=account,
        method=method,
        items=tuple(
            PlannedItem(id=item.id, number=item.number, amount=item.open) for item in items
        ),
        amount=Money(currency, sum(item.open.minor for item in items)),
        day=day,
    )


def _skip(
    item: AutopayItem, reason: SkipReason, methods: Mapping[str, MethodProblem] | None = None
) -> PlannedSkip:
    return PlannedSkip(
        id=item.id, number=item.number, open=item.open, reason=reason, methods=methods or {}
    )


def _why_not(facts: AutopayFacts, item: AutopayItem) -> SkipReason | None:
    """Return why *item* is not charged, whatever the method; None if it can be."""
    subscription = facts.subscription
    if subscription is None or subscription.status is SubscriptionStatus.ENDED:
        return SkipReason.NOT_SUBSCRIBED
    last = item.tries[-1] if item.tries else None
    checks = (
        (subscription.status is SubscriptionStatus.PAUSED, SkipReason.PAUSED),
        (item.turned_off, SkipReason.TURNED_OFF),
        (facts.sending_stopped, SkipReason.SENDING_STOPPED),
        (not subscription.covers(item.number, item.issued_at), SkipReason.OUT_OF_SCOPE),
        (item.disputed, SkipReason.DISPUTED),
        (item.in_review, SkipReason.IN_REVIEW),
        (item.held or any(each.live for each in item.tries), SkipReason.IN_FLIGHT),
        (item.page in (PageState.YOUNG, PageState.OPEN), SkipReason.PAGE_OPEN),
        (item.promised, SkipReason.PROMISED),
        (_is_given_up(facts, last), SkipReason.GIVEN_UP),
        (_waits(facts, last), SkipReason.RETRY_LATER),
        (_tried_today(facts, item.tries), SkipReason.TRIED_TODAY),
    )
    return next((reason for found, reason in checks if found), None)


def _is_given_up(facts: AutopayFacts, last: PastTry | None) -> bool:
    """Return whether the last try was the last one, and no method was stored since."""
    if last is None or not last.given_up:
        return False
    ended = last.ended_at
    return ended is None or not any(
        each.mandate is not None and each.created_at > ended for each in facts.methods
    )


def _waits(facts: AutopayFacts, last: PastTry | None) -> bool:
    if last is None:
        return False
    later = last.next_on is not None and facts.on < last.next_on
    return later or (last.next_at is not None and facts.now < last.next_at)


def _tried_today(facts: AutopayFacts, tries: Iterable[PastTry]) -> bool:
    return any(each.asked and each.on == facts.today for each in tries)


def _method_of(
    facts: AutopayFacts, policy: AutopayPolicy, item: AutopayItem
) -> tuple[AutopayMethod | None, Mapping[str, MethodProblem]]:
    """Return the method by which *item* is charged, and why the others cannot be."""
    currency = item.open.currency
    usable: list[AutopayMethod] = []
    problems: dict[str, MethodProblem] = {}
    # A new method lets an invoice be charged again, but not by the one with which it was given up:
    # a returned debit, for example, may be presented three times in all.
    used_up = {each.method for each in item.tries if each.given_up}
    for each in facts.methods:
        problem = each.problem(currency, facts.on, policy)
        if problem is None and each.id in used_up:
            problem = MethodProblem.USED_UP
        if problem is None:
            usable.append(each)
        else:
            problems[each.id] = problem
    last = item.tries[-1] if item.tries else None
    if last is not None and last.presents and not last.given_up:
        # A returned debit is presented again to the same bank account, or not at all.
        usable = [each for each in usable if each.id == last.method]
    return policy.choose(item, usable, facts.on), problems


def _presented(item: AutopayItem, method: AutopayMethod) -> str:
    """Return the returned payment of *item* that is presented again; empty if none is."""
    last = item.tries[-1] if item.tries else None
    again = last is not None and last.presents and last.method == method.id
    return last.payment if last is not None and again and not last.given_up else ""


def _again(
    facts: AutopayFacts,
    policy: AutopayPolicy,
    method: AutopayMethod,
    items: Sequence[AutopayItem],
    presents: str,
) -> tuple[PlannedCharge | None, list[PlannedSkip]]:
    """Plan to present a returned debit again: alone, and with the same invoices and amounts."""
    before = {
        item.id: each.amount
        for item in facts.items
        for each in item.tries
        if each.payment == presents
    }
    now = {item.id: item.open for item in items}
    if before != now:
        return None, [_skip(item, SkipReason.GIVEN_UP) for item in items]
    # The payer may have lowered the ceiling since.
    taken, skips = _fitting(policy, method, items, 0)
    if len(taken) < len(items):
        return None, skips + [_skip(item, SkipReason.GIVEN_UP) for item in taken]
    return _planned(method, items, 0, presents), []


def _charge(
    policy: AutopayPolicy, method: AutopayMethod, items: Sequence[AutopayItem], free: int
) -> tuple[PlannedCharge | None, list[PlannedSkip]]:
    """
    Plan one charge for as many of *items* as fit, the oldest first; credit pays first.

    Credit is used whole if it covers everything. If the rest would be too small to charge, nothing
    is used, and all is carried.
    """
    currency = items[0].open.currency
    taken, skips = _fitting(policy, method, items, free)
    total = sum(item.open.minor for item in taken)
    rest = max(0, total - free)
    if taken and 0 < rest < policy.smallest(currency, method):
        skips += [_skip(item, SkipReason.BELOW_MINIMUM) for item in taken]
        taken = []
    if not taken:
        return None, skips
    return _planned(method, taken, min(free, total)), skips


def _fitting(
    policy: AutopayPolicy, method: AutopayMethod, items: Sequence[AutopayItem], free: int
) -> tuple[list[AutopayItem], list[PlannedSkip]]:
    """Return the items that fit below the largest amount and the payer's ceiling."""
    largest = policy.largest(items[0].open.currency, method)
    ceiling = None if method.ceiling is None else method.ceiling.minor
    taken: list[AutopayItem] = []
    skips: list[PlannedSkip] = []
    total = -free
    for item in items:
        after = total + item.open.minor
        if ceiling is not None and after > ceiling:
            skips.append(_skip(item, SkipReason.OVER_CEILING))
        elif largest is not None and after > largest:
            skips.append(_skip(item, SkipReason.ABOVE_MAXIMUM))
        else:
            taken.append(item)
            total = after
    return taken, skips


def _planned(
    method: AutopayMethod, items: Sequence[AutopayItem], credit: int, presents: str = ""
) -> PlannedCharge:
    currency = items[0].open.currency
    total = sum(item.open.minor for item in items)
    paid = total == credit
    return PlannedCharge(
        currency=currency,
        account=_NOBODY if paid else method.account,
        method=_NOBODY if paid else method.id,
        items=tuple(
            PlannedItem(id=item.id, number=item.number, amount=item.open) for item in items
        ),
        amount=Money(currency, total - credit),
        credit=Money(currency, credit),
        presents=presents,
    )
