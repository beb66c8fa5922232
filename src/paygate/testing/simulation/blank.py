"""A blank ledger in memory, to copy from and to prepare statements on."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from paygate.ledger.sqlite import SqliteStore

if TYPE_CHECKING:
    import sqlite3


_FOR_TESTS = "INSERT INTO paygate_meta (name, value) VALUES ('mode', 'test')"


class _Blank(SqliteStore):
    @property
    def connection(self) -> sqlite3.Connection:
        return self._writer()


@cache
def _blank() -> _Blank:
    store = _Blank(":memory:")
    store.connection.execute(_FOR_TESTS)
    return store


def blank_ledger() -> sqlite3.Connection:
    """Return the connection of the blank ledger, which must not be changed."""
    return _blank().connection
