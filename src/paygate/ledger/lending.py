"""Connections that a host lends, each with an open transaction.

A host may pass a connection of SQLAlchemy, of Django or of a database driver. Neither library is
imported here: a host can pass one of its objects only after importing the library itself.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, Self, TypeAlias, cast

from paygate.errors import InvalidValue, NotAllowedHere

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

Wait: TypeAlias = "Callable[[Callable[[Any], Awaitable[Any]]], Any]"
"""Calls a function with the driver's async connection, waits for it, and returns the result."""


@dataclass(frozen=True, slots=True)
class Lent:
    """The driver's connection inside the object that the host passed."""

    driver: object
    wait: Wait | None = None
    """Waits for a call of *driver*, if it is async."""
    managed: bool = False
    """Whether a library manages the host's transaction, and ends it even if paygate begins it."""


def lent(connection: object) -> Lent:
    """
    Return the driver's connection inside *connection*.

    Raise `InvalidValue` if it is not a connection, and `NotAllowedHere` if its library has no open
    transaction: nobody would commit the work.
    """
    if _is_a(connection, "sqlalchemy.engine", "Connection"):
        return _of_sqlalchemy(connection)
    if _is_a(connection, "django.db.backends.base.base", "BaseDatabaseWrapper") or _is_a(
        connection, "django.utils.connection", "ConnectionProxy"
    ):
        return _of_django(connection)
    for module, name, advice in _INSTEAD:
        if _is_a(connection, module, name):
            article = "a" if name == "Session" else "an"
            raise InvalidValue(
                f"connection: this is {article} {name}; {advice}", argument="connection"
            )
    return Lent(connection)


def not_of(database: str, driver: object, wanted: str) -> InvalidValue:
    """Return the error for a connection that is not of the ledger's *database*."""
    kind = type(driver)
    if driver is None or kind.__module__ == "builtins":
        given = "None" if driver is None else f"a {kind.__name__}"
    else:
        given = f"a {kind.__qualname__} of {kind.__module__.partition('.')[0]}"
    return InvalidValue(
        f"connection: the ledger is on {database}, but this is {given}; lend {wanted}, or a "
        "connection of SQLAlchemy or Django that uses one",
        argument="connection",
    )


_INSTEAD: Final = (
    (
        "sqlalchemy.ext.asyncio",
        "AsyncConnection",
        "lend its sync connection: await connection.run_sync(lambda lent: cashier.within(lent)…)",
    ),
    (
        "sqlalchemy.ext.asyncio",
        "AsyncSession",
        "lend its connection: await session.run_sync(lambda of: cashier.within(of.connection())…)",
    ),
    ("sqlalchemy.orm", "Session", "lend session.connection()"),
    ("sqlalchemy.engine", "Engine", "lend the connection that engine.begin() returns"),
    (
        "psycopg",
        "AsyncConnection",
        "lend a psycopg.Connection, or a connection of an async SQLAlchemy engine through run_sync",
    ),
)
"""Objects that cannot be lent, and what to lend instead."""


def _is_a(value: object, module: str, name: str) -> bool:
    """Return whether *value* is an instance of a class of a module, without importing it."""
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
            "Django will roll this transaction back, because an operation in it failed; leave the "
            "atomic() block and begin again"
        )
    connection.ensure_connection()
    return Lent(connection.connection, managed=True)


# --- Async drivers, used synchronously ----------------------------------------------------------


class AsyncCursor(Protocol):
    """The common interface of the cursors of async drivers."""

    rowcount: int
    description: Any

    def execute(self, sql: Any, params: Any = ..., /) -> Awaitable[Any]:
        """Execute a statement."""
        ...

    def executemany(self, sql: Any, params: Any, /) -> Awaitable[Any]:
        """Execute a statement once for each of *params*."""
        ...

    def fetchmany(self, size: int, /) -> Awaitable[Any]:
        """Return the next rows."""
        ...

    def fetchall(self) -> Awaitable[Any]:
        """Return all rows that are left."""
        ...

    def close(self) -> Awaitable[Any]:
        """Release the cursor's resources."""
        ...


class AwaitedCursor:
    """A synchronous cursor that wraps the cursor of an async driver."""

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
        """The number of rows that the last statement changed."""
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
