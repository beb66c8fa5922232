"""Webhooks per second through the mounted application, with SQLite and `synchronous=FULL`.

Every webhook is signed, has its own event, is verified, and is committed before the response;
nothing is applied. In process, over ASGI, one after another, the floor is a bare `sqlite3` script
that commits one row of that size. Over HTTP, with uvicorn on loopback in a separate process and
eight connections, it is a Starlette application that only reads the body and responds.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from benchmarks import stripe_webhook
from benchmarks.rounds import Measured, take_turns
from paygate import AsyncCashier
from paygate.web import callbacks

if TYPE_CHECKING:
    from collections.abc import Iterator

WEBHOOKS = 200
CONNECTIONS = 8
PATH = "/stripe"

_numbers = iter(range(10**9))


def measure(rounds: int) -> list[Measured]:
    with tempfile.TemporaryDirectory() as folder:
        return [_in_process(rounds, Path(folder)), _over_http(rounds, Path(folder))]


def webhook() -> tuple[bytes, dict[str, str]]:
    """Return a new event, signed."""
    body = stripe_webhook.event().replace(b"evt_3Pgaf", b"evt_%d_" % next(_numbers))
    at = str(int(time.time()))
    mac = hmac.new(stripe_webhook.KEY, at.encode() + b"." + body, hashlib.sha256).hexdigest()
    return body, {"stripe-signature": f"t={at},v1={mac}"}


def settings() -> dict[str, Any]:
    """Return the settings of the account that gets the webhooks."""
    return {
        "driver": "stripe",
        "secret_key": "sk_test_benchmark",
        "webhook_secrets": (stripe_webhook.SECRET,),
    }


# --- In process ----------------------------------------------------------------------------


def _in_process(rounds: int, folder: Path) -> Measured:
    def ours() -> float:
        return asyncio.run(story())

    async def story() -> float:
        url = f"sqlite:///{folder}/{next(_numbers)}.db"
        async with AsyncCashier.open(url, gateways={"stripe": settings()}) as cashier:
            transport = httpx.ASGITransport(callbacks(cashier))
            async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
                return await _per_second([client])

    floor, taken = take_turns(rounds, lambda: _bare(folder), ours)
    return Measured(
        name="callbacks, in process",
        floor_name="bare commits",
        unit="webhooks/s",
        ours=taken,
        floor=floor,
    )


async def _per_second(clients: list[httpx.AsyncClient]) -> float:
    """Let every client send, one webhook after another, and return webhooks per second."""
    webhooks = iter([webhook() for _ in range(WEBHOOKS)])

    async def work(client: httpx.AsyncClient) -> None:
        for body, headers in webhooks:
            await _send(client, body, headers)

    for client in clients:  # connects, and the first one imports what it needs
        await _send(client, *webhook())
    started = time.perf_counter()
    await asyncio.gather(*map(work, clients))
    return WEBHOOKS / (time.perf_counter() - started)


async def _send(client: httpx.AsyncClient, body: bytes, headers: dict[str, str]) -> None:
    reply = await client.post(PATH, content=body, headers=headers)
    assert reply.status_code == 200, reply.text


def _bare(folder: Path) -> float:
    connection = sqlite3.connect(folder / f"{next(_numbers)}.db", isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute(
        "CREATE TABLE webhook (id INTEGER PRIMARY KEY, event TEXT UNIQUE, body BLOB)"
    )
    rows = [(str(next(_numbers)), webhook()[0]) for _ in range(WEBHOOKS)]
    started = time.perf_counter()
    for row in rows:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO webhook (event, body) VALUES (?, ?)", row)
        connection.execute("COMMIT")
    taken = time.perf_counter() - started
    connection.close()
    return WEBHOOKS / taken


# --- Over HTTP -------------------------------------------------------------------------------


def _over_http(rounds: int, folder: Path) -> Measured:
    with (
        _serving("ours", folder / "served.db") as url,
        _serving("reader", folder / "none.db") as bare,
    ):
        floor, taken = take_turns(rounds, lambda: _clients(bare), lambda: _clients(url))
    return Measured(
        name="callbacks, over HTTP",
        floor_name="Starlette, body only",
        unit="webhooks/s",
        ours=taken,
        floor=floor,
    )


def _clients(url: str) -> float:
    async def story() -> float:
        limits = httpx.Limits(max_connections=1)
        clients = [httpx.AsyncClient(base_url=url, limits=limits) for _ in range(CONNECTIONS)]
        try:
            return await _per_second(clients)
        finally:
            for client in clients:
                await client.aclose()

    return asyncio.run(story())


@contextmanager
def _serving(which: str, ledger: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "benchmarks.callbacks", which, str(ledger)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ})
    try:
        assert server.stdout is not None
        yield json.loads(server.stdout.readline())["url"]
    finally:
        server.terminate()
        server.wait(timeout=20)
        assert server.stdout is not None
        server.stdout.close()


def serve(which: str, ledger: str) -> None:
    """Serve *which* application until SIGTERM."""
    import socket

    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def read(request: Request) -> PlainTextResponse:
        await request.body()
        return PlainTextResponse("received")

    async def main() -> None:
        app: Any = Starlette(routes=[Route(PATH, read, methods=["POST"])])
        url = f"sqlite:///{ledger}"
        async with AsyncCashier.open(url, gateways={"stripe": settings()}) as cashier:
            if which == "ours":
                app = callbacks(cashier)
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
                listener.bind(("127.0.0.1", 0))
                listener.listen(128)
                print(
                    json.dumps({"url": f"http://127.0.0.1:{listener.getsockname()[1]}"}),
                    flush=True,
                )
                config = uvicorn.Config(app, log_level="warning", access_log=False, ws="none")
                await uvicorn.Server(config).serve(sockets=[listener])

    asyncio.run(main())


if __name__ == "__main__":
    serve(*sys.argv[1:])
