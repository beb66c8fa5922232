"""Automatic payment and the calendar: leap days, summer time, days in the past, returned debits."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

import pytest

from paygate import AutopayPolicy, Cashier, Customer, Kind, MandateScope, RetryPolicy
from paygate.domain.outcome import Approved
from paygate.testing import FakeGateway
from tests.service.autopaying import Merchant

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from paygate.dialogue import Dialogue
    from paygate.domain.outcome import Outcome
    from paygate.gateway import Enrollment

BERLIN = "Europe/Berlin"


@pytest.fixture
def merchant(tmp_path: Path) -> Iterator[Merchant]:
    merchant = Merchant(tmp_path, "2028-02-01")
    yield merchant
    merchant.close()


class UntilLeapDay(FakeGateway):
    """A processor whose cards expire with February 2028."""

    def enroll(self, enrollment: Enrollment) -> Dialogue[Outcome]:
        outcome = yield from super().enroll(enrollment)
        assert isinstance(outcome, Approved)
        assert outcome.method is not None
        method = replace(outcome.method, expires_month=2, expires_year=2028)
        return replace(outcome, method=method)


def at(merchant: Merchant, text: str) -> None:
    """Set the clock to an instant in UTC."""
    merchant.clock.set(datetime.fromisoformat(text).replace(tzinfo=UTC))


# --- 29 February ----------------------------------------------------------------------------


def test_what_is_due_on_the_leap_day_is_charged_on_it(merchant: Merchant) -> None:
    merchant.store()
    merchant.issue("A", "10.00", due="2028-02-29")
    merchant.on("2028-02-28")
    merchant.day()
    assert merchant.charged() == []

    merchant.on("2028-02-29")
    merchant.day()

    assert merchant.charged() == ["10.00 USD"]


def test_a_retry_falls_on_the_leap_day(merchant: Merchant) -> None:
    merchant.store()
    merchant.issue("A", "10.00", due="2028-02-26")
    merchant.card.script("declined_insufficient_funds", invoice="A")
    merchant.told()
    merchant.on("2028-02-26")
    merchant.day()
    assert merchant.told() == ["retry_scheduled A 2028-02-29"]

    merchant.on("2028-02-29")
    merchant.day()

    assert merchant.told() == ["paid A"]


def test_a_card_of_february_is_charged_on_its_last_day_and_not_on_the_next(
    merchant: Merchant,
) -> None:
    merchant.cashier.close()
    merchant.gateways["card"] = merchant.card = UntilLeapDay(Kind.CARD, clock=merchant.clock)
    merchant.cashier = merchant.open(Cashier)
    card = merchant.store()
    assert card.expires == date(2028, 2, 29)
    merchant.issue("A", "10.00", due="2028-02-29")
    merchant.issue("B", "12.00", due="2028-03-01")

    merchant.on("2028-03-02")

    assert merchant.charged() == ["10.00 USD"]
    [plan] = merchant.cashier.run_autopay(dry_run=True).plans
    assert [each.methods for each in plan.skips] == [{card.id: "expired"}]


# --- Summer time ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "too_early", "begins"),
    [
        ("2027-03-27", "2027-03-27T04:59", "2027-03-27T05:00"),  # an hour from UTC
        ("2027-03-28", "2027-03-28T03:59", "2027-03-28T04:00"),  # two, since this night
        ("2027-10-31", "2027-10-31T04:59", "2027-10-31T05:00"),  # an hour again
    ],
)
def test_six_o_clock_is_the_customers_in_summer_and_in_winter(
    tmp_path: Path, day: str, too_early: str, begins: str
) -> None:
    merchant = Merchant(tmp_path, "2027-01-01")
    merchant.cashier.save_customer(Customer("C-1", zone=BERLIN))
    merchant.store()
    merchant.issue("A", "10.00", due=day)

    at(merchant, too_early)
    assert not merchant.cashier.run_autopay(day).finished
    assert merchant.charged() == []

    at(merchant, begins)
    assert merchant.cashier.run_autopay(day).finished
    assert merchant.charged() == ["10.00 USD"]
    merchant.close()


@pytest.mark.parametrize("day", ["2027-03-28", "2027-10-31"])
def test_an_hour_that_is_skipped_or_repeated_charges_once(tmp_path: Path, day: str) -> None:
    policy = AutopayPolicy(not_before=time(2, 30))
    merchant = Merchant(tmp_path, "2027-01-01", policy)
    merchant.cashier.save_customer(Customer("C-1", zone=BERLIN))
    merchant.store()
    merchant.issue("A", "10.00", due=day)
    merchant.issue("B", "12.00", due=day)
    merchant.card.script("declined_insufficient_funds", "declined_insufficient_funds")

    at(merchant, f"{day}T00:00")
    for _ in range(16):
        merchant.cashier.run_autopay(day)
        merchant.clock.advance(minutes=15)

    assert merchant.tried() == [("22.00 USD", "declined")]
    merchant.close()


# --- Days in the past -------------------------------------------------------------------------


def test_a_day_that_was_missed_is_caught_up_once(merchant: Merchant) -> None:
    merchant.store()
    merchant.issue("A", "10.00", due="2028-02-05")
    merchant.issue("B", "12.00", due="2028-02-09")
    at(merchant, "2028-02-08T09:00")

    run = merchant.cashier.run_autopay("2028-02-05")
    assert (run.on, run.finished) == (date(2028, 2, 5), True)
    assert merchant.cashier.run_autopay("2028-02-05") == run
    merchant.cashier.run_autopay()

    assert merchant.charged() == ["10.00 USD"], "B is due tomorrow"
    at(merchant, "2028-02-09T09:00")
    merchant.cashier.run_autopay()
    assert merchant.charged() == ["10.00 USD", "12.00 USD"]


def test_the_gap_after_a_failure_counts_from_the_day_it_happened(merchant: Merchant) -> None:
    merchant.store()
    merchant.issue("A", "10.00", due="2028-02-05")
    merchant.card.script("declined_insufficient_funds", invoice="A")
    at(merchant, "2028-02-08T09:00")
    merchant.told()

    merchant.cashier.run_autopay("2028-02-05")

    assert merchant.told() == ["retry_scheduled A 2028-02-11"]
    merchant.cashier.run_autopay("2028-02-06")
    assert merchant.tried() == [("10.00 USD", "declined")]


# --- Returned debits --------------------------------------------------------------------------


def test_k4_to_the_day(tmp_path: Path) -> None:
    retry = RetryPolicy(represent=(3, 5), holidays=frozenset({date(2027, 7, 5)}))
    merchant = Merchant(tmp_path, "2027-06-01", AutopayPolicy(retry=retry))
    merchant.store(via="bank", token="tok_bank", notice_days=0)
    merchant.issue("K4", "80.00", due="2027-06-30")
    merchant.told()

    merchant.on("2027-06-30")
    merchant.day()
    [first] = merchant.cashier.payments()
    assert (str(first.amount), first.status) == ("80.00 USD", "processing")

    merchant.on("2027-07-02")
    merchant.bank.return_check(first.reference, "R01")
    merchant.day()
    [scheduled] = [each for each in merchant.told() if "retry" in each]
    assert scheduled == "retry_scheduled K4 2027-07-08"

    merchant.on("2027-07-07")
    merchant.day()
    assert len(merchant.cashier.payments()) == 1
    merchant.on("2027-07-08")
    merchant.day()
    second, _ = merchant.cashier.payments()
    assert (str(second.amount), second.status) == ("80.00 USD", "processing")

    merchant.on("2027-07-12")
    merchant.bank.return_check(second.reference, "R10")
    merchant.day()
    told = merchant.told()
    assert "method.blocked" in told
    assert "paused" in told
    assert merchant.opened("K4") == "80.00 USD"

    merchant.on("2027-07-21")
    assert len(merchant.cashier.payments()) == 2
    merchant.cashier.record("K4", by="cash", key="by-link")
    assert merchant.opened("K4") == "0.00 USD"
    merchant.close()


def test_a_debit_is_presented_three_times_at_most_and_a_new_account_may_pay(
    tmp_path: Path,
) -> None:
    retry = RetryPolicy(represent=(1, 1))
    merchant = Merchant(tmp_path, "2027-06-01", AutopayPolicy(retry=retry))
    merchant.store(via="bank", token="tok_bank", notice_days=0)
    merchant.issue("A", "80.00", due="2027-06-07")
    merchant.bank.script(*["bank_returned_r01"] * 9, invoice="A")
    merchant.on("2027-08-31")
    assert len(merchant.cashier.payments()) == 3

    card = merchant.store(scope=MandateScope.FUTURE_AND_PENDING, pending=("A",))
    merchant.on("2027-09-02")

    newest = merchant.cashier.payments()[0]
    assert (len(merchant.cashier.payments()), newest.method) == (4, card.id)
    assert merchant.opened("A") == "0.00 USD"
    merchant.close()


def test_the_amount_of_a_returned_debit_must_be_the_same(tmp_path: Path) -> None:
    retry = RetryPolicy(represent=(3, 5))
    merchant = Merchant(tmp_path, "2027-06-01", AutopayPolicy(retry=retry))
    merchant.store(via="bank", token="tok_bank", notice_days=0)
    merchant.issue("A", "80.00", due="2027-06-07")
    merchant.bank.script("bank_returned_r01", invoice="A")
    merchant.on("2027-06-12")
    merchant.day()
    while merchant.opened("A") != "80.00 USD":
        merchant.clock.advance(timedelta(days=1))
        merchant.day()
    merchant.cashier.record("A", by="cash", key="part", amount=merchant.cashier.invoice("A").open)
    assert merchant.opened("A") == "0.00 USD"

    merchant.on("2027-07-31")

    assert len([each for each in merchant.cashier.payments() if each.method]) == 1
    merchant.close()
