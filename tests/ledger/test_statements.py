"""
No statement of the ledger reads or sorts a table that grows: each finds its rows by an index.

The statements are found in the code, and not listed here. Each is planned by SQLite twice: without
statistics, as in a ledger that nobody analyzed, and with those that ``ANALYZE`` would leave in a
ledger of a million payments of one tenant, in which an index by tenant alone is worth nothing.
"""

import ast
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import fields, is_dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import pytest

import paygate
import paygate.ledger
from paygate.ledger.sqlite import SqliteStore

SQL = re.compile(r"\s*(WITH|SELECT|INSERT|REPLACE|UPDATE|DELETE)\b")

# What may read much of a table, or sort what it read, and why.
# These execute what they are given, and are given statements of their module.
GIVEN = {
    "checksums.renew": "the statements that it makes of the facts of a table",
    "checksums.renew makes one": "the row with this key",
    "customers.erase_contact": "a few statements in a row",
    "row_rules._compared_with_owner makes one": "a rule of the check, made where it is defined",
    "row_rules._compared makes one": "the same",
    "row_rules._with_checksum makes one": "the same",
    "inbox._changed": "what changes a row of the inbox",
    "items._change": "the statements of its module that change one invoice",
    "paging.listing makes one": "the row that a page begins behind; found where a listing is made",
    "paging.read": "the statements of a listing, which are found where it is made",
    "paging._begin": "the same",
    "sending._count": "what counts",
}

EXCEPTIONS = {
    "sum_rules.": "the check of the books reads all of them",
    "book.SUM_RULES": "the same",
    "book.ROW_RULES": "the same",
    "book.RULES": "the same",
    "book.STATE_RULES": "the same",
    "row_rules.": "the same",
    "state_rules.": "the same",
    "bank_accounts._BY_NAME": "adds up the lines of a bank account",
    "bank_accounts._ALL": "the same, of each",
    "chargebacks._ON_ITEM": "sorts the disputes of one invoice",
    "feeds._FORGET": "deletes one row by its key, which is the account and a name",
    "feeds._MEMORY": "reads all that one gateway remembers, which its driver keeps small",
    "inbox._BY_EVENT": "sorts what was told under one id of an event",
    "inbox._UNATTENDED": "reads what is due in the inbox",
    "links._LIVE": "sorts the payments of one link",
    "links._PAGES": "the same",
    "lots._DEBITS_OF": "sorts the debits of one payment",
    "prepayments._INVOICES_WITH_KEY": "sorts the invoices with one assignment key",
    "payments._LISTING.statements[('', ": "sorts the payments for one invoice",
    "methods._NAMED": "sorts the stored methods that a processor calls by one name",
    "attempts._UNATTENDED": "reads what is to be inquired about",
    "autopay_runs._SUMS": "counts the payments of one run of automatic payment",
    "outbox._FORGET_DELIVERIES": "deletes all that is set aside for a sink",
    "outbox._REVIVE": "changes all dead letters of a sink, and reads what else is set aside for it",
    "addresses._AT": "sorts the attempts at one address",
    "quotes._OFFERS": "sorts the quotes at one address",
    "receipts.BOOK": "reads the last number of a tenant, at the end of its index",
    "receipts._HELD": "groups the receipts of one payment by currency",
    "allocations._OF_PAYMENT": "sorts the allocations of one payment",
    "allocations._STANDING_OF_PAYMENT": "the same, when its money is taken off again",
    "receipts._RECORDED": "sorts the parts of one refund that was recorded by hand",
    "reversals._GIVEN_UP": "groups the write-offs of one invoice by account",
    "reversals._WRITE_OFFS_OF_RECEIPT": "sorts the credit notes of one refund",
    "sending._ATTEMPTS_DUE": "counts what is to be inquired about",
    "sending._CALLBACKS_DUE": "counts what is due in the inbox",
    "totals._COUNTED": "counts all invoices, in an index that holds nothing else",
    "totals._UNPAID": "adds up the invoices that are not paid",
    "totals._PREPAYMENTS": "adds up all prepayments, in an index that holds nothing else",
    "totals._PAYMENTS": "counts all payments, in an index that holds nothing else",
    "totals._REVIEWS": "counts the payments that are flagged for review",
    "totals._UNKNOWN": "counts the attempts whose outcome is unknown",
    "totals._STUCK": "counts the callbacks that could not be applied",
    "jobs._TENANTS_OF_SINK": "sorts the tenants, and reads what is set aside for each sink",
    "totals._SINKS": "counts what is set aside for each sink",
}

DO_NOT_GROW = {
    "paygate_bank_account": "a row for each bank account of the merchant",
    "paygate_meta": "a few facts about the file",
    "paygate_sequence": "a count for each kind of number",
    "paygate_feed": "a row for each gateway account that has a feed",
    "paygate_sink": "a row for each sink",
    "paygate_account": "a row for each gateway account",
    "paygate_account_settings": "a row for each stored account",
    "paygate_api_key": "a row for each API key",
    "paygate_refused_callback": "a row for each account and reason of a refusal",
    "paygate_address_count": "a row for each wallet",
}

# What many rows have in common: to find rows by these alone is to read a great part of a table.
COMMON = {
    *("tenant", "account", "kind", "operation", "currency", "status", "state", "standing"),
    *("source", "sink", "inward", "needs_review", "name", "origin", "address_index"),
}


def found_in(value: Any, name: str) -> Iterator[tuple[str, str]]:
    """Find the statements that *value* is, or holds."""
    if isinstance(value, str):
        if SQL.match(value):
            yield name, value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from found_in(each, f"{name}[{key}]")
    elif isinstance(value, tuple | list):
        for number, each in enumerate(value):
            yield from found_in(each, f"{name}[{number}]")
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from found_in(getattr(value, field.name), f"{name}.{field.name}")


def statements() -> dict[str, str]:
    """Find the statements of the ledger's modules, without those that others are made of."""
    made: dict[str, str] = {}
    for module in iter_modules(paygate.ledger.__path__):
        if module.ispkg:  # what a package for one database says, only that database takes
            continue
        for name, value in vars(import_module(f"paygate.ledger.{module.name}")).items():
            made |= dict(found_in(value, f"{module.name}.{name}"))
        made |= dict(written_in_functions(module.name))
    texts = set(made.values())
    parts = {text for text in texts if any(text in other for other in texts if other != text)}
    return {name: text for name, text in made.items() if text not in parts}


def written_in_functions(module: str) -> Iterator[tuple[str, str]]:
    """Find the statements that stand as text where they are executed."""
    for node, inside in nodes_of(Path(paygate.ledger.__path__[0]) / f"{module}.py"):
        if inside and isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from found_in(node.value, f"{module}:{node.lineno}")


def nodes_of(path: Path) -> Iterator[tuple[ast.AST, str]]:
    """Yield what stands in a file, and in which function."""

    def inside(node: ast.AST, function: str) -> Iterator[tuple[ast.AST, str]]:
        for child in ast.iter_child_nodes(node):
            yield child, function
            named = isinstance(child, ast.FunctionDef | ast.Lambda)
            yield from inside(child, getattr(child, "name", "lambda") if named else function)

    yield from inside(ast.parse(path.read_text("utf-8")), "")


STATEMENTS = statements()


def file_of(folder: Path) -> Path:
    path = folder / "ledger.db"
    SqliteStore(str(path)).close()
    return path


def distinct(column: str, rows: int) -> int:
    """Return how many values a column has in a ledger with so many rows."""
    if column == "tenant":
        return 1
    if column in COMMON:
        return 4
    return rows // 20 if column in ("customer", "payment", "item", "aggregate") else rows


def analyzed(path: Path, rows: int = 1_000_000) -> None:
    """Write the statistics of a ledger of one tenant with so many rows in each table that grows."""
    connection = sqlite3.connect(path)
    connection.execute("ANALYZE")
    connection.execute("DELETE FROM sqlite_stat1")
    indexes = connection.execute(
        "SELECT tbl_name, name FROM sqlite_schema WHERE type = 'index'"
    ).fetchall()
    for table, index in indexes:
        count = 10 if table in DO_NOT_GROW else rows
        same, stat = count, [count]
        for _, _, column in connection.execute(f"PRAGMA index_info({index})"):
            same = max(1, same // distinct(column or "position", count))
            stat.append(same)
        row = (table, index, " ".join(map(str, stat)))
        connection.execute("INSERT INTO sqlite_stat1 VALUES (?, ?, ?)", row)
    connection.commit()
    connection.close()


@pytest.fixture(scope="module", params=["without statistics", "with those of a million payments"])
def ledger(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[sqlite3.Connection]:
    path = file_of(tmp_path_factory.mktemp("ledger"))
    if request.param != "without statistics":
        analyzed(path)
    connection = sqlite3.connect(path)
    yield connection
    connection.close()


def faults_in(sql: str, ledger: sqlite3.Connection) -> list[str]:
    """Return the steps of a statement's plan that cost the more, the larger the ledger is."""
    nothing = dict.fromkeys(re.findall(r":([a-z_]+)", sql))
    steps = ledger.execute(f"EXPLAIN QUERY PLAN {sql}", nothing).fetchall()
    parents = {number: (parent, str(step)) for number, parent, _, step in steps}
    tables = re.findall(r"(?:FROM|JOIN|INTO|UPDATE)\s+(paygate_\w+)(?:\s+(?:AS\s+)?(\w+))?", sql)
    small = {name for table, alias in tables if table in DO_NOT_GROW for name in (table, alias)}
    known = {name for names in tables for name in names}
    limited = re.search(r"\bLIMIT\b[^)]*\Z", sql) is not None
    return [
        step
        for number, (_, step) in parents.items()
        if grows(step, known - small, limited=limited, of_one_row=is_of_one_row(number, parents))
    ]


def is_of_one_row(number: int, parents: Mapping[int, tuple[int, str]]) -> bool:
    """Return whether a step is done for a row of the result, about what belongs to that row."""
    while number:
        number, step = parents[number]
        if step.startswith("CORRELATED"):
            return True
    return False


def grows(step: str, tables: set[str], *, limited: bool, of_one_row: bool) -> bool:
    if "TEMP B-TREE" in step:
        return not of_one_row and bool(tables)
    if "AUTOMATIC" in step:
        return True
    found = re.match(r"(SCAN|SEARCH) (\S+)(.*)", step)
    if found is None or found[2] not in tables:
        return False  # a row of constants, or what was read before
    if found[1] == "SCAN":
        return True
    columns = set(re.findall(r"(\w+)[=<>]", found[3])) | set(re.findall(r",(\w+)\)[<>]", found[3]))
    return columns <= COMMON and not limited


def is_excepted(name: str) -> bool:
    return any(name.startswith(each) for each in EXCEPTIONS)


@pytest.mark.parametrize("name", [name for name in STATEMENTS if not is_excepted(name)])
def test_a_statement_reads_and_sorts_no_table_that_grows(
    name: str, ledger: sqlite3.Connection
) -> None:
    assert faults_in(STATEMENTS[name], ledger) == []


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_an_exception_is_still_needed(name: str, tmp_path: Path) -> None:
    path = file_of(tmp_path)
    excepted = [sql for each, sql in STATEMENTS.items() if each.startswith(name)]
    with closing(sqlite3.connect(path)) as plain:
        found = [faults_in(sql, plain) for sql in excepted]
    analyzed(path)
    with closing(sqlite3.connect(path)) as large:
        found += [faults_in(sql, large) for sql in excepted]

    assert any(found), name


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM paygate_payment",
        "SELECT * FROM paygate_payment WHERE tenant = :tenant ORDER BY amount_minor LIMIT 10",
        "SELECT count(*) FROM paygate_attempt WHERE tenant = :tenant AND account = :account",
        "SELECT * FROM paygate_outbox WHERE tenant = :tenant AND (:type IS NULL OR type = :type)",
        "SELECT p.id FROM paygate_item i JOIN paygate_posting p ON p.item = i.id WHERE i.id = :id",
    ],
)
def test_a_statement_that_reads_or_sorts_too_much_is_seen(
    sql: str, ledger: sqlite3.Connection
) -> None:
    assert faults_in(sql, ledger) != []


def test_each_statement_that_is_executed_is_among_those() -> None:
    """What a transaction is given is a name of the module, or a part of such a thing."""
    elsewhere = []
    for path in Path(paygate.ledger.__path__[0]).glob("*.py"):
        constants = vars(import_module(f"paygate.ledger.{path.stem}"))
        for node, function in nodes_of(path):
            if isinstance(node, ast.JoinedStr) and function and is_sql(node):
                elsewhere.append(f"{path.stem}.{function} makes one")
            if not (isinstance(node, ast.Call) and executes(node.func)):
                continue
            if not all(name in constants for name in roots_of(node.args[0])):
                elsewhere.append(f"{path.stem}.{function}")

    assert sorted(set(elsewhere)) == sorted(GIVEN)


def roots_of(node: ast.expr) -> Iterator[str]:
    """Yield the names that an expression is, or is a part of; empty for anything else."""
    if isinstance(node, ast.IfExp):
        yield from roots_of(node.body)
        yield from roots_of(node.orelse)
    elif isinstance(node, ast.Subscript | ast.Attribute):
        yield from roots_of(node.value)
    else:
        yield node.id if isinstance(node, ast.Name) else ""


def executes(function: ast.expr) -> bool:
    """Return whether it is ``tx.all``, ``tx.one``, ``tx.run``, ``tx.execute`` or ``tx.many``."""
    if not isinstance(function, ast.Attribute) or not isinstance(function.value, ast.Name):
        return False
    return function.value.id == "tx" and function.attr in ("all", "execute", "one", "run", "many")


def is_sql(text: ast.JoinedStr) -> bool:
    first = text.values[0] if text.values else None
    return isinstance(first, ast.Constant) and bool(SQL.match(str(first.value)))


def test_no_statement_stands_outside_the_ledger() -> None:
    """A simulation and a test may look at the tables; what hosts call does so by the ledger."""
    root = Path(paygate.__path__[0])
    outside = [
        f"{path.relative_to(root)}:{node.lineno}"
        for path in root.rglob("*.py")
        if path.relative_to(root).parts[0] not in ("ledger", "testing")
        for node, _ in nodes_of(path)
        if isinstance(node, ast.Constant) and re.search(r"\b(FROM|INTO) paygate_", str(node.value))
    ]

    assert outside == []
