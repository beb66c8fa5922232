"""What the ledger writes into columns of text comes back as it was."""

from datetime import date, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from paygate import Money
from paygate.ledger import codec

ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
FIRST, LAST = datetime.fromisoformat("1971-01-01"), datetime.fromisoformat("2200-01-01")
INSTANTS = st.datetimes(FIRST, LAST, timezones=ZONES)


@given(INSTANTS)
def test_an_instant_comes_back_in_utc(at: datetime) -> None:
    read = codec.read_instant(codec.write_instant(at))

    assert read == at
    assert read.utcoffset() == timedelta(0)
    assert codec.read_instant_or_none(codec.write_instant(at)) == at


@given(INSTANTS, INSTANTS)
def test_the_order_of_written_instants_is_that_of_time(one: datetime, other: datetime) -> None:
    assert (codec.write_instant(one) < codec.write_instant(other)) == (one < other)


@given(st.dates(), st.dates())
def test_a_date_comes_back_and_keeps_its_order(one: date, other: date) -> None:
    assert codec.read_date(codec.write_date(one)) == one
    assert codec.read_date_or_none(codec.write_date(one)) == one
    assert (codec.write_date(one) < codec.write_date(other)) == (one < other)


def test_nothing_comes_back_as_nothing() -> None:
    assert codec.write_instant(None) is codec.read_instant_or_none(None) is None
    assert codec.write_date(None) is codec.read_date_or_none(None) is None
    assert codec.read_money_or_none(None, None) is None
    assert codec.read_money_or_none("USD", 0) == Money("USD", 0)
