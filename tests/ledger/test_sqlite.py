"""The store: durable, one version, patient with other writers, and honest about a full disk."""

import gc
import random
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from paygate import Cashier, Money
from paygate.errors import (
    InvalidValue,
    LedgerCorrupt,
    MissingExtra,
    NotAllowedHere,
    SchemaMismatch,
    StoreBusy,
    StoreError,
    StoreFull,
)
from paygate.ledger.dialects import open_store
from paygate.ledger.sqlite import MEMORY, SqliteStore
from paygate.ledger.tx import Context, SystemClock, TimedIds, Tx
from paygate.testing import FakeGateway

pytestmark = pytest.mark.sqlite

CONTEXT = Context(tenant="main", actor="test", clock=SystemClock(), ids=TimedIds())
COUNT = "SELECT count(*) AS n FROM paygate_sequence"


def add(name: str) -> Callable[[Tx], None]:
    def work(tx: Tx) -> None:
        tx.run(
            "INSERT INTO paygate_sequence (tenant, name, value) VALUES (:tenant, :name, 1)",
            {"tenant": tx.tenant, "name": name},
        )

    return work


def names(store: SqliteStore) -> list[str]:
    def work(tx: Tx) -> list[str]:
        return [row["name"] for row in tx.all("SELECT name FROM paygate_sequence", {})]

    return store.read(CONTEXT, work)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


def test_a_ledger_keeps_its_promises_to_the_disk(path: Path) -> None:
    store = SqliteStore(str(path))
    connection = store._writer()

    found = {
        name: connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "fullfsync", "checkpoint_fullfsync")
    }

    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,
        "fullfsync": 1,
        "checkpoint_fullfsync": 1,
    }
    assert connection.execute("PRAGMA foreign_keys").fetchone()[0] == 1
    store.close()


def test_work_that_fails_leaves_nothing(path: Path) -> None:
    store = SqliteStore(str(path))

    def fail(tx: Tx) -> None:
        add("half")(tx)
        raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        store.write(CONTEXT, fail)

    assert names(store) == []
    store.close()


def test_in_a_group_only_the_failing_unit_is_undone(path: Path) -> None:
    store = SqliteStore(str(path))

    def fail(tx: Tx) -> None:
        add("half")(tx)
        raise ValueError("stop")

    results = store.write_group([(CONTEXT, add("a")), (CONTEXT, fail), (CONTEXT, add("b"))])

    assert names(store) == ["a", "b"]
    assert [type(error) for _, error in results] == [type(None), ValueError, type(None)]
    store.close()


def test_a_writer_waits_for_another_and_says_so_in_the_end(path: Path) -> None:
    store = SqliteStore(str(path), busy_s=0.05)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(StoreBusy):
        store.write(CONTEXT, add("a"))
    assert names(store) == []  # a reader does not wait
    other.execute("COMMIT")
    store.write(CONTEXT, add("a"))

    assert names(store) == ["a"]
    other.close()
    store.close()


def test_a_full_disk_undoes_the_step_and_the_next_one_works(path: Path) -> None:
    store = SqliteStore(str(path))
    store.write(CONTEXT, add("before"))
    pages = store._writer().execute("PRAGMA page_count").fetchone()[0]
    store._writer().execute(f"PRAGMA max_page_count = {pages}")

    def fill(tx: Tx) -> None:
        for number in range(10_000):
            add(f"{number:0100}")(tx)

    with pytest.raises(StoreFull):
        store.write(CONTEXT, fill)
    with pytest.raises(StoreFull):
        store.write_group([(CONTEXT, add("small")), (CONTEXT, fill)])
    assert names(store) == ["before"]

    store._writer().execute("PRAGMA max_page_count = 1000000")
    store.write(CONTEXT, add("after"))
    assert names(store) == ["after", "before"]
    store.close()


def test_a_newer_ledger_is_refused(path: Path) -> None:
    SqliteStore(str(path)).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE paygate_meta SET value = '99' WHERE name = 'schema'")
    connection.close()

    with pytest.raises(SchemaMismatch, match="upgrade paygate"):
        SqliteStore(str(path))


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.write_bytes(b"number,customer\n" * 1000)

    with pytest.raises(LedgerCorrupt):
        SqliteStore(str(path))


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no-such-folder"):
        SqliteStore(str(tmp_path / "no-such-folder" / "ledger.db"))


@pytest.mark.parametrize(
    "url", ["payments.db", "sqlite:payments.db", "sqlite://payments.db", "mysql://x", ""]
)
def test_a_url_that_means_nothing_is_refused(url: str) -> None:
    with pytest.raises(InvalidValue, match="sqlite:///"):
        open_store(url)


def test_without_psycopg_a_ledger_on_postgresql_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "paygate.ledger.postgres.store", None)

    with pytest.raises(MissingExtra, match=r"install paygate-sdk\[postgres\]") as refused:
        open_store("postgresql://till:secret@localhost/x")

    assert refused.value.extra == "postgres"
    assert "secret" not in str(refused.value)


def test_a_url_of_sqlite_opens_a_store_of_sqlite(path: Path) -> None:
    store = open_store(f"sqlite:///{path}")
    try:
        assert isinstance(store, SqliteStore)
        assert path.exists()
    finally:
        store.close()


def test_a_closed_ledger_says_so(path: Path) -> None:
    store = SqliteStore(str(path))
    store.close()
    store.close()

    with pytest.raises(NotAllowedHere):
        store.write(CONTEXT, add("a"))
    with pytest.raises(NotAllowedHere):
        store.read(CONTEXT, lambda tx: tx.all(COUNT, {}))


def test_the_ledger_lives_beside_the_tables_of_the_host(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE orders (id)")
    connection.close()

    with Cashier.open(f"sqlite:///{path}") as cashier:
        cashier.issue(number="A", customer="C", total=Money.of("USD", 5), due="2026-02-01")

    with sqlite3.connect(path) as connection:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    connection.close()
    assert {name for name in tables if "paygate_" not in name} == {"orders"}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE paygate_posting SET amount_minor = amount_minor + 1",
        "DELETE FROM paygate_posting",
        "UPDATE paygate_allocation SET amount_minor = amount_minor + 1",
        "DELETE FROM paygate_allocation",
        "UPDATE paygate_receipt SET amount_minor = amount_minor + 1",
        "DELETE FROM paygate_receipt",
        "UPDATE paygate_outbox SET data = '{}'",
        "UPDATE paygate_item SET allocated_minor = total_minor + 1",
        "UPDATE paygate_item SET claimed_minor = -1",
        "INSERT INTO paygate_customer SELECT * FROM paygate_customer",
        "UPDATE paygate_item SET total_minor = 1.5",
        "DELETE FROM paygate_payment",
    ],
)
def test_the_database_itself_refuses_to_rewrite_history(path: Path, statement: str) -> None:
    with Cashier.open(f"sqlite:///{path}") as cashier:
        cashier.issue(number="A", customer="C", total=Money.of("USD", 5), due="2026-02-01")
        cashier.record("A", by="cash", key="k")

    connection = sqlite3.connect(path)
    connection.execute("PRAGMA foreign_keys = ON")
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute(statement)
    connection.close()


def test_tenants_do_not_see_each_other(path: Path) -> None:
    url = f"sqlite:///{path}"
    with Cashier.open(url, tenant="north") as north, Cashier.open(url, tenant="south") as south:
        for cashier in (north, south):
            cashier.issue(number="A", customer="C", total=Money.of("USD", 5), due="2026-02-01")
        north.record("A", by="cash", key="k")

        assert [str(each.open) for each in (north.invoice("A"), south.invoice("A"))] == [
            "0.00 USD",
            "5.00 USD",
        ]
        assert (len(north.payments()), len(south.payments())) == (1, 0)
        assert south.record("A", by="cash", key="k").received == Money.of("USD", 5)
        assert north.fsck() == south.fsck() == []


def test_the_actor_is_written_down(path: Path) -> None:
    with Cashier.open(f"sqlite:///{path}", actor="portal") as cashier:
        cashier.acting_as("clerk-7").issue(
            number="A", customer="C", total=Money.of("USD", 5), due="2026-02-01"
        )
        cashier.record("A", by="cash", key="k")

        assert [(event.type, event.actor) for event in cashier.events()] == [
            ("invoice.generated", "clerk-7"),
            ("receipt.booked", "portal"),
            ("payment.succeeded", "portal"),
            ("invoice.paid", "portal"),
        ]


def test_a_ledger_in_memory_ends_with_its_object() -> None:
    store = SqliteStore(MEMORY)
    connection = store._writer()

    del store
    gc.collect()

    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")


# --- The file ------------------------------------------------------------------------------


def test_a_new_ledger_is_for_its_owner_alone(path: Path) -> None:
    with Cashier.open(f"sqlite:///{path}") as cashier:
        cashier.issue(number="B-7", customer="C-2", total=Money.of("EUR", 9), due="2031-02-01")

        modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}

    assert modes == {"ledger.db": 0o600, "ledger.db-wal": 0o600, "ledger.db-shm": 0o600}


def test_a_file_that_was_there_keeps_its_mode(path: Path) -> None:
    path.touch(0o660)
    path.chmod(0o660)

    SqliteStore(str(path)).close()

    assert path.stat().st_mode & 0o777 == 0o660


@pytest.mark.parametrize("replaced", [False, True], ids=["deleted", "replaced"])
def test_a_ledger_that_lost_its_file_is_neither_written_nor_sent_from(
    path: Path, *, replaced: bool
) -> None:
    gateway = FakeGateway()
    with Cashier.open(f"sqlite:///{path}", gateways={"card": gateway}) as cashier:
        cashier.issue(number="B-8", customer="C-2", total=Money.of("EUR", 9), due="2031-02-01")
        for file in path.parent.iterdir():
            file.unlink()
        if replaced:
            SqliteStore(str(path)).close()

        for verb in (
            lambda: cashier.collect("B-8", via="card", method="tok_visa", key="k-8"),
            lambda: cashier.invoice("B-8"),
        ):
            with pytest.raises(StoreError, match="was deleted or replaced while it was open"):
                verb()

    assert gateway.moved("EUR") == Money.of("EUR", 0)
    assert path.exists() == replaced


def test_a_relative_path_is_of_the_folder_where_the_ledger_was_opened(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(path.parent)
    with Cashier.open("sqlite:///ledger.db") as cashier:
        monkeypatch.chdir("/")

        cashier.issue(number="B-9", customer="C-2", total=Money.of("EUR", 9), due="2031-02-01")

        assert cashier.invoice("B-9").open == Money.of("EUR", 9)


def test_a_file_whose_pages_are_overwritten_is_damaged_at_open_or_when_read(path: Path) -> None:
    with Cashier.open(f"sqlite:///{path}") as cashier:
        for number in range(40):
            cashier.issue(
                number=f"B-{number}", customer="C-2", total=Money.of("EUR", 9), due="2031-02-01"
            )
    whole, page = path.read_bytes(), 4096
    assert not path.with_name("ledger.db-wal").exists()

    messages: list[str] = []
    for seed in range(60):
        chance = random.Random(seed)  # noqa: S311  (the same pages each time)
        start = chance.randrange(min(len(whole) // page, 14)) * page
        path.write_bytes(whole[:start] + chance.randbytes(page) + whole[start + page :])
        try:
            with Cashier.open(f"sqlite:///{path}") as cashier:
                cashier.invoices()
        except LedgerCorrupt as damage:
            messages.append(damage.message)
    assert messages
    assert all("is damaged" in message and "backup" in message for message in messages)


class BadWords(sqlite3.Connection):
    """Cannot decode what SQLite says about a schema that is not text."""

    def cursor(self, *args: Any, **kwargs: Any) -> Any:
        cursor = super().cursor(*args, **kwargs)
        b"\xe9".decode()
        return cursor


def test_a_schema_that_is_not_text_is_damage(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SqliteStore, "connection_class", BadWords)

    with pytest.raises(LedgerCorrupt, match=r"damaged .*restore it from a backup"):
        SqliteStore(str(path))


def test_a_schema_without_a_number_is_damage(path: Path) -> None:
    SqliteStore(str(path)).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("UPDATE paygate_meta SET value = 'one' WHERE name = 'schema'")

    with pytest.raises(LedgerCorrupt, match="damaged"):
        SqliteStore(str(path))


# --- A transaction of the host's -----------------------------------------------------------


def test_who_waits_for_a_transaction_of_its_own_is_told_so_after_the_time_it_set(
    path: Path,
) -> None:
    with (
        Cashier.open(f"sqlite:///{path}", busy_s=0.05) as cashier,
        closing(sqlite3.connect(path, isolation_level=None)) as host,
    ):
        host.execute("BEGIN IMMEDIATE")

        with pytest.raises(StoreBusy, match=r"commit it first, or lend it with within\(\)"):
            cashier.issue(number="B-1", customer="C-2", total=Money.of("EUR", 9), due="2031-02-01")


def test_a_stale_transaction_of_the_host_must_be_begun_again(path: Path) -> None:
    with (
        Cashier.open(f"sqlite:///{path}") as cashier,
        closing(sqlite3.connect(path, isolation_level=None)) as host,
    ):
        host.execute("BEGIN")
        host.execute("SELECT count(*) FROM paygate_item").fetchall()
        cashier.issue(number="B-1", customer="C-2", total=Money.of("EUR", 9), due="2031-02-01")

        with pytest.raises(StoreBusy, match="begin again with BEGIN IMMEDIATE"):
            cashier.within(host).issue(
                number="B-2", customer="C-2", total=Money.of("EUR", 9), due="2031-02-01"
            )

        host.execute("ROLLBACK")
        host.execute("BEGIN IMMEDIATE")
        cashier.within(host).issue(
            number="B-2", customer="C-2", total=Money.of("EUR", 9), due="2031-02-01"
        )
        host.execute("COMMIT")
        assert {each.number for each in cashier.invoices()} == {"B-1", "B-2"}


def test_a_full_disk_undoes_the_host_s_transaction_whole_and_says_so(path: Path) -> None:
    with (
        Cashier.open(f"sqlite:///{path}") as cashier,
        closing(sqlite3.connect(path, isolation_level=None)) as host,
    ):
        host.execute("CREATE TABLE orders (number TEXT)")
        [pages] = host.execute("PRAGMA page_count").fetchone()
        host.execute(f"PRAGMA max_page_count = {pages}")
        host.execute("BEGIN IMMEDIATE")
        host.execute("INSERT INTO orders VALUES ('O-1')")

        def fill() -> None:
            for number in range(10_000):
                cashier.within(host).issue(
                    number=f"{number:0100}",
                    customer="C",
                    total=Money.of("EUR", 9),
                    due="2031-02-01",
                )

        with pytest.raises(StoreFull) as full:
            fill()

        # SQLite decides how much it undoes; the message says what it was.
        undone = not host.in_transaction
        assert ("rolled back your whole transaction" in full.value.message) == undone
        if not undone:
            host.execute("ROLLBACK")
        assert cashier.invoices() == []
        assert host.execute("SELECT count(*) FROM orders").fetchone() == (0,)
        assert cashier.fsck() == []
