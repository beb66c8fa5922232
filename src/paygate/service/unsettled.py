"""Unsettled: accepted money that has not settled within the time that its rail allows.

A processor reports a charge as accepted, the invoice is paid, and the money never comes: a batch
was rejected, an account was blocked. Nobody reports that. So every payment whose rail reports
settlement has a deadline, counted from the acceptance of its money. When it passes, the gateway is
asked. If the money has settled or gone back, that is booked as usual; if not, the payment is
flagged with an event. Its invoices stay paid until somebody decides.

An accepted refund can be lost in the same way, and then the payer waits for it. It has the same
time, counted from its acceptance, or from when the refunded money settled, since until then the
processor may set one off against the other. Then the gateway is asked about the refund, which is
flagged unless it has settled or failed.

A reversal of settled money has the same time: the gateway should report that the money went back.
If it does not, the wrong payment may have been reversed, which would otherwise never be noticed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.domain.kind import Operation
from paygate.ledger import attempts, holding, payments, reviews
from paygate.service import events, finding, inquire, settle
from paygate.service.flow import Flow, look, transact

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.domain.payment import Payment
    from paygate.ledger.tx import Tx
    from paygate.service.account import GatewayAccount, Timing

_BRINGS = (Operation.CHARGE, Operation.AUTHORIZE, Operation.CAPTURE)


def check(
    payment: str,
    account: str,
    accounts: Mapping[str, GatewayAccount],
    timing: Timing,
    silent: set[str],
) -> Flow[Payment]:
    """
    Inquire about a payment whose money, in or out, is due to have settled; flag it if it has not.

    A gateway that does not answer is added to *silent*, and asked again later.
    """
    for attempt in (yield from look(lambda tx: _attempts(tx, payment))):
        yield from inquire.inquire_safely(attempt, accounts, timing, silent)
    answered = account not in silent
    return (yield from transact(lambda tx: _conclude(tx, payment, timing, answered=answered)))


def _attempts(tx: Tx, payment: str) -> list[str]:
    """Return the attempts that brought money of *payment*, and those of unsettled refunds."""
    out = {each.attempt for each in settle.refunds_out(tx, payment)}
    brought = not out or settle.on_its_way(tx, payment) or settle.is_contradicted(tx, payment)
    rows = attempts.of_payment(tx, payment)
    return [
        row.attempt.id
        for row in rows
        if (brought and row.attempt.operation in _BRINGS) or row.attempt.id in out
    ]


def _conclude(tx: Tx, payment: str, timing: Timing, *, answered: bool) -> Payment:
    """Flag *payment* unless its money has settled or gone back, and plan no further check."""
    holding.hold_payment(tx, payment)
    contradicted = settle.is_contradicted(tx, payment)
    on_its_way = settle.on_its_way(tx, payment)
    waits = on_its_way or contradicted or settle.refunds_out(tx, payment)
    if waits and not answered:
        payments.set_settle_check(tx, payment, tx.now + timing.waiting)
        return finding.payment(tx, payment)
    payments.set_settle_check(tx, payment, None)
    if contradicted:
        _flag_reversal(tx, payment)
    elif on_its_way:
        _flag(tx, payment, reviews.UNSETTLED, "its money was accepted but has not settled")
    _flag_refunds(tx, payment)
    return finding.payment(tx, payment)


def _flag(tx: Tx, payment: str, cause: str, text: str) -> None:
    within = payments.settles_within(tx, payment)
    if reviews.raise_(tx, payment, cause):
        days = 0 if within is None else within.days
        events.emit(
            tx,
            "payment.unsettled",
            finding.payment(tx, payment),
            reason=f"{text} within {days} days; ask the processor about it",
        )


def _flag_refunds(tx: Tx, payment: str) -> None:
    """Flag the refunds whose time has passed, and plan a check of the others."""
    within = payments.settles_within(tx, payment)
    if within is None:
        return
    for each in settle.refunds_out(tx, payment):
        if each.booked_at + within <= tx.now:
            cause = settle.cause_of_refund(each.receipt)
            _flag(tx, payment, cause, f"its refund {each.attempt} was accepted but has not settled")
    settle.watch_refunds(tx, payment)


def _flag_reversal(tx: Tx, payment: str) -> None:
    """Flag *payment*, whose money was reversed by hand although it is still here."""
    if reviews.raise_(tx, payment, reviews.CONTRADICTED):
        events.emit(
            tx,
            "payment.needs_review",
            finding.payment(tx, payment),
            reason="it was reversed by hand, but its gateway reports the money as settled, not as "
            "returned; ask the gateway, and if the money is here, undo_reversal",
        )
