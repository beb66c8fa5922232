"""Calling a verb of either face from a coroutine."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from paygate.cashier.aio import AsyncCashier
from paygate.cashier.sync import Cashier

if TYPE_CHECKING:
    from collections.abc import Callable

AnyCashier: TypeAlias = Cashier | AsyncCashier


async def call(cashier: AnyCashier, verb: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a *verb* of *cashier*, and return its result; a `Cashier` is called in a thread."""
    if isinstance(cashier, AsyncCashier):
        return await verb(*args, **kwargs)
    return await _in_thread(partial(verb, *args, **kwargs))


async def _in_thread(call: Callable[[], Any]) -> Any:
    """
    Call a function in a new thread and return its result.

    The thread does not keep the process alive: a worker that gets a second signal to stop does not
    wait for a gateway.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def settle(result: Any, error: BaseException | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    def work() -> None:
        result, failure = cast("Any", None), cast("BaseException | None", None)
        try:
            result = call()
        except Exception as error:  # noqa: BLE001  (passed on to the caller)
            failure = error
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, result, failure)

    context = copy_context()
    threading.Thread(target=context.run, args=(work,), name="paygate-job", daemon=True).start()
    return await future
