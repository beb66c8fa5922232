"""How a command finds its ledger and gateways, and what it never shows."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Run

SECRET = "sk_test_4eC39HqLyjWDarjtT1zdp7dc"
FACTORY = """
from paygate import Cashier
from paygate.testing import FakeGateway

def cashier():
    return Cashier.open("sqlite:///shop.db", gateways={"till": FakeGateway(journal="t.jsonl")})

def broken():
    raise RuntimeError("the password is hunter2hunter2")

def something_else():
    return 7

def keyed():
    raise ValueError("the key nqzkwyvbtrpl is too short")
"""
PAY = ("payment", "collect", "A-1", "--via", "card", "--method")
ISSUE = ("invoice", "issue", "B-1", "--customer", "C", "--total", "9 USD", "--due", "2030-01-01")


def test_the_ledger_may_come_from_the_environment(run: Run, folder: Path) -> None:
    run("invoice", "import", "invoices.csv", PAYGATE_LEDGER="sqlite:///other.db")

    assert (folder / "other.db").exists()
    assert not (folder / "paygate.db").exists()


def test_issuing_makes_a_ledger_only_if_asked_to(run: Run, folder: Path) -> None:
    mistyped = run(*ISSUE, "--ledger", "sqlite:///typo.db")
    there = (folder / "typo.db").exists()
    made = run(*ISSUE, "--ledger", "sqlite:///new.db", "--create", "--json")

    assert (mistyped.code, there) == (2, False)
    assert "there is no ledger typo.db" in mistyped.err
    assert "--create" in mistyped.err
    assert made.json["invoice"]["number"] == "B-1"


def test_tenants_are_kept_apart(imported: Run) -> None:
    imported(*ISSUE, "--tenant", "other", "--create")

    [only] = imported("invoice", "list", "--tenant", "other", "--json").json["invoices"]

    assert only["number"] == "B-1"


@pytest.mark.parametrize(
    "command",
    [
        ("status",),
        ("invoice", "list"),
        (
            "payment",
            "recover",
        ),
    ],
)
def test_a_mistyped_tenant_is_not_taken_for_one_without_concerns(
    imported: Run, command: tuple[str, ...]
) -> None:
    done = imported(*command, "--tenant", "ghost")

    assert done.code == 2
    assert "no records of a tenant 'ghost'" in done.err
    assert "--tenant" in done.err


def test_an_accepted_key_ends_what_the_ledger_knows_of_a_rejected_one(imported: Run) -> None:
    imported(*PAY, "tok_rejected_credentials", "--key", "k", "--gateways", "gateways.toml")
    before = imported("status", "--json").json["status"]["concerns"]

    done = imported(
        "check", PAYGATE_GATEWAYS="gateways.toml", PAYGATE_LEDGER="sqlite:///paygate.db"
    )

    assert [each["name"] for each in before] == ["credentials-rejected"]
    assert done.code == 0
    assert imported("status").code == 0


def test_to_check_an_account_makes_no_ledger(run: Run, folder: Path) -> None:
    assert run("check", "--gateways", "gateways.toml").code == 0
    assert not (folder / "paygate.db").exists()


def test_a_secret_comes_from_the_environment(run: Run, folder: Path) -> None:
    (folder / "g.toml").write_text('[card]\ndriver = "fake"\nsigning_key = { env = "SIGNS" }\n')

    done = run("check", "--gateways", "g.toml", "--json", SIGNS=SECRET)

    assert done.json["accounts"][0]["accepted"] is True
    assert SECRET not in done.all


def test_what_the_environment_lacks_is_named(run: Run, folder: Path) -> None:
    (folder / "g.toml").write_text(
        '[a]\ndriver = "fake"\nsigning_key = { env = "ONE" }\n[b]\nx = [{ env = "TWO" }]\n'
    )

    done = run("check", "--gateways", "g.toml", "--json")

    assert done.code == 2
    assert done.error["facts"]["missing"] == ["ONE", "TWO"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"[card\n", "are not TOML"),
        (b"\xff", "are not TOML in UTF-8"),
        (b'card = "stripe"\n', "card is not a table"),
        (b"", "no gateway account is configured"),
    ],
)
def test_settings_that_cannot_be_read_are_refused(
    run: Run, folder: Path, text: bytes, says: str
) -> None:
    (folder / "g.toml").write_bytes(text)

    done = run("check", "--gateways", "g.toml")

    assert done.code == 2
    assert says in done.err


def test_no_settings_file_is_refused(run: Run) -> None:
    assert "cannot be read" in run("check", "--gateways", "nothing.toml").err


def test_one_bad_account_does_not_hide_the_others(run: Run, folder: Path) -> None:
    (folder / "g.toml").write_text(
        f'[bad]\ndriver = "fake"\nkind = "{SECRET}"\n[odd]\ndriver = "nope"\n'
        '[good]\ndriver = "fake"\n[none]\nkind = "card"\n'
    )

    done = run("check", "--gateways", "g.toml", "--json")

    assert done.code == 1
    told = {one["account"]: one for one in done.json["accounts"]}
    assert told["good"]["accepted"] is True
    assert told["good"]["live"] is False
    assert {name for name, one in told.items() if one["problem"]} == {"bad", "none", "odd"}
    assert SECRET not in done.all
    assert run("check", "good", "--gateways", "g.toml").code == 0
    assert run("check", "--gateways", "g.toml").code == 1


def test_an_account_that_is_not_there_is_refused(run: Run) -> None:
    done = run("check", "nope", "--gateways", "gateways.toml", "--json")

    assert (done.code, done.error["facts"]["known"]) == (2, ["card"])


@pytest.mark.parametrize("as_json", [(), ("--json",)])
@pytest.mark.parametrize("via", ["card", "nope"])
def test_a_one_time_token_is_never_shown(imported: Run, via: str, as_json: tuple[str]) -> None:
    token = "pm_1NOTToBeShown"
    command = ("payment", "collect", "A-1", "--gateways", "gateways.toml", "--via", via, *as_json)

    given = imported(*command, "--key", "k1", "--method", token)
    by_environment = imported(*command, "--key", "k2", PAYGATE_METHOD=token)

    assert token not in given.all + by_environment.all
    assert given.code == by_environment.code == (1 if via == "card" else 2)


def test_an_application_brings_its_own_cashier(shell: Run, folder: Path) -> None:
    (folder / "shop.py").write_text(FACTORY)
    app = ("--app", "shop:cashier")
    assert shell("invoice", "import", "invoices.csv", *app).code == 0

    paid = shell(
        "payment",
        "collect",
        "A-1",
        *app,
        "--via",
        "till",
        "--key",
        "k",
        "--method",
        "tok_visa",
        "--json",
    )

    assert paid.json["payment"]["account"] == "till"
    assert shell("check", *app, "--json").json["accounts"][0]["account"] == "till"
    assert shell("event", "publish", *app, "--json").json == {
        "published": {
            "delivered": 0,
            "delayed": 0,
            "dead": 0,
            "unreached": [],
            "paused": [],
            "busy": [],
        }
    }


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("shop", "is module:function"),
        ("shop:nothing", "AttributeError: module 'shop' has no attribute 'nothing'"),
        ("nowhere:cashier", "ModuleNotFoundError: No module named 'nowhere'"),
        ("imports:cashier", "ModuleNotFoundError: No module named 'not_installed' (imports.py:2)"),
        ("shop:broken", "RuntimeError: the password •••• (shop.py:9)"),
        ("shop:keyed", "ValueError: the key •••• (shop.py:15)"),
        ("shop:something_else", "returned int; a command needs a Cashier"),
    ],
)
def test_an_application_that_brings_none_is_refused_with_the_place(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, target: str, says: str
) -> None:
    (folder / "shop.py").write_text(FACTORY)
    (folder / "imports.py").write_text("import json\nimport not_installed\n")
    for name in ("shop", "imports"):
        monkeypatch.delitem(sys.modules, name, raising=False)

    done = run("fsck", "--app", target, SHOP_TOKEN="nqzkwyvbtrpl")

    assert done.code == 2
    assert says in done.err
    assert "hunter2" not in done.all
    assert "Traceback" not in done.all


def test_debug_shows_the_trace_of_an_application(run: Run, folder: Path) -> None:
    (folder / "shop_traced.py").write_text(FACTORY)

    done = run("--debug", "fsck", "--app", "shop_traced:keyed", SHOP_TOKEN="nqzkwyvbtrpl")

    assert "in keyed" in done.err
    assert "InvalidSettings: --app shop_traced:keyed failed" in done.err
    assert "nqzkwyvbtrpl" not in done.err


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("payment", "collect", "A-1", "--via", "page"), "return to as --return-url"),
        (
            ("method", "enroll", "C-1", "--via", "till"),
            "--method (a one-time token), --from-payment, or",
        ),
        (
            ("payment", "collect", "A-1", "--via", "page", "--return-url", "/back"),
            "--return-url is",
        ),
        (("void", "A-1", "--reason", " "), "--reason 'issued twice'"),
    ],
)
def test_a_message_names_the_option_of_the_command(
    imported: Run, folder: Path, command: tuple[str, ...], says: str
) -> None:
    (folder / "g.toml").write_text(
        '[page]\ndriver = "fake"\nkind = "redirect"\n[till]\ndriver = "fake"\n'
    )
    if command[0] == "void":
        command = ("invoice", *command)
    else:
        command = (*command, "--key", "k", "--gateways", "g.toml")

    done = imported(*command)

    assert done.code == 2
    assert says in done.err
    assert "return_url" not in done.err
    assert "reason=" not in done.err
