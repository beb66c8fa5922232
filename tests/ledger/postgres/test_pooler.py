"""Behind PgBouncer in transaction mode: nothing is prepared, and no setting outlives its unit."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg
import pytest

from paygate import Cashier, Money
from paygate.errors import StoreBusy
from paygate.ledger.postgres.store import PostgresStore
from paygate.ledger.tx import Context, SystemClock, TimedIds
from paygate.testing import FakeGateway
from tests.support.pgbouncer import Bouncer, program
from tests.support.postgres_server import Server

CONTEXT = Context(tenant="main", actor="test", clock=SystemClock(), ids=TimedIds())
TOTAL = Money.of("USD", "30.00")
SETTINGS = """
SELECT current_setting('lock_timeout') AS wait, current_setting('synchronous_commit') AS durable
"""


@pytest.fixture(scope="module")
def bouncer(postgres: Server) -> Iterator[Bouncer]:
    path = program()
    if path is None:
        pytest.skip("PgBouncer is not installed")
    started = Bouncer(path, postgres)
    yield started
    started.stop()


@pytest.fixture
def name(database: Callable[[], str]) -> str:
    return database()


def test_several_collect_through_fewer_sessions(
    bouncer: Bouncer, postgres: Server, name: str
) -> None:
    gateway = FakeGateway()
    with Cashier.open(bouncer.url(name), gateways={"card": gateway}) as cashier:

        def collect(number: int) -> str:
            cashier.issue(
                number=f"A-{number}", customer=f"C-{number}", total=TOTAL, due="2026-12-01"
            )
            payment = cashier.collect(
                f"A-{number}", via="card", method="tok_visa", key=f"key-{number}"
            )
            cashier.refund(payment, amount=Money.of("USD", 10), key=f"back-{number}")
            return payment.status

        with ThreadPoolExecutor(6) as pool:
            done = list(pool.map(collect, range(12)))

        assert done == ["succeeded"] * 12
        assert cashier.fsck() == []
        assert gateway.moved("USD") == Money.of("USD", 240)
    with closing(postgres.connect(name)) as connection:
        sessions = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
            [name],
        ).fetchone()
    assert sessions is not None
    assert sessions[0] <= 3
    with psycopg.connect(bouncer.url(name)) as connection:
        prepared = connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchone()
    assert prepared == (0,)


def test_a_unit_waits_so_long_and_is_durable_and_leaves_no_setting(
    bouncer: Bouncer, postgres: Server, name: str
) -> None:
    with closing(postgres.connect(name)) as owner:
        owner.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off'.encode())
    with closing(PostgresStore(bouncer.url(name), busy_s=0.25)) as store:
        inside = store.write(CONTEXT, lambda tx: tx.one(SETTINGS, {}))

    assert inside == {"wait": "250ms", "durable": "on"}
    with psycopg.connect(bouncer.url(name)) as connection:
        assert connection.execute(SETTINGS).fetchone() == ("0", "off")


def test_another_transaction_is_waited_for_so_long_and_no_longer(
    bouncer: Bouncer, postgres: Server, name: str
) -> None:
    with closing(PostgresStore(bouncer.url(name), busy_s=0.05)) as store:
        sql = "INSERT INTO paygate_sequence (tenant, name, value) VALUES ('main', 'a', 1)"
        store.write(CONTEXT, lambda tx: tx.run(sql, {}))
        with psycopg.connect(postgres.url(name)) as other:
            other.execute("UPDATE paygate_sequence SET value = 2")
            with pytest.raises(StoreBusy, match="held the lock too long"):
                store.write(CONTEXT, lambda tx: tx.run("DELETE FROM paygate_sequence", {}))


def test_a_host_lends_a_direct_connection_to_the_same_ledger(
    bouncer: Bouncer, postgres: Server, name: str
) -> None:
    with (
        Cashier.open(bouncer.url(name)) as cashier,
        psycopg.connect(bouncer.url(name), prepare_threshold=None) as pooled,
        psycopg.connect(postgres.url(name)) as direct,
    ):
        for number, lent in (("A-1", direct), ("A-2", pooled)):
            cashier.within(lent).issue(number=number, customer="C", total=TOTAL, due="2026-12-01")
            lent.commit()

        assert [each.number for each in cashier.invoices()] == ["A-2", "A-1"]
