"""Translation of SQLite errors into store errors."""

from __future__ import annotations

import sqlite3
from typing import Final

from paygate.errors import LedgerCorrupt, PaygateError, StoreBusy, StoreError, StoreFull

NOT_COMMITTED: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CONSTRAINT,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_ERROR,
    }
)
"""The codes of a failed COMMIT that mean nothing was written."""


def primary_code(error: sqlite3.Error) -> int:
    """Return the primary result code of *error*; 0 if it has none."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def translated(error: BaseException, path: str = "the ledger") -> BaseException:
    """Return the store error for an error of SQLite; return other errors unchanged."""
    if not isinstance(error, sqlite3.Error) or isinstance(error, PaygateError):
        return error
    text = f"{path}: {error}"
    match primary_code(error):
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreBusy(
                f"{text}; another transaction held the lock too long and nothing was written. If "
                "it is one of yours, open in the same request, commit it first, or lend it with "
                "within(). Otherwise try again"
            )
        case sqlite3.SQLITE_FULL:
            return StoreFull(f"{text}; this step wrote nothing, free some disk space and try again")
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return damaged(path, error)
        case sqlite3.SQLITE_CONSTRAINT:
            return LedgerCorrupt(
                f"{text}; a constraint of the ledger refused it, nothing was written"
            )
        case _:
            return StoreError(text)


def damaged(path: str, error: Exception) -> LedgerCorrupt:
    """Return the error for a file that SQLite or Python cannot read."""
    what = "text that is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
    return LedgerCorrupt(
        f"{path} is damaged ({what}); stop every process that uses it, restore it from a backup, "
        "and check the copy with paygate fsck"
    )
