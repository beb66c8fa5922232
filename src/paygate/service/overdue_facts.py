"""What holds the next stage of a campaign: payments under way, and faults that are ours."""

from __future__ import annotations

from datetime import datetime, time
from typing import TYPE_CHECKING, Final

from paygate.domain.autopay import MethodProblem, SkipReason
from paygate.domain.autopay_plan import plan
from paygate.domain.episode import Hold
from paygate.domain.subscription import SubscriptionStatus
from paygate.ledger import customers, feeds, overdue_items, sending, subscriptions
from paygate.service import autopay_facts

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from paygate.domain.autopay_plan import AutopayPlan
    from paygate.ledger.tx import Tx
    from paygate.service.account import GatewayAccount
    from paygate.service.dunning import Debt

# Why automatic payment passes an invoice over although its customer did nothing wrong.
_OURS: Final = frozenset(
    {
        SkipReason.BELOW_MINIMUM,
        SkipReason.ABOVE_MAXIMUM,
        SkipReason.LEASED,
        SkipReason.PAYER_FIELD_MISSING,
    }
)


def holds(tx: Tx, debt: Debt, on: date, accounts: Mapping[str, GatewayAccount]) -> frozenset[Hold]:
    """Return what holds the next stage of a debt on the day *on*."""
    episode, customer = debt.episode, debt.overdue.customer
    assert episode is not None, "only a live episode has a next stage"
    promise = debt.promise
    found = {
        Hold.IN_FLIGHT: episode.anchor in debt.held,
        Hold.IN_REVIEW: overdue_items.in_review(tx, customer),
        Hold.PROMISED: promise is not None and promise.until >= on,
        Hold.SENDING_STOPPED: sending.stopped(tx) is not None,
        Hold.NEWS_MISSING: _lacks_news(tx, customer, accounts),
    }
    more = _of_autopay(tx, customer, episode.anchor, accounts)
    return frozenset(hold for hold, holds_ in found.items() if holds_) | more


def _lacks_news(tx: Tx, customer: str, accounts: Mapping[str, GatewayAccount]) -> bool:
    """Return whether a feed by which the customer's money is reported was not read today."""
    zone = customers.zone_of_customer(tx, customer)
    midnight = datetime.combine(customers.today(tx, customer), time(), tzinfo=zone)
    used = overdue_items.accounts_of(tx, customer)
    reporting = [name for name in used if name in accounts and accounts[name].has_feed]
    if not reporting:
        return False
    since = {each.account: each.complete_since for each in feeds.standing(tx)}
    read = [since.get(name) for name in reporting]
    return any(each is None or each < midnight for each in read)


def _of_autopay(
    tx: Tx, customer: str, anchor: str, accounts: Mapping[str, GatewayAccount]
) -> frozenset[Hold]:
    """Return why automatic payment, and not the customer, is late with the oldest invoice."""
    live = subscriptions.live(tx, customer)
    if live is None or live.status is not SubscriptionStatus.ACTIVE or not tx.autopay.enabled:
        return frozenset()
    on = customers.today(tx, customer)
    made = plan(autopay_facts.gather(tx, customer, on, accounts), tx.autopay)
    if any(each.id == anchor for charge in made.charges for each in charge.items):
        return frozenset({Hold.RUN_MISSED})
    return frozenset({Hold.NOT_CHARGED}) if _is_ours(made, anchor) else frozenset()


def _is_ours(made: AutopayPlan, anchor: str) -> bool:
    return any(
        each.reason in _OURS or MethodProblem.ACCOUNT_OFF in each.methods.values()
        for each in made.skips
        if each.id == anchor
    )
