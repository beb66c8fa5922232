"""How roots are locked in a PostgreSQL database: rows where there are some, else advisory locks.

A row is locked ``FOR NO KEY UPDATE``: that excludes others who lock it, and not the foreign keys
that refer to it. A customer who is not known yet has no row, so a share of all such names is
locked; when the customer is known, the row is. Shares come before rows, so that nobody who holds
a row waits for a share.

Every transaction that writes holds the ledger's own lock in a way that many can; the root of the
whole ledger is that lock held by one alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from paygate.ledger.roots import LEDGER, Root, RootKind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from paygate.ledger.postgres.session import Connection

# Any number will do, if it is the same in every process: it is the ledger's name among the
# advisory locks of its database.
_LEDGER_NAME: Final = 8099003266317905254

ENTER: Final = b"SELECT pg_advisory_xact_lock_shared(%d)" % _LEDGER_NAME
"""Wait until no transaction holds the whole ledger; the first statement of one that writes."""
ENTER_ALONE: Final = b"SELECT pg_advisory_xact_lock(%d)" % _LEDGER_NAME
"""Lock the whole ledger; the first statement of a transaction that writes while no other does."""


def entering(held: Collection[Root]) -> bytes:
    """Return the first statement of a transaction that is to hold the roots *held*."""
    return ENTER_ALONE if LEDGER in held else ENTER


_NAME: Final = b"SELECT pg_advisory_xact_lock(hashtextextended(%(name)s, 0))"
_CUSTOMER: Final = b"""
SELECT id FROM paygate_customer WHERE tenant = %(tenant)s AND id = %(id)s FOR NO KEY UPDATE
"""
_KNOWN: Final = b"SELECT id FROM paygate_customer WHERE tenant = %(tenant)s AND id = ANY(%(ids)s)"
_CUSTOMERS: Final = b"""
SELECT id FROM paygate_customer WHERE tenant = %(tenant)s AND id = ANY(%(ids)s)
ORDER BY id FOR NO KEY UPDATE
"""
_PAYMENTS: Final = b"""
SELECT id FROM paygate_payment WHERE tenant = %(tenant)s AND id = ANY(%(ids)s)
ORDER BY id FOR NO KEY UPDATE
"""


def lock(connection: Connection, roots: Sequence[Root]) -> None:
    """Lock *roots*, which are in order; the ledger is none of them."""
    customers = [root for root in roots if root.kind is RootKind.CUSTOMER]
    payments = [root.name for root in roots if root.kind is RootKind.PAYMENT]
    _lock_shares(connection, (root for root in roots if root.kind < RootKind.PAYMENT))
    if payments:
        connection.execute(_PAYMENTS, {"tenant": roots[-1].tenant, "ids": payments})
    if customers:
        _lock_customers(connection, customers)


def _lock_customers(connection: Connection, roots: Sequence[Root]) -> None:
    params: dict[str, Any] = {"tenant": roots[0].tenant, "ids": [root.name for root in roots]}
    if len(roots) == 1:
        params["id"] = roots[0].name
        if connection.execute(_CUSTOMER, params).rowcount:
            return
    rows = connection.execute(_KNOWN, params).fetchall()
    known = {row["id"] for row in rows}
    new = [root for root in roots if root.name not in known]
    _lock_shares(connection, new)
    # One of them may have become known while its share was waited for.
    connection.execute(_CUSTOMERS, params)


def _lock_shares(connection: Connection, roots: Iterable[Root]) -> None:
    queue(connection, sorted({root.share for root in roots}))


def queue(connection: Connection, names: Iterable[str]) -> None:
    """Lock *names*, in their order, until the transaction ends."""
    for name in names:
        connection.execute(_NAME, {"name": name})
