"""Paying: from chosen invoices to a payment, by a stored method or on the payment pages.

What was chosen becomes a payment link of half an hour. Its try and its amount guard the payment as
they do on the payment pages: a form that is sent twice pays once, and an amount that has changed is
shown again first.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from paygate.domain.kind import Operation
from paygate.domain.link import LinkStatus
from paygate.errors import (
    AlreadyPaid,
    InvalidValue,
    ItemAlreadyBeingPaid,
    LinkEnded,
    OpenAmountChanged,
    Refused,
    StoreError,
    TryExpired,
    TryNotValid,
    UsageError,
)
from paygate.gateway import StoredToken
from paygate.web.pages.link_pages import browser_of
from paygate.web.pages.offering import CHOOSE_A_WAY, lines_of
from paygate.web.pages.views import Fact, Link, Problem
from paygate.web.portal.owned import icon_of, link_of, name_of, open_invoices, stored_methods
from paygate.web.portal.serving import GoTo, NotDoneError
from paygate.web.portal.tags import is_being_paid
from paygate.web.portal.views import Ask, Leads, Notice, Option, Question
from paygate.web.texts import text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paygate.domain.invoice import Invoice
    from paygate.domain.link import LinkTry, PaymentLink
    from paygate.domain.method import PaymentMethod
    from paygate.domain.payment import Payment
    from paygate.web.portal.views import PortalView
    from paygate.web.portal.visit import PortalVisit
    from paygate.web.texts import Text

LINK_LIFE: Final = timedelta(minutes=30)
"""How long the payment of chosen invoices can be started."""

ANOTHER: Final = "another"
_CHOOSE: Final = text("Choose at least one invoice")
_CHANGED: Final = text("Your invoices have changed. Nothing was charged. Look at them again.")
_NOT_NOW: Final = text("This payment method cannot be charged now. Choose another way.")


async def choose(visit: PortalVisit) -> GoTo:
    """Make a link for the invoices that were chosen, and lead to it."""
    currency = visit.given("currency")
    found = [each for each in await open_invoices(visit) if each.total.currency == currency]
    free = [each for each in found if not is_being_paid(each)]
    if visit.given("do") == "all":
        chosen = free
    else:
        wanted = set(visit.all_given("invoice"))
        chosen = [each for each in free if each.number in wanted]
        if wanted - {each.number for each in chosen}:
            raise NotDoneError(Problem("form", _CHANGED))
    if not chosen:
        raise NotDoneError(Problem(f"invoices-{currency}", _CHOOSE))
    link = await _link(visit, chosen)
    if await _usable(visit, link):
        return GoTo(visit.at(f"/pay/{link.id}"))
    return GoTo(link.address(visit.web.root))


async def _link(visit: PortalVisit, chosen: Sequence[Invoice]) -> PaymentLink:
    numbers = "\0".join(each.number for each in chosen)
    digest = hashlib.sha256(numbers.encode()).hexdigest()[:16]
    try:
        link: PaymentLink = await visit.run(
            visit.cashier.link,
            [each.number for each in chosen],
            key=f"portal.{visit.form_id}.{digest}",
            expires=visit.cashier.now() + LINK_LIFE,
            return_to=visit.at("/"),
            language=visit.member.language,
        )
    except (Refused, UsageError):
        raise NotDoneError(Problem("form", _CHANGED)) from None
    return link


async def _usable(visit: PortalVisit, link: PaymentLink) -> list[PaymentMethod]:
    """Return the stored methods that can be charged for *link* while their owner is here."""
    today = visit.today
    return [
        each
        for each in await stored_methods(visit)
        if (each.expires is None or each.expires >= today)
        and each.account in visit.accounts
        and visit.accounts[each.account].offers(each.kind, Operation.CHARGE)
        and _takes(visit, each, link.currency)
    ]


def _takes(visit: PortalVisit, method: PaymentMethod, currency: str) -> bool:
    rail = visit.accounts[method.account].traits.rails[method.kind]
    takes = rail.currencies is None or currency in rail.currencies
    return takes and StoredToken in rail.methods


async def show_paying(visit: PortalVisit) -> PortalView | GoTo:
    """Ask how the chosen invoices are paid: with a stored method, or in another way."""
    link = await link_of(visit)
    if link.status is not LinkStatus.ACTIVE or not link.open.minor:
        return GoTo(visit.at("/"))
    given: LinkTry = await visit.run(visit.cashier.begin_try, link)
    return await _asking(visit, link, given)


async def _asking(
    visit: PortalVisit, link: PaymentLink, given: LinkTry, changed: OpenAmountChanged | None = None
) -> Ask:
    options = [
        Option(each.id, name_of(each), icon=icon_of(each)) for each in await _usable(visit, link)
    ]
    other = Option(ANOTHER, text("Another way"), text("You choose on the next page"))
    title = text("Pay {amount} to {payee}", amount=given.amount, payee=visit.web.payee)
    calls: tuple[Text, ...] = ()
    if changed is not None:
        title = text("The amount has changed")
        calls = (
            text("It was {old}; it is now {new}.", old=changed.expected, new=given.amount),
            text("Nothing was charged."),
        )
    return Ask(
        title=title,
        token=visit.begin("pay with"),
        hidden=(("try", given.value),),
        button=text("Pay {amount}", amount=given.amount),
        back=Leads(text("Back"), visit.at("/")),
        action=visit.at(f"/pay/{link.id}"),
        facts=tuple(Fact(each.label, each.amount) for each in lines_of(link)),
        calls=calls,
        questions=(
            Question(
                field="via",
                legend=text("How do you want to pay?"),
                options=[*options, other],
                chosen=visit.given("via"),
            ),
        ),
        problems=visit.problems,
    )


async def pay(visit: PortalVisit) -> PortalView | GoTo:
    """Charge the stored method that was chosen, or lead to the payment pages."""
    link = await link_of(visit)
    if visit.given("via") == ANOTHER and link.status is LinkStatus.ACTIVE:
        return GoTo(link.address(visit.web.root))
    methods = [each for each in await _usable(visit, link) if each.id == visit.given("via")]
    if not methods:
        raise NotDoneError(Problem("via", CHOOSE_A_WAY))
    try:
        payment = await _charge(visit, link, methods[0])
    except OpenAmountChanged as changed:
        now: PaymentLink = await visit.run(visit.cashier.link_by_id, link)
        if now.status is not LinkStatus.ACTIVE or not now.payable.minor:
            return GoTo(visit.at("/"))
        given: LinkTry = await visit.run(visit.cashier.begin_try, now)
        return await _asking(visit.with_(fields=()), now, given, changed)
    except ItemAlreadyBeingPaid as busy:
        return _busy(visit, busy)
    except (AlreadyPaid, LinkEnded):
        return GoTo(visit.at("/"))
    except (TryExpired, TryNotValid):
        message = text("Please check the amount and send it again.")
        raise NotDoneError(Problem("via", message)) from None
    except StoreError:
        raise
    except (Refused, InvalidValue):
        # What the engine says is for clerks; a payer reads what they can do.
        raise NotDoneError(Problem("via", _NOT_NOW)) from None
    page = await visit.run(visit.cashier.payment_page, payment)
    return GoTo(page.address(visit.web.root))


async def _charge(visit: PortalVisit, link: PaymentLink, method: PaymentMethod) -> Payment:
    made: Payment = await visit.run(
        visit.cashier.pay_link,
        "" if link.token is None else link.token.reveal(),
        given=visit.given("try") or "-",
        via=method.account,
        kind=method.kind,
        method=method,
        return_url=f"{visit.web.root}/p/{{page}}/back",
        browser=browser_of(visit.visit),
    )
    return made


def _busy(visit: PortalVisit, busy: ItemAlreadyBeingPaid) -> Notice:
    shows = visit.at(f"/payments/{busy.payments[0]}") if busy.payments else visit.at("/")
    return Notice(
        title=text("This is already being paid"),
        tone="doubt",
        calls=(text("Please do not pay again."),),
        main=(text("Show that payment"), Link(shows)),
        leads=(Leads(text("Back"), visit.at("/")),),
    )
