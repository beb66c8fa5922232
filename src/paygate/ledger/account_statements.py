"""Account statements: the postings that change what a customer owes, entry by entry.

A customer owes what is open on invoices, less the credit, the prepaid money and the money in
suspense that the merchant owes them. An entry that only moves an amount between these, such as an
invoice that takes a prepayment, is no line. Lines are in the order in which they were booked, so
what a statement says of a past period stays as it is: what is booked later, with whatever date, is
on a later one.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Final

from paygate.domain.money import Money
from paygate.domain.movement import MovementKind
from paygate.domain.statement import StatementKind, StatementLine
from paygate.ledger.codec import read_date, read_instant
from paygate.ledger.posting import LedgerAccount

if TYPE_CHECKING:
    from paygate.ledger.tx import Row, Tx

_OWED: Final = ", ".join(
    f"'{each}'"
    for each in (
        LedgerAccount.RECEIVABLE,
        LedgerAccount.CUSTOMER_CREDIT,
        LedgerAccount.PREPAYMENT,
        LedgerAccount.SUSPENSE,
    )
)
_BOOKED: Final = f"""
FROM paygate_posting p INDEXED BY paygate_posting_by_customer
WHERE p.tenant = :tenant AND p.customer = :customer AND p.currency = :currency
  AND p.ledger_account IN ({_OWED})
"""
_BALANCE = f"SELECT coalesce(sum(p.amount_minor), 0) AS minor {_BOOKED} AND p.booked_at < :before"
_UP_TO = f"""
SELECT coalesce(sum(p.amount_minor), 0) AS minor {_BOOKED}
  AND (p.booked_at, p.entry) <= (:at, :entry)
"""
_LINES = f"""
SELECT l.*, r.kind AS receipt_kind, r.number AS receipt_number, r.host_number,
  i.number AS item_number, y.short_reference
FROM (
  SELECT p.booked_at, p.entry, min(p.effective) AS effective, sum(p.amount_minor) AS minor,
    max(p.item) AS item, max(p.payment) AS payment
  {_BOOKED} AND (p.booked_at, p.entry) > (:at, :entry) AND p.booked_at < :until
  GROUP BY p.booked_at, p.entry HAVING sum(p.amount_minor) <> 0
  ORDER BY p.booked_at, p.entry LIMIT :limit) AS l
LEFT JOIN paygate_receipt r ON r.id = l.entry
LEFT JOIN paygate_item i ON i.id = l.item
LEFT JOIN paygate_payment y ON y.id = l.payment
"""
_SEPARATOR: Final = " "
_OF_MONEY: Final = {
    MovementKind.CHARGE: StatementKind.PAYMENT,
    MovementKind.CAPTURE: StatementKind.PAYMENT,
    MovementKind.VOID: StatementKind.REFUND,
    MovementKind.REFUND: StatementKind.REFUND,
    MovementKind.REFUND_FAILED: StatementKind.GIVEN_BACK,
    MovementKind.RETURN: StatementKind.RETURN,
    MovementKind.CHARGEBACK: StatementKind.RETURN,
    MovementKind.CHARGEBACK_WON: StatementKind.GIVEN_BACK,
    MovementKind.REVERSAL: StatementKind.RETURN,
    MovementKind.UNDONE: StatementKind.GIVEN_BACK,
}


def balance_before(tx: Tx, customer: str, currency: str, before: str) -> Money:
    """Return what the customer owed before an instant, in its stored form."""
    row = tx.one(_BALANCE, _params(tx, customer, currency) | {"before": before})
    return Money(currency, 0 if row is None else int(row["minor"]))


def balance_after(tx: Tx, customer: str, currency: str, after: str) -> Money:
    """Return what the customer owed after the line with the id *after*."""
    at, _, entry = after.partition(_SEPARATOR)
    row = tx.one(_UP_TO, _params(tx, customer, currency) | {"at": at, "entry": entry})
    return Money(currency, 0 if row is None else int(row["minor"]))


def lines(
    tx: Tx, customer: str, currency: str, *, since: str, until: str, after: str, limit: int
) -> list[StatementLine]:
    """Return lines booked from *since* to before *until*, beginning behind the line *after*."""
    at, _, entry = after.partition(_SEPARATOR)
    bounds = {"at": at or since, "entry": entry, "until": until, "limit": limit}
    rows = tx.all(_LINES, _params(tx, customer, currency) | bounds)
    # The page is chosen in this order, which a join need not keep.
    return sorted((_line(row, currency) for row in rows), key=attrgetter("id"))


def _params(tx: Tx, customer: str, currency: str) -> dict[str, str | int]:
    return {"tenant": tx.tenant, "customer": customer, "currency": currency}


def _line(row: Row, currency: str) -> StatementLine:
    kind = _kind(row)
    number = ""
    if row["receipt_kind"] is not None:
        number = row["host_number"] or f"{row['receipt_number']:06}"
    elif row["item_number"] is not None:
        number = row["item_number"]
    return StatementLine(
        id=f"{row['booked_at']}{_SEPARATOR}{row['entry']}",
        booked_at=read_instant(row["booked_at"]),
        effective=read_date(row["effective"]),
        kind=kind,
        amount=Money(currency, row["minor"]),
        number=number,
        reference=row["short_reference"] or "",
    )


def _kind(row: Row) -> StatementKind:
    entry: str = row["entry"]
    if entry == row["item"]:
        return StatementKind.INVOICE
    if entry.startswith("void:"):
        return StatementKind.VOID
    if "wof_" in entry:
        return StatementKind.WRITE_OFF
    if row["receipt_kind"] is not None:
        return _OF_MONEY[MovementKind(row["receipt_kind"])]
    if row["payment"] is not None:
        # Reversals, and money that was accepted before and counts now.
        return StatementKind.PAYMENT if row["minor"] < 0 else StatementKind.RETURN
    return StatementKind.OTHER
