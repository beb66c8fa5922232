"""Moves: which actor does what next, drawn from the seed before anything is played.

A move says only which action is taken and for how many steps the tasks go on after it.
The object of the action is drawn when the move is played, with the move's own dice, from
what exists at that time. So any move can be left out of a schedule.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from paygate.testing.simulation import (
    bank,
    clerk,
    customers,
    dunning,
    invoicing,
    linking,
    sagas,
    subscribing,
    unasked,
    workers,
)
from paygate.testing.simulation.bias import NONE
from paygate.testing.simulation.dice import dice, weighted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from paygate.testing.simulation.bias import Bias
    from paygate.testing.simulation.dice import Dice
    from paygate.testing.simulation.world import World


@dataclass(frozen=True, slots=True)
class Move:
    """Move *number* of a schedule: an actor's action, and the number of steps after it."""

    number: int
    action: str
    ticks: int

    def __str__(self) -> str:
        return f"{self.number}:{self.action}"


ACTIONS: Final[dict[str, tuple[int, Callable[[World, str, Dice], None]]]] = {
    **customers.ACTIONS,
    **clerk.ACTIONS,
    **bank.ACTIONS,
    **workers.ACTIONS,
    **sagas.ACTIONS,
    **linking.ACTIONS,
    **invoicing.ACTIONS,
    **unasked.ACTIONS,
    **subscribing.ACTIONS,
    **dunning.ACTIONS,
}
"""Every action by name, with its weight."""

_SUBSCRIBED: Final = 0.4
"""The part of the seeds that have automatic payment."""

_ALWAYS: Final = frozenset({"pay", "issue", "time passes", "callbacks arrive", "poller", "relay"})
_LENGTHS: Final = {8: 3, 16: 4, 28: 2, 48: 1}
_STRESSED: Final = 0.5
_TICKS: Final = {0: 2, 2: 2, 4: 3, 8: 4, 16: 4, 40: 2}


def draw_moves(seed: int, bias: Bias = NONE) -> list[Move]:
    """
    Return the moves of *seed*: some of the actions are off, as in swarm testing.

    In half of the seeds a few actions are much more frequent: a bug that needs the same
    action many times would be rare if all actions were equally likely.
    """
    rolls = dice(seed, 2)
    subscribes = dice(seed, 12).random() < _SUBSCRIBED
    weights = {
        name: weight * bias.actions.get(name, 1)
        for name, (weight, _) in ACTIONS.items()
        if name not in dunning.ACTIONS
        if (name not in subscribing.ACTIONS or subscribes or name in bias.actions)
    }
    weights = {
        name: weight
        for name, weight in weights.items()
        if name in _ALWAYS or rolls.random() < 0.6 or name in bias.actions
    }
    if bias is NONE and rolls.random() < _STRESSED:
        for name in rolls.sample(list(weights), rolls.choice((2, 4, 6))):
            weights[name] *= rolls.choice((3, 6, 10))
    length = weighted(rolls, _LENGTHS)
    weights |= dunning.weights(seed, bias, biased=bias is not NONE)
    actions = ["pay", *(weighted(rolls, weights) for _ in range(length - 1))]
    return [Move(number, each, weighted(rolls, _TICKS)) for number, each in enumerate(actions)]


def play(world: World, moves: Iterable[Move]) -> None:
    """Play *moves*, and let the tasks take some steps after each."""
    for move in moves:
        rolls = dice(world.seed, 3, move.number)
        world.note(f"move {move}")
        ACTIONS[move.action][1](world, str(move), rolls)
        for _ in range(move.ticks):
            if not world.tasks:
                break
            world.move(world.tasks[rolls.randrange(len(world.tasks))])
