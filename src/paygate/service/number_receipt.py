"""Number a receipt in a series of the host's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.errors import NumberReused
from paygate.ledger import holding, receipts
from paygate.service import finding
from paygate.service.flow import Flow, repeatable

if TYPE_CHECKING:
    from paygate.domain.receipt import Receipt
    from paygate.ledger.tx import Tx


def number_receipt(which: str, number: str) -> Flow[Receipt]:
    """Give a receipt its number in a series of the host's."""
    return (yield from repeatable(lambda tx: number_receipt_in(tx, which, number)))


def number_receipt_in(tx: Tx, which: str, number: str) -> Receipt:
    """Give a receipt its number in this transaction; repeating this changes nothing."""
    holding.hold_receipt(tx, which)
    found = finding.receipt(tx, which)
    owner = receipts.by_host_number(tx, number)
    if owner not in (None, found.id):
        raise NumberReused(
            f"receipt {owner} has the number {number}; give every receipt a number of its own",
            number=number,
            differs=["receipt"],
        )
    if found.host_number not in ("", number):
        raise NumberReused(
            f"receipt {found.id} has the number {found.host_number} already, which it keeps",
            number=number,
            differs=["number"],
        )
    receipts.set_host_number(tx, found.id, number)
    return finding.receipt(tx, which)
