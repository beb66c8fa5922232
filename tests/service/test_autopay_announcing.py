"""Announcements: what a payer is told before a collection, and before a card expires."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from paygate import AutopayPolicy, Cashier, Kind
from paygate.domain.outcome import Approved
from paygate.errors import InvalidValue
from paygate.testing import FakeGateway
from tests.service.autopaying import Merchant, usd

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from paygate.dialogue import Dialogue
    from paygate.domain.event import Event
    from paygate.domain.outcome import Outcome
    from paygate.gateway import Enrollment


@pytest.fixture
def merchant(tmp_path: Path) -> Iterator[Merchant]:
    merchant = Merchant(tmp_path, "2027-05-01")
    yield merchant
    merchant.close()


def events(merchant: Merchant, type_: str) -> list[Event]:
    return [each for each in merchant.cashier.events(limit=1_000) if each.type == type_]


def announced(merchant: Merchant) -> list[tuple[str, list[str], int]]:
    return [
        (each.data["day"], each.data["invoices"], each.data["amount_minor"])
        for each in events(merchant, "autopay.announced")
    ]


class Expiring(FakeGateway):
    """A processor whose cards expire with June 2027."""

    def enroll(self, enrollment: Enrollment) -> Dialogue[Outcome]:
        outcome = yield from super().enroll(enrollment)
        assert isinstance(outcome, Approved)
        assert outcome.method is not None
        method = replace(outcome.method, expires_month=6, expires_year=2027)
        return replace(outcome, method=method)


# --- Collections ------------------------------------------------------------------------------


def test_a_debit_is_announced_ten_days_before_and_collected_on_its_day(
    merchant: Merchant,
) -> None:
    bank = merchant.store(via="bank", token="tok_bank", notice_days=None)
    merchant.issue("A", "30.00", due="2027-05-20")
    merchant.issue("B", "12.00", due="2027-05-20")
    merchant.on("2027-05-09")
    merchant.day()
    assert announced(merchant) == []

    merchant.on("2027-05-10")
    merchant.day()
    [event] = events(merchant, "autopay.announced")
    assert event.data["method"] == bank.id
    assert announced(merchant) == [("2027-05-20", ["A", "B"], 4200)]

    merchant.on("2027-05-19")
    merchant.day()
    assert merchant.tried() == []
    merchant.on("2027-05-20")
    merchant.day()
    assert merchant.tried() == [("42.00 USD", "processing")]
    assert len(announced(merchant)) == 1


def test_what_is_announced_late_is_collected_late(merchant: Merchant) -> None:
    merchant.store(via="bank", token="tok_bank", notice_days=None)
    merchant.on("2027-05-18")
    merchant.issue("A", "30.00", due="2027-05-20")

    merchant.day()
    assert announced(merchant) == [("2027-05-28", ["A"], 3000)]
    merchant.on("2027-05-20")
    assert merchant.day().skipped == {"announced": 1}
    merchant.on("2027-05-27")
    merchant.day()
    assert merchant.tried() == []
    merchant.on("2027-05-28")
    merchant.day()

    assert merchant.tried() == [("30.00 USD", "processing")]


def test_only_a_higher_amount_is_announced_again(merchant: Merchant) -> None:
    merchant.store(via="bank", token="tok_bank", notice_days=5)
    merchant.issue("A", "30.00", due="2027-05-20")
    merchant.on("2027-05-15")
    merchant.day()
    paid = merchant.cashier.record("A", by="cash", key="part", amount=usd("10.00"))
    merchant.day()
    assert announced(merchant) == [("2027-05-20", ["A"], 3000)]

    merchant.cashier.reverse(paid, reason="a mistake")
    merchant.on("2027-05-16")
    merchant.day()
    assert len(announced(merchant)) == 1, "no more than was announced"
    merchant.on("2027-05-20")
    merchant.day()

    assert merchant.tried() == [("30.00 USD", "processing")]


@pytest.mark.parametrize(
    ("terms", "charged_on"),
    [
        ({"notice_days": 0}, "2027-05-20"),
        ({"notice_days": None, "ceiling": usd("50.00")}, "2027-05-20"),
        ({"notice_days": 3, "ceiling": usd("50.00")}, "2027-05-22"),
        ({"notice_days": None}, "2027-05-29"),
    ],
)
def test_the_mandate_says_how_long_before(
    merchant: Merchant, terms: dict[str, Any], charged_on: str
) -> None:
    merchant.store(via="bank", token="tok_bank", **terms)
    merchant.on("2027-05-19")
    merchant.issue("A", "30.00", due="2027-05-20")
    merchant.day()
    merchant.on("2027-06-10")

    [payment] = merchant.cashier.payments()
    assert payment.created_at is not None
    assert payment.created_at.date().isoformat() == charged_on


def test_a_card_is_charged_without_an_announcement_unless_it_was_agreed(
    merchant: Merchant,
) -> None:
    merchant.store("C-1", notice_days=None)
    merchant.store("C-2", notice_days=4)
    for customer in ("C-1", "C-2"):
        merchant.issue(customer, "30.00", due="2027-05-20", customer=customer)

    merchant.on("2027-05-20")
    merchant.day()

    assert announced(merchant) == [("2027-05-20", ["C-2"], 3000)]
    assert merchant.charged() == ["30.00 USD", "30.00 USD"]


def test_a_retry_is_announced_again(merchant: Merchant) -> None:
    merchant.store(notice_days=4)
    merchant.issue("A", "30.00", due="2027-05-20")
    merchant.card.script("declined_insufficient_funds", invoice="A")
    merchant.on("2027-05-20")
    merchant.day()

    merchant.on("2027-06-01")

    assert [day for day, _, _ in announced(merchant)] == ["2027-05-20", "2027-05-27"]
    days = [each.created_at for each in merchant.cashier.payments() if each.created_at]
    assert [each.date().isoformat() for each in days] == ["2027-05-27", "2027-05-20"]


def test_a_dry_run_shows_what_would_be_announced_and_tells_nobody(merchant: Merchant) -> None:
    merchant.store(via="bank", token="tok_bank", notice_days=None)
    merchant.issue("A", "30.00", due="2027-05-20")
    merchant.on("2027-05-12")
    merchant.cashier.record("A", by="cash", key="part", amount=usd("1.00"))
    merchant.issue("B", "5.00", due="2027-05-20")

    [plan] = merchant.cashier.run_autopay(dry_run=True).plans

    assert [(str(each.amount), str(each.day)) for each in plan.announcements] == [
        ("5.00 USD", "2027-05-22")
    ]
    assert len(announced(merchant)) == 1


def test_a_lead_of_more_days_than_a_run_looks_ahead_is_refused() -> None:
    with pytest.raises(InvalidValue, match=r"0 to 60 days"):
        AutopayPolicy(lead_days={Kind.E_CHECK: 61})


# --- Cards that expire --------------------------------------------------------------------------


def test_a_card_that_expires_is_announced_30_and_7_days_before(merchant: Merchant) -> None:
    merchant.cashier.close()
    merchant.gateways["card"] = merchant.card = Expiring(Kind.CARD, clock=merchant.clock)
    merchant.cashier = merchant.open(Cashier)
    card = merchant.store()
    merchant.cashier.enroll("C-2", via="card", method="tok_visa", key="not-agreed")
    days = dict[str, int]()
    while merchant.clock.now().date().isoformat() < "2027-07-05":
        merchant.day()
        merchant.day()
        found = events(merchant, "method.expiring")
        for event in found[len(days) :]:
            assert event.data["method"] == card.id
            days[merchant.clock.now().date().isoformat()] = event.data["days"]
        merchant.clock.advance(days=1)

    assert days == {"2027-05-31": 30, "2027-06-23": 7}


def test_a_card_that_was_replaced_in_time_is_announced_once(merchant: Merchant) -> None:
    merchant.cashier.close()
    merchant.gateways["card"] = merchant.card = Expiring(Kind.CARD, clock=merchant.clock)
    merchant.cashier = merchant.open(Cashier)
    card = merchant.store()
    merchant.on("2027-06-10")
    merchant.gateways["card"] = merchant.card = FakeGateway(Kind.CARD, clock=merchant.clock)
    merchant.cashier.close()
    merchant.cashier = merchant.open(Cashier)
    merchant.store(token="tok_mastercard")
    merchant.cashier.forget_method(card, key="forget")
    merchant.on("2027-07-05")

    assert [each.data["days"] for each in events(merchant, "method.expiring")] == [30]
