"""What several connections do at once ends as if they had done it in the order of their commits."""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from paygate.ledger.postgres.store import PostgresStore
from tests.ledger.postgres.histories import again, play
from tests.ledger.postgres.races import Unlocked
from tests.support.postgres_server import Server, binaries

HISTORIES = 5 * int(os.environ.get("PAYGATE_ORDEAL") or "1")
"""How many histories; `nox -s ordeal` plays more."""


@pytest.fixture(scope="module")
def noting() -> Iterator[Server]:
    """A server that notes when each transaction was committed."""
    programs = binaries()
    if programs is None:
        pytest.skip("no PostgreSQL server here")
    server = Server(programs, track_commit_timestamp="on")
    yield server
    server.stop()


def played(server: Server, seed: int) -> Any:
    name = f"history_{seed}"
    server.create(name)
    try:
        return play(server.url(name), seed)
    finally:
        server.drop(name)


def test_a_history_ends_as_if_its_calls_had_come_one_after_another(noting: Server) -> None:
    calls = 0
    for seed in range(HISTORIES):
        history = played(noting, seed)

        assert history.errors == []
        assert history.violations == []
        assert again(history.calls) == history.end, f"history {seed}"
        calls += len(history.calls)
    assert calls > 60 * HISTORIES


def test_without_locks_a_history_ends_otherwise(
    noting: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PostgresStore, "session_class", Unlocked)

    def is_wrong(seed: int) -> bool:
        history = played(noting, seed)
        if history.errors or history.violations:
            return True
        try:
            return bool(again(history.calls) != history.end)
        except Exception:  # noqa: BLE001  (a call that could not have been made in that order)
            return True

    assert any(is_wrong(1000 + seed) for seed in range(10))
