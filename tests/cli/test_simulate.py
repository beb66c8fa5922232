"""The command that proves the engine: what it prints, and how it ends."""

from __future__ import annotations

import pytest

from paygate.service import flow
from tests.cli.conftest import Run


def test_a_sound_engine_has_no_violations(run: Run) -> None:
    done = run("simulate", "--seeds", "5", "--first", "20")

    assert done.code == 0
    assert done.out.splitlines()[-1] == "5 seeds, 0 violations"


def test_programs_read_what_was_exercised(run: Run) -> None:
    told = run("simulate", "--seeds", "4", "--json").json

    assert (told["seeds"], told["violations"], told["shrunken"]) == (4, 0, [])
    assert told["covered"]["actor:collect"] > 0
    assert told["steps"] > told["commits"] > 0


def test_a_broken_engine_is_told_with_the_events_that_show_it(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a bug in the engine: a request without an answer counts as never sent."""
    fault = flow._fault
    monkeypatch.setattr(flow, "_fault", lambda _, reason: fault(sent=False, reason=reason))

    done = run("simulate", "--seeds", "12", "--first", "1000")

    assert done.code == 1
    assert "The fewest events that still do:" in done.out
    assert "VIOLATED" in done.out
    assert done.out.splitlines()[-1].startswith("12 seeds, ")
    assert not done.out.splitlines()[-1].endswith(" 0 violations")


def test_planted_bugs_are_counted(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from paygate.testing import mutants

    [easy] = [each for each in mutants.MUTANTS if each.name == "sends-before-the-intent"]
    monkeypatch.setattr(mutants, "MUTANTS", (easy,))

    done = run("simulate", "--mutants", "--seeds", "20")

    assert done.code == 0
    assert done.out.splitlines()[-1] == "1/1 planted bugs caught"
