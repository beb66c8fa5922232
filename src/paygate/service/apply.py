"""Apply: a notice in the inbox becomes part of the books.

A processor sends notices when it likes, in any order. The same notice comes twice; a later one
comes first; one comes before the response to our own request; one is about a payment of another
system. So a notice decides nothing: it carries an answer, movements or disputes, and all of them go
through the one rule of `merge`, which accepts them in any order and any number of times.

Some notices cannot be merged yet. A hint says only that something happened; a decline may be about
an earlier try of a page that is paid by now; a notice is stored without the token it brought. Then
the gateway is asked first, outside of any transaction, and its answer is merged. Money that goes
back before its payment is booked, and an operation that is not known yet, wait in the inbox and are
retried after growing pauses. After the last one the notice is flagged; nothing is dropped.

What stays true: an accepted notice is applied, waiting, or ended with a reason. Applying it and
marking it in the inbox is one transaction, so after a crash it is still waiting, and two processes
that apply it book it once. A notice that cannot be applied does not hold up the others. While an
account does not answer, the attempt to apply is not counted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from paygate.dialogue import deferred
from paygate.domain.attempt import AttemptState
from paygate.domain.callback import InboxState
from paygate.domain.decide import Source
from paygate.domain.kind import Operation
from paygate.domain.movement import MovementKind
from paygate.domain.outcome import Approved, DeclineCode, Declined, Moved, NotFound, Unknown, Unsent
from paygate.domain.payment import PaymentStatus
from paygate.errors import (
    ItemAlreadyBeingPaid,
    LedgerCorrupt,
    NotPayable,
    OutcomeUnknown,
    PaygateError,
    Refused,
    StoreError,
    Unsupported,
    UsageError,
)
from paygate.gateway import Applied
from paygate.ledger import attempts, holding, inbox, payments
from paygate.ledger.arrivals import Arrival
from paygate.printing import shown
from paygate.service import door, inquire, intake, keeping, merge, notices, operate, quotes, unasked
from paygate.service.asking import ask
from paygate.service.flow import Flow, look, transact
from paygate.service.known import (
    KnownOperation,
    besides_answer,
    contradicts,
    find_out,
    is_booked,
    is_hint,
    known_of,
    question_about,
)
from paygate.service.reading import AnswerSource
from paygate.service.tasks import OperateOrder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.domain.money import Money
    from paygate.domain.outcome import Answer
    from paygate.domain.payment import Payment
    from paygate.domain.quoting import Price
    from paygate.gateway import Notice
    from paygate.ledger.inbox import InboxRow
    from paygate.ledger.tx import Tx
    from paygate.service.account import GatewayAccount, Timing
    from paygate.service.inquire import InquiryCase


RETRY_PLAN: Final = tuple(timedelta(seconds=each) for each in (60, 300, 900, 3600, 21600, 86400))
"""When a callback that cannot be applied yet is retried; after the last, it is flagged."""

_COMES: Final = (MovementKind.CHARGE, MovementKind.CAPTURE)


@dataclass(frozen=True, slots=True)
class Done:
    """What a notice changed, and the payment that it is about."""

    result: Applied
    payment: Payment | None = None


@dataclass(frozen=True, slots=True)
class PriceOf:
    """The current price of *amount*."""

    amount: Money
    price: Price


def replay(id_: int, accounts: Mapping[str, GatewayAccount], timing: Timing) -> Flow[InboxRow]:
    """Apply a callback again from the beginning, and return its new row."""
    row = yield from look(lambda tx: intake.find(tx, id_))
    inquire.require(row.callback.account, accounts)

    def revive(tx: Tx) -> None:
        holding.hold_callback(tx, id_)
        inbox.revive(tx, id_)

    yield from transact(revive)
    yield from apply_safely(id_, accounts, timing, set())
    return (yield from look(lambda tx: intake.find(tx, id_)))


def apply_safely(
    id_: int, accounts: Mapping[str, GatewayAccount], timing: Timing, silent: set[str]
) -> Flow[Payment | None]:
    """Apply a callback; if that fails, put it off, so that it does not stop the others."""
    try:
        return (yield from _apply(id_, accounts, timing, silent))
    except StoreError as error:
        if not isinstance(error, LedgerCorrupt):
            raise  # the next callback would fail in the same way
        reason = str(error)
    except PaygateError as error:
        reason = str(error)
    except Exception as bug:  # noqa: BLE001  (its text may hold what must not be stored)
        reason = f"{type(bug).__name__} while it was applied"

    def put_off(tx: Tx) -> None:
        holding.hold_callback(tx, id_)
        row = inbox.by_id(tx, id_)
        if row is not None and row.callback.state is InboxState.NEW:
            _wait(tx, row, reason, InboxState.FAILED)

    yield from transact(put_off)
    return None


def _apply(
    id_: int, accounts: Mapping[str, GatewayAccount], timing: Timing, silent: set[str]
) -> Flow[Payment | None]:
    row = yield from look(lambda tx: intake.find(tx, id_))
    notice = notices.read_notice(row.notice)
    account = accounts[row.callback.account]
    heard_at = row.callback.received_at
    known = yield from look(known_of(account.name, notice, heard_at))
    if known.change:
        yield from _follow(row, known.change, accounts, timing)
        return None
    price = yield from _price(row, notice, known, account)
    question = question_about(notice, known, account)
    if question is not None and account.name in silent:
        return None
    finding = yield from find_out(question, account)
    if inquire.is_silence(finding):
        silent.add(account.name)

    def work(tx: Tx) -> Done:
        holding.hold_callback(tx, id_)
        holding.hold(tx, payments=() if known.payment is None else (known.payment.id,))
        # Another process may have been faster. What arrived since we asked is not covered by it.
        now = _since(row, intake.find(tx, id_))
        return apply_in(tx, now, notice, account, finding, timing, price=price, patient=True)

    done = yield from transact(work)
    if notice.ready and done.payment is not None:
        return (yield from _complete(row, done.payment, accounts, timing))
    return done.payment


def _since(read: InboxRow, now: InboxRow) -> InboxRow:
    return replace(now, callback=replace(now.callback, times=read.callback.times))


def _follow(
    row: InboxRow, change: str, accounts: Mapping[str, GatewayAccount], timing: Timing
) -> Flow[None]:
    """Inquire about the storing of a method: the inbox keeps no token, so the notice is a hint."""
    _ = yield from inquire.follow(change, accounts, timing)

    def end(tx: Tx) -> None:
        holding.hold_callback(tx, row.callback.id)
        inbox.end(tx, row, InboxState.APPLIED)

    yield from transact(end)


def _price(
    row: InboxRow, notice: Notice, known: KnownOperation, account: GatewayAccount
) -> Flow[PriceOf | None]:
    """Return the current price of a payment's amount, if its money arrived late."""
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
    answer = yield from ask(
        account.name, asked, what="price", door=door.price(account), about=case.row.in_log
    )
    return None if isinstance(answer, Unsent | Unknown) else PriceOf(amount, answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Matter:
    """A notice in the inbox, with everything that is known when it is applied."""

    row: InboxRow
    notice: Notice
    known: KnownOperation
    share: unasked.NoticeShare
    account: GatewayAccount
    finding: Answer | None
    timing: Timing
    price: PriceOf | None
    patient: bool

    @property
    def may_wait(self) -> bool:
        """Whether it can be retried later."""
        return self.patient and self.row.callback.tries < len(RETRY_PLAN)

    @property
    def news(self) -> Answer | None:
        """The finding of the inquiry, if it says anything."""
        return None if isinstance(self.finding, NotFound | Unknown | Unsent) else self.finding


def apply_in(
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
    """Merge the notice, or the finding, and mark the inbox row, in this transaction."""
    if row.callback.state is not InboxState.NEW:
        return Done(Applied.NO_CHANGE)
    known = known_of(account.name, notice, row.callback.received_at)(tx)
    share = known.share or unasked.NoticeShare(notice)
    matter = _Matter(
        row=row,
        notice=share.notice,
        known=known,
        share=share,
        account=account,
        finding=finding,
        timing=timing,
        price=price,
        patient=patient,
    )
    if matter.notice.method is not None:
        heard = keeping.hear(tx, account.name, matter.notice.method, matter.notice.occurred_at)
        if known.case is None or known.change:
            inbox.end(tx, row, InboxState.APPLIED)
            return Done(Applied.BOOKED if heard else Applied.NO_CHANGE)
    if known.case is not None and known.change:
        return _of_method(tx, matter, known.case)
    if known.case is None or known.payment is None:
        return _of_nothing_known(tx, matter)
    return _of_payment(tx, matter, known.case, known.payment)


# --- About a payment -------------------------------------------------------------------------


def _of_payment(tx: Tx, matter: _Matter, case: InquiryCase, before: Payment) -> Done:
    """Merge the notice, or the finding, about the payment *before*."""
    row, notice, account = matter.row, matter.notice, matter.account
    holding.hold_payment(tx, before.id)
    heard_at = row.callback.received_at
    priced = quotes.to_be_priced(tx, account, notice, case.row, heard_at)
    # By now it may belong to another payment, which needs another price.
    asked = matter.price
    price = None if asked is None or asked.amount != priced else asked.price
    if priced is not None and price is None and matter.may_wait:
        # Late money counts at the price of the time when it arrived.
        _wait(tx, row, f"there is no current price for {priced}", InboxState.FAILED)
        return Done(Applied.NO_CHANGE, before)
    arrival = quotes.arrive(tx, account, case.row, notice, heard_at, price)
    news = matter.news
    if news is not None:
        reading = inquire.reading_of(case, account, matter.timing)
        merge.merge_in(tx, case.row.attempt.id, news, reading)
    if notice.unreadable:
        return replace(_unreadable(tx, row, notice), payment=payments.by_id(tx, before.id))
    if news is None and (is_hint(notice) or _asks_again(matter)):
        _put_off(tx, matter)
        return Done(Applied.NO_CHANGE, before)
    _merge_notice(tx, matter, case, before, arrival)
    after = payments.by_id(tx, before.id)
    return Done(Applied.NO_CHANGE if after == before else Applied.BOOKED, after)


def _merge_notice(
    tx: Tx, matter: _Matter, case: InquiryCase, before: Payment, arrival: Arrival | None
) -> None:
    """Merge the answer of a notice, and then its movements and disputes."""
    row, notice, account, known = matter.row, matter.notice, matter.account, matter.known
    attempt, news = case.row.attempt.id, matter.news
    reading = replace(_reading(case, account, matter.timing), arrival=arrival)
    doubtful = contradicts(notice, known)
    if notice.answer is not None and not (news is not None and doubtful):
        merge.merge_in(tx, attempt, notice.answer, replace(reading, overtaken=doubtful))
    merged = news is not None or notice.answer is not None
    if merged:
        known = known_of(account.name, notice, row.callback.received_at)(tx)
    if known.early and matter.may_wait:
        _wait(tx, row, "it returns money that is not booked yet", InboxState.FAILED)
    else:
        for answer in _of_movements(notice, known):
            merge.merge_in(tx, attempt, answer, reading)
        unasked.follow_up(tx, account, matter.share, before, matter.timing)
        if not notice.ready:  # a ready notice ends when the payment is completed
            inbox.end(tx, row, InboxState.APPLIED)


def _asks_again(matter: _Matter) -> bool:
    """Return whether to ask the gateway again, after it did not answer."""
    return (
        matter.may_wait
        and matter.account.inquirer is not None
        and contradicts(matter.notice, matter.known)
    )


def _put_off(tx: Tx, matter: _Matter) -> None:
    """Inquire again later about a notice that says too little, if the gateway can be asked."""
    row, why = matter.row, _why(matter.finding)
    if matter.account.inquirer is None:
        inbox.end(tx, row, InboxState.IGNORED, "the gateway cannot be asked what it means")
    elif inquire.is_silence(matter.finding) and matter.patient:
        # The gateway did not answer, so this try does not count.
        inbox.wait(tx, row, tx.now + _pause(tx, row), why, counts=False)
    else:
        _wait(tx, row, why, InboxState.FAILED)


def _of_movements(notice: Notice, known: KnownOperation) -> list[Answer]:
    """Return answers made of the movements that are reported without an answer."""
    moved = tuple(besides_answer(notice))
    disputes = notice.disputes
    if not (moved or disputes) or known.case is None or known.payment is None:
        return []
    # Booked money is reported again when it settles, which says nothing about the outcome.
    if any(movement.kind in _COMES and not is_booked(movement, known) for movement in moved):
        return [Approved(reference=notice.reference, movements=moved, disputes=disputes)]
    returned = [each for each in moved if each.kind is MovementKind.RETURN]
    if not returned or known.payment.received.minor:
        return [Moved(movements=moved, disputes=disputes)]
    # No money came that could be returned: an e-check bounced before it was settled. The return
    # is kept, so that a charge that is reported later still nets against it.
    kept = Moved(movements=tuple(returned))
    if known.case.row.attempt.state is not AttemptState.PENDING:
        return [kept]
    bounced = Declined(code=DeclineCode.GENERIC, raw_code=returned[0].code, retryable=False)
    return [bounced, kept]


def _why(finding: Answer | None) -> str:
    return finding.reason if isinstance(finding, Unknown | Unsent) else "the gateway has no news"


def _reading(case: InquiryCase, account: GatewayAccount, timing: Timing) -> AnswerSource:
    rail = account.traits.rails.get(case.row.kind)
    return AnswerSource(
        source=Source.CALLBACK,
        variable_amount=rail is not None and rail.variable_amount,
        held_from_percent=0 if rail is None else rail.held_from_percent,
        can_inquire=account.can_be_asked,
        timing=timing,
    )


# --- About a method --------------------------------------------------------------------------


def _of_method(tx: Tx, matter: _Matter, case: InquiryCase) -> Done:
    """
    Merge the notice, or the finding, about storing or deleting a method.

    This applies to callbacks that are answered with the result: the answer is at hand, with the
    token that the inbox does not keep. For an acknowledged one the gateway is asked later.
    """
    row, attempt, answer = matter.row, case.row.attempt, matter.notice.answer
    if matter.news is not None:
        reading = inquire.reading_of(case, matter.account, matter.timing)
        merge.merge_any_in(tx, attempt.id, matter.news, reading)
    elif answer is not None:
        merge.merge_any_in(tx, attempt.id, answer, _reading(case, matter.account, matter.timing))
    else:
        # Recovery follows up the attempt on its own, with or without this hint.
        inbox.end(tx, row, InboxState.IGNORED, _why(matter.finding))
        return Done(Applied.NO_CHANGE)
    inbox.end(tx, row, InboxState.APPLIED)
    after = attempts.by_id(tx, attempt.id)
    changed = after is not None and after.attempt.state is not attempt.state
    return Done(Applied.BOOKED if changed else Applied.NO_CHANGE)


# --- About nothing that we know --------------------------------------------------------------


def _of_nothing_known(tx: Tx, matter: _Matter) -> Done:
    """Book unasked money; let other notices wait for their operation, or ignore them."""
    row, notice = matter.row, matter.notice
    came = unasked.money_of(notice)
    if came is not None and not notice.unreadable:
        paid = unasked.book(tx, matter.account, notice, came, matter.timing)
        unasked.follow_up(tx, matter.account, matter.share, paid, matter.timing)
        inbox.end(tx, row, InboxState.APPLIED)
        return Done(Applied.BOOKED, paid)
    if notice.reserves is not None and notice.payer_number:
        opened = unasked.reserve(tx, matter.account, notice, notice.reserves, matter.timing)
        inbox.end(tx, row, InboxState.APPLIED)
        return Done(Applied.BOOKED, opened)
    if notice.payer_number and not unasked.movements_of(notice):
        inbox.end(tx, row, InboxState.IGNORED, "no money has arrived for the payer's number yet")
        return Done(Applied.NO_CHANGE)
    if notice.our_ref or notice.reference:
        return _orphan(tx, matter, notice.our_ref or notice.reference)
    if notice.unreadable:
        return _unreadable(tx, row, notice)
    inbox.end(tx, row, InboxState.IGNORED)
    return Done(Applied.NO_CHANGE)


def _orphan(tx: Tx, matter: _Matter, name: str) -> Done:
    """Let a notice wait for the operation *name*, which another system may have made."""
    notice = matter.notice
    text = f"it names the operation {shown(name)}, which is not in this ledger"
    if matter.known.ambiguous:
        text = f"several payments have the reference {shown(name)}, and it names no movement"
    if notice.unreadable:
        text = f"{text}, and cannot be read ({notice.unreadable})"
    elif notice.foreign:
        return _foreign(tx, matter)
    _wait(tx, matter.row, text, InboxState.ORPHAN, patient=matter.patient)
    return Done(Applied.UNKNOWN_REFERENCE)


def _foreign(tx: Tx, matter: _Matter) -> Done:
    """
    Ignore a notice about another system that uses the same account of the processor.

    Our money may be refunded in the processor's own interface before we know the payment's
    reference there, so a notice with movements is retried first.
    """
    row = matter.row
    if matter.notice.movements and matter.may_wait:
        again = tx.now + RETRY_PLAN[row.callback.tries]
        inbox.wait(tx, row, again, "it has no reference of ours")
    else:
        inbox.end(tx, row, InboxState.IGNORED, "it has no reference of ours: another system's")
    return Done(Applied.UNKNOWN_REFERENCE)


def _unreadable(tx: Tx, row: InboxRow, notice: Notice) -> Done:
    """End an unreadable notice as failed; a retry would not make it readable."""
    _wait(tx, row, notice.unreadable, InboxState.FAILED, patient=False)
    return Done(Applied.REFUSED)


# --- Completing a payment --------------------------------------------------------------------


def _complete(
    row: InboxRow, payment: Payment, accounts: Mapping[str, GatewayAccount], timing: Timing
) -> Flow[Payment]:
    """Complete a payment whose payer has approved; withdraw its page if it was superseded."""
    task = OperateOrder(operation=Operation.COMPLETE, payment=payment.id, key=None)
    again = ""
    try:
        payment = (yield from operate.operate(task, accounts, timing)).payment
        again = yield from look(lambda tx: _unsent(tx, payment))
    except OutcomeUnknown as error:
        again = str(error)
    except NotPayable as error:
        # While the request for the page is in doubt, the page may still wait to be completed.
        # Money that is on its way needs no completion.
        in_doubt = yield from look(lambda tx: attempts.in_doubt(tx, payment.id))
        again = str(error) if in_doubt else ""
    except ItemAlreadyBeingPaid:
        payment = yield from _close(payment, accounts, timing)
    except Unsupported:
        pass  # this gateway has no completion: its money arrives without it

    def mark(tx: Tx) -> None:
        holding.hold_callback(tx, row.callback.id)
        if again:
            _wait(tx, row, again, InboxState.FAILED)
        else:
            inbox.end(tx, row, InboxState.APPLIED)

    yield from transact(mark)
    return payment


def _unsent(tx: Tx, payment: Payment) -> str:
    """Return why the newest completion may have to be repeated, or ""."""
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
    task = OperateOrder(operation=Operation.WITHDRAW, payment=payment.id, key=None)
    try:
        return (yield from operate.operate(task, accounts, timing)).payment
    except (Refused, UsageError):
        return payment  # it stays open; money that arrives on it becomes credit


# --- Waiting in the inbox --------------------------------------------------------------------


def _wait(tx: Tx, row: InboxRow, reason: str, end: InboxState, *, patient: bool = True) -> None:
    """Retry later, or give up with the state *end* and an event."""
    tries = row.callback.tries
    if patient and tries < len(RETRY_PLAN):
        inbox.wait(tx, row, tx.now + RETRY_PLAN[tries], reason)
        return
    if not inbox.end(tx, row, end, reason):
        return
    intake.emit(
        tx, "callback.orphaned" if end is InboxState.ORPHAN else "callback.failed", row, reason
    )


def _pause(tx: Tx, row: InboxRow) -> timedelta:
    """Return the pause before the next inquiry while the gateway does not answer; pauses grow."""
    waited = tx.now - row.callback.received_at
    step = sum(end <= waited for end in accumulate(RETRY_PLAN))
    return RETRY_PLAN[min(step, len(RETRY_PLAN) - 1)]
