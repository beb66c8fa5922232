"""A part of the sweep: every story stopped before each change, and its transactions torn.

``python -m tests.sweep`` does it under every fault, for each kind of processor, and
stops what follows a second time.
"""

from __future__ import annotations

import pytest

from tests.sweep.run import Case, run, sweep, tear
from tests.sweep.stories import BY_NAME
from tests.sweep.world import FAULTS


@pytest.mark.parametrize("story", BY_NAME)
def test_a_story_ends_the_same_wherever_its_process_dies(story: str) -> None:
    faults = ("answered", "answer lost") if BY_NAME[story].sends else ("answered",)

    assert sum(sweep(story, "keyed", fault, pairs=False) for fault in faults) > len(faults)


@pytest.mark.parametrize("story", ["charge", "refund from credit", "reverse with fee"])
def test_a_transaction_that_is_torn_leaves_nothing(story: str) -> None:
    assert tear(story) > 5


@pytest.mark.parametrize("fault", FAULTS)
def test_two_crashes_under_each_fault_are_as_none(fault: str) -> None:
    assert sweep("charge", "keyed", fault, pairs=True) > 10


def test_a_crash_that_does_not_come_to_pass_is_told() -> None:
    assert run(Case("issue", first=2)) == (False, False)
    assert run(Case("issue", first=1)) == (True, False)
