"""Dunning: the state of a customer follows from what they owe late, in every transaction.

A payment, a reversal, a credit, a void, a write-off or a dispute changes what is overdue. So at the
end of each unit of work that changed an overdue invoice, or credit, the episodes of its customer
are settled, and their state is the worst of them. A customer who has paid is restored in
the transaction that books the money, and no process can see one without the other.

Only the sweep of a day takes a customer further: see `overdue_run`. A terminated customer stays so
until the host reinstates them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from paygate.domain.campaign import CustomerState
from paygate.domain.episode import Overdue, OverdueItem, released, resumes, settle
from paygate.domain.invoice import Invoice
from paygate.domain.money import Money
from paygate.domain.standing import PromiseStatus
from paygate.ledger import (
    autopay_items,
    campaigns,
    customers,
    episodes,
    items,
    lots,
    outbox,
    overdue_items,
    promises,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from paygate.domain.campaign import Campaign, Stage
    from paygate.domain.episode import Episode
    from paygate.domain.standing import Promise
    from paygate.ledger.overdue_items import CountedItem
    from paygate.ledger.tx import Tx


def follow(tx: Tx) -> None:
    """Store the states of customers whose overdue invoices or credit this transaction changed."""
    changed = [item for item in tx.late if items.may_be_overdue(tx, item)]
    credit = dict(tx.lots)
    tx.late.clear()
    tx.lots.clear()
    found: dict[str, None] = {}
    for item in changed:
        who = overdue_items.owner(tx, item)
        if who is not None:
            found[who] = None
    for id_, who in credit.items():
        lot = None if who else lots.by_id(tx, id_)
        found[who if lot is None else lot.customer] = None
    for who in found:
        if who:
            settle_in(tx, who)


@dataclass(frozen=True, slots=True, kw_only=True)
class Debt:
    """What a customer owes late in one currency, with the episode before and after it."""

    overdue: Overdue
    campaign: Campaign
    before: Episode | None
    episode: Episode | None
    promises: tuple[Promise, ...] = ()
    held: frozenset[str] = frozenset()

    @property
    def promise(self) -> Promise | None:
        """The promise that is still open, or None."""
        open_ = [each for each in self.promises if each.status is PromiseStatus.OPEN]
        return open_[-1] if open_ else None

    @property
    def promised_until(self) -> date | None:
        """The last day that the customer was given in this episode, even if it has passed."""
        return max((_last_day(each) for each in self.promises), default=None)

    @property
    def is_live(self) -> bool:
        """Whether an episode is under way."""
        return self.episode is not None and self.episode.ended_on is None

    def numbers(self) -> list[str]:
        """Return the numbers of the overdue invoices, the oldest first."""
        return [each.number for each in self.overdue.items]


def _last_day(promise: Promise) -> date:
    if promise.status is PromiseStatus.KEPT and promise.ended_on is not None:
        return min(promise.until, promise.ended_on)
    return promise.until


def debts(tx: Tx, customer: str, untold: date | None = None) -> list[Debt]:
    """
    Return what a customer owes late, by currency, with the episode that follows from it.

    Nothing is stored. Invoices that were not announced count if they were due before *untold*.
    """
    today = customers.today(tx, customer)
    found = overdue_items.counted(tx, customer, untold)
    last = episodes.last_of(tx, customer)
    live = {currency for currency, each in last.items() if each.ended_on is None}
    owed = sorted({each.currency for each in found} | live)
    credit = overdue_items.credit_of(tx, customer) if found else {}
    return [
        _debt(
            tx,
            Overdue(
                customer=customer,
                currency=currency,
                on=today,
                items=tuple(_item(each) for each in found if each.currency == currency),
                paid=max(0, credit.get(currency, 0)),
            ),
            last.get(currency),
            frozenset(each.id for each in found if each.held),
        )
        for currency in owed
    ]


def _item(found: CountedItem) -> OverdueItem:
    return OverdueItem(id=found.id, number=found.number, due=found.due, open=found.open)


def _debt(tx: Tx, overdue: Overdue, before: Episode | None, held: frozenset[str]) -> Debt:
    campaign = tx.campaign
    if before is not None:
        own = campaigns.by_version(tx, before.campaign)
        if before.ended_on is None or resumes(before, overdue, own):
            campaign = own
    after = settle(before, overdue, campaign)
    if after is not None and after.held and after.anchor not in held:
        after = released(after, overdue.on)
    made = () if after is None or not after.id else tuple(promises.of_episode(tx, after.id))
    return Debt(
        overdue=overdue,
        campaign=campaign,
        before=before,
        episode=after,
        promises=made,
        held=held,
    )


def settle_in(tx: Tx, customer: str) -> list[Debt]:
    """Store what follows for a customer from what is overdue now, and return it."""
    found = [keep(tx, each) for each in debts(tx, customer)]
    restate(tx, customer, found)
    return found


def keep(tx: Tx, debt: Debt) -> Debt:
    """Store the episode of *debt* if it has changed, and what became of its promises."""
    episode = debt.episode
    if episode is not None and episode != debt.before:
        if not episode.id:
            campaigns.store(tx, debt.campaign)
        episode = episodes.save(tx, debt.before, episode, look_on(debt))
        debt = replace(debt, before=episode, episode=episode)
    return _end_promises(tx, debt)


def look_on(debt: Debt) -> date | None:
    """Return the next day on which the sweep must look at an episode; None if it need not."""
    episode, promise = debt.episode, debt.promise
    if episode is None or episode.ended_on is not None:
        return None
    days = [
        episode.next_on(debt.campaign, debt.promised_until),
        None if promise is None else promise.until + timedelta(days=1),
    ]
    return min((each for each in days if each is not None), default=None)


def _end_promises(tx: Tx, debt: Debt) -> Debt:
    """Store that the open promise was kept, if its invoices are paid or too little is overdue."""
    promise = debt.promise
    if promise is None:
        return debt
    left = {each.id for each in debt.overdue.items}
    if debt.is_live and left & set(promise.invoices):
        return debt
    return ended_promise(tx, debt, promise, PromiseStatus.KEPT)


def ended_promise(tx: Tx, debt: Debt, promise: Promise, status: PromiseStatus) -> Debt:
    """Store what became of *promise*, and emit whether it was kept."""
    promises.end(tx, promise.id, status, debt.overdue.on)
    if status is not PromiseStatus.CANCELED:
        emit_promise(tx, f"promise.{status}", promise, debt)
    ended = replace(promise, status=status, ended_on=debt.overdue.on)
    return replace(
        debt, promises=tuple(ended if each.id == ended.id else each for each in debt.promises)
    )


def emit_promise(tx: Tx, type_: str, promise: Promise, debt: Debt) -> None:
    """Emit an event about a promise."""
    numbers = [_number_of(tx, each) for each in promise.invoices]
    outbox.emit(
        tx,
        type_,
        f"customer:{promise.customer}",
        {
            "promise": promise.id,
            "customer": promise.customer,
            "invoices": numbers,
            "currency": promise.currency,
            "amount_minor": debt.overdue.minor,
            "until": promise.until.isoformat(),
        },
    )


def _number_of(tx: Tx, item: str) -> str:
    found = items.by_id(tx, item)
    assert isinstance(found, Invoice), "only invoices are overdue"
    return found.number


# --- The state of the customer ----------------------------------------------------------------

_EVENTS: Final[Mapping[CustomerState, str]] = {
    CustomerState.CLEAR: "customer.restored",
    CustomerState.WARNED: "customer.warned",
    CustomerState.LIMITED: "customer.limited",
    CustomerState.SUSPENDED: "customer.suspended",
    CustomerState.TERMINATED: "customer.terminated",
}


def restate(tx: Tx, customer: str, found: list[Debt], *, reinstated: str = "") -> None:
    """
    Store the state that follows from a customer's debts, and emit it if it has changed.

    The event is named for the new state, whether it is better or worse than the one before, so
    that a system which acts on it gives the service that the customer should have now.
    """
    before, _ = customers.state_of(tx, customer)
    if before is CustomerState.TERMINATED and not reinstated:
        return
    live = [each for each in found if each.is_live]
    worst = max(live, key=_severity, default=None)
    now = CustomerState.CLEAR if worst is None else state_of(worst)
    if now is before:
        return
    customers.set_state(tx, customer, now)
    facts = {"customer": customer, "from": before.value, "to": now.value}
    more = {} if worst is None else facts_of(tx, worst)
    if reinstated:
        more["reason"] = reinstated
    owed = [str(Money(each.overdue.currency, each.overdue.minor)) for each in live]
    outbox.emit(
        tx, _EVENTS[now], f"customer:{customer}", facts | more | ({"overdue": owed} if owed else {})
    )
    limited = before.severity >= CustomerState.LIMITED.severity
    if now is CustomerState.CLEAR and limited:
        notify(tx, "restored", customer, {"from": before.value}, customer, tx.new_id("ntc"))


def _severity(debt: Debt) -> tuple[int, str]:
    return state_of(debt).severity, debt.overdue.currency


def state_of(debt: Debt) -> CustomerState:
    """Return the state that a debt puts its customer in."""
    return CustomerState.CLEAR if debt.episode is None else debt.episode.state


def facts_of(tx: Tx, debt: Debt) -> dict[str, object]:
    """Return what an event says about a debt: its oldest invoice, and what comes next."""
    episode = debt.episode
    assert episode is not None, "only a live episode has facts"
    facts: dict[str, object] = {
        "number": _number_of(tx, episode.anchor),
        "due": episode.anchor_due.isoformat(),
        "days": (debt.overdue.on - episode.anchor_due).days,
    }
    if episode.done:
        facts["stage"] = episode.done[-1].name
    following = episode.next_stage(debt.campaign)
    day = episode.next_on(debt.campaign, debt.promised_until)
    if following is not None and day is not None:
        facts |= {
            "next_stage": following.name,
            "next_state": following.state.value,
            "next_on": day.isoformat(),
        }
    return facts


def notify(
    tx: Tx, kind: str, customer: str, facts: Mapping[str, object], subject: str, occasion: str
) -> None:
    """Emit once that a customer is to get a message, with all facts that it needs."""
    known = customers.find(tx, customer)
    said: dict[str, object] = {
        "kind": kind,
        "customer": customer,
        "language": "" if known is None else known.language,
        **facts,
    }
    if autopay_items.tell(tx, kind, subject, occasion, said):
        outbox.emit(tx, "notice.due", f"customer:{customer}", said)


def notify_stage(tx: Tx, debt: Debt, stage: Stage, fee: str) -> None:
    """Emit once that a customer is to get a message about the stage that was just reached."""
    episode = debt.episode
    assert episode is not None, "a stage is of an episode"
    facts: dict[str, object] = {
        "currency": debt.overdue.currency,
        "amount_minor": debt.overdue.minor,
        "invoices": debt.numbers(),
        "state": stage.state.value,
        **facts_of(tx, debt),
    }
    if fee:
        facts["fee_invoice"] = fee
    occasion = f"{episode.turn}/{stage.name}"
    notify(tx, stage.notice, episode.customer, facts, episode.id, occasion)
