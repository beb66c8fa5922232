"""Which database a URL names, and the store that speaks its dialect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from paygate.errors import InvalidValue, UnsupportedDatabase
from paygate.ledger.store import BUSY_S

if TYPE_CHECKING:
    from paygate.ledger.store import Store

_NOT_BUILT_YET: Final = ("postgresql", "postgres")


def open_store(url: str, *, busy_s: float = BUSY_S) -> Store:
    """
    Open the ledger at *url*, made if it is not there.

    ``sqlite:///file.db`` is a file relative to the working directory, ``sqlite:////abs/file.db``
    an absolute one, ``sqlite://`` a ledger in memory. Raise `UnsupportedDatabase` for a database
    that has no dialect yet, `InvalidValue` for what is no such URL, or a `StoreError`.
    """
    path = _file_of(url)
    if path is not None:
        from paygate.ledger.sqlite import MEMORY, SqliteStore

        return SqliteStore(path or MEMORY, busy_s=busy_s)
    scheme = url.partition("://")[0] if "://" in url else ""
    del url  # a password may be in it, and a traceback shows the locals of each frame
    if scheme in _NOT_BUILT_YET:
        raise UnsupportedDatabase(
            "the ledger on PostgreSQL is not built yet; use sqlite:///payments.db", scheme=scheme
        )
    del scheme
    raise InvalidValue(
        "a ledger is opened by a URL such as sqlite:///payments.db "
        "(three slashes: relative to here; four: from the root; two: in memory)"
    )


def _file_of(url: str) -> str | None:
    """Return the file that *url* names, empty in memory; None if it is no URL of SQLite."""
    rest = url.removeprefix("sqlite://")
    return rest[1:] if rest != url and rest[:1] in ("", "/") else None
