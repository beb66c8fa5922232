"""Disputes: what the payer's bank takes, keeps or gives back, told in any order.

Three things are told of a dispute, each by itself, twice or out of order: how it
stands, that money was taken, and that money came back. What is lost is given up
on the invoices only when both are known, that the money is gone and that the
dispute is lost; a win that comes after all takes that back first.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from paygate.domain.chargeback import Dispute, DisputeState
from paygate.domain.money import Money
from paygate.ledger import chargebacks, customers, items, outbox, payments, posting, reversals
from paygate.ledger.posting import Account, Line
from paygate.service import allocation, issue
from paygate.service.telling import emit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from paygate.domain.chargeback import Chargeback
    from paygate.domain.invoice import Invoice
    from paygate.domain.outcome import Movement
    from paygate.domain.payment import Payment
    from paygate.ledger.tx import Tx

_LOST = "the chargeback was lost"


def told(tx: Tx, payment: Payment, dispute: Dispute) -> None:
    """Write how a dispute stands, as the processor tells it."""
    if chargebacks.open_(tx, payment, dispute):
        emit(tx, "payment.disputed", payment, **_facts(dispute))
    found = _found(tx, payment, dispute.reference)
    chargebacks.describe(tx, found.id, dispute)
    _advance(tx, payment, found, dispute.state)


def taken(tx: Tx, payment: Payment, movement: Movement, lines: Iterable[Line]) -> None:
    """Write what the bank took, and off which invoices: *lines* are those of its entry."""
    found = _of_money(tx, payment, movement.movement_id, movement)
    off = Counter[str]()
    for line in lines:
        if line.item is not None:
            off[line.item] += line.minor
    for item, minor in off.items():
        chargebacks.take(tx, found.id, item, minor)
    emit(tx, "payment.charged_back", payment, code=movement.code)
    _advance(tx, payment, found, found.state)


def given_back(tx: Tx, payment: Payment, movement: Movement) -> None:
    """Write that the bank gave the money back, before it is put anywhere."""
    found = _of_money(tx, payment, movement.undoes or movement.movement_id, movement)
    _advance(tx, payment, found, DisputeState.WON)


def _of_money(tx: Tx, payment: Payment, reference: str, movement: Movement) -> Chargeback:
    opened = Dispute(
        reference=reference,
        state=DisputeState.OPENED,
        amount=movement.amount,
        reason=movement.code,
    )
    chargebacks.open_(tx, payment, opened)
    return _found(tx, payment, reference)


def _found(tx: Tx, payment: Payment, reference: str) -> Chargeback:
    found = chargebacks.find(tx, payment.account, reference)
    assert found is not None, "it was just written"
    return found


def _advance(tx: Tx, payment: Payment, found: Chargeback, state: DisputeState) -> None:
    """Move on to *state* if that is more than is known, and bring the invoices in line."""
    news = state.rank > found.state.rank
    if news:
        chargebacks.set_state(tx, found.id, state)
    off = chargebacks.taken(tx, found.id)
    for each in off:
        items.mark_disputed(tx, each.item)
    payments.mark_disputed(tx, payment.id)
    match max(state, found.state, key=lambda one: one.rank):
        case DisputeState.LOST:
            for each in off:
                if each.write_off is None:
                    _give_up(tx, payment, found, each.item, each.minor)
        case DisputeState.WON:
            for each in off:
                if each.write_off is not None:
                    _take_up(tx, payment, each.item, each.write_off)
                    chargebacks.lose(tx, found.id, each.item, None)
        case DisputeState.OPENED:
            pass
    if news:
        event = "payment.chargeback_won" if state is DisputeState.WON else "payment.chargeback_lost"
        facts = {"dispute": found.reference, "amount_minor": found.amount.minor}
        emit(tx, event, payment, **facts)


def _give_up(tx: Tx, payment: Payment, found: Chargeback, item: str, minor: int) -> None:
    """Post what is lost of an invoice; what was paid meanwhile, or is being paid, is not lost."""
    invoice = issue.find(tx, item)
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
        account=Account.CHARGEBACK_LOSS,
    )
    chargebacks.lose(tx, found.id, item, id_)
    _post(tx, payment, invoice, id_, lost)
    outbox.emit(
        tx,
        "invoice.written_off",
        item,
        {**allocation.item_data(tx, item), "amount_minor": lost, "reason": _LOST},
    )
    if lost == invoice.open.minor:
        allocation.tell_items(tx, [item])


def _take_up(tx: Tx, payment: Payment, item: str, write_off: str) -> None:
    """Make what was given up open again, unless somebody did that already."""
    lost = reversals.write_off(tx, write_off)
    invoice = items.by_id(tx, item)
    if lost is None or invoice is None or not reversals.mark_undone(tx, write_off):
        return
    items.undo_write_off(tx, item, lost.amount.minor)
    _post(tx, payment, invoice, f"undo:{write_off}", -lost.amount.minor)
    allocation.tell_items(tx, [item], reopened=True)


def _post(tx: Tx, payment: Payment, invoice: Invoice, entry: str, minor: int) -> None:
    lines = [
        Line(Account.CHARGEBACK_LOSS, minor, item=invoice.id),
        Line(Account.RECEIVABLE, -minor, item=invoice.id),
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
