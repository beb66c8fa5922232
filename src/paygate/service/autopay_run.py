"""A run of automatic payment: the invoices of one day are charged, once, whatever happens.

A run goes through the customers with a subscription, page by page, and stores how far it is. Of
each customer it makes a plan, and charges what is in the plan, one charge after the other. The
transaction that stores a charge makes the plan again, under the customer's lock: the charge is
stored only if it is in the second plan as well. It is stored with its line, of which there is one
for each customer, currency and method. So two processes that work on the same run, and one that
resumes it after a crash, cannot charge twice: the second one finds the invoice claimed, paid, or
tried today.

The lease of a run saves work, like that of a job; it protects nothing.

A pass ends when all customers are done. If somebody's day had not begun yet, or a request was never
sent and can be sent again, another pass follows later on the same day.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from paygate import logs
from paygate.domain.autopay import ChargeOn, SkipReason
from paygate.domain.autopay_plan import AutopayPlan, PlannedSkip, plan
from paygate.domain.autopay_run import AutopayCount, AutopayRun
from paygate.domain.charging import ChargeReason
from paygate.domain.outcome import DeclineCode
from paygate.domain.payable import Share
from paygate.domain.payment import PaymentStatus
from paygate.domain.retries import RetryClass
from paygate.errors import (
    AccountDisabled,
    AmountOutsideLimits,
    InvalidValue,
    ItemAlreadyBeingPaid,
    MethodNotUsable,
    MissingPayerField,
    PaygateError,
    Refused,
    SendingStopped,
    TokenKeysMissing,
    TokenUnreadable,
    Unsupported,
    UsageError,
)
from paygate.ledger import (
    autopay_items,
    autopay_runs,
    customers,
    holding,
    outbox,
    subscriptions,
)
from paygate.ledger.tx import LOGGER, TimedIds
from paygate.service import autopay_facts, collect, credit, expiring, finding
from paygate.service.collect import CollectOrder
from paygate.service.credit import Use
from paygate.service.events import AUTOPAY
from paygate.service.flow import Flow, look, repeatable, together, transact

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from datetime import date

    from paygate.domain.autopay_plan import PlannedAnnouncement, PlannedCharge
    from paygate.domain.method import PaymentMethod
    from paygate.domain.payment import Payment
    from paygate.ledger.autopay_runs import StoredLine, StoredRun
    from paygate.ledger.tx import Tx
    from paygate.service.account import GatewayAccount, Timing

PAGE: Final = 100
"""How many customers are done before it is stored how far a run is."""

AT_ONCE: Final = 10
"""How many customers are charged at the same time, if the runner can do that."""

LEASE: Final = timedelta(minutes=15)
"""How long a page should take at most."""

_EASTERNMOST: Final = timedelta(hours=14)
_PLANS_MAX: Final = 5


class _Changed(Exception):
    """The second plan does not have the charge; raised to end its transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """A run, and what this process does it with."""

    stored: StoredRun
    accounts: Mapping[str, GatewayAccount]
    timing: Timing


@dataclass(slots=True)
class _Done:
    """What was done for customers: skipped invoices, and the instant to come back at."""

    skips: Counter[SkipReason] = field(default_factory=Counter[SkipReason])
    wait_until: datetime | None = None

    def add(self, other: _Done) -> None:
        """Add what was done for another customer."""
        self.skips += other.skips
        self.wait_until = _sooner(self.wait_until, other.wait_until)


def run(
    on: date | None,
    accounts: Mapping[str, GatewayAccount],
    timing: Timing,
    *,
    pages: int | None = None,
) -> Flow[AutopayRun]:
    """
    Do the run of the day *on*, today by default, as far as it is due; return how far it is.

    With *pages*, no more than that number of pages of customers are done.
    """
    stored = yield from repeatable(lambda tx: autopay_runs.begin(tx, _checked(tx, on)))
    lease = TimedIds().new("lease")
    if not (yield from transact(lambda tx: _take(tx, stored.on, lease))):
        return (yield from look(partial(_result, on=stored.on)))
    try:
        yield from _pass(stored.on, lease, accounts, timing, pages)
    except PaygateError:
        yield from _give_back(stored.id, lease)
        raise
    return (yield from look(partial(_result, on=stored.on)))


def status(on: date | None) -> Flow[AutopayRun | None]:
    """Return the run of the day *on*, or the last one; None if there was no run."""

    def work(tx: Tx) -> AutopayRun | None:
        found = autopay_runs.last(tx) if on is None else autopay_runs.on_day(tx, on)
        return None if found is None else _result(tx, on=found.on)

    return (yield from look(work))


def dry_run(on: date | None, accounts: Mapping[str, GatewayAccount]) -> Flow[AutopayRun]:
    """Return what a run of the day *on* would charge now, without changing anything."""
    plans: list[AutopayPlan] = []
    after, day = "", (yield from look(lambda tx: _checked(tx, on)))
    while True:
        page = yield from look(partial(_customers, on=day, after=after))
        for customer in page:
            work = partial(_planned, customer=customer, on=day, run=None, accounts=accounts)
            made = yield from look(work)
            if made is not None and (made.charges or made.skips or made.announcements):
                plans.append(made)
        if len(page) < PAGE:
            break
        after = page[-1]
    skips = Counter(each.reason for made in plans for each in made.skips)
    return AutopayRun(
        on=day,
        finished=False,
        dry_run=True,
        customers=len(plans),
        charged=(),
        skipped=dict(sorted(skips.items())),
        plans=tuple(plans),
    )


def due_days(tx: Tx) -> list[date]:
    """Return the days whose run is to be begun, or continued now; none if the host runs it."""
    if not tx.autopay.enabled:
        return []
    days = autopay_runs.due_days(tx)
    today = _today(tx)
    if autopay_runs.on_day(tx, today) is None and subscriptions.any_live(tx):
        days.append(today)
    return days


def _today(tx: Tx) -> date:
    return tx.now.astimezone(tx.zone).date()


def _checked(tx: Tx, on: date | None) -> date:
    """Return the day of a run, or raise for one that has not begun anywhere."""
    if on is None:
        return _today(tx)
    if on > (tx.now + _EASTERNMOST).date():
        raise InvalidValue(
            f"the day of a run is {on}, which has not begun; today is {_today(tx)}",
            argument="on",
        )
    return on


def _take(tx: Tx, on: date, lease: str) -> bool:
    found = autopay_runs.on_day(tx, on)
    if found is None or found.finished:
        return False
    begun = bool(found.after)
    if not begun and found.next_at is not None and found.next_at > tx.now:
        return False
    return autopay_runs.take(tx, found.id, lease, LEASE)


def _give_back(run: str, lease: str) -> Flow[None]:
    yield from transact(lambda tx: autopay_runs.give_back(tx, run, lease))


def _pass(
    on: date,
    lease: str,
    accounts: Mapping[str, GatewayAccount],
    timing: Timing,
    pages: int | None,
) -> Flow[None]:
    """Go through the customers from where the run is, and store how far it is."""
    yield from expiring.announce(on)
    for number in itertools.count(1):
        stored = yield from look(partial(_stored, on=on))
        this = _Run(stored=stored, accounts=accounts, timing=timing)
        page = yield from look(partial(_customers, on=on, after=stored.after))
        results = yield from together(
            [partial(_customer, this, customer) for customer in page], AT_ONCE
        )
        done = _Done(wait_until=stored.wait_until)
        for each in results:
            done.add(each)
        last = len(page) < PAGE
        work = partial(_advance, stored=stored, lease=lease, page=page, done=done, last=last)
        held = yield from transact(work)
        if last or not held:
            return
        if number == pages:
            yield from _give_back(stored.id, lease)
            return


def _advance(
    tx: Tx, *, stored: StoredRun, lease: str, page: list[str], done: _Done, last: bool
) -> bool:
    """Store that *page* is done; return False if another process has taken the run over."""
    held = autopay_runs.advance(
        tx,
        stored,
        lease,
        after=page[-1] if page else stored.after,
        customers=len(page),
        skips=done.skips,
        wait_until=done.wait_until,
        length=LEASE,
    )
    if held and last:
        # What was never sent in the night is sent again by the run of the next day.
        over = tx.now >= datetime(stored.on.year, stored.on.month, stored.on.day, tzinfo=tx.zone)
        over = over and _today(tx) > stored.on + timedelta(days=1)
        autopay_runs.end_pass(tx, stored.id, lease, None if over else done.wait_until)
    return held


def _stored(tx: Tx, *, on: date) -> StoredRun:
    found = autopay_runs.on_day(tx, on)
    assert found is not None, "runs are never deleted"
    return found


def _customers(tx: Tx, *, on: date, after: str, limit: int = PAGE) -> list[str]:
    """Return the next customers with an invoice that may be charged on the day *on*."""
    policy = tx.autopay
    due = None if policy.when is ChargeOn.ISSUE else on + timedelta(days=policy.days_before)
    if due is not None:  # a mandate with a longer lead is announced later, and collected later
        due += timedelta(days=max(policy.lead_days.values(), default=0))
    return autopay_runs.customers(tx, after=after, due=due, limit=limit)


# --- One customer ---------------------------------------------------------------------------


def _planned(
    tx: Tx,
    *,
    customer: str,
    on: date,
    run: str | None,
    accounts: Mapping[str, GatewayAccount],
    unreadable: Collection[str] = (),
) -> AutopayPlan | None:
    """Return the plan of a customer; None if their day has not begun yet."""
    if _begins(tx, customer, on) > tx.now:
        return None
    off = frozenset[str]() if run is None else autopay_items.refuses(tx, run, sorted(accounts))
    return plan(autopay_facts.gather(tx, customer, on, accounts, off, unreadable), tx.autopay)


def _begins(tx: Tx, customer: str, on: date) -> datetime:
    """Return the instant from which a customer's invoices are charged on the day *on*."""
    zone = customers.zone_of_customer(tx, customer)
    return datetime.combine(on, tx.autopay.not_before, tzinfo=zone)


def _customer(this: _Run, customer: str) -> Flow[_Done]:
    """Charge what is due of one customer."""
    failed: dict[tuple[str, str], SkipReason] = {}
    charged, unreadable = set[str](), set[str]()
    made: AutopayPlan | None = None
    work = partial(
        _planned,
        customer=customer,
        on=this.stored.on,
        run=this.stored.id,
        accounts=this.accounts,
        unreadable=unreadable,
    )
    for _ in range(_PLANS_MAX):
        made = yield from look(work)
        if made is None:
            begins = yield from look(lambda tx: _begins(tx, customer, this.stored.on))
            return _Done(wait_until=begins)
        changed = False
        for charge in made.charges:
            if _name(charge) in failed:
                continue
            try:
                reason = yield from _charge(this, customer, charge, unreadable)
            except (TokenKeysMissing, TokenUnreadable):
                unreadable.add(charge.method)
                reason = SkipReason.LEASED
            if reason is SkipReason.LEASED:
                changed = True
                break
            if reason is not None:
                failed[_name(charge)] = reason
            else:
                charged |= {each.id for each in charge.items}
        if not changed:
            break
    assert made is not None, "a plan was made"
    for announcement in made.announcements:
        yield from _announce(work, announcement, customer)
    skips = [each for each in made.skips if each.id not in charged]
    yield from _tell(customer, skips)
    made = replace(made, skips=tuple(skips))
    waiting = charged | {each.id for each in skips if each.reason is SkipReason.RETRY_LATER}
    return (yield from look(partial(_summary, made=made, failed=failed, waiting=waiting)))


def _summary(
    tx: Tx,
    *,
    made: AutopayPlan,
    failed: Mapping[tuple[str, str], SkipReason],
    waiting: set[str],
) -> _Done:
    """
    Return what was skipped of a customer, and when to come back for what was never sent.

    What is skipped for another reason is not waited for: its time may be over, and the run would
    never end.
    """
    skips = Counter(each.reason for each in made.skips)
    for charge in made.charges:
        if _name(charge) in failed:
            skips[failed[_name(charge)]] += len(charge.items)
    waits: datetime | None = None
    for item in waiting:
        tries = autopay_items.tries_of(tx, item)
        if tries and tries[-1].next_at is not None:
            waits = _sooner(waits, tries[-1].next_at)
    return _Done(skips=skips, wait_until=waits)


def _sooner(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((each for each in (one, other) if each is not None), default=None)


def _tell(customer: str, skips: list[PlannedSkip]) -> Flow[None]:
    """Emit once for each invoice that no method can be charged for it."""
    wanted = [skip for skip in skips if skip.reason is SkipReason.NO_METHOD]
    if not wanted:
        return

    def untold(tx: Tx) -> list[PlannedSkip]:
        return [skip for skip in wanted if not autopay_items.is_told(tx, _NO_METHOD, skip.id)]

    def work(tx: Tx) -> None:
        holding.hold(tx, customers=(customer,))
        for skip in untold(tx):
            facts: dict[str, object] = {
                "customer": customer,
                "invoices": [skip.number],
                "amount_minor": skip.open.minor,
                "currency": skip.open.currency,
                "methods": [f"{id_} {problem}" for id_, problem in skip.methods.items()],
            }
            if autopay_items.tell(tx, _NO_METHOD, skip.id, "", facts):
                outbox.emit(tx, "autopay.no_method", f"customer:{customer}", facts)

    if (yield from look(untold)):
        yield from transact(work)


_NO_METHOD: Final = "no_method"


def _announce(
    planned: Callable[[Tx], AutopayPlan | None], announcement: PlannedAnnouncement, customer: str
) -> Flow[None]:
    """Announce a collection to the payer once, if it is still planned."""

    def work(tx: Tx) -> None:
        holding.hold(tx, customers=(customer,))
        made = planned(tx)
        if made is None or announcement not in made.announcements:
            return
        day = announcement.day.isoformat()
        facts: dict[str, object] = {
            "customer": customer,
            "invoices": [each.number for each in announcement.items],
            "amount_minor": announcement.amount.minor,
            "currency": announcement.currency,
            "day": day,
            "method": announcement.method,
        }
        for each in announcement.items:
            about = facts | {"open_minor": each.amount.minor}
            autopay_items.tell(tx, "announced", each.id, f"{day} {each.amount.minor}", about)
        outbox.emit(tx, "autopay.announced", f"customer:{customer}", facts)

    yield from transact(work)


# --- One charge -----------------------------------------------------------------------------


def _charge(
    this: _Run, customer: str, charge: PlannedCharge, unreadable: Collection[str]
) -> Flow[SkipReason | None]:
    """
    Make one charge of the plan; return why it was not made, or None.

    *unreadable* are the methods whose tokens cannot be used, which another plan leaves out.
    `LEASED` says that something has changed, so that there is to be another plan.
    """
    line = yield from look(partial(_line, this=this, customer=customer, charge=charge))
    if line is not None and not (yield from look(partial(_was_not_asked, line=line))):
        return SkipReason.TRIED_TODAY
    number = 0 if line is None else line.payments
    key = _key(this.stored.on, customer, charge, number)
    admit = partial(
        _admit,
        this=this,
        customer=customer,
        charge=charge,
        number=number,
        unreadable=unreadable,
    )
    record = partial(_record, this=this, customer=customer, charge=charge)
    try:
        if not charge.method:
            yield from repeatable(partial(_pay_from_credit, charge, key, admit, record))
        else:
            order = yield from look(
                partial(_order, this=this, charge=charge, key=key, admit=admit, record=record)
            )
            yield from collect.collect(order, this.timing, this.accounts)
    except _Changed:
        return SkipReason.LEASED
    except ItemAlreadyBeingPaid:
        return SkipReason.PAGE_OPEN
    except MissingPayerField:
        return SkipReason.PAYER_FIELD_MISSING
    except AmountOutsideLimits:
        return SkipReason.ABOVE_MAXIMUM
    except SendingStopped:
        return SkipReason.SENDING_STOPPED
    except (AccountDisabled, MethodNotUsable, Unsupported):
        return SkipReason.NO_METHOD
    except Refused:
        return SkipReason.LEASED
    except (TokenKeysMissing, TokenUnreadable):
        raise
    except UsageError as error:
        # It must not stop the customers after this one.
        text = f"the automatic payment of customer {customer} was passed over: {error}"
        logs.write(LOGGER, "attempt.passed_over", text, logs.NOTHING)
        return SkipReason.NO_METHOD
    return None


def _name(charge: PlannedCharge) -> tuple[str, str]:
    return charge.items[0].id, charge.method


def _key(on: date, customer: str, charge: PlannedCharge, number: int) -> str:
    """Return the key of a payment: it follows from the day, the group, and its number."""
    parts = (customer, charge.currency, charge.account, charge.method, charge.presents)
    digest = hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]
    return f"{AUTOPAY}{on}/{digest}/{number}"


def _line(tx: Tx, *, this: _Run, customer: str, charge: PlannedCharge) -> StoredLine | None:
    return autopay_runs.line_of(tx, this.stored.id, customer, charge)


def _was_not_asked(tx: Tx, *, line: StoredLine) -> bool:
    """Return whether the last payment of *line* was never sent, or refused by the processor."""
    again = (RetryClass.NOT_SENT, RetryClass.REFUSED)
    tries = autopay_items.of_payment(tx, line.payment)
    return all(each.retry_class in again for each in tries)


def _admit(
    tx: Tx,
    *,
    this: _Run,
    customer: str,
    charge: PlannedCharge,
    number: int,
    unreadable: Collection[str],
) -> None:
    """Make the plan again, in the transaction that stores the charge; raise if it is not in it."""
    made = _planned(
        tx,
        customer=customer,
        on=this.stored.on,
        run=this.stored.id,
        accounts=this.accounts,
        unreadable=unreadable,
    )
    if made is None or charge not in made.charges:
        raise _Changed
    line = _line(tx, this=this, customer=customer, charge=charge)
    if number != (0 if line is None else line.payments):
        raise _Changed
    if line is not None and not _was_not_asked(tx, line=line):
        raise _Changed


def _record(tx: Tx, payment: Payment, *, this: _Run, customer: str, charge: PlannedCharge) -> None:
    """Store the line of a payment, and its invoices, with the payment."""
    found = _line(tx, this=this, customer=customer, charge=charge)
    if found is None:
        line = autopay_runs.insert_line(tx, this.stored.id, customer, charge, payment.id)
    else:
        line = found.id
        autopay_runs.set_payment(tx, line, payment.id)
    autopay_items.insert(
        tx,
        payment=payment.id,
        line=line,
        method=charge.method,
        on=customers.today(tx, customer),
        amounts={each.id: each.amount.minor for each in charge.items},
    )


def _order(
    tx: Tx,
    *,
    this: _Run,
    charge: PlannedCharge,
    key: str,
    admit: partial[None],
    record: partial[None],
) -> CollectOrder:
    method: PaymentMethod = finding.method(tx, charge.method)
    return CollectOrder(
        items=[Share(each.number, each.amount) for each in charge.items],
        account=this.accounts[charge.account],
        key=key,
        name="autopay",
        kind=method.kind,
        method=method,
        payer_present=False,
        credit=charge.credit if charge.credit.minor else None,
        reason=_reason(tx, charge),
        admit=admit,
        record=record,
        page_wait=tx.autopay.page_wait,
    )


def _reason(tx: Tx, charge: PlannedCharge) -> ChargeReason:
    """Return under which agreement the networks see the charge."""
    for each in charge.items:
        tries = autopay_items.tries_of(tx, each.id)
        if tries and _lacked_funds(tx, tries[-1].payment):
            return ChargeReason.RESUBMISSION
    return ChargeReason.RECURRING


def _lacked_funds(tx: Tx, payment: str) -> bool:
    return finding.payment(tx, payment).code == DeclineCode.INSUFFICIENT_FUNDS


def _pay_from_credit(
    charge: PlannedCharge, key: str, admit: partial[None], record: partial[None], tx: Tx
) -> None:
    """Pay invoices from credit that covers them all, and store the line with the payment."""
    wanted = [each.number for each in charge.items]
    finding.hold(tx, wanted)
    admit(tx)
    payment = credit.pay_from_credit_in(tx, Use(items=wanted, key=key, amount=charge.credit))
    record(tx, payment)


# --- The result -----------------------------------------------------------------------------


def _result(tx: Tx, *, on: date) -> AutopayRun:
    stored = _stored(tx, on=on)
    return AutopayRun(
        on=stored.on,
        finished=stored.finished,
        dry_run=False,
        customers=stored.customers,
        charged=tuple(
            AutopayCount(status=PaymentStatus(state), payments=count, amount=amount)
            for state, count, amount in autopay_runs.sums(tx, stored.id)
        ),
        skipped=stored.skips,
        next_at=stored.next_at,
    )
