"""Cancel: void a payment, or refund it if it cannot be voided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from paygate.domain.kind import Operation
from paygate.domain.payment import PaymentStatus
from paygate.domain.result import result_of
from paygate.errors import NotCancelable
from paygate.ledger import attempts, keys
from paygate.service import finding, operate, tasks, ways
from paygate.service.flow import Flow, look
from paygate.service.tasks import OperateOrder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.domain.payment import Payment
    from paygate.domain.result import OperationResult
    from paygate.ledger.tx import Tx
    from paygate.service.account import GatewayAccount, Timing


@dataclass(frozen=True, slots=True)
class Cancel:
    """The payment to cancel, and the reason to refund it while the bank can still return it."""

    payment: str
    key: str
    force_reason: str = ""


def cancel(
    wish: Cancel, accounts: Mapping[str, GatewayAccount], timing: Timing
) -> Flow[OperationResult]:
    """
    Cancel a payment in the cheapest way that still works, and return the last result.

    A page is withdrawn, an authorization voided, a charge voided if possible and refunded
    otherwise. A void of unknown outcome is left alone.
    """
    payment, key = wish.payment, wish.key
    found, in_part = yield from look(lambda tx: _gone_in_part(tx, payment, key))
    tasks.check_rail(found, Operation.VOID)
    account = operate.account_of(found, accounts)
    match found.status:
        case PaymentStatus.REQUIRES_ACTION:
            first = Operation.WITHDRAW
        case PaymentStatus.AUTHORIZED | PaymentStatus.SUCCEEDED:
            first = Operation.VOID
        case PaymentStatus.PROCESSING if account.offers(found.kind, Operation.VOID):
            first = Operation.VOID  # a debit can be voided while the bank has it
        case PaymentStatus.CANCELED:
            return (yield from look(lambda tx: _undone_before(tx, found, key)))
        case _:
            raise (yield from look(lambda tx: _not_cancelable(tx, found)))
    refundable = found.status is PaymentStatus.SUCCEEDED
    voidable = account.offers(found.kind, first) and not in_part
    if voidable or not refundable:
        task = OperateOrder(operation=first, payment=payment, key=key)
        result = yield from operate.operate(task, accounts, timing)
        # A void that never reached the gateway can be requested again.
        refused = result.state.failed and not result.retryable
        if not (refused and refundable):
            return result
    back = OperateOrder(
        operation=Operation.REFUND,
        payment=payment,
        key=key,
        reason="canceled",
        force_reason=wish.force_reason,
    )
    return (yield from operate.operate(back, accounts, timing))


def _not_cancelable(tx: Tx, payment: Payment) -> NotCancelable:
    """Return the error that says why *payment* cannot be canceled, and what to do instead."""
    if payment.status in (PaymentStatus.PROCESSING, PaymentStatus.UNKNOWN):
        out = ways.out_of(tx, payment)
        return NotCancelable(
            f"payment {payment.id} is {payment.status} and cannot be canceled now: {out.text}",
            payment=payment.id,
            ways=list(out.verbs),
        )
    return NotCancelable(
        f"payment {payment.id} is {payment.status}; there is nothing to cancel",
        payment=payment.id,
        ways=[],
    )


def _gone_in_part(tx: Tx, which: str, key: str) -> tuple[Payment, bool]:
    """Return a payment, and whether part of it went back: then its charge cannot be voided."""
    payment = finding.payment(tx, which)
    if payment.status is not PaymentStatus.SUCCEEDED or keys.used(tx, Operation.VOID, key):
        return payment, False
    in_part = 0 < payment.returned.minor < payment.received.minor
    return payment, in_part or keys.used(tx, Operation.REFUND, key)


def _undone_before(tx: Tx, payment: Payment, key: str) -> OperationResult:
    """Return the result of what canceled *payment*, under *key* if it was requested so."""
    for operation in (Operation.VOID, Operation.WITHDRAW):
        before = [row.attempt for row in operate.asked_before(tx, payment, operation, key)]
        if before:
            return operate.made_of(tx, payment, operation, before, repeated=True)
    rows = attempts.of_payment(tx, payment.id)
    voided = any(row.attempt.operation is Operation.VOID for row in rows)
    return result_of(payment, Operation.VOID if voided else Operation.WITHDRAW, [], repeated=True)
