"""Lines of the bank at the desk: a clerk accepts, assigns, ignores and undoes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from paygate import BankLine
from tests.support.statements import entry, statement
from tests.web.desk.working import ROOT, Office, open_office, usd


@pytest.fixture
def office() -> Iterator[Office]:
    with open_office() as found:
        yield found


def bank(office: Office, *entries: str) -> BankLine:
    """Import a statement, and return its only open line."""
    office.cashier.set_bank_account("main", number="1234567890", currency="USD")
    office.cashier.import_statement(statement("1234567890", "USD", *entries), account="main")
    [line] = office.cashier.bank_lines(state="open")
    return line


def day(office: Office) -> str:
    return office.clock.now().date().isoformat()


def test_a_returned_check_is_reversed_by_one_form(office: Office) -> None:
    invoice = office.cashier.issue(number="B-1", customer="C-1", total=usd("100"), due="2031-12-01")
    office.cashier.record([invoice], by="check", reference="1047", key="check")
    line = bank(
        office,
        entry(-100_00, check="1047", code="PMNT/RCHQ/UPCQ", currency="USD", day=day(office)),
    )
    anna = office.sign_in("anna")
    page = f"{ROOT}/bank/{line.id}"
    assert page in anna.get("/bank").links.values()
    [proposal] = office.cashier.line_proposals(line)

    anna.does(page, do=proposal.id)

    assert office.cashier.invoice("B-1").open == usd("100")
    assert "Every line is explained." in anna.get("/bank").text
    assert office.cashier.bank_line(line.id).matches[0].actor == "anna"
    anna.does(page, do="reopen", reason="the wrong check")
    assert office.cashier.invoice("B-1").status == "paid"


def test_money_without_a_key_is_assigned_or_ignored_with_a_reason(office: Office) -> None:
    office.cashier.issue(number="B-1", customer="C-1", total=usd("50"), due="2031-12-01")
    line = bank(office, entry(30_00, text="<b>hello</b>", currency="USD", day=day(office)))
    anna = office.sign_in("anna")
    page = f"/bank/{line.id}"
    assert "&lt;b&gt;hello" in anna.get(page).response.text

    refused = [anna.send(page), anna.send(page, do="ignore"), anna.send(page, do="nothing")]
    assert [each.status for each in refused] == [422, 422, 422]
    anna.does(page, do="ignore", reason="the owner's capital")
    anna.does(page, do="reopen", reason="it was not")
    anna.does(page, do="assign", invoices="B-1", reason="they called")

    assert office.cashier.invoice("B-1").open == usd("20")


def test_a_line_that_does_not_exist_is_not_found(office: Office) -> None:
    assert office.sign_in("anna").get("/bank/bln_1").status == 404
