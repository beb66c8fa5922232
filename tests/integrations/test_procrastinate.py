"""Due work on procrastinate: whatever happens to its tasks, the books are right."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from procrastinate import App

from paygate import AsyncCashier, Cashier, JobKind, Kind, Money, PaymentStatus, Timing
from paygate.integrations.procrastinate import FIND, RESCUE, WORK, add_tasks, make_app
from paygate.testing import FakeClock, FakeGateway, LoopbackGateway, read_journal
from tests.concurrency.actors import ProcessorProcess, processor
from tests.support.postgres_server import Server

ATTEMPTS = 12


@pytest.fixture
def url(postgres: Server) -> Iterator[str]:
    postgres.create("queue")
    yield postgres.url("queue")
    postgres.drop("queue")


class Shop:
    """A ledger on PostgreSQL, in the database of the queue, with attempts that are due."""

    def __init__(self, url: str, count: int = ATTEMPTS) -> None:
        self.url, self.clock = url, FakeClock()
        self.gateway = FakeGateway(clock=self.clock)
        with self.open() as cashier:
            doubtful(cashier, count)
        self.clock.advance(hours=1)

    def open(self, face: Any = Cashier) -> Any:
        return face.open(
            self.url,
            gateways={"card": self.gateway},
            clock=self.clock,
            timing=Timing(feed_pause=None),
        )

    def statuses(self) -> Counter[PaymentStatus]:
        with self.open() as cashier:
            assert cashier.fsck() == []
            return Counter(each.status for each in cashier.payments())


def doubtful(cashier: Cashier, count: int) -> None:
    for number in range(count):
        total = Money.of("USD", "30.00")
        cashier.issue(number=f"INV-{number}", customer="C-1", total=total, due="2026-12-01")
        cashier.collect(
            f"INV-{number}", via="card", method="tok_unknown_executed", key=f"k{number}"
        )


async def work_off(app: App) -> None:
    """Do the tasks that wait, and those that they defer."""
    for _ in range(3):
        await app.run_worker_async(
            wait=False, install_signal_handlers=False, listen_notify=False, concurrency=4
        )


async def states(app: App, task: str = WORK) -> Counter[str]:
    """Return how many jobs of a task are in each state."""
    jobs = await app.job_manager.list_jobs_async(task=task)
    return Counter(str(each.status) for each in jobs)


@pytest.mark.parametrize("face", [Cashier, AsyncCashier])
async def test_a_periodic_task_finds_due_jobs_and_defers_one_task_for_each(
    url: str, face: Any
) -> None:
    shop = Shop(url)
    opened: list[Any] = []

    def cashier() -> Any:
        opened.append(shop.open(face))
        return opened[-1]

    app = make_app(url, cashier)
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        await app.configure_task(FIND).defer_async(timestamp=0)
        await work_off(app)
        assert await states(app) == {"succeeded": ATTEMPTS}
        periodic = app.periodic_registry.periodic_tasks.values()
        assert {(each.task.name, each.cron) for each in periodic} == {
            (FIND, "* * * * *"),
            (RESCUE, "* * * * *"),
        }
    assert len(opened) == 1
    await close(opened[0])
    assert shop.statuses() == {PaymentStatus.SUCCEEDED: ATTEMPTS}


async def close(cashier: Any) -> None:
    if isinstance(cashier, AsyncCashier):
        await cashier.aclose()
    else:
        cashier.close()


async def test_a_task_that_is_done_twice_or_by_two_engines_changes_nothing(url: str) -> None:
    shop = Shop(url)
    cashier = shop.open()
    app = App(connector=make_app(url, lambda: cashier).connector)
    add_tasks(app, lambda: cashier, queue="money")
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        jobs = cashier.take_due()
        for job in [*jobs, *jobs]:
            await app.configure_task(WORK, queue="money").defer_async(job=job.id)
        with shop.open() as other:
            other.recover(limit=5)  # another engine, meanwhile
        await work_off(app)
        assert await states(app) == {"succeeded": 2 * ATTEMPTS}
    cashier.close()

    assert shop.statuses() == {PaymentStatus.SUCCEEDED: ATTEMPTS}
    moved = [entry.amount for entry in shop.gateway.processor.journal]
    assert moved == [Money.of("USD", "30.00")] * ATTEMPTS


async def test_a_text_that_is_no_job_fails_its_task_alone(url: str) -> None:
    shop = Shop(url, 1)
    cashier = shop.open()
    app = make_app(url, lambda: cashier)
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        await app.configure_task(WORK).defer_async(job="dance/main/card/x/")
        await app.configure_task(FIND).defer_async(timestamp=0)
        await work_off(app)
        assert await states(app) == {"failed": 1, "succeeded": 1}
    cashier.close()
    assert shop.statuses() == {PaymentStatus.SUCCEEDED: 1}


# --- kill -9 ------------------------------------------------------------------------------------

WORKER = """
import asyncio, sys
from paygate import Cashier, Kind, Timing
from paygate.integrations.procrastinate import make_app
from paygate.testing import LoopbackGateway

ledger, processor = sys.argv[1:]


def cashier():
    gateway = LoopbackGateway(Kind.CARD, url=processor)
    return Cashier.open(ledger, gateways={"card": gateway}, timing=Timing(feed_pause=None))


app = make_app(ledger, cashier)


async def main():
    async with app.open_async():
        await app.run_worker_async(
            concurrency=3, listen_notify=False, fetch_job_polling_interval=0.02,
            update_heartbeat_interval=0.2,
        )


asyncio.run(main())
"""


@pytest.fixture
def running(tmp_path: Path) -> Iterator[ProcessorProcess]:
    with processor(tmp_path / "journal.jsonl") as running:
        yield running


def start(url: str, running: ProcessorProcess) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, url, running.url],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(120):
        while not await condition():  # noqa: ASYNC110  (nothing reports what is waited for)
            await asyncio.sleep(0.02)


async def test_a_worker_that_is_killed_again_and_again_leaves_the_truth(
    url: str, running: ProcessorProcess
) -> None:
    gateway = LoopbackGateway(Kind.CARD, url=running.url)
    clock = FakeClock()  # long ago, so that what it plans is due by the machine's clock
    with Cashier.open(url, gateways={"card": gateway}, clock=clock) as cashier:
        doubtful(cashier, 3 * ATTEMPTS)
    app = make_app(url, lambda: None, stalled_after_s=0)  # type: ignore[arg-type, return-value]
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        await app.configure_task(FIND).defer_async(timestamp=0)
        done = 0

        async def further() -> bool:
            return (await states(app))["succeeded"] >= done + 2

        for _ in range(4):
            worker = start(url, running)
            try:
                await until(further)
            finally:
                worker.kill()
                worker.wait()
            done = (await states(app))["succeeded"]

        stalled = list(await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=0))
        assert {each.task_name for each in stalled} <= {WORK, FIND, RESCUE}
        for each in stalled:  # as the periodic task does
            await app.job_manager.retry_job(each)

        async def all_done() -> bool:
            counts = await states(app)
            return not counts["todo"] and not counts["doing"]

        worker = start(url, running)
        try:
            await until(all_done)
        finally:
            worker.kill()
            worker.wait()

    with Cashier.open(url, gateways={"card": gateway}) as cashier:
        assert cashier.fsck() == []
        found = Counter(each.status for each in cashier.payments(limit=1000))
        assert found == {PaymentStatus.SUCCEEDED: 3 * ATTEMPTS}
        assert [each for each in cashier.due() if each.kind is JobKind.INQUIRE] == []
    assert len(read_journal(running.journal)) == 3 * ATTEMPTS


async def test_the_tasks_of_a_worker_that_died_are_done_by_another(url: str) -> None:
    shop = Shop(url, 2)
    cashier = shop.open()
    app = make_app(url, lambda: cashier)
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        [first, _] = cashier.take_due()
        await app.configure_task(WORK).defer_async(job=first.id)
        # A worker took the task, and was never heard of again.
        [dead] = await app.connector.execute_query_all_async(
            "INSERT INTO procrastinate_workers (last_heartbeat) "
            "VALUES (now() - interval '1 hour') RETURNING id"
        )
        await app.connector.execute_query_async(
            "UPDATE procrastinate_jobs SET status = 'doing', worker_id = %(worker)s",
            worker=dead["id"],
        )
        await app.configure_task(RESCUE).defer_async(timestamp=0)
        await work_off(app)
        assert (await states(app))["succeeded"] == 1
    cashier.close()
    assert shop.statuses()[PaymentStatus.SUCCEEDED] == 1
