"""Payers' numbers from the shell: assign, list, release, and say whose money it is."""

from __future__ import annotations

import pytest

from paygate import Cashier, Money
from paygate.testing import FakeGateway
from tests.cli.conftest import Run

GATEWAYS = ("--gateways", "gateways.toml")


@pytest.fixture
def unknown(imported: Run) -> str:
    """A payment for a number that nobody has."""
    card = FakeGateway(journal="card.jsonl")
    with Cashier.open("sqlite:///paygate.db", gateways={"card": card}) as cashier:
        card.pay_number("V-9", Money.of("USD", "5.00"))
        for callback in card.callbacks():
            cashier.receive("card", callback)
        [paid] = cashier.apply_callbacks()
    card.processor.close()
    return paid.id


def test_a_number_is_assigned_listed_and_released(imported: Run) -> None:
    at = (*GATEWAYS, "--via", "card")
    made = imported("payer-number", "assign", "V-1", "C-1", *at, "--pays", "balance", "--json")
    taken = imported("payer-number", "assign", "V-1", "C-2", *at)
    listed = imported("payer-number", "list", *GATEWAYS, "--customer", "C-1")
    released = imported("payer-number", "release", "V-1", *at, "--reason", "moved", "--json")

    assert made.json["payer_number"]["pays"] == "balance"
    assert (taken.code, taken.err.partition(":")[0]) == (3, "PayerNumberTaken")
    assert "V-1" in listed.out
    assert released.json["payer_number"]["released_at"]
    assert imported("payer-number", "list", *GATEWAYS, "--json").json["payer_numbers"] == []


def test_money_that_nobody_has_is_shown_and_assigned(run: Run, unknown: str) -> None:
    status = run("status")
    shown = run("payment", "show", unknown)
    refused = run("payment", "assign", unknown, "--reason", "letter")
    done = run("payment", "assign", unknown, "--reason", "letter", "--customer", "C-1", "--json")

    assert status.code == 1
    assert "1 of them for unknown payer numbers" in " ".join(status.out.split())
    assert "V-9" in shown.out
    assert "not known" in shown.out
    assert (refused.code, "--customer" in refused.err) == (2, True)
    assert done.json["payment"]["customer"] == "C-1"
    assert run("status").code == 0
