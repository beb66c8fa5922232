"""The store of a cashier, for tests that look inside it."""

from paygate import AsyncCashier, Cashier
from paygate.ledger.sqlite import SqliteStore


def sqlite_of(face: Cashier | AsyncCashier) -> SqliteStore:
    store = face._store
    assert isinstance(store, SqliteStore)
    return store
