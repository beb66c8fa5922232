"""The one writer: merge an answer into what we know, whoever brought it.

`decide` says what an answer changes; `merge_in` writes it, in one transaction:
state, receipts, allocations, claims, postings and events. Response, inquiry,
callback, report and operator all come through here.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from paygate.domain.credit import CreditReason
from paygate.domain.decide import Absence, Changes, Facts, Source, decide
from paygate.domain.outcome import (
    ActionRequired,
    Approved,
    Authorized,
    MovementKind,
    NotFound,
    Pending,
)
from paygate.domain.payment import STATUS_OF, AttemptState
from paygate.errors import LedgerCorrupt, StoreError
from paygate.ledger import items, lots, outbox, payments, posting, receipts
from paygate.ledger.posting import Account, Line
from paygate.service import allocation, reverse
from paygate.service.account import Timing
from paygate.service.flow import Flow, transact

if TYPE_CHECKING:
    from datetime import datetime

    from paygate.domain.outcome import Answer, Movement
    from paygate.domain.payment import Payment
    from paygate.ledger.payments import AttemptRow, Claim
    from paygate.ledger.tx import Tx

_TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How to read an answer: who gave it, and what the account's traits say about it."""

    source: Source
    variable_amount: bool = False
    absence: Absence = Absence.WAIT
    can_inquire: bool = True
    timing: Timing = field(default_factory=Timing)


def merge(attempt: str, answer: Answer, reading: Reading) -> Flow[Payment]:
    """
    Merge *answer*, trying the transaction again while the ledger cannot be written.

    The answer is in hand and may be the only one we get, so it is not given up
    at the first `StoreError`. If that does not help the error is raised, the
    attempt stays as it was, and recovery will inquire.
    """
    for remaining in reversed(range(_TRIES)):
        try:
            return (yield from transact(lambda tx: merge_in(tx, attempt, answer, reading)))
        except LedgerCorrupt:
            raise
        except StoreError:
            if not remaining:
                raise
    raise AssertionError("the last try returns or raises")


def merge_in(tx: Tx, attempt: str, answer: Answer, reading: Reading) -> Payment:
    """Merge *answer* in this transaction and tell the payment as it now stands."""
    while True:
        before = payments.attempt(tx, attempt)
        if before is None:
            raise LedgerCorrupt(f"there is no attempt {attempt} in this ledger", attempt=attempt)
        movements = answer.movements if isinstance(answer, Approved) else ()
        booked = receipts.booked(tx, before.attempt.account, movements)
        facts = Facts(
            operation=before.attempt.operation,
            state=before.attempt.state,
            asked=before.attempt.amount,
            sends=before.sends,
            variable_amount=reading.variable_amount,
            booked={key: value.amount for key, value in booked.items()},
            foreign=frozenset(
                key for key, value in booked.items() if value.payment != before.attempt.payment
            ),
            absence=reading.absence,
        )
        changes = decide(facts, answer, reading.source)
        next_check_at = _next_check(tx, before, changes, answer, reading)
        if _tired(before, changes, next_check_at):
            text = "we could not find out how this ended; ask the gateway and resolve it"
            changes = replace(changes, review=changes.review or text)
        # Nobody else can have written since we read on SQLite; elsewhere, look again.
        if _write_attempt(tx, before, changes, answer, reading, next_check_at):
            return _apply(tx, before, changes)


def _write_attempt(
    tx: Tx,
    before: AttemptRow,
    changes: Changes,
    answer: Answer,
    reading: Reading,
    next_check_at: datetime | None,
) -> bool:
    attempt = before.attempt
    state = changes.state or attempt.state
    absences = _absences(before, answer, reading)
    network_id = ""
    if isinstance(answer, Approved | Authorized):
        network_id = answer.network_transaction_id
    news = changes.state is not None or changes.tried
    return payments.update_attempt(
        tx,
        before,
        state=state,
        reference=changes.reference or attempt.reference,
        code=changes.code if news else attempt.code,
        raw_code=changes.raw_code if news else attempt.raw_code,
        reason=changes.reason if news else attempt.reason,
        retryable=changes.retryable if news else before.retryable,
        action=changes.action or (None if state.final else before.action),
        expires_at=changes.expires_at or before.expires_at,
        next_check_at=next_check_at,
        checks=_checks(before, reading),
        absences=absences,
        needs_review=attempt.needs_review or bool(changes.review),
        network_transaction_id=network_id or before.network_transaction_id,
    )


def _absences(before: AttemptRow, answer: Answer, reading: Reading) -> int:
    """Count inquiries in a row that did not find it; those that came too early do not count."""
    counts = isinstance(answer, NotFound) and reading.absence is not Absence.WAIT
    return before.absences + 1 if counts else 0


def _checks(before: AttemptRow, reading: Reading) -> int:
    return before.attempt.checks + (reading.source is Source.INQUIRY)


def _tired(before: AttemptRow, changes: Changes, next_check_at: datetime | None) -> bool:
    """Tell whether an attempt is in doubt and nobody will ask about it any more."""
    state = changes.state or before.attempt.state
    return state.in_doubt and next_check_at is None and not before.attempt.needs_review


def _next_check(
    tx: Tx, before: AttemptRow, changes: Changes, answer: Answer, reading: Reading
) -> datetime | None:
    """Tell when to inquire next; None where nothing is expected, or a person must look."""
    state = changes.state or before.attempt.state
    checks = _checks(before, reading)
    if state.final or not reading.can_inquire:
        return None
    timing = reading.timing
    if state.in_doubt:
        return tx.now + timing.plan[checks] if checks < len(timing.plan) else None
    expected: datetime | None = None
    if isinstance(answer, Pending):
        expected = answer.expected_at
    elif isinstance(answer, ActionRequired | Authorized):
        expected = answer.expires_at
    soonest = tx.now + timing.waiting
    # What is late already is asked about at the usual pace, not at every pass.
    return expected if expected is not None and tx.now < expected < soonest else soonest


def _apply(tx: Tx, before: AttemptRow, changes: Changes) -> Payment:
    attempt = before.attempt
    payment = payments.by_id(tx, attempt.payment)
    if payment is None:
        raise LedgerCorrupt(f"attempt {attempt.id} belongs to no payment", attempt=attempt.id)
    claims = payments.claims_of(tx, payment.id)
    if changes.book or changes.state is not None:
        claims = _move_claims(tx, payment, claims, changes)
    touched = [*_book(tx, before, payment, claims, changes)]
    if changes.state is AttemptState.SUCCEEDED:
        # A partial approval frees what it did not bring.
        allocation.release(tx, payment.id, payments.claims_of(tx, payment.id))
    state = changes.state or attempt.state
    if changes.state is not None and state.final:
        payments.forget_request(tx, attempt.id)
    _tell(tx, payment, changes)
    allocation.tell_items(tx, touched)
    found = payments.by_id(tx, payment.id)
    assert found is not None, "payments are never deleted"
    return found


def _move_claims(tx: Tx, payment: Payment, claims: list[Claim], changes: Changes) -> list[Claim]:
    """Make claims hard, soft or free, as the new state of their payment wants."""
    match changes.state:
        case AttemptState.REQUIRES_ACTION:
            _soften(tx, payment.id, claims)
        case AttemptState.PENDING | AttemptState.AUTHORIZED | AttemptState.SUCCEEDED:
            if not any(claim.state == "soft" for claim in claims):
                return claims
            _harden(tx, payment, claims)
        case (
            AttemptState.DECLINED
            | AttemptState.FAILED
            | AttemptState.CANCELED
            | AttemptState.EXPIRED
        ):
            allocation.release(tx, payment.id, claims)
        case _:
            return claims
    return payments.claims_of(tx, payment.id)


def _soften(tx: Tx, payment: str, claims: list[Claim]) -> None:
    """Let others pay these items: the payer may never come back from the page."""
    for claim in claims:
        if claim.state == "hard":
            items.unclaim(tx, claim.item, claim.minor)
            if claim.credit is not None:
                lots.release(tx, claim.credit, claim.minor)
            payments.set_claim(tx, payment, claim, "soft")


def _harden(tx: Tx, payment: Payment, claims: list[Claim]) -> None:
    """Hold the items again that are still free; the others were paid meanwhile."""
    for claim in claims:
        if claim.state != "soft":
            continue
        if claim.credit is not None and not lots.reserve(tx, claim.credit, claim.minor):
            continue
        if items.claim(tx, claim.item, claim.minor):
            payments.set_claim(tx, payment.id, claim, "hard")
        elif claim.credit is not None:
            lots.release(tx, claim.credit, claim.minor)


def _book(
    tx: Tx, before: AttemptRow, payment: Payment, claims: list[Claim], changes: Changes
) -> list[str]:
    """Book the movements that are new and tell which invoices they touched."""
    touched: list[str] = []
    for movement in changes.book:
        receipt = receipts.book(
            tx,
            movement,
            account=before.attempt.account,
            customer=payment.customer,
            payment=payment.id,
            attempt=before.attempt.id,
        )
        if receipt is None:
            continue
        _count(tx, payment, movement)
        tell_receipt(tx, payment, receipt, movement)
        if movement.kind in (MovementKind.CHARGE, MovementKind.CAPTURE):
            touched += _inward(tx, payment, receipt, movement, claims, changes)
            claims = payments.claims_of(tx, payment.id) if len(changes.book) > 1 else claims
        elif movement.kind is MovementKind.RETURN:
            reverse.book_return(tx, payment, receipt, movement)
        else:
            _suspend(tx, payment, receipt, movement)
    return touched


def _inward(
    tx: Tx,
    payment: Payment,
    receipt: str,
    movement: Movement,
    claims: list[Claim],
    changes: Changes,
) -> list[str]:
    on = movement.effective or tx.today
    amount = movement.amount
    if not changes.allocate:
        _suspend(tx, payment, receipt, movement)
        return []
    source = Line(allocation.cash_account(payment.kind), amount.minor, receipt=receipt)
    placed = allocation.place(tx, payment, receipt, amount, claims, source=source, on=on)
    if placed.credited is CreditReason.ALREADY_PAID:
        _alert(tx, payment, "money came for an invoice that was paid otherwise; it is credit")
    if payment.superseded:
        _alert(tx, payment, "money came on a page that another payment had superseded")
    return placed.items


def _suspend(tx: Tx, payment: Payment, receipt: str, movement: Movement) -> None:
    """Keep money that nobody can place by rule where a person finds it."""
    sign = 1 if movement.kind.inward else -1
    receipts.set_unallocated(tx, receipt, sign * movement.amount.minor)
    lines = [
        Line(allocation.cash_account(payment.kind), sign * movement.amount.minor, receipt=receipt),
        Line(Account.SUSPENSE, -sign * movement.amount.minor, receipt=receipt),
    ]
    posting.post(
        tx,
        lines,
        entry=receipt,
        currency=movement.amount.currency,
        customer=payment.customer,
        payment=payment.id,
        effective=movement.effective or tx.today,
    )


def _count(tx: Tx, payment: Payment, movement: Movement) -> None:
    if movement.amount.currency != payment.amount.currency:
        return
    minor = movement.amount.minor
    if movement.kind.inward:
        payments.add_moved(tx, payment.id, received=minor)
    else:
        payments.add_moved(tx, payment.id, returned=minor)


def _tell(tx: Tx, payment: Payment, changes: Changes) -> None:
    """Write the payment's status and flags, and emit what changed."""
    conflicted = changes.conflict or (not changes.allocate and bool(changes.book))
    review = bool(changes.review) or conflicted
    status = payment.status if changes.state is None else STATUS_OF[changes.state]
    if status is not payment.status or review:
        payments.set_status(tx, payment.id, status, needs_review=review, conflicted=conflicted)
    now = replace(
        payment,
        status=status,
        code=changes.code,
        raw_code=changes.raw_code,
        reason=changes.reason,
    )
    if changes.state is not None:
        emit(tx, _EVENT_OF[changes.state], now)
    if changes.late:
        emit(tx, "payment.late_success", now)
    if changes.tried:
        emit(tx, "payment.declined_try", now)
    if conflicted:
        emit(tx, "payment.conflicted", now, reason=changes.review)
    elif changes.review and not payment.needs_review:
        emit(tx, "payment.needs_review", now, reason=changes.review)
    for text in changes.alerts:
        _alert(tx, now, text)


def _alert(tx: Tx, payment: Payment, text: str) -> None:
    emit(tx, "payment.alert", payment, reason=text)


def emit(tx: Tx, type_: str, payment: Payment, **more: Any) -> None:
    """Emit an event about *payment*, with its facts."""
    data = {
        "payment": payment.id,
        "customer": payment.customer,
        "account": payment.account,
        "kind": payment.kind.value,
        "status": payment.status.value,
        "amount_minor": payment.amount.minor,
        "currency": payment.amount.currency,
    }
    if payment.code:
        data |= {"code": payment.code, "raw_code": payment.raw_code, "reason": payment.reason}
    outbox.emit(tx, type_, payment.id, data | more)


_EVENT_OF: dict[AttemptState, str] = {
    AttemptState.UNKNOWN: "payment.unknown",
    AttemptState.REQUIRES_ACTION: "payment.requires_action",
    AttemptState.PENDING: "payment.pending",
    AttemptState.AUTHORIZED: "payment.authorized",
    AttemptState.SUCCEEDED: "payment.succeeded",
    AttemptState.DECLINED: "payment.declined",
    AttemptState.FAILED: "payment.failed",
    AttemptState.CANCELED: "payment.canceled",
    AttemptState.EXPIRED: "payment.expired",
}


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
