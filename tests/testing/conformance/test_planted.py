"""Bugs that an honest author plants are caught, each by the case that is there for it.

The example driver is right. Each bug of the table is put into it, and the case that the
table names must fail. The few that no case sees are listed with the reason.
"""

from collections.abc import Iterator

import pytest

from paygate import plugins
from paygate.testing.conformance import Subject
from tests.testing.conformance.planted import Bug, cases, forget, installed, plant
from tests.testing.conformance.planted_bugs import BUGS

UNSEEN = 3
"""How many of the bugs no case can see: the table says why of each."""


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    yield
    forget()


def fails(of: type[Subject], case: str) -> bool:
    try:
        getattr(of(), case)()
    except pytest.skip.Exception:
        return False
    except Exception:  # noqa: BLE001  (a driver that crashes is caught as well)
        return True
    return False


def run(bug: Bug | None, case: str, monkeypatch: pytest.MonkeyPatch) -> bool:
    driver, classes = plant(bug)
    monkeypatch.setattr(plugins, "entry_points", installed(driver))
    monkeypatch.setattr(Subject, "examples", 5)
    return any(fails(of, name) for of, name in cases(classes) if name == f"test_{case}")


@pytest.mark.parametrize(
    "bug", [each for each in BUGS if each.caught_by], ids=lambda each: each.what
)
def test_a_planted_bug_is_caught(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(bug, bug.caught_by, monkeypatch)


@pytest.mark.parametrize("case", sorted({each.caught_by for each in BUGS} - {""}))
def test_without_a_bug_the_case_passes(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not run(None, case, monkeypatch)


def test_what_is_not_caught_is_said() -> None:
    unseen = [each for each in BUGS if not each.caught_by]

    assert all(each.why_not for each in unseen)
    assert len(unseen) == UNSEEN
    assert len(BUGS) == 101
