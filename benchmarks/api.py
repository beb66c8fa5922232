"""The API: an entry with its link, next to a bare handler that writes the same rows.

The rows are those of real requests: all tables are read before and after each, and the differences
are written again as plain statements, prepared before the clock starts, in one transaction for each
request. The bare handler is one of Starlette's: it reads the JSON of the request and answers with
JSON, on the same file format, schema, triggers and pragmas. It has no keys, checks nothing, and
builds nothing. Both are called over ASGI in this process, some requests at once.
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from benchmarks import bare
from benchmarks.rounds import Measured, Target, take_turns
from paygate import AsyncCashier, Cashier
from paygate.web.api import api
from paygate.web.settings import WebSettings

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

REQUESTS: Final = 100
AT_ONCE: Final = 20
PAGE_KEY: Final = "A" * 43 + "="
PATH: Final = "/v1/prepayments"


def measure(rounds: int) -> list[Measured]:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        writes = _captured(place / "captured.db")
        numbers = iter(range(10_000))
        ours, floor = take_turns(
            rounds,
            lambda: asyncio.run(_ours(place / f"ours-{next(numbers)}.db")),
            lambda: asyncio.run(_floor(place / f"bare-{next(numbers)}.db", writes)),
        )
    return [
        Measured(
            name="an entry with its link",
            floor_name="a bare Starlette handler that writes the same rows",
            unit="entries/s",
            ours=ours,
            floor=floor,
            target=Target(bound=0.5, at_least=True),
            notes={"rows of an entry": len(writes[-1])},
        )
    ]


def _body(number: int) -> dict[str, Any]:
    return {
        "customer": f"C-{number}",
        "amount": {"amount": "49.00", "currency": "USD"},
        "assignment_key": f"ORDER-{number}",
        "link": {},
    }


def _settings() -> WebSettings:
    return WebSettings(payee="Alder Telecom", base_url="https://alder.example/pay")


def _prepared(path: Path) -> str:
    """Create the ledger at *path*, and return the secret of a key, whose use is noted."""
    with Cashier.open(f"sqlite:///{path}", page_keys=[PAGE_KEY]) as cashier:
        secret = cashier.add_api_key("portal", scopes=["write"]).secret
        cashier.api_key_of(secret)
        return secret.reveal()


async def _ours(path: Path) -> float:
    secret = _prepared(path)
    async with AsyncCashier.open(f"sqlite:///{path}", page_keys=[PAGE_KEY]) as cashier:
        app = api(cashier, _settings())
        return await _rate(app, {"authorization": f"Bearer {secret}"})


def _captured(path: Path) -> list[list[bare.Statement]]:
    """Make entries one after the other, and return the writes of each."""
    secret = _prepared(path)
    reader = sqlite3.connect(path, isolation_level=None)
    tables = bare.tables_of(reader)
    found: list[list[bare.Statement]] = []

    async def make() -> None:
        async with (
            AsyncCashier.open(f"sqlite:///{path}", page_keys=[PAGE_KEY]) as cashier,
            _client(api(cashier, _settings())) as client,
        ):
            before = bare.image_of(reader, tables)
            for number in range(REQUESTS):
                headers = {"authorization": f"Bearer {secret}", "idempotency-key": f"{number}"}
                answer = await client.post(PATH, json=_body(number), headers=headers)
                answer.raise_for_status()
                after = bare.image_of(reader, tables)
                found.append(bare.writes_between(before, after))
                before = after

    asyncio.run(make())
    reader.close()
    return found


async def _floor(path: Path, writes: list[list[bare.Statement]]) -> float:
    _prepared(path)
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    left = iter(writes)

    async def handler(request: Request) -> Response:
        body = await request.json()
        connection.execute("BEGIN IMMEDIATE")
        for sql, params in next(left):
            connection.execute(sql, params)
        connection.execute("COMMIT")
        return JSONResponse({**body, "id": "ppy_1"}, status_code=201)

    try:
        return await _rate(Starlette(routes=[Route(PATH, handler, methods=["POST"])]), {})
    finally:
        connection.close()


def _client(app: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1")


async def _rate(app: Any, headers: dict[str, str]) -> float:
    """Return how many entries are made in a second."""
    numbers = iter(range(REQUESTS))
    async with _client(app) as client:

        async def worker() -> None:
            for number in numbers:
                named = {**headers, "idempotency-key": f"{number}"}
                answer = await client.post(PATH, json=_body(number), headers=named)
                answer.raise_for_status()

        started = time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
        return REQUESTS / (time.perf_counter() - started)
