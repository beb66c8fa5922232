"""Subscribing: begin, pause, resume and end the automatic payment of a customer's invoices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.domain.subscription import Subscription, SubscriptionStatus
from paygate.errors import MethodNotUsable, NotSubscribed
from paygate.ledger import holding, items, mandates, methods, subscriptions
from paygate.printing import shown
from paygate.service import agreements, finding
from paygate.service.flow import Flow, look, transact

if TYPE_CHECKING:
    from paygate.domain.invoice import Invoice
    from paygate.domain.mandate import Mandate
    from paygate.ledger.tx import Tx


def subscribe(method: str, mandate: Mandate) -> Flow[Subscription]:
    """Store that the payer agreed to charges of *method* without them."""

    def work(tx: Tx) -> Subscription:
        holding.hold_method(tx, method)
        found = finding.method(tx, method)
        if found.forgotten_at is not None:
            raise MethodNotUsable(f"method {method} was forgotten", method=method, why="forgotten")
        before = None if found.mandate is None else mandates.by_id(tx, found.mandate)
        if before is not None and before.ended_at is None and _same(before, mandate):
            subscription = subscriptions.live(tx, found.customer)
            if subscription is not None:
                return subscription
        id_ = mandates.insert(tx, found.customer, mandate)
        methods.set_mandate(tx, method, id_)
        return agreements.agreed(tx, found.customer, id_, method)

    return (yield from transact(work))


def _same(before: Mandate, mandate: Mandate) -> bool:
    """Return whether *mandate* was stored before: the same text, accepted at the same instant."""
    return (before.text_version, before.accepted_at) == (mandate.text_version, mandate.accepted_at)


def unsubscribe(customer: str, reason: str) -> Flow[Subscription]:
    """End a customer's subscription and mandates; the methods stay stored."""

    def work(tx: Tx) -> Subscription:
        live = _hold(tx, customer)
        if live is None:
            return _latest(tx, customer)
        agreements.end(tx, live, reason)
        return _latest(tx, customer)

    return (yield from transact(work))


def pause(customer: str, reason: str) -> Flow[Subscription]:
    """Stop charging a customer's invoices until it is resumed."""

    def work(tx: Tx) -> Subscription:
        live = _hold(tx, customer)
        if live is None:
            raise _not_subscribed(customer)
        if live.status is SubscriptionStatus.ACTIVE:
            agreements.pause_in(tx, live, reason)
        return agreements.live_of(tx, customer)

    return (yield from transact(work))


def resume(customer: str) -> Flow[Subscription]:
    """Charge a customer's invoices again."""

    def work(tx: Tx) -> Subscription:
        live = _hold(tx, customer)
        if live is None:
            raise _not_subscribed(customer)
        if live.revoked:
            raise NotSubscribed(
                f"the payer of customer {shown(customer)} withdrew the authorization, so only a "
                "new mandate resumes automatic payment: start_autopay",
                customer=customer,
            )
        if live.status is SubscriptionStatus.PAUSED:
            subscriptions.set_status(tx, live.id, SubscriptionStatus.ACTIVE, reason="")
            agreements.emit(tx, "autopay.resumed", live, reason="")
        return agreements.live_of(tx, customer)

    return (yield from transact(work))


def of_customer(customer: str) -> Flow[Subscription | None]:
    """Return the last subscription of a customer; None if they never had one."""
    return (yield from look(lambda tx: subscriptions.latest(tx, customer)))


def _hold(tx: Tx, customer: str) -> Subscription | None:
    holding.hold(tx, customers=(customer,))
    return subscriptions.live(tx, customer)


def _latest(tx: Tx, customer: str) -> Subscription:
    found = subscriptions.latest(tx, customer)
    if found is None:
        raise _not_subscribed(customer)
    return found


def _not_subscribed(customer: str) -> NotSubscribed:
    return NotSubscribed(
        f"customer {shown(customer)} has no subscription; storing a method with mandate= makes one",
        customer=customer,
    )


def set_autopay(number: str, *, on: bool, method: str | None) -> Flow[Invoice]:
    """Turn automatic payment of an invoice on or off, and pin the method that pays it."""

    def work(tx: Tx) -> Invoice:
        holding.hold(tx, items=(number,))
        invoice = finding.invoice(tx, number)
        if method is not None:
            found = finding.method(tx, method)
            if found.forgotten_at is not None:
                raise MethodNotUsable(
                    f"method {method} was forgotten", method=method, why="forgotten"
                )
            if found.customer != invoice.customer:
                raise MethodNotUsable(
                    f"method {method} is of customer {found.customer}, and invoice "
                    f"{invoice.number} of {invoice.customer}",
                    method=method,
                    why="of_another",
                )
        items.set_autopay(tx, invoice.id, on=on, method=method)
        return finding.invoice(tx, number)

    return (yield from transact(work))
