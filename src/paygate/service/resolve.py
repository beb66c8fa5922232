"""Resolve: an operator says how an attempt ended, with evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.domain.decide import Source
from paygate.domain.outcome import Approved, Closed, Declined
from paygate.domain.payment import Operation
from paygate.errors import AlreadyFinal, InvalidValue
from paygate.ledger import payments
from paygate.service import merge, reverse, telling
from paygate.service.flow import Flow, transact

if TYPE_CHECKING:
    from paygate.domain.payment import Payment
    from paygate.ledger.tx import Tx


def resolve(payment: str, outcome: Approved | Declined | Closed, *, evidence: str) -> Flow[Payment]:
    """Merge what an operator found out about the attempt of *payment* that is in doubt."""
    return (yield from transact(lambda tx: resolve_in(tx, payment, outcome, evidence=evidence)))


def resolve_in(
    tx: Tx, which: str, outcome: Approved | Declined | Closed, *, evidence: str
) -> Payment:
    """Merge what an operator found out, in this transaction."""
    if not evidence.strip():
        raise InvalidValue(
            "say where you saw it: evidence='processor's dashboard, transaction 4711'"
        )
    payment = reverse.find(tx, which)
    live = [row for row in payments.attempts_of(tx, payment.id) if not row.attempt.state.final]
    if not live:
        raise AlreadyFinal(
            f"payment {payment.id} is {payment.status}; there is nothing to resolve",
            payment=payment.id,
        )
    # An authorisation and a page live on below a capture or completion that nobody knows about.
    asked = next((row for row in live if row.attempt.state.in_doubt), live[0]).attempt
    moves = asked.operation not in (Operation.VOID, Operation.CLOSE)
    if isinstance(outcome, Approved) and not outcome.movements and moves:
        raise InvalidValue("an approval needs the movement: its id at the processor and amount")
    reading = merge.Reading(source=Source.OPERATOR, can_inquire=False)
    resolved = merge.merge_in(tx, asked.id, outcome, reading)
    payments.clear_review(tx, payment.id)
    telling.emit(tx, "payment.resolved", resolved, evidence=evidence)
    return reverse.find(tx, payment.id)
