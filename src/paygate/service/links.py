"""Payment links: an address that leads a payer to what they owe.

A merchant hands out an address, and whoever has it can pay: some invoices, a prepayment, or what a
customer owes by then. A link claims nothing. It is only a name for what can be paid, so a payer who
follows it pays under the same rules as everybody else. `linked` explains how a link ends.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from paygate.domain.customer import Customer
from paygate.domain.link import LinkFor, LinkStatus, PaymentLink, PaymentPage
from paygate.domain.payable import Share
from paygate.domain.prepayment import Prepayment
from paygate.errors import (
    InvalidAmount,
    InvalidValue,
)
from paygate.ledger import customers, holding, keys, links
from paygate.ledger.links import NewLink
from paygate.service import claiming, finding, linked, page_tokens
from paygate.service.flow import Flow, look, repeatable, transact

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from paygate.domain.money import Money
    from paygate.domain.payable import OpenItem, Payable
    from paygate.domain.payment import Payment
    from paygate.ledger.tx import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkOrder:
    """A link to make; *bounds* are set if the payer chooses the amount."""

    items: Sequence[Payable] = ()
    customer: Customer | str | None = None
    currency: str | None = None
    bounds: tuple[Money, Money] | None = None
    key: str
    uses: int | None = None
    expires_at: datetime | None = None
    accounts: Sequence[str] = ()
    immediate_only: bool = False
    language: str = ""
    return_to: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])


# --- Making, changing and ending -------------------------------------------------------------


def create(order: LinkOrder) -> Flow[PaymentLink]:
    """Make a link once per key."""
    return (yield from repeatable(lambda tx: create_in(tx, order)))


def create_in(tx: Tx, order: LinkOrder) -> PaymentLink:
    """Make a link in this transaction."""
    page_keys = page_tokens.keys_of(tx)
    finding.hold(tx, order.items, order.customer)
    found = [_linkable(tx, each) for each in order.items]
    id_ = tx.new_id("lnk")
    before = keys.take(tx, "link", order.key, _fingerprint(order, found), id_)
    if before is not None:
        return linked.read(tx, before)
    if order.expires_at is not None and order.expires_at <= tx.now:
        raise InvalidValue(
            f"the link would have expired at {order.expires_at.isoformat()}; it is later already",
            argument="expires",
        )
    customer, currency, of = _subject(tx, order, found)
    bounds = _bounds(order, currency)
    new = NewLink(
        id=id_,
        customer=customer,
        of=of,
        currency=currency,
        items=[each.id for each in found],
        bounds=bounds,
        uses=order.uses,
        expires_at=order.expires_at,
        accounts=order.accounts,
        immediate_only=order.immediate_only,
        language=order.language,
        metadata=order.metadata,
        return_to=order.return_to,
        key_id=page_keys.first,
    )
    links.insert(tx, new)
    page_tokens.store(tx, "link", id_, 1)
    made = linked.read(tx, id_)
    linked.emit(tx, "link.created", made)
    return made


def _linkable(tx: Tx, wanted: Payable) -> OpenItem:
    if isinstance(wanted, Share):
        raise InvalidValue(
            "a link is for whole invoices; to let the payer pay a part, give amount=(least, most)",
            argument="items",
        )
    return finding.item(tx, wanted)


def _subject(tx: Tx, order: LinkOrder, found: Sequence[OpenItem]) -> tuple[str, str, LinkFor]:
    """Return whose debt the link is for, in which currency, and what it is for."""
    if not found:
        return _balance_of(tx, order)
    claiming.check_together(found, None, order.customer)
    claiming.check_open(found)
    first = found[0]
    if order.currency not in (None, first.total.currency):
        raise InvalidValue(
            f"what the link is for is in {first.total.currency}, not {order.currency}",
            argument="currency",
        )
    prepaid = [each for each in found if isinstance(each, Prepayment)]
    if prepaid and len(found) > 1:
        raise InvalidValue(
            "a prepayment has a link of its own: make one for it, and one for the invoices",
            argument="items",
        )
    of = LinkFor.PREPAYMENT if prepaid else LinkFor.INVOICES
    return first.customer, first.total.currency, of


def _balance_of(tx: Tx, order: LinkOrder) -> tuple[str, str, LinkFor]:
    if order.customer is None:
        raise InvalidValue(
            "a link is for invoices or a prepayment; or pass customer= and currency= for all that "
            "a customer owes",
            argument="items",
        )
    currency = order.currency or (None if order.bounds is None else order.bounds[0].currency)
    if currency is None:
        raise InvalidValue(
            "pass currency= with customer=: a link is for what is owed in one currency",
            argument="currency",
        )
    return customers.save(tx, order.customer), currency, LinkFor.BALANCE


def _bounds(order: LinkOrder, currency: str) -> tuple[int, int] | None:
    if order.bounds is None:
        return None
    low, high = order.bounds
    for each in (low, high):
        if each.currency != currency:
            raise InvalidAmount(
                f"the payer chooses an amount in {currency}, not in {each.currency}",
                argument="amount",
            )
    if not 0 < low.minor <= high.minor or not high.is_payable:
        raise InvalidAmount(
            f"the payer cannot choose an amount between {low} and {high}; give the least, more "
            "than zero, and then the most",
            argument="amount",
        )
    return low.minor, high.minor


def _fingerprint(order: LinkOrder, found: Sequence[OpenItem]) -> str:
    whose = order.customer.id if isinstance(order.customer, Customer) else order.customer
    return keys.fingerprint(
        items=[each.id for each in found],
        customer=whose,
        currency=order.currency,
        bounds=None if order.bounds is None else [str(each) for each in order.bounds],
        uses=order.uses,
        expires=None if order.expires_at is None else order.expires_at.isoformat(),
        accounts=list(order.accounts),
        immediate_only=order.immediate_only,
        language=order.language,
        return_to=order.return_to,
        metadata=dict(order.metadata),
    )


def reissue(which: str, expires_at: datetime | None) -> Flow[PaymentLink]:
    """Give a link another token; the earlier one leads nowhere from now on."""
    return (yield from transact(lambda tx: reissue_in(tx, which, expires_at)))


def reissue_in(tx: Tx, which: str, expires_at: datetime | None) -> PaymentLink:
    """Give a link another token in this transaction."""
    page_keys = page_tokens.keys_of(tx)
    holding.hold(tx, customers=links.customer_of(tx, which))
    found = linked.read(tx, which)
    if found.status is LinkStatus.REVOKED:
        raise linked.ended(found)
    until = expires_at or found.expires_at
    if until is not None and until <= tx.now:
        raise InvalidValue(
            f"link {found.id} would have expired at {until.isoformat()}; pass a later expires=",
            argument="expires",
        )
    links.renew(tx, found.id, page_keys.first, until)
    page_tokens.store(tx, "link", found.id, found.generation + 1)
    if found.status is LinkStatus.EXPIRED:
        links.set_status(tx, found.id, LinkStatus.ACTIVE)
        tx.links[found.id] = None  # it may have been used in the meantime
    now = linked.read(tx, found.id)
    linked.emit(tx, "link.reissued", now)
    return now


def revoke_in(tx: Tx, which: str, reason: str) -> PaymentLink:
    """Revoke a link in this transaction; repeating this changes nothing."""
    holding.hold(tx, customers=links.customer_of(tx, which))
    found = linked.read(tx, which)
    if found.status is LinkStatus.REVOKED:
        return found
    links.revoke(tx, found.id, reason)
    now = linked.read(tx, found.id)
    linked.emit(tx, "link.revoked", now, reason=reason)
    return now


def end_in(tx: Tx, which: str, withdrawn: Collection[str]) -> bool:
    """
    Store that a link has expired or that its pages were withdrawn, and return whether it had ended.

    If a page has opened that is not among those *withdrawn*, the link stays due.
    """
    holding.hold(tx, customers=links.customer_of(tx, which))
    if not links.is_to_end(tx, which):
        return False
    found = linked.read(tx, which)
    if links.stored_status(tx, which) is LinkStatus.ACTIVE:
        links.set_status(tx, which, LinkStatus.EXPIRED)
        linked.emit(tx, "link.expired", found)
    elif set(links.pages_of(tx, which)) <= set(withdrawn):
        links.set_ended(tx, which)
    return True


# --- Pages of payments ----------------------------------------------------------------------


def page_of(which: str) -> Flow[PaymentPage]:
    """Return the page of a payment, whose token is stored now if it was not before."""
    return (yield from transact(lambda tx: page_in(tx, which)))


def page_in(tx: Tx, which: str) -> PaymentPage:
    """Return the page of a payment, and store its token in this transaction."""
    _ = page_tokens.keys_of(tx)
    holding.hold_payment(tx, which)
    payment = finding.payment(tx, which)
    token = page_tokens.of_payment(tx, payment.id)
    return PaymentPage(payment=payment.id, token=token)


def payment_of_page(token: str) -> Flow[Payment]:
    """Return the payment to whose page a token leads, or raise `PageNotFound`."""
    return (yield from look(lambda tx: linked.payment_by_token(tx, token)))
