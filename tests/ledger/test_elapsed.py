"""Time that passes, whatever happened to the clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paygate.ledger.elapsed import Lease, MachineStopwatch, Mark, age, read_mark

NOON = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
LENGTH = timedelta(seconds=90)
TAKEN = Mark("b1", 1000.0)


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


@given(boot=st.text(), count=st.floats(0, 1e9))
def test_a_mark_is_read_as_it_was_written(boot: str, count: float) -> None:
    written = str(Mark(boot, round(count, 6)))

    read = read_mark(written)

    assert read is not None
    assert (read.boot, str(read)) == (boot, written)


def test_no_mark_is_read_from_nothing() -> None:
    assert read_mark(None) is None


@pytest.mark.parametrize(
    ("earlier", "passed"),
    [
        (Mark("b1", 990.5), seconds(9.5)),
        (Mark("b1", 1000.0), seconds(0)),
        (Mark("b1", 1000.5), None),
        (Mark("b0", 990.0), None),
        (None, None),
    ],
)
def test_what_was_counted_since_another_boot_says_nothing(
    earlier: Mark | None, passed: timedelta | None
) -> None:
    assert TAKEN.since(earlier) == passed


@pytest.mark.parametrize(
    ("clock", "counted", "left"),
    [
        (seconds(30), 30.0, seconds(60)),
        (timedelta(days=-2), 30.0, seconds(60)),  # the clock was put back: the count ends it
        (timedelta(minutes=10), 30.0, LENGTH - timedelta(minutes=10)),  # put ahead: it ended
        (seconds(30), 600.0, seconds(-510)),
        (seconds(30), None, seconds(60)),
    ],
)
def test_a_lease_ends_by_the_clock_or_by_the_count(
    clock: timedelta, counted: float | None, left: timedelta
) -> None:
    lease = Lease(NOON + LENGTH, LENGTH, TAKEN)
    mark = None if counted is None else Mark("b1", 1000.0 + counted)

    assert lease.left(NOON + clock, mark) == left


@pytest.mark.parametrize("clock", [timedelta(days=-2), timedelta(), timedelta(minutes=10)])
def test_for_others_it_ends_by_the_count_whatever_their_clock_says(clock: timedelta) -> None:
    lease = Lease(NOON + LENGTH, LENGTH, TAKEN)

    assert lease.left_to_others(NOON + clock, Mark("b1", 1030.0)) == seconds(60)
    assert lease.left_to_others(NOON + clock, Mark("b2", 1030.0)) == LENGTH - clock
    assert lease.left_to_others(NOON + clock, None) == LENGTH - clock


def test_after_a_restart_only_the_clock_tells() -> None:
    lease = Lease(NOON + LENGTH, LENGTH, TAKEN)

    assert lease.left(NOON + seconds(20), Mark("b2", 5000.0)) == seconds(70)
    assert age(NOON + seconds(20), NOON, Mark("b2", 5000.0), TAKEN) == seconds(20)


def test_an_age_is_the_longer_of_both() -> None:
    later = Mark("b1", 1600.0)

    assert age(NOON - timedelta(days=1), NOON, later, TAKEN) == seconds(600)
    assert age(NOON + timedelta(days=1), NOON, later, TAKEN) == timedelta(days=1)


def test_this_machine_counts_on_and_names_its_boot() -> None:
    first, then = MachineStopwatch().read(), MachineStopwatch().read()

    assert first is not None
    assert then is not None
    passed = then.since(first)
    assert passed is not None
    assert passed >= timedelta()
    assert len(first.boot) == 36
