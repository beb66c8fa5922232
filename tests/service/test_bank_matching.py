"""What the matching of bank lines does, on the cases of the sheet and on planted ones."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from paygate import BankLine, Cashier, Customer, Money
from paygate.domain.bank_line import LineClass, LineState
from paygate.testing import FakeClock
from tests.support.statements import entry, statement

ACCOUNT = "DE02120300000000202051"
TODAY = date(2026, 5, 6)


def eur(minor: int) -> Money:
    return Money("EUR", minor)


@pytest.fixture
def cashier() -> Any:
    with Cashier.in_memory(clock=FakeClock(datetime(2026, 5, 6, 12, tzinfo=UTC))) as made:
        made.set_bank_account("main", number=ACCOUNT, currency="EUR")
        yield made


def imported(cashier: Cashier, *entries: str) -> list[BankLine]:
    before = {each.id for each in cashier.bank_lines(limit=1000)}
    cashier.import_statement(statement(ACCOUNT, "EUR", *entries), account="main")
    assert cashier.fsck() == []
    return [
        each for each in cashier.bank_lines(oldest_first=True, limit=1000) if each.id not in before
    ]


def open_items(cashier: Cashier, items: list[dict[str, Any]]) -> None:
    for item in items:
        currency = item.get("currency", "EUR")
        # The name of the host's customer is the id if the sheet has no other.
        whose = Customer(id=item["customer"], name=item.get("name", item["customer"]))
        total = Money(currency, item["open"] or item["paid"])
        if "prepayment" in item:
            cashier.prepay(whose, total, assignment_key=item["assignment_key"], key="p")
            continue
        due = item.get("due", "2026-05-05")
        made = cashier.issue(number=item["number"], customer=whose, total=total, due=due)
        if not item["open"]:
            cashier.record([made], by="cash", key=f"paid {item['number']}")
        if "account" in item:
            line = imported_line(cashier, entry(1, party=whose.name, account=item["account"]))
            cashier.assign_line(line, customer=whose, reason="a known payer")


def imported_line(cashier: Cashier, made: str) -> BankLine:
    [line] = imported(cashier, made)
    return line


def paid(cashier: Cashier, line: BankLine) -> dict[str, int]:
    """Return where the money of a line went: by number of invoice, or as credit of a customer."""
    found: dict[str, int] = {}
    for match in line.matches:
        assert match.payment is not None
        payment = cashier.payment(match.payment)
        for part in payment.items:
            if part.paid.minor:
                name = "SO-0099" if part.invoice.startswith("ppy_") else part.invoice
                found[name] = part.paid.minor
        if payment.credited.minor:
            found[f"credit {payment.customer}"] = payment.credited.minor
    return found


def test_the_matching_cases_of_the_sheet(protocols: Path) -> None:
    case = json.loads((protocols / "bank/vectors/15-matching/expected.json").read_text())
    outcomes: Counter[str] = Counter()
    for credit in case["credits"]:
        if "end_to_end" in credit:
            continue  # of a collection, which has its own test
        with Cashier.in_memory(clock=FakeClock(datetime(2026, 5, 6, 12, tzinfo=UTC))) as cashier:
            cashier.set_bank_account("main", number=ACCOUNT, currency="EUR")
            open_items(cashier, case["open_items"])
            [line] = imported(
                cashier,
                entry(
                    credit["amount"],
                    text=credit.get("text", ""),
                    reference=credit.get("reference", ""),
                    party=credit.get("name", ""),
                    account=credit.get("account", ""),
                ),
            )
            outcomes[judged(cashier, line, credit["expect"], credit["case"])] += 1

    assert outcomes == {"automatic": 11, "proposed": 6, "suspense": 2, "conflicted": 1}


def judged(cashier: Cashier, line: BankLine, expect: dict[str, Any], case: str) -> str:
    """Return the outcome of a line, which is the expected one."""
    how = expect["how"]
    proposals = cashier.line_proposals(line)
    if how == "automatic":
        assert line.state is LineState.EXPLAINED, case
        assert paid(cashier, line) == expect["to"], case
        rule = expect["by"].partition(",")[0]
        assert line.matches[0].rule == rule, case
        return "automatic"
    assert line.state is LineState.OPEN, case
    named = {subject for each in proposals for subject in each.subjects}
    if how == "conflicted":
        assert line.line_class is LineClass.CURRENCY_MISMATCH, case
        return "conflicted"
    if how == "suspense":
        assert not proposals, case
        assert line.line_class is LineClass.UNEXPLAINED, case
        return "suspense"
    assert how == "proposed", case
    assert set(expect["candidates"]) <= named, (case, proposals)
    return "proposed"


@pytest.mark.parametrize(
    "returned",
    [
        entry(-10_000, check="1047", text="RETURNED CHECK 1047 NSF", code="PMNT/RCHQ/URCQ"),
        entry(-10_000, text="RETURNED CHECK 1047 NSF", code="PMNT/MDOP/OTHR"),
        entry(-10_000, text="item 1047 came back", code="PMNT/RCHQ/URCQ"),
    ],
)
def test_a_check_that_comes_back_is_proposed_whatever_the_bank_calls_it(
    cashier: Cashier, returned: str
) -> None:
    cashier.issue(number="INV-1", customer="C-1", total=eur(10_000), due="2026-05-05")
    check = cashier.record("INV-1", by="check", reference="1047", key="check")

    line = imported_line(cashier, returned)

    assert line.line_class is LineClass.RETURNED
    [proposal] = cashier.line_proposals(line)
    assert proposal.subjects == (check.id,)
    assert cashier.payment(check).reversal is None
