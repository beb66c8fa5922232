"""Healing: the faults end, every call is repeated, and time passes until nothing is due.

This is what a healthy installation does by itself: callbacks are sent again until they
are acknowledged, workers recover, feeds are read, events are published, and callers
without an answer call again with the same key. Time jumps to the instant at which the
next thing is due.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from paygate.ledger.codec import read_instant, write_instant
from paygate.testing.simulation import bank, clerk
from paygate.testing.simulation.dice import dice
from paygate.testing.simulation.faults import Weather
from paygate.testing.simulation.workers import send_callback, unheard

if TYPE_CHECKING:
    from paygate.testing.simulation.dice import Dice
    from paygate.testing.simulation.world import World

_PASSES_MAX: Final = 150
_TIDYINGS: Final = 5
# Inquiries about an attempt under review, or about one that another attempt asked for, never
# end, so they are limited here. A pending attempt that is flagged for another reason is
# inquired about like one that is not flagged.
_DUE: Final = """
SELECT min(at) AS at FROM (
  SELECT min(next_check_at) AS at FROM paygate_attempt
    WHERE (needs_review = 0 OR state IN ('unknown', 'requires_action')
      OR (state = 'pending' AND next_check_at < overdue_at))
      AND (checks < 40 OR (checks < 80 AND payment IN (
        SELECT id FROM paygate_payment WHERE needs_review = 0)))
  UNION ALL SELECT min(next_try_at) FROM paygate_inbox
  UNION ALL SELECT max(d.next_try_at, coalesce(s.lease_until, ''))
    FROM paygate_sink s, paygate_delivery d WHERE d.dead = 0 AND d.next_try_at IS NOT NULL
  UNION ALL SELECT min(lease_until) FROM paygate_feed WHERE lease_until > :now
  UNION ALL SELECT lease_until FROM paygate_sink
    WHERE position < (SELECT coalesce(max(position), 0) FROM paygate_outbox)
      OR EXISTS (SELECT 1 FROM paygate_outbox WHERE position IS NULL)) AS due
"""
_IN_DOUBT: Final = """
SELECT payment FROM paygate_attempt WHERE payment IS NOT NULL AND state IN ('sending', 'unknown')
"""
_UNREPORTED: Final = """
SELECT 1 FROM paygate_outbox o WHERE o.position IS NULL
  OR o.position > coalesce((SELECT max(position) FROM paygate_sink), 0)
UNION ALL SELECT 1 FROM paygate_delivery LIMIT 1
"""


def heal(world: World) -> None:
    """End the faults, and go on until nothing is due."""
    rolls = dice(world.seed, 4)
    world.note("heal")
    world.weather = Weather()
    for host in world.workers:
        host.clock.skew = timedelta(0)
    world.drain(rolls)
    if world.stopped is not None:  # otherwise what is due to be sent would wait for a week
        clerk.resume(world, "resume", world.hosts[0], rolls, force=True)
        world.drain(rolls)
    for number, order in enumerate(world.orders):
        if not order.answered:
            world.place(f"again-{number}", order, world.hosts[0], rolls)
            world.drain(rolls)
    settle(world, rolls)


def pay_out(world: World) -> None:
    """Let the processors pay out the rest, and deliver the events."""
    rolls = dice(world.seed, 9)
    bank.pay_out_rest(world, rolls)
    settle(world, rolls)


def settle(world: World, rolls: Dice) -> None:
    """Let time pass, from one due instant to the next."""
    for number in range(_PASSES_MAX):
        _work(world, number, rolls)
        due = _next_due(world)
        if due is None and _feed_waits(world):
            # A host whose clock was ahead read it too recently.
            due = world.clock.now() + timedelta(minutes=1)
        if due is None:
            return
        world.advance(max(due - world.clock.now(), timedelta(0)) + timedelta(seconds=1))
        world.note(f"time {world.clock.now():%m-%d %H:%M:%S}")
    world.violated("ends", f"after {_PASSES_MAX} passes something is still due")


def tidy(world: World) -> None:
    """Let the clerk end the remaining payments, with the verbs that exist for it."""
    rolls = dice(world.seed, 11)
    for number in range(_TIDYINGS):
        left = clerk.left(world)
        if not left:
            return
        for place, payment in enumerate(left):
            clerk.end(world, f"tidy-{number}.{place}", payment, rolls, first=number == 0)
            world.drain(rolls)
        settle(world, rolls)


def judge(world: World) -> bool:
    """Let the clerk decide the doubts that remain; return whether that ended any.

    The clerk decides one attempt of a payment at a time.
    """
    rolls = dice(world.seed, 5)
    before = world.store.look(_IN_DOUBT)
    for number, payment in enumerate(sorted({str(row["payment"]) for row in before})):
        if clerk.decide(world, f"judge-{number}", payment, rolls):
            world.drain(rolls)
    return len(world.store.look(_IN_DOUBT)) < len(before)


def _work(world: World, number: int, rolls: Dice) -> None:
    """Do everything that workers do, once."""
    host = world.hosts[0]
    for gateway in world.gateways.values():
        gateway.processor.catch_up()
    for account in world.profiles:
        waiting = unheard(world, account)
        if rolls.random() < 0.5:
            rolls.shuffle(waiting)  # any order gives the same final state
        for index in waiting:
            send_callback(world, f"heal-{number}.{index}", account, index, rolls)
            world.drain(rolls)
    for stranger in world.strangers:
        world.run(f"recover-{number}s", stranger.recover(), rolls, stranger)
    world.run(f"recover-{number}", host.recover(), rolls)
    if _feed_waits(world):
        world.run(f"feeds-{number}", host.read_feeds(), rolls)
        world.run(f"apply-{number}", host.apply_callbacks(), rolls)
    if world.store.look("SELECT 1 FROM paygate_delivery WHERE dead = 1"):
        world.count("dead letter")
        world.run(f"replay-{number}", host.replay_dead_letters("consumer"), rolls)
    if world.store.look(_UNREPORTED):
        world.run(f"publish-{number}", host.publish(), rolls)


def _feed_waits(world: World) -> bool:
    """Return whether some feed has unread events."""
    rows = world.store.look("SELECT account, cursor FROM paygate_feed")
    read = {row["account"]: int(row["cursor"] or 0) for row in rows}
    return any(
        profile.feed and len(world.gateways[name].processor.truth.events) > read.get(name, 0)
        for name, profile in world.profiles.items()
    )


def _next_due(world: World) -> datetime | None:
    [[text]] = world.store.look(_DUE, now=write_instant(world.clock.now()))
    instants = [] if text is None else [read_instant(text)]
    late = world.network.next_late()
    instants += [] if late is None else [late]
    for gateway in world.gateways.values():
        gateway.processor.catch_up()
        at = gateway.processor.truth.due_at
        instants += [] if at is None else [at]
    return min(instants, default=None)
