"""Overdue invoices: states follow money at once; holds, fees, promises, zones, commitments."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest

from paygate import (
    AsyncCashier,
    AutopayPolicy,
    Campaign,
    Cashier,
    Customer,
    CustomerState,
    Hold,
    MandateScope,
    Money,
)
from paygate.domain.campaign import STAGES
from paygate.errors import (
    CommitmentNotFound,
    InvalidValue,
    KeyReused,
    NothingOverdue,
    TooManyPromises,
)
from tests.service.autopaying import KEYS, usd
from tests.service.dunning import Dunning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Dunning]]:
    made: list[Dunning] = []

    def open_(
        start: str = "2027-03-01",
        policy: AutopayPolicy | None = None,
        campaign: Campaign | None = None,
        **more: Any,
    ) -> Dunning:
        made.append(Dunning(tmp_path, start, policy, campaign, **more))
        return made[-1]

    yield open_
    for each in made:
        each.close()


@pytest.fixture
def late(make: Callable[..., Dunning]) -> Dunning:
    """A merchant whose customer is suspended for one invoice of 50.00 USD."""
    merchant = make()
    merchant.issue("A", "50.00", due="2027-03-15")
    merchant.on("2027-04-05")
    merchant.day()
    assert merchant.state() == "SUSPENDED"
    merchant.heard()
    return merchant


# --- In the transaction of the money ----------------------------------------------------------


def test_each_way_to_owe_nothing_restores_at_once(late: Dunning) -> None:
    cashier = late.cashier
    payment = cashier.record("A", by="check", key="check")
    assert late.state() == "CLEAR"
    cashier.reverse(payment, reason="bounced")
    assert late.state() == "LIMITED"  # suspend comes again, after its gap
    given_up = cashier.write_off("A", reason="small", key="w")
    assert late.state() == "CLEAR"
    cashier.undo_write_off(given_up)
    assert late.state() == "WARNED"  # limit had not come again
    cashier.record([], by="cash", key="ahead", customer="C-1", amount=usd("48.00"))
    assert late.state() == "CLEAR"  # less than the threshold is left
    cashier.void("A", reason="never delivered")
    assert late.state() == "CLEAR"

    assert late.heard() == [
        *("paid A", "restored", "restored notice"),
        *("reopened A", "limited"),
        *("written_off A", "restored", "restored notice"),
        *("reopened A", "warned"),
        "restored",
        "voided A",
    ]


def test_a_dispute_takes_an_invoice_out_of_the_campaign(make: Callable[..., Dunning]) -> None:
    merchant = make()
    merchant.issue("A", "50.00", due="2027-03-15")
    merchant.on("2027-03-16")
    merchant.day()
    paid = merchant.cashier.collect("A", via="card", method="tok_visa", key="a")
    assert merchant.state() == "CLEAR"

    merchant.card.dispute(paid.reference)
    merchant.news()

    assert merchant.cashier.invoice("A").disputed
    assert merchant.state() == "CLEAR"
    merchant.on("2027-06-01")
    assert merchant.state() == "CLEAR"


def test_part_of_the_money_changes_no_state_above_the_threshold(late: Dunning) -> None:
    late.cashier.record("A", by="cash", key="part", amount=usd("40.00"))
    assert late.state() == "SUSPENDED"
    late.cashier.record("A", by="cash", key="more", amount=usd("5.01"))
    assert late.state() == "CLEAR"


def test_the_worst_currency_counts_and_each_has_its_own_threshold(
    make: Callable[..., Dunning],
) -> None:
    merchant = make(campaign=Campaign(thresholds=(Money.of("EUR", 40),)))
    merchant.issue("usd", "50.00", due="2027-03-15")
    merchant.issue("eur", Money.of("EUR", 50), due="2027-03-25")
    merchant.issue("gbp", Money.of("GBP", 4), due="2027-03-15")
    merchant.on("2027-03-29")
    merchant.day()
    standing = merchant.cashier.standing("C-1")
    assert standing.state is CustomerState.LIMITED
    assert [(str(each.amount), each.state.value) for each in standing.debts] == [
        ("50.00 EUR", "warned"),
        ("4.00 GBP", "clear"),
        ("50.00 USD", "limited"),
    ]

    merchant.cashier.record("usd", by="cash", key="usd")
    assert merchant.state() == "WARNED"
    merchant.cashier.record("eur", by="cash", key="eur", amount=Money.of("EUR", "10.01"))
    assert merchant.state() == "CLEAR"


# --- Holds ----------------------------------------------------------------------------------


def test_nobody_is_limited_while_our_feed_is_not_read(make: Callable[..., Dunning]) -> None:
    merchant = make()
    merchant.issue("old", "10.00", due="2027-03-02")
    merchant.cashier.collect("old", via="card", method="tok_visa", key="old")
    merchant.issue("A", "50.00", due="2027-03-15")
    merchant.on("2027-03-28")
    merchant.day()
    merchant.quiet = True
    merchant.on("2027-04-02")
    assert merchant.sweep().held == {Hold.NEWS_MISSING: 1}
    assert merchant.state() == "WARNED"
    [debt] = merchant.cashier.standing("C-1").debts
    assert debt.holds == (Hold.NEWS_MISSING,)

    merchant.quiet = False
    merchant.on("2027-04-03")
    merchant.day()
    assert merchant.state() == "LIMITED"


def test_a_run_that_was_missed_or_an_account_that_is_off_suspends_nobody(
    make: Callable[..., Dunning],
) -> None:
    merchant = make()
    merchant.store()
    merchant.issue("A", "50.00", due="2027-03-15")
    merchant.on("2027-03-15")
    merchant.clock.set(datetime(2027, 3, 16, 9, tzinfo=UTC))
    assert merchant.sweep().held == {Hold.RUN_MISSED: 1}
    merchant.cashier.close()
    merchant.gateways["card"] = {"gateway": merchant.card, "enabled": False}
    merchant.cashier = merchant.open(Cashier)
    merchant.clock.set(datetime(2027, 3, 17, 9, tzinfo=UTC))

    assert merchant.sweep().held == {Hold.NOT_CHARGED: 1}
    assert merchant.state() == "CLEAR"
    merchant.cashier.close()
    merchant.gateways["card"] = merchant.card
    merchant.cashier = merchant.open(Cashier)
    merchant.card.script("declined_lost_or_stolen", invoice="A")
    merchant.clock.set(datetime(2027, 3, 18, 9, tzinfo=UTC))
    merchant.cashier.run_autopay()

    assert merchant.sweep().stages == {"w1": 1}


def test_while_sending_is_stopped_no_stage_comes(make: Callable[..., Dunning]) -> None:
    merchant = make()
    merchant.issue("A", "50.00", due="2027-03-15")
    merchant.cashier.stop_sending(reason="restored from a backup")
    merchant.clock.set(datetime(2027, 3, 20, 9, tzinfo=UTC))

    assert merchant.sweep().held == {Hold.SENDING_STOPPED: 1}
    assert merchant.heard() == ["overdue A"]


# --- Promises -------------------------------------------------------------------------------


def test_a_promise_is_kept_and_others_are_refused(make: Callable[..., Dunning]) -> None:
    merchant = make()
    cashier = merchant.cashier
    with pytest.raises(NothingOverdue):
        cashier.promise("C-1", until="2027-03-20")
    merchant.issue("A", "50.00", due="2027-03-15")
    merchant.on("2027-03-16")
    merchant.day()
    for until in ("2027-03-15", "2027-04-16"):
        with pytest.raises(InvalidValue, match="2027-03-16 to 2027-04-15"):
            cashier.promise("C-1", until=until)
    first = cashier.promise("C-1", until="2027-03-18")
    assert cashier.promise("C-1", until="2027-03-18") == first
    with pytest.raises(TooManyPromises, match="still open"):
        cashier.promise("C-1", until="2027-03-19")
    merchant.on("2027-03-19")
    merchant.day()
    merchant.heard()
    cashier.promise("C-1", until="2027-03-25")
    assert cashier.run_overdue().held == {}
    merchant.on("2027-03-24")
    cashier.record("A", by="cash", key="cash")
    kinds = [each.type for each in cashier.events(limit=1_000) if each.type.startswith("promise.")]
    assert kinds == ["promise.made", "promise.broken", "promise.made", "promise.kept"]


def test_what_is_promised_is_not_charged_automatically(make: Callable[..., Dunning]) -> None:
    merchant = make()
    merchant.issue("A", "50.00", due="2027-03-15")
    merchant.on("2027-03-17")
    merchant.store(pending=("A",), scope=MandateScope.FUTURE_AND_PENDING)
    merchant.cashier.promise("C-1", until="2027-03-20")
    assert merchant.cashier.run_autopay().skipped == {"promised": 1}
    merchant.on("2027-03-21")
    merchant.day()

    assert merchant.charged() == ["50.00 USD"]


# --- Fees -----------------------------------------------------------------------------------


def test_a_fee_is_an_invoice_of_its_own_once(make: Callable[..., Dunning]) -> None:
    remind, again, *others = STAGES
    stages = (remind, replace(again, fee=usd("7.00")), *others)
    merchant = make(campaign=Campaign(stages=stages))
    merchant.issue("A", "50.00", due="2027-03-15")
    merchant.on("2027-03-22")
    merchant.day()
    fee = merchant.cashier.invoice("A-w2")
    assert (str(fee.total), fee.customer) == ("7.00 USD", "C-1")
    [debt] = merchant.cashier.standing("C-1").debts
    assert debt.invoices == ("A",)
    paid = merchant.cashier.record("A", by="check", key="check")
    assert merchant.state() == "CLEAR"  # a fee alone is no reason to go on
    merchant.cashier.reverse(paid, reason="bounced")
    merchant.on("2027-03-26")
    merchant.day()

    assert [each.number for each in merchant.cashier.invoices()] == ["A-w2", "A"]


# --- Zones and days -------------------------------------------------------------------------


def test_each_customer_is_handled_when_their_own_day_begins(make: Callable[..., Dunning]) -> None:
    merchant = make()
    cashier = merchant.cashier
    for name, zone in (("east", "Pacific/Auckland"), ("west", "America/Los_Angeles"), ("here", "")):
        cashier.issue(
            number=name, customer=Customer(name, zone=zone), total=usd("50.00"), due="2027-03-15"
        )
    merchant.clock.set(datetime(2027, 3, 15, 20, 30, tzinfo=UTC))  # 09:30 on the 16th in Auckland
    assert cashier.run_overdue("2027-03-16").announced == 1
    assert [merchant.state(each) for each in ("east", "here", "west")] == ["WARNED"] + ["CLEAR"] * 2
    merchant.clock.set(datetime(2027, 3, 16, 9, tzinfo=UTC))
    run = cashier.run_overdue()
    assert (run.finished, run.announced) == (False, 2)
    assert run.next_at == datetime(2027, 3, 16, 16, tzinfo=UTC)
    assert cashier.run_overdue() == run
    merchant.clock.set(datetime(2027, 3, 16, 16, tzinfo=UTC))
    run = cashier.run_overdue()

    assert (run.finished, run.announced) == (True, 3)
    assert merchant.state("west") == "WARNED"


def test_a_zone_that_changes_takes_nothing_back(make: Callable[..., Dunning]) -> None:
    merchant = make()
    cashier = merchant.cashier
    cashier.issue(
        number="A",
        customer=Customer("C-1", zone="Pacific/Auckland"),
        total=usd("50.00"),
        due="2027-03-15",
    )
    merchant.clock.set(datetime(2027, 3, 15, 21, tzinfo=UTC))
    cashier.run_overdue("2027-03-16")
    cashier.save_customer(Customer("C-1", zone="Pacific/Honolulu"))  # where it is still the 15th
    cashier.record("A", by="cash", key="part", amount=usd("1.00"))

    assert merchant.state() == "WARNED"
    merchant.on("2027-03-25", hour=21)
    merchant.day()
    assert merchant.heard().count("overdue A") == 1


def test_the_day_of_a_sweep_has_begun_somewhere(make: Callable[..., Dunning]) -> None:
    merchant = make()
    with pytest.raises(InvalidValue, match="has not begun"):
        merchant.cashier.run_overdue("2027-03-03")
    merchant.issue("A", "50.00", due="2027-02-01")
    assert merchant.cashier.run_overdue("2027-02-01").announced == 0
    assert merchant.cashier.run_overdue("2027-02-02").announced == 1
    assert merchant.cashier.overdue_run("2027-02-02") is not None
    assert merchant.cashier.overdue_run("2027-02-03") is None


# --- Campaigns ------------------------------------------------------------------------------


def test_a_new_campaign_does_not_hurry_those_who_were_warned(make: Callable[..., Dunning]) -> None:
    merchant = make()
    merchant.issue("A", "50.00", due="2027-03-15")
    merchant.on("2027-03-16")
    merchant.day()
    remind, *_ = STAGES
    harsh = Campaign(
        stages=(remind, replace(STAGES[3], after=2, gap=1)),
    )
    merchant.cashier.close()
    merchant.more = {"campaign": harsh}
    merchant.cashier = merchant.open(Cashier)
    merchant.issue("B", "50.00", due="2027-03-16", customer="C-2")
    merchant.on("2027-03-18")
    merchant.day()

    assert merchant.state() == "WARNED"
    assert merchant.state("C-2") == "SUSPENDED"


def test_due_work_includes_the_sweep_of_the_day(make: Callable[..., Dunning]) -> None:
    merchant = make()
    merchant.issue("A", "50.00", due="2027-03-15")
    merchant.clock.set(datetime(2027, 3, 16, 8, tzinfo=UTC))
    [job] = [each.job for each in merchant.cashier.work_due() if each.job.kind == "run-overdue"]
    assert (job.account, job.subject) == ("", "2027-03-16")
    assert not [each for each in merchant.cashier.due() if each.kind == "run-overdue"]
    assert merchant.state() == "CLEAR"
    merchant.clock.set(datetime(2027, 3, 16, 9, tzinfo=UTC))
    assert merchant.cashier.tenants_due() == ["main"]
    merchant.cashier.recover()
    assert merchant.state() == "CLEAR"
    merchant.cashier.work_due()
    assert merchant.state() == "WARNED"
    assert not [each for each in merchant.cashier.due() if each.kind == "run-overdue"]


def test_a_campaign_that_is_turned_off_is_left_to_the_host(make: Callable[..., Dunning]) -> None:
    merchant = make(campaign=Campaign(enabled=False))
    merchant.issue("A", "50.00", due="2027-03-15")
    merchant.clock.set(datetime(2027, 3, 16, 9, tzinfo=UTC))

    assert not [each for each in merchant.cashier.due() if each.kind == "run-overdue"]
    assert merchant.cashier.run_overdue().stages == {"w1": 1}


async def test_the_cashier_for_asyncio_does_the_same(tmp_path: Path) -> None:
    merchant = Dunning(tmp_path, "2027-03-16")
    merchant.issue("A", "50.00", due="2027-03-15")
    async with AsyncCashier.open(
        merchant.url, gateways=merchant.gateways, clock=merchant.clock, token_keys=KEYS
    ) as cashier:
        assert (await cashier.run_overdue()).stages == {"w1": 1}
        assert (await cashier.standing("C-1")).state is CustomerState.WARNED
    merchant.close()


# --- Commitments ----------------------------------------------------------------------------


def test_commitments_end_by_their_term_or_are_replaced(make: Callable[..., Dunning]) -> None:
    merchant = make()
    cashier = merchant.cashier
    short = cashier.commit_to("C-1", "trial", start="2027-02-28", months=1, key="trial")
    assert cashier.commit_to("C-1", "trial", start="2027-02-28", months=1, key="trial") == short
    with pytest.raises(KeyReused):
        cashier.commit_to("C-1", "trial", start="2027-02-28", months=2, key="trial")
    old = cashier.commit_to("C-1", "fibre", start="2027-03-01", months=12, key="fibre")
    new = cashier.commit_to("C-1", "more", start="2027-03-01", months=24, key="more", replaces=old)
    with pytest.raises(InvalidValue, match="active"):
        cashier.commit_to("C-1", "x", start="2027-03-01", months=1, key="x", replaces=old)
    with pytest.raises(CommitmentNotFound):
        cashier.end_commitment("com_nobody", reason="moved")
    merchant.on("2027-03-29")
    merchant.day()

    found = {each.name: each for each in cashier.commitments("C-1")}
    assert [(each.name, each.status.value, each.reason) for each in found.values()] == [
        ("trial", "ended", "term"),
        ("fibre", "terminated", "replaced"),
        ("more", "active", ""),
    ]
    assert found["trial"].ended_on == date(2027, 3, 28)
    assert cashier.end_commitment(new, reason="moved").status == "terminated"
    assert merchant.heard() == [
        *["commitment.created"] * 2,
        *("commitment.terminated", "commitment.created"),
        *("commitment.ended", "commitment.terminated"),
    ]
