"""The endpoints of the API: one table, from which it is served and described."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from paygate.domain.action import ShowVoucher
from paygate.domain.api_key import ApiScope
from paygate.domain.payment import PaymentStatus
from paygate.errors import InvalidValue, RecordNotFound
from paygate.web.api import requests, resources
from paygate.web.api.counter import Answer, Asked, Endpoint
from paygate.web.api.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from paygate.cashier.within import Within
    from paygate.domain.invoice import Invoice
    from paygate.domain.link import PaymentLink
    from paygate.domain.payment import Payment
    from paygate.domain.prepayment import Prepayment
    from paygate.domain.receipt import Receipt
    from paygate.domain.result import OperationResult
    from paygate.domain.statement import AccountStatement

T = TypeVar("T")


# --- Prepayments -----------------------------------------------------------------------------


async def create_prepayment(asked: Asked) -> Answer:
    """Make a prepayment and, if asked to, its link."""
    body: requests.PrepaymentRequest = asked.body
    whose, amount = requests.customer_of(body.customer), body.amount.money()
    terms = None if body.link is None else _terms(body.link)

    def work(books: Within) -> tuple[Prepayment, PaymentLink | None]:
        made = books.prepay(
            whose,
            amount,
            assignment_key=body.assignment_key,
            key=asked.verb_key,
            description=body.description,
            data=body.data,
            on_rest=body.on_rest,
        )
        link = None if terms is None else books.link(made, key=asked.verb_key, **terms)
        return made, link

    made, link = await asked.once(work)
    shown = resources.PrepaymentBody.of(made, _shown(link, asked))
    return Answer(body=shown, location=f"/v1/prepayments/{made.id}")


async def read_prepayment(asked: Asked) -> Answer:
    """Return a prepayment."""
    found: Prepayment = await _found(asked, asked.cashier.prepayment)
    return Answer(body=resources.PrepaymentBody.of(found))


async def list_prepayments(asked: Asked) -> Answer:
    """Return a page of prepayments."""
    try:
        found, following = await _page(asked, asked.cashier.prepayments)
    except InvalidValue as error:
        if error.argument != "assignment_key":
            raise
        found, following = [], None  # no prepayment can have such a key
    items = [resources.PrepaymentBody.of(each) for each in found]
    return Answer(body=resources.PrepaymentPage(items=items, next=following))


# --- Invoices --------------------------------------------------------------------------------


async def create_invoice(asked: Asked) -> Answer:
    """Issue an invoice and, if asked to, make its link."""
    body: requests.InvoiceRequest = asked.body
    whose, total = requests.customer_of(body.customer), body.total.money()
    terms = None if body.link is None else _terms(body.link)

    def work(books: Within) -> tuple[Invoice, PaymentLink | None]:
        made = books.issue(
            number=body.number,
            customer=whose,
            total=total,
            due=body.due,
            on=body.issued_on,
            assignment_key=body.assignment_key,
        )
        if terms is None:
            return made, None
        link = books.link(made, key=asked.verb_key, **terms)
        return books.invoice(made.id), link

    made, link = await asked.once(work)
    shown = resources.InvoiceBody.of(made, _shown(link, asked))
    return Answer(body=shown, location=f"/v1/invoices/{made.id}")


async def read_invoice(asked: Asked) -> Answer:
    """Return an invoice."""
    found: Invoice = await _found(asked, asked.cashier.invoice)
    return Answer(body=resources.InvoiceBody.of(found))


async def list_invoices(asked: Asked) -> Answer:
    """Return a page of invoices."""
    found, following = await _page(asked, asked.cashier.invoices)
    items = [resources.InvoiceBody.of(each) for each in found]
    return Answer(body=resources.InvoicePage(items=items, next=following))


# --- Links -----------------------------------------------------------------------------------


async def create_link(asked: Asked) -> Answer:
    """Make a payment link."""
    body: requests.LinkRequest = asked.body
    terms = _terms(body)
    if sum(each is not None for each in (body.invoices, body.prepayment, body.customer)) != 1:
        raise ProblemError(
            422, "a link is for invoices, or for a prepayment, or for the balance of a customer"
        )
    items: Any = body.prepayment if body.invoices is None else body.invoices
    whose = None if body.customer is None else requests.customer_of(body.customer)

    def work(books: Within) -> PaymentLink:
        return books.link(
            items, key=asked.verb_key, customer=whose, currency=body.currency, **terms
        )

    link: PaymentLink = await asked.once(work)
    return Answer(body=_body(link, asked), location=f"/v1/links/{link.id}")


async def read_link(asked: Asked) -> Answer:
    """Return a payment link."""
    return Answer(body=_body(await _found(asked, asked.cashier.link_by_id), asked))


async def list_links(asked: Asked) -> Answer:
    """Return a page of payment links."""
    found, following = await _page(asked, asked.cashier.links)
    items = [_body(each, asked) for each in found]
    return Answer(body=resources.LinkPage(items=items, next=following))


async def revoke_link(asked: Asked) -> Answer:
    """Revoke a payment link; its pages at processors are withdrawn."""
    body: requests.RevokeRequest = asked.body
    link: PaymentLink = await _found(asked, asked.cashier.link_by_id)
    await asked.once(_nothing)
    link = await asked.run(asked.cashier.revoke_link, link.id, reason=body.reason)
    return Answer(body=_body(link, asked))


async def reissue_link(asked: Asked) -> Answer:
    """Give a payment link another address."""
    body: requests.ReissueRequest = asked.body
    expires = _instant(body.expires_at)
    await _found(asked, asked.cashier.link_by_id)

    def work(books: Within) -> PaymentLink:
        # Another address for each repetition would end the one that was answered first.
        if books.repeated:
            return books.link_by_id(asked.place)
        return books.reissue_link(asked.place, expires=expires)

    return Answer(body=_body(await asked.once(work), asked))


# --- Payments --------------------------------------------------------------------------------


async def read_payment(asked: Asked) -> Answer:
    """Return a payment."""
    found: Payment = await _found(asked, asked.cashier.payment)
    return Answer(body=resources.PaymentBody.of(found))


async def list_payments(asked: Asked) -> Answer:
    """Return a page of payments."""
    found, following = await _page(asked, asked.cashier.payments)
    items = [resources.PaymentBody.of(each) for each in found]
    return Answer(body=resources.PaymentListPage(items=items, next=following))


async def create_refund(asked: Asked) -> Answer:
    """Send money of a payment back."""
    body: requests.RefundRequest = asked.body
    amount = None if body.amount is None else body.amount.money()
    payment: Payment = await _found(asked, asked.cashier.payment)
    await asked.once(_nothing)
    result: OperationResult = await asked.run(
        asked.cashier.refund,
        payment.id,
        key=asked.verb_key,
        amount=amount,
        to=body.to,
        reason=body.reason,
    )
    return Answer(body=resources.RefundBody.of(result))


# --- Papers ----------------------------------------------------------------------------------


async def read_receipt(asked: Asked) -> Answer:
    """Draw a payment receipt."""
    from paygate.web.papers import MEDIA_TYPE, receipt_pdf

    query: requests.PaperQuery = asked.query
    payment: Payment = await _found(asked, asked.cashier.payment)
    receipts: list[Receipt] = await asked.run(asked.cashier.receipts, payment)
    if not any(each.kind.inward for each in receipts):
        raise ProblemError(409, "no money came in for this payment, so there is no receipt")
    invoices: dict[str, Invoice] = {}
    for each in payment.items:
        with suppress(RecordNotFound):  # the assignment key of a prepayment
            invoices[each.invoice] = await asked.run(asked.cashier.invoice, each.invoice)
    payer = await asked.run(asked.cashier.customer, payment.payer) if payment.payer else None
    drawn: bytes = await asked.run(
        receipt_pdf,
        *(asked.web, payment, receipts, invoices),
        language=query.language,
        size=query.size,
        payer=payer,
    )
    return Answer(body=drawn, media_type=MEDIA_TYPE, file_name=f"{payment.short_reference}.pdf")


async def read_slip(asked: Asked) -> Answer:
    """Draw the slip of a payment that waits at a counter."""
    from paygate.web.papers import MEDIA_TYPE, slip_pdf

    query: requests.PaperQuery = asked.query
    payment: Payment = await _found(asked, asked.cashier.payment)
    action = payment.action
    if payment.status is not PaymentStatus.REQUIRES_ACTION or not isinstance(action, ShowVoucher):
        raise ProblemError(409, "this payment does not wait for a slip to be paid")
    drawn: bytes = await asked.run(
        slip_pdf, asked.web, payment, action, language=query.language, size=query.size
    )
    return Answer(body=drawn, media_type=MEDIA_TYPE, file_name=f"{payment.short_reference}.pdf")


async def read_statement(asked: Asked) -> Answer:
    """Draw the account statement of a customer."""
    from paygate.web.papers import MEDIA_TYPE, StatementPaper

    query: requests.StatementQuery = asked.query
    customer = await _found(asked, asked.cashier.customer)
    if customer is None:
        raise ProblemError(404, "this merchant has no customer with this id")
    paper = await asked.run(
        partial(
            StatementPaper, asked.web, language=query.language, size=query.size, customer=customer
        )
    )
    # What is booked from now on is on a later statement; its pages must not differ.
    end = query.until or asked.cashier.now() + timedelta(microseconds=1)
    after, drawn_lines = "", 0
    while True:
        page: AccountStatement = await asked.run(
            asked.cashier.statement,
            asked.place,
            currency=query.currency,
            since=query.since,
            until=end,
            after=after,
            limit=_LINES,
        )
        await asked.run(paper.add, page)
        drawn_lines += len(page.lines)
        if len(page.lines) < _LINES:
            break
        if drawn_lines >= _LINES_MAX:
            raise ProblemError(
                409, f"the period has more than {_LINES_MAX:,} lines; choose a shorter one"
            )
        after = page.lines[-1].id
    drawn: bytes = await asked.run(paper.finish)
    return Answer(body=drawn, media_type=MEDIA_TYPE, file_name="statement.pdf")


_LINES: Final = 500
_LINES_MAX: Final = 20_000
"""More lines are no paper that anybody reads, and would occupy the server for long."""


# --- Events ----------------------------------------------------------------------------------


async def list_events(asked: Asked) -> Answer:
    """Return a page of events."""
    query: requests.EventQuery = asked.query
    found = await asked.run(asked.cashier.events, after=query.after, limit=query.limit)
    following = found[-1].position if found else query.after
    items = [resources.EventBody.of(each) for each in found]
    return Answer(body=resources.EventPage(items=items, next=following))


# --- What they share -------------------------------------------------------------------------


def _nothing(_: Within) -> None:
    """Only take the idempotency key: what follows has a key of its own."""


def _terms(of: requests.LinkTerms) -> dict[str, Any]:
    """Return the arguments of `link` for these terms."""
    chosen = of.amount
    return {
        "amount": None if chosen is None else (chosen.least.money(), chosen.most.money()),
        "uses": of.uses,
        "expires": _instant(of.expires_at),
        "accounts": of.accounts,
        "immediate_only": of.immediate_only,
        "language": of.language,
        "return_to": of.return_to or "",
        "metadata": of.metadata,
    }


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.utcoffset() is None:
        raise InvalidValue(
            "expires_at is an instant with its zone, such as 2031-01-31T12:00:00Z",
            argument="expires_at",
        )
    return found


def _body(link: PaymentLink, asked: Asked) -> resources.LinkBody:
    return resources.LinkBody.of(link, asked.web.root)


def _shown(link: PaymentLink | None, asked: Asked) -> resources.LinkBody | None:
    return None if link is None else _body(link, asked)


async def _found(asked: Asked, verb: Callable[..., Any]) -> Any:
    """Return what the address names; a name that no record can have is not found."""
    try:
        return await asked.run(verb, asked.place)
    except InvalidValue:
        raise ProblemError(404, "this merchant has no record with this name") from None


async def _page(asked: Asked, verb: Callable[..., Any]) -> tuple[list[Any], str | None]:
    """Return a page, and the id after which the next one begins; None for the last one."""
    chosen = asked.query.model_dump(exclude={"limit", "after"}, exclude_none=True)
    limit: int = asked.query.limit
    after: str = asked.query.after or ""
    found: list[Any] = await asked.run(verb, **chosen, after=after, limit=limit + 1)
    page = found[:limit]
    return page, page[-1].id if len(found) > limit else None


# --- The table -------------------------------------------------------------------------------

_READ, _WRITE, _REFUND = ApiScope.READ, ApiScope.WRITE, ApiScope.REFUND

ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    Endpoint(
        method="POST",
        path="/v1/prepayments",
        name="create_prepayment",
        summary="Make a prepayment (an entry), and its payment link.",
        scope=_WRITE,
        answer=create_prepayment,
        answers=resources.PrepaymentBody,
        status=201,
        takes=requests.PrepaymentRequest,
        leads_to=("read_prepayment",),
    ),
    Endpoint(
        method="GET",
        path="/v1/prepayments",
        name="list_prepayments",
        summary="List prepayments, the newest first.",
        scope=_READ,
        answer=list_prepayments,
        answers=resources.PrepaymentPage,
        asks=requests.PrepaymentQuery,
    ),
    Endpoint(
        method="GET",
        path="/v1/prepayments/{prepayment_id}",
        name="read_prepayment",
        summary="Read a prepayment, by its id.",
        scope=_READ,
        answer=read_prepayment,
        answers=resources.PrepaymentBody,
    ),
    Endpoint(
        method="POST",
        path="/v1/invoices",
        name="create_invoice",
        summary="Issue an invoice, and make its payment link.",
        scope=_WRITE,
        answer=create_invoice,
        answers=resources.InvoiceBody,
        status=201,
        takes=requests.InvoiceRequest,
        leads_to=("read_invoice",),
    ),
    Endpoint(
        method="GET",
        path="/v1/invoices",
        name="list_invoices",
        summary="List invoices, the last issued first.",
        scope=_READ,
        answer=list_invoices,
        answers=resources.InvoicePage,
        asks=requests.InvoiceQuery,
    ),
    Endpoint(
        method="GET",
        path="/v1/invoices/{invoice_id}",
        name="read_invoice",
        summary="Read an invoice, by its id or number.",
        scope=_READ,
        answer=read_invoice,
        answers=resources.InvoiceBody,
    ),
    Endpoint(
        method="POST",
        path="/v1/links",
        name="create_link",
        summary="Make a payment link.",
        scope=_WRITE,
        answer=create_link,
        answers=resources.LinkBody,
        status=201,
        takes=requests.LinkRequest,
        leads_to=("read_link", "revoke_link", "reissue_link"),
    ),
    Endpoint(
        method="GET",
        path="/v1/links",
        name="list_links",
        summary="List payment links, the newest first.",
        scope=_READ,
        answer=list_links,
        answers=resources.LinkPage,
        asks=requests.LinkQuery,
    ),
    Endpoint(
        method="GET",
        path="/v1/links/{link_id}",
        name="read_link",
        summary="Read a payment link, by its id.",
        scope=_READ,
        answer=read_link,
        answers=resources.LinkBody,
    ),
    Endpoint(
        method="POST",
        path="/v1/links/{link_id}/revoke",
        name="revoke_link",
        summary="Revoke a payment link; it leads nowhere from now on.",
        scope=_WRITE,
        answer=revoke_link,
        answers=resources.LinkBody,
        takes=requests.RevokeRequest,
    ),
    Endpoint(
        method="POST",
        path="/v1/links/{link_id}/reissue",
        name="reissue_link",
        summary="Give a payment link another address; the earlier one leads nowhere.",
        scope=_WRITE,
        answer=reissue_link,
        answers=resources.LinkBody,
        takes=requests.ReissueRequest,
    ),
    Endpoint(
        method="GET",
        path="/v1/payments",
        name="list_payments",
        summary="List payments, the newest first.",
        scope=_READ,
        answer=list_payments,
        answers=resources.PaymentListPage,
        asks=requests.PaymentQuery,
    ),
    Endpoint(
        method="GET",
        path="/v1/payments/{payment_id}",
        name="read_payment",
        summary="Read a payment, by its id.",
        scope=_READ,
        answer=read_payment,
        answers=resources.PaymentBody,
    ),
    Endpoint(
        method="POST",
        path="/v1/payments/{payment_id}/refunds",
        name="create_refund",
        summary="Send money of a payment back to the payer.",
        scope=_REFUND,
        answer=create_refund,
        answers=resources.RefundBody,
        status=201,
        takes=requests.RefundRequest,
    ),
    Endpoint(
        method="GET",
        path="/v1/payments/{payment_id}/receipt.pdf",
        name="read_receipt",
        summary="Get the payment receipt as PDF.",
        scope=_READ,
        answer=read_receipt,
        answers=None,
        asks=requests.PaperQuery,
        media_type="application/pdf",
    ),
    Endpoint(
        method="GET",
        path="/v1/payments/{payment_id}/slip.pdf",
        name="read_slip",
        summary="Get the slip to pay at a counter as PDF.",
        scope=_READ,
        answer=read_slip,
        answers=None,
        asks=requests.PaperQuery,
        media_type="application/pdf",
    ),
    Endpoint(
        method="GET",
        path="/v1/customers/{customer_id}/statement.pdf",
        name="read_statement",
        summary="Get the account statement of a customer as PDF.",
        scope=_READ,
        answer=read_statement,
        answers=None,
        asks=requests.StatementQuery,
        media_type="application/pdf",
    ),
    Endpoint(
        method="GET",
        path="/v1/events",
        name="list_events",
        summary="List events, the oldest first.",
        scope=_READ,
        answer=list_events,
        answers=resources.EventPage,
        asks=requests.EventQuery,
    ),
)
"""Every endpoint."""


def by_path(endpoints: Iterable[Endpoint]) -> dict[str, dict[str, Endpoint]]:
    """Return *endpoints* by path and method."""
    found: dict[str, dict[str, Endpoint]] = {}
    for each in endpoints:
        found.setdefault(each.path, {})[each.method] = each
    return found
