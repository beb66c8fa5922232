"""Reading: how an answer is to be understood, before it is decided what it changes.

The same words mean different things, by who says them and when. That a completion brought no money
is no failure if the amount is held already; that nothing is held any more is the end of a hold if
all of it was captured; that a void sent money back which never came is the end of a debit. Who the
payer is, and the token that was charged, is taken out of every answer before it is stored.
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
    How to read an answer: who gave it, and what the account's traits say about it.

    What is perhaps `overtaken` may have been true before what we know by now. An inquiry
    that was not `answered` counts for nothing: nobody was asked, or nobody said anything.
    `request_id` is what the processor calls the request that it answered, `arrival` the money
    that was seen at an address, if it is about that. An answer is `anonymous` if the facts about
    persons, which the request shows, have already been removed from it.
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
    anonymous: bool = False
    timing: Timing = field(default_factory=Timing)


_WAS_HELD = (AttemptState.AUTHORIZED, AttemptState.SUCCEEDED)


def unnamed(tx: Tx, before: AttemptRow, answer: Answer, reading: AnswerSource) -> Answer:
    """Take out of *answer* whom it is about, and the token that was charged: the books keep none.

    An answer to an inquiry and a notice come without the request that would have said it.
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
    """Read that a completion was done, and moved no money, as the hold that we know of already."""
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
    Believe that a completion never arrived, once the hold that it was for is known.

    A processor whose "not found" proves nothing would otherwise leave it in doubt for good.
    """
    never = isinstance(answer, NotFound) and reading.absence is Absence.NEVER
    if not never or not _hold_is_known(tx, before):
        return reading
    return replace(reading, absence=Absence.FINAL)


def _hold_is_known(tx: Tx, before: AttemptRow) -> bool:
    """Return whether *before* is a completion in doubt, of a hold that was found to stand."""
    if before.attempt.operation is not Operation.COMPLETE or not before.attempt.state.in_doubt:
        return False
    main = attempts.main_of(tx, before.attempt.payment)
    return main.attempt.operation is Operation.AUTHORIZE and main.attempt.state in _WAS_HELD


def used_up(tx: Tx, before: AttemptRow, answer: Answer) -> Answer:
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
        return Ended(how=Ending.EXPIRED, reference=answer.reference)
    return answer


def withdrawn(tx: Tx, before: AttemptRow, answer: Answer) -> Answer:
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
