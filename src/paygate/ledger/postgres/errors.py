"""What the errors of PostgreSQL mean for the ledger, as errors of ours.

What the server adds to an error (the row that broke a rule, the value that is there twice) may
hold facts about a person, so only its first sentence is passed on.
"""

from __future__ import annotations

from typing import Final

import psycopg

from paygate.errors import LedgerCorrupt, PaygateError, StoreBusy, StoreError, StoreFull

CONFLICTS: Final = frozenset({"40001", "40P01"})
"""Another transaction was in the way, and this one was undone: do it again."""

TAKEN_MEANWHILE: Final = "23505"
"""Another transaction has just written what this one did not find: look again."""

OUTDATED_PLAN: Final = "0A000"
"""The tables were changed since this connection prepared the statement: take another one."""

_MEANINGS: Final = {
    "53100": (StoreFull, "make room and go on"),
    "53300": (StoreBusy, "raise max_connections, or let fewer processes in"),
    "55P03": (StoreBusy, "another transaction held it too long; if it is yours, commit it first"),
    "57014": (StoreBusy, "the server gave the statement up; try again"),
    "25006": (StoreError, "this server only reads, as a replica does; name the primary"),
    "42501": (StoreError, "grant the role what the ledger needs, or open it once as the owner"),
    "28P01": (StoreError, "correct the password in the URL of the ledger"),
    "28000": (StoreError, "correct the role in the URL of the ledger, or let it in"),
    "3D000": (StoreError, "create the database first; the ledger makes its tables in it"),
    "42P01": (StoreError, "a table of the ledger is not there; restore it from a backup"),
}
_CLASSES: Final = {
    "40": (StoreBusy, "other transactions were in the way again and again; try again"),
    "53": (StoreBusy, "the server has not the means; try again"),
    "XX": (LedgerCorrupt, "stop what uses it, restore a backup, and check it with paygate fsck"),
}
_UNREACHABLE: Final = "see that the server runs and can be reached, and try again"


def translated(error: BaseException, name: str = "the ledger") -> BaseException:
    """Return the error of ours that says what PostgreSQL said; other errors as they are."""
    if not isinstance(error, psycopg.Error) or isinstance(error, PaygateError):
        return error
    text = f"{name}: {said(error)}"
    state = error.sqlstate or ""
    if state.startswith("23"):
        return LedgerCorrupt(f"{text}; a rule of the books refused this, nothing was written")
    meaning = _MEANINGS.get(state) or _CLASSES.get(state[:2])
    if meaning is None and is_lost(error):
        meaning = (StoreError, _UNREACHABLE)
    if meaning is None:
        return StoreError(f"{text}; nothing of this step was written")
    kind, advice = meaning
    return kind(f"{text}; nothing of this step was written: {advice}")


def said(error: psycopg.Error) -> str:
    """Return the first sentence of what the server, or the library that speaks to it, said."""
    return error.diag.message_primary or str(error).partition("\n")[0]


def is_lost(error: psycopg.Error) -> bool:
    """Return whether the connection is gone, or was never had."""
    state = error.sqlstate or ""
    if state:
        return state[:2] == "08" or state[:3] == "57P"
    return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
