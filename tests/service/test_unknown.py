"""Unknown outcomes: what each kind of gateway lets us find out, and what stays for a person."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from paygate import Cashier, Kind, Payment
from paygate.dialogue import Dialogue, at_once
from paygate.domain.attempt import AttemptState
from paygate.domain.kind import Operation
from paygate.domain.outcome import DeclineCode, Declined, Ended, Ending, Finding, Unknown
from paygate.domain.payment import PaymentStatus
from paygate.errors import ItemAlreadyBeingPaid, NotRefundable
from paygate.gateway import DedupWindow, Inquiry, InquiryBy, Keyed, NotIdempotent
from paygate.service.account import Timing
from paygate.service.flow import Exchange, Step, Write
from paygate.testing import FakeClock, FakeGateway, Habits
from tests.service.world import (
    BACK,
    LEASE,
    PAYER,
    PowerCut,
    World,
    assert_sound,
    assert_truth,
    on_its_way,
    usd,
)

KEYED = Keyed(ttl=timedelta(hours=24))
PROFILES: dict[str, dict[str, Any]] = {
    "keyed": {"idempotency": KEYED},
    "not idempotent": {"idempotency": NotIdempotent()},
    "dedup window": {"idempotency": DedupWindow(window=timedelta(minutes=10))},
    "list scan": {"idempotency": NotIdempotent(), "inquiry": InquiryBy.LIST_SCAN},
    "eventually consistent": {
        "idempotency": NotIdempotent(),
        "habits": Habits(inquiry_lag=timedelta(minutes=4)),
    },
    "not found is never final": {
        "idempotency": NotIdempotent(),
        "not_found_is_final_after": None,
    },
    "keyed, cannot be asked": {"idempotency": KEYED, "blind": True},
    "keyed, declares no inquiry": {"idempotency": KEYED, "inquiry": InquiryBy.NONE},
    "not idempotent, cannot be asked": {"idempotency": NotIdempotent(), "blind": True},
    "asked by its own reference only": {
        "idempotency": NotIdempotent(),
        "inquiry": InquiryBy.GATEWAY_REF,
    },
}
FINDS_IT = {"keyed", "not idempotent", "dedup window", "list scan", "eventually consistent"}
FINDS_IT_IF_IT_IS_THERE = FINDS_IT | {"not found is never final"}

EXECUTED = [
    "tok_unknown_executed",
    "tok_response_late",
    "tok_timeout_late",
    "tok_500_executed",
    "tok_garbage",
    "tok_truncated",
    "tok_10mb",
]
NOT_EXECUTED = ["tok_unknown_lost", "tok_500"]


def issue(cashier: Cashier) -> None:
    cashier.issue(number="INV-1", customer=PAYER, total=usd("30.00"), due="2026-02-01")


def pay(cashier: Cashier, token: str, key: str = "k1") -> Payment:
    return cashier.collect("INV-1", via="it", method=token, key=key)


def wait_for_the_end(world: World, cashier: Cashier, payment: Payment) -> Payment:
    """Recover through the plan, and let arrive what was late."""
    world.settle(cashier)
    world.clock.advance(timedelta(minutes=2))
    return cashier.payment(payment)


def assert_held_for_a_person(cashier: Cashier, payment: Payment) -> None:
    """Nobody knows: the invoice stays held, a person is called, and nothing is concluded."""
    assert payment.needs_review
    assert payment.status is PaymentStatus.UNKNOWN
    assert cashier.invoice("INV-1").claimed == usd("30.00")
    with pytest.raises(ItemAlreadyBeingPaid):
        pay(cashier, "tok_visa", key="again")
    world_events = [event.type for event in cashier.events()]
    assert world_events.count("payment.needs_review") == 1


@pytest.mark.parametrize("token", EXECUTED)
@pytest.mark.parametrize("profile", PROFILES)
def test_what_was_executed_is_found_or_held_but_never_failed(
    world: World, profile: str, token: str
) -> None:
    fake = world.add("it", Kind.CARD, **PROFILES[profile])
    cashier = world.process()
    issue(cashier)

    first = pay(cashier, token)
    last = wait_for_the_end(world, cashier, first)

    assert first.status is PaymentStatus.UNKNOWN
    assert fake.moved("USD") == usd("30.00")
    assert_sound(cashier)
    if profile in FINDS_IT_IF_IT_IS_THERE:
        assert last.status is PaymentStatus.SUCCEEDED
        assert not last.needs_review
        assert cashier.invoice("INV-1").open == usd("0")
        assert_truth(world, cashier)
    else:
        assert_held_for_a_person(cashier, last)


@pytest.mark.parametrize("token", NOT_EXECUTED)
@pytest.mark.parametrize("profile", PROFILES)
def test_what_was_not_executed_fails_only_where_that_can_be_known(
    world: World, profile: str, token: str
) -> None:
    fake = world.add("it", Kind.CARD, **PROFILES[profile])
    cashier = world.process()
    issue(cashier)

    first = pay(cashier, token)
    last = wait_for_the_end(world, cashier, first)

    assert first.status is PaymentStatus.UNKNOWN
    assert_sound(cashier)
    if profile not in FINDS_IT:
        assert_held_for_a_person(cashier, last)
        assert fake.journal == ()
        return
    assert last.status is PaymentStatus.FAILED
    assert last.retryable
    again = pay(cashier, "tok_visa", key="k2")
    assert again.status is PaymentStatus.SUCCEEDED
    assert fake.moved("USD") == usd("30.00")
    assert_truth(world, cashier)


@pytest.mark.parametrize("lost", [False, True], ids=["never sent", "executed"])
@pytest.mark.parametrize("profile", PROFILES)
def test_a_process_that_dies_while_sending_leaves_a_row_that_is_settled(
    world: World, profile: str, *, lost: bool
) -> None:
    fake = world.add("it", Kind.CARD, **PROFILES[profile])
    issue(world.process())
    with pytest.raises(PowerCut):
        pay(world.doomed(2, lost=lost), "tok_visa")

    cashier = world.process()
    again = pay(cashier, "tok_visa")
    last = wait_for_the_end(world, cashier, again)

    assert again.status is PaymentStatus.PROCESSING
    assert len(fake.journal) == (1 if lost else 0)
    assert_sound(cashier)
    if profile in FINDS_IT or (lost and profile in FINDS_IT_IF_IT_IS_THERE):
        expected = PaymentStatus.SUCCEEDED if lost else PaymentStatus.FAILED
        assert last.status is expected
        assert_truth(world, cashier)
    else:
        assert last.needs_review
        assert last.status in (PaymentStatus.UNKNOWN, PaymentStatus.PROCESSING)
        with pytest.raises(ItemAlreadyBeingPaid):
            pay(cashier, "tok_visa", key="again")


def ask_for_page(cashier: Cashier) -> Payment:
    return cashier.collect("INV-1", via="it", key="page", payer=PAYER, return_url=BACK)


@pytest.mark.parametrize("lost", [False, True], ids=["never sent", "executed"])
@pytest.mark.parametrize(
    "profile", ["keyed", "keyed, cannot be asked", "keyed, declares no inquiry"]
)
def test_where_the_key_is_kept_the_same_request_is_sent_again(
    world: World, profile: str, *, lost: bool
) -> None:
    fake = world.add("it", Kind.REDIRECT, **PROFILES[profile])
    issue(world.process())
    with pytest.raises(PowerCut):
        ask_for_page(world.doomed(2, lost=lost))
    cashier = world.process()

    last = wait_for_the_end(world, cashier, ask_for_page(cashier))

    assert last.status is PaymentStatus.REQUIRES_ACTION
    assert last.action is not None
    assert list(fake.processor._truth.orders) == [last.reference], "one page was made: this one"
    fake.pay(last.reference)
    assert_sound(cashier)


def test_a_repetition_that_is_rejected_says_nothing_of_the_first_and_ends_with_a_person(
    world: World,
) -> None:
    fake = world.add("it", Kind.CARD, **PROFILES["keyed, declares no inquiry"])
    cashier = world.process()
    issue(cashier)
    payment = pay(cashier, "tok_visa")
    for fault in ("unknown_lost", "rejected_rate_limit"):
        fake.script(fault, operation="refund")

    sent = cashier.refund(payment, key="r", to="reopen").payment
    asked = [cashier.attempts(sent)[-1]]
    while asked[-1].next_check_at is not None:
        assert asked[-1].state.in_doubt, "nobody said that the first did not arrive"
        world.clock.advance(asked[-1].next_check_at - world.clock.now())
        cashier.recover()
        asked.append(cashier.attempts(sent)[-1])

    assert len(asked) > 2, "it was sent again, and that was refused"
    assert [each.needs_review for each in asked] == [False] * (len(asked) - 1) + [True]
    assert [each.id for each in cashier.payments(needs_review=True)] == [payment.id]
    with pytest.raises(NotRefundable):
        cashier.refund(payment, key="another", to="reopen")
    no = Declined(code=DeclineCode.GENERIC, raw_code="", retryable=False)
    resolved = cashier.resolve(payment, no, evidence="their dashboard has no refund")
    assert (resolved.needs_review, resolved.returned) == (False, usd("0"))
    assert cashier.refund(payment, key="another", to="reopen").payment.returned == usd("30.00")
    assert_sound(cashier)
    assert_truth(world, cashier)


@pytest.mark.parametrize("lag", [timedelta(0), timedelta(minutes=4)], ids=["at once", "later"])
@pytest.mark.parametrize("lost", [False, True], ids=["never sent", "executed"])
def test_where_no_key_is_kept_nothing_is_sent_again(
    world: World, lag: timedelta, *, lost: bool
) -> None:
    fake = world.add(
        "it", Kind.REDIRECT, idempotency=NotIdempotent(), habits=Habits(inquiry_lag=lag)
    )
    issue(world.process())
    with pytest.raises(PowerCut):
        ask_for_page(world.doomed(2, lost=lost))
    cashier = world.process()

    last = wait_for_the_end(world, cashier, ask_for_page(cashier))

    assert len(fake.processor._truth.orders) == (1 if lost else 0)
    if lost:
        assert last.reference == "ch_1"
        assert last.status in (PaymentStatus.REQUIRES_ACTION, PaymentStatus.EXPIRED)
    else:
        assert last.status is PaymentStatus.FAILED
        assert last.retryable


def test_within_the_lease_of_a_living_process_nothing_is_sent_again(world: World) -> None:
    world.add("it", Kind.REDIRECT)
    issue(world.process())
    with pytest.raises(PowerCut):
        ask_for_page(world.doomed(2, lost=False))
    cashier = world.process()
    payment = ask_for_page(cashier)

    world.clock.advance(LEASE - timedelta(seconds=1))
    cashier.recover()
    told = cashier.inquire(payment)

    assert told.status is PaymentStatus.PROCESSING
    world.clock.advance(timedelta(minutes=2))
    assert cashier.recover()[0].status is PaymentStatus.REQUIRES_ACTION


def test_an_early_question_does_not_keep_a_lost_request_from_being_sent_again(
    world: World,
) -> None:
    world.add("it", Kind.REDIRECT, blind=True)
    issue(world.process())
    with pytest.raises(PowerCut):
        ask_for_page(world.doomed(2, lost=False))
    cashier = world.process()

    early = cashier.inquire(ask_for_page(cashier))
    last = wait_for_the_end(world, cashier, early)

    assert not early.needs_review
    assert last.status is PaymentStatus.REQUIRES_ACTION


def test_after_the_key_has_expired_nothing_is_sent_again(world: World) -> None:
    fake = world.add("it", Kind.REDIRECT, idempotency=Keyed(ttl=timedelta(hours=1)), blind=True)
    issue(world.process())
    with pytest.raises(PowerCut):
        ask_for_page(world.doomed(2, lost=True))
    cashier = world.process()
    payment = ask_for_page(cashier)

    world.clock.advance(timedelta(minutes=59))
    cashier.recover()

    told = cashier.payment(payment)
    assert told.needs_review
    assert told.status is PaymentStatus.UNKNOWN
    assert len(fake.processor._truth.orders) == 1


@pytest.mark.parametrize("kept", [True, False], ids=["kept for a day", "not kept"])
def test_a_key_is_kept_as_long_as_the_operation_says(world: World, *, kept: bool) -> None:
    fake = world.add(
        "it",
        Kind.CARD,
        idempotency=NotIdempotent() if kept else KEYED,
        idempotency_of={Operation.REFUND: KEYED if kept else NotIdempotent()},
        inquiry=InquiryBy.NONE,
    )
    cashier = world.process()
    issue(cashier)
    payment = pay(cashier, "tok_visa")
    fake.script("unknown_lost", operation="refund")
    cashier.refund(payment, key="r", to="reopen")

    world.clock.advance(LEASE + timedelta(minutes=10))
    cashier.recover()

    assert cashier.payment(payment).returned == usd("30.00" if kept else "0")


def two_absences(world: World, *pauses: timedelta) -> Callable[[], PaymentStatus]:
    """A lost request, asked about after each of *pauses*; tells the status after that."""
    world.add("it", Kind.CARD, idempotency=NotIdempotent())
    cashier = world.process()
    issue(cashier)
    payment = pay(cashier, "tok_unknown_lost")
    for pause in pauses:
        world.clock.advance(pause)
        cashier.inquire(payment)
    return lambda: cashier.payment(payment).status


SETTLED = LEASE + timedelta(minutes=5)  # not_found_is_final_after of the fake


def test_only_inquiries_after_the_time_has_passed_agree(world: World) -> None:
    minute = timedelta(minutes=1)

    status = two_absences(world, minute, minute, minute, minute, SETTLED - 4 * minute)

    assert status() is PaymentStatus.UNKNOWN
    [payment] = world.running[0].payments()
    assert world.running[0].inquire(payment).status is PaymentStatus.FAILED


def test_one_absence_is_not_enough(world: World) -> None:
    assert two_absences(world, SETTLED)() is PaymentStatus.UNKNOWN


def test_two_absences_after_the_time_are_enough(world: World) -> None:
    assert two_absences(world, SETTLED, timedelta(0))() is PaymentStatus.FAILED


def test_a_failed_inquiry_between_two_absences_makes_them_disagree(world: World) -> None:
    fake = world.add("it", Kind.CARD, idempotency=NotIdempotent())
    cashier = world.process()
    issue(cashier)
    payment = pay(cashier, "tok_unknown_lost")
    world.clock.advance(SETTLED)

    cashier.inquire(payment)
    fake.script("500", operation="look_up")
    cashier.inquire(payment)

    assert cashier.inquire(payment).status is PaymentStatus.UNKNOWN
    assert cashier.inquire(payment).status is PaymentStatus.FAILED


@pytest.mark.parametrize(
    "fault", ["unsent", "unknown_lost", "500", "garbage", "truncated", "10mb", "unknown_executed"]
)
def test_a_fault_of_the_inquiry_says_nothing_about_the_payment(world: World, fault: str) -> None:
    fake = world.add("it", Kind.CARD)
    cashier = world.process()
    issue(cashier)
    payment = pay(cashier, "tok_unknown_executed")

    for _ in range(3):
        fake.script(fault, operation="look_up")
        world.clock.advance(timedelta(days=1))
        assert cashier.inquire(payment).status is PaymentStatus.UNKNOWN

    assert cashier.inquire(payment).status is PaymentStatus.SUCCEEDED
    assert_truth(world, cashier)


def test_a_gateway_that_is_never_there_ends_in_review_and_is_not_called_failed(
    world: World,
) -> None:
    fake = world.add("it", Kind.CARD)
    cashier = world.process()
    issue(cashier)
    payment = pay(cashier, "tok_unknown_lost")
    fake.script(*["unknown_lost"] * 100, operation="look_up")

    last = wait_for_the_end(world, cashier, payment)

    assert_held_for_a_person(cashier, last)
    assert cashier.attempts(last)[0].checks == 0  # nobody ever answered


def test_a_gateway_that_answers_and_never_knows_ends_in_review_after_the_plan(
    world: World,
) -> None:
    fake = world.add("it", Kind.CARD)
    cashier = world.process()
    issue(cashier)
    payment = pay(cashier, "tok_unknown_lost")
    fake.script(*["garbage"] * 100, operation="look_up")

    last = wait_for_the_end(world, cashier, payment)

    assert_held_for_a_person(cashier, last)
    assert cashier.attempts(last)[0].checks == len(Timing().plan)


def test_what_a_person_was_called_for_is_still_found_when_somebody_asks(world: World) -> None:
    fake = world.add("it", Kind.CARD)
    cashier = world.process()
    issue(cashier)
    payment = pay(cashier, "tok_unknown_executed")
    fake.script(*["unknown_lost"] * len(Timing().plan), operation="look_up")
    held = wait_for_the_end(world, cashier, payment)

    found = cashier.inquire(held)

    assert held.needs_review
    assert found.status is PaymentStatus.SUCCEEDED
    assert cashier.invoice("INV-1").open == usd("0")
    assert_truth(world, cashier)
    assert_sound(cashier)


def test_a_payment_that_is_pending_longer_than_expected_is_not_asked_about_all_the_time(
    world: World,
) -> None:
    slow = FakeClock()
    fake = world.add("it", Kind.CARD)
    fake.processor.clock = slow  # the processor's clock stands still
    cashier = world.process()
    issue(cashier)
    payment = pay(cashier, "tok_pending")

    world.clock.advance(timedelta(days=2))
    asked = [len(cashier.recover()) for _ in range(3)]

    assert asked == [1, 0, 0]
    assert on_its_way(cashier.payment(payment))


def test_a_request_that_left_at_the_end_of_its_lease_is_waited_for_as_long(
    world: World,
) -> None:
    """Its sender waits for his deadline, and after that it may still be on its way."""
    world.add(
        "it",
        Kind.CARD,
        idempotency=NotIdempotent(),
        max_in_flight=timedelta(minutes=1),
        not_found_is_final_after=timedelta(0),
    )
    issue(world.process())
    with pytest.raises(PowerCut):
        pay(world.doomed(2, lost=True), "tok_unknown_lost")
    cashier = world.process()
    [payment] = cashier.payments()

    world.clock.advance(LEASE + timedelta(seconds=89))
    early = [cashier.inquire(payment).status for _ in range(3)]
    world.clock.advance(timedelta(seconds=2))
    late = [cashier.inquire(payment).status for _ in range(2)]

    assert early == [PaymentStatus.PROCESSING] * 3
    assert late == [PaymentStatus.PROCESSING, PaymentStatus.FAILED]


def test_what_the_first_sending_did_is_found_after_a_second(world: World) -> None:
    """A list is read from when the request can first have left, not from its repetition."""
    fake = world.add(
        "it",
        Kind.CARD,
        inquiry=InquiryBy.LIST_SCAN,
        not_found_is_final_after=timedelta(minutes=20),
        habits=Habits(inquiry_lag=timedelta(minutes=15)),
    )
    cashier = world.process()
    issue(cashier)
    payment = pay(cashier, "tok_visa")
    fake.script("500_executed", operation="refund")
    cashier.refund(payment, key="refund")

    world.clock.advance(timedelta(minutes=10))
    cashier.recover()  # the list does not show it yet, so it is sent again; the answer is the 500
    for _ in range(4):
        world.clock.advance(timedelta(minutes=20))
        cashier.recover()

    assert cashier.payment(payment).returned == usd("30.00")
    assert_truth(world, cashier)


NOBODY_TO_ASK: dict[str, Any] = {"idempotency": NotIdempotent(), "inquiry": InquiryBy.NONE}


def test_what_we_are_told_after_all_no_person_must_find_out(world: World) -> None:
    fake = world.add("card", Kind.CARD, **NOBODY_TO_ASK)
    cashier = world.process()
    cashier.issue(number="INV-1", customer=PAYER, total=usd("30.00"), due="2026-02-01")
    lost = cashier.collect("INV-1", via="card", method="tok_unknown_executed", key="k1")

    for callback in fake.callbacks():
        cashier.receive("card", callback)
    cashier.apply_callbacks()

    found = cashier.payment(lost)
    assert (lost.status, lost.needs_review) == (PaymentStatus.UNKNOWN, True)
    assert (found.status, found.needs_review) == (PaymentStatus.SUCCEEDED, False)
    assert not any(attempt.needs_review for attempt in cashier.attempts(lost))


def test_no_person_is_called_while_another_process_may_be_sending(world: World) -> None:
    world.add("card", Kind.CARD, **NOBODY_TO_ASK)
    cashier = world.process()
    cashier.issue(number="INV-1", customer=PAYER, total=usd("30.00"), due="2026-02-01")
    with pytest.raises(PowerCut):
        world.doomed(2, lost=False).collect("INV-1", via="card", method="tok_visa", key="k1")
    cashier = world.process()
    [payment] = cashier.payments()

    early = cashier.inquire(payment)
    world.clock.advance(LEASE)
    late = cashier.inquire(payment)

    assert (early.status, early.needs_review) == (PaymentStatus.UNKNOWN, False)
    assert (late.status, late.needs_review) == (PaymentStatus.UNKNOWN, True)


def test_other_money_waits_for_a_person_whatever_else_he_decides(world: World) -> None:
    world.add("card", Kind.CARD, **NOBODY_TO_ASK)
    cashier = world.process()
    cashier.issue(number="INV-1", customer=PAYER, total=usd("30.00"), due="2026-02-01")
    payment = cashier.collect("INV-1", via="card", method="tok_other_currency", key="k1")
    world.fakes["card"].script("unknown_lost", operation="void")
    cashier.cancel(payment, key="void")

    void = Ended(how=Ending.CANCELED)
    resolved = cashier.resolve(payment, void, evidence="no void on their dashboard")

    assert resolved.conflicted
    assert resolved.needs_review


def test_other_money_that_was_assigned_is_no_news_when_it_is_told_again(world: World) -> None:
    world.add("card", Kind.CARD)
    cashier = world.process()
    cashier.issue(number="INV-1", customer=PAYER, total=usd("30.00"), due="2026-02-01")
    payment = cashier.collect("INV-1", via="card", method="tok_other_currency", key="k1")
    assigned = cashier.assign(payment, reason="a credit in euros")
    events = len(cashier.events())

    assert cashier.inquire(payment) == assigned
    assert not assigned.needs_review
    assert len(cashier.events()) == events


def test_a_doubt_waits_for_a_person_though_other_money_was_assigned(world: World) -> None:
    fake = world.add("card", Kind.CARD, **NOBODY_TO_ASK)
    cashier = world.process()
    cashier.issue(number="INV-1", customer=PAYER, total=usd("30.00"), due="2026-02-01")
    payment = cashier.collect("INV-1", via="card", method="tok_other_amount", key="k1")
    fake.script("unknown_executed", operation="void")
    cashier.cancel(payment, key="void")

    assigned = cashier.assign(payment, reason="a credit")
    for callback in fake.callbacks():
        cashier.receive("card", callback)
    cashier.apply_callbacks()
    told = cashier.payment(payment)

    assert (assigned.conflicted, assigned.needs_review) == (False, True)
    assert told.returned == usd("60.00")
    assert not told.needs_review


class TellsNothingOfClosing(FakeGateway):
    """A processor that shows its slips, and not who asked to close one."""

    def look_up(self, inquiry: Inquiry) -> Dialogue[Finding]:
        if inquiry.operation is Operation.WITHDRAW:
            return at_once(Unknown(reason="closing is not shown"))
        return super().look_up(inquiry)


@pytest.mark.parametrize("dies_at", range(1, 4))
def test_a_slip_is_asked_about_though_nobody_can_ask_about_closing_it(
    world: World, dies_at: int
) -> None:
    slips = TellsNothingOfClosing(
        Kind.VOUCHER,
        clock=world.clock,
        inquiry=InquiryBy.GATEWAY_REF,
        idempotency=NotIdempotent(),
    )
    world.gateways["it"] = world.fakes["it"] = slips
    first = world.process()
    issue(first)
    slip = first.collect("INV-1", via="it", key="k1")
    with pytest.raises(PowerCut):
        world.doomed(dies_at, lost=False).withdraw_page(slip)

    slips.pay(slip.reference)
    cashier = world.process()
    for _ in range(10):
        world.clock.advance(hours=3)
        cashier.recover()

    assert slips.moved("USD") == usd("30.00")
    assert cashier.payment(slip).received == usd("30.00")
    assert cashier.invoice("INV-1").open == usd("0")
    assert_truth(world, cashier)


def test_who_asks_again_and_again_does_not_use_up_the_plan(world: World) -> None:
    """So do several workers at once, and a commit that succeeded and was reported as failed."""
    fake = world.add("it", Kind.CARD, **PROFILES["eventually consistent"])
    cashier = world.process()
    issue(cashier)
    payment = pay(cashier, "tok_unknown_executed")
    world.clock.advance(minutes=3)

    for _ in range(30):
        payment = cashier.inquire(payment)

    assert (payment.status, payment.needs_review) == (PaymentStatus.UNKNOWN, False)
    assert wait_for_the_end(world, cashier, payment).status is PaymentStatus.SUCCEEDED
    assert fake.moved("USD") == usd("30.00")
    assert_truth(world, cashier)


@pytest.mark.parametrize("by", [InquiryBy.GATEWAY_REF, InquiryBy.LIST_SCAN])
def test_a_capture_without_an_answer_is_looked_for_under_its_payment(
    world: World, by: InquiryBy
) -> None:
    fake = world.add("it", Kind.CARD, inquiry=by, idempotency=NotIdempotent())
    cashier = world.process()
    issue(cashier)
    held = cashier.authorize("INV-1", via="it", method="tok_visa", key="k1")
    fake.script("unknown_executed", operation="capture")

    cashier.capture(held, key="c1")
    unsure = [each.state for each in cashier.attempts(held)]
    world.clock.advance(minutes=3)
    cashier.recover()

    assert unsure[1:] == [AttemptState.UNKNOWN]
    told = cashier.payment(held)
    assert (told.status, told.received) == (PaymentStatus.SUCCEEDED, usd("30.00"))
    assert fake.moved("USD") == usd("30.00")
    assert_truth(world, cashier)


def test_an_inquiry_names_the_payment_and_the_movement_that_it_follows(world: World) -> None:
    asked: list[Inquiry] = []

    class Listens(FakeGateway):
        def look_up(self, inquiry: Inquiry) -> Dialogue[Finding]:
            asked.append(inquiry)
            return super().look_up(inquiry)

    fake = Listens(Kind.CARD, clock=world.clock, idempotency=NotIdempotent())
    world.gateways["it"] = world.fakes["it"] = fake
    cashier = world.process()
    issue(cashier)
    paid = pay(cashier, "tok_visa")
    fake.script("unknown_executed", operation="refund")

    cashier.refund(paid, key="r1")
    world.clock.advance(minutes=3)
    cashier.recover()
    world.clock.advance(minutes=3)
    cashier.inquire(paid)

    [movement] = [each.movement_id for each in cashier.receipts(paid) if each.kind.inward]
    told = {each.operation: (each.parent_reference, each.movement_id) for each in asked}
    assert told == {
        Operation.CHARGE: ("", ""),
        Operation.REFUND: (paid.reference, movement),
    }


class NotesLate(Cashier):
    """A process that stands still before it notes what the processor opened, and dies after it."""

    opened = False
    meanwhile: Callable[[], object] = staticmethod(lambda: None)

    def _do(self, step: Step) -> Any:
        if isinstance(step, Write) and self.opened:
            self.meanwhile()
            super()._do(step)
            raise PowerCut
        self.opened = isinstance(step, Exchange)
        return super()._do(step)


def test_what_is_noted_after_a_person_was_called_is_asked_about(world: World) -> None:
    fake = world.add("it", Kind.E_CHECK, inquiry=InquiryBy.GATEWAY_REF, idempotency=NotIdempotent())
    cashier = world.process()
    issue(cashier)
    slow = world.start(NotesLate)

    def others() -> None:
        world.clock.advance(LEASE + timedelta(seconds=1))
        other = world.start(Cashier)
        other.recover()
        [called] = other.payments()
        assert called.needs_review

    world.running.clear()  # each of them is a process of its own, and they run at once
    slow.meanwhile = others
    with pytest.raises(PowerCut):
        slow.collect("INV-1", via="it", method="tok_bank", key="k1")
    slow.close()
    last = world.process()
    for _ in range(8):
        world.clock.advance(minutes=30)
        last.recover()

    [payment] = last.payments()
    assert (payment.status, payment.needs_review) == (PaymentStatus.FAILED, False)
    assert last.invoice("INV-1").claimed == usd("0")
    assert fake.moved("USD") == usd("0")
    cashier.close()
