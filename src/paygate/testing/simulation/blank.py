"""A blank ledger in memory: to copy from, and to ask SQLite about statements."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from paygate.ledger.sqlite import SqliteStore

if TYPE_CHECKING:
    import sqlite3


class _Blank(SqliteStore):
    @property
    def connection(self) -> sqlite3.Connection:
        return self._writer()


@cache
def _blank() -> _Blank:
    return _Blank(":memory:")


def blank_ledger() -> sqlite3.Connection:
    """Give the connection of the blank ledger, which stays as it is."""
    return _blank().connection
