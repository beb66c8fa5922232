"""Freed: an invoice that can be paid again takes the money that waits with its assignment key.

A return, an undone write-off or the end of another payment's claim opens an invoice again. Money
may wait on a prepayment with the same key, because the invoice had no room for it when it arrived.
Nothing else arrives then, so the end of each unit of work that freed an item looks for such money.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.domain.invoice import Invoice, InvoiceStatus
from paygate.ledger import items
from paygate.service import allocation, assignment

if TYPE_CHECKING:
    from paygate.ledger.tx import Tx


def take_up(tx: Tx) -> None:
    """Move money that waits on prepayments to the invoices that this transaction has freed."""
    freed = list(tx.freed)
    tx.freed.clear()
    for id_ in freed:
        invoice = items.amounts_of(tx, id_)
        if (
            isinstance(invoice, Invoice)
            and invoice.assignment_key is not None
            and invoice.status is not InvoiceStatus.VOID
            and assignment.on_freed(tx, invoice)
        ):
            allocation.emit_invoices(tx, [id_])
