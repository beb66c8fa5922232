"""Drafts, documents and invoice runs from the shell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run

ORDERS = """\
order,customer,currency,due,total
O-1,C-1,USD,2031-03-01,10.00
O-2,C-2,USD,1.3.2031,20.00
O-3,C-1,USD,2031-03-01,30.00
"""
SERIES = ("--series", "INV-{n:03}")
HOST = """
def orders():
    for number in (1, 2):
        yield {
            "order": f"O-{number}", "customer": "C-1", "currency": "USD",
            "due": "2031-03-01", "total": "5.00",
        }


def broken():
    yield from orders()
    raise ConnectionError("the billing database is gone")
"""


def test_a_run_lists_what_it_refuses_with_its_line_and_says_so_by_its_status(
    run: Run, folder: Path
) -> None:
    (folder / "orders.csv").write_text(ORDERS)

    rehearsal = run("invoice", "run", "orders.csv", *SERIES, "--dry-run")
    done = run("invoice", "run", "orders.csv", *SERIES)
    again = run("invoice", "run", "orders.csv", *SERIES, "--json")

    assert (rehearsal.code, done.code, again.code) == (1, 1, 1)
    assert "line 3, order O-2: due must be a date" in done.err
    assert "2 would be issued, 0 were there already, 1 refused" in rehearsal.out
    assert "2 issued, 0 were there already, 1 refused" in done.out
    report = json.loads(again.out)["run"]
    assert (report["issued"], report["known"], report["refused"]) == (0, 2, 1)
    assert report["refusals"][0]["source"] == "line 3"


def test_a_function_of_the_host_is_a_source_and_a_broken_one_says_where_to_go_on(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "billing_of_a_test.py").write_text(HOST)
    monkeypatch.syspath_prepend(str(folder))

    broken = run("invoice", "run", "--source", "billing_of_a_test:broken", *SERIES)
    done = run("invoice", "run", "--source", "billing_of_a_test:orders", *SERIES, "--skip", "2")

    assert broken.code != 0
    assert "after 2 of them" in broken.err
    assert "--skip 2" in broken.err
    assert (done.code, "2 orders read: 0 issued" in done.out) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "name a file of orders"),
        (("orders.csv", "--source", "a:b"), "name a file of orders"),
        (("nothing.csv",), "does not exist"),
        (("--source", "nothing"), "--source is module:function"),
        (("orders.txt",), "does not say how to read it"),
    ],
)
def test_a_source_that_cannot_be_read_is_refused(
    run: Run, folder: Path, arguments: tuple[str, ...], says: str
) -> None:
    (folder / "orders.csv").write_text(ORDERS)
    (folder / "orders.txt").write_text(ORDERS)

    refused = run("invoice", "run", *arguments, *SERIES)

    assert refused.code != 0
    assert says in refused.err.replace("\n", " ")


def test_a_draft_goes_out_with_its_document(run: Run, folder: Path) -> None:
    lines = {"description": "Support", "quantity": "3", "unit_price": "40.00"}
    (folder / "lines.json").write_text(json.dumps({"currency": "USD", "lines": [lines]}))
    (folder / "letterhead.toml").write_text('name = "Acme"\naddress = ["1 Main Street"]\n')
    facts = ("--customer", "C-1", "--due", "2031-03-01", "--lines", "lines.json")

    assert run("letterhead", "set", "letterhead.toml", "--create").code == 0
    draft = run("invoice", "draft", *facts, "--key", "d-1", "--json").json["invoice"]
    final = run("invoice", "finalize", draft["id"], "--series", "S-{n}", "--json").json["invoice"]
    shown = run("invoice", "show", "S-1")
    written = run("invoice", "document", "S-1", "--out", "S-1.pdf")

    assert (draft["status"], draft["open"]["minor"]) == ("draft", 0)
    assert (final["number"], final["open"]["minor"]) == ("S-1", 12_000)
    assert "Support" in shown.out
    assert written.code == 0
    assert (folder / "S-1.pdf").read_bytes().startswith(b"%PDF-")


def test_lines_that_do_not_add_up_say_by_how_much(run: Run, folder: Path) -> None:
    line = {"description": "Support", "quantity": "3", "unit_price": "40.00", "amount": "119.99"}
    (folder / "lines.json").write_text(json.dumps({"currency": "USD", "lines": [line]}))
    facts = ("--customer", "C-1", "--due", "2031-03-01", "--lines", "lines.json")

    refused = run("invoice", "draft", *facts, "--key", "d-1", "--create")

    assert refused.code != 0
    assert "0.01 USD too little" in refused.err.replace("\n", " ")
