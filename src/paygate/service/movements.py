"""Movements: each is booked once, and its money allocated or taken off.

A movement that a gateway reports is a fact, so it becomes a receipt whatever the state of the
payment. The receipt is the guard: a movement that is booked already changes nothing, however often
and by whatever source it is reported. Then its money is allocated. Money that comes in fills the
claims of its payment, or waits if the account credits only settled money. What no rule can allocate
stays in suspense for a clerk, less what the customer owes for this payment. Money that goes out is
taken off its place; what is no longer there becomes a debit of the customer. Money that comes
back returns to where it was before.

A return may be reported before the money that it takes back. It is kept, and booked right after
that money, so that the order does not matter.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from paygate.domain.kind import Operation
from paygate.domain.money import Money
from paygate.domain.movement import MovementKind
from paygate.domain.settlement import NOTHING_SETTLED, settlement_of
from paygate.ledger import (
    claims,
    customers,
    early_returns,
    items,
    lots,
    outbox,
    payments,
    posting,
    receipts,
    refunding,
    reversals,
    reviews,
    under_way,
)
from paygate.ledger.posting import LedgerAccount, PostingLine
from paygate.service import allocation, dispute, identifying, returned, settle, taking
from paygate.service.events import (
    alert,
    alert_credited,
    emit,
    emit_receipt,
    note_automatic,
    of_movement,
)
from paygate.service.taking import Outgo, RefundTo

if TYPE_CHECKING:
    from datetime import date

    from paygate.domain.decide import Changes
    from paygate.domain.movement import Movement
    from paygate.domain.payment import Payment
    from paygate.domain.quoting import Valuation
    from paygate.ledger.attempts import AttemptRow
    from paygate.ledger.claims import Claim
    from paygate.ledger.tx import Tx


_CREDIT_NOTE = "credit note for a refund"


def book(
    tx: Tx,
    row: AttemptRow,
    payment: Payment,
    claims: list[Claim],
    movement: Movement,
    changes: Changes,
) -> list[str]:
    """Book one movement, and return the invoices it touched."""
    crumb = not movement.amount.minor  # it is worth less than a minor unit
    if movement.kind is MovementKind.RETURN and not crumb and not _came(tx, payment, movement):
        early_returns.keep(tx, payment, movement)
        return []
    receipt = receipts.book(
        tx,
        movement,
        account=row.attempt.account,
        customer=payment.customer,
        payment=payment.id,
        attempt=row.attempt.id,
        in_transit=allocation.cash_account(payment) is LedgerAccount.IN_TRANSIT,
    )
    if receipt is None:
        return []
    _count(tx, payment, movement)
    emit_receipt(tx, payment, receipt, movement, row.in_log)
    if _brings(movement) and movement.valued is not None and movement.valued.late:
        alert(tx, payment, _late(movement, movement.valued))
    if crumb:  # there is nothing to allocate
        return settle.book(tx, payment, movement)
    returned = early_returns.of_money(tx, payment.id, movement) if _brings(movement) else []
    if returned and sum(each.amount.minor for each in returned) >= movement.amount.minor:
        _suspend(tx, payment, receipt, movement)  # it went back before it came: it pays nothing
        touched = list[str]()
    else:
        touched = _place(tx, row, payment, receipt, claims, movement, changes)
    news = {(each.kind, each.movement_id): each for each in changes.book}
    for each in returned:
        # The same message may report more about it, such as its settled amount.
        latest = news.get((each.kind, each.movement_id), each)
        touched += book(tx, row, payment, claims, latest, changes)
    if movement.kind.inward:
        payments.expect_settlement(tx, payment.id)
    if settlement_of(movement) != NOTHING_SETTLED:
        touched += settle.book(tx, payment, movement)
    elif movement.kind in (MovementKind.REFUND, MovementKind.REFUND_FAILED):
        settle.watch_refunds(tx, payment.id)
    return touched


def _came(tx: Tx, payment: Payment, movement: Movement) -> int:
    """Return how much came in the currency of *movement*."""
    came, _ = receipts.moved(tx, payment.id).get(movement.amount.currency, (0, 0))
    return came


def _brings(movement: Movement) -> bool:
    return movement.kind in (MovementKind.CHARGE, MovementKind.CAPTURE)


def _place(
    tx: Tx,
    row: AttemptRow,
    payment: Payment,
    receipt: str,
    claims: list[Claim],
    movement: Movement,
    changes: Changes,
) -> list[str]:
    """Allocate the money of one movement, or take it off."""
    match movement.kind:
        case MovementKind.CHARGE | MovementKind.CAPTURE if movement in changes.held:
            touched = _suspend(tx, payment, receipt, movement)
            _end_excess(tx, payment)
            return touched
        case MovementKind.CHARGE | MovementKind.CAPTURE:
            return _inward(tx, row, payment, receipt, movement, claims)
        case MovementKind.REFUND_FAILED | MovementKind.CHARGEBACK_WON | MovementKind.UNDONE:
            cash = allocation.cash_account(payment)
            return _back(tx, payment, receipt, movement, cash, held=movement in changes.held)
        case MovementKind.RETURN:
            if not returned.book_return(tx, payment, receipt, movement):
                _outward(tx, row, payment, receipt, movement)
            note_automatic(tx, payment)
            return []
        case (
            MovementKind.REFUND
            | MovementKind.VOID
            | MovementKind.CHARGEBACK
            | MovementKind.REVERSAL
        ):
            return _outward(tx, row, payment, receipt, movement)


def _inward(
    tx: Tx,
    row: AttemptRow,
    payment: Payment,
    receipt: str,
    movement: Movement,
    claims: list[Claim],
) -> list[str]:
    amount = movement.amount
    on = customers.date_of(tx, payment.customer, movement.effective)
    if payment.superseded:
        alert(tx, payment, "money came on a page that another payment had superseded")
    if movement.valued is not None and movement.valued.to_credit:
        claims = []
    if not payment.customer:
        return _suspend(tx, payment, receipt, movement)
    if settle.waits(tx, payment, movement):
        # What went back before this report is owed: that debit is canceled, and the rest waits.
        cash = PostingLine(allocation.cash_account(payment), amount.minor, receipt=receipt)
        canceled = taking.cancel_debits(tx, payment, amount)
        rest = Money(amount.currency, amount.minor + sum(line.minor for line in canceled))
        settle.accept(tx, payment, rest, on, cash, *canceled)
        return []
    placed = allocation.place(
        tx,
        payment,
        receipt,
        amount,
        claims,
        source=PostingLine(allocation.cash_account(payment), amount.minor, receipt=receipt),
        on=on,
        # The final capture releases the rest when it ends, in `booking`.
        keep_rest=row.attempt.operation is Operation.CAPTURE,
    )
    alert_credited(tx, payment, placed.credited, placed.short)
    return placed.items


def _late(movement: Movement, valued: Valuation) -> str:
    text = f"{movement.settled} came after the quote had expired; it counts as {movement.amount}"
    return f"{text}, which is credit" if valued.to_credit else text


def book_back(
    tx: Tx,
    payment: Payment,
    movement: Movement,
    *,
    account: str,
    cash: LedgerAccount,
    refunded: bool = True,
) -> str | None:
    """
    Book money once that came back and was recorded by hand, and return it to where it was.

    Return the receipt, or None if it was booked already. *refunded* means that the money had been
    sent to the payer; a reversal sends nothing.
    """
    receipt = receipts.book(
        tx,
        movement,
        account=account,
        customer=payment.customer,
        payment=payment.id,
        attempt=None,
        in_transit=cash is LedgerAccount.IN_TRANSIT,
    )
    if receipt is None:
        return None
    _count(tx, payment, movement)
    emit_receipt(tx, payment, receipt, movement)
    payments.expect_settlement(tx, payment.id)
    touched = _back(tx, payment, receipt, movement, cash, held=False, refunded=refunded)
    allocation.emit_invoices(tx, touched)
    if not payment.customer:
        identifying.follow_up(tx, payment)
    return receipt


def _back(
    tx: Tx,
    payment: Payment,
    receipt: str,
    movement: Movement,
    cash: LedgerAccount,
    *,
    held: bool,
    refunded: bool = True,
) -> list[str]:
    """Return money that came back to where it was before; the rest counts as new money."""
    on = customers.date_of(tx, payment.customer, movement.effective)
    won = movement.kind is MovementKind.CHARGEBACK_WON
    if won:
        dispute.given_back(tx, payment, movement)
    elif refunded:
        text = "it came back after it had succeeded"
        emit(tx, "payment.refund_failed", payment, reason=text, **of_movement(movement))
    back = taking.put_back(tx, payment, receipt, movement, on, cash)
    touched = list(back.items)
    if back.waits or (back.other and back.left.minor and not held):
        payments.set_status(tx, payment.id, payment.status, needs_review=True, conflicted=True)
        emit(tx, "payment.conflicted", payment, reason="money came back that waits for a decision")
    if back.left.minor and (held or back.other or not payment.customer):
        _suspend(tx, payment, receipt, replace(movement, amount=back.left))
    elif back.left.minor and settle.waits(tx, payment, movement):
        source = PostingLine(cash, back.left.minor, receipt=receipt)
        settle.accept(tx, payment, back.left, on, source)
    elif back.left.minor:
        # Hard claims wait for money that is still to come.
        its_claims = [each for each in claims.of_payment(tx, payment.id) if each.state != "hard"]
        placed = allocation.place(
            tx,
            payment,
            receipt,
            back.left,
            its_claims,
            source=PostingLine(cash, back.left.minor, receipt=receipt),
            on=on,
            entry=f"{receipt}:rest",
        )
        alert_credited(tx, payment, placed.credited, placed.short)
        touched += placed.items
    if won:
        dispute.put_back(tx, payment, movement, back.lines)
    _end_excess(tx, payment)
    return touched


def _outward(
    tx: Tx, row: AttemptRow, payment: Payment, receipt: str, movement: Movement
) -> list[str]:
    """Take off money that went back; what cannot be taken off is owed by the customer."""
    on = customers.date_of(tx, payment.customer, movement.effective)
    amount = returned.confirm(tx, payment, receipt, movement)
    if not amount.minor:
        if movement.kind is MovementKind.CHARGEBACK:
            dispute.taken(tx, payment, movement, [])
        return []
    to = _looked_for(tx, row, payment, movement)
    out = Outgo(
        receipt=receipt,
        amount=amount,
        on=on,
        to=to,
        attempt=row.attempt.id,
        items=tuple(refunding.items_of(tx, row.attempt.id)),
    )
    lines = send_off(tx, payment, out, allocation.cash_account(payment))
    if movement.kind is MovementKind.CHARGEBACK:
        dispute.taken(tx, payment, movement, lines)
    return []


def send_off(tx: Tx, payment: Payment, out: Outgo, cash: LedgerAccount) -> list[PostingLine]:
    """Book money that goes out from *cash*, with all consequences, and return its lines."""
    receipt, amount, on, to = out.receipt, out.amount, out.on, out.to
    lines, owed = taking.take_off(tx, payment, out)
    touched = [line.item for line in lines if line.item is not None]
    if owed:
        who = "the customer" if payment.customer else "the payer, who is not known yet,"
        alert(tx, payment, f"more went back than this payment still has; {who} owes the rest")
    _review_excess(tx, payment)
    lines.append(PostingLine(cash, -amount.minor, receipt=receipt))
    _post(tx, payment, receipt, amount.currency, lines, on)
    # Money that awaited settlement and went back releases the invoices held for it.
    waited = any(line.account is LedgerAccount.AWAITING for line in lines)
    freed = settle.release(tx, payment) if waited else []
    if to is RefundTo.CREDIT_NOTE:
        reopened = [(line.item, line.minor) for line in lines if line.item is not None]
        given_up = _give_up(tx, payment, receipt, reopened, amount.currency, on)
        _emit_written_off(tx, given_up)
        unpaid = _give_up(tx, payment, receipt, freed, amount.currency, on)
        _emit_written_off(tx, unpaid)
        closed = [each for each, _, _ in unpaid if not allocation.item_data(tx, each)["open_minor"]]
        allocation.emit_invoices(tx, closed)
    allocation.emit_invoices(tx, touched, reopened=True)
    return lines


def _looked_for(tx: Tx, row: AttemptRow, payment: Payment, movement: Movement) -> RefundTo:
    """Return where to take off money that went back first."""
    if movement.kind is MovementKind.REFUND and row.refund_to is not None:
        return RefundTo(row.refund_to)
    if movement.kind is MovementKind.REFUND:
        # The refund was made at the processor, not by us.
        return default_refund_to(tx, payment, movement.amount)
    if receipts.is_undone(tx, payment.id, movement.movement_id):
        # It came back before its loss was reported, so it was put into credit.
        return RefundTo.FROM_CREDIT
    return RefundTo.REOPEN


def _review_excess(tx: Tx, payment: Payment) -> None:
    """Flag a payment if more went back than came in, which no rule of ours allows."""
    now = under_way.of_payment(tx, payment.id)
    if now.returned > now.received and reviews.raise_(tx, payment.id, reviews.EXCESS):
        emit(tx, "payment.needs_review", payment, reason="more went back than came in")


def _end_excess(tx: Tx, payment: Payment) -> None:
    now = under_way.of_payment(tx, payment.id)
    if now.returned <= now.received:
        reviews.end(tx, payment.id, reviews.EXCESS)


def default_refund_to(tx: Tx, payment: Payment, amount: Money) -> RefundTo:
    """Return FROM_CREDIT if the payment's money off invoices suffices, else REOPEN."""
    free = (
        payment.unallocated.minor
        + payment.awaiting.minor
        + sum(lot.free.minor for lot in lots.of_payment(tx, payment.id) if lot.free.minor > 0)
    )
    return RefundTo.FROM_CREDIT if free >= amount.minor else RefundTo.REOPEN


def _give_up(
    tx: Tx,
    payment: Payment,
    receipt: str,
    reopened: list[tuple[str, int]],
    currency: str,
    on: date,
) -> list[tuple[str, int, str]]:
    """Write off the invoices that a refund reopened: what was refunded is no longer owed."""
    given_up: list[tuple[str, int, str]] = []
    for item, minor in reopened:
        # Nobody owes a prepayment, so nothing of it is written off.
        owed = items.account_of(tx, item) is LedgerAccount.RECEIVABLE
        if not owed or not items.write_off(tx, item, minor):
            continue
        id_ = tx.new_id("wof")
        given_up.append((item, minor, id_))
        reversals.insert_write_off(
            tx,
            id_=id_,
            item=item,
            amount=Money(currency, minor),
            reason=_CREDIT_NOTE,
            effective=on,
            account=LedgerAccount.BILLED,
            receipt=receipt,
        )
        note = [
            PostingLine(LedgerAccount.BILLED, minor, item=item),
            PostingLine(LedgerAccount.RECEIVABLE, -minor, item=item),
        ]
        _post(tx, payment, id_, currency, note, on)
    return given_up


def _emit_written_off(tx: Tx, given_up: list[tuple[str, int, str]]) -> None:
    """Emit the write-offs of credit notes."""
    for item, minor, write_off in given_up:
        facts = {"write_off": write_off, "amount_minor": minor, "reason": _CREDIT_NOTE}
        outbox.emit(tx, "invoice.written_off", item, allocation.item_data(tx, item) | facts)


def _suspend(tx: Tx, payment: Payment, receipt: str, movement: Movement) -> list[str]:
    """
    Put money into suspense that no rule can allocate.

    What the customer owes for this payment is canceled first, so that of money that came after more
    had gone out, only the rest is held.
    """
    cash = PostingLine(allocation.cash_account(payment), movement.amount.minor, receipt=receipt)
    canceled = taking.cancel_debits(tx, payment, movement.amount)
    minor = movement.amount.minor + sum(line.minor for line in canceled)
    lines = [cash, *canceled]
    if minor:
        booked = receipts.by_id(tx, receipt)
        assert booked is not None, "it was just booked"
        receipts.set_unallocated(tx, receipt, booked.unallocated.minor + minor)
        lines.append(PostingLine(LedgerAccount.SUSPENSE, -minor, receipt=receipt))
    on = customers.date_of(tx, payment.customer, movement.effective)
    _post(tx, payment, receipt, movement.amount.currency, lines, on)
    return []


def _post(
    tx: Tx, payment: Payment, entry: str, currency: str, lines: list[PostingLine], on: date
) -> None:
    posting.post(
        tx,
        lines,
        entry=entry,
        currency=currency,
        customer=payment.customer,
        payment=payment.id,
        effective=on,
    )


def _count(tx: Tx, payment: Payment, movement: Movement) -> None:
    if movement.amount.currency != payment.amount.currency:
        return
    minor = movement.amount.minor
    if movement.kind in (MovementKind.CHARGE, MovementKind.CAPTURE):
        payments.add_moved(tx, payment, received=minor, collected=minor)
    elif movement.kind is MovementKind.UNDONE:
        payments.add_moved(tx, payment, returned=-minor)
    elif movement.kind.inward:
        payments.add_moved(tx, payment, received=minor)
    else:
        payments.add_moved(tx, payment, returned=minor)
