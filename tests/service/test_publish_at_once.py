"""Deliveries under way at once: the order within an aggregate holds, and nothing is lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paygate import AsyncCashier, Cashier, Delivery, Money, SinkTraits
from paygate.dialogue import Dialogue, Request, Response
from paygate.driver import NoResponse
from paygate.errors import EventRefused
from paygate.testing import FakeClock


class Crm:
    """A sink for HTTP that may have several deliveries under way."""

    def __init__(self, in_flight: int) -> None:
        self.traits = SinkTraits(in_flight=in_flight)

    def deliver(self, delivery: Delivery) -> Dialogue[None]:
        event = delivery.event
        body = f"{event.aggregate} {event.seq}".encode()
        response = yield Request(
            method="POST", url="http://crm.invalid/", step="deliver", body=body
        )
        if response.status != 200:
            raise EventRefused(f"the CRM answered {response.status}")


class Courier:
    """The other side: it answers after some turns of the loop, as its script says."""

    def __init__(self, script: list[str]) -> None:
        self.script = script
        self.taken: list[tuple[str, int]] = []
        self.under_way = self.most = 0
        self.aggregates: Counter[str] = Counter()

    async def exchange(self, request: Request, **_: object) -> Response:
        aggregate, _space, seq = request.body.decode().partition(" ")
        self.under_way += 1
        self.aggregates[aggregate] += 1
        self.most = max(self.most, self.under_way)
        assert self.aggregates[aggregate] == 1, "two of one aggregate are under way"
        answer = self.script.pop(0) if self.script else "take"
        for _turn in range(len(self.script) % 5):
            await asyncio.sleep(0)
        self.under_way -= 1
        self.aggregates[aggregate] -= 1
        if answer == "silent":
            raise NoResponse("nothing")
        if answer == "refuse":
            return Response(status=409)
        self.taken.append((aggregate, int(seq)))
        return Response(status=200)

    async def aclose(self) -> None:
        """Nothing is open."""


async def published(in_flight: int, invoices: int, script: list[str], monkey: Any) -> Courier:
    clock, courier = FakeClock(), Courier(script)
    sinks = {"crm": Crm(in_flight)}
    async with AsyncCashier.in_memory(clock=clock, sinks=sinks) as cashier:
        monkey(cashier, "_courier", lambda _: courier)
        for number in range(invoices):
            total = Money.of("USD", 5)
            await cashier.issue(number=f"{number}", customer="C", total=total, due="2026-02-01")
            await cashier.record(f"{number}", by="cash", key=f"{number}")
        for _ in range(60):
            await cashier.publish()
            clock.advance(hours=1)
        events = await cashier.events(limit=1000)
        [state] = (await cashier.status()).sinks
    assert Counter(courier.taken) == Counter((each.aggregate, each.seq) for each in events)
    assert (state.behind_since, state.set_aside, state.dead_letters) == (None, 0, 0)
    for name in {name for name, _ in courier.taken}:
        numbers = [seq for each, seq in courier.taken if each == name]
        assert numbers == sorted(numbers)
    return courier


@given(
    in_flight=st.integers(1, 6),
    invoices=st.integers(1, 6),
    script=st.lists(st.sampled_from(["take", "take", "take", "refuse", "silent"]), max_size=25),
)
def test_every_event_is_taken_once_and_in_order_of_its_aggregate(
    in_flight: int, invoices: int, script: list[str]
) -> None:
    asyncio.run(published(in_flight, invoices, script, setattr))


async def test_as_many_are_under_way_as_the_sink_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    script = ["take"] * 200

    assert (await published(8, 30, script, monkeypatch.setattr)).most == 8


def test_a_cashier_that_awaits_nothing_makes_one_delivery_after_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[str] = []

    class OneByOne:
        def exchange(self, request: Request, **_: object) -> Response:
            sent.append(request.body.decode())
            return Response(status=200)

        def close(self) -> None:
            """Nothing is open."""

    with Cashier.in_memory(sinks={"crm": Crm(50)}) as cashier:
        monkeypatch.setattr(cashier, "_courier", lambda _: OneByOne())
        for number in "AB":
            total = Money.of("USD", 5)
            cashier.issue(number=number, customer="C", total=total, due="2026-02-01")
        done = cashier.publish()

    assert (done.delivered, len(sent)) == (2, 2)
