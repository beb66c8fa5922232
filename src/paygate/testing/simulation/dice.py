"""Dice: everything that is drawn depends only on the seed and on what it is drawn for.

Each move has its own dice. So if moves are removed from a schedule, the remaining ones
still draw the same values, and the schedule can be made smaller.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")

Dice: TypeAlias = Random


def dice(seed: int, *path: int) -> Dice:
    """Return the dice that *path* names under *seed*; they are the same in every process."""
    number = seed
    for step in path:
        number = number * 1_000_003 + step + 1
    return Random(number)  # noqa: S311  (repeatable on purpose, and never used for secrets)


def weighted(rolls: Dice, weights: Mapping[T, int]) -> T:
    """Return one of the keys, chosen according to their weights."""
    return rolls.choices(list(weights), list(weights.values()))[0]
