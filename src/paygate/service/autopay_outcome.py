"""The outcome of an automatic payment: what follows for the invoice, the method and the customer.

An automatic payment may end in the response, in a callback, in an inquiry or in a feed, or by a
clerk. So at the end of each unit of work that changed one, its new state is compared with what is
stored for its invoices. If it has failed, the rule of `retries` decides, and what it decides is
stored in the same transaction: the day of the next try, the block of the method, the pause of the
subscription. What the state was before makes no difference, so nothing happens twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from paygate.domain.kind import Kind
from paygate.domain.movement import MovementKind
from paygate.domain.payment import PaymentStatus
from paygate.domain.retries import Failure, MethodUse, RetryClass, Verdict, judge
from paygate.ledger import (
    autopay_items,
    customers,
    mandates,
    methods,
    outbox,
    payments,
    subscriptions,
)
from paygate.ledger.autopay_items import LIVE, PAID
from paygate.service import agreements, keeping

if TYPE_CHECKING:
    from datetime import date

    from paygate.domain.payment import Payment
    from paygate.ledger.autopay_items import StoredTry
    from paygate.ledger.tx import Tx

_ENDED: Final = (
    PaymentStatus.DECLINED,
    PaymentStatus.FAILED,
    PaymentStatus.CANCELED,
    PaymentStatus.EXPIRED,
)
_ENDED_BY: Final = (PaymentStatus.CANCELED, PaymentStatus.EXPIRED)


def follow(tx: Tx) -> None:
    """Store what follows from the automatic payments that this transaction has changed."""
    changed = list(tx.automatic)
    tx.automatic.clear()
    for id_ in changed:
        payment = payments.by_id(tx, id_)
        tries = autopay_items.of_payment(tx, id_)
        if payment is not None and tries:
            _follow(tx, payment, tries)


def _follow(tx: Tx, payment: Payment, tries: list[StoredTry]) -> None:
    on = customers.today(tx, payment.customer)
    failure = _failure_of(tx, payment)
    if failure is None:
        if payment.status is PaymentStatus.SUCCEEDED:
            for each in tries:
                if each.outcome != PAID:
                    autopay_items.end(tx, each, PAID, on=on)
        return
    judged = [
        (each, _judge(tx, each, failure, on))
        for each in tries
        if each.outcome in (LIVE, PAID)  # a failure that is known is not judged again
    ]
    for each, verdict in judged:
        autopay_items.end(
            tx,
            each,
            verdict.retry_class.value,
            code=failure.raw_code or failure.code,
            on=on,
            next_on=verdict.next_on,
            next_at=None if verdict.again_after is None else tx.now + verdict.again_after,
            given_up=verdict.given_up,
        )
    if judged:
        # The invoices of one payment have the same failure; what differs is how often each failed.
        _tell(tx, payment, judged, failure)
        _apply_to_method(tx, payment, judged[0][1], failure)


def _failure_of(tx: Tx, payment: Payment) -> Failure | None:
    """Return how *payment* failed, or None: it is under way, has brought money, or is disputed."""
    if payment.status in _ENDED:
        code = payment.code
        if payment.status in _ENDED_BY:
            code = payment.status.value
        return Failure(
            kind=payment.kind,
            code=code,
            raw_code=payment.raw_code,
            retryable=payment.retryable,
            advice=payment.advice,
        )
    if payment.status is not PaymentStatus.SUCCEEDED or not payment.returned.minor:
        return None
    kind, code = autopay_items.money_back(tx, payment.id)
    if kind == MovementKind.RETURN.value and payment.kind is Kind.E_CHECK:
        return Failure(kind=payment.kind, code=code.lower(), raw_code=code)
    if kind in (MovementKind.CHARGEBACK.value, ""):
        return None  # the invoice is disputed, which is a reason of its own
    # We, or a clerk, sent it back: whoever did that knows whether it is to be charged again.
    return Failure(kind=payment.kind, code=PaymentStatus.CANCELED.value)


def _judge(tx: Tx, one: StoredTry, failure: Failure, on: date) -> Verdict:
    before = [
        each
        for each in autopay_items.tries_of(tx, one.item)
        if each.payment != one.payment and each.method == one.method
    ]
    earlier = [each.retry_class for each in before if each.retry_class is not None]
    first_on = min((each.on for each in before if each.retry_class is not None), default=one.on)
    return judge(failure, earlier, on, tx.autopay.retry, first_on)


def _tell(
    tx: Tx, payment: Payment, judged: list[tuple[StoredTry, Verdict]], failure: Failure
) -> None:
    """Emit what follows for the invoices of *payment*, once for those alike."""
    alike: dict[Verdict, list[StoredTry]] = {}
    for each, verdict in judged:
        alike.setdefault(verdict, []).append(each)
    for verdict, tries in alike.items():
        if not verdict.counts and verdict.retry_class is not RetryClass.NOT_ARRIVED:
            continue  # nothing was asked of the payer's bank, so there is nothing to tell
        facts: dict[str, object] = {
            "customer": payment.customer,
            "payment": payment.id,
            "invoices": [each.number for each in tries],
            "amount_minor": sum(each.amount.minor for each in tries),
            "currency": payment.amount.currency,
            "code": failure.code,
            "raw_code": failure.raw_code,
            "class": verdict.retry_class.value,
        }
        aggregate = f"customer:{payment.customer}"
        if verdict.given_up:
            outbox.emit(tx, "autopay.given_up", aggregate, facts)
        elif verdict.next_on is not None and verdict.method is not MethodUse.BLOCKED:
            when = {
                "day": verdict.next_on.isoformat(),
                "try": verdict.number,
                "tries": verdict.most,
            }
            outbox.emit(tx, "autopay.retry_scheduled", aggregate, facts | when)


def _apply_to_method(tx: Tx, payment: Payment, verdict: Verdict, failure: Failure) -> None:
    """Block the method, let it rest, or end its mandate, as *verdict* says."""
    if payment.method is None:
        return
    code = failure.raw_code or failure.code
    if verdict.method is MethodUse.BLOCKED and methods.block(tx, payment.method, code):
        keeping.emit(tx, "method.blocked", payment.method, code)
    if verdict.rests_until is not None:
        methods.rest(tx, payment.method, verdict.rests_until)
    if not verdict.ends_mandate:
        return
    method = methods.by_id(tx, payment.method)
    if method is not None and method.mandate is not None:
        mandates.end(tx, method.mandate, by="payer", why=code)
    live = subscriptions.live(tx, payment.customer)
    if live is not None and not live.revoked:
        agreements.pause_in(tx, live, f"the payer withdrew the authorization: {code}", revoked=True)
