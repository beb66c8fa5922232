"""One pass of recovery: whatever one attempt, account or callback does, the rest goes on."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from paygate import Cashier, Money, Payment, PaymentStatus
from paygate.dialogue import Dialogue
from paygate.domain.callback import InboxState
from paygate.domain.outcome import Approved, Finding
from paygate.errors import GatewayNotFound, NoResponse
from paygate.gateway import Callback, Inquiry, Notice
from paygate.service import merge
from paygate.service.account import Timing
from paygate.testing import FakeClock, FakeGateway
from tests.service.world import PAYER, assert_sound, usd

DAY = timedelta(days=1)
PLAN = Timing().plan_length


class Spoken(FakeGateway):
    """A processor that counts how often it is asked, and may be away."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.asked: list[str] = []
        self.away = False

    def look_up(self, inquiry: Inquiry) -> Dialogue[Finding]:
        self.asked.append(inquiry.our_ref)
        if self.away:
            raise NoResponse("nothing within 30 s")
        return (yield from super().look_up(inquiry))

    def verify(self, callback: Callback) -> Dialogue[list[Notice]]:
        told = yield from super().verify(callback)
        return [replace(notice, answer=None, movements=()) for notice in told]


class Office:
    """Two accounts in one ledger on disk, and processes that may have one of them or both."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder / 'office.db'}"
        self.clock = FakeClock()
        self.sick = Spoken(clock=self.clock)
        self.well = Spoken(clock=self.clock)
        self.running: list[Cashier] = []

    def process(self, *names: str) -> Cashier:
        gateways = {name: getattr(self, name) for name in names}
        process = Cashier.open(
            self.url, gateways=gateways, clock=self.clock, timing=Timing(feed_pause=None)
        )
        self.running.append(process)
        return process

    def doubtful(self, cashier: Cashier, via: str, number: str) -> Payment:
        """Let a payment be executed, and its answer be lost."""
        cashier.issue(number=number, customer=PAYER, total=usd("23.00"), due="2026-02-01")
        payment = cashier.collect(
            number, via=via, method="tok_unknown_executed", key=number, payer=PAYER
        )
        self.clock.advance(seconds=1)
        return payment


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = Office(tmp_path)
    yield office
    for process in office.running:
        assert_sound(process)
        process.close()


def poison(monkeypatch: pytest.MonkeyPatch, attempt: str, error: Exception) -> None:
    """Let the merge of one attempt fail, as an answer does that the ledger cannot take."""
    original = merge.merge_any_in

    def merge_any_in(tx: Any, id_: str, *rest: Any) -> Any:
        if id_ == attempt:
            raise error
        return original(tx, id_, *rest)

    monkeypatch.setattr(merge, "merge_any_in", merge_any_in)


# --- One bad attempt --------------------------------------------------------------------------


def test_an_attempt_that_cannot_be_merged_is_flagged_and_the_next_one_is_settled(
    office: Office, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cashier = office.process("sick", "well")
    first = office.doubtful(cashier, "sick", "N-1")
    second = office.doubtful(cashier, "well", "N-2")
    [attempt] = cashier.attempts(first)
    poison(monkeypatch, attempt.id, KeyError("a value of the driver"))
    office.clock.advance(hours=1)

    with caplog.at_level(logging.ERROR, logger="paygate.service"):
        cashier.recover()

    assert cashier.payment(second).status is PaymentStatus.SUCCEEDED
    held = cashier.payment(first)
    assert (held.status, held.needs_review) == (PaymentStatus.UNKNOWN, True)
    [passed_over] = cashier.attempts(first)
    assert "KeyError" in passed_over.reason
    assert "a value of the driver" not in passed_over.reason
    assert passed_over.next_check_at is not None
    assert passed_over.next_check_at > office.clock.now()
    assert attempt.id in caplog.text
    assert [event.type for event in cashier.events(limit=100)].count("payment.needs_review") == 1


def test_what_was_passed_over_is_settled_when_its_answer_can_be_used(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    cashier = office.process("well")
    payment = office.doubtful(cashier, "well", "N-3")
    [attempt] = cashier.attempts(payment)
    office.clock.advance(hours=1)
    with monkeypatch.context() as patched:
        poison(patched, attempt.id, KeyError("a value of the driver"))
        cashier.recover()
        cashier.recover()

    office.clock.advance(DAY)
    cashier.recover()

    found = cashier.payment(payment)
    assert (found.status, found.needs_review) == (PaymentStatus.SUCCEEDED, False)
    assert cashier.invoice("N-3").open == usd("0")


class Worthless(Spoken):
    """A driver that tells of money without an amount."""

    def look_up(self, inquiry: Inquiry) -> Dialogue[Finding]:
        found = yield from super().look_up(inquiry)
        assert isinstance(found, Approved)
        nothing = Money.zero(inquiry.amount.currency)
        return replace(
            found, movements=tuple(replace(each, amount=nothing) for each in found.movements)
        )


def test_an_answer_that_breaks_a_rule_of_the_books_stops_nobody(office: Office) -> None:
    office.sick = Worthless(clock=office.clock)
    cashier = office.process("sick", "well")
    first = office.doubtful(cashier, "sick", "N-4")
    second = office.doubtful(cashier, "well", "N-5")
    office.clock.advance(hours=1)

    cashier.recover()

    assert cashier.payment(second).status is PaymentStatus.SUCCEEDED
    held = cashier.payment(first)
    assert (held.status, held.needs_review) == (PaymentStatus.UNKNOWN, True)


# --- Who does not answer -------------------------------------------------------------------------


def test_accounts_take_turns_and_one_that_does_not_answer_waits_for_the_next_run(
    office: Office,
) -> None:
    cashier = office.process("sick", "well")
    for number in range(4):
        office.doubtful(cashier, "sick", f"S-{number}")
    for number in range(3):
        office.doubtful(cashier, "well", f"W-{number}")
    office.clock.advance(hours=1)
    office.sick.away = True

    cashier.recover(limit=4)

    assert (len(office.sick.asked), len(office.well.asked)) == (1, 2)
    cashier.recover()
    assert (len(office.sick.asked), len(office.well.asked)) == (2, 3)
    assert len(set(office.sick.asked)) == 2  # the next one, not the same again


def test_hints_of_an_account_that_does_not_answer_wait_and_do_not_wear_out(
    office: Office,
) -> None:
    cashier = office.process("sick", "well")
    for via in ("sick", "well"):
        gateway = getattr(office, via)
        for number in range(3):
            cashier.issue(
                number=f"{via}-{number}", customer=PAYER, total=usd("23.00"), due="2026-02-01"
            )
            cashier.collect(f"{via}-{number}", via=via, method="tok_visa", key=f"{via}-{number}")
        for told in gateway.callbacks():
            cashier.receive(via, told)
    office.sick.away = True

    for _ in range(30):
        cashier.apply_callbacks()
        office.clock.advance(DAY)

    assert {each.state for each in cashier.callbacks() if each.account == "well"} == {
        InboxState.APPLIED
    }
    waiting = [each for each in cashier.callbacks() if each.account == "sick"]
    assert {(each.state, each.tries) for each in waiting} == {(InboxState.NEW, 0)}
    assert len(office.sick.asked) == 30

    office.sick.away = False
    cashier.apply_callbacks()
    assert {each.state for each in cashier.callbacks()} == {InboxState.APPLIED}


def test_an_inquiry_that_nobody_answers_counts_for_nothing_and_is_reviewed_in_the_end(
    office: Office,
) -> None:
    cashier = office.process("sick")
    payment = office.doubtful(cashier, "sick", "N-6")
    office.sick.away = True

    for _ in range(6):
        office.clock.advance(DAY)
        cashier.recover()

    assert [each.checks for each in cashier.attempts(payment)] == [0]
    assert not cashier.payment(payment).needs_review
    office.clock.advance(PLAN)
    cashier.recover()
    assert cashier.payment(payment).needs_review
    office.sick.away = False
    office.clock.advance(DAY)
    cashier.recover()
    found = cashier.payment(payment)
    assert (found.status, found.needs_review) == (PaymentStatus.SUCCEEDED, False)


# --- Whose account is configured elsewhere -------------------------------------------------------


def test_a_process_without_the_account_leaves_its_attempts_to_one_that_has_it(
    office: Office,
) -> None:
    owner, other = office.process("sick"), office.process("well")
    payment = office.doubtful(owner, "sick", "N-7")
    before = owner.attempts(payment)

    for _ in range(25):
        office.clock.advance(DAY)
        other.recover()

    assert owner.attempts(payment) == before
    [waiting] = other.unattended()
    assert (waiting.account, waiting.attempts, waiting.callbacks) == ("sick", 1, 0)
    owner.recover()
    assert owner.payment(payment).status is PaymentStatus.SUCCEEDED
    assert other.unattended() == []


def test_a_process_without_the_account_leaves_its_callbacks_to_one_that_has_it(
    office: Office,
) -> None:
    owner, other = office.process("sick"), office.process("well")
    owner.issue(number="N-8", customer=PAYER, total=usd("23.00"), due="2026-02-01")
    owner.collect("N-8", via="sick", method="tok_visa", key="k")
    for told in office.sick.callbacks():
        owner.receive("sick", told)

    for _ in range(9):
        other.apply_callbacks()
        office.clock.advance(DAY)

    [waiting] = other.unattended()
    assert (waiting.account, waiting.attempts) == ("sick", 0)
    assert waiting.callbacks == len(owner.callbacks())
    assert {each.tries for each in owner.callbacks()} == {0}
    owner.apply_callbacks()
    assert {each.state for each in owner.callbacks()} == {InboxState.APPLIED}


def test_who_asks_about_a_payment_hears_that_its_account_is_not_configured(
    office: Office,
) -> None:
    owner, other = office.process("sick"), office.process("well")
    payment = office.doubtful(owner, "sick", "N-9")

    with pytest.raises(GatewayNotFound, match="'sick' is not configured here"):
        other.inquire(payment)

    assert owner.payment(payment) == payment
