"""Opening the two sides of a copy by their URLs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.domain.secret import Sealed
from paygate.errors import InvalidValue, MissingExtra
from paygate.ledger.dialects import file_of, is_postgres

if TYPE_CHECKING:
    from paygate.ledger.copying.side import Side


def open_side(url: Sealed[str], busy_s: float, *, target: bool) -> Side:
    """Open the ledger at *url* as the source of a copy, or as its *target*."""
    what = "target" if target else "source"
    if is_postgres(url.open()):
        return _open_postgres(url, busy_s)
    path = file_of(url.open())
    if not path:
        raise InvalidValue(
            f"{what} must be the URL of a file or of PostgreSQL, such as sqlite:///payments.db or "
            "postgresql://role@host/database",
            argument=what,
        )
    from paygate.ledger.copying.sqlite_side import SqliteSide

    return SqliteSide(path, busy_s, target=target)


def _open_postgres(url: Sealed[str], busy_s: float) -> Side:
    try:
        from paygate.ledger.copying.postgres_side import PostgresSide
    except ImportError as error:
        raise MissingExtra(
            "a ledger on PostgreSQL requires psycopg; install paygate-sdk[postgres]",
            extra="postgres",
        ) from error
    return PostgresSide(url, busy_s)
