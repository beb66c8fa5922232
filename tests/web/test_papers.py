"""Receipts, slips and statements as PDF: what they say, on which paper, in which direction."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from datetime import UTC, date, datetime

import pypdfium2
import pytest

from paygate import (
    AccountStatement,
    Cashier,
    Customer,
    Kind,
    Money,
    Payment,
    PostalAddress,
    StatementKind,
    StatementLine,
)
from paygate.documents.paper import PaperSize
from paygate.domain.action import ShowVoucher
from paygate.errors import InvalidValue
from paygate.testing import FakeClock, FakeGateway
from paygate.web.pages.samples import sample_settings
from paygate.web.papers import StatementPaper, receipt_pdf, slip_pdf

ADDRESS = PostalAddress(line1="12 High Street", city="London", postal_code="SW1Y 4JH")
ADA = Customer("C-1", name="Ada Łovelace", address=ADDRESS)
WEB = sample_settings()


def usd(amount: str) -> Money:
    return Money.of("USD", amount)


@pytest.fixture
def till() -> Iterator[Cashier]:
    clock = FakeClock()
    gateways = {
        "card": FakeGateway(clock=clock),
        "kiosk": FakeGateway(Kind.VOUCHER, clock=clock),
    }
    with Cashier.in_memory(gateways=gateways, clock=clock) as cashier:
        for number in ("INV-1", "INV-2"):
            cashier.issue(number=number, customer=ADA, total=usd("30.00"), due="2031-12-31")
        yield cashier
        assert cashier.fsck() == []


def pages(pdf: bytes) -> list[str]:
    opened = pypdfium2.PdfDocument(pdf)
    return [page.get_textpage().get_text_range().replace("\r\n", "\n") for page in opened]


def size_of(pdf: bytes) -> tuple[int, int]:
    width, height = pypdfium2.PdfDocument(pdf)[0].get_size()
    return round(width), round(height)


def receipt(till: Cashier, payment: Payment, language: str = "en", size: PaperSize = "a4") -> bytes:
    invoices = {each.invoice: till.invoice(each.invoice) for each in payment.items}
    return receipt_pdf(
        WEB,
        payment,
        till.receipts(payment),
        invoices,
        language=language,
        size=size,
        payer=ADA,
    )


def test_a_receipt_says_what_came_and_what_it_was_used_for(till: Cashier) -> None:
    paid = till.collect("INV-1", via="card", method="tok_visa", key="k", amount=usd("35.00"))

    drawn = receipt(till, paid)

    [text] = pages(drawn)
    for said in (
        *("Receipt 000001", "Amount received", "$35.00", "Visa ending 4242", "INV-1", "$30.00"),
        *("Kept as credit", "$5.00", "Ada Łovelace", "Alder Telecom"),
        *("Page 1", "it is not a tax invoice"),
    ):
        assert said in text
    assert drawn == receipt(till, paid)


@pytest.mark.parametrize(("size", "points"), [("a4", (595, 842)), ("letter", (612, 792))])
def test_a_paper_has_the_size_that_is_asked(
    till: Cashier, size: PaperSize, points: tuple[int, int]
) -> None:
    paid = till.collect("INV-1", via="card", method="tok_visa", key="k")

    assert size_of(receipt(till, paid, size=size)) == points


@pytest.mark.parametrize(
    ("language", "said"),
    [("de", "Erhaltener Betrag"), ("fr", "Page 1"), ("es", "Página 1"), ("en", "Page 1")],
)
def test_a_paper_speaks_the_languages_of_the_pages(till: Cashier, language: str, said: str) -> None:
    paid = till.collect("INV-1", via="card", method="tok_visa", key="k")

    [text] = pages(receipt(till, paid, language))

    assert said in text


def test_an_arabic_paper_begins_at_the_right_with_joined_letters(till: Cashier) -> None:
    paid = till.collect("INV-1", via="card", method="tok_visa", key="k")
    drawn = receipt(till, paid, "ar")

    page = pypdfium2.PdfDocument(drawn)[0]
    words = page.get_textpage()
    width, _ = page.get_size()
    searched = words.search("INV-1")
    found = searched.get_next()
    assert found is not None
    left, _, _, _ = words.get_charbox(found[0])
    payee = words.search("Alder Telecom").get_next()
    assert payee is not None
    _, _, right, _ = words.get_charbox(payee[0] + payee[1] - 1)

    assert left > width / 2  # the first column is at the right
    assert right > width - 60
    text = words.get_text_range()
    # An address is read from left to right on any paper.
    assert "12 High Street" in text
    assert "US$" in text


def test_no_receipt_is_drawn_of_money_that_did_not_come(till: Cashier) -> None:
    waits = till.collect("INV-1", via="kiosk", key="k")

    with pytest.raises(InvalidValue):
        receipt_pdf(WEB, waits, [], {})


def test_a_letter_without_a_shape_is_refused_and_not_left_out(till: Cashier) -> None:
    paid = till.collect("INV-1", via="card", method="tok_visa", key="k")
    receipts = till.receipts(paid)

    with pytest.raises(InvalidValue, match="print the page"):
        receipt_pdf(WEB, paid, receipts, {}, payer=Customer("C-1", name="王小明"))


def test_a_slip_has_its_number_and_what_to_do(till: Cashier) -> None:
    waits = till.collect("INV-1", via="kiosk", key="k")
    action = waits.action
    assert isinstance(action, ShowVoucher)

    for size in ("a4", "letter"):
        [text] = pages(slip_pdf(WEB, waits, action, page="https://x.example/p/t", size=size))
        for said in ("not a receipt", "$30.00", action.reference, "At the counter", "INV-1"):
            assert said in text


def test_a_statement_has_each_balance_and_one_currency_a_page(till: Cashier) -> None:
    paid = till.collect("INV-1", via="card", method="tok_visa", key="k", amount=usd("35.00"))
    till.refund(paid, key="r", amount=usd("3.00"))
    till.void("INV-2", reason="typo")
    till.issue(number="E-1", customer=ADA, total=Money.of("EUR", "9.00"), due="2031-12-31")
    paper = StatementPaper(WEB, customer=ADA)
    paper.add(till.statement("C-1", currency="USD"))
    paper.add(till.statement("C-1", currency="EUR"))

    dollars, euros = pages(paper.finish())

    for said in ("Opening balance", "$0.00", "Payment, thank you", "$35.00", "Sent back to you"):
        assert said in dollars
    assert "Invoice canceled" in dollars
    assert "Closing balance -$2.00" in dollars.replace("\n", " ")
    assert "your credit" in dollars
    assert "€9.00" in euros
    assert "$" not in euros


def lines(first: int, last: int) -> AccountStatement:
    """Return lines of a long account, each of one dollar."""
    return AccountStatement(
        customer="C-1",
        currency="USD",
        since=None,
        until=None,
        opening=Money("USD", 100 * first),
        closing=Money("USD", 100 * last),
        lines=tuple(
            StatementLine(
                id=str(number),
                booked_at=datetime(2026, 1, 1, tzinfo=UTC),
                effective=date(2026, 1, 1),
                kind=StatementKind.INVOICE,
                amount=usd("1.00"),
                number=f"INV-{number}",
            )
            for number in range(first, last)
        ),
    )


def drawn_lines(count: int) -> tuple[bytes, int]:
    """Return a statement of *count* lines, and the most memory that it took."""
    tracemalloc.start()
    paper = StatementPaper(WEB)
    for first in range(0, count, 500):
        paper.add(lines(first, min(first + 500, count)))
    drawn = paper.finish()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return drawn, most


def test_a_statement_of_many_lines_takes_little_more_memory_than_its_file() -> None:
    _, few = drawn_lines(500)
    drawn, many = drawn_lines(2_000)

    # What is kept of a finished page is its content, before it is compressed.
    assert many - few < 1_500 * 1_600
    text = pages(drawn)
    assert "INV-1999" in text[-1]
    assert "$2,000.00" in text[-1]
    assert all("Balance" in each for each in text[:-1])
