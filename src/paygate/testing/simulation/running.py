"""Running: one seed, from an empty ledger to the verdict."""

from __future__ import annotations

import logging
import traceback
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from paygate.domain.kind import Operation
from paygate.domain.money import Money
from paygate.service.account import Timing
from paygate.testing.simulation import customers, healing, subscribing, verdict
from paygate.testing.simulation.bias import NONE
from paygate.testing.simulation.declared import playable
from paygate.testing.simulation.dice import dice, weighted
from paygate.testing.simulation.faults import DRIVER, Weather
from paygate.testing.simulation.ledger import SimulatedStore
from paygate.testing.simulation.moves import draw_moves, play
from paygate.testing.simulation.profiles import draw
from paygate.testing.simulation.results import BrokenRule, Result
from paygate.testing.simulation.world import BugAlarm, RunStopped, World

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from paygate.gateway import Traits
    from paygate.testing.simulation.bias import Bias
    from paygate.testing.simulation.dice import Dice
    from paygate.testing.simulation.ledger import WatchedLedger
    from paygate.testing.simulation.moves import Move
    from paygate.testing.simulation.profiles import SimulatedAccount

_TOTALS: Final = (500, 1234, 3000, 10_000)
_LOG: Final = "paygate"
_DRAWS_MAX: Final = 1_000


def run(
    seed: int,
    *,
    moves: Sequence[Move] | None = None,
    calm: frozenset[str] = frozenset(),
    traits: Traits | None = None,
    bias: Bias = NONE,
    keep_events: bool = False,
    ledger: Callable[[], WatchedLedger] = SimulatedStore.fresh,
) -> Result:
    """
    Play the schedule of *seed* and return its result; the same seed gives the same result.

    With *moves* only these are played, without the faults that *calm* names; shrinking uses
    both. *traits* are those of a driver to play the engine against; raises `Unsupported` if
    none of its rails can be played. *bias* makes some things in the schedule more likely.
    *ledger* returns an empty ledger to play on.
    """
    world = _world(seed, calm, None if traits is None else playable(traits), bias, ledger())
    alarm = BugAlarm()
    logger = logging.getLogger(_LOG)
    propagates, logger.propagate = logger.propagate, False
    logger.addHandler(alarm)
    try:
        _play(world, draw_moves(seed, bias) if moves is None else moves, alarm)
    except RunStopped:
        pass
    except Exception as error:  # noqa: BLE001  (any error breaks a rule; the seed reproduces it)
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(frame.filename).name}:{frame.lineno}"
        world.violations.append(BrokenRule("errors", f"{type(error).__name__} at {where}: {error}"))
    finally:
        logger.removeHandler(alarm)
        logger.propagate = propagates
        for task in world.tasks:
            task.flow.close()
        world.store.give_back()
    return Result(
        seed=seed,
        violations=tuple(world.violations),
        steps=world.steps,
        digest=world.trace.digest,
        commits=world.commits,
        covered=tuple(sorted(world.covered.items())),
        events=tuple(world.trace.lines) if keep_events or world.violations else (),
    )


def _play(world: World, moves: Sequence[Move], alarm: BugAlarm) -> None:
    _issue(world)
    play(world, moves)
    healing.heal(world)
    verdict.check_settled(world)
    healing.pay_out(world)
    verdict.check_doubts(world)
    while healing.judge(world):
        healing.settle(world, dice(world.seed, 7))
    verdict.check_end(world)
    verdict.check_reversal(world)
    healing.tidy(world)
    verdict.check_nothing_left(world)
    failed = any(world.covered[f"fault:{fault}"] for fault in DRIVER)
    if alarm.heard and not failed:  # a driver that failed on purpose breaks no rule
        world.violated("errors", alarm.heard[0])


def _world(
    seed: int, calm: frozenset[str], traits: Traits | None, bias: Bias, store: WatchedLedger
) -> World:
    rolls = dice(seed, 0)
    count = weighted(rolls, {1: 5, 2: 4, 3: 1})
    profiles = [_account(rolls, f"account-{number}", traits, bias) for number in range(count)]
    return World(
        seed=seed,
        profiles={profile.name: profile for profile in profiles},
        weather=bias.weather(Weather.draw(dice(seed, 1))),
        calm=calm,
        store=store,
        timing=Timing(waiting=timedelta(days=1)),
        autopay=subscribing.draw_policy(seed),
    )


def _account(rolls: Dice, name: str, traits: Traits | None, bias: Bias) -> SimulatedAccount:
    """Return an account that fits the bias; draw again until one does."""
    profile = draw(rolls, name, traits)
    for _ in range(_DRAWS_MAX):
        if bias.fits(profile):
            break
        profile = draw(rolls, name, traits)
    return profile


def _issue(world: World) -> None:
    rolls, host = dice(world.seed, 8), world.hosts[0]
    for number in range(rolls.randint(1, 4)):
        customer = rolls.choice(("C-1", "C-1", "C-2"))
        flow = host.issue(
            number=f"INV-{number}",
            customer=customer,
            total=Money("USD", rolls.choice(_TOTALS)),
            due="2026-02-01",
        )
        world.run(f"issue-{number}", flow, rolls)
    for profile in world.profiles.values():
        if rolls.random() < 0.3 and profile.traits.offers(profile.kind, Operation.ENROLL):
            customers.enroll(world, f"enroll-{profile.name}", profile, rolls)
            world.drain(rolls)
    if rolls.random() < 0.4:
        cash = host.record([], customer="C-1", amount=Money("USD", 400), by="cash", key="first")
        world.run("first", cash, rolls)
