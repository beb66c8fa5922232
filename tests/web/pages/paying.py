"""A merchant with links, their payment pages behind a server, and a payer without a browser."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.routing import Mount

from paygate import AsyncCashier, Cashier, Money, Payment, PaymentLink
from paygate.testing import FakeClock, FakeGateway
from paygate.web.pages import pages
from paygate.web.settings import WebSettings
from tests.web.pages.reading import Element, read
from tests.web.serving import PATIENCE_S, asgi_served

KEY = "A" * 43 + "="
PREFIX = "/shop/pay"
HOME = "https://shop.example"


def usd(amount: str) -> Money:
    return Money.of("USD", amount)


@dataclass
class Screen:
    """What a payer sees: a response, and the page in it."""

    response: httpx.Response

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def html(self) -> Element:
        return read(self.response.text)

    @property
    def title(self) -> str:
        return self.html.one("h1").text

    @property
    def text(self) -> str:
        return self.html.one("main").text

    @property
    def to(self) -> str:
        """Where a redirect leads."""
        assert self.status == 303, (self.status, self.response.text)
        return self.response.headers["location"]

    @property
    def action(self) -> str:
        [form] = self.html.all("form")
        return str(form.attributes["action"])

    @property
    def fields(self) -> dict[str, str]:
        """What the browser sends if the payer changes nothing."""
        return {
            str(each.attributes["name"]): str(each.attributes.get("value") or "")
            for each in self.html.all("input")
            if each.attributes.get("type") != "radio"
        }

    @property
    def ways(self) -> list[str]:
        """The values of the ways to pay."""
        return [
            str(each.attributes["value"])
            for each in self.html.all("input", name="via")
            if each.attributes.get("value")
        ]

    def links(self) -> dict[str, str]:
        """The links and their texts."""
        return {each.text: str(each.attributes["href"]) for each in self.html.all("a")}


@dataclass
class Shop:
    """The merchant's cashier, the pages, and a payer's client."""

    cashier: Cashier
    gateways: Mapping[str, FakeGateway]
    clock: FakeClock
    web: WebSettings
    client: httpx.Client
    numbers: list[str] = field(default_factory=list[str])

    @property
    def origin(self) -> str:
        return self.web.origin

    def issue(self, number: str, total: str, **more: Any) -> None:
        given: dict[str, Any] = {"customer": "C-1", "total": usd(total), "due": "2031-12-01"} | more
        self.cashier.issue(number=number, **given)
        self.numbers.append(number)

    def link(self, *items: Any, key: str = "k", **more: Any) -> PaymentLink:
        return self.cashier.link(list(items) or None, key=key, **more)

    def address(self, link: PaymentLink) -> str:
        return link.address(self.web.root)

    def get(self, url: str, **headers: str) -> Screen:
        return Screen(self.client.get(url, headers=_named(headers)))

    def post(self, url: str, fields: Mapping[str, str], **headers: str) -> Screen:
        sent = {"origin": self.origin, **_named(headers)}
        sent = {name: value for name, value in sent.items() if value}
        return Screen(self.client.post(url, data=dict(fields), headers=sent))

    def pay(self, link: PaymentLink, via: str, **fields: str) -> str:
        """Choose a way on the page of *link*, and return the address of the payment's page."""
        screen = self.get(self.address(link))
        return self.post(screen.action, {**screen.fields, "via": via, **fields}).to

    def come_back(self, page: str) -> Screen:
        """Come back from the processor."""
        return self.get(self.get(f"{page}/back").to)

    def come_back_to(self, page: str) -> Screen:
        """Come back from the processor with nothing left to do there."""
        assert self.get(f"{page}/back").to == page
        return self.get(page)

    def payment_at(self, page: str) -> Payment:
        return self.cashier.payment_of_page(page.rpartition("/")[2])

    def paid(self, number: str) -> Money:
        invoice = self.cashier.invoice(number)
        return invoice.total - invoice.open

    def hear(self, account: str) -> None:
        for callback in self.gateways[account].callbacks():
            self.cashier.receive(account, callback)
        self.cashier.apply_callbacks()


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


@contextmanager
def open_shop(
    folder: Path,
    gateways: Mapping[str, FakeGateway],
    clock: FakeClock,
    *,
    awaited: bool = False,
    **settings: Any,
) -> Iterator[Shop]:
    """Open a shop whose pages are below a prefix, with either cashier."""
    url = f"sqlite:///{folder}/ledger.db"
    given: dict[str, Any] = {"gateways": dict(gateways), "clock": clock, "page_keys": [KEY]}
    served: list[Any] = []

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        if not awaited:
            yield
            return
        async with AsyncCashier.open(url, **given) as cashier:
            served.append(cashier)
            yield

    mounted: dict[str, Any] = {}

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if "pages" not in mounted:
            mounted["pages"] = pages(served[-1] if awaited else cashier, web)
        await mounted["pages"](scope, receive, send)

    app = Starlette(routes=[Mount(PREFIX, application)], lifespan=lifespan)
    with Cashier.open(url, **given) as cashier, asgi_served(app) as origin:
        web = WebSettings(
            **{
                "payee": "Alder Telecom",
                "base_url": f"{origin}{PREFIX}",
                "return_origins": [HOME],
                "keys": [KEY],
                **settings,
            }
        )
        with httpx.Client(timeout=PATIENCE_S) as client:
            yield Shop(cashier, gateways, clock, web, client)
        found = cashier.fsck()
    assert found == []
