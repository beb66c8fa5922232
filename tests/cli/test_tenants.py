"""What a command lists for one merchant holds nothing of another one's."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from paygate import Cashier, Kind, Merchants, Timing
from paygate.cli import commands as table
from paygate.cli.app import load
from paygate.gateway import Gateway
from paygate.testing import FakeClock, FakeGateway
from tests.cli.conftest import Run
from tests.service.test_tenants import Names, _filled

pytestmark = pytest.mark.sqlite

KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
LISTS = [
    name
    for name, _ in table.commands()
    if name.split()[-1] in ("list", "changes", "export", "status", "fsck", "recover")
]
"""The commands that list, read from the table: a new one is tried as soon as it exists."""


_VOCABULARY = re.compile("[a-z_.]+")
"""A kind, a status or the heading of a column says nothing about whose it is."""


@pytest.fixture
def names(folder: Path) -> Names:
    """Two merchants in the ledger of the folder; the south has an invoice, the north has all."""
    clock = FakeClock()
    gateways: dict[str, Gateway] = {
        "card": FakeGateway(Kind.CARD, clock=clock),
        "page": FakeGateway(Kind.REDIRECT, clock=clock),
    }
    with Cashier.open(
        "sqlite:///paygate.db",
        merchants=Merchants(lambda _: gateways),
        clock=clock,
        token_keys=[KEY],
        page_keys=[KEY],
        timing=Timing(feed_pause=None),
    ) as cashier:
        found = _filled(cashier.for_tenant("north"), gateways)
        total = cashier.for_tenant("north").invoice(found.number).total
        cashier.for_tenant("south").issue(
            number="S-1", customer="C-7", total=total, due="2031-03-01"
        )
    return found


def texts_of(tenant: str) -> set[str]:
    """Return every text of some length in the rows of *tenant*."""
    found = set[str]()
    with closing(sqlite3.connect("paygate.db")) as ledger:
        ledger.row_factory = sqlite3.Row
        sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'paygate_%'"
        for (name,) in ledger.execute(sql).fetchall():
            for row in ledger.execute(f"SELECT * FROM {name}"):  # noqa: S608
                facts: dict[str, Any] = dict(row)
                if facts.get("tenant") == tenant:
                    found |= {each for each in facts.values() if isinstance(each, str)}
    return {each for each in found if len(each) >= 6 and not _VOCABULARY.fullmatch(each)}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_of_one_merchant_holds_nothing_of_another(run: Run, names: Names, name: str) -> None:
    theirs = texts_of("north") - texts_of("south")
    command = load(name, dict(table.commands())[name])
    needed = [
        names.customer
        for each in command.params
        if each.param_type_name == "argument" and each.required
    ]
    options = {option for each in command.params for option in each.opts}
    tenant = ("--tenant", "south") if "--tenant" in options else ()

    for form in (("--json",), ()):
        done = run(*name.split(), *needed, *tenant, *form, PAYGATE_TOKEN_KEYS=KEY)

        assert done.code in (0, 1, 2), done.all
        assert [each for each in theirs if each in done.all] == []


@pytest.mark.parametrize("name", ["payment list", "event list", "account list"])
def test_the_merchant_itself_is_listed(run: Run, names: Names, name: str) -> None:
    done = run(*name.split(), "--tenant", "north", "--json", PAYGATE_TOKEN_KEYS=KEY)

    mine = {"payment list": names.payment, "account list": names.stored}.get(name, names.invoice)
    assert mine in done.all
