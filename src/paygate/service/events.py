"""Events about payments, and alerts for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from paygate import logs
from paygate.domain.credit import CreditReason
from paygate.ledger import items, outbox, receipts
from paygate.ledger.posting import LedgerAccount

if TYPE_CHECKING:
    from paygate.domain.movement import Movement
    from paygate.domain.payment import Payment
    from paygate.ledger.tx import Tx


def alert(tx: Tx, payment: Payment, text: str, about: logs.About = logs.NOTHING) -> None:
    """Emit an alert: a fact about the payment contradicts what was known, or needs attention."""
    emit(tx, "payment.alert", payment, about, reason=text)


def emit(
    tx: Tx, type_: str, payment: Payment, about: logs.About = logs.NOTHING, /, **more: object
) -> None:
    """
    Emit an event about *payment*, with its facts and those of the attempt that it is *about*.

    If it concerns only part of the payment, pass the part as ``amount_minor``.
    """
    data: dict[str, object] = {
        "payment": payment.id,
        "short_reference": payment.short_reference,
        "customer": payment.customer,
        "account": payment.account,
        "kind": payment.kind.value,
        "status": payment.status.value,
        "amount_minor": payment.amount.minor,
        "currency": payment.amount.currency,
        "requested_minor": payment.amount.minor,
        "received_minor": payment.received.minor,
        "returned_minor": payment.returned.minor,
    }
    if payment.link:
        data["link"] = payment.link
    note_automatic(tx, payment)
    if about.attempt:
        data |= {"attempt": about.attempt, "operation": about.operation}
    if payment.checks is not None:
        data["checks"] = {name: of.value for name, of in payment.checks.results.items()}
    if payment.code or payment.reason:
        data |= {"code": payment.code, "raw_code": payment.raw_code, "reason": payment.reason}
    outbox.emit(tx, type_, payment.id, data | more, about)


def note_automatic(tx: Tx, payment: Payment) -> None:
    """Let the end of this transaction store what follows if *payment* is an automatic one."""
    if payment.key.startswith(AUTOPAY):
        tx.automatic[payment.id] = None


AUTOPAY: Final = "autopay/"
"""How the key of an automatic payment begins; a host's key that does as well has no line."""


def emit_receipt(
    tx: Tx,
    payment: Payment,
    receipt: str,
    movement: Movement,
    about: logs.About = logs.NOTHING,
) -> None:
    """Emit that money moved and was booked, and which attempt reported it."""
    data = {
        "payment": payment.id,
        "customer": payment.customer,
        "account": payment.account,
        "receipt": receipt,
        "receipt_number": receipts.number_of(tx, receipt),
        "kind": movement.kind.value,
        **of_movement(movement),
        "currency": movement.amount.currency,
    }
    if about.attempt:
        data |= {"attempt": about.attempt, "operation": about.operation}
    outbox.emit(tx, "receipt.booked", payment.id, data, about)


def of_movement(movement: Movement) -> dict[str, object]:
    """Return the facts of a movement for an event about it."""
    facts: dict[str, object] = {
        "movement_id": movement.movement_id,
        "amount_minor": movement.amount.minor,
    }
    return facts | ({"undoes": movement.undoes} if movement.undoes else {})


def alert_credited(tx: Tx, payment: Payment, reason: CreditReason | None, item: str | None) -> None:
    """Emit an alert if money became credit because *item*, which it was for, could not take it."""
    prepaid = item is not None and items.account_of(tx, item) is LedgerAccount.PREPAYMENT
    what = "a prepayment" if prepaid else "an invoice"
    if reason is CreditReason.ALREADY_PAID:
        alert(tx, payment, f"money came for {what} that was paid otherwise; it is credit")
    elif reason is CreditReason.BEING_PAID:
        alert(tx, payment, f"money came for {what} that another payment holds; it is credit")
    elif reason is CreditReason.NOT_OWED:
        ended = "was closed" if prepaid else "is void or written off"
        alert(tx, payment, f"money came for {what} that {ended}; it is credit")
