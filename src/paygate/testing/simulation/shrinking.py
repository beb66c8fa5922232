"""Shrinking: the fewest moves and faults of a seed that still break the same rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from paygate.testing.simulation.moves import draw_moves
from paygate.testing.simulation.running import run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paygate.gateway import Traits
    from paygate.testing.simulation.moves import Move
    from paygate.testing.simulation.results import Result

_RUNS_MAX: Final = 300


@dataclass(slots=True)
class _Search:
    """A search for a smaller schedule that breaks the same rule, within a number of runs."""

    seed: int
    rule: str
    best: Result
    moves: Sequence[Move]
    traits: Traits | None
    calm: frozenset[str] = frozenset()
    runs: int = 0

    def take(self, moves: Sequence[Move], calm: frozenset[str]) -> bool:
        """Return whether the smaller schedule breaks the same rule; if so, keep it."""
        if self.runs >= _RUNS_MAX:
            return False
        self.runs += 1
        found = run(self.seed, moves=moves, calm=calm, traits=self.traits, keep_events=True)
        if found.sound or found.violations[0].rule != self.rule:
            return False
        self.best, self.moves, self.calm = found, moves, calm
        return True

    def drop_moves(self) -> None:
        """Leave out halves of the moves, then quarters, down to single moves."""
        size = max(1, len(self.moves) // 2)
        while True:
            start = 0
            while start < len(self.moves):
                fewer = [*self.moves[:start], *self.moves[start + size :]]
                if not self.take(fewer, self.calm):
                    start += size
            if size == 1:
                return
            size //= 2

    def drop_faults(self) -> None:
        """Leave out all faults, or else one at a time."""
        named = frozenset(_faults_in(self.best))
        if not named or self.take(self.moves, self.calm | named):
            return
        for fault in sorted(named):
            if fault in _faults_in(self.best):
                self.take(self.moves, self.calm | {fault})


def shrink(result: Result, traits: Traits | None = None) -> Result:
    """
    Return a result that breaks the same rule as *result* with as few events as possible.

    Its `events` are the smaller schedule.
    """
    search = _Search(
        result.seed, result.violations[0].rule, result, draw_moves(result.seed), traits
    )
    size = len(search.moves) + 1
    while len(search.moves) < size and search.runs < _RUNS_MAX:
        size = len(search.moves)
        search.drop_moves()
        search.drop_faults()
    return search.best


def _faults_in(result: Result) -> set[str]:
    return {line.removeprefix("fault ") for line in result.events if line.startswith("fault ")}
