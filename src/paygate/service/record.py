"""Record money that came in by hand: a paper check, cash, a transfer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from paygate.domain.customer import Customer
from paygate.domain.money import Money
from paygate.domain.outcome import Movement
from paygate.domain.payment import PaymentStatus
from paygate.errors import InvalidValue
from paygate.ledger import customers, keys, payments, receipts
from paygate.ledger.posting import Account, Line
from paygate.service import allocation, collect, issue, reverse, telling
from paygate.service.flow import Flow, repeatable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from paygate.domain.invoice import Invoice, Share
    from paygate.domain.method import Kind
    from paygate.domain.payment import Payment
    from paygate.ledger.payments import Claim
    from paygate.ledger.tx import Tx

RECORDED = "recorded"
"""The account name of money that no gateway brought."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slip:
    """What came in by hand, and what it is for."""

    items: Sequence[Invoice | Share | str]
    kind: Kind
    key: str
    amount: Money | None = None
    reference: str = ""
    on: date | None = None
    customer: Customer | str | None = None
    payer: Customer | None = None


def record(slip: Slip) -> Flow[Payment]:
    """Record a payment by hand, once per key; what is more than open becomes credit."""
    return (yield from repeatable(lambda tx: record_in(tx, slip)))


def record_in(tx: Tx, slip: Slip) -> Payment:
    """Record a payment by hand in this transaction."""
    if not slip.kind.recorded:
        raise InvalidValue(
            f"{slip.kind} comes through a gateway; record check, cash or transfer", argument="by"
        )
    id_ = tx.new_id("pay")
    customer = slip.customer.id if isinstance(slip.customer, Customer) else slip.customer
    print_ = keys.fingerprint(
        items=[collect.name_of(item) for item in slip.items],
        kind=slip.kind,
        amount=str(slip.amount),
        reference=slip.reference,
        on=slip.on,
        customer=customer,
    )
    before = keys.take(tx, "record", slip.key, print_, id_)
    if before is not None:
        return reverse.find_again(tx, before)
    plan = collect.plan_claims(tx, slip.items, slip.amount, slip.customer)
    claimed = sum(claim.minor for claim in plan.claims)
    amount = slip.amount
    if amount is None:
        amount = Money(issue.find(tx, plan.claims[0].item).total.currency, claimed)
    for page in {page for claim in plan.claims for page in payments.soft_on(tx, claim.item)}:
        issue.supersede(tx, page)
    opened = payments.insert(
        tx,
        id_=id_,
        customer=plan.customer,
        payer=plan.customer if slip.payer is None else slip.payer.id,
        account=RECORDED,
        kind=slip.kind,
        amount=amount,
        status=PaymentStatus.SUCCEEDED,
        reference=slip.reference,
        key=slip.key,
    )
    payments.insert_claims(tx, id_, plan.claims)
    _book(tx, opened, plan.claims, customers.recorded_on(tx, opened.customer, slip.on))
    payment = reverse.find(tx, id_)
    telling.emit(tx, "payment.succeeded", payment, reference=slip.reference)
    allocation.tell_items(tx, [claim.item for claim in plan.claims])
    return _warned(tx, payment)


def _warned(tx: Tx, payment: Payment) -> Payment:
    """Warn if the same check, by its number, stands in the books: a person may mean it."""
    others = payments.same_reference(tx, payment)
    if not others:
        return payment
    telling.emit(tx, "payment.same_reference", payment, others=others)
    text = (
        f"{payment.kind} {payment.reference} of {payment.payer} is in the books already, as "
        f"{', '.join(others)}; reverse one of them if it is the same money"
    )
    return replace(payment, warnings=(text,))


def _book(tx: Tx, payment: Payment, claims: Sequence[Claim], on: date) -> None:
    movement = Movement(movement_id=payment.id, amount=payment.amount, effective=on)
    receipt = receipts.book(
        tx,
        movement,
        account=RECORDED,
        customer=payment.customer,
        payment=payment.id,
        attempt=None,
        in_transit=allocation.cash_account(payment.kind) is Account.IN_TRANSIT,
    )
    assert receipt is not None, "the id of the payment is new, and it is the movement id"
    minor = payment.amount.minor
    payments.add_moved(tx, payment.id, received=minor, collected=minor)
    source = Line(allocation.cash_account(payment.kind), minor, receipt=receipt)
    allocation.place(tx, payment, receipt, payment.amount, claims, source=source, on=on)
    telling.tell_receipt(tx, payment, receipt, movement)
