"""A day of business that makes every span and metric there is, on either face."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from paygate import AsyncCashier, Cashier, Delivery, Money, SinkTraits, Timing
from paygate.dialogue import Dialogue, Request, Response
from paygate.errors import InvoiceNotFound, NotAuthentic, NotSent
from paygate.service import inquire, publish
from paygate.testing import FakeClock, LoopbackGateway
from paygate.testing.fake_server import FakeServer
from paygate.testing.processor import FakeProcessor
from paygate.transport import AsyncHttpTransport, HttpTransport
from paygate.worker import Worker

AnyFace: TypeAlias = type[Cashier | AsyncCashier]
LOST = "tok_unknown_executed"


class Crm:
    """A sink over HTTP, whose system does not know the path and is content."""

    traits = SinkTraits()

    def __init__(self, url: str) -> None:
        self._url = url

    def deliver(self, delivery: Delivery) -> Dialogue[None]:
        yield Request(
            method="POST",
            url=f"{self._url}/hooks",
            step="tell",
            body=delivery.event.id.encode(),
        )


class Flaky(HttpTransport):
    """A transport whose first request of all is not sent."""

    calls = 0

    def exchange(self, request: Request) -> Response:
        self.calls += 1
        if self.calls == 1:
            raise NotSent("the name was not found", step=request.step)
        return super().exchange(request)


class FlakyAsync(AsyncHttpTransport):
    calls = 0

    async def exchange(self, request: Request) -> Response:
        self.calls += 1
        if self.calls == 1:
            raise NotSent("the name was not found", step=request.step)
        return await super().exchange(request)


@contextmanager
def processor(processor: FakeProcessor | None = None) -> Generator[FakeServer]:
    """A processor that is reached over HTTP."""
    server = FakeServer(processor or FakeProcessor())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def done(result: Any) -> Any:
    """Return the result of a verb of either face."""
    return await result if inspect.isawaitable(result) else result


class Business:
    """A shop with a card account, a CRM that hears of everything, and due work."""

    def __init__(self, face: AnyFace, folder: Path, server: FakeServer) -> None:
        self.clock = FakeClock()
        self.card = LoopbackGateway(url=server.url)
        self._url = f"sqlite:///{folder / 'shop.db'}"
        self._timing = Timing(feed_pause=timedelta(hours=1))
        with Cashier.open(self._url, gateways={"gone": LoopbackGateway(url=server.url)}) as other:
            other.issue(number="O", customer="C-1", total=usd(), due="2026-12-01")
            other.collect("O", via="gone", method=LOST, key="O")
        transport: Any = Flaky() if face is Cashier else FlakyAsync()
        self.clock.set(other.now() + timedelta(minutes=5))
        self.cashier: Any = face.open(
            self._url,
            gateways={"card": self.card},
            sinks={"crm": Crm(server.url)},
            clock=self.clock,
            timing=self._timing,
            transport=transport,
        )

    async def go(self, patch: pytest.MonkeyPatch) -> None:
        """Do business, until everything that is recorded has happened."""
        cashier = self.cashier
        await done(cashier.subscribe("books", _refuse))
        for number, method in (("A", "tok_visa"), ("B", LOST), ("C", "tok_500"), ("D", LOST)):
            await done(cashier.issue(number=number, customer="C-1", total=usd(), due="2026-12-01"))
            await done(cashier.collect(number, via="card", method=method, key=number))
        with pytest.raises(InvoiceNotFound):
            await done(cashier.invoice("nowhere"))
        callbacks = self.card.callbacks()
        await done(cashier.receive("card", callbacks[0]))
        with pytest.raises(NotAuthentic):
            await done(cashier.receive("card", replace(callbacks[0], body=b"forged")))
        self.clock.advance(minutes=5)
        await self._broken(patch)
        await Worker(cashier).run(once=True)

    async def _broken(self, patch: pytest.MonkeyPatch) -> None:
        """Let a job and a delivery fail by a bug."""
        with patch.context() as broken:
            broken.setattr(inquire, "inquire_safely", _fail)
            broken.setattr(publish, "_publish_to", _fail)
            for kind in ("inquire", "publish"):
                jobs = await done(cashier_jobs(self.cashier))
                job = next(each for each in jobs if each.kind == kind)
                with pytest.raises(RuntimeError):
                    await done(self.cashier.work(job))

    async def close(self) -> None:
        if isinstance(self.cashier, AsyncCashier):
            await self.cashier.aclose()
        else:
            self.cashier.close()


def cashier_jobs(cashier: Any) -> Any:
    return cashier.due()


def usd() -> Money:
    return Money.of("USD", "30.00")


def _refuse(event: object) -> None:
    raise ValueError(f"no thanks: {event}")


def _fail(*_: object) -> Any:
    raise RuntimeError("a bug")
