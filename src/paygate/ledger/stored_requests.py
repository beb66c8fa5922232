"""The stored requests of attempts, from which a request can be sent again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paygate.ledger.tx import Tx

_INSERT = """
INSERT INTO paygate_attempt_request (attempt, tenant, customer, body)
VALUES (:id, :tenant, :customer, :body)
"""
_BODY = "SELECT body FROM paygate_attempt_request WHERE attempt = :id"
_DELETE = "DELETE FROM paygate_attempt_request WHERE attempt = :id"


def insert(tx: Tx, attempt_id: str, body: str, *, customer: str) -> None:
    """Store *body*, from which the request can be built again; it has data about *customer*."""
    params = {"id": attempt_id, "tenant": tx.tenant, "customer": customer, "body": body}
    tx.execute(_INSERT, params)
    tx.known["request", attempt_id] = body


def of_attempt(tx: Tx, attempt_id: str) -> str | None:
    """Return the stored request; None without one, "" if it was erased."""
    if ("request", attempt_id) not in tx.known:
        row = tx.one(_BODY, {"id": attempt_id})
        tx.known["request", attempt_id] = None if row is None else row["body"]
    body: str | None = tx.known["request", attempt_id]
    return body


def cache(tx: Tx, attempt_id: str, body: str | None) -> None:
    """Cache the stored request of an attempt, as read with its row."""
    tx.known["request", attempt_id] = body


def forget(tx: Tx, attempt_id: str) -> None:
    """Delete the stored request."""
    if of_attempt(tx, attempt_id) is not None:
        tx.execute(_DELETE, {"id": attempt_id})
        tx.known["request", attempt_id] = None
