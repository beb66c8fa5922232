"""Papers for the payer as PDF: payment receipt, slip and account statement.

They say what the pages say, in the languages of the pages, and take nothing but records: whoever
has a cashier, such as the API, the pages or a portal, reads these and passes them on. The PDF is
not tagged; the page to print is the accessible form. They need the extra ``documents``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from paygate.documents.paper import Paper, PaperColumn, PaperHead
from paygate.domain.statement import StatementKind
from paygate.errors import InvalidValue
from paygate.slips import code128_modules, qr_modules
from paygate.slips.barcodes import CODE128_LENGTH_MAX
from paygate.web.languages import language as language_of
from paygate.web.pages.names import in_groups
from paygate.web.pages.showing import receipt_view
from paygate.web.texts import text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paygate.documents.paper import PaperSize
    from paygate.domain.action import ShowVoucher
    from paygate.domain.customer import Customer
    from paygate.domain.invoice import Invoice
    from paygate.domain.money import Money
    from paygate.domain.payment import Payment
    from paygate.domain.receipt import Receipt
    from paygate.domain.statement import AccountStatement, StatementLine
    from paygate.web.languages import Language
    from paygate.web.settings import WebSettings
    from paygate.web.texts import Text

MEDIA_TYPE: Final = "application/pdf"

_BARS_MM: Final = (150, 20)
_QR_MM: Final = 30


def receipt_pdf(
    web: WebSettings,
    payment: Payment,
    receipts: Sequence[Receipt],
    invoices: Mapping[str, Invoice],
    *,
    language: str = "en",
    size: PaperSize = "a4",
    payer: Customer | None = None,
) -> bytes:
    """
    Return the payment receipt of *payment* as PDF; *invoices* are those that it is for, by number.

    *payer* is named on it; leave it out if the paper can get into anybody's hands. Raises
    `InvalidValue` if no money has come in, or for a letter that the font does not have.
    """
    if not any(each.kind.inward for each in receipts):
        raise InvalidValue(
            f"no money came in for payment {payment.id}, so there is no receipt",
            argument="payment",
        )
    reader = language_of(language, web.zone)
    view = receipt_view(web, payment, receipts, invoices)
    title = text("Receipt {number}", number=view.number)
    paper = _paper(web, reader, title, size=size, recipient=_recipient(payer))
    paper.lead(reader.plain(text("Amount received")), reader.value(view.received))
    for fact in view.facts:
        paper.fact(reader.plain(fact.label), reader.value(fact.value))
    paper.heading(reader.plain(text("What it was used for")))
    names = (text("Invoice"), text("Due"), text("Total"), text("Paid now"), text("Still open"))
    shares = (0.28, 0.18, 0.18, 0.18, 0.18)
    paper.table(
        [
            PaperColumn(reader.plain(name), share, numeric=place > 1)
            for place, (name, share) in enumerate(zip(names, shares, strict=True))
        ]
    )
    for row in view.rows:
        due = "" if row.due is None else reader.value(row.due)
        amounts = (row.total, row.paid, row.open)
        paper.row(
            [row.number, due, *("" if each is None else reader.value(each) for each in amounts)]
        )
    if view.credit is not None:
        kept = reader.plain(text("Kept as credit for your next invoice"))
        paper.row([kept, "", "", reader.value(view.credit), ""])
    paper.row([reader.plain(text("Total")), "", "", reader.value(view.received), ""], strong=True)
    paper.end_table()
    thanks = text(
        "Thank you. This receipt confirms money that we have received; it is not a tax invoice."
    )
    paper.paragraph(reader.plain(thanks), soft=True)
    return paper.finish()


def slip_pdf(
    web: WebSettings,
    payment: Payment,
    voucher: ShowVoucher,
    *,
    page: str = "",
    language: str = "en",
    size: PaperSize = "a4",
) -> bytes:
    """
    Return the slip of *payment* as PDF, to pay at a counter.

    *voucher* is the payer's next step, and *page* the address of the payment's page, to which the
    QR code leads back.
    """
    reader = language_of(language, web.zone)
    paper = _paper(web, reader, text("Cash payment slip"), size=size)
    paper.paragraph(reader.plain(text("Show this slip at the counter.")))
    if payment.expires_at is not None:
        until = text("Valid until {date}.", date=web.local_date(payment.expires_at))
        paper.paragraph(reader.plain(until))
    paper.paragraph(reader.plain(text("This is a request to pay, not a receipt.")), strong=True)
    paper.lead(reader.plain(text("Amount to pay")), reader.value(payment.amount))
    paper.fact(reader.plain(text("Pay to")), reader.value(web.payee))
    numbers = ", ".join(each.invoice for each in payment.items)
    if numbers:
        paper.fact(reader.plain(text("For")), reader.value(numbers))
    paper.fact(reader.plain(text("Reference")), in_groups(payment.short_reference))
    bars = voucher.barcode or voucher.reference
    if 0 < len(bars) <= CODE128_LENGTH_MAX and bars.isascii() and bars.isprintable():
        paper.heading(reader.plain(text("Barcode")))
        wide, high = _BARS_MM
        paper.modules([code128_modules(bars)], wide=wide, high=high)
    paper.paragraph(voucher.reference, strong=True)
    paper.heading(reader.plain(text("At the counter")))
    scan = text(
        "Say that you pay a bill with a barcode, and have it scanned. If it cannot be read, have"
        " the number typed in."
    )
    paper.paragraph(f"1. {reader.plain(scan)}")
    cash = text(
        "Pay {amount} in cash. Keep the receipt of the store: it is your proof.",
        amount=payment.amount,
    )
    paper.paragraph(f"2. {reader.plain(cash)}")
    if voucher.instructions:
        paper.paragraph(reader.value(voucher.instructions))
    other = text(
        "If you pay another way first, throw this slip away. Money that is paid on it after that is"
        " kept as credit."
    )
    paper.paragraph(reader.plain(other), soft=True)
    if page:
        paper.heading(reader.plain(text("State of this payment")))
        paper.modules(qr_modules(page), wide=_QR_MM)
    return paper.finish()


_WHAT: Final[Mapping[StatementKind, Text]] = {
    StatementKind.INVOICE: text("Invoice"),
    StatementKind.VOID: text("Invoice canceled"),
    StatementKind.PAYMENT: text("Payment, thank you"),
    StatementKind.REFUND: text("Sent back to you"),
    StatementKind.RETURN: text("Payment returned"),
    StatementKind.GIVEN_BACK: text("Came in again"),
    StatementKind.WRITE_OFF: text("Written off"),
    StatementKind.OTHER: text("Correction"),
}


class StatementPaper:
    """The account statement of a customer, which takes page after page of `Cashier.statement`.

    Each currency begins on a page of its own, with its opening balance, and ends with its closing
    balance. It keeps no line that it has drawn.
    """

    def __init__(
        self,
        web: WebSettings,
        *,
        language: str = "en",
        size: PaperSize = "a4",
        customer: Customer | None = None,
    ) -> None:
        self._web = web
        self._reader = reader = language_of(language, web.zone)
        title = text("Account statement")
        self._paper = _paper(web, reader, title, size=size, recipient=_recipient(customer))
        self._currency = ""
        self._closing: Money | None = None

    def add(self, page: AccountStatement) -> None:
        """Draw a page of lines; the first one of a currency begins its account."""
        if page.currency != self._currency:
            self._end()
            self._begin(page)
        balance = page.opening
        for line in page.lines:
            balance += line.amount
            self._line(line, balance)
        self._closing = page.closing

    def finish(self) -> bytes:
        """Return the PDF."""
        self._end()
        return self._paper.finish()

    def _begin(self, page: AccountStatement) -> None:
        reader, paper = self._reader, self._paper
        if self._currency:
            paper.next_page()
        self._currency = page.currency
        paper.heading(page.currency)
        if page.since is not None:
            paper.fact(reader.plain(text("Beginning")), reader.value(page.since))
        if page.until is not None:
            paper.fact(reader.plain(text("To, not included")), reader.value(page.until))
        paper.fact(reader.plain(text("Customer number")), reader.value(page.customer))
        names = (
            *(text("Date"), text("What"), text("Number")),
            *(text("You owe"), text("You paid"), text("Balance")),
        )
        shares = (0.16, 0.25, 0.14, 0.15, 0.15, 0.15)
        paper.table(
            [
                PaperColumn(reader.plain(name), share, numeric=place > 2)
                for place, (name, share) in enumerate(zip(names, shares, strict=True))
            ]
        )
        opening = reader.plain(text("Opening balance"))
        paper.row(["", opening, "", "", "", reader.value(page.opening)], strong=True)

    def _line(self, line: StatementLine, balance: Money) -> None:
        reader = self._reader
        what = reader.plain(_WHAT[line.kind])
        if line.reference:
            what = f"{what}\n{in_groups(line.reference)}"
        owed = reader.value(line.amount) if line.amount.minor > 0 else ""
        paid = reader.value(-line.amount) if line.amount.minor < 0 else ""
        date_ = reader.value(line.effective)
        self._paper.row([date_, what, line.number, owed, paid, reader.value(balance)])

    def _end(self) -> None:
        if self._closing is None:
            return
        reader = self._reader
        closing = reader.plain(text("Closing balance"))
        self._paper.row(["", closing, "", "", "", reader.value(self._closing)], strong=True)
        self._paper.end_table()
        if self._closing.minor < 0:
            credit = text("A balance below zero is your credit.")
            self._paper.paragraph(reader.plain(credit), soft=True)
        self._closing = None


def _paper(
    web: WebSettings,
    reader: Language,
    title: Text,
    *,
    size: PaperSize,
    recipient: Sequence[str] = (),
) -> Paper:
    shown = reader.plain(title)

    def footer(number: int) -> str:
        page = text("Page {n}", n=number)
        return f"{shown} · {reader.plain(page)}"

    head = PaperHead(
        title=shown,
        payee=reader.value(web.payee),
        lines=[reader.value(each) for each in (*web.legal_lines, web.support_email) if each],
        recipient=recipient,
        footer=footer,
        size=size,
        language=reader.code,
        right_to_left=reader.right_to_left,
    )
    return Paper(head)


def _recipient(customer: Customer | None) -> tuple[str, ...]:
    if customer is None:
        return ()
    address = customer.address
    place = f"{address.postal_code} {address.city}".strip()
    lines = (customer.name, address.line1, address.line2, place, address.region, address.country)
    return tuple(each for each in lines if each)
