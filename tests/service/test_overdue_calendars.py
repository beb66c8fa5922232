"""The worked calendars of overdue invoices, day by day, through the real cashier."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from paygate import AutopayPolicy, BankCalendar, Campaign, Cashier, Kind, Money, RetryPolicy
from paygate.domain.outcome import Approved
from paygate.testing import FakeGateway, Habits
from tests.service.dunning import Dunning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from paygate.dialogue import Dialogue
    from paygate.domain.outcome import Outcome
    from paygate.gateway import Enrollment


@pytest.fixture
def open_(tmp_path: Path) -> Iterator[Callable[..., Dunning]]:
    opened: list[Dunning] = []

    def make(
        start: str, policy: AutopayPolicy | None = None, campaign: Campaign | None = None
    ) -> Dunning:
        opened.append(Dunning(tmp_path, start, policy, campaign))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


def play(merchant: Dunning, days: dict[str, list[str]], year: int) -> None:
    """Let days pass, and compare what happens on each day with *days*, and nothing else."""
    for day, expected in days.items():
        merchant.on(f"{year}-{day}")
        assert merchant.heard() == [], f"before {day}"
        merchant.day()
        assert merchant.heard() == expected, day


class Expiring(FakeGateway):
    """A processor whose cards expire in February 2027."""

    def enroll(self, enrollment: Enrollment) -> Dialogue[Outcome]:
        outcome = yield from super().enroll(enrollment)
        assert isinstance(outcome, Approved)
        assert outcome.method is not None
        method = replace(outcome.method, expires_month=2, expires_year=2027)
        return replace(outcome, method=method)


def test_k1_two_soft_declines_then_paid(open_: Callable[..., Dunning]) -> None:
    merchant = open_("2027-01-01")
    merchant.store()
    merchant.issue("K1", "30.00", due="2027-01-31")
    merchant.card.script(*["declined_insufficient_funds"] * 2, invoice="K1")
    merchant.heard()

    play(
        merchant,
        {
            "01-31": ["retry_scheduled 2027-02-03"],
            "02-01": ["overdue K1", "warned", "overdue notice"],
            "02-03": ["retry_scheduled 2027-02-08"],
            "02-07": ["overdue_again notice"],
            "02-08": ["paid K1", "restored"],
        },
        2027,
    )

    assert merchant.charged() == ["30.00 USD"]
    assert merchant.state() == "CLEAR"


def test_k2_an_expired_card_until_termination_and_reinstatement(
    open_: Callable[..., Dunning],
) -> None:
    merchant = open_("2027-01-01")
    merchant.gateways["card"] = Expiring(Kind.CARD, clock=merchant.clock)
    merchant.cashier.close()
    merchant.cashier = merchant.open(Cashier)
    merchant.store()
    merchant.issue("K2", "50.00", due="2027-03-15")
    merchant.cashier.commit_to("C-1", "fibre", start="2027-01-01", months=24, key="fibre")
    merchant.heard()

    play(
        merchant,
        {
            "03-15": ["no_method"],
            "03-16": ["overdue K2", "warned", "overdue notice"],
            "03-22": ["overdue_again notice"],
            "03-29": ["limited", "limited notice"],
            "04-05": ["suspended", "suspended notice"],
            "05-14": ["terminated", "terminated notice", "commitment.terminated", "paused"],
        },
        2027,
    )
    assert merchant.state() == "TERMINATED"
    [commitment] = merchant.cashier.commitments("C-1")
    assert (commitment.status, commitment.reason) == ("terminated", "nonpayment")

    merchant.on("2027-05-20")
    merchant.day()
    merchant.cashier.record("K2", by="cash", key="by-hand")
    assert merchant.heard() == ["paid K2"]
    assert merchant.state() == "TERMINATED"

    merchant.on("2027-05-21")
    merchant.cashier.reinstate("C-1", reason="paid in cash")
    assert merchant.heard() == ["restored", "restored notice"]
    assert merchant.state() == "CLEAR"


def test_k3_an_unknown_outcome_holds_the_first_warning(open_: Callable[..., Dunning]) -> None:
    merchant = open_("2027-04-01")
    merchant.store()
    merchant.issue("K3", "40.00", due="2027-04-30")
    merchant.card.script("unknown_lost", invoice="K3")
    merchant.on("2027-04-30")
    merchant.heard()
    merchant.cashier.run_autopay()
    merchant.sweep()
    assert merchant.tried() == [("40.00 USD", "unknown")]

    merchant.on("2027-05-01")
    merchant.cashier.run_autopay()
    done = merchant.sweep()
    assert merchant.heard() == ["overdue K3"]
    assert dict(done.held) == {"in_flight": 1}

    merchant.clock.advance(days=1)
    for _ in range(6):  # until inquiries agree that the request never arrived
        merchant.news()
        merchant.clock.advance(minutes=20)
    assert merchant.tried() == [("40.00 USD", "failed")]
    merchant.day()
    assert merchant.heard() == ["retry_scheduled 2027-05-03"]
    play(merchant, {"05-03": ["paid K3"]}, 2027)
    assert merchant.charged() == ["40.00 USD"]
    assert merchant.state() == "CLEAR"


def test_k4_a_return_resumes_the_campaign_before_its_last_stage(
    open_: Callable[..., Dunning],
) -> None:
    retry = RetryPolicy(represent=(3, 5), holidays=BankCalendar.FEDERAL_RESERVE.holidays(2027))
    merchant = open_("2027-06-01", AutopayPolicy(retry=retry))
    at_once = Habits(e_check_settles_after=timedelta(minutes=1))
    merchant.bank = FakeGateway(Kind.E_CHECK, clock=merchant.clock, habits=at_once)
    merchant.gateways["bank"] = merchant.bank
    merchant.cashier.close()
    merchant.cashier = merchant.open(Cashier)
    merchant.store(via="bank", token="tok_bank")
    merchant.issue("K4", "80.00", due="2027-06-30")
    merchant.heard()

    def settles() -> str:
        """Let the debit that was just sent settle, and return the processor's id of it."""
        merchant.clock.advance(minutes=2)
        merchant.news()
        return merchant.cashier.payments()[0].reference

    merchant.on("2027-06-30")
    merchant.day()
    debit = settles()
    assert merchant.heard() == ["paid K4"]
    merchant.on("2027-07-02")
    merchant.bank.return_check(debit, "R01")
    merchant.day()
    assert merchant.heard() == [
        "reopened K4",
        "retry_scheduled 2027-07-08",
        "overdue K4",
        "warned",
        "overdue notice",
    ]
    play(merchant, {"07-07": ["overdue_again notice"], "07-08": []}, 2027)
    debit = settles()
    assert merchant.heard() == ["paid K4", "restored"]
    merchant.on("2027-07-12")
    merchant.bank.return_check(debit, "R10")
    merchant.day()
    assert merchant.heard() == ["reopened K4", "method.blocked", "paused", "warned"]
    play(
        merchant,
        {"07-15": ["overdue_again notice"], "07-20": ["limited", "limited notice"]},
        2027,
    )
    assert merchant.state() == "LIMITED"

    merchant.on("2027-07-21")
    merchant.cashier.collect("K4", via="card", method="tok_visa", key="by-link")
    assert merchant.heard() == ["paid K4", "restored", "restored notice"]


def test_k5_a_trifle_is_announced_and_begins_nothing(open_: Callable[..., Dunning]) -> None:
    minimum = (Money.of("USD", "0.50"), Money.of("EUR", "0.50"))
    merchant = open_("2027-09-01", AutopayPolicy(minimum=minimum))
    merchant.store()
    merchant.cashier.top_up(
        "C-1",
        Money.of("USD", "12.00"),
        via="card",
        method="tok_visa",
        key="top-up",
        payer_present=True,
    )
    for number, amount, due in (
        ("A", Money.of("USD", "20.00"), "2027-09-30"),
        ("B", Money.of("USD", "15.00"), "2027-09-30"),
        ("C", Money.of("EUR", "0.30"), "2027-09-30"),
        ("D", Money.of("EUR", "9.70"), "2027-10-31"),
    ):
        merchant.issue(number, amount, due=due)
    merchant.heard()

    play(
        merchant,
        {
            "09-30": ["paid A", "paid B"],
            "10-01": ["overdue C"],
            "10-31": ["paid C", "paid D"],
        },
        2027,
    )
    assert merchant.state() == "CLEAR"


def test_k6_a_promise_is_broken_and_a_sunday_is_waited_out(open_: Callable[..., Dunning]) -> None:
    merchant = open_("2027-11-01", campaign=Campaign(business_days=True))
    merchant.issue("K6", "25.00", due="2027-11-30")
    merchant.heard()

    play(
        merchant,
        {
            "12-01": ["overdue K6", "warned", "overdue notice"],
            "12-07": ["overdue_again notice"],
        },
        2027,
    )
    merchant.on("2027-12-10")
    merchant.cashier.promise("C-1", until="2027-12-20")
    assert merchant.heard() == ["promise.made 2027-12-20"]
    assert merchant.state() == "WARNED"
    play(
        merchant,
        {
            "12-21": ["promise.broken 2027-12-20", "limited", "limited notice"],
            "12-27": ["suspended", "suspended notice"],
        },
        2027,
    )
    merchant.on("2027-12-28")
    merchant.cashier.record("K6", by="cash", key="by-hand")
    assert merchant.heard() == ["paid K6", "restored", "restored notice"]


def test_k7_a_bank_wants_the_payer_on_a_leap_day(open_: Callable[..., Dunning]) -> None:
    merchant = open_("2028-02-01")
    merchant.store()
    merchant.issue("K7", Money.of("EUR", "60.00"), due="2028-02-29")
    merchant.card.script("declined_authentication_required", invoice="K7")
    merchant.heard()

    play(
        merchant,
        {"02-29": ["given_up"], "03-01": ["overdue K7", "warned", "overdue notice"]},
        2028,
    )
    merchant.on("2028-03-02")
    merchant.cashier.collect("K7", via="card", method="tok_visa", key="by-link")

    assert merchant.heard() == ["paid K7", "restored"]


def test_k8_a_deleted_card_and_a_new_one(open_: Callable[..., Dunning]) -> None:
    merchant = open_("2027-05-01")
    method = merchant.store()
    merchant.issue("A", "30.00", due="2027-05-10")
    merchant.card.script("declined_insufficient_funds", invoice="A")
    merchant.heard()

    play(
        merchant,
        {
            "05-10": ["retry_scheduled 2027-05-13"],
            "05-11": ["overdue A", "warned", "overdue notice"],
        },
        2027,
    )
    merchant.on("2027-05-12")
    merchant.cashier.forget_method(method, key="forget")
    assert merchant.heard() == ["unsubscribed"]
    play(merchant, {"05-17": ["overdue_again notice"]}, 2027)
    merchant.on("2027-05-18")
    merchant.store(token="tok_mastercard")
    merchant.on("2027-05-20")
    merchant.cashier.record("A", by="cash", key="by-hand")
    assert merchant.heard() == ["paid A", "restored"]
    merchant.on("2027-05-27")
    merchant.issue("B", "30.00", due="2027-06-10")
    play(merchant, {"06-10": ["paid B"]}, 2027)

    assert merchant.state() == "CLEAR"
