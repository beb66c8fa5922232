"""Authorise, capture, refund and cancel from the shell, and the timeline that tells of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from paygate import Cashier, Money
from tests.cli.conftest import Run

GATEWAYS = ("--gateways", "gateways.toml")


def authorized(run: Run, token: str = "tok_visa") -> str:
    done = run(
        "payment",
        "authorize",
        "A-1",
        *GATEWAYS,
        "--via",
        "card",
        "--key",
        "a",
        "--method",
        token,
        "--json",
    )
    return str(done.json["payment"]["id"])


def collected(run: Run) -> str:
    done = run(
        "payment",
        "collect",
        "A-1",
        *GATEWAYS,
        "--via",
        "card",
        "--key",
        "c",
        "--method",
        "tok_visa",
        "--json",
    )
    return str(done.json["payment"]["id"])


def still_open() -> Money:
    with Cashier.open("sqlite:///paygate.db") as cashier:
        return cashier.invoice("A-1").open


def test_what_is_authorized_is_captured_once_per_key(imported: Run) -> None:
    payment = authorized(imported)
    command = ("payment", "capture", payment, *GATEWAYS, "--key", "k", "--json")

    first, second = imported(*command), imported(*command)

    assert first.code == second.code == 0
    assert first.json["payment"] == second.json["payment"]
    assert first.json["payment"]["received"]["text"] == "30.00 USD"
    results = [each.json["result"] for each in (first, second)]
    assert [each.pop("repeated") for each in results] == [False, True]
    assert results[0] == results[1]
    assert still_open() == Money("USD", 0)


def test_a_part_is_captured_and_the_rest_kept(imported: Run) -> None:
    payment = authorized(imported)

    done = imported(
        "payment",
        "capture",
        payment,
        *GATEWAYS,
        "--key",
        "k",
        "--amount",
        "12",
        "--keep-rest",
        "--json",
    )

    assert done.json["payment"]["status"] == "authorized"
    assert done.json["payment"]["received"]["text"] == "12.00 USD"


def test_a_script_stops_where_nothing_was_authorized(imported: Run) -> None:
    done = imported(
        "payment",
        "authorize",
        "A-1",
        *GATEWAYS,
        "--via",
        "card",
        "--key",
        "a",
        "--method",
        "tok_declined",
    )

    assert done.code == 1
    assert "declined" in done.out


def test_more_than_is_authorized_is_refused(imported: Run) -> None:
    done = imported(
        "payment",
        "capture",
        authorized(imported),
        *GATEWAYS,
        "--key",
        "k",
        "--amount",
        "31",
        "--json",
    )

    assert (done.code, done.error["type"]) == (3, "NotCapturable")


def test_a_refund_reopens_the_invoice_or_credits_it(imported: Run) -> None:
    payment = collected(imported)

    back = imported(
        "payment", "refund", payment, *GATEWAYS, "--key", "1", "--amount", "10 USD", "--json"
    )
    note = imported(
        "payment",
        "refund",
        payment,
        *GATEWAYS,
        "--key",
        "2",
        "--amount",
        "5",
        "--to",
        "credit_note",
        "--reason",
        "goods returned",
        "--json",
    )

    assert back.code == note.code == 0
    assert note.json["payment"]["returned"]["text"] == "15.00 USD"
    assert still_open() == Money("USD", 1000)


@pytest.fixture
def scripted(folder: Path) -> Callable[[str, str], tuple[str, ...]]:
    """Make an application whose card account does to an operation what a test says."""

    def make(operation: str, outcome: str) -> tuple[str, ...]:
        name = f"shop_{operation}_{outcome}"
        (folder / f"{name}.py").write_text(
            "from paygate import Cashier\n"
            "from paygate.testing import FakeGateway\n\n\n"
            "def cashier() -> Cashier:\n"
            '    card = FakeGateway(journal="card.jsonl")\n'
            f'    card.script("{outcome}", operation="{operation}")\n'
            '    return Cashier.open("sqlite:///paygate.db", gateways={"card": card})\n'
        )
        return ("--app", f"{name}:cashier")

    return make


Scripted = Callable[[str, str], tuple[str, ...]]


def test_a_refund_that_was_declined_says_why_and_stops_a_script(
    imported: Run, scripted: Scripted
) -> None:
    payment, app = collected(imported), scripted("refund", "declined_insufficient_funds")

    done = imported("payment", "refund", payment, *app, "--key", "1", "--amount", "10")
    told = imported("payment", "refund", payment, *app, "--key", "1", "--amount", "10", "--json")

    assert (done.code, told.code) == (1, 1)
    assert re.search("Refund +declined, of 10.00 USD", done.out)
    assert "insufficient_funds · 51" in done.out
    assert told.json["result"]["state"] == "declined"
    assert (told.json["result"]["code"], told.json["result"]["raw_code"]) == (
        "insufficient_funds",
        "51",
    )
    assert told.json["result"]["repeated"]
    assert told.json["payment"]["status"] == "succeeded"


def test_a_refund_in_doubt_is_not_to_be_asked_for_again(imported: Run, scripted: Scripted) -> None:
    payment = collected(imported)

    done = imported(
        "payment", "refund", payment, *scripted("refund", "unknown_executed"), "--key", "1"
    )

    assert done.code == 1
    assert "unknown, of 30.00 USD" in done.out
    assert "Being refunded" in done.out
    assert "do not repeat it" in done.out


@pytest.mark.parametrize("command", ["capture", "cancel"])
def test_a_capture_or_cancellation_that_was_not_done_stops_a_script(
    imported: Run, scripted: Scripted, command: str
) -> None:
    payment = authorized(imported)
    operation = "void" if command == "cancel" else command

    done = imported(
        "payment", command, payment, *scripted(operation, "declined"), "--key", "k", "--json"
    )

    assert done.code == 1
    assert (done.json["result"]["operation"], done.json["result"]["state"]) == (
        operation,
        "declined",
    )
    assert done.json["payment"]["status"] == "authorized"


def test_an_unknown_way_to_refund_is_a_usage_error(imported: Run) -> None:
    done = imported(
        "payment", "refund", collected(imported), *GATEWAYS, "--key", "1", "--to", "thin_air"
    )

    assert done.code == 2
    assert "to must be one of reopen, credit_note, from_credit" in done.err


def test_a_charge_is_canceled(imported: Run) -> None:
    done = imported("payment", "cancel", collected(imported), *GATEWAYS, "--key", "k", "--json")

    assert (done.code, done.json["payment"]["returned"]["text"]) == (0, "30.00 USD")
    assert still_open() == Money("USD", 3000)


def test_the_history_is_a_timeline(imported: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    payment = collected(imported)
    imported(
        "payment", "refund", payment, *GATEWAYS, "--key", "1", "--amount", "10", "--to", "reopen"
    )

    shown = imported("payment", "show", payment)
    told = imported("payment", "show", payment, "--json").json

    assert max(len(line) for line in shown.out.splitlines()) <= 80
    line = [(moment["sort"], moment["text"].split(" · ")[0]) for moment in told["timeline"]]
    assert line == [
        ("event", "payment.started"),
        ("attempt", "charge 30.00 USD"),
        ("receipt", "+30.00 USD by charge"),
        ("allocation", "30.00 USD on A-1"),
        ("event", "payment.succeeded"),
        ("attempt", "refund 10.00 USD"),
        ("receipt", "-10.00 USD by refund"),
        ("allocation", "30.00 USD off A-1"),
        ("allocation", "20.00 USD on A-1"),
        ("event", "payment.refunded"),
    ]
    assert [moment["at"] for moment in told["timeline"]] == sorted(
        moment["at"] for moment in told["timeline"]
    )
    assert [event["seq"] for event in told["events"]] == list(range(1, len(told["events"]) + 1))
    for _, text in line:
        assert text in shown.out
    events = [moment["text"] for moment in told["timeline"] if moment["sort"] == "event"]
    assert events[0].startswith("payment.started · short reference ")
    assert " · requested 30.00 USD · by " in events[0]
    assert "received 30.00 USD · returned 10.00 USD" in events[-1]
    [charge, _] = [moment["text"] for moment in told["timeline"] if moment["sort"] == "attempt"]
    assert charge.startswith("charge 30.00 USD · now succeeded · ")
    assert not [text for text in events if any(mark in text for mark in "[]{}'")]


def test_the_timeline_says_why_it_failed_and_who_decided(imported: Run) -> None:
    imported(
        "payment",
        "collect",
        "A-1",
        *GATEWAYS,
        "--via",
        "card",
        "--key",
        "c",
        "--method",
        "tok_declined",
    )
    payment = imported("payment", "list", "--json").json["payments"][0]["id"]

    shown = imported("payment", "show", payment).out

    assert "now declined: generic" in shown
    assert "by cli:" in shown


def test_the_timeline_says_when_an_attempt_in_doubt_is_asked_about(imported: Run) -> None:
    unknown = ("--via", "card", "--key", "c", "--method", "tok_unknown_lost")
    imported("payment", "collect", "A-1", *GATEWAYS, *unknown)
    shown = imported("payment", "show", "--key", "c", "--json").json
    [attempt] = shown["attempts"]

    asked = datetime.fromisoformat(attempt["next_check_at"])
    [text] = [moment["text"] for moment in shown["timeline"] if moment["sort"] == "attempt"]

    assert text.endswith(
        f"'paygate payment recover' asks about it from {asked:%Y-%m-%d %H:%M} UTC on"
    )


def row_of(run: Run, payment: str) -> str:
    """Return the row of a payment in the list, as a pipe gets it."""
    lines = run("payment", "list", COLUMNS="").out.splitlines()
    return next(line for line in lines if payment in line)


def test_the_list_and_the_status_show_that_money_went_back(imported: Run) -> None:
    payment = collected(imported)
    assert "returned" not in row_of(imported, payment)

    refund = ("payment", "refund", payment, *GATEWAYS, "--key", "r", "--amount", "5.00 USD")
    assert imported(*refund).code == 0

    assert "succeeded, returned 5.00 USD" in row_of(imported, payment)
    [totals] = imported("status", "--json").json["status"]["payments"]
    assert {name: totals[name]["text"] for name in ("amount", "received", "returned", "net")} == {
        "amount": "30.00 USD",
        "received": "30.00 USD",
        "returned": "5.00 USD",
        "net": "25.00 USD",
    }
    [row] = [line for line in imported("status").out.splitlines() if "succeeded" in line]
    assert row.split() == ["succeeded", "1", "30.00", "USD", "5.00", "USD", "25.00", "USD"]


def test_the_list_shows_that_a_payment_was_reversed(imported: Run) -> None:
    record = ("payment", "record", "A-1", "--by", "check", "--key", "k", "--json")
    payment = str(imported(*record).json["payment"]["id"])

    assert imported("reversal", "record", payment, "--reason", "returned unpaid").code == 0
    assert "succeeded, returned 30.00 USD, reversed" in row_of(imported, payment)

    assert imported("reversal", "undo", payment, "--reason", "another check").code == 0
    assert "reversed" not in row_of(imported, payment)
