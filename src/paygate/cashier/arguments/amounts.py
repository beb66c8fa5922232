"""Amounts, dates and durations."""

from __future__ import annotations

import math
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, cast

from paygate.cashier.arguments.plain import refuse
from paygate.domain.currency import SCALES
from paygate.domain.money import AMOUNT_MAX, Money
from paygate.errors import InvalidAmount, InvalidValue
from paygate.printing import shown_value

if TYPE_CHECKING:
    from typing import Final


YEARS: Final = (2000, 2200)
"""The first and the last year of a date in the books; anything beyond is a typing error."""

DAYS_MAX: Final = 3_650
"""The longest duration that a host can give."""

SECONDS_MAX: Final = 86_400.0
"""The longest time, in seconds, that a call can be made to wait."""


def money(value: object, name: str) -> Money:
    """Return an amount that one invoice or payment can have: more than zero."""
    amount = any_money(value, name)
    if amount.minor <= 0:
        raise InvalidAmount(f"{name} is {amount}; it must be more than zero", argument=name)
    return amount


def any_money(value: object, name: str) -> Money:
    """Return an amount that may also be zero, but not negative."""
    if not isinstance(value, Money):
        raise InvalidAmount(
            f"{name} must be Money, such as Money.of('USD', '30.00'), not {shown_value(value)}",
            argument=name,
        )
    if value.minor < 0:
        raise InvalidAmount(f"{name} is {value}; it must not be less than zero", argument=name)
    if not value.is_payable:
        most = Money(value.currency, AMOUNT_MAX)
        raise InvalidAmount(f"{name} is {value}; one amount can be at most {most}", argument=name)
    return value


def currency(value: object, name: str) -> str:
    """Return a currency code, or the empty text."""
    if not isinstance(value, str) or (value and value not in SCALES):
        refuse(name, "an ISO 4217 currency code such as CAD, or BTC", value)
    return value


def day(value: object, name: str) -> date:
    """Return a calendar date, from a `date` or from ISO 8601 text."""
    first, last = YEARS
    wants = f"a date from {first} to {last} such as 2026-12-01"
    if isinstance(value, datetime):
        raise InvalidValue(f"{name} must be a calendar date, not an instant", argument=name)
    found = value
    if isinstance(value, str):
        try:
            found = date.fromisoformat(value)
        except ValueError:
            refuse(name, wants, value)
    if not isinstance(found, date) or not first <= found.year <= last:
        refuse(name, wants, value)
    return found


def instant(value: object, field: str, name: str) -> datetime:
    """Return an instant with its zone."""
    first, last = YEARS
    aware = isinstance(value, datetime) and value.utcoffset() is not None
    if not aware or not first <= cast("datetime", value).year <= last:
        raise InvalidValue(
            f"{field} must be an instant with its zone, from {first} to {last}, such as "
            "datetime.now(UTC)",
            argument=name,
        )
    return cast("datetime", value)


def span(value: object, name: str) -> timedelta:
    """Return a duration that is not negative."""
    if not isinstance(value, timedelta) or not timedelta() <= value <= timedelta(days=DAYS_MAX):
        refuse(name, f"a timedelta of 0 to {DAYS_MAX:,} days", value)
    return value


def lease(value: object, name: str, longest: timedelta) -> timedelta:
    """Return the duration of a lease."""
    if not isinstance(value, timedelta) or not timedelta() < value <= longest:
        refuse(name, f"a timedelta of more than 0 and at most {longest}", value)
    return value


def seconds(value: object, name: str) -> float:
    """Return a number of seconds that is not negative."""
    fits = type(value) in (int, float) and not math.isnan(cast("float", value))
    if not fits or not 0 <= cast("float", value) <= SECONDS_MAX:
        refuse(name, f"a number of seconds from 0 to {SECONDS_MAX:,.0f}", value)
    return cast("float", value)
