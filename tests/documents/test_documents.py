"""Documents of invoices: HTML and PDF show the same, on one or several pages, and can be read."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from html import unescape
from typing import Any

import pypdfium2
import pytest

from paygate import (
    Cashier,
    Customer,
    Document,
    InvoiceLine,
    Letterhead,
    Money,
    PostalAddress,
    TaxLine,
)
from paygate.errors import InvalidValue, RecordNotFound
from paygate.testing import FakeClock

ADDRESS = PostalAddress(line1="12 High Street", city="London", postal_code="SW1Y 4JH")
ADA = Customer("C-1", name="Ada Łovelace", address=ADDRESS)
HEAD = Letterhead(
    name="Gęś & Söhne",
    address=("Hauptstraße 1", "10115 Berlin"),
    tax_id="DE123456789",
    bank=("Musterbank",),
    iban="DE89 3704 0044 0532 0130 00",
    footer=("Thank you.",),
    locale="de_DE",
)
LINES = [
    InvoiceLine.of(
        "Support",
        "120.00",
        "EUR",
        quantity="12.5",
        unit="h",
        tax_category="S",
        period=(date(2026, 11, 1), date(2026, 11, 30)),
    ),
    InvoiceLine.of("Requests", "0.0042", "EUR", quantity=150_000, tax_category="S"),
    InvoiceLine(description="<b>Λόγος & Деньги</b>", amount=Money.of("EUR", "49.80")),
]
TAX = [TaxLine.of("VAT", 19, LINES, category="S")]


def eur(amount: str) -> Money:
    return Money.of("EUR", amount)


@pytest.fixture
def till() -> Iterator[Cashier]:
    with Cashier.in_memory(clock=FakeClock()) as cashier:
        cashier.set_letterhead(HEAD)
        yield cashier
        assert cashier.fsck() == []


def issue(till: Cashier, number: str = "RE-1", **more: Any) -> str:
    facts: dict[str, Any] = {"customer": ADA, "due": "2026-12-24", "on": "2026-12-01"}
    return till.issue(number=number, **{**facts, "lines": LINES, "tax": TAX, **more}).number


def pages(document: Document) -> list[str]:
    opened = pypdfium2.PdfDocument(document.content)
    return [page.get_textpage().get_text_range().replace("\r\n", "\n") for page in opened]


def words(document: Document) -> str:
    """Return the text of an HTML document, without its style."""
    text = re.sub(
        r"<style>.*?</style>|<svg.*?</svg>", "", document.content.decode(), flags=re.DOTALL
    )
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", text)))


SHOWN = (
    *("Invoice RE-1", "Ada Łovelace", "SW1Y 4JH London", "1. Dezember 2026", "24. Dezember 2026"),
    *("12,5 h", "120,00", "1.500,00 €", "0,0042", "<b>Λόγος & Деньги</b>", "49,80 €"),
    *("1. November 2026 to 30. November 2026", "VAT 19 % of 2.130,00 €", "404,70 €"),
    *("2.584,50 €", "Gęś & Söhne", "DE123456789", "IBAN DE89 3704 0044 0532 0130 00"),
    *("Scan with your banking app", "Thank you."),
)


@pytest.mark.parametrize("media", ["pdf", "html"])
def test_a_document_shows_everything_an_invoice_says(till: Cashier, media: str) -> None:
    document = till.invoice_document(issue(till), media=media)

    text = pages(document)[0] if media == "pdf" else words(document)
    assert [each for each in SHOWN if each not in text] == []
    assert document.name == f"RE-1.{media}"
    assert till.invoice_document("RE-1", media=media) == document


def test_nothing_in_the_html_is_loaded_or_runs(till: Cashier) -> None:
    text = till.invoice_document(issue(till), media="html").content.decode()

    assert "<b>" not in text
    assert not re.search(r"<script|<link|<iframe|@import|url\(|src=\"(?!data:)| on\w+=", text)


def test_what_is_paid_is_shown_and_no_code_if_nothing_is_open(till: Cashier) -> None:
    number = issue(till)
    till.record(number, by="cash", key="k-1", amount=eur("500.00"))
    [part] = pages(till.invoice_document(number))
    till.record(number, by="cash", key="k-2")
    [paid] = pages(till.invoice_document(number))

    assert "-500,00 €" in part
    assert "To be paid 2.084,50 €" in part
    assert "To be paid 0,00 €" in paid
    assert "Scan" not in paid


def test_a_page_to_pay_on_is_shown_with_its_address(till: Cashier) -> None:
    url = "https://pay.example/l/AbC?x=1&y=2"
    [text] = pages(till.invoice_document(issue(till), pay_url=url))
    html = till.invoice_document("RE-1", media="html", pay_url=url).content.decode()

    assert "Scan to pay online" in text
    assert url in text
    assert 'href="https://pay.example/l/AbC?x=1&amp;y=2"' in html


def test_a_draft_and_a_void_invoice_say_so(till: Cashier) -> None:
    draft = till.draft(customer=ADA, due="2026-12-24", lines=LINES, tax=TAX, key="d")
    number = issue(till)
    till.void(number, reason="twice")

    [drafted], [void] = pages(till.invoice_document(draft)), pages(till.invoice_document(number))

    assert "Draft, not an invoice" in drafted
    assert draft.id not in drafted
    assert "Void" in void
    assert "Scan" not in drafted + void


def test_many_lines_take_several_pages_with_the_head_of_the_table(till: Cashier) -> None:
    many = [InvoiceLine.of(f"Seat number {n} of a long row", "9.99", "EUR") for n in range(90)]
    found = pages(till.invoice_document(issue(till, lines=many, tax=[])))

    assert len(found) == 4
    for number, text in enumerate(found, 1):
        assert f"page {number} of 4" in text
    assert all("Description" in text for text in found[:3])
    assert all(f"Seat number {n} of" in "".join(found) for n in range(90))
    assert "Total 899,10 €" in found[-1]


@pytest.mark.parametrize(("paper", "size"), [("a4", (595, 842)), ("letter", (612, 792))])
def test_the_paper_is_that_of_the_letterhead(
    till: Cashier, paper: str, size: tuple[int, int]
) -> None:
    till.set_letterhead(replace(HEAD, paper=paper))
    opened = pypdfium2.PdfDocument(till.invoice_document(issue(till)).content)

    assert tuple(round(each) for each in opened[0].get_size()) == size


def test_the_font_is_in_the_file(till: Cashier) -> None:
    content = till.invoice_document(issue(till)).content

    assert b"/FontFile2" in content
    assert b"DejaVuSans" in content


@pytest.mark.parametrize("word", ["שלום", "مرحبا", "漢字", "नमस्ते"])
def test_a_script_that_the_pdf_cannot_draw_is_refused_and_the_html_shows_it(
    till: Cashier, word: str
) -> None:
    number = issue(till, lines=[InvoiceLine.of(word, "5.00", "EUR")], tax=[])

    with pytest.raises(InvalidValue, match="make the HTML"):
        till.invoice_document(number)
    assert word in words(till.invoice_document(number, media="html"))


def test_an_invoice_keeps_the_letterhead_of_its_issue(till: Cashier) -> None:
    number = issue(till)
    before = till.invoice_document(number)
    till.set_letterhead(replace(HEAD, name="Another name"))

    assert till.invoice_document(number) == before
    assert "Another name" in pages(till.invoice_document(issue(till, "RE-2")))[0]


def test_without_a_letterhead_there_is_no_document() -> None:
    with Cashier.in_memory() as till, pytest.raises(InvalidValue, match="set_letterhead"):
        till.invoice_document(issue(till))


def test_a_logo_is_drawn(till: Cashier) -> None:
    till.set_letterhead(replace(HEAD, logo=_png(20, 10)))
    number = issue(till)

    assert b"/Image" in till.invoice_document(number).content
    assert b"data:image/png;base64," in till.invoice_document(number, media="html").content


@pytest.mark.parametrize(
    ("more", "logo"),
    [
        ({"lines": [InvoiceLine.of("\n".join(["x"] * 120), "5.00", "EUR")], "tax": []}, b""),
        ({}, b"\x89PNG\r\n\x1a\nnope"),
        ({}, "huge"),
    ],
    ids=["a line longer than a page", "a logo that is no picture", "a logo of many pixels"],
)
def test_what_cannot_be_drawn_as_a_pdf_is_refused_and_stops_no_notice(
    more: dict[str, Any], logo: bytes | str
) -> None:
    box = Mailbox()
    with Cashier.in_memory(sinks={"box": box}, clock=FakeClock()) as till:
        picture = _png(20_000, 300) if isinstance(logo, str) else logo
        till.set_letterhead(replace(HEAD, logo=picture or None))
        number = issue(till, **more)

        with pytest.raises(InvalidValue):
            till.invoice_document(number)
        till.publish()

        assert box.got["invoice.generated"] == [("RE-1.html", "text/html")]


def test_an_address_to_pay_on_adds_nothing_to_the_link_of_a_pdf(till: Cashier) -> None:
    number = issue(till)
    address = 'https://x.example/" href="https://evil.example/'

    drawn = till.invoice_document(number, pay_url=address)

    assert b"/URI (https://evil.example/)" not in drawn.content


def _png(width: int, height: int) -> bytes:
    raw = b"".join(b"\0" + bytes((30, 90, 160)) * width for _ in range(height))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)

    header = width.to_bytes(4) + height.to_bytes(4) + bytes((8, 2, 0, 0, 0))
    end = chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + end


def test_a_document_of_the_host_is_read_back(till: Cashier) -> None:
    terms = Document(content=b"Thirty days.", media_type="text/plain", name="terms.txt")
    number = issue(till, document=terms)

    [stored] = till.documents(number)

    assert till.document(number, "terms.txt") == till.document(number, stored.digest) == terms
    with pytest.raises(RecordNotFound):
        till.document(number, "other.txt")


# --- With the notice ------------------------------------------------------------------------------


class Mailbox:
    """A sink that wants the documents of invoices."""

    def __init__(self) -> None:
        from paygate import SinkTraits

        self.traits = SinkTraits(needs_documents=True, events=("invoice.*",))
        self.got: dict[str, list[tuple[str, str]]] = {}

    def send(self, delivery: Any) -> None:
        found = [(each.name, each.media_type) for each in delivery.documents]
        self.got.setdefault(delivery.event.type, []).extend(found)


def test_a_notice_of_the_issue_carries_the_hosts_document_or_else_the_drawn_one() -> None:
    box = Mailbox()
    with Cashier.in_memory(sinks={"box": box}, clock=FakeClock()) as till:
        issue(till, "N-0")
        till.publish()
        till.set_letterhead(HEAD)
        issue(till, "N-1")
        issue(till, "N/2", document=Document(content=b"%PDF-1.7", name="own.pdf"))
        issue(till, "N-3", lines=[InvoiceLine.of("漢字", "5.00", "EUR")], tax=[])
        till.finalize(
            till.draft(customer=ADA, due="2026-12-24", total=eur("5.00"), key="d"), number="N 4"
        )
        till.publish()

    assert box.got == {
        "invoice.drafted": [],
        "invoice.finalized": [],
        "invoice.generated": [
            ("N-1.pdf", "application/pdf"),
            ("own.pdf", "application/pdf"),
            ("N-3.html", "text/html"),
            ("N-4.pdf", "application/pdf"),
        ],
    }
