"""What a command imports: only what it needs, because each import delays every call."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from paygate.cli.app import load
from paygate.cli.commands import EVERYDAY, NOUNS, commands
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
OF_COMMANDS = {f"paygate.cli.{command.module}" for _, command in commands()}
OTHERS = OF_COMMANDS - {"paygate.cli.invoices"}
ENGINE = ("paygate.cashier", "paygate.service", "paygate.ledger", "paygate.domain")


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


@pytest.mark.parametrize("command", [(), ("payment",)], ids=" ".join)
def test_a_list_of_commands_imports_nothing_but_the_table(
    folder: Path, command: tuple[str, ...]
) -> None:
    modules = imported_by(*command, "--help")

    ours = {name for name in modules if name.startswith("paygate.")}
    assert ours == {
        "paygate._version",
        "paygate.cli",
        "paygate.cli.commands",
        "paygate.cli.listing",
        "paygate.cli.main",
    }
    # Each of these takes longer to import than the list takes to write.
    heavy = LATER | DRAWN | {"sqlalchemy", "sqlite3", "typer", "click", "pydantic", "dataclasses"}
    assert modules & heavy == set()
    assert {name for name in modules if name.startswith(ENGINE)} == set()
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


def test_the_list_shows_each_everyday_command_and_then_each_noun(run: Run) -> None:
    lines = run("--help", COLUMNS="80", TERMINAL_WIDTH="80").out.splitlines()
    shown = [line.split() for line in lines]

    every = [(name, command.summary) for name, command in EVERYDAY.items()]
    every += [(name, noun.summary) for name, noun in NOUNS.items()]
    places = [shown.index([name, *summary.split()]) for name, summary in every]
    assert places == sorted(places)
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("name", NOUNS)
def test_the_list_of_a_noun_shows_each_of_its_commands(run: Run, name: str) -> None:
    lines = run(name, "--help").out.splitlines()
    shown = [line.split() for line in lines]

    for verb, command in NOUNS[name].commands.items():
        assert [verb, *command.summary.split()] in shown
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("command", [(), ("payment",)], ids=" ".join)
def test_the_list_that_answers_at_once_is_that_of_the_program(
    run: Run, shell: Run, command: tuple[str, ...]
) -> None:
    # With an option before it, a list is written by the program itself.
    assert shell(*command, "-h").out == shell("--debug", *command, "--help").out != ""
    assert run(*command).code == 2
    assert run(*command).err == shell(*command, "--help").out


def test_every_command_is_where_the_table_says() -> None:
    loaded = {words: load(words.split()[-1], command) for words, command in commands()}

    assert {words for words, each in loaded.items() if each.name != words.split()[-1]} == set()
    assert all(command.help for command in loaded.values())
