"""A year of a thousand customers: the cashier does exactly what the pure rules compute."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from paygate import Campaign, Cashier, Money
from paygate.domain.banking_days import BankCalendar
from paygate.domain.episode import (
    Episode,
    Overdue,
    OverdueItem,
    SweepFacts,
    advance,
    settle,
)
from paygate.testing import FakeClock

if TYPE_CHECKING:
    from paygate.domain.event import Event

FIRST, DAYS, CUSTOMERS = date(2027, 1, 1), 365, 1_000
CAMPAIGN = Campaign(
    business_days=True, calendar=BankCalendar.TARGET2, thresholds=(Money.of("USD", 20),)
)


@dataclass
class Pure:
    """A customer by the rules alone: what is owed, and what has happened."""

    name: str
    items: dict[str, OverdueItem] = field(default_factory=dict[str, OverdueItem])
    told: set[str] = field(default_factory=set[str])
    episode: Episode | None = None
    promised: date | None = None
    terminated: bool = False
    happened: list[str] = field(default_factory=list[str])

    @property
    def state(self) -> str:
        if self.terminated:
            return "terminated"
        return "clear" if self.episode is None else self.episode.state.value

    def settle(self, today: date, before: str = "") -> None:
        before = before or self.state
        overdue = sorted(
            (each for each in self.items.values() if each.number in self.told),
            key=lambda each: (each.due, each.id),
        )
        debt = Overdue(customer=self.name, currency="USD", on=today, items=tuple(overdue))
        self.episode = settle(self.episode, debt, CAMPAIGN)
        if self.episode is not None and self.episode.ended_on == today:
            self.promised = None
        if self.state != before:
            self.happened.append(f"{today} {self.state}")

    def sweep(self, today: date) -> None:
        before = self.state
        self.told |= {each.number for each in self.items.values() if each.due < today}
        said = len(self.happened)
        self.settle(today)
        live = self.episode is not None and self.episode.ended_on is None
        if self.episode is None or not live or self.terminated:
            return
        facts = SweepFacts(on=today, today=today, promised_until=self.promised)
        done = advance(self.episode, facts, CAMPAIGN)
        self.episode = done.episode
        if done.stage is None:
            return
        del self.happened[said:]  # one change of state in a transaction
        self.terminated = self.state == "terminated"
        if self.state != before:
            self.happened.append(f"{today} {self.state}")
        self.happened.append(f"{today} notice {done.stage.name}")


def line(event: Event, today: date) -> str:
    if event.type == "notice.due":
        return f"{today} notice {event.data['stage']}"
    return f"{today} {event.data['to']}"


def since(cashier: Cashier, position: int) -> list[Event]:
    found: list[Event] = []
    while page := cashier.events(after=found[-1].position if found else position, limit=1_000):
        found += page
    return found


def acts(rolls: random.Random) -> dict[date, list[tuple[str, str, str]]]:
    """Return what people do on each day: issue, pay, bounce."""
    found: defaultdict[date, list[tuple[str, str, str]]] = defaultdict(list)
    for number in range(CUSTOMERS):
        name = f"C-{number:04}"
        for invoice in range(rolls.choice((1, 1, 2, 3))):
            what = f"{name}/{invoice}"
            day = FIRST + timedelta(days=rolls.randrange(DAYS))
            found[day].append(("issue", name, what))
            if rolls.random() < 0.8:
                paid = day + timedelta(days=int(rolls.expovariate(1 / 25)) + 1)
                found[paid].append(("pay", name, what))
                if rolls.random() < 0.3:
                    bounced = paid + timedelta(days=rolls.choice((1, 3, 10, 70)))
                    found[bounced].append(("bounce", name, what))
            if rolls.random() < 0.2:
                promised = day + timedelta(days=rolls.choice((9, 16, 30)))
                found[promised].append(("promise", name, what))
    return found


def test_a_year_of_a_thousand_customers_follows_the_pure_rules() -> None:
    rolls = random.Random(2027)  # noqa: S311 - it draws what people do
    planned, amounts = acts(rolls), {}
    down = {FIRST + timedelta(days=each) for each in rolls.sample(range(DAYS), 40)}
    clock = FakeClock(datetime.combine(FIRST, time(9), tzinfo=UTC))
    people = {f"C-{number:04}": Pure(f"C-{number:04}") for number in range(CUSTOMERS)}
    happened: defaultdict[str, list[str]] = defaultdict(list)
    with Cashier.in_memory(clock=clock, campaign=CAMPAIGN) as cashier:
        seen = 0
        for passed in range(DAYS):
            today = FIRST + timedelta(days=passed)
            clock.set(datetime.combine(today, time(9), tzinfo=UTC))
            if today not in down:
                assert cashier.run_overdue().finished
                for each in people.values():
                    each.sweep(today)
            for what, name, number in planned[today]:
                one = people[name]
                match what:
                    case "issue":
                        due = today + timedelta(days=rolls.choice((0, 10, 30)))
                        minor = amounts[number] = rolls.choice((500, 3_000, 10_000))
                        made = cashier.issue(
                            number=number, customer=name, total=Money("USD", minor), due=due
                        )
                        one.items[number] = OverdueItem(
                            id=made.id, number=number, due=due, open=minor
                        )
                    case "pay":
                        cashier.record(number, by="check", key=number)
                        del one.items[number]
                        one.settle(today)
                    case "bounce":
                        [payment] = [
                            each for each in cashier.payments(customer=name) if each.key == number
                        ]
                        invoice = cashier.invoice(number)
                        cashier.reverse(payment, reason="bounced")
                        one.items[number] = OverdueItem(
                            id=invoice.id, number=number, due=invoice.due, open=amounts[number]
                        )
                        one.settle(today)
                    case _:
                        episode = one.episode
                        live = episode is not None and episode.ended_on is None
                        if live and one.promised is None:
                            one.promised = today + timedelta(days=8)
                            cashier.promise(name, until=one.promised)
            for event in (new := since(cashier, seen)):
                stage = event.type == "notice.due" and event.data["kind"] != "restored"
                if stage or event.type.startswith("customer."):
                    happened[event.data["customer"]].append(line(event, today))
            seen = new[-1].position if new else seen
        found = cashier.fsck()

    assert found == []
    assert {name: happened[name] for name in people} == {
        name: each.happened for name, each in people.items()
    }
    reached = {line.split()[-1] for each in people.values() for line in each.happened}
    assert reached >= {"w1", "w2", "limit", "suspend", "terminate", "clear", "terminated"}
