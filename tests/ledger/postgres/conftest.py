from collections.abc import Callable, Iterator
from itertools import count

import pytest

from tests.support.postgres_server import Server

NUMBERS = count(1)


@pytest.fixture
def database(postgres: Server) -> Iterator[Callable[[], str]]:
    """Make an empty database, which is removed after the test, and return its name."""
    made: list[str] = []

    def make() -> str:
        made.append(f"test_{next(NUMBERS)}")
        postgres.create(made[-1])
        return made[-1]

    yield make
    for name in made:
        postgres.drop(name)


@pytest.fixture
def url(postgres: Server, database: Callable[[], str]) -> str:
    """The URL of an empty database."""
    return postgres.url(database())
