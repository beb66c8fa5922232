"""Refund rules: when money may be sent back, and off which invoices, however it is sent.

Money is not sent back while a dispute of it is open, because the bank may take it a second time. It
is not sent back while the payer's bank can still return it. And what was spent as credit is no
longer there: it is sent only if the host says how to account for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.domain.banking_days import after_banking_days
from paygate.domain.chargeback import DisputeState
from paygate.domain.money import Money
from paygate.domain.payable import Payable, Share, label_of
from paygate.errors import (
    CreditConsumed,
    DisputeOpen,
    InvalidValue,
    NotRefundable,
    NotYetRefundable,
)
from paygate.ledger import allocations, chargebacks, claims, customers, lots, refunding, under_way
from paygate.ledger.paging import Page
from paygate.service import finding
from paygate.service.events import emit
from paygate.service.taking import RefundTo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paygate.domain.payment import Payment
    from paygate.domain.receipt import Receipt
    from paygate.ledger.tx import Tx


def check_dispute(tx: Tx, payment: Payment) -> None:
    """Raise `DisputeOpen` if a dispute of *payment* is open."""
    found = chargebacks.page(
        tx, Page(limit=1, oldest_first=True), payment=payment.id, state=DisputeState.OPENED
    )
    if found:
        raise DisputeOpen(
            f"the dispute {found[0].reference} of payment {payment.id} is open, and the bank may "
            "take the money itself; answer the dispute at the processor, and inquire",
            payment=payment.id,
            dispute=found[0].reference,
        )


def check_returnable(tx: Tx, payment: Payment, sent: Sequence[Receipt], force_reason: str) -> None:
    """Raise `NotYetRefundable` if the payer's bank can still return the money, unless forced."""
    days = payment.refundable_after
    if not days or not sent:
        return
    waits = any(receipt.in_transit.minor for receipt in sent)
    since = max(receipt.settled_on or receipt.effective for receipt in sent)
    earliest = None if waits else after_banking_days(since, days)
    if earliest is not None and earliest <= customers.today(tx, payment.customer):
        return
    if force_reason.strip():
        emit(tx, "payment.refund_forced", payment, why=force_reason)
        return
    when = f"{days} banking days after it has settled" if earliest is None else f"on {earliest}"
    raise NotYetRefundable(
        f"the payer's bank can still return the money of payment {payment.id}; send it back "
        f"{when}, or now with force_reason=",
        payment=payment.id,
        refundable_from=earliest,
    )


def check_spent(tx: Tx, payment: Payment, amount: Money) -> None:
    """Raise `CreditConsumed` if *amount*, not yet counted as under way, was spent as credit."""
    spent = 0
    consumers: list[str] = []
    for lot in lots.of_payment(tx, payment.id):
        reserved = claims.reserved_of(tx, lot.id)
        if lot.amount.currency != amount.currency or not (lot.used.minor or reserved):
            continue
        spent += lot.used.minor + reserved
        uses = allocations.standing_of_credit(tx, lot.id)
        consumers += [use.payment or use.id for use in uses]
        consumers += claims.reserving(tx, lot.id)
    owed = -sum(
        debit.amount.minor
        for debit in lots.debits_of(tx, payment.id)
        if debit.amount.currency == amount.currency
    )
    going = under_way.of_payment(tx, payment.id).refunding
    left = (payment.received - payment.returned).minor - going
    if amount.minor > left - max(0, spent - owed) and consumers:
        names = list(dict.fromkeys(consumers))
        raise CreditConsumed(
            f"{amount} is more than is left of payment {payment.id}: {', '.join(names)} used "
            "credit from it; undo those uses first, or pass to='reopen' to make the customer owe "
            "the difference",
            payment=payment.id,
            consumers=names,
        )


def wanted_items(
    tx: Tx,
    payment: Payment,
    items: Sequence[Payable],
    amount: Money | None,
    to: RefundTo | None,
) -> list[tuple[str, int]]:
    """Return the amounts to take off each invoice, in order, within what this payment paid."""
    if items and to is RefundTo.FROM_CREDIT:
        raise InvalidValue("a refund from credit does not concern invoices; leave out items or to")
    paid = _paid(tx, payment)
    wanted: list[tuple[str, int]] = []
    left = None if amount is None else amount.minor
    for each in items:
        item = finding.item(tx, each.invoice if isinstance(each, Share) else each)
        there = Money(payment.amount.currency, paid.get(item.id, 0))
        share = each.amount if isinstance(each, Share) else there
        if share > there or share.minor <= 0:
            raise NotRefundable(
                f"payment {payment.id} has {there} on {label_of(item)}, not {share}"
                if there.minor
                else f"payment {payment.id} has nothing on {label_of(item)}",
                payment=payment.id,
                left=there,
            )
        minor = share.minor if left is None else min(share.minor, left)
        paid[item.id] = paid[item.id] - minor
        left = None if left is None else left - minor
        if minor:
            wanted.append((item.id, minor))
    if items and left:
        raise NotRefundable(
            f"{amount} is more than payment {payment.id} has on these invoices",
            payment=payment.id,
            left=Money(payment.amount.currency, sum(minor for _, minor in wanted)),
        )
    return wanted


def _paid(tx: Tx, payment: Payment) -> dict[str, int]:
    """Return the amount of *payment* on each invoice, less refunds under way."""
    paid: dict[str, int] = {}
    for standing in allocations.standing_of_payment(tx, payment.id):
        if standing.receipt is not None and standing.amount.currency == payment.amount.currency:
            paid[standing.invoice] = paid.get(standing.invoice, 0) + standing.amount.minor
    for item, minor in refunding.items_in_progress(tx, payment.id):
        paid[item] = paid.get(item, 0) - minor
    return paid
