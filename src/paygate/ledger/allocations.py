"""Allocations of receipts and credit to items; never changed, but canceled by a negative twin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.domain.allocation import Allocation
from paygate.domain.money import Money
from paygate.ledger import checksums
from paygate.ledger.codec import read_instant, write_date

if TYPE_CHECKING:
    from datetime import date

    from paygate.ledger.tx import Row, Tx

_ON_ITEMS = """
SELECT item, sum(amount_minor) AS minor FROM paygate_allocation
WHERE payment = :payment AND credit IS NULL GROUP BY item
"""
_INSERT = """
INSERT INTO paygate_allocation (
  id, tenant, item, currency, amount_minor, payment, receipt, credit, cancels, prepayment,
  effective, booked_at, actor, checksum)
VALUES (
  :id, :tenant, :item, :currency, :amount, :payment, :receipt, :credit, :cancels, :prepayment,
  :effective, :at, :actor, :checksum)
"""
# An allocation stands until its negative twin is stored.
_STANDING = """
SELECT a.* FROM paygate_allocation a
WHERE a.amount_minor > 0
  AND NOT EXISTS (SELECT 1 FROM paygate_allocation t WHERE t.cancels = a.id)
"""
_STANDING_OF_PAYMENT = f"{_STANDING} AND a.payment = :payment ORDER BY a.booked_at, a.id"
_STANDING_OF_ITEM = f"{_STANDING} AND a.item = :item ORDER BY a.booked_at, a.id"
_STANDING_OF_CREDIT = f"{_STANDING} AND a.credit = :credit ORDER BY a.booked_at, a.id"
_OF_PREPAYMENT = """
SELECT coalesce(sum(amount_minor), 0) AS minor FROM paygate_allocation
WHERE prepayment = :prepayment
"""
_ORIGIN = """
SELECT max(prepayment) AS prepayment FROM paygate_allocation
WHERE payment = :payment AND item = :item
"""
_OF_ITEM = """
SELECT * FROM paygate_allocation
WHERE tenant = :tenant AND item = :item ORDER BY booked_at, id
"""
_OF_PAYMENT = """
SELECT * FROM paygate_allocation
WHERE tenant = :tenant AND payment = :payment ORDER BY booked_at, id
"""


def insert(
    tx: Tx,
    *,
    item: str,
    amount: Money,
    payment: str | None,
    effective: date,
    receipt: str | None = None,
    credit: str | None = None,
    prepayment: str | None = None,
) -> str:
    """
    Allocate money of a receipt or credit to *item*, and return the id of the allocation.

    *prepayment* is the prepayment that the money was on before.
    """
    return _write(tx, item, amount, (payment, receipt, credit, prepayment), None, effective)


def cancel(tx: Tx, allocation: Allocation, effective: date) -> str:
    """Store the negative twin of *allocation*, and return its id."""
    origin = (allocation.payment, allocation.receipt, allocation.credit, allocation.prepayment)
    return _write(tx, allocation.invoice, -allocation.amount, origin, allocation.id, effective)


def reduce(tx: Tx, allocation: Allocation, minor: int, effective: date) -> None:
    """
    Take *minor* off *allocation*.

    Allocations never change: all of it is canceled, and the rest allocated again.
    """
    cancel(tx, allocation, effective)
    rest = allocation.amount.minor - minor
    if rest:
        insert(
            tx,
            item=allocation.invoice,
            amount=Money(allocation.amount.currency, rest),
            payment=allocation.payment,
            receipt=allocation.receipt,
            credit=allocation.credit,
            prepayment=allocation.prepayment,
            effective=effective,
        )


def _write(
    tx: Tx,
    item: str,
    amount: Money,
    origin: tuple[str | None, str | None, str | None, str | None],
    cancels: str | None,
    effective: date,
) -> str:
    id_ = tx.new_id("alc")
    payment, receipt, credit, prepayment = origin
    params = {
        "id": id_,
        "tenant": tx.tenant,
        "item": item,
        "currency": amount.currency,
        "amount": amount.minor,
        "payment": payment,
        "receipt": receipt,
        "credit": credit,
        "cancels": cancels,
        "prepayment": prepayment,
        "effective": write_date(effective),
        "at": tx.at,
        "actor": tx.actor,
    }
    tx.execute(_INSERT, checksums.signed(checksums.ALLOCATION, params))
    return id_


def on_items(tx: Tx, payment: str) -> dict[str, int]:
    """Return how much of the money of a payment is allocated to each item."""
    rows = tx.all(_ON_ITEMS, {"payment": payment})
    return {row["item"]: row["minor"] for row in rows}


def standing_of_payment(tx: Tx, payment: str) -> list[Allocation]:
    """Return the standing allocations of a payment."""
    return [allocation_of(row) for row in tx.all(_STANDING_OF_PAYMENT, {"payment": payment})]


def standing_of_item(tx: Tx, item: str) -> list[Allocation]:
    """Return the standing allocations of *item*."""
    return [allocation_of(row) for row in tx.all(_STANDING_OF_ITEM, {"item": item})]


def standing_of_credit(tx: Tx, credit: str) -> list[Allocation]:
    """Return the standing allocations of a credit lot."""
    return [allocation_of(row) for row in tx.all(_STANDING_OF_CREDIT, {"credit": credit})]


def of_prepayment(tx: Tx, prepayment: str) -> int:
    """Return how much money of *prepayment* is on invoices now."""
    row = tx.one(_OF_PREPAYMENT, {"prepayment": prepayment})
    assert row is not None, "an aggregate query returns a row"
    return int(row["minor"])


def origin_of(tx: Tx, payment: str, item: str) -> str | None:
    """Return the prepayment through which money of *payment* came to *item*, or None."""
    row = tx.one(_ORIGIN, {"payment": payment, "item": item})
    assert row is not None, "an aggregate query returns a row"
    found: str | None = row["prepayment"]
    return found


def of_item(tx: Tx, item: str) -> list[Allocation]:
    """Return every allocation of *item*, including canceled ones and their twins."""
    params = {"tenant": tx.tenant, "item": item}
    return [allocation_of(row) for row in tx.all(_OF_ITEM, params)]


def of_payment(tx: Tx, payment: str) -> list[Allocation]:
    """Return every allocation of a payment, including canceled ones and their twins."""
    params = {"tenant": tx.tenant, "payment": payment}
    return [allocation_of(row) for row in tx.all(_OF_PAYMENT, params)]


def allocation_of(row: Row) -> Allocation:
    """Return the allocation of a row."""
    return Allocation(
        id=row["id"],
        invoice=row["item"],
        amount=Money(row["currency"], row["amount_minor"]),
        payment=row["payment"],
        receipt=row["receipt"],
        credit=row["credit"],
        cancels=row["cancels"],
        prepayment=row["prepayment"],
        booked_at=read_instant(row["booked_at"]),
    )
