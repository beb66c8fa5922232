"""A portal behind its application with the payment pages, and members without a browser."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx
from starlette.applications import Starlette
from starlette.routing import Mount

from paygate import Cashier, Kind, Money
from paygate.testing import FakeClock, FakeGateway
from paygate.web.pages import pages
from paygate.web.portal import Member, portal
from paygate.web.settings import WebSettings
from tests.web.pages.reading import Element, read
from tests.web.serving import PATIENCE_S, asgi_served

KEY = "A" * 43 + "="
ROOT = "/my/billing"


def usd(amount: str) -> Money:
    return Money.of("USD", amount)


@dataclass
class Screen:
    """What a member sees: a response, and the page in it."""

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
    def forms(self) -> list[Element]:
        return [each for each in self.html.all("form") if each.attributes.get("method") == "post"]

    def fields(self, form: int = 0) -> list[tuple[str, str]]:
        """What the browser sends if nothing is changed, without a button's own field."""
        return [
            (str(each.attributes["name"]), str(each.attributes.get("value") or ""))
            for each in self.forms[form].all("input")
            if each.attributes.get("type") not in ("radio", "checkbox")
            or "checked" in each.attributes
        ]

    @property
    def action(self) -> str:
        return str(self.forms[0].attributes["action"])

    @property
    def values(self) -> list[str]:
        """The values of the radio buttons."""
        return [str(each.attributes["value"]) for each in self.html.all("input", type_="radio")]

    @property
    def links(self) -> dict[str, str]:
        return {each.text: str(each.attributes["href"]) for each in self.html.all("a")}


@dataclass
class Place:
    """The merchant: cashier, portal, pages, and who is signed in by their session."""

    cashier: Cashier
    gateways: Mapping[str, FakeGateway]
    clock: FakeClock
    web: WebSettings
    client: httpx.Client
    members: dict[str, Member] = field(default_factory=dict[str, Member])

    def sign_in(self, customer: str = "C-1", **more: Any) -> Payer:
        session = f"session-{len(self.members)}"
        self.members[session] = Member(customer=customer, session=session, **more)
        return Payer(self, session)

    def customer_of(self, request: Any) -> Member | None:
        return self.members.get(request.headers.get("x-session", ""))

    def issue(self, number: str, total: str, *, due: str = "2031-12-01", **more: Any) -> None:
        given: dict[str, Any] = {"customer": "C-1", **more}
        self.cashier.issue(number=number, total=usd(total), due=due, **given)

    def open(self, number: str) -> Money:
        return self.cashier.invoice(number).open

    def store(self, customer: str = "C-1", *, token: str = "tok_visa", **more: Any) -> str:
        key = f"store-{len(self.cashier.method_changes())}"
        made = self.cashier.enroll(customer, via="card", method=token, key=key, **more)
        assert made.method is not None
        return made.method.id


@dataclass
class Payer:
    """Somebody at the portal."""

    place: Place
    session: str

    def get(self, path: str = "/", **headers: str) -> Screen:
        return self._asked("GET", path, headers=headers)

    def post(
        self, path: str, fields: Sequence[tuple[str, str]] | Mapping[str, str], **headers: str
    ) -> Screen:
        pairs = list(fields.items()) if isinstance(fields, Mapping) else list(fields)
        body = urlencode(pairs)
        form = {"content-type": "application/x-www-form-urlencoded"}
        own = {"origin": self.place.web.origin, **form, **headers}
        return self._asked("POST", path, content=body, headers=own)

    def send(self, path: str, *, form: int = 0, **fields: str) -> Screen:
        """Open a page, and send its form with some fields filled in."""
        screen = self.get(path)
        sent = [each for each in screen.fields(form) if each[0] not in fields]
        return self.post(path, [*sent, *fields.items()])

    def chooses(self, *numbers: str, do: str = "chosen") -> Screen:
        """Choose invoices on the overview, and press a button."""
        screen = self.get()
        sent = [each for each in screen.fields() if each[0] != "invoice"]
        chosen = [("invoice", each) for each in numbers]
        return self.post(screen.action, [*sent, *chosen, ("do", do)])

    def _asked(self, method: str, path: str, **more: Any) -> Screen:
        url = path if path.startswith(("http", ROOT)) else f"{ROOT}{path}"
        headers = {"x-session": self.session, **more.pop("headers", {})}
        return Screen(self.place.client.request(method, url, headers=headers, **more))


def ledger(url: str, accounts: Mapping[str, FakeGateway], clock: FakeClock, **more: Any) -> Cashier:
    """Return a cashier of the ledger at *url*, or of one in memory."""
    given: dict[str, Any] = {"gateways": dict(accounts), "clock": clock, **more}
    keys: dict[str, Any] = {"page_keys": [KEY], "token_keys": [KEY]}
    return Cashier.open(url, **given, **keys) if url else Cashier.in_memory(**given, **keys)


@contextmanager
def open_place(*, url: str = "", **more: Any) -> Generator[Place]:
    """Open a portal of the ledger at *url*, or of one in memory; *more* are arguments of it."""
    clock = FakeClock()
    accounts = {
        "card": FakeGateway(Kind.CARD, clock=clock),
        "page": FakeGateway(Kind.REDIRECT, clock=clock),
    }
    apps: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await apps[0](scope, receive, send)

    with (
        ledger(url, accounts, clock) as cashier,
        asgi_served(app, lifespan="off") as origin,
        httpx.Client(base_url=origin, timeout=PATIENCE_S) as client,
    ):
        web = WebSettings(
            payee="Alder Telecom",
            base_url=f"{origin}/pay",
            keys=[KEY],
            misses_per_minute=100_000,
        )
        place = Place(cashier, accounts, clock, web, client)
        mounted = portal(cashier, web, customer_of=place.customer_of, **more)
        apps.append(Starlette(routes=[Mount("/pay", pages(cashier, web)), Mount(ROOT, mounted)]))
        yield place
        assert cashier.fsck() == []
