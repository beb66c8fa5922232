"""Stored methods from the shell: list, default, forget, pay with one, and rotate the keys."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet

from paygate import Cashier, Money, PaymentMethod
from paygate.testing import FakeGateway
from tests.cli.conftest import Run

GATEWAYS = ("--gateways", "gateways.toml")
KEY, NEW_KEY = Fernet.generate_key().decode(), Fernet.generate_key().decode()


@pytest.fixture
def stored(imported: Run, monkeypatch: pytest.MonkeyPatch) -> list[PaymentMethod]:
    monkeypatch.setenv("PAYGATE_TOKEN_KEYS", KEY)
    card = FakeGateway(journal="card.jsonl")
    with Cashier.open("sqlite:///paygate.db", gateways={"card": card}, token_keys=[KEY]) as cashier:
        for number, token in enumerate(("tok_visa", "tok_mastercard")):
            cashier.enroll("C-1", via="card", method=token, key=f"e-{number}")
        found = cashier.methods("C-1", oldest_first=True)
    card.processor.close()
    return found


def test_methods_are_listed_and_one_is_the_default(run: Run, stored: list[PaymentMethod]) -> None:
    chosen = run("method", "set-default", stored[1].id, "--json")

    listed = run("method", "list", "C-1", "--json").json["methods"]

    assert chosen.json["method"]["is_default"] is True
    assert [(one["brand"], one["is_default"]) for one in listed] == [
        ("mastercard", True),
        ("visa", False),
    ]
    shown = run("method", "list", "C-1").out
    assert "mastercard 4242" in shown
    assert "No method is stored" in run("method", "list", "C-9").out


def test_a_stored_method_pays(run: Run, stored: list[PaymentMethod]) -> None:
    done = run(
        "payment",
        "collect",
        "A-1",
        *GATEWAYS,
        "--via",
        "card",
        "--stored",
        stored[0].id,
        "--key",
        "k",
        "--json",
    )

    assert (done.code, done.json["payment"]["method"]) == (0, stored[0].id)
    with Cashier.open("sqlite:///paygate.db") as cashier:
        assert cashier.invoice("A-1").open == Money("USD", 0)


def test_a_method_is_forgotten_and_deleted(run: Run, stored: list[PaymentMethod]) -> None:
    command = ("method", "forget", stored[0].id, *GATEWAYS, "--key", "f")

    done, again = run(*command), run(*command, "--json")

    assert (done.code, again.code) == (0, 0)
    assert "Deleted there" in done.out
    assert again.json["method_change"]["state"] == "succeeded"
    assert len(run("method", "list", "C-1", "--json").json["methods"]) == 1


def test_without_the_key_nothing_is_forgotten(run: Run, stored: list[PaymentMethod]) -> None:
    command = ("method", "forget", stored[0].id, *GATEWAYS, "--key", "f", "--json")

    missing = run(*command, PAYGATE_TOKEN_KEYS="")
    wrong = run(*command, PAYGATE_TOKEN_KEYS=NEW_KEY)

    assert (missing.code, missing.error["type"]) == (2, "TokenKeysMissing")
    assert "PAYGATE_TOKEN_KEYS" in missing.error["message"]
    assert (wrong.code, wrong.error["type"]) == (2, "TokenUnreadable")
    assert NEW_KEY not in wrong.all


def test_keys_are_rotated_once(run: Run, stored: list[PaymentMethod]) -> None:
    both = f"{NEW_KEY}, {KEY}"

    first = run("method", "rotate-keys", "--json", PAYGATE_TOKEN_KEYS=both)
    second = run("method", "rotate-keys", PAYGATE_TOKEN_KEYS=both)
    alone = run("method", "rotate-keys", "--json", PAYGATE_TOKEN_KEYS=NEW_KEY)

    assert first.json["tokens"] == {"rotated": 2, "current": 0}
    assert "0 rotated, 2 already under the first key" in second.out
    assert alone.json["tokens"] == {"rotated": 0, "current": 2}
    assert run("method", "rotate-keys").code == 2


def test_rotation_says_where_the_keys_go(run: Run, stored: list[PaymentMethod]) -> None:
    done = run("method", "rotate-keys", PAYGATE_TOKEN_KEYS="")

    assert done.code == 2
    assert "PAYGATE_TOKEN_KEYS" in done.err
    bad = run("method", "rotate-keys", PAYGATE_TOKEN_KEYS="not-a-key-at-all")
    assert (bad.code, "not-a-key-at-all" in bad.all) == (2, False)
