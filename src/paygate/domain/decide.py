"""The merge rule: what a new answer changes in what we know about an attempt.

Everything that can inform us about an attempt goes through `decide`:
the response to the request itself, an inquiry, a callback, a report, an
operator. It is pure, so the rule can be read, tabulated and tested by itself.

Knowledge is ranked (`AttemptState.rank`) and only grows. An answer of lower or
equal rank changes no state, so answers may arrive twice and in any order. Money
is separate from state: a movement with a new id is always booked, whatever the
state, because money that arrived is never refused. Two shortcuts are never
taken: silence does not mean failure, and neither does "not found" before the
driver's traits say that it is final.

One answer is not trusted from every source. A refused *inquiry*, or a refused
*repetition* of a request, says nothing about the first request, so `Rejected`
and `Unsent` end an attempt in doubt only as the answer to its first and only
sending. It is different if the processor had accepted the operation: if it then reports
a pending operation as rejected, or finds an operation that was sent once and names it
(`Rejected.reference`) as rejected, that is its outcome.

An approval is trusted for the money that the operation moves. If it shows only other
money, or only what an earlier operation moved, the outcome of this operation is still open:
that money is booked, and the payment is flagged for manual review.

Every pair of what we know and what is answered has a result, even pairs that
should not occur: `Changes` that change nothing may still be logged. The reference
shows the whole table, generated from this module.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final, assert_never

from paygate.domain.action import with_secret
from paygate.domain.attempt import NOT_FINISHED, STILL_OPEN, AttemptState
from paygate.domain.kind import Operation
from paygate.domain.money import Money
from paygate.domain.movement import MovementKind
from paygate.domain.outcome import (
    ActionRequired,
    Approved,
    Authorized,
    Declined,
    Ended,
    Ending,
    Moved,
    NotFound,
    Pending,
    RejectCause,
    Rejected,
    Unknown,
    Unsent,
)
from paygate.domain.settlement import NOTHING_SETTLED, progress

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from paygate.domain.action import Action
    from paygate.domain.advice import Advice
    from paygate.domain.chargeback import Dispute
    from paygate.domain.movement import Movement
    from paygate.domain.outcome import Answer
    from paygate.domain.settlement import Settlement


class Source(StrEnum):
    """The source of an answer."""

    RESPONSE = "response"
    """The response to the request itself."""
    INQUIRY = "inquiry"
    """The response to an inquiry about the operation."""
    CALLBACK = "callback"
    """A callback of the processor."""
    REPORT = "report"
    """A feed or report of the processor."""
    OPERATOR = "operator"
    """A person who found out."""


class Absence(StrEnum):
    """What it means at this time that the processor does not know the operation."""

    WAIT = "wait"
    """Nothing: the request may still be in flight."""
    ONCE = "once"
    """It would have arrived by now, and one more inquiry must confirm it."""
    FINAL = "final"
    """It is confirmed: the operation does not exist."""
    NEVER = "never"
    """Nothing: this processor's "not found" proves nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFacts:
    """What we know about an attempt before the answer.

    - `sends` counts how often its request may have been sent. `key_known` says that the processor
      refused our key because it was used with other data.
    - `action` is what the payer was last asked to do, until `expires_at`, and `tries` are the
      declined tries on it that were recorded, each by reference and raw code.
    - `late_pending` says that money is reported as on its way after the attempt had ended,
      `withdrawn` that a void has ended it.
    - `booked` holds the amounts of movements that are already in the books, `foreign` those of
      them that belong to another payment, `of_others` those that another capture, void or refund
      of this payment moved, `settled` what is known of their settlement.
    - `collected` is what has come in for this payment before, `authorized` how much was held for
      it; both are known only for a hold and its captures.
    - `absence` matters only for `NotFound`. An answer that may be `overtaken` by what we know is
      not trusted as the end.
    """

    operation: Operation
    state: AttemptState
    asked: Money
    sends: int = 1
    variable_amount: bool = False
    action: Action | None = None
    expires_at: datetime | None = None
    tries: frozenset[tuple[str, str]] = frozenset()
    key_known: bool = False
    held_from_percent: int = 0
    late_pending: bool = False
    withdrawn: bool = False
    booked: Mapping[tuple[MovementKind, str], Money] = field(
        default_factory=dict["tuple[MovementKind, str]", "Money"]
    )
    foreign: frozenset[tuple[MovementKind, str]] = frozenset()
    of_others: frozenset[tuple[MovementKind, str]] = frozenset()
    collected: Money | None = None
    authorized: Money | None = None
    settled: Mapping[tuple[MovementKind, str], Settlement] = field(
        default_factory=dict["tuple[MovementKind, str]", "Settlement"]
    )
    absence: Absence = Absence.WAIT
    overtaken: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What to store; everything at its default means: nothing new.

    `settle` are movements in the books with a new settlement, `disputes` the reported
    disputes. `held` are those movements of `book` that were not requested, so that a clerk
    must decide; the same is true of a `conflict`, a movement that contradicts the
    books. `alerts` are sentences for people, `log` is one for the log alone. `tried` records
    a declined try on a page that stays payable; `action` replaces what the payer was
    asked to do; `void_late` requests that the late authorization be voided. `seen` is
    how much is on its way. `hold_late` requests to hold again what is still free, because
    money is on its way after the end, and `let_go` to release that hold.
    """

    state: AttemptState | None = None
    book: tuple[Movement, ...] = ()
    held: tuple[Movement, ...] = ()
    settle: tuple[Movement, ...] = ()
    disputes: tuple[Dispute, ...] = ()
    conflict: bool = False
    reference: str = ""
    code: str = ""
    raw_code: str = ""
    reason: str = ""
    retryable: bool = False
    advice: Advice | None = None
    action: Action | None = None
    authorized: Money | None = None
    expires_at: datetime | None = None
    review: str = ""
    alerts: tuple[str, ...] = ()
    log: str = ""
    late: bool = False
    tried: bool = False
    void_late: bool = False
    seen: Money | None = None
    hold_late: bool = False
    let_go: bool = False


KEY_MISMATCH: Final = "key_mismatch"
"""The code of an attempt whose key the processor knows with other data."""

_PAGES = frozenset({Operation.CHARGE, Operation.AUTHORIZE, Operation.ENROLL})
"""Operations whose page, slip or address stays payable after a declined try."""

_ABOUT_PAGE = frozenset({Operation.COMPLETE, Operation.WITHDRAW})
"""Operations on a page: what they report about its money concerns the attempt that created it."""

_KNOWS_KEY = frozenset({RejectCause.KEY_IN_USE, RejectCause.KEY_MISMATCH})
"""Rejections that prove that something was sent with our key before."""

ABOUT_QUESTION: Final = _KNOWS_KEY | {
    RejectCause.CREDENTIALS,
    RejectCause.PERMISSION,
    RejectCause.RATE_LIMIT,
    RejectCause.UNAVAILABLE,
}
"""Rejections that may concern the inquiry itself: they say nothing about its subject."""

_SHOWS = frozenset({Source.INQUIRY, Source.CALLBACK, Source.REPORT})
_COMES = frozenset({MovementKind.CHARGE, MovementKind.CAPTURE})
_GOES_BACK = frozenset({MovementKind.REFUND, MovementKind.VOID})

SHOWN_BY: Final[Mapping[Operation, frozenset[MovementKind]]] = {
    Operation.CHARGE: _COMES,
    Operation.AUTHORIZE: _COMES,
    Operation.COMPLETE: _COMES,
    Operation.CAPTURE: frozenset({MovementKind.CAPTURE}),
    Operation.REFUND: _GOES_BACK,
    Operation.VOID: _GOES_BACK,
}
"""The kinds of movement that show that an operation was done."""

_MAY_MOVE_NOTHING = frozenset({Operation.VOID})
"""Operations of `SHOWN_BY` that can be done without a movement, if nothing had moved before."""


def decide(facts: AttemptFacts, answer: Answer, source: Source) -> Changes:
    """Return what *answer* from *source* changes, given *facts*."""
    changes = _alerted(_decide(facts, answer, source), answer)
    if not facts.late_pending or not _ends_wait(facts, answer, source):
        return changes
    if facts.overtaken:
        # It may be the end that was known before the money was on its way.
        text = "an end was reported that may be older than the money on its way; ask the gateway"
        return replace(changes, review=f"{text} and resolve it")
    return replace(changes, let_go=True)


def _alerted(changes: Changes, answer: Answer) -> Changes:
    """Return *changes* with the alert of *answer*, if they change anything: so it is given once."""
    match answer:
        case Approved() | Authorized() | Declined() | Rejected() if answer.alert:
            news = changes.state is not None or changes.tried
            return replace(changes, alerts=(*changes.alerts, answer.alert)) if news else changes
        case _:
            return changes


def _ends_wait(facts: AttemptFacts, answer: Answer, source: Source) -> bool:
    """Return whether money on its way after the end will not come, or has come."""
    match answer:
        case Approved():
            return _is_shown(facts, answer)
        case Authorized() | Declined() | Ended():
            return True
        case Rejected():
            return not _about_question(facts, answer, source)
        case NotFound():
            return facts.absence is Absence.FINAL
        case _:
            return False


def _decide(facts: AttemptFacts, answer: Answer, source: Source) -> Changes:
    match answer:
        case Approved():
            return _approved(facts, answer)
        case Authorized():
            return _authorized(facts, answer)
        case Declined():
            return _declined(facts, answer, source)
        case Rejected():
            return _rejected(facts, answer, source)
        case Pending():
            return _pending(facts, answer)
        case ActionRequired():
            return _action(facts, answer)
        case Ended():
            how = AttemptState.EXPIRED if answer.how is Ending.EXPIRED else AttemptState.CANCELED
            return _forward(facts, how, reference=answer.reference)
        case Unknown():
            return _unknown(facts, answer)
        case Unsent():
            return _unsent(facts, answer, source)
        case NotFound():
            return _not_found(facts)
        case Moved():
            return _booked(facts, answer)
        case _:
            assert_never(answer)


def _forward(
    facts: AttemptFacts, state: AttemptState, *, reference: str, reason: str = ""
) -> Changes:
    """Move to *state* if that is more than we know."""
    if state.rank <= facts.state.rank:
        return Changes(reference=reference)
    return Changes(state=state, reference=reference, reason=reason)


def _unknown(facts: AttemptFacts, answer: Unknown) -> Changes:
    changes = _forward(
        facts, AttemptState.UNKNOWN, reference=answer.reference, reason=answer.reason
    )
    if answer.flagged and not facts.state.final:
        return replace(changes, review=answer.reason)
    return changes


def _pending(facts: AttemptFacts, answer: Pending) -> Changes:
    """Move to pending, unless too little is on its way to hold anything for it."""
    changes = _forward(facts, AttemptState.PENDING, reference=answer.reference)
    seen = answer.amount if _of_asked(facts, answer.amount) else None
    enough = seen is None or _is_enough(facts, seen)
    if facts.state.ended:
        return _pending_late(facts, changes, seen, enough=enough)
    if seen is None or facts.state.rank > AttemptState.PENDING.rank:
        return changes
    if facts.state is AttemptState.REQUIRES_ACTION and not enough:
        return Changes(reference=answer.reference, seen=seen)
    return replace(changes, seen=seen)


def _of_asked(facts: AttemptFacts, amount: Money | None) -> bool:
    return amount is not None and amount.currency == facts.asked.currency


def _is_enough(facts: AttemptFacts, seen: Money) -> bool:
    """Return whether enough of the requested amount is on its way to hold it."""
    return seen.minor > 0 and seen.minor * 100 >= facts.asked.minor * facts.held_from_percent


def _pending_late(
    facts: AttemptFacts, changes: Changes, seen: Money | None, *, enough: bool
) -> Changes:
    """Hold again what money on its way after the end can still pay."""
    changes = replace(changes, log=f"accepted, after it had ended as {facts.state}")
    collects = facts.operation in (Operation.CHARGE, Operation.AUTHORIZE)
    if facts.late_pending or not collects or not enough:
        return changes
    if facts.withdrawn:
        return changes  # it was pending before it was withdrawn, and the report is late
    if facts.state is AttemptState.DECLINED:
        return changes  # that was the processor's own last word: this was true before it
    text = f"money is on its way to a payment that had ended as {facts.state}"
    return replace(changes, hold_late=True, seen=seen, alerts=(text,))


def _action(facts: AttemptFacts, answer: ActionRequired) -> Changes:
    """Ask the payer for *answer*, replacing any earlier action."""
    if facts.operation in _ABOUT_PAGE and not facts.state.final:
        # The page is still open: completing or withdrawing it has come to nothing. The
        # payer's action concerns the attempt that created the page.
        open_still = facts.operation is Operation.WITHDRAW
        return Changes(
            state=AttemptState.FAILED,
            reference=answer.reference,
            code=STILL_OPEN if open_still else NOT_FINISHED,
            reason="the page is still open" if open_still else "the payer has not finished",
            retryable=True,
        )
    if answer.action is None:
        lost = facts.state.in_doubt and facts.action is None
        text = "the gateway shows an open page without its address; resolve it" if lost else ""
        return Changes(reference=answer.reference, review=text)
    changes = _forward(facts, AttemptState.REQUIRES_ACTION, reference=answer.reference)
    payable = changes.state or facts.state
    if payable not in (AttemptState.REQUIRES_ACTION, AttemptState.PENDING):
        return changes
    # An action read from the ledger lacks the secret that only the payer may see.
    known = facts.action is not None and with_secret(facts.action, None)
    news = with_secret(answer.action, None) != known
    return replace(changes, action=answer.action if news else None, expires_at=answer.expires_at)


def _approved(facts: AttemptFacts, answer: Approved) -> Changes:
    if not answer.movements and not _is_shown(facts, answer):
        # Without a movement id the money could be booked twice; ask again instead.
        return _forward(
            facts,
            AttemptState.UNKNOWN,
            reference=answer.reference,
            reason="the gateway approved without reporting what money moved",
        )
    changes = _booked(facts, answer)
    if facts.state is not AttemptState.SUCCEEDED and not _is_shown(facts, answer):
        return _not_shown(facts, changes)
    changes = _other_amount(facts, answer, changes)
    if facts.state is AttemptState.SUCCEEDED:
        return changes
    if facts.state.ended and facts.operation in _ABOUT_PAGE:
        # Then its failure says nothing about the page, which was paid later.
        return replace(changes, state=AttemptState.SUCCEEDED)
    if facts.state.ended:
        text = f"the gateway approved a payment that had ended as {facts.state}"
        return replace(
            changes, state=AttemptState.SUCCEEDED, late=True, alerts=(*changes.alerts, text)
        )
    return replace(changes, state=AttemptState.SUCCEEDED)


def _is_shown(facts: AttemptFacts, answer: Approved) -> bool:
    """Return whether *answer* shows the money that the operation was to move."""
    kinds = SHOWN_BY.get(facts.operation)
    if kinds is None:
        return True
    news = _of_this(facts, answer)
    if not news and facts.operation in _MAY_MOVE_NOTHING:
        return True
    return any(movement.kind in kinds for movement in news)


def _of_this(facts: AttemptFacts, answer: Approved) -> list[Movement]:
    """Return the movements in *answer*, without money of others that was booked before."""
    if facts.operation in _PAGES:
        # A gateway may treat a charge as a duplicate, and answer for another payment.
        return _once(answer)
    repeated = facts.foreign | facts.of_others
    return [each for each in _once(answer) if (each.kind, each.movement_id) not in repeated]


def _not_shown(facts: AttemptFacts, changes: Changes) -> Changes:
    """Leave the outcome of the operation open, and flag it for manual review."""
    text = f"the gateway approved to {facts.operation}, but shows only other money; ask it"
    unknown = AttemptState.UNKNOWN.rank > facts.state.rank
    news = unknown or bool(changes.book)
    return replace(
        changes,
        state=AttemptState.UNKNOWN if unknown else None,
        reason=text,
        review=changes.review or text,
        alerts=(*changes.alerts, text) if news else changes.alerts,
    )


def _other_amount(facts: AttemptFacts, answer: Approved, changes: Changes) -> Changes:
    """Flag a refund or capture that moved another amount than requested."""
    if facts.operation not in (Operation.REFUND, Operation.CAPTURE):
        return changes
    kinds = SHOWN_BY[facts.operation]
    moved = [each for each in _of_this(facts, answer) if each.kind in kinds]
    news = any(each.kind in kinds for each in changes.book)
    same = all(each.amount.currency == facts.asked.currency for each in moved)
    total = Money(facts.asked.currency, sum(each.amount.minor for each in moved))
    if not news or not same or changes.held or total == facts.asked:
        return changes
    text = other_amount(facts.operation, facts.asked, total)
    return replace(changes, review=changes.review or text, alerts=(*changes.alerts, text))


def other_amount(operation: Operation, asked: Money, moved: Money) -> str:
    """Return the sentence that says that *operation* moved another amount than requested."""
    return f"asked to {operation} {asked}, but {moved} {_WENT.get(operation, 'came')}"


_WENT: Final = {Operation.REFUND: "went back", Operation.VOID: "went back"}


def _once(answer: Approved | Moved) -> list[Movement]:
    """Return the movements of *answer*, each once, however often it is listed."""
    return list(
        {(each.kind, each.movement_id): each for each in reversed(answer.movements)}.values()
    )[::-1]


def _booked(facts: AttemptFacts, answer: Approved | Moved) -> Changes:
    """Book the money that moved, if it is new; the state is decided separately."""
    new: list[Movement] = []
    settle: list[Movement] = []
    alerts: list[str] = []
    doubts: list[str] = []
    listed = {(each.kind, each.movement_id): each.amount for each in _once(answer)}
    for each in answer.movements:
        amount = listed[each.kind, each.movement_id]
        if each.amount != amount:
            alerts.append(f"movement {each.movement_id} is reported as {amount} and {each.amount}")
    for movement in _once(answer):
        key = movement.kind, movement.movement_id
        booked = facts.booked.get(key)
        fresh, doubt = progress(movement, facts.settled.get(key, NOTHING_SETTLED))
        if booked is None:
            new.append(_with(movement, fresh or NOTHING_SETTLED))
            doubts += [doubt] if doubt else []
        elif key in facts.foreign:
            # Whichever payment reported it: what settles is that movement, wherever it is booked.
            settle += [_with(movement, fresh)] if fresh and booked == movement.amount else []
            alerts.append(f"movement {movement.movement_id} is booked for another payment")
        elif booked != movement.amount:
            alerts.append(
                f"movement {movement.movement_id} was booked as {booked} "
                f"and is now reported as {movement.amount}"
            )
        else:
            settle += [_with(movement, fresh)] if fresh else []
            doubts += [doubt] if doubt else []
    conflict = bool(alerts)
    held = [movement for movement in _not_asked_for(facts, answer) if movement in new]
    if held:
        alerts.append(f"asked for {facts.asked}, but other money came")
    alerts += doubts
    return Changes(
        book=tuple(new),
        held=tuple(held),
        settle=tuple(settle),
        disputes=answer.disputes,
        conflict=conflict,
        reference=answer.reference,
        alerts=tuple(alerts),
        review=alerts[0] if alerts else "",
    )


def _with(movement: Movement, known: Settlement) -> Movement:
    return replace(movement, settled=known.settled, fee=known.fee, settled_on=known.on)


def _not_asked_for(facts: AttemptFacts, answer: Approved | Moved) -> list[Movement]:
    """
    Return the money in another currency, and the money beyond the requested amount.

    The requested amount is not among it, whether the rest is reported together with it or later.
    """
    movements = _once(answer)
    if any(movement.amount.currency != facts.asked.currency for movement in movements):
        return movements
    if facts.variable_amount:
        return []
    came = [movement for movement in movements if movement.kind in _COMES]
    limit, total = facts.asked.minor, 0
    before = facts.collected.minor if facts.collected is not None else 0
    beyond: list[Movement] = []
    for movement in came:
        total += movement.amount.minor
        is_new = (movement.kind, movement.movement_id) not in facts.booked
        before += movement.amount.minor if is_new else 0
        over_hold = facts.authorized is not None and before > facts.authorized.minor
        if total > limit or over_hold:
            beyond.append(movement)
    return beyond


def _authorized(facts: AttemptFacts, answer: Authorized) -> Changes:
    if facts.state.ended and facts.operation in _ABOUT_PAGE:
        return Changes(reference=answer.reference)
    if facts.state.ended:
        text = f"an amount was authorized on a payment that had ended as {facts.state}"
        return Changes(reference=answer.reference, alerts=(text,), void_late=True)
    changes = _forward(facts, AttemptState.AUTHORIZED, reference=answer.reference)
    if changes.state is None:
        return changes
    changes = replace(changes, expires_at=answer.expires_at)
    if answer.amount.currency != facts.asked.currency or answer.amount > facts.asked:
        text = f"asked to hold {facts.asked}, but {answer.amount} is held"
        return replace(changes, review=text, alerts=(text,), conflict=True)
    return replace(changes, authorized=answer.amount)


def _declined(facts: AttemptFacts, answer: Declined, source: Source) -> Changes:
    told = Changes(
        reference=answer.reference,
        code=str(answer.code),
        raw_code=answer.raw_code,
        reason=answer.message,
        retryable=answer.retryable,
        advice=answer.advice,
    )
    match facts.state:
        case AttemptState.PENDING if facts.overtaken:
            return _of_earlier_try(answer.reference)
        case AttemptState.SENDING | AttemptState.UNKNOWN | AttemptState.PENDING:
            return replace(told, state=AttemptState.DECLINED)
        case AttemptState.REQUIRES_ACTION:
            last = answer.final or source is Source.OPERATOR or facts.operation not in _PAGES
            if last:
                return replace(told, state=AttemptState.DECLINED)
            # The page stays payable: Stripe, PayPal and Remita let the payer try again,
            # unless they say that this was the last try. Each try is recorded once.
            if (answer.reference, answer.raw_code) in facts.tries:
                return Changes(reference=answer.reference)
            return replace(told, tried=True)
        case AttemptState.AUTHORIZED:
            text = "the gateway declined what it had authorized"
            return Changes(reference=answer.reference, review=text, alerts=(text,))
        case AttemptState.SUCCEEDED if answer.part:
            return Changes(reference=answer.reference)
        case AttemptState.SUCCEEDED:
            text = "the gateway reports as declined a payment whose money came"
            return Changes(reference=answer.reference, review=text, alerts=(text,))
        case _:
            return Changes(reference=answer.reference)


def _of_earlier_try(reference: str) -> Changes:
    """Flag a decline that may belong to an earlier try, while money of a later one is coming."""
    text = "a decline was reported that may be of an earlier try; ask the gateway and resolve it"
    return Changes(reference=reference, review=text, alerts=(text,))


def _rejected(facts: AttemptFacts, answer: Rejected, source: Source) -> Changes:
    told = Changes(
        state=AttemptState.FAILED,
        reference=answer.reference,
        code=str(answer.cause),
        raw_code=answer.raw_code,
        reason=answer.message,
        retryable=answer.retryable,
    )
    nothing = Changes(reference=answer.reference)
    match facts.state:
        case AttemptState.SENDING | AttemptState.UNKNOWN:
            if answer.cause in _KNOWS_KEY:
                return _key_known(facts, answer)
            ends = _about_first_sending(facts, source) or _shown_refused(facts, answer, source)
            return told if ends else nothing
        case AttemptState.PENDING if _about_question(facts, answer, source):
            return nothing
        case AttemptState.PENDING | AttemptState.REQUIRES_ACTION if (
            source is Source.RESPONSE and answer.cause in _KNOWS_KEY
        ):
            # An inquiry was faster than this response, and has found what was sent with the key.
            return replace(_key_known(facts, answer), raw_code="", reason="")
        case AttemptState.PENDING if facts.overtaken:
            return _of_earlier_try(answer.reference)
        case AttemptState.PENDING:
            return told
        case AttemptState.REQUIRES_ACTION if facts.operation not in _PAGES:
            return nothing if _about_question(facts, answer, source) else told
        case AttemptState.AUTHORIZED if not _about_question(facts, answer, source):
            text = "the gateway rejected what it had authorized"
            return Changes(reference=answer.reference, review=text, alerts=(text,))
        case _:
            return nothing


def _shown_refused(facts: AttemptFacts, answer: Rejected, source: Source) -> bool:
    """Return whether the processor shows this very operation, by its name there, as refused.

    With two sendings it may be the other one that was refused.
    """
    shown = source in _SHOWS and answer.reference != ""
    return shown and facts.sends == 1 and answer.cause not in ABOUT_QUESTION


def _about_question(facts: AttemptFacts, answer: Rejected, source: Source) -> bool:
    """Return whether only an inquiry, or a repetition, was refused, not the operation."""
    if source is Source.RESPONSE:
        return facts.sends > 1
    return source is Source.INQUIRY and answer.cause in ABOUT_QUESTION


def _key_known(facts: AttemptFacts, answer: Rejected) -> Changes:
    """
    Conclude that our key is already known: something was sent with it, and may move money.

    A request that is still in flight will be found. If the processor knows the key with
    other data, another ledger or process used it: inquiries continue, but nothing is sent
    again, and the payment is flagged for manual review.
    """
    told = Changes(
        state=AttemptState.UNKNOWN if facts.state is AttemptState.SENDING else None,
        reference=answer.reference,
        raw_code=answer.raw_code,
        reason=answer.message or "the gateway is busy with a request with the same key",
    )
    if answer.cause is RejectCause.KEY_IN_USE:
        return told
    text = (
        "the gateway knows the key of this request with other data; find out what it was used for"
    )
    return replace(told, code=KEY_MISMATCH, review=text, alerts=(text,))


def _unsent(facts: AttemptFacts, answer: Unsent, source: Source) -> Changes:
    if facts.state.in_doubt and _about_first_sending(facts, source):
        alerts = (answer.reason,) if answer.flagged else ()
        return Changes(
            state=AttemptState.FAILED,
            code="unsent",
            reason=answer.reason,
            retryable=True,
            alerts=alerts,
        )
    if facts.state in (AttemptState.PENDING, AttemptState.AUTHORIZED):
        return Changes(log=f"not sent, though it is {facts.state}: {answer.reason}")
    return Changes()


def _about_first_sending(facts: AttemptFacts, source: Source) -> bool:
    return source is Source.OPERATOR or (source is Source.RESPONSE and facts.sends == 1)


def _not_found(facts: AttemptFacts) -> Changes:
    text = "the gateway does not know this operation"
    match facts.state, facts.absence:
        case ((AttemptState.SENDING | AttemptState.UNKNOWN), Absence.FINAL) if facts.key_known:
            # It knows the key, so what was sent with it exists under another name.
            return Changes(review=f"{text}, but knows its key with other data")
        case ((AttemptState.SENDING | AttemptState.UNKNOWN), Absence.FINAL):
            return Changes(state=AttemptState.FAILED, code="not_found", reason=text, retryable=True)
        case AttemptState.REQUIRES_ACTION, Absence.FINAL:
            return Changes(state=AttemptState.EXPIRED, reason=text)
        case ((AttemptState.PENDING | AttemptState.AUTHORIZED), Absence.FINAL):
            return Changes(review=text)
        case AttemptState.SUCCEEDED, _:
            return Changes(alerts=(text,))
        case _:
            return Changes()
