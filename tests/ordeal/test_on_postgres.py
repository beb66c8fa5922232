"""Eight processes collect into one database, and are killed again and again, like their server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.concurrency.actors import processor
from tests.ordeal.collecting import Size, assert_right, play
from tests.support.pgbouncer import Bouncer, program
from tests.support.postgres_server import Server, binaries

TIMES = int(os.environ.get("PAYGATE_ORDEAL") or "1")
"""How many times as much as for every change; `nox -s ordeal` takes 84, for 5,040 invoices."""
SIZE = Size(invoices=60 * TIMES, workers=8, kills=7 + TIMES, stops=2 + TIMES // 8)


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that a test may stop, and that writes as carefully as it does elsewhere."""
    programs = binaries()
    if programs is None:
        pytest.skip("no PostgreSQL server here; PAYGATE_POSTGRES names the folder of its programs")
    found = Server(programs, fsync="on", full_page_writes="on")
    found.create("shop")
    yield found
    found.stop()


@pytest.fixture(params=["direct", "pooler"])
def ledger(request: pytest.FixtureRequest, server: Server) -> Iterator[str]:
    if request.param == "direct":
        yield server.url("shop")
        return
    path = program()
    if path is None:
        pytest.skip("PgBouncer is not installed")
    bouncer = Bouncer(path, server)
    yield bouncer.url("shop")
    bouncer.stop()


def test_eight_processes_and_a_server_that_are_killed_leave_the_books_of_the_processor(
    ledger: str, server: Server, tmp_path: Path
) -> None:
    def stop_server() -> None:
        server.kill()
        server.start()

    with processor(tmp_path / "journal.jsonl") as running:
        killed, found = play(ledger, running, tmp_path, SIZE, stop_server)

    assert_right(found, SIZE)
    assert killed > SIZE.kills // 2, "the workers ended before they were killed"
