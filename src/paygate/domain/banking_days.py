"""Banking days: Monday to Friday, without the holidays that the host names."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet
    from datetime import date

_SATURDAY: Final = 5


def after_banking_days(day: date, count: int, holidays: AbstractSet[date] = frozenset()) -> date:
    """Return the date *count* banking days after *day*."""
    while count > 0:
        day += timedelta(days=1)
        count -= day.weekday() < _SATURDAY and day not in holidays
    return day
