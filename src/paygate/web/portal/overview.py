"""The overview: what a member owes, paid and stored, on one page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from paygate.domain.money import Money
from paygate.web.portal.history import payment_lines
from paygate.web.portal.method_lines import method_lines
from paygate.web.portal.owned import open_invoices
from paygate.web.portal.tags import is_being_paid, tag_of_invoice
from paygate.web.portal.views import InvoiceForm, InvoiceLine, Leads, Overview
from paygate.web.texts import text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from paygate.domain.invoice import Invoice
    from paygate.domain.payment import Payment
    from paygate.web.portal.visit import PortalVisit
    from paygate.web.texts import Text

PAY: Final = "pay"
"""The page to which the form of the invoices is bound."""

_RECENT: Final = 5


async def show_overview(visit: PortalVisit) -> Overview:
    """Return the first page of the portal, or what is wrong with the form of the invoices."""
    invoices = await open_invoices(visit)
    recent: Sequence[Payment] = await visit.run(
        visit.cashier.payments, customer=visit.member.customer, limit=_RECENT
    )
    methods, automatic = await method_lines(visit)
    balance = await visit.run(visit.cashier.balance, visit.member.customer)
    currencies = list(dict.fromkeys(each.total.currency for each in invoices))
    return Overview(
        title=text("Invoices and payments"),
        forms=[_form(visit, each, invoices) for each in currencies],
        notes=[_being_paid(visit, each) for each in invoices if is_being_paid(each)],
        payments=await payment_lines(visit, recent),
        all_payments=visit.at("/payments"),
        methods=methods,
        add=visit.at("/methods/new"),
        stop=visit.at("/methods/stop") if automatic else "",
        credit=[each for each in balance.values() if each.minor],
        all_credit=visit.at("/credit"),
    )


def _form(visit: PortalVisit, currency: str, invoices: Iterable[Invoice]) -> InvoiceForm:
    own = [each for each in invoices if each.total.currency == currency]
    free = [each for each in own if not is_being_paid(each)]
    asked = visit.given("currency") == currency
    sent = set(visit.all_given("invoice")) if asked and visit.fields else None
    overdue = any(each.is_overdue(visit.today) for each in free)
    return InvoiceForm(
        currency=currency,
        action=visit.at("/pay"),
        token=visit.begin(PAY),
        lines=[_line(visit, each, sent) for each in own],
        everything=Money(currency, sum(each.room.minor for each in free)),
        overdue=overdue,
        problems=visit.problems if asked or not visit.given("currency") else (),
    )


def _line(visit: PortalVisit, invoice: Invoice, sent: set[str] | None) -> InvoiceLine:
    taken = is_being_paid(invoice)
    chosen = invoice.is_overdue(visit.today) if sent is None else invoice.number in sent
    return InvoiceLine(
        number=invoice.number,
        due=invoice.due,
        amount=invoice.open if taken else invoice.room,
        tag=tag_of_invoice(invoice, visit.today),
        payable=not taken,
        chosen=chosen,
    )


def _being_paid(visit: PortalVisit, invoice: Invoice) -> tuple[Text, Leads]:
    shows = invoice.claimed_by[0] if invoice.claimed_by else ""
    return (
        text("{number} is being paid. Please do not pay it again.", number=invoice.number),
        Leads(
            text("Show the state of {number}", number=invoice.number),
            visit.at(f"/payments/{shows}"),
        ),
    )
