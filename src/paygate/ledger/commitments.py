"""Commitments of customers: what they have agreed to, and until when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from paygate.domain.commitment import Commitment, CommitmentStatus, OnDefault, months_after
from paygate.ledger import checksums
from paygate.ledger.codec import read_date, read_date_or_none, read_instant, write_date

if TYPE_CHECKING:
    from datetime import date

    from paygate.ledger.tx import Row, Tx

_INSERT: Final = """
INSERT INTO paygate_commitment (
  id, tenant, customer, name, terms, start_on, months, end_on, on_default, status, ended_on,
  reason, created_at, actor, checksum)
VALUES (
  :id, :tenant, :customer, :name, :terms, :start_on, :months, :end_on, :on_default, :status,
  :ended_on, :reason, :created_at, :actor, :checksum)
"""
_BY_ID: Final = "SELECT * FROM paygate_commitment WHERE tenant = :tenant AND id = :id"
_OF: Final = """
SELECT * FROM paygate_commitment WHERE tenant = :tenant AND customer = :customer
ORDER BY created_at, id
"""
_END: Final = """
UPDATE paygate_commitment SET status = :status, ended_on = :ended_on, reason = :reason
WHERE id = :id
"""
_DUE: Final = """
SELECT c.id, c.end_on, c.customer FROM paygate_commitment c
WHERE c.tenant = :tenant AND c.status = 'active' AND c.end_on <= :on
  AND (c.end_on, c.id) > (:end_on, :after)
ORDER BY c.end_on, c.id LIMIT :limit
"""


def insert(
    tx: Tx,
    *,
    id_: str,
    customer: str,
    name: str,
    terms: str,
    start: date,
    months: int,
    on_default: OnDefault,
) -> Commitment:
    """Store a commitment, and return it."""
    params: dict[str, Any] = {
        "id": id_,
        "tenant": tx.tenant,
        "customer": customer,
        "name": name,
        "terms": terms,
        "start_on": write_date(start),
        "months": months,
        "end_on": write_date(months_after(start, months)),
        "on_default": on_default.value,
        "status": "active",
        "ended_on": None,
        "reason": "",
        "created_at": tx.at,
        "actor": tx.actor,
    }
    tx.execute(_INSERT, checksums.signed(checksums.COMMITMENT, params))
    found = by_id(tx, id_)
    assert found is not None, "it was just stored"
    return found


def by_id(tx: Tx, id_: str) -> Commitment | None:
    """Return the commitment with this id, or None."""
    row = tx.one(_BY_ID, {"tenant": tx.tenant, "id": id_})
    return None if row is None else _commitment_of(row)


def of_customer(tx: Tx, customer: str) -> list[Commitment]:
    """Return the commitments of a customer, the oldest first."""
    rows = tx.all(_OF, {"tenant": tx.tenant, "customer": customer})
    return [_commitment_of(row) for row in rows]


def end(tx: Tx, id_: str, status: CommitmentStatus, on: date, reason: str) -> None:
    """Store that a commitment has ended or was terminated."""
    params = {"id": id_, "status": status.value, "ended_on": write_date(on), "reason": reason}
    tx.execute(_END, params)
    checksums.renew(tx, checksums.COMMITMENT, id_)


def due(tx: Tx, on: date, after: tuple[str, str], limit: int) -> list[tuple[str, str, str]]:
    """Return the end, id and customer of commitments whose term is over on the day *on*."""
    end_on, id_ = after
    params = {
        "tenant": tx.tenant,
        "on": write_date(on),
        "end_on": end_on,
        "after": id_,
        "limit": limit,
    }
    return [(row["end_on"], row["id"], row["customer"]) for row in tx.all(_DUE, params)]


def _commitment_of(row: Row) -> Commitment:
    return Commitment(
        id=row["id"],
        customer=row["customer"],
        name=row["name"],
        terms=row["terms"],
        start=read_date(row["start_on"]),
        months=int(row["months"]),
        on_default=OnDefault(row["on_default"]),
        status=CommitmentStatus(row["status"]),
        created_at=read_instant(row["created_at"]),
        ended_on=read_date_or_none(row["ended_on"]),
        reason=row["reason"],
    )
