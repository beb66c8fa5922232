"""Banking days: Monday to Friday, without the holidays of a calendar and of the host."""

from __future__ import annotations

from datetime import date, timedelta
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Final, assert_never

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

_SATURDAY: Final = 5
_SUNDAY: Final = 6
_MONDAY: Final = 0
_THURSDAY: Final = 3


class BankCalendar(StrEnum):
    """A calendar of days on which banks are closed."""

    NONE = "none"
    """No holidays, only weekends."""
    TARGET2 = "target2"
    """The closing days of the ECB's payment system, by its decision of 14 December 2000."""
    FEDERAL_RESERVE = "federal_reserve"
    """The holidays of the Federal Reserve Banks; one on a Saturday moves to no other day."""

    def holidays(self, year: int) -> frozenset[date]:
        """Return the holidays of a year; some may be on a weekend."""
        return _holidays(self, year)


def is_banking_day(
    day: date,
    calendar: BankCalendar = BankCalendar.NONE,
    holidays: AbstractSet[date] = frozenset(),
) -> bool:
    """Return whether *day* is neither on a weekend nor a holiday."""
    open_ = day.weekday() < _SATURDAY and day not in holidays
    return open_ and day not in calendar.holidays(day.year)


def banking_day_from(
    day: date,
    calendar: BankCalendar = BankCalendar.NONE,
    holidays: AbstractSet[date] = frozenset(),
) -> date:
    """Return *day* if it is a banking day, else the next one."""
    while not is_banking_day(day, calendar, holidays):
        day += timedelta(days=1)
    return day


def after_banking_days(
    day: date,
    count: int,
    holidays: AbstractSet[date] = frozenset(),
    calendar: BankCalendar = BankCalendar.NONE,
) -> date:
    """Return the date *count* banking days after *day*."""
    while count > 0:
        day += timedelta(days=1)
        count -= is_banking_day(day, calendar, holidays)
    return day


def easter(year: int) -> date:
    """Return Easter Sunday in the Gregorian calendar, by the algorithm of Meeus, Jones, Butcher."""
    golden, century, rest = year % 19, year // 100, year % 100
    leap, kept = divmod(century, 4)
    moon = (19 * golden + century - leap - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    four, left = divmod(rest, 4)
    week = (32 + 2 * kept + 2 * four - moon - left) % 7
    late = (golden + 11 * moon + 22 * week) // 451
    month, day = divmod(moon + week - 7 * late + 114, 31)
    return date(year, month, day + 1)


@cache
def _holidays(calendar: BankCalendar, year: int) -> frozenset[date]:
    match calendar:
        case BankCalendar.NONE:
            return frozenset()
        case BankCalendar.TARGET2:
            return _target2(year)
        case BankCalendar.FEDERAL_RESERVE:
            return _federal_reserve(year)
        case _:
            assert_never(calendar)


def _target2(year: int) -> frozenset[date]:
    sunday = easter(year)
    return frozenset(
        {
            date(year, 1, 1),
            sunday - timedelta(days=2),
            sunday + timedelta(days=1),
            date(year, 5, 1),
            date(year, 12, 25),
            date(year, 12, 26),
        }
    )


def _federal_reserve(year: int) -> frozenset[date]:
    fixed = [date(year, 1, 1), date(year, 7, 4), date(year, 11, 11), date(year, 12, 25)]
    if year >= _JUNETEENTH_SINCE:
        fixed.append(date(year, 6, 19))
    # One on a Sunday is observed on the Monday after it; before one on a Saturday, banks are open.
    observed = [each + timedelta(days=each.weekday() == _SUNDAY) for each in fixed]
    return frozenset(
        {
            *observed,
            _nth(year, 1, _MONDAY, 3),
            _nth(year, 2, _MONDAY, 3),
            _nth(year, 6, _MONDAY, 1) - timedelta(days=7),  # the last Monday of May
            _nth(year, 9, _MONDAY, 1),
            _nth(year, 10, _MONDAY, 2),
            _nth(year, 11, _THURSDAY, 4),
        }
    )


_JUNETEENTH_SINCE: Final = 2021


def _nth(year: int, month: int, weekday: int, number: int) -> date:
    """Return the first, second … of a day of the week in a month."""
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (number - 1))
