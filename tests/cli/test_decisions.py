"""What a person decides, from the shell: resolve, assign, write off, use credit."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet

from paygate import Cashier
from tests.cli.conftest import Run

GATEWAYS = ("--gateways", "gateways.toml")
KEYS = Fernet.generate_key().decode()


def collected(run: Run, token: str, *more: str) -> str:
    collect = (
        "payment",
        "collect",
        "A-1",
        *GATEWAYS,
        "--via",
        "card",
        "--key",
        "c",
        "--method",
        token,
    )
    done = run(*collect, "--json", *more)
    return str(done.json["payment"]["id"])


def still_open(number: str = "A-1") -> str:
    with Cashier.open("sqlite:///paygate.db") as cashier:
        assert cashier.fsck() == []
        return str(cashier.invoice(number).open)


def test_a_lost_payment_is_resolved_as_what_the_dashboard_shows(imported: Run) -> None:
    payment = collected(imported, "tok_unknown_lost")
    command = (
        "payment",
        "resolve",
        payment,
        "--ended",
        "succeeded",
        "--evidence",
        "dashboard",
        "--json",
    )

    refused = imported(*command)
    done = imported(*command, "--movement", "ch_9")
    again = imported(*command, "--movement", "ch_9")

    assert (refused.code, refused.error["facts"]["argument"]) == (2, "movement")
    assert "--movement" in refused.error["message"]
    assert done.json["payment"]["received"]["text"] == "30.00 USD"
    assert still_open() == "0.00 USD"
    assert (again.code, again.error["type"]) == (3, "AlreadyFinal")


@pytest.mark.parametrize(
    ("ended", "status"),
    [("declined", "declined"), ("canceled", "canceled"), ("expired", "expired")],
)
def test_a_lost_payment_is_resolved_as_not_paid(imported: Run, ended: str, status: str) -> None:
    payment = collected(imported, "tok_unknown_lost")

    done = imported(
        "payment", "resolve", payment, "--ended", ended, "--evidence", "statement", "--json"
    )

    assert done.json["payment"]["status"] == status
    assert still_open() == "30.00 USD"


def test_a_lost_authorisation_is_resolved_as_held(imported: Run) -> None:
    authorize = ("payment", "authorize", "A-1", *GATEWAYS, "--via", "card", "--key", "a", "--json")
    made = imported(*authorize, "--method", "tok_unknown_lost")
    payment = made.json["payment"]["id"]

    done = imported(
        "payment", "resolve", payment, "--ended", "held", "--evidence", "dashboard", "--json"
    )

    assert done.json["payment"]["status"] == "authorized"
    assert done.json["payment"]["authorized"]["text"] == "30.00 USD"


def test_an_invoice_with_money_on_it_is_voided_only_if_that_is_wanted(imported: Run) -> None:
    imported("payment", "record", "A-1", "--by", "cash", "--key", "c")

    asked = imported("invoice", "void", "A-1", "--reason", "wrong customer", stdin=b"n\n")
    assert (asked.code, imported("invoice", "show", "A-1", "--json").json["invoice"]["status"]) == (
        1,
        "paid",
    )
    assert "30.00 USD is paid on A-1" in asked.err
    done = imported("invoice", "void", "A-1", "--reason", "wrong customer", "--yes")

    assert done.code == 0
    assert "Became credit  30.00 USD" in done.out


def test_an_invoice_is_issued_written_off_opened_again_and_voided(run: Run) -> None:
    issue = ("invoice", "issue", "B-1", "--customer", "C-1", "--total", "10 USD")
    issued = run(*issue, "--due", "2026-12-01", "--create", "--json")
    assert issued.json["invoice"]["open"]["text"] == "10.00 USD"

    gone = run(
        "write-off",
        "record",
        "B-1",
        "--reason",
        "bankrupt",
        "--key",
        "w",
        "--amount",
        "4",
        "--json",
    )
    assert (gone.json["write_off"]["amount"]["text"], still_open("B-1")) == ("4.00 USD", "6.00 USD")
    back = run("write-off", "undo", gone.json["write_off"]["id"], "--json")
    assert (back.json["write_off"]["undone"], still_open("B-1")) == (True, "10.00 USD")
    voided = run("invoice", "void", "B-1", "--reason", "wrong customer")

    assert (voided.code, still_open("B-1")) == (0, "0.00 USD")


def test_credit_is_listed_used_and_given_back(imported: Run) -> None:
    record = (
        "payment",
        "record",
        "--by",
        "cash",
        "--key",
        "r",
        "--amount",
        "20 USD",
        "--customer",
        "C-1",
    )
    assert imported(*record).code == 0
    listed = imported("credit", "list", "C-1", "--json")
    assert [lot["free"]["text"] for lot in listed.json["credits"]] == ["20.00 USD"]
    assert listed.json["balance"]["USD"]["text"] == "20.00 USD"

    paid = imported("credit", "use", "A-1", "--key", "p", "--json")
    assert still_open() == "10.00 USD"
    imported("credit", "undo-use", paid.json["payment"]["id"])

    assert still_open() == "30.00 USD"
    assert "Balance: 20.00 USD" in imported("credit", "list", "C-1").out
    assert "No credit." in imported("credit", "list", "C-9").out


def test_money_that_was_not_asked_for_is_assigned(imported: Run) -> None:
    payment = collected(imported, "tok_other_currency")
    with Cashier.open("sqlite:///paygate.db") as cashier:
        assert [each.minor for each in cashier.payment(payment).undecided] == [3000]
    shown = " ".join(imported("payment", "show", payment).out.split())
    assert "Received 30.00 EUR" in shown
    assert "Unassigned 30.00 EUR" in shown
    assert "Next 'paygate payment assign'" in shown

    done = imported("payment", "assign", payment, "--reason", "the customer meant it so", "--json")

    assert done.code == 0
    [other] = done.json["payment"]["foreign"]
    assert (other["unallocated"]["minor"], other["credited"]["text"]) == (0, "30.00 EUR")


def test_a_method_is_stored_and_a_lost_one_resolved(imported: Run) -> None:
    enroll = ("method", "enroll", "C-1", *GATEWAYS, "--via", "card", "--json")
    stored = imported(*enroll, "--key", "1", "--method", "tok_visa", PAYGATE_TOKEN_KEYS=KEYS)
    lost = imported(*enroll, "--key", "2", "--method", "tok_unknown_lost", PAYGATE_TOKEN_KEYS=KEYS)
    assert (stored.code, lost.code) == (0, 1)
    change = lost.json["method_change"]["id"]

    resolve = ("method", "resolve", change, "--evidence", "dashboard", "--json")
    held = imported(*resolve, "--ended", "held")
    done = imported(
        *resolve, "--ended", "succeeded", PAYGATE_METHOD="pm_secret_9", PAYGATE_TOKEN_KEYS=KEYS
    )

    assert held.code == 2
    assert done.json["method_change"]["state"] == "succeeded"
    assert "pm_secret_9" not in done.all
    listed = imported("method", "changes", "--json").json["method_changes"]
    assert [one["state"] for one in listed] == ["succeeded", "succeeded"]
    assert imported("method", "changes", "--review", "--json").json["method_changes"] == []
    asked = imported("method", "inquire", change, *GATEWAYS, "--json")
    assert asked.json["method_change"]["state"] == "succeeded"


def test_a_restored_ledger_sends_nothing_until_somebody_says_so(imported: Run) -> None:
    stopped = imported("ledger", "stop-sending", "--reason", "restored", "--json")
    collect = (
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
    )

    refused = imported(*collect, "--json")
    status = imported("status").out
    early = imported("ledger", "resume-sending", *GATEWAYS, "--evidence", "looked", "--json")
    imported("payment", "recover", *GATEWAYS)
    resumed = imported("ledger", "resume-sending", *GATEWAYS, "--evidence", "looked")

    assert stopped.json["sending_stopped"]["reason"] == "restored"
    assert (refused.code, refused.error["type"]) == (3, "SendingStopped")
    assert status.startswith("sending-stopped  sending was stopped by ")
    assert "restored" in status
    assert (early.code, early.error["facts"]["waits"]) == (3, ["the feed of account 'card'"])
    assert resumed.code == imported(*collect).code == 0
    concerns = imported("status", "--json").json["status"]["concerns"]
    assert "sending-stopped" not in [each["name"] for each in concerns]


def test_what_a_person_must_look_at_is_listed(imported: Run) -> None:
    other = ("payment", "record", "A-2", "--by", "cash", "--key", "r")
    assert imported(*other).code == 0
    payment = collected(imported, "tok_other_currency")

    listed = imported("payment", "list", "--review", "--json").json["payments"]

    assert [one["id"] for one in listed] == [payment]
    assert imported("payment", "list").out.count("needs review") == 1
    assert payment in imported("status").out
