"""Paying a link: a payer sends the form of its page, and one payment is made of it.

The form names a try (see `link_tries`), which is the key of the payment. So before anything else is
looked at, a try that was used leads to its payment, even if the link has ended since. The rest is
an ordinary collection. What was true when the page was shown is checked again in the transaction
that stores the intent, while nobody can change it: that the link can be paid, and what is open.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from paygate.domain.link import LinkFor, LinkStatus, PaymentLink
from paygate.domain.method import PaymentMethod
from paygate.domain.payment import Payment
from paygate.errors import (
    AlreadyPaid,
    InvalidAmount,
    ItemAlreadyBeingPaid,
    KeyReused,
    OpenAmountChanged,
)
from paygate.ledger import links, payments
from paygate.service import (
    collect,
    finding,
    link_tries,
    linked,
    ways,
    ways_to_pay,
    withdrawing,
)
from paygate.service.collect import CollectOrder
from paygate.service.flow import Flow, look, transact
from paygate.service.links import end_in, revoke_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paygate.domain.customer import Browser, Customer
    from paygate.domain.kind import Kind
    from paygate.domain.link import LinkTry, WayToPay
    from paygate.domain.money import Money
    from paygate.domain.payable import Payable
    from paygate.gateway import Method
    from paygate.ledger.tx import Tx
    from paygate.service.account import GatewayAccount, Timing
    from paygate.service.link_tries import GivenTry

_VERB = "pay_link"


@dataclass(frozen=True, slots=True, kw_only=True)
class PayLinkOrder:
    """What a payer's form says: the link, the try, and how they want to pay."""

    token: str
    given: str
    account: GatewayAccount
    kind: Kind | None = None
    method: Method | PaymentMethod | None = None
    amount: Money | None = None
    payer: Customer | None = None
    return_url: str = ""
    browser: Browser | None = None
    description: str = ""
    receipt_email: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ready:
    """A link that can be paid, and the try of it that came with the form."""

    link: PaymentLink
    given: GivenTry


def begin_try(which: str) -> Flow[LinkTry]:
    """Return a new try of a link, or raise `LinkEnded`."""
    return (yield from look(lambda tx: link_tries.begin(tx, _active(tx, which))))


def _active(tx: Tx, which: str) -> PaymentLink:
    found = linked.read(tx, which)
    if found.status is not LinkStatus.ACTIVE:
        raise linked.ended(found)
    return found


def list_ways(which: str, accounts: Mapping[str, GatewayAccount]) -> Flow[list[WayToPay]]:
    """Return the ways in which a payer can pay a link."""
    link = yield from look(lambda tx: linked.read(tx, which))
    return ways_to_pay.of_link(link, accounts)


def revoke(
    which: str, reason: str, accounts: Mapping[str, GatewayAccount], timing: Timing
) -> Flow[PaymentLink]:
    """Revoke a link, and withdraw the pages on which it could still be paid."""
    revoked = yield from transact(lambda tx: revoke_in(tx, which, reason))
    if (yield from end(which, accounts, timing)):
        revoked = yield from look(lambda tx: linked.read(tx, which))
    return revoked


def end(which: str, accounts: Mapping[str, GatewayAccount], timing: Timing) -> Flow[bool]:
    """
    Withdraw the pages of a link that has ended, as far as they can be; return whether it had.

    A payment under way goes on. A link whose time has passed expires: no new page opens after that
    time, so the pages come first. If the process dies in between, the link is still due, and the
    rest is done later.
    """
    if not (yield from look(lambda tx: links.is_to_end(tx, which))):
        return False
    pages = yield from look(lambda tx: links.pages_of(tx, which))
    some = yield from look(partial(_withdrawable, pages=pages, accounts=accounts))
    yield from withdrawing.withdraw_pages(some, accounts, timing)
    return (yield from transact(lambda tx: end_in(tx, which, pages)))


def _withdrawable(
    tx: Tx, pages: Sequence[str], accounts: Mapping[str, GatewayAccount]
) -> list[str]:
    found = [finding.payment(tx, page) for page in pages]
    return [each.id for each in found if withdrawing.is_withdrawable(tx, each, accounts)]


def pay(
    order: PayLinkOrder, timing: Timing, accounts: Mapping[str, GatewayAccount]
) -> Flow[Payment]:
    """Pay a link once per try; a try that was used returns its payment, and sends nothing."""
    found = yield from look(partial(_prepare, order=order))
    if isinstance(found, Payment):
        return found
    link, given = found.link, found.given
    kind = order.kind or (
        order.method.kind
        if isinstance(order.method, PaymentMethod)
        else order.account.default_kind(order.method)
    )
    ways_to_pay.check(link, order.account, kind)
    collecting = CollectOrder(
        items=_items_of(link),
        account=order.account,
        key=given.id,
        name=_VERB,
        kind=order.kind,
        method=order.method,
        amount=order.amount,
        customer=link.customer,
        payer=order.payer,
        return_url=order.return_url,
        browser=order.browser,
        description=order.description,
        receipt_email=order.receipt_email,
        link=link.id,
        admit=partial(_admit, link=link, given=given, amount=order.amount),
    )
    try:
        return (yield from collect.collect(collecting, timing, accounts))
    except KeyReused:
        # Another form with the same try was first.
        payment = yield from look(partial(_paid_by, try_=given.id))
        if payment is None:
            raise
        return payment


def _items_of(link: PaymentLink) -> list[Payable]:
    """Return the items to pay; with an amount of the payer's, also those that are paid by now."""
    return [each.id for each in link.items if each.open.minor]


def _prepare(tx: Tx, order: PayLinkOrder) -> Payment | _Ready:
    """Return the payment of a try that was used, or the link to be paid."""
    link = linked.latest(tx, order.token)
    given = link_tries.read(tx, link, order.given)
    before = _paid_by(tx, given.id)
    if before is not None:
        return before
    link = linked.by_token(tx, order.token)
    if link.status is not LinkStatus.ACTIVE:
        raise linked.ended(link)
    link_tries.check_age(tx, link, given)
    _check_amount(link, given, order.amount)
    if link.chosen_by_payer:
        return _Ready(link=link, given=given)
    if not link.open.minor:
        raise AlreadyPaid(f"nothing is open on payment link {link.id}", item=link.id)
    return _Ready(link=link, given=given)


def _paid_by(tx: Tx, try_: str) -> Payment | None:
    """Return the payment of a try that was used."""
    found = payments.by_key(tx, [_VERB], try_)
    return None if found is None else finding.payment_again(tx, found.id)


def _check_amount(link: PaymentLink, given: GivenTry, amount: Money | None) -> None:
    if link.minimum is None or link.maximum is None:
        if amount is not None:
            raise InvalidAmount(
                f"payment link {link.id} is for all that is open; leave amount= out",
                argument="amount",
            )
        return
    if amount is None:
        raise InvalidAmount(
            f"the payer of link {link.id} chooses the amount: pass amount=", argument="amount"
        )
    if amount.currency != link.currency:
        raise InvalidAmount(
            f"payment link {link.id} is in {link.currency}, not in {amount.currency}",
            argument="amount",
        )
    if not link.minimum.minor <= amount.minor <= link.maximum.minor:
        if given.amount != link.open and link.of is not LinkFor.BALANCE:
            raise _changed(link, given)
        raise InvalidAmount(
            f"{amount} is not between {link.minimum} and {link.maximum}", argument="amount"
        )


def _admit(tx: Tx, link: PaymentLink, given: GivenTry, amount: Money | None) -> None:
    """Check in the transaction that stores the intent what has been checked before.

    If an invoice has replaced the prepayment in the meantime, the payer confirms that first.
    """
    now = _active(tx, link.id)
    if now.generation != link.generation:
        linked.not_found()
    if link.uses is not None:
        _check_uses(tx, now)
    if amount is None and now.payable != given.amount:
        raise _changed(now, given)
    if now.of is LinkFor.BALANCE:
        return
    moved = [each.id for each in now.items] != [each.id for each in link.items]
    if moved or (amount is not None and amount > now.payable):
        raise _changed(now, given)


def _check_uses(tx: Tx, link: PaymentLink) -> None:
    """Raise if payments that may still bring money leave none of the uses of *link*."""
    live = links.live_of(tx, link.id)
    if link.uses is None or link.paid + len(live) < link.uses:
        return
    out = {id_: ways.out_of(tx, finding.payment(tx, id_)) for id_ in live}
    raise ItemAlreadyBeingPaid(
        f"payment link {link.id} is being paid by {' and '.join(live)}",
        item=link.id,
        payments=live,
        ways={id_: list(each.verbs) for id_, each in out.items()},
        until=None,
    )


def _changed(link: PaymentLink, given: GivenTry) -> OpenAmountChanged:
    return OpenAmountChanged(
        f"{link.payable} can be paid on {', '.join(each.name for each in link.items)}, and the "
        f"payer was shown {given.amount}; show the page again",
        expected=given.amount,
        open=link.payable,
    )
