"""The one writer: merge an answer into what we know, whoever brought it.

`decide` says what an answer changes; `merge_in` writes it, in one transaction:
state, receipts, allocations, claims, postings and events. Response, inquiry,
callback, report and operator all come through here.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from paygate.domain.attempt import AttemptState
from paygate.domain.decide import KEY_MISMATCH, Absence, Changes, Facts, Source, decide
from paygate.domain.kind import Operation
from paygate.domain.method import MethodFacts
from paygate.domain.money import Money
from paygate.domain.movement import Movement, MovementKind
from paygate.domain.outcome import (
    ActionRequired,
    Approved,
    Authorized,
    Closed,
    Closing,
    Declined,
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
    customers,
    payments,
    receipts,
    stored_requests,
    under_way,
)
from paygate.service import allocation, booking, claiming, keeping, quotes, requests, telling
from paygate.service.account import Timing
from paygate.service.flow import Flow, transact
from paygate.service.hiding import Hidden

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from paygate.domain.outcome import Answer
    from paygate.domain.payment import Payment
    from paygate.ledger.arrivals import Arrival
    from paygate.ledger.attempts import AttemptRow
    from paygate.ledger.receipts import Booked
    from paygate.ledger.tx import Tx

_TRIES = 3
_ABOUT_PAGE = (Operation.COMPLETE, Operation.CLOSE)
_FOLLOWS = (Operation.CAPTURE, Operation.VOID, Operation.REFUND)
_FIRST_CAME: dict[Operation, tuple[MovementKind, ...]] = {
    Operation.CAPTURE: (MovementKind.CHARGE,),
    Operation.VOID: (MovementKind.CHARGE, MovementKind.CAPTURE),
    Operation.REFUND: (MovementKind.CHARGE, MovementKind.CAPTURE),
}
_WAS_HELD = (AttemptState.AUTHORIZED, AttemptState.SUCCEEDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """
    How to read an answer: who gave it, and what the account's traits say about it.

    What is perhaps `overtaken` may have been true before what we know by now. An inquiry
    that was not `answered` counts for nothing: nobody was asked, or nobody said anything.
    `request_id` is what the processor calls the request that it answered, `arrival` the money
    that was seen at a place, if it is about that.
    """

    source: Source
    variable_amount: bool = False
    held_from_percent: int = 0
    absence: Absence = Absence.WAIT
    can_inquire: bool = True
    overtaken: bool = False
    answered: bool = True
    request_id: str = ""
    arrival: Arrival | None = None
    timing: Timing = field(default_factory=Timing)


def merge(attempt: str, answer: Answer, reading: Reading) -> Flow[Payment]:
    """
    Merge *answer*, trying the transaction again while the ledger cannot be written.

    The answer is in hand and may be the only one we get, so it is not given up
    at the first `StoreError`. If that does not help the error is raised, the
    attempt stays as it was, and recovery will inquire.
    """
    return _of_payment((yield from merge_any(attempt, answer, reading)), attempt)


def merge_any(attempt: str, answer: Answer, reading: Reading) -> Flow[Payment | None]:
    """Merge *answer* as `merge` does; there is no payment where it is about a method alone."""
    for remaining in reversed(range(_TRIES)):
        try:
            return (yield from transact(lambda tx: merge_any_in(tx, attempt, answer, reading)))
        except LedgerCorrupt:
            raise
        except StoreError:
            if not remaining:
                raise
    raise AssertionError("the last try returns or raises")


def merge_in(tx: Tx, attempt: str, answer: Answer, reading: Reading) -> Payment:
    """Merge *answer* in this transaction and tell the payment as it now stands."""
    return _of_payment(merge_any_in(tx, attempt, answer, reading), attempt)


def _of_payment(payment: Payment | None, attempt: str) -> Payment:
    if payment is None:
        raise LedgerCorrupt(f"attempt {attempt} belongs to no payment", attempt=attempt)
    return payment


def merge_any_in(tx: Tx, attempt: str, answer: Answer, reading: Reading) -> Payment | None:
    """Merge *answer* in this transaction; tell the payment, where the attempt is of one."""
    while True:
        before = attempts.by_id(tx, attempt)
        if before is None:
            raise LedgerCorrupt(f"there is no attempt {attempt} in this ledger", attempt=attempt)
        answer = _unnamed(tx, before, answer)
        if not before.attempt.payment:
            answer = keeping.understood(tx, before, answer)
        else:
            answer = _used_up(tx, before, _completed(tx, before, answer, reading))
            _came_before(tx, before, answer, reading)
            answer = _withdrawn(tx, before, answer)
            answer = quotes.understood(tx, before, answer, reading.arrival)
        movements = answer.movements if isinstance(answer, Approved | Moved) else ()
        booked = receipts.booked(tx, before.attempt.account, movements)
        collected, authorized = _held_and_come(tx, before) if movements else (None, None)
        facts = Facts(
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
            # The same try is told with the name of its page, or without.
            answer = replace(answer, reference=before.attempt.reference)
        changes = decide(facts, answer, reading.source)
        overdue_at = _overdue_at(tx, before, changes, answer, reading.timing)
        next_check_at = _next_check(tx, before, changes, answer, reading, overdue_at)
        changes = _given_up(tx, before, changes, reading, next_check_at)
        changes = _voided_nothing(tx, before, changes)
        _hear_of_credentials(tx, before.attempt.account, answer, reading)
        # Nobody else can have written since we read on SQLite; elsewhere, look again.
        if _write_attempt(tx, before, changes, answer, reading, next_check_at, overdue_at):
            if not before.attempt.payment:
                keeping.consequences(tx, _named(before, reading), answer, changes)
                return None
            if changes.tried:
                attempts.note_try(tx, attempt, changes.reference, changes.raw_code)
            payment = _apply(tx, _named(before, reading), changes)
            payment = keeping.keep_paid_with(tx, before, answer, payment)
            return (
                _pass_on(tx, before, changes, answer, reading)
                or _end_hold(tx, before, changes, answer, reading)
                or _end_debit(tx, before, changes, reading)
                or payment
            )


def _hear_of_credentials(tx: Tx, account: str, answer: Answer, reading: Reading) -> None:
    """Write down whether the gateway that answered accepts who we are."""
    if reading.source not in (Source.RESPONSE, Source.INQUIRY):
        return
    match answer:
        case Rejected(cause=RejectCause.CREDENTIALS):
            why = " ".join(each for each in (answer.raw_code, answer.message) if each)
            accounts.reject(tx, account, why)
        case Unknown(fault=Fault.CREDENTIALS) | Unsent(fault=Fault.CREDENTIALS):
            accounts.reject(tx, account, answer.reason)
        case Unknown() | Unsent():
            pass  # nobody has answered, or it does not tell
        case _:
            accounts.accept(tx, account)


def _named(before: AttemptRow, reading: Reading) -> AttemptRow:
    """Return what was known before, with what the processor calls the request, for the log."""
    if not reading.request_id:
        return before
    return replace(before, attempt=replace(before.attempt, request_id=reading.request_id))


def _unnamed(tx: Tx, before: AttemptRow, answer: Answer) -> Answer:
    """Take out of *answer* whom it is about, and the token that was charged: the books keep none.

    An answer to an inquiry and a notice come without the request that would have said it.
    """
    people = (
        payments.people_of(tx, before.attempt.payment) if before.attempt.payment else set[str]()
    )
    if not people:
        people = {str(keeping.read_plan(before)["customer"])}
    known = [customers.find(tx, each) for each in sorted(people)]
    request = stored_requests.of_attempt(tx, before.attempt.id)
    hidden = Hidden().of(requests.token_in(tx, request))
    return hidden.about(*known, *requests.people_in(request)).blot(answer)


def _of_others(
    before: AttemptRow, booked: Mapping[tuple[MovementKind, str], Booked]
) -> frozenset[tuple[MovementKind, str]]:
    """Return what another capture, void or refund has moved; to a page all of it belongs."""
    if before.attempt.operation not in _FOLLOWS:
        return frozenset()
    return frozenset(
        (kind, name)
        for (kind, name), value in booked.items()
        if value.attempt != before.attempt.id
        # What goes back may have been heard of the payment before the answer to the request.
        and (value.operation in _FOLLOWS or kind in _FIRST_CAME[before.attempt.operation])
    )


def _held_and_come(tx: Tx, before: AttemptRow) -> tuple[Money | None, Money | None]:
    """Return what has come of a hold, and how much was held, if *before* is about one."""
    if before.attempt.operation not in (Operation.AUTHORIZE, Operation.CAPTURE):
        return None, None
    now = under_way.of_payment(tx, before.attempt.payment)
    currency = before.attempt.amount.currency
    minor = now.authorized
    if not minor:
        main = attempts.main_of(tx, before.attempt.payment)
        minor = main.attempt.amount.minor
    return Money(currency, now.collected), Money(currency, minor)


def _completed(tx: Tx, before: AttemptRow, answer: Answer, reading: Reading) -> Answer:
    """
    Read the end of a completion off the hold that it was for, if that is known already.

    The processor may know of no money that it moved, or not know it at all: then it never
    arrived, and was not needed.
    """
    asked = before.attempt.operation is Operation.COMPLETE and before.attempt.state.in_doubt
    if not asked or not _is_reached(answer, reading):
        return answer
    main = attempts.main_of(tx, before.attempt.payment)
    if main.attempt.operation is not Operation.AUTHORIZE or main.attempt.state not in _WAS_HELD:
        return answer
    done = answer if isinstance(answer, Approved) else Approved()
    return Authorized(
        amount=main.attempt.amount,
        reference=done.reference,
        expires_at=main.expires_at,
        method_facts=done.method_facts,
        checks=done.checks,
    )


def _is_reached(answer: Answer, reading: Reading) -> bool:
    """Return whether *answer* leaves a completion with nothing of its own to bring."""
    match answer:
        case Approved():
            return not answer.movements
        case NotFound():
            return reading.absence is not Absence.WAIT
        case _:
            return False


def _used_up(tx: Tx, before: AttemptRow, answer: Answer) -> Answer:
    """Read that nothing is held any more, where all captures are known, as the end of the rest."""
    held = before.attempt.operation is Operation.AUTHORIZE and (
        before.attempt.state is AttemptState.AUTHORIZED
    )
    if not held or not isinstance(answer, Approved) or answer.movements:
        return answer
    now = under_way.of_payment(tx, before.attempt.payment)
    if now.capturing:
        # Nobody may ever tell it again, so it must be known when the last capture has ended.
        under_way.note_hold_over(tx, before.attempt.payment)
    elif now.collected:
        return Closed(how=Closing.EXPIRED, reference=answer.reference)
    return answer


def _withdrawn(tx: Tx, before: AttemptRow, answer: Answer) -> Answer:
    """Read that a void has sent back what never came as no money: the debit was withdrawn."""
    if before.attempt.operation is not Operation.VOID or not isinstance(answer, Approved):
        return answer
    main = attempts.main_of(tx, before.attempt.payment)
    if main.attempt.state is not AttemptState.PENDING:
        return answer
    if any(each.kind in (MovementKind.CHARGE, MovementKind.CAPTURE) for each in answer.movements):
        return answer  # it came after all, and what went back is of that
    other = tuple(each for each in answer.movements if each.kind is not MovementKind.VOID)
    return replace(answer, movements=other)


def _came_before(tx: Tx, before: AttemptRow, answer: Answer, reading: Reading) -> None:
    """Book the money of a pending debit that a void names as undone: it came, and was not told."""
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
    """Return whether a void has ended what *before* was to bring."""
    rows = attempts.of_payment(tx, before.attempt.payment) if before.attempt.payment else []
    return any(
        row.attempt.operation is Operation.VOID and row.attempt.state is AttemptState.SUCCEEDED
        for row in rows
    )


def _voided_nothing(tx: Tx, before: AttemptRow, changes: Changes) -> Changes:
    """Ask for a review of a void that is told as done while its money, or some, is still here."""
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
        return changes  # it released the rest of what was held
    text = "the gateway says that this was voided, and its money is still booked as received"
    if changes.book:
        rest = Money(payment.amount.currency, left)
        text = f"the gateway says that this was voided, and {rest} of it did not go back"
    return replace(changes, review=changes.review or text, alerts=(*changes.alerts, text))


def _end_debit(tx: Tx, before: AttemptRow, changes: Changes, reading: Reading) -> Payment | None:
    """End a debit that was withdrawn while it was pending; money that comes of it is late."""
    done = changes.state is AttemptState.SUCCEEDED
    if before.attempt.operation is not Operation.VOID or not done:
        return None
    main = attempts.main_of(tx, before.attempt.payment)
    if main.attempt.state is not AttemptState.PENDING:
        return None
    over = Closed(how=Closing.CANCELED)
    return merge_in(tx, main.attempt.id, over, replace(reading, source=Source.CALLBACK))


def _end_hold(
    tx: Tx, before: AttemptRow, changes: Changes, answer: Answer, reading: Reading
) -> Payment | None:
    """End a hold that is over: the capture *before* found it so, or was what it waited for."""
    if before.attempt.operation is not Operation.CAPTURE or changes.state is None:
        return None
    # What ran out is the hold. What was canceled may be the capture alone, and the hold stands.
    ran_out = isinstance(answer, Closed) and answer.how is Closing.EXPIRED
    if ran_out:
        under_way.note_hold_over(tx, before.attempt.payment)
    now = under_way.of_payment(tx, before.attempt.payment)
    main = attempts.main_of(tx, before.attempt.payment)
    known = now.collected or ran_out
    over = now.hold_over and known and not now.capturing
    if not over or main.attempt.state is not AttemptState.AUTHORIZED:
        return None
    over_now = Closed(how=Closing.EXPIRED)
    return merge_in(tx, main.attempt.id, over_now, replace(reading, source=Source.CALLBACK))


def _pass_on(
    tx: Tx, before: AttemptRow, changes: Changes, answer: Answer, reading: Reading
) -> Payment | None:
    """Merge what completing or closing has shown into the attempt that was to bring the money."""
    operation = before.attempt.operation
    if operation not in (Operation.COMPLETE, Operation.CLOSE) or changes.state is None:
        return None
    main = attempts.main_of(tx, before.attempt.payment)
    # That nobody can ask about closing a page says nothing of the page itself.
    can_inquire = reading.can_inquire or main.attempt.next_check_at is not None
    about_main = replace(reading, source=Source.CALLBACK, can_inquire=can_inquire)
    payment = merge_in(tx, main.attempt.id, _about_main(before, answer, reading), about_main)
    if not changes.state.in_doubt and payment.status is PaymentStatus.REQUIRES_ACTION:
        # The page is still payable, and the payer may leave it: others may pay again.
        claiming.soften(tx, payment.id, claims.of_payment(tx, payment.id))
    return payment


def _about_main(before: AttemptRow, answer: Answer, reading: Reading) -> Answer:
    """Return what the answer to a completion or closing says of the page itself."""
    operation = before.attempt.operation
    closing = operation is Operation.CLOSE
    was_accepted = before.attempt.state is AttemptState.PENDING
    ended_late = was_accepted and reading.source is not Source.RESPONSE
    match answer:
        case Approved(movements=()) if closing:
            return Closed(how=Closing.CANCELED)
        case ActionRequired(action=None):
            return Unknown(reason="the page is still open")
        case NotFound():
            # It does not know the completion; the page is another thing, and may be paid already.
            return Unknown(reason=f"the gateway does not know that it was to {operation}")
        case Declined(final=False) if closing:
            return Unknown(reason=f"the gateway declined to {operation}")
        case Rejected() | Unsent() if closing or not ended_late:
            # That we may not do this, or too late, says nothing of money that may be coming.
            return Unknown(reason=f"the gateway refused to {operation}")
        case _:
            return answer


def _write_attempt(
    tx: Tx,
    before: AttemptRow,
    changes: Changes,
    answer: Answer,
    reading: Reading,
    next_check_at: datetime | None,
    overdue_at: datetime | None,
) -> bool:
    attempt = before.attempt
    state = changes.state or attempt.state
    absences = _absences(before, answer, reading)
    network_id = ""
    if isinstance(answer, Approved | Authorized):
        network_id = answer.network_transaction_id
    facts, checks = before.method_facts, before.checks
    if isinstance(answer, Approved | Authorized | Declined):
        facts = (facts or MethodFacts()).updated(answer.method_facts)
        checks = answer.checks or checks
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
        action=changes.action or (None if state.final else before.action),
        expires_at=changes.expires_at or before.expires_at,
        next_check_at=next_check_at,
        checks=_checks(tx, before, reading),
        absences=absences,
        late_pending=_waits_late(before, changes),
        overdue_at=overdue_at,
        needs_review=_waits_for_person(before, changes),
        network_transaction_id=network_id or before.network_transaction_id,
        method_facts=facts,
        checks_=checks,
        request_id=reading.request_id,
    )


def _waits_late(before: AttemptRow, changes: Changes) -> bool:
    """Return whether money is on its way to an attempt that has ended."""
    return (before.late_pending or changes.hold_late) and not changes.let_go


def _is_accepted(before: AttemptRow, changes: Changes) -> bool:
    """
    Return whether the gateway has accepted it, and its end is still to come.

    How a completion or a closing ends shows on the page, which is watched for itself.
    """
    if before.attempt.operation in _ABOUT_PAGE:
        return False
    state = changes.state or before.attempt.state
    return state is AttemptState.PENDING or _waits_late(before, changes)


def _overdue_at(
    tx: Tx, before: AttemptRow, changes: Changes, answer: Answer, timing: Timing
) -> datetime | None:
    """Return when a person must look at what was accepted; None if nothing is waited for."""
    if not _is_accepted(before, changes):
        return None
    begins = changes.state is AttemptState.PENDING or changes.hold_late
    if begins or before.overdue_at is None:
        expected = answer.expected_at if isinstance(answer, Pending) else None
        return max(tx.now, expected or tx.now) + timing.pending_watch
    # It is flagged now; when a person has looked and left it as it is, it is flagged again.
    over = tx.now >= before.overdue_at
    return tx.now + timing.pending_watch if over else before.overdue_at


def _is_overdue(tx: Tx, before: AttemptRow, changes: Changes) -> bool:
    """Return whether what was accepted has not been decided for too long."""
    if changes.hold_late or before.overdue_at is None or not _is_accepted(before, changes):
        return False
    return tx.now >= before.overdue_at


def _waits_for_person(before: AttemptRow, changes: Changes) -> bool:
    if not before.attempt.payment and (changes.state or before.attempt.state).final:
        return False  # storing or deleting a method has ended, and nothing is left to decide
    if changes.review:
        return True
    return before.attempt.needs_review and not _found_out(before, changes)


def _found_out(before: AttemptRow, changes: Changes) -> bool:
    """Tell whether this ends a doubt: a person need not look for what we were told after all."""
    state = changes.state
    if changes.let_go:
        return True
    if state is None or state.in_doubt:
        return False
    if before.attempt.state in (AttemptState.PENDING, AttemptState.REQUIRES_ACTION):
        return state.final  # what was told of an earlier try is of no interest any more
    return before.attempt.state.in_doubt


def _absences(before: AttemptRow, answer: Answer, reading: Reading) -> int:
    """Count inquiries in a row that did not find it; those that came too early do not count."""
    if not reading.answered:
        return before.absences
    counts = isinstance(answer, NotFound) and reading.absence is not Absence.WAIT
    return before.absences + 1 if counts else 0


def _checks(tx: Tx, before: AttemptRow, reading: Reading) -> int:
    """Count how often we tried to find out: by an inquiry, or by the same request once more."""
    repeated = reading.source is Source.RESPONSE and before.sends > 1
    asked = reading.source is Source.INQUIRY and reading.answered and not _ahead_of_plan(tx, before)
    return before.attempt.checks + (asked or repeated)


def _ahead_of_plan(tx: Tx, before: AttemptRow) -> bool:
    """Tell whether an inquiry of the plan was counted already, by others or in a commit before."""
    return before.attempt.next_check_at is not None and tx.now < before.attempt.next_check_at


def _given_up(
    tx: Tx,
    before: AttemptRow,
    changes: Changes,
    reading: Reading,
    next_check_at: datetime | None,
) -> Changes:
    """Ask for a review of what is not final, and asking about which does not help any more."""
    state = changes.state or before.attempt.state
    if before.attempt.needs_review:
        return changes
    if state.in_doubt and (next_check_at is None or _nobody_answers(tx, before, reading)):
        text = "we could not find out how this ended; ask the gateway and resolve it"
    elif _is_overdue(tx, before, changes):
        text = "it was accepted, and nobody said how it ended; find out and resolve it"
    elif next_check_at is None and _waits_late(before, changes):
        text = "money is on its way to a payment that had ended; find out and resolve it"
    elif next_check_at is None and _page_over(tx, before, changes, reading.timing):
        text = "the page is still open after its time; close it, or find out and resolve it"
    else:
        return changes
    return replace(changes, review=changes.review or text)


def _nobody_answers(tx: Tx, before: AttemptRow, reading: Reading) -> bool:
    """Return whether inquiries were not answered for as long as the whole plan takes."""
    waited = tx.now - before.attempt.created_at
    return not reading.answered and waited >= reading.timing.plan_length


def _page_over(tx: Tx, before: AttemptRow, changes: Changes, timing: Timing) -> bool:
    """Return whether a page has been asked about until long after its time."""
    state = changes.state or before.attempt.state
    if state is not AttemptState.REQUIRES_ACTION:
        return False
    expires_at = changes.expires_at or before.expires_at
    if expires_at is None:
        expires_at = before.attempt.created_at + timing.page_life
    return tx.now >= expires_at + timing.page_watch


def _next_check(
    tx: Tx,
    before: AttemptRow,
    changes: Changes,
    answer: Answer,
    reading: Reading,
    overdue_at: datetime | None,
) -> datetime | None:
    """Tell when to inquire next; None where nothing is expected, or a person must look."""
    state = changes.state or before.attempt.state
    checks = _checks(tx, before, reading)
    late = _waits_late(before, changes)
    if not reading.can_inquire and state is AttemptState.PENDING:
        return overdue_at  # nobody answers questions, so it is looked at when it is overdue
    if (state.final and not late) or not reading.can_inquire:
        return None
    if changes.hold_late:
        # It may be old news that was overtaken, so what it holds is asked about at once.
        return tx.now + reading.timing.plan[0]
    timing = reading.timing
    if _page_over(tx, before, changes, timing):
        return None
    if state.in_doubt:
        # What is sent again instead of being asked about follows the plan as well.
        checks = max(checks, before.sends - 1)
        if not reading.answered:
            return tx.now + timing.pause(checks, tx.now - before.attempt.created_at)
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
    quotes.keep(tx, attempt, changes.action, changes.expires_at)
    touched = booking.consequences(tx, before, payment, changes)
    state = changes.state or attempt.state
    if changes.state is not None and (state.final or _is_answered(before, state)):
        stored_requests.forget(tx, attempt.id)
    if attempt.needs_review and _found_out(before, changes):
        payments.settle_doubt(tx, payment.id)
    _write_status(tx, before, payment, changes)
    found = payments.by_id(tx, payment.id)
    assert found is not None, "payments are never deleted"
    _tell(tx, before, payment, found, changes)
    allocation.tell_items(tx, touched)
    went = any(not movement.kind.inward for movement in changes.book)
    let_go = attempt.state is AttemptState.AUTHORIZED and state.closed
    over = went or let_go or attempt.operation is Operation.VOID
    if over and booking.end_conflict(tx, found):
        found = payments.by_id(tx, payment.id)
        assert found is not None, "payments are never deleted"
    return found


def _is_answered(before: AttemptRow, state: AttemptState) -> bool:
    """Return whether a completion has its answer: what the payer brought back has done its work."""
    return before.attempt.operation is Operation.COMPLETE and not state.in_doubt


def _write_status(tx: Tx, before: AttemptRow, payment: Payment, changes: Changes) -> None:
    """Write where the payment stands now, and the flags that *changes* raise."""
    conflicted = _conflicts(changes)
    review = bool(changes.review) or conflicted
    status = payment.status
    if changes.state is not None:
        status = booking.status_after(tx, before, payment, changes.state)
    if status is not payment.status or review:
        payments.set_status(tx, payment.id, status, needs_review=review, conflicted=conflicted)


def _conflicts(changes: Changes) -> bool:
    return changes.conflict or bool(changes.held)


def _tell(tx: Tx, before: AttemptRow, payment: Payment, found: Payment, changes: Changes) -> None:
    """Emit what changed; *found* is the payment now, *payment* what it was before."""
    now = replace(found, code=changes.code, raw_code=changes.raw_code, reason=changes.reason)
    event = _event_of(before.attempt.operation, changes.state)
    if event in _ENDS_HOLD and found.status is PaymentStatus.SUCCEEDED:
        event = "payment.rest_released"  # what was captured of it before stays
    if changes.state is None and changes.action is not None:
        event = "payment.requires_action"
    about = before.in_log
    if event:
        movements = [each.movement_id for each in changes.book]
        facts: dict[str, object] = {"movements": movements} if movements else {}
        if changes.seen is not None:
            facts["seen_minor"] = changes.seen.minor
        telling.emit(tx, event, now, about, amount_minor=before.attempt.amount.minor, **facts)
    if changes.seen is not None and changes.seen != payment.seen:
        telling.emit(tx, "payment.seen", now, about, seen_minor=changes.seen.minor)
    if changes.late:
        telling.emit(tx, "payment.late_success", now, about)
    if changes.tried:
        telling.emit(tx, "payment.declined_try", now, about)
    if _conflicts(changes):
        telling.emit(tx, "payment.conflicted", now, about, reason=changes.review)
    elif changes.review and not payment.needs_review:
        telling.emit(tx, "payment.needs_review", now, about, reason=changes.review)
    for text in changes.alerts:
        telling.alert(tx, now, text, about)
    if changes.log:
        tx.say("merge.noted", changes.log, about)


def _event_of(operation: Operation, state: AttemptState | None) -> str:
    """Name the event that an attempt of *operation* coming to *state* is, if it is one."""
    if state is None or operation in _ABOUT_PAGE:
        return ""  # what they did shows on the attempt that was to bring the money
    if operation in (Operation.CHARGE, Operation.AUTHORIZE) or state is AttemptState.UNKNOWN:
        return _EVENT_OF[state]
    done, failed = _EVENTS_AFTER.get(operation, ("", ""))
    if state is AttemptState.SUCCEEDED:
        return done
    return failed if state.final else ""


_ENDS_HOLD = ("payment.declined", "payment.failed", "payment.canceled", "payment.expired")
_EVENTS_AFTER: dict[Operation, tuple[str, str]] = {
    Operation.CAPTURE: ("payment.captured", "payment.capture_failed"),
    Operation.VOID: ("payment.voided", "payment.void_failed"),
    Operation.REFUND: ("payment.refunded", "payment.refund_failed"),
}
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
