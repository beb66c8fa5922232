"""The worker: does due work until it is stopped, together with any number of other workers.

It takes jobs by lease (`Cashier.take_due`), does several at once, and looks for more. Whatever
ends it, a job that it has not done stays due, and one that it has half done is done twice without
harm. `paygate work` runs it; a host can run it in a process of its own.

A gateway that does not respond must not delay the others. So a job that waits longer than a moment
gives up its place to the next job. An account that did not respond is left alone for a pause, and
then gets one job at a time until it responds. In a process for many merchants, the same applies to
a tenant whose accounts cannot be looked up.

Pauses and deadlines are measured by the clock of the event loop, which nobody sets. What is due is
decided by the clock of the cashier. If that jumps, jobs are done early or late, which is harmless.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from paygate import logs, telemetry
from paygate.errors import AccountsUnavailable, PaygateError, StoreError, TenantNotFound
from paygate.printing import counted
from paygate.telemetry import Attribute, Metric
from paygate.worker.calling import call
from paygate.worker.unserved import Unserved, unserved

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from paygate.domain.job import Job, JobKind
    from paygate.service.agenda import JobResult
    from paygate.worker.calling import AnyCashier

JOBS: Final = 8
"""How many jobs are done at once, unless the caller says otherwise."""

POLL_S: Final = 1.0
"""How long a worker that has nothing to do waits before it looks again."""

DRAIN_S: Final = 30.0
"""How long jobs that are under way may take after the worker was stopped."""

READY_WITHIN_S: Final = 60.0
"""A worker that has not looked for jobs for so long is not ready."""

_SLOW_S: Final = 0.25
_PAUSES_S: Final = (5.0, 15.0, 60.0)
_TAKEN_PER_PLACE: Final = 4
_MOMENT_S: Final = 1.0
_GIVE_BACK_S: Final = 5.0
_NAMED_MAX: Final = 5
_COUNTED_EVERY_S: Final = 60.0
_LOGGED_MAX: Final = 20
_LOGGER: Final = "paygate.worker"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRun:
    """How a worker did a job: its result, or the error it raised, and how long it took."""

    job: Job
    result: JobResult | None
    error: Exception | None
    took_s: float


@dataclass(slots=True)
class WorkDone:
    """
    What a worker has done: jobs by kind, and how many of them had no answer.

    `left` are jobs that were no longer due, `failed` those that raised an error, and `abandoned`
    those that were given back while they were under way; they are not among `jobs`.
    """

    jobs: Counter[JobKind] = field(default_factory=Counter["JobKind"])
    unanswered: int = 0
    left: int = 0
    failed: int = 0
    abandoned: int = 0

    def count(self, run: JobRun) -> None:
        """Count a job."""
        if run.result is None:
            self.failed += 1
        elif run.result.left:
            self.left += 1
        else:
            self.jobs[run.job.kind] += 1
            self.unanswered += bool(run.result.unanswered)


@dataclass(slots=True, eq=False)
class _Held:
    """A job that the worker has taken, and whether it began."""

    desk: AnyCashier
    job: Job
    began: bool = False


@dataclass(slots=True)
class _Lane:
    """The jobs of one account or sink, or of a tenant: how many are under way, and its pause."""

    running: int = 0
    setbacks: int = 0
    resumes_at: float = 0.0

    def rest(self, now: float) -> None:
        """Leave it alone, longer each time."""
        if now >= self.resumes_at:  # otherwise several jobs that ran at once report the same
            self.resumes_at = now + _PAUSES_S[min(self.setbacks, len(_PAUSES_S) - 1)]
            self.setbacks += 1

    def resume(self) -> None:
        """End the pauses, because it has responded."""
        self.setbacks, self.resumes_at = 0, 0.0

    @property
    def is_idle(self) -> bool:
        """Whether nothing has to be remembered of it."""
        return not self.running and not self.setbacks

    def has_room(self, now: float, most: int) -> bool:
        """Return whether another job may begin; after a pause there is room for one."""
        return now >= self.resumes_at and self.running < (1 if self.setbacks else most)


class Worker:
    """
    Does the due work of a cashier, of one tenant or of all of them, with *jobs* at once.

    A `Cashier` works in threads, an `AsyncCashier` in tasks; the caller closes it. *on_job* is
    called with each `JobRun`, in the event loop.
    """

    def __init__(
        self,
        cashier: AnyCashier,
        *,
        jobs: int = JOBS,
        poll_s: float = POLL_S,
        drain_s: float = DRAIN_S,
        on_job: Callable[[JobRun], object] | None = None,
    ) -> None:
        self.done = WorkDone()
        self.running = 0
        """How many jobs are under way."""
        self.state = "starting"
        """What the worker is doing: starting, working, draining or stopped."""
        self.fault = ""
        """Why it could not look for jobs the last time; empty if it could."""
        self.unserved: list[Unserved] = []
        """The due jobs that it could not do when it last counted them."""
        self._gauged: set[str] = set()
        self._cashier = cashier
        self._jobs, self._poll_s, self._drain_s = jobs, poll_s, drain_s
        self._on_job = on_job
        self._recorder = telemetry.recorder()
        # By tenant and account or sink; those of which nothing has to be remembered are removed.
        self._lanes: dict[str, dict[str, _Lane]] = {}
        self._visits: dict[str, asyncio.Task[int]] = {}
        self._tasks: dict[asyncio.Task[None], _Held] = {}
        self._unused: list[_Held] = []
        self._broken: StoreError | None = None
        self._held_back = False
        self._waiting = 0
        self._looked_at = float("-inf")
        self._stopping, self._hurry = asyncio.Event(), asyncio.Event()
        self._news = asyncio.Event()
        self._places = asyncio.Semaphore(jobs)

    async def run(self, *, once: bool = False) -> WorkDone:
        """
        Do due work until `stop` is called, or with *once* until nothing is due.

        Then wait for the jobs that are under way, at most `drain_s`, and give back those that did
        not begin or did not end. Return what was done. With *once*, raise a `StoreError` if the
        ledger cannot be used; otherwise it is tried again.
        """
        self.state = "working"
        counting = None if once else asyncio.create_task(self._count_regularly())
        try:
            await self._work(once=once)
        finally:
            self.state = "draining"
            if counting is not None:
                counting.cancel()
            await self._drain()
            self.state = "stopped"
        return self.done

    def stop(self) -> None:
        """Take no more jobs, and let `run` return when those under way have ended."""
        self._stopping.set()
        self._news.set()

    def abandon(self) -> None:
        """
        Stop, and do not wait for jobs that are under way: give them back and let `run` return.

        What a `Cashier` does in threads goes on until the process ends. That is harmless: another
        worker may do the same jobs.
        """
        self._hurry.set()
        self.stop()

    @property
    def is_ready(self) -> bool:
        """Whether it takes jobs, and could look for them a moment ago."""
        lately = _now() - self._looked_at <= READY_WITHIN_S
        return self.state == "working" and not self.fault and lately

    # --- Looking for jobs -------------------------------------------------------------------

    async def _work(self, *, once: bool) -> None:
        while not self._stopping.is_set():
            self._news.clear()
            found = await self._look()
            if self._broken is None:
                self._looked_at, self.fault = _now(), ""
            elif once:
                raise self._broken
            else:
                self._cannot_look(self._broken)
            idle = not (found or self._tasks or self._visits or self._held_back)
            if once and idle:
                with telemetry.quietly():
                    self.unserved = await unserved(self._cashier)
                self._record_unserved()
                return
            if not found or self._waiting >= self._jobs:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), self._poll_s)

    async def _look(self) -> int:
        """Take jobs for every tenant that has some due, and begin them; return how many."""
        self._broken, self._held_back = None, False
        tenants: Sequence[str] = ("",)
        if self._cashier.serves_all:
            try:
                with telemetry.quietly():
                    tenants = await call(self._cashier, self._cashier.tenants_due)
            except StoreError as error:
                self._broken = error
                return 0
        begun = [
            self._begin_visit(tenant)
            for tenant in tenants
            if tenant not in self._visits and self._lane(tenant).has_room(_now(), 1)
        ]
        if not begun:
            return 0
        # The function of merchants= may hang for one tenant; the others do not wait for it.
        patience_s = _SLOW_S if self._cashier.serves_all else None
        ended, late = await asyncio.wait(begun, timeout=patience_s)
        for task in late:
            task.add_done_callback(lambda _: self._news.set())
        return sum(task.result() for task in ended)

    def _begin_visit(self, tenant: str) -> asyncio.Task[int]:
        task = asyncio.create_task(self._visit(tenant))
        self._visits[tenant] = task

        def end(_: asyncio.Task[int]) -> None:
            self._visits.pop(tenant, None)
            self._forget(tenant)

        task.add_done_callback(end)
        return task

    async def _visit(self, tenant: str) -> int:
        """Take jobs for a tenant and begin them; return how many."""
        now, most = _now(), self._jobs * _TAKEN_PER_PLACE
        desk = self._cashier.for_tenant(tenant) if tenant else self._cashier
        lanes = self._lanes.get(tenant, {})
        full = [name for name, lane in lanes.items() if name and not lane.has_room(now, most)]
        # Their jobs may end before this look does; then nothing is under way, but more is due.
        self._held_back |= any(lanes[name].running for name in full)
        try:
            with telemetry.quietly():
                taken: list[Job] = await call(desk, desk.take_due, limit=most, without=full)
            self._lane(tenant).resume()
            surplus = [job for job in taken if not self._begin(desk, tenant, job)]
            if surplus:
                self._held_back = True
                await call(desk, desk.give_back, surplus)
        except (TenantNotFound, AccountsUnavailable) as error:
            self._pass_over(tenant, error)
            return 0
        except StoreError as error:
            self._broken = error
            return 0
        return len(taken) - len(surplus)

    async def _count_regularly(self) -> None:
        """Count the jobs that this worker cannot do, and log those that were not there before."""
        while True:
            known = {(each.tenant, each.account) for each in self.unserved}
            with suppress(StoreError), telemetry.quietly():  # the search for jobs reports it
                self.unserved = await unserved(self._cashier)
            new = [each for each in self.unserved if (each.tenant, each.account) not in known]
            for each in new[:_LOGGED_MAX]:
                about = logs.About(tenant=each.tenant, account=each.account)
                logs.write(_LOGGER, "worker.unserved", str(each), about)
            self._record_unserved()
            await asyncio.sleep(_COUNTED_EVERY_S)

    def _record_unserved(self) -> None:
        """Set the gauge of each account; one that is served again gets zero, once."""
        if self._recorder is None:
            return
        counts = dict.fromkeys(self._gauged, 0)
        for each in self.unserved:
            counts[each.account] = counts.get(each.account, 0) + each.jobs
        for account, jobs in counts.items():
            self._recorder.measure(Metric.UNSERVED, jobs, {Attribute.ACCOUNT: account})
        self._gauged = {account for account, jobs in counts.items() if jobs}

    def _cannot_look(self, error: StoreError) -> None:
        if not self.fault:
            logs.write(_LOGGER, "worker.fault", error.message, logs.NOTHING)
        self.fault = error.message

    def _pass_over(self, tenant: str, error: PaygateError) -> None:
        lane = self._lane(tenant)
        if not lane.setbacks:
            logs.write(
                _LOGGER, "worker.tenant_passed_over", error.message, logs.About(tenant=tenant)
            )
        lane.rest(_now())

    def _lane(self, tenant: str, name: str = "") -> _Lane:
        """Return the lane of an account or sink, or of the tenant."""
        return self._lanes.setdefault(tenant, {}).setdefault(name, _Lane())

    def _forget(self, tenant: str) -> None:
        """Remove what need not be remembered: a process may serve very many tenants."""
        lanes = self._lanes.get(tenant, {})
        for name in [name for name, lane in lanes.items() if lane.is_idle]:
            del lanes[name]
        if not lanes:
            self._lanes.pop(tenant, None)

    # --- Doing jobs -------------------------------------------------------------------------

    def _begin(self, desk: AnyCashier, tenant: str, job: Job) -> bool:
        """Begin a job as a task, unless its account has no room."""
        lane = self._lane(tenant, job.account or job.subject)
        if not lane.has_room(_now(), self._jobs * _TAKEN_PER_PLACE):
            return False
        lane.running += 1
        self._waiting += 1
        held = _Held(desk, job)
        task = asyncio.create_task(self._do(held, tenant, lane))
        self._tasks[task] = held
        task.add_done_callback(partial(self._ended, tenant, lane))
        return True

    def _ended(self, tenant: str, lane: _Lane, task: asyncio.Task[None]) -> None:
        lane.running -= 1
        self._forget(tenant)
        held = self._tasks.pop(task)
        if task.cancelled():
            self._unused.append(held)
        else:
            task.result()
        self._news.set()

    async def _do(self, held: _Held, tenant: str, lane: _Lane) -> None:
        """Do a job in one of the places; if it takes long, its place is free for the next."""
        try:
            await self._places.acquire()
        finally:
            self._waiting -= 1
        try:
            if self._stopping.is_set():
                self._unused.append(held)
                return
            held.began = True
            doing = asyncio.create_task(self._run(held))
            await asyncio.wait((doing,), timeout=_SLOW_S)
        finally:
            self._places.release()
            self._news.set()
        self._note(await doing, tenant, lane)

    async def _run(self, held: _Held) -> JobRun:
        began, job = _now(), held.job
        result: JobResult | None = None
        failure: Exception | None = None
        self.running += 1
        self._record_running(job, 1)
        try:
            result = await call(held.desk, held.desk.work, job)
        except Exception as error:  # noqa: BLE001  (one job must not end the worker)
            failure = error
        finally:
            self.running -= 1
            self._record_running(job, -1)
        return JobRun(job=job, result=result, error=failure, took_s=_now() - began)

    def _record_running(self, job: Job, change: int) -> None:
        """Record that a job begins, and how long it was due, or that it ends."""
        if self._recorder is None:
            return
        facts = {Attribute.JOB: job.kind.value}
        self._recorder.add(Metric.RUNNING, change, facts)
        if change > 0:
            late = (self._cashier.now() - job.due_at).total_seconds()
            self._recorder.measure(Metric.DELAYS, max(0.0, late), facts)

    def _note(self, run: JobRun, tenant: str, lane: _Lane) -> None:
        """Count a job, and decide how to go on with its account."""
        self.done.count(run)
        if isinstance(run.error, TenantNotFound | AccountsUnavailable):
            self._pass_over(tenant, run.error)
        elif run.error is not None:
            # A job of the engine raises only if the ledger cannot be used, or by a bug of ours.
            message = run.error.message if isinstance(run.error, PaygateError) else ""
            text = f"{run.job} failed with {type(run.error).__name__}: {message}".removesuffix(": ")
            about = logs.About(tenant=run.job.tenant, account=run.job.account)
            logs.write(_LOGGER, "worker.job_failed", text, about)
        elif run.result is not None and run.result.unanswered:
            lane.rest(_now())
        elif run.result is not None and not run.result.left:
            lane.resume()
        if self._on_job is not None:
            self._on_job(run)

    # --- The end ----------------------------------------------------------------------------

    async def _drain(self) -> None:
        """Wait for what is under way, within the deadline, and give back what was not done."""
        self._stopping.set()
        until = _now() + self._drain_s
        hurry = asyncio.create_task(self._hurry.wait())
        while (left := self._under_way()) and not hurry.done() and _now() < until:
            await asyncio.wait(
                (*left, hurry),
                timeout=max(0.0, until - _now()),
                return_when=asyncio.FIRST_COMPLETED,
            )
        hurry.cancel()
        if self._visits:  # what they take must be given back, and few take longer than a moment
            await asyncio.wait(self._visits.values(), timeout=_MOMENT_S)
        left = self._under_way()
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)
        self._report_abandoned([held.job for held in self._unused if held.began])
        with suppress(TimeoutError):  # then the leases end by themselves
            async with asyncio.timeout(_GIVE_BACK_S):
                await self._give_back()

    def _under_way(self) -> list[asyncio.Task[Any]]:
        return [*self._visits.values(), *self._tasks]

    def _report_abandoned(self, jobs: Sequence[Job]) -> None:
        self.done.abandoned = len(jobs)
        if jobs:
            named = [str(job) for job in jobs[:_NAMED_MAX]] + ["…"] * (len(jobs) > _NAMED_MAX)
            are = "is" if len(jobs) == 1 else "are"
            text = f"{counted(len(jobs), 'job')} {are} abandoned and given back: {', '.join(named)}"
            logs.write(_LOGGER, "worker.abandoned", text, logs.NOTHING)

    async def _give_back(self) -> None:
        """End the leases of jobs that were not done, so that another worker takes them at once."""
        by_desk: defaultdict[int, list[Job]] = defaultdict(list)
        desks = {id(held.desk): held.desk for held in self._unused}
        for held in self._unused:
            by_desk[id(held.desk)].append(held.job)
        self._unused.clear()
        for number, jobs in by_desk.items():
            with suppress(PaygateError):  # their leases end by themselves
                await call(desks[number], desks[number].give_back, jobs)


def _now() -> float:
    return asyncio.get_running_loop().time()
