"""What a command imports: only what it needs, because each import delays every call."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from paygate.cli.commands import COMMANDS
from tests.cli.conftest import Run

PROGRAM = """
import atexit, sys
atexit.register(lambda: print(*sys.modules, sep="\\n", file=sys.stderr))
from paygate.cli import main
main()
"""

LATER = {"asyncio", "cryptography", "httpcore", "httptools", "httpx", "tenacity"}
"""What only speaking to a processor needs. Newer versions of typer read options by pydantic."""

LEDGER = {"paygate.cashier.sync", "paygate.registry", "paygate.ledger.sqlite", "sqlite3"}
DRAWN = {"rich", "typer.rich_utils"}
OTHERS = {place.module for name, place in COMMANDS.items() if name != "invoice"}


def imported_by(*command: str) -> set[str]:
    """Return the modules, and the packages that they are in, which *command* imported."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *command],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return set(done.stderr.split())


def drivers(modules: set[str]) -> set[str]:
    return {name for name in modules if name.startswith(("paygate.drivers", "paygate.transport"))}


def test_help_imports_no_command_no_ledger_and_nothing_that_draws(folder: Path) -> None:
    modules = imported_by("--help")

    assert (
        modules & (LATER | LEDGER | DRAWN | OTHERS | {"paygate.cli.invoices", "pydantic"}) == set()
    )
    assert drivers(modules) == set()


@pytest.mark.parametrize(
    ("arguments", "drawn"), [((), {"typer.rich_utils"}), (("--json",), {"rich"})]
)
def test_a_list_imports_no_other_command_no_driver_and_no_network(
    imported: Run, arguments: tuple[str, ...], drawn: set[str]
) -> None:
    modules = imported_by("invoice", "list", *arguments)

    assert modules & (LATER | OTHERS | drawn) == set()
    assert drivers(modules) == set()


def test_the_help_of_a_command_opens_nothing(folder: Path) -> None:
    modules = imported_by("invoice", "list", "--help")

    assert modules & (LATER | LEDGER | DRAWN | OTHERS) == set()


def test_the_list_shows_each_command_on_a_line_of_its_own(run: Run) -> None:
    lines = run("--help", COLUMNS="80", TERMINAL_WIDTH="80").out.splitlines()

    for name, place in COMMANDS.items():
        assert f"  {name}  {place.summary}".split() in [line.split() for line in lines]


def test_every_command_is_where_the_table_says() -> None:
    loaded = {name: place.load(name) for name, place in COMMANDS.items()}

    assert {name for name, command in loaded.items() if command.name != name} == set()
    assert all(command.help for command in loaded.values())
