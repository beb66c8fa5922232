"""What an installation brings along: nothing that is unused, and no release known to be unsafe."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions, requires, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]

FIRST_SAFE = {
    "babel": "2.9.1",
    "certifi": "2024.7.4",
    "cryptography": "46.0.7",
    "httpcore": "1.0.9",
    "httpx": "0.23.0",
    "jinja2": "3.1.6",
    "pydantic": "2.4.0",
    "pytest": "9.0.3",
    "pyyaml": "5.4",
    "starlette": "1.3.1",
}
"""The first releases without a published vulnerability, of those that had one.

Advisories: https://github.com/pypa/advisory-database.
"""

NOT_IMPORTED = {
    "httpcore": "httpx brings it, and any release of it; ours is the first with a safe h11",
    "tzdata": "zoneinfo reads it where the system has no time zones",
}
COMES_WITH = {"pydantic_core": "pydantic, which wants one release of it and no other"}
NO_UPPER_BOUND = dict.fromkeys(("certifi", "tzdata"), "its numbers are dates")


def requirements() -> dict[str, Requirement]:
    written = [*PROJECT["dependencies"], *(each for extra in EXTRAS.values() for each in extra)]
    found = [Requirement(each) for each in written]
    return {each.name: each for each in found if each.name != PROJECT["name"]}


def imported() -> set[str]:
    """The top modules that any file of the package imports."""
    names: set[str] = set()
    for file in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            match node:
                case ast.Import(names=aliases):
                    names |= {alias.name.partition(".")[0] for alias in aliases}
                case ast.ImportFrom(module=str(module)):
                    names.add(module.partition(".")[0])
                case _:
                    pass
    return names


def test_every_dependency_is_imported_somewhere() -> None:
    brought = packages_distributions()
    used = {canonicalize_name(name) for module in imported() for name in brought.get(module, ())}

    assert requirements().keys() - used == NOT_IMPORTED.keys()


def test_every_import_is_of_a_declared_dependency() -> None:
    brought = packages_distributions()
    others = imported() - sys.stdlib_module_names - {"paygate", *COMES_WITH}

    undeclared = {
        module
        for module in others
        if requirements().keys().isdisjoint(map(canonicalize_name, brought.get(module, ())))
    }

    assert undeclared == set()


def test_no_lower_bound_admits_a_release_with_a_published_vulnerability() -> None:
    wanted = requirements()

    for name, safe in FIRST_SAFE.items():
        lowest = [Version(each.version) for each in wanted[name].specifier if each.operator == ">="]
        assert lowest
        assert max(lowest) >= Version(safe), name


def test_every_dependency_has_a_lower_and_an_upper_bound() -> None:
    for name, wanted in requirements().items():
        operators = {each.operator for each in wanted.specifier}

        assert ">=" in operators, name
        assert "<" in operators or name in NO_UPPER_BOUND, name


def test_all_brings_every_extra_but_the_one_for_tests() -> None:
    [everything] = map(Requirement, EXTRAS["all"])

    assert everything.extras == EXTRAS.keys() - {"all", "testing"}


# --- The lock of the command line -----------------------------------------------------------

LOCK = (ROOT / "requirements" / "cli.txt").read_text("utf-8")
PINS = {
    canonicalize_name(name): Version(pinned)
    for name, pinned in re.findall(r"^([\w.-]+)==(\S+) \\$", LOCK, re.MULTILINE)
}


def needed_by_the_command_line() -> list[Requirement]:
    return [Requirement(each) for each in (*PROJECT["dependencies"], *EXTRAS["cli"])]


def test_the_lock_is_within_the_bounds_of_the_project() -> None:
    needed = needed_by_the_command_line()

    assert {canonicalize_name(each.name) for each in needed} <= PINS.keys()
    outside = [
        each.name for each in needed if PINS[canonicalize_name(each.name)] not in each.specifier
    ]
    assert outside == []


def test_the_lock_has_all_that_its_packages_need() -> None:
    lacking: set[str] = set()
    for name, pinned in PINS.items():
        # What another release needs says nothing of this one.
        if Version(version(name)) != pinned:
            continue
        for each in map(Requirement, requires(name) or ()):
            if each.marker is None or each.marker.evaluate({"extra": ""}):
                found = PINS.get(canonicalize_name(each.name))
                if found is None or found not in each.specifier:
                    lacking.add(f"{name} needs {each}")

    assert lacking == set()


def test_each_pin_of_the_lock_has_hashes_and_the_file_names_no_place() -> None:
    lines = [line.strip() for line in LOCK.splitlines() if not line.startswith("#")]

    pins = [line for line in lines if "==" in line]
    hashes = [line for line in lines if line.startswith("--hash=sha256:")]
    assert len(pins) == len(PINS)
    assert len(pins) + len(hashes) == len(lines)
    assert len(re.findall(r"==\S+ \\\n    --hash=sha256:[0-9a-f]{64}", LOCK)) == len(PINS)
    assert not re.search(r"://|file:|--index|--find-links|--trusted", LOCK)
