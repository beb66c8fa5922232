"""Translation of PostgreSQL errors into store errors.

The details that the server adds to an error (the row that violates a constraint, the duplicate
value) may hold personal data, so only its primary message is passed on.
"""

from __future__ import annotations

from typing import Final

import psycopg

from paygate.errors import LedgerCorrupt, PaygateError, StoreBusy, StoreError, StoreFull

CONFLICTS: Final = frozenset({"40001", "40P01"})
"""Rolled back because of a concurrent transaction: run it again."""

TAKEN_MEANWHILE: Final = "23505"
"""A concurrent transaction wrote the row that this one did not find: run it again."""

OUTDATED_PLAN: Final = "0A000"
"""The tables changed after this connection prepared the statement: use another connection."""

_MEANINGS: Final = {
    "53100": (StoreFull, "free some disk space and try again"),
    "55P03": (StoreBusy, "another transaction held the lock too long; if yours, commit it first"),
    "57014": (StoreBusy, "the server canceled the statement; try again"),
    "25006": (StoreError, "this server is read-only, perhaps a replica; connect to the primary"),
    "42501": (StoreError, "grant the role its privileges, or open the ledger once as the owner"),
    "42P01": (StoreError, "a table of the ledger is missing; restore it from a backup"),
}
_CLASSES: Final = {
    "40": (StoreBusy, "it kept conflicting with other transactions; try again"),
    "53": (StoreBusy, "the server is out of resources; try again"),
    "XX": (
        LedgerCorrupt,
        "stop every process that uses it, restore a backup, and check it with paygate fsck",
    ),
}


class ServerSilent(psycopg.OperationalError):
    """The server, or what is in between, keeps the connection open and does not answer."""


# libpq does not pass on the code of an error that ends the attempt to connect, only its text.
_UNREACHABLE: Final = (
    "correct what this says, or check that the server is running and reachable, and try again"
)


def translated(error: BaseException, name: str = "the ledger") -> BaseException:
    """Return the store error for an error of PostgreSQL; return other errors unchanged."""
    if not isinstance(error, psycopg.Error) or isinstance(error, PaygateError):
        return error
    text = f"{name}: {message_of(error)}"
    state = error.sqlstate or ""
    if state == TAKEN_MEANWHILE:
        return StoreBusy(
            f"{text}; another process wrote the same again and again, this step wrote nothing: "
            "try again"
        )
    if state.startswith("23"):
        return LedgerCorrupt(f"{text}; a constraint of the ledger refused it, nothing was written")
    meaning = _MEANINGS.get(state) or _CLASSES.get(state[:2])
    if isinstance(error, ServerSilent):
        meaning = (StoreBusy, "look whether the server or a proxy hangs, and try again")
    if meaning is None and is_lost(error):
        meaning = (StoreError, _UNREACHABLE)
    if meaning is None:
        return StoreError(f"{text}; this step wrote nothing")
    kind, advice = meaning
    return kind(f"{text}; this step wrote nothing: {advice}")


def message_of(error: psycopg.Error) -> str:
    """Return the primary message of the server, or the first line of psycopg's own message."""
    return error.diag.message_primary or str(error).partition("\n")[0]


def is_lost(error: psycopg.Error) -> bool:
    """Return whether the connection was lost or never established."""
    state = error.sqlstate or ""
    if state:
        return state[:2] == "08" or state[:3] == "57P"
    return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
