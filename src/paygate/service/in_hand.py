"""Money in hand: which invoices it pays, and what of it can only become credit.

A clerk who holds a check cannot refuse it. So an invoice takes what is open on it and not held by
another payment, and remains an item of the payment; the rest becomes credit of the customer. Only
if the caller gives no amount is an invoice refused that cannot take all that is open on it: nobody
wants to pay a second time what another payment may still pay.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from paygate.domain.invoice import InvoiceStatus
from paygate.domain.money import Money
from paygate.domain.payable import OpenItem, Payable, Share, label_of, name_of
from paygate.domain.prepayment import Prepayment
from paygate.errors import AlreadyPaid, InvalidAmount, InvoiceIsVoid, ItemAlreadyBeingPaid
from paygate.ledger import customers, payments
from paygate.ledger.claims import Claim
from paygate.service import claiming

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paygate.domain.customer import Customer
    from paygate.ledger.tx import Tx
    from paygate.service.claiming import ClaimPlan


@dataclass(slots=True)
class InHand:
    """The amount received, the claims it fills, and why items took less, by their labels."""

    plan: ClaimPlan
    amount: Money
    short: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class ItemPart:
    """An item, the share of it that is paid, if one is given, and how much it can take."""

    item: OpenItem
    share: Money | None
    room: int

    @property
    def beyond(self) -> int:
        """By how much the share exceeds what the invoice can take."""
        return 0 if self.share is None else max(0, self.share.minor - self.room)

    @property
    def short(self) -> bool:
        """Whether nothing is open, or another payment holds some of it."""
        return not self.room or self.room < self.item.open.minor


def plan(
    tx: Tx,
    wanted: Sequence[Payable],
    amount: Money | None,
    customer: Customer | str | None,
) -> InHand:
    """
    Claim what *wanted* can take; the rest gets a claim that holds nothing.

    Without *amount* or shares, raises `AlreadyPaid` or `InvoiceIsVoid` for an invoice with nothing
    open, and `ItemAlreadyBeingPaid` for one that is held.
    """
    found = [_wanted(*claiming.share_of(tx, item), amount) for item in wanted]
    beyond = sum(each.beyond for each in found)
    short = [each for each in found if each.short]
    if not beyond and not short:
        made = _claim(tx, wanted, amount, customer)
        return InHand(made, amount or Money(made.currency, _claimed(made)))
    claiming.check_together([each.item for each in found], amount, customer)
    if amount is None:
        _require_amount(short)
    elif amount.minor <= 0:
        raise InvalidAmount(
            f"the amount received is {amount}; it must be more than zero", argument="amount"
        )
    made = _plan_room(tx, found, amount, beyond, customer)
    whole = Money(made.currency, _claimed(made) + beyond) if amount is None else amount
    named = _remember_short(made, short, whole.minor - _claimed(made) - beyond)
    return InHand(made, whole, {label_of(each): _why_short(tx, each) for each in named})


def _wanted(item: OpenItem, share: Money | None, amount: Money | None) -> ItemPart:
    stated = amount is not None or share is not None
    return ItemPart(item, share, item.open.minor - (item.claimed.minor if stated else 0))


def _claim(
    tx: Tx,
    wanted: Sequence[Payable],
    amount: Money | None,
    customer: Customer | str | None,
) -> ClaimPlan:
    """Claim the items; if that is refused, add what to do with money that is in hand."""
    try:
        return claiming.plan_claims(tx, wanted, amount, customer)
    except ItemAlreadyBeingPaid as refused:
        text = f"{refused}. To book money that came anyway, pass its amount="
        raise ItemAlreadyBeingPaid(
            text,
            item=refused.item,
            payments=refused.payments,
            ways=refused.ways,
            until=refused.until,
        ) from None


def _plan_room(
    tx: Tx,
    found: Sequence[ItemPart],
    amount: Money | None,
    beyond: int,
    customer: Customer | str | None,
) -> ClaimPlan:
    """Claim what the invoices can take; *beyond* is what the shares name beyond that."""
    left = None if amount is None else amount.minor - beyond
    still: list[OpenItem | Share] = []
    for each in found:
        if left is None and each.share is None:
            still.append(each.item)
            continue
        part = each.room if each.share is None else min(each.share.minor, each.room)
        if left is not None:
            if each.share is not None and part > left:
                raise _not_adding_up(amount)
            part = min(part, left)
            left -= part
        if part > 0:
            still.append(Share(each.item, Money(each.item.total.currency, part)))
    if left and (left < 0 or all(each.share is not None for each in found)):
        raise _not_adding_up(amount)
    if still:
        return _claim(tx, still, None, customer)
    if customer is not None:
        customers.save(tx, customer)
    first = found[0].item
    return claiming.ClaimPlan(customer=first.customer, currency=first.total.currency)


def _not_adding_up(amount: Money | None) -> InvalidAmount:
    return InvalidAmount(
        f"the shares do not add up to {amount}; leave amount= out", argument="amount"
    )


def _remember_short(made: ClaimPlan, short: Sequence[ItemPart], left: int) -> list[OpenItem]:
    """Add claims that hold nothing for the items that took less, and return these."""
    named: list[OpenItem] = []
    for each in short:
        # The amount is not split among them, so the first one takes the rest.
        part = left if each.share is None else each.beyond
        left = 0 if each.share is None else left
        if part > 0:
            claim = Claim(len(made.claims), each.item.id, part, None, "released")
            made.claims.append(claim)
            named.append(each.item)
    return named


def _claimed(made: ClaimPlan) -> int:
    return sum(claim.minor for claim in made.claims)


def _require_amount(short: Sequence[ItemPart]) -> None:
    for each in short:
        if each.share is not None:
            continue
        item = each.item
        if isinstance(item, Prepayment):
            claiming.check_payable(item)
        elif item.status is InvoiceStatus.DRAFT:
            raise claiming.is_draft(item)
        error = InvoiceIsVoid if item.status is InvoiceStatus.VOID else AlreadyPaid
        raise error(
            f"{label_of(item)} is {standing(item)}; pass the amount= received, "
            "and it becomes credit",
            item=name_of(item),
        )


def _why_short(tx: Tx, item: OpenItem) -> str:
    if not item.open.minor:
        return standing(item)
    holders = [payment.id for payment in payments.holding(tx, item.id)]
    return f"being paid by {' and '.join(holders)}"


def standing(item: OpenItem) -> str:
    """Return why nothing is open on *item*."""
    return item.status.value.replace("_", " ")
