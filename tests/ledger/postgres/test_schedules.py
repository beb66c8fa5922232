"""The schedules of the simulator hold on PostgreSQL too, with faults at its connection."""

import os
from collections import Counter
from collections.abc import Iterator

import psycopg
import pytest

from paygate.testing.simulation.faults import LEDGER
from paygate.testing.simulation.running import run
from tests.ledger.postgres.simulated import SimulatedConnection, SimulatedPostgres
from tests.stores import Databases
from tests.support.postgres_server import Server

SCHEDULES = 40 * int(os.environ.get("PAYGATE_ORDEAL") or "1")
"""How many schedules; `nox -s ordeal` plays more."""


@pytest.fixture
def ledger(postgres: Server) -> Iterator[SimulatedPostgres]:
    simulated = SimulatedPostgres(Databases(postgres, "schedules"))
    yield simulated
    simulated.close()
    for database in ("schedules", "schedules_1"):
        postgres.drop(database)


def test_schedules_hold(ledger: SimulatedPostgres) -> None:
    covered = Counter[str]()
    for seed in range(SCHEDULES):
        played = run(seed, ledger=ledger.fresh)

        assert played.violations == (), f"schedule {seed}"
        covered.update(dict(played.covered))
    assert not [fault for fault in LEDGER if not covered[f"fault:{fault}"]]


def test_a_failed_commit_that_is_taken_for_done_breaks_a_rule(
    ledger: SimulatedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = SimulatedConnection.end_unit

    def end_unit(self: SimulatedConnection, last: bytes) -> str:
        try:
            return real(self, last)
        except psycopg.errors.IoError:
            return "COMMIT"

    monkeypatch.setattr(SimulatedConnection, "end_unit", end_unit)

    assert any(run(seed, ledger=ledger.fresh).violations for seed in range(SCHEDULES))
