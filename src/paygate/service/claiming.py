"""Claims: what a payment holds of invoices and credit, so that nothing is paid twice.

Two people may pay the same invoice at the same moment, on two machines. So before anything is
sent, a payment claims its items in the transaction that stores its intent: one conditional update
per item, which fails if less is free than it takes. Nothing is decided on what was read before.
A payment that uses credit claims it in the same way, oldest lots first.

A claim is *hard* while money may be on its way: nobody else can pay what it holds. While a page or
slip waits for a payer, who may never come, it is *soft* and blocks nobody. A payment of the same
items then *supersedes* the page: it is no longer completed, and money that still arrives on it
fills what is open, and becomes credit otherwise. When the payer of a page has approved, its claims
are made hard again, if what they held is still free. In the end a claim is used by the money, or
released.

What stays true, whatever is lost or repeated: the hard claims on an item, plus what was paid and
written off, never exceed its total; what is reserved of a credit is the sum of the hard claims on
it and of what refunds hold. An unknown outcome keeps its claims until it is known.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, assert_never

from paygate.domain.customer import Customer
from paygate.domain.invoice import Invoice, InvoiceStatus
from paygate.domain.money import Money
from paygate.domain.payable import OpenItem, Payable, Share, label_of
from paygate.domain.payable import name_of as item_name
from paygate.domain.prepayment import Prepayment, PrepaymentStatus
from paygate.errors import (
    AlreadyPaid,
    CurrencyMismatch,
    InvalidAmount,
    InvalidValue,
    InvoiceIsDraft,
    InvoiceIsVoid,
    NotEnoughCredit,
    NotEnoughOpen,
    PrepaymentIsClosed,
    PrepaymentReplaced,
)
from paygate.ledger import claims, customers, items, lots, outbox, payments
from paygate.ledger.claims import Claim
from paygate.service import finding, ways

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paygate.ledger.tx import Tx


@dataclass(slots=True)
class ClaimPlan:
    """The claims of a payment to be stored: for which customer, in which currency, on what."""

    customer: str
    currency: str
    claims: list[Claim] = field(default_factory=list[Claim])
    numbers: dict[str, str] = field(default_factory=dict[str, str])
    open_minor: int = 0


def plan_claims(
    tx: Tx,
    wanted: Sequence[Payable],
    amount: Money | None,
    customer: Customer | str | None,
) -> ClaimPlan:
    """Claim the items in the order given, or raise before anything is written."""
    if amount is not None and amount.minor <= 0:
        raise InvalidAmount(
            f"the amount to collect is {amount}; it must be more than zero", argument="amount"
        )
    if not wanted:
        if customer is None or amount is None:
            raise InvalidValue(
                "without an invoice the money is for a customer's balance: pass customer= and "
                "amount=",
                argument="customer" if customer is None else "amount",
            )
        return ClaimPlan(customer=customers.save(tx, customer), currency=amount.currency)
    found = [share_of(tx, item) for item in wanted]
    check_together([item for item, _ in found], amount, customer)
    check_open([item for item, _ in found])
    if customer is not None:
        customers.save(tx, customer)
    first = found[0][0]
    plan = ClaimPlan(customer=first.customer, currency=first.total.currency)
    left = None if amount is None else amount.minor
    for item, share in found:
        take = _claimable(tx, item, share, left)
        plan.open_minor += item.open.minor
        if not take:
            continue
        if not items.claim(tx, item.id, take):
            raise ways.being_paid(tx, item)
        plan.claims.append(Claim(len(plan.claims), item.id, take, None, "hard"))
        # The payer knows the order by its key, and has never seen the id of the prepayment.
        shown = item.number if isinstance(item, Invoice) else item.assignment_key
        plan.numbers[item.id] = shown
        left = None if left is None else left - take
    if left and any(share is not None for _, share in found):
        raise InvalidAmount(
            f"the shares do not add up to {amount}; leave amount= out", argument="amount"
        )
    return plan


def share_of(tx: Tx, item: Payable) -> tuple[OpenItem, Money | None]:
    """Return the item that *item* names, and the part to pay, if *item* is a share."""
    if isinstance(item, Share):
        if item.amount.minor <= 0:
            raise InvalidAmount(f"a share of {item.amount} cannot be paid", argument="items")
        return finding.item(tx, item.invoice), item.amount
    return finding.item(tx, item), None


def check_together(
    wanted: Sequence[OpenItem], amount: Money | None, customer: Customer | str | None
) -> None:
    """Raise for items of several customers or currencies, which need several payments."""
    first = wanted[0]
    seen: set[str] = set()
    for item in wanted:
        if item.id in seen:
            raise InvalidValue(f"{label_of(item)} is listed twice", argument="items")
        seen.add(item.id)
        if item.total.currency != first.total.currency:
            raise CurrencyMismatch(
                f"{label_of(first)} and {label_of(item)} are in {first.total.currency} and "
                f"{item.total.currency}; collect them separately",
                argument="items",
            )
        if item.customer != first.customer:
            raise InvalidValue(
                f"{label_of(first)} and {label_of(item)} are of different customers; "
                "collect them separately (pass payer= if somebody else pays)",
                argument="items",
            )
    if amount is not None and amount.currency != first.total.currency:
        raise CurrencyMismatch(
            f"the amount is in {amount.currency}, {label_of(first)} in {first.total.currency}",
            argument="amount",
        )
    given = customer.id if isinstance(customer, Customer) else customer
    if given is not None and given != first.customer:
        raise InvalidValue(
            f"{label_of(first)} is of customer {first.customer}, not {given}; "
            "pass payer= if somebody else pays",
            argument="customer",
        )


def check_open(wanted: Sequence[OpenItem]) -> None:
    """Raise for an item of which nothing is to be paid."""
    for item in wanted:
        if isinstance(item, Prepayment):
            check_payable(item)
        elif item.status is InvoiceStatus.DRAFT:
            raise is_draft(item)
        elif item.status is InvoiceStatus.VOID:
            raise InvoiceIsVoid(
                f"invoice {item.number} is void and cannot be paid", item=item.number
            )
        if item.open.minor == 0:
            written_off = item.status is InvoiceStatus.WRITTEN_OFF
            how = "written off" if written_off else "paid already"
            raise AlreadyPaid(f"{label_of(item)} is {how}", item=item_name(item))


def is_draft(invoice: Invoice) -> InvoiceIsDraft:
    """Return the error that nothing can be done with a draft."""
    return InvoiceIsDraft(
        f"invoice {invoice.id} is a draft, which nobody owes yet; finalize it first",
        item=invoice.id,
    )


def check_payable(prepayment: Prepayment) -> None:
    """Raise if an invoice has replaced *prepayment*, or if it is closed."""
    if prepayment.status is PrepaymentStatus.CLOSED:
        raise PrepaymentIsClosed(
            f"prepayment {prepayment.id} was closed and cannot be paid; make another one with "
            "prepay",
            item=prepayment.id,
        )
    if prepayment.replaced_by is not None:
        raise PrepaymentReplaced(
            f"invoice {prepayment.replaced_by} has taken the place of prepayment {prepayment.id}; "
            "collect that invoice",
            item=prepayment.id,
            invoice=prepayment.replaced_by,
        )


def _claimable(tx: Tx, item: OpenItem, share: Money | None, left: int | None) -> int:
    """Return how much of *item* this payment claims."""
    room = item.open.minor - item.claimed.minor
    if share is not None:
        if share.currency != item.total.currency:
            raise CurrencyMismatch(
                f"the share is in {share.currency}, {label_of(item)} in {item.total.currency}",
                argument="items",
            )
        if share > item.open:
            raise NotEnoughOpen(
                f"{share} is more than is open on {label_of(item)} ({item.open})",
                item=item_name(item),
            )
        if share.minor > room:
            raise ways.being_paid(tx, item)
        return share.minor
    if left is None:
        if room <= 0:
            raise ways.being_paid(tx, item)
        return room
    # The caller gave the amount, and would not want the part that another payment holds to become
    # credit, so that is refused. Only what exceeds everything open becomes credit.
    take = min(left, item.open.minor)
    if take > room:
        raise ways.being_paid(tx, item)
    return take


def from_credit(tx: Tx, plan: ClaimPlan, wanted: Money) -> tuple[list[Claim], int]:
    """
    Turn the first *wanted* of the plan's claims into claims on credit, oldest lots first.

    Raises `NotEnoughCredit` if the free lots do not cover it.
    """
    if wanted.minor <= 0:
        raise InvalidAmount(f"credit of {wanted} cannot be used", argument="credit")
    if wanted.currency != plan.currency:
        raise CurrencyMismatch(
            f"credit in {wanted.currency} cannot pay what is owed in {plan.currency}",
            argument="credit",
        )
    rooms = {lot.id: lot.free.minor for lot in lots.free_of(tx, plan.customer, wanted.currency)}
    free = lots.spendable(tx, plan.customer, wanted.currency)
    claimed = sum(claim.minor for claim in plan.claims)
    if free < wanted.minor:
        raise NotEnoughCredit(
            f"customer {plan.customer} has {Money(wanted.currency, free)} of free credit, "
            f"not {wanted}",
            free=Money(wanted.currency, free),
        )
    if claimed < wanted.minor:
        raise NotEnoughOpen(
            f"{wanted} of credit is more than is open ({Money(wanted.currency, claimed)})"
        )
    claims: list[Claim] = []
    left = wanted.minor
    for claim in plan.claims:
        rest = claim.minor
        while rest and left:
            credit, room = next(iter(rooms.items()))
            part = min(rest, left, room)
            if not lots.reserve(tx, credit, part):
                raise NotEnoughCredit(f"credit {credit} was used in the meantime; try again")
            claims.append(Claim(len(claims), claim.item, part, credit, "hard"))
            rest, left, rooms[credit] = rest - part, left - part, room - part
            if not rooms[credit]:
                del rooms[credit]
        if rest:
            claims.append(Claim(len(claims), claim.item, rest, None, "hard"))
    return claims, wanted.minor


def name_of(item: Payable) -> Any:
    """Return the name of an item in the fingerprint of a call."""
    match item:
        case str():
            return item
        case Invoice() | Prepayment():
            return item_name(item)
        case Share():
            return [name_of(item.invoice), str(item.amount)]
        case _:
            assert_never(item)


def supersede(tx: Tx, payment: str) -> None:
    """Mark *payment*, a page or slip, as superseded by another payment of its items."""
    for claim in claims.of_payment(tx, payment):
        if claim.state == "soft":
            claims.set_state(tx, payment, claim, "superseded")
    payments.set_superseded(tx, payment)
    outbox.emit(tx, "payment.superseded", payment, {"payment": payment})


def soften(tx: Tx, payment: str, its_claims: list[Claim]) -> None:
    """Make claims soft, so that others can pay the items: the payer may never come back."""
    # A page opened while this one was on its way did not exist when the intent was stored.
    for page in sorted({page for claim in its_claims for page in claims.soft_on(tx, claim.item)}):
        supersede(tx, page)
    for claim in its_claims:
        if claim.state == "hard":
            items.unclaim(tx, claim.item, claim.minor)
            if claim.credit is not None:
                lots.release(tx, claim.credit, claim.minor)
            claims.set_state(tx, payment, claim, "soft")


def harden(tx: Tx, payment: str, its_claims: list[Claim]) -> bool:
    """Hold the items that are still free again, and return whether all of them were."""
    held = True
    for claim in its_claims:
        if claim.state != "soft":
            continue
        if claim.credit is not None and not lots.reserve(tx, claim.credit, claim.minor):
            held = False
            continue
        if items.claim(tx, claim.item, claim.minor):
            claims.set_state(tx, payment, claim, "hard")
            continue
        held = False
        if claim.credit is not None:
            lots.release(tx, claim.credit, claim.minor)
    return held
