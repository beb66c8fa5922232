"""Merge: the one place that writes an answer into the ledger, wherever it comes from.

The same answer may arrive as the response to our request, from an inquiry, in a callback or a
report, or from a clerk; twice, late, or after a better one. All of them pass through here, so only
one place has to be right. The known facts are read in the transaction that writes; the answer is
interpreted in their light (`reading`); one pure rule determines what is new (`decide`); and the
result is written together: the attempt, only if it has not changed since it was read, then money
(`booking`), methods (`keeping`), the next inquiry (`watching`) and events (`announcing`).

The rule: facts are ordered by rank, and a fact of lower rank changes nothing. A movement is a fact
of its own: it is booked once, whatever the state. A fault says nothing about the money.

An answer may also concern another attempt: a completion or withdrawal shows the outcome of its
page, a void that a pending debit has ended, a final capture that its hold has ended. That is merged
into the other attempt in the same transaction.

What stays true: the order of answers does not change the final place of the money; merging an
answer twice changes nothing; and if the ledger cannot be written, the attempt stays unchanged, and
recovery asks again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from paygate.domain.attempt import AttemptState
from paygate.domain.card_checks import CardChecks
from paygate.domain.decide import KEY_MISMATCH, AttemptFacts, Changes, Source, decide
from paygate.domain.kind import Operation
from paygate.domain.method import MethodFacts
from paygate.domain.money import Money
from paygate.domain.movement import Movement, MovementKind
from paygate.domain.outcome import (
    ActionRequired,
    Approved,
    Authorized,
    Declined,
    Ended,
    Ending,
    Fault,
    Moved,
    NotFound,
    Pending,
    RejectCause,
    Rejected,
    Unknown,
    Unsent,
)
from paygate.domain.payment import PaymentStatus
from paygate.errors import LedgerCorrupt, StoreError
from paygate.ledger import (
    accounts,
    attempts,
    claims,
    holding,
    links,
    payments,
    receipts,
    stored_requests,
    under_way,
)
from paygate.service import (
    allocation,
    announcing,
    booking,
    claiming,
    keeping,
    plain,
    quotes,
    watching,
)
from paygate.service.flow import Flow, transact
from paygate.service.reading import (
    AnswerSource,
    completed,
    unnamed,
    unneeded,
    used_up,
    withdrawn,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from paygate.domain.outcome import Answer
    from paygate.domain.payment import Payment
    from paygate.ledger.attempts import AttemptRow
    from paygate.ledger.receipts import Booked
    from paygate.ledger.tx import Tx

MethodKnown: TypeAlias = tuple[MethodFacts | None, CardChecks | None]
"""The printable facts of the charged method, and the results of its checks."""

_TRIES = 3
_FOLLOWS = (Operation.CAPTURE, Operation.VOID, Operation.REFUND)
_FIRST_CAME: dict[Operation, tuple[MovementKind, ...]] = {
    Operation.CAPTURE: (MovementKind.CHARGE,),
    Operation.VOID: (MovementKind.CHARGE, MovementKind.CAPTURE),
    Operation.REFUND: (MovementKind.CHARGE, MovementKind.CAPTURE),
}


def merge(attempt: str, answer: Answer, reading: AnswerSource) -> Flow[Payment]:
    """
    Merge *answer*, retrying the transaction if the ledger cannot be written.

    The answer may be the only one we get, so it is not given up at the first `StoreError`. If the
    retries fail, the error is raised, the attempt stays unchanged, and recovery will inquire.
    """
    return _of_payment((yield from merge_any(attempt, answer, reading)), attempt)


def merge_any(attempt: str, answer: Answer, reading: AnswerSource) -> Flow[Payment | None]:
    """Merge *answer* as `merge` does; return None if it concerns only a method."""
    for remaining in reversed(range(_TRIES)):
        try:
            return (yield from transact(lambda tx: merge_any_in(tx, attempt, answer, reading)))
        except LedgerCorrupt:
            raise
        except StoreError:
            if not remaining:
                raise
    raise AssertionError("the last try returns or raises")


def merge_in(tx: Tx, attempt: str, answer: Answer, reading: AnswerSource) -> Payment:
    """Merge *answer* in this transaction, and return the current state of the payment."""
    return _of_payment(merge_any_in(tx, attempt, answer, reading), attempt)


def _of_payment(payment: Payment | None, attempt: str) -> Payment:
    if payment is None:
        raise LedgerCorrupt(f"attempt {attempt} belongs to no payment", attempt=attempt)
    return payment


def merge_any_in(tx: Tx, attempt: str, answer: Answer, reading: AnswerSource) -> Payment | None:
    """Merge *answer* in this transaction, and return the payment of the attempt, if it has one."""
    holding.hold_attempt(tx, attempt)
    while True:
        before = attempts.by_id(tx, attempt)
        if before is None:
            raise LedgerCorrupt(f"there is no attempt {attempt} in this ledger", attempt=attempt)
        answer = unnamed(tx, before, answer, reading)
        if not before.attempt.payment:
            answer = keeping.understood(tx, before, answer)
        else:
            reading = unneeded(tx, before, answer, reading)
            answer = used_up(tx, before, completed(tx, before, answer))
            _came_before(tx, before, answer, reading)
            answer = withdrawn(tx, before, answer)
            answer = quotes.understood(tx, before, answer, reading.arrival)
        movements = answer.movements if isinstance(answer, Approved | Moved) else ()
        booked = receipts.booked(tx, before.attempt.account, movements)
        collected, authorized = _held_and_come(tx, before) if movements else (None, None)
        facts = AttemptFacts(
            operation=before.attempt.operation,
            state=before.attempt.state,
            asked=before.attempt.amount,
            sends=before.sends,
            variable_amount=reading.variable_amount,
            held_from_percent=reading.held_from_percent,
            booked={key: value.amount for key, value in booked.items()},
            settled={key: value.settlement for key, value in booked.items()},
            foreign=frozenset(
                key for key, value in booked.items() if value.payment != before.attempt.payment
            ),
            of_others=_of_others(before, booked),
            collected=collected,
            authorized=authorized,
            absence=reading.absence,
            overtaken=reading.overtaken,
            action=before.action,
            expires_at=before.expires_at,
            tries=attempts.tries_of(tx, attempt) if isinstance(answer, Declined) else frozenset(),
            key_known=before.attempt.code == KEY_MISMATCH,
            withdrawn=isinstance(answer, Pending) and _was_withdrawn(tx, before),
            late_pending=before.late_pending,
        )
        if isinstance(answer, Declined) and not answer.reference:
            # The same try is reported with the reference of its page, or without.
            answer = replace(answer, reference=before.attempt.reference)
        changes = decide(facts, answer, reading.source)
        overdue_at = watching.overdue_at(tx, before, changes, answer, reading.timing)
        next_check_at = watching.next_check(tx, before, changes, answer, reading, overdue_at)
        changes = watching.given_up(tx, before, changes, reading, next_check_at)
        changes = _voided_nothing(tx, before, changes)
        _note_credentials(tx, before.attempt.account, answer, reading)
        # On SQLite nobody can have written since we read; on PostgreSQL, read again.
        method = _of_method(before, answer)
        if _write_attempt(tx, before, changes, answer, reading, method, next_check_at, overdue_at):
            if not before.attempt.payment:
                keeping.consequences(tx, _named(before, reading), answer, changes)
                return None
            if changes.tried:
                attempts.note_try(tx, attempt, changes.reference, changes.raw_code)
            payment = _apply(tx, _named(before, reading), changes, method)
            payment = keeping.keep_paid_with(tx, before, answer, payment)
            return (
                _pass_on(tx, before, changes, answer, reading)
                or _end_hold(tx, before, changes, answer, reading)
                or _end_debit(tx, before, changes, reading)
                or payment
            )
        tx.known.clear()


def _note_credentials(tx: Tx, account: str, answer: Answer, reading: AnswerSource) -> None:
    """Record whether the gateway accepts the account's credentials."""
    if reading.source not in (Source.RESPONSE, Source.INQUIRY):
        return
    match answer:
        case Rejected(cause=RejectCause.CREDENTIALS):
            why = " ".join(each for each in (answer.raw_code, answer.message) if each)
            accounts.reject(tx, account, why)
        case Unknown(fault=Fault.CREDENTIALS) | Unsent(fault=Fault.CREDENTIALS):
            accounts.reject(tx, account, answer.reason)
        case Unknown() | Unsent():
            pass  # no response, or one that does not show it
        case _:
            accounts.accept(tx, account)


def _named(before: AttemptRow, reading: AnswerSource) -> AttemptRow:
    """Return *before* with the processor's id of the request, for the log."""
    if not reading.request_id:
        return before
    return replace(before, attempt=replace(before.attempt, request_id=reading.request_id))


def _of_others(
    before: AttemptRow, booked: Mapping[tuple[MovementKind, str], Booked]
) -> frozenset[tuple[MovementKind, str]]:
    """Return the movements of other captures, voids and refunds; a page owns all of its own."""
    if before.attempt.operation not in _FOLLOWS:
        return frozenset()
    return frozenset(
        (kind, name)
        for (kind, name), value in booked.items()
        if value.attempt != before.attempt.id
        # A report of the payment may have preceded the response to the request.
        and (value.operation in _FOLLOWS or kind in _FIRST_CAME[before.attempt.operation])
    )


def _held_and_come(tx: Tx, before: AttemptRow) -> tuple[Money | None, Money | None]:
    """Return how much of a hold was collected, and how much was held, if *before* concerns one."""
    if before.attempt.operation not in (Operation.AUTHORIZE, Operation.CAPTURE):
        return None, None
    now = under_way.of_payment(tx, before.attempt.payment)
    currency = before.attempt.amount.currency
    minor = now.authorized
    if not minor:
        main = attempts.main_of(tx, before.attempt.payment)
        minor = main.attempt.amount.minor
    return Money(currency, now.collected), Money(currency, minor)


def _came_before(tx: Tx, before: AttemptRow, answer: Answer, reading: AnswerSource) -> None:
    """Book the money of a pending debit that a void undoes: it came, but was not reported."""
    if before.attempt.operation is not Operation.VOID or not isinstance(answer, Approved):
        return
    main = attempts.main_of(tx, before.attempt.payment)
    if main.attempt.operation is not Operation.CHARGE:
        return
    if main.attempt.state is not AttemptState.PENDING:
        return
    came = tuple(
        Movement(movement_id=each.undoes, amount=each.amount, effective=each.effective)
        for each in answer.movements
        if each.kind is MovementKind.VOID and each.undoes
    )
    if came:
        about_main = replace(reading, source=Source.CALLBACK)
        merge_in(tx, main.attempt.id, Approved(movements=came), about_main)


def _was_withdrawn(tx: Tx, before: AttemptRow) -> bool:
    """Return whether a void has ended the charge *before*."""
    rows = attempts.of_payment(tx, before.attempt.payment) if before.attempt.payment else []
    return any(
        row.attempt.operation is Operation.VOID and row.attempt.state is AttemptState.SUCCEEDED
        for row in rows
    )


def _voided_nothing(tx: Tx, before: AttemptRow, changes: Changes) -> Changes:
    """Flag a void that is reported as done although money of the payment is still booked."""
    done = changes.state is AttemptState.SUCCEEDED
    if before.attempt.operation is not Operation.VOID or not done:
        return changes
    payment = payments.by_id(tx, before.attempt.payment)
    if payment is None or payment.status is not PaymentStatus.SUCCEEDED:
        return changes
    goes = sum(
        each.amount.minor * (-1 if each.kind.inward else 1)
        for each in changes.book
        if each.amount.currency == payment.amount.currency
    )
    left = payment.received.minor - payment.returned.minor - goes
    if left <= 0:
        return changes
    now = under_way.of_payment(tx, payment.id)
    if now.collected < now.authorized:
        return changes  # it released the rest of the hold
    text = "the gateway reports it as voided, but its money is still booked as received"
    if changes.book:
        rest = Money(payment.amount.currency, left)
        text = f"the gateway reports it as voided, but {rest} of it did not go back"
    return replace(changes, review=changes.review or text, alerts=(*changes.alerts, text))


def _end_debit(
    tx: Tx, before: AttemptRow, changes: Changes, reading: AnswerSource
) -> Payment | None:
    """End a debit that was voided while it was pending; money that still comes is late."""
    done = changes.state is AttemptState.SUCCEEDED
    if before.attempt.operation is not Operation.VOID or not done:
        return None
    main = attempts.main_of(tx, before.attempt.payment)
    if main.attempt.state is not AttemptState.PENDING:
        return None
    over = Ended(how=Ending.CANCELED)
    return merge_in(tx, main.attempt.id, over, replace(reading, source=Source.CALLBACK))


def _end_hold(
    tx: Tx, before: AttemptRow, changes: Changes, answer: Answer, reading: AnswerSource
) -> Payment | None:
    """End a hold that is over: the capture *before* reported that, or was the last one open."""
    if before.attempt.operation is not Operation.CAPTURE or changes.state is None:
        return None
    # Expired refers to the hold. Canceled may refer to the capture alone, and the hold stands.
    ran_out = isinstance(answer, Ended) and answer.how is Ending.EXPIRED
    if ran_out:
        under_way.note_hold_over(tx, before.attempt.payment)
    now = under_way.of_payment(tx, before.attempt.payment)
    main = attempts.main_of(tx, before.attempt.payment)
    known = now.collected or ran_out
    over = now.hold_over and known and not now.capturing
    if not over or main.attempt.state is not AttemptState.AUTHORIZED:
        return None
    over_now = Ended(how=Ending.EXPIRED)
    return merge_in(tx, main.attempt.id, over_now, replace(reading, source=Source.CALLBACK))


def _pass_on(
    tx: Tx, before: AttemptRow, changes: Changes, answer: Answer, reading: AnswerSource
) -> Payment | None:
    """Merge what a completion or withdrawal has shown into the main attempt."""
    operation = before.attempt.operation
    if operation not in (Operation.COMPLETE, Operation.WITHDRAW) or changes.state is None:
        return None
    main = attempts.main_of(tx, before.attempt.payment)
    # If no inquiry about the withdrawal is possible, one about the page still may be.
    can_inquire = reading.can_inquire or main.attempt.next_check_at is not None
    about_main = replace(reading, source=Source.CALLBACK, can_inquire=can_inquire)
    payment = merge_in(tx, main.attempt.id, _about_main(before, answer, reading), about_main)
    if not changes.state.in_doubt and payment.status is PaymentStatus.REQUIRES_ACTION:
        # The page is still payable, and its payer may leave it, so others may pay the items.
        claiming.soften(tx, payment.id, claims.of_payment(tx, payment.id))
    return payment


def _about_main(before: AttemptRow, answer: Answer, reading: AnswerSource) -> Answer:
    """Return what the answer to a completion or withdrawal says about the page itself."""
    operation = before.attempt.operation
    withdrawal = operation is Operation.WITHDRAW
    was_accepted = before.attempt.state is AttemptState.PENDING
    ended_late = was_accepted and reading.source is not Source.RESPONSE
    match answer:
        case Approved(movements=()) if withdrawal:
            return Ended(how=Ending.CANCELED)
        case ActionRequired(action=None):
            return Unknown(reason="the page is still open")
        case NotFound():
            # It does not know the completion; the page itself may be paid already.
            return Unknown(reason=f"the gateway has no record of the request to {operation}")
        case Declined(final=False) if withdrawal:
            return Unknown(reason=f"the gateway declined to {operation}")
        case Rejected() | Unsent() if withdrawal or not ended_late:
            # A refusal of this request says nothing about money that may be on its way.
            return Unknown(reason=f"the gateway refused to {operation}")
        case _:
            return answer


def _write_attempt(
    tx: Tx,
    before: AttemptRow,
    changes: Changes,
    answer: Answer,
    reading: AnswerSource,
    method: MethodKnown,
    next_check_at: datetime | None,
    overdue_at: datetime | None,
) -> bool:
    attempt = before.attempt
    state = changes.state or attempt.state
    absences = watching.absences(before, answer, reading)
    network_id = ""
    if isinstance(answer, Approved | Authorized):
        network_id = answer.network_transaction_id
    facts, checks = method
    news = changes.state is not None or changes.tried or bool(changes.code)
    return attempts.update(
        tx,
        before,
        state=state,
        reference=changes.reference or attempt.reference,
        code=changes.code if news else attempt.code,
        raw_code=changes.raw_code if news else attempt.raw_code,
        reason=changes.reason if news else attempt.reason,
        retryable=changes.retryable if news else before.attempt.retryable,
        advice=changes.advice if news else before.attempt.advice,
        action=changes.action or (None if state.final else before.action),
        expires_at=changes.expires_at or before.expires_at,
        next_check_at=next_check_at,
        checks=watching.checks(tx, before, reading),
        absences=absences,
        late_pending=watching.waits_late(before, changes),
        overdue_at=overdue_at,
        needs_review=watching.waits_for_person(before, changes),
        network_transaction_id=network_id or before.network_transaction_id,
        method_facts=facts,
        checks_=checks,
        request_id=reading.request_id,
    )


def _of_method(before: AttemptRow, answer: Answer) -> MethodKnown:
    """Return the known facts of the charged method, and the results of its checks."""
    if not isinstance(answer, Approved | Authorized | Declined):
        return before.method_facts, before.checks
    facts = (before.method_facts or MethodFacts()).updated(answer.method_facts)
    checks = answer.checks or before.checks
    return None if facts == MethodFacts() else facts, None if checks == CardChecks() else checks


def _apply(tx: Tx, before: AttemptRow, changes: Changes, method: MethodKnown) -> Payment:
    attempt = before.attempt
    payment = payments.by_id(tx, attempt.payment)
    if payment is None:
        raise LedgerCorrupt(f"attempt {attempt.id} belongs to no payment", attempt=attempt.id)
    quotes.keep(tx, attempt, changes.action, changes.expires_at)
    touched = booking.consequences(tx, before, payment, changes)
    state = changes.state or attempt.state
    if changes.state is not None and (state.final or _is_answered(before, state)):
        stored_requests.forget(tx, attempt.id)
    if attempt.needs_review and watching.found_out(before, changes):
        payments.clear_doubt(tx, payment.id)
    _write_status(tx, before, payment, changes)
    found = plain.approved(tx, before, payment, changes, *method)
    if found is None:
        found = payments.by_id(tx, payment.id)
    assert found is not None, "payments are never deleted"
    announcing.announce(tx, before, payment, found, changes)
    allocation.emit_invoices(tx, touched)
    went = any(not movement.kind.inward for movement in changes.book)
    let_go = attempt.state is AttemptState.AUTHORIZED and state.ended
    over = went or let_go or attempt.operation is Operation.VOID
    if over and booking.end_conflict(tx, found):
        found = payments.by_id(tx, payment.id)
        assert found is not None, "payments are never deleted"
    return found


def _is_answered(before: AttemptRow, state: AttemptState) -> bool:
    """Return whether a completion is answered; the payer's parameters are then not needed."""
    return before.attempt.operation is Operation.COMPLETE and not state.in_doubt


def _write_status(tx: Tx, before: AttemptRow, payment: Payment, changes: Changes) -> None:
    """Write the new status of the payment, and the flags that *changes* raise."""
    conflicted = announcing.conflicts(changes)
    review = bool(changes.review) or conflicted
    status = payment.status
    if changes.state is not None:
        status = booking.status_after(tx, before, payment, changes.state)
    if status is not payment.status or review:
        payments.set_status(tx, payment.id, status, needs_review=review, conflicted=conflicted)
    if payment.link and status is PaymentStatus.REQUIRES_ACTION is not payment.status:
        links.plan_withdrawal(tx, payment.link)
