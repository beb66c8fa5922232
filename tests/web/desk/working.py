"""A desk behind its application, and clerks without a browser."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.routing import Mount

from paygate import Cashier, Money, Payment
from paygate.testing import FakeClock, FakeGateway
from paygate.web.desk import Role, Staff, desk
from paygate.web.settings import WebSettings
from tests.web.pages.reading import Element, read
from tests.web.serving import PATIENCE_S, asgi_served

KEY = "A" * 43 + "="
ROOT = "/office/desk"


def usd(amount: str) -> Money:
    return Money.of("USD", amount)


@dataclass
class Screen:
    """What a clerk sees: a response, and the page in it."""

    response: httpx.Response

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def to(self) -> str:
        assert self.status == 303, (self.status, self.text)
        return self.response.headers["location"]

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
    def fields(self) -> dict[str, str]:
        """What the browser sends if nothing is changed."""
        return {
            str(each.attributes["name"]): str(each.attributes.get("value") or "")
            for each in self.html.all("input")
            if each.attributes.get("type") not in ("radio", "checkbox")
            or "checked" in each.attributes
        }

    @property
    def links(self) -> dict[str, str]:
        return {each.text: str(each.attributes["href"]) for each in self.html.all("a")}


@dataclass
class Office:
    """The merchant's cashier, the desk, and who is signed in by their session."""

    cashier: Cashier
    gateways: Mapping[str, FakeGateway]
    clock: FakeClock
    web: WebSettings
    client: httpx.Client
    staff: dict[str, Staff] = field(default_factory=dict[str, Staff])

    def sign_in(self, name: str, role: Role = Role.CLERK, **more: Any) -> Clerk:
        session = f"session-{len(self.staff)}"
        self.staff[session] = Staff(id=name, role=role, session=session, **more)
        return Clerk(self, session)

    def staff_of(self, request: Any) -> Staff | None:
        return self.staff.get(request.headers.get("x-session", ""))

    def check(self, number: str = "INV-1", total: str = "30.00", *, key: str = "till") -> Payment:
        """Issue an invoice, and record a check for it."""
        self.cashier.issue(number=number, customer="C-1", total=usd(total), due="2031-12-01")
        return self.cashier.record(number, amount=usd(total), by="check", key=key)


@dataclass
class Clerk:
    """Somebody at the desk."""

    office: Office
    session: str

    def get(self, path: str) -> Screen:
        return self._asked("GET", path)

    def post(self, path: str, fields: Mapping[str, str], **headers: str) -> Screen:
        own = {"origin": self.office.web.origin, **headers}
        return self._asked("POST", path, data=dict(fields), headers=own)

    def send(self, path: str, **fields: str) -> Screen:
        """Open a page, and send its form with some fields filled in."""
        return self.post(path, {**self.get(path).fields, **fields})

    def does(self, path: str, **fields: str) -> Screen:
        """Send the form of a page, and return the page that says what was done."""
        return self.get(self.send(path, **fields).to)

    def _asked(self, method: str, path: str, **more: Any) -> Screen:
        url = path if path.startswith(ROOT) else f"{ROOT}{path}"
        headers = {"x-session": self.session, **more.pop("headers", {})}
        return Screen(self.office.client.request(method, url, headers=headers, **more))


@contextmanager
def open_office(*, sinks: Any = None, **more: Any) -> Generator[Office]:
    """Open an office with a desk; *more* are arguments of the desk."""
    clock = FakeClock()
    accounts = {"card": FakeGateway(clock=clock)}
    apps: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await apps[0](scope, receive, send)

    with (
        Cashier.in_memory(
            gateways=accounts, clock=clock, page_keys=[KEY], sinks=sinks or {}
        ) as cashier,
        asgi_served(app, lifespan="off") as origin,
        httpx.Client(base_url=origin, timeout=PATIENCE_S) as client,
    ):
        web = WebSettings(
            payee="Alder Telecom",
            base_url=f"{origin}/pay",
            keys=[KEY],
            misses_per_minute=100_000,
        )
        office = Office(cashier, accounts, clock, web, client)
        mounted = desk(cashier, web, staff_of=office.staff_of, **more)
        apps.append(Starlette(routes=[Mount(ROOT, mounted)]))
        yield office
        assert cashier.fsck() == []
