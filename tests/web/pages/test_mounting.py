"""The pages mounted under a prefix in Starlette, FastAPI, Django and Flask, called over HTTP."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

import httpx
import pytest
from a2wsgi import ASGIMiddleware
from fastapi import FastAPI
from flask import Flask
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from paygate import Cashier, Kind
from paygate.testing import FakeGateway
from paygate.web.pages import pages
from paygate.web.settings import WebSettings
from tests.support.django_database import configure
from tests.web.pages.paying import KEY, Screen, usd
from tests.web.serving import PATIENCE_S, asgi_served, wsgi_served

PREFIX = "/deep/down/pay"


def in_starlette(app: Any) -> Any:
    async def shop(_: Request) -> PlainTextResponse:
        return PlainTextResponse("shop")

    return Starlette(routes=[Mount(PREFIX, app), Route("/", shop)])


def in_fastapi(app: Any) -> Any:
    host = FastAPI()
    host.mount(PREFIX, app)
    host.get("/")(lambda: "shop")
    return host


def in_django(app: Any) -> Any:
    configure()
    django = import_module("django.core.asgi").get_asgi_application()
    return Starlette(routes=[Mount(PREFIX, app), Mount("/", django)])


def in_flask(app: Any) -> Any:
    host = Flask("shop")
    host.get("/")(lambda: "shop")
    mounted: Any = ASGIMiddleware(app)
    return DispatcherMiddleware(host, {PREFIX: mounted})


HOSTS: dict[str, Callable[[Any], Any]] = {
    "Starlette": in_starlette,
    "FastAPI": in_fastapi,
    "Django": in_django,
    "Flask": in_flask,
}


@contextmanager
def served(host: str, build: Callable[[str], Any]) -> Generator[str]:
    """Serve what *build* returns for the address at which it is served."""
    built: list[Any] = []

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        await built[0](scope, receive, send)

    def wsgi(environ: Any, start: Any) -> Any:
        return built[0](environ, start)

    serving = wsgi_served(wsgi) if host == "Flask" else asgi_served(asgi, lifespan="off")
    with serving as origin:
        built.append(build(origin))
        yield origin


@pytest.mark.parametrize("host", HOSTS)
def test_a_link_is_paid_below_the_prefix_of_any_framework(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    http, paths = import_module("django.http"), import_module("django.urls")

    def shop(_: object) -> Any:
        return http.HttpResponse("shop")

    urls = ModuleType("shop_urls")
    vars(urls)["urlpatterns"] = [paths.path("", shop)]
    monkeypatch.setitem(sys.modules, "shop_urls", urls)
    gateway = FakeGateway(Kind.CARD, methods=frozenset(), needs_return_url=True)

    def build(origin: str) -> Any:
        web = WebSettings(payee="Alder", base_url=f"{origin}{PREFIX}")
        return HOSTS[host](pages(cashier, web))

    with (
        Cashier.in_memory(gateways={"card": gateway}, page_keys=[KEY]) as cashier,
        served(host, build) as origin,
        httpx.Client(timeout=PATIENCE_S) as client,
    ):
        cashier.issue(number="A", customer="C", total=usd("30"), due="2031-01-01")
        link = Screen(client.get(cashier.link("A", key="k").address(f"{origin}{PREFIX}")))
        own = {"origin": origin}
        page = Screen(client.post(link.action, data=link.fields, headers=own)).to
        gateway.pay(cashier.payments()[0].reference)
        paid = Screen(client.get(f"{page}/back", follow_redirects=True))
        lost = client.get(f"{origin}{PREFIX}/l/{'A' * 22}")
        script = client.get(f"{origin}{PREFIX}/page.js")

        assert page.startswith(f"{origin}{PREFIX}/p/")
        assert paid.title == "Paid. Thank you."
        assert cashier.invoice("A").open == usd("0")
        assert (lost.status_code, script.status_code) == (404, 200)
        assert client.get(f"{origin}/").text.strip('"') == "shop"
        assert cashier.fsck() == []


def test_every_tenant_has_pages_of_its_own() -> None:
    gateways = {name: FakeGateway(Kind.VOUCHER) for name in ("acme", "bolt")}

    def build(origin: str) -> Any:
        settings = {
            name: WebSettings(payee=name.title(), base_url=f"{origin}/pay/{name}")
            for name in gateways
        }
        return Starlette(routes=[Mount("/pay", pages(cashier, settings.__getitem__))])

    with (
        Cashier.in_memory(
            merchants=lambda tenant: {"cash": gateways[tenant]}, page_keys=[KEY]
        ) as cashier,
        served("Starlette", build) as origin,
        httpx.Client(timeout=PATIENCE_S) as client,
    ):
        acme = cashier.for_tenant("acme")
        acme.issue(number="A", customer="C", total=usd("30"), due="2031-01-01")
        link = acme.link("A", key="k")
        shown = Screen(client.get(link.address(f"{origin}/pay/acme")))
        sent = client.post(shown.action, data=shown.fields, headers={"origin": origin})
        elsewhere = client.get(link.address(f"{origin}/pay/bolt"))
        nobody = client.get(link.address(f"{origin}/pay/nobody"))

        assert shown.title == "Pay $30.00 to Acme"
        assert Screen(sent).to.startswith(f"{origin}/pay/acme/p/")
        assert Screen(client.get(Screen(sent).to)).title == "Cash payment slip"
        assert (elsewhere.status_code, nobody.status_code) == (404, 404)
        assert "Bolt" in elsewhere.text
        assert cashier.for_tenant("bolt").payments() == []
        assert acme.fsck() == []
