"""Views of the portal: what its pages show, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from paygate.domain.money import Money
    from paygate.web.pages.views import Fact, Problem, Target
    from paygate.web.texts import Text, Value


@dataclass(frozen=True, slots=True)
class Tag:
    """A word that stands out; *tone* is ``good``, ``bad``, ``doubt`` or empty."""

    label: Text
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Leads:
    """A link, or with *danger* one to something that takes a thing away."""

    label: Text
    href: str
    danger: bool = False


@dataclass(frozen=True, slots=True)
class Problems:
    """What is wrong with a form."""

    problems: Sequence[Problem] = ()

    def problem_of(self, field: str) -> Text | None:
        """Return what is wrong with *field*."""
        return next((each.message for each in self.problems if each.field == field), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceLine:
    """An open invoice; without *payable* there is no checkbox, but a link to its payment."""

    number: str
    due: date
    amount: Money
    tag: Tag | None
    payable: bool = True
    chosen: bool = False
    shows: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceForm(Problems):
    """The open invoices of one currency; *everything* is the sum of those that can be paid."""

    currency: str
    action: str
    token: str
    lines: Sequence[InvoiceLine]
    everything: Money
    overdue: bool

    @property
    def payable(self) -> bool:
        """Whether any of them can be paid now."""
        return any(each.payable for each in self.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodLine:
    """A stored method, and what can be done with it."""

    label: Text
    icon: str
    notes: Sequence[Text]
    automatic: Text | None
    leads: Sequence[Leads]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentLine:
    """A payment in a list."""

    on: date | None
    numbers: str
    amount: Money
    tag: Tag | None
    leads: Leads


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The first page: invoices, payments, payment methods and credit."""

    template: ClassVar[str] = "portal_overview.html"
    width: ClassVar[str] = "wide"
    title: Text
    forms: Sequence[InvoiceForm]
    notes: Sequence[tuple[Text, Leads]]
    payments: Sequence[PaymentLine]
    all_payments: str
    methods: Sequence[MethodLine]
    add: str
    stop: str
    credit: Sequence[Money]
    all_credit: str

    @property
    def problems(self) -> Sequence[Problem]:
        """What is wrong with its forms."""
        return [each for form in self.forms for each in form.problems]


@dataclass(frozen=True, slots=True)
class Option:
    """One of several to choose from."""

    value: str
    label: Text
    hint: Text | None = None
    icon: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A group of options, of which one is chosen; *field* is what the form calls it."""

    field: str
    legend: Text
    options: Sequence[Option]
    chosen: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask(Problems):
    """A page that asks: a form with questions, what is agreed, and one button."""

    template: ClassVar[str] = "portal_ask.html"
    width: ClassVar[str] = "narrow"
    title: Text
    token: str
    button: Text
    back: Leads
    danger: bool = False
    action: str = ""
    hidden: Sequence[tuple[str, str]] = ()
    facts: Sequence[Fact] = ()
    notes: Sequence[Text] = ()
    calls: Sequence[Text] = ()
    questions: Sequence[Question] = ()
    agreed: Sequence[Text] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A page that says something: its news, and where to go from there."""

    template: ClassVar[str] = "portal_notice.html"
    width: ClassVar[str] = "narrow"
    title: Text
    tone: str = ""
    calls: Sequence[Text] = ()
    notes: Sequence[Text] = ()
    facts: Sequence[Fact] = ()
    tag: Tag | None = None
    main: tuple[Text, Target] | None = None
    leads: Sequence[Leads] = ()
    refresh: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A page with a table."""

    template: ClassVar[str] = "portal_listing.html"
    width: ClassVar[str] = "wide"
    title: Text
    heads: Sequence[Text]
    rows: Sequence[Sequence[Value | Tag | Leads | None]]
    empty: Text
    numbers: frozenset[int]
    leads: Sequence[Leads] = ()


PortalView: TypeAlias = Overview | Ask | Notice | Listing
