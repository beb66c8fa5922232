"""What the headers of an answer say."""

from datetime import UTC, datetime

import pytest

from paygate.driver import Response, time_of


def answered(date: str) -> Response:
    return Response(status=200, headers={"date": date})


@pytest.mark.parametrize(
    "date",
    [
        "Mon, 03 Aug 2026 12:00:00 GMT",
        "Mon, 03 Aug 2026 14:00:00 +0200",
        "Mon, 03 Aug 2026 12:00:00 -0000",  # of an unknown zone, which counts as UTC
    ],
)
def test_the_time_is_that_of_the_processor_in_utc(date: str) -> None:
    assert time_of(answered(date)) == datetime(2026, 8, 3, 12, tzinfo=UTC)


@pytest.mark.parametrize("date", ["", "noon", "2026-08-03"])
def test_without_a_date_there_is_no_time(date: str) -> None:
    assert time_of(answered(date)) is None
