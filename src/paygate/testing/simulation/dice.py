"""Dice: everything that is drawn follows from the seed, and from what it is drawn for.

Each move has dice of its own. So a schedule from which moves were taken out
goes on drawing the same for those that are left, and can be made smaller.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")

Dice: TypeAlias = Random


def dice(seed: int, *path: int) -> Dice:
    """Make the dice for the thing that *path* names under *seed*, the same in every process."""
    number = seed
    for step in path:
        number = number * 1_000_003 + step + 1
    return Random(number)  # noqa: S311  (repeatable on purpose; no secret comes of it)


def weighted(rolls: Dice, weights: Mapping[T, int]) -> T:
    """Choose one of the keys, each as often as its weight says."""
    return rolls.choices(list(weights), list(weights.values()))[0]
