import pkgutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from paygate import service
from tests.concurrency.actors import ProcessorProcess, processor

# Use cases are imported when they are first called. If two threads do so at once while pytest
# rewrites the modules, Python 3.11 fails with "AST constructor recursion depth mismatch".
for found in pkgutil.iter_modules(service.__path__, f"{service.__name__}."):
    import_module(found.name)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[ProcessorProcess]:
    """A fake processor in a process of its own."""
    with processor(tmp_path / "journal.jsonl") as running:
        yield running


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"
