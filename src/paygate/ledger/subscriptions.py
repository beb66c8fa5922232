"""Subscriptions: the customers whose invoices are charged automatically."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from paygate.domain.subscription import Subscription, SubscriptionStatus
from paygate.ledger import checksums
from paygate.ledger.codec import read_instant, write_instant

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from paygate.ledger.tx import Row, Tx

_INSERT = """
INSERT INTO paygate_subscription (
  id, tenant, customer, status, since, mandate, pending, changed_at, changed_by, created_at,
  checksum)
VALUES (
  :id, :tenant, :customer, 'active', :since, :mandate, :pending, :at, :actor, :at, :checksum)
"""
_SELECT = "SELECT * FROM paygate_subscription WHERE tenant = :tenant AND customer = :customer"
_LIVE = f"{_SELECT} AND status <> 'ended'"
_LATEST = f"{_SELECT} ORDER BY created_at DESC, id DESC LIMIT 1"
_ANY_LIVE = """
SELECT 1 AS one FROM paygate_subscription INDEXED BY paygate_subscription_live
WHERE tenant = :tenant AND customer > '' AND status <> 'ended' LIMIT 1
"""
_SET_STATUS = """
UPDATE paygate_subscription
SET status = :status, revoked = :revoked, reason = :reason, changed_at = :at, changed_by = :actor
WHERE id = :id
"""
_SET_PENDING = "UPDATE paygate_subscription SET pending = :pending WHERE id = :id"
_MANDATED = """
SELECT 1 AS one FROM paygate_method m JOIN paygate_mandate a ON a.id = m.mandate
WHERE m.tenant = :tenant AND m.customer = :customer AND m.forgotten_at IS NULL
  AND a.ended_at IS NULL LIMIT 1
"""


def insert(
    tx: Tx, *, customer: str, mandate: str, since: datetime, pending: Sequence[str]
) -> Subscription:
    """Store a new subscription, which is active, and return it."""
    params = {
        "id": tx.new_id("sub"),
        "tenant": tx.tenant,
        "customer": customer,
        "status": "active",
        "since": write_instant(since),
        "mandate": mandate,
        "pending": json.dumps(list(pending)),
        "revoked": 0,
        "reason": "",
        "at": tx.at,
        "changed_at": tx.at,
        "changed_by": tx.actor,
        "created_at": tx.at,
        "actor": tx.actor,
    }
    tx.execute(_INSERT, checksums.signed(checksums.SUBSCRIPTION, params))
    found = live(tx, customer)
    assert found is not None, "it was just stored"
    return found


def live(tx: Tx, customer: str) -> Subscription | None:
    """Return the subscription of a customer that has not ended, or None."""
    row = tx.one(_LIVE, {"tenant": tx.tenant, "customer": customer})
    return None if row is None else _subscription_of(row)


def latest(tx: Tx, customer: str) -> Subscription | None:
    """Return the last subscription of a customer, even if it has ended, or None."""
    row = tx.one(_LATEST, {"tenant": tx.tenant, "customer": customer})
    return None if row is None else _subscription_of(row)


def any_live(tx: Tx) -> bool:
    """Return whether any customer has a subscription that has not ended."""
    return tx.one(_ANY_LIVE, {"tenant": tx.tenant}) is not None


def set_status(
    tx: Tx, id_: str, status: SubscriptionStatus, *, reason: str, revoked: bool = False
) -> None:
    """Store the status of a subscription, and why it changed."""
    params = {
        "id": id_,
        "status": status.value,
        "reason": reason,
        "revoked": int(revoked),
        "at": tx.at,
        "actor": tx.actor,
    }
    tx.execute(_SET_STATUS, params)
    checksums.renew(tx, checksums.SUBSCRIPTION, id_)


def add_pending(tx: Tx, subscription: Subscription, numbers: Sequence[str]) -> None:
    """Add invoices that were open when the payer agreed to a further mandate."""
    pending = dict.fromkeys([*subscription.pending, *numbers])
    tx.execute(_SET_PENDING, {"id": subscription.id, "pending": json.dumps(list(pending))})
    checksums.renew(tx, checksums.SUBSCRIPTION, subscription.id)


def is_mandated(tx: Tx, customer: str) -> bool:
    """Return whether a method of the customer can be charged without them."""
    return tx.one(_MANDATED, {"tenant": tx.tenant, "customer": customer}) is not None


def _subscription_of(row: Row) -> Subscription:
    return Subscription(
        id=row["id"],
        customer=row["customer"],
        status=SubscriptionStatus(row["status"]),
        since=read_instant(row["since"]),
        mandate=row["mandate"],
        pending=tuple(json.loads(row["pending"])),
        revoked=bool(row["revoked"]),
        reason=row["reason"],
        changed_at=read_instant(row["changed_at"]),
        changed_by=row["changed_by"],
    )
