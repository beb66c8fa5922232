"""Unsettled: accepted money that has not reached us in the time that its rail allows.

A processor says that a charge was accepted, the invoice is paid, and the money never comes: a
batch was rejected, an account was blocked. Nobody tells that by itself. So every payment whose
rail tells settlement has a deadline, counted from when its money was accepted. When it passes,
the gateway is asked. If the money has gone back or settled meanwhile, that is booked as always;
if not, the payment is flagged and an event says so. What it paid stays paid: a person decides.

A refund that was accepted can be lost in the same way, and then the payer waits for it. It has the
same time, counted from when it was accepted, or from when what it sends back had settled: until
then the processor may set the one off against the other. Then the gateway is asked about the
refund, and it is flagged unless it has settled or failed.

The same time is given to a reversal of money that has settled: the gateway should say that the
money went back. If it does not, a person may have reversed the wrong payment, which would never
come to light.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.domain.kind import Operation
from paygate.ledger import attempts, payments, reviews
from paygate.service import finding, inquire, settle, telling
from paygate.service.flow import Flow, look, transact

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.domain.payment import Payment
    from paygate.ledger.tx import Tx
    from paygate.service.account import GatewayAccount, Timing

_BRINGS = (Operation.CHARGE, Operation.AUTHORIZE, Operation.CAPTURE)


def recover(
    accounts: Mapping[str, GatewayAccount], timing: Timing, limit: int, silent: set[str]
) -> Flow[list[Payment]]:
    """
    Ask about payments whose money, in or out, must have settled by now, and flag what has not.

    A gateway that does not answer is asked again later: its silence is no news.
    """
    found: list[Payment] = []
    due = yield from look(lambda tx: payments.unsettled(tx, list(accounts), limit))
    for account, payment in due:
        if account not in silent:
            found.append((yield from _look_at(payment, account, accounts, timing, silent)))
    return found


def _look_at(
    payment: str,
    account: str,
    accounts: Mapping[str, GatewayAccount],
    timing: Timing,
    silent: set[str],
) -> Flow[Payment]:
    for attempt in (yield from look(lambda tx: _attempts(tx, payment))):
        yield from inquire.inquire_safely(attempt, accounts, timing, silent)
    answered = account not in silent
    return (yield from transact(lambda tx: _conclude(tx, payment, timing, answered=answered)))


def _attempts(tx: Tx, payment: str) -> list[str]:
    """Return the attempts that brought money of *payment*, and sent back what is out."""
    out = {each.attempt for each in settle.refunds_out(tx, payment)}
    brought = not out or settle.on_its_way(tx, payment) or settle.is_contradicted(tx, payment)
    rows = attempts.of_payment(tx, payment)
    return [
        row.attempt.id
        for row in rows
        if (brought and row.attempt.operation in _BRINGS) or row.attempt.id in out
    ]


def _conclude(tx: Tx, payment: str, timing: Timing, *, answered: bool) -> Payment:
    """Flag *payment* unless its money has settled or gone back, and nobody need look again."""
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
        _flag(tx, payment, reviews.UNSETTLED, "its money was accepted and has not settled")
    _flag_refunds(tx, payment)
    return finding.payment(tx, payment)


def _flag(tx: Tx, payment: str, cause: str, text: str) -> None:
    within = payments.settles_within(tx, payment)
    if reviews.raise_(tx, payment, cause):
        days = 0 if within is None else within.days
        telling.emit(
            tx,
            "payment.unsettled",
            finding.payment(tx, payment),
            reason=f"{text} within {days} days; find out at the processor what became of it",
        )


def _flag_refunds(tx: Tx, payment: str) -> None:
    """Flag the refunds whose time is over, and look again when that of the others is."""
    within = payments.settles_within(tx, payment)
    if within is None:
        return
    for each in settle.refunds_out(tx, payment):
        if each.booked_at + within <= tx.now:
            cause = settle.cause_of_refund(each.receipt)
            _flag(tx, payment, cause, f"its refund {each.attempt} was accepted and has not settled")
    settle.watch_refunds(tx, payment)


def _flag_reversal(tx: Tx, payment: str) -> None:
    """Flag *payment*, of which a person reversed money that is still here."""
    if reviews.raise_(tx, payment, reviews.CONTRADICTED):
        telling.emit(
            tx,
            "payment.needs_review",
            finding.payment(tx, payment),
            reason="a person reversed it, and its gateway says that the money has settled and not "
            "that it went back; ask the gateway, and if the money is here, undo_reversal",
        )
