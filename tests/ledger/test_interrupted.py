"""An exception at any line of the store: it reaches the caller, and nothing stays locked."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial, wraps
from pathlib import Path
from types import FrameType
from typing import Any, ParamSpec

import pytest

from paygate import AsyncCashier, Cashier, Money, PaygateError, driving
from paygate.cashier import aio, units
from paygate.errors import InvoiceNotFound, NotAllowedHere
from paygate.ledger import (
    customers,
    forking,
    migrations,
    sqlite,
    sqlite_errors,
    sqlite_session,
)
from paygate.ledger.sqlite import SqliteStore
from paygate.testing import FakeGateway
from tests.stores import sqlite_of

# An exception on the line after a connection was opened loses it. Python closes it with its
# last reference, and warns of that from 3.13 on.
pytestmark = [
    pytest.mark.sqlite,
    pytest.mark.filterwarnings("ignore:unclosed database:ResourceWarning"),
]

P = ParamSpec("P")
MODULES = (sqlite, sqlite_session, sqlite_errors, migrations, forking)
STORE = frozenset(str(module.__file__) for module in MODULES)
FACE = frozenset(str(module.__file__) for module in (aio, units, driving))


def apart(test: Callable[P, None]) -> Callable[P, None]:
    """
    Run *test* in a thread of its own.

    After a tracer raised where a handler begins, CPython 3.11 may go on taking the handled
    exception for the current one, and every later exception of that thread has it as context.
    """

    @wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with ThreadPoolExecutor(1) as thread:
            thread.submit(test, *args, **kwargs).result()

    return run


class Interrupted(BaseException):
    """What a signal handler of the host raises."""


class Interruption:
    """Raises when a line of the store is about to run, at number *at* of those that run."""

    def __init__(self, at: int = 0, files: frozenset[str] = STORE) -> None:
        self.at, self.where, self.files = at, "", files
        self.passed: list[tuple[str, int]] = []

    @contextmanager
    def armed(self, settrace: Callable[[Any], None] = sys.settrace) -> Iterator[None]:
        before = sys.gettrace()
        settrace(self._call)
        try:
            yield
        finally:
            settrace(before)
            self.at = 0  # threads that run on keep the tracer

    @property
    def points(self) -> list[int]:
        """When each line ran for the first time, and for the last."""
        first = {line: number for number, line in reversed([*enumerate(self.passed, 1)])}
        last = {line: number for number, line in enumerate(self.passed, 1)}
        return sorted({*first.values(), *last.values()})

    def _call(self, frame: FrameType, _event: str, _argument: object) -> Any:
        return self._line if frame.f_code.co_filename in self.files else None

    def _line(self, frame: FrameType, event: str, _argument: object) -> Any:
        if event == "line":
            self.passed.append((frame.f_code.co_filename, frame.f_lineno))
            if len(self.passed) == self.at:
                self.where = f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
                raise Interrupted(self.where)
        return self._line


@dataclass
class Shop:
    """A cashier on a file, and whoever else wants to write to it."""

    path: Path
    cashier: Cashier
    issued: int = 0

    def issue(self) -> None:
        self.issued += 1
        bill(self.cashier, f"N-{self.issued}")


def bill(cashier: Cashier, number: str) -> None:
    cashier.issue(number=number, customer="C-4", total=usd("12.50"), due="2031-03-01")


def usd(amount: str) -> Money:
    return Money.of("USD", amount)


@pytest.fixture(autouse=True)
def _lost_here() -> Iterator[None]:
    """Let no later test be told of a connection that was lost in this one."""
    yield
    gc.collect()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    path = tmp_path / "shop.db"
    with Cashier.open(f"sqlite:///{path}", gateways={"card": FakeGateway()}) as cashier:
        bill(cashier, "FIRST")
        yield Shop(path, cashier)


def look(shop: Shop) -> None:
    shop.cashier.invoice("FIRST")


def look_for_nothing(shop: Shop) -> None:
    with suppress(InvoiceNotFound):
        shop.cashier.invoice("NOBODY'S")


def be_refused(shop: Shop) -> None:
    with suppress(PaygateError):
        shop.cashier.void("NOBODY'S", reason="a mistake")


def collect(shop: Shop) -> None:
    shop.issued += 1
    number = f"PAID-{shop.issued}"
    bill(shop.cashier, number)
    shop.cashier.collect(number, via="card", method="tok_visa", key=number)


def issue_in_a_transaction_of_the_host(shop: Shop) -> None:
    shop.issued += 1
    with closing(sqlite3.connect(shop.path, isolation_level=None, timeout=0)) as host:
        host.execute("BEGIN IMMEDIATE")
        try:
            within = shop.cashier.within(host)
            within.issue(
                number=f"N-{shop.issued}", customer="C-4", total=usd("3.00"), due="2031-03-01"
            )
        finally:
            host.execute("COMMIT")  # also what is half done, if we left something half done


def open_and_close(shop: Shop) -> None:
    shop.issued += 1
    path = shop.path.with_name(f"other-{shop.issued}.db")
    store: SqliteStore | None = None
    try:
        store = SqliteStore(str(path))
    finally:
        if store is not None:
            store.close()


def assert_free(shop: Shop) -> None:
    """Another process can write and empty the log at once, and so can every thread of ours."""
    with closing(sqlite3.connect(shop.path, isolation_level=None, timeout=0)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("ROLLBACK")
        busy, *_ = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        assert busy == 0, "a reader holds an old state"
    store = sqlite_of(shop.cashier)
    assert not any(reader.in_transaction for reader in store._readers)
    assert store._write_connection is None or not store._write_connection.in_transaction
    assert not forking._inside
    elsewhere = threading.Thread(target=shop.issue, daemon=True)
    elsewhere.start()
    elsewhere.join(20)
    assert not elsewhere.is_alive(), "it is the turn of a thread that does nothing"
    shop.issue()
    assert shop.cashier.invoice("FIRST").total == usd("12.50")


VERBS: list[Callable[[Shop], None]] = [
    Shop.issue,
    be_refused,
    look,
    look_for_nothing,
    collect,
    issue_in_a_transaction_of_the_host,
    open_and_close,
]


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.__name__)
@apart
def test_an_exception_at_any_line_of_the_store_leaves_nothing_locked(
    shop: Shop, verb: Callable[[Shop], None]
) -> None:
    verb(shop)
    whole = Interruption()
    with whole.armed():
        verb(shop)

    for line in whole.points:
        interruption = Interruption(line)
        # The traceback stays alive meanwhile, as in a notebook that keeps the last one.
        with pytest.raises(Interrupted) as raised, interruption.armed():
            verb(shop)

        assert str(raised.value) == interruption.where
        assert_free(shop)
    assert shop.cashier.fsck() == []
    assert len(whole.points) > 10


def test_an_exception_at_any_line_while_a_reader_is_made_leaves_nothing_locked(shop: Shop) -> None:
    def read_first(shop: Shop) -> None:
        while sqlite_of(shop.cashier)._readers:
            sqlite_of(shop.cashier)._readers.pop().close()
        look(shop)

    test_an_exception_at_any_line_of_the_store_leaves_nothing_locked(shop, read_first)


@apart
def test_a_unit_that_is_interrupted_in_a_group_undoes_the_group(shop: Shop) -> None:
    store, context = shop.cashier._store, shop.cashier._context

    def add(name: str, tx: Any) -> None:
        customers.save(tx, name)

    def fail(tx: Any) -> None:
        add("half", tx)
        raise ValueError("refused")

    def write(number: int) -> None:
        names = (f"{number}-{letter}" for letter in "ab")
        store.write_group([(context, partial(add, next(names))), (context, fail)])

    def written(number: int) -> int:
        return int(store.read(context, lambda tx: customers.find(tx, f"{number}-a") is not None))

    whole = Interruption()
    with whole.armed():
        write(0)
    assert written(0) == 1

    for line in whole.points:
        with pytest.raises(Interrupted), Interruption(line).armed():
            write(line)

        assert_free(shop)
    # From the line after COMMIT on it is there, before it is not; a part of it never is.
    there = [written(line) for line in whole.points]
    assert there == sorted(there)
    assert written(len(whole.passed)) == 1
    assert shop.cashier.fsck() == []


async def pay(cashier: AsyncCashier, number: str) -> None:
    await cashier.issue(number=number, customer="C", total=usd("2.00"), due="2031-03-01")
    await cashier.invoice(number)


@pytest.mark.parametrize(
    ("settrace", "files"),
    [
        pytest.param(threading.settrace, STORE, id="the store, in the threads of the loop"),
        pytest.param(sys.settrace, FACE, id="the face, in the loop"),
    ],
)
@apart
def test_an_exception_at_any_line_under_asyncio_reaches_who_waits_or_the_loop(
    shop: Shop, settrace: Callable[[Any], None], files: frozenset[str]
) -> None:
    """The executor of each loop makes its threads anew, so they have our tracer."""

    async def pay_at_once(name: str, interruption: Interruption) -> list[BaseException | None]:
        handled: list[BaseException | None] = []
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: handled.append(context["exception"])
        )
        async with AsyncCashier.open(f"sqlite:///{shop.path}") as cashier:
            with interruption.armed(settrace):
                payers = [pay(cashier, f"{name}-{payer}") for payer in range(2)]
                results = await asyncio.gather(*payers, return_exceptions=True)
            await pay(cashier, f"{name}-after")
        return results + handled

    whole = Interruption(files=files)
    assert asyncio.run(pay_at_once("whole", whole)) == [None, None]

    for line in whole.points:
        interruption = Interruption(line, files)
        failures = asyncio.run(pay_at_once(str(line), interruption))
        if interruption.where:  # threads may have shared the work in another way
            assert any(isinstance(failure, Interrupted) for failure in failures)
        assert_free(shop)
    assert shop.cashier.fsck() == []
    assert len(whole.points) > 10


def test_a_signal_handler_that_calls_into_a_write_is_refused(shop: Shop) -> None:
    store, context = shop.cashier._store, shop.cashier._context

    def work(tx: Any) -> None:
        with pytest.raises(NotAllowedHere, match="signal handler"):
            shop.issue()
        tx.run("INSERT INTO paygate_sequence VALUES ('main', 'outer', 1)", {})

    store.write(context, work)

    assert_free(shop)
    query = "SELECT name FROM paygate_sequence WHERE name = 'outer'"
    assert len(store.read(context, lambda tx: tx.all(query, {}))) == 1
