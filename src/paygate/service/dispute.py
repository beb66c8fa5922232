"""Disputes: what the payer's bank takes, keeps or gives back, reported in any order.

A processor reports three things about a dispute, each separately, possibly twice or out of order:
its state, that money was taken, and that money came back. Money that was taken is booked at once,
and reopens the invoices that it was on. An invoice that is open because of a dispute is marked, and
is not charged again without the payer.

The rule: nothing is written off on a report alone. An invoice is written off only when the money is
gone and the dispute is lost; what was paid on it in the meantime, or is being paid, is not written
off. A win that comes after all first undoes the write-off. A dispute may be lost again after it was
won: then the money is taken a second time, under its own movement id, and the payment is flagged.

What stays true: the state follows from everything known, not from the last report, so the order
does not matter; each write-off belongs to one dispute, and is undone once. A reference names the
dispute of one payment: a report about another payment under the same reference changes nothing for
the first, and the other payment is flagged.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from paygate.domain.chargeback import Dispute, DisputeState, dispute_of, state_of
from paygate.domain.invoice import Invoice, InvoiceStatus
from paygate.domain.money import Money
from paygate.ledger import (
    chargebacks,
    customers,
    items,
    outbox,
    payments,
    posting,
    reversals,
    reviews,
)
from paygate.ledger.posting import LedgerAccount, PostingLine
from paygate.service import allocation, finding
from paygate.service.events import alert, emit, of_movement

if TYPE_CHECKING:
    from collections.abc import Iterable

    from paygate.domain.chargeback import Chargeback
    from paygate.domain.movement import Movement
    from paygate.domain.payment import Payment
    from paygate.ledger.tx import Tx

_LOST = "the chargeback was lost"


def report(tx: Tx, payment: Payment, dispute: Dispute) -> None:
    """Record the state of a dispute that the processor reports."""
    if chargebacks.open_(tx, payment, dispute):
        emit(tx, "payment.disputed", payment, amount_minor=dispute.amount.minor, **_facts(dispute))
    found = _found(tx, payment, dispute.reference)
    if found is None:
        return
    chargebacks.describe(tx, found.id, dispute)
    chargebacks.report(tx, found.id, dispute.state)
    _advance(tx, payment, found)


def taken(tx: Tx, payment: Payment, movement: Movement, lines: Iterable[PostingLine]) -> None:
    """Record what the bank took, and off which invoices: *lines* are those of its entry."""
    found = _of_money(tx, payment, movement.movement_id, movement)
    if found is None:
        _emit_taken(tx, payment, movement, found)
        return
    off = _by_item(lines)
    # An earlier write-off of the invoice is repeated together with the new part.
    for each in chargebacks.taken(tx, found.id):
        if each.item in off and each.write_off is not None:
            _take_up(tx, payment, each.item, each.write_off)
            chargebacks.lose(tx, found.id, each.item, None)
    for item, minor in off.items():
        chargebacks.take(tx, found.id, item, minor)
    _emit_taken(tx, payment, movement, found)
    _advance(tx, payment, found)


def _emit_taken(tx: Tx, payment: Payment, movement: Movement, found: Chargeback | None) -> None:
    """Emit what the bank took, which may be a part of the payment."""
    facts = {"code": movement.code, **of_movement(movement)}
    if found is not None:
        facts["dispute"] = found.reference
    emit(tx, "payment.charged_back", payment, **facts)


def given_back(tx: Tx, payment: Payment, movement: Movement) -> None:
    """Record that the bank gave the money back, before it is allocated."""
    found = _of_money(tx, payment, movement.undoes or movement.movement_id, movement)
    if found is not None:
        _advance(tx, payment, found)


def put_back(tx: Tx, payment: Payment, movement: Movement, lines: Iterable[PostingLine]) -> None:
    """Record the invoices that the money is on again; when all is back, none is missing it."""
    found = _of_money(tx, payment, movement.undoes or movement.movement_id, movement)
    if found is None:
        return
    off = {each.item: each.minor for each in chargebacks.taken(tx, found.id)}
    back = off if not found.state.stands else _by_item(lines)
    for item, minor in back.items():
        chargebacks.put_back(tx, found.id, item, abs(minor))


def _by_item(lines: Iterable[PostingLine]) -> Counter[str]:
    off = Counter[str]()
    for line in lines:
        if line.item is not None:
            off[line.item] += line.minor
    return off


def _of_money(tx: Tx, payment: Payment, movement_id: str, movement: Movement) -> Chargeback | None:
    reference = dispute_of(movement_id)
    opened = Dispute(
        reference=reference,
        state=DisputeState.OPENED,
        amount=movement.amount,
        reason=movement.code,
    )
    chargebacks.open_(tx, payment, opened)
    return _found(tx, payment, reference)


def _found(tx: Tx, payment: Payment, reference: str) -> Chargeback | None:
    """Return the dispute of *payment*; None, and a review, if it belongs to another payment."""
    found = chargebacks.find(tx, payment.account, reference)
    assert found is not None, "it was just written"
    if found.payment == payment.id:
        return found
    cause = f"dispute-elsewhere:{found.id}"
    if not reviews.stood(tx, payment.id, cause) and reviews.raise_(tx, payment.id, cause):
        text = (
            f"the dispute {reference} is reported for this payment, but is booked for payment "
            f"{found.payment}; ask the processor which of them it is about"
        )
        alert(tx, payment, text)
        emit(tx, "payment.needs_review", payment, reason=text)
    return None


def _advance(tx: Tx, payment: Payment, found: Chargeback) -> None:
    """Update the state, the invoices and the review from everything that is known."""
    known = chargebacks.known(tx, found.id)
    state = state_of(taken=known.taken, given_back=known.given_back, lost=known.lost, won=known.won)
    news = state is not found.state
    if news:
        chargebacks.set_state(tx, found.id, state)
    off = chargebacks.taken(tx, found.id)
    for each in off:
        items.mark_disputed(tx, each.item)
    payments.mark_disputed(tx, payment.id)
    for each in off:
        if state is DisputeState.LOST and each.write_off is None:
            _give_up(tx, payment, found, each.item, each.minor)
        elif state is DisputeState.WON and each.write_off is not None:
            _take_up(tx, payment, each.item, each.write_off)
            chargebacks.lose(tx, found.id, each.item, None)
    if news and state is not DisputeState.OPENED:
        event = "payment.chargeback_won" if state is DisputeState.WON else "payment.chargeback_lost"
        facts = {"dispute": found.reference, "amount_minor": found.amount.minor}
        emit(tx, event, payment, **facts)
    _review(tx, payment, found, lost_after_all=state is DisputeState.LOST and known.taken > 1)


def _review(tx: Tx, payment: Payment, found: Chargeback, *, lost_after_all: bool) -> None:
    """Flag the payment while a dispute that was won before is lost."""
    cause = f"dispute:{found.id}"
    if not lost_after_all:
        reviews.end(tx, payment.id, cause)
    elif not reviews.stood(tx, payment.id, cause) and reviews.raise_(tx, payment.id, cause):
        text = f"the dispute {found.reference} was won, and is lost after all"
        emit(tx, "payment.needs_review", payment, reason=text)


def _give_up(tx: Tx, payment: Payment, found: Chargeback, item: str, minor: int) -> None:
    """Write off what is lost of an invoice, except what has been paid or is being paid."""
    invoice = finding.item(tx, item)
    if not isinstance(invoice, Invoice):
        return  # nobody owes a prepayment: it can be paid again
    lost = min(minor, invoice.open.minor - invoice.claimed.minor)
    if lost <= 0 or not items.write_off(tx, item, lost):
        return
    id_ = tx.new_id("wof")
    amount = Money(invoice.total.currency, lost)
    reversals.insert_write_off(
        tx,
        id_=id_,
        item=item,
        amount=amount,
        reason=_LOST,
        effective=customers.today(tx, payment.customer),
        account=LedgerAccount.CHARGEBACK_LOSS,
    )
    chargebacks.lose(tx, found.id, item, id_)
    _post(tx, payment, invoice, id_, lost)
    outbox.emit(
        tx,
        "invoice.written_off",
        item,
        {
            **allocation.item_data(tx, item),
            "write_off": id_,
            "amount_minor": lost,
            "reason": _LOST,
        },
    )
    if lost == invoice.open.minor:
        allocation.emit_invoices(tx, [item])


def _take_up(tx: Tx, payment: Payment, item: str, write_off: str) -> None:
    """Undo a write-off, unless that was done before, or the invoice is void."""
    lost = reversals.write_off(tx, write_off)
    invoice = items.by_id(tx, item)
    # Voiding an invoice has undone its write-offs, so nothing is left to undo.
    if lost is None or not isinstance(invoice, Invoice) or invoice.status is InvoiceStatus.VOID:
        return
    if not reversals.mark_undone(tx, write_off):
        return
    items.undo_write_off(tx, item, lost.amount.minor)
    _post(tx, payment, invoice, f"undo:{write_off}", -lost.amount.minor)
    allocation.emit_invoices(tx, [item], reopened=True)


def _post(tx: Tx, payment: Payment, invoice: Invoice, entry: str, minor: int) -> None:
    lines = [
        PostingLine(LedgerAccount.CHARGEBACK_LOSS, minor, item=invoice.id),
        PostingLine(LedgerAccount.RECEIVABLE, -minor, item=invoice.id),
    ]
    posting.post(
        tx,
        lines,
        entry=entry,
        currency=invoice.total.currency,
        customer=invoice.customer,
        payment=payment.id,
        effective=customers.today(tx, payment.customer),
    )


def _facts(dispute: Dispute) -> dict[str, object]:
    deadline = dispute.respond_by
    return {
        "dispute": dispute.reference,
        "reason": dispute.reason,
        "respond_by": None if deadline is None else deadline.isoformat(),
    }
