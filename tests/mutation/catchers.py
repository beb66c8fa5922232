"""Who looks for a planted bug: the simulator, the crash sweep, and the state machine."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from paygate.testing.simulation import BrokenRule, run
from tests.service.test_properties import Machine
from tests.support.mutants import Mutant, MutantGone
from tests.sweep import run as sweeping
from tests.sweep.run import Case, Caught, plan
from tests.sweep.stories import BY_NAME, SURE

FIRST_SEED = 1_000
EXAMPLES = 60
_MISFITS = ("TypeError", "AttributeError", "NameError")


def by_simulator(mutant: Mutant, seeds: int) -> tuple[int, str]:
    """Play schedules; return the number of the first that shows a violation, and which."""
    for seed in range(FIRST_SEED, FIRST_SEED + seeds):
        with mutant.planted():
            result = run(seed, bias=mutant.bias)
        # What goes wrong without the bug as well was not caught, but found.
        if not result.sound and run(seed, bias=mutant.bias).sound:
            return seed - FIRST_SEED + 1, str(_shown(mutant, result.violations[0]))
    return 0, ""


def _shown(mutant: Mutant, violation: BrokenRule) -> BrokenRule:
    """Return *violation*, unless it comes from a patch that no longer fits the engine."""
    if violation.rule == "errors" and any(error in violation.detail for error in _MISFITS):
        raise MutantGone(f"{mutant.name} does not fit any more: {violation.detail}")
    return violation


def by_sweep(mutant: Mutant) -> tuple[int, str]:
    """Sweep: each fault alone, then one crash anywhere; tell after how many cases."""
    for number, case in enumerate(_cases()):
        sweeping.unstopped(BY_NAME[case.story].like or case.story, case.profile)
        try:
            with mutant.planted():
                sweeping.run(case)
        except Caught as caught:
            sweeping.run(case)
            return number + 1, str(caught)
    return 0, ""


def _cases() -> Iterator[Case]:
    whole = plan()
    first = [task for task in whole if task[1] == "keyed"]
    rest = [task for task in whole if task[1] == "not idempotent"]
    for story, profile, fault in (*first, *(each for each in whole if each[1] not in SURE)):
        yield Case(story, profile, fault)
    for story, profile, fault in first:
        if fault == "answered":
            yield from (Case(story, profile, fault, first=first) for first in range(1, 6))
    for story, profile, fault in rest:
        yield Case(story, profile, fault)


def by_machine(mutant: Mutant) -> tuple[int, str]:
    """Let the state machine look for a counterexample, without making it small."""
    looking = settings(
        max_examples=EXAMPLES,
        stateful_step_count=25,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
    )
    try:
        with mutant.planted():
            run_state_machine_as_test(Machine, settings=looking)
    except Exception as counterexample:  # noqa: BLE001  (whatever breaks has caught it)
        return EXAMPLES, f"{type(counterexample).__name__}: {counterexample}"
    return 0, ""
