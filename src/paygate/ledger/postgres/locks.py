"""Locking of roots in a PostgreSQL database: by rows if they exist, else by advisory locks.

A row is locked ``FOR NO KEY UPDATE``, which excludes other lockers but not the checks of foreign
keys that refer to it. A new customer has no row yet, so an advisory lock is taken that stands for a
share of all unknown ids. These are taken before rows, so that no transaction that has locked a row
waits for one.

Each transaction that writes also takes the ledger's own advisory lock: shared, or exclusively to
lock the whole ledger.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from paygate.ledger.roots import LEDGER, Root, RootKind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from paygate.ledger.postgres.channel import Statements
    from paygate.ledger.roots import Owned

# The number identifies the ledger among the advisory locks of its database. It is arbitrary, but
# the same in every process.
_LEDGER_NAME: Final = 8099003266317905254

ENTER: Final = b"SELECT pg_advisory_xact_lock_shared(%d)" % _LEDGER_NAME
"""The first statement of a transaction that writes: wait while the whole ledger is locked."""
ENTER_ALONE: Final = b"SELECT pg_advisory_xact_lock(%d)" % _LEDGER_NAME
"""The same for a transaction that locks the whole ledger."""


def entering(held: Collection[Root]) -> bytes:
    """Return the first statement of a transaction that locks the roots *held*."""
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


_PAYMENT_OF: Final[Mapping[Owned, str]] = {
    "payment": "paygate_payment p WHERE p.tenant = :tenant AND p.id = :id",
    "attempt": (
        "paygate_attempt a JOIN paygate_payment p ON p.id = a.payment "
        "WHERE a.tenant = :tenant AND a.id = :id"
    ),
}
_OWNERS: Final[Mapping[Owned, str]] = {
    "invoice": """
        SELECT customer AS id FROM paygate_item
        WHERE tenant = :tenant AND kind = 'invoice' AND number = :id
        UNION SELECT customer FROM paygate_item WHERE tenant = :tenant AND id = :id
    """,
    **{
        noun: f"""
        SELECT p.customer AS id FROM {found}
        UNION SELECT p.payer FROM {found} AND p.payer <> ''
        """
        for noun, found in _PAYMENT_OF.items()
    },
}
OWNERS: Final[Mapping[Owned, str]] = {
    noun: f"""
    WITH owner AS MATERIALIZED ({owners})
    SELECT c.id, (SELECT count(*) FROM owner) AS owners FROM paygate_customer c
    WHERE c.tenant = :tenant AND c.id = ANY (ARRAY(SELECT id FROM owner))
    ORDER BY c.id FOR NO KEY UPDATE
    """
    for noun, owners in _OWNERS.items()
}
"""Statements that find the customers of something, lock their rows, and return them."""


def lock(on: Statements, roots: Sequence[Root]) -> None:
    """Lock *roots*, given in order and without the ledger, until the transaction ends."""
    customers = [root for root in roots if root.kind is RootKind.CUSTOMER]
    payments = [root.name for root in roots if root.kind is RootKind.PAYMENT]
    _lock_shares(on, (root for root in roots if root.kind < RootKind.PAYMENT))
    if payments:
        on.send(_PAYMENTS, {"tenant": roots[-1].tenant, "ids": payments})
    if customers:
        _lock_customers(on, customers)


def _lock_customers(on: Statements, roots: Sequence[Root]) -> None:
    params: dict[str, Any] = {"tenant": roots[0].tenant, "ids": [root.name for root in roots]}
    if len(roots) == 1:
        params["id"] = roots[0].name
        if on.count(_CUSTOMER, params):
            return
    known = {row["id"] for row in on.rows(_KNOWN, params)}
    new = [root for root in roots if root.name not in known]
    _lock_shares(on, new)
    # Some of them may have been created while this transaction waited for their share.
    on.send(_CUSTOMERS, params)


def _lock_shares(on: Statements, roots: Iterable[Root]) -> None:
    queue(on, sorted({root.share for root in roots}))


def queue(on: Statements, names: Iterable[str]) -> None:
    """Lock *names*, in the given order, until the transaction ends."""
    for name in names:
        on.send(_NAME, {"name": name})
