"""What can be paid: invoices, prepayments, and shares of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from paygate.domain.invoice import Invoice
from paygate.domain.prepayment import Prepayment
from paygate.domain.text import spelled_alike

if TYPE_CHECKING:
    from paygate.domain.money import Money

OpenItem: TypeAlias = Invoice | Prepayment
"""An item that can be paid."""


@dataclass(frozen=True, slots=True)
class Share:
    """A part of an invoice or prepayment to pay: ``Share("INV-7", Money.of("USD", "10"))``."""

    invoice: Invoice | Prepayment | str
    amount: Money

    def __post_init__(self) -> None:
        if isinstance(self.invoice, str):
            object.__setattr__(self, "invoice", spelled_alike(self.invoice))


Payable: TypeAlias = Invoice | Prepayment | Share | str
"""What a payment is for: an invoice, a prepayment, a share of one, a number or an id."""


def name_of(item: OpenItem) -> str:
    """Return the name by which a person finds *item*: the number of an invoice, or an id."""
    return item.number if isinstance(item, Invoice) else item.id


def label_of(item: OpenItem) -> str:
    """Return *item* as a message names it, such as ``invoice INV-7``."""
    noun = "invoice" if isinstance(item, Invoice) else "prepayment"
    return f"{noun} {name_of(item)}"
