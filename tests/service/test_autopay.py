"""Automatic payment: runs, subscriptions, and what happens between a plan and its charge."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.fernet import Fernet

from paygate import (
    AutopayPolicy,
    Cashier,
    ChargeOn,
    Customer,
    Kind,
    MandateChannel,
    MandateScope,
    Money,
)
from paygate.domain.outcome import Approved
from paygate.errors import InvalidValue, MethodNotUsable, NotSubscribed, SecretNotKept
from paygate.service import requests
from paygate.service.flow import Write
from paygate.testing import FakeGateway
from tests.reading import every_event
from tests.service.autopaying import Merchant, usd
from tests.service.world import BACK, Doomed, PowerCut

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from paygate.dialogue import Dialogue
    from paygate.domain.outcome import Outcome
    from paygate.gateway import Enrollment
    from paygate.service.flow import Step

DUE = "2027-03-01"


@pytest.fixture
def merchant(tmp_path: Path) -> Iterator[Merchant]:
    merchant = Merchant(tmp_path, "2027-02-01")
    yield merchant
    merchant.close()


class Interrupted(Cashier):
    """A cashier that lets something else happen before its first write of each run."""

    before: Callable[[], object] | None = None
    steps = 0
    at = 0

    def _do(self, step: Step) -> Any:
        if isinstance(step, Write):
            self.steps += 1
            if self.before is not None and self.steps == self.at:
                before, self.before = self.before, None
                before()
        return super()._do(step)


def interrupt(merchant: Merchant, before: Callable[[], object], at: int) -> None:
    """Run, and let something else happen before the write number *at*."""
    face = merchant.open(Interrupted)
    face.before, face.at, face.steps = before, at, 0
    face.run_autopay()
    face.close()


# --- Runs -----------------------------------------------------------------------------------


def test_one_charge_for_the_invoices_of_a_customer_currency_and_method(merchant: Merchant) -> None:
    merchant.store()
    merchant.issue("B", "20.00", due=DUE)
    merchant.issue("A", "10.00", due="2027-02-20")
    merchant.issue("C", Money.of("EUR", "5.00"), due=DUE)
    merchant.issue("D", "1.00", due="2027-03-02")
    merchant.on(DUE)
    merchant.cashier.run_autopay("2027-02-20")

    run = merchant.cashier.run_autopay()

    assert run.finished
    assert [(each.status, each.payments, str(each.amount)) for each in run.charged] == [
        ("succeeded", 1, "5.00 EUR"),
        ("succeeded", 1, "20.00 USD"),
    ]
    payment = merchant.cashier.payments(limit=3)[-1]
    assert [(each.invoice, str(each.paid)) for each in payment.items] == [("A", "10.00 USD")]
    assert merchant.opened("D") == "1.00 USD"


def test_a_finished_run_does_nothing(merchant: Merchant) -> None:
    merchant.store()
    merchant.on(DUE)
    done = merchant.cashier.run_autopay()
    merchant.issue("A", "10.00", due=DUE)

    again = merchant.cashier.run_autopay()

    assert done.finished
    assert again == done
    assert merchant.charged() == []


def test_a_day_that_has_not_begun_is_refused(merchant: Merchant) -> None:
    with pytest.raises(InvalidValue, match="has not begun") as refused:
        merchant.cashier.run_autopay("2027-02-02")

    assert refused.value.argument == "on"
    assert merchant.cashier.autopay_run() is None


def test_a_dry_run_changes_nothing_and_equals_the_run(merchant: Merchant) -> None:
    merchant.store()
    merchant.store("C-2")
    merchant.issue("A", "10.00", due=DUE)
    merchant.issue("B", "20.00", due=DUE, customer="C-2")
    merchant.cashier.set_autopay("B", on=False)
    merchant.on(DUE)
    before = list(every_event(merchant.cashier))

    planned = merchant.cashier.run_autopay(dry_run=True)

    assert list(every_event(merchant.cashier)) == before
    assert merchant.cashier.autopay_run(DUE) is None
    done = merchant.cashier.run_autopay()
    charges = [charge for each in planned.plans for charge in each.charges]
    assert [charge.amount for charge in charges] == [each.amount for each in done.charged]
    assert planned.skipped == done.skipped == {"turned_off": 1}


def test_a_process_that_dies_at_any_step_of_a_run_charges_nothing_twice(tmp_path: Path) -> None:
    for lost in (False, True):
        deaths = 0
        while _dies(tmp_path / f"{lost}-{deaths}", deaths + 1, lost=lost):
            deaths += 1
        assert 10 < deaths < 60


def _dies(folder: Path, dies_at: int, *, lost: bool) -> bool:
    """Let a process die at a step of a run, do the rest, and return whether it died."""
    folder.mkdir()
    merchant = Merchant(folder, "2027-02-01")
    for customer in ("C-1", "C-2"):
        merchant.store(customer)
        merchant.issue(f"A-{customer}", "10.00", due=DUE, customer=customer)
    merchant.clock.set(datetime(2027, 3, 1, 9, tzinfo=UTC))
    doomed = merchant.open(Doomed)
    doomed.steps, doomed.dies_at, doomed.lost = [], dies_at, lost
    died = False
    try:
        doomed.run_autopay()
    except PowerCut:
        died = True
    doomed.dies_at = 0
    doomed.close()
    for _ in range(6):  # the lease of the dead ends, and what it sent is inquired about
        merchant.clock.advance(hours=12)
        merchant.day()
    assert merchant.charged() == ["10.00 USD", "10.00 USD"], (lost, dies_at)
    assert merchant.opened("A-C-1") == merchant.opened("A-C-2") == "0.00 USD"
    merchant.close()
    return died


def test_two_processes_with_one_run_charge_once(merchant: Merchant) -> None:
    merchant.store()
    merchant.issue("A", "10.00", due=DUE)
    merchant.on(DUE)
    other = merchant.open(Cashier)

    def take_over() -> None:
        merchant.clock.advance(minutes=16)  # the lease of the first has ended
        assert other.run_autopay().finished

    interrupt(merchant, take_over, at=3)

    assert merchant.charged() == ["10.00 USD"]
    other.close()


def test_a_run_that_another_process_does_is_left_to_it(merchant: Merchant) -> None:
    merchant.store()
    merchant.issue("A", "10.00", due=DUE)
    merchant.on(DUE)
    other = merchant.open(Cashier)
    seen: list[bool] = []

    interrupt(merchant, lambda: seen.append(other.run_autopay().finished), at=3)

    assert seen == [False]
    assert merchant.charged() == ["10.00 USD"]
    other.close()


@pytest.mark.parametrize("what", ["ended", "paused", "forgotten", "off", "paid", "void"])
def test_what_changes_between_the_plan_and_the_charge_counts(merchant: Merchant, what: str) -> None:
    method = merchant.store()
    merchant.issue("A", "10.00", due=DUE)
    merchant.on(DUE)
    changes: dict[str, Callable[[], object]] = {
        "ended": lambda: merchant.cashier.end_autopay("C-1", reason="x"),
        "paused": lambda: merchant.cashier.pause_autopay("C-1", reason="on holiday"),
        "forgotten": lambda: merchant.cashier.forget_method(method, key="f"),
        "off": lambda: merchant.cashier.set_autopay("A", on=False),
        "paid": lambda: merchant.cashier.record("A", by="cash", key="cash"),
        "void": lambda: merchant.cashier.void("A", reason="wrong"),
    }

    interrupt(merchant, changes[what], at=3)

    assert merchant.charged() == []
    assert merchant.tried() == []


def test_customers_are_charged_from_six_o_clock_in_their_zone(merchant: Merchant) -> None:
    for customer, zone in (("east", "Europe/Berlin"), ("west", "America/Los_Angeles")):
        merchant.cashier.save_customer(Customer(customer, zone=zone))
        merchant.store(customer)
        merchant.issue(customer, "10.00", due=DUE, customer=customer)
    merchant.clock.set(datetime(2027, 3, 1, 4, 59, tzinfo=UTC))

    early = merchant.cashier.run_autopay()

    assert (early.finished, early.next_at) == (False, datetime(2027, 3, 1, 5, tzinfo=UTC))
    merchant.clock.advance(minutes=1)
    first = merchant.cashier.run_autopay()
    assert (first.finished, first.next_at) == (False, datetime(2027, 3, 1, 14, tzinfo=UTC))
    assert merchant.opened("east") == "0.00 USD"
    assert merchant.opened("west") == "10.00 USD"
    merchant.clock.set(datetime(2027, 3, 1, 14, tzinfo=UTC))
    assert merchant.cashier.run_autopay().finished
    assert merchant.opened("west") == "0.00 USD"


def test_a_request_that_was_never_sent_is_sent_again_and_burns_no_try(merchant: Merchant) -> None:
    merchant.store()
    merchant.issue("A", "10.00", due=DUE)
    merchant.on(DUE)
    merchant.card.script("unsent", "rejected_rate_limit", invoice="A")

    first = merchant.cashier.run_autopay()

    assert first.next_at == merchant.clock.now() + timedelta(minutes=5)
    merchant.clock.advance(minutes=5)
    second = merchant.cashier.run_autopay()
    assert second.next_at == merchant.clock.now() + timedelta(minutes=10)
    merchant.clock.advance(minutes=10)
    merchant.card.script("declined_insufficient_funds", invoice="A")
    third = merchant.cashier.run_autopay()
    assert third.finished
    assert merchant.told()[-1] == "retry_scheduled A 2027-03-04"
    assert [status for _, status in merchant.tried()] == ["failed", "failed", "declined"]


def test_a_run_does_not_wait_for_what_is_skipped_in_the_meantime(merchant: Merchant) -> None:
    merchant.store()
    merchant.issue("A", "10.00", due=DUE)
    merchant.on(DUE)
    merchant.card.script("unsent", invoice="A")
    assert not merchant.cashier.run_autopay().finished
    merchant.cashier.pause_autopay("C-1", reason="on holiday")
    merchant.clock.advance(minutes=5)

    run = merchant.cashier.run_autopay()

    assert (run.finished, run.skipped) == (True, {"paused": 1})


def test_an_account_that_refuses_our_requests_is_left_alone(merchant: Merchant) -> None:
    for customer in ("C-1", "C-2", "C-3"):
        merchant.store(customer)
        merchant.issue(f"A-{customer}", "10.00", due=DUE, customer=customer)
    merchant.on(DUE)
    merchant.card.script("rejected_credentials")

    run = merchant.cashier.run_autopay()

    assert run.skipped == {"no_method": 2}
    assert merchant.tried() == [("10.00 USD", "failed")]
    merchant.clock.advance(days=1)
    merchant.cashier.run_autopay()
    assert merchant.charged() == ["10.00 USD"] * 3


def test_a_page_of_a_moment_ago_is_left_alone_and_an_older_one_withdrawn(
    merchant: Merchant,
) -> None:
    merchant.store()
    for number in ("A", "B"):
        merchant.issue(number, "10.00", due=DUE)
    merchant.on(DUE)
    merchant.clock.advance(minutes=-31)
    old = merchant.cashier.collect("A", via="page", key="old", return_url=BACK)
    merchant.clock.advance(minutes=31)
    young = merchant.cashier.collect("B", via="page", key="young", return_url=BACK)

    run = merchant.cashier.run_autopay()

    assert run.skipped == {"page_open": 1}
    assert merchant.cashier.payment(old).status == "canceled"
    assert merchant.cashier.payment(young).status == "requires_action"
    assert merchant.charged() == ["10.00 USD"]
    merchant.page.pay(young.reference)
    merchant.news()
    assert merchant.opened("A") == merchant.opened("B") == "0.00 USD"


def test_a_disputed_invoice_is_not_charged(merchant: Merchant) -> None:
    merchant.store()
    merchant.issue("A", "10.00", due=DUE)
    paid = merchant.cashier.collect("A", via="card", method="tok_visa", key="by-hand")
    merchant.card.dispute(paid.reference)
    merchant.on(DUE)
    merchant.news()

    assert merchant.cashier.run_autopay().skipped == {"disputed": 1}
    assert merchant.tried() == []


def test_what_we_sent_back_ourselves_is_not_charged_again(merchant: Merchant) -> None:
    merchant.store()
    merchant.issue("A", "10.00", due=DUE)
    merchant.on(DUE)
    merchant.cashier.run_autopay()
    [paid] = merchant.cashier.payments()
    merchant.cashier.refund(paid, key="refund", to="reopen")
    assert merchant.opened("A") == "10.00 USD"

    merchant.clock.advance(days=1)

    assert merchant.cashier.run_autopay().skipped == {"given_up": 1}


def test_a_method_is_declined_once_a_day(merchant: Merchant) -> None:
    merchant.store()
    merchant.issue("A", "10.00", due=DUE)
    merchant.issue("B", Money.of("EUR", "5.00"), due=DUE)
    merchant.on(DUE)
    merchant.card.script("declined_insufficient_funds")

    run = merchant.cashier.run_autopay()

    assert len(merchant.tried()) == 1
    assert run.skipped == {"no_method": 1}
    merchant.clock.advance(days=1)
    merchant.cashier.run_autopay()
    assert merchant.charged() in (["10.00 USD"], ["5.00 EUR"])


def test_a_blocked_card_is_passed_over_for_another_one_on_the_next_day(
    merchant: Merchant,
) -> None:
    first = merchant.store()
    second = merchant.store(token="tok_mastercard")
    merchant.issue("A", "10.00", due=DUE)
    merchant.on(DUE)
    merchant.card.script("declined_lost_or_stolen", invoice="A")

    merchant.cashier.run_autopay()

    assert merchant.cashier.method(first.id).blocked_for
    assert "method.blocked" in merchant.told()
    merchant.clock.advance(days=1)
    merchant.cashier.run_autopay()
    [paid] = [each for each in merchant.cashier.payments() if each.status == "succeeded"]
    assert paid.method == second.id


def test_a_new_card_is_charged_for_what_was_given_up(merchant: Merchant) -> None:
    old = merchant.store()
    merchant.issue("A", "10.00", due=DUE)
    merchant.on(DUE)
    merchant.card.script("declined_authentication_required", invoice="A")
    merchant.cashier.run_autopay()
    merchant.clock.advance(days=1)
    assert merchant.cashier.run_autopay().skipped == {"given_up": 1}
    new = merchant.store(token="tok_mastercard")

    merchant.cashier.replace_method(old, replacement=new, key="replace")
    merchant.clock.advance(days=1)
    merchant.cashier.run_autopay()

    assert merchant.charged() == ["10.00 USD"]
    assert merchant.cashier.method(new.id).is_default


# --- Subscriptions --------------------------------------------------------------------------


def test_open_invoices_are_charged_only_if_the_payer_agreed(merchant: Merchant) -> None:
    for customer in ("C-1", "C-2"):
        merchant.issue(f"old {customer}", "10.00", due=DUE, customer=customer)
    merchant.clock.advance(days=1)
    merchant.store("C-1", scope=MandateScope.FUTURE_AND_PENDING)
    merchant.store("C-2")
    merchant.issue("unseen", "7.00", due=DUE, customer="C-2")
    merchant.on(DUE)

    run = merchant.cashier.run_autopay()

    assert merchant.charged() == ["10.00 USD", "7.00 USD"]
    assert run.skipped == {"out_of_scope": 1}
    subscription = merchant.cashier.subscription("C-1")
    assert subscription is not None
    assert subscription.pending == ("old C-1",)


def test_a_paused_subscription_is_resumed_by_the_host(merchant: Merchant) -> None:
    merchant.store()
    merchant.issue("A", "10.00", due=DUE)
    merchant.cashier.pause_autopay("C-1", reason="on holiday")
    merchant.on(DUE)
    assert merchant.cashier.run_autopay().skipped == {"paused": 1}

    merchant.cashier.resume_autopay("C-1")
    merchant.clock.advance(days=1)
    merchant.cashier.run_autopay()

    assert merchant.charged() == ["10.00 USD"]
    assert [each for each in merchant.told() if each in ("paused", "resumed")] == [
        "paused",
        "resumed",
    ]


def test_only_a_new_mandate_resumes_what_the_payer_revoked(merchant: Merchant) -> None:
    method = merchant.store()
    merchant.issue("A", "10.00", due=DUE)
    merchant.on(DUE)
    merchant.card.script("declined_mandate_revoked", invoice="A")
    merchant.cashier.run_autopay()
    mandate = merchant.cashier.mandate(method)
    assert mandate is not None
    assert mandate.ended_by == "payer"

    with pytest.raises(NotSubscribed, match="new mandate"):
        merchant.cashier.resume_autopay("C-1")
    merchant.store(token="tok_mastercard")
    merchant.clock.advance(days=1)
    merchant.cashier.run_autopay()

    assert merchant.charged() == ["10.00 USD"]


def test_ending_keeps_the_methods_and_ends_the_mandates(merchant: Merchant) -> None:
    method = merchant.store()

    ended = merchant.cashier.end_autopay("C-1", reason="moved away")

    assert (ended.status, ended.reason) == ("ended", "moved away")
    assert merchant.cashier.end_autopay("C-1", reason="again") == ended
    mandate = merchant.cashier.mandate(method)
    assert mandate is not None
    assert (mandate.ended_by, mandate.ended_for) == ("host", "moved away")
    merchant.issue("A", "10.00", due=DUE)
    with pytest.raises(MethodNotUsable) as refused:
        merchant.cashier.collect("A", via="card", method=method, key="k", payer_present=False)
    assert refused.value.why == "no_mandate"


def test_a_method_without_a_mandate_is_agreed_to_later(merchant: Merchant) -> None:
    method = merchant.cashier.enroll("C-1", via="card", method="tok_visa", key="e").method
    assert method is not None
    assert merchant.cashier.subscription("C-1") is None
    mandate = merchant.mandate(channel=MandateChannel.PHONE)

    subscription = merchant.cashier.start_autopay(method, mandate=mandate)

    assert merchant.cashier.start_autopay(method, mandate=mandate) == subscription
    merchant.issue("A", "10.00", due=DUE)
    merchant.on(DUE)
    merchant.cashier.run_autopay()
    assert merchant.charged() == ["10.00 USD"]


def test_a_replacement_without_a_mandate_pauses_automatic_payment(merchant: Merchant) -> None:
    old = merchant.store()
    new = merchant.cashier.enroll("C-1", via="card", method="tok_mastercard", key="e").method
    assert new is not None

    merchant.cashier.replace_method(old, replacement=new, key="r")

    subscription = merchant.cashier.subscription("C-1")
    assert subscription is not None
    assert (subscription.status, subscription.revoked) == ("paused", True)
    merchant.cashier.start_autopay(new, mandate=merchant.mandate())
    subscription = merchant.cashier.subscription("C-1")
    assert subscription is not None
    assert subscription.status == "active"


def test_an_invoice_is_charged_by_the_method_that_is_pinned_to_it(merchant: Merchant) -> None:
    merchant.store()
    other = merchant.store(token="tok_mastercard")
    merchant.issue("A", "10.00", due=DUE)
    merchant.cashier.set_autopay("A", method=other)
    merchant.on(DUE)

    merchant.cashier.run_autopay()

    [paid] = merchant.cashier.payments()
    assert paid.method == other.id
    stranger = merchant.store("C-2")
    merchant.issue("B", "10.00", due=DUE)
    with pytest.raises(MethodNotUsable):
        merchant.cashier.set_autopay("B", method=stranger)


def test_nothing_above_the_ceiling_is_charged(merchant: Merchant) -> None:
    merchant.store(ceiling=usd("15.00"))
    merchant.issue("A", "10.00", due=DUE)
    merchant.issue("B", "10.00", due=DUE)
    merchant.on(DUE)

    assert merchant.cashier.run_autopay().skipped == {"over_ceiling": 1}
    assert merchant.charged() == ["10.00 USD"]
    merchant.clock.advance(days=1)
    merchant.cashier.run_autopay()
    assert merchant.charged() == ["10.00 USD", "10.00 USD"]


def test_a_charge_of_the_hosts_without_the_payer_keeps_to_the_ceiling(merchant: Merchant) -> None:
    method = merchant.store(ceiling=usd("15.00"))
    merchant.issue("A", "15.01", due=DUE)
    merchant.issue("B", "15.00", due=DUE)
    collect = partial(merchant.cashier.collect, via="card", method=method, payer_present=False)

    with pytest.raises(MethodNotUsable, match=r"at most 15\.00 USD at once without"):
        collect("A", key="a")
    collect("B", key="b")

    assert merchant.charged() == ["15.00 USD"]


def test_a_customer_whose_charge_cannot_be_made_does_not_stop_the_others(
    merchant: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = merchant.store("C-1")
    merchant.store("C-2")
    merchant.issue("A", "10.00", due=DUE, customer="C-1")
    merchant.issue("B", "12.00", due=DUE, customer="C-2")
    token_of = requests.token_of

    def unreadable(tx: Any, method: str) -> Any:
        if method == broken.id:
            raise SecretNotKept("the key of this token is missing")
        return token_of(tx, method)

    monkeypatch.setattr(requests, "token_of", unreadable)
    merchant.on(DUE)

    assert merchant.cashier.run_autopay().skipped == {"no_method": 1}
    assert merchant.charged() == ["12.00 USD"]


def test_a_method_whose_token_cannot_be_decrypted_is_passed_over_and_announced(
    merchant: Merchant,
) -> None:
    lost = merchant.store("C-1")
    merchant.cashier.close()
    merchant.more["token_keys"] = (Fernet.generate_key().decode(),)
    merchant.cashier = merchant.open(Cashier)
    merchant.issue("A", "10.00", due=DUE, customer="C-1")
    merchant.on(DUE)

    assert merchant.day().skipped == {"no_method": 1}

    [event] = [
        each for each in merchant.cashier.events(limit=500) if each.type == "autopay.no_method"
    ]
    assert event.data["methods"] == [f"{lost.id} unreadable"]
    assert merchant.tried() == []
    other = merchant.store("C-1", token="tok_mastercard")
    merchant.clock.advance(days=1)
    merchant.day()
    [payment] = merchant.cashier.payments()
    assert payment.method == other.id
    assert merchant.opened("A") == "0.00 USD"


@pytest.mark.parametrize(
    ("advice", "problem", "again"),
    [
        ("after_4_days", "resting", "2027-03-05"),
        ("update", "blocked", None),
        ("never", "blocked", None),
    ],
)
def test_advice_of_the_bank_is_about_the_card_and_so_about_every_invoice(
    merchant: Merchant, advice: str, problem: str, again: str | None
) -> None:
    card = merchant.store()
    merchant.issue("A", "10.00", due=DUE)
    merchant.issue("B", "12.00", due="2027-03-03")
    merchant.card.script(f"advised_{advice}", invoice="A")
    merchant.on(DUE)

    merchant.day()
    [tried] = merchant.cashier.payments()
    assert (tried.status, tried.advice) == ("declined", advice)
    merchant.on("2027-03-03")
    [plan] = merchant.cashier.run_autopay(dry_run=True).plans
    assert [each.methods for each in plan.skips if each.number == "B"] == [{card.id: problem}]

    merchant.on("2027-04-01")
    days = {
        each.created_at.date().isoformat()
        for each in merchant.cashier.payments()
        if each.created_at
    }
    assert days == ({DUE, again} if again else {DUE})
    assert merchant.charged() == (["22.00 USD"] if again else [])


class Recognizing(FakeGateway):
    """A processor that recognizes the number of a card when it is stored again."""

    def enroll(self, enrollment: Enrollment) -> Dialogue[Outcome]:
        outcome = yield from super().enroll(enrollment)
        assert isinstance(outcome, Approved)
        assert outcome.method is not None
        return replace(outcome, method=replace(outcome.method, fingerprint="one-number"))


def test_a_card_is_not_declined_more_often_than_its_network_allows(merchant: Merchant) -> None:
    merchant.cashier.close()
    merchant.gateways["card"] = merchant.card = Recognizing(Kind.CARD, clock=merchant.clock)
    merchant.cashier = merchant.open(Cashier)
    card = merchant.store(token="tok_declined")
    for day in range(1, 29):
        merchant.issue(f"I-{day}", "10.00", due=f"2027-02-{day:02}")
    merchant.on("2027-02-16")
    # The same card, deleted and stored again, is the same card to its network.
    merchant.cashier.forget_method(card, key="forget")
    merchant.store(
        token="tok_declined",
        scope=MandateScope.FUTURE_AND_PENDING,
        pending=[f"I-{day}" for day in range(1, 29)],
    )
    merchant.on("2027-03-31")

    found = merchant.cashier.payments(limit=100)
    days = [each.created_at.date() for each in found if each.created_at]
    assert len(days) == len(set(days)), "one decline a day"
    for first in days:
        window = [each for each in days if first <= each < first + timedelta(days=30)]
        assert len(window) <= 15
    assert merchant.charged() == []


def test_a_card_that_is_still_being_stored_does_not_subscribe_somebody_who_has_left(
    merchant: Merchant,
) -> None:
    merchant.store()
    merchant.card.script("unknown_executed", operation="enroll")
    merchant.cashier.enroll(
        "C-1", via="card", method="tok_mastercard", key="second", mandate=merchant.mandate()
    )
    merchant.cashier.end_autopay("C-1", reason="moved away")
    merchant.issue("A", "10.00", due=DUE)

    merchant.on(DUE)

    subscription = merchant.cashier.subscription("C-1")
    assert subscription is not None
    assert subscription.status == "ended"
    assert len(merchant.cashier.methods("C-1")) == 2
    assert merchant.charged() == []


def test_credit_alone_pays_an_invoice(merchant: Merchant) -> None:
    merchant.store()
    merchant.cashier.top_up("C-1", usd("50"), via="card", method="tok_visa", key="top-up")
    merchant.issue("A", "10.00", due=DUE)
    merchant.on(DUE)

    merchant.cashier.run_autopay()

    assert merchant.charged() == ["50.00 USD"]
    assert merchant.opened("A") == "0.00 USD"
    assert merchant.cashier.balance("C-1") == {"USD": usd("40.00")}


def test_an_invoice_can_be_charged_on_the_day_it_is_issued(tmp_path: Path) -> None:
    merchant = Merchant(tmp_path, "2027-02-01", AutopayPolicy(when=ChargeOn.ISSUE))
    merchant.store()
    merchant.issue("A", "10.00", due=DUE)

    merchant.cashier.run_autopay()

    assert merchant.charged() == ["10.00 USD"]
    merchant.close()


# --- Workers --------------------------------------------------------------------------------


def test_due_work_includes_the_run_of_the_day(merchant: Merchant) -> None:
    merchant.store()
    merchant.issue("A", "10.00", due=DUE)
    merchant.clock.set(datetime(2027, 3, 1, 5, tzinfo=UTC))

    [job] = [each.job for each in merchant.cashier.work_due() if each.job.kind == "run-autopay"]

    assert (job.account, job.subject) == ("", DUE)
    assert merchant.charged() == []
    assert not [each for each in merchant.cashier.due() if each.kind == "run-autopay"]
    merchant.clock.set(datetime(2027, 3, 1, 6, tzinfo=UTC))
    assert merchant.cashier.tenants_due() == ["main"]
    merchant.cashier.work_due()
    assert merchant.charged() == ["10.00 USD"]
    assert not [each for each in merchant.cashier.due() if each.kind == "run-autopay"]


def test_recovery_charges_nothing(merchant: Merchant) -> None:
    merchant.store()
    merchant.issue("A", "10.00", due=DUE)
    merchant.clock.set(datetime(2027, 3, 1, 9, tzinfo=UTC))

    merchant.cashier.recover()

    assert merchant.tried() == []


def test_a_policy_that_is_turned_off_charges_nothing(tmp_path: Path) -> None:
    merchant = Merchant(tmp_path, "2027-03-01", AutopayPolicy(enabled=False))
    merchant.store()
    merchant.issue("A", "10.00", due=DUE)

    assert not [each for each in merchant.cashier.due() if each.kind == "run-autopay"]
    assert merchant.cashier.run_autopay().skipped == {"turned_off": 1}
    assert merchant.tried() == []
    merchant.close()
