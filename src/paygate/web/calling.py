"""Calling: verbs of both faces and functions of a host, from an application that awaits.

A `Cashier` does its work in threads, an `AsyncCashier` in the event loop. What belongs to one event
loop, such as a limit of threads, is made when that loop first needs it: the application may be
mounted before its loop runs, and outlive it.
"""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio import CapacityLimiter
    from anyio.lowlevel import RunVar

T = TypeVar("T")


async def call(
    threads: CapacityLimiter, called: Callable[..., Any], /, *args: Any, **more: Any
) -> Any:
    """
    Await a coroutine function, and run any other in a thread, because it may block.

    If the caller stops waiting, what was begun goes on.
    """
    from anyio.to_thread import run_sync

    if inspect.iscoroutinefunction(called):
        return await called(*args, **more)
    work = partial(called, *args, **more)
    result = await run_sync(work, limiter=threads, abandon_on_cancel=True)
    return await result if inspect.isawaitable(result) else result


def of_this_loop(held: RunVar[T], make: Callable[[], T]) -> T:
    """Return the value that *held* has for the running event loop; made on first use."""
    try:
        return held.get()
    except LookupError:
        made = make()
        held.set(made)
        return made
