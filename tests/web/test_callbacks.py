"""Callbacks and return pages over ASGI, through both faces of the cashier."""

import asyncio
import inspect
import sys
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any
from unittest import mock

import httpx
import pytest

from paygate import AsyncCashier, Cashier, Ended, Ending, Kind, Money, Payment, PaymentStatus
from paygate.dialogue import Dialogue, Request, Response
from paygate.errors import MissingExtra, NoResponse, StoreBusy
from paygate.gateway import Callback, CallbackStyle, Charge, Notice
from paygate.testing import FakeClock, FakeGateway, FakeProcessor, Habits, LoopbackGateway
from paygate.testing.fake_server import FakeServer
from paygate.testing.processor.rails import fake_traits
from paygate.web import callbacks
from paygate.web.callbacks import RETURN_THREADS
from paygate.web.looks import Looks
from tests.web.serving import PATIENCE_S

BACK = "https://shop.example/back"


@dataclass
class Portal:
    """A host that has mounted the application, and its processors."""

    cashier: Any
    fakes: dict[str, FakeGateway]
    clock: FakeClock

    async def call(self, verb: str, *args: Any, **more: Any) -> Any:
        result = getattr(self.cashier, verb)(*args, **more)
        return await result if inspect.isawaitable(result) else result

    def client(self, **more: Any) -> httpx.AsyncClient:
        app = callbacks(self.cashier, **more)
        transport = httpx.ASGITransport(app)
        return httpx.AsyncClient(transport=transport, base_url="https://pay.example")

    async def page(self, via: str = "page") -> Payment:
        total = Money.of("USD", "30.00")
        await self.call("issue", number=f"A-{via}", customer="C", total=total, due="2026-02-01")
        payment = await self.call("collect", f"A-{via}", via=via, key=via, return_url=BACK)
        assert isinstance(payment, Payment)
        self.fakes[via].callbacks()
        return payment


@pytest.fixture(params=["at once", "awaited"])
async def portal(request: pytest.FixtureRequest) -> AsyncIterator[Portal]:
    clock = FakeClock()
    fakes = {
        "page": FakeGateway(Kind.REDIRECT, clock=clock),
        "ready": FakeGateway(Kind.REDIRECT, clock=clock, habits=Habits(needs_complete=True)),
        "kiosk": FakeGateway(Kind.VOUCHER, clock=clock, callbacks=CallbackStyle.ANSWERED),
        "silent": FakeGateway(Kind.CARD, clock=clock, callbacks=CallbackStyle.NONE),
    }
    async with AsyncExitStack() as stack:
        if request.param == "awaited":
            opened = AsyncCashier.in_memory(gateways=fakes, clock=clock)
            yield Portal(await stack.enter_async_context(opened), fakes, clock)
        else:
            cashier = Cashier.in_memory(gateways=fakes, clock=clock)
            yield Portal(stack.enter_context(cashier), fakes, clock)


async def test_a_callback_is_taken_in_and_answered_as_the_driver_says(portal: Portal) -> None:
    payment = await portal.page()
    portal.fakes["page"].pay(payment.reference)
    [told] = portal.fakes["page"].callbacks()

    async with portal.client() as client:
        reply = await client.post("/page?shop=1", content=told.body, headers=dict(told.headers))

    assert (reply.status_code, reply.content) == (200, b"received")
    [applied] = await portal.call("apply_callbacks")
    assert applied.received == Money.of("USD", "30.00")


async def test_a_kiosk_gets_the_result_and_the_same_bytes_again(portal: Portal) -> None:
    payment = await portal.page("kiosk")
    portal.fakes["kiosk"].pay(payment.reference)
    [told] = portal.fakes["kiosk"].callbacks()

    async with portal.client() as client:
        first, again = [
            await client.post("/kiosk", content=told.body, headers=dict(told.headers))
            for _ in range(2)
        ]

    assert first.json() == {"result": "booked"}
    assert (again.content, again.headers) == (first.content, first.headers)


async def test_who_is_refused_learns_nothing(portal: Portal) -> None:
    async with portal.client() as client:
        forged = await client.post("/page", content=b"{}", headers={"fake-signature": "t=1,v1=00"})
        unsigned = await client.get("/page")
        unknown = await client.post("/nobody", content=b"{}")
        silent = await client.post("/silent", content=b"{}")

    assert [(each.status_code, each.text) for each in (forged, unsigned)] == [(400, "refused")] * 2
    assert [(each.status_code, each.text) for each in (unknown, silent)] == [(404, "not found")] * 2
    assert await portal.call("callbacks") == []


async def test_what_cannot_be_verified_now_is_asked_for_again(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = await portal.page()
    page = portal.fakes["page"]
    page.pay(payment.reference)
    [told] = page.callbacks()

    def verify(callback: Callback) -> Dialogue[list[Notice]]:
        raise NoResponse(f"the certificate for {callback.path} did not come within 30 s")

    async with portal.client() as client:
        with monkeypatch.context() as patched:
            patched.setattr(page, "verify", verify)
            away = await client.post("/page", content=told.body, headers=dict(told.headers))
        back = await client.post("/page", content=told.body, headers=dict(told.headers))

    assert (away.status_code, away.text) == (503, "try again later")
    assert back.status_code == 200
    [applied] = await portal.call("apply_callbacks")
    assert applied.received == Money.of("USD", "30.00")


async def test_what_is_too_long_is_not_read(portal: Portal) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(100):
            read += 1
            yield b"x" * 1000

    async with portal.client(bytes_max=5000) as client:
        reply = await client.post("/page", content=endless())

    assert reply.status_code == 413


async def test_what_is_too_slow_is_not_waited_for(portal: Portal) -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(5)
        yield b"}"

    async with portal.client(timeout_s=0.05) as client:
        reply = await client.post("/page", content=slow())

    assert reply.status_code == 408


async def test_a_ledger_that_is_busy_asks_for_the_callback_again(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: Any) -> None:
        raise StoreBusy("another process writes")

    payment = await portal.page()
    portal.fakes["page"].pay(payment.reference)
    [told] = portal.fakes["page"].callbacks()
    monkeypatch.setattr(portal.cashier._store, "write", busy)
    monkeypatch.setattr(portal.cashier._store, "write_group", busy)

    async with portal.client() as client:
        reply = await client.post("/page", content=told.body, headers=dict(told.headers))

    assert (reply.status_code, reply.text) == (503, "try again later")


# --- The payer comes back ------------------------------------------------------------------


async def test_what_the_return_address_says_is_not_believed(portal: Portal) -> None:
    payment = await portal.page()

    async with portal.client() as client:
        address = f"/page/return?payment={payment.id}&status=succeeded&paid=30.00"
        told = await client.get(address)
        assert told.text == "Your payment is not finished yet."

        portal.fakes["page"].pay(payment.reference)
        portal.clock.advance(seconds=5)
        told = await client.get(address)

    assert told.text == "Thank you. Your payment has arrived."
    assert (await portal.call("payment", payment)).status is PaymentStatus.SUCCEEDED


async def test_a_payer_who_comes_back_completes_the_payment(portal: Portal) -> None:
    payment = await portal.page("ready")

    async with portal.client(landing=lambda paid: f"{BACK}?{paid.status}") as client:
        address = f"/ready/return?payment={payment.id}"
        early = await client.get(address)
        portal.fakes["ready"].pay(payment.reference)
        portal.clock.advance(seconds=5)
        back = await client.get(address)
        again = await client.get(address)

    assert early.headers["location"] == f"{BACK}?requires_action"
    assert (back.status_code, back.headers["location"]) == (303, f"{BACK}?succeeded")
    assert again.headers["location"] == back.headers["location"]
    assert portal.fakes["ready"].moved("USD") == Money.of("USD", "30.00")


async def test_a_payer_who_paid_a_page_that_we_think_ended_unpaid_reads_that_it_arrived(
    portal: Portal,
) -> None:
    payment = await portal.page()
    closed = Ended(how=Ending.CANCELED)
    await portal.call("resolve", payment, closed, evidence="the processor's page shows nothing")
    portal.fakes["page"].pay(payment.reference)

    async with portal.client() as client:
        told = await client.get(f"/page/return?payment={payment.id}")

    assert told.text == "Thank you. Your payment has arrived."
    assert (await portal.call("payment", payment)).received == Money.of("USD", "30.00")


async def test_a_page_that_ended_and_was_not_paid_says_so(portal: Portal) -> None:
    payment = await portal.page()
    await portal.call("withdraw_page", payment)

    async with portal.client() as client:
        told = await client.get(f"/page/return?payment={payment.id}")

    assert told.text == "This payment was not made."


async def test_a_host_can_name_the_payment_in_its_own_way(portal: Portal) -> None:
    payment = await portal.page()
    orders = {"order-7": payment.id}

    async with portal.client(
        landing=BACK, payment_of=lambda said: orders.get(said.get("order", ""), "")
    ) as client:
        found = await client.get("/page/return?order=order-7")
        lost = await client.get("/page/return?order=order-8")

    assert found.headers["location"] == BACK
    assert lost.status_code == 404


async def test_the_hosts_functions_may_block_or_be_awaited(portal: Portal) -> None:
    payment = await portal.page()
    seen: list[bool] = []

    def in_a_thread() -> None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            seen.append(True)
        else:
            seen.append(False)

    def find(said: Mapping[str, str]) -> str:
        in_a_thread()
        return payment.id

    def lead(payment: Payment) -> str:
        in_a_thread()
        return f"{BACK}?to={payment.status}"

    async def find_awaited(said: Mapping[str, str]) -> str:
        await asyncio.sleep(0)
        return find(said)

    async def lead_awaited(payment: Payment) -> str:
        await asyncio.sleep(0)
        return lead(payment)

    for hooks in (
        {"payment_of": find, "landing": lead},
        {"payment_of": find_awaited, "landing": lead_awaited},
        {"payment_of": partial(find_awaited), "landing": partial(lead_awaited)},
    ):
        async with portal.client(**hooks) as client:
            reply = await client.get("/page/return")
        assert reply.headers["location"] == f"{BACK}?to=requires_action"

    assert seen == [True, True, False, False, False, False]


async def test_a_host_who_finds_no_payment_gets_404(portal: Portal) -> None:
    payment = await portal.page()

    async def finds_none(said: Mapping[str, str]) -> None:
        return None

    finders: list[Any] = [lambda said: said["order"], lambda _: None, finds_none, lambda _: ""]
    for payment_of in finders:
        async with portal.client(payment_of=payment_of) as client:
            reply = await client.get(f"/page/return?payment={payment.id}")
        assert (reply.status_code, reply.text) == (404, "not found")

    orders: dict[str, str] = {}
    async with portal.client(landing=lambda payment: orders[payment.id]) as client:
        lost = await client.get(f"/page/return?payment={payment.id}")
    async with portal.client(landing=lambda _: None) as client:
        shown = await client.get(f"/page/return?payment={payment.id}")

    assert lost.status_code == 404
    assert shown.text == "Your payment is not finished yet."


async def test_a_mistake_of_the_hosts_function_is_not_hidden(portal: Portal) -> None:
    def broken(said: Mapping[str, str]) -> str:
        raise ZeroDivisionError

    async with portal.client(payment_of=broken) as client:
        with pytest.raises(ZeroDivisionError):
            await client.get("/page/return?payment=x")


async def test_the_fields_of_a_posted_form_are_parameters(portal: Portal) -> None:
    payment = await portal.page("ready")
    portal.fakes["ready"].pay(payment.reference)
    said: list[dict[str, str]] = []

    def find(parameters: Mapping[str, str]) -> str:
        said.append(dict(parameters))
        return parameters["payment"]

    async with portal.client(payment_of=find) as client:
        back = await client.post(
            "/ready/return?order=7&token=ours",
            data={"payment": payment.id, "token": "theirs", "word": "größe & mehr", "none": ""},
        )
        other = await client.post(
            f"/ready/return?payment={payment.id}", json={"payment": "x", "token": "y"}
        )

    assert back.text == other.text == "Thank you. Your payment has arrived."
    assert said == [
        {
            "order": "7",
            "token": "ours",
            "payment": payment.id,
            "word": "größe & mehr",
            "none": "",
        },
        {"payment": payment.id},
    ]


async def test_a_form_is_read_within_the_limits(portal: Portal) -> None:
    many = "&".join(f"f{number}=1" for number in range(2000))
    headers = {"content-type": "application/x-www-form-urlencoded"}

    async with portal.client(bytes_max=50_000) as client:
        fields = await client.post("/page/return", content=many.encode(), headers=headers)
        long = await client.post("/page/return", content=b"x" * 60_000, headers=headers)

    assert (fields.status_code, long.status_code) == (400, 413)


async def test_both_spellings_of_an_address_are_served(portal: Portal) -> None:
    payment = await portal.page()
    portal.fakes["page"].pay(payment.reference)
    [told] = portal.fakes["page"].callbacks()

    async with portal.client() as client:
        replies = [
            await client.post(path, content=told.body, headers=dict(told.headers))
            for path in ("/page/", "/page")
        ]
        back = await client.get(f"/page/return/?payment={payment.id}")
        nothing = [await client.get(path) for path in ("/", "/page/return/more", "//page")]

    assert [(each.status_code, each.text) for each in replies] == [(200, "received")] * 2
    assert back.text == "Thank you. Your payment has arrived."
    assert [each.status_code for each in nothing] == [404, 404, 404]


async def test_a_filled_return_address_leads_to_its_payment(portal: Portal) -> None:
    await portal.page()
    total = Money.of("USD", "5.00")
    await portal.call("issue", number="B", customer="C", total=total, due="2026-02-01")
    sent: list[str] = []
    page = portal.fakes["page"]
    with mock.patch.object(page, "charge", lambda asked: spied(page, asked, sent)):
        payment = await portal.call(
            "collect",
            "B",
            via="page",
            key="b",
            return_url="https://x/page/return?payment={payment}",
        )

    page.pay(payment.reference)
    async with portal.client() as client:
        back = await client.get(sent[0].removeprefix("https://x"))

    assert back.text == "Thank you. Your payment has arrived."


def spied(page: FakeGateway, asked: Charge, sent: list[str]) -> Any:
    sent.append(asked.return_url)
    return FakeGateway.charge(page, asked)


# --- Many payers, and a slow processor -------------------------------------------------------


class SlowProcessor(FakeProcessor):
    """A processor that answers no inquiry before it is let go."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(fake_traits([Kind.REDIRECT]), clock=clock)
        self.asked: list[str] = []
        self.expected = 1
        self.reached, self.released = threading.Event(), threading.Event()

    def handle(self, request: Request) -> Response:
        if "/v1/look_up" in request.url:
            self.asked.append(request.url)
            if len(self.asked) >= self.expected:
                self.reached.set()
            assert self.released.wait(PATIENCE_S)
        return super().handle(request)


@dataclass
class SlowPortal:
    """A host whose processor listens on loopback, and takes its time."""

    portal: Portal
    processor: SlowProcessor
    gateway: LoopbackGateway

    async def page(self, number: str) -> Payment:
        total = Money.of("USD", "30.00")
        call = self.portal.call
        await call("issue", number=number, customer="C", total=total, due="2026-02-01")
        payment = await call("collect", number, via="page", key=number, return_url=BACK)
        assert isinstance(payment, Payment)
        return payment

    async def reached(self) -> None:
        assert await asyncio.to_thread(self.processor.reached.wait, PATIENCE_S)


@pytest.fixture(params=["at once", "awaited"])
async def slow(request: pytest.FixtureRequest) -> AsyncIterator[SlowPortal]:
    clock = FakeClock()
    processor = SlowProcessor(clock)
    server = FakeServer(processor)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    gateway = LoopbackGateway(Kind.REDIRECT, url=server.url)
    accounts = {"page": gateway}
    try:
        async with AsyncExitStack() as stack:
            if request.param == "awaited":
                opened = AsyncCashier.in_memory(gateways=accounts, clock=clock)
                cashier: Any = await stack.enter_async_context(opened)
            else:
                cashier = stack.enter_context(Cashier.in_memory(gateways=accounts, clock=clock))
            yield SlowPortal(Portal(cashier, {}, clock), processor, gateway)
    finally:
        processor.released.set()
        await asyncio.to_thread(server.shutdown)
        thread.join()
        server.server_close()


async def test_a_hundred_returns_at_once_ask_the_processor_once(slow: SlowPortal) -> None:
    payment = await slow.page("A")
    slow.gateway.pay(payment.reference)
    told = slow.gateway.callbacks()[-1]

    async with slow.portal.client() as client:
        address = f"/page/return?payment={payment.id}"
        returns = [asyncio.create_task(client.get(address)) for _ in range(100)]
        try:
            await slow.reached()
            async with asyncio.timeout(PATIENCE_S):
                reply = await client.post("/page", content=told.body, headers=dict(told.headers))
            assert not slow.processor.released.is_set()
            assert not any(each.done() for each in returns)
        finally:
            slow.processor.released.set()
            pages = await asyncio.gather(*returns)

    assert (reply.status_code, reply.text) == (200, "received")
    assert {page.text for page in pages} == {"Thank you. Your payment has arrived."}
    assert len(slow.processor.asked) == 1


async def test_callbacks_are_answered_while_payers_take_every_thread(slow: SlowPortal) -> None:
    payments = [await slow.page(f"A-{number}") for number in range(RETURN_THREADS + 5)]
    slow.processor.expected = RETURN_THREADS
    slow.gateway.pay(payments[0].reference)
    told = slow.gateway.callbacks()[-1]

    async with slow.portal.client() as client:
        returns = [
            asyncio.create_task(client.get(f"/page/return?payment={payment.id}"))
            for payment in payments
        ]
        try:
            await slow.reached()
            async with asyncio.timeout(PATIENCE_S):
                reply = await client.post("/page", content=told.body, headers=dict(told.headers))
            assert not slow.processor.released.is_set()
        finally:
            slow.processor.released.set()
            pages = await asyncio.gather(*returns)

    assert reply.status_code == 200
    assert [page.status_code for page in pages] == [200] * len(payments)


async def test_a_look_is_remembered_and_the_ledger_is_not(slow: SlowPortal) -> None:
    payment = await slow.page("A")
    slow.processor.released.set()
    address = f"/page/return?payment={payment.id}"

    async with slow.portal.client(look_again_after_s=10) as client:
        first = await client.get(address)
        slow.gateway.pay(payment.reference)
        slow.portal.clock.advance(seconds=9)
        soon = await client.get(address)
        asked = len(slow.processor.asked)
        for each in slow.gateway.callbacks():
            await slow.portal.call("receive", "page", each)
        await slow.portal.call("apply_callbacks")
        applied = await client.get(address)

    assert first.text == soon.text == "Your payment is not finished yet."
    assert asked == 1
    assert applied.text == "Thank you. Your payment has arrived."


async def test_after_a_while_the_gateway_is_asked_again(slow: SlowPortal) -> None:
    payment = await slow.page("A")
    slow.processor.released.set()

    async with slow.portal.client(look_again_after_s=10) as client:
        for seconds in (0, 10, -40):
            slow.portal.clock.advance(seconds=seconds)
            await client.get(f"/page/return?payment={payment.id}")

    assert len([url for url in slow.processor.asked if "operation=charge" in url]) == 3


async def test_a_payer_who_hangs_up_leaves_the_look_to_the_next(slow: SlowPortal) -> None:
    looks = Looks(timedelta(seconds=5), slow.portal.clock.now)
    begun, let_go = asyncio.Event(), asyncio.Event()
    looked: list[str] = []

    async def look() -> None:
        looked.append("begun")
        begun.set()
        await let_go.wait()

    first = asyncio.create_task(looks.at("pay_1", look))
    await begun.wait()
    others = [asyncio.create_task(looks.at("pay_1", look)) for _ in range(5)]
    await asyncio.sleep(0)
    first.cancel()
    let_go.set()
    await asyncio.gather(*others)

    assert first.cancelled()
    assert looked == ["begun", "begun"]


async def test_a_look_that_fails_fails_for_those_who_waited_and_is_not_remembered() -> None:
    looks = Looks(timedelta(seconds=5), FakeClock().now)
    let_go = asyncio.Event()
    looked: list[str] = []

    async def look() -> None:
        looked.append("begun")
        await let_go.wait()
        if len(looked) == 1:
            raise StoreBusy("another process writes")

    waiting = [asyncio.create_task(looks.at("pay_1", look)) for _ in range(5)]
    await asyncio.sleep(0)
    let_go.set()
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    await looks.at("pay_1", look)

    assert [type(each) for each in ended] == [StoreBusy] * 5
    assert looked == ["begun", "begun"]


async def test_looks_that_no_longer_count_are_forgotten() -> None:
    clock = FakeClock()
    looks = Looks(timedelta(seconds=5), clock.now)

    async def look() -> None:
        await asyncio.sleep(0)

    for number in range(2000):
        clock.advance(seconds=1)
        await looks.at(f"pay_{number}", look)

    assert len(looks._last) <= 300


async def test_a_payment_of_another_account_is_not_found(portal: Portal) -> None:
    payment = await portal.page()

    async with portal.client() as client:
        replies = [
            await client.get(f"/{account}/return?payment={named}")
            for account, named in (("kiosk", payment.id), ("nobody", payment.id), ("page", "x"))
        ]

    assert [reply.status_code for reply in replies] == [404, 404, 404]


def test_without_starlette_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "starlette.applications", None)

    with pytest.raises(MissingExtra, match="web"):
        callbacks(Cashier.in_memory())
