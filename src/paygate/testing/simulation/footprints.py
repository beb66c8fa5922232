"""Footprints: the columns that a statement reads and writes, as reported by SQLite.

A check needs to run again only if something that it reads was written. SQLite calls an
authorizer for each column when it prepares a statement, so no column is missed, not even
in a condition, a trigger or an ON CONFLICT clause.
"""

from __future__ import annotations

import sqlite3
from functools import cache
from typing import Final

from paygate.ledger.statements import positional
from paygate.testing.simulation.blank import blank_ledger

_WHOLE_ROWS: Final = frozenset({sqlite3.SQLITE_INSERT, sqlite3.SQLITE_DELETE})


@cache
def reads(sql: str) -> frozenset[str]:
    """Return what *sql* reads: columns as ``table.column``, and each of their tables."""
    asked = [
        (table, column) for action, table, column in _asked(sql) if action == sqlite3.SQLITE_READ
    ]
    return frozenset({table for table, _ in asked} | {f"{table}.{name}" for table, name in asked})


@cache
def writes(sql: str) -> frozenset[str]:
    """Return what *sql* writes: tables with inserted or deleted rows, and updated columns."""
    return frozenset(
        {table for action, table, _ in _asked(sql) if action in _WHOLE_ROWS}
        | {
            f"{table}.{column}"
            for action, table, column in _asked(sql)
            if action == sqlite3.SQLITE_UPDATE
        }
    )


def _asked(sql: str) -> list[tuple[int, str, str]]:
    """Prepare *sql* on a blank ledger, and return the actions that SQLite asked about."""
    connection, asked = blank_ledger(), list[tuple[int, str, str]]()

    def note(action: int, first: str | None, second: str | None, *_: str | None) -> int:
        asked.append((action, first or "", second or ""))
        return sqlite3.SQLITE_OK

    text, _ = positional(sql)  # what was executed has its marks already
    connection.set_authorizer(note)
    try:
        connection.execute(f"EXPLAIN {text}", [None] * text.count("?"))
    finally:
        connection.set_authorizer(None)
    return asked
