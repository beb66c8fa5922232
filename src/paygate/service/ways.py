"""Ways out: the verbs that end the hold of a payment on its items.

Whatever a payment holds can be released by a verb, and a refusal because of the hold names that
verb. It depends on the states of the payment's attempts and on what the account offered when they
were stored, so the ledger alone can determine it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from paygate.domain.attempt import AttemptState
from paygate.domain.kind import Operation
from paygate.domain.payable import label_of, name_of
from paygate.domain.payment import PaymentStatus
from paygate.errors import ItemAlreadyBeingPaid
from paygate.ledger import allocations, attempts, items, payments, receipts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from paygate.domain.payable import OpenItem
    from paygate.domain.payment import Payment
    from paygate.ledger.attempts import AttemptRow
    from paygate.ledger.tx import Tx


@dataclass(frozen=True, slots=True)
class Ways:
    """The verbs that end a hold, and when it is next checked automatically."""

    verbs: tuple[str, ...]
    until: datetime | None = None

    @property
    def text(self) -> str:
        """The ways as the end of a sentence."""
        waits = [] if self.until is None else [f"wait until {self.until:%Y-%m-%d %H:%M} UTC"]
        parts = [*self.verbs, *waits]
        return " or ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else parts[0]


def out_of(tx: Tx, payment: Payment) -> Ways:
    """Return the ways to end what *payment* holds now."""
    rows = attempts.of_payment(tx, payment.id)
    doubtful = [row for row in rows if row.attempt.state.in_doubt]
    if doubtful:
        return Ways(("inquire", "resolve"), _soonest(doubtful))
    if payment.conflicted:
        return Ways(_of_conflict(tx, payment, rows))
    late = [row for row in rows if row.late_pending]
    if late:
        return Ways(("inquire", "resolve"), _soonest(late))
    under_way = [row for row in rows if not row.attempt.state.final and not _is_main(row)]
    main = next((row for row in rows if _is_main(row)), None)
    if main is None or payment.status is PaymentStatus.SUCCEEDED:
        # What it still holds waits for settlement, or for money on its way back.
        verbs = ("inquire", "resolve") if under_way else _of_held(payment, main)
        return Ways(verbs, _soonest(under_way))
    live = _soonest([main, *under_way])
    match main.attempt.state:
        case AttemptState.REQUIRES_ACTION:
            can = [
                "complete" if main.offers_to(Operation.COMPLETE) else "",
                "withdraw_page" if main.offers_to(Operation.WITHDRAW) else "",
                "resolve",
            ]
            return Ways(tuple(filter(None, can)), main.expires_at)
        case AttemptState.PENDING:
            voids = main.offers_to(Operation.VOID) and not under_way
            return Ways(("cancel", "resolve") if voids else ("resolve",), live)
        case AttemptState.AUTHORIZED if under_way:
            return Ways(("resolve",), live)
        case AttemptState.AUTHORIZED:
            return Ways(("capture", "cancel"), main.expires_at)
        case _:
            return Ways(("resolve",), live)


def _of_held(payment: Payment, main: AttemptRow | None) -> tuple[str, ...]:
    """Return the verbs that end the hold of a successful payment with nothing under way."""
    if main is None or not payment.payer_number:
        return ("inquire", "cancel")
    # The money was not requested, so its account may have no operation to undo it.
    undone = main.offers_to(Operation.VOID) or main.offers_to(Operation.REFUND)
    return ("cancel", "reverse") if undone else ("reverse",)


def back(tx: Tx, payment: Payment) -> tuple[str, ...]:
    """
    Return the verbs that send money of *payment* back.

    A slip or a virtual account often cannot refund; then the money is sent back by hand and
    recorded.
    """
    rows = attempts.of_payment(tx, payment.id)
    offered = any(row.offers_to(Operation.REFUND) for row in rows)
    return ("refund",) if offered else ("record_refund",)


def back_by(verbs: Sequence[str]) -> str:
    """Return the *verbs* that send money back as the end of a sentence."""
    if "record_refund" in verbs:
        return "send it another way and record_refund"
    return f"{' or '.join(verbs)} it"


def _of_conflict(tx: Tx, payment: Payment, rows: Sequence[AttemptRow]) -> tuple[str, ...]:
    """Return the verbs that decide about money other than requested."""
    main = next((row for row in rows if _is_main(row)), None)
    voids = main is not None and main.offers_to(Operation.VOID)
    if payment.status is PaymentStatus.AUTHORIZED:
        return ("cancel",) if voids else ("resolve",)
    if payment.received > payment.returned:
        return ("assign", "refund")
    # A refund is in the currency of the payment, and this money is in another.
    whole = not any(went for _, went in receipts.moved(tx, payment.id).values())
    return ("assign", *(["cancel"] if voids and whole else []), *(["reverse"] if whole else []))


def _is_main(row: AttemptRow) -> bool:
    return row.attempt.operation in (Operation.CHARGE, Operation.AUTHORIZE)


def _soonest(rows: Sequence[AttemptRow]) -> datetime | None:
    return min((at for row in rows if (at := row.attempt.next_check_at) is not None), default=None)


def taken_over(
    tx: Tx, page: Payment, items_: Sequence[str], *, withdrawable: bool
) -> ItemAlreadyBeingPaid:
    """Return the error that names the payments that superseded *page*, and how to end the page."""
    found_items = [item for each in items_ if (item := items.by_id(tx, each)) is not None]
    others = {name_of(item): _others_on(tx, item, page) for item in found_items}
    taken = [number for number, found in others.items() if found] or list(others)
    holders = list(dict.fromkeys(each for found in others.values() for each in found))
    can = ["withdraw_page", "resolve"] if withdrawable else ["resolve"]
    by = f"is paid, or being paid, by {' and '.join(holders)}" if holders else "is no longer open"
    return ItemAlreadyBeingPaid(
        f"invoice {', '.join(taken)} of payment {page.id} {by}; "
        f"{' or '.join(can)} payment {page.id}",
        item=", ".join(taken),
        payments=holders,
        ways={page.id: can},
        until=page.expires_at,
    )


def _others_on(tx: Tx, item: OpenItem, page: Payment) -> list[str]:
    """Return the payments other than *page* that hold *item*, or have paid some of it."""
    paid = [each.payment for each in allocations.standing_of_item(tx, item.id)]
    return [each for each in (*item.claimed_by, *paid) if each and each != page.id]


def being_paid(tx: Tx, item: OpenItem) -> ItemAlreadyBeingPaid:
    """Return the error that names the payments that hold *item*, and how to end that."""
    holders = payments.holding(tx, item.id)
    ways = {payment.id: out_of(tx, payment) for payment in holders}
    listing = "; ".join(
        f"{payment.id} ({payment.status}: {ways[payment.id].text})" for payment in holders
    )
    untils = [each.until for each in ways.values() if each.until is not None]
    return ItemAlreadyBeingPaid(
        f"{label_of(item)} is being paid by {listing}; do not pay it again until that ends",
        item=name_of(item),
        payments=[payment.id for payment in holders],
        ways={name: list(each.verbs) for name, each in ways.items()},
        until=min(untils, default=None),
    )
