"""Credit: pay from a customer's credit, and undo that.

Credit consists of lots, and each records its origin and reason: money that came twice, that
exceeded what was open, or that was on an invoice voided later. A negative lot is a debit: what was
returned after it had been spent, which the customer owes.

The rule: lots are used oldest first, only their free part, and only as far as the customer's debits
leave something. Use begins with a claim on the invoice and on the lot in one transaction (see
`claiming`), so two processes cannot spend a lot twice. A payment from credit moves no money and
uses no gateway; undoing it returns to each lot what was taken from it.

What stays true: what is used or reserved of a lot is never free as well; and a lot names the
payment that created it, so reversing that payment finds out what has used it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from paygate.domain.credit import Balance
from paygate.domain.customer import Customer
from paygate.domain.kind import Kind
from paygate.domain.money import Money
from paygate.domain.payment import PaymentStatus
from paygate.errors import InvalidValue, NotEnoughCredit, NothingToReverse
from paygate.ledger import claims, customers, holding, items, keys, lots, payments, posting
from paygate.service import allocation, assignment, claiming, events, finding
from paygate.service.flow import Flow, repeatable, transact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paygate.domain.payable import Payable
    from paygate.domain.payment import Payment
    from paygate.ledger.claims import Claim
    from paygate.ledger.tx import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """The invoices to pay from credit; with `amount` None, as much as both sides allow."""

    items: Sequence[Payable]
    key: str
    amount: Money | None = None


def pay_from_credit(use: Use) -> Flow[Payment]:
    """Pay invoices from the customer's credit, oldest lots first, without sending anything."""
    return (yield from repeatable(lambda tx: pay_from_credit_in(tx, use)))


def pay_from_credit_in(tx: Tx, use: Use) -> Payment:
    """Pay invoices from credit in this transaction."""
    if not use.items:
        raise InvalidValue("name the invoices or prepayments to pay from credit")
    finding.hold(tx, use.items)
    id_ = tx.new_id("pay")
    print_ = keys.fingerprint(
        items=[claiming.name_of(item) for item in use.items], amount=str(use.amount)
    )
    before = keys.take(tx, "pay_from_credit", use.key, print_, id_)
    if before is not None:
        return finding.payment_again(tx, before)
    plan = claiming.plan_claims(tx, use.items, use.amount, None)
    currency = plan.currency
    claimed = sum(claim.minor for claim in plan.claims)
    amount = use.amount
    if amount is None:
        free = lots.spendable(tx, plan.customer, currency)
        if not free:
            raise NotEnoughCredit(
                f"customer {plan.customer} has no free credit in {currency}",
                free=Money.zero(currency),
            )
        amount = Money(currency, min(free, claimed))
    made, _ = claiming.from_credit(tx, plan, amount)
    _unclaim_rest(tx, made)
    made = [claim for claim in made if claim.credit is not None]
    for page in {page for claim in made for page in claims.soft_on(tx, claim.item)}:
        claiming.supersede(tx, page)
    payments.insert(
        tx,
        id_=id_,
        customer=plan.customer,
        payer=plan.customer,
        account="credit",
        kind=Kind.CREDIT,
        amount=amount,
        status=PaymentStatus.SUCCEEDED,
        key=use.key,
    )
    claims.insert(tx, id_, made)
    on = customers.today(tx, plan.customer)
    used = allocation.use_reserved_credit(tx, id_, made, currency=currency, on=on)
    posting.post(
        tx,
        used.lines,
        entry=id_,
        currency=currency,
        customer=plan.customer,
        payment=id_,
        effective=on,
    )
    payment = finding.payment(tx, id_)
    events.emit(tx, "credit.used", payment)
    events.emit(tx, "payment.succeeded", payment)
    paid = [claim.item for claim in made]
    allocation.emit_invoices(tx, [*paid, *assignment.on_arrival(tx, paid)])
    return payment


def _unclaim_rest(tx: Tx, claims: Sequence[Claim]) -> None:
    for claim in claims:
        if claim.credit is None:
            items.unclaim(tx, claim.item, claim.minor)


def undo_credit_use(payment: str) -> Flow[Payment]:
    """Return the credit that *payment* used to its lots; its invoices are open again."""
    return (yield from transact(lambda tx: undo_credit_use_in(tx, payment)))


def undo_credit_use_in(tx: Tx, which: str) -> Payment:
    """Undo a use of credit in this transaction; repeating this changes nothing."""
    holding.hold_payment(tx, which)
    payment = finding.payment(tx, which)
    used = [claim for claim in claims.of_payment(tx, payment.id) if claim.credit is not None]
    if not used:
        raise NothingToReverse(f"payment {payment.id} used no credit", payment=payment.id)
    on = customers.today(tx, payment.customer)
    lines, touched = allocation.give_back_credit(tx, payment, on=on)
    if lines:
        posting.post(
            tx,
            lines,
            entry=f"undo:{payment.id}",
            currency=payment.amount.currency,
            customer=payment.customer,
            payment=payment.id,
            effective=on,
        )
        allocation.emit_invoices(tx, touched, reopened=True)
    return finding.payment(tx, payment.id)


def balance(tx: Tx, customer: Customer | str) -> Balance:
    """Return the free credit of a customer by currency, less their debits."""
    id_ = customer if isinstance(customer, str) else customer.id
    found = Balance()
    for currency, minor in lots.free_in(tx, id_).items():
        found[currency] = Money(currency, minor)
    return found
