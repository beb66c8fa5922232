"""Callbacks and return pages over ASGI, through both faces of the cashier."""

import asyncio
import inspect
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from paygate import AsyncCashier, Cashier, Kind, Money, Payment, PaymentStatus
from paygate.dialogue import Dialogue
from paygate.errors import MissingExtra, NoReply, StoreBusy
from paygate.gateway import Callback, CallbackStyle, Notice
from paygate.testing import FakeClock, FakeGateway, Habits
from paygate.web import callbacks

BACK = "https://shop.example/back"


@dataclass
class Portal:
    """A host that has mounted the application, and its processors."""

    cashier: Any
    fakes: dict[str, FakeGateway]

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
            yield Portal(await stack.enter_async_context(opened), fakes)
        else:
            cashier = Cashier.in_memory(gateways=fakes, clock=clock)
            yield Portal(stack.enter_context(cashier), fakes)


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
        raise NoReply(f"the certificate for {callback.path} did not come within 30 s")

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
        told = await client.get(address)

    assert told.text == "Thank you. Your payment has arrived."
    assert (await portal.call("payment", payment)).status is PaymentStatus.SUCCEEDED


async def test_a_payer_who_comes_back_completes_the_payment(portal: Portal) -> None:
    payment = await portal.page("ready")

    async with portal.client(landing=lambda paid: f"{BACK}?{paid.status}") as client:
        address = f"/ready/return?payment={payment.id}"
        early = await client.get(address)
        portal.fakes["ready"].pay(payment.reference)
        back = await client.get(address)
        again = await client.get(address)

    assert early.headers["location"] == f"{BACK}?requires_action"
    assert (back.status_code, back.headers["location"]) == (303, f"{BACK}?succeeded")
    assert again.headers["location"] == back.headers["location"]
    assert portal.fakes["ready"].moved("USD") == Money.of("USD", "30.00")


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
