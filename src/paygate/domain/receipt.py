"""Receipts: money that moved, as it is booked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date, datetime

    from paygate.domain.money import Money
    from paygate.domain.movement import MovementKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Money that moved, booked once: the gateway's movement id makes it unique.

    `awaiting` is the part that counts only when it has settled. `settled` is what
    has reached us so far, `fee` what the processor kept, `in_transit` what is still between
    the processor and us, negative for money that is yet to be taken from us. `by` is how money
    was sent back by hand, without a gateway. `number` increases for each merchant, with gaps, and
    is shown to payers; `host_number` is one of a series of the host's, if `number_receipt`
    gave it. If the money was for a quote, `quantity` is how much
    it was in the other currency, and `rate`, from `rate_source`, the price at which it is counted.
    """

    id: str
    number: int
    payment: str
    account: str
    kind: MovementKind
    movement_id: str
    amount: Money
    effective: date
    booked_at: datetime
    allocated: Money
    credited: Money
    unallocated: Money
    awaiting: Money
    in_transit: Money
    by: str = ""
    settled: Money | None = None
    fee: Money | None = None
    settled_on: date | None = None
    quantity: Money | None = None
    rate: str = ""
    rate_source: str = ""
    host_number: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptLine:
    """A receipt as a line of an accountant's list, with the names it has elsewhere.

    `invoices` are the numbers of the invoices that its money was put on or, for money that went
    out, was taken off. `reference` is the processor's name of the charge or refund or, for money
    recorded or sent back by hand, the number of the check or the text of the transfer. `driver` is
    that of its account, empty if there was no gateway. `address` and `address_index` are the
    address that was paid to and its number, if it has one; `transaction` is the id of a Bitcoin
    transaction.
    """

    receipt: Receipt
    customer: str
    driver: str
    invoices: tuple[str, ...]
    reference: str
    address: str
    address_index: int | None
    transaction: str

    @property
    def id(self) -> str:
        """The id of the receipt."""
        return self.receipt.id
