"""The worked calendars of automatic payment, day by day: what is charged, and what is announced."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import pytest

from paygate import AutopayPolicy, Cashier, Kind, Money, RetryPolicy
from paygate.domain.outcome import Approved
from paygate.testing import FakeGateway
from tests.service.autopaying import Merchant, usd

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from paygate.dialogue import Dialogue
    from paygate.domain.outcome import Outcome
    from paygate.gateway import Enrollment


@pytest.fixture
def merchant(tmp_path: Path) -> Iterator[Merchant]:
    merchant = Merchant(tmp_path, "2027-01-01")
    yield merchant
    merchant.close()


class Expiring(FakeGateway):
    """A processor whose cards expire in February 2027."""

    def enroll(self, enrollment: Enrollment) -> Dialogue[Outcome]:
        outcome = yield from super().enroll(enrollment)
        assert isinstance(outcome, Approved)
        assert outcome.method is not None
        method = replace(outcome.method, expires_month=2, expires_year=2027)
        return replace(outcome, method=method)


def test_k1_two_soft_declines_then_paid(merchant: Merchant) -> None:
    merchant.store()
    merchant.issue("K1", "30.00", due="2027-01-31")
    merchant.card.script(*["declined_insufficient_funds"] * 2, invoice="K1")
    assert merchant.told() == ["subscribed", "generated K1"]

    merchant.on("2027-01-31")
    merchant.day()
    assert merchant.told() == ["retry_scheduled K1 2027-02-03"]

    merchant.on("2027-02-03")
    merchant.day()
    assert merchant.told() == ["retry_scheduled K1 2027-02-08"]

    merchant.on("2027-02-08")
    merchant.day()
    assert merchant.told() == ["paid K1"]
    assert merchant.charged() == ["30.00 USD"]
    assert [status for _, status in merchant.tried()] == ["declined", "declined", "succeeded"]


def test_k2_an_expired_card_is_announced_once_and_never_charged(merchant: Merchant) -> None:
    merchant.gateways["card"] = Expiring(Kind.CARD, clock=merchant.clock)
    merchant.cashier.close()
    merchant.cashier = merchant.open(Cashier)
    method = merchant.store()
    assert method.expires == date(2027, 2, 28)
    merchant.issue("K2", "50.00", due="2027-03-15")
    merchant.told()

    merchant.on("2027-03-15")
    merchant.day()
    assert merchant.told() == ["method.expiring", "method.expiring", "no_method K2"]
    [event] = [
        each for each in merchant.cashier.events(limit=500) if each.type == "autopay.no_method"
    ]
    assert event.data["methods"] == [f"{method.id} expired"]

    merchant.on("2027-05-20")
    assert merchant.told() == []
    merchant.cashier.record("K2", by="cash", key="by-hand")
    merchant.day()

    assert merchant.charged() == []


def test_k3_an_unknown_outcome_is_inquired_about_and_charged_the_day_after(
    merchant: Merchant,
) -> None:
    merchant.store()
    merchant.issue("K3", "40.00", due="2027-04-30")
    merchant.card.script("unknown_lost", invoice="K3")
    merchant.on("2027-04-30")
    merchant.day()
    assert merchant.tried() == [("40.00 USD", "unknown")]
    assert merchant.cashier.run_autopay().skipped == {}

    merchant.clock.advance(days=1)
    run = merchant.cashier.run_autopay()
    assert run.skipped == {"in_flight": 1}

    merchant.clock.advance(days=1)
    for _ in range(6):  # until inquiries agree that the request never arrived
        merchant.news()
        merchant.clock.advance(minutes=20)
    assert merchant.tried() == [("40.00 USD", "failed")]
    assert merchant.day().skipped == {"retry_later": 1}

    merchant.clock.advance(days=1)
    merchant.day()
    assert merchant.tried() == [("40.00 USD", "failed"), ("40.00 USD", "succeeded")]
    assert merchant.charged() == ["40.00 USD"]


def test_k4_a_returned_debit_is_presented_again_and_stops_when_it_is_unauthorized(
    tmp_path: Path,
) -> None:
    retry = RetryPolicy(represent=(3, 5), holidays=frozenset({date(2027, 7, 5)}))
    merchant = Merchant(tmp_path, "2027-06-01", AutopayPolicy(retry=retry))
    merchant.store(via="bank", token="tok_bank")
    merchant.issue("K4", "80.00", due="2027-06-30")
    merchant.bank.script("bank_returned_r01", "bank_returned_r10", invoice="K4")
    merchant.told()

    merchant.on("2027-06-30")
    merchant.day()
    [first] = merchant.cashier.payments()
    day = date(2027, 7, 1)
    while "retry_scheduled" not in " ".join(found := merchant.told()):
        assert day < date(2027, 7, 12), (found, first)
        merchant.on(day.isoformat())
        merchant.day()
        day = date.fromordinal(day.toordinal() + 1)
    returned_on = merchant.clock.now().date()
    [scheduled] = [each for each in found if each.startswith("retry_scheduled")]
    again_on = date.fromisoformat(scheduled.split()[-1])
    gap = sum(
        date.fromordinal(each).weekday() < 5 and date.fromordinal(each) != date(2027, 7, 5)
        for each in range(returned_on.toordinal() + 1, again_on.toordinal() + 1)
    )
    assert gap == 3

    merchant.on(again_on.isoformat())
    merchant.day()
    assert len(merchant.cashier.payments()) == 2
    while "paused" not in found:
        merchant.clock.advance(days=1)
        assert merchant.clock.now().date() < date(2027, 8, 15), found
        merchant.day()
        found += merchant.told()
    assert merchant.opened("K4") == "80.00 USD"
    [method] = merchant.cashier.methods("C-1")
    assert method.blocked_for.upper() == "R10"
    subscription = merchant.cashier.subscription("C-1")
    assert subscription is not None
    assert (subscription.status, subscription.revoked) == ("paused", True)

    for _ in range(40):
        merchant.clock.advance(days=1)
        merchant.day()
    assert len(merchant.cashier.payments()) == 2
    merchant.close()


def test_k5_credit_first_and_a_small_amount_is_carried(tmp_path: Path) -> None:
    minimum = (usd("0.50"), Money.of("EUR", "0.50"))
    merchant = Merchant(tmp_path, "2027-09-01", AutopayPolicy(minimum=minimum))
    merchant.store()
    merchant.cashier.top_up(
        "C-1", usd("12.00"), via="card", method="tok_visa", key="top-up", payer_present=True
    )
    merchant.issue("A", "20.00", due="2027-09-30")
    merchant.issue("B", "15.00", due="2027-09-30")
    merchant.issue("C", Money.of("EUR", "0.30"), due="2027-09-30")
    merchant.issue("D", Money.of("EUR", "9.70"), due="2027-10-31")
    merchant.told()

    merchant.on("2027-09-30")
    run = merchant.day()
    assert merchant.told() == ["paid A", "paid B"]
    assert run.skipped == {"below_minimum": 1}
    assert merchant.charged() == ["12.00 USD", "23.00 USD"]

    merchant.on("2027-10-31")
    merchant.day()
    assert merchant.told() == ["paid C", "paid D"]
    assert merchant.charged() == ["12.00 USD", "23.00 USD", "10.00 EUR"]
    assert merchant.cashier.balance("C-1") == {}
    merchant.close()


def test_k7_a_bank_that_wants_the_payer_gets_no_second_try(merchant: Merchant) -> None:
    merchant.store()
    merchant.on("2028-02-01")
    merchant.issue("K7", Money.of("EUR", "60.00"), due="2028-02-29")
    merchant.card.script("declined_authentication_required", invoice="K7")
    merchant.told()

    merchant.on("2028-02-29")
    merchant.day()
    assert merchant.told() == ["given_up K7"]

    merchant.on("2028-03-02")
    merchant.cashier.collect("K7", via="card", method="tok_visa", key="by-link")
    assert merchant.told() == ["paid K7"]
    merchant.day()
    assert merchant.charged() == ["60.00 EUR"]


def test_k8_a_deleted_card_ends_it_and_a_new_one_pays_only_what_is_issued_later(
    merchant: Merchant,
) -> None:
    merchant.on("2027-05-01")
    method = merchant.store()
    merchant.issue("A", "30.00", due="2027-05-10")
    merchant.card.script("declined_insufficient_funds", invoice="A")
    merchant.told()

    merchant.on("2027-05-10")
    merchant.day()
    assert merchant.told() == ["retry_scheduled A 2027-05-13"]

    merchant.on("2027-05-12")
    merchant.cashier.forget_method(method, key="forget")
    assert merchant.told() == ["method.forgotten", "unsubscribed", "method.deleted"]
    merchant.on("2027-05-18")
    assert [status for _, status in merchant.tried()] == ["declined"]

    merchant.store(token="tok_mastercard")
    merchant.on("2027-05-20")
    merchant.day()
    assert merchant.opened("A") == "30.00 USD"
    merchant.cashier.record("A", by="cash", key="by-hand")
    merchant.on("2027-05-27")
    merchant.issue("B", "30.00", due="2027-06-10")
    merchant.told()
    merchant.on("2027-06-10")
    merchant.day()

    assert merchant.told() == ["paid B"]
    assert merchant.charged() == ["30.00 USD"]
