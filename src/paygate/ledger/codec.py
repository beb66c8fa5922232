"""Conversion of values to and from text columns."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from datetime import UTC, date, datetime
from typing import overload

from paygate.domain.card_checks import CardCheck, CardChecks, CheckResult
from paygate.domain.method import MethodFacts
from paygate.domain.money import Money


@overload
def write_instant(at: datetime) -> str: ...


@overload
def write_instant(at: None) -> None: ...


@overload
def write_instant(at: datetime | None) -> str | None: ...


def write_instant(at: datetime | None) -> str | None:
    """Return an instant as text that sorts by time; None for None."""
    return None if at is None else at.astimezone(UTC).isoformat(timespec="microseconds")


def read_instant(text: str) -> datetime:
    """Return the instant that `write_instant` wrote."""
    return datetime.fromisoformat(text)


def read_instant_or_none(text: str | None) -> datetime | None:
    """Return the instant that `write_instant` wrote; None for None."""
    return None if text is None else datetime.fromisoformat(text)


@overload
def write_date(on: date) -> str: ...


@overload
def write_date(on: None) -> None: ...


@overload
def write_date(on: date | None) -> str | None: ...


def write_date(on: date | None) -> str | None:
    """Return a calendar date as text; None for None."""
    return None if on is None else on.isoformat()


def read_date(text: str) -> date:
    """Return the date that `write_date` wrote."""
    return date.fromisoformat(text)


def read_date_or_none(text: str | None) -> date | None:
    """Return the date that `write_date` wrote; None for None."""
    return None if text is None else date.fromisoformat(text)


def read_money_or_none(currency: str | None, minor: int | None) -> Money | None:
    """Return the amount in a pair of columns; None if both are NULL."""
    return None if currency is None or minor is None else Money(currency, minor)


def write_method_facts(facts: MethodFacts | None) -> str | None:
    """Return the printable facts of a card or account as text; None if nothing is known."""
    known = {} if facts is None else {name: each for name, each in asdict(facts).items() if each}
    return json.dumps(known) if known else None


def read_method_facts(text: str | None) -> MethodFacts | None:
    """Return the facts that `write_method_facts` wrote."""
    return None if text is None else MethodFacts(**json.loads(text))


def write_checks(found: CardChecks | None) -> str | None:
    """Return the results of checks as text; None if nothing was checked."""
    known = {
        each.name: [check.result.value, check.raw_code]
        for each in (() if found is None else fields(found))
        if (check := getattr(found, each.name)) != CardCheck()
    }
    return json.dumps(known) if known else None


def read_checks(text: str | None) -> CardChecks | None:
    """Return the results that `write_checks` wrote."""
    if text is None:
        return None
    found: dict[str, list[str]] = json.loads(text)
    return CardChecks(
        **{name: CardCheck(CheckResult(result), raw) for name, (result, raw) in found.items()}
    )
