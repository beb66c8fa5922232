"""Units of work of an `AsyncCashier` on PostgreSQL: at once, limited, and while the loop runs."""

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import closing

import psycopg
import pytest

from paygate import AsyncCashier, Cashier, Money, PaymentStatus
from paygate.errors import InvalidValue
from paygate.ledger.tx import Tx
from paygate.testing import FakeGateway

PATIENCE_S = 60.0
COUNT = "SELECT count(*) AS found FROM paygate_meta"


class Slow:
    """A unit of work that goes on when it is told to, and counts how many are in it."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.inside = self.most = 0
        self._lock = threading.Lock()

    def __call__(self, tx: Tx) -> int:
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        assert self.go.wait(PATIENCE_S)
        found = len(tx.all(COUNT, {}))
        with self._lock:
            self.inside -= 1
        return found


async def until(true: Callable[[], bool]) -> None:
    """Let the loop turn until something is true."""
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline
        await asyncio.sleep(0)


@pytest.mark.anyio
@pytest.mark.parametrize("verb", ["write", "read"])
async def test_twenty_slow_units_do_not_wait_for_each_other_nor_the_loop_for_them(
    url: str, verb: str
) -> None:
    async with AsyncCashier.open(url, connections_max=20) as cashier:
        slow, run = Slow(), getattr(cashier._units, verb)
        units = [asyncio.create_task(run(cashier._context, slow)) for _ in range(20)]

        await until(lambda: slow.inside == 20)  # the loop turns, and all of them have begun
        slow.go.set()

        assert await asyncio.gather(*units) == [1] * 20


@pytest.mark.anyio
async def test_no_more_units_run_at_once_than_there_are_connections(url: str) -> None:
    async with AsyncCashier.open(url, connections_max=3) as cashier:
        slow = Slow()
        units = [
            asyncio.create_task(cashier._units.write(cashier._context, slow)) for _ in range(12)
        ]
        await until(lambda: slow.inside == 3)
        slow.go.set()

        assert await asyncio.gather(*units) == [1] * 12
        assert slow.most == 3
        with closing(psycopg.connect(url)) as connection:
            sessions = connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'paygate'"
                " AND datname = current_database()"
            ).fetchone()
        assert sessions == (3,)


@pytest.mark.anyio
async def test_many_collect_at_once(url: str) -> None:
    gateway = FakeGateway()
    async with AsyncCashier.open(url, gateways={"card": gateway}, connections_max=4) as cashier:

        async def collect(number: int) -> PaymentStatus:
            await cashier.issue(
                number=f"A-{number}",
                customer=f"C-{number % 3}",
                total=Money.of("USD", "30.00"),
                due="2026-12-01",
            )
            payment = await cashier.collect(
                f"A-{number}", via="card", method="tok_visa", key=f"k-{number}"
            )
            return payment.status

        done = await asyncio.gather(*map(collect, range(20)))

        assert set(done) == {PaymentStatus.SUCCEEDED}
        assert await cashier.fsck() == []
    assert gateway.moved("USD") == Money.of("USD", "600.00")


@pytest.mark.parametrize("most", [0, -1, 1.5, True, 100_000])
def test_a_number_of_connections_that_cannot_be_is_refused(most: int) -> None:
    with pytest.raises(InvalidValue, match="connections_max"):
        Cashier.open("sqlite://", connections_max=most)
