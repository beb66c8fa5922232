"""What is never in a span or a metric: secrets, ids, amounts, and texts of others."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

import pytest

from paygate import (
    AsyncCashier,
    Cashier,
    Customer,
    Delivery,
    Kind,
    Merchants,
    Money,
    SinkTraits,
    telemetry,
)
from paygate.dialogue import Dialogue, Request, Response
from paygate.domain.outcome import Outcome
from paygate.errors import EventRefused, NotAuthentic, PaygateError, TenantNotFound
from paygate.gateway import Callback, Charge, Notice
from paygate.testing import FakeClock, FakeGateway, LoopbackGateway
from paygate.transport.errand import Send
from paygate.transport.observing import ExchangeSpans
from paygate.worker import Worker
from tests.telemetry.business import AnyFace, done, processor
from tests.telemetry.listening import Listener

SECRET: Final = "hunter2xyzzy"
AMOUNT: Final = Money.of("USD", "76543.21")


class Planted:
    """A sink that puts the secret wherever a request and an error have room for it."""

    traits = SinkTraits(needs_contact=True)

    def __init__(self, url: str) -> None:
        self._url = url

    def deliver(self, delivery: Delivery) -> Dialogue[None]:
        response = yield Request(
            method="POST",
            url=f"{self._url}/{SECRET}/{delivery.event.aggregate}?token={SECRET}",
            step=f"tell {SECRET}",
            headers={"authorization": f"Bearer {SECRET}", "x-key": SECRET},
            body=f"{SECRET} {delivery.contact}".encode(),
        )
        raise EventRefused(f"{SECRET} {response.body!r}")


class Broken(FakeGateway):
    """A driver that fails with the secret in its exception, and in its reason to refuse."""

    def charge(self, charge: Charge) -> Dialogue[Outcome]:
        raise RuntimeError(f"{SECRET} {charge.amount}")

    def verify(self, callback: Callback) -> Dialogue[list[Notice]]:
        raise NotAuthentic(f"{SECRET} {callback.path}", why=SECRET)


def refuse(event: object) -> None:
    raise ValueError(f"{SECRET} {event}")


def accounts_of(tenant: str) -> Any:
    if tenant == "m-1":
        raise ConnectionError(f"{SECRET} {tenant}")
    raise TenantNotFound(tenant)


async def live(face: AnyFace, url: str) -> list[str]:
    """Put the secret in every place that takes a text; return the ids that were made."""
    clock = FakeClock()
    card = LoopbackGateway(url=url)
    cashier: Any = face.in_memory(
        clock=clock,
        gateways={
            "card": card,
            "broken": Broken(clock=clock),
            "own": FakeGateway(Kind.CARD, clock=clock, signing_key=SECRET * 2),
        },
        sinks={"planted": Planted(url)},
        actor=SECRET,
    )
    await done(cashier.subscribe("books", refuse))
    person = Customer(
        f"C-{SECRET}", name=SECRET, email=f"{SECRET}@example.com", phone="+1 555 0100"
    )
    payments: list[Any] = []
    for via, method in (
        ("card", "tok_visa"),
        ("card", SECRET),
        ("card", "tok_unknown_executed"),
        ("broken", "tok_visa"),
        ("own", "tok_declined"),
    ):
        number = f"{SECRET}-{len(payments)}"
        await done(cashier.issue(number=number, customer=person, total=AMOUNT, due="2026-12-01"))
        payments.append(
            await done(cashier.collect(number, via=via, method=method, key=f"k-{number}"))
        )
    with suppress(PaygateError):
        await done(cashier.refund(payments[0], key=SECRET, reason=SECRET))
    for wrong in ("refund", "payment", "invoice", "check", "publish"):
        with suppress(PaygateError, TypeError):
            await done(getattr(cashier, wrong)(SECRET))
    [callback, *_] = card.callbacks()
    forged = replace(callback, body=SECRET.encode(), path=f"/{SECRET}")
    for each in (callback, forged):
        for account in ("card", "broken", SECRET):
            with suppress(PaygateError):
                await done(cashier.receive(account, each))
    for job in (f"inquire/main/{SECRET}/{SECRET}/", f"publish/main//{SECRET}/"):
        await done(cashier.work(job))
    clock.advance(minutes=5)
    await Worker(cashier).run(once=True)
    ids = [each.id for each in payments] + [f"{AMOUNT.minor}", "76543.21", "555 0100"]
    ids += [each.id for each in await done(cashier.events(limit=1000))]
    attempts = [await done(cashier.attempts(each)) for each in payments]
    ids += [each.id for some in attempts for each in some]
    ids += [each.reference for some in attempts for each in some if each.reference]
    if isinstance(cashier, AsyncCashier):
        await cashier.aclose()
    else:
        cashier.close()
    other: Any = face.in_memory(merchants=Merchants(accounts_of))
    for tenant in ("m-1", SECRET):  # a stranger can write anything into the path of a callback
        for verb, given in (("check", [SECRET]), ("payment", [SECRET]), ("receive", ["a", forged])):
            with suppress(PaygateError):
                await done(getattr(other.for_tenant(tenant), verb)(*given))
    if isinstance(other, AsyncCashier):
        await other.aclose()
    else:
        other.close()
    return ids


@pytest.mark.parametrize("face", [Cashier, AsyncCashier])
async def test_nothing_of_a_payment_and_no_secret_is_recorded(
    face: AnyFace, listener: Listener
) -> None:
    with processor() as server:
        ids = await live(face, server.url)

    texts = listener.texts()
    assert {"paygate.verb", "paygate collect", "charge broken", "publish planted"} <= set(texts)
    assert len(ids) > 30
    assert [text for text in texts for each in (SECRET, *ids) if each in text] == []


@pytest.mark.parametrize("public_only", [True, False])
def test_the_host_that_a_stranger_entered_is_not_recorded(
    listener: Listener, *, public_only: bool
) -> None:
    request = Request(
        method="GET", url="https://mallory.example/pay", step="pay", public_only=public_only
    )
    step, spans = Send(request), ExchangeSpans()

    with telemetry.verb(listener.recorder, "collect", "main"):
        spans.before(step)
        spans.after(step, Response(status=200))

    assert ("mallory.example" in listener.texts()) is not public_only
    assert "paygate.exchange.duration" in listener.metrics()
