"""The stored request of an attempt: what is needed to send it once more."""

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
    """Store *body*, from which the request can be built again; it has facts about *customer*."""
    params = {"id": attempt_id, "tenant": tx.tenant, "customer": customer, "body": body}
    tx.run(_INSERT, params)
    tx.known["request", attempt_id] = body


def of_attempt(tx: Tx, attempt_id: str) -> str | None:
    """Return what is needed to send the request again; None if it cannot be, "" if erased."""
    if ("request", attempt_id) not in tx.known:
        row = tx.one(_BODY, {"id": attempt_id})
        tx.known["request", attempt_id] = None if row is None else row["body"]
    body: str | None = tx.known["request", attempt_id]
    return body


def read_with(tx: Tx, attempt_id: str, body: str | None) -> None:
    """Remember the stored request of an attempt, which was read with its row."""
    tx.known["request", attempt_id] = body


def forget(tx: Tx, attempt_id: str) -> None:
    """Delete what was needed to send the request again."""
    if of_attempt(tx, attempt_id) is not None:
        tx.run(_DELETE, {"id": attempt_id})
        tx.known["request", attempt_id] = None
