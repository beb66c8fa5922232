"""History: everything recorded about one payment, read in one consistent state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from paygate.domain.payable import name_of
from paygate.ledger import allocations, attempts, items, outbox, receipts
from paygate.service import finding

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paygate.domain.allocation import Allocation
    from paygate.domain.attempt import Attempt
    from paygate.domain.event import Event
    from paygate.domain.payment import Payment
    from paygate.domain.receipt import Receipt
    from paygate.ledger.tx import Tx

_PAGE = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The attempts, receipts, allocations and events of a payment, each oldest first.

    `numbers` are the invoice numbers by invoice id.
    """

    payment: Payment
    attempts: Sequence[Attempt]
    receipts: Sequence[Receipt]
    allocations: Sequence[Allocation]
    events: Sequence[Event]
    numbers: Mapping[str, str]


def of(tx: Tx, which: str) -> History:
    """Read the history of a payment, or raise `PaymentNotFound`."""
    payment = finding.payment(tx, which)
    put = allocations.of_payment(tx, payment.id)
    numbers: dict[str, str] = {}
    for item in dict.fromkeys(each.invoice for each in put):
        found = items.by_id(tx, item)
        numbers[item] = item if found is None else name_of(found)
    return History(
        payment=payment,
        attempts=[row.attempt for row in attempts.of_payment(tx, payment.id)],
        receipts=receipts.of_payment(tx, payment.id),
        allocations=put,
        events=_events(tx, payment.id),
        numbers=numbers,
    )


def _events(tx: Tx, payment: str) -> list[Event]:
    events: list[Event] = []
    while page := outbox.of_aggregate(tx, payment, len(events), _PAGE):
        events += page
    return events
