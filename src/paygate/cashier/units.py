"""Units of work under asyncio: in groups that share a commit, or several at once.

SQLite has one writer. So while one transaction is being written to disk, the units that arrive
meanwhile wait, and share the next one. On PostgreSQL units run at once, each in a thread, and as
many as the store has connections; the others wait without a thread.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from paygate.ledger.store import Store
    from paygate.ledger.tx import Context, Tx

T = TypeVar("T")

GROUP_SIZE_MAX = 200

# How often the event loop turns before the next group is taken. Tasks that the last commit woke
# reach their next unit of work in the meantime: the group is fuller, and the thread that writes
# does not contend with the loop for the interpreter.
GATHERING_TURNS = 5


class Units(Protocol):
    """Runs units of work without blocking the event loop."""

    async def write(self, context: Context, work: Callable[[Tx], T]) -> T:
        """Run *work* in a transaction, and return when it is durable."""
        ...

    async def read(self, context: Context, work: Callable[[Tx], T]) -> T:
        """Run *work*, which only reads."""
        ...

    def close(self) -> None:
        """End the threads; a unit that is running is not interrupted."""
        ...


def units_of(store: Store) -> Units:
    """Return what runs the units of work of *store*."""
    return GroupCommit(store) if store.units_at_once == 1 else Threads(store)


class Threads:
    """Runs each unit of work in a thread of its own, as many at once as the store allows."""

    def __init__(self, store: Store) -> None:
        self._store = store
        # Not the loop's own threads: units that wait for locks would occupy them.
        self._threads = ThreadPoolExecutor(store.units_at_once, thread_name_prefix="paygate")

    async def write(self, context: Context, work: Callable[[Tx], T]) -> T:
        """Run *work* in a transaction, and return when it is durable."""
        return await self._run(partial(self._store.write, context, work))

    async def read(self, context: Context, work: Callable[[Tx], T]) -> T:
        """Run *work*, which only reads."""
        return await self._run(partial(self._store.read, context, work))

    async def _run(self, unit: Callable[[], T]) -> T:
        variables = copy_context()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: variables.run(unit))

    def close(self) -> None:
        """End the threads; a unit that is running is not interrupted."""
        self._threads.shutdown(wait=False, cancel_futures=True)


_Unit: TypeAlias = "tuple[Context, Callable[[Tx], Any], asyncio.Future[Any]]"


class GroupCommit:
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

    async def read(self, context: Context, work: Callable[[Tx], T]) -> T:
        """Run *work*, which only reads."""
        return await asyncio.to_thread(self._store.read, context, work)

    def close(self) -> None:
        """Do nothing: the threads are those of the event loop."""

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
