"""The store of a cashier: for tests that look inside it, and for those that run on PostgreSQL too.

With ``--postgres`` (see `tests.on_postgres`) a ledger that a test opens on SQLite, in a file or
in memory, is a database of a PostgreSQL server, so that the same tests run on both. What looks
into the file of a ledger, or is about SQLite, has the mark ``sqlite`` and is left out there.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import pytest

from paygate import AsyncCashier, Cashier
from paygate.ledger import dialects
from paygate.ledger.sqlite import SqliteStore
from paygate.ledger.store import BUSY_S, Store
from paygate.ledger.tx import Row
from tests.support.postgres_server import Server

TEMPLATE = "ledger"

# As it was when its tables were made: nothing in them, and each number to be given again.
_TABLES = """
SELECT string_agg('DELETE FROM ' || relname, ';' ORDER BY relname) FROM pg_class
WHERE relname LIKE 'paygate_%' AND relkind = 'r' AND relname <> 'paygate_meta'
"""
_SEQUENCES = """
SELECT string_agg('ALTER SEQUENCE ' || relname || ' RESTART', ';' ORDER BY relname) FROM pg_class
WHERE relname LIKE 'paygate_%' AND relkind = 'S'
"""
_COUNTS = "SELECT name FROM paygate_row_count WHERE shard = 0"


def sqlite_of(face: Cashier | AsyncCashier) -> SqliteStore:
    store = face._store
    assert isinstance(store, SqliteStore)
    return store


def rows_of(cashier: Cashier, sql: str, **params: Any) -> Sequence[Row]:
    """Read rows of a ledger, on whatever store it is."""
    return cashier._store.read(cashier._context, lambda tx: tx.all(sql, params))


class Databases:
    """Databases of a server with an empty ledger in each; they are emptied and used again."""

    def __init__(self, server: Server, template: str = TEMPLATE) -> None:
        self.server = server
        self._template = template
        self._made = 0
        self._free: list[str] = []
        self._used: dict[str, str] = {}
        server.create(template)
        dialects.open_store(server.url(template)).close()
        with closing(server.connect(template)) as connection:
            self.emptying = self._statements(connection).encode()
            """The statements that empty a ledger."""

    def url(self, file: str) -> str:
        """Return the URL of the database that stands for a *file* in this test."""
        if file not in self._used:
            self._used[file] = self._free.pop() if self._free else self._make()
        return self.server.url(self._used[file])

    def empty(self, *files: str) -> None:
        """Empty what a test has used: the databases that stand for these *files*, or all."""
        for file in files or tuple(self._used):
            database = self._used.pop(file, None)
            if database is not None:
                with closing(self.server.connect(database)) as connection:
                    connection.execute(self.emptying)
                self._free.append(database)

    def _make(self) -> str:
        self._made += 1
        database = f"{self._template}_{self._made}"
        self.server.create(database, self._template)
        return database

    def _statements(self, connection: Any) -> str:
        names = [row[0] for row in connection.execute(_COUNTS)]
        zeros = ", ".join(f"('{name}', 0, 0)" for name in sorted(names))
        [[deletions], [restarts]] = [
            connection.execute(sql).fetchone() for sql in (_TABLES, _SEQUENCES)
        ]
        return (
            f"BEGIN; SET LOCAL session_replication_role = replica; {deletions};"
            "DELETE FROM paygate_meta WHERE name <> 'schema';"
            f"INSERT INTO paygate_row_count (name, shard, written) VALUES {zeros};"
            f"{restarts}; COMMIT"
        )


@contextmanager
def on_postgres(databases: Databases, patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep what is opened on SQLite meanwhile in *databases*."""
    real, in_memory = dialects.open_store, iter(range(1_000_000))
    opened: list[Store] = []

    def open_store(url: str, *, busy_s: float = BUSY_S, connections_max: int = 10) -> Store:
        file = re.fullmatch(r"sqlite://(?:/(.*))?", url)
        if file is None:
            return real(url, busy_s=busy_s, connections_max=connections_max)
        if file[1]:
            opened.append(real(databases.url(file[1]), busy_s=busy_s))
            return opened[-1]
        name = f"in memory {next(in_memory)}"
        store = real(databases.url(name), busy_s=busy_s)
        opened.append(store)
        close = store.close

        def close_and_empty() -> None:
            close()
            databases.empty(name)

        patch.setattr(store, "close", close_and_empty)
        return store

    patch.setattr(dialects, "open_store", open_store)
    try:
        yield
    finally:
        # A test that forgets a cashier keeps no connections; the server has only so many.
        for each in opened:
            each.close()
        databases.empty()
