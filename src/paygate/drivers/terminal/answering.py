"""What is answered, and what is stored: the same rules for every dialect.

Before the money the answer is strict, after it lenient. Cash that was taken is reported to the
ledger whatever the number is. A repetition gets the answer that is stored; with other facts it is
reported once more, which flags it, and refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from paygate.driver import (
    ActionRequired,
    Applied,
    Approved,
    ApproveElsewhere,
    Ended,
    Ending,
    Movement,
    Notice,
)
from paygate.drivers.terminal.dialect import BY_REASON, Answer, Asked, Result, Step

if TYPE_CHECKING:
    from datetime import timedelta

    from paygate.driver import KeptNotice, Money, PayerFacts

PAID: Final = "pay/"
OPENED: Final = "reserve/"
CANCELED: Final = "cancel/"
"""The beginnings of event ids; the network's number of the transaction follows."""

TIMED_OUT: Final = "4"
"""The reason of a reservation that was canceled because its time had passed (payme's code)."""


def events_of(asked: Asked) -> tuple[str, ...]:
    """Return the ids of the notices that the answer depends on."""
    if not asked.transaction or asked.step is Step.CHECK:
        return ()
    return tuple(each + asked.transaction for each in (PAID, OPENED, CANCELED))


def decide(asked: Asked, facts: PayerFacts, lifetime: timedelta | None) -> Result | Notice:
    """Return the result of a request, or what it reports."""
    match asked.step:
        case Step.CHECK:
            return _strict(facts)
        case Step.PAY:
            return _stored(_payment(asked, facts), facts)
        case Step.RESERVE:
            return _reserve(asked, facts)
        case Step.PERFORM:
            return _perform(asked, facts, lifetime)
        case Step.CANCEL:
            return _cancel(asked, facts)
        case Step.STATUS:
            return Result.OK if OPENED + asked.transaction in facts.kept else Result.NOT_FOUND
        case Step.STATEMENT:
            return Result.OK


def answer_of(result: Result, asked: Asked, facts: PayerFacts) -> Answer:
    """Return what the reply is made of."""
    return Answer(
        result=result,
        asked=asked,
        facts=facts,
        opened=facts.kept.get(OPENED + asked.transaction),
        paid=facts.kept.get(PAID + asked.transaction),
        canceled=facts.kept.get(CANCELED + asked.transaction),
    )


def _strict(facts: PayerFacts) -> Result:
    return Result.OK if facts.why_not is None else BY_REASON[facts.why_not]


def _stored(notice: Notice, facts: PayerFacts) -> Result | Notice:
    """Return *notice* if it is new or contradicts what is stored; else the stored result."""
    if facts.applied is Applied.REFUSED:
        return Result.CONFLICT
    before = facts.kept.get(notice.event_id)
    if before is None:
        return notice
    same = _core(before.notice) == _core(notice)
    if not same and facts.applied is None:
        return notice
    return Result.OK if before.applied else Result.RETRY_LATER


def _core(notice: Notice) -> tuple[object, ...]:
    """Return who paid, and how much: a repetition has the same."""
    answer = notice.answer
    moved = answer.movements if isinstance(answer, Approved) else ()
    return notice.payer_number or notice.reference, notice.reserves, tuple(moved)


def _payment(asked: Asked, facts: PayerFacts) -> Notice:
    """Return the report of cash for a number."""
    id_ = PAID + asked.transaction
    before = facts.kept.get(id_)
    # A slip that was paid for is one still, whatever else happened to it.
    slip = facts.slip if before is None else not before.notice.payer_number
    name = asked.account if slip else asked.transaction
    return Notice(
        event_id=id_,
        type=Step.PAY.value,
        reference=name,
        payer_number="" if slip else asked.account,
        answer=Approved(reference=name, movements=_came(asked, asked.amount)),
    )


def _came(asked: Asked, amount: Money | None) -> tuple[Movement, ...]:
    """Return the money of a transaction; its parser requires an amount."""
    if amount is None:
        return ()
    return (Movement(movement_id=asked.transaction, amount=amount),)


def _reserve(asked: Asked, facts: PayerFacts) -> Result | Notice:
    """Open a payment for a reservation, if the number may be paid."""
    before = facts.kept.get(OPENED + asked.transaction)
    if before is None and facts.why_not is not None:
        return _strict(facts)
    slip = facts.slip if before is None else not before.notice.payer_number
    if before is None and slip and facts.due != asked.amount:
        return Result.AMOUNT_WRONG
    if CANCELED + asked.transaction in facts.kept:
        return Result.CANNOT_PERFORM
    action = None if slip else ApproveElsewhere(where="the app of the network")
    notice = Notice(
        event_id=OPENED + asked.transaction,
        type=Step.RESERVE.value,
        # The payment of a slip is there already, and stays as it is.
        reference=asked.account if slip else asked.transaction,
        payer_number="" if slip else asked.account,
        reserves=asked.amount,
        answer=ActionRequired(action=action),
    )
    return _stored(notice, facts)


def _perform(asked: Asked, facts: PayerFacts, lifetime: timedelta | None) -> Result | Notice:
    """Book reserved money, whatever became of its invoices meanwhile."""
    opened = facts.kept.get(OPENED + asked.transaction)
    if opened is None:
        return Result.NOT_FOUND
    if CANCELED + asked.transaction in facts.kept:
        return Result.CANNOT_PERFORM
    amount = opened.notice.reserves
    if asked.amount is not None and asked.amount != amount:
        return Result.AMOUNT_WRONG
    paid = PAID + asked.transaction in facts.kept
    if not paid and lifetime is not None and facts.now - opened.received_at > lifetime:
        return _ended(asked, opened, Ending.EXPIRED, TIMED_OUT)
    name = opened.notice.reference
    notice = Notice(
        event_id=PAID + asked.transaction,
        type=Step.PERFORM.value,
        reference=name,
        answer=Approved(reference=name, movements=_came(asked, amount)),
    )
    return _stored(notice, facts)


def _cancel(asked: Asked, facts: PayerFacts) -> Result | Notice:
    """End a reservation; what was paid stays paid, and a clerk may send it back."""
    opened = facts.kept.get(OPENED + asked.transaction)
    if opened is None:
        return Result.NOT_FOUND
    if PAID + asked.transaction in facts.kept:
        return Result.CANNOT_CANCEL
    if CANCELED + asked.transaction in facts.kept:
        return Result.OK
    return _ended(asked, opened, Ending.CANCELED, asked.reason)


def _ended(asked: Asked, opened: KeptNotice, how: Ending, reason: str) -> Notice:
    slip, name = not opened.notice.payer_number, opened.notice.reference
    return Notice(
        event_id=CANCELED + asked.transaction,
        # The reason is repeated when the network asks for the state of the transaction.
        type=f"{Step.CANCEL.value} {reason}".strip(),
        reference=name,
        # A slip can still be paid elsewhere.
        answer=ActionRequired(action=None) if slip else Ended(how=how, reference=name),
    )
