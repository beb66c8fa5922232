"""Committing: what a customer has agreed to begins, ends by its term, or is terminated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from paygate.domain.commitment import Commitment, CommitmentStatus, OnDefault, checked_term
from paygate.errors import CommitmentNotFound, InvalidValue
from paygate.ledger import commitments, customers, holding, keys, outbox
from paygate.printing import shown
from paygate.service.flow import Flow, look, repeatable, transact

if TYPE_CHECKING:
    from datetime import date

    from paygate.domain.customer import Customer
    from paygate.ledger.tx import Tx

REPLACED: Final = "replaced"
"""Why a commitment ended whose customer made another one in its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitOrder:
    """What a customer agrees to, and the caller's key, which makes it safe to ask again."""

    customer: Customer | str
    name: str
    terms: str
    start: date
    months: int
    on_default: OnDefault
    key: str
    replaces: str | None = None


def commit(order: CommitOrder) -> Flow[Commitment]:
    """Store a commitment; the same key again returns the one that it made."""
    checked_term(order.name, order.terms, order.start, order.months)
    return (yield from repeatable(lambda tx: _commit(tx, order)))


def _commit(tx: Tx, order: CommitOrder) -> Commitment:
    customer = customers.save(tx, order.customer)
    id_ = tx.new_id("com")
    print_ = keys.fingerprint(
        customer=customer,
        name=order.name,
        terms=order.terms,
        start=order.start,
        months=order.months,
        on_default=order.on_default,
        replaces=order.replaces,
    )
    before = keys.take(tx, "commit", order.key, print_, id_)
    if before is not None:
        return _found(tx, before)
    if order.replaces is not None:
        old = _found(tx, order.replaces)
        if old.customer != customer or old.status is not CommitmentStatus.ACTIVE:
            raise InvalidValue(
                f"commitment {old.id} of customer {old.customer} is {old.status}: name an active "
                f"one of customer {customer}",
                argument="replaces",
            )
        end_in(tx, old, CommitmentStatus.TERMINATED, REPLACED)
    made = commitments.insert(
        tx,
        id_=id_,
        customer=customer,
        name=order.name,
        terms=order.terms,
        start=order.start,
        months=order.months,
        on_default=order.on_default,
    )
    _emit(tx, "commitment.created", made)
    return made


def terminate(id_: str, reason: str) -> Flow[Commitment]:
    """Terminate a commitment before its term; one that has ended stays as it is."""

    def work(tx: Tx) -> Commitment:
        found = _found(tx, id_)
        holding.hold(tx, customers=(found.customer,))
        found = _found(tx, id_)
        if found.status is CommitmentStatus.ACTIVE:
            end_in(tx, found, CommitmentStatus.TERMINATED, reason)
        return _found(tx, id_)

    return (yield from transact(work))


def of_customer(customer: str) -> Flow[list[Commitment]]:
    """Return the commitments of a customer, the oldest first."""
    return (yield from look(lambda tx: commitments.of_customer(tx, customer)))


def end_terms(tx: Tx, customer: str, on: date) -> None:
    """End the commitments of a customer whose term is over on the day *on*."""
    for each in commitments.of_customer(tx, customer):
        if each.status is CommitmentStatus.ACTIVE and each.end <= on:
            end_in(tx, each, CommitmentStatus.ENDED, "term")


def end_in(tx: Tx, commitment: Commitment, status: CommitmentStatus, reason: str) -> None:
    """End a commitment in this transaction, and emit it."""
    on = customers.today(tx, commitment.customer)
    if status is CommitmentStatus.ENDED:
        on = commitment.end
    commitments.end(tx, commitment.id, status, on, reason)
    _emit(tx, f"commitment.{status}", _found(tx, commitment.id))


def _found(tx: Tx, id_: str) -> Commitment:
    found = commitments.by_id(tx, id_)
    if found is None:
        raise CommitmentNotFound(f"there is no commitment {shown(id_)} in this ledger")
    return found


def _emit(tx: Tx, type_: str, of: Commitment) -> None:
    facts: dict[str, object] = {
        "commitment": of.id,
        "customer": of.customer,
        "name": of.name,
        "terms": of.terms,
        "start": of.start.isoformat(),
        "end": of.end.isoformat(),
    }
    if of.reason:
        facts["reason"] = of.reason
    outbox.emit(tx, type_, f"customer:{of.customer}", facts)
