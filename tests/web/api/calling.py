"""A merchant with an API, and a program that calls it over a real server."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.routing import Mount

from paygate import ApiScope, Cashier, Kind, Money
from paygate.testing import FakeClock, FakeGateway
from paygate.web.api import api
from paygate.web.pages import pages
from paygate.web.settings import WebSettings

PAGE_KEY = "A" * 43 + "="
PREFIX = "/shop/api"


def blocks_of(page: Path, language: str) -> list[str]:
    """Return the code of a document that is in *language*."""
    text = page.read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def usd(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "USD"}


def entry(**more: Any) -> dict[str, Any]:
    return {"customer": "C-1", "amount": usd("49.00"), "assignment_key": "ORDER-7", **more}


@dataclass
class Shop:
    """A merchant's cashier, and its applications."""

    clock: FakeClock = field(default_factory=FakeClock)
    cashier: Cashier = field(init=False)
    card: FakeGateway = field(init=False)
    web: WebSettings = field(init=False)

    def __post_init__(self) -> None:
        self.card = FakeGateway(clock=self.clock)
        self.cashier = Cashier.in_memory(
            gateways={
                "card": self.card,
                "page": FakeGateway(Kind.REDIRECT, clock=self.clock),
                "kiosk": FakeGateway(Kind.VOUCHER, clock=self.clock),
            },
            clock=self.clock,
            page_keys=[PAGE_KEY],
        )
        self.web = WebSettings(
            payee="Alder Telecom",
            base_url="https://alder.example/pay",
            return_origins=["https://alder.example"],
            keys=[PAGE_KEY],
        )

    def app(self, **more: Any) -> Starlette:
        return Starlette(
            routes=[
                Mount(PREFIX, api(self.cashier, self.web, **more)),
                Mount("/pay", pages(self.cashier, self.web)),
            ]
        )

    def key(self, *scopes: Any, name: str = "") -> str:
        self._named = getattr(self, "_named", count(1))
        wanted = list(scopes) or list(ApiScope)
        made = self.cashier.add_api_key(name or f"key-{next(self._named)}", scopes=wanted)
        return made.secret.reveal()

    def paid(self, number: str = "INV-1", amount: str = "30.00") -> str:
        """Return the id of a payment of an invoice."""
        self.cashier.issue(
            number=number, customer="C-1", total=Money.of("USD", amount), due="2031-12-31"
        )
        made = self.cashier.collect(number, via="card", method="tok_visa", key=f"pay {number}")
        return made.id


@dataclass
class Program:
    """A program that calls the API with a key."""

    client: httpx.AsyncClient
    secret: str
    _keys: Any = field(default_factory=lambda: count(1))

    def headers(self, **more: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self.secret}", **more}

    async def get(self, path: str, **query: Any) -> httpx.Response:
        return await self.client.get(
            f"{PREFIX}{path}", params=query or None, headers=self.headers()
        )

    async def post(self, path: str, body: Any, key: str | None = None) -> httpx.Response:
        named = {"idempotency-key": f"r-{next(self._keys)}" if key is None else key}
        return await self.client.post(f"{PREFIX}{path}", json=body, headers=self.headers(**named))


@asynccontextmanager
async def calling(
    shop: Shop, *scopes: Any, peer: str = "192.0.2.7", **more: Any
) -> AsyncIterator[Program]:
    transport = httpx.ASGITransport(app=shop.app(**more), client=(peer, 4000))
    async with httpx.AsyncClient(transport=transport, base_url="http://alder.example") as client:
        yield Program(client, shop.key(*scopes))
