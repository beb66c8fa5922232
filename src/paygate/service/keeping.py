"""Keeping: what an answer does to stored methods.

A method is stored when the gateway reports that it has stored it, and wiped when the gateway has
deleted it. `merge` calls this in its transaction. Storing a method moves no money, so its answers
have rules of their own: an approval must say what was stored, and deleting a method that the
gateway does not know counts as done. A deletion that was refused temporarily stays in doubt, so
that recovery tries it again.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from paygate.domain.attempt import AttemptState
from paygate.domain.decide import Changes
from paygate.domain.kind import Operation
from paygate.domain.method import MethodRequest
from paygate.domain.outcome import (
    Approved,
    Authorized,
    Moved,
    RejectCause,
    Rejected,
    Unknown,
    Unsent,
)
from paygate.errors import MethodNotFound
from paygate.ledger import (
    attempts,
    customers,
    holding,
    mandates,
    methods,
    outbox,
    payments,
    stored_requests,
)
from paygate.printing import shown
from paygate.service import agreements, events

if TYPE_CHECKING:
    from datetime import datetime

    from paygate.domain.method import MethodNews
    from paygate.domain.outcome import Answer
    from paygate.domain.payment import Payment
    from paygate.ledger.attempts import AttemptRow
    from paygate.ledger.tx import Tx


def write_plan(customer: str, mandate: str | None) -> str:
    """Return the customer and mandate of an attempt's method as text."""
    return json.dumps({"customer": customer, "mandate": mandate})


def read_plan(row: AttemptRow) -> dict[str, Any]:
    """Return the facts that `write_plan` wrote."""
    assert row.method_plan is not None, "an attempt about a method was stored with its plan"
    plan: dict[str, Any] = json.loads(row.method_plan)
    return plan


def understood(tx: Tx, row: AttemptRow, answer: Answer) -> Answer:
    """Return *answer* as it applies to storing or deleting a method."""
    match row.attempt.operation, answer:
        case _, Approved() | Moved() if answer.movements:
            return Unknown(
                reason=f"the gateway reports money, but {row.attempt.operation} moves none",
                reference=answer.reference,
                flagged=True,
            )
        case Operation.ENROLL, Approved(method=None):
            return Unknown(
                reason="the gateway approved without returning the stored method",
                reference=answer.reference,
            )
        case Operation.ENROLL, Approved() if tx.vault is None:
            return Unknown(
                reason="the gateway stored it, but this process has no key to encrypt its token",
                reference=answer.reference,
            )
        case Operation.FORGET, Rejected(cause=RejectCause.METHOD_GONE):
            return Approved(reference=answer.reference)
        case Operation.FORGET, Rejected(retryable=True):
            return Unknown(reason=answer.message or str(answer.cause))
        case Operation.FORGET, Unsent():
            return Unknown(reason=answer.reason)
        case _:
            return answer


def consequences(tx: Tx, row: AttemptRow, answer: Answer, changes: Changes) -> None:
    """Write what *changes* do to the method of their attempt, and emit the events."""
    stores = row.attempt.operation is Operation.ENROLL
    if changes.state is AttemptState.SUCCEEDED and stores and isinstance(answer, Approved):
        plan = read_plan(row)
        keep(tx, row, answer, customer=plan["customer"], mandate=plan["mandate"])
    elif changes.state is AttemptState.SUCCEEDED:
        methods.wipe(tx, row.attempt.method)
        _emit_change(tx, row, "method.deleted")
    elif changes.state is not None and changes.state.final:
        _emit_change(tx, row, "method.not_stored" if stores else "method.delete_failed", changes)
    elif changes.state is AttemptState.REQUIRES_ACTION:
        _emit_change(tx, row, "method.requires_action")
    elif changes.state is AttemptState.UNKNOWN:
        _emit_change(tx, row, "method.unknown", changes)
    if changes.review and not row.attempt.needs_review:
        _emit_change(tx, row, "method.needs_review", changes)
    if changes.state is not None and changes.state.final:
        stored_requests.forget(tx, row.attempt.id)


def to_be_kept(row: AttemptRow, payment: Payment) -> bool:
    """Return whether the method of *payment* is to be stored and is not stored yet."""
    return bool(row.attempt.method) and row.attempt.method != payment.method


def keep_paid_with(tx: Tx, row: AttemptRow, answer: Answer, payment: Payment) -> Payment:
    """Store the method that a gateway stored with *payment*, if that was requested."""
    asked = to_be_kept(row, payment)
    if not asked or not isinstance(answer, Approved | Authorized) or answer.method is None:
        return payment
    if tx.vault is None:
        # The money comes first: it is booked, and the payer must enter the card again.
        text = "the gateway stored the method, but this process has no key to encrypt its token"
        events.alert(tx, payment, text)
        return payment
    kept = keep(tx, row, answer, customer=payment.payer, mandate=payment.mandate)
    payments.set_method(tx, payment.id, kept)
    return replace(payment, method=kept)


def keep(
    tx: Tx, row: AttemptRow, answer: Approved | Authorized, *, customer: str, mandate: str | None
) -> str:
    """
    Store the method of *answer* once, and return its id.

    A card that the customer has stored before, at the same account, is the same method: its record
    is renewed. If there were two, deleting one at the gateway would also end the other.
    """
    stored = answer.method
    assert stored is not None, "only an answer with a method is kept"
    account, id_ = row.attempt.account, row.attempt.method
    customers.keep_reference(tx, customer, account, stored.customer_reference)
    twin = methods.same_as(tx, stored, customer=customer, account=account)
    if twin is not None and twin != id_:
        methods.renew(tx, twin, stored, mandate, answer.network_transaction_id)
        attempts.set_method(tx, row.attempt.id, twin)
        emit(tx, "method.renewed", twin)
        _agreed(tx, row, answer, customer, mandate, twin)
        return twin
    written = methods.insert(
        tx,
        stored,
        id_=id_,
        customer=customer,
        account=account,
        mandate=mandate,
        network_transaction_id=answer.network_transaction_id,
    )
    if written:
        emit(tx, "method.stored", id_)
        _agreed(tx, row, answer, customer, mandate, id_)
    return id_


def _agreed(
    tx: Tx,
    row: AttemptRow,
    answer: Approved | Authorized,
    customer: str,
    mandate: str | None,
    method: str,
) -> None:
    """Subscribe a customer who has stored a method with a mandate."""
    if mandate is None:
        return
    stored = answer.method
    assert stored is not None, "only an answer with a method is kept"
    amount = row.attempt.amount if row.attempt.payment else None
    network_id = stored.network_transaction_id or answer.network_transaction_id
    mandates.set_first(tx, mandate, network_id, amount)
    agreement = mandates.by_id(tx, mandate)
    if agreement is not None and agreement.ended_at is None:
        # Otherwise the payer ended automatic payment while the method was being stored.
        agreements.agreed(tx, customer, mandate, method)


def hear(tx: Tx, account: str, news: MethodNews, at: datetime | None) -> bool:
    """Record what a processor reports about a stored method; return whether that changed anything.

    A method that has ended counts as forgotten: it is not charged any more, and is not a default. A
    processor also reports methods that we had it delete, and methods of other systems.
    """
    known = False
    for method in methods.named(tx, account, news.reference):
        holding.hold(tx, customers=(method.customer,))
        if not news.ended:
            changed, type_ = methods.change(tx, method, news, at), "method.changed"
        else:
            changed, type_ = methods.forget(tx, method.id), "method.ended"
        if changed:
            known = True
            emit(tx, type_, method.id, news.reason)
        if changed and news.ended:
            agreements.after_forgotten(tx, method.customer)
    return known


def emit(tx: Tx, type_: str, id_: str, reason: str = "", *, days: int | None = None) -> None:
    """Emit an event about a stored method, with its facts."""
    method = methods.by_id(tx, id_)
    assert method is not None, f"method {id_} was just written"
    facts: dict[str, object] = {
        "method": id_,
        "customer": method.customer,
        "account": method.account,
        "kind": method.kind.value,
        "brand": method.brand,
        "last4": method.last4,
        "expires": None if method.expires is None else method.expires.isoformat(),
    }
    if reason:
        facts["reason"] = reason
    if days is not None:
        facts["days"] = days
    outbox.emit(tx, type_, id_, facts)


def flag(tx: Tx, row: AttemptRow, reason: str) -> None:
    """Emit that storing or deleting a method needs manual review."""
    _emit_change(tx, row, "method.needs_review", Changes(review=reason))


def _emit_change(tx: Tx, row: AttemptRow, type_: str, changes: Changes | None = None) -> None:
    facts = {
        "method": row.attempt.method,
        "customer": read_plan(row)["customer"],
        "account": row.attempt.account,
        "kind": row.kind.value,
    }
    if changes is not None:
        facts |= {"code": changes.code, "reason": changes.review or changes.reason}
    outbox.emit(tx, type_, row.attempt.method, facts, row.in_log)


def change_of(tx: Tx, attempt: str) -> MethodRequest:
    """Return the state of storing or deleting a method, or raise `MethodNotFound`."""
    row = attempts.by_id(tx, attempt)
    if row is None or row.attempt.payment:
        raise MethodNotFound(f"there is no change of a method {shown(attempt)} in this ledger")
    one = row.attempt
    return MethodRequest(
        id=one.id,
        operation=one.operation,
        customer=read_plan(row)["customer"],
        account=one.account,
        kind=row.kind,
        state=one.state,
        method=methods.by_id(tx, one.method),
        created_at=one.created_at,
        reference=one.reference,
        code=one.code,
        raw_code=one.raw_code,
        reason=one.reason,
        retryable=row.attempt.retryable,
        action=row.action,
        expires_at=row.expires_at,
        needs_review=one.needs_review,
    )
