"""Ten thousand waiting events as signed webhooks, 50 in flight, to a receiver on this machine.

Ours is `AsyncCashier.publish` on a ledger in a file: it reads the events, signs and sends them, and
stores its position and the delivery log. The floor is an httpx.AsyncClient with as many tasks,
which posts bodies of the same size and stores nothing. The receiver is another process.
"""

from __future__ import annotations

import asyncio
import base64
import sqlite3
import tempfile
import time
from contextlib import closing
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx

from benchmarks.publishing import STORED
from benchmarks.rounds import Measured, Target, take_turns
from benchmarks.stripe_charge import server
from paygate import AsyncCashier, Cashier
from paygate.sinks.standard_webhooks.sink import body_of

if TYPE_CHECKING:
    from collections.abc import Iterator

EVENTS: Final = 10_000
IN_FLIGHT: Final = 50
SECRET: Final = "whsec_" + base64.b64encode(b"k" * 32).decode()
GOAL: Final = Target(bound=0.8, at_least=True)


class Waiting:
    """A ledger with many events, which each new sink receives from the first one on."""

    def __init__(self, path: Path, url: str) -> None:
        self._ledger, self._url, self._numbers = f"sqlite:///{path}", url, count()
        with Cashier.open(self._ledger):
            pass
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(STORED, (EVENTS,))
            connection.commit()
        with Cashier.open(self._ledger) as cashier:
            [event] = cashier.events(limit=1)
        self.body = body_of(event)

    def publish(self) -> float:
        """Deliver all events to a new sink; return how many per second."""
        return asyncio.run(self._publish(f"hook-{next(self._numbers)}"))

    async def _publish(self, name: str) -> float:
        hook = {
            "sink": "standard_webhooks",
            "url": self._url,
            "secrets": SECRET,
            "in_flight": IN_FLIGHT,
            "allow_private_addresses": True,
        }
        async with AsyncCashier.open(self._ledger, sinks={name: hook}) as cashier:
            started = time.perf_counter()
            done = await cashier.publish()
            assert done.delivered == EVENTS
            return EVENTS / (time.perf_counter() - started)

    def post(self) -> float:
        """Post as many bodies with a bare httpx client; return how many per second."""
        return asyncio.run(self._post())

    async def _post(self) -> float:
        limits = httpx.Limits(max_connections=IN_FLIGHT, max_keepalive_connections=IN_FLIGHT)
        left: Iterator[int] = iter(range(EVENTS))
        async with httpx.AsyncClient(limits=limits) as client:

            async def task() -> None:
                for _ in left:
                    answer = await client.post(
                        self._url,
                        content=self.body,
                        headers={"content-type": "application/json"},
                    )
                    assert answer.status_code == 204

            started = time.perf_counter()
            await asyncio.gather(*(task() for _ in range(IN_FLIGHT)))
            return EVENTS / (time.perf_counter() - started)


def measure(rounds: int) -> list[Measured]:
    """Measure publishing against a bare client."""
    with (
        server("benchmarks.hook_receiver") as url,
        tempfile.TemporaryDirectory(prefix="paygate-bench-") as folder,
    ):
        waiting = Waiting(Path(folder) / "ledger.db", url)
        ours, floor = take_turns(rounds, partial(waiting.publish), partial(waiting.post))
    return [
        Measured(
            name="webhooks out, 50 in flight",
            floor_name="bare httpx.AsyncClient",
            unit="events/s",
            ours=ours,
            floor=floor,
            target=GOAL,
        )
    ]
