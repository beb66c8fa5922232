"""Upgrade of a SQLite database to the newest of the numbered schema files."""

from __future__ import annotations

import atexit
import sqlite3
from functools import cache
from typing import TYPE_CHECKING

from paygate.errors import CopyUnfinished, LedgerCorrupt
from paygate.ledger.schema_files import SQLITE, UNFINISHED
from paygate.ledger.sqlite_errors import primary_code

if TYPE_CHECKING:
    from paygate.ledger.schema_files import SchemaFiles


def schema_of(connection: sqlite3.Connection) -> int:
    """
    Return the schema number of a database; 0 if it has no ledger.

    Raise `CopyUnfinished` if a ledger is still being copied into it.
    """
    cursor = connection.cursor()
    cursor.row_factory = None
    try:
        rows = cursor.execute("SELECT value FROM paygate_meta WHERE name = 'schema'").fetchall()
    except sqlite3.OperationalError as error:
        if primary_code(error) == sqlite3.SQLITE_ERROR:  # the table does not exist
            return 0
        raise
    if not rows:
        return 0
    if rows[0][0] == UNFINISHED:
        raise CopyUnfinished.of("this ledger")
    try:
        return int(rows[0][0])
    except (TypeError, ValueError):
        raise LedgerCorrupt(
            "the ledger is damaged (its schema number is missing); restore it from a backup"
        ) from None


def upgrade(connection: sqlite3.Connection, found: int, files: SchemaFiles = SQLITE) -> None:
    """Apply the schema files that are newer than schema *found*."""
    for number in range(found + 1, files.newest + 1):
        for statement in _statements_of(files, number):
            connection.execute(statement)
        connection.execute(
            "INSERT INTO paygate_meta (name, value) VALUES ('schema', :number) "
            "ON CONFLICT (name) DO UPDATE SET value = :number",
            {"number": str(number)},
        )


@cache
def template() -> sqlite3.Connection:
    """Return an empty ledger in memory to copy from; it is created once and then only read."""
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    upgrade(connection, 0)
    atexit.register(connection.close)
    return connection


@cache
def _statements_of(files: SchemaFiles, number: int) -> list[str]:
    """Return the statements of schema file *number*; a trigger contains semicolons."""
    statements: list[str] = []
    lines: list[str] = []
    for line in files.text(number).splitlines():
        lines.append(line)
        if sqlite3.complete_statement("\n".join(lines)):
            statements.append("\n".join(lines))
            lines = []
    return statements
