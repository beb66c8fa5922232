"""A year of automatic payment: what is charged is what the pure rules compute, on both stores."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.ordeal.living import play
from tests.support.postgres_server import Server

TIMES = int(os.environ.get("PAYGATE_ORDEAL") or "1")
"""How many times as much as for every change; `nox -s ordeal` takes 84, for 1,008 customers."""
CUSTOMERS = 12 * TIMES + 2 * (TIMES == 1)
DAYS = 366 if TIMES > 1 else 75


@pytest.mark.both_stores
@pytest.mark.parametrize("store", ["sqlite", "postgres"])
def test_a_year_charges_what_the_rules_compute(
    request: pytest.FixtureRequest, tmp_path: Path, store: str
) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    if store == "postgres":
        server: Server = request.getfixturevalue("postgres")
        server.create("year")
        url = server.url("year")

    happened = play(tmp_path, url, CUSTOMERS, DAYS)

    assert happened["succeeded"] >= 8 * TIMES
    assert happened["declined"] >= 12 * TIMES
