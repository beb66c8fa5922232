"""Money in hand: which invoices it pays, and what of it can only become credit.

A clerk who holds a check cannot refuse it. So an invoice on which nothing is open takes none
of the money, and stays among what the payment is for; its part becomes credit of the customer.
What is open is claimed as always, and is refused while another payment holds it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from paygate.domain.customer import Customer
from paygate.domain.invoice import Invoice, InvoiceStatus, Share
from paygate.domain.money import Money
from paygate.errors import AlreadyPaid, InvalidAmount, InvoiceIsVoid
from paygate.ledger import customers
from paygate.ledger.payments import Claim
from paygate.service import collect

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paygate.ledger.tx import Tx
    from paygate.service.collect import Plan


@dataclass(slots=True)
class InHand:
    """The amount that came, the claims it fills, and the invoices on which nothing is open."""

    plan: Plan
    amount: Money
    closed: list[Invoice] = field(default_factory=list[Invoice])


def plan(
    tx: Tx,
    wanted: Sequence[Invoice | Share | str],
    amount: Money | None,
    customer: Customer | str | None,
) -> InHand:
    """
    Claim what is open of *wanted*; what is not gets a claim that holds nothing.

    Raises `AlreadyPaid` or `InvoiceIsVoid` for an invoice with nothing open if neither *amount*
    nor its share says how much came.
    """
    found = [collect.share_of(tx, item) for item in wanted]
    closed = [(invoice, share) for invoice, share in found if not invoice.open.minor]
    beyond = sum(_beyond(invoice, share) for invoice, share in found)
    if not beyond and not closed:
        made = collect.plan_claims(tx, wanted, amount, customer)
        return InHand(made, amount or Money(made.currency, _claimed(made)))
    collect.check_together([invoice for invoice, _ in found], amount, customer)
    if amount is None:
        _require_amount(closed)
    made = _plan_open(tx, found, amount, beyond, customer)
    whole = Money(made.currency, _claimed(made) + beyond) if amount is None else amount
    _remember_closed(made, closed, whole.minor)
    return InHand(made, whole, [invoice for invoice, _ in closed])


def _plan_open(
    tx: Tx,
    found: Sequence[tuple[Invoice, Money | None]],
    amount: Money | None,
    beyond: int,
    customer: Customer | str | None,
) -> Plan:
    """Claim what is open; *beyond* is what the shares say that nothing open can take."""
    first = found[0][0]
    left = None if amount is None else Money(amount.currency, amount.minor - beyond)
    still: list[Invoice | Share] = []
    for invoice, share in found:
        if invoice.open.minor:
            still.append(invoice if share is None else Share(invoice, min(share, invoice.open)))
    if still and (left is None or left.minor > 0):
        return collect.plan_claims(tx, still, left, customer)
    if left is not None and (left.minor < 0 or (left.minor and _all_shares(found))):
        raise InvalidAmount(f"the shares do not add up to {amount}; leave amount= out")
    if customer is not None:
        customers.save(tx, customer)
    return collect.Plan(customer=first.customer, currency=first.total.currency)


def _remember_closed(
    made: Plan, closed: Sequence[tuple[Invoice, Money | None]], whole: int
) -> None:
    """Name the invoices with nothing open among what the payment is for, each with its part."""
    left = whole - _claimed(made) - sum(share.minor for _, share in closed if share is not None)
    for invoice, share in closed:
        # Nobody said which of them is meant with how much: the first one takes the rest.
        part = left if share is None else share.minor
        left = 0 if share is None else left
        if part > 0:
            made.claims.append(Claim(len(made.claims), invoice.id, part, None, "released"))


def _beyond(invoice: Invoice, share: Money | None) -> int:
    return 0 if share is None else max(0, share.minor - invoice.open.minor)


def _claimed(made: Plan) -> int:
    return sum(claim.minor for claim in made.claims)


def _all_shares(found: Sequence[tuple[Invoice, Money | None]]) -> bool:
    return all(share is not None for _, share in found)


def _require_amount(closed: Sequence[tuple[Invoice, Money | None]]) -> None:
    for invoice, share in closed:
        if share is not None:
            continue
        error = InvoiceIsVoid if invoice.status is InvoiceStatus.VOID else AlreadyPaid
        raise error(
            f"invoice {invoice.number} is {standing(invoice)}; say how much came with amount=, "
            "and it becomes credit",
            item=invoice.number,
        )


def standing(invoice: Invoice) -> str:
    """Say why nothing is open on *invoice*."""
    return invoice.status.value.replace("_", " ")
