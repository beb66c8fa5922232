"""What a supervisor of containers is told about a worker."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any

import pytest

from paygate import AsyncCashier
from paygate.errors import InvalidValue
from paygate.worker import Health, Worker
from tests.worker.waiting import until


async def ask(port: int, request: bytes) -> tuple[int, Any]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = b""
    with suppress(ConnectionError):  # it closes what is no request without reading all of it
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    if not answer:
        return 0, None
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body) if body else None


def get(path: str, method: str = "GET") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


async def test_a_worker_is_live_while_it_runs_and_ready_while_it_takes_jobs() -> None:
    cashier = AsyncCashier.in_memory()
    worker = Worker(cashier, poll_s=0.01)
    async with Health(worker, "127.0.0.1", 0) as port:
        assert await ask(port, get("/ready")) == (
            503,
            {"state": "starting", "running": 0, "fault": False},
        )
        running = asyncio.create_task(worker.run())
        await until(lambda: worker.is_ready)
        assert await ask(port, get("/ready")) == (
            200,
            {"state": "working", "running": 0, "fault": False},
        )
        assert await ask(port, get("/live")) == (200, {"state": "working", "running": 0})
        assert await ask(port, get("/live", "HEAD")) == (200, None)
        worker.stop()
        await running
        assert (await ask(port, get("/live")))[0] == 200
        assert (await ask(port, get("/ready")))[0] == 503
    await cashier.aclose()


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (get("/"), 404),
        (get("/ready/../live"), 404),
        (get("/live", "POST"), 405),
        (b"\r\n\r\n", 405),
        (b"\xff\xfe\r\n\r\n", 405),
        (b"GET " + b"x" * 200_000, 0),
    ],
)
async def test_what_is_not_a_question_about_health_is_refused(request_: bytes, status: int) -> None:
    cashier = AsyncCashier.in_memory()
    async with Health(Worker(cashier), "127.0.0.1", 0) as port:
        assert (await ask(port, request_))[0] == status
        assert (await ask(port, get("/live")))[0] == 200
    await cashier.aclose()


async def test_a_port_that_is_in_use_is_named() -> None:
    cashier = AsyncCashier.in_memory()
    async with Health(Worker(cashier), "127.0.0.1", 0) as port:
        with pytest.raises(InvalidValue, match=f"the port {port} of 127.0.0.1 cannot be used"):
            async with Health(Worker(cashier), "127.0.0.1", port):
                pass
    await cashier.aclose()
