"""A worker as a process: signals that stop it, its health, and its end.

The first SIGTERM or SIGINT lets the worker drain: it takes no more jobs, and waits for those that
are under way. The second ends the process as soon as these are given back, which takes a moment.
If that takes longer, or at the third signal, it ends as at a loss of power: the jobs are due again
when their leases end.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

from paygate import telemetry
from paygate.cashier.aio import AsyncCashier
from paygate.worker.calling import call
from paygate.worker.health import Health
from paygate.worker.unserved import check_use

if TYPE_CHECKING:
    from collections.abc import Callable

    from paygate.domain.status import LedgerStatus
    from paygate.worker.calling import AnyCashier
    from paygate.worker.loop import Worker

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_KILLED_BY: Final = 128
_MOMENT_S: Final = 2.0
"""How long giving back jobs may take after the second signal."""


def run_process(
    worker: Worker,
    cashier: AnyCashier,
    *,
    once: bool = False,
    health: tuple[str, int] | None = None,
    on_health: Callable[[int], object] | None = None,
    on_stop: Callable[[], object] | None = None,
    with_status: bool = False,
) -> LedgerStatus | None:
    """
    Run *worker* until a signal stops it, or with *once* until nothing is due.

    Return the state of the ledger at the end, if asked for *with_status*.

    Raises `InvalidValue` if *cashier* has nothing to work with; see `check_use`.

    The process itself ends here if a second signal comes.

    *health* are the address and the port of `Health`; *on_health* is called with the port in use,
    and *on_stop* when the first signal comes. The connections of *cashier* are closed if it is an
    `AsyncCashier`, because they belong to the event loop that ends here.
    """
    return asyncio.run(
        _run(
            worker,
            cashier,
            once=once,
            health=health,
            on_health=on_health or _ignore,
            on_stop=on_stop or _ignore,
            with_status=with_status,
        )
    )


def _ignore(*_: object) -> None:
    """Do nothing."""


async def _run(
    worker: Worker,
    cashier: AnyCashier,
    *,
    once: bool,
    health: tuple[str, int] | None,
    on_health: Callable[[int], object],
    on_stop: Callable[[], object],
    with_status: bool,
) -> LedgerStatus | None:
    loop = asyncio.get_running_loop()
    received: list[signal.Signals] = []

    def stop(number: signal.Signals) -> None:
        received.append(number)
        if len(received) == 1:
            worker.stop()
            on_stop()
        elif len(received) == 2:
            worker.abandon()
            loop.call_later(_MOMENT_S, os._exit, _KILLED_BY + number)
        else:
            os._exit(_KILLED_BY + number)

    for each in _SIGNALS:
        _handle(loop, each, stop)
    try:
        async with AsyncExitStack() as stack:
            if health is not None:
                port = await stack.enter_async_context(Health(worker, *health))
                on_health(port)
            with telemetry.quietly():
                await check_use(cashier)
            await worker.run(once=once)
        if len(received) > 1:  # threads of the cashier may still wait for a gateway
            os._exit(_KILLED_BY + received[-1])
        return await call(cashier, cashier.status) if with_status else None
    finally:
        for each in _SIGNALS:
            _release(loop, each)
        if isinstance(cashier, AsyncCashier):
            await cashier.aclose(deadline_s=0)


def _handle(
    loop: asyncio.AbstractEventLoop, number: signal.Signals, stop: Callable[[signal.Signals], None]
) -> None:
    """Call *stop* in *loop* when the signal comes."""

    def pass_on(*_: object) -> None:
        loop.call_soon_threadsafe(stop, number)

    try:
        loop.add_signal_handler(number, stop, number)
    except NotImplementedError:  # event loops on Windows have no signals
        signal.signal(number, pass_on)


def _release(loop: asyncio.AbstractEventLoop, number: signal.Signals) -> None:
    """Let the signal do again what it does in a new process."""
    try:
        loop.remove_signal_handler(number)
    except NotImplementedError:
        usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        signal.signal(number, usual)
