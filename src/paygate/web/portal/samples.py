"""Samples of the portal: a view of each page and of what is special, for those who look at them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final

from paygate.domain.money import Money
from paygate.web.pages.offering import CHOOSE_A_WAY
from paygate.web.pages.views import Fact, Link, Post, Problem
from paygate.web.portal.member import Member
from paygate.web.portal.views import (
    Ask,
    InvoiceForm,
    InvoiceLine,
    Leads,
    Listing,
    MethodLine,
    Notice,
    Option,
    Overview,
    PaymentLine,
    Question,
    Tag,
)
from paygate.web.texts import several, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.web.portal.views import PortalView

MEMBER: Final = Member(customer="C-1", session="sample", name="Maria Lindqvist")
"""The member who is signed in on the samples."""

_AT: Final = "/billing/"
_USD: Final = "USD"
_VISA: Final = text("{brand} ending {digits}", brand="Visa", digits="4242")
_BANK: Final = text("{brand} ending {digits}", brand=text("Bank account"), digits="6789")
_BACK: Final = Leads(text("Back to your invoices"), _AT)
_TOKEN: Final = "sample"  # noqa: S105  (a sample is never accepted)


def _usd(amount: str) -> Money:
    return Money.of(_USD, amount)


_OVERDUE: Final = Tag(several("{n} day overdue", "{n} days overdue", 17), "bad")
_SOON: Final = Tag(several("Due in {n} day", "Due in {n} days", 2))
_PAID_NOW: Final = Tag(text("Being paid"), "doubt")
_LINES: Final = (
    InvoiceLine(
        number="INV-1041", due=date(2026, 11, 12), amount=_usd("25.00"), tag=_OVERDUE, chosen=True
    ),
    InvoiceLine(
        number="INV-1052", due=date(2026, 12, 1), amount=_usd("30.00"), tag=_SOON, chosen=True
    ),
    InvoiceLine(number="INV-1053", due=date(2026, 12, 1), amount=_usd("12.50"), tag=_SOON),
    InvoiceLine(
        number="INV-1054",
        due=date(2026, 12, 5),
        amount=_usd("18.00"),
        tag=_PAID_NOW,
        payable=False,
    ),
)
_FORM: Final = InvoiceForm(
    currency=_USD,
    action="/billing/pay",
    token=_TOKEN,
    lines=_LINES,
    everything=_usd("67.50"),
    overdue=True,
)
_PAYMENTS: Final = (
    PaymentLine(
        on=date(2026, 10, 29),
        numbers="INV-1027",
        amount=_usd("30.00"),
        tag=None,
        leads=Leads(text("Receipt"), _AT),
    ),
    PaymentLine(
        on=date(2026, 10, 2),
        numbers="INV-1019",
        amount=_usd("30.00"),
        tag=Tag(text("Returned"), "bad"),
        leads=Leads(text("Details"), _AT),
    ),
)
_REPLACE: Final = Leads(text("Replace"), _AT)
_DELETE: Final = Leads(text("Delete"), _AT, danger=True)
_OVERVIEW: Final = Overview(
    title=text("Invoices and payments"),
    forms=(_FORM,),
    notes=(
        (
            text("{number} is being paid. Please do not pay it again.", number="INV-1054"),
            Leads(text("Show the state of {number}", number="INV-1054"), _AT),
        ),
    ),
    payments=_PAYMENTS,
    all_payments=_AT,
    methods=(
        MethodLine(
            label=_BANK,
            icon="bank",
            notes=(),
            automatic=text("new invoices, from {date}", date=date(2026, 12, 1)),
            leads=(_REPLACE, _DELETE),
        ),
        MethodLine(
            label=_VISA,
            icon="card",
            notes=(text("Expires {month}", month="04/2029"),),
            automatic=None,
            leads=(Leads(text("Use automatically"), _AT), _REPLACE, _DELETE),
        ),
    ),
    add=_AT,
    stop=_AT,
    credit=(_usd("2.50"),),
    all_credit=_AT,
)
_WHAT: Final = Question(
    field="scope",
    legend=text("What may be paid with it automatically?"),
    options=(
        Option("future", text("New invoices only"), text("Each on its due date")),
        Option(
            "future_and_pending",
            text("New invoices, and what is open now"),
            text(
                "{sums} for {numbers}, each on its due date",
                sums=_usd("67.50"),
                numbers="INV-1041, INV-1052, INV-1053",
            ),
        ),
        Option("nothing", text("Nothing"), text("Only when I pay myself")),
    ),
)
_AGREED: Final = (
    text(
        "I authorize {payee} to charge this payment method for what I chose above, until I delete "
        "it here or stop automatic payments. I can do that at any time.",
        payee="Alder Telecom",
    ),
    text("We keep the date and this text with your agreement."),
)
_ADD: Final = Ask(
    title=text("Add a payment method"),
    token=_TOKEN,
    button=text("Continue"),
    back=_BACK,
    notes=(
        text(
            "You enter its details at the payment processor. {payee} never sees them.",
            payee="Alder Telecom",
        ),
    ),
    questions=(
        Question(
            field="kind",
            legend=text("What do you want to store?"),
            options=(
                Option("card/card", text("Card"), icon="card"),
                Option("bank/e_check", text("Bank account"), icon="bank"),
            ),
        ),
        _WHAT,
    ),
    agreed=_AGREED,
)
_PAYING: Final = Ask(
    title=text("Pay {amount} to {payee}", amount=_usd("55.00"), payee="Alder Telecom"),
    token=_TOKEN,
    button=text("Pay {amount}", amount=_usd("55.00")),
    back=Leads(text("Back"), _AT),
    facts=(
        Fact(
            text("{number}, due {date}", number="INV-1041", date=date(2026, 11, 12)),
            _usd("25.00"),
        ),
        Fact(
            text("{number}, due {date}", number="INV-1052", date=date(2026, 12, 1)), _usd("30.00")
        ),
    ),
    questions=(
        Question(
            field="via",
            legend=text("How do you want to pay?"),
            options=(
                Option("met_1", _BANK, icon="bank"),
                Option("met_2", _VISA, icon="card"),
                Option("another", text("Another way"), text("You choose on the next page")),
            ),
        ),
    ),
)
_GO: Final = Notice(
    title=text("Continue at {processor}", processor="Authorize.Net"),
    notes=(text("Nothing is charged."),),
    main=(
        text("Continue at {processor}", processor="Authorize.Net"),
        Post("https://processor.example/form", {"token": "t"}, external=True),
    ),
    leads=(_BACK,),
)

PORTAL_SAMPLES: Final[Mapping[str, PortalView]] = {
    "portal-overview": _OVERVIEW,
    "portal-wrong": replace(
        _OVERVIEW,
        forms=(
            replace(
                _FORM,
                lines=tuple(replace(each, chosen=False) for each in _LINES),
                problems=(Problem("invoices-USD", text("Choose at least one invoice")),),
            ),
        ),
    ),
    "portal-empty": replace(
        _OVERVIEW, forms=(), notes=(), payments=(), methods=(), stop="", credit=()
    ),
    "portal-paying": _PAYING,
    "portal-paying-wrong": replace(_PAYING, problems=(Problem("via", CHOOSE_A_WAY),)),
    "portal-changed": replace(
        _PAYING,
        title=text("The amount has changed"),
        calls=(
            text("It was {old}; it is now {new}.", old=_usd("55.00"), new=_usd("45.00")),
            text("Nothing was charged."),
        ),
    ),
    "portal-busy": Notice(
        title=text("This is already being paid"),
        tone="doubt",
        calls=(text("Please do not pay again."),),
        main=(text("Show that payment"), Link(_AT)),
        leads=(Leads(text("Back"), _AT),),
    ),
    "portal-add": _ADD,
    "portal-add-wrong": replace(
        _ADD,
        problems=(
            Problem("kind", text("Choose what you want to store")),
            Problem("scope", text("Choose what may be paid automatically")),
        ),
    ),
    "portal-go": _GO,
    "portal-came-back": replace(_GO, title=text("It is not stored yet")),
    "portal-stored": Notice(
        title=text("Your payment method is stored"),
        tone="good",
        notes=(
            text("{method} is stored at the payment processor.", method=_VISA),
            text("Your invoices are paid with it automatically."),
        ),
        leads=(_BACK,),
    ),
    "portal-not-stored": Notice(
        title=text("It was not stored"),
        tone="bad",
        notes=(text("Nothing was changed."),),
        leads=(Leads(text("Add a payment method"), _AT), _BACK),
    ),
    "portal-doubt": Notice(
        title=text("We do not know yet whether it was stored"),
        tone="doubt",
        notes=(text("We keep asking the payment processor."),),
        main=(text("Check again"), Link(_AT)),
        leads=(_BACK,),
    ),
    "portal-use": Ask(
        title=text("Allow automatic payments"),
        token=_TOKEN,
        button=text("Allow"),
        back=_BACK,
        notes=(_VISA,),
        questions=(replace(_WHAT, options=_WHAT.options[:2]),),
        agreed=_AGREED,
    ),
    "portal-delete": Ask(
        title=text("Delete {method}?", method=_VISA),
        token=_TOKEN,
        button=text("Delete"),
        danger=True,
        back=_BACK,
        notes=(
            text("It is deleted at the payment processor, too."),
            text("Automatic payments stop. You pay each invoice yourself."),
        ),
    ),
    "portal-stop": Ask(
        title=text("Stop automatic payments"),
        token=_TOKEN,
        button=text("Stop automatic payments"),
        danger=True,
        back=_BACK,
        notes=(text("A payment that is under way still finishes."),),
    ),
    "portal-payments": Listing(
        title=text("Payments"),
        heads=(text("Date"), text("For"), text("Amount"), text("State"), text("More")),
        rows=tuple(
            (each.on or "", each.numbers, each.amount, each.tag, each.leads) for each in _PAYMENTS
        ),
        empty=text("You have not paid anything yet."),
        numbers=frozenset({2}),
        leads=(Leads(text("Older payments"), _AT), _BACK),
    ),
    "portal-payment": Notice(
        title=text("Payment of {amount}", amount=_usd("30.00")),
        tag=Tag(text("On its way"), "doubt"),
        calls=(text("Please do not pay again."),),
        facts=(
            Fact(text("Amount"), _usd("30.00")),
            Fact(text("Invoices"), "INV-1054"),
            Fact(text("Date"), datetime(2026, 11, 28, 10, 42, tzinfo=UTC)),
            Fact(text("Paid with"), _BANK),
            Fact(text("Reference"), "7KQ2-M4TD"),
        ),
        main=(text("Show its page"), Link(_AT)),
        leads=(_BACK,),
    ),
    "portal-credit": Listing(
        title=text("Credit"),
        heads=(text("Date"), text("Where it comes from"), text("Amount"), text("Left")),
        rows=(
            (
                date(2026, 10, 29),
                text("You paid more than was due"),
                _usd("2.50"),
                _usd("2.50"),
            ),
        ),
        empty=text("You have no credit."),
        numbers=frozenset({2, 3}),
        leads=(_BACK,),
    ),
    "portal-signed-out": Notice(
        title=text("You were signed out"),
        calls=(text("Nothing was paid."),),
        main=(text("Sign in"), Link(_AT)),
    ),
    "portal-not-found": Notice(
        title=text("Not found"), notes=(text("It may have been mistyped, or it is not yours."),)
    ),
}
"""A view of each page of the portal, by the name under which it is shown."""
