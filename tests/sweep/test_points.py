"""Crash points with a name: those that the sweep meets among many others, told one by one."""

from __future__ import annotations

from typing import Any

import pytest

from paygate import PaymentStatus
from paygate.errors import NotRefundable
from paygate.testing import Habits
from tests.service.world import assert_sound, assert_truth, usd
from tests.sweep.run import Case, run, sweep
from tests.sweep.stories import BY_NAME, build
from tests.sweep.world import InMemory


def given_charge() -> tuple[InMemory, Any, str]:
    story = BY_NAME["refund twice"]
    world = build(story, "keyed")
    cashier = world.process()
    story.given(world, cashier)
    return world, cashier, world.known["paid"]


@pytest.mark.parametrize("fault", ["answer lost", "garbage", "truncated", "500, done"])
def test_a_name_that_was_noted_finds_the_money(fault: str) -> None:
    """The processor can be asked by its own name only, and the answer to the debit never came."""
    run(Case("charge an e-check", "asked by its own name", fault))


def test_a_crash_after_the_name_was_noted_loses_no_money() -> None:
    assert sweep("charge an e-check", "asked by its own name", "answered", pairs=False) > 4


def test_a_request_that_arrives_after_the_first_inquiries_is_booked_once() -> None:
    for story in ("charge", "charge an e-check", "capture", "refund"):
        assert sweep(story, "keyed", "request late", pairs=False) > 3
        assert sweep(story, "not idempotent", "request late", pairs=False) > 3


def test_a_crash_never_parts_a_reversal_from_its_fee() -> None:
    assert run(Case("reverse with fee", first=1)) == (True, False)
    assert run(Case("reverse with fee", first=2)) == (False, False)  # there is one change


def test_a_second_click_while_a_refund_is_in_doubt_is_refused() -> None:
    world, cashier, payment = given_charge()
    world.fault = "answer lost"

    cashier.refund(payment, key="first", amount=usd("20.00"))
    with pytest.raises(NotRefundable):
        cashier.refund(payment, key="second", amount=usd("20.00"))
    world.settle(cashier)

    assert cashier.payment(payment).returned == usd("20.00")
    assert_truth(world, cashier)
    world.close()


def test_a_void_that_meets_the_settlement_becomes_a_refund() -> None:
    """The charge settles while the void is on its way: the gateway refuses it, and we refund."""
    world, cashier, payment = given_charge()
    world.fakes["card"].processor.habits = Habits()
    world.fakes["card"].script("rejected_state", operation="void")

    told = cashier.cancel(payment, key="cancel").payment

    assert (told.status, told.returned) == (PaymentStatus.SUCCEEDED, usd("30.00"))
    assert [a.operation.value for a in cashier.attempts(payment)] == ["charge", "void", "refund"]
    assert_truth(world, cashier)
    assert_sound(cashier)
    world.close()


def test_an_answer_that_comes_after_the_lease_is_welcome() -> None:
    """Nobody could be asked, so it is the only news that there will be."""
    run(Case("charge", "keyed, cannot be asked", "slow"))
    run(Case("charge", "not idempotent, cannot be asked", "slow"))


@pytest.mark.parametrize("story", ["charge", "authorise", "capture", "refund", "void a charge"])
def test_an_error_that_is_replayed_under_our_key_hides_nothing(story: str) -> None:
    run(Case(story, "keyed", "500, done"))
    run(Case(story, "keyed", "500, done", first=3))
