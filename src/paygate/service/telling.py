"""What is told of payments while something is booked: events, and alerts for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate import logs
from paygate.domain.credit import CreditReason
from paygate.ledger import outbox

if TYPE_CHECKING:
    from paygate.domain.outcome import Movement
    from paygate.domain.payment import Payment
    from paygate.ledger.tx import Tx


def alert(tx: Tx, payment: Payment, text: str, about: logs.About = logs.NOTHING) -> None:
    """Tell people that something about a payment contradicts what was known."""
    emit(tx, "payment.alert", payment, about, reason=text)


def emit(
    tx: Tx, type_: str, payment: Payment, about: logs.About = logs.NOTHING, /, **more: object
) -> None:
    """Emit an event about *payment*, with its facts; the line in the log names the attempt."""
    data = {
        "payment": payment.id,
        "customer": payment.customer,
        "account": payment.account,
        "kind": payment.kind.value,
        "status": payment.status.value,
        "amount_minor": payment.amount.minor,
        "currency": payment.amount.currency,
    }
    if payment.code or payment.reason:
        data |= {"code": payment.code, "raw_code": payment.raw_code, "reason": payment.reason}
    outbox.emit(tx, type_, payment.id, data | more, about)


def tell_receipt(tx: Tx, payment: Payment, receipt: str, movement: Movement) -> None:
    """Emit that money moved and was booked."""
    outbox.emit(
        tx,
        "receipt.booked",
        payment.id,
        {
            "payment": payment.id,
            "customer": payment.customer,
            "account": payment.account,
            "receipt": receipt,
            "kind": movement.kind.value,
            "movement_id": movement.movement_id,
            "amount_minor": movement.amount.minor,
            "currency": movement.amount.currency,
        },
    )


def tell_credited(tx: Tx, payment: Payment, reason: CreditReason | None) -> None:
    """Alert people where money became credit because somebody else had paid the invoice."""
    if reason is CreditReason.ALREADY_PAID:
        alert(tx, payment, "money came for an invoice that was paid otherwise; it is credit")
