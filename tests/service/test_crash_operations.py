"""What is done to a payment later, stopped at each of its steps, on three kinds of processor.

As in `test_crash`: a process dies before a step is done or before it learns of
it, another one calls the same verb again and recovers, and what stands at the
end is what stands when nothing was stopped. Nothing is captured or sent back
twice, and where nobody can find out, a person is called and all is held.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from paygate import Cashier, Kind, Payment
from paygate.domain.attempt import Attempt
from paygate.domain.movement import Movement
from paygate.domain.outcome import Approved
from paygate.domain.words import RefundToWord
from paygate.gateway import InquiryBy, Keyed, NotIdempotent
from paygate.testing import Habits
from tests.service.world import (
    BACK,
    PAYER,
    PowerCut,
    World,
    assert_sound,
    assert_truth,
    state_of,
    usd,
)

PROFILES: dict[str, dict[str, Any]] = {
    "keyed": {"idempotency": Keyed(ttl=timedelta(hours=24))},
    "not idempotent": {"idempotency": NotIdempotent()},
    "keyed, cannot be asked": {
        "idempotency": Keyed(ttl=timedelta(hours=24)),
        "inquiry": InquiryBy.NONE,
    },
}
FAULTS = ["unknown_lost", "unknown_executed", "timeout_late", "500_executed"]
# Where nobody can be asked, only the same request again could tell; and a card's token is gone, or
# the processor refuses the repetition, which does not say what it did the first time.
HELD_FOR_A_PERSON = {
    "authorize",
    "cancel a charge too late to void",
    "cancel three captures too late to void",
    "complete what was not paid yet",
}
NEVER_DONE = {"unsent", "not_found"}
"""Codes of operations that provably did not happen: the host may ask again, with a new key."""

Act = Callable[[Cashier, str, str], Payment]
Given = Callable[[World, Cashier], object]


@dataclass(frozen=True)
class Story:
    """An operation that is stopped, what was before it, and what the host does after it."""

    name: str
    steps: int
    act: Act
    given: Given
    then: Callable[[Cashier, str], object] = lambda *_: None


def newest(cashier: Cashier) -> Payment:
    return cashier.payments()[0]


def issue(cashier: Cashier) -> None:
    cashier.issue(number="INV-1", customer=PAYER, total=usd("30.00"), due="2026-02-01")


# --- What was before ----------------------------------------------------------------------


def given_invoice(world: World, cashier: Cashier) -> None:
    issue(cashier)


def given_authorisation(world: World, cashier: Cashier) -> None:
    issue(cashier)
    cashier.authorize("INV-1", via="card", method="tok_visa", key="auth")


def given_captured_in_part(world: World, cashier: Cashier) -> None:
    given_authorisation(world, cashier)
    cashier.capture(newest(cashier), key="first", amount=usd("5.00"), final=False)


def given_charge(world: World, cashier: Cashier) -> None:
    issue(cashier)
    cashier.collect("INV-1", via="card", method="tok_visa", key="pay")


def given_charge_of_more(world: World, cashier: Cashier) -> None:
    issue(cashier)
    cashier.collect("INV-1", via="card", method="tok_visa", key="pay", amount=usd("50.00"))


def given_settled_charge(world: World, cashier: Cashier) -> None:
    given_charge(world, cashier)
    world.clock.advance(timedelta(days=3))


def given_refunded_in_part(world: World, cashier: Cashier) -> None:
    given_charge(world, cashier)
    cashier.refund(newest(cashier), key="first", amount=usd("5.00"))


def given_captured_in_parts(world: World, cashier: Cashier) -> None:
    given_captured_in_part(world, cashier)
    cashier.capture(newest(cashier), key="second", amount=usd("10.00"), final=False)
    cashier.capture(newest(cashier), key="third")


def given_settled_parts(world: World, cashier: Cashier) -> None:
    given_captured_in_parts(world, cashier)
    world.clock.advance(timedelta(days=3))


def given_page(world: World, cashier: Cashier) -> None:
    issue(cashier)
    cashier.collect("INV-1", via="page", key="page", payer=PAYER, return_url=BACK)


def given_paid_page(world: World, cashier: Cashier) -> None:
    given_page(world, cashier)
    world.fakes["page"].pay(newest(cashier).reference)


# --- What is done -------------------------------------------------------------------------


def authorize(cashier: Cashier, _: str, key: str) -> Payment:
    return cashier.authorize("INV-1", via="card", method="tok_visa", key=key)


def capture(amount: str | None = None, *, final: bool = True) -> Act:
    money = None if amount is None else usd(amount)
    return lambda cashier, payment, key: (
        cashier.capture(payment, key=key, amount=money, final=final).payment
    )


def refund(amount: str | None = None, to: RefundToWord | None = None) -> Act:
    money = None if amount is None else usd(amount)
    return lambda cashier, payment, key: (
        cashier.refund(payment, key=key, amount=money, to=to).payment
    )


def refund_in_parts(amount: str) -> Act:
    """Refund as a host does that asks again, by a new key, for the parts that were never sent."""

    def act(cashier: Cashier, payment: str, key: str) -> Payment:
        missing = usd(amount)
        if key != "key-0":
            missing -= cashier.payment(payment).returned
        if not missing:
            return cashier.payment(payment)
        return cashier.refund(payment, key=key, amount=missing, to="reopen").payment

    return act


def cancel(cashier: Cashier, payment: str, key: str) -> Payment:
    return cashier.cancel(payment, key=key).payment


def complete(cashier: Cashier, payment: str, key: str) -> Payment:
    return cashier.complete(payment, key=key).payment


def close(cashier: Cashier, payment: str, key: str) -> Payment:
    return cashier.withdraw_page(payment, key=key).payment


STORIES = [
    Story("authorize", 3, authorize, given_invoice),
    Story("capture all", 4, capture(), given_authorisation),
    Story("capture a part, finally", 4, capture("12.00"), given_authorisation),
    Story(
        "capture a part, and then the rest",
        4,
        capture("10.00", final=False),
        given_captured_in_part,
        lambda cashier, payment: cashier.capture(payment, key="last").payment,
    ),
    Story("refund and reopen", 4, refund("10.00", "reopen"), given_charge),
    Story("refund with a credit note", 4, refund("10.00", "credit_note"), given_charge),
    Story("refund from credit", 4, refund("15.00", "from_credit"), given_charge_of_more),
    Story(
        "refund a part, and then the rest",
        4,
        refund("10.00"),
        given_refunded_in_part,
        lambda cashier, payment: cashier.refund(payment, key="last").payment,
    ),
    Story("refund of more than one capture", 7, refund_in_parts("20.00"), given_captured_in_parts),
    Story("refund of three captures", 10, refund_in_parts("30.00"), given_captured_in_parts),
    Story("cancel three captures too late to void", 15, cancel, given_settled_parts),
    Story("cancel an authorisation", 5, cancel, given_authorisation),
    Story("cancel the rest of an authorisation", 5, cancel, given_captured_in_part),
    Story("cancel a charge", 5, cancel, given_charge),
    Story("cancel a charge too late to void", 9, cancel, given_settled_charge),
    Story("cancel a page", 5, cancel, given_page),
    Story("withdraw a page", 4, close, given_page),
    Story("complete what was paid", 4, complete, given_paid_page),
    Story("complete what was not paid yet", 4, complete, given_page),
]
BY_NAME = {story.name: story for story in STORIES}
FAULTY = {
    "authorize": BY_NAME["authorize"],
    "capture": BY_NAME["capture a part, and then the rest"],
    "refund": BY_NAME["refund from credit"],
    "void": BY_NAME["cancel a charge"],
    "complete": BY_NAME["complete what was paid"],
}


def build(folder: Path, profile: str) -> World:
    world = World(folder)
    world.add("card", Kind.CARD, **PROFILES[profile])
    # The page outlives the plan of inquiries, or it would expire where a process died.
    patient = Habits(needs_complete=True, page_expires_after=timedelta(days=60))
    world.add("page", Kind.REDIRECT, habits=patient, **PROFILES[profile])
    return world


def given_payment(story: Story, world: World) -> str:
    cashier = world.process()
    story.given(world, cashier)
    return newest(cashier).id if cashier.payments() else ""


def play_to_the_end(story: Story, world: World, payment: str) -> Cashier:
    """Call, recover, call again until the operation has its result, and let the host go on."""
    cashier = world.process()
    for number in range(3):
        story.act(cashier, payment, f"key-{number}")
        world.settle(cashier)
        told = story.act(cashier, payment, f"key-{number}")
        world.settle(cashier)
        if not any(each.code in NEVER_DONE for each in asked_at_last(cashier, told)):
            break
    if not held_for_a_person(cashier):
        story.then(cashier, payment)
    world.settle(cashier)
    return cashier


def asked_at_last(cashier: Cashier, payment: Payment) -> list[Attempt]:
    """Read the last attempt, with the other parts of the same refund."""
    attempts = cashier.attempts(payment)
    last = attempts[-1].operation, attempts[-1].created_at
    return [each for each in attempts if (each.operation, each.created_at) == last]


def held_for_a_person(cashier: Cashier) -> bool:
    return bool(cashier.payments(needs_review=True))


@cache
def unstopped(name: str, profile: str) -> tuple[dict[str, list[Any]], int]:
    """Tell where a story ends when nothing stops it, and how many steps its flow has."""
    story = BY_NAME[name]
    with TemporaryDirectory() as folder:
        world = build(Path(folder), profile)
        payment = given_payment(story, world)
        process = world.doomed(0, lost=False)
        story.act(process, payment, "key-0")
        steps = len(process.steps)
        cashier = play_to_the_end(story, world, payment)
        assert_sound(cashier)
        assert_truth(world, cashier)
        end = state_of(cashier)
        world.close()
    return end, steps


@pytest.mark.parametrize("name", BY_NAME)
def test_every_step_of_an_operation_is_stopped_somewhere_below(name: str) -> None:
    assert unstopped(name, "keyed")[1] == BY_NAME[name].steps


@pytest.mark.parametrize(
    ("name", "profile", "step", "lost"),
    [
        pytest.param(story.name, profile, step, lost, id=f"{story.name}, {step}, {lost}, {profile}")
        for story in STORIES
        for profile in PROFILES
        for step in range(1, story.steps + 1)
        # To lose a step's result is to leave the next one undone: for one profile is enough.
        for lost in ([False, True] if profile == "keyed" else [False])
    ],
)
def test_an_operation_stopped_anywhere_ends_as_if_it_was_not(
    name: str, step: int, profile: str, tmp_path: Path, *, lost: bool
) -> None:
    story = BY_NAME[name]
    world = build(tmp_path, profile)
    payment = given_payment(story, world)

    with pytest.raises(PowerCut):
        story.act(world.doomed(step, lost=lost), payment, "key-0")
    assert_sound(world.process())
    cashier = play_to_the_end(story, world, payment)

    assert_sound(cashier)
    assert_truth(world, cashier)
    if held_for_a_person(cashier):
        assert profile == "keyed, cannot be asked"
        assert name in HELD_FOR_A_PERSON
        assert cashier.attempts(newest(cashier))[-1].state.in_doubt
    else:
        assert state_of(cashier) == unstopped(name, profile)[0]
    world.close()


@pytest.mark.parametrize(
    ("profile", "died"),
    [
        pytest.param("keyed", True, id="keyed, died before it knew"),
        *(pytest.param(profile, False, id=profile) for profile in PROFILES),
    ],
)
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("operation", FAULTY)
def test_a_fault_on_the_way_ends_as_if_it_had_not_been(
    operation: str, fault: str, profile: str, tmp_path: Path, *, died: bool
) -> None:
    story = FAULTY[operation]
    world = build(tmp_path, profile)
    payment = given_payment(story, world)
    account = "page" if operation == "complete" else "card"
    world.fakes[account].script(fault, operation=operation)

    if died:
        with pytest.raises(PowerCut):
            story.act(world.doomed(story.steps, lost=False), payment, "key-0")
    cashier = play_to_the_end(story, world, payment)

    assert_sound(cashier)
    if held_for_a_person(cashier):
        assert profile == "keyed, cannot be asked"
        assert cashier.attempts(newest(cashier))[-1].state.in_doubt
        if operation == "authorize":
            assert cashier.invoice("INV-1").claimed == usd("30.00")
            return
        assert fault == "500_executed"
        look_it_up_for_them(world, cashier, payment)
        story.then(cashier, payment)
    assert_sound(cashier)
    assert_truth(world, cashier)
    assert state_of(cashier) == unstopped(story.name, profile)[0]
    world.close()


def look_it_up_for_them(world: World, cashier: Cashier, payment: str) -> None:
    """Do what a person does: find the movement at the processor, and say so."""
    booked = {receipt.movement_id for receipt in cashier.receipts(payment)}
    movements = tuple(
        Movement(movement_id=entry.movement_id, amount=entry.amount, kind=entry.kind)
        for fake in world.fakes.values()
        for entry in fake.processor.journal
        if entry.movement_id not in booked
    )
    cashier.resolve(payment, Approved(movements=movements), evidence="their dashboard")
