"""A thousand Stripe charges in flight, against a server that takes 100 ms for each response.

Ours is the driver, the courier and the pool; nothing is booked. The floor is a raw asyncio client
on connections of its own, which writes the same two requests and reads as much as Content-Length
says. Both open their connections within the measured time; the server is another process.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx

from benchmarks import stripe_charge
from benchmarks.rounds import Measured, Target, take_turns
from benchmarks.stripe_charge import CHARGE
from paygate import Secret
from paygate.dialogue import NOTED, Note
from paygate.domain.outcome import Approved
from paygate.drivers.stripe import Stripe
from paygate.drivers.stripe.settings import StripeSettings
from paygate.transport import AsyncCourier, AsyncHttpTransport, HttpTransport

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from paygate.dialogue import Request
    from paygate.domain.outcome import Outcome

IN_FLIGHT = 1_000
CHARGES = 3_000


def measure(rounds: int) -> Measured:
    with stripe_charge.server("benchmarks.slow_server") as url:
        stripe = Stripe(StripeSettings(secret_key=Secret("sk_test_benchmark"), api_base=url))
        transport = HttpTransport()
        wanted = [
            stripe_charge.complete(request) for request in stripe_charge.requests(stripe, transport)
        ]
        transport.close()
        cpu: dict[str, list[float]] = {"ours": [], "floor": []}
        floor, taken = take_turns(
            rounds,
            partial(_counting_cpu, cpu["floor"], partial(raw, url, wanted)),
            partial(_counting_cpu, cpu["ours"], partial(ours, stripe)),
        )
        plain = plain_httpx(wanted)
    return Measured(
        name="stripe, 1,000 in flight",
        floor_name="raw asyncio client",
        unit="charges/s",
        ours=taken,
        floor=floor,
        target=Target(bound=0.4, at_least=True),
        notes={
            "CPU of ours, µs per charge": statistics.median(cpu["ours"]),
            "CPU of the floor, µs per charge": statistics.median(cpu["floor"]),
            "plain httpx.AsyncClient, charges/s, once": plain,
        },
    )


def _counting_cpu(taken: list[float], sample: Callable[[], float]) -> float:
    """Take *sample*, and keep the CPU per charge, which depends less on the load of the machine."""
    started = time.process_time()
    per_second = sample()
    taken.append((time.process_time() - started) / CHARGES * 1e6)
    return per_second


def ours(stripe: Stripe) -> float:
    async def story() -> float:
        courier = AsyncCourier(AsyncHttpTransport(), None)

        async def charge() -> None:
            assert isinstance(await _charge(stripe, courier), Approved)

        try:
            return await _per_second([charge] * IN_FLIGHT, CHARGES)
        finally:
            await courier.aclose()

    return asyncio.run(story())


async def _charge(stripe: Stripe, courier: AsyncCourier) -> Outcome:
    dialogue = stripe.charge(CHARGE)
    step = next(dialogue)
    try:
        while True:
            step = dialogue.send(NOTED if isinstance(step, Note) else await courier.exchange(step))
    except StopIteration as end:
        outcome: Outcome = end.value
        return outcome


def raw(url: str, wanted: list[Request]) -> float:
    parts = urlsplit(url)
    assert parts.hostname is not None
    connect = partial(asyncio.open_connection, parts.hostname, parts.port)
    messages = [_written(request) for request in wanted]

    async def story() -> float:
        writers: list[asyncio.StreamWriter] = []

        def client() -> Callable[[], Awaitable[None]]:
            line: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

            async def charge() -> None:
                if not line:
                    line.append(await connect())
                    writers.append(line[0][1])
                reader, writer = line[0]
                for message in messages:
                    writer.write(message)
                    head = await reader.readuntil(b"\r\n\r\n")
                    assert head.startswith(b"HTTP/1.1 200")
                    at = head.index(b"Content-Length:") + 15
                    await reader.readexactly(int(head[at : head.index(b"\r", at)]))

            return charge

        try:
            return await _per_second([client() for _ in range(IN_FLIGHT)], CHARGES)
        finally:
            for writer in writers:
                writer.close()

    return asyncio.run(story())


def plain_httpx(wanted: list[Request]) -> float:
    """Run what one would write without a pool of one's own; only once, because it is slow."""

    async def story() -> float:
        limits = httpx.Limits(max_connections=IN_FLIGHT, max_keepalive_connections=IN_FLIGHT)
        async with httpx.AsyncClient(limits=limits, timeout=300) as client:

            async def charge() -> None:
                for request in wanted:
                    answer = await client.request(
                        request.method, request.url, headers=request.headers, content=request.body
                    )
                    assert answer.status_code == 200

            return await _per_second([charge] * IN_FLIGHT, IN_FLIGHT)

    return asyncio.run(story())


async def _per_second(clients: list[Callable[[], Awaitable[None]]], charges: int) -> float:
    """Let every client charge, one charge after another, and return charges per second."""
    left = iter(range(charges))

    async def work(charge: Callable[[], Awaitable[None]]) -> None:
        for _ in left:
            await charge()

    started = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for client in clients:
            tasks.create_task(work(client))
    return charges / (time.perf_counter() - started)


def _written(request: Request) -> bytes:
    parts = urlsplit(request.url)
    lines = [
        f"{request.method} {parts.path} HTTP/1.1",
        f"host: {parts.netloc}",
        *(f"{name}: {text}" for name, text in request.headers.items()),
        f"content-length: {len(request.body)}",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + request.body
