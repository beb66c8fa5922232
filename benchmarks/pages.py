"""Payment pages: how long one takes to render, to refuse a token, and what payers cost callbacks.

The floor of a rendered page is the limit of 5 ms of processor time, which 99 of 100 pages keep. The
medians of tokens that were revoked and of those that nobody ever had may differ by 1 ms: whoever
measures must not find out which it is. The floor of callbacks next to 200 payers whose pages poll
is callbacks without them.
"""

from __future__ import annotations

import asyncio
import secrets
import statistics
import tempfile
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
from starlette.applications import Starlette
from starlette.routing import Mount

from benchmarks import callbacks as of_callbacks
from benchmarks.rounds import Measured, Target, take_turns
from paygate import AsyncCashier, Money
from paygate.testing import FakeGateway
from paygate.web import callbacks
from paygate.web.languages import language
from paygate.web.pages import pages
from paygate.web.pages.render import Renderer
from paygate.web.pages.samples import SAMPLES, sample_settings
from paygate.web.settings import WebSettings

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

RENDERED: Final = 300
LIMIT_MS: Final = 5.0
LOOKED_UP: Final = 400
DIFFERENCE_MS: Final = 1.0
PAYERS: Final = 200
PAUSE_S: Final = 10.0
"""How long a page waits between two polls, on average over the first minute."""

ORIGIN: Final = "http://127.0.0.1"
KEY: Final = "A" * 43 + "="


def measure(rounds: int) -> list[Measured]:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        return [_rendering(rounds), _looking_up(rounds, place), _beside(rounds, place)]


# --- Rendering -----------------------------------------------------------------------------


def _rendering(rounds: int) -> Measured:
    renderer, readers = Renderer(sample_settings()), [language("en"), language("ar")]

    def ours() -> float:
        times: list[float] = []
        for number in range(RENDERED):
            # Of the processor, so that other work of the machine does not count.
            begun = time.thread_time()
            _ = renderer.page(SAMPLES["choose"], readers[number % 2])
            times.append(1e3 * (time.thread_time() - begun))
        return statistics.quantiles(times, n=100)[98]

    _ = ours()
    found, floor = take_turns(rounds, ours, lambda: LIMIT_MS)
    return Measured(
        name="render the page of a link, 99th percentile",
        floor_name="the limit",
        unit="ms",
        ours=found,
        floor=floor,
        target=Target(bound=1.0, at_least=False),
    )


# --- Tokens that lead nowhere --------------------------------------------------------------


def _looking_up(rounds: int, folder: Path) -> Measured:
    async def story() -> float:
        async with _open(folder / f"tokens-{secrets.token_hex(4)}.db") as (cashier, client):
            _ = await cashier.issue(
                number="A", customer="C", total=Money.of("USD", "30.00"), due="2099-01-01"
            )
            link = await cashier.link("A", key="k")
            assert link.token is not None
            _ = await cashier.revoke_link(link, reason="a benchmark")
            times: dict[bool, list[float]] = {True: [], False: []}
            for number in range(2 * LOOKED_UP):
                # In turns, so that both are asked for under the same load.
                dead = number % 2 == 0
                token = link.token.reveal() if dead else secrets.token_urlsafe(16)
                begun = time.perf_counter()
                response = await client.get(f"/pay/l/{token}")
                times[dead].append(1e3 * (time.perf_counter() - begun))
                assert response.status_code == 404
            dead_ms, guessed_ms = (statistics.median(each) for each in times.values())
            return abs(dead_ms - guessed_ms)

    found, floor = take_turns(rounds, lambda: asyncio.run(story()), lambda: DIFFERENCE_MS)
    return Measured(
        name="refuse a revoked token, compared with a guessed one",
        floor_name="the limit",
        unit="ms",
        ours=found,
        floor=floor,
        target=Target(bound=1.0, at_least=False),
    )


# --- Callbacks next to payers ---------------------------------------------------------------


def _beside(rounds: int, folder: Path) -> Measured:
    async def story(payers: int) -> float:
        async with _open(folder / f"next-{secrets.token_hex(4)}.db") as (cashier, client):
            await cashier.issue(
                number="A", customer="C", total=Money.of("USD", "30.00"), due="2099-01-01"
            )
            payment = await cashier.collect(
                "A", via="wallet", key="k", return_url="https://shop.example/"
            )
            page = (await cashier.payment_page(payment)).address("/pay")
            polling = [
                asyncio.create_task(_poll(client, f"{page}/state", number * PAUSE_S / PAYERS))
                for number in range(payers)
            ]
            begun = time.perf_counter()
            for _ in range(of_callbacks.WEBHOOKS):
                body, headers = of_callbacks.webhook()
                response = await client.post("/callbacks/stripe", content=body, headers=headers)
                assert response.status_code == 200, response.text
            taken = time.perf_counter() - begun
            for each in polling:
                each.cancel()
            await asyncio.gather(*polling, return_exceptions=True)
            return of_callbacks.WEBHOOKS / taken

    found, floor = take_turns(
        rounds, lambda: asyncio.run(story(PAYERS)), lambda: asyncio.run(story(0))
    )
    return Measured(
        name=f"callbacks next to {PAYERS} payers whose pages poll",
        floor_name="callbacks alone",
        unit="per second",
        ours=found,
        floor=floor,
        target=Target(bound=1 / 1.5, at_least=True),
    )


async def _poll(client: httpx.AsyncClient, url: str, after_s: float) -> None:
    await asyncio.sleep(after_s)
    while True:
        response = await client.get(url)
        assert response.status_code == 200
        await asyncio.sleep(PAUSE_S)


@asynccontextmanager
async def _open(file: Path) -> AsyncGenerator[tuple[AsyncCashier, httpx.AsyncClient]]:
    gateways: dict[str, Any] = {
        "wallet": FakeGateway("redirect"),
        "stripe": of_callbacks.settings(),
    }
    async with AsyncCashier.open(
        f"sqlite:///{file}", gateways=gateways, page_keys=[KEY]
    ) as cashier:
        web = WebSettings(payee="Alder", base_url=f"{ORIGIN}/pay", misses_per_minute=10 * LOOKED_UP)
        app = Starlette(
            routes=[Mount("/pay", pages(cashier, web)), Mount("/callbacks", callbacks(cashier))]
        )
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
            yield cashier, client
