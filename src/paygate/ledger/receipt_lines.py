"""The listing of receipts across payments, with their invoices and references."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from paygate.domain.action import PayToAddress
from paygate.domain.receipt import ReceiptLine
from paygate.ledger import actions, paging, receipts

if TYPE_CHECKING:
    from paygate.ledger.paging import Page
    from paygate.ledger.tx import Row, Tx

_LISTING = paging.listing(
    """
    SELECT r.*,
      (SELECT coalesce(sum(amount_minor), 0) FROM paygate_allocation a
       WHERE a.receipt = r.id) AS allocated_minor,
      (SELECT coalesce(sum(amount_minor - canceled_minor), 0) FROM paygate_credit c
       WHERE c.receipt = r.id AND c.reason <> 'invoice_voided') AS credited_minor,
      t.driver, t.action, t.address_index, t.reference AS attempt_reference,
      p.reference AS payment_reference,
      (SELECT u.code FROM paygate_receipt u
       WHERE u.tenant = r.tenant AND u.account = r.account AND u.kind = 'refund'
         AND u.movement_id = r.undoes AND u.by_hand <> '') AS undone_reference,
      (SELECT driver FROM paygate_account g
       WHERE g.tenant = r.tenant AND g.name = r.account) AS account_driver
    FROM paygate_receipt r
    LEFT JOIN paygate_attempt t ON t.id = r.attempt
    LEFT JOIN paygate_payment p ON p.id = r.payment
    """,
    table="paygate_receipt",
    alias="r",
    at="booked_at",
    where={
        "paygate_receipt_listed": "r.tenant = :tenant",
        "paygate_receipt_by_account": "r.tenant = :tenant AND r.account = :account",
    },
    noun="receipt",
)
_PUT_ON = """
SELECT a.id, i.number FROM paygate_allocation a JOIN paygate_item i ON i.id = a.item
WHERE a.receipt = :receipt AND a.amount_minor > 0
"""
_TAKEN_OFF = """
SELECT i.number FROM paygate_taken t JOIN paygate_item i ON i.id = t.name
WHERE t.receipt = :receipt AND t.origin = 'item' ORDER BY t.position
"""
_OUTPOINT: Final = re.compile(r"([0-9a-f]{64}):\d+(?::.*)?")


def page(tx: Tx, which: Page, *, account: str | None = None) -> list[ReceiptLine]:
    """Return one page of the receipts, by time booked; None for all accounts."""
    index = "paygate_receipt_listed" if account is None else "paygate_receipt_by_account"
    return [_line_of(tx, row) for row in _LISTING.read(tx, index, which, account=account)]


def _line_of(tx: Tx, row: Row) -> ReceiptLine:
    reference = row["attempt_reference"] or row["payment_reference"] or ""
    if row["by_hand"]:
        reference = row["code"]  # money sent back by hand has a reference of its own
    elif row["undone_reference"] is not None:
        reference = row["undone_reference"]
    address = ""
    if row["address_index"] is not None:
        action = actions.read(row["action"])
        address = action.address if isinstance(action, PayToAddress) else reference
    found = _OUTPOINT.fullmatch(row["movement_id"])
    return ReceiptLine(
        receipt=receipts.receipt_of(row),
        customer=row["customer"],
        driver=row["driver"] or row["account_driver"] or "",
        invoices=_invoices(tx, row["id"]),
        reference=reference,
        address=address,
        address_index=row["address_index"],
        transaction="" if found is None else found[1],
    )


def _invoices(tx: Tx, receipt: str) -> tuple[str, ...]:
    """Return the numbers of the invoices that a receipt paid or was taken off, each once."""
    of = {"receipt": receipt}
    put_on = sorted(tx.all(_PUT_ON, of), key=lambda row: str(row["id"]))
    rows = [*put_on, *tx.all(_TAKEN_OFF, of)]
    return tuple(dict.fromkeys(str(row["number"]) for row in rows))
