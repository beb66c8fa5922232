"""Planted bugs: each changes the engine while it is planted, and leaves nothing behind."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.support.mutants import MUTANTS, Mutant, MutantGone, Patch
from tests.sweep.run import Case, Caught, run

SERVICE = Path(import_module("paygate.service").__path__[0])


def there(patch: Patch) -> Any:
    return vars(import_module(f"paygate.{patch.module}"))[patch.name]


def test_there_are_enough_and_each_has_a_name_of_its_own() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 24


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_planted_bug_is_there_until_it_is_taken_out(mutant: Mutant) -> None:
    before = [there(patch) for patch in mutant.patches]

    with mutant.planted():
        planted = [there(patch) for patch in mutant.patches]

    assert all(now != was for now, was in zip(planted, before, strict=True))
    assert [there(patch) for patch in mutant.patches] == before
    assert mutant.plants
    assert mutant.breaks
    assert mutant.shows


def test_the_page_tells_of_each_who_catches_it() -> None:
    page = (Path(__file__).parents[2] / "docs/explanation/mutants.md").read_text(encoding="utf-8")
    rows = {
        row.split("`")[1]: row.split(" | ")[4] for row in page.splitlines() if row.startswith("| `")
    }

    assert list(rows) == [mutant.name for mutant in MUTANTS]
    assert set(rows.values()) <= {"simulator", "sweep", "state machine"}


def test_a_bug_is_taken_out_though_the_engine_failed() -> None:
    [mutant, *_] = MUTANTS
    before = [there(patch) for patch in mutant.patches]

    with pytest.raises(ZeroDivisionError), mutant.planted():
        _ = 1 / 0

    assert [there(patch) for patch in mutant.patches] == before


@pytest.mark.parametrize("name", ["collect_twice", "merge"])
def test_a_place_that_is_gone_is_told(name: str) -> None:
    patch = Patch("service.collect", name, lambda original: original)
    mutant = Mutant(name="x", plants="", breaks="", shows="", patches=(patch,))

    with pytest.raises(MutantGone), mutant.planted():
        pass


def test_what_asks_a_gateway_about_money_is_known_to_the_mutants_of_sending() -> None:
    """A new module that sends must be listed there, or the bug would be planted half."""
    from tests.support.mutants.sending import THAT_SEND

    asking = {
        path.stem
        for path in SERVICE.glob("*.py")
        if "yield from ask(" in path.read_text(encoding="utf-8")
    }
    moving_nothing = {
        "apply",
        "delivering",
        "flow",
        "known",
        "receive",
        "feed",
        "enroll",
        "rest",
        "questions",
    }
    assert asking - moving_nothing == set(THAT_SEND)


@pytest.mark.parametrize(
    ("name", "case"),
    [
        ("silence-is-failure", Case("charge", fault="answer lost")),
        ("fee-in-its-own-transaction", Case("reverse with fee", first=2)),
        ("second-receipt-is-dropped", Case("a page is paid twice")),
    ],
)
def test_the_sweep_catches_what_is_planted_and_nothing_else(name: str, case: Case) -> None:
    [mutant] = [each for each in MUTANTS if each.name == name]
    run(case)

    with mutant.planted(), pytest.raises(Caught):
        run(case)
