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


def of_attempt(tx: Tx, attempt_id: str) -> str | None:
    """Return what is needed to send the request again; None if it cannot be, "" if erased."""
    row = tx.one(_BODY, {"id": attempt_id})
    return None if row is None else str(row["body"])


def forget(tx: Tx, attempt_id: str) -> None:
    """Delete what was needed to send the request again."""
    tx.run(_DELETE, {"id": attempt_id})
