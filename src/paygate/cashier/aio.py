"""The cashier for asyncio: the same verbs, awaited.

A verb runs as a task of its own, shielded: if the host is canceled, it stops
waiting, but the payment continues. Its units of work run in threads: see `units`.
"""

from __future__ import annotations

import asyncio
import inspect
from functools import partial
from types import coroutine
from typing import TYPE_CHECKING, Any, Self, TypeVar, assert_never, cast

from paygate import logs, telemetry
from paygate.cashier import arguments
from paygate.cashier.desk import Desk
from paygate.cashier.face import Face, in_time
from paygate.cashier.merchants import accounts_in, failed, in_thread, too_slow
from paygate.cashier.once import Once
from paygate.cashier.serving import note_problems, stored_accounts
from paygate.cashier.threads import Threads, overdue
from paygate.cashier.timing import unit_times
from paygate.cashier.units import units_of
from paygate.cashier.verbs import Awaited
from paygate.cashier.within import Lends
from paygate.domain.secret import Sealed
from paygate.driving import contain, contained, drive_async, ends_callers
from paygate.errors import NotAllowedHere, PaygateError
from paygate.service.flow import Deliver, Exchange, InThread, Read, Together, Write, look

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator
    from concurrent.futures import Future

    from paygate.cashier.roster import Roster, Served
    from paygate.cashier.units import Units
    from paygate.cashier.verbs import Given, verb
    from paygate.service.flow import Flow, Step
    from paygate.transport import AsyncCourier

T = TypeVar("T")

_LOGGER = "paygate.cashier"


class AsyncCashier(Awaited, Lends, Face, Once, Desk):
    """Issue invoices and collect them, in asyncio; see `Cashier` for the verbs.

    Use it in one event loop. `aclose` waits for payments that are under way.
    """

    _awaits = True
    _couriers: dict[str, AsyncCourier]
    _threads: Threads
    _tasks: set[asyncio.Task[Any]]
    _units: Units
    _closing: list[bool]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self, *, deadline_s: float = 30.0) -> None:
        """
        Wait for what is under way, at most *deadline_s*, and close ledger and connections.

        Whatever is not finished by then is stopped; its attempts are stored, and
        `recover` determines their outcomes.
        """
        from paygate.service import refusals

        left_s = arguments.seconds(deadline_s, "deadline_s")
        if self._closing[0]:
            return
        self._closing[0] = True
        tasks = {task for task in self._tasks if task is not asyncio.current_task()}
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=left_s)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
        for account in self._accounts.values():
            await self._drive(refusals.write_down(account))
        if self._roster is not None:
            await self._let_go(self._roster.clear())
        for courier in self._couriers.values():
            await courier.aclose()
        self._couriers.clear()
        for transport in self._routes.all_transports():
            await transport.aclose()
        self._units.close()
        self._store.close()

    def _start(self) -> None:
        self._couriers, self._tasks, self._threads = {}, set(), Threads()
        self._units = units_of(self._store)
        self._closing = [False]  # shared with every acting_as() copy

    async def _call(
        self, source: verb[Any, Any], flow: Callable[..., Flow[T]], given: Given, /
    ) -> T:
        """Run the verb; if it uses accounts of a tenant, these are looked up first."""
        args, kwargs = given
        if self._roster is None:
            return await self._run(flow(self, *args, **kwargs), source.name)
        self._check_tenant(source)
        if not source.on_accounts or self.serves_all:
            return await self._run(flow(self, *args, **kwargs), source.name)
        self._check_open()
        try:
            served = await self._serve(self._roster)
        except PaygateError as error:
            telemetry.failed(self._recorder, source.name, error)
            raise
        desk = self._with(served)
        # The task, not the caller, uses the accounts: the caller may stop waiting.
        story = flow(desk, *args, **kwargs)
        drive = partial(desk._drive_served, story, source.name, self._roster, served)
        return await self._await(drive)

    async def _run(self, flow: Flow[T], name: str = "") -> T:
        try:
            self._check_open()
        except NotAllowedHere:
            flow.close()
            raise
        return await self._await(partial(self._drive, flow, name))

    async def _await(self, begin: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Do the work in a task of its own, which goes on if the caller stops waiting."""
        # In one line: a coroutine that was made, and interrupted before its task, is never awaited.
        task = asyncio.create_task(begin())
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _check_open(self) -> None:
        if self._closing[0]:
            raise NotAllowedHere("the cashier is closed; open a new one")

    async def _drive_served(self, flow: Flow[T], name: str, roster: Roster, served: Served) -> T:
        """Run *flow*, and then close the clients that nobody uses any more."""
        try:
            return await self._drive(flow, name)
        finally:
            await self._let_go(roster.release(served))

    async def _serve(self, roster: Roster) -> Served:
        """Return the accounts of the tenant, in use."""
        from paygate.service.admit import admit
        from paygate.service.publish import register

        found = roster.fresh(self._context.tenant, self.now())
        if found is not None:
            return found
        given = await self._look_up(roster)
        found = roster.same(self._context.tenant, given, self.now())
        if found is not None:
            return found
        made = self._made(given, roster)
        await self._run(register(self._sinks.values()))
        for name, problem in (
            await self._run(admit(made.accounts, live=roster.merchants.live))
        ).items():
            made.problems[name] = problem
            del made.accounts[name]
        note_problems(made, roster.problems_of(made.tenant))
        used, idle = roster.add(made)
        if idle:
            closing = asyncio.create_task(self._let_go(idle))
            self._tasks.add(closing)
            closing.add_done_callback(self._ended)
        return used

    async def _look_up(self, roster: Roster) -> Sealed[Any]:
        """Ask the host's function, or the ledger, for the accounts of the tenant."""
        from paygate.ledger import account_settings

        tenant, limit_s = self._context.tenant, roster.merchants.timeout_s
        function = roster.merchants.accounts_of
        if function is None:
            return stored_accounts(tenant, await self._run(look(account_settings.all_of)))
        if limit_s is not None and roster.is_late(tenant):
            raise too_slow(tenant, limit_s)
        if inspect.iscoroutinefunction(function):
            return accounts_in(tenant, await self._wait_for(roster, function(tenant)))
        future = in_thread(function, tenant)
        # The thread cannot be stopped, so its future is never canceled.
        asking = asyncio.shield(asyncio.wrap_future(future))
        answer = await self._wait_for(roster, _answer(asking), future)
        return accounts_in(tenant, answer)

    async def _wait_for(
        self,
        roster: Roster,
        work: Coroutine[Any, Any, object],
        thread: Future[Any] | None = None,
    ) -> Sealed[object]:
        """Return what the look-up *work*, perhaps done by a *thread*, returns in time."""
        tenant, limit_s = self._context.tenant, roster.merchants.timeout_s
        asking = asyncio.ensure_future(work)
        asking.add_done_callback(_retrieve)
        try:
            await asyncio.wait((asking,), timeout=limit_s)
            if not asking.done():
                roster.late(tenant)
                running: Any = asking if thread is None or thread.done() else thread
                running.add_done_callback(partial(roster.no_longer_late, tenant))
                raise too_slow(tenant, limit_s or 0)
        finally:
            asking.cancel()
        failure = asyncio.CancelledError() if asking.cancelled() else asking.exception()
        if failure is not None:
            raise failed(tenant, failure)
        return Sealed(asking.result())

    async def _let_go(self, idle: list[Served]) -> None:
        """Close the clients of tenants that nobody uses any more."""
        from paygate.service import refusals

        for served in idle:
            acting = self._of(served.tenant)
            for account in served.accounts.values():
                await acting._drive(refusals.write_down(account))
            for name, courier in served.couriers.items():
                if served.routes.transport_of(name) is None:  # else it belongs to all tenants
                    await courier.aclose()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            # The host may have stopped waiting; then this line is the only trace of the error.
            about = logs.About(tenant=self._context.tenant)
            logs.write(_LOGGER, "verb.ended", f"with {type(task.exception()).__name__}", about)

    async def _drive(self, flow: Flow[T], name: str = "") -> T:
        """Run *flow*; one of a verb with a *name* is recorded if somebody listens."""
        tenant, recorder = self._context.tenant, self._recorder
        _ = logs.tenant.set(tenant)  # for this task alone
        times = unit_times(recorder)
        if recorder is None or not name:
            return await drive_async(flow, self._do, times)
        with telemetry.verb(recorder, name, tenant) as ending:
            result = await drive_async(flow, self._do, times)
            ending.outcome = telemetry.outcome_of(result)
        return result

    async def _do(self, step: Step) -> Any:
        match step:
            case Write():
                return await self._units.write(self._context, step.work)
            case Read():
                return await self._units.read(self._context, step.work)
            case Exchange():
                not_after = in_time(step, self._context)
                account = self._accounts.get(step.account)  # None for a sink
                if account is not None and account.processor is not None:
                    return account.processor.answer(step.request)
                courier = self._courier(step.account)
                with logs.exchanging(step.about):
                    return await courier.exchange(step.request, not_after=not_after)
            case Deliver():
                result = contain(partial(step.subscriber, step.event))
                return await _contained(result) if inspect.isawaitable(result) else result
            case InThread():
                future = asyncio.wrap_future(self._threads.start(self._context.tenant, step))
                done, _ = await asyncio.wait([future], timeout=step.deadline_s)
                if not done:
                    future.cancel()
                    raise overdue(step)
                return future.result()
            case Together():
                return await self._together(step)
            case _:
                assert_never(step)

    async def _together(self, step: Together) -> list[Any]:
        """Run the flows of *step*, at most `at_once` of them at a time."""
        free = asyncio.Semaphore(step.at_once)

        async def run(begin: Callable[[], Flow[Any]]) -> Any:
            async with free:
                return await self._drive(begin())

        return await asyncio.gather(*map(run, step.flows))

    def _courier(self, account: str) -> AsyncCourier:
        from paygate.transport import AsyncCourier, AsyncHttpTransport

        served = self._served
        ours = served is not None and account in served.accounts
        couriers = served.couriers if served is not None and ours else self._couriers
        found = couriers.get(account)
        if found is None:
            own, network = self._routes.transport_of(account), self._routes.network_of(account)
            found = AsyncCourier(
                own or AsyncHttpTransport(network=network),
                self._signs_in(account),
                timeout_s=self._routes.timeout_s(account, self._timing),
                now=self._context.clock.now,
            )
            couriers[account] = found
        return found


async def _answer(asking: asyncio.Future[Sealed[object]]) -> object:
    """Return what a function returned in its thread; it may be a coroutine, as of a partial."""
    answer = await asking
    if inspect.isawaitable(answer.open()):
        return await cast("Any", answer.open())
    return answer.open()


@coroutine
def _contained(result: Awaitable[Any]) -> Generator[Any, Any, Any]:
    """Await *result*, of a subscriber, which may have been canceled without us."""
    return (yield from contained(_awaited(result), of=_is_not_ours))


def _awaited(result: Awaitable[Any]) -> Generator[Any, Any, Any]:
    return (yield from result.__await__())


def _is_not_ours(error: BaseException) -> bool:
    task = asyncio.current_task()
    ours = isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0
    return ends_callers(error) and not ours


def _retrieve(asking: asyncio.Future[Any]) -> None:
    """Retrieve the failure of a look-up, because nobody may be waiting for it any more."""
    if not asking.cancelled():
        asking.exception()
