"""The gate: bugs are planted into the engine, one at a time, and the simulator must catch each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from paygate.testing.simulation.running import run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paygate.testing.mutants import Mutant
    from paygate.testing.simulation.results import Violation


@dataclass(frozen=True, slots=True)
class Catch:
    """After how many seeds a planted bug showed, and how; zero where it never did."""

    mutant: Mutant
    seeds: int
    violation: Violation | None


def gate(first: int, seeds: int) -> Iterator[Catch]:
    """Plant every bug in turn, and play at most *seeds* schedules from *first* on to catch it."""
    from paygate.testing.mutants import MUTANTS

    for mutant in MUTANTS:
        yield catch(mutant, first, seeds)


_SLIPS: Final = ("TypeError", "AttributeError", "NameError")


def _shown(mutant: Mutant, violation: Violation) -> Violation:
    """Tell a bug that showed from a patch that no longer fits the engine, and fails by itself."""
    from paygate.testing.mutants import MutantGone

    if violation.rule == "errors" and any(slip in violation.detail for slip in _SLIPS):
        raise MutantGone(f"{mutant.name} does not fit any more: {violation.detail}")
    return violation


def catch(mutant: Mutant, first: int, seeds: int) -> Catch:
    """Plant one bug, and play at most *seeds* schedules from *first* on to catch it."""
    for seed in range(first, first + seeds):
        with mutant.planted():
            result = run(seed, bias=mutant.bias)
        # What goes wrong without the bug as well was not caught, but found.
        if not result.sound and run(seed, bias=mutant.bias).sound:
            return Catch(mutant, seed - first + 1, _shown(mutant, result.violations[0]))
    return Catch(mutant, 0, None)
