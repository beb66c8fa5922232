"""Questions: a network that asks before it takes money is answered from the ledger.

A kiosk types a number: whose is it, what is due, may it be paid? The number is a payer's number
or the reference of a slip. The driver reads the request and writes the reply; the facts between
them are read here. A driver may also say that the request reports something, such as cash that was
taken. Then the notice is stored, applied and answered in one transaction, and the facts show it.

A reply is made from the facts each time, so a repeated report gets the reply that fits what is
stored, under the number of the new request. A request that repeats an event id with other facts is
a conflict: it is stored, flagged and not booked.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final, assert_never

from paygate.dialogue import deferred
from paygate.domain.callback import InboxState
from paygate.domain.money import Money
from paygate.domain.outcome import Unknown, Unsent
from paygate.domain.payment import PaymentStatus
from paygate.domain.text import spelled_alike
from paygate.errors import NotAuthentic, NotVerified
from paygate.gateway import Applied, KeptNotice, Limits, PayerFacts, Question, Reply, WhyNot
from paygate.ledger import attempts, customers, holding, inbox, items, payer_numbers, payments
from paygate.ledger.codec import write_instant
from paygate.ledger.paging import Page
from paygate.service import apply, door, intake, notices
from paygate.service.asking import ask
from paygate.service.flow import look, transact
from paygate.service.known import known_of

if TYPE_CHECKING:
    from datetime import datetime

    from paygate.dialogue import Dialogue
    from paygate.domain.payment import Payment
    from paygate.gateway import Asks, Callback, Notice
    from paygate.ledger.inbox import InboxRow
    from paygate.ledger.tx import Tx
    from paygate.service.account import GatewayAccount, Timing
    from paygate.service.flow import Flow

_PAGE: Final = 500
_TRY_AGAIN: Final = Reply(status=503, body=b"try again later")
"""The reply if the driver is at fault: the network repeats its request."""


def read(account: GatewayAccount, asker: Asks, callback: Callback) -> Flow[Question | Reply | None]:
    """Return what *callback* asks, or the reply to it; None if it is not a question."""
    found = yield from ask(
        account.name, _read(asker, callback), what="question", door=door.question(account)
    )
    if isinstance(found, NotAuthentic):
        raise found
    if isinstance(found, Unsent | Unknown):
        raise NotVerified(
            f"a question to {account.name!r} could not be read ({found.reason}); it was not "
            "answered, and its sender will send it again",
            account=account.name,
        )
    return found


def _read(asker: Asks, callback: Callback) -> Dialogue[Question | Reply | NotAuthentic | None]:
    """Return a refusal as a result of the dialogue, because it is not a fault of the network."""
    try:
        return (yield from deferred(partial(asker.question, callback)))
    except NotAuthentic as refusal:
        return refusal


def answer(
    account: GatewayAccount,
    asker: Asks,
    question: Question,
    callback: Callback,
    timing: Timing,
) -> Flow[Reply]:
    """Return the reply to *question*; a notice that it reports is stored and applied first."""
    at = callback.received_at

    def facts(tx: Tx) -> Reply | Notice | None:
        return door.answer(account, asker, question, facts_of(tx, account, question, at), tx)

    said = yield from look(facts)
    if said is None or isinstance(said, Reply):
        return said or _TRY_AGAIN
    known = yield from look(known_of(account.name, said, at))
    about = () if known.payment is None else (known.payment.id,)

    def work(tx: Tx) -> Reply:
        holding.hold_notices(tx, account.name, (said.event_id,))
        # Another process may have been faster.
        again = facts(tx)
        if again is None or isinstance(again, Reply):
            return again or _TRY_AGAIN
        if again != said:
            return _TRY_AGAIN
        holding.hold(tx, payments=about)
        kept = intake.keep_callback(tx, account, said.event_id, said, callback)
        result = Applied.REFUSED
        if not kept.conflicted:
            done = apply.apply_in(tx, kept.row, said, account, None, timing, patient=False)
            result = done.result
        now = replace(facts_of(tx, account, question, at), applied=result)
        reply = door.answer(account, asker, question, now, tx)
        return reply if isinstance(reply, Reply) else _TRY_AGAIN

    return (yield from transact(work))


# --- Facts --------------------------------------------------------------------------------------


def facts_of(tx: Tx, account: GatewayAccount, question: Question, at: datetime) -> PayerFacts:
    """Return what the ledger knows about *question*."""
    facts = PayerFacts(
        now=at,
        kept={each: kept for each in question.events if (kept := _kept(tx, account, each))},
        listed=tuple(_listed(tx, account, question)),
    )
    number = question.payer_number
    if not number:
        return facts
    facts = replace(facts, limits=_limits(account, question.currency))
    slip = attempts.named(tx, account.name, our_ref="", reference=number)
    payment = None if slip is None else payments.by_id(tx, slip.attempt.payment)
    if payment is not None and not payment.payer_number:
        facts = _of_slip(tx, facts, payment)
    else:
        facts = _of_number(tx, facts, account, question)
    return replace(facts, why_not=facts.why_not or _refused(account, question, facts))


def _of_slip(tx: Tx, facts: PayerFacts, payment: Payment) -> PayerFacts:
    customer = customers.find(tx, payment.customer)
    return replace(
        facts,
        slip=True,
        due=payment.amount,
        name="" if customer is None else masked(customer.name),
        why_not=_why_not(payment, facts.now),
    )


def _why_not(payment: Payment, now: datetime) -> WhyNot | None:
    """Return why a slip may not be paid now."""
    match payment.status:
        case PaymentStatus.REQUIRES_ACTION:
            if payment.superseded:
                return WhyNot.WITHDRAWN
            ended = payment.expires_at is not None and payment.expires_at <= now
            return WhyNot.EXPIRED if ended else None
        case PaymentStatus.PROCESSING | PaymentStatus.AUTHORIZED | PaymentStatus.SUCCEEDED:
            return WhyNot.PAID
        case PaymentStatus.EXPIRED:
            return WhyNot.EXPIRED
        case PaymentStatus.CANCELED | PaymentStatus.DECLINED | PaymentStatus.FAILED:
            return WhyNot.WITHDRAWN
        case PaymentStatus.UNKNOWN:
            return WhyNot.IN_DOUBT
        case _:
            assert_never(payment.status)


def _of_number(
    tx: Tx, facts: PayerFacts, account: GatewayAccount, question: Question
) -> PayerFacts:
    number = payer_numbers.find(tx, account.name, spelled_alike(question.payer_number))
    if number is None:
        return replace(facts, why_not=WhyNot.NOT_FOUND)
    customer = customers.find(tx, number.customer)
    return replace(
        facts,
        due=_due(tx, number.customer, question.currency),
        name="" if customer is None else masked(customer.name),
    )


def _due(tx: Tx, customer: str, currency: str) -> Money:
    """Return what *customer* owes in *currency*, without what is being paid already."""
    minor, after = 0, ""
    while True:
        found = items.owed_page(
            tx, Page(after=after, limit=_PAGE, oldest_first=True), customer=customer
        )
        minor += sum(
            each.open.minor - each.claimed.minor
            for each in found
            if each.total.currency == currency
        )
        if len(found) < _PAGE:
            return Money(currency, minor)
        after = found[-1].id


def _limits(account: GatewayAccount, currency: str) -> Limits:
    [*rails] = account.traits.rails.values()
    return rails[0].limits.get(currency, Limits()) if rails else Limits()


def _refused(account: GatewayAccount, question: Question, facts: PayerFacts) -> WhyNot | None:
    """Return why *account* does not take the amount now, whoever pays it."""
    terms, amount = account.terms, question.amount
    if not terms.enabled or question.currency in terms.disabled:
        return WhyNot.DISABLED
    if amount is None:
        return None
    low, high = facts.limits.minimum_minor, facts.limits.maximum_minor
    if low is not None and amount.minor < low:
        return WhyNot.TOO_SMALL
    return WhyNot.TOO_LARGE if high is not None and amount.minor > high else None


def masked(name: str) -> str:
    """Return *name* with only the first letter of each word, as ``J*** D***``."""
    return " ".join(f"{word[0]}***" for word in name.split())


# --- What was reported before -------------------------------------------------------------------


def _kept(tx: Tx, account: GatewayAccount, event_id: str) -> KeptNotice | None:
    rows = inbox.by_event(tx, account.name, event_id)
    return _notice_of(rows[0]) if rows else None


def _notice_of(row: InboxRow) -> KeptNotice:
    return KeptNotice(
        number=row.callback.id,
        event_id=row.callback.event_id,
        notice=notices.read_notice(row.notice),
        received_at=row.callback.received_at,
        applied=row.callback.state is InboxState.APPLIED,
    )


def _listed(tx: Tx, account: GatewayAccount, question: Question) -> list[KeptNotice]:
    """Return what was reported in the time of a statement."""
    if question.since is None and question.until is None:
        return []
    found: list[KeptNotice] = []
    after = 0
    while True:
        page = inbox.page(
            tx,
            Page(
                after=after,
                limit=_PAGE,
                since="" if question.since is None else write_instant(question.since),
                until="" if question.until is None else write_instant(question.until),
                oldest_first=True,
            ),
            account=account.name,
        )
        rows = [row for each in page if (row := inbox.by_id(tx, each.id)) is not None]
        found += map(_notice_of, rows)
        if len(page) < _PAGE:
            return found
        after = page[-1].id
