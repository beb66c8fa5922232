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

    `awaiting` is what of it counts only when it has settled. `settled` is what
    reached us until now, `fee` what the processor kept, `in_transit` what stands
    between, negative for money that is still to be taken from us. `by` is how money
    was sent back by hand, without a gateway. Of what came for a quote, `quantity` is how much of
    the other currency it was, and `rate` the price, of `rate_source`, at which it is counted.
    """

    id: str
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptLine:
    """A receipt as a line of an accountant's list, alongside what names it elsewhere.

    `invoices` are the numbers of those that its money was put on or, for money that went out, was
    taken off. `reference` is what the processor calls the charge or refund that it came of, or for
    money recorded or sent back by hand the check's number or the transfer's text. `driver` is
    that of its account, empty if no gateway brought it. `address` and `address_index` are where it
    was paid to and the number of that address, if it has one; `transaction` is the id of a Bitcoin
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
