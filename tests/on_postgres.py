"""
What ``--postgres`` adds to pytest: each test that is not about SQLite runs on PostgreSQL.

A test with the mark ``both_stores`` opens ledgers on each store by itself; its URLs mean what
they say.
"""

from collections.abc import Iterator

import pytest

from tests.stores import Databases, on_postgres
from tests.support.postgres_server import Server


@pytest.fixture(scope="session")
def databases(postgres: Server) -> Databases:
    return Databases(postgres)


@pytest.fixture(autouse=True)
def _ledgers_on_postgres(request: pytest.FixtureRequest, databases: Databases) -> Iterator[None]:
    if request.node.get_closest_marker("both_stores") is not None:
        yield
        return
    # Its own patch: a test that undoes those of its fixture keeps this one.
    with pytest.MonkeyPatch.context() as patch, on_postgres(databases, patch):
        yield


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = [item for item in items if item.get_closest_marker("sqlite") is not None]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item.get_closest_marker("sqlite") is None]
