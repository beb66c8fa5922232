"""What became of a member's money: their payments, receipts to print, and credit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from paygate.domain.credit import CreditReason
from paygate.domain.payment import PaymentStatus
from paygate.errors import PageKeysMissing, RecordNotFound
from paygate.web.pages.names import in_groups, paid_with, receipt_number
from paygate.web.pages.showing import Shown, receipt_of
from paygate.web.pages.standing import gone_back
from paygate.web.pages.states import PageState
from paygate.web.pages.views import Fact, Link
from paygate.web.portal.owned import payment_of
from paygate.web.portal.serving import GoTo
from paygate.web.portal.tags import tag_of_payment
from paygate.web.portal.views import Leads, Listing, Notice, PaymentLine
from paygate.web.texts import text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paygate.domain.credit import Credit
    from paygate.domain.customer import Customer
    from paygate.domain.invoice import Invoice
    from paygate.domain.payment import Payment
    from paygate.domain.receipt import Receipt
    from paygate.web.pages.views import ReceiptView
    from paygate.web.portal.visit import PortalVisit
    from paygate.web.texts import Text

_PAGE: Final = 20
_GOES_ON: Final = frozenset(
    {PaymentStatus.PROCESSING, PaymentStatus.REQUIRES_ACTION, PaymentStatus.UNKNOWN}
)
_ORIGINS: Final[Mapping[CreditReason, Text]] = {
    CreditReason.OVERPAYMENT: text("You paid more than was due"),
    CreditReason.TOP_UP: text("You paid it for your balance"),
    CreditReason.ALREADY_PAID: text("The invoice had been paid already"),
    CreditReason.BEING_PAID: text("Another payment was under way"),
    CreditReason.NOT_OWED: text("The invoice was not owed any more"),
    CreditReason.INVOICE_VOIDED: text("The invoice was withdrawn"),
    CreditReason.PREPAYMENT_REST: text("Your prepayment was more than the invoice"),
    CreditReason.PREPAYMENT_CLOSED: text("Your prepayment was closed"),
    CreditReason.RETURNED: text("Money was sent back that you had used"),
}


async def payment_lines(visit: PortalVisit, payments: Sequence[Payment]) -> list[PaymentLine]:
    """Return *payments* as lines of a list."""
    return [await _line(visit, each) for each in payments]


async def _line(visit: PortalVisit, payment: Payment) -> PaymentLine:
    receipts: Sequence[Receipt] = await visit.run(visit.cashier.receipts, payment)
    came = [each for each in receipts if each.kind.inward]
    taken = gone_back(payment, receipts).taken.minor > 0
    tag = tag_of_payment(payment, taken=taken)
    page = visit.at(f"/payments/{payment.id}")
    made = visit.reader.local_date(payment.created_at) if payment.created_at else None
    return PaymentLine(
        on=came[0].effective if came else made,
        numbers=", ".join(each.invoice for each in payment.items),
        amount=payment.received if payment.received.minor else payment.amount,
        tag=tag,
        leads=Leads(text("Receipt"), f"{page}/receipt")
        if came and tag is None
        else Leads(text("Details"), page),
    )


async def show_payments(visit: PortalVisit) -> Listing:
    """Return a page of the member's payments, the newest first."""
    found: Sequence[Payment] = await visit.run(
        visit.cashier.payments,
        customer=visit.member.customer,
        after=visit.query.get("after", ""),
        limit=_PAGE,
    )
    lines = await payment_lines(visit, found)
    more: list[Leads] = []
    if len(found) == _PAGE:
        more = [Leads(text("Older payments"), visit.at(f"/payments?after={found[-1].id}"))]
    return Listing(
        title=text("Payments"),
        heads=[text("Date"), text("For"), text("Amount"), text("State"), text("More")],
        rows=[[each.on, each.numbers, each.amount, each.tag, each.leads] for each in lines],
        empty=text("You have not paid anything yet."),
        numbers=frozenset({2}),
        leads=[*more, _back(visit)],
    )


async def show_payment(visit: PortalVisit) -> Notice:
    """Return what became of one payment, with ways to its receipt and its page."""
    payment = await payment_of(visit)
    receipts: Sequence[Receipt] = await visit.run(visit.cashier.receipts, payment)
    back = gone_back(payment, receipts)
    came = [each for each in receipts if each.kind.inward]
    made = [Fact(text("Date"), payment.created_at)] if payment.created_at else []
    facts = [
        Fact(text("Amount"), payment.amount),
        *made,
        Fact(text("Paid with"), paid_with(payment, visit.web)),
        Fact(text("Reference"), in_groups(payment.short_reference)),
    ]
    numbers = ", ".join(each.invoice for each in payment.items)
    if numbers:
        facts.insert(1, Fact(text("Invoices"), numbers))
    if came:
        facts.append(Fact(text("Receipt"), receipt_number(came[0])))
    if payment.returned.minor:
        facts.append(Fact(text("Sent back"), payment.returned))
    if payment.credited.minor:
        facts.append(Fact(text("Kept as credit"), payment.credited))
    leads = [_back(visit)]
    if came:
        receipt = visit.at(f"/payments/{payment.id}/receipt")
        leads.insert(0, Leads(text("Receipt to print"), receipt))
    going_on = payment.status in _GOES_ON
    return Notice(
        title=text("Payment of {amount}", amount=payment.amount),
        tag=tag_of_payment(payment, taken=back.taken.minor > 0),
        calls=(text("Please do not pay again."),) if _is_held(payment) else (),
        facts=facts,
        main=await _page_of(visit, payment) if going_on else None,
        leads=leads,
    )


def _is_held(payment: Payment) -> bool:
    return payment.status in (PaymentStatus.PROCESSING, PaymentStatus.UNKNOWN)


async def _page_of(visit: PortalVisit, payment: Payment) -> tuple[Text, Link] | None:
    """Return the way to the page of a payment that goes on, if it has one."""
    try:
        page = await visit.run(visit.cashier.payment_page, payment)
    except PageKeysMissing:
        return None
    return text("Show its page"), Link(page.address(visit.web.root))


async def show_receipt(visit: PortalVisit) -> ReceiptView | GoTo:
    """Return the receipt of a payment, to print, with the name of the payer."""
    payment = await payment_of(visit)
    page = visit.at(f"/payments/{payment.id}")
    receipts: Sequence[Receipt] = await visit.run(visit.cashier.receipts, payment)
    if not any(each.kind.inward for each in receipts):
        return GoTo(page)
    invoices: dict[str, Invoice] = {}
    for each in payment.items:
        try:
            invoices[each.invoice] = await visit.run(visit.cashier.invoice, each.invoice)
        except RecordNotFound:  # the assignment key of a prepayment
            continue
    shown = Shown(
        payment=payment,
        state=PageState.PAID,
        page=page,
        web=visit.web,
        receipts=receipts,
        home=visit.at("/"),
    )
    return replace(receipt_of(shown, invoices), payer=_payer(visit.known))


def _payer(known: Customer | None) -> tuple[str, ...]:
    if known is None:
        return ()
    place = known.address
    city = " ".join(each for each in (place.city, place.region, place.postal_code) if each)
    lines = (known.name, place.line1, place.line2, city, place.country)
    return tuple(each for each in lines if each)


async def show_credit(visit: PortalVisit) -> Listing:
    """Return the member's credit, with its origin."""
    found: Sequence[Credit] = await visit.run(
        visit.cashier.credits, visit.member.customer, limit=100
    )
    return Listing(
        title=text("Credit"),
        heads=[text("Date"), text("Where it comes from"), text("Amount"), text("Left")],
        rows=[
            [
                visit.reader.local_date(each.created_at),
                _ORIGINS[each.reason],
                each.amount,
                each.free,
            ]
            for each in found
        ],
        empty=text("You have no credit."),
        numbers=frozenset({2, 3}),
        leads=[_back(visit)],
    )


def _back(visit: PortalVisit) -> Leads:
    return Leads(text("Back to your invoices"), visit.at("/"))
