"""Callbacks and return pages of many merchants, under the name of each."""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from paygate import AsyncCashier, Cashier, Kind, Merchants, Money, Payment, PaymentStatus
from paygate.gateway import Callback
from paygate.testing import FakeClock, FakeGateway
from paygate.web import callbacks
from paygate.web.callbacks import CALLBACK_THREADS, TENANT_THREADS
from paygate.web.shares import Shares

BACK = "https://shop.example/back"


@dataclass
class Portal:
    """A host that serves many merchants, and the processors of each."""

    cashier: Any
    fakes: Mapping[str, Mapping[str, FakeGateway]]

    def client(self, cashier: Any = None, **more: Any) -> httpx.AsyncClient:
        app = callbacks(cashier or self.cashier, **more)
        transport = httpx.ASGITransport(app)
        return httpx.AsyncClient(transport=transport, base_url="https://pay.example")

    async def call(self, tenant: str, verb: str, *args: Any, **more: Any) -> Any:
        result = getattr(self.cashier.for_tenant(tenant), verb)(*args, **more)
        return await result if inspect.isawaitable(result) else result

    async def page(self, tenant: str) -> Payment:
        total = Money.of("USD", "30.00")
        await self.call(tenant, "issue", number="A-1", customer="C", total=total, due="2026-02-01")
        payment = await self.call(tenant, "collect", "A-1", via="page", key="1", return_url=BACK)
        assert isinstance(payment, Payment)
        self.fakes[tenant]["page"].callbacks()
        return payment

    def paid(self, tenant: str, payment: Payment) -> Callback:
        self.fakes[tenant]["page"].pay(payment.reference)
        [told] = self.fakes[tenant]["page"].callbacks()
        return told


@pytest.fixture(params=["at once", "awaited"])
async def portal(request: pytest.FixtureRequest) -> AsyncIterator[Portal]:
    clock = FakeClock()
    fakes = {
        tenant: {
            "page": FakeGateway(
                Kind.REDIRECT,
                clock=clock,
                merchant_account=f"fake-{tenant}",
                signing_key=f"signing-key-of-{tenant}",
            )
        }
        for tenant in ("north", "south")
    }
    async with AsyncExitStack() as stack:
        if request.param == "awaited":
            opened = AsyncCashier.in_memory(merchants=fakes.get, clock=clock)
            yield Portal(await stack.enter_async_context(opened), fakes)
        else:
            cashier = Cashier.in_memory(merchants=fakes.get, clock=clock)
            yield Portal(stack.enter_context(cashier), fakes)


async def post(client: httpx.AsyncClient, path: str, callback: Callback) -> httpx.Response:
    return await client.post(path, content=callback.body, headers=dict(callback.headers))


async def test_a_callback_reaches_the_merchant_in_its_path(portal: Portal) -> None:
    north, south = await portal.page("north"), await portal.page("south")
    told = portal.paid("north", north)

    async with portal.client() as client:
        replies = [await post(client, f"/north/page{slash}", told) for slash in ("", "/")]

    assert [each.status_code for each in replies] == [200, 200]
    await portal.call("north", "apply_callbacks")
    await portal.call("south", "apply_callbacks")
    assert (await portal.call("north", "payment", north)).status is PaymentStatus.SUCCEEDED
    assert (await portal.call("south", "payment", south)).status is PaymentStatus.REQUIRES_ACTION
    assert len(await portal.call("north", "callbacks")) == 1
    assert await portal.call("south", "callbacks") == []


async def test_a_callback_of_one_merchant_is_refused_under_the_name_of_another(
    portal: Portal,
) -> None:
    told = portal.paid("north", await portal.page("north"))

    async with portal.client() as client:
        reply = await post(client, "/south/page", told)

    assert reply.status_code == 400
    assert await portal.call("south", "callbacks") == []


UNKNOWN = [
    "/nobody/page",
    "/north/nothing",
    "/nobody/nothing",
    "/north",
    "/page",
    "/north/page/more",
    "/n%C3%B6rth/page",
    "/n%D0%BErth/page",
    "/north%00/page",
    "/north%0A/page",
    "/%20north/page",
    "/NORTH/page",
    "/../north/nobody",
    "/north/..",
    f"/{'n' * 65}/page",
    f"/{'n' * 5000}/page",
    f"/north/{'p' * 5000}",
    "/north/%FF%FE",
    "/north/page%00",
]


@pytest.mark.parametrize("path", UNKNOWN, ids=range(len(UNKNOWN)))
async def test_nobody_learns_which_merchants_exist(
    portal: Portal, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "paygate")
    async with portal.client() as client:
        replies = [
            await client.post(path, content=b"forged"),
            await client.get(path),
            await client.get(f"{path}/return?payment=pay_none"),
        ]
        known = await client.post("/north/nothing", content=b"forged")

    assert known.status_code == 404
    for each in replies:
        assert each.status_code == 404
    assert (replies[0].text.lower(), len(replies[0].headers)) in {
        (known.text, len(known.headers)),
        ("not found", len(replies[0].headers)),
    }
    assert not [each for each in caplog.records if each.levelno >= logging.INFO]


async def test_a_payer_returns_to_the_merchant_and_not_to_another(portal: Portal) -> None:
    payment = await portal.page("north")
    portal.paid("north", payment)
    asked: list[tuple[str, str]] = []

    def landing(tenant: str, of: Payment) -> str:
        asked.append((tenant, of.id))
        return f"https://{tenant}.example/thanks"

    async with portal.client(landing=landing) as client:
        there = await client.get(f"/north/page/return?payment={payment.id}")
        elsewhere = await client.get(f"/south/page/return?payment={payment.id}")

    assert there.status_code == 303
    assert there.headers["location"] == "https://north.example/thanks"
    assert elsewhere.status_code == 404
    assert asked == [("north", payment.id)]
    assert (await portal.call("north", "payment", payment)).status is PaymentStatus.SUCCEEDED


async def test_the_host_reads_the_return_url_of_each_merchant(portal: Portal) -> None:
    payment = await portal.page("north")
    portal.paid("north", payment)

    def payment_of(tenant: str, parameters: Mapping[str, str]) -> str:
        return {("north", "7"): payment.id}[tenant, parameters["order"]]

    async with portal.client(payment_of=payment_of) as client:
        there = await client.get("/north/page/return?order=7")
        elsewhere = await client.get("/south/page/return?order=7")

    assert (there.status_code, there.text) == (200, "Thank you. Your payment has arrived.")
    assert elsewhere.status_code == 404


async def test_a_cashier_of_one_tenant_serves_that_tenant(portal: Portal) -> None:
    told = portal.paid("north", await portal.page("north"))

    async with portal.client(portal.cashier.for_tenant("north")) as client:
        reply = await post(client, "/page", told)
        assert (await post(client, "/north/page", told)).status_code == 404
        assert (await post(client, "/nothing", told)).status_code == 404

    assert reply.status_code == 200
    assert len(await portal.call("north", "callbacks")) == 1


@pytest.mark.parametrize("face", [Cashier, AsyncCashier])
async def test_a_merchant_whose_accounts_cannot_be_looked_up_is_told_to_try_again(
    face: Any,
) -> None:
    broken = {"driver": "stripe", "secret_key": "sk_test_1", "colour": "red"}

    def accounts_of(tenant: str) -> dict[str, Any] | None:
        if tenant == "raises":
            raise ConnectionError("the database of the host is away")
        return {"card": broken, "other": FakeGateway()}

    cashier = face.in_memory(merchants=accounts_of)
    app = callbacks(cashier)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="https://pay.example") as client:
        replies = [
            await client.post("/raises/card", content=b"x"),
            await client.post("/broken/card", content=b"x"),
            await client.post("/broken/other", content=b"x"),
        ]
    closed = cashier.aclose() if face is AsyncCashier else cashier.close()
    await closed if closed is not None else None

    assert [each.status_code for each in replies] == [503, 503, 400]
    assert "sk_test_1" not in "".join(each.text for each in replies)


async def test_a_merchant_that_hangs_holds_up_no_callback_of_another() -> None:
    hangs, inside = threading.Event(), threading.Semaphore(0)
    fakes = {
        tenant: {"page": FakeGateway(Kind.REDIRECT, merchant_account=tenant)}
        for tenant in ("slow", "quick")
    }

    def accounts_of(tenant: str) -> Mapping[str, FakeGateway]:
        if tenant == "slow":
            inside.release()
            hangs.wait(30)
        return fakes[tenant]

    with Cashier.in_memory(merchants=Merchants(accounts_of, timeout_s=None)) as cashier:
        transport = httpx.ASGITransport(callbacks(cashier))
        async with httpx.AsyncClient(transport=transport, base_url="https://pay.example") as client:
            waiting = [
                asyncio.create_task(client.post("/slow/page", content=b"x"))
                for _ in range(2 * CALLBACK_THREADS)
            ]
            try:
                for _ in range(TENANT_THREADS):
                    await asyncio.to_thread(inside.acquire, timeout=30)
                quick = await asyncio.wait_for(client.post("/quick/page", content=b"x"), 30)
            finally:
                hangs.set()
            slow = await asyncio.gather(*waiting)

    assert quick.status_code == 400
    assert {each.status_code for each in slow} == {400}


async def test_shares_of_a_tenant_end_with_its_requests() -> None:
    shares, most, inside = Shares(2), [0], [0]

    async def work(tenant: str, *, fails: bool) -> None:
        async with shares.of(tenant):
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            await asyncio.sleep(0)
            inside[0] -= 1
            if fails:
                raise ValueError

    tasks = [work("north", fails=number % 2 == 0) for number in range(7)]
    await asyncio.gather(*tasks, return_exceptions=True)

    assert most == [2]
    assert len(shares) == 0
