"""What the errors of SQLite mean for the ledger, as errors of ours."""

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
"""The codes of a COMMIT that failed after which nothing was written."""


def primary_code(error: sqlite3.Error) -> int:
    """Return the code of *error* without what SQLite adds to it; 0 if it has none."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def translated(error: BaseException, path: str = "the ledger") -> BaseException:
    """Return the error of ours that says what SQLite said; other errors as they are."""
    if not isinstance(error, sqlite3.Error) or isinstance(error, PaygateError):
        return error
    text = f"{path}: {error}"
    match primary_code(error):
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreBusy(
                f"{text}; another transaction held it too long and nothing was written. Perhaps "
                "it is one of yours, open in the same request: commit it first, or lend it with "
                "within(). Otherwise try again"
            )
        case sqlite3.SQLITE_FULL:
            return StoreFull(f"{text}; nothing of this step was written, make room and go on")
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return damaged(path, error)
        case sqlite3.SQLITE_CONSTRAINT:
            return LedgerCorrupt(f"{text}; a rule of the books refused this, nothing was written")
        case _:
            return StoreError(text)


def damaged(path: str, error: Exception) -> LedgerCorrupt:
    """Return the error of a file that SQLite, or Python, cannot read."""
    what = "text that is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
    return LedgerCorrupt(
        f"{path} is damaged ({what}); stop what uses it, restore it from a backup, and check the "
        "copy with paygate fsck"
    )
