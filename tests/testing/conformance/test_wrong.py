"""Each case of the kit can fail: a driver that is wrong in one way fails in that one."""

import os
from importlib import import_module
from pathlib import Path

import pytest

from paygate import plugins
from tests.testing.conformance.right import Paper
from tests.testing.conformance.running import classes, installed_as, verdicts

# Spoils every answer in many ways, and takes half of the time: CI does it to all of them.
SLOW = "whatever_comes_back_is_read_or_is_a_bad_reply"
WRONG = sorted(path.stem for path in (Path(__file__).parent / "wrong").glob("*.py"))


def test_every_case_has_a_driver_that_fails_in_it() -> None:
    cases = {name for of in classes(Paper) for name in dir(of) if name.startswith("test_")}

    assert {f"test_{name}" for name in WRONG} == cases


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_driver_fails_in_one_case_only(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = import_module(f"tests.testing.conformance.wrong.{name}")
    driver = getattr(wrong, "ENTRY_POINT", wrong.Wrong)
    monkeypatch.setattr(plugins, "entry_points", installed_as(driver))

    held = classes(wrong.Wrong, examples=3, **getattr(wrong, "SETTINGS", {}))
    without = () if os.environ.get("CI") or name == SLOW else (f"test_{SLOW}",)
    found = list(verdicts(held, without=without))

    failed = [each for each in found if each.how == "failed"]
    assert {each.case for each in failed} == {f"test_{name}"}, [each.said for each in failed]
    for each in failed:
        said = [line.partition(":")[0] for line in each.said.splitlines() if line[:1].isalpha()]
        assert [line for line in said if line != "asked by"] == [
            "expected",
            "got",
            "why it matters",
            "read",
        ]
