"""Pages of payments: how each stands, and the way back from the processor.

The address to which a processor sends a payer is not trusted. The processor is asked, once in ten
seconds and for eight seconds at most, and only what it says is booked.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from paygate.domain.action import PostForm, Redirect, ScriptStep, ShowVoucher
from paygate.domain.kind import Operation
from paygate.domain.link import LinkStatus
from paygate.domain.payment import PaymentStatus
from paygate.errors import (
    GatewayNotFound,
    InvalidValue,
    MissingExtra,
    NotPayable,
    RecordNotFound,
    Refused,
    SecretNotKept,
    UsageError,
)
from paygate.web.calling import of_this_loop
from paygate.web.pages.link_pages import LinkPages
from paygate.web.pages.offering import form_of
from paygate.web.pages.showing import Shown, receipt_of, version_of, view_of
from paygate.web.pages.standing import OFFERS_ANOTHER, Situation, gone_back, state_of
from paygate.web.pages.states import PageState
from paygate.web.pages.views import Does, Post
from paygate.web.pages.visits import origin_or_none, plain_headers, see_other
from paygate.web.texts import text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from paygate.domain.attempt import Attempt
    from paygate.domain.invoice import Invoice
    from paygate.domain.link import PaymentLink
    from paygate.domain.payment import Payment
    from paygate.domain.receipt import Receipt
    from paygate.service.account import GatewayAccount
    from paygate.web.pages.standing import GoneBack
    from paygate.web.pages.visits import Visit

INQUIRY_PAUSE: Final = timedelta(seconds=10)
"""For how long the processor is not asked again about the same payment."""

INQUIRY_LIMIT_S: Final = 8.0
"""How long a payer who came back waits for the processor, before the page says that we wait."""

_TIME_DIGITS_MAX: Final = 11

# A page that ended unpaid, as far as the ledger knows, may have been paid nevertheless.
_KNOWN: Final = (PaymentStatus.SUCCEEDED, PaymentStatus.AUTHORIZED)
_ELSEWHERE: Final = (Redirect, PostForm, ScriptStep)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Standing:
    """Where a payment stands: the state of its page, and the facts that it follows from.

    *payable* is the *link* of the payment if it can be paid now.
    """

    state: PageState
    receipts: Sequence[Receipt]
    back: GoneBack
    link: PaymentLink | None
    payable: PaymentLink | None
    account: GatewayAccount | None


class PaymentPages(LinkPages):
    """The pages of payments."""

    async def payment(self, request: Request) -> Response:
        """Show a payment, whatever its state, or take the form that pays its link another way."""
        return await self._served(request, self._payment)

    async def _payment(self, visit: Visit) -> Response:
        payment = await self._of_page(visit)
        page = f"{visit.web.root}/p/{visit.token}"
        if visit.request.method == "POST":
            if not payment.link:
                return see_other(page)
            return await self._take_form(visit, page, payment)
        shown = await self._shown(visit, payment)
        link = shown.link
        if "another" in visit.request.query_params and link and shown.can_pay_another_way:
            return await self._choose(visit, link, page)
        return self._show(visit, shown)

    async def state(self, request: Request) -> Response:
        """Return the state of a payment for the script, from the ledger only."""
        return await self._served(request, self._state)

    async def _state(self, visit: Visit) -> Response:
        from starlette.responses import JSONResponse

        payment = await self._of_page(visit)
        stands = await self._standing(visit, payment)
        version = version_of(payment, stands.state, stands.link)
        found = {"state": stands.state.value, "version": version}
        return JSONResponse(found, headers=plain_headers())

    async def back(self, request: Request) -> Response:
        """Ask the processor about a payment, and send its payer to the page."""
        return await self._served(request, self._back)

    async def _back(self, visit: Visit) -> Response:
        payment = await self._of_page(visit)
        page = f"{visit.web.root}/p/{visit.token}"
        form: Mapping[str, str] = {}
        if visit.request.method == "POST":
            form = await self._fields(visit)
        answered = True
        if payment.status not in _KNOWN:
            # We wrote the address, and the processor wrote the form: the address counts.
            answered = await self._look(visit, payment, {**form, **visit.request.query_params})
            payment = await self._run(visit, visit.cashier.payment, payment)
        went = isinstance(payment.action, _ELSEWHERE)
        unpaid = payment.status is PaymentStatus.REQUIRES_ACTION and went
        if not unpaid or await self._is_in_doubt(visit, payment):
            return see_other(page)
        at = int(visit.cashier.now().timestamp())
        return see_other(f"{page}?{'back' if answered else 'wait'}={at}")

    async def _look(self, visit: Visit, payment: Payment, parameters: Mapping[str, str]) -> bool:
        """
        Return whether the processor was asked just now, and answered; it is once in ten seconds.

        What an earlier request has found says nothing about a payer who paid since: such a payer
        must not read that nothing was paid.
        """
        from paygate.web.looks import Looks

        looks = of_this_loop(self._looks, lambda: Looks(INQUIRY_PAUSE, self._cashier.now))

        asked = False

        async def look() -> bool:
            from anyio import move_on_after

            nonlocal asked
            asked = True
            with move_on_after(INQUIRY_LIMIT_S):
                return await self._ask(visit, payment, parameters)
            return False

        answered = await looks.at(payment.id, look)
        return asked and answered

    async def _ask(self, visit: Visit, payment: Payment, parameters: Mapping[str, str]) -> bool:
        """Inquire, and complete a payment that its payer has approved."""
        accounts = await self._accounts(visit)
        account = accounts.get(payment.account)
        if account is None:
            return False
        try:
            found: Payment = await self._run(visit, visit.cashier.inquire, payment)
        except (Refused, GatewayNotFound):
            return False
        waits = found.status is PaymentStatus.REQUIRES_ACTION and not found.unanswered
        if not waits or not account.traits.offers(payment.kind, Operation.COMPLETE):
            return not found.unanswered
        # A driver completes only what the processor says was approved.
        try:
            await self._run(visit, visit.cashier.complete, found, parameters=dict(parameters))
        except (Refused, UsageError):
            return True
        return True

    async def slip(self, request: Request) -> Response:
        """Show the slip of a payment, to print."""
        return await self._served(request, self._slip)

    async def _slip(self, visit: Visit) -> Response:
        payment = await self._of_page(visit)
        shown = await self._shown(visit, payment)
        if shown.state is not PageState.SLIP:
            return see_other(shown.page)
        return self._show(visit, shown)

    async def receipt(self, request: Request) -> Response:
        """Show the payment receipt, to print."""
        return await self._served(request, self._receipt)

    async def _receipt(self, visit: Visit) -> Response:
        payment = await self._of_page(visit)
        shown = await self._shown(visit, payment)
        if not any(each.kind.inward for each in shown.receipts):
            return see_other(shown.page)
        reader = visit.reader(shown.language)
        return self._page(visit, receipt_of(shown, await self._invoices(visit, payment)), reader)

    async def _invoices(self, visit: Visit, payment: Payment) -> dict[str, Invoice]:
        """Return the invoices of *payment*, by number."""
        invoices: dict[str, Invoice] = {}
        for each in payment.items:
            with suppress(RecordNotFound):  # the assignment key of a prepayment
                invoices[each.invoice] = await self._run(visit, visit.cashier.invoice, each.invoice)
        return invoices

    async def receipt_pdf(self, request: Request) -> Response:
        """Send the payment receipt as PDF."""
        return await self._served(request, self._receipt_pdf)

    async def _receipt_pdf(self, visit: Visit) -> Response:
        from paygate.web.papers import receipt_pdf

        payment = await self._of_page(visit)
        shown = await self._shown(visit, payment)
        if not any(each.kind.inward for each in shown.receipts):
            return see_other(shown.page)
        invoices = await self._invoices(visit, payment)
        language = visit.reader(shown.language).code
        draw = partial(receipt_pdf, visit.web, payment, shown.receipts, invoices, language=language)
        return await self._paper(visit, draw, f"{shown.page}/receipt")

    async def slip_pdf(self, request: Request) -> Response:
        """Send the slip of a payment as PDF."""
        return await self._served(request, self._slip_pdf)

    async def _slip_pdf(self, visit: Visit) -> Response:
        from paygate.web.papers import slip_pdf

        payment = await self._of_page(visit)
        shown = await self._shown(visit, payment)
        if shown.state is not PageState.SLIP or not isinstance(shown.action, ShowVoucher):
            return see_other(shown.page)
        language = visit.reader(shown.language).code
        draw = partial(
            slip_pdf, visit.web, payment, shown.action, page=shown.page, language=language
        )
        return await self._paper(visit, draw, f"{shown.page}/slip")

    async def _paper(self, visit: Visit, draw: Callable[[], bytes], page: str) -> Response:
        """Return a PDF; what it cannot be drawn with leads to the page to print."""
        from starlette.responses import Response

        try:
            drawn = await self._run(visit, draw)
        except (InvalidValue, MissingExtra):
            return see_other(page)
        return Response(drawn, media_type="application/pdf", headers=plain_headers())

    async def _of_page(self, visit: Visit) -> Payment:
        """Return the payment of the token in the address."""
        found: Payment = await self._run(visit, visit.cashier.payment_of_page, visit.token)
        return found

    async def _standing(self, visit: Visit, payment: Payment) -> _Standing:
        """Return where *payment* stands, from what the ledger has."""
        receipts = await self._receipts(visit, payment)
        link = await self._link_of(visit, payment)
        accounts = await self._accounts(visit)
        account = accounts.get(payment.account)
        rail = None if account is None else account.traits.rails.get(payment.kind)
        query = visit.request.query_params
        back = gone_back(payment, receipts)
        payable = link is not None and link.status is LinkStatus.ACTIVE
        situation = Situation(
            now=visit.cashier.now(),
            came_back_at=_instant(query.get("back", "")) or _instant(query.get("wait", "")),
            answered="wait" not in query,
            return_lag=None if rail is None else rail.return_lag,
            in_doubt=await self._is_in_doubt(visit, payment),
            back=back,
            rest=link.open if link is not None and payable else None,
        )
        return _Standing(
            state=state_of(payment, situation),
            receipts=receipts,
            back=back,
            link=link,
            payable=link if payable else None,
            account=account,
        )

    async def _receipts(self, visit: Visit, payment: Payment) -> Sequence[Receipt]:
        if not payment.received.minor and not payment.returned.minor:
            return ()
        found: Sequence[Receipt] = await self._run(visit, visit.cashier.receipts, payment)
        return found

    async def _is_in_doubt(self, visit: Visit, payment: Payment) -> bool:
        """Return whether a completion of *payment* may have taken money that nobody has seen."""
        if payment.status is not PaymentStatus.REQUIRES_ACTION:
            return False
        attempts: Sequence[Attempt] = await self._run(visit, visit.cashier.attempts, payment)
        takes = (Operation.CHARGE, Operation.COMPLETE)
        return any(each.operation in takes and each.state.in_doubt for each in attempts)

    async def _link_of(self, visit: Visit, payment: Payment) -> PaymentLink | None:
        if not payment.link:
            return None
        found: PaymentLink = await self._run(visit, visit.cashier.link_by_id, payment.link)
        return found

    async def _shown(self, visit: Visit, payment: Payment) -> Shown:
        """Return what the page of *payment* is made of."""
        stands = await self._standing(visit, payment)
        link, page = stands.link, f"{visit.web.root}/p/{visit.token}"
        query = visit.request.query_params
        asked = next(
            (f"?{name}={quote(query[name])}" for name in ("back", "wait") if name in query), ""
        )
        shown = Shown(
            payment=payment,
            state=stands.state,
            page=page,
            web=visit.web,
            receipts=stands.receipts,
            back=stands.back,
            link=stands.payable,
            account=stands.account,
            action=await self._action(visit, payment, stands.state),
            home="" if link is None else self._home(visit, link, payment),
            result=self._result(visit, payment, link),
            version=version_of(payment, stands.state, link),
            poll=f"{page}/state{asked}",
            in_frame=visit.in_frame,
            language="" if link is None else link.language,
        )
        return await self._with_form(visit, shown)

    async def _with_form(self, visit: Visit, shown: Shown) -> Shown:
        """Return *shown* with the form or the try by which its link can be paid again."""
        link, state = shown.link, shown.state
        if link is None or not shown.can_pay_another_way:
            return shown
        if state is PageState.DECLINED:
            offer = await self._offer(visit, link)
            legend = text("Pay {amount} another way", amount=offer.given.amount)
            form = form_of(
                offer,
                visit.web,
                action=shown.page,
                legend=legend,
            )
            return replace(shown, form=form)
        if state in (PageState.FAILED, PageState.QUOTE_OVER):
            given = await self._run(visit, visit.cashier.begin_try, link)
            return replace(shown, renewal=given.value)
        return shown

    async def _action(self, visit: Visit, payment: Payment, state: PageState) -> Any:
        """Return the payer's next step, with what only their browser may see."""
        if payment.status is not PaymentStatus.REQUIRES_ACTION or state not in OFFERS_ANOTHER:
            return None
        try:
            return await self._run(visit, visit.cashier.action_of, payment)
        except (SecretNotKept, NotPayable, GatewayNotFound):
            return None
        except Refused:
            return None

    def _result(self, visit: Visit, payment: Payment, link: PaymentLink | None) -> str:
        """Return what the script sends to the page that shows this one in a frame."""
        embedding = visit.web.embed_origins
        if not embedding or link is None:
            return ""
        home = origin_or_none(link.return_to) if link.return_to else ""
        return self._signed(visit, payment, link, home if home in embedding else embedding[0])

    def _show(self, visit: Visit, shown: Shown) -> Response:
        reader = visit.reader(shown.language)
        view = view_of(shown)
        origins: Sequence[str] = ()
        if shown.account is not None:
            origins = sorted(shown.account.traits.page_origins)
        target = view.targets.get(Does.CONTINUE)
        return self._page(
            visit,
            view,
            reader,
            connects=[shown.page, f"{shown.page}/state"] if view.poll else [],
            origins=origins,
            posts=isinstance(target, Post) and target.url != shown.page,
        )


def _instant(seconds: str) -> datetime | None:
    """Return the time in an address, or None if it has no time."""
    if not seconds.isascii() or not seconds.isdigit() or len(seconds) > _TIME_DIGITS_MAX:
        return None
    return datetime.fromtimestamp(int(seconds), UTC)
