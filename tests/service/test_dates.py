"""Calendar dates: in the customer's zone, else in the merchant's."""

from datetime import UTC, date, datetime

import pytest

from paygate import Cashier, Customer, Money
from paygate.errors import InvalidValue
from paygate.testing import FakeClock, FakeGateway

NOON_IN_AUCKLAND = datetime(2030, 8, 13, 23, 40, tzinfo=UTC)  # already the 14th there
EVENING_IN_HONOLULU = datetime(2030, 8, 14, 6, 15, tzinfo=UTC)  # still the 13th there


def opened(at: datetime, zone: str = "UTC") -> Cashier:
    clock = FakeClock(at)
    return Cashier.in_memory(gateways={"card": FakeGateway(clock=clock)}, clock=clock, zone=zone)


def issue(cashier: Cashier, number: str, zone: str) -> None:
    customer = Customer(f"of-{number}", zone=zone)
    total = Money.of("NZD", "18.70")
    cashier.issue(number=number, customer=customer, total=total, due="2030-09-01")


def test_a_check_recorded_today_in_auckland_is_reversed_today_in_auckland() -> None:
    with opened(NOON_IN_AUCKLAND) as cashier:
        issue(cashier, "A-1", "Pacific/Auckland")
        payment = cashier.record("A-1", by="check", on="2030-08-14", key="a")

        reversal = cashier.reverse(payment, reason="bounced")

        assert reversal.on == date(2030, 8, 14)
        assert cashier.invoice("A-1").open == Money.of("NZD", "18.70")
        assert cashier.fsck() == []


def test_a_card_payment_is_dated_where_the_customer_lives() -> None:
    with opened(EVENING_IN_HONOLULU) as cashier:
        issue(cashier, "H-1", "Pacific/Honolulu")
        payment = cashier.collect("H-1", via="card", method="tok_visa", key="a")

        (receipt,) = cashier.receipts(payment)

        assert receipt.effective == date(2030, 8, 13)


def test_a_customer_without_a_zone_lives_in_the_merchants() -> None:
    with opened(EVENING_IN_HONOLULU, zone="Pacific/Honolulu") as cashier:
        issue(cashier, "M-1", "")
        issue(cashier, "M-2", "Asia/Tokyo")

        first = cashier.record("M-1", by="cash", key="a")
        second = cashier.record("M-2", by="cash", key="b")

        assert [cashier.receipts(each)[0].effective for each in (first, second)] == [
            date(2030, 8, 13),
            date(2030, 8, 14),
        ]


def test_a_reversal_is_never_dated_before_its_payment_by_itself() -> None:
    with opened(NOON_IN_AUCKLAND) as cashier:
        issue(cashier, "R-1", "Pacific/Auckland")
        payment = cashier.record("R-1", by="check", key="a")  # on the 14th
        cashier.save_customer(Customer("of-R-1", zone="Pacific/Honolulu"))  # the 13th there

        reversal = cashier.reverse(payment, reason="bounced")

        assert reversal.on == date(2030, 8, 14)


@pytest.mark.parametrize("wrong", ["Mars/Olympus", "/etc/passwd", "..", "Europe", "zürich"])
def test_an_unknown_zone_is_refused_and_nothing_is_written(wrong: str) -> None:
    with opened(NOON_IN_AUCKLAND) as cashier:
        with pytest.raises(InvalidValue, match="time zone"):
            cashier.save_customer(Customer("C-1", zone=wrong))
        assert cashier.customer("C-1") is None
    with pytest.raises(InvalidValue, match="time zone"):
        opened(NOON_IN_AUCKLAND, zone=wrong)
