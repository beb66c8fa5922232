"""The application mounted in FastAPI, Django and Flask, behind a server, called over HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import httpx
import pytest
from a2wsgi import ASGIMiddleware
from cryptography.fernet import Fernet
from fastapi import FastAPI
from flask import Flask
from starlette.applications import Starlette
from starlette.routing import Mount
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from paygate import AsyncCashier, Cashier, Kind, Money, Payment, PaymentStatus
from paygate.domain.callback import InboxState
from paygate.gateway import Callback
from paygate.service.account import Timing
from paygate.testing import FakeGateway
from paygate.web import callbacks
from tests.support.django_database import configure
from tests.web.serving import PATIENCE_S, asgi_served, wsgi_served

THANKS = "https://shop.example/thanks"
BYTES_MAX = 5000
KEPT: dict[str, Any] = {
    "timing": Timing(feed_pause=None),
    "token_keys": [Fernet.generate_key()],
}

Host = Callable[[Cashier, str], AbstractContextManager[str]]


def mounted(cashier: Cashier | AsyncCashier) -> Any:
    return callbacks(cashier, landing=THANKS, bytes_max=BYTES_MAX)


def in_fastapi(cashier: Cashier, ledger: str) -> AbstractContextManager[str]:
    app = FastAPI()
    app.mount("/payments", mounted(cashier))
    app.get("/")(lambda: "shop")
    return asgi_served(app)


def in_fastapi_awaited(cashier: Cashier, ledger: str) -> AbstractContextManager[str]:
    """Open an AsyncCashier of the same ledger when the server starts, and close it at its end."""
    page = cashier.gateways["page"].gateway

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncCashier.open(ledger, gateways={"page": page}, **KEPT) as awaited:
            app.mount("/payments", mounted(awaited))
            yield

    app = FastAPI(lifespan=lifespan)
    app.get("/")(lambda: "shop")
    return asgi_served(app)


def in_django(cashier: Cashier, ledger: str) -> AbstractContextManager[str]:
    from django.core.asgi import get_asgi_application
    from django.http import HttpResponse
    from django.urls import path

    configure()
    shop = get_asgi_application()
    urls = ModuleType("shop_urls")
    vars(urls)["urlpatterns"] = [path("", lambda _: HttpResponse("shop"))]
    app = Starlette(routes=[Mount("/payments", mounted(cashier)), Mount("/", shop)])

    @contextmanager
    def served() -> Iterator[str]:
        with mock.patch.dict("sys.modules", shop_urls=urls), asgi_served(app) as url:
            yield url

    return served()


def in_flask(cashier: Cashier, ledger: str) -> AbstractContextManager[str]:
    app = Flask("shop")
    app.get("/")(lambda: "shop")
    payments: Any = ASGIMiddleware(mounted(cashier))
    return wsgi_served(DispatcherMiddleware(app, {"/payments": payments}))


HOSTS: dict[str, Host] = {
    "FastAPI": in_fastapi,
    "FastAPI, awaited": in_fastapi_awaited,
    "Django": in_django,
    "Flask": in_flask,
}


@pytest.fixture(params=HOSTS)
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    page, ledger = FakeGateway(Kind.REDIRECT), f"sqlite:///{tmp_path}/ledger.db"
    with (
        Cashier.open(ledger, gateways={"page": page}, **KEPT) as cashier,
        HOSTS[request.param](cashier, ledger) as url,
        httpx.Client(base_url=url, timeout=PATIENCE_S) as client,
    ):
        yield Shop(cashier, page, client)


@dataclass
class Shop:
    """A host with our application under /payments, and a payer's page at the processor."""

    cashier: Cashier
    page: FakeGateway
    client: httpx.Client

    def paid(self) -> tuple[Payment, Callback]:
        total = Money.of("USD", "30.00")
        self.cashier.issue(number="A", customer="C", total=total, due="2026-12-01")
        back = "https://shop.example/back"
        payment = self.cashier.collect("A", via="page", key="k", return_url=back)
        self.page.callbacks()
        self.page.pay(payment.reference)
        [told] = self.page.callbacks()
        return payment, told

    def send(self, body: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
        reply = self.client.post("/payments/page?shop=1", content=body, headers=dict(headers))
        return reply.status_code, reply.text


def test_a_signed_webhook_is_booked_and_kept_byte_by_byte(shop: Shop) -> None:
    payment, told = shop.paid()

    replies = [shop.send(told.body, told.headers) for _ in range(2)]
    shop.cashier.recover()

    assert replies == [(200, "received")] * 2
    assert shop.cashier.payment(payment).status is PaymentStatus.SUCCEEDED
    [receipt] = shop.cashier.receipts(payment)
    assert receipt.amount == Money.of("USD", "30.00")
    [stored] = shop.cashier.callbacks()
    assert (stored.state, stored.body) == (InboxState.APPLIED, told.body)
    assert shop.client.get("/").text.strip('"') == "shop"


def test_the_same_facts_in_other_bytes_are_refused(shop: Shop) -> None:
    payment, told = shop.paid()
    spaced = json.dumps(json.loads(told.body), indent=1).encode()

    assert shop.send(spaced, told.headers) == (400, "refused")
    assert shop.send(told.body, {"content-type": "application/json"}) == (400, "refused")
    assert shop.send(b"", told.headers) == (400, "refused")

    assert shop.cashier.callbacks() == []
    assert shop.cashier.payment(payment).status is PaymentStatus.REQUIRES_ACTION


def test_a_body_over_the_limit_is_refused(shop: Shop) -> None:
    with shop.client.stream("POST", "/payments/page", content=b"x" * (BYTES_MAX + 1)) as reply:
        assert reply.status_code == 413
    assert shop.cashier.callbacks() == []


def test_a_payer_who_comes_back_is_asked_about_and_sent_on(shop: Shop) -> None:
    payment, _ = shop.paid()

    reply = shop.client.get(f"/payments/page/return?payment={payment.id}&status=failed")

    assert (reply.status_code, reply.headers["location"]) == (303, THANKS)
    assert shop.cashier.payment(payment).status is PaymentStatus.SUCCEEDED
    assert shop.client.get("/payments/page/return?payment=pay_none").status_code == 404
