"""Prepay: take money for an invoice that does not exist yet; close what will not get one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from paygate.domain.customer import Customer
from paygate.domain.money import AMOUNT_MAX, Money
from paygate.domain.prepayment import OnRest, PrepaymentStatus
from paygate.errors import AssignmentConflict, InvalidAmount, InvalidValue
from paygate.ledger import customers, keys, prepayments
from paygate.printing import shown
from paygate.service import assignment, finding, issue, ways
from paygate.service.flow import Flow, repeatable, transact

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.domain.prepayment import Prepayment
    from paygate.ledger.tx import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepayOrder:
    """A prepayment to make; *assignment_key* is in the spelling in which it is stored."""

    customer: Customer | str
    amount: Money
    assignment_key: str
    key: str
    description: str = ""
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])
    on_rest: OnRest = OnRest.KEEP


def prepay(order: PrepayOrder) -> Flow[Prepayment]:
    """Make a prepayment once per key."""
    try:
        return (yield from repeatable(lambda tx: prepay_in(tx, order)))
    except AssignmentConflict as error:
        yield from issue.report(error)
        raise


def prepay_in(tx: Tx, order: PrepayOrder) -> Prepayment:
    """Make a prepayment in this transaction."""
    _check(order)
    finding.hold(tx, (), order.customer)
    whose = order.customer.id if isinstance(order.customer, Customer) else order.customer
    id_ = tx.new_id("ppy")
    print_ = keys.fingerprint(
        customer=whose,
        amount=str(order.amount),
        assignment_key=order.assignment_key,
        description=order.description,
        data=order.data,
        on_rest=order.on_rest.value,
    )
    before = keys.take(tx, "prepay", order.key, print_, id_)
    if before is not None:
        return finding.prepayment(tx, before)
    customer = customers.save(tx, order.customer)
    currency, key = order.amount.currency, order.assignment_key
    assignment.own_key(tx, currency, key, customer)
    for other in prepayments.with_key(tx, currency, key):
        if assignment.in_the_way(other):
            raise _in_use(other, key, customer)
    prepayments.insert(
        tx,
        id_=id_,
        customer=customer,
        amount=order.amount,
        key=key,
        on=customers.today(tx, customer),
        on_rest=order.on_rest,
        description=order.description,
        data=order.data,
    )
    made = finding.prepayment(tx, id_)
    assignment.emit_created(tx, made)
    assignment.on_prepay(tx, made)
    return finding.prepayment(tx, id_)


def _check(order: PrepayOrder) -> None:
    amount = order.amount
    if amount.minor <= 0:
        raise InvalidAmount(
            f"the amount to prepay is {amount}; it must be more than zero", argument="amount"
        )
    if not amount.is_payable:
        raise InvalidAmount(
            f"the amount to prepay is {amount}; the maximum is "
            f"{Money(amount.currency, AMOUNT_MAX)}",
            argument="amount",
        )


def _in_use(other: Prepayment, key: str, customer: str) -> AssignmentConflict:
    what = "its money waits for an invoice" if other.is_replaced else f"it is {other.status.value}"
    return AssignmentConflict(
        f"prepayment {other.id} has the assignment key {shown(key)}, and {what}; pay that one, "
        "issue its invoice, or close it with close_prepayment",
        argument="assignment_key",
        key=key,
        currency=other.amount.currency,
        customer=customer,
        owner=customer,
        prepayment=other.id,
    )


def close(which: Prepayment | str, *, reason: str) -> Flow[Prepayment]:
    """Close a prepayment that will get no invoice; its money becomes credit."""
    if not reason.strip():
        raise InvalidValue(
            "give the reason to close it: reason='the order was canceled'", argument="reason"
        )
    return (yield from transact(lambda tx: close_in(tx, which, reason=reason)))


def close_in(tx: Tx, which: Prepayment | str, *, reason: str) -> Prepayment:
    """Close a prepayment in this transaction; repeating this changes nothing."""
    finding.hold(tx, (which,))
    found = finding.prepayment(tx, which)
    if found.status is PrepaymentStatus.CLOSED:
        return found
    if not prepayments.close(tx, found.id):
        raise ways.being_paid(tx, found)
    assignment.close(tx, found, reason)
    return finding.prepayment(tx, found.id)
