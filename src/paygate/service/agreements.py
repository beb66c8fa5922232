"""Agreements: what a mandate, a deleted method or a withdrawal do to a subscription.

Storing a method with a mandate subscribes its customer, and forgetting the last such method ends
the subscription, each in the same transaction. So at any moment the ledger says whether the
customer has agreed, and a charge that reads it under the customer's lock cannot come too late.

A mandate that is given while a subscription is paused because the payer withdrew one resumes it.
What the host has paused stays paused until the host resumes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.domain.subscription import Subscription, SubscriptionStatus
from paygate.errors import InvalidValue, MethodNotUsable
from paygate.ledger import mandates, methods, outbox, subscriptions
from paygate.service import finding

if TYPE_CHECKING:
    from paygate.ledger.tx import Tx


def agreed(tx: Tx, customer: str, mandate: str, method: str) -> Subscription:
    """Subscribe a customer who has agreed to *mandate*, or extend the subscription they have."""
    found = mandates.by_id(tx, mandate)
    assert found is not None, "the mandate was stored with the method"
    live = subscriptions.live(tx, customer)
    if live is None:
        live = subscriptions.insert(
            tx,
            customer=customer,
            mandate=mandate,
            since=min(found.accepted_at, tx.now),
            pending=found.pending,
        )
        emit(tx, "autopay.subscribed", live, method=method, scope=found.scope.value)
        return live
    if found.pending:
        subscriptions.add_pending(tx, live, found.pending)
    if live.status is SubscriptionStatus.PAUSED and live.revoked:
        subscriptions.set_status(tx, live.id, SubscriptionStatus.ACTIVE, reason="")
        emit(tx, "autopay.resumed", live, method=method, reason="the payer agreed again")
    return live_of(tx, customer)


def after_forgotten(tx: Tx, customer: str) -> None:
    """End the subscription of a customer who has no method left that can be charged."""
    live = subscriptions.live(tx, customer)
    if live is not None and not live.revoked and not subscriptions.is_mandated(tx, customer):
        end(tx, live, "the last method was deleted")


def end(tx: Tx, live: Subscription, reason: str) -> None:
    """End a subscription, and all mandates of its customer, in this transaction."""
    mandates.end_all(tx, live.customer, by=tx.actor, why=reason)
    subscriptions.set_status(tx, live.id, SubscriptionStatus.ENDED, reason=reason)
    emit(tx, "autopay.unsubscribed", live, reason=reason)


def pause_in(tx: Tx, live: Subscription, reason: str, *, revoked: bool = False) -> None:
    """Pause a subscription in this transaction; one that is *revoked* needs a new mandate."""
    subscriptions.set_status(
        tx, live.id, SubscriptionStatus.PAUSED, reason=reason, revoked=revoked or live.revoked
    )
    emit(tx, "autopay.paused", live, reason=reason)


def check_replacement(tx: Tx, old: str, new: str) -> None:
    """Raise unless *new* is another method of the customer of *old* that can be used."""
    before, after = finding.method(tx, old), finding.method(tx, new)
    if before.id == after.id or before.customer != after.customer:
        raise InvalidValue(
            f"method {after.id} does not replace {before.id}: name another method of customer "
            f"{before.customer}",
            argument="replacement",
        )
    if after.forgotten_at is not None:
        raise MethodNotUsable(f"method {new} was forgotten", method=new, why="forgotten")


def replaced(tx: Tx, old: str, new: str) -> None:
    """
    Let *new* take the place of *old*, which is being forgotten: default, invoices, subscription.

    If the payer has not agreed to charges of *new*, automatic payment pauses until they do.
    """
    before, after = finding.method(tx, old), finding.method(tx, new)
    if before.is_default:
        methods.set_default(tx, after)
    methods.move_pins(tx, before, after)
    live = subscriptions.live(tx, before.customer)
    mandate = None if after.mandate is None else mandates.by_id(tx, after.mandate)
    unasked = mandate is None or mandate.ended_at is not None
    if live is not None and live.status is SubscriptionStatus.ACTIVE and unasked:
        pause_in(tx, live, "the payer has not agreed to charges of the new method", revoked=True)


def live_of(tx: Tx, customer: str) -> Subscription:
    """Return the subscription that was just written."""
    live = subscriptions.live(tx, customer)
    assert live is not None, "it was just written"
    return live


def emit(
    tx: Tx, type_: str, of: Subscription, *, reason: str = "", method: str = "", scope: str = ""
) -> None:
    """Emit an event about a subscription."""
    facts = {"subscription": of.id, "customer": of.customer, "mandate": of.mandate}
    more = {"reason": reason, "method": method, "scope": scope}
    outbox.emit(
        tx,
        type_,
        f"customer:{of.customer}",
        facts | {name: text for name, text in more.items() if text},
    )
