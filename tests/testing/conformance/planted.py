"""Bugs that an honest author plants, one at a time, into the example driver for Harbour Pay.

Each is a text of the driver and what stands in its place. `caught_by` is the case of the
kit that fails; a bug without one is not seen, and `why_not` says why.
"""

import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any

from paygate.testing.conformance import Subject

EXAMPLE = Path(__file__).parents[3] / "examples" / "new_driver"
MODULES = ("codes", "settings", "wire", "gateway", "__init__")


@dataclass(frozen=True)
class Bug:
    """A bug in one module of the driver."""

    what: str
    module: str
    right: str
    wrong: str
    caught_by: str = ""
    why_not: str = ""


def plant(bug: Bug | None) -> tuple[type[Any], list[type[Subject]]]:
    """Return the driver with *bug* in it, and the author's test classes for it."""
    made: dict[str, ModuleType] = {}
    for name in MODULES:
        text = (EXAMPLE / "src" / "paygate_harbour" / f"{name}.py").read_text()
        if bug is not None and bug.module == name:
            assert text.count(bug.right) == 1, f"{bug.what}: {text.count(bug.right)} places"
            text = text.replace(bug.right, bug.wrong)
        made[name] = _module("planted" if name == "__init__" else f"planted.{name}", text)
    tests = EXAMPLE / "tests" / "test_conformance.py"
    held = _module("planted_tests", tests.read_text(), tests)
    classes = [
        each
        for name, each in vars(held).items()
        if name.startswith("Test") and isinstance(each, type) and issubclass(each, Subject)
    ]
    return made["__init__"].Harbour, classes


def _module(name: str, text: str, file: Path | None = None) -> ModuleType:
    made = ModuleType(name)
    made.__file__ = str(file or name)
    if name == "planted":
        made.__path__ = []
    sys.modules[name] = made
    if name.startswith("planted.") and "planted" not in sys.modules:
        package = ModuleType("planted")
        package.__path__ = []
        sys.modules["planted"] = package
    if name.startswith("planted."):
        setattr(sys.modules["planted"], name.partition(".")[2], made)
    code = compile(re.sub(r"\bpaygate_harbour\b", "planted", text), made.__file__, "exec")
    exec(code, vars(made))  # noqa: S102  (our own example, with a bug in it)
    return made


def forget() -> None:
    """Take the planted modules out again."""
    for name in [each for each in sys.modules if each.partition(".")[0].startswith("planted")]:
        del sys.modules[name]


def installed(driver: type[Any]) -> Callable[..., list[EntryPoint]]:
    """Return what stands in for `entry_points` while *driver* is installed as harbour."""

    class Point(EntryPoint):
        def load(self) -> Any:
            return driver

    point = Point("harbour", "planted:Harbour", "paygate.gateways")

    def entry_points(**_: str) -> list[EntryPoint]:
        return [point]

    return entry_points


def cases(classes: list[type[Subject]]) -> Iterator[tuple[type[Subject], str]]:
    """Go through the cases of *classes*."""
    for of in classes:
        for name in dir(of):
            if name.startswith("test_"):
                yield of, name
