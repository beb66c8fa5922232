"""Overdue invoices: those to announce, those that count in a campaign, and what is on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from paygate.ledger import checksums
from paygate.ledger.codec import read_date, write_date

if TYPE_CHECKING:
    from datetime import date

    from paygate.ledger.tx import Tx

_LEFT: Final = "i.total_minor - i.allocated_minor - i.written_off_minor"
_OWED: Final = f"""
i.tenant = :tenant AND i.kind = 'invoice' AND i.status = 'open' AND {_LEFT} > 0
"""
_UNTOLD: Final = f"""
SELECT i.id, i.due, i.customer FROM paygate_item i INDEXED BY paygate_item_untold
WHERE {_OWED} AND i.overdue IS NULL AND i.due < :on AND (i.due, i.id) > (:due, :after)
ORDER BY i.due, i.id LIMIT :limit
"""
_UNTOLD_OF: Final = f"""
SELECT i.id FROM paygate_item i INDEXED BY paygate_item_owed_by_customer
WHERE {_OWED} AND i.customer = :customer AND i.overdue IS NULL AND i.due < :on
ORDER BY i.due, i.id
"""
_TELL: Final = "UPDATE paygate_item SET overdue = due WHERE id = :id AND overdue IS NULL"
# An invoice for a fee does not count: neither that of a stage nor that of a reversal.
_COUNTED: Final = f"""
SELECT i.id, i.number, i.currency, i.due, i.claimed_minor, {_LEFT} AS open_minor
FROM paygate_item i INDEXED BY paygate_item_owed_by_customer
WHERE {_OWED} AND i.customer = :customer AND (i.overdue IS NOT NULL OR i.due < :untold)
  AND i.disputed = 0 AND i.reversal IS NULL
  AND NOT EXISTS (SELECT 1 FROM paygate_stage s WHERE s.fee = i.id)
ORDER BY i.due, i.id
"""
_OWNER: Final = "SELECT customer FROM paygate_item WHERE id = :id AND overdue IS NOT NULL"
_IN_REVIEW: Final = """
SELECT 1 AS one FROM paygate_payment
WHERE tenant = :tenant AND customer = :customer AND needs_review = 1 LIMIT 1
"""
_ACCOUNTS: Final = """
SELECT account FROM paygate_payment WHERE tenant = :tenant AND customer = :customer
UNION ALL SELECT account FROM paygate_method
WHERE tenant = :tenant AND customer = :customer AND forgotten_at IS NULL
"""
_CREDIT: Final = """
SELECT currency, amount_minor - used_minor - canceled_minor AS minor FROM paygate_credit
WHERE tenant = :tenant AND customer = :customer AND amount_minor - used_minor - canceled_minor <> 0
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedItem:
    """An overdue invoice that counts in a campaign; `held` says that a payment claims some."""

    id: str
    number: str
    currency: str
    due: date
    open: int
    held: bool


def untold(tx: Tx, on: date, after: tuple[str, str], limit: int) -> list[tuple[str, str, str]]:
    """Return the due date, id and customer of invoices to announce on the day *on*."""
    due, id_ = after
    params = {
        "tenant": tx.tenant,
        "on": write_date(on),
        "due": due,
        "after": id_,
        "limit": limit,
    }
    return [(row["due"], row["id"], row["customer"]) for row in tx.all(_UNTOLD, params)]


def untold_of(tx: Tx, customer: str, on: date) -> list[str]:
    """Return the ids of a customer's invoices to announce on the day *on*."""
    params = {"tenant": tx.tenant, "customer": customer, "on": write_date(on)}
    return [row["id"] for row in tx.all(_UNTOLD_OF, params)]


def tell(tx: Tx, item: str) -> bool:
    """Store that the due date of an invoice was announced as passed; False if it was before."""
    told = bool(tx.run(_TELL, {"id": item}))
    tx.known.pop(("item", item), None)
    if told:
        checksums.renew(tx, checksums.ITEM, item)
    return told


def counted(tx: Tx, customer: str, untold: date | None = None) -> list[CountedItem]:
    """
    Return the overdue invoices of a customer that count in a campaign, the oldest first.

    What was announced counts whatever a host's clock or the customer's zone says now. Those that
    were not announced yet count only if they were due before the day *untold*.
    """
    params = {
        "tenant": tx.tenant,
        "customer": customer,
        "untold": write_date(untold) or "",
    }
    return [
        CountedItem(
            id=row["id"],
            number=row["number"],
            currency=row["currency"],
            due=read_date(row["due"]),
            open=int(row["open_minor"]),
            held=int(row["claimed_minor"]) > 0,
        )
        for row in tx.all(_COUNTED, params)
    ]


def owner(tx: Tx, item: str) -> str | None:
    """Return the customer of an invoice whose due date was announced as passed, or None."""
    row = tx.one(_OWNER, {"id": item})
    return None if row is None else str(row["customer"])


def credit_of(tx: Tx, customer: str) -> dict[str, int]:
    """Return the credit of a customer less debits, by currency; what is reserved is included."""
    found: dict[str, int] = {}
    for row in tx.all(_CREDIT, {"tenant": tx.tenant, "customer": customer}):
        found[row["currency"]] = found.get(row["currency"], 0) + int(row["minor"])
    return found


def in_review(tx: Tx, customer: str) -> bool:
    """Return whether a payment of the customer is flagged for manual review."""
    return tx.one(_IN_REVIEW, {"tenant": tx.tenant, "customer": customer}) is not None


def accounts_of(tx: Tx, customer: str) -> set[str]:
    """Return the gateway accounts by which the customer has paid or can pay."""
    return {
        row["account"]
        for row in tx.all(_ACCOUNTS, {"tenant": tx.tenant, "customer": customer})
        if row["account"]
    }
