"""Servers that are lost, full or only read: errors that say so, and nothing by halves."""

from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

from paygate import Cashier, Money
from paygate.domain.secret import Sealed
from paygate.errors import CommitUnknown, LedgerCorrupt, StoreBusy, StoreError
from paygate.gateway import NotIdempotent
from paygate.ledger.dialects import open_store
from paygate.ledger.postgres.errors import translated
from paygate.ledger.postgres.store import PostgresStore, connect
from paygate.ledger.schema_files import POSTGRES
from paygate.ledger.store import BUSY_S
from paygate.testing import FakeGateway
from tests.ledger.postgres.conftest import PROFILE
from tests.ledger.postgres.test_schema import newer
from tests.stores import rows_of
from tests.support.postgres_proxy import Loss, Proxy, is_statement, says_commit
from tests.support.postgres_server import LOCKED, PASSWORD, ROLE, Server, binaries
from tests.sweep.run import Case, check, play_to_the_end
from tests.sweep.stories import BY_NAME
from tests.sweep.world import InMemory

TOTAL = Money.of("USD", "30.00")
DUE = "2026-12-01"


def issue(cashier: Cashier, number: str) -> None:
    cashier.issue(number=number, customer="C-1", total=TOTAL, due=DUE)


def grant(owner: Any) -> None:
    """Grant a role what the documents say."""
    rights = "SELECT, INSERT, UPDATE, DELETE"
    owner.execute(f"GRANT {rights} ON ALL TABLES IN SCHEMA public TO {LOCKED}")
    owner.execute(f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {LOCKED}")


def numbers(cashier: Cashier) -> list[str]:
    return [each.number for each in cashier.invoices()]


def test_a_connection_that_is_lost_at_any_statement_of_a_collect_does_no_harm(
    behind: Proxy, world_of: Callable[[str], InMemory]
) -> None:
    world = world_of("charge")
    story = BY_NAME["charge"]
    story.given(world, world.process())
    behind.count(is_statement)
    story.act(world, world.process(), "key-0")
    statements = behind.seen
    assert statements > 30

    for at in range(1, statements + 1):
        world = world_of("charge")
        story.given(world, world.process())
        behind.lose(Loss.REQUEST, at, is_statement)
        with suppress(CommitUnknown):
            story.act(world, world.process(), "key-0")
        assert behind.fired
        behind.count(says_commit)
        cashier = play_to_the_end(story, world)
        check(Case("charge", PROFILE), world, cashier)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the ledger wait two seconds for a server that is silent."""
    monkeypatch.setattr(PostgresStore, "silence_s", 2 - BUSY_S)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("name", ["charge", "refund", "complete"])
def test_a_network_that_falls_silent_at_a_commit_does_no_harm(
    name: str, behind: Proxy, world_of: Callable[[str], InMemory]
) -> None:
    story, silent = BY_NAME[name], 0
    for at in count(1):
        world = world_of(name)
        story.given(world, world.process())
        behind.lose(Loss.SILENCE, at, says_commit)
        # It is looked at again, but the session that nobody hears of still holds the customer.
        with suppress(CommitUnknown, StoreBusy):
            story.act(world, world.process(), "key-0")
        fired = behind.fired
        behind.count(says_commit)
        if not fired:
            break
        silent += 1
        behind.hang_up()
        cashier = play_to_the_end(story, world)
        check(Case(name, PROFILE), world, cashier)
    assert silent >= 2


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("at", [1, 5, 20])
def test_a_network_that_falls_silent_within_a_transaction_is_not_waited_for(
    at: int, behind: Proxy, world_of: Callable[[str], InMemory]
) -> None:
    story, world = BY_NAME["charge"], world_of("charge")
    story.given(world, world.process())
    behind.lose(Loss.SILENCE, at, is_statement)
    cashier = world.process()

    with pytest.raises(StoreBusy, match="has not answered for 2 seconds; this step wrote nothing"):
        story.act(world, cashier, "key-0")

    behind.count(says_commit)
    behind.hang_up()
    check(Case("charge", PROFILE), world, play_to_the_end(story, world))


def test_both_sides_notice_within_a_minute_that_the_network_is_gone(
    own: Server, place: str
) -> None:
    address = "127.83.19.7"  # an address of this machine that no other server uses
    own.kill()
    own.start(listen_addresses=address)
    url = f"postgresql://{ROLE}@{address}/{place}"
    names = ["tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count"]
    names.append("tcp_user_timeout")
    with Cashier.open(url) as cashier:
        shown = [rows_of(cashier, f"SELECT current_setting('{name}') AS it") for name in names]
    with closing(connect(Sealed(url))[0]) as connection:
        ours = connection.info.get_parameters()

    assert [row["it"] for [row] in shown] == ["30", "10", "3", "60000"]
    assert [ours[name] for name in ("keepalives_idle", "tcp_user_timeout")] == ["30", "60000"]


def test_a_check_of_the_books_whose_connection_is_lost_is_made_again(
    behind: Proxy, database_behind: str
) -> None:
    with Cashier.open(behind.url(database_behind)) as cashier:
        issue(cashier, "A-1")
        behind.count(is_statement)
        assert cashier.fsck() == []
        statements = behind.seen
        assert statements > 100

        for at in (1, 2, 3, statements // 2, statements):
            behind.lose(Loss.REQUEST, at, is_statement)
            assert cashier.fsck() == []
            assert behind.fired


# --- A server of its own ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def own() -> Iterator[Server]:
    programs = binaries()
    if programs is None:
        pytest.skip("no PostgreSQL server here")
    server = Server(programs)
    yield server
    server.stop()


NAMES = count(1)


@pytest.fixture
def place(own: Server) -> str:
    name = f"ledger_{next(NAMES)}"
    own.create(name)
    return name


def test_a_server_that_was_killed_is_missed_and_found_again(own: Server, place: str) -> None:
    with Cashier.open(own.url(place), gateways={"card": FakeGateway()}, busy_s=1) as cashier:
        issue(cashier, "A-1")
        own.kill()
        for _ in range(2):
            with pytest.raises(StoreError, match="check that the server is running and reachable"):
                issue(cashier, "A-2")
            with pytest.raises(StoreError, match="check that the server is running and reachable"):
                cashier.invoices()
        own.start()

        issue(cashier, "A-3")
        assert numbers(cashier) == ["A-3", "A-1"]
        assert cashier.fsck() == []


def test_a_server_that_is_killed_within_a_collect_does_no_harm(own: Server, place: str) -> None:
    gateway = FakeGateway(idempotency=NotIdempotent())

    def restart() -> None:
        own.kill()
        own.start()

    with (
        closing(Proxy(own.folder)) as proxy,
        Cashier.open(proxy.url(place), gateways={"card": gateway}) as cashier,
    ):
        killed = 0
        for at in count(1, 4):
            issue(cashier, f"A-{at}")
            proxy.lose(Loss.REQUEST, at, is_statement, also=restart)
            payment = cashier.collect(f"A-{at}", via="card", method="tok_visa", key=f"k-{at}")
            assert payment.status == "succeeded"
            if not proxy.fired:
                break
            killed += 1

        proxy.count(is_statement)
        assert killed > 4
        assert gateway.moved("USD") == Money.of("USD", 30 * (killed + 1))
        assert cashier.fsck() == []


@pytest.fixture
def standby(own: Server, place: str) -> Iterator[Server]:
    """A server that follows *own*, with a ledger in it, and only reads."""
    with Cashier.open(own.url(place)) as cashier:
        issue(cashier, "A-1")
    follower = own.follower()
    yield follower
    follower.stop()


def test_a_standby_only_reads_and_says_where_to_write(
    own: Server, place: str, standby: Server
) -> None:
    with Cashier.open(standby.url(place)) as cashier:
        assert numbers(cashier) == ["A-1"]
        assert cashier.fsck() == []
        with pytest.raises(StoreError, match="connect to the primary"):
            issue(cashier, "A-2")
        with (
            psycopg.connect(standby.url(place)) as lent,
            pytest.raises(Exception, match="server is read-only") as refused,
        ):
            cashier.within(lent)
        assert type(refused.value).__name__ == "NotAllowedHere"

    both = f"host={standby.folder},{own.folder}&target_session_attrs=read-write"
    with Cashier.open(f"postgresql://paygate@/{place}?{both}") as cashier:
        issue(cashier, "A-2")
        assert numbers(cashier) == ["A-2", "A-1"]


def test_a_standby_without_a_ledger_makes_none(own: Server, place: str) -> None:
    follower = own.follower()
    try:
        with pytest.raises(StoreError, match="connect to the primary"):
            open_store(follower.url(place))
    finally:
        follower.stop()


def test_a_role_that_has_all_its_connections_says_so(own: Server, place: str) -> None:
    theirs = own.url(place, f"{LOCKED}:{PASSWORD.replace(' ', '%20')}")
    open_store(own.url(place)).close()
    with closing(own.connect(place)) as owner:
        grant(owner)
        owner.execute(f"ALTER ROLE {LOCKED} CONNECTION LIMIT 1".encode())
        with (
            closing(psycopg.connect(theirs)),
            pytest.raises(StoreError, match=r"too many connections .* correct what this says"),
        ):
            open_store(theirs)
        owner.execute(f"ALTER ROLE {LOCKED} CONNECTION LIMIT -1".encode())
    with Cashier.open(theirs) as cashier:
        issue(cashier, "A-1")


def test_an_older_ledger_is_left_alone_by_a_role_that_may_not_change_it(
    own: Server, place: str, tmp_path: Path
) -> None:
    class Newer(PostgresStore):
        schema_files = newer(POSTGRES, tmp_path)

    open_store(own.url(place)).close()
    with closing(own.connect(place)) as owner:
        grant(owner)

    with pytest.raises(StoreError, match="open the ledger once as the owner"):
        Newer(own.url(place, f"{LOCKED}:{PASSWORD.replace(' ', '%20')}"))
    with Cashier.open(own.url(place)) as cashier:
        issue(cashier, "A-1")
        assert cashier.fsck() == []
    Newer(own.url(place)).close()


# --- What an error means ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (psycopg.errors.UniqueViolation, StoreBusy),
        (psycopg.errors.CheckViolation, LedgerCorrupt),
        (psycopg.errors.NotNullViolation, LedgerCorrupt),
        (psycopg.errors.ForeignKeyViolation, LedgerCorrupt),
        (psycopg.errors.SerializationFailure, StoreBusy),
        (psycopg.errors.DeadlockDetected, StoreBusy),
        (psycopg.errors.ReadOnlySqlTransaction, StoreError),
        (psycopg.errors.AdminShutdown, StoreError),
    ],
)
def test_a_conflict_is_not_called_damage(
    error: type[psycopg.Error], kind: type[StoreError]
) -> None:
    assert type(translated(error("it is so"))) is kind
