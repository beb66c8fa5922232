"""Events and callbacks from the shell: list them, deliver dead letters again, apply one again."""

from __future__ import annotations

from paygate import Cashier, Money
from paygate.ledger import holding, outbox
from paygate.ledger.tx import Tx
from paygate.testing import FakeGateway
from tests.cli.conftest import Run

GATEWAYS = ("--gateways", "gateways.toml")


def told_of_a_payment_of_nobody() -> int:
    """Take in a callback about a charge that this ledger does not know; its number."""
    card = FakeGateway(journal="card.jsonl")
    with (
        Cashier.open("sqlite:///paygate.db", gateways={"card": card}) as cashier,
        Cashier.in_memory(gateways={"card": card}) as other,
    ):
        other.top_up("C-1", Money.of("USD", 1), via="card", method="tok_visa", key="k")
        [callback] = card.callbacks()
        cashier.receive("card", callback)
        [stored] = cashier.callbacks()
    card.processor.close()
    return stored.id


def test_events_are_listed_a_page_at_a_time(run: Run, imported: Run) -> None:
    del imported
    every = run("event", "list", "--json").json["events"]
    page = run("event", "list", "--limit", "1", "--json").json
    behind = run("event", "list", "--after", page["next"], "--limit", "1", "--json").json

    assert [one["type"] for one in every] == ["invoice.generated"] * len(every)
    assert (page["events"], behind["events"]) == (every[:1], every[1:2])
    assert (page["next"], behind["next"]) == (str(every[0]["position"]), None)
    assert "invoice.generated" in run("event", "list").out
    assert "--after 1" in run("event", "list", "--limit", "1").out


def test_callbacks_are_listed_without_their_bodies(run: Run, imported: Run) -> None:
    del imported
    number = told_of_a_payment_of_nobody()

    [one] = run("callback", "list", "--json").json["callbacks"]

    assert (one["id"], one["account"], one["state"]) == (number, "card", "new")
    assert "body" not in one
    assert run("callback", "list", "--state", "orphan", "--json").json["callbacks"] == []
    assert "card" in run("callback", "list").out


def test_a_callback_about_nothing_of_ours_stays_so_when_it_is_replayed(
    run: Run, imported: Run
) -> None:
    del imported
    number = told_of_a_payment_of_nobody()

    done = run("callback", "replay", str(number), *GATEWAYS, "--json")

    assert done.code == 1
    assert done.json["callback"]["state"] != "applied"
    assert run("fsck").code == 0


def test_dead_letters_are_listed_and_revived(imported: Run) -> None:
    with Cashier.open("sqlite:///paygate.db") as cashier:
        event = cashier.events()[0]
        cashier.subscribe("crm", print)

        def give_up(tx: Tx) -> None:
            holding.hold_sink(tx, "crm")
            outbox.delay(tx, "crm", event, tries=8, dead=True, error="409: who?")

        cashier._store.write(cashier._context, give_up)

    told = imported("dead-letter", "list", COLUMNS="80")
    [letter] = imported("dead-letter", "list", "--json").json["dead_letters"]
    revived = imported("dead-letter", "replay", "crm")

    assert told.code == 1
    assert all(text in told.out for text in ("crm", event.type, event.aggregate, "409: who?"))
    assert (letter["sink"], letter["event"]["id"], letter["tries"]) == ("crm", event.id, 8)
    assert (revived.code, revived.out.strip()) == (
        0,
        "1 event will be retried for crm at the next publish",
    )
    assert imported("dead-letter", "list").code == 0
