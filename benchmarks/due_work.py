"""Due work: jobs per second of our worker next to other queues, and recovery of many attempts.

On one PostgreSQL server, whose settings are those of the tests (no fsync), each queue does the same
number of jobs that do nothing, eight at once, in one process. For ours they are real: attempts that
are due, taken by lease, looked at, and given back; only the inquiry itself is left out. Filling the
queues is not timed.

Recovery asks a fake gateway about every attempt; the time that the gateway takes is subtracted.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from pgqueuer import PgQueuer, Queries
from pgqueuer.adapters.drivers.psycopg import PsycopgDriver
from pgqueuer.types import QueueExecutionMode
from procrastinate import App, PsycopgConnector
from typing_extensions import override

from benchmarks.rounds import Measured, Target, take_turns
from paygate import AsyncCashier, Cashier, JobKind, Money, Timing
from paygate.service import agenda
from paygate.testing import FakeClock, FakeGateway
from paygate.worker import Worker
from tests.support.postgres_server import Server, binaries

if TYPE_CHECKING:
    from paygate.domain.job import Job
    from paygate.service.flow import Flow

JOBS = 1_000
AT_ONCE = 8
MANY = 10_000
FEW = 1_000
NO_FEEDS = Timing(feed_pause=None)


def measure(rounds: int) -> list[Measured]:
    programs = binaries()
    if programs is None:
        raise SystemExit("no PostgreSQL server here; PAYGATE_POSTGRES names its programs")
    server = Server(programs)
    try:
        server.create("jobs")
        return [*_empty_jobs(rounds, server.url("jobs")), _recovery(rounds)]
    finally:
        server.stop()


# --- Empty jobs ------------------------------------------------------------------------------


def _empty_jobs(rounds: int, url: str) -> list[Measured]:
    clock = FakeClock()
    gateway = FakeGateway(clock=clock)
    with Cashier.open(url, gateways={"card": gateway}, clock=clock) as cashier:
        _leave_in_doubt(cashier, JOBS)
    clock.advance(hours=1)
    app = App(connector=PsycopgConnector(conninfo=url))
    app.task(name="empty")(_nothing)
    asyncio.run(_install(url, app))

    ours, theirs, others = take_turns(
        rounds,
        lambda: asyncio.run(_with_paygate(url, gateway, clock)),
        lambda: asyncio.run(_with_procrastinate(app)),
        lambda: asyncio.run(_with_pgqueuer(url)),
    )
    name = f"empty jobs, {AT_ONCE} at once"
    return [
        Measured(name=name, floor_name="procrastinate", unit="jobs/s", ours=ours, floor=theirs),
        Measured(name=name, floor_name="pgqueuer", unit="jobs/s", ours=ours, floor=others),
    ]


def _leave_in_doubt(cashier: Cashier, count: int) -> None:
    for number in range(count):
        total = Money.of("USD", "30.00")
        cashier.issue(
            number=f"INV-{number}", customer=f"C-{number % 50}", total=total, due="2026-12-01"
        )
        cashier.collect(
            f"INV-{number}", via="card", method="tok_unknown_executed", key=f"k-{number}"
        )


async def _nothing() -> None:
    """Do nothing."""


async def _install(url: str, app: App) -> None:
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await Queries(PsycopgDriver(connection)).install()


async def _with_paygate(url: str, gateway: FakeGateway, clock: FakeClock) -> float:
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        connection.execute("DELETE FROM paygate_job")
    rule = agenda.KINDS[JobKind.INQUIRE]

    def nothing(job: Job, _: agenda.Access) -> Flow[agenda.JobResult]:
        yield from ()
        return agenda.JobResult(job=job)

    kinds: Any = agenda.KINDS
    kinds[JobKind.INQUIRE] = replace(rule, work=nothing)
    cashier = AsyncCashier.open(url, gateways={"card": gateway}, clock=clock, timing=NO_FEEDS)
    try:
        began = time.perf_counter()
        done = await Worker(cashier, jobs=AT_ONCE).run(once=True)
        took_s = time.perf_counter() - began
    finally:
        kinds[JobKind.INQUIRE] = rule
        await cashier.aclose()
    assert done.jobs[JobKind.INQUIRE] == JOBS, done
    return JOBS / took_s


async def _with_procrastinate(app: App) -> float:
    async with app.open_async():
        await app.configure_task("empty").batch_defer_async(*[{} for _ in range(JOBS)])
        began = time.perf_counter()
        await app.run_worker_async(
            concurrency=AT_ONCE, wait=False, install_signal_handlers=False, listen_notify=False
        )
        return JOBS / (time.perf_counter() - began)


async def _with_pgqueuer(url: str) -> float:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        queue = PgQueuer.from_psycopg_connection(connection)

        @queue.entrypoint("empty")
        async def empty(_: Any) -> None:
            """Do nothing."""

        await queue.qm.queries.enqueue(["empty"] * JOBS, [None] * JOBS, [0] * JOBS)
        began = time.perf_counter()
        await queue.qm.run(
            mode=QueueExecutionMode.drain,
            batch_size=AT_ONCE,
            dequeue_timeout=timedelta(seconds=0.1),
            log_aggregation_interval=timedelta(0),
        )
        return JOBS / (time.perf_counter() - began)


# --- Recovery --------------------------------------------------------------------------------


class Timed(FakeGateway):
    """A gateway that adds up the time it takes."""

    took_s = 0.0

    @override
    def answer(self, request: Any) -> Any:
        began = time.perf_counter()
        try:
            return super().answer(request)
        finally:
            self.took_s += time.perf_counter() - began


def _recovery(rounds: int) -> Measured:
    many, few = take_turns(rounds, lambda: _recovered(MANY), lambda: _recovered(FEW))
    return Measured(
        name=f"recover, {MANY:,} attempts in doubt",
        floor_name=f"{FEW:,} attempts",
        unit="attempts/s, SQLite, without the gateway",
        ours=many,
        floor=few,
        target=Target(bound=0.8, at_least=True),
    )


def _recovered(count: int) -> float:
    clock = FakeClock()
    gateway = Timed(clock=clock)
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'ledger.db'}"
        with Cashier.open(url, gateways={"card": gateway}, clock=clock, timing=NO_FEEDS) as cashier:
            _leave_in_doubt(cashier, count)
            clock.advance(hours=1)
            gateway.took_s = 0.0
            began = time.perf_counter()
            found = 0
            while some := cashier.recover(limit=1_000):
                found += len(some)
            took_s = time.perf_counter() - began - gateway.took_s
    assert found == count
    return count / took_s
