"""What a host may lend: a connection of its own, with a transaction open on it.

Hosts hold connections of SQLAlchemy and of Django as well as those of the drivers. Neither library
is imported here: an object of theirs can only be given if its module has been imported.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, Self, TypeAlias, cast

from paygate.errors import InvalidValue, NotAllowedHere

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

Wait: TypeAlias = "Callable[[Callable[[Any], Awaitable[Any]]], Any]"
"""Calls a function with the driver's async connection, waits, and returns the result."""


@dataclass(frozen=True, slots=True)
class Lent:
    """A connection as its driver knows it, out of whatever the host holds."""

    driver: object
    wait: Wait | None = None
    """How to wait for what *driver* does, if it is async."""
    managed: bool = False
    """Whether a library knows of the host's transaction and ends it, whoever begins it."""


def lent(connection: object) -> Lent:
    """
    Return the driver's connection out of *connection*.

    Raise `InvalidValue` for what is no connection, and `NotAllowedHere` if the library that it
    belongs to knows of no transaction: what was done then would end with nobody's commit.
    """
    if _is_a(connection, "sqlalchemy.engine", "Connection"):
        return _of_sqlalchemy(connection)
    if _is_a(connection, "django.db.backends.base.base", "BaseDatabaseWrapper") or _is_a(
        connection, "django.utils.connection", "ConnectionProxy"
    ):
        return _of_django(connection)
    for module, name, advice in _INSTEAD:
        if _is_a(connection, module, name):
            raise InvalidValue(f"connection: this is an {name}; {advice}", argument="connection")
    return Lent(connection)


def not_of(database: str, driver: object, wanted: str) -> InvalidValue:
    """Return the error of a connection that is not one of the ledger's *database*."""
    kind = type(driver)
    if driver is None or kind.__module__ == "builtins":
        given = "None" if driver is None else f"a {kind.__name__}"
    else:
        given = f"a {kind.__qualname__} of {kind.__module__.partition('.')[0]}"
    return InvalidValue(
        f"connection: the ledger is on {database}, and this is {given}; lend {wanted}, or the "
        "connection of SQLAlchemy or Django that uses one",
        argument="connection",
    )


_INSTEAD: Final = (
    (
        "sqlalchemy.ext.asyncio",
        "AsyncConnection",
        "lend what it runs on: await connection.run_sync(lambda lent: cashier.within(lent)…)",
    ),
    (
        "sqlalchemy.ext.asyncio",
        "AsyncSession",
        "lend its connection: await session.run_sync(lambda of: cashier.within(of.connection())…)",
    ),
    ("sqlalchemy.orm", "Session", "lend session.connection()"),
    ("sqlalchemy.engine", "Engine", "lend the connection that engine.begin() gives"),
    (
        "psycopg",
        "AsyncConnection",
        "lend a psycopg.Connection, or an async engine of SQLAlchemy through run_sync",
    ),
)
"""What hosts hold as well, and what to lend instead."""


def _is_a(value: object, module: str, name: str) -> bool:
    """Return whether *value* is of a class of a module, which is not imported for this."""
    found = sys.modules.get(module)
    kind = None if found is None else getattr(found, name, None)
    return isinstance(kind, type) and isinstance(value, kind)


def _of_sqlalchemy(connection: Any) -> Lent:
    if connection.closed or connection.invalidated or not connection.in_transaction():
        raise NotAllowedHere(
            "SQLAlchemy has no transaction open on this connection; use engine.begin(), or "
            "connection.begin() before within()"
        )
    pooled = connection.connection
    adapted, driver = pooled.dbapi_connection, pooled.driver_connection
    return Lent(driver, None if adapted is driver else adapted.run_async, managed=True)


def _of_django(connection: Any) -> Lent:
    if connection.get_autocommit() and not connection.in_atomic_block:
        raise NotAllowedHere(
            "Django has no transaction open on this connection; call within() inside "
            "transaction.atomic()"
        )
    if connection.needs_rollback:
        raise NotAllowedHere(
            "Django will roll this transaction back, because something in it failed; leave the "
            "atomic() block and begin again"
        )
    connection.ensure_connection()
    return Lent(connection.connection, managed=True)


# --- A driver that is async, used through what waits for it -------------------------------------


class AsyncCursor(Protocol):
    """What the cursors of async drivers have in common."""

    rowcount: int
    description: Any

    def execute(self, sql: Any, params: Any = ..., /) -> Awaitable[Any]:
        """Execute a statement."""
        ...

    def executemany(self, sql: Any, params: Any, /) -> Awaitable[Any]:
        """Execute a statement several times."""
        ...

    def fetchmany(self, size: int, /) -> Awaitable[Any]:
        """Return the next rows."""
        ...

    def fetchall(self) -> Awaitable[Any]:
        """Return all rows that are left."""
        ...

    def close(self) -> Awaitable[Any]:
        """Release what the cursor holds."""
        ...


class AwaitedCursor:
    """A cursor of an async driver, with the functions of one that is not."""

    def __init__(self, cursor: AsyncCursor, wait: Wait) -> None:
        self._cursor = cursor
        self._wait = wait
        self.itersize = 500

    def __setattr__(self, name: str, value: object) -> None:
        if name == "row_factory":
            cast("Any", self._cursor).row_factory = value
        else:
            super().__setattr__(name, value)

    @property
    def rowcount(self) -> int:
        """How many rows the last statement changed."""
        return self._cursor.rowcount

    @property
    def description(self) -> Any:
        """The columns of the last query."""
        return self._cursor.description

    def execute(self, sql: Any, params: Any = None) -> AwaitedCursor:
        """Execute a statement and return this cursor."""
        given = (sql,) if params is None else (sql, params)
        self._wait(lambda _: self._cursor.execute(*given))
        return self

    def executemany(self, sql: Any, params: Any) -> None:
        """Execute a statement once for each of *params*."""
        self._wait(lambda _: self._cursor.executemany(sql, params))

    def fetchone(self) -> Any:
        """Return the next row, or None."""
        rows = self._wait(lambda _: self._cursor.fetchmany(1))
        return rows[0] if rows else None

    def fetchall(self) -> Sequence[Any]:
        """Return all rows that are left."""
        return list(self._wait(lambda _: self._cursor.fetchall()))

    def __iter__(self) -> Iterator[Any]:
        while rows := self._wait(lambda _: self._cursor.fetchmany(self.itersize)):
            yield from rows

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._wait(lambda _: self._cursor.close())
