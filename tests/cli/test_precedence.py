"""Whose books a command opens if --app, other options and variables disagree: never wrong ones."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from paygate import Cashier, Money
from paygate.testing import FakeGateway
from tests.cli.conftest import Run

SHOP = """
from paygate import AsyncCashier, Cashier
from paygate.testing import FakeGateway

def one():
    return Cashier.open("sqlite:///shop.db", gateways={"till": FakeGateway()}, tenant="north")

def _accounts(tenant):
    return {"till": FakeGateway()} if tenant in ("north", "south") else None

def many():
    return Cashier.open("sqlite:///shop.db", merchants=_accounts)

def many_in_asyncio():
    return AsyncCashier.open("sqlite:///shop.db", merchants=_accounts)
"""


@pytest.fixture(autouse=True)
def shop(folder: Path) -> Iterator[None]:
    """A ledger of merchants, one of whom has left, a function that opens it, and another ledger."""
    (folder / "books.py").write_text(SHOP)
    for ledger, tenant in (
        *(("shop", name) for name in ("north", "south", "left")),
        ("other", "main"),
    ):
        gateways = {"till": FakeGateway()}
        with Cashier.open(f"sqlite:///{ledger}.db", tenant=tenant, gateways=gateways) as cashier:
            cashier.issue(
                number=f"{ledger}-{tenant}",
                customer="C-1",
                total=Money.of("USD", "30.00"),
                due="2026-12-01",
            )
    yield
    sys.modules.pop("books", None)


def numbers(run: Run, *options: str, **environment: str) -> list[str]:
    done = run("invoice", "list", *options, "--json", **environment)
    assert done.code == 0, done.all
    return [each["number"] for each in done.json["invoices"]]


@pytest.mark.parametrize(
    ("option", "value"),
    [("--ledger", "sqlite:///other.db"), ("--zone", "Europe/Zurich"), ("--gateways", "g.toml")],
)
def test_what_the_function_decides_is_refused_beside_app(run: Run, option: str, value: str) -> None:
    done = run("check", "--app", "books:one", option, value)

    assert done.code == 2
    assert f"leave {option} out" in done.err


def test_a_ledger_on_the_command_line_is_used_rather_than_a_function_of_the_environment(
    run: Run,
) -> None:
    found = numbers(run, "--ledger", "sqlite:///other.db", PAYGATE_APP="books:one")

    assert found == ["other-main"]


def test_a_function_on_the_command_line_is_used_rather_than_the_environment(
    run: Run, folder: Path
) -> None:
    beside = {"PAYGATE_LEDGER": "sqlite:///other.db", "PAYGATE_ZONE": "Europe/Zurich"}

    assert numbers(run, "--app", "books:one", **beside) == ["shop-north"]
    assert run("check", "--app", "books:one", PAYGATE_GATEWAYS="gateways.toml").code == 0


def test_in_the_environment_the_function_comes_first(run: Run) -> None:
    beside = {"PAYGATE_LEDGER": "sqlite:///other.db", "PAYGATE_APP": "books:one"}

    assert numbers(run, **beside) == ["shop-north"]


def test_a_file_of_accounts_does_not_say_which_ledger_is_meant(run: Run) -> None:
    asked = ("check", "--gateways", "gateways.toml")
    app = {"PAYGATE_APP": "books:one"}

    refused = run(*asked, **app)
    named = run(*asked, "--ledger", "sqlite:///other.db", **app)

    assert refused.code == 2
    assert "--ledger" in refused.err
    assert "PAYGATE_APP" in refused.err
    assert "card" in named.out


def test_a_command_without_a_ledger_takes_its_accounts_from_the_file(run: Run) -> None:
    done = run(
        *("simulate", "--seeds", "1", "--via", "card", "--gateways", "gateways.toml"),
        PAYGATE_APP="books:broken",
    )

    assert done.code == 0, done.all


def test_a_tenant_selects_the_books_of_a_merchant(run: Run) -> None:
    app = ("--app", "books:many")

    assert numbers(run, *app, "--tenant", "south") == ["shop-south"]
    assert numbers(run, *app, "--tenant", "north") == ["shop-north"]


def test_the_books_of_a_merchant_who_has_left_are_read(run: Run) -> None:
    found = numbers(run, "--app", "books:many", "--tenant", "left")
    ghost = run("invoice", "list", "--app", "books:many", "--tenant", "ghost")

    assert found == ["shop-left"]
    assert ghost.code == 2
    assert "no records of a tenant 'ghost'" in ghost.err


def test_a_tenant_that_the_function_does_not_serve_is_refused(run: Run) -> None:
    app = ("--app", "books:one")

    same = numbers(run, *app, "--tenant", "north")
    other = run("invoice", "list", *app, "--tenant", "south")

    assert same == ["shop-north"]
    assert other.code == 2
    assert "the books of tenant 'north', not of 'south'" in other.err
    assert "leave --tenant out" in other.err
    assert "shop-" not in other.all


@pytest.mark.parametrize("factory", ["books:many", "books:many_in_asyncio"])
def test_a_worker_serves_the_tenant_that_it_is_given(shell: Run, factory: str) -> None:
    work = ("work", "--once", "--app", factory, "--json")

    south = shell(*work, "--tenant", "south")
    all_ = shell(*work)

    assert south.json["done"]["jobs"]["read-feed"] == 1
    assert all_.json["done"]["jobs"]["read-feed"] == 1  # of the north; the south was read


def test_a_worker_refuses_a_tenant_that_the_function_does_not_serve(shell: Run) -> None:
    done = shell("work", "--once", "--app", "books:one", "--tenant", "south")

    assert done.code == 2
    assert "not of 'south'" in done.err
