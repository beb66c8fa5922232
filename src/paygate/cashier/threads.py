"""Calls that block, such as sending a mail: each in a thread of its own, with a deadline.

Python cannot stop a thread. A call that does not end in time is left behind, in a thread that
does not keep the process alive, and the next call under its name waits until it has ended.
"""

from __future__ import annotations

import os
from concurrent.futures import CancelledError, Future
from contextvars import copy_context
from threading import Lock, Thread
from typing import TYPE_CHECKING

from paygate.driving import Contained
from paygate.errors import NoResponse

if TYPE_CHECKING:
    from paygate.service.flow import InThread


class Threads:
    """The calls that run in threads of this process, at most one for a tenant and a name."""

    def __init__(self) -> None:
        self._running: dict[tuple[str, str], Future[object]] = {}
        self._lock, self._pid = Lock(), os.getpid()

    def start(self, tenant: str, step: InThread) -> Future[object]:
        """Start the call of *step*; raise `NoResponse` if an earlier one has not ended."""
        if self._pid != os.getpid():
            self._running, self._lock, self._pid = (
                {},
                Lock(),
                os.getpid(),
            )  # the threads of a parent do not run in a forked child
        future: Future[object] = Future()
        with self._lock:
            earlier = self._running.get((tenant, step.name))
            if earlier is not None and not earlier.done():
                raise NoResponse(f"an earlier call of {step.name} has not ended yet")
            self._running[tenant, step.name] = future
        thread = Thread(
            target=copy_context().run,
            args=(_run, step, future),
            name=f"paygate sink {step.name}",
            daemon=True,
        )
        thread.start()
        return future


def overdue(step: InThread) -> NoResponse:
    """Return the error of a call that did not end in time."""
    return NoResponse(f"{step.name} did not finish within {step.deadline_s:g} s")


def _run(step: InThread, future: Future[object]) -> None:
    _ = future.set_running_or_notify_cancel()
    try:
        future.set_result(step.call())
    except (StopIteration, CancelledError) as error:
        future.set_exception(Contained(error))  # a future of asyncio takes them for its own
    except Exception as error:  # noqa: BLE001  (raised when the result is awaited)
        future.set_exception(error)
    except BaseException as error:  # noqa: BLE001  (no signal is handled in this thread)
        future.set_exception(Contained(error))
