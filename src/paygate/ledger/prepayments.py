"""Prepayments: open items for an invoice to come, and the customer who owns an assignment key."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from paygate.domain.money import Money
from paygate.domain.prepayment import OnRest, Prepayment, PrepaymentStatus
from paygate.errors import PrepaymentNotFound
from paygate.ledger import checksums, claims, paging
from paygate.ledger.codec import read_instant, write_date

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from paygate.ledger.paging import Page
    from paygate.ledger.tx import Row, Tx

_INSERT_ITEM = """
INSERT INTO paygate_item (
  id, tenant, kind, number, customer, currency, total_minor, due, status, assignment_key,
  reversal, effective, issued_at, actor, checksum)
VALUES (
  :id, :tenant, 'prepayment', :number, :customer, :currency, :total, :due, 'open',
  :assignment_key, :reversal, :effective, :at, :actor, :checksum)
"""
_INSERT = """
INSERT INTO paygate_prepayment (item, on_rest, description, data, replaced_by, checksum)
VALUES (:item, :on_rest, :description, :data, :replaced_by, :checksum)
"""
_SELECT = f"""
SELECT i.*, d.on_rest, d.description, d.data,
  (SELECT v.number FROM paygate_item v WHERE v.id = d.replaced_by) AS replaced_by,
  {claims.HOLDERS}
FROM paygate_item i JOIN paygate_prepayment d ON d.item = i.id
"""
_BY_ID = f"{_SELECT} WHERE i.tenant = :tenant AND i.id = :id"
_WITH_KEY = f"""
{_SELECT}
WHERE i.tenant = :tenant AND i.kind = 'prepayment' AND i.assignment_key = :key
  AND i.currency = :currency AND i.status <> 'void'
ORDER BY i.issued_at, i.id
"""
_INVOICES_WITH_KEY = """
SELECT id FROM paygate_item INDEXED BY paygate_item_by_assignment_key
WHERE tenant = :tenant AND kind = 'invoice' AND assignment_key = :key
  AND currency = :currency AND status = 'open'
  AND total_minor - allocated_minor - written_off_minor > 0
ORDER BY due, id
"""
_SET_REPLACED = "UPDATE paygate_item SET status = :status WHERE id = :id AND status <> 'void'"
_SET_REPLACED_BY = "UPDATE paygate_prepayment SET replaced_by = :by WHERE item = :id"
_REPLACED_BY = "SELECT item FROM paygate_prepayment WHERE replaced_by = :by"
_TAKEN_BY = """
SELECT a.item FROM paygate_allocation a JOIN paygate_item i ON i.id = a.item
WHERE a.prepayment = :id AND a.amount_minor > 0 AND i.status = 'open'
ORDER BY a.booked_at DESC, a.id DESC LIMIT 1
"""
_CLOSE = """
UPDATE paygate_item SET status = 'void'
WHERE id = :id AND status IN ('open', 'replaced') AND claimed_minor = 0
"""
_MOVE = """
UPDATE paygate_item
SET allocated_minor = allocated_minor - :amount, moved_minor = moved_minor + :amount,
  credited_minor = credited_minor + :credited
WHERE id = :id
"""
_UNMOVE = "UPDATE paygate_item SET moved_minor = moved_minor - :amount WHERE id = :id"
_OWN_KEY = """
INSERT INTO paygate_assignment_key (tenant, currency, key, customer, created_at, checksum)
VALUES (:tenant, :currency, :key, :customer, :at, :checksum)
ON CONFLICT (tenant, currency, key) DO NOTHING
"""
_KEY_OWNER = """
SELECT customer FROM paygate_assignment_key
WHERE tenant = :tenant AND currency = :currency AND key = :key
"""
_OF_KIND: Final = "i.tenant = :tenant AND i.kind = 'prepayment'"
_LISTING = paging.listing(
    _SELECT,
    table="paygate_item",
    alias="i",
    at="issued_at",
    where={
        "paygate_item_prepaid": _OF_KIND,
        "paygate_item_prepaid_by_customer": f"{_OF_KIND} AND i.customer = :customer",
        "paygate_item_prepaid_by_standing": f"{_OF_KIND} AND i.standing = :standing",
        "paygate_item_by_assignment_key": f"{_OF_KIND} AND i.assignment_key = :key",
    },
    rest="i.customer = coalesce(:customer, i.customer)"
    " AND i.standing = coalesce(:standing, i.standing)",
    noun="prepayment",
    missing=PrepaymentNotFound,
)


def insert(
    tx: Tx,
    *,
    id_: str,
    customer: str,
    amount: Money,
    key: str,
    on: date,
    on_rest: OnRest,
    description: str,
    data: Mapping[str, Any],
) -> None:
    """Store a new prepayment."""
    item = {
        "id": id_,
        "tenant": tx.tenant,
        "number": id_,
        "customer": customer,
        "currency": amount.currency,
        "total": amount.minor,
        "due": write_date(on),
        "kind": "prepayment",
        "assignment_key": key,
        "reversal": None,
        "credited_minor": 0,
        "autopay": 1,
        "overdue": None,
        "method": None,
        "effective": write_date(on),
        "at": tx.at,
        "actor": tx.actor,
    }
    tx.run(_INSERT_ITEM, checksums.signed(checksums.ITEM, item))
    facts = {
        "item": id_,
        "on_rest": on_rest.value,
        "description": description,
        "data": json.dumps(data, sort_keys=True),
        "replaced_by": None,
    }
    tx.run(_INSERT, checksums.signed(checksums.PREPAYMENT, facts))


def own_key(tx: Tx, currency: str, key: str, customer: str) -> str:
    """Give *key* to *customer* unless it has an owner, and return its owner."""
    params = {
        "tenant": tx.tenant,
        "currency": currency,
        "key": key,
        "customer": customer,
        "at": tx.at,
    }
    if tx.run(_OWN_KEY, checksums.signed(checksums.ASSIGNMENT_KEY, params)):
        return customer
    return owner_of_key(tx, currency, key) or customer


def owner_of_key(tx: Tx, currency: str, key: str) -> str | None:
    """Return the customer to whom *key* belongs, or None."""
    row = tx.one(_KEY_OWNER, {"tenant": tx.tenant, "currency": currency, "key": key})
    return None if row is None else str(row["customer"])


def by_id(tx: Tx, id_: str) -> Prepayment | None:
    """Return the prepayment with this id, or None."""
    row = tx.one(_BY_ID, {"tenant": tx.tenant, "id": id_})
    return None if row is None else prepayment_of(row)


def with_key(tx: Tx, currency: str, key: str) -> list[Prepayment]:
    """Return the prepayments with this assignment key that are not closed, oldest first."""
    rows = tx.all(_WITH_KEY, {"tenant": tx.tenant, "currency": currency, "key": key})
    return [prepayment_of(row) for row in rows]


def invoices_of_key(tx: Tx, currency: str, key: str) -> list[str]:
    """Return the ids of the open invoices with this assignment key, oldest due date first."""
    rows = tx.all(_INVOICES_WITH_KEY, {"tenant": tx.tenant, "currency": currency, "key": key})
    return [row["id"] for row in rows]


def replaced_by(tx: Tx, invoice: str) -> list[str]:
    """Return the ids of the prepayments that *invoice* replaced."""
    return [row["item"] for row in tx.all(_REPLACED_BY, {"by": invoice})]


def taken_by(tx: Tx, id_: str) -> str | None:
    """Return the last invoice that took money of a prepayment and was not voided, or None."""
    row = tx.one(_TAKEN_BY, {"id": id_})
    return None if row is None else str(row["item"])


def page(
    tx: Tx,
    which: Page,
    *,
    customer: str | None,
    key: str | None,
    standing: PrepaymentStatus | None,
) -> list[Prepayment]:
    """Return one page of the prepayments, by time created; None for all."""
    index = "paygate_item_prepaid"
    if key is not None:
        index = "paygate_item_by_assignment_key"
    elif customer is not None:
        index = "paygate_item_prepaid_by_customer"
    elif standing is not None:
        index = "paygate_item_prepaid_by_standing"
    status = None if standing is None else standing.value
    rows = _LISTING.read(tx, index, which, customer=customer, standing=status, key=key)
    return [prepayment_of(row) for row in rows]


def replace(tx: Tx, id_: str, by: str | None) -> None:
    """Store the invoice that replaced a prepayment; with None, it can be paid again."""
    status = "open" if by is None else "replaced"
    tx.run(_SET_REPLACED, {"id": id_, "status": status})
    tx.run(_SET_REPLACED_BY, {"id": id_, "by": by})
    tx.linked[id_] = None
    checksums.renew(tx, checksums.PREPAYMENT, id_)


def close(tx: Tx, id_: str) -> bool:
    """Close a prepayment; return False if it is closed already, or part of it is claimed."""
    tx.linked[id_] = None
    return bool(tx.run(_CLOSE, {"id": id_}))


def move(tx: Tx, id_: str, minor: int, *, to_credit: bool = False) -> None:
    """Count *minor* as moved off a prepayment; a negative amount comes back from an invoice."""
    tx.run(_MOVE, {"id": id_, "amount": minor, "credited": minor if to_credit else 0})
    if to_credit:
        checksums.renew(tx, checksums.ITEM, id_)


def unmove(tx: Tx, id_: str, minor: int) -> None:
    """Count *minor* that had moved to an invoice as money that was taken off the prepayment."""
    tx.linked[id_] = None
    tx.run(_UNMOVE, {"id": id_, "amount": minor})


def prepayment_of(row: Row) -> Prepayment:
    """Return the prepayment of a row."""
    currency: str = row["currency"]
    allocated: int = row["allocated_minor"]
    moved: int = row["moved_minor"]
    credited: int = row["credited_minor"]
    return Prepayment(
        id=row["id"],
        customer=row["customer"],
        assignment_key=row["assignment_key"],
        amount=Money(currency, row["total_minor"]),
        paid=Money(currency, allocated + moved),
        assigned=Money(currency, moved - credited),
        credited=Money(currency, credited),
        claimed=Money(currency, row["claimed_minor"]),
        status=PrepaymentStatus(row["standing"]),
        on_rest=OnRest(row["on_rest"]),
        created_at=read_instant(row["issued_at"]),
        description=row["description"],
        data=json.loads(row["data"]),
        replaced_by=row["replaced_by"],
        claimed_by=claims.holders(row["claimed_by"]),
    )
