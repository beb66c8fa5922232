"""The facts of automatic payment: what the ledger and the accounts know about one customer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from paygate.domain.autopay import Announced, AutopayItem, AutopayMethod, PageState, PastTry
from paygate.domain.autopay_plan import AutopayFacts
from paygate.domain.kind import Operation
from paygate.domain.money import Money
from paygate.domain.retries import RetryClass
from paygate.ledger import autopay_items, customers, lots, promises, sending, subscriptions
from paygate.ledger.autopay_items import LIVE
from paygate.service import finding, withdrawing

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import date

    from paygate.domain.autopay import AutopayPolicy
    from paygate.gateway import Rail
    from paygate.ledger.autopay_items import ChargeableMethod, OwedItem, StoredTry
    from paygate.ledger.tx import Tx
    from paygate.service.account import GatewayAccount


def gather(
    tx: Tx,
    customer: str,
    on: date,
    accounts: Mapping[str, GatewayAccount],
    off: Collection[str] = (),
    unreadable: Collection[str] = (),
) -> AutopayFacts:
    """
    Return the facts about *customer* for a run of the day *on*.

    The accounts *off* charge nothing in this run, and the tokens of *unreadable* cannot be used.
    """
    today = customers.today(tx, customer)
    found = autopay_items.methods_of(tx, customer, today)
    promised = promises.promised_items(tx, customer, today)
    methods = tuple(_method(each, accounts, off, unreadable, tx.autopay) for each in found)
    return AutopayFacts(
        customer=customer,
        subscription=subscriptions.live(tx, customer),
        items=tuple(
            _item(tx, each, accounts, promised, announces=any(one.lead for one in methods))
            for each in autopay_items.owed(tx, customer)
        ),
        methods=methods,
        on=on,
        today=today,
        now=tx.now,
        credit={
            currency: lots.spendable(tx, customer, currency)
            for currency, minor in lots.free_in(tx, customer).items()
            if minor > 0
        },
        sending_stopped=sending.stopped(tx) is not None,
    )


def _item(
    tx: Tx,
    owed: OwedItem,
    accounts: Mapping[str, GatewayAccount],
    promised: Collection[str],
    *,
    announces: bool,
) -> AutopayItem:
    pages, in_review = autopay_items.pages_and_reviews(tx, owed.id)
    tries = autopay_items.tries_of(tx, owed.id)
    return AutopayItem(
        id=owed.id,
        number=owed.number,
        open=owed.open - owed.claimed,
        due=owed.due,
        issued_on=owed.issued_on,
        issued_at=owed.issued_at,
        method=owed.method,
        turned_off=owed.turned_off,
        disputed=owed.disputed,
        promised=owed.id in promised,
        in_review=in_review,
        held=owed.claimed.minor > 0,
        page=_page(tx, pages, accounts),
        announced=_announced(tx, owed, tries) if announces else None,
        tries=tuple(_past(each) for each in tries),
    )


def _announced(tx: Tx, owed: OwedItem, tries: Sequence[StoredTry]) -> Announced | None:
    """Return the last announcement of an item; None if a try came after it, and used it."""
    found = autopay_items.announced(tx, owed.id)
    if found is None:
        return None
    minor, day, given_at = found
    asked = [each.ended_at for each in tries if each.retry_class not in _NOT_ASKED]
    if any(ended is not None and ended >= given_at for ended in asked):
        return None
    return Announced(Money(owed.open.currency, minor), day)


_NOT_ASKED: Final = (RetryClass.NOT_SENT, RetryClass.REFUSED, RetryClass.NOT_ARRIVED)


def _past(one: StoredTry) -> PastTry:
    asked = one.retry_class not in (RetryClass.NOT_SENT, RetryClass.REFUSED)
    return PastTry(
        payment=one.payment,
        method=one.method or "",
        on=one.on,
        amount=one.amount,
        live=one.outcome == LIVE,
        asked=asked,
        next_on=one.next_on,
        next_at=one.next_at,
        given_up=one.given_up,
        ended_at=one.ended_at,
        presents=one.retry_class is RetryClass.FUNDS_RETURN,
    )


def _page(
    tx: Tx, pages: Collection[str], accounts: Mapping[str, GatewayAccount]
) -> PageState | None:
    """Return the state of the pages on which an item can be paid; the worst one counts."""
    states = [_state(tx, page, accounts) for page in pages]
    order = (PageState.YOUNG, PageState.OPEN, PageState.CLOSABLE)
    return next((state for state in order if state in states), None)


def _state(tx: Tx, id_: str, accounts: Mapping[str, GatewayAccount]) -> PageState:
    page, policy = finding.payment(tx, id_), tx.autopay
    if page.created_at is not None and page.created_at + policy.page_rest > tx.now:
        return PageState.YOUNG
    closable = withdrawing.is_withdrawable(tx, page, accounts)
    if closable or withdrawing.is_over(tx, page, policy.page_wait):
        return PageState.CLOSABLE
    return PageState.OPEN


def _method(
    found: ChargeableMethod,
    accounts: Mapping[str, GatewayAccount],
    off: Collection[str],
    unreadable: Collection[str],
    policy: AutopayPolicy,
) -> AutopayMethod:
    account = accounts.get(found.account)
    rail = None if account is None else account.traits.rails.get(found.kind)
    charges = account is not None and account.offers(found.kind, Operation.CHARGE)
    enabled = account is not None and account.terms.enabled and found.account not in off
    return AutopayMethod(
        id=found.id,
        account=found.account,
        kind=found.kind,
        created_at=found.created_at,
        is_default=found.is_default,
        mandate=found.mandate,
        ceiling=found.ceiling,
        expires=found.expires,
        blocked=found.blocked,
        rests_until=found.rests_until,
        lead=_lead(found, policy),
        declines=found.declines,
        declines_today=found.declines_today,
        account_off=not (enabled and charges),
        unreadable=found.id in unreadable,
        payer_present=rail is not None and rail.payer_present,
        currencies=None if rail is None else rail.currencies,
        minimum=_limits(rail, smallest=True),
        maximum=_limits(rail, smallest=False),
    )


def _lead(found: ChargeableMethod, policy: AutopayPolicy) -> int:
    """Return how many days before a collection by the method it is announced."""
    if found.notice_days is not None:
        return found.notice_days
    return 0 if found.ceiling is not None else policy.lead_days.get(found.kind, 0)


def _limits(rail: Rail | None, *, smallest: bool) -> tuple[Money, ...]:
    if rail is None:
        return ()
    found = {
        currency: limits.minimum_minor if smallest else limits.maximum_minor
        for currency, limits in rail.limits.items()
    }
    return tuple(
        Money(currency, minor) for currency, minor in sorted(found.items()) if minor is not None
    )
