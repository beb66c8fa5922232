"""Receipts in the shell: a list in pages, and CSV that an accountant can open."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from paygate.cli import receipts
from tests.cli.conftest import Run

HEAD = (
    "receipt,booked_at,effective,kind,amount,currency,account,driver,payment,customer,invoices,"
    "reference,movement,settled_on,settled_amount,settled_currency,fee,fee_currency,"
    "quantity_minor,quantity_currency,rate,address,address_number,transaction\r\n"
)
CARD = ("--gateways", "gateways.toml")


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.fixture
def paid(imported: Run) -> Run:
    """Commands with a charge by card, a part of it refunded, and a check."""
    made = imported(
        "payment",
        "collect",
        "A-1",
        "--via",
        "card",
        "--method",
        "tok_visa",
        "--key",
        "k-1",
        *CARD,
        "--json",
    ).json
    refund = ("payment", "refund", made["payment"]["id"], "--amount", "12.50 USD", "--key", "k-2")
    assert imported(*refund, "--to", "reopen", *CARD).code == 0
    check = ("payment", "record", "A-2", "--by", "check", "--key", "k-3", "--reference", "=1+1")
    assert imported(*check).code == 0
    return imported


def test_an_export_has_a_line_for_each_receipt(paid: Run) -> None:
    done = paid("receipt", "export")

    charge, refund, check = rows(done.out)
    assert (charge["kind"], charge["amount"], charge["currency"]) == ("charge", "30.00", "USD")
    assert (charge["account"], charge["driver"]) == ("card", "fake")
    assert (charge["customer"], charge["invoices"]) == ("C-1", "A-1")
    assert (refund["kind"], refund["amount"], refund["invoices"]) == ("refund", "-12.50", "A-1")
    assert refund["payment"] == charge["payment"]
    assert (check["account"], check["driver"], check["amount"]) == ("recorded", "", "1200")
    assert check["currency"] == "JPY"
    assert check["effective"] == check["booked_at"][:10]


def test_a_value_that_would_be_a_formula_is_text(paid: Run) -> None:
    _, _, check = rows(paid("receipt", "export").out)

    assert check["reference"] == "'=1+1"


def test_what_was_sent_back_by_hand_has_the_reference_of_its_sending(imported: Run) -> None:
    check = ("payment", "record", "A-2", "--by", "check", "--key", "k-1", "--reference", "Nr. 1204")
    payment = imported(*check, "--json").json["payment"]["id"]
    sent = imported(
        *("refund", "record", payment, "--by", "cash", "--amount", "200 JPY"),
        *("--reference", "till 2", "--key", "k-2", "--json"),
    ).json
    receipt = sent["receipts"][0]["id"]
    assert imported("refund", "undo", receipt, "--reason", "not handed out").code == 0

    lines = rows(imported("receipt", "export").out)

    assert [(each["kind"], each["amount"], each["reference"]) for each in lines] == [
        ("charge", "1200", "Nr. 1204"),
        ("refund", "-200", "till 2"),
        ("undone", "200", "till 2"),
    ]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+1+1", "'+1+1"),
        ("-1+1", "'-1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\\t=1"),
        ("\r=1", "'\\r=1"),
        ("-12.50", "-12.50"),
        ("+41791234567", "+41791234567"),
        ("-", "'-"),
        ("＝1", "'＝1"),  # noqa: RUF001
        ("INV-1", "INV-1"),
        ("\x1b[2J", "\\x1b[2J"),
        ("", ""),
    ],
)
def test_a_cell_is_never_a_formula(value: str, written: str) -> None:
    assert receipts.cell(value) == written


def test_the_bytes_of_an_export_are_utf8_with_lines_that_end_as_in_rfc_4180(
    shell: Run, folder: Path
) -> None:
    (folder / "invoices.csv").write_text(
        'number,customer,currency,total,due\n"ü, ""1""",Zoë,USD,5.00,2026-12-01\n', "utf-8"
    )
    assert shell("invoice", "import", "invoices.csv").code == 0
    assert shell("payment", "record", 'ü, "1"', "--by", "cash", "--key", "k-1").code == 0

    done = shell("receipt", "export", LC_ALL="C", PYTHONUTF8="0", PYTHONIOENCODING="ascii")

    assert done.err == ""
    assert done.out.startswith(HEAD)
    assert ',Zoë,"ü, ""1""",' in done.out
    assert done.out.endswith("\r\n")
    assert done.out.count("\n") == done.out.count("\r\n") == 2


def test_an_export_reads_a_page_at_a_time(paid: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = paid("receipt", "export").out

    for size in (1, 2, 3):
        monkeypatch.setattr(receipts, "_PAGE", size)
        assert paid("receipt", "export").out == whole


def test_an_export_can_be_of_an_account_and_of_a_time(paid: Run) -> None:
    assert [row["kind"] for row in rows(paid("receipt", "export", "--via", "card").out)] == [
        "charge",
        "refund",
    ]
    assert paid("receipt", "export", "--until", "2020-01-01").out.split() == [HEAD.strip()]
    assert len(rows(paid("receipt", "export", "--since", "2020-01-01").out)) == 3


def test_an_export_that_is_refused_writes_nothing(paid: Run) -> None:
    refused = paid("receipt", "export", "--via", "crad")

    assert (refused.code, refused.out) == (2, "")
    assert "crad" in refused.err


def test_an_export_in_json_has_an_object_on_each_line(paid: Run) -> None:
    lines = paid("receipt", "export", "--json").out.splitlines()

    charge = json.loads(lines[0])
    assert len(lines) == 3
    assert (charge["amount"]["minor"], charge["invoices"]) == (3000, ["A-1"])


def test_receipts_are_listed_in_pages(paid: Run) -> None:
    first = paid("receipt", "list", "--limit", "2", "--json").json
    second = paid("receipt", "list", "--limit", "2", "--after", first["next"], "--json").json
    shown = paid("receipt", "list")

    assert [one["kind"] for one in first["receipts"]] == ["charge", "refund"]
    assert [one["kind"] for one in second["receipts"]] == ["charge"]
    assert second["next"] is None
    assert "-12.50 USD" in shown.out
    assert "A-1" in shown.out
