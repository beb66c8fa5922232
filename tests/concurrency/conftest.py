from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.concurrency.actors import ProcessorProcess, processor


@pytest.fixture
def running(tmp_path: Path) -> Iterator[ProcessorProcess]:
    """A fake processor in a process of its own."""
    with processor(tmp_path / "journal.jsonl") as running:
        yield running


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"
