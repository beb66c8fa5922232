"""What an invoice shows, as text in the order in which it is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from paygate.domain.invoice import InvoiceStatus

if TYPE_CHECKING:
    from datetime import date
    from decimal import Decimal

    from paygate.domain.customer import Customer
    from paygate.domain.document import Letterhead
    from paygate.domain.invoice import Invoice
    from paygate.domain.invoice_lines import InvoiceLine, InvoiceText
    from paygate.domain.money import Money


@dataclass(frozen=True, slots=True)
class SheetLine:
    """A line of the table: texts, of which some may be empty."""

    description: str
    period: str
    quantity: str
    unit_price: str
    amount: str


@dataclass(frozen=True, slots=True)
class SheetSum:
    """A sum below the table; *strong* for the total and what is to be paid."""

    label: str
    amount: str
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Scan:
    """What the code on the sheet is for: a transfer, or a page to pay on."""

    caption: str
    payload: str
    amount: Money | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceSheet:
    """An invoice as it is read from top to bottom."""

    title: str
    mark: str
    letterhead: Letterhead
    recipient: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    lines: tuple[SheetLine, ...]
    sums: tuple[SheetSum, ...]
    scan: Scan | None
    language: str

    @property
    def with_quantities(self) -> bool:
        """Whether any line has a quantity or a unit price to show."""
        return any(each.quantity or each.unit_price for each in self.lines)


_MARKS: Final = {
    InvoiceStatus.DRAFT: "Draft, not an invoice",
    InvoiceStatus.VOID: "Void",
}


def sheet_of(
    invoice: Invoice,
    text: InvoiceText,
    letterhead: Letterhead,
    customer: Customer | None,
    *,
    issued: date,
    pay_url: str = "",
) -> InvoiceSheet:
    """Return what the document of an invoice shows; *pay_url* leads to a page to pay on."""
    locale = letterhead.locale
    draft = invoice.status is InvoiceStatus.DRAFT
    facts = [("Invoice number", "" if draft else invoice.number)]
    facts += [("Date of issue", "" if draft else _day(issued, locale))]
    facts += [("Due date", _day(invoice.due, locale)), ("Customer number", invoice.customer)]
    lines = tuple(_line(each, locale) for each in text.lines)
    if not text:
        lines = (SheetLine("Amount", "", "", "", invoice.total.format(locale)),)
    return InvoiceSheet(
        title="Draft of an invoice" if draft else f"Invoice {invoice.number}",
        mark=_MARKS.get(invoice.status, ""),
        letterhead=letterhead,
        recipient=_recipient(customer),
        facts=tuple((label, value) for label, value in facts if value),
        lines=lines,
        sums=_sums(invoice, text, locale),
        scan=_scan(invoice, letterhead, pay_url),
        language="en",
    )


def _line(line: InvoiceLine, locale: str) -> SheetLine:
    period = ""
    if line.period is not None:
        first, last = (_day(each, locale) for each in line.period)
        period = f"{first} to {last}" if first != last else first
    quantity = ""
    if line.unit_price is not None or line.quantity != 1 or line.unit:
        quantity = f"{_number(line.quantity, locale)} {line.unit}".strip()
    price = "" if line.unit_price is None else _number(line.unit_price, locale, least=2)
    return SheetLine(line.description, period, quantity, price, line.amount.format(locale))


def _sums(invoice: Invoice, text: InvoiceText, locale: str) -> tuple[SheetSum, ...]:
    found: list[SheetSum] = []
    if text.tax:
        found.append(SheetSum("Net amount", text.net.format(locale)))
    for tax in text.tax:
        rate = f"{_number(tax.rate, locale)} %"
        found.append(
            SheetSum(f"{tax.name} {rate} of {tax.base.format(locale)}", tax.amount.format(locale))
        )
    found.append(SheetSum("Total", invoice.total.format(locale), strong=True))
    if invoice.allocated:
        found.append(SheetSum("Paid", (-invoice.allocated).format(locale)))
    if invoice.written_off:
        found.append(SheetSum("Written off", (-invoice.written_off).format(locale)))
    if invoice.allocated or invoice.written_off:
        found.append(SheetSum("To be paid", invoice.open.format(locale), strong=True))
    return tuple(found)


def _scan(invoice: Invoice, letterhead: Letterhead, pay_url: str) -> Scan | None:
    if not invoice.open.minor:
        return None
    if pay_url:
        return Scan("Scan to pay online", pay_url)
    if letterhead.iban and invoice.total.currency == "EUR":
        return Scan("Scan with your banking app", invoice.number, invoice.open)
    return None


def _recipient(customer: Customer | None) -> tuple[str, ...]:
    if customer is None:
        return ()
    address = customer.address
    found = [customer.name]
    place = f"{address.postal_code} {address.city}".strip()
    region = f"{place}, {address.region}" if address.region else place
    found += [address.line1, address.line2, region, address.country]
    return tuple(each for each in found if each)


def _day(day: date, locale: str) -> str:
    from babel.dates import format_date

    return format_date(day, "long", locale=locale)


def _number(value: Decimal, locale: str, *, least: int = 0) -> str:
    from babel.numbers import format_decimal

    pattern = f"#,##0.{'0' * least}{'#' * (18 - least)}"
    return format_decimal(value, pattern, locale=locale)
