"""How lists and colors look: nothing is cut at eighty columns, and a pipe gets plain text."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import termios
from collections.abc import Mapping
from pathlib import Path

import pytest
from rich.text import Text

from paygate import Cashier, Money
from paygate.cli import show
from paygate.cli.grid import Column, Grid
from paygate.testing import FakeGateway
from tests.cli.conftest import Run

ADDRESS = "bcrt1pqncdts3qm2guw3hjstun7dd6t3689qg42eqsfxfqm2guw3hjstun7dd6t3"
LONG = "https://shop.example/" + "0123456789" * 12
NUMBER = "INV-" + "7" * 60


def lines_of(grid: Grid, capsys: pytest.CaptureFixture[str]) -> list[str]:
    show.console().print(grid)
    return capsys.readouterr().out.splitlines()


def a_grid(room: int | None, *rows: tuple[str, ...]) -> Grid:
    made = Grid([Column("Id"), Column("What"), Column("Amount", right=True)], room=room)
    for row in rows:
        made.add(*map(Text, row))
    return made


def test_columns_are_as_wide_as_their_contents(capsys: pytest.CaptureFixture[str]) -> None:
    grid = a_grid(80, ("p-1", "card", "1.00 USD"), ("p-22", "bank transfer", "20.00 USD"))

    assert lines_of(grid, capsys) == [
        "Id    What              Amount",
        "──────────────────────────────",
        "p-1   card            1.00 USD",
        "p-22  bank transfer  20.00 USD",
    ]


def test_a_column_is_folded_between_words(capsys: pytest.CaptureFixture[str]) -> None:
    grid = a_grid(26, ("p-1", "money that nobody requested", "1.00 USD"))

    assert lines_of(grid, capsys)[2:] == [
        "p-1  money that   1.00 USD",
        "     nobody",
        "     requested",
    ]


def test_rows_become_records_if_a_word_does_not_fit(capsys: pytest.CaptureFixture[str]) -> None:
    grid = a_grid(30, ("p-1", "x" * 25, "1.00 USD"), ("p-2", "", "2.00 USD"))

    assert lines_of(grid, capsys) == [
        "Id      p-1",
        f"What    {'x' * 25}",
        "Amount  1.00 USD",
        "",
        "Id      p-2",
        "Amount  2.00 USD",
    ]


def test_a_pipe_has_one_line_for_each_row(capsys: pytest.CaptureFixture[str]) -> None:
    grid = a_grid(None, ("p-1", f"{LONG} and more words " * 3, "1.00 USD"))

    assert len(lines_of(grid, capsys)) == 3


def test_a_row_has_one_line_if_there_is_room(capsys: pytest.CaptureFixture[str]) -> None:
    row = ("p-1\n  C-1 ·\n  INV-1", "2031-01-01\ncard", "1.00 USD")

    assert lines_of(a_grid(None, row), capsys)[2:] == lines_of(a_grid(50, row), capsys)[2:]
    assert lines_of(a_grid(50, row), capsys)[2:] == [
        "p-1 · C-1 · INV-1  2031-01-01 · card  1.00 USD"
    ]
    assert lines_of(a_grid(40, row), capsys)[2:] == [
        "p-1      2031-01-01  1.00 USD",
        "  C-1 ·  card",
        "  INV-1",
    ]


def test_a_character_of_two_columns_takes_two(capsys: pytest.CaptureFixture[str]) -> None:
    grid = a_grid(80, ("円", "x", "1"), ("ab", "y", "2"))

    assert lines_of(grid, capsys)[2:] == ["円  x          1", "ab  y          2"]


@pytest.fixture(name="long")
def long_(run: Run) -> Run:
    """A ledger with ids, numbers, references and addresses that fill a terminal."""
    gateway = FakeGateway()
    with Cashier.open("sqlite:///paygate.db", gateways={"card": gateway}) as till:
        for number in (NUMBER, "A-2"):
            total = Money.of("USD", "1.00")
            till.issue(number=number, customer=ADDRESS, total=total, due="2026-12-01")
        till.record([NUMBER], by="check", reference=LONG, key="k")
        paid = till.collect("A-2", via="card", method="tok_visa", key="c")
        gateway.open_dispute(paid.reference)
        for each in gateway.callbacks():
            till.receive("card", each)
        till.apply_callbacks()
    return run


def ids_of(run: Run, noun: str) -> set[str]:
    """Return the ids of the payments or receipts that are listed; other lists show no ids."""
    if noun not in ("payment", "receipt"):
        return set()
    return {one["id"] for one in run(noun, "list", "--json").json[f"{noun}s"]}


@pytest.mark.parametrize("columns", ["80", ""], ids=["terminal", "pipe"])
@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (("invoice", "list"), {NUMBER, ADDRESS}),
        (("invoice", "show", NUMBER), {NUMBER, ADDRESS}),
        (("payment", "list"), {NUMBER, ADDRESS}),
        (("payment", "show", "--key", "k", "--verb", "record"), {NUMBER, ADDRESS, LONG}),
        (("receipt", "list"), {NUMBER, ADDRESS}),
        (("event", "list"), {"payment.succeeded"}),
        (("callback", "list"), {"charge.disputed"}),
        (("chargeback", "list"), {"opened"}),
    ],
    ids=[
        *("invoices", "invoice", "payments", "payment", "receipts", "events", "callbacks"),
        "chargebacks",
    ],
)
def test_no_long_value_is_cut_or_broken(
    long: Run, words: tuple[str, ...], shown: set[str], columns: str
) -> None:
    told = long(*words, COLUMNS=columns)
    on_a_line = {word for line in told.out.splitlines() for word in line.split()}
    assert told.code == 0
    assert "…" not in told.out
    expected = shown | (ids_of(long, words[0]) if words[1] == "list" else set[str]())
    assert {each for each in expected if f"{each}:" not in on_a_line} <= on_a_line


@pytest.mark.parametrize("noun", ["payment", "receipt", "event", "callback"])
def test_a_row_of_a_list_has_one_line_in_a_pipe(long: Run, noun: str) -> None:
    key = f"{noun}s"
    listed = long(noun, "list", COLUMNS="").out.splitlines()

    assert len(listed) == 2 + len(long(noun, "list", "--json").json[key])


PROGRAM = Path(sys.executable).with_name("paygate")
ESCAPE = b"\x1b["


def on_a_terminal(*words: str, columns: int = 80, variables: Mapping[str, str] = {}) -> bytes:
    """Return what the program writes to a terminal with so many columns."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24 if columns else 0, columns))
    kept = {name: each for name, each in os.environ.items() if name not in ("NO_COLOR", "COLUMNS")}
    try:
        with subprocess.Popen(
            [PROGRAM, *words],
            stdout=theirs,
            stderr=theirs,
            stdin=subprocess.DEVNULL,
            env={**kept, "TERM": "xterm-256color", **variables},
        ) as program:
            os.close(theirs)
            written = b""
            while part := _read(ours):
                written += part
            program.wait(timeout=60)
    finally:
        os.close(ours)
    return written


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # how Linux reports the end of a terminal
        return b""


def test_a_terminal_without_a_size_has_eighty_columns(imported: Run) -> None:
    """A serial console, and some containers, report a size of zero."""
    command = ("invoice", "list")

    assert on_a_terminal(*command, columns=0) == on_a_terminal(*command, columns=80)
    assert on_a_terminal(*command, columns=10) != on_a_terminal(*command, columns=80)
    assert on_a_terminal(*command, variables={"COLUMNS": "0"}) == on_a_terminal(
        *command, columns=80
    )


def test_a_terminal_has_colors(imported: Run) -> None:
    assert ESCAPE in on_a_terminal("invoice", "list")


@pytest.mark.parametrize("variable", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=str)
def test_a_terminal_has_no_colors_if_the_user_wants_none(
    imported: Run, variable: dict[str, str]
) -> None:
    told = on_a_terminal("invoice", "list", variables=variable)

    assert b"A-1" in told
    assert ESCAPE not in told


def test_a_pipe_has_no_colors_though_something_forces_them_elsewhere(
    imported: Run, shell: Run
) -> None:
    done = shell("invoice", "list", FORCE_COLOR="1", TERM="xterm-256color")

    assert "A-1" in done.out
    assert "\x1b" not in done.all


def test_an_error_has_no_colors_in_a_pipe(shell: Run) -> None:
    assert "\x1b" not in shell("status", FORCE_COLOR="1", TERM="xterm-256color").err
