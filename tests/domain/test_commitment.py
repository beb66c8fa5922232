"""Commitments: terms in months, counted from the start and ended at the last day of a month."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from paygate.domain.commitment import Commitment, checked_term, months_after
from paygate.errors import InvalidValue


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [
        ("2028-02-29", 12, "2029-02-28"),
        ("2028-02-29", 48, "2032-02-29"),
        ("2027-01-31", 1, "2027-02-28"),
        ("2027-01-31", 2, "2027-03-31"),
        ("2027-12-15", 1, "2028-01-15"),
        ("2027-08-31", 18, "2029-02-28"),
    ],
)
def test_a_term_is_counted_from_its_start(start: str, months: int, end: str) -> None:
    made = Commitment(
        id="com_1",
        customer="C-1",
        name="fibre",
        terms="",
        start=date.fromisoformat(start),
        months=months,
        created_at=datetime(2027, 1, 1, tzinfo=UTC),
    )

    assert made.end == date.fromisoformat(end)
    assert months_after(made.start, months) == made.end


@pytest.mark.parametrize(
    ("name", "months", "argument"),
    [("", 12, "name"), (" ", 12, "name"), ("a\nb", 12, "name"), ("fibre", 0, "months")],
)
def test_a_commitment_needs_a_name_and_a_term(name: str, months: int, argument: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        checked_term(name, "", date(2027, 1, 1), months)

    assert refused.value.argument == argument


def test_a_term_does_not_leave_the_calendar() -> None:
    with pytest.raises(InvalidValue, match="9999"):
        checked_term("fibre", "", date(9990, 1, 1), 1200)
