"""The plain case: a new charge is approved in full, and pays what it claimed.

Most payments are like that. The new state of such a payment follows from its state before and from
what was written, so it is not read again: reading a payment costs as much as writing several rows.
In every other case `approved` returns None, and the payment is read. A test compares the two ways.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from paygate.domain.attempt import AttemptState
from paygate.domain.decide import Changes
from paygate.domain.kind import Operation
from paygate.domain.money import Money
from paygate.domain.movement import MovementKind
from paygate.domain.payment import RECORDED, PaymentStatus
from paygate.domain.settlement import NOTHING_SETTLED, CreditOn, settlement_of
from paygate.ledger import early_returns

if TYPE_CHECKING:
    from paygate.domain.card_checks import CardChecks
    from paygate.domain.method import MethodFacts
    from paygate.domain.payment import Payment
    from paygate.ledger.attempts import AttemptRow
    from paygate.ledger.tx import Tx


def approved(
    tx: Tx,
    before: AttemptRow,
    payment: Payment,
    changes: Changes,
    facts: MethodFacts | None,
    checks: CardChecks | None,
) -> Payment | None:
    """
    Return *payment* after *changes* were written, or None if it has to be read.

    *facts* and *checks* are the current facts of the method.
    """
    if not _is_approval(changes) or not _is_untouched(before, payment):
        return None
    if not _pays_all(payment, changes) or early_returns.any_of(tx, payment.id):
        return None
    nothing = Money.zero(payment.amount.currency)
    return replace(
        payment,
        status=PaymentStatus.SUCCEEDED,
        received=payment.amount,
        reference=changes.reference or payment.reference,
        expires_at=changes.expires_at or before.expires_at,
        action=None,
        method_facts=facts,
        checks=checks,
        items=tuple(replace(each, claimed=nothing, paid=each.amount) for each in payment.items),
    )


def _is_approval(changes: Changes) -> bool:
    """Return whether *changes* consist of success with one movement, and nothing else."""
    only = Changes(
        state=AttemptState.SUCCEEDED,
        book=changes.book,
        reference=changes.reference,
        expires_at=changes.expires_at,
    )
    return len(changes.book) == 1 and changes == only


def _is_untouched(before: AttemptRow, payment: Payment) -> bool:
    """Return whether nothing has happened to *payment* except that it was sent."""
    attempt = before.attempt
    sent = attempt.operation is Operation.CHARGE and attempt.state is AttemptState.SENDING
    moved = (
        payment.received,
        payment.returned,
        payment.credited,
        payment.unallocated,
        payment.from_credit,
        payment.awaiting,
        payment.capturing,
        payment.refunding,
        payment.seen,
        payment.authorized,
    )
    flags = (
        attempt.needs_review,
        payment.needs_review,
        payment.conflicted,
        payment.superseded,
        payment.disputed,
        payment.settled,
    )
    found = payment.reversal, payment.sightings, payment.foreign, payment.reviews
    new = payment.status is PaymentStatus.PROCESSING
    return sent and new and not any(moved) and not any(flags) and not any(found)


def _pays_all(payment: Payment, changes: Changes) -> bool:
    """Return whether the one movement is the requested amount, and all of it is claimed."""
    [movement] = changes.book
    held = all(each.claimed == each.amount and not each.paid for each in payment.items)
    wanted = sum(each.amount.minor for each in payment.items)
    return (
        held
        and bool(payment.customer)
        and payment.account != RECORDED
        and payment.credit_on is CreditOn.ACCEPTED
        and movement.kind is MovementKind.CHARGE
        and movement.amount == payment.amount
        and wanted == payment.amount.minor
        and movement.valued is None
        and settlement_of(movement) == NOTHING_SETTLED
    )
