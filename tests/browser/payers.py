"""Payers in a browser: by mouse, by keyboard alone, or without JavaScript."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route

from paygate import Cashier, Kind, Money, Payment, PaymentLink
from paygate.testing import LoopbackGateway
from paygate.testing.clock import WallClock
from paygate.testing.processor.rails import page_traits
from paygate.web import callbacks
from paygate.web.desk import Staff, desk
from paygate.web.pages import pages
from paygate.web.pages.scripts import popup_script
from paygate.web.portal import Member, portal
from paygate.web.settings import WebSettings
from tests.browser.conftest import Shown
from tests.web.serving import asgi_served

KEY = "A" * 43 + "="
KINDS = (
    Kind.CARD,
    Kind.E_CHECK,
    Kind.REDIRECT,
    Kind.VOUCHER,
    Kind.BITCOIN,
    Kind.QR,
    Kind.PUSH,
)
TABS_MAX = 60


def usd(amount: str) -> Money:
    return Money.of("USD", amount)


@dataclass
class Payer:
    """Somebody at a browser window, who uses it in one *way*."""

    shown: Shown
    way: str = "mouse"

    @property
    def page(self) -> Any:
        return self.shown.page

    def open(self, url: str) -> None:
        self.page.goto(url)

    def sees(self, title: str) -> None:
        self.page.get_by_role("heading", level=1, name=title, exact=True).wait_for()

    def reads(self, text: str) -> None:
        self.page.get_by_text(text).first.wait_for()

    def choose(self, label: str) -> None:
        """Choose a way to pay."""
        radio = self.page.get_by_role("radio", name=label)
        if self.way != "keyboard":
            radio.check()
            return
        self._reach(self.page.get_by_role("radio").first)
        self.page.keyboard.press("Space")
        for _ in range(self.page.get_by_role("radio").count()):
            if radio.is_checked():
                return
            self.page.keyboard.press("ArrowDown")
        raise AssertionError(f"{label} cannot be chosen by keyboard")

    def type(self, label: str, text: str) -> None:
        box = self.page.get_by_label(label)
        if self.way == "keyboard":
            self._reach(box)
            self.page.keyboard.press("Control+A")
            self.page.keyboard.type(text)
        else:
            box.fill(text)

    def press(self, name: str) -> None:
        """Press a button or follow a link with this name."""
        found = self.page.get_by_role("button", name=name, exact=True)
        found = found.or_(self.page.get_by_role("link", name=name, exact=True)).first
        found.wait_for()
        if self.way == "keyboard":
            self._reach(found)
            self.page.keyboard.press("Enter")
        else:
            found.click()

    def back(self) -> None:
        self.page.go_back()

    def _reach(self, found: Any) -> None:
        """Press Tab until *found* has the focus."""
        for _ in range(TABS_MAX):
            if found.evaluate("each => each === document.activeElement"):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"{found} cannot be reached by keyboard")


@dataclass
class Merchant:
    """The merchant's cashier and pages, with the fake processor in a process of its own."""

    cashier: Cashier
    clock: WallClock
    gateways: Mapping[Kind, LoopbackGateway]
    web: WebSettings
    processor: str
    shop: dict[str, str] = field(default_factory=dict[str, str])
    signed_in: bool = True
    staff: Staff | None = None

    @property
    def portal(self) -> str:
        """The address of the portal of customer C-1."""
        return f"{self.origin}/billing/"

    @property
    def desk(self) -> str:
        """The address of the desk."""
        return f"{self.origin}/desk/"

    def member(self, _: Any) -> Member | None:
        return Member(customer="C-1", session="s", name="Maria") if self.signed_in else None

    @property
    def origin(self) -> str:
        return self.web.origin

    def issue(self, number: str, total: str, *, customer: str = "C-1") -> None:
        self.cashier.issue(number=number, customer=customer, total=usd(total), due="2099-12-01")

    def link(self, *items: Any, key: str = "k", **more: Any) -> PaymentLink:
        return self.cashier.link(list(items), key=key, **more)

    def address(self, link: PaymentLink) -> str:
        return link.address(self.web.root)

    def last(self) -> Payment:
        return self.cashier.payments(limit=1)[0]

    def later(self, **parts: float) -> None:
        """Let time pass, here and at the processor, and do what is due."""
        by = timedelta(**parts)
        self.clock.advance(by)
        self.gateways[Kind.CARD].advance(by)
        self.hear()

    def hear(self) -> None:
        for kind, gateway in self.gateways.items():
            for callback in gateway.callbacks():
                self.cashier.receive(kind.value, callback)
        self.cashier.apply_callbacks()
        self.cashier.recover()

    def received(self) -> list[str]:
        """The amounts of money that came in, the oldest first."""
        lines = self.cashier.receipt_lines(oldest_first=True)
        return [str(each.receipt.amount.decimal) for each in lines if each.receipt.kind.inward]

    def open(self, number: str) -> str:
        return str(self.cashier.invoice(number).open.decimal)

    def embed(self, href: str) -> str:
        """Return the address of a page of the merchant that opens *href* in a dialog."""
        script = popup_script()
        self.shop["/shop"] = (
            f'<!doctype html><title>Shop</title><a id="pay" data-paygate href="{href}">Pay now</a>'
            f'<script src="{self.web.root}/{script.name}" integrity="{script.integrity}"'
            f' crossorigin="anonymous" defer></script>'
        )
        return f"{self.origin}/shop"


@contextmanager
def processor_process(*options: str) -> Generator[str]:
    """Run the fake processor in a process of its own, and return its address."""
    command = [sys.executable, "-m", "paygate.testing.fake_server", "--parent", "--on-pages"]
    with subprocess.Popen(
        [*command, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield str(json.loads(process.stdout.readline())["url"])
        finally:
            process.stdin.close()
            process.wait(20)


@contextmanager
def open_merchant(*options: str) -> Generator[Merchant]:
    """Open a merchant; *options* are those of the processor."""
    clock, site = WallClock(), dict[str, str]()
    apps: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await apps[0](scope, receive, send)

    async def shop(request: Any) -> HTMLResponse:
        return HTMLResponse(site.get(request.url.path, "<title>Thanks</title><h1>Thanks</h1>"))

    with (
        processor_process(*options) as processor,
        asgi_served(app, lifespan="off", timeout_graceful_shutdown=1) as origin,
    ):
        accounts = {
            kind: LoopbackGateway(kind, url=processor, traits=page_traits()) for kind in KINDS
        }
        with Cashier.in_memory(
            gateways={kind.value: each for kind, each in accounts.items()},
            clock=clock,
            page_keys=[KEY],
            token_keys=[KEY],
        ) as cashier:
            web = WebSettings(
                payee="Alder Telecom",
                base_url=f"{origin}/pay",
                return_origins=[origin],
                embed_origins=[origin],
                support_email="billing@alder.example",
                keys=[KEY],
            )
            found = Merchant(cashier, clock, accounts, web, processor, site)
            apps.append(
                Starlette(
                    routes=[
                        Mount("/pay", pages(cashier, web)),
                        Mount("/billing", portal(cashier, web, customer_of=found.member)),
                        Mount(
                            "/desk",
                            desk(
                                cashier,
                                web,
                                staff_of=lambda _: found.staff,
                                approve_above=[usd("100.00")],
                            ),
                        ),
                        Mount("/callbacks", callbacks(cashier)),
                        Route("/{path:path}", shop),
                    ]
                )
            )
            yield found
            assert cashier.fsck() == []
