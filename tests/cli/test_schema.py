"""The schema that is printed is the one that a ledger makes when it is opened."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from paygate import Cashier, Money
from tests.cli.conftest import Run

pytestmark = pytest.mark.sqlite

TABLES = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name"
ROWS = ("SELECT * FROM paygate_meta", "SELECT * FROM paygate_row_count ORDER BY name")


def contents(path: Path) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return [connection.execute(query).fetchall() for query in (TABLES, *ROWS)]


def test_what_is_printed_for_sqlite_makes_what_a_ledger_makes(folder: Path, run: Run) -> None:
    printed = run("schema", "print", "--dialect", "sqlite")
    with closing(sqlite3.connect(folder / "own.db")) as connection:
        connection.executescript(printed.out)
    Cashier.open("sqlite:///made.db").close()

    assert printed.code == 0
    assert contents(folder / "own.db") == contents(folder / "made.db")
    with Cashier.open("sqlite:///own.db") as cashier:
        cashier.issue(number="1", customer="C", total=Money.of("USD", 1), due="2026-12-01")
        assert cashier.fsck() == []


def test_what_is_there_is_not_printed_again(run: Run) -> None:
    for dialect in ("sqlite", "postgresql"):
        assert run("schema", "print", "--dialect", dialect, "--after", "1").out == ""
        late = run("schema", "print", "--dialect", dialect, "--after", "2")
        assert (late.code, late.err) == (2, "InvalidValue: --after: the newest schema is 1\n")


def test_another_database_is_refused(run: Run) -> None:
    assert run("schema", "print", "--dialect", "oracle").code == 2
    assert run("schema", "print").code == 2
