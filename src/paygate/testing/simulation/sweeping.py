"""Sweeping: many seeds, in several processes."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import repeat
from multiprocessing import get_context
from typing import TYPE_CHECKING, Final

from paygate.testing.simulation.declared import playable
from paygate.testing.simulation.running import run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paygate.gateway import Traits
    from paygate.testing.simulation.results import Result

_BLOCK: Final = 50


@dataclass(slots=True)
class Summary:
    """The summary of several seeds: those that broke a rule, and what all of them exercised."""

    seeds: int = 0
    steps: int = 0
    commits: int = 0
    broken: list[Result] = field(default_factory=list["Result"])
    covered: Counter[str] = field(default_factory=Counter[str])

    def add(self, other: Summary) -> None:
        """Add the summary of other seeds."""
        self.seeds += other.seeds
        self.steps += other.steps
        self.commits += other.commits
        self.broken += other.broken
        self.covered.update(other.covered)


def play_block(first: int, count: int, traits: Traits | None = None) -> Summary:
    """Play *count* seeds from *first* on, and return their summary."""
    summary = Summary()
    for seed in range(first, first + count):
        result = run(seed, traits=traits)
        summary.seeds += 1
        summary.steps += result.steps
        summary.commits += result.commits
        summary.covered.update(dict(result.covered))
        if not result.sound:
            summary.broken.append(result)
    return summary


def sweep(
    first: int, count: int, jobs: int = 1, *, traits: Traits | None = None
) -> Iterator[Summary]:
    """
    Play *count* seeds from *first* on, and yield the summary of each block when it is done.

    *traits* are those of a driver to play the engine against, as in `run`.
    """
    played = None if traits is None else playable(traits)
    starts = range(first, first + count, _BLOCK)
    counts = [min(_BLOCK, first + count - start) for start in starts]
    if jobs == 1:
        for start, size in zip(starts, counts, strict=True):
            yield play_block(start, size, played)
        return
    # A new interpreter inherits nothing from this one: no locks, connections or planted bugs.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from pool.map(play_block, starts, counts, repeat(played))
