"""The cashier for asyncio: the same verbs, awaited.

A verb runs as a task of its own, shielded: if the host is canceled, it stops
waiting, but the payment continues. Units of work are committed in groups: while
one transaction is being written to disk, those that arrive meanwhile wait and
share the next one.
"""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar, assert_never

from paygate import logs
from paygate.cashier import arguments
from paygate.cashier.desk import Desk
from paygate.cashier.face import Face, in_time
from paygate.cashier.verbs import Awaited
from paygate.cashier.within import Lends
from paygate.driving import drive_async
from paygate.errors import NotAllowedHere
from paygate.service.flow import Deliver, Exchange, Read, Write

if TYPE_CHECKING:
    from collections.abc import Callable

    from paygate.ledger.store import Store
    from paygate.ledger.tx import Context, Tx
    from paygate.service.flow import Flow, Step
    from paygate.transport import AsyncCourier

T = TypeVar("T")

_LOGGER = "paygate.cashier"

GROUP_SIZE_MAX = 200

# How often the event loop turns before the next group is taken. Tasks that the last commit woke
# reach their next unit of work in the meantime: the group is fuller, and the thread that writes
# does not contend with the loop for the interpreter.
GATHERING_TURNS = 5


class AsyncCashier(Awaited, Lends, Face, Desk):
    """Issue invoices and collect them, in asyncio; see `Cashier` for the verbs.

    Use it in one event loop. `aclose` waits for payments that are under way.
    """

    _awaits = True
    _couriers: dict[str, AsyncCourier]
    _tasks: set[asyncio.Task[Any]]
    _commits: _GroupCommit
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
        for courier in self._couriers.values():
            await courier.aclose()
        self._couriers.clear()
        for transport in self._routes.all_transports():
            await transport.aclose()
        self._store.close()

    def _start(self) -> None:
        self._couriers, self._tasks = {}, set()
        self._commits = _GroupCommit(self._store)
        self._closing = [False]  # shared with every acting_as() copy

    async def _run(self, flow: Flow[T]) -> T:
        if self._closing[0]:
            flow.close()
            raise NotAllowedHere("the cashier is closed; open a new one")
        task = asyncio.create_task(self._drive(flow))
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            # The host may have stopped waiting; then this line is the only trace of the error.
            about = logs.About(tenant=self._context.tenant)
            logs.write(_LOGGER, "verb.ended", f"with {type(task.exception()).__name__}", about)

    async def _drive(self, flow: Flow[T]) -> T:
        _ = logs.tenant.set(self._context.tenant)  # for this task alone
        return await drive_async(flow, self._do)

    async def _do(self, step: Step) -> Any:
        match step:
            case Write():
                return await self._commits.write(self._context, step.work)
            case Read():
                return await asyncio.to_thread(self._store.read, self._context, step.work)
            case Exchange():
                not_after = in_time(step, self._context)
                account = self._accounts.get(step.account)  # None for a sink
                if account is not None and account.processor is not None:
                    return account.processor.answer(step.request)
                courier = self._courier(step.account)
                with logs.exchanging(step.about):
                    return await courier.exchange(step.request, not_after=not_after)
            case Deliver():
                result = step.subscriber(step.event)
                return await result if inspect.isawaitable(result) else result
            case _:
                assert_never(step)

    def _courier(self, account: str) -> AsyncCourier:
        from paygate.transport import AsyncCourier, AsyncHttpTransport

        found = self._couriers.get(account)
        if found is None:
            own, network = self._routes.transport_of(account), self._routes.network_of(account)
            found = AsyncCourier(
                own or AsyncHttpTransport(network=network),
                self._signs_in(account),
                timeout_s=self._routes.timeout_s(account, self._timing),
                now=self._context.clock.now,
            )
            self._couriers[account] = found
        return found


_Unit: TypeAlias = "tuple[Context, Callable[[Tx], Any], asyncio.Future[Any]]"


class _GroupCommit:
    """Commits units of work together; one thread at a time writes.

    Whatever ends the task that commits, even a signal handler that raises, everyone who
    waits gets the exception, and the next unit of work starts a new task.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: list[_Unit] = []
        self._group: list[_Unit] = []
        self._pump: asyncio.Task[None] | None = None

    async def write(self, context: Context, work: Callable[[Tx], T]) -> T:
        """Do *work* in a transaction that may be shared, and return when it is durable."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        try:
            self._waiting.append((context, work, future))
            if self._pump is None or self._pump.done():
                self._pump = asyncio.create_task(self._write_all())
                self._pump.add_done_callback(self._ended)
            return await future
        finally:
            future.cancel()  # if nobody waits any more, it is not started

    async def _write_all(self) -> None:
        while self._waiting:
            for _ in range(GATHERING_TURNS):
                await asyncio.sleep(0)
            self._group = self._waiting[:GROUP_SIZE_MAX]
            del self._waiting[:GROUP_SIZE_MAX]
            await self._write([unit for unit in self._group if not unit[2].done()])

    async def _write(self, group: list[_Unit]) -> None:
        if not group:
            return
        units = [(context, work) for context, work, _ in group]
        try:
            results = await asyncio.to_thread(self._store.write_group, units)
        except Exception as error:  # noqa: BLE001  (passed on to everyone in the group)
            _fail(group, error)
            return
        for (_, _, future), (result, failure) in zip(group, results, strict=True):
            if future.done():
                continue
            if failure is None:
                future.set_result(result)
            else:
                future.set_exception(failure)

    def _ended(self, pump: asyncio.Task[None]) -> None:
        failure = asyncio.CancelledError() if pump.cancelled() else pump.exception()
        if failure is None:
            return
        waiting = [unit for unit in (*self._group, *self._waiting) if not unit[2].done()]
        self._waiting.clear()
        _fail(waiting, failure)
        if not waiting:
            pump.get_loop().call_exception_handler(
                {"message": "the task that commits was interrupted", "exception": failure}
            )


def _fail(group: list[_Unit], error: BaseException) -> None:
    for _, _, future in group:
        if future.done():
            continue
        if isinstance(error, asyncio.CancelledError):
            future.cancel()
        else:
            future.set_exception(error)
