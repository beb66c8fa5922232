"""Drafts: nobody owes them, they can be changed, and finalizing gives the number exactly once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from paygate import (
    Cashier,
    Document,
    InvoiceLine,
    InvoiceStatus,
    Letterhead,
    Money,
    NumberSeries,
    TaxLine,
)
from paygate.errors import (
    AssignmentConflict,
    InvalidValue,
    InvoiceDoesNotAddUp,
    InvoiceIsDraft,
    InvoiceIsFinal,
    InvoiceIsVoid,
    KeyReused,
    NumberReused,
)
from paygate.testing import FakeClock, FakeGateway

SERIES = "INV-{year}-{n:05}"
LINES = [
    InvoiceLine.of("Support", "40.00", "USD", quantity=3, unit="h", tax_category="S"),
    InvoiceLine.of("Discount", "-5.00", "USD"),
]
TAX = [TaxLine.of("VAT", "20", LINES, category="S")]
TERMS = Document(content=b"Thirty days net.", media_type="text/plain", name="terms.txt")


def usd(amount: str) -> Money:
    return Money.of("USD", amount)


@pytest.fixture
def till(tmp_path: Path) -> Iterator[Cashier]:
    clock = FakeClock()
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    gateways = {"card": FakeGateway(clock=clock)}
    with Cashier.open(url, gateways=gateways, clock=clock, page_keys=["A" * 43 + "="]) as cashier:
        yield cashier
        assert cashier.fsck() == []


def drafted(till: Cashier, key: str = "d-1", **more: Any) -> str:
    return till.draft(
        **{"customer": "C-1", "due": "2026-12-24", "lines": LINES, "tax": TAX, "key": key, **more}
    ).id


def types(till: Cashier, invoice: str) -> list[str]:
    return [each.type for each in till.events(aggregate=invoice)]


# --- A draft is not owed --------------------------------------------------------------------------


def test_nobody_owes_a_draft(till: Cashier) -> None:
    draft = till.invoice(drafted(till))

    assert draft.status is InvoiceStatus.DRAFT
    assert (draft.total, draft.open, draft.number) == (usd("139.00"), usd("0.00"), draft.id)
    assert till.open_invoices() == []
    assert till.invoices(status="draft") == [draft]
    [totals] = till.status().invoices
    assert (totals.draft, totals.open, totals.still_open) == (1, 0, usd("0.00"))
    assert types(till, draft.id) == ["invoice.drafted"]


def test_no_verb_puts_money_on_a_draft(till: Cashier) -> None:
    draft = drafted(till)
    till.top_up("C-1", usd("10.00"), via="card", method="tok_visa", key="top-up")

    for call in (
        lambda: till.collect(draft, via="card", method="tok_visa", key="k"),
        lambda: till.record(draft, by="cash", key="k"),
        lambda: till.pay_from_credit(draft, key="k"),
        lambda: till.write_off(draft, reason="goodwill", key="k"),
        lambda: till.link(draft, key="k"),
        lambda: till.authorize(draft, via="card", method="tok_visa", key="k"),
    ):
        with pytest.raises(InvoiceIsDraft, match="finalize it first") as refused:
            call()
        assert refused.value.item == draft

    assert till.balance("C-1")["USD"] == usd("10.00")


def test_money_that_is_in_hand_for_a_draft_is_credit(till: Cashier) -> None:
    draft = drafted(till)

    till.record(draft, by="cash", key="k", amount=usd("5.00"))

    [credit] = till.credits("C-1")
    assert (credit.amount, credit.reason) == (usd("5.00"), "not_owed")
    assert till.invoice(draft).allocated == usd("0.00")


def test_money_is_not_assigned_to_a_draft_by_a_clerk(till: Cashier) -> None:
    draft = drafted(till)
    till.issue(number="N-1", customer="C-1", due="2026-12-24", total=usd("5.00"))
    paid = till.collect("N-1", via="card", method="tok_other_amount", key="k")

    with pytest.raises(InvoiceIsDraft):
        till.assign(paid, [draft], reason="meant for it")

    assert till.invoice(draft).allocated == usd("0.00")


def test_a_draft_does_not_take_the_money_that_waits_with_its_key(till: Cashier) -> None:
    entry = till.prepay("C-1", usd("50.00"), assignment_key="ORDER-7", key="p")
    draft = drafted(till, assignment_key="ORDER-7")
    till.record(entry, by="cash", key="r")

    assert till.prepayment(entry).waiting == usd("50.00")

    issued = till.finalize(draft, series=SERIES)

    assert (issued.allocated, issued.open) == (usd("50.00"), usd("89.00"))
    assert till.prepayment(entry).status == "balanced"


# --- It can be changed ----------------------------------------------------------------------------


def test_a_draft_is_changed_and_its_total_follows_its_lines(till: Cashier) -> None:
    draft = drafted(till)

    changed = till.change_draft(draft, lines=LINES[:1], due="2027-01-31")
    again = till.change_draft(draft, lines=LINES[:1], due="2027-01-31")

    assert (changed.total, str(changed.due)) == (usd("120.00"), "2027-01-31")
    assert again == changed
    assert till.invoice_text(draft).lines == tuple(LINES[:1])
    assert till.invoice_text(draft).tax == ()
    assert types(till, draft) == ["invoice.drafted", "invoice.draft_changed"]


def test_a_total_that_does_not_fit_the_lines_changes_nothing(till: Cashier) -> None:
    draft = drafted(till)

    with pytest.raises(InvoiceDoesNotAddUp):
        till.change_draft(draft, total=usd("139.01"))

    assert till.invoice(draft).total == usd("139.00")


def test_the_same_key_returns_the_draft_and_other_facts_are_refused(till: Cashier) -> None:
    assert drafted(till) == drafted(till)
    with pytest.raises(KeyReused):
        drafted(till, lines=LINES[:1], tax=())
    assert len(till.invoices()) == 1


def test_a_voided_draft_posts_nothing_and_cannot_be_finalized(till: Cashier) -> None:
    draft = drafted(till)

    voided = till.void(draft, reason="not ordered")

    assert (voided.status, till.void(draft, reason="again")) == (InvoiceStatus.VOID, voided)
    with pytest.raises(InvoiceIsVoid, match="make another one"):
        till.finalize(draft, series=SERIES)
    with pytest.raises(InvoiceIsFinal):
        till.change_draft(draft, due="2027-01-31")
    assert types(till, draft) == ["invoice.drafted", "invoice.voided"]


# --- Finalizing -----------------------------------------------------------------------------------


def test_finalizing_gives_the_number_once(till: Cashier) -> None:
    draft = till.invoice(drafted(till))

    issued = till.finalize(draft, series=SERIES, on="2026-03-09")
    again = till.finalize(draft, series=SERIES)

    assert (issued.number, issued.status, issued.open) == (
        *("INV-2026-00001", InvoiceStatus.OPEN),
        usd("139.00"),
    )
    assert again == issued == till.invoice("INV-2026-00001")
    assert types(till, draft.id) == ["invoice.drafted", "invoice.finalized", "invoice.generated"]
    assert till.collect(issued, via="card", method="tok_visa", key="k").status == "succeeded"


def test_an_invoice_is_not_finalized_in_another_way(till: Cashier) -> None:
    draft = drafted(till)
    till.finalize(draft, number="N-1")

    for how in ({"number": "N-2"}, {"series": SERIES}, {"number": "N-1", "due": "2027-01-31"}):
        with pytest.raises(InvoiceIsFinal, match="N-1"):
            till.finalize(draft, **how)  # type: ignore[arg-type]
    with pytest.raises(InvoiceIsFinal):
        till.change_draft(draft, total=usd("1.00"))


def test_a_number_that_another_invoice_has_is_refused_and_leaves_no_gap(till: Cashier) -> None:
    till.issue(number="INV-2026-00001", customer="C-2", due="2026-12-24", total=usd("1.00"))
    draft = drafted(till)

    with pytest.raises(NumberReused):
        till.finalize(draft, number="INV-2026-00001")
    with pytest.raises(NumberReused, match="give the series a format"):
        till.finalize(draft, series=SERIES, on="2026-03-09")

    assert till.invoice(draft).status is InvoiceStatus.DRAFT
    series = NumberSeries("ours", "A-{year}-{n:05}")
    assert till.finalize(draft, series=series, on="2026-03-09").number == "A-2026-00001"


def test_the_count_begins_again_with_each_year(till: Cashier) -> None:
    numbers = [
        till.finalize(drafted(till, f"d-{place}"), series=SERIES, on=on).number
        for place, on in enumerate(("2026-12-31", "2027-01-01", "2026-12-31"))
    ]

    assert numbers == ["INV-2026-00001", "INV-2027-00001", "INV-2026-00002"]


def test_an_invoice_is_issued_with_a_number_of_a_series_once_per_key(till: Cashier) -> None:
    def issue(key: str, **more: Any) -> str:
        facts = {"customer": "C-1", "due": "2026-12-24", "total": usd("5.00"), **more}
        return till.issue(series="S-{n:03}", key=key, **facts).number

    assert [issue("k-1"), issue("k-1"), issue("k-2")] == ["S-001", "S-001", "S-002"]
    with pytest.raises(KeyReused):
        issue("k-1", total=usd("6.00"))
    with pytest.raises(InvalidValue, match="key"):
        issue("")
    assert issue("k-3") == "S-003"


def test_a_host_that_rolls_back_leaves_no_gap(tmp_path: Path) -> None:
    import sqlite3

    url = tmp_path / "ledger.db"
    with Cashier.open(f"sqlite:///{url}") as till:
        drafts = [drafted(till, f"d-{number}") for number in range(2)]
        connection = sqlite3.connect(url, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        assert till.within(connection).finalize(drafts[0], series="S-{n}").number == "S-1"
        connection.execute("ROLLBACK")
        connection.close()

        assert till.finalize(drafts[1], series="S-{n}").number == "S-1"
        assert till.invoice(drafts[0]).status is InvoiceStatus.DRAFT
        assert till.fsck() == []


test_a_host_that_rolls_back_leaves_no_gap = pytest.mark.sqlite(
    test_a_host_that_rolls_back_leaves_no_gap
)


def test_finalizing_at_once_gives_every_number_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with Cashier.open(url) as till:
        drafts = [drafted(till, f"d-{n}", customer=f"C-{n % 5}") for n in range(40)]
    tills = [Cashier.open(url) for _ in range(4)]
    start = threading.Barrier(len(tills))
    found: list[list[str]] = [[] for _ in tills]

    def run(number: int) -> None:
        start.wait()
        # Each finalizes all of them, in an order of its own: every draft is wanted four times.
        for draft in drafts[number * 10 :] + drafts[: number * 10]:
            found[number].append(tills[number].finalize(draft, series=SERIES).number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(tills))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    year = tills[0].now().year
    assert {each for numbers in found for each in numbers} == {
        f"INV-{year}-{n:05}" for n in range(1, 41)
    }
    assert len({each.number for each in tills[0].invoices(limit=100)}) == 40
    assert tills[0].fsck() == []
    for each in tills:
        each.close()


# --- Keys of others, text and documents -----------------------------------------------------------


def test_the_key_of_another_customer_is_refused(till: Cashier) -> None:
    till.prepay("C-2", usd("50.00"), assignment_key="ÉTÉ-7", key="p")

    for spelling in ("ÉTÉ-7", "été-7", "E\u0301TE\u0301-7", " Été-7 "):
        with pytest.raises(AssignmentConflict) as refused:
            drafted(till, f"d-{spelling}", assignment_key=spelling)
        assert refused.value.owner == "C-2"

    assert till.invoices() == []
    assert till.events()[-1].type == "assignment.conflict"


@pytest.mark.parametrize("key", ["", " ", "k" * 65, "a\nb", "\u200b"])
def test_a_key_that_cannot_be_one_is_refused(till: Cashier, key: str) -> None:
    with pytest.raises(InvalidValue, match="assignment_key"):
        drafted(till, assignment_key=key)


def test_issue_with_other_lines_under_the_same_number_is_refused(till: Cashier) -> None:
    facts: dict[str, Any] = {"number": "N-1", "customer": "C-1", "due": "2026-12-24"}
    issued = till.issue(**facts, lines=LINES, tax=TAX, document=TERMS)

    assert till.issue(**facts, lines=LINES, tax=TAX, document=TERMS) == issued
    assert till.issue(**facts, lines=LINES, tax=TAX) == issued
    other = InvoiceLine(description="Support", amount=usd("139.00"))
    with pytest.raises(NumberReused) as refused:
        till.issue(**facts, lines=[other])
    assert refused.value.differs == ["lines", "tax"]
    more = Document(content=b"other", media_type="text/plain", name="terms.txt")
    with pytest.raises(NumberReused) as refused:
        till.issue(**facts, lines=LINES, tax=TAX, document=more)
    assert refused.value.differs == ["documents"]


def test_a_document_is_stored_once(till: Cashier) -> None:
    draft = drafted(till, document=TERMS)
    photo = Document(content=b"\x89PNG", media_type="image/png", name="photo.png")

    till.finalize(draft, series=SERIES, document=[TERMS, photo])
    found = till.attach_documents(draft, photo)

    assert [(each.name, each.size) for each in found] == [("terms.txt", 16), ("photo.png", 4)]
    [event] = [e for e in till.events(aggregate=draft) if e.type == "invoice.generated"]
    assert event.data["documents"] == ["terms.txt", "photo.png"]


@pytest.mark.parametrize(
    ("content", "media_type", "name", "match"),
    [
        (b"", "text/plain", "a.txt", "at least one"),
        (b"x" * (5 * 1024 * 1024 + 1), "text/plain", "a.txt", "has at most"),
        (b"<html>", "application/pdf", "a.pdf", "not a PDF"),
        (b"x", "text", "a.txt", "media type"),
        (b"x", "text/plain\r\nX: y", "a.txt", "media type"),
        (b"x", "text/plain", "../a.txt", "file name"),
        (b"x", "text/plain", "a\r\n.txt", "file name"),
    ],
)
def test_a_document_that_cannot_be_sent_is_refused(
    content: bytes, media_type: str, name: str, match: str
) -> None:
    with pytest.raises(InvalidValue, match=match):
        Document(content=content, media_type=media_type, name=name)


def test_a_letterhead_has_versions(till: Cashier) -> None:
    assert till.letterhead() is None
    first = Letterhead(name="Acme", address=("1 Main Street", "Springfield"))

    assert [till.set_letterhead(first), till.set_letterhead(first)] == [1, 1]
    assert till.set_letterhead(Letterhead(name="Acme Ltd")) == 2
    found = till.letterhead()
    assert found is not None
    assert found.name == "Acme Ltd"


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": " "},
        {"name": "A", "iban": "DE00370400440532013000"},
        {"name": "A", "paper": "a5"},
        {"name": "A", "locale": "xx_YY"},
        {"name": "A", "logo": b"GIF89a"},
        {"name": "A", "address": "1 Main Street"},
        {"name": "A", "footer": ("x",) * 13},
        {"name": "A", "bank": ("a\nb",)},
    ],
)
def test_a_letterhead_that_cannot_be_drawn_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue):
        Letterhead(**wrong)
