"""Listings: their page size and their period."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import TYPE_CHECKING, cast

from paygate.domain.money import MINOR_MAX
from paygate.errors import InvalidValue
from paygate.printing import shown_value

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from paygate.ledger.paging import Page
    from paygate.ledger.tx import Context


def how_many(limit: int, more: str = "; for more, read page by page with after=") -> int:
    """
    Return how many rows are wanted; raise `InvalidValue` unless it is 1 to 1,000.

    *more* is the end of the message: how to get more rows.
    """
    from paygate.ledger.paging import LIMIT_MAX

    given = cast("object", limit)
    if not isinstance(given, int) or isinstance(given, bool) or not 1 <= given <= LIMIT_MAX:
        raise InvalidValue(
            f"limit must be 1 to {LIMIT_MAX}, not {shown_value(given)}{more}",
            argument="limit",
        )
    return given


def position(after: int, argument: str = "after") -> int:
    """Return the number after which a page begins; raise `InvalidValue` if it is not valid."""
    given = cast("object", after)
    if not isinstance(given, int) or isinstance(given, bool) or not 0 <= given <= MINOR_MAX:
        raise InvalidValue(
            f"{argument} must be the number of the last one of the page before, or 0, not "
            f"{shown_value(given)}",
            argument=argument,
        )
    return given


def page(
    context: Context,
    *,
    after: str | int,
    limit: int,
    oldest_first: bool = False,
    since: date | str | None = None,
    until: date | str | None = None,
) -> Page:
    """
    Return the requested page of a listing by instants.

    A date begins at midnight in the merchant's zone. Raises `InvalidValue`, naming the argument.
    """
    from paygate.ledger.paging import Page

    begin, end = _instant(since, "since", context.zone), _instant(until, "until", context.zone)
    _in_order(begin, end, "since", "until")
    return Page(
        after=after,
        limit=how_many(limit),
        oldest_first=oldest_first,
        since=begin,
        until=end,
    )


def page_by_due(
    *, after: str, limit: int, since: date | str | None, until: date | str | None
) -> Page:
    """Return the requested page of a listing by due dates, which begins with the oldest."""
    from paygate.ledger.paging import Page

    begin, end = _date(since, "due_since"), _date(until, "due_until")
    _in_order(begin, end, "due_since", "due_until")
    return Page(after=after, limit=how_many(limit), oldest_first=True, since=begin, until=end)


def _in_order(begin: str, end: str, since: str, until: str) -> None:
    """Raise if a period ends before it begins: the result would look like an empty list."""
    if begin and end and end < begin:
        raise InvalidValue(f"{until} is before {since}; exchange the two", argument=until)


def _instant(value: date | str | None, argument: str, zone: ZoneInfo) -> str:
    from paygate.ledger.codec import write_instant

    if value is None:
        return ""
    found = _read(value, argument)
    if not isinstance(found, datetime):
        found = datetime.combine(found, time(), zone)
    elif found.tzinfo is None:
        raise InvalidValue(
            f"{argument} is an instant without a time zone; add the zone, or give a date",
            argument=argument,
        )
    try:
        return write_instant(found)
    except OverflowError:
        raise InvalidValue(f"{argument} is out of range", argument=argument) from None


def _date(value: date | str | None, argument: str) -> str:
    if value is None:
        return ""
    found = _read(value, argument, "")
    if isinstance(found, datetime):
        raise InvalidValue(f"{argument} must be a calendar date, not an instant", argument=argument)
    return found.isoformat()


def _read(value: date | str, argument: str, more: str = ", or an instant") -> date:
    given = cast("object", value)
    if isinstance(given, date):
        return given
    if isinstance(given, str):
        for read in (date.fromisoformat, datetime.fromisoformat):
            try:
                return read(given)
            except ValueError:
                continue
    raise InvalidValue(
        f"{argument} must be a date such as 2026-12-01{more}, not {shown_value(given)}",
        argument=argument,
    )
