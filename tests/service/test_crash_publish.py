"""Publishing, stopped at each step: every event arrives, in order, however often."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta

import pytest

from paygate import Cashier, Event, Kind
from tests.service.world import PAYER, PowerCut, World, assert_sound, usd

READER_LEASE = timedelta(minutes=5, seconds=1)


class Listener:
    """A subscriber that outlives processes; it refuses what it is told to refuse, once."""

    def __init__(self, refuses: str = "") -> None:
        self.heard: list[Event] = []
        self.refuses = refuses

    def __call__(self, event: Event) -> None:
        if event.type == self.refuses:
            self.refuses = ""
            raise ConnectionError("the CRM is down")
        self.heard.append(event)


def do_some_business(world: World) -> int:
    cashier = world.process()
    cashier.issue(number="INV-1", customer=PAYER, total=usd("30.00"), due="2026-02-01")
    cashier.collect("INV-1", via="card", method="tok_visa", key="pay", amount=usd("40.00"))
    return len(cashier.events())


def publish(cashier: Cashier, listener: Listener) -> None:
    cashier.subscribe("crm", listener)
    cashier.publish()


def assert_all_heard(listener: Listener, cashier: Cashier) -> None:
    """Each event was heard, and for the first time after those before it of its aggregate."""
    first_heard: defaultdict[str, list[int]] = defaultdict(list)
    for event in listener.heard:
        if event.seq not in first_heard[event.aggregate]:
            first_heard[event.aggregate].append(event.seq)
    stored: defaultdict[str, list[int]] = defaultdict(list)
    for event in cashier.events():
        stored[event.aggregate].append(event.seq)
    assert first_heard == stored
    assert cashier.dead_letters() == []


# subscribe, take the lease, look for what is due, read a batch, tell 6 events, advance,
# read again, release. Before each reading it looks whether events have no position yet.
STEPS = 1 + 1 + 1 + 2 + 6 + 1 + 2 + 1


@pytest.mark.parametrize("lost", [False, True], ids=["not done", "done, result lost"])
@pytest.mark.parametrize("step", range(1, STEPS + 1))
def test_a_stopped_publisher_misses_no_event(world: World, step: int, *, lost: bool) -> None:
    world.add("card", Kind.CARD)
    assert do_some_business(world) == 6
    listener = Listener()

    with pytest.raises(PowerCut):
        publish(world.doomed(step, lost=lost), listener)
    world.clock.advance(READER_LEASE)
    publish(world.process(), listener)

    assert_all_heard(listener, world.process())


def test_the_publisher_has_no_other_step(world: World) -> None:
    world.add("card", Kind.CARD)
    do_some_business(world)
    process = world.doomed(0, lost=False)

    publish(process, Listener())

    assert len(process.steps) == STEPS


# Steps of the second publish, in which the refused event and those behind it are tried again.
@pytest.mark.parametrize("lost", [False, True], ids=["not done", "done, result lost"])
@pytest.mark.parametrize("step", range(1, 11))
def test_a_stopped_retry_misses_no_event(world: World, step: int, *, lost: bool) -> None:
    world.add("card", Kind.CARD)
    do_some_business(world)
    listener = Listener(refuses="payment.started")
    publish(world.process(), listener)
    world.clock.advance(timedelta(seconds=6))

    with pytest.raises(PowerCut):
        publish(world.doomed(step, lost=lost), listener)
    world.clock.advance(READER_LEASE)
    publish(world.process(), listener)

    assert_all_heard(listener, world.process())


@pytest.mark.parametrize("lost", [False, True], ids=["not done", "done, result lost"])
def test_while_a_publisher_lives_another_one_does_not_publish(world: World, *, lost: bool) -> None:
    world.add("card", Kind.CARD)
    do_some_business(world)
    listener = Listener()
    with pytest.raises(PowerCut):
        publish(world.doomed(3, lost=lost), listener)

    publish(world.process(), listener)

    assert listener.heard == []
    assert_sound(world.process())
