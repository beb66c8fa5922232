"""Episodes: the worked calendars as pure rules, and what outages, holds and returns change."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from paygate.domain.banking_days import BankCalendar
from paygate.domain.campaign import Campaign, CustomerState
from paygate.domain.episode import (
    Episode,
    Hold,
    Overdue,
    OverdueItem,
    SweepFacts,
    advance,
    released,
    settle,
)


class Debtor:
    """A customer with invoices, whose days pass one by one; `told` is what happened on each."""

    def __init__(self, start: str, campaign: Campaign | None = None) -> None:
        self.today = date.fromisoformat(start)
        self.campaign = campaign or Campaign()
        self.items: dict[str, OverdueItem] = {}
        self.paid = 0
        self.holds: set[Hold] = set()
        self.promised: date | None = None
        self.episode: Episode | None = None
        self.told: list[str] = []

    @property
    def state(self) -> CustomerState:
        return CustomerState.CLEAR if self.episode is None else self.episode.state

    def owe(self, number: str, minor: int, due: str) -> None:
        """Open an invoice, or open it again."""
        item = OverdueItem(id=number, number=number, due=date.fromisoformat(due), open=minor)
        self.items[number] = item
        self.settle()

    def pay(self, number: str) -> None:
        del self.items[number]
        self.settle()

    def settle(self) -> None:
        overdue = sorted(
            (each for each in self.items.values() if each.due < self.today),
            key=lambda each: (each.due, each.id),
        )
        before = self.state
        debt = Overdue(
            customer="C-1", currency="USD", on=self.today, items=tuple(overdue), paid=self.paid
        )
        self.episode = settle(self.episode, debt, self.campaign)
        if self.state is not before:
            self.told.append(f"{self.today:%m-%d} {self.state}")

    def release(self, hold: Hold) -> None:
        self.holds.discard(hold)
        if self.episode is not None:
            self.episode = released(self.episode, self.today)

    def sweep(self) -> None:
        self.settle()
        if self.episode is None or self.episode.ended_on is not None:
            return
        facts = SweepFacts(
            on=self.today, today=self.today, holds=self.holds, promised_until=self.promised
        )
        done = advance(self.episode, facts, self.campaign)
        self.episode = done.episode
        if done.stage is not None:
            self.told.append(f"{self.today:%m-%d} {done.stage.name}")

    def until(self, day: str, *, sweeps: bool = True) -> None:
        """Let days pass until *day*, each with its sweep, which that of *day* is still to come."""
        while self.today < date.fromisoformat(day):
            if sweeps:
                self.sweep()
            self.today += timedelta(days=1)


def test_k1_two_stages_then_paid() -> None:
    debtor = Debtor("2027-01-31")
    debtor.owe("K1", 3000, "2027-01-31")
    debtor.until("2027-02-08")
    debtor.pay("K1")

    assert debtor.told == ["02-01 w1", "02-07 w2", "02-08 clear"]


def test_k2_every_stage_with_its_gap() -> None:
    debtor = Debtor("2027-03-15")
    debtor.owe("K2", 5000, "2027-03-15")
    debtor.until("2027-07-01")

    assert debtor.told == [
        "03-16 w1",
        "03-22 w2",
        "03-29 limit",
        "04-05 suspend",
        "05-14 terminate",
    ]
    assert debtor.state is CustomerState.TERMINATED


def test_k3_an_unknown_outcome_holds_a_stage_until_the_day_after_it() -> None:
    debtor = Debtor("2027-04-30")
    debtor.owe("K3", 4000, "2027-04-30")
    debtor.holds = {Hold.IN_FLIGHT}
    debtor.until("2027-05-02")
    debtor.release(Hold.IN_FLIGHT)
    debtor.until("2027-05-03")
    assert debtor.told == []
    assert debtor.episode is not None
    assert debtor.episode.next_on(debtor.campaign) == date(2027, 5, 3)
    debtor.pay("K3")
    debtor.sweep()

    assert debtor.told == []


def test_k4_a_return_resumes_the_episode_before_its_last_stage() -> None:
    debtor = Debtor("2027-07-02")
    debtor.owe("K4", 8000, "2027-06-30")
    debtor.until("2027-07-08")
    debtor.pay("K4")
    debtor.until("2027-07-12")
    debtor.owe("K4", 8000, "2027-06-30")
    debtor.until("2027-07-21")
    debtor.pay("K4")

    assert debtor.told == [
        "07-02 w1",
        "07-07 w2",
        "07-08 clear",
        "07-12 warned",
        "07-15 w2",
        "07-20 limit",
        "07-21 clear",
    ]


def test_k5_a_trifle_begins_no_episode() -> None:
    debtor = Debtor("2027-09-30")
    debtor.owe("C", 30, "2027-09-30")
    debtor.until("2027-12-31")

    assert debtor.told == []
    assert debtor.episode is None


def test_k6_a_promise_and_banking_days_postpone() -> None:
    debtor = Debtor(
        "2027-11-30", Campaign(business_days=True, calendar=BankCalendar.FEDERAL_RESERVE)
    )
    debtor.owe("K6", 2500, "2027-11-30")
    debtor.until("2027-12-10")
    debtor.promised = date(2027, 12, 20)
    debtor.until("2027-12-28")
    debtor.pay("K6")

    assert debtor.told == [
        "12-01 w1",
        "12-07 w2",
        "12-21 limit",
        "12-27 suspend",
        "12-28 clear",
    ]


def test_k7_leap_day() -> None:
    debtor = Debtor("2028-02-29")
    debtor.owe("K7", 6000, "2028-02-29")
    debtor.until("2028-03-02")
    debtor.pay("K7")

    assert debtor.told == ["03-01 w1", "03-02 clear"]


def test_k8_a_later_invoice_does_not_count_before_it_is_due() -> None:
    debtor = Debtor("2027-05-10")
    debtor.owe("A", 3000, "2027-05-10")
    debtor.owe("B", 3000, "2027-06-10")
    debtor.until("2027-05-20")
    debtor.pay("A")
    debtor.until("2027-06-10")
    debtor.pay("B")
    debtor.until("2027-08-01")

    assert debtor.told == ["05-11 w1", "05-17 w2", "05-20 clear"]


def test_after_an_outage_each_stage_still_comes_in_order_with_its_gap() -> None:
    debtor = Debtor("2027-03-15")
    debtor.owe("A", 5000, "2027-03-15")
    debtor.until("2027-05-01", sweeps=False)
    debtor.until("2027-06-01")

    assert debtor.told == [
        "05-01 w1",
        "05-04 w2",
        "05-09 limit",
        "05-14 suspend",
        "05-28 terminate",
    ]


def test_an_invoice_that_is_younger_keeps_the_stages_that_its_age_has_reached() -> None:
    debtor = Debtor("2027-03-15")
    debtor.owe("A", 5000, "2027-03-15")
    debtor.owe("B", 5000, "2027-03-28")
    debtor.until("2027-04-06")
    assert debtor.state is CustomerState.SUSPENDED
    debtor.pay("A")  # B is nine days late: the two warnings count, limit does not
    assert debtor.episode is not None
    assert [each.silent for each in debtor.episode.done] == [True, True]
    debtor.until("2027-04-20")

    assert debtor.told == [
        "03-16 w1",
        "03-22 w2",
        "03-29 limit",
        "04-05 suspend",
        "04-06 warned",
        "04-11 limit",
        "04-18 suspend",
    ]


def test_a_return_of_a_suspended_customer_limits_first_and_suspends_after_the_gap() -> None:
    debtor = Debtor("2027-03-15")
    debtor.owe("A", 5000, "2027-03-15")
    debtor.until("2027-04-06")
    debtor.pay("A")
    debtor.until("2027-04-10")
    debtor.owe("A", 5000, "2027-03-15")
    debtor.until("2027-04-16")

    assert debtor.told[-4:] == ["04-05 suspend", "04-06 clear", "04-10 limited", "04-15 suspend"]


def test_a_return_long_after_begins_again_and_so_does_a_later_invoice() -> None:
    debtor = Debtor("2027-03-15", Campaign(resumed_within=10))
    debtor.owe("A", 5000, "2027-03-15")
    debtor.until("2027-03-23")
    debtor.pay("A")
    debtor.owe("B", 5000, "2027-03-24")
    debtor.until("2027-03-26")
    debtor.pay("B")
    debtor.until("2027-05-01")
    debtor.owe("A", 5000, "2027-03-15")
    debtor.until("2027-05-05")

    assert debtor.told == [
        "03-16 w1",
        "03-22 w2",
        "03-23 clear",
        "03-25 w1",
        "03-26 clear",
        "05-01 w1",
        "05-04 w2",
    ]


def test_free_credit_counts_as_paid() -> None:
    debtor = Debtor("2027-03-15")
    debtor.paid = 4600
    debtor.owe("A", 5000, "2027-03-15")
    debtor.until("2027-03-18")
    assert debtor.episode is None
    debtor.paid = 4500
    debtor.until("2027-03-20")

    assert debtor.told == ["03-18 w1"]


def test_missing_news_holds_only_what_takes_service_away() -> None:
    debtor = Debtor("2027-03-15")
    debtor.owe("A", 5000, "2027-03-15")
    debtor.holds = {Hold.NEWS_MISSING}
    debtor.until("2027-04-10")
    assert debtor.told == ["03-16 w1", "03-22 w2"]
    debtor.holds = set()
    debtor.until("2027-04-16")

    assert debtor.told[2:] == ["04-10 limit", "04-15 suspend"]


def test_a_reinstated_customer_begins_again() -> None:
    debtor = Debtor("2027-03-15")
    debtor.owe("A", 5000, "2027-03-15")
    debtor.until("2027-05-20")
    assert debtor.episode is not None
    debtor.episode = replace(debtor.episode, ended_on=debtor.today, final=True)
    debtor.until("2027-05-24")

    assert debtor.told[-2:] == ["05-20 w1", "05-23 w2"]


DAYS = st.integers(0, 120)


@given(
    acts=st.lists(st.tuples(DAYS, st.sampled_from(["owe", "pay", "hold", "free"])), max_size=40),
    down=st.sets(DAYS),
    business=st.booleans(),
)
def test_no_stage_comes_early_out_of_order_or_under_a_hold(
    acts: list[tuple[int, str]], down: set[int], business: bool
) -> None:
    campaign = Campaign(business_days=business, calendar=BankCalendar.TARGET2)
    debtor = Debtor("2027-01-01", campaign)
    for day in range(121):
        for _, act in sorted(each for each in acts if each[0] == day):
            match act:
                case "owe":
                    debtor.owe("A", 1000, "2027-01-05" if day % 2 else "2027-01-20")
                case "pay" if debtor.items:
                    debtor.pay("A")
                case "hold":
                    debtor.holds = {Hold.IN_FLIGHT}
                case _:
                    debtor.release(Hold.IN_FLIGHT)
        before, told = debtor.episode, len(debtor.told)
        if day not in down:
            debtor.sweep()
            new = [each for each in debtor.told[told:] if each[6:] in _NAMES]
            assert len(new) <= 1
            if new:
                assert not debtor.holds
                episode = debtor.episode
                assert episode is not None
                place = len(episode.done) - 1
                stage = campaign.stages[place]
                assert new == [f"{debtor.today:%m-%d} {stage.name}"]
                assert (debtor.today - episode.anchor_due).days >= stage.after
                if place and before is not None:
                    assert (debtor.today - episode.done[place - 1].on).days >= stage.gap
        assert debtor.state is (debtor.episode.state if debtor.episode else CustomerState.CLEAR)
        debtor.today += timedelta(days=1)


_NAMES = {each.name for each in Campaign().stages}
