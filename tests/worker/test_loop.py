"""The worker: what is due gets done, and whoever is slow, silent or broken delays nobody else."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from paygate import AsyncCashier, Cashier, Event, JobKind, Money, PaymentStatus, Timing
from paygate.dialogue import Dialogue
from paygate.domain.outcome import Finding
from paygate.errors import NoResponse, StoreBusy, TenantNotFound
from paygate.gateway import Inquiry
from paygate.service.flow import Exchange, Step
from paygate.testing import FakeClock, FakeGateway
from paygate.worker import JobRun, Worker
from tests.worker.waiting import PATIENCE_S, until

FACES: Final = (Cashier, AsyncCashier)


class Gateway(FakeGateway):
    """A processor that counts inquiries, and may be away."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.asked: Counter[str] = Counter()
        self.away = False

    def look_up(self, inquiry: Inquiry) -> Dialogue[Finding]:
        self.asked[inquiry.our_ref] += 1
        if self.away:
            raise NoResponse("nothing within 30 s")
        return (yield from super().look_up(inquiry))


class Shop:
    """A ledger with attempts to ask about, and cashiers of either face."""

    def __init__(self, folder: Path) -> None:
        self.url, self.clock = f"sqlite:///{folder / 'ledger.db'}", FakeClock()
        self.gateways = {name: Gateway(clock=self.clock) for name in ("sick", "well")}
        self.numbers: list[str] = []

    def doubtful(self, via: str, count: int, tenant: str = "main") -> None:
        """Let the responses to some charges be lost, and their inquiries be due."""
        with self.open(Cashier, tenant=tenant) as cashier:
            for _ in range(count):
                number = f"{tenant}-{via}-{len(self.numbers)}"
                self.numbers.append(number)
                total = Money.of("USD", "30.00")
                cashier.issue(number=number, customer="C-1", total=total, due="2026-12-01")
                cashier.collect(number, via=via, method="tok_unknown_executed", key=number)
        self.clock.advance(timedelta(hours=1))

    def accounts_of(self, _: str) -> dict[str, Gateway]:
        return self.gateways

    def open(self, face: Any, **more: Any) -> Any:
        if "merchants" not in more:
            more.setdefault("gateways", self.gateways)
        return face.open(
            self.url, clock=self.clock, timing=Timing(feed_pause=None), preload=False, **more
        )

    def statuses(self, tenant: str = "main") -> Counter[tuple[str, PaymentStatus]]:
        with self.open(Cashier, tenant=tenant) as cashier:
            assert cashier.fsck() == []
            return Counter((each.account, each.status) for each in cashier.payments(limit=1000))


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@asynccontextmanager
async def opened(shop: Shop, face: Any, **more: Any) -> AsyncGenerator[Any]:
    cashier = shop.open(face, **more)
    try:
        yield cashier
    finally:
        if isinstance(cashier, AsyncCashier):
            await cashier.aclose()
        else:
            cashier.close()


def into(heard: list[str]) -> Callable[[Event], None]:
    """Return a handler that adds the id of each event to *heard*."""

    def handler(event: Event) -> None:
        heard.append(event.id)

    return handler


class Gate:
    """Holds up every exchange of one account until it is opened."""

    def __init__(self, account: str) -> None:
        self.account, self.waiting = account, 0
        self._open = threading.Event()

    def face(self, face: type[Any]) -> type[Any]:
        gate = self
        if face is Cashier:

            class HeldUp(Cashier):
                def _do(self, step: Step) -> Any:
                    if isinstance(step, Exchange) and step.account == gate.account:
                        gate.waiting += 1
                        assert gate._open.wait(PATIENCE_S)
                    return super()._do(step)

            return HeldUp

        class HeldUpAsync(AsyncCashier):
            async def _do(self, step: Step) -> Any:
                if isinstance(step, Exchange) and step.account == gate.account:
                    gate.waiting += 1
                    await until(gate._open.is_set)
                return await super()._do(step)

        return HeldUpAsync

    def open(self) -> None:
        self._open.set()


@pytest.mark.parametrize("face", FACES)
async def test_a_worker_does_all_that_is_due_and_says_what_it_did(shop: Shop, face: Any) -> None:
    shop.doubtful("well", 20)
    heard: list[str] = []
    runs: list[JobRun] = []
    async with opened(shop, face) as cashier:
        subscribing = cashier.subscribe("crm", into(heard))
        if subscribing is not None:
            await subscribing
        worker = Worker(cashier, jobs=3, on_job=runs.append)
        done = await worker.run(once=True)

    assert done.jobs[JobKind.INQUIRE] == 20
    assert done.jobs[JobKind.PUBLISH] >= 1
    assert (done.unanswered, done.failed) == (0, 0)
    assert sum(done.jobs.values()) + done.left == len(runs)
    assert all(run.took_s >= 0 and run.error is None for run in runs)
    assert heard
    assert shop.statuses() == {("well", PaymentStatus.SUCCEEDED): 20}
    assert worker.state == "stopped"


async def test_a_worker_that_ends_when_nothing_is_due_looks_again_after_its_last_jobs(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.doubtful("well", 13)
    async with opened(shop, AsyncCashier) as cashier:
        worker = Worker(cashier, jobs=1)
        real = cashier.take_due

        # While it looks for jobs of other accounts, all that were under way end.
        async def take_due(**given: Any) -> Any:
            if given["without"]:
                await until(lambda: worker.running == 0 and not worker._tasks)  # pyright: ignore[reportPrivateUsage]
            return await real(**given)

        monkeypatch.setattr(cashier, "take_due", take_due)
        done = await worker.run(once=True)

    assert done.jobs[JobKind.INQUIRE] == 13


@pytest.mark.parametrize("face", FACES)
async def test_two_workers_share_the_jobs_and_do_each_once(shop: Shop, face: Any) -> None:
    shop.doubtful("well", 40)
    async with opened(shop, face) as one, opened(shop, face) as two:
        await asyncio.gather(*(Worker(each, jobs=2).run(once=True) for each in (one, two)))

    assert set(shop.gateways["well"].asked.values()) == {1}
    assert shop.statuses() == {("well", PaymentStatus.SUCCEEDED): 40}


@pytest.mark.parametrize("face", FACES)
async def test_a_gateway_that_hangs_delays_no_other(shop: Shop, face: Any) -> None:
    shop.doubtful("sick", 30)
    shop.doubtful("well", 30)
    gate = Gate("sick")
    async with opened(shop, gate.face(face)) as cashier:
        worker = Worker(cashier, jobs=2)
        running = asyncio.create_task(worker.run())
        await until(lambda: worker.done.jobs[JobKind.INQUIRE] == 30)
        assert shop.statuses() == {
            ("sick", PaymentStatus.UNKNOWN): 30,
            ("well", PaymentStatus.SUCCEEDED): 30,
        }
        assert 0 < gate.waiting <= 8
        gate.open()
        await until(lambda: worker.done.jobs[JobKind.INQUIRE] == 60)
        worker.stop()
        await running

    assert shop.statuses() == {
        ("sick", PaymentStatus.SUCCEEDED): 30,
        ("well", PaymentStatus.SUCCEEDED): 30,
    }


@pytest.mark.parametrize("face", FACES)
async def test_an_account_that_does_not_respond_is_left_alone_for_a_while(
    shop: Shop, face: Any
) -> None:
    shop.doubtful("sick", 60)
    shop.doubtful("well", 10)
    shop.gateways["sick"].away = True
    async with opened(shop, face) as cashier:
        done = await Worker(cashier, jobs=2).run(once=True)

    assert 0 < done.unanswered <= 8
    assert done.jobs[JobKind.INQUIRE] == done.unanswered + 10
    assert shop.statuses()["well", PaymentStatus.SUCCEEDED] == 10
    with shop.open(Cashier) as cashier:  # the others were not counted as tried
        assert len(cashier.due()) == 60 - done.unanswered


@pytest.mark.parametrize("face", FACES)
async def test_a_worker_that_is_stopped_ends_its_jobs_and_gives_back_the_others(
    shop: Shop, face: Any
) -> None:
    shop.doubtful("sick", 12)
    gate = Gate("sick")
    async with opened(shop, gate.face(face)) as cashier:
        worker = Worker(cashier, jobs=1)
        running = asyncio.create_task(worker.run())
        await until(lambda: gate.waiting > 0)
        worker.stop()
        await until(lambda: worker.state == "draining")
        assert not worker.is_ready
        assert not running.done()
        gate.open()
        done = await running

    assert 0 < done.jobs[JobKind.INQUIRE] < 12
    with shop.open(Cashier) as other:  # nobody waits for the lease of a job that did not begin
        assert len(other.take_due()) == 12 - done.jobs[JobKind.INQUIRE]


async def close(cashier: Any) -> None:
    if isinstance(cashier, AsyncCashier):
        await cashier.aclose()
    else:
        cashier.close()


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("ended", ["by the deadline", "at once"])
async def test_a_job_that_outlasts_its_worker_is_given_back_and_may_be_done_by_another(
    shop: Shop, face: Any, ended: str, caplog: pytest.LogCaptureFixture
) -> None:
    shop.doubtful("sick", 3)
    gate = Gate("sick")
    cashier = shop.open(gate.face(face))
    worker = Worker(cashier, jobs=2, drain_s=0 if ended == "by the deadline" else PATIENCE_S)
    running = asyncio.create_task(worker.run())
    await until(lambda: gate.waiting > 1)
    worker.stop()
    if ended == "at once":
        await until(lambda: worker.state == "draining")
        worker.abandon()
    done = await running

    assert 2 <= done.abandoned <= 3
    assert f"{done.abandoned} jobs are abandoned and given back: inquire sick att_" in caplog.text
    with shop.open(Cashier) as other:
        taken = other.take_due()
        assert len(taken) == 3
        assert [other.work(job).left for job in taken] == [""] * 3
    assert shop.statuses() == {("sick", PaymentStatus.SUCCEEDED): 3}
    gate.open()  # what was left running ends late, and changes nothing
    await close(cashier)
    assert shop.statuses() == {("sick", PaymentStatus.SUCCEEDED): 3}


@pytest.mark.parametrize("face", FACES)
async def test_a_sink_that_outlasts_its_worker_is_served_by_another(shop: Shop, face: Any) -> None:
    shop.doubtful("well", 2)
    hangs, heard = threading.Event(), list[str]()

    def crm(event: Any) -> None:
        heard.append(event.id)
        assert hangs.wait(PATIENCE_S)

    async def crm_async(event: Any) -> None:
        heard.append(event.id)
        await until(hangs.is_set)

    cashier = shop.open(face)
    subscribing = cashier.subscribe("crm", crm if face is Cashier else crm_async)
    if subscribing is not None:
        await subscribing
    worker = Worker(cashier, drain_s=0)
    running = asyncio.create_task(worker.run())
    await until(lambda: bool(heard))
    worker.stop()
    await running

    others = list[str]()
    with shop.open(Cashier) as other:
        other.subscribe("crm", into(others))
        other.work_due()
        assert others == [each.id for each in other.events()]
    hangs.set()
    await close(cashier)
    with shop.open(Cashier) as other:
        assert other.status().sinks[0].behind_since is None


@pytest.mark.parametrize("face", FACES)
async def test_a_ledger_that_cannot_be_used_makes_the_worker_unready_until_it_can(
    shop: Shop, face: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.doubtful("well", 1)
    async with opened(shop, face) as cashier:
        broken = True
        real = cashier.take_due

        def take_due(**given: Any) -> Any:
            if broken:
                raise StoreBusy("another process writes")
            return real(**given)

        monkeypatch.setattr(cashier, "take_due", take_due)
        worker = Worker(cashier, poll_s=0.01)
        running = asyncio.create_task(worker.run())
        await until(lambda: worker.fault == "another process writes")
        assert not worker.is_ready
        broken = False
        await until(lambda: worker.is_ready)
        await until(lambda: sum(worker.done.jobs.values()) == 1)
        worker.stop()
        await running

        broken = True
        with pytest.raises(StoreBusy):
            await Worker(cashier).run(once=True)


@pytest.mark.parametrize("face", FACES)
async def test_a_job_that_raises_is_logged_and_the_others_go_on(
    shop: Shop, face: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shop.doubtful("well", 3)
    async with opened(shop, face) as cashier:
        real, broken = cashier.work, list[str]()

        def work(job: Any) -> Any:
            if not broken:
                broken.append(job.subject)
                raise KeyError("a secret")
            return real(job)

        monkeypatch.setattr(cashier, "work", work)
        done = await Worker(cashier).run(once=True)

    assert (done.failed, done.jobs[JobKind.INQUIRE]) == (1, 2)
    assert "worker.job_failed: inquire well" in caplog.text
    assert "KeyError" in caplog.text
    assert "a secret" not in caplog.text


@pytest.mark.parametrize("face", FACES)
async def test_one_worker_serves_all_merchants_and_passes_over_those_it_cannot(
    shop: Shop, face: Any
) -> None:
    tenants = [f"m-{number}" for number in range(6)]
    for tenant in tenants:
        shop.doubtful("well", 2, tenant=tenant)
    hangs = threading.Event()

    def accounts_of(tenant: str) -> Any:
        if tenant == "m-1":
            raise TenantNotFound("it was closed", name=tenant, known=[])
        if tenant == "m-2":
            hangs.wait(PATIENCE_S)
        return {"well": shop.gateways["well"]}

    async with opened(shop, face, merchants=accounts_of) as cashier:
        worker = Worker(cashier, jobs=2)
        running = asyncio.create_task(worker.run())
        await until(lambda: worker.done.jobs[JobKind.INQUIRE] == 8)
        hangs.set()
        await until(lambda: worker.done.jobs[JobKind.INQUIRE] == 10)
        worker.stop()
        await running

    for tenant in tenants:
        expected = PaymentStatus.UNKNOWN if tenant == "m-1" else PaymentStatus.SUCCEEDED
        assert shop.statuses(tenant) == {("well", expected): 2}


@pytest.mark.parametrize("face", FACES)
async def test_a_sink_that_hangs_delays_no_inquiry_and_is_read_by_one_job(
    shop: Shop, face: Any
) -> None:
    shop.doubtful("well", 20)
    hangs, heard = threading.Event(), list[str]()

    def crm(event: Any) -> None:
        heard.append(event.id)
        assert hangs.wait(PATIENCE_S)

    async def crm_async(event: Any) -> None:
        heard.append(event.id)
        await until(hangs.is_set)

    async with opened(shop, face) as cashier:
        subscribing = cashier.subscribe("crm", crm if face is Cashier else crm_async)
        if subscribing is not None:
            await subscribing
        worker = Worker(cashier, jobs=1, poll_s=0.01)
        running = asyncio.create_task(worker.run())
        await until(lambda: worker.done.jobs[JobKind.INQUIRE] == 20)
        assert len(heard) == 1  # the first event; nobody else reads for this sink
        hangs.set()
        await until(lambda: worker.done.jobs[JobKind.PUBLISH] > 0)
        worker.stop()
        await running

    assert len(set(heard)) == len(heard)


async def test_a_worker_remembers_nothing_of_merchants_whose_jobs_are_done(shop: Shop) -> None:
    for number in range(5):
        shop.doubtful("well", 1, tenant=f"m-{number}")
    async with opened(shop, AsyncCashier, merchants=shop.accounts_of) as cashier:
        worker = Worker(cashier)
        done = await worker.run(once=True)

    assert done.jobs[JobKind.INQUIRE] == 5
    assert worker._lanes == {}  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize("face", FACES)
async def test_a_worker_that_finds_nothing_pauses_before_it_looks_again(
    shop: Shop, face: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0
    take_due = face.take_due

    def counted(*given: Any, **named: Any) -> Any:
        nonlocal looks
        looks += 1
        return take_due(*given, **named)

    monkeypatch.setattr(face, "take_due", counted)
    async with opened(shop, face) as cashier:
        worker = Worker(cashier, poll_s=3600)
        working = asyncio.create_task(worker.run())
        await until(lambda: worker.is_ready)

        for _ in range(200):  # time enough for many more looks
            await asyncio.to_thread(int)
        worker.stop()
        await working

    assert looks == 1
