"""A ledger is copied from a file to a server and back: all of it, or it is not a ledger yet."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psycopg
import pytest

from paygate import Cashier, CopiedLedger, Money, copy_ledger
from paygate.errors import (
    CopyUnfinished,
    InvalidValue,
    LedgerCorrupt,
    LedgerNotEmpty,
    SendingStopped,
    StoreBusy,
    StoreError,
)
from paygate.ledger.copying import statements
from paygate.ledger.copying.tables import copied_tables
from paygate.testing import FakeGateway
from tests.concurrency.actors import context, kill
from tests.ledger.rich import KEYS, fill
from tests.support.postgres_server import Server
from tests.test_tracebacks import shown

pytestmark = pytest.mark.both_stores

NUMBERS = count(1)
USD_9 = Money.of("USD", "9.00")


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with rows of every kind."""
    path = tmp_path_factory.mktemp("rich") / "ledger.db"
    fill(path)
    return path


@pytest.fixture
def file(rich: Path, tmp_path: Path) -> Path:
    """A copy of that file, which a test may change."""
    with sqlite3.connect(rich) as source, sqlite3.connect(tmp_path / "shop.db") as copied:
        source.backup(copied)
    source.close()
    copied.close()
    return tmp_path / "shop.db"


@pytest.fixture(scope="module")
def on_server(rich: Path, postgres: Server) -> str:
    """The name of a database with the same ledger."""
    postgres.create("rich")
    copy_ledger(f"sqlite:///{rich}", postgres.url("rich"))
    return "rich"


@pytest.fixture(params=["file", "server"])
def origin(request: pytest.FixtureRequest, file: Path) -> Iterator[str]:
    """The URL of a ledger with rows of every kind, in a file or on a server."""
    if request.param == "file":
        yield f"sqlite:///{file}"
        return
    server: Server = request.getfixturevalue("postgres")
    name = f"origin_{next(NUMBERS)}"
    server.create(name, request.getfixturevalue("on_server"))
    yield server.url(name)
    server.drop(name)


@pytest.fixture
def places(tmp_path: Path, database: Callable[[], str], postgres: Server) -> Callable[[str], str]:
    """Return the URL of a new place on the other kind of database than a URL has."""

    def other(than: str) -> str:
        if than.startswith("sqlite"):
            return postgres.url(database())
        return f"sqlite:///{tmp_path / 'copied.db'}"

    return other


def rows_of(path: Path) -> dict[str, list[Any]]:
    """Return all rows of a file by table, but for what belongs to the processes that used it."""
    with closing(sqlite3.connect(path)) as connection:
        tables = [
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            if name != "paygate_job"
        ]
        found: dict[str, list[Any]] = {}
        for name in tables:
            cursor = connection.execute(f"SELECT * FROM {name}")  # noqa: S608
            columns = [column[0] for column in cursor.description]
            found[name] = sorted(
                repr(
                    [
                        (column, value)
                        for column, value in zip(columns, row, strict=True)
                        if not (name in ("paygate_sink", "paygate_feed") and "lease" in column)
                    ]
                )
                for row in cursor
            )
        return found


def no_gateways(url: str, **more: Any) -> Cashier:
    return Cashier.open(url, preload=False, **more)


def with_card(url: str) -> Cashier:
    return Cashier.open(
        url, gateways={"card": FakeGateway()}, token_keys=KEYS, preload=False, busy_s=5
    )


# --- All of it ----------------------------------------------------------------------------------


def test_a_ledger_that_went_to_a_server_and_back_has_the_same_rows(
    file: Path, url: str, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(
            "INSERT INTO paygate_refused_callback VALUES ('main', 'card', 'x', 1, 'a', 'b', '', '')"
        )
        connection.execute(
            "INSERT INTO paygate_report_line VALUES ('main', 'card', 'r', '1', '', '', NULL, '')"
        )
        connection.execute(
            "INSERT INTO paygate_delivery_try"
            " VALUES ('dtr_1', 'main', 'crm', 1, 'a', 7, 'delivered', 200, '')"
        )
    back = tmp_path / "back.db"
    there = copy_ledger(f"sqlite:///{file}", url)
    again = copy_ledger(url, f"sqlite:///{back}")

    assert rows_of(back) == rows_of(file)
    assert there.tables == again.tables
    assert there.balances == again.balances > 10
    assert sum(table.rows for table in there.tables) > 1_500
    assert [table.name for table in there.tables if not table.rows] == []


def test_the_tables_that_are_copied_are_those_of_the_schema(rich: Path) -> None:
    with closing(sqlite3.connect(rich)) as connection:
        names = {
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        }

    left = {"paygate_meta", "paygate_row_count", "paygate_job"}
    assert {table.name for table in copied_tables()} == names - left
    assert {table.name for table in copied_tables() if table.leases} == {
        "paygate_autopay_run",
        "paygate_feed",
        "paygate_overdue_run",
        "paygate_sink",
    }


def test_each_table_is_copied_after_those_that_it_refers_to() -> None:
    seen: set[str] = set()
    for table in copied_tables():
        assert table.parents <= seen | {table.name}
        seen.add(table.name)


def test_a_lease_is_not_copied(file: Path, url: str) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE paygate_sink SET lease = 'somebody', lease_until = '2999'")
        connection.execute("UPDATE paygate_feed SET lease_until = '2999'")

    copy_ledger(f"sqlite:///{file}", url)

    with closing(psycopg.connect(url)) as server:
        sinks = server.execute("SELECT lease, lease_until FROM paygate_sink").fetchall()
        feeds = server.execute("SELECT lease_until FROM paygate_feed").fetchall()
    assert set(sinks) == {("", None)}
    assert set(feeds) == {(None,)}


def test_numbers_that_a_rollback_left_out_stay_left_out(
    file: Path, url: str, tmp_path: Path
) -> None:
    """PostgreSQL gives no number twice, also if its row was rolled back; SQLite leaves no gap."""
    copy_ledger(f"sqlite:///{file}", url)
    with closing(psycopg.connect(url, autocommit=True)) as server:
        for table in ("paygate_posting", "paygate_inbox"):
            server.execute(f"SELECT nextval(pg_get_serial_sequence('{table}', 'id'))".encode())
    with with_card(url) as cashier:
        cashier.resume_sending(evidence="a test", force=True)
        cashier.issue(number="AFTER", customer="C-1", total=USD_9, due="2026-12-01")
        cashier.collect("AFTER", via="card", method="tok_visa", key="after")

    back = tmp_path / "back.db"
    copy_ledger(url, f"sqlite:///{back}")

    with closing(sqlite3.connect(back)) as connection:
        [(last, count)] = connection.execute("SELECT max(id), count(*) FROM paygate_posting")
    assert last == count + 1
    with with_card(f"sqlite:///{back}") as cashier:
        assert cashier.fsck() == []
        cashier.resume_sending(evidence="a test", force=True)
        cashier.issue(number="LATER", customer="C-1", total=USD_9, due="2026-12-01")
        cashier.collect("LATER", via="card", method="tok_visa", key="later")
        assert cashier.fsck() == []
    with closing(sqlite3.connect(back)) as connection, connection:
        connection.execute("DROP TRIGGER paygate_posting_no_delete")
        connection.execute("DELETE FROM paygate_posting WHERE id = ?", [last])
    with no_gateways(f"sqlite:///{back}") as cashier:
        found = [each.detail for each in cashier.fsck(rules=["no-rows-are-missing"])]
    assert any("numbered" in detail for detail in found)


# --- What goes on at the copy -------------------------------------------------------------------


def test_sending_is_stopped_in_both_until_somebody_resumes_it(
    origin: str, places: Callable[[str], str]
) -> None:
    with no_gateways(origin) as cashier:
        cashier.resume_sending(evidence="a test", force=True)
    place = places(origin)
    copy_ledger(origin, place)

    for each in (origin, place):
        with with_card(each) as cashier:
            stopped = cashier.sending_stopped()
            assert stopped is not None
            assert stopped.reason.startswith("copied to ")
            cashier.issue(number="AFTER", customer="C-1", total=USD_9, due="2026-12-01")
            with pytest.raises(SendingStopped):
                cashier.collect("AFTER", via="card", method="tok_visa", key="after")


def test_the_copy_goes_on_where_its_source_was(origin: str, places: Callable[[str], str]) -> None:
    with no_gateways(origin) as cashier:
        before = [event.id for event in cashier.events(limit=1_000)]
        positions = [event.position for event in cashier.events(limit=1_000)]
    place = places(origin)

    copy_ledger(origin, place)

    with with_card(place) as cashier:
        cashier.resume_sending(evidence="a test", force=True)
        cashier.issue(number="AFTER", customer="C-1", total=USD_9, due="2026-12-01")
        paid = cashier.collect("AFTER", via="card", method="tok_visa", key="after")
        events = cashier.events(limit=1_000)
        assert paid.received == USD_9
        assert [event.id for event in events[: len(before)]] == before
        assert [event.position for event in events[: len(positions)]] == positions
        assert [event.position for event in events] == sorted(event.position for event in events)
        assert {paid.id} <= {event.aggregate for event in events[len(before) :]}
        assert cashier.fsck() == []


# --- Killed, and continued ----------------------------------------------------------------------


def copy_slowly(origin: str, place: str, told: Connection) -> None:
    """Copy a ledger in small batches, and write a dot after each, and for each comparison."""
    statements.ROWS_AT_ONCE = 40  # type: ignore[misc]

    def tell(step: str, _done: int, _count: int) -> None:
        if not step.startswith("check"):
            os.write(told.fileno(), b".")

    copy_ledger(origin, place, progress=tell)
    os.write(told.fileno(), b"!")


def test_a_copy_that_is_killed_again_and_again_is_finished_by_the_last_run(
    origin: str, places: Callable[[str], str], file: Path, tmp_path: Path
) -> None:
    chance = random.Random(20)  # noqa: S311  (no secret)
    place = places(origin)
    forks = context()
    kills = 0
    while True:
        hears, tells = forks.Pipe(duplex=False)
        child = forks.Process(target=copy_slowly, args=(origin, place, tells))
        child.start()
        tells.close()
        # Each run gets further than the one before, or the last would never come.
        steps = chance.randrange(5, 40) + 20 * kills
        heard = b""
        while len(heard) < steps and (dots := os.read(hears.fileno(), steps)):
            heard += dots
        kill(child)
        hears.close()
        if heard.endswith(b"!"):
            break
        kills += 1
    assert kills > 1

    assert_same(origin, place, file, tmp_path)


def assert_same(origin: str, place: str, file: Path, tmp_path: Path) -> None:
    """Compare the rows of both as those of two files."""
    found: list[dict[str, list[Any]]] = []
    for number, url in enumerate((origin, place)):
        path = tmp_path / f"compared-{number}.db"
        copy_ledger(url, f"sqlite:///{path}")
        found.append(rows_of(path))
    assert found[0] == found[1]
    assert len(found[0]["paygate_outbox"]) >= len(rows_of(file)["paygate_outbox"])


class Interrupted(Exception):
    """Ends a copy in the middle."""


def interrupt(origin: str, place: str, at: str) -> None:
    """Begin to copy a ledger, and stop after a table."""

    def stop(step: str, _done: int, _count: int) -> None:
        if step == at:
            raise Interrupted

    with pytest.raises(Interrupted):
        copy_ledger(origin, place, progress=stop)


def test_an_unfinished_copy_cannot_be_used(origin: str, places: Callable[[str], str]) -> None:
    place = places(origin)
    interrupt(origin, place, "paygate_receipt")

    with pytest.raises(CopyUnfinished, match="run the same 'paygate copy' again"):
        no_gateways(place)
    with pytest.raises(CopyUnfinished):
        copy_ledger(place, places(place))


def test_a_copy_continues_after_the_rows_that_it_has(
    origin: str, places: Callable[[str], str]
) -> None:
    place = places(origin)
    interrupt(origin, place, "paygate_receipt")
    steps: list[str] = []

    def note(step: str, _done: int, _count: int) -> None:
        steps.append(step)

    done = copy_ledger(origin, place, progress=note)

    assert not done.began_again
    assert steps.index("paygate_receipt") < steps.index("paygate_allocation")
    with no_gateways(place) as cashier:
        assert cashier.fsck() == []


def test_a_source_that_was_written_meanwhile_is_copied_as_it_is_now(
    origin: str, places: Callable[[str], str], file: Path, tmp_path: Path
) -> None:
    place = places(origin)
    interrupt(origin, place, "paygate_receipt")
    with no_gateways(origin) as cashier:
        cashier.issue(number="AFTER", customer="C-1", total=USD_9, due="2026-12-01")

    done = copy_ledger(origin, place)

    assert done.began_again
    with no_gateways(place) as cashier:
        assert cashier.invoice("AFTER").total == USD_9
        assert cashier.fsck() == []
    assert_same(origin, place, file, tmp_path)


def test_the_source_cannot_be_written_while_it_is_copied(
    origin: str, places: Callable[[str], str]
) -> None:
    refused: list[type[Exception]] = []

    with no_gateways(origin, busy_s=0.05) as cashier:

        def write(step: str, _done: int, _count: int) -> None:
            if step != "paygate_receipt":
                return
            try:
                cashier.issue(number="NOW", customer="C-1", total=USD_9, due="2026-12-01")
            except StoreBusy as busy:
                refused.append(type(busy))

        copy_ledger(origin, places(origin), progress=write)
        assert refused == [StoreBusy]
        cashier.issue(number="NOW", customer="C-1", total=USD_9, due="2026-12-01")


# --- Refused ------------------------------------------------------------------------------------


def test_a_ledger_is_not_copied_over_another_one(origin: str, places: Callable[[str], str]) -> None:
    place = places(origin)
    with no_gateways(place) as cashier:
        cashier.issue(number="HERE", customer="C-1", total=USD_9, due="2026-12-01")

    with no_gateways(origin) as cashier:
        cashier.resume_sending(evidence="a test", force=True)
    with pytest.raises(LedgerNotEmpty):
        copy_ledger(origin, place)

    with no_gateways(place) as cashier:
        assert cashier.invoice("HERE").total == USD_9
    with no_gateways(origin) as cashier:
        assert cashier.sending_stopped() is None


def test_an_empty_ledger_is_a_place_for_a_copy(origin: str, places: Callable[[str], str]) -> None:
    place = places(origin)
    no_gateways(place).close()

    copy_ledger(origin, place)

    with no_gateways(place) as cashier:
        assert cashier.fsck() == []


def test_an_unfinished_copy_of_another_ledger_is_discarded_only_if_asked(
    file: Path, url: str, tmp_path: Path
) -> None:
    other = tmp_path / "other.db"
    shutil.copy(file, other)
    interrupt(f"sqlite:///{other}", url, "paygate_receipt")

    with pytest.raises(LedgerNotEmpty, match=r"unfinished copy of .*other\.db"):
        copy_ledger(f"sqlite:///{file}", url)
    copy_ledger(f"sqlite:///{file}", url, start_again=True)

    with no_gateways(url) as cashier:
        assert cashier.fsck() == []


def test_two_copies_into_one_place_do_not_mix(file: Path, url: str, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    shutil.copy(file, other)

    def start_another(step: str, _done: int, _count: int) -> None:
        if step == "paygate_receipt":
            copy_ledger(f"sqlite:///{other}", url, start_again=True)

    with pytest.raises(StoreBusy, match="another 'paygate copy'"):
        copy_ledger(f"sqlite:///{file}", url, progress=start_another)
    with no_gateways(url) as cashier:
        assert cashier.fsck() == []


def test_a_copy_that_somebody_has_written_to_is_no_ledger(
    origin: str, places: Callable[[str], str]
) -> None:
    place = places(origin)
    interrupt(origin, place, "paygate_receipt")
    change = "UPDATE paygate_contact SET facts = '{}'"
    if place.startswith("sqlite"):
        with closing(sqlite3.connect(place.removeprefix("sqlite:///"))) as connection, connection:
            connection.execute(change)
    else:
        with closing(psycopg.connect(place, autocommit=True)) as server:
            server.execute(change.encode())

    with pytest.raises(CopyUnfinished, match="paygate_contact"):
        copy_ledger(origin, place)
    with pytest.raises(CopyUnfinished):
        no_gateways(place)

    copy_ledger(origin, place, start_again=True)
    with no_gateways(place) as cashier:
        payer = cashier.customer("C-1")
        assert payer is not None
        assert payer.name == "Ada Lovelace"


def test_a_ledger_that_violates_a_rule_is_not_copied(file: Path, url: str) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE paygate_item SET customer = 'C-2'")

    with pytest.raises(LedgerCorrupt, match="paygate fsck"):
        copy_ledger(f"sqlite:///{file}", url)
    assert not is_there(url)


def is_there(url: str) -> bool:
    with closing(psycopg.connect(url)) as server:
        row = server.execute("SELECT to_regclass('paygate_meta') IS NOT NULL").fetchone()
        return row is not None and bool(row[0])


def test_there_must_be_a_ledger_to_copy(url: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match=r"no ledger .*none\.db"):
        copy_ledger(f"sqlite:///{tmp_path / 'none.db'}", url)
    with pytest.raises(InvalidValue, match="no ledger"):
        copy_ledger(url, f"sqlite:///{tmp_path / 'new.db'}")
    with pytest.raises(InvalidValue, match="target must be the URL"):
        copy_ledger(made(tmp_path), "sqlite://")

    assert not (tmp_path / "none.db").exists()
    assert not is_there(url)


def made(folder: Path) -> str:
    url = f"sqlite:///{folder / 'made.db'}"
    no_gateways(url).close()
    return url


def test_a_ledger_is_not_copied_onto_itself(origin: str) -> None:
    with pytest.raises(InvalidValue, match="the same ledger"):
        copy_ledger(origin, origin)


def test_what_a_server_cannot_store_ends_the_copy_and_is_named(file: Path, url: str) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE paygate_contact SET facts = 'a' || char(0)")

    with pytest.raises(StoreError, match="NUL"):
        copy_ledger(f"sqlite:///{file}", url)


def test_the_password_of_a_url_is_in_no_error(file: Path) -> None:
    with pytest.raises(StoreError) as caught:
        copy_ledger(f"sqlite:///{file}", "postgresql://shop:correct-horse@127.0.0.1:1/shop")

    assert "correct-horse" not in shown(caught.value)


def test_what_is_returned_says_how_much_was_copied(file: Path, url: str) -> None:
    done = copy_ledger(f"sqlite:///{file}", url)

    assert isinstance(done, CopiedLedger)
    events = next(table for table in done.tables if table.name == "paygate_outbox")
    with no_gateways(url) as cashier:
        assert events.rows >= len(cashier.events(limit=1_000))
