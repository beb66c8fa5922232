"""Opening the store that a database URL names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from paygate.domain.secret import Sealed
from paygate.errors import InvalidValue, MissingExtra
from paygate.ledger.store import BUSY_S, CONNECTIONS_MAX

if TYPE_CHECKING:
    from paygate.ledger.store import Store

_POSTGRES: Final = ("postgresql://", "postgres://")


def open_store(
    url: str, *, busy_s: float = BUSY_S, connections_max: int = CONNECTIONS_MAX
) -> Store:
    """
    Open the ledger at *url*; create it if it does not exist.

    ``sqlite:///file.db`` is a file relative to the working directory, ``sqlite:////abs/file.db``
    an absolute path, ``sqlite://`` a ledger in memory. ``postgresql://role@host/database`` is on a
    server and accepts the parameters of libpq. Raise `InvalidValue` for any other URL,
    `MissingExtra` if psycopg is not installed, or a `StoreError`.
    """
    path = file_of(url)
    if path is not None:
        from paygate.ledger.sqlite import MEMORY, SqliteStore

        return SqliteStore(path or MEMORY, busy_s=busy_s)
    postgres = Sealed(url) if is_postgres(url) else None
    del url  # it may contain a password, and tracebacks can show local variables
    if postgres is not None:
        return _open_postgres(postgres, busy_s, connections_max)
    raise InvalidValue(
        "a ledger is opened by a URL such as sqlite:///payments.db "
        "(three slashes: a relative path; four: an absolute path; two: in memory) "
        "or postgresql://role@host/database"
    )


def _open_postgres(url: Sealed[str], busy_s: float, connections_max: int) -> Store:
    try:
        from paygate.ledger.postgres.store import PostgresStore
    except ImportError as error:
        raise MissingExtra(
            "a ledger on PostgreSQL requires psycopg; install paygate-sdk[postgres]",
            extra="postgres",
        ) from error
    return PostgresStore(url.open(), busy_s=busy_s, connections_max=connections_max)


def is_postgres(url: str) -> bool:
    """Return whether *url* names a database of PostgreSQL."""
    return url.startswith(_POSTGRES)


def file_of(url: str) -> str | None:
    """Return the file that *url* names, "" for memory; None if it is not a SQLite URL."""
    rest = url.removeprefix("sqlite://")
    return rest[1:] if rest != url and rest[:1] in ("", "/") else None
