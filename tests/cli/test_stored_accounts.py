"""Accounts in the ledger from the shell: secrets come from a file or from standard input."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from paygate import Cashier, Merchants
from tests.cli.conftest import Run

KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
OTHER_KEY = "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXoxMjM0NTY="
SECRET = "signing-key-of-the-merchant"
TENANT = ("--tenant", "m-17")
FAKE = f'driver = "fake"\nsigning_key = "{SECRET}"\n'.encode()


@pytest.fixture
def keyed(run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("PAYGATE_TOKEN_KEYS", KEY)
    return run


@pytest.fixture
def stored(keyed: Run) -> Run:
    """Commands with one account of a tenant in the ledger."""
    done = keyed("account", "add", "card", *TENANT, "--create", stdin=FAKE)
    assert done.code == 0, done.all
    return keyed


def test_an_account_is_added_rotated_disabled_and_listed(stored: Run, folder: Path) -> None:
    (folder / "new.toml").write_text(f'signing_key = "{SECRET}-2"\n')

    again = stored("account", "add", "card", *TENANT, "--json", stdin=FAKE)
    rotated = stored("account", "rotate", "card", *TENANT, "--settings", "new.toml", "--json")
    disabled = stored("account", "disable", "card", *TENANT, "--reason", "left", "--json")
    listed = stored("account", "list", *TENANT)
    enabled = stored("account", "enable", "card", *TENANT, "--json")

    assert again.json["account"]["revision"] == 1
    assert rotated.json["account"]["revision"] == 2
    assert not disabled.json["account"]["enabled"]
    assert "disabled" in listed.out
    assert enabled.json["account"]["revision"] == 4
    assert SECRET not in again.all + rotated.all + disabled.all + listed.all + enabled.all


def test_the_reason_for_which_an_account_is_disabled_is_shown(stored: Run, folder: Path) -> None:
    issue = ("INV-1", "--customer", "C-1", "--total", "30.00 USD", "--due", "2026-12-01")
    stored("invoice", "issue", *issue, *TENANT)
    (folder / "new.toml").write_text(f'signing_key = "{SECRET}-2"\n')
    why = "the contract ended"

    stored("account", "disable", "card", *TENANT, "--reason", why)
    stored("account", "rotate", "card", *TENANT, "--settings", "new.toml")

    for command in (("account", "list"), ("account", "show", "card"), ("status",)):
        told = stored(*command, *TENANT)
        assert "disabled" in told.out, command
        assert why in told.out, command
    shown = stored("account", "show", "card", *TENANT, "--json").json["account"]
    [of_status] = stored("status", *TENANT, "--json").json["status"]["accounts"]
    assert (shown["enabled"], shown["reason"]) == (False, why)
    assert (of_status["disabled"], of_status["disabled_reason"]) == (True, why)
    assert SECRET not in stored("account", "show", "card", *TENANT).all

    stored("account", "enable", "card", *TENANT, "--reason", "renewed")
    assert "renewed" in stored("account", "show", "card", *TENANT).out
    assert "disabled" not in stored("status", *TENANT).out
    missing = stored("account", "show", "wallet", *TENANT)
    assert (missing.code, missing.err.partition(":")[0]) == (2, "AccountNotStored")


def test_commands_use_the_accounts_in_the_ledger(stored: Run) -> None:
    issue = ("INV-1", "--customer", "C-1", "--total", "30.00 USD", "--due", "2026-12-01")
    assert stored("invoice", "issue", *issue, *TENANT).code == 0
    collect = ("payment", "collect", "INV-1", "--via", "card", *TENANT)

    paid = stored(*collect, "--key", "1", "--json", PAYGATE_METHOD="tok_visa")
    checked = stored("check", *TENANT, "--json")
    stored("account", "disable", "card", *TENANT)
    refused = stored(*collect, "--key", "2", PAYGATE_METHOD="tok_visa")

    assert paid.json["payment"]["status"] == "succeeded"
    assert checked.json["accounts"][0]["accepted"]
    assert refused.code == 3


def test_another_tenant_is_not_told_of_them(stored: Run) -> None:
    issue = ("INV-1", "--customer", "C-1", "--total", "30.00 USD", "--due", "2026-12-01")
    stored("invoice", "issue", *issue, "--tenant", "m-18", "--create")

    listed = stored("account", "list", "--tenant", "m-18", "--json")
    rotated = stored("account", "rotate", "card", "--tenant", "m-18", stdin=FAKE)
    collected = stored(
        "payment", "collect", "INV-1", "--via", "card", "--tenant", "m-18", "--key", "1",
        PAYGATE_METHOD="tok_visa",
    )  # fmt: skip

    assert listed.json == {"accounts": []}
    assert (rotated.code, rotated.err.partition(":")[0]) == (2, "AccountNotStored")
    assert (collected.code, collected.err.partition(":")[0]) == (2, "GatewayNotFound")


def test_a_value_may_be_in_the_environment(keyed: Run) -> None:
    settings = b'driver = "fake"\nsigning_key = { env = "MERCHANT_KEY" }\n'

    missing = keyed("account", "add", "card", "--create", *TENANT, stdin=settings)
    added = keyed(
        "account", "add", "card", "--create", *TENANT, stdin=settings, MERCHANT_KEY=SECRET
    )
    same = keyed("account", "add", "card", *TENANT, stdin=FAKE, MERCHANT_KEY="")

    assert missing.code == 2
    assert "MERCHANT_KEY" in missing.err
    assert (added.code, same.code) == (0, 0)


@pytest.mark.parametrize(
    "settings",
    [
        f'driver = "stripe"\nsecret_key = "{SECRET}"\ncolour = "{SECRET}"'.encode(),
        f'driver = "fake"\nkind = "{SECRET}"'.encode(),
        f'driver = "{SECRET}'.encode(),
        f'driver = "fake"\nenabled = "{SECRET}"'.encode(),
        f"{SECRET}".encode(),
        b"",
        b"\xff\xfe",
        b'driver = "fake"\nsigning_key = 2026-01-01',
    ],
    ids=["no such setting", "kind", "a quote", "enabled", "no TOML", "nothing", "no UTF-8", "date"],
)
def test_wrong_settings_are_refused_and_not_repeated(keyed: Run, settings: bytes) -> None:
    Cashier.open("sqlite:///paygate.db").close()

    done = keyed("account", "add", "card", *TENANT, stdin=settings)

    assert done.code == 2
    assert SECRET not in done.all
    assert keyed("account", "list", *TENANT, "--json").json == {"accounts": []}


def test_a_file_that_is_missing_is_named(keyed: Run) -> None:
    done = keyed("account", "add", "card", *TENANT, "--create", "--settings", "none.toml")

    assert done.code == 2
    assert "none.toml" in done.err


@pytest.mark.parametrize(
    ("environment", "settings", "error"),
    [
        ({}, FAKE, "TokenKeysMissing"),
        ({"PAYGATE_TOKEN_KEYS": "short"}, FAKE, "InvalidSettings"),
        ({"PAYGATE_TOKEN_KEYS": KEY}, b'driver = "nope"', "GatewayNotFound"),
    ],
    ids=["no keys", "wrong keys", "wrong settings"],
)
def test_an_account_that_cannot_be_stored_creates_no_ledger(
    run: Run, folder: Path, environment: dict[str, str], settings: bytes, error: str
) -> None:
    done = run("account", "add", "card", *TENANT, "--create", stdin=settings, **environment)

    assert (done.code, done.err.partition(":")[0]) == (2, error)
    assert list(folder.glob("*.db*")) == []


def test_without_keys_nothing_is_stored(run: Run) -> None:
    Cashier.open("sqlite:///paygate.db").close()

    done = run("account", "add", "card", *TENANT, "--create", stdin=FAKE)

    assert (done.code, done.err.partition(":")[0]) == (2, "TokenKeysMissing")
    assert run("account", "list", *TENANT, "--json").json == {"accounts": []}


def test_with_another_key_a_command_says_which_account_it_cannot_read(stored: Run) -> None:
    done = stored("check", *TENANT, "--json", PAYGATE_TOKEN_KEYS=OTHER_KEY)

    assert done.code == 1
    [found] = done.json["accounts"]
    assert found["account"] == "card"
    assert "token_keys" in found["problem"]


@pytest.mark.parametrize("tenant", ["a/b", "m\N{EN DASH}17", "x" * 65, ".."])
def test_a_name_that_could_pass_for_another_gets_no_account(keyed: Run, tenant: str) -> None:
    done = keyed("account", "add", "card", "--tenant", tenant, "--create", stdin=FAKE)

    assert (done.code, done.err.partition(":")[0]) == (2, "InvalidValue")


def test_two_processes_that_rotate_at_once_both_take_effect(stored: Run, folder: Path) -> None:
    program = Path(sys.executable).with_name("paygate")
    settings = [
        b'merchant_account = "fake-merchant"\nsigning_key = "key-of-process-%d"' % n for n in (1, 2)
    ]

    running = [
        subprocess.Popen(
            [program, "account", "rotate", "card", *TENANT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in settings
    ]
    ended = [
        each.communicate(given, timeout=120) for each, given in zip(running, settings, strict=True)
    ]

    assert [each.returncode for each in running] == [0, 0], ended
    with Cashier.open(
        "sqlite:///paygate.db", merchants=Merchants.stored(), token_keys=[KEY]
    ) as cashier:
        [account] = cashier.for_tenant("m-17").stored_accounts()
        assert list(cashier.for_tenant("m-17").accounts()) == ["card"]
    assert account.revision == 3
