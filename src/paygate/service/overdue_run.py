"""The sweep of a day: overdue invoices are announced, and campaigns go on, once.

A sweep reads three indexes, one after the other: invoices whose due date has passed and was not
announced, episodes that have something to do on that day, and commitments whose term is over. So
its work is in proportion to what changes, however many customers there are. What was done leaves
its index. How far the sweep is, is stored after each page, because a customer who
cannot be handled stays.

Everything about one customer is one transaction under their lock: what is overdue is settled with
the facts of that moment, and then the next stage comes, if its day has come and nothing holds it.
Two processes that work on the same sweep, and one that resumes it after a crash, do nothing twice:
the second one finds the invoice announced and the stage reached.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

from paygate import logs
from paygate.domain.campaign import CustomerState
from paygate.domain.commitment import CommitmentStatus, OnDefault
from paygate.domain.episode import Hold, SweepFacts, advance
from paygate.domain.invoice import Invoice
from paygate.domain.standing import OverdueRun, PlannedStage, PromiseStatus
from paygate.domain.subscription import SubscriptionStatus
from paygate.errors import InvalidValue, PaygateError, StoreError
from paygate.ledger import (
    autopay_items,
    commitments,
    customers,
    episodes,
    holding,
    items,
    outbox,
    overdue_items,
    overdue_runs,
    subscriptions,
)
from paygate.ledger.tx import LOGGER, TimedIds
from paygate.service import agreements, allocation, committing, dunning, issue, overdue_facts
from paygate.service.flow import Flow, look, repeatable, transact

if TYPE_CHECKING:
    from datetime import date

    from paygate.domain.campaign import Stage
    from paygate.domain.episode import Advance
    from paygate.ledger.overdue_runs import StoredSweep
    from paygate.ledger.tx import Tx
    from paygate.service.account import GatewayAccount
    from paygate.service.dunning import Debt

PAGE: Final = 100
"""How many rows of an index are read before it is stored how far a sweep is."""

LEASE: Final = timedelta(minutes=15)
"""How long a page should take at most."""

_EASTERNMOST: Final = timedelta(hours=14)
_PLANNED_MAX: Final = 10_000
NONPAYMENT: Final = "nonpayment"
"""Why a commitment of a customer who was terminated for nonpayment ended."""

_Source: TypeAlias = Callable[["Tx", "date", tuple[str, str], int], list[tuple[str, str, str]]]
# Each returns a key, an id and a customer, in the order of the first two.
_SOURCES: Final[tuple[_Source, ...]] = (overdue_items.untold, episodes.due, commitments.due)


@dataclass(frozen=True, slots=True)
class _Place:
    """How far a sweep is: which index, and the key and id of its last row."""

    source: int = 0
    key: str = ""
    id: str = ""

    @classmethod
    def read(cls, text: str) -> _Place:
        return cls(*json.loads(text)) if text else cls()

    def __str__(self) -> str:
        return json.dumps([self.source, self.key, self.id])


@dataclass(slots=True)
class _Done:
    """What was done for customers, and the instant to come back at for the others."""

    customers: int = 0
    counts: Counter[str] = field(default_factory=Counter[str])
    wait_until: datetime | None = None


def run(
    on: date | None, accounts: Mapping[str, GatewayAccount], *, pages: int | None = None
) -> Flow[OverdueRun]:
    """
    Do the sweep of the day *on*, today by default, as far as it is due; return how far it is.

    With *pages*, no more than that number of pages is done.
    """
    stored = yield from repeatable(lambda tx: overdue_runs.begin(tx, _checked(tx, on)))
    lease = TimedIds().new("lease")
    if (yield from transact(lambda tx: _take(tx, stored.on, lease))):
        try:
            yield from _pass(stored.on, lease, accounts, pages)
        except PaygateError:
            yield from _give_back(stored.id, lease)
            raise
    return (yield from look(partial(_result, on=stored.on)))


def status(on: date | None) -> Flow[OverdueRun | None]:
    """Return the sweep of the day *on*, by default the last one; None if it does not exist."""

    def work(tx: Tx) -> OverdueRun | None:
        found = overdue_runs.last(tx) if on is None else overdue_runs.on_day(tx, on)
        return None if found is None else _result(tx, on=found.on)

    return (yield from look(work))


def dry_run(on: date | None, accounts: Mapping[str, GatewayAccount]) -> Flow[OverdueRun]:
    """Return what a sweep of the day *on* would do now, without changing anything."""
    day = yield from look(lambda tx: _checked(tx, on))
    counts, planned = Counter[str](), list[PlannedStage]()
    place: _Place | None = _Place()
    seen: dict[str, None] = {}
    while place is not None:
        found, place = yield from look(partial(_page, on=day, place=place))
        for customer in found:
            if customer in seen:
                continue
            seen[customer] = None
            more, stages = yield from look(
                partial(_planned, customer=customer, on=day, accounts=accounts)
            )
            counts += more
            planned += stages[: max(0, _PLANNED_MAX - len(planned))]
    return _run_of(
        day, counts, customers_=len(seen), finished=False, dry_run=True, planned=tuple(planned)
    )


def due_days(tx: Tx) -> list[date]:
    """Return the days whose sweep is to be begun, or continued now; none if the host does it."""
    if not tx.campaign.enabled:
        return []
    days = overdue_runs.due_days(tx)
    today = _today(tx)
    first = ("", "")
    if overdue_runs.on_day(tx, today) is None and any(
        source(tx, today, first, 1) for source in _SOURCES
    ):
        days.append(today)
    return days


def _today(tx: Tx) -> date:
    return tx.now.astimezone(tx.zone).date()


def _checked(tx: Tx, on: date | None) -> date:
    """Return the day of a sweep, or raise for one that has not begun anywhere."""
    if on is None:
        return _today(tx)
    if on > (tx.now + _EASTERNMOST).date():
        raise InvalidValue(
            f"the day of a sweep is {on}, which has not begun; today is {_today(tx)}",
            argument="on",
        )
    return on


def _take(tx: Tx, on: date, lease: str) -> bool:
    found = overdue_runs.on_day(tx, on)
    if found is None or found.finished:
        return False
    if not found.place and found.next_at is not None and found.next_at > tx.now:
        return False
    return overdue_runs.take(tx, found.id, lease, LEASE)


def _give_back(run: str, lease: str) -> Flow[None]:
    yield from transact(lambda tx: overdue_runs.give_back(tx, run, lease))


def _pass(
    on: date, lease: str, accounts: Mapping[str, GatewayAccount], pages: int | None
) -> Flow[None]:
    """Go through the indexes from where the sweep is, and store how far it is."""
    for number in itertools.count(1):
        stored = yield from look(partial(_stored, on=on))
        found, after = yield from look(partial(_page, on=on, place=_Place.read(stored.place)))
        done = _Done(wait_until=stored.wait_until)
        for customer in found:
            yield from _customer(customer, on, accounts, done)
        work = partial(_advance, stored=stored, lease=lease, after=after, done=done)
        if not (yield from transact(work)) or after is None:
            return
        if number == pages:
            yield from _give_back(stored.id, lease)
            return


def _advance(tx: Tx, *, stored: StoredSweep, lease: str, after: _Place | None, done: _Done) -> bool:
    """Store that a page is done; return False if another process has taken the sweep over."""
    held = overdue_runs.advance(
        tx,
        stored,
        lease,
        place=stored.place if after is None else str(after),
        customers=done.customers,
        counts=done.counts,
        wait_until=done.wait_until,
        length=LEASE,
    )
    if held and after is None:
        overdue_runs.end_pass(tx, stored.id, lease, done.wait_until)
    return held


def _stored(tx: Tx, *, on: date) -> StoredSweep:
    found = overdue_runs.on_day(tx, on)
    assert found is not None, "sweeps are never deleted"
    return found


def _page(tx: Tx, *, on: date, place: _Place) -> tuple[list[str], _Place | None]:
    """Return the customers of the next page, and the place after it; None after the last."""
    found: dict[str, None] = {}
    left = PAGE
    while place.source < len(_SOURCES):
        rows = _SOURCES[place.source](tx, on, (place.key, place.id), left)
        found |= dict.fromkeys(customer for _, _, customer in rows)
        if len(rows) == left:
            return list(found), replace(place, key=rows[-1][0], id=rows[-1][1])
        left -= len(rows)
        place = _Place(place.source + 1)
    return list(found), None


@dataclass(frozen=True, slots=True)
class _Reached:
    """A stage that was reached, and the number of the invoice for its fee; empty without one."""

    debt: Debt
    stage: Stage
    fee: str


# --- One customer ---------------------------------------------------------------------------


def _customer(
    customer: str, on: date, accounts: Mapping[str, GatewayAccount], done: _Done
) -> Flow[None]:
    """Do what is due of one customer; an error of theirs does not stop the sweep."""
    begins = yield from look(partial(_begins, customer=customer, on=on))
    if begins is not None:
        done.wait_until = begins if done.wait_until is None else min(begins, done.wait_until)
        return
    done.customers += 1
    try:
        done.counts += yield from repeatable(
            partial(_sweep, customer=customer, on=on, accounts=accounts)
        )
    except StoreError:
        raise  # it is not about this customer
    except PaygateError as error:
        done.counts["failed"] += 1
        text = f"customer {customer} cannot be handled in the sweep of {on}: {error}"
        logs.write(LOGGER, "attempt.passed_over", text, logs.NOTHING)


def _begins(tx: Tx, *, customer: str, on: date) -> datetime | None:
    """Return the instant from which a customer is handled on the day *on*; None if that is over."""
    zone = customers.zone_of_customer(tx, customer)
    instant = datetime.combine(on, tx.campaign.sweep_at, tzinfo=zone)
    return instant if instant > tx.now else None


def _sweep(
    tx: Tx, *, customer: str, on: date, accounts: Mapping[str, GatewayAccount]
) -> Counter[str]:
    """Announce what is overdue, take campaigns to their next stage, and end terms; count it."""
    holding.hold(tx, customers=(customer,))
    counts = Counter[str]()
    for item in overdue_items.untold_of(tx, customer, on):
        counts["announced"] += _announce(tx, item)
    committing.end_terms(tx, customer, on)
    found = [dunning.keep(tx, each) for each in dunning.debts(tx, customer)]
    terminated = customers.state_of(tx, customer)[0] is CustomerState.TERMINATED
    reached: list[_Reached] = []
    found = [_advanced(tx, each, on, accounts, counts, reached, over=terminated) for each in found]
    dunning.restate(tx, customer, found)
    for each in reached:
        dunning.notify_stage(tx, each.debt, each.stage, each.fee)
    if not terminated and customers.state_of(tx, customer)[0] is CustomerState.TERMINATED:
        _terminate(tx, customer)
    return counts


def _announce(tx: Tx, item: str) -> bool:
    """Emit once that an invoice is overdue."""
    if not overdue_items.tell(tx, item):
        return False
    invoice = items.by_id(tx, item)
    assert isinstance(invoice, Invoice), "only invoices are announced"
    facts = allocation.facts_of(invoice) | {
        "status": "partially_paid" if invoice.open != invoice.total else "unpaid"
    }
    tries = autopay_items.tries_of(tx, item)
    if tries and tries[-1].next_on is not None and subscriptions.live(tx, invoice.customer):
        facts["autopay_on"] = tries[-1].next_on.isoformat()
    outbox.emit(tx, "invoice.overdue", invoice.id, facts)
    return True


def _advanced(
    tx: Tx,
    debt: Debt,
    on: date,
    accounts: Mapping[str, GatewayAccount],
    counts: Counter[str],
    reached: list[_Reached],
    *,
    over: bool,
) -> Debt:
    """Take one episode to its next stage if it is due; with *over*, nothing comes any more."""
    if not debt.is_live:
        return debt
    promise = debt.promise
    if promise is not None and promise.until < on:
        debt = dunning.ended_promise(tx, debt, promise, PromiseStatus.BROKEN)
    done = None if over else _next(tx, debt, on, accounts)
    episode = debt.episode if done is None else done.episode
    assert episode is not None, "it is live"
    before, debt = debt.episode, replace(debt, episode=episode)
    fee = None if done is None or done.stage is None else _fee(tx, debt, done.stage)
    number, item = fee or ("", None)
    kept = episodes.save(tx, before, episode, _look_on(debt, done), item)
    debt = replace(debt, before=kept, episode=kept)
    if done is not None and done.stage is not None:
        counts[f"stage {done.stage.name}"] += 1
        reached.append(_Reached(debt, done.stage, number))
    for hold in () if done is None else done.holds:
        counts[f"held {hold}"] += 1
    return debt


def _next(tx: Tx, debt: Debt, on: date, accounts: Mapping[str, GatewayAccount]) -> Advance:
    """Return what the sweep does with a live episode."""
    episode = debt.episode
    assert episode is not None, "it is live"
    day = episode.next_on(debt.campaign, debt.promised_until)
    due = day is not None and day <= on
    facts = SweepFacts(
        on=on,
        today=debt.overdue.on,
        holds=overdue_facts.holds(tx, debt, on, accounts) if due else (),
        promised_until=debt.promised_until,
    )
    return advance(episode, facts, debt.campaign)


def _look_on(debt: Debt, done: Advance | None) -> date | None:
    """Return the day on which the sweep looks at an episode again."""
    promise = debt.promise
    days = [
        None if done is None else done.look_on,
        None if promise is None else promise.until + timedelta(days=1),
    ]
    return min((each for each in days if each is not None), default=None)


def _fee(tx: Tx, debt: Debt, stage: Stage) -> tuple[str, str] | None:
    """Issue the invoice for the fee of a stage, once; return its number and id."""
    fee, episode = stage.fee, debt.episode
    assert episode is not None, "a stage is of an episode"
    if fee is None or fee.currency != episode.currency:
        return None
    if episodes.had_fee(tx, episode.id, stage.name):
        return None
    anchor = debt.overdue.items[0].number
    number = f"{anchor}-{stage.name}"
    for count in itertools.count(2):
        if items.by_number(tx, number) is None:
            break
        number = f"{anchor}-{stage.name}-{count}"
    bill = issue.Bill(number=number, customer=episode.customer, total=fee, due=debt.overdue.on)
    made = issue.issue_in(tx, bill)
    items.set_autopay(tx, made.id, on=False, method=None)
    return number, made.id


def _terminate(tx: Tx, customer: str) -> None:
    """End the commitments of a customer who was just terminated, and pause automatic payment."""
    for each in commitments.of_customer(tx, customer):
        active = each.status is CommitmentStatus.ACTIVE
        if active and each.on_default is OnDefault.TERMINATE:
            committing.end_in(tx, each, CommitmentStatus.TERMINATED, NONPAYMENT)
    live = subscriptions.live(tx, customer)
    if live is not None and live.status is SubscriptionStatus.ACTIVE:
        agreements.pause_in(tx, live, "the customer was terminated for nonpayment")


def _planned(
    tx: Tx, *, customer: str, on: date, accounts: Mapping[str, GatewayAccount]
) -> tuple[Counter[str], list[PlannedStage]]:
    """Return what a sweep would do for a customer now."""
    counts = Counter[str]()
    if _begins(tx, customer=customer, on=on) is not None:
        return counts, []
    counts["announced"] = len(overdue_items.untold_of(tx, customer, on))
    over = customers.state_of(tx, customer)[0] is CustomerState.TERMINATED
    stages: list[PlannedStage] = []
    for debt in dunning.debts(tx, customer, on):
        if not debt.is_live or over:
            continue
        done = _next(tx, debt, on, accounts)
        for hold in done.holds:
            counts[f"held {hold}"] += 1
        if done.stage is not None:
            counts[f"stage {done.stage.name}"] += 1
            stages.append(
                PlannedStage(
                    customer=customer,
                    currency=debt.overdue.currency,
                    stage=done.stage.name,
                    state=done.stage.state,
                )
            )
    return counts, stages


# --- The result -----------------------------------------------------------------------------


def _result(tx: Tx, *, on: date) -> OverdueRun:
    stored = _stored(tx, on=on)
    return _run_of(
        stored.on,
        stored.counts,
        customers_=stored.customers,
        finished=stored.finished,
        next_at=stored.next_at,
    )


def _run_of(
    on: date,
    counts: Mapping[str, int],
    *,
    customers_: int,
    finished: bool,
    dry_run: bool = False,
    planned: tuple[PlannedStage, ...] = (),
    next_at: datetime | None = None,
) -> OverdueRun:
    held = {
        name.removeprefix("held "): count
        for name, count in counts.items()
        if name.startswith("held ")
    }
    return OverdueRun(
        on=on,
        finished=finished,
        dry_run=dry_run,
        customers=customers_,
        announced=counts.get("announced", 0),
        stages={
            name.removeprefix("stage "): count
            for name, count in sorted(counts.items())
            if name.startswith("stage ")
        },
        held={Hold(name): count for name, count in sorted(held.items())},
        failed=counts.get("failed", 0),
        planned=planned,
        next_at=next_at,
    )
