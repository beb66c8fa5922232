"""The store on PostgreSQL: durable, patient with others, and honest about what it knows."""

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import pytest

from paygate import Cashier, Money
from paygate.errors import (
    CommitUnknown,
    InvalidValue,
    LedgerCorrupt,
    NotAllowedHere,
    StoreBusy,
    StoreError,
)
from paygate.ledger.dialects import open_store
from paygate.ledger.holding import hold_ledger
from paygate.ledger.postgres.session import LedgerConnection, Session
from paygate.ledger.postgres.store import PostgresStore
from paygate.ledger.tx import Context, SystemClock, TimedIds, Tx
from paygate.testing import FakeGateway
from tests.support.postgres_server import LOCKED, PASSWORD, Server

CONTEXT = Context(tenant="main", actor="test", clock=SystemClock(), ids=TimedIds())


def add(name: str) -> Callable[[Tx], int]:
    sql = "INSERT INTO paygate_sequence (tenant, name, value) VALUES (:tenant, :name, 1)"
    return lambda tx: tx.run(sql, {"tenant": tx.tenant, "name": name})


def execute(sql: str) -> Callable[[Tx], int]:
    def work(tx: Tx) -> int:
        hold_ledger(tx)
        return tx.run(sql, {})

    return work


def names(store: Any) -> list[str]:
    rows = store.read(
        CONTEXT, lambda tx: tx.all("SELECT name FROM paygate_sequence ORDER BY name", {})
    )
    return [row["name"] for row in rows]


def drop_connections(url: str) -> None:
    """Close every connection to the database, as a server does that is stopped."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@pytest.fixture
def store(url: str) -> Iterator[PostgresStore]:
    store = PostgresStore(url)
    yield store
    store.close()


def test_a_payment_is_collected_reversed_and_the_books_are_sound(url: str) -> None:
    gateways = {"card": FakeGateway()}
    with Cashier.open(url, gateways=gateways) as cashier:
        total = Money.of("USD", "30.00")
        invoice = cashier.issue(number="INV-7", customer="C-1", total=total, due="2026-12-01")
        payment = cashier.collect([invoice], via="card", method="tok_visa", key="checkout-7")
        cashier.reverse(payment, reason="never came", fee=Money.of("USD", "25.00"), force=True)

        assert cashier.invoice("INV-7").open == total
        assert cashier.fsck() == []
    with Cashier.open(url, gateways=gateways) as again:
        assert again.payment(payment.id).reversal is not None


def test_rows_look_as_they_do_on_sqlite(store: PostgresStore) -> None:
    sql = """
        SELECT :whole AS whole, :truth AS truth, 1 = 1 AS compared, :bytes AS bytes, :none AS none,
          (SELECT sum(x) FROM (SELECT 9223372036854775807 AS x UNION ALL SELECT 1) AS found) AS sum,
          7 / 2 AS floor
    """
    params = {"whole": 2**62, "truth": True, "bytes": b"\x00\xff", "none": None}

    row: Any = store.read(CONTEXT, lambda tx: tx.one(sql, params))
    rows: list[Any] = store.read(CONTEXT, lambda tx: list(tx.each(sql, params)))

    same = rows[0]
    assert list(row.values()) == list(same) == [2**62, 1, 1, b"\x00\xff", None, 2**63, 3]
    assert type(row["compared"]) is type(row["truth"]) is type(same["truth"]) is int


def test_a_unit_that_fails_leaves_nothing_and_others_of_its_group_stay(
    store: PostgresStore,
) -> None:
    def fail(tx: Tx) -> None:
        add("b")(tx)
        raise ValueError("no")

    results = store.write_group([(CONTEXT, add("a")), (CONTEXT, fail), (CONTEXT, add("c"))])

    assert [type(error) for _, error in results] == [type(None), ValueError, type(None)]
    assert names(store) == ["a", "c"]


def test_reading_sees_one_moment_and_cannot_write(store: PostgresStore) -> None:
    def look(tx: Tx) -> tuple[int, int]:
        before = len(tx.all("SELECT * FROM paygate_sequence", {}))
        writer = threading.Thread(target=lambda: store.write(CONTEXT, add("meanwhile")))
        writer.start()
        writer.join()
        return before, len(tx.all("SELECT * FROM paygate_sequence", {}))

    assert store.read(CONTEXT, look) == (0, 0)
    with pytest.raises(StoreError, match="read-only"):
        store.read(CONTEXT, add("a"))
    assert names(store) == ["meanwhile"]


def test_rows_are_brought_one_by_one_while_others_are_read(store: PostgresStore) -> None:
    for number in range(3):
        store.write(CONTEXT, add(f"n{number}"))

    def pairs(tx: Tx) -> list[tuple[str, str]]:
        sql = "SELECT name FROM paygate_sequence ORDER BY name"
        return [
            (one["name"], other["name"]) for one in tx.each(sql, {}) for other in tx.each(sql, {})
        ]

    found = store.read(CONTEXT, pairs)

    assert len(found) == 9
    assert found[1] == ("n0", "n1")


def test_a_failed_statement_that_nobody_minds_does_not_pass_for_a_commit(
    store: PostgresStore,
) -> None:
    def careless(tx: Tx) -> None:
        add("a")(tx)
        with pytest.raises(psycopg.errors.UndefinedTable):
            tx.run("DELETE FROM nowhere", {})

    with pytest.raises(StoreError, match="a statement failed earlier, and nothing was written"):
        store.write(CONTEXT, careless)
    assert names(store) == []


def test_a_broken_rule_is_told_without_the_row(store: PostgresStore) -> None:
    sql = "INSERT INTO paygate_meta (name, value) VALUES ('customer Ada', NULL)"

    with pytest.raises(LedgerCorrupt, match="a constraint of the ledger refused it") as refused:
        store.write(CONTEXT, execute(sql))

    assert "Ada" not in str(refused.value)
    assert refused.value.__suppress_context__


def test_what_says_money_moved_does_not_change(store: PostgresStore) -> None:
    sql = """
    INSERT INTO paygate_posting (tenant, entry, ledger_account, currency, amount_minor, customer,
      effective, booked_at, actor, checksum)
    VALUES ('main', 'e', 'fees', 'USD', 1, 'C', '', '', '', 0)
    """
    store.write(CONTEXT, execute(sql))

    for change in ("UPDATE paygate_posting SET amount_minor = 2", "DELETE FROM paygate_posting"):
        with pytest.raises(LedgerCorrupt, match="postings are append-only"):
            store.write(CONTEXT, execute(change))


def test_another_transaction_is_waited_for_so_long_and_no_longer(url: str) -> None:
    with closing(PostgresStore(url, busy_s=0.05)) as store:
        store.write(CONTEXT, add("a"))
        with psycopg.connect(url) as other:
            other.execute("UPDATE paygate_sequence SET value = 2")
            with pytest.raises(StoreBusy, match="held the lock too long"):
                store.write(CONTEXT, execute("DELETE FROM paygate_sequence"))
        store.write(CONTEXT, execute("DELETE FROM paygate_sequence"))
        assert names(store) == []


def test_a_unit_that_deadlocks_with_another_program_is_repeated(
    store: PostgresStore, url: str
) -> None:
    for name in "ab":
        store.write(CONTEXT, add(name))
    both = threading.Barrier(2)
    tries: list[int] = []
    count = "UPDATE paygate_sequence SET value = value + 1 WHERE name = "

    def another_program() -> None:
        with psycopg.connect(url) as connection:
            connection.execute("SET deadlock_timeout = '1h'")  # so the server undoes our unit
            connection.execute(f"{count}'b'".encode())
            both.wait(10)
            connection.execute(f"{count}'a'".encode())

    def unit(tx: Tx) -> None:
        tries.append(1)
        tx.run(f"{count}'a'", {})
        if len(tries) == 1:
            both.wait(10)
        tx.run(f"{count}'b'", {})

    other = threading.Thread(target=another_program)
    other.start()
    store.write(CONTEXT, unit)
    other.join()

    rows = store.read(CONTEXT, lambda tx: tx.all("SELECT value FROM paygate_sequence", {}))
    assert [row["value"] for row in rows] == [3, 3]
    assert len(tries) == 2


def test_a_server_that_closed_the_connections_is_asked_again(
    store: PostgresStore, url: str
) -> None:
    store.write(CONTEXT, add("a"))
    drop_connections(url)
    store.write(CONTEXT, add("b"))
    drop_connections(url)

    assert names(store) == ["a", "b"]


def test_a_connection_that_is_lost_before_the_end_is_no_loss(
    store: PostgresStore, url: str
) -> None:
    tries: list[int] = []

    def work(tx: Tx) -> None:
        tries.append(1)
        add("a")(tx)
        if len(tries) == 1:
            drop_connections(url)
        add("b")(tx)

    store.write(CONTEXT, work)

    assert names(store) == ["a", "b"]
    assert len(tries) == 2


def test_nobody_knows_what_a_lost_commit_did(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = LedgerConnection.end_unit

    def lose(connection: LedgerConnection, last: bytes) -> str:
        real(connection, last)
        connection.close()
        raise psycopg.OperationalError("the connection is lost")

    with monkeypatch.context() as patch:
        patch.setattr(LedgerConnection, "end_unit", lose)
        with pytest.raises(CommitUnknown) as lost:
            store.write(CONTEXT, add("a"))

    assert lost.value.result == 1
    assert names(store) == ["a"]


@contextmanager
def ended(pid: int) -> Iterator[None]:
    yield
    assert os.waitpid(pid, 0)[1] == 0


def test_a_forked_child_leaves_the_connections_of_its_parent_alone(store: PostgresStore) -> None:
    store.write(CONTEXT, add("parent"))

    pid = os.fork()
    if pid == 0:
        try:
            store.write(CONTEXT, add("child"))
            store.close()
        finally:
            os._exit(0 if store._closed else 1)
    with ended(pid):
        store.write(CONTEXT, add("parent again"))

    assert names(store) == ["child", "parent", "parent again"]


def test_a_closed_ledger_says_so(store: PostgresStore) -> None:
    store.close()
    store.close()

    with pytest.raises(NotAllowedHere, match="closed"):
        store.write(CONTEXT, add("a"))


# --- What is wrong with the server, the role or the URL ----------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://role:hunter2@[host/shop",
        "postgresql://role:hunter2@host/shop?nonsense=hunter2",
    ],
)
def test_a_url_that_cannot_be_read_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(InvalidValue, match="postgresql://role:password@host") as refused:
        open_store(url)

    assert "hunter2" not in str(refused.value)
    assert refused.value.__suppress_context__


def test_a_server_that_is_not_there_is_named_without_the_password(tmp_path: Any) -> None:
    with pytest.raises(StoreError, match=f"the ledger at {tmp_path}/shop: .*check that") as refused:
        open_store(f"postgresql://role:hunter2@/shop?host={tmp_path}")

    assert "hunter2" not in str(refused.value)


def test_a_wrong_password_is_told_and_not_shown(postgres: Server, url: str) -> None:
    place = postgres.url("postgres", f"{LOCKED}:hunter2")

    with pytest.raises(StoreError, match="password authentication failed") as refused:
        open_store(place)

    assert "hunter2" not in str(refused.value)


def test_a_database_that_is_not_there_is_told(postgres: Server) -> None:
    with pytest.raises(StoreError, match='database "nowhere" does not exist'):
        open_store(postgres.url("nowhere"))


def test_a_role_without_rights_is_told_and_one_with_a_few_is_enough(
    postgres: Server, url: str
) -> None:
    theirs = url.replace("paygate@", f"{LOCKED}:{PASSWORD.replace(' ', '%20')}@")
    with pytest.raises(StoreError, match="grant the role its privileges"):
        open_store(theirs)

    open_store(url).close()
    with pytest.raises(StoreError, match="grant the role its privileges"):
        open_store(theirs)
    with psycopg.connect(url) as owner:
        owner.execute(
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {LOCKED}"
        )
        owner.execute(f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {LOCKED}")

    with Cashier.open(theirs, gateways={"card": FakeGateway()}) as cashier:
        cashier.issue(number="1", customer="C", total=Money.of("USD", 1), due="2026-12-01")
        assert cashier.fsck() == []


def test_a_database_that_reads_by_default_is_written_nevertheless(url: str) -> None:
    open_store(url).close()
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute(
            "DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database() || "
            "' SET default_transaction_read_only = on'; END $$"
        )

    with closing(open_store(url)) as store:
        store.write(CONTEXT, add("a"))  # a setting of the server does not stop us
        assert names(store) == ["a"]


def test_text_that_is_sorted_by_a_language_is_refused(url: str) -> None:
    open_store(url).close()
    with psycopg.connect(url) as owner:
        owner.execute('ALTER TABLE paygate_item ALTER currency TYPE text COLLATE "default"')

    with pytest.raises(StoreError, match=r"does not sort paygate_item\.currency byte by byte"):
        open_store(url)


def test_a_database_in_another_encoding_is_refused(postgres: Server) -> None:
    with closing(postgres.connect()) as connection:
        connection.execute("CREATE DATABASE latin ENCODING LATIN1 LOCALE 'C' TEMPLATE template0")

    with pytest.raises(StoreError, match="stores text as LATIN1"):
        open_store(postgres.url("latin"))

    postgres.drop("latin")


def test_connections_that_are_all_in_use_are_waited_for(url: str) -> None:
    with closing(PostgresStore(url, busy_s=0.2, connections_max=1)) as store:

        def nested(tx: Tx) -> None:
            store.write(CONTEXT, add("inner"))

        with pytest.raises(StoreBusy, match=r"all 1 connections were in use for 0\.2 seconds"):
            store.write(CONTEXT, nested)
        assert names(store) == []


def test_a_write_without_its_root_is_done_alone_and_logged(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(PostgresStore, "session_class", Session)  # what an application has
    sql = "INSERT INTO paygate_contact (tenant, customer, facts) VALUES (:tenant, 'C-1', '{}')"
    alone: list[bool] = []
    locked = (
        "SELECT count(*) AS found FROM pg_locks WHERE pid = pg_backend_pid() "
        "AND locktype = 'advisory' AND mode = 'ExclusiveLock'"
    )

    def work(tx: Tx) -> int:
        written = tx.run(sql, {"tenant": tx.tenant})
        alone.append(tx.all(locked, {})[0]["found"] > 0)
        return written

    with caplog.at_level(logging.WARNING, "paygate"), closing(PostgresStore(url)) as store:
        assert store.write(CONTEXT, work) == 1

    assert alone == [True]
    [line] = [each for each in caplog.records if "ledger.root_forgotten" in each.msg]
    assert "paygate_contact" in line.getMessage()
