"""Inquire: determine the outcome of an attempt whose response we do not have.

No attempt fails merely because inquiries go unanswered. "Not found" is believed only when the
request can no longer be on its way, the driver's traits say that it is final by then, and two
inquiries agree. If the processor keeps our idempotency key, and the request can be rebuilt exactly,
sending it again is better than an inquiry: it is either answered as before, or executed for the
first time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from paygate.dialogue import deferred
from paygate.domain.attempt import AttemptState
from paygate.domain.decide import ABOUT_QUESTION, KEY_MISMATCH, Absence, Source
from paygate.domain.kind import Operation
from paygate.domain.money import Money
from paygate.domain.outcome import Fault, NotFound, Rejected, Unknown, Unsent
from paygate.errors import GatewayNotFound, LedgerCorrupt, PaygateError, StoreError
from paygate.gateway import DedupWindow, Inquiry
from paygate.ledger import attempts, holding, payments, receipts, sending, under_way
from paygate.ledger.elapsed import age
from paygate.service import dialogues, door, events, finding, keeping, merge, requests
from paygate.service.asking import Heard, ask
from paygate.service.flow import Flow, look, transact
from paygate.service.reading import AnswerSource

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from paygate.dialogue import Dialogue
    from paygate.domain.method import MethodRequest
    from paygate.domain.movement import MovementKind
    from paygate.domain.outcome import Answer, Outcome
    from paygate.domain.payment import Payment
    from paygate.gateway import Traits
    from paygate.ledger.attempts import AttemptRow
    from paygate.ledger.elapsed import Lease, Mark
    from paygate.ledger.tx import Tx
    from paygate.service.account import GatewayAccount, Timing
    from paygate.service.requests import SentRequest

# A processor counts the time to live from the arrival of the key; stay well inside it.
_TTL_SHARE_USED = 0.9
# A request that got a server error twice will get it again: the stored error hides the result,
# which only an inquiry can show.
_SENDS_MAX = 3
_COLLECTS = (Operation.CHARGE, Operation.AUTHORIZE)
_OF_METHODS = (Operation.ENROLL, Operation.FORGET)
_AGREEING = 2
_NOTHING = timedelta()


@dataclass(frozen=True, slots=True)
class BookedFacts:
    """What is booked of a payment: the ids of its movements, and the amount collected."""

    names: frozenset[tuple[MovementKind, str]] = frozenset()
    collected: Money | None = None


NOTHING_BOOKED: Final = BookedFacts()


@dataclass(frozen=True, slots=True)
class InquiryCase:
    """An attempt to inquire about, with its request for sending it again."""

    row: AttemptRow
    request: SentRequest | None
    now: datetime
    mark: Mark | None = None
    stopped: bool = False
    books: BookedFacts = NOTHING_BOOKED

    def lease_left(self, timing: Timing) -> timedelta:
        """Return how much longer the request may be sent; zero or less after its lease."""
        return self.row.lease(timing.lease).left_to_others(self.now, self.mark)

    def age(self) -> timedelta:
        """Return how long ago, at most, the request was first sent."""
        row = self.row
        return age(self.now, row.attempt.created_at, self.mark, row.created_mark)


LOOK_UP: Final = "look_up"
"""What spans and metrics call a question about an attempt."""


def inquire(payment: str, accounts: Mapping[str, GatewayAccount], timing: Timing) -> Flow[Payment]:
    """
    Ask the gateway about every attempt of *payment* and return the payment's current state.

    Its `unanswered` says why, if an inquiry was not answered.
    Raises `GatewayNotFound` if its account is not configured here.
    """

    def read(tx: Tx) -> list[AttemptRow]:
        found = finding.payment(tx, payment)
        return attempts.of_payment(tx, found.id)

    rows = yield from look(read)
    for row in rows:
        require(row.attempt.account, accounts)
    unanswered = ""
    for row in rows:
        asked = yield from inquire_safely(row.attempt.id, accounts, timing, set())
        unanswered = unanswered or ("" if asked is None else asked.unanswered)
    found = yield from look(lambda tx: finding.payment(tx, payment))
    return replace(found, unanswered=unanswered)


def leave_unasked(attempt: str, account: str) -> Flow[Payment | None]:
    """Return the payment of an attempt that waits, because *account* did not answer before."""

    def read(tx: Tx) -> Payment | None:
        row = attempts.by_id(tx, attempt)
        payment = None if row is None else _payment_of(tx, row)
        why = f"account {account!r} did not answer before, and was not asked again"
        return None if payment is None else replace(payment, unanswered=why)

    return (yield from look(read))


def follow(
    attempt: str, accounts: Mapping[str, GatewayAccount], timing: Timing
) -> Flow[MethodRequest]:
    """Inquire about the storing or deletion of a method, and return its current state."""
    found = yield from look(lambda tx: keeping.change_of(tx, attempt))
    if not found.state.final:
        row = yield from look(lambda tx: _case(tx, attempt).row)
        require(row.attempt.account, accounts)
        yield from inquire_safely(attempt, accounts, timing, set())
    return (yield from look(lambda tx: keeping.change_of(tx, attempt)))


def ask_again(
    attempt: str, accounts: Mapping[str, GatewayAccount], timing: Timing
) -> Flow[Answer | None]:
    """Inquire about *attempt*, merge the answer, and return the answer itself.

    Return None if the gateway cannot be asked. Nothing is sent again.
    """
    case = yield from look(lambda tx: _case(tx, attempt))
    account = accounts.get(case.row.attempt.account)
    row = case.row
    gateway = None if account is None else account.looks_up(row.attempt.reference, row.about)
    if account is None or gateway is None:
        return None
    look_up = partial(gateway.look_up, inquiry_about(case.row, case.books))
    through = door.finding(account, case.row.attempt.operation)
    answer = yield from ask(
        account.name, deferred(look_up), what=LOOK_UP, door=through, about=case.row.in_log
    )
    yield from _merge(case, account, _news(answer), timing)
    return answer


def require(account: str, accounts: Mapping[str, GatewayAccount]) -> None:
    """Raise `GatewayNotFound` if *account* is not configured here."""
    if account not in accounts:
        known = sorted(accounts)
        raise GatewayNotFound(
            f"the gateway account {account!r} is not configured here, so no inquiry was sent; "
            f"configured are: {', '.join(known) or 'none'}",
            name=account,
            known=known,
        )


def inquire_safely(
    attempt: str, accounts: Mapping[str, GatewayAccount], timing: Timing, silent: set[str]
) -> Flow[Payment | None]:
    """Inquire about one attempt; if that fails, flag it, so that it does not stop the others."""
    try:
        return (yield from _inquire_attempt(attempt, accounts, timing, silent))
    except StoreError as error:
        if not isinstance(error, LedgerCorrupt):
            raise  # the next attempt would fail in the same way
        reason = str(error)
    except PaygateError as error:
        reason = str(error)
    except Exception as bug:  # noqa: BLE001  (its text may hold what must not be stored)
        reason = type(bug).__name__
    text = f"the finding of an inquiry cannot be recorded: {reason}; resolve it by hand"
    return (yield from transact(lambda tx: _pass_over(tx, attempt, text, timing)))


def _pass_over(tx: Tx, attempt: str, reason: str, timing: Timing) -> Payment | None:
    """Flag an attempt with the reason, and move it back in the queue."""
    holding.hold_attempt(tx, attempt)
    row = attempts.by_id(tx, attempt)
    if row is None:
        return None
    tx.log("attempt.passed_over", reason, row.in_log)
    attempts.put_back(tx, attempt, tx.now + timing.waiting, reason)
    if row.attempt.needs_review:
        return _payment_of(tx, row)
    payment = _payment_of(tx, row)
    if payment is None:
        keeping.flag(tx, row, reason)
    elif not payment.needs_review:
        payments.set_status(tx, payment.id, payment.status, needs_review=True, conflicted=False)
        events.emit(tx, "payment.needs_review", payment, row.in_log, reason=reason)
    return _payment_of(tx, row)


def _inquire_attempt(
    attempt: str, accounts: Mapping[str, GatewayAccount], timing: Timing, silent: set[str]
) -> Flow[Payment | None]:
    case = yield from look(lambda tx: _case(tx, attempt))
    account = accounts[case.row.attempt.account]
    row = case.row
    if row.attempt.operation is Operation.FORGET:
        # A repeated deletion changes nothing, so it is better than an inquiry.
        if row.attempt.state.in_doubt and _sendable(case, account, timing):
            return (yield from _send_again(case, account, timing, silent))
        return (yield from _leave(case, account, timing))
    gateway = account.looks_up(row.attempt.reference, row.about)
    if gateway is None:
        if row.attempt.state.in_doubt and _sendable(case, account, timing):
            return (yield from _send_again(case, account, timing, silent))
        return (yield from _leave(case, account, timing))
    look_up = partial(gateway.look_up, inquiry_about(row, case.books))
    through = door.finding(account, row.attempt.operation)
    answer = yield from ask(
        account.name, deferred(look_up), what=LOOK_UP, door=through, about=row.in_log
    )
    if is_silence(answer):
        silent.add(account.name)
    if (
        isinstance(answer, NotFound)
        and row.attempt.state.in_doubt
        and _sendable(case, account, timing)
    ):
        return (yield from _send_again(case, account, timing, silent))
    payment = yield from _merge(case, account, _news(answer), timing)
    why = _no_answer(answer)
    if payment is None or not why:
        return payment
    return replace(payment, unanswered=f"account {account.name!r} did not answer: {why}")


def _no_answer(answer: Answer) -> str:
    """Return why *answer* says nothing about the operation; empty if it does."""
    match answer:
        case Unsent():
            return answer.reason
        case Unknown(fault=Fault()):
            return answer.reason
        case Rejected() if answer.cause in ABOUT_QUESTION:
            return answer.message or str(answer.cause)
        case _:
            return ""


def is_silence(answer: Answer | None) -> bool:
    """Return whether *answer* means that the gateway did not respond."""
    fault = answer.fault if isinstance(answer, Unsent | Unknown) else None
    return fault is not None and fault.silent


def inquiry_about(row: AttemptRow, books: BookedFacts = NOTHING_BOOKED) -> Inquiry:
    """Return the inquiry about an attempt, with what is booked of its payment."""
    return Inquiry(
        operation=row.attempt.operation,
        key=row.gateway_key,
        our_ref=row.attempt.id,
        payment=row.attempt.payment,
        reference=row.attempt.reference,
        amount=row.attempt.amount,
        sent_at=row.attempt.created_at,  # a repetition gets the result of the first request
        last_sent_at=row.sent_at,
        parent_reference=row.about,
        movement_id=row.movement,
        booked=books.names,
        collected=books.collected,
    )


def _case(tx: Tx, attempt: str) -> InquiryCase:
    row = attempts.by_id(tx, attempt)
    if row is None:
        raise LedgerCorrupt(f"there is no attempt {attempt} in this ledger", attempt=attempt)
    stopped = sending.stopped(tx) is not None
    return InquiryCase(row, requests.rebuild(tx, row), tx.now, tx.mark, stopped, books_of(tx, row))


def books_of(tx: Tx, row: AttemptRow) -> BookedFacts:
    """Return what is booked of the attempt's payment."""
    if not row.attempt.payment:
        return NOTHING_BOOKED
    now = under_way.of_payment(tx, row.attempt.payment)
    collected = Money(now.received.currency, now.collected)
    return BookedFacts(receipts.names_of(tx, row.attempt.payment), collected)


def _news(answer: Answer) -> Answer:
    """Return *answer*; an unsent inquiry becomes Unknown, as it says nothing of the operation."""
    if isinstance(answer, Unsent):
        return Unknown(reason=answer.reason, fault=answer.fault, flagged=answer.flagged)
    return answer


def _sendable(case: InquiryCase, account: GatewayAccount, timing: Timing) -> bool:
    """Return whether the same request may be sent again now without risk of executing it twice."""
    left = case.lease_left(timing)
    rule = account.traits.idempotency_for(case.row.attempt.operation)
    if isinstance(rule, DedupWindow) and case.row.sends:
        # A window recognizes executed requests, not declined ones: if the repetition is declined,
        # the earlier request must no longer be able to arrive.
        left += timedelta(seconds=timing.deadline_s) + account.traits.max_in_flight
    return left <= _NOTHING and _repeatable(case, account, timing)


def _repeatable(case: InquiryCase, account: GatewayAccount, timing: Timing) -> bool:
    """Return whether the same request could be sent again, if no process is sending it."""
    row = case.row
    if row.attempt.operation not in account.operations:
        return False
    if not requests.is_whole(case.request):
        return False
    if row.attempt.operation is Operation.FORGET:
        return True
    if row.sends >= _SENDS_MAX or row.attempt.code == KEY_MISMATCH:
        return False
    if not row.sends:
        return True  # it was never sent
    # It may be sent at the end of its lease, and must arrive while the first is remembered.
    flies = timing.lease + timedelta(seconds=timing.deadline_s) + account.traits.max_in_flight
    remembered = account.repeatable_for(row.attempt.operation)
    return case.age() < min(remembered * _TTL_SHARE_USED, remembered - flies)


def _send_again(
    case: InquiryCase, account: GatewayAccount, timing: Timing, silent: set[str]
) -> Flow[Payment | None]:
    row = case.row

    def take_lease(tx: Tx) -> Lease | None:
        holding.hold_attempt(tx, row.attempt.id)
        lease = tx.lease(timing.lease)
        if requests.is_whole(case.request) and not requests.is_whole(requests.rebuild(tx, row)):
            return None  # since then its method was forgotten, or its facts were erased
        return lease if attempts.send_again(tx, row, lease) else None

    lease = yield from transact(take_lease)
    if lease is None and case.stopped:
        return (yield from _leave(case, account, timing))
    if lease is None:  # or another process is sending it
        return (yield from look(lambda tx: _payment_of(tx, row)))
    heard = Heard()
    answer = yield from ask(
        account.name,
        deferred(partial(_begin, case, account)),
        what=row.attempt.operation.value,
        door=door.outcome(account, row.attempt.operation),
        hidden=account.hidden.of(requests.method_of(case.request)),
        about=row.in_log,
        heard=heard,
        lease=lease,
        all_matter=row.attempt.operation in _OF_METHODS,
    )
    if is_silence(answer):
        silent.add(account.name)
    reading = AnswerSource(
        source=Source.RESPONSE,
        variable_amount=_is_variable(row, account),
        can_inquire=True,
        request_id=heard.request_id,
        timing=timing,
    )
    return (yield from merge.merge_any(row.attempt.id, answer, reading))


def _payment_of(tx: Tx, row: AttemptRow) -> Payment | None:
    return finding.payment(tx, row.attempt.payment) if row.attempt.payment else None


def _begin(case: InquiryCase, account: GatewayAccount) -> Dialogue[Outcome]:
    """Begin the dialogue again, with the same key and the same request."""
    if case.request is None:
        raise LedgerCorrupt("a request that cannot be rebuilt must not be sent again")
    return dialogues.begin(account.gateway, case.row, case.request)


def _merge(
    case: InquiryCase, account: GatewayAccount, answer: Answer, timing: Timing
) -> Flow[Payment | None]:
    reading = replace(reading_of(case, account, timing), answered=not is_silence(answer))
    return (yield from merge.merge_any(case.row.attempt.id, answer, reading))


def reading_of(case: InquiryCase, account: GatewayAccount, timing: Timing) -> AnswerSource:
    """Return how to read the finding of an inquiry about *case*."""
    # The sender may have begun to wait at the end of the lease, and the request may still be in
    # flight when the sender gives up.
    waits = timedelta(seconds=timing.deadline_s)
    traits = replace(account.traits, max_in_flight=waits + account.traits.max_in_flight)
    rail = account.traits.rails.get(case.row.kind)
    return AnswerSource(
        source=Source.INQUIRY,
        variable_amount=_is_variable(case.row, account),
        held_from_percent=0 if rail is None else rail.held_from_percent,
        absence=absence(case, traits, timing),
        polled=account.is_polled,
        timing=timing,
    )


def _is_variable(row: AttemptRow, account: GatewayAccount) -> bool:
    """Return whether the payer decides the amount; False if the account lost the rail."""
    rail = account.traits.rails.get(row.kind)
    return rail is not None and rail.variable_amount


def absence(case: InquiryCase, traits: Traits, timing: Timing) -> Absence:
    """Return what "not found" means for this attempt now."""
    if traits.not_found_is_final_after is None:
        return Absence.NEVER
    row = case.row
    # Nothing is sent after the lease, so the last request was sent before its end.
    wait = max(traits.max_in_flight, traits.not_found_is_final_after)
    still = case.lease_left(timing) + wait
    if row.attempt.state is AttemptState.REQUIRES_ACTION and row.expires_at is not None:
        still = max(still, row.expires_at + wait - case.now)
    if still > _NOTHING:
        return Absence.WAIT
    return Absence.FINAL if row.absences + 1 >= _AGREEING else Absence.ONCE


def _leave(case: InquiryCase, account: GatewayAccount, timing: Timing) -> Flow[Payment | None]:
    """Plan the next inquiry, or flag for review, because the gateway cannot be asked now."""
    # While another process may be sending, its response may come, and nobody sends again; after
    # that, anybody can.
    later = case.lease_left(timing) > _NOTHING or _repeatable(case, account, timing)
    if account.inquirer is None and not case.row.attempt.state.in_doubt:
        later = False  # it is not sent again, and the gateway does not answer inquiries
    reason = f"the gateway of account {account.name!r} cannot be asked"
    if case.stopped:
        reason = "nothing is sent from this ledger until sending is resumed"
    reading = AnswerSource(source=Source.INQUIRY, can_inquire=later, answered=False, timing=timing)
    payment = yield from merge.merge_any(case.row.attempt.id, Unknown(reason=reason), reading)
    return None if payment is None else replace(payment, unanswered=reason)
