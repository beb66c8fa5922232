"""Record money that came in by hand: a paper check, cash, a transfer, a card terminal's sale."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from paygate.domain.customer import Customer
from paygate.domain.kind import Kind
from paygate.domain.movement import Movement
from paygate.domain.payment import RECORDED, PaymentStatus
from paygate.errors import InvalidValue
from paygate.ledger import claims, customers, keys, payments, receipts
from paygate.ledger.posting import LedgerAccount, PostingLine
from paygate.service import allocation, claiming, events, finding, in_hand
from paygate.service.flow import Flow, repeatable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from paygate.domain.money import Money
    from paygate.domain.payable import Payable
    from paygate.domain.payment import Payment
    from paygate.ledger.claims import Claim
    from paygate.ledger.tx import Tx
    from paygate.service.allocation import Placed


TAKEN: Final = tuple(each for each in Kind if each.recorded)
"""The kinds of money that can be recorded by hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slip:
    """Money to record by hand, and what it is for."""

    items: Sequence[Payable]
    kind: Kind
    key: str
    amount: Money | None = None
    reference: str = ""
    on: date | None = None
    customer: Customer | str | None = None
    payer: Customer | None = None


def record(slip: Slip) -> Flow[Payment]:
    """Record a payment by hand, once per key; what exceeds the open amount becomes credit."""
    return (yield from repeatable(lambda tx: record_in(tx, slip)))


def record_in(tx: Tx, slip: Slip) -> Payment:
    """Record a payment by hand in this transaction."""
    if not slip.kind.recorded:
        raise InvalidValue(
            f"{slip.kind} comes through a gateway; record check, cash, transfer or terminal",
            argument="by",
        )
    if slip.kind is Kind.TERMINAL and not slip.reference:
        raise InvalidValue(
            "a sale of a card terminal needs its reference from the slip, by which it is found in "
            "the terminal's settlement",
            argument="reference",
        )
    finding.hold(tx, slip.items, slip.customer)
    id_ = tx.new_id("pay")
    customer = slip.customer.id if isinstance(slip.customer, Customer) else slip.customer
    print_ = keys.fingerprint(
        items=[claiming.name_of(item) for item in slip.items],
        kind=slip.kind,
        amount=str(slip.amount),
        reference=slip.reference,
        on=slip.on,
        customer=customer,
    )
    before = keys.take(tx, "record", slip.key, print_, id_)
    if before is not None:
        return finding.payment_again(tx, before)
    came = in_hand.plan(tx, slip.items, slip.amount, slip.customer)
    plan = came.plan
    for page in {page for claim in plan.claims for page in claims.soft_on(tx, claim.item)}:
        claiming.supersede(tx, page)
    opened = payments.insert(
        tx,
        id_=id_,
        customer=plan.customer,
        payer=plan.customer if slip.payer is None else slip.payer.id,
        account=RECORDED,
        kind=slip.kind,
        amount=came.amount,
        status=PaymentStatus.SUCCEEDED,
        reference=slip.reference,
        key=slip.key,
    )
    claims.insert(tx, id_, plan.claims)
    placed = _book(tx, opened, plan.claims, customers.recorded_on(tx, opened.customer, slip.on))
    payment = finding.payment(tx, id_)
    events.emit(tx, "payment.succeeded", payment, reference=slip.reference)
    allocation.emit_invoices(tx, placed.items)
    events.alert_credited(tx, payment, placed.credited, placed.short)
    warnings = (*_of_short(payment, came.short), *_of_same(tx, payment))
    return replace(payment, warnings=warnings)


def _of_short(payment: Payment, short: Mapping[str, str]) -> Iterator[str]:
    """Yield a warning if the money, or part of it, was for invoices that could not take it."""
    if short and payment.credited.minor:
        how = ", ".join(f"{label} is {why}" for label, why in short.items())
        yield f"{how}; {payment.credited} became credit of customer {payment.customer}"


def _of_same(tx: Tx, payment: Payment) -> Iterator[str]:
    """Yield a warning if a check of the same number is booked; it may be intended."""
    others = payments.same_reference(tx, payment)
    if not others:
        return
    events.emit(tx, "payment.same_reference", payment, others=others)
    yield (
        f"{payment.kind} {payment.reference} of {payment.payer} is booked already, as "
        f"{', '.join(others)}; reverse one of them if it is the same money"
    )


def _book(tx: Tx, payment: Payment, claims: Sequence[Claim], on: date) -> Placed:
    """Book the money, and return where it went."""
    movement = Movement(movement_id=payment.id, amount=payment.amount, effective=on)
    receipt = receipts.book(
        tx,
        movement,
        account=RECORDED,
        customer=payment.customer,
        payment=payment.id,
        attempt=None,
        in_transit=allocation.cash_account(payment) is LedgerAccount.IN_TRANSIT,
    )
    assert receipt is not None, "the id of the payment is new, and it is the movement id"
    minor = payment.amount.minor
    payments.add_moved(tx, payment, received=minor, collected=minor)
    source = PostingLine(allocation.cash_account(payment), minor, receipt=receipt)
    placed = allocation.place(tx, payment, receipt, payment.amount, claims, source=source, on=on)
    events.emit_receipt(tx, payment, receipt, movement)
    return placed
