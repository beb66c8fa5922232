"""Prepayments from the shell: create, pay, list, show and close them."""

from __future__ import annotations

from tests.cli.conftest import Run

USD_20 = {"currency": "USD", "minor": 2000, "text": "20.00 USD"}
ENTRY = ("prepayment", "create", "C-7", "50.00 USD", "--assignment-key", "Order-7")


def test_a_prepayment_is_made_paid_and_found_by_its_invoice(imported: Run) -> None:
    made = imported(*ENTRY, "--key", "k", "--data", '{"basket": 7}', "--json").json["prepayment"]
    paid = imported("payment", "record", made["id"], "--by", "cash", "--key", "p", "--json")
    issued = imported(
        *("invoice", "issue", "INV-70", "--customer", "C-7", "--total", "30.00 USD"),
        *("--due", "2031-01-01", "--assignment-key", "ORDER-7", "--json"),
    )
    shown = imported("prepayment", "show", made["id"])
    listed = imported("prepayment", "list", "--assignment-key", "order-7", "--json")

    assert made["data"] == {"basket": 7}
    assert paid.code == 0
    assert issued.json["invoice"]["status"] == "paid"
    assert "INV-70" in shown.out
    assert [each["waiting"] for each in listed.json["prepayments"]] == [USD_20]


def test_a_prepayment_is_closed_and_its_money_is_credit(imported: Run) -> None:
    made = imported(*ENTRY, "--key", "k", "--json").json["prepayment"]
    imported("payment", "record", made["id"], "--by", "cash", "--key", "p", "--amount", "20.00")
    closed = imported("prepayment", "close", made["id"], "--reason", "canceled", "--json")

    assert closed.json["prepayment"]["status"] == "closed"
    assert closed.json["prepayment"]["credited"] == USD_20
    assert made["id"] in imported("prepayment", "list", "--status", "closed").out


def test_the_key_of_another_customer_and_bad_data_are_refused(imported: Run) -> None:
    imported(*ENTRY, "--key", "k")
    taken = imported(
        "prepayment", "create", "C-8", "5.00 USD", "--assignment-key", "ORDER-7", "--key", "k2"
    )
    bad = imported(*ENTRY, "--key", "k3", "--data", "[1]")

    assert (taken.code, taken.err.partition(":")[0]) == (3, "AssignmentConflict")
    assert (bad.code, "JSON object" in bad.err) == (2, True)
