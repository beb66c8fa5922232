"""The fake processor's pages, clicked without a browser, and the callbacks that it pushes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from paygate import Cashier, Kind, Money, PaymentStatus
from paygate.domain.action import Redirect
from paygate.domain.outcome import ActionRequired
from paygate.errors import InvalidValue
from paygate.gateway import Callback
from paygate.testing import FakeGateway, FakeProcessor, LoopbackGateway
from paygate.testing.fake_callbacks import Pusher
from paygate.testing.fake_server import FakeServer
from paygate.testing.processor import SIGNING_KEY
from paygate.testing.processor.callbacks import read_callback
from tests.testing.helpers import charge_of, drive, usd
from tests.testing.test_fake_server import send

PATIENCE_S = 20.0
BACK = "https://shop.example/back"


class Read(HTMLParser):
    """What a page says, as somebody sees or hears it who has no script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.said: dict[str, str] = {}
        self._within: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag != "meta":  # which has no end
            self._within.append("alert" if dict(attrs).get("role") == "alert" else tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._within.pop() in (tag, "alert"), "the page is not well nested"

    def handle_data(self, data: str) -> None:
        if self._within:
            self.said[self._within[-1]] = self.said.get(self._within[-1], "") + data

    @property
    def ways(self) -> list[str | None]:
        return [given["value"] for tag, given in self.tags if tag == "button"]


@dataclass
class Host:
    """A merchant that answers callbacks with the next of its statuses, and keeps them."""

    statuses: list[int] = field(default_factory=list[int])
    heard: list[Callback] = field(default_factory=list[Callback])
    more: threading.Condition = field(default_factory=threading.Condition)

    def wait_for(self, done: Callable[[], bool]) -> None:
        with self.more:
            assert self.more.wait_for(done, PATIENCE_S)

    @property
    def types(self) -> list[str]:
        read = [read_callback(each, SIGNING_KEY) for each in self.heard]
        return [notice.type for notices in read for notice in notices]


@contextmanager
def listening(host: Host, processor: FakeProcessor) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            at = processor.clock.now()
            with host.more:
                status = host.statuses.pop(0) if host.statuses else 200
                host.heard.append(
                    Callback(
                        method="POST", path=self.path, headers=headers, body=body, received_at=at
                    )
                )
                host.more.notify_all()
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@dataclass
class Street:
    """A processor with its pages, the merchant that it calls back, and a payer's browser."""

    host: Host
    gateway: LoopbackGateway
    browser: httpx.Client

    def page(self, key: str = "k1", kind: Kind = Kind.REDIRECT, token: str = "tok_action") -> str:
        asked = drive(self.gateway.charge(charge_of(token, key, kind=kind)), send)
        assert isinstance(asked, ActionRequired)
        if isinstance(asked.action, Redirect):
            return asked.action.url
        return f"{self.browser.base_url}/pay/{asked.reference}"

    def click(self, page: str, do: str) -> httpx.Response:
        assert do in Read(self.browser.get(page).text).ways
        return self.browser.post(page, data={"do": do})


@pytest.fixture(params=[Kind.REDIRECT])
def street(request: pytest.FixtureRequest) -> Iterator[Street]:
    processor, host = FakeProcessor(), Host()
    with listening(host, processor) as address:
        pusher = Pusher(processor, f"{address}/payments/{{kind}}?shop=1", first_pause_s=0.01)
        server = FakeServer(processor, late_s=0, pusher=pusher)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        pusher.start()
        try:
            with httpx.Client(base_url=server.url, timeout=PATIENCE_S) as browser:
                gateway = LoopbackGateway(request.param, url=server.url)
                yield Street(host, gateway, browser)
        finally:
            pusher.stop()
            server.shutdown()
            thread.join()
            server.server_close()


def test_a_redirect_leads_to_a_page_of_the_processor(street: Street) -> None:
    page = street.page()

    shown = street.browser.get(page)
    read = Read(shown.text)

    assert page.startswith(f"{street.browser.base_url}/pay/")
    assert (read.said["h1"], read.said["title"]) == (
        "Pay 10.00 USD",
        "Pay 10.00 USD - fake processor",
    )
    assert read.ways == ["pay", "decline", "refuse", "cancel", "lose", "late"]
    assert ("html", {"lang": "en"}) in read.tags
    assert not {"script", "img", "link"} & {tag for tag, _ in read.tags}
    assert shown.headers["cache-control"] == "no-store"


def test_who_pays_goes_back_and_the_merchant_is_called(street: Street) -> None:
    back = street.click(street.page(), "pay")
    street.host.wait_for(lambda: len(street.host.heard) >= 2)

    assert (back.status_code, back.headers["location"]) == (303, BACK)
    assert street.gateway.moved("USD") == usd("10.00")
    assert street.host.types == ["charge.action", "charge.approved"]
    assert {each.path for each in street.host.heard} == {"/payments/redirect?shop=1"}


def test_a_declined_try_can_be_tried_again(street: Street) -> None:
    page = street.page()

    declined = street.click(page, "decline")
    read = Read(declined.text)
    back = street.click(page, "pay")

    assert declined.status_code == 422
    assert read.said["alert"] == "The bank declined. You can try again."
    assert read.said["title"].startswith("The bank declined: ")
    assert back.status_code == 303
    assert street.gateway.moved("USD") == usd("10.00")


def test_who_cancels_goes_back_unpaid_and_may_still_pay_too_late(street: Street) -> None:
    page = street.page()

    back = street.click(page, "cancel")
    ended = Read(street.browser.get(page).text)
    refused = street.browser.post(page, data={"do": "cancel"})
    unpaid = street.gateway.moved("USD")
    late = street.click(page, "pay")

    assert back.headers["location"] == late.headers["location"] == BACK
    assert ended.ways == ["pay"]
    assert (refused.status_code, unpaid) == (409, usd("0.00"))
    assert street.gateway.moved("USD") == usd("10.00")


def test_an_answer_that_is_lost_reaches_neither_browser_nor_merchant(street: Street) -> None:
    lost = street.click(street.page("k1"), "lose")
    street.click(street.page("k2"), "pay")
    street.host.wait_for(lambda: street.host.types[-1:] == ["charge.approved"])

    assert lost.status_code == 200
    assert "location" not in lost.headers
    assert street.gateway.moved("USD") == usd("20.00")
    assert street.host.types == ["charge.action", "charge.action", "charge.approved"]


def test_who_pays_late_goes_back_before_the_money_comes(street: Street) -> None:
    back = street.click(street.page(), "late")
    street.host.wait_for(lambda: len(street.host.heard) >= 2)

    assert back.headers["location"] == BACK
    assert street.gateway.moved("USD") == usd("10.00")
    assert street.host.types == ["charge.action", "charge.approved"]


@pytest.mark.parametrize("street", [Kind.VOUCHER, Kind.BITCOIN, Kind.QR, Kind.CARD], indirect=True)
def test_what_is_no_redirect_has_a_page_as_well(street: Street) -> None:
    page = street.page(kind=street.gateway.kind)

    back = street.click(page, "pay")

    assert back.status_code == 303
    assert page.rpartition("/")[2] in street.browser.get("/").text


def test_the_first_page_lists_the_others(street: Street) -> None:
    empty = street.browser.get("/")
    pages = [street.page(key) for key in ("k1", "k2")]

    listed = Read(street.browser.get("/").text)

    assert "No payer has been sent here yet." in empty.text
    hrefs = [given["href"] for tag, given in listed.tags if tag == "a"]
    assert [f"{street.browser.base_url}{href}" for href in hrefs] == pages[::-1]
    assert listed.said["caption"] == "Newest first"


def test_what_is_no_page_is_not_found(street: Street) -> None:
    page = street.page()

    assert street.browser.get("/pay/ch_0").status_code == 404
    assert street.browser.post(page, data={"do": "steal"}).status_code == 409
    assert street.browser.post(page, content=b"\xff\xfe").status_code == 409
    assert street.browser.get("/favicon.ico").status_code == 404
    assert street.gateway.moved("USD") == usd("0.00")


def test_a_callback_is_repeated_until_it_is_answered(street: Street) -> None:
    street.host.statuses = [503, 404, 302]

    street.page()
    street.host.wait_for(lambda: len(street.host.heard) >= 4)
    street.click(street.page("k2"), "pay")
    street.host.wait_for(lambda: len(street.host.heard) >= 6)

    assert street.host.types == [*["charge.action"] * 5, "charge.approved"]


def test_a_callback_that_nobody_answers_is_given_up() -> None:
    processor, host, said = FakeProcessor(), Host(statuses=[500] * 3), list[str]()
    ended = threading.Event()

    def tell(line: str) -> None:
        said.append(line)
        if "given up" in line:
            ended.set()

    with listening(host, processor) as address:
        pusher = Pusher(processor, address, tell=tell, tries_max=3, first_pause_s=0.01)
        processor.play("elsewhere", minor=100, readable=True)
        pusher.start()
        assert ended.wait(PATIENCE_S)
        pusher.stop()

    assert len(host.heard) == 3
    assert [line.partition("; ")[2] for line in said] == [
        "sent again in 0.01 s",
        "sent again in 0.02 s",
        "given up after 3 tries",
    ]


def test_a_host_that_is_away_is_called_again() -> None:
    processor, host, away = FakeProcessor(), Host(), threading.Event()
    with listening(host, processor) as address:
        pass  # the port is free again, and nobody listens on it
    said: list[str] = []

    def tell(line: str) -> None:
        said.append(line)
        away.set()

    pusher = Pusher(processor, address, tell=tell, first_pause_s=60)
    processor.play("elsewhere", minor=100, readable=True)
    pusher.start()
    assert away.wait(PATIENCE_S)
    pusher.stop()

    assert "no response (ConnectionRefusedError); sent again in 60 s" in said[0]


@pytest.mark.parametrize("url", ["https://shop.example/hooks", "ftp://127.0.0.1/", "127.0.0.1:80"])
def test_callbacks_go_to_loopback_only(url: str) -> None:
    with pytest.raises(InvalidValue):
        Pusher(FakeProcessor(), url)


@pytest.mark.parametrize("kind", [Kind.CARD, Kind.E_CHECK])
def test_a_card_or_bank_account_is_entered_on_the_page_if_none_is_given(kind: Kind) -> None:
    gateway = FakeGateway(kind, methods=frozenset(), needs_return_url=True)
    with Cashier.in_memory(gateways={"page": gateway}) as cashier:
        for number in ("A", "B"):
            cashier.issue(
                number=number, customer="C", total=Money.of("USD", "10.00"), due="2031-01-01"
            )
        paid, refused = (
            cashier.collect(each, via="page", key=each, return_url="https://shop.example/")
            for each in ("A", "B")
        )
        assert {paid.status, refused.status} == {PaymentStatus.REQUIRES_ACTION}
        assert paid.method_facts is None

        gateway.pay(paid.reference)
        gateway.decline_try(refused.reference, final=True)
        now = [cashier.inquire(each).status for each in (paid, refused)]

        waits = PaymentStatus.PROCESSING if kind is Kind.E_CHECK else PaymentStatus.SUCCEEDED
        assert now == [waits, PaymentStatus.DECLINED]
        assert cashier.fsck() == []
