from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count

import pytest

from paygate import Cashier
from paygate.ledger import book
from paygate.ledger.tx import Tx
from paygate.service.account import GatewayAccount
from tests.stores import Databases
from tests.support.postgres_proxy import Proxy, says_commit
from tests.support.postgres_server import Server
from tests.sweep import stories
from tests.sweep.run import unstopped
from tests.sweep.stories import BY_NAME, build
from tests.sweep.world import KEY, InMemory


def set_mode(tx: Tx) -> None:
    book.set_mode(tx, "test")


PROFILE = "not idempotent"
"""The processor keeps no keys: a request that is sent twice moves money twice."""

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


def _name(ledgers: Databases) -> str:
    return ledgers.url("ledger").partition("@/")[2].partition("?")[0]


@pytest.fixture(scope="module")
def behind(postgres: Server) -> Iterator[Proxy]:
    proxy = Proxy(postgres.folder)
    yield proxy
    proxy.close()


@pytest.fixture(scope="session")
def ledgers(postgres: Server) -> Databases:
    return Databases(postgres, "behind")


@pytest.fixture
def world_of(
    behind: Proxy, ledgers: Databases, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], InMemory]]:
    """Make the world of a story, whose processes reach the ledger through the proxy."""
    opened: list[Cashier] = []

    class OnServer(InMemory):
        def _opened(self) -> Cashier:
            cashier = Cashier.open(behind.url(_name(ledgers)), token_keys=[KEY])
            opened.append(cashier)
            holds = vars(cashier)
            holds["_store"].write(holds["_context"], set_mode)
            holds.update(
                _context=replace(holds["_context"], clock=self.clock, stopwatch=None),
                _accounts={
                    name: GatewayAccount.of(name, fake) for name, fake in self.fakes.items()
                },
                _timing=self.timing,
            )
            return cashier

    def empty() -> None:
        behind.hang_up()
        while opened:
            opened.pop().close()
        ledgers.empty()

    def make(story: str) -> InMemory:
        empty()
        with monkeypatch.context() as patch:
            patch.setattr(stories, "InMemory", OnServer)
            unstopped(story, PROFILE)  # the first time, while nothing is lost
            empty()
            return build(BY_NAME[story], PROFILE)

    behind.count(says_commit)
    yield make
    behind.count(says_commit)
    empty()


@pytest.fixture
def database_behind(ledgers: Databases, behind: Proxy) -> Iterator[str]:
    """The name of a database with an empty ledger."""
    yield _name(ledgers)
    behind.count(says_commit)
    behind.hang_up()
    ledgers.empty()
