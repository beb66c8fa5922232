"""Pages of links: what is to be paid, the ways to pay it, and the form that starts a payment.

A form is taken once. Whatever the ledger refuses, the payer sees why and can go on: the form with
what is wrong with it, the new amount, or the payment that is under way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.domain.customer import Browser
from paygate.domain.link import LinkStatus
from paygate.errors import (
    AccountDisabled,
    AccountsUnavailable,
    AlreadyPaid,
    AmountOutsideLimits,
    GatewayNotFound,
    InvalidAmount,
    ItemAlreadyBeingPaid,
    LinkEnded,
    LinkNotFound,
    MissingPayerField,
    OpenAmountChanged,
    PageNotFound,
    Refused,
    SendingStopped,
    TryExpired,
    TryNotValid,
    Unsupported,
    UsageError,
    WayNotOffered,
)
from paygate.service.return_address import sent_home
from paygate.web.pages.names import reference_of
from paygate.web.pages.offering import (
    CHECK_AND_SEND,
    CHOOSE_A_WAY,
    Offer,
    Order,
    Typed,
    account_and_kind,
    amount_problem,
    form_of,
    lines_of,
    payable_ways,
    payer_problem,
    read_form,
)
from paygate.web.pages.states import PageState
from paygate.web.pages.views import Does, Link, PageView, Problem
from paygate.web.pages.visits import NotThereError, Reception, origin_or_none, see_other
from paygate.web.results import write_result
from paygate.web.settings import is_safe
from paygate.web.texts import text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from paygate.domain.link import PaymentLink
    from paygate.domain.payment import Payment
    from paygate.errors import PaygateError
    from paygate.web.languages import Language
    from paygate.web.pages.visits import Visit
    from paygate.web.texts import Text, Value


class LinkPages(Reception):
    """The pages of links, and the forms that pay them."""

    async def link(self, request: Request) -> Response:
        """Show what a link is for and the ways to pay it, or take the form."""
        return await self._served(request, self._link)

    async def _link(self, visit: Visit) -> Response:
        if visit.request.method == "POST":
            return await self._take_form(visit, f"{visit.web.root}/l/{visit.token}", None)
        link: PaymentLink = await self._run(visit, visit.cashier.link_of, visit.token)
        if link.status is LinkStatus.USED:
            return await self._to_its_payment(visit, link)
        return await self._choose(visit, link, f"{visit.web.root}/l/{visit.token}")

    async def _to_its_payment(self, visit: Visit, link: PaymentLink) -> Response:
        """Send the payer to the payment of a used link, or say that nothing is due."""
        if link.payment is None:
            return self._nothing_due(visit, link)
        page = await self._run(visit, visit.cashier.payment_page, link.payment)
        return see_other(page.address(visit.web.root))

    def _nothing_due(self, visit: Visit, link: PaymentLink) -> Response:
        home = self._home(visit, link, None)
        targets = {Does.BACK: Link(home, top=True)} if home else {}
        view = PageView(state=PageState.NOTHING_DUE, values={}, targets=targets)
        return self._page(visit, view, visit.reader(link.language))

    async def _choose(self, visit: Visit, link: PaymentLink, action: str) -> Response:
        """Show the form of a link."""
        if not link.open.minor and not link.chosen_by_payer:
            return self._nothing_due(visit, link)
        offer = await self._offer(visit, link)
        return self._offered(visit, offer, action)

    async def _offer(self, visit: Visit, link: PaymentLink) -> Offer:
        given = await self._run(visit, visit.cashier.begin_try, link)
        ways = payable_ways(await self._run(visit, visit.cashier.ways_to_pay, link))
        known = None
        if any(each.payer_fields for each in ways):
            known = await self._run(visit, visit.cashier.customer, link.customer)
        return Offer(
            link=link, given=given, ways=ways, accounts=await self._accounts(visit), known=known
        )

    def _offered(
        self,
        visit: Visit,
        offer: Offer,
        action: str,
        *,
        typed: Typed | None = None,
        problems: Sequence[Problem] = (),
        notes: Sequence[Text] = (),
        status: int = 200,
    ) -> Response:
        """Show the form of *offer*, with what is wrong with it."""
        link = offer.link
        reader = visit.reader(link.language)
        form = form_of(
            offer,
            visit.web,
            action=action,
            legend=text("How do you want to pay?"),
            typed=typed,
            problems=problems,
        )
        view = PageView(
            state=PageState.CHOOSE,
            values={"amount": offer.given.amount},
            reference=reference_of(link),
            amount=offer.given.amount,
            lines=lines_of(link),
            form=form,
            notes=tuple(notes),
        )
        return self._page(visit, view, reader, status=status)

    async def _take_form(self, visit: Visit, action: str, about: Payment | None) -> Response:
        """Pay a link by the form that was sent: from its own page, or from that of a payment."""
        fields = await self._fields(visit)
        typed = Typed(fields)
        link = await self._link_to_pay(visit, typed, about)
        if isinstance(link, str):
            return see_other(link)
        if not visit.is_own:
            return await self._again(visit, link, action, typed, status=403)
        if about is not None and typed["do"] == "again":
            return await self._pay(visit, link, action, typed, _same_way(about, link))
        offer = await self._offer(visit, link)
        order = read_form(offer, typed, visit.reader(link.language))
        if not isinstance(order, Order):
            return self._offered(visit, offer, action, typed=typed, problems=order, status=422)
        return await self._pay(visit, link, action, typed, order)

    async def _link_to_pay(
        self, visit: Visit, typed: Typed, about: Payment | None
    ) -> PaymentLink | str:
        """
        Return the link that a form is for, or the address of the payment that the form has made.

        A form that was used leads to its payment, even if its link has ended since.
        """
        try:
            if about is None:
                link: PaymentLink = await self._run(visit, visit.cashier.link_of, visit.token)
            else:
                link = await self._run(visit, visit.cashier.link_by_id, about.link)
        except LinkNotFound:
            raise NotThereError from None
        except PageNotFound:
            # Only the try can say whether this address has ever led anywhere.
            return await self._used_before(visit, visit.token, typed)
        token = "" if link.token is None else link.token.reveal()
        if link.status is not LinkStatus.ACTIVE:
            try:
                return await self._used_before(visit, token, typed)
            except (NotThereError, TryNotValid, LinkEnded):
                if about is not None:
                    return f"{visit.web.root}/p/{visit.token}"
                return f"{visit.web.root}/l/{visit.token}"
        return link

    async def _used_before(self, visit: Visit, token: str, typed: Typed) -> str:
        """Return the address of the payment of a try that was used; its link has ended."""
        found = account_and_kind(typed["via"])
        accounts = await self._accounts(visit)
        via = found[0] if found and found[0] in accounts else next(iter(accounts), "")
        if not visit.is_own or not token or not typed["try"] or not via:
            raise NotThereError
        try:
            payment = await self._run(
                visit, visit.cashier.pay_link, token, given=typed["try"], via=via
            )
        except (PageNotFound, TryNotValid):
            raise NotThereError from None
        page = await self._run(visit, visit.cashier.payment_page, payment)
        return str(page.address(visit.web.root))

    async def _pay(
        self, visit: Visit, link: PaymentLink, action: str, typed: Typed, order: Order
    ) -> Response:
        """Start the payment, and send the payer to its page; or show why there is no page."""
        tries = self._tries_of(visit)
        now = visit.cashier.now()
        if tries.is_full(link.id, now):
            return self._later(visit, 429)
        try:
            payment = await self._run(
                visit,
                visit.cashier.pay_link,
                "" if link.token is None else link.token.reveal(),
                given=typed["try"] or "-",
                via=order.account,
                kind=order.kind,
                amount=order.amount,
                payer=order.payer,
                return_url=f"{visit.web.root}/p/{{page}}/back",
                browser=browser_of(visit),
            )
        except (TryNotValid, TryExpired):
            return await self._again(visit, link, action, typed)
        except OpenAmountChanged as changed:
            return await self._changed(visit, action, typed, link, changed)
        except ItemAlreadyBeingPaid as busy:
            return await self._busy(visit, link, action, busy)
        except (AlreadyPaid, LinkEnded, PageNotFound):
            return see_other(action)
        except (SendingStopped, AccountsUnavailable):
            return self._later(visit, 503)
        except (Refused, UsageError) as refused:
            offer = await self._offer(visit, link)
            problems = _problems_of(refused, link, visit.reader(link.language))
            if not problems:
                raise
            return self._offered(visit, offer, action, typed=typed, problems=problems, status=422)
        # Only what became a payment counts: whoever knows the address could use them up otherwise.
        tries.add(link.id, now)
        page = await self._run(visit, visit.cashier.payment_page, payment)
        return see_other(page.address(visit.web.root))

    async def _again(
        self, visit: Visit, link: PaymentLink, action: str, typed: Typed, *, status: int = 422
    ) -> Response:
        """Show the form once more, with a try of its own: nothing was charged."""
        offer = await self._offer(visit, link)
        problems = [Problem("via", CHECK_AND_SEND)]
        return self._offered(visit, offer, action, typed=typed, problems=problems, status=status)

    async def _changed(
        self,
        visit: Visit,
        action: str,
        typed: Typed,
        link: PaymentLink,
        changed: OpenAmountChanged,
    ) -> Response:
        """Show that the amount is not the one that the payer saw, and let them confirm it."""
        now: PaymentLink = await self._run(visit, visit.cashier.link_by_id, link)
        if now.status is not LinkStatus.ACTIVE or not now.payable.minor:
            return see_other(action)
        offer = await self._offer(visit, now)
        reader = visit.reader(link.language)
        form = form_of(
            offer,
            visit.web,
            action=action,
            legend=text("How do you want to pay?"),
            typed=typed,
        )
        values: dict[str, Value] = {"old": changed.expected, "new": offer.given.amount}
        view = PageView(
            state=PageState.CHANGED,
            values=values,
            reference=reference_of(link),
            amount=offer.given.amount,
            form=form,
        )
        return self._page(visit, view, reader, status=422)

    async def _busy(
        self, visit: Visit, link: PaymentLink, action: str, busy: ItemAlreadyBeingPaid
    ) -> Response:
        """Show that a payment is under way; if it was made by this link, with a way to it."""
        targets: dict[Does, Link] = {Does.CHECK: Link(action)}
        for each in busy.payments:
            payment: Payment = await self._run(visit, visit.cashier.payment, each)
            if payment.link == link.id:
                page = await self._run(visit, visit.cashier.payment_page, payment)
                targets[Does.SHOW_OTHER] = Link(page.address(visit.web.root))
                break
        view = PageView(
            state=PageState.BUSY,
            values={},
            reference=reference_of(link),
            amount=link.payable,
            targets=targets,
        )
        return self._page(visit, view, visit.reader(link.language), status=422)

    def _home(self, visit: Visit, link: PaymentLink, payment: Payment | None) -> str:
        """Return where the payer is sent home to, if the settings allow that place."""
        if not link.return_to:
            return ""
        origin = origin_or_none(link.return_to)
        # Where the pages are, the portal may be.
        if origin not in (visit.web.origin, *visit.web.return_origins):
            return ""
        result = ""
        if payment is not None:
            result = self._signed(visit, payment, link, origin)
        home = sent_home(link.return_to, "" if payment is None else payment.id, result)
        return home if is_safe(home) and origin_or_none(home) == origin else ""

    def _signed(self, visit: Visit, payment: Payment, link: PaymentLink, origin: str) -> str:
        names = [each.name for each in link.items] if link.of.value == "prepayment" else []
        return write_result(
            visit.web,
            payment,
            origin=origin,
            tenant=visit.cashier.tenant,
            now=visit.cashier.now(),
            assignment_key=names[0] if names else "",
        )


def _same_way(payment: Payment, link: PaymentLink) -> Order:
    """Return the order to try *payment* again in the same way."""
    amount = payment.amount if link.chosen_by_payer else None
    return Order(account=payment.account, kind=payment.kind, amount=amount)


def _problems_of(refused: PaygateError, link: PaymentLink, reader: Language) -> list[Problem]:
    """Return what a payer can do about a refusal; nothing if it is not about their form."""
    match refused:
        case MissingPayerField():
            return [payer_problem(each) for each in refused.fields]
        case InvalidAmount() | AmountOutsideLimits() if link.chosen_by_payer:
            return [amount_problem(link, reader)]
        case WayNotOffered() | AccountDisabled() | Unsupported() | AmountOutsideLimits():
            return [Problem("via", CHOOSE_A_WAY)]
        case GatewayNotFound():
            return [Problem("via", CHOOSE_A_WAY)]
        case _:
            return []


def browser_of(visit: Visit) -> Browser:
    """Return what the payer's browser says about itself, for a payment that needs it."""
    headers = visit.request.headers
    client = visit.request.client
    return Browser(
        ip=client.host if client else "",
        user_agent=headers.get("user-agent", "")[:500],
        accept=headers.get("accept", "")[:500],
        language=headers.get("accept-language", "")[:200],
    )
