"""Every statement of the ledger finds its rows by an index, however many there are."""

import re
import sqlite3
from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules

import pytest

import paygate.ledger
from paygate.ledger.sqlite import SqliteStore

# The check of the books reads all of them.
READS_EVERYTHING = {"book"}


def statements() -> dict[str, str]:
    """Find the statements of the ledger's modules, without those that others are made of."""
    found: dict[str, str] = {}
    for module in iter_modules(paygate.ledger.__path__):
        if module.name in READS_EVERYTHING:
            continue
        texts = {
            name: text
            for name, text in vars(import_module(f"paygate.ledger.{module.name}")).items()
            if isinstance(text, str) and re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE)\b", text)
        }
        for name, text in texts.items():
            if not any(text in other for other in texts.values() if other != text):
                found[f"{module.name}.{name}"] = text
    return found


STATEMENTS = statements()


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    path = tmp_path_factory.mktemp("ledger") / "ledger.db"
    SqliteStore(str(path)).close()
    connection = sqlite3.connect(path)
    yield connection
    connection.close()


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_scans_no_table(name: str, ledger: sqlite3.Connection) -> None:
    sql = STATEMENTS[name]
    nothing = dict.fromkeys(re.findall(r":([a-z_]+)", sql))

    plan = [row[3] for row in ledger.execute(f"EXPLAIN QUERY PLAN {sql}", nothing)]

    assert [step for step in plan if re.match(r"SCAN (?!CONSTANT ROW|paygate_feed$)", step)] == []
