"""Banking days: the holidays of the euro's and the dollar's payment systems, and month ends."""

from __future__ import annotations

from datetime import date

import pytest

from paygate.domain.banking_days import (
    BankCalendar,
    after_banking_days,
    banking_day_from,
    easter,
    is_banking_day,
)

TARGET2, FEDERAL = BankCalendar.TARGET2, BankCalendar.FEDERAL_RESERVE


@pytest.mark.parametrize(
    ("year", "sunday"),
    [
        (1943, "04-25"),  # the latest there is
        (2008, "03-23"),
        (2026, "04-05"),
        (2027, "03-28"),
        (2028, "04-16"),
        (2038, "04-25"),
        (2285, "03-22"),  # the earliest there is
    ],
)
def test_easter_is_on_the_sunday_that_the_churches_publish(year: int, sunday: str) -> None:
    assert easter(year) == date.fromisoformat(f"{year}-{sunday}")


def test_target2_is_closed_on_six_days_of_a_year() -> None:
    assert sorted(each.isoformat() for each in TARGET2.holidays(2027)) == [
        "2027-01-01",
        "2027-03-26",
        "2027-03-29",
        "2027-05-01",
        "2027-12-25",
        "2027-12-26",
    ]


# The table that the Federal Reserve publishes: * is a Saturday, which moves to no other day.
FEDERAL_HOLIDAYS = {
    2026: "01-01 01-19 02-16 05-25 06-19 07-04* 09-07 10-12 11-11 11-26 12-25",
    2027: "01-01 01-18 02-15 05-31 06-19* 07-05 09-06 10-11 11-11 11-25 12-25*",
    2028: "01-01* 01-17 02-21 05-29 06-19 07-04 09-04 10-09 11-11* 11-23 12-25",
}


@pytest.mark.parametrize("year", FEDERAL_HOLIDAYS)
def test_federal_reserve_holidays_are_those_of_its_table(year: int) -> None:
    expected = [f"{year}-{each.rstrip('*')}" for each in FEDERAL_HOLIDAYS[year].split()]

    assert sorted(each.isoformat() for each in FEDERAL.holidays(year)) == expected


def test_before_a_holiday_on_a_saturday_banks_are_open() -> None:
    assert is_banking_day(date(2026, 7, 3), FEDERAL)
    assert not is_banking_day(date(2027, 7, 5), FEDERAL)  # the fourth was a Sunday
    assert is_banking_day(date(2027, 7, 5), TARGET2)
    assert date(2020, 6, 19) not in FEDERAL.holidays(2020)  # a holiday only from 2021 on


def test_days_are_counted_and_moved_past_weekends_and_holidays() -> None:
    friday = date(2027, 7, 2)

    assert after_banking_days(friday, 3, calendar=FEDERAL) == date(2027, 7, 8)  # K4
    assert after_banking_days(friday, 3) == date(2027, 7, 7)
    assert banking_day_from(date(2027, 12, 25), TARGET2) == date(2027, 12, 27)
    assert banking_day_from(date(2027, 3, 26), TARGET2) == date(2027, 3, 30)
    assert banking_day_from(friday, FEDERAL) == friday
    assert banking_day_from(friday, holidays={friday}) == date(2027, 7, 5)
