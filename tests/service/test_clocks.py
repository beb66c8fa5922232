"""Clocks of hosts that are wrong or put right: what was sent is counted, not dated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from paygate import Cashier, Kind
from paygate.dialogue import Request
from paygate.domain.payment import PaymentStatus
from paygate.errors import NoResponse
from paygate.gateway import DedupWindow, InquiryBy, Keyed, NotIdempotent
from paygate.ledger.elapsed import Mark
from paygate.service.flow import Exchange, Step
from paygate.testing import FakeClock
from tests.service.world import BACK, LEASE, PAYER, C, World, assert_sound, assert_truth, usd

BEHIND = timedelta(minutes=-10)


@dataclass
class Wrong:
    """The clock of a host, wrong by *by*."""

    true: FakeClock
    by: timedelta = timedelta()

    def now(self) -> datetime:
        return self.true.now() + self.by


@dataclass
class Count:
    """The count of the machine, which runs on whatever its clock shows."""

    true: FakeClock
    boot: str = "b1"

    def read(self) -> Mark:
        return Mark(self.boot, self.true.now().timestamp())


def host(world: World, face: type[C], by: timedelta = timedelta(), *, boot: str = "b1") -> C:
    """Start a process on a host whose clock is wrong; others run on."""
    cashier = face.open(
        f"sqlite:///{world.folder / 'ledger.db'}", gateways=world.gateways, timing=world.timing
    )
    world.running.append(cashier)
    clock, count = Wrong(world.clock, by), Count(world.clock, boot)
    cashier._context = replace(cashier._context, clock=clock, stopwatch=count)
    return cashier


def issue(cashier: Cashier) -> None:
    cashier.issue(number="INV-1", customer=PAYER, total=usd("30.00"), due="2026-02-01")


def recover(world: World, cashier: Cashier, *, times: int, pause: timedelta) -> None:
    for _ in range(times):
        cashier.recover()
        world.clock.advance(pause)


class Slow(Cashier):
    """A process whose requests are on their way for long; it gives up waiting before."""

    on_its_way: list[Request]

    def _do(self, step: Step) -> object:
        if isinstance(step, Exchange) and step.request.moves_money:
            self.on_its_way.append(step.request)
            raise NoResponse("no answer came in time")
        return super()._do(step)


def test_what_a_host_with_a_clock_behind_sent_is_not_taken_for_gone(world: World) -> None:
    fake = world.add("it", Kind.CARD, idempotency=NotIdempotent())
    behind, right = host(world, Slow, BEHIND), host(world, Cashier)
    behind.on_its_way = []
    issue(right)

    first = behind.collect("INV-1", via="it", method="tok_visa", key="k1")
    recover(world, right, times=5, pause=timedelta(seconds=30))
    before = right.payment(first)
    [request] = behind.on_its_way
    fake.answer(request)  # as late as the traits say it may
    recover(world, right, times=8, pause=timedelta(minutes=5))

    assert before.status is PaymentStatus.UNKNOWN
    assert right.payment(first).status is PaymentStatus.SUCCEEDED
    assert right.invoice("INV-1").open == usd("0")
    assert fake.moved("USD") == usd("30.00")
    assert_sound(right)
    assert_truth(world, right)


def test_after_a_restart_of_the_machine_what_never_arrived_fails_by_the_clock(
    world: World,
) -> None:
    fake = world.add("it", Kind.CARD, idempotency=NotIdempotent())
    before = host(world, Cashier)
    issue(before)
    payment = before.collect("INV-1", via="it", method="tok_unknown_lost", key="k1")

    after = host(world, Cashier, boot="b2")
    world.clock.advance(minutes=30)
    recover(world, after, times=8, pause=timedelta(minutes=5))

    assert after.payment(payment).status is PaymentStatus.FAILED
    assert fake.journal == ()


def test_nothing_is_repeated_under_a_key_that_the_processor_has_forgotten(world: World) -> None:
    keyed = Keyed(ttl=timedelta(minutes=20))
    fake = world.add("it", Kind.CARD, idempotency=keyed, inquiry=InquiryBy.NONE)
    right = host(world, Slow)
    right.on_its_way = []
    issue(right)
    stored = host(world, Cashier).collect(
        "INV-1", via="it", method="tok_visa", amount=usd("1"), key="k0"
    )
    fake.processor.catch_up()
    right.refund(stored, amount=usd("1"), key="k1")
    [request] = right.on_its_way
    fake.answer(request)

    # By its own clock this host is nine minutes after the refund; the processor, a day.
    world.clock.advance(days=1)
    behind = host(world, Cashier, timedelta(minutes=9) - timedelta(days=1))
    recover(world, behind, times=8, pause=timedelta(seconds=1))

    assert fake.moved("USD") == usd("0")
    assert behind.payment(stored).needs_review
    assert_sound(behind)


class Stalls(Cashier):
    """A process that is stopped before it sends, on a machine whose clock is put back."""

    clock: Wrong

    def _do(self, step: Step) -> object:
        if isinstance(step, Exchange) and step.lease is not None:
            self.clock.true.advance(LEASE + timedelta(seconds=1))
            self.clock.by = timedelta(days=-1)
        return super()._do(step)


def test_a_process_that_stalls_while_its_clock_is_put_back_does_not_send(world: World) -> None:
    fake = world.add("it", Kind.REDIRECT)
    stalled = world.start(Stalls)
    stalled.clock = Wrong(world.clock)
    stalled._context = replace(stalled._context, clock=stalled.clock, stopwatch=Count(world.clock))
    issue(stalled)

    payment = stalled.collect("INV-1", via="it", return_url=BACK, key="k1")

    assert payment.status is PaymentStatus.FAILED
    assert fake.processor.truth.orders == {}


def test_under_a_window_nothing_is_repeated_while_it_may_still_be_on_its_way(
    world: World,
) -> None:
    """A window does not see what was declined: after the repetition the first would be done too."""
    window = DedupWindow(window=timedelta(minutes=30), returns_original=True)
    world.add("it", Kind.CARD, idempotency=window, inquiry=InquiryBy.NONE)
    slow, other = host(world, Slow), host(world, Slow)
    slow.on_its_way, other.on_its_way = [], []
    issue(slow)
    held = host(world, Cashier).authorize("INV-1", via="it", method="tok_visa", key="k1")
    slow.capture(held, key="k2")

    flies = timedelta(seconds=30) + other.gateways["it"].traits.max_in_flight
    recover(world, other, times=8, pause=(LEASE + flies) / 8)
    before = list(other.on_its_way)
    recover(world, other, times=4, pause=timedelta(minutes=4))

    assert before == []
    assert {each.body for each in other.on_its_way} == {each.body for each in slow.on_its_way}


@pytest.mark.parametrize(("minutes", "sent"), [(5, 1), (7, 0)])
def test_what_is_repeated_arrives_while_the_first_is_remembered(
    world: World, minutes: int, sent: int
) -> None:
    """A key of ten minutes; leaving may take 90 seconds, and the way two and a half minutes."""
    world.add("it", Kind.CARD, idempotency=Keyed(ttl=timedelta(minutes=10)), inquiry=InquiryBy.NONE)
    slow, other = host(world, Slow), host(world, Slow)
    slow.on_its_way, other.on_its_way = [], []
    issue(slow)
    held = host(world, Cashier).authorize("INV-1", via="it", method="tok_visa", key="k1")
    slow.capture(held, key="k2")

    world.clock.advance(minutes=minutes)
    other.recover()

    assert len(other.on_its_way) == sent
    [doubted] = [each for each in other.attempts(held) if each.state.in_doubt]
    assert doubted.needs_review is not bool(sent)
