"""AsyncCashier: many payments in flight, hosts that stop waiting, and an end that waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from paygate import AsyncCashier, Cashier, Payment
from paygate.domain.payment import PaymentStatus
from paygate.errors import AlreadyPaid, ItemAlreadyBeingPaid, NotAllowedHere
from paygate.service.flow import Exchange, Step
from paygate.testing import FakeGateway, LoopbackGateway, read_journal
from tests.concurrency.actors import ProcessorProcess, open_cashier
from tests.service.world import assert_sound, receipts_of, usd

pytestmark = pytest.mark.anyio


class Gated(AsyncCashier):
    """A cashier whose requests wait at a gate until the test opens it."""

    gate: asyncio.Event
    arrived: asyncio.Event

    async def _do(self, step: Step) -> Any:
        if isinstance(step, Exchange):
            self.arrived.set()
            await self.gate.wait()
        return await super()._do(step)


@pytest.fixture
async def gated(ledger: Path) -> AsyncIterator[Gated]:
    cashier = Gated.open(f"sqlite:///{ledger}", gateways={"card": FakeGateway()})
    cashier.gate, cashier.arrived = asyncio.Event(), asyncio.Event()
    await cashier.issue(number="INV-1", customer="C-1", total=usd("30.00"), due="2026-02-01")
    yield cashier
    cashier.gate.set()
    await cashier.aclose()


def reopened(ledger: Path) -> Cashier:
    return Cashier.open(f"sqlite:///{ledger}", gateways={"card": FakeGateway()})


async def test_a_hundred_in_flight(ledger: Path, running: ProcessorProcess) -> None:
    gateways = {"card": LoopbackGateway(url=running.url)}
    async with AsyncCashier.open(f"sqlite:///{ledger}", gateways=gateways) as cashier:

        async def one(number: int) -> Payment:
            name = f"INV-{number}"
            await cashier.issue(number=name, customer="C-1", total=usd("3.00"), due="2026-02-01")
            return await cashier.collect(name, via="card", method="tok_visa", key=name)

        told = await asyncio.gather(*(one(number) for number in range(100)))

        assert {payment.status for payment in told} == {PaymentStatus.SUCCEEDED}
    with open_cashier(ledger, running.url) as books:
        moved = sorted(entry.movement_id for entry in read_journal(running.journal))
        assert sorted(receipt.movement_id for receipt in receipts_of(books)) == moved
        assert len(moved) == 100
        assert_sound(books)


async def test_a_hundred_payments_of_one_invoice_charge_once(ledger: Path) -> None:
    fake = FakeGateway()
    async with AsyncCashier.open(f"sqlite:///{ledger}", gateways={"card": fake}) as cashier:
        await cashier.issue(number="INV-1", customer="C-1", total=usd("30.00"), due="2026-02-01")

        told = await asyncio.gather(
            *(
                cashier.collect("INV-1", via="card", method="tok_visa", key=f"k-{number}")
                for number in range(100)
            ),
            return_exceptions=True,
        )

        assert sum(isinstance(one, Payment) for one in told) == 1
        refused = [one for one in told if not isinstance(one, Payment)]
        assert all(isinstance(one, AlreadyPaid | ItemAlreadyBeingPaid) for one in refused)
        assert fake.moved("USD") == usd("30.00")
        assert await cashier.fsck() == []


async def test_a_host_that_stops_waiting_does_not_stop_the_payment(
    gated: Gated, ledger: Path
) -> None:
    waiting = asyncio.create_task(gated.collect("INV-1", via="card", method="tok_visa", key="k1"))
    await gated.arrived.wait()

    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    gated.gate.set()
    await gated.aclose()

    with reopened(ledger) as books:
        assert books.invoice("INV-1").open == usd("0")
        assert_sound(books)


async def test_a_host_that_is_cancelled_before_the_intent_still_gets_a_payment_that_ends(
    gated: Gated, ledger: Path
) -> None:
    """However early the host gives up, there is no payment that nobody follows up."""
    gated.gate.set()
    for turns in range(12):
        number = f"INV-t{turns}"
        await gated.issue(number=number, customer="C-1", total=usd("3.00"), due="2026-02-01")
        waiting = asyncio.create_task(
            gated.collect(number, via="card", method="tok_visa", key=number)
        )
        for _ in range(turns):
            await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    await gated.aclose()

    with reopened(ledger) as books:
        for payment in books.payments():
            assert payment.status is PaymentStatus.SUCCEEDED
        assert_sound(books)


async def test_aclose_waits_for_what_is_under_way(gated: Gated, ledger: Path) -> None:
    waiting = asyncio.create_task(gated.collect("INV-1", via="card", method="tok_visa", key="k1"))
    await gated.arrived.wait()

    closing = asyncio.create_task(gated.aclose())
    await asyncio.sleep(0)
    assert not closing.done()
    gated.gate.set()
    await closing

    assert (await waiting).status is PaymentStatus.SUCCEEDED
    with pytest.raises(NotAllowedHere):
        await gated.invoice("INV-1")


async def test_aclose_stops_what_is_late_and_leaves_a_row_to_settle(
    gated: Gated, ledger: Path
) -> None:
    waiting = asyncio.create_task(gated.collect("INV-1", via="card", method="tok_visa", key="k1"))
    await gated.arrived.wait()

    await gated.aclose(deadline_s=0)

    with pytest.raises(asyncio.CancelledError):
        await waiting
    with reopened(ledger) as books:
        [payment] = books.payments()
        assert payment.status is PaymentStatus.PROCESSING
        assert books.invoice("INV-1").claimed == usd("30.00")
        assert books.attempts(payment)[0].next_check_at is not None
        assert_sound(books)


async def test_one_failing_unit_in_a_group_does_not_undo_the_others(ledger: Path) -> None:
    async with AsyncCashier.open(f"sqlite:///{ledger}", gateways={}) as cashier:
        calls = [
            cashier.issue(
                number=f"INV-{number % 50}",
                customer="C-1" if number < 50 else "C-2",
                total=usd("3.00"),
                due="2026-02-01",
            )
            for number in range(100)
        ]

        told = await asyncio.gather(*calls, return_exceptions=True)

        assert [isinstance(one, Exception) for one in told] == [False] * 50 + [True] * 50
        assert len(await cashier.invoices()) == 50
        assert await cashier.fsck() == []
