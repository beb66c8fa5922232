"""Receive: what a processor tells us by itself, by callback or feed.

A callback is authenticated on its raw bytes and kept before anything is made of
it. Where the processor only wants to hear that it came, it is applied later, by
whoever calls `apply_callbacks` or `recover`. Where our reply carries the result,
keeping it, applying it and the reply are one transaction, and whoever sends it
again gets the same bytes.

What is told is merged by the one rule of `merge`. So callbacks may come twice
and in any order. Two may come too early: one about an operation that is not
known yet, and money going back that has not come yet. Both wait in the inbox
and are tried again. One that cannot be applied waits likewise and holds up
nobody; in the end a person must look at it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, Final, assert_never, cast

from paygate import logs
from paygate.dialogue import deferred
from paygate.domain.attempt import AttemptState
from paygate.domain.callback import InboxState
from paygate.domain.decide import Source
from paygate.domain.kind import Operation
from paygate.domain.movement import MovementKind
from paygate.domain.outcome import (
    Approved,
    DeclineCode,
    Declined,
    Moved,
    NotFound,
    Rejected,
    Unknown,
    Unsent,
)
from paygate.domain.payment import PaymentStatus
from paygate.errors import (
    ItemAlreadyBeingPaid,
    LedgerCorrupt,
    NotAuthentic,
    NotPayable,
    NotVerified,
    OutcomeUnknown,
    PaygateError,
    Refused,
    StoreError,
    Unsupported,
    UsageError,
)
from paygate.gateway import Applied, CallbackProof, CallbackStyle, Notice, Verifies
from paygate.ledger import attempts, inbox, payments, receipts
from paygate.printing import shown
from paygate.service import (
    door,
    inquire,
    keeping,
    merge,
    notices,
    operate,
    quotes,
    refusals,
    told,
    unasked,
)
from paygate.service.flow import Flow, ask, look, repeatable, transact
from paygate.service.inquire import Case

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from paygate.dialogue import Dialogue
    from paygate.domain.money import Money
    from paygate.domain.movement import Movement
    from paygate.domain.outcome import Answer
    from paygate.domain.payment import Payment
    from paygate.domain.quoting import Price
    from paygate.gateway import Callback, Inquiry, LooksUp, Reply
    from paygate.ledger.attempts import AttemptRow
    from paygate.ledger.inbox import InboxRow
    from paygate.ledger.tx import Tx
    from paygate.service.account import GatewayAccount, Timing

RETRY_PLAN: Final = tuple(timedelta(seconds=each) for each in (60, 300, 900, 3600, 21600, 86400))
"""When a callback that cannot be applied yet is tried again; after the last a person must look."""

# A recorded request must not become a way to sign in.
_NOT_KEPT = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key"})
_GIVES_BACK = (MovementKind.REFUND_FAILED, MovementKind.CHARGEBACK_WON)
_COMES = (MovementKind.CHARGE, MovementKind.CAPTURE)


def receive(account: GatewayAccount, callback: Callback, timing: Timing) -> Flow[Reply]:
    """Take in *callback* of *account* and return the reply; one that is refused is counted."""
    try:
        return (yield from _receive(account, callback, timing))
    except (NotAuthentic, Unsupported) as error:
        yield from refusals.refuse(account, callback, error)
        raise


def _receive(account: GatewayAccount, callback: Callback, timing: Timing) -> Flow[Reply]:
    gateway = account.verifier
    if gateway is None:
        raise Unsupported(
            f"the account {account.name!r} takes no callbacks",
            account=account.name,
            why="no_secret",
        )
    acknowledged = account.traits.callbacks is CallbackStyle.ACKNOWLEDGED
    before = (yield from look(partial(_recorded, account, callback))) if acknowledged else None
    read = yield from _authentic(account, gateway, callback, timing, before)
    named = _by_event(read, callback)
    if not acknowledged:
        return (yield from _answer(account, gateway, named, callback, timing))

    def keep(tx: Tx) -> None:
        for event_id, notice in named.items():
            _keep(tx, account, event_id, notice, callback)

    yield from repeatable(keep)
    *_, last = named.values()
    return door.reply(account, gateway, last, Applied.NO_CHANGE)


def apply_callbacks(
    accounts: Mapping[str, GatewayAccount], timing: Timing, limit: int, silent: set[str]
) -> Flow[list[Payment]]:
    """
    Apply what is due in the inbox, once each, and return the payments it was about.

    Accounts take turns, and what tells of many movements comes last: all that one callback tells
    is one transaction, since what came of a part depends on the rest. An account that does not
    answer is added to *silent*: what it would have to be asked about waits for the next run. What
    is of an account that is not configured here waits for a process that has it.
    """
    about: dict[str, Payment] = {}
    for id_ in (yield from look(lambda tx: inbox.due(tx, list(accounts), limit))):
        payment = yield from _apply_safely(id_, accounts, timing, silent)
        if payment is not None:
            about[payment.id] = payment
    return list(about.values())


def replay(id_: int, accounts: Mapping[str, GatewayAccount], timing: Timing) -> Flow[InboxRow]:
    """Apply one again from the beginning, and return how that went."""
    row = yield from look(lambda tx: told.find(tx, id_))
    inquire.require(row.callback.account, accounts)
    yield from transact(lambda tx: inbox.revive(tx, id_))
    yield from _apply_safely(id_, accounts, timing, set())
    return (yield from look(lambda tx: told.find(tx, id_)))


# --- Taking in -----------------------------------------------------------------------------


def _recorded(account: GatewayAccount, callback: Callback, tx: Tx) -> Notice | None:
    """
    Return what these very bytes told before, under a signature that covers no instant.

    Whoever has a recording can send it again and again, and it must not make us ask the
    processor each time.
    """
    signed = account.traits.callback_proof is CallbackProof.SIGNED
    if not signed or not callback.body or callback.query:
        return None
    row = inbox.by_body(tx, account.name, callback.body)
    return None if row is None else notices.read_notice(row.notice)


def _authentic(
    account: GatewayAccount,
    gateway: Verifies,
    callback: Callback,
    timing: Timing,
    before: Notice | None,
) -> Flow[list[Notice]]:
    """Let the driver authenticate *callback*; no transaction is open meanwhile."""
    through = door.Door(account.gateway.name, partial(_read_of, account), account.hidden)
    read = yield from ask(account.name, _verified(gateway, callback, before), door=through)
    if isinstance(read, NotAuthentic):
        raise read
    if isinstance(read, Unsent | Unknown):
        raise NotVerified(
            f"a callback of {account.name!r} could not be verified now ({read.reason}); it was "
            "not stored, and its sender will send it again",
            account=account.name,
        )
    for notice in read:
        at = notice.signed_at
        if at is not None and abs(callback.received_at - at) > timing.callback_age_max:
            raise NotAuthentic(
                f"a callback of {account.name!r} was signed at {at:%Y-%m-%d %H:%M:%S} and came at "
                f"{callback.received_at:%Y-%m-%d %H:%M:%S}; it may be a recording",
                why="too_old",
            )
    return read


def _read_of(account: GatewayAccount, value: object) -> list[Notice] | NotAuthentic:
    return value if isinstance(value, NotAuthentic) else door.notices(account, value)


def _verified(
    gateway: Verifies, callback: Callback, before: Notice | None
) -> Dialogue[list[Notice] | NotAuthentic]:
    """
    Carry a refusal out of the dialogue as a result: it is no fault of the network.

    A driver looks at the signature first. If it then wants to ask about what it told *before*,
    that is what it would tell again.
    """
    dialogue = deferred(partial(gateway.verify, callback))
    try:
        if before is None:
            return (yield from dialogue)
        next(dialogue)
    except NotAuthentic as refusal:
        return refusal
    except StopIteration as end:
        return cast("list[Notice]", end.value)
    dialogue.close()
    return [before]


def _by_event(told: list[Notice], callback: Callback) -> dict[str, Notice]:
    """Give each notice an id: the processor's own, else a digest of what came."""
    digest = hashlib.sha256(f"{callback.query}\n".encode() + callback.body).hexdigest()
    named: dict[str, Notice] = {}
    count: Counter[str] = Counter()
    for notice in told or [Notice(event_id=digest, type="")]:
        id_ = notice.event_id or digest
        count[id_] += 1
        named[id_ if count[id_] == 1 else f"{id_}#{count[id_]}"] = notice
    return named


def _keep(
    tx: Tx, account: GatewayAccount, event_id: str, notice: Notice, callback: Callback
) -> told.Kept:
    headers = {name: text for name, text in callback.headers.items() if name not in _NOT_KEPT}
    headers |= {":method": callback.method, ":path": callback.path, ":query": callback.query}
    return told.keep(
        tx,
        account,
        event_id,
        notice,
        headers=headers,
        body=callback.body,
        received_at=callback.received_at,
        proven=account.traits.callback_proof is not CallbackProof.NONE,
    )


def _answer(
    account: GatewayAccount,
    gateway: Verifies,
    named: Mapping[str, Notice],
    callback: Callback,
    timing: Timing,
) -> Flow[Reply]:
    """Keep what was told, apply it and keep the reply, all in one transaction."""
    findings: dict[str, Answer | None] = {}
    for event_id, notice in named.items():
        known = yield from look(_about(account.name, notice, callback.received_at))
        findings[event_id] = yield from _find_out(_question(notice, known, account), account)

    def work(tx: Tx) -> tuple[Reply, list[int]]:
        reply, later = None, list[int]()
        for event_id, notice in named.items():
            kept = _keep(tx, account, event_id, notice, callback)
            row = kept.row
            if row.reply is not None:
                reply = notices.read_reply(row.reply)
                continue
            if kept.conflicted:
                done = Done(Applied.REFUSED)
            else:
                # Money that we refuse to know must not be booked later: the payer has it back.
                finding = findings[event_id]
                done = _apply_in(tx, row, notice, account, finding, timing, patient=False)
            asks = done.result is Applied.NO_CHANGE and is_hint(notice) and not notice.unreadable
            stands = _standing(tx, account.name, notice) if asks else None
            reply = door.reply(account, gateway, notice, stands or done.result, tx)
            # Who asks the same again wants to know how it stands then.
            if stands is None:
                inbox.keep_reply(tx, row.callback.id, notices.write_reply(reply))
            later += [row.callback.id] if notice.ready and not kept.conflicted else []
        assert reply is not None, "there is at least one notice"
        return reply, later

    reply, later = yield from transact(work)
    for id_ in later:
        yield from _apply_safely(id_, {account.name: account}, timing, set())
    return reply


def _standing(tx: Tx, account: str, notice: Notice) -> Applied | None:
    """Return how the payment stands that *notice* asks about; None if it asks about none."""
    payment = _about(account, notice, tx.now)(tx).payment
    if payment is None:
        return None
    match payment.status:
        case PaymentStatus.REQUIRES_ACTION if payment.superseded:
            return Applied.WITHDRAWN
        case PaymentStatus.REQUIRES_ACTION:
            ended = payment.expires_at is not None and payment.expires_at <= tx.now
            return Applied.EXPIRED if ended else Applied.OPEN
        case PaymentStatus.PROCESSING | PaymentStatus.AUTHORIZED | PaymentStatus.SUCCEEDED:
            return Applied.PAID
        case PaymentStatus.EXPIRED:
            return Applied.EXPIRED
        case PaymentStatus.CANCELED | PaymentStatus.DECLINED | PaymentStatus.FAILED:
            return Applied.WITHDRAWN
        case PaymentStatus.UNKNOWN:
            return Applied.REFUSED
        case _:
            assert_never(payment.status)


# --- Applying ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Known:
    """What we know of the operation that a notice is about; `early`: its money is not there yet.

    `change` names one that stores or deletes a method, and is of no payment, `booked`
    the money of the notice that is in the books. `share` is what of the notice is about it, and
    `ambiguous` says that several payments go by the name that the notice gives.
    """

    case: Case | None = None
    payment: Payment | None = None
    early: bool = False
    change: str = ""
    booked: frozenset[tuple[MovementKind, str]] = frozenset()
    share: unasked.Share | None = None
    ambiguous: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """What a notice changed, and the payment it was about."""

    result: Applied
    payment: Payment | None = None


@dataclass(frozen=True, slots=True)
class PriceOf:
    """What *amount* costs now."""

    amount: Money
    price: Price


def _apply_safely(
    id_: int, accounts: Mapping[str, GatewayAccount], timing: Timing, silent: set[str]
) -> Flow[Payment | None]:
    """Apply one; whatever is wrong with it, the others must get their turn."""
    try:
        return (yield from _apply(id_, accounts, timing, silent))
    except StoreError as error:
        if not isinstance(error, LedgerCorrupt):
            raise  # the next one would not fare better
        reason = str(error)
    except PaygateError as error:
        reason = str(error)
    except Exception as bug:  # noqa: BLE001  (its text may hold what must not be stored)
        reason = f"{type(bug).__name__} while it was applied"

    def put_off(tx: Tx) -> None:
        row = inbox.by_id(tx, id_)
        if row is not None and row.callback.state is InboxState.NEW:
            _wait(tx, row, reason, InboxState.FAILED)

    yield from transact(put_off)
    return None


def _apply(
    id_: int, accounts: Mapping[str, GatewayAccount], timing: Timing, silent: set[str]
) -> Flow[Payment | None]:
    row = yield from look(lambda tx: told.find(tx, id_))
    notice = notices.read_notice(row.notice)
    account = accounts[row.callback.account]
    heard_at = row.callback.received_at
    known = yield from look(_about(account.name, notice, heard_at))
    if known.change:
        yield from _follow(row, known.change, accounts, timing)
        return None
    price = yield from _price(row, notice, known, account)
    question = _question(notice, known, account)
    if question is not None and account.name in silent:
        return None
    finding = yield from _find_out(question, account)
    if inquire.is_silence(finding):
        silent.add(account.name)

    def work(tx: Tx) -> Done:
        # Another process may have been faster. What came since we asked is another question.
        now = _since(row, told.find(tx, id_))
        return _apply_in(tx, now, notice, account, finding, timing, price=price, patient=True)

    done = yield from transact(work)
    if notice.ready and done.payment is not None:
        return (yield from _complete(row, done.payment, accounts, timing))
    return done.payment


def _since(read: InboxRow, now: InboxRow) -> InboxRow:
    return replace(now, callback=replace(now.callback, times=read.callback.times))


def _follow(
    row: InboxRow, change: str, accounts: Mapping[str, GatewayAccount], timing: Timing
) -> Flow[None]:
    """Ask how storing a method stands: a notice is kept without the token, so it is a hint."""
    _ = yield from inquire.follow(change, accounts, timing)

    def end(tx: Tx) -> None:
        inbox.end(tx, row, InboxState.APPLIED)

    yield from transact(end)


def _apply_in(
    tx: Tx,
    row: InboxRow,
    notice: Notice,
    account: GatewayAccount,
    finding: Answer | None,
    timing: Timing,
    *,
    price: PriceOf | None = None,
    patient: bool,
) -> Done:
    """Merge what is told, or was found out, and mark it in the inbox; in this transaction."""
    if row.callback.state is not InboxState.NEW:
        return Done(Applied.NO_CHANGE)
    heard_at = row.callback.received_at
    known = _about(account.name, notice, heard_at)(tx)
    case, before = known.case, known.payment
    share = known.share or unasked.Share(notice)
    notice = share.notice
    if notice.method is not None:
        heard = keeping.hear(tx, account.name, notice.method, notice.occurred_at)
        if case is None or known.change:
            inbox.end(tx, row, InboxState.APPLIED)
            return Done(Applied.BOOKED if heard else Applied.NO_CHANGE)
    if case is not None and known.change:
        return _of_method(tx, row, case, notice, account, finding, timing)
    if case is None or before is None:
        came = unasked.money_of(notice)
        if came is not None and not notice.unreadable:
            paid = unasked.book(tx, account, notice, came, timing)
            unasked.follow_up(tx, account, share, paid, timing)
            inbox.end(tx, row, InboxState.APPLIED)
            return Done(Applied.BOOKED, paid)
        if notice.payer_number and not unasked.movements_of(notice):
            inbox.end(tx, row, InboxState.IGNORED, "no money came for the payer's number yet")
            return Done(Applied.NO_CHANGE)
        if not notice.our_ref and not notice.reference:
            if notice.unreadable:
                return _unreadable(tx, row, notice)
            inbox.end(tx, row, InboxState.IGNORED)
            return Done(Applied.NO_CHANGE)
        name = notice.our_ref or notice.reference
        text = f"it names the operation {shown(name)}, which is not in this ledger"
        if known.ambiguous:
            text = f"several payments go by {shown(name)}, and it does not say what it undoes"
        if notice.unreadable:
            text = f"{text}, and does not read ({notice.unreadable})"
        elif notice.foreign:
            return _foreign(tx, row, notice, patient=patient)
        _wait(tx, row, text, InboxState.ORPHAN, patient=patient)
        return Done(Applied.UNKNOWN_REFERENCE)
    attempt = case.row.attempt.id
    priced = quotes.to_be_priced(tx, account, notice, case.row, heard_at)
    if price is not None and price.amount != priced:
        price = None  # it is for another payment by now, which may need another price
    if priced is not None and price is None and patient and row.callback.tries < len(RETRY_PLAN):
        # It came late, and is worth what it was worth when it came.
        _wait(tx, row, f"nobody says what {priced} costs now", InboxState.FAILED)
        return Done(Applied.NO_CHANGE, before)
    then = None if price is None else price.price
    arrival = quotes.arrive(tx, account, case.row, notice, heard_at, then)
    news = None if isinstance(finding, NotFound | Unknown | Unsent) else finding
    if news is not None:
        merge.merge_in(tx, attempt, news, inquire.reading_of(case, account, timing))
    if notice.unreadable:
        return replace(_unreadable(tx, row, notice), payment=payments.by_id(tx, before.id))
    if news is None and (
        is_hint(notice) or _asks_again(row, notice, known, account, patient=patient)
    ):
        if account.inquirer is None:
            inbox.end(tx, row, InboxState.IGNORED, "the gateway cannot be asked what it means")
        elif inquire.is_silence(finding) and patient:
            # Nobody has answered, so this was no try.
            inbox.wait(tx, row, tx.now + _pause(tx, row), _why(finding), counts=False)
        else:
            _wait(tx, row, _why(finding), InboxState.FAILED)
        return Done(Applied.NO_CHANGE, before)
    reading = replace(_reading(case, account, timing), arrival=arrival)
    doubtful = _contradicts(notice, known)
    if notice.answer is not None and not (news is not None and doubtful):
        merge.merge_in(tx, attempt, notice.answer, replace(reading, overtaken=doubtful))
    merged = news is not None or notice.answer is not None
    now = _about(account.name, notice, heard_at)(tx) if merged else known
    if now.early and patient and row.callback.tries < len(RETRY_PLAN):
        _wait(tx, row, "money goes back that is not in the books yet", InboxState.FAILED)
    else:
        for answer in _of_movements(notice, now):
            merge.merge_in(tx, attempt, answer, reading)
        unasked.follow_up(tx, account, share, before, timing)
        if not notice.ready:  # that one ends when the payment was completed
            inbox.end(tx, row, InboxState.APPLIED)
    after = payments.by_id(tx, before.id)
    return Done(Applied.NO_CHANGE if after == before else Applied.BOOKED, after)


def _foreign(tx: Tx, row: InboxRow, notice: Notice, *, patient: bool) -> Done:
    """
    Ignore what another system made that uses the same account of the processor.

    Money of ours may be sent back in the processor's own interface before we know what the
    payment is called there, so what moved is looked at again first.
    """
    tries = row.callback.tries
    if notice.movements and patient and tries < len(RETRY_PLAN):
        inbox.wait(tx, row, tx.now + RETRY_PLAN[tries], "it carries no reference of ours")
    else:
        inbox.end(tx, row, InboxState.IGNORED, "another system made it: it has no name of ours")
    return Done(Applied.UNKNOWN_REFERENCE)


def _unreadable(tx: Tx, row: InboxRow, notice: Notice) -> Done:
    """Keep what does not read as failed: trying it again would not make it readable."""
    _wait(tx, row, notice.unreadable, InboxState.FAILED, patient=False)
    return Done(Applied.REFUSED)


def _of_method(
    tx: Tx,
    row: InboxRow,
    case: Case,
    notice: Notice,
    account: GatewayAccount,
    finding: Answer | None,
    timing: Timing,
) -> Done:
    """
    Merge what is told, or was found out, about storing or deleting a method.

    This is the way of what is answered with the result: the answer is in hand, with
    the token that the inbox does not keep. What is acknowledged is asked for later.
    """
    attempt = case.row.attempt
    news = None if isinstance(finding, NotFound | Unknown | Unsent) else finding
    if news is not None:
        merge.merge_any_in(tx, attempt.id, news, inquire.reading_of(case, account, timing))
    elif notice.answer is not None:
        merge.merge_any_in(tx, attempt.id, notice.answer, _reading(case, account, timing))
    else:
        # Recovery follows the attempt up by itself, whatever becomes of this hint.
        inbox.end(tx, row, InboxState.IGNORED, _why(finding))
        return Done(Applied.NO_CHANGE)
    inbox.end(tx, row, InboxState.APPLIED)
    after = attempts.by_id(tx, attempt.id)
    changed = after is not None and after.attempt.state is not attempt.state
    return Done(Applied.BOOKED if changed else Applied.NO_CHANGE)


def is_hint(notice: Notice) -> bool:
    """Tell whether *notice* says only that something happened, and not what."""
    told = notice.answer is not None or notice.movements or notice.disputes
    return not told and not notice.ready and notice.method is None


def _contradicts(notice: Notice, known: Known) -> bool:
    """
    Tell whether a decline may be about an earlier try than the one that we know to have worked.

    A page stays payable after a declined try, and callbacks overtake each other.
    So such a decline is only a hint.
    """
    if not isinstance(notice.answer, Declined | Rejected) or known.case is None:
        return False
    if notice.place is not None:
        return False  # a feed about places tells in order, and nobody else could be asked
    row = known.case.row
    if row.attempt.state is AttemptState.PENDING:
        return row.action is not None
    return row.attempt.state in (AttemptState.AUTHORIZED, AttemptState.SUCCEEDED)


def _asks_again(
    row: InboxRow, notice: Notice, known: Known, account: GatewayAccount, *, patient: bool
) -> bool:
    """Tell whether the gateway, which did not answer, should be asked about it once more."""
    left = patient and row.callback.tries < len(RETRY_PLAN)
    return left and account.inquirer is not None and _contradicts(notice, known)


def _about(account: str, notice: Notice, heard_at: datetime) -> Callable[[Tx], Known]:
    def work(tx: Tx) -> Known:
        if notice.place is None:
            row = attempts.named(
                tx, account, our_ref=notice.our_ref, reference=notice.reference
            ) or attempts.named(tx, account, our_ref="", reference=notice.earlier_reference)
            named, row = row, unasked.attempt_of(tx, account, notice, row)
            ambiguous = row is None and unasked.is_ambiguous(tx, account, notice, named)
        else:
            row, ambiguous = quotes.attempt_at(tx, account, notice, heard_at), False
        if row is not None and not row.attempt.payment:
            return Known(case=Case(row, None, tx.now), change=row.attempt.id)
        payment = None if row is None else payments.by_id(tx, row.attempt.payment)
        share = unasked.share_of(tx, account, notice, row)
        if row is None or payment is None:
            return Known(share=share, ambiguous=ambiguous)
        told = _besides_answer(share.notice)
        taken = {each.movement_id for each in told if each.kind not in _GIVES_BACK}
        early = any(
            _early(tx, payment, each)
            for each in told
            if each.kind not in _GIVES_BACK or each.undoes not in taken
        )
        booked = receipts.booked(tx, account, told)
        names = {name for name, each in booked.items() if each.payment == payment.id}
        case = Case(row, None, tx.now)
        return Known(case, payment, early, booked=frozenset(names), share=share)

    return work


def _besides_answer(notice: Notice) -> list[Movement]:
    """Tell which movements the answer does not bring along."""
    answered = notice.answer.movements if isinstance(notice.answer, Approved) else ()
    return [movement for movement in notice.movements if movement not in answered]


def _early(tx: Tx, payment: Payment, movement: Movement) -> bool:
    """Tell whether *movement* takes something back that is not in the books yet."""
    if movement.kind in _COMES:
        return False
    if movement.amount.currency != payment.amount.currency:
        # Of a quote: what it is worth is known by what it undoes.
        return movement.undoes is not None and not _is_named(tx, payment, movement.undoes)
    there = payment.received - payment.returned
    if movement.kind in _GIVES_BACK:
        there = payment.returned
    if there >= movement.amount:
        return False
    if movement.undoes is not None and _is_named(tx, payment, movement.undoes):
        return False
    return not receipts.booked(tx, payment.account, [movement])


def _is_named(tx: Tx, payment: Payment, movement_id: str) -> bool:
    return receipts.is_named(tx, payment.account, payment.id, movement_id)


def _of_movements(notice: Notice, known: Known) -> list[Answer]:
    """Make answers of the movements that are told without one."""
    moved = tuple(_besides_answer(notice))
    disputes = notice.disputes
    if not (moved or disputes) or known.case is None or known.payment is None:
        return []
    # Money that is booked is told again when it settles, which says no more of how it ended.
    if any(movement.kind in _COMES and not _is_booked(movement, known) for movement in moved):
        return [Approved(reference=notice.reference, movements=moved, disputes=disputes)]
    returned = [each for each in moved if each.kind is MovementKind.RETURN]
    if not returned or known.payment.received.minor:
        return [Moved(movements=moved, disputes=disputes)]
    # Nothing came that could be returned: an e-check that bounced before it was settled. The return
    # is kept, so that a charge that is reported later still nets against it.
    kept = Moved(movements=tuple(returned))
    if known.case.row.attempt.state is not AttemptState.PENDING:
        return [kept]
    bounced = Declined(code=DeclineCode.GENERIC, raw_code=returned[0].code, retryable=False)
    return [bounced, kept]


def _is_booked(movement: Movement, known: Known) -> bool:
    return (movement.kind, movement.movement_id) in known.booked


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask a gateway before a notice is applied."""

    gateway: LooksUp
    inquiry: Inquiry
    row: AttemptRow


def _question(notice: Notice, known: Known, account: GatewayAccount) -> Question | None:
    """Return what to ask if a notice is only a hint; None if it says enough, or nobody answers."""
    wanted = is_hint(notice) or known.early or _contradicts(notice, known)
    if known.case is not None and known.payment is not None:
        # A notice is kept without the token of the method that was to be stored.
        wanted = wanted or keeping.to_be_kept(known.case.row, known.payment)
    if known.change:
        wanted = notice.answer is None
    if known.case is None or not wanted:
        return None
    inquiry = inquire.inquiry_about(known.case.row)
    if inquiry.reference in ("", notice.earlier_reference):
        inquiry = replace(inquiry, reference=notice.reference)
    gateway = account.looks_up(inquiry.reference, inquiry.parent_reference)
    return None if gateway is None else Question(gateway, inquiry, known.case.row)


def _price(
    row: InboxRow, notice: Notice, known: Known, account: GatewayAccount
) -> Flow[PriceOf | None]:
    """Ask what the amount of a payment costs now, if its money came late."""
    case, prices = known.case, account.prices
    if case is None or prices is None:
        return None
    heard_at = row.callback.received_at
    amount = yield from look(
        lambda tx: quotes.to_be_priced(tx, account, notice, case.row, heard_at)
    )
    if amount is None:
        return None
    now = yield from look(lambda tx: tx.now)
    asked = deferred(partial(prices.price, amount, now))
    told = yield from ask(account.name, asked, door=door.price(account), about=case.row.in_log)
    return None if isinstance(told, Unsent | Unknown) else PriceOf(amount, told)


def _find_out(question: Question | None, account: GatewayAccount) -> Flow[Answer | None]:
    """Ask the gateway, if there is a question."""
    if question is None:
        return None
    books = yield from look(lambda tx: inquire.books_of(tx, question.row))
    inquiry = replace(question.inquiry, booked=books.names, collected=books.collected)
    look_up = partial(question.gateway.look_up, inquiry)
    through = door.finding(account, inquiry.operation)
    about = logs.About(
        account=account.name,
        payment=inquiry.payment,
        attempt=inquiry.our_ref,
        operation=inquiry.operation.value,
    )
    return (yield from ask(account.name, deferred(look_up), door=through, about=about))


def _why(finding: Answer | None) -> str:
    return finding.reason if isinstance(finding, Unknown | Unsent) else "the gateway has no news"


def _reading(case: Case, account: GatewayAccount, timing: Timing) -> merge.Reading:
    rail = account.traits.rails.get(case.row.kind)
    return merge.Reading(
        source=Source.CALLBACK,
        variable_amount=rail is not None and rail.variable_amount,
        held_from_percent=0 if rail is None else rail.held_from_percent,
        can_inquire=account.can_be_asked,
        timing=timing,
    )


def _complete(
    row: InboxRow, payment: Payment, accounts: Mapping[str, GatewayAccount], timing: Timing
) -> Flow[Payment]:
    """Complete a payment whose payer has approved; close the page where others took over."""
    task = operate.Task(operation=Operation.COMPLETE, payment=payment.id, key=None)
    again = ""
    try:
        payment = (yield from operate.operate(task, accounts, timing)).payment
        again = yield from look(lambda tx: _unsent(tx, payment))
    except OutcomeUnknown as error:
        again = str(error)
    except NotPayable as error:
        waits = payment.status in (PaymentStatus.PROCESSING, PaymentStatus.UNKNOWN)
        again = str(error) if waits else ""
    except ItemAlreadyBeingPaid:
        payment = yield from _close(payment, accounts, timing)
    except Unsupported:
        pass  # nothing to complete at this gateway: its money comes by itself

    def mark(tx: Tx) -> None:
        if again:
            _wait(tx, row, again, InboxState.FAILED)
        else:
            inbox.end(tx, row, InboxState.APPLIED)

    yield from transact(mark)
    return payment


def _unsent(tx: Tx, payment: Payment) -> str:
    """Tell why the newest completion may have to be done again, if so."""
    rows = attempts.of_payment(tx, payment.id)
    made = [each for each in rows if each.attempt.operation is Operation.COMPLETE]
    if payment.status is not PaymentStatus.REQUIRES_ACTION or not made:
        return ""
    last = made[-1]
    failed = last.attempt.state is AttemptState.FAILED and last.attempt.retryable
    if last.attempt.state.final and not failed:
        return ""
    return last.attempt.reason or "its completion is under way"


def _close(
    payment: Payment, accounts: Mapping[str, GatewayAccount], timing: Timing
) -> Flow[Payment]:
    task = operate.Task(operation=Operation.CLOSE, payment=payment.id, key=None)
    try:
        return (yield from operate.operate(task, accounts, timing)).payment
    except (Refused, UsageError):
        return payment  # it stays open; money that comes on it becomes credit


# --- The inbox ------------------------------------------------------------------------------


def _wait(tx: Tx, row: InboxRow, reason: str, end: InboxState, *, patient: bool = True) -> None:
    """Try again later, or give up as *end* and call a person."""
    tries = row.callback.tries
    if patient and tries < len(RETRY_PLAN):
        inbox.wait(tx, row, tx.now + RETRY_PLAN[tries], reason)
        return
    if not inbox.end(tx, row, end, reason):
        return
    told.emit(
        tx, "callback.orphaned" if end is InboxState.ORPHAN else "callback.failed", row, reason
    )


def _pause(tx: Tx, row: InboxRow) -> timedelta:
    """Return when to ask again about something while nobody answers: ever less often."""
    waited = tx.now - row.callback.received_at
    step = sum(end <= waited for end in accumulate(RETRY_PLAN))
    return RETRY_PLAN[min(step, len(RETRY_PLAN) - 1)]
