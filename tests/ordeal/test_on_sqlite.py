"""Two processes collect into one file, and are killed again and again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.concurrency.actors import processor
from tests.ordeal.collecting import Size, assert_right, play

TIMES = int(os.environ.get("PAYGATE_ORDEAL") or "1")
"""How many times as much as for every change; `nox -s ordeal` takes 84, for 5,040 invoices."""
SIZE = Size(invoices=60 * TIMES, workers=2, kills=7 + TIMES)


@pytest.mark.sqlite
def test_two_processes_that_are_killed_leave_the_books_of_the_processor(tmp_path: Path) -> None:
    with processor(tmp_path / "journal.jsonl") as running:
        killed, found = play(f"sqlite:///{tmp_path / 'ledger.db'}", running, tmp_path, SIZE)

    assert_right(found, SIZE)
    assert killed > SIZE.kills // 2, "the workers ended before they were killed"
