"""Reading: interpret an answer before deciding what it changes.

The same words mean different things, depending on who says them and when. A completion without
money is not a failure if the amount is held already; "nothing is held any more" is the end of a
hold if all of it was captured; a void of money that never came is the end of a debit. The payer's
identity and the charged token are removed from every answer before it is stored.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from paygate.domain.attempt import AttemptState
from paygate.domain.decide import Absence
from paygate.domain.kind import Operation
from paygate.domain.movement import MovementKind
from paygate.domain.outcome import Approved, Authorized, Ended, Ending, NotFound
from paygate.ledger import attempts, customers, payments, stored_requests, under_way
from paygate.service import keeping, requests
from paygate.service.account import Timing
from paygate.service.hiding import Hidden

if TYPE_CHECKING:
    from paygate.domain.decide import Source
    from paygate.domain.outcome import Answer
    from paygate.ledger.arrivals import Arrival
    from paygate.ledger.attempts import AttemptRow
    from paygate.ledger.tx import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerSource:
    """
    How to read an answer: its source, and what the account's traits say about it.

    An `overtaken` answer may describe an earlier state than the known one. An inquiry that was not
    `answered` counts for nothing. At an account that is `polled` nothing but inquiries shows what
    became of a page, so they begin soon and their pauses grow. `request_id` is the processor's id
    of the request, and `arrival` the money seen at an address that the answer is about. An answer
    is `anonymous` if personal facts have been removed from it already.
    """

    source: Source
    variable_amount: bool = False
    held_from_percent: int = 0
    absence: Absence = Absence.WAIT
    can_inquire: bool = True
    overtaken: bool = False
    answered: bool = True
    polled: bool = False
    request_id: str = ""
    arrival: Arrival | None = None
    anonymous: bool = False
    timing: Timing = field(default_factory=Timing)


_WAS_HELD = (AttemptState.AUTHORIZED, AttemptState.SUCCEEDED)


def unnamed(tx: Tx, before: AttemptRow, answer: Answer, reading: AnswerSource) -> Answer:
    """Return *answer* without the payer's personal facts and the charged token.

    `ask` cannot do this for inquiries and notices, which come without the original request.
    """
    if reading.anonymous:
        return answer
    people = (
        payments.people_of(tx, before.attempt.payment) if before.attempt.payment else set[str]()
    )
    if not people:
        people = {str(keeping.read_plan(before)["customer"])}
    known = [customers.find(tx, each) for each in sorted(people)]
    request = stored_requests.of_attempt(tx, before.attempt.id)
    hidden = Hidden().of(requests.token_in(tx, request))
    return hidden.about(*known, *requests.people_in(request)).blot(answer)


def completed(tx: Tx, before: AttemptRow, answer: Answer) -> Answer:
    """Return *answer*; a completion without money, if the amount is known to be held, is a hold."""
    if not isinstance(answer, Approved) or answer.movements or not _hold_is_known(tx, before):
        return answer
    main = attempts.main_of(tx, before.attempt.payment)
    return Authorized(
        amount=main.attempt.amount,
        reference=answer.reference,
        expires_at=main.expires_at,
        method_facts=answer.method_facts,
        checks=answer.checks,
    )


def unneeded(tx: Tx, before: AttemptRow, answer: Answer, reading: AnswerSource) -> AnswerSource:
    """
    Return *reading*; "not found" is final for a completion whose hold is known.

    Otherwise, at a processor whose "not found" proves nothing, it would stay in doubt permanently.
    """
    never = isinstance(answer, NotFound) and reading.absence is Absence.NEVER
    if not never or not _hold_is_known(tx, before):
        return reading
    return replace(reading, absence=Absence.FINAL)


def _hold_is_known(tx: Tx, before: AttemptRow) -> bool:
    """Return whether *before* is a completion in doubt whose hold is known to exist."""
    if before.attempt.operation is not Operation.COMPLETE or not before.attempt.state.in_doubt:
        return False
    main = attempts.main_of(tx, before.attempt.payment)
    return main.attempt.operation is Operation.AUTHORIZE and main.attempt.state in _WAS_HELD


def used_up(tx: Tx, before: AttemptRow, answer: Answer) -> Answer:
    """Return *answer*; "nothing is held any more" ends the hold if all captures are known."""
    held = before.attempt.operation is Operation.AUTHORIZE and (
        before.attempt.state is AttemptState.AUTHORIZED
    )
    if not held or not isinstance(answer, Approved) or answer.movements:
        return answer
    now = under_way.of_payment(tx, before.attempt.payment)
    if now.capturing:
        # It may never be reported again, so record it for the end of the last capture.
        under_way.note_hold_over(tx, before.attempt.payment)
    elif now.collected:
        return Ended(how=Ending.EXPIRED, reference=answer.reference)
    return answer


def withdrawn(tx: Tx, before: AttemptRow, answer: Answer) -> Answer:
    """Return *answer* without the voided movement of a pending debit, which never came."""
    if before.attempt.operation is not Operation.VOID or not isinstance(answer, Approved):
        return answer
    main = attempts.main_of(tx, before.attempt.payment)
    if main.attempt.state is not AttemptState.PENDING:
        return answer
    if any(each.kind in (MovementKind.CHARGE, MovementKind.CAPTURE) for each in answer.movements):
        return answer  # the money came after all, and the void sent it back
    other = tuple(each for each in answer.movements if each.kind is not MovementKind.VOID)
    return replace(answer, movements=other)
