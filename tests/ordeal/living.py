"""A year of many customers: what is charged each day is what the pure rules compute.

The model knows the rules, `plan` and `judge`, and which answer the bank of each card gives, and it
keeps its own tries. The cashier has a ledger, a processor, claims, runs and events. Both must
charge the same customers the same amounts on the same days.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from paygate.domain.advice import Advice
from paygate.domain.autopay import AutopayItem, AutopayMethod, AutopayPolicy, PastTry
from paygate.domain.autopay_plan import AutopayFacts, plan
from paygate.domain.kind import Kind
from paygate.domain.retries import Failure, MethodUse, RetryClass, judge
from paygate.domain.subscription import Subscription, SubscriptionStatus
from tests.service.autopaying import Merchant, usd

if TYPE_CHECKING:
    from pathlib import Path

    from paygate import Payment
    from paygate.domain.autopay_plan import PlannedCharge
    from paygate.domain.money import Money

FIRST: Final = date(2027, 12, 1)
START: Final = datetime.combine(FIRST, time(9), tzinfo=UTC)
# Which answer the bank of a customer's card gives, by the number of the customer.
BANKS: Final[dict[str, Failure | None]] = {
    "tok_visa": None,
    "tok_mastercard": None,
    "tok_declined_insufficient_funds": Failure(kind=Kind.CARD, code="insufficient_funds"),
    "tok_declined_try_again_later": Failure(kind=Kind.CARD, code="try_again_later"),
    "tok_declined_lost_or_stolen": Failure(kind=Kind.CARD, code="lost_or_stolen", retryable=False),
    "tok_declined_authentication_required": Failure(kind=Kind.CARD, code="authentication_required"),
    "tok_advised_after_4_days": Failure(kind=Kind.CARD, code="generic", advice=Advice.AFTER_4_DAYS),
}
TOKENS: Final = tuple(BANKS)


@dataclass
class Modeled:
    """A customer, their card, their invoices, and what became of each."""

    id: str
    token: str
    subscription: Subscription
    card: AutopayMethod
    items: dict[str, AutopayItem] = field(default_factory=dict[str, AutopayItem])
    classes: dict[str, list[RetryClass]] = field(default_factory=dict[str, list[RetryClass]])
    firsts: dict[str, date] = field(default_factory=dict[str, date])
    declined: list[date] = field(default_factory=list[date])

    def charges(self, today: date, policy: AutopayPolicy) -> list[tuple[Money, str]]:
        """Charge what the rules say, let the bank answer, and keep what follows."""
        recent = [each for each in self.declined if each > today - timedelta(days=30)]
        card = replace(self.card, declines=len(recent), declines_today=recent.count(today))
        now = datetime.combine(today, time(9), tzinfo=UTC)
        facts = AutopayFacts(
            customer=self.id,
            subscription=self.subscription,
            items=tuple(self.items.values()),
            methods=(card,),
            on=today,
            today=today,
            now=now,
        )
        done: list[tuple[Money, str]] = []
        for charge in plan(facts, policy).charges:
            failure = BANKS[self.token]
            done.append((charge.amount, "succeeded" if failure is None else "declined"))
            if failure is None:
                for each in charge.items:
                    del self.items[each.number]
            else:
                self.fail(charge, failure, today, now, policy)
        return done

    def fail(
        self,
        charge: PlannedCharge,
        failure: Failure,
        today: date,
        now: datetime,
        policy: AutopayPolicy,
    ) -> None:
        """Keep what follows from a decline, for each invoice and for the card."""
        self.declined.append(today)
        for each in charge.items:
            earlier = self.classes.setdefault(each.number, [])
            first = self.firsts.setdefault(each.number, today)
            verdict = judge(failure, earlier, today, policy.retry, first)
            earlier.append(verdict.retry_class)
            item = self.items[each.number]
            past = PastTry(
                payment=f"{each.number} {len(earlier)}",
                method=self.card.id,
                on=today,
                amount=each.amount,
                next_on=verdict.next_on,
                given_up=verdict.given_up,
                ended_at=now,
            )
            self.items[each.number] = replace(item, tries=(*item.tries, past))
            if verdict.method is MethodUse.BLOCKED:
                self.card = replace(self.card, blocked=True)
            if verdict.rests_until is not None:
                self.card = replace(self.card, rests_until=verdict.rests_until)


def play(folder: Path, url: str, customers: int, days: int) -> Counter[str]:
    """Live through *days* with both, compare each day, and return what happened how often."""
    policy = AutopayPolicy()
    merchant = Merchant(folder, FIRST.isoformat(), policy, url=url)
    model = [modeled(merchant, number) for number in range(customers)]
    seen = ""
    happened: Counter[str] = Counter()
    for number in range(days):
        today = FIRST + timedelta(days=number)
        merchant.clock.set(datetime.combine(today, time(9), tzinfo=UTC))
        bill(merchant, model, today)
        expected = sorted(
            (each.id, str(amount), status)
            for each in model
            for amount, status in each.charges(today, policy)
        )
        assert merchant.cashier.run_autopay().finished
        new = since(merchant, seen)
        seen = new[-1].id if new else seen
        made = sorted((each.customer, str(each.amount), each.status.value) for each in new)
        assert made == expected, f"on {today}"
        happened.update(status for _, _, status in made)
    for each in model:
        owed = sum((item.open.minor for item in each.items.values()), 0)
        open_now = merchant.cashier.open_invoices(customer=each.id)
        assert sum(invoice.open.minor for invoice in open_now) == owed
    merchant.close()
    return happened


def since(merchant: Merchant, last: str) -> list[Payment]:
    """Return the payments after the one with the id *last*, the oldest first."""
    found: list[Payment] = []
    while True:
        after = found[-1].id if found else last
        page = merchant.cashier.payments(oldest_first=True, after=after, limit=1_000)
        found += page
        if len(page) < 1_000:
            return found


def modeled(merchant: Merchant, number: int) -> Modeled:
    """Store a card of a new customer, who agrees to automatic payment."""
    id_, token = f"C-{number:04}", TOKENS[number % len(TOKENS)]
    stored = merchant.store(id_, token)
    card = AutopayMethod(
        id=stored.id,
        account="card",
        kind=Kind.CARD,
        created_at=START,
        is_default=True,
        mandate="agreed",
    )
    subscription = Subscription(
        id="sub",
        customer=id_,
        status=SubscriptionStatus.ACTIVE,
        since=START,
        mandate="agreed",
        changed_at=START,
        changed_by="model",
    )
    return Modeled(id_, token, subscription, card)


def bill(merchant: Merchant, model: list[Modeled], today: date) -> None:
    """Issue the invoice of a month to the customers whose day it is, due ten days later."""
    for number, each in enumerate(model):
        if number % 28 + 1 != today.day:
            continue
        invoice, due = f"{each.id}/{today:%Y-%m}", today + timedelta(days=10)
        amount = usd(f"{10 + number % 7}.{number % 100:02}")
        merchant.issue(invoice, amount, due=due.isoformat(), customer=each.id)
        each.items[invoice] = AutopayItem(
            id=invoice,
            number=invoice,
            open=amount,
            due=due,
            issued_on=today,
            issued_at=datetime.combine(today, time(9), tzinfo=UTC),
        )
