"""What payers' banks dispute, listed."""

from __future__ import annotations

from paygate import Cashier
from paygate.testing import FakeGateway
from tests.cli.conftest import Run


def dispute(*numbers: str) -> None:
    """Let the payers' banks take the money of these invoices, and keep it but for the last."""
    card = FakeGateway()
    with Cashier.open("sqlite:///paygate.db", gateways={"card": card}) as cashier:
        for number in numbers:
            paid = cashier.collect(number, via="card", method="tok_visa", key=number)
            card.open_dispute(paid.reference, days=10)
            card.dispute(paid.reference)
            if number != numbers[-1]:
                card.lose_dispute(paid.reference)
        for callback in card.callbacks():
            cashier.receive("card", callback)
        cashier.apply_callbacks()


def test_disputes_are_listed_a_page_at_a_time(imported: Run) -> None:
    dispute("A-1", "A-2")

    first = imported("chargeback", "list", "--limit", "1", "--json").json
    second = imported("chargeback", "list", "--after", first["next"], "--json").json

    assert [one["state"] for one in first["chargebacks"]] == ["opened"]
    assert [one["lost"]["text"] for one in second["chargebacks"]] == ["30.00 USD"]
    assert second["next"] is None
    assert "1,200 JPY" in imported("chargeback", "list").out


def test_disputes_of_one_state_or_payment_are_listed(imported: Run) -> None:
    dispute("A-1", "A-2")
    [lost] = imported("chargeback", "list", "--state", "lost", "--json").json["chargebacks"]

    [same] = imported("chargeback", "list", "--payment", lost["payment"], "--json").json[
        "chargebacks"
    ]

    assert same == lost
    assert imported("chargeback", "list", "--state", "won").out == "No chargebacks.\n"


def test_a_state_that_there_is_not_is_told(imported: Run) -> None:
    done = imported("chargeback", "list", "--state", "settled")

    assert done.code == 2
    assert "opened" in done.err
