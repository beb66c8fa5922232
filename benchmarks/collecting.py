"""Payments per second of `collect`, one after another and with a hundred in flight.

The gateway is the fake with its processor in memory. Its time is part of ours, not of the floor's;
it is also measured separately and reported.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path

from benchmarks import bare, ledgers
from benchmarks.rounds import Measured, Target, take_turns
from paygate import AsyncCashier, Cashier, Money, PaymentStatus
from paygate.domain.kind import Kind
from paygate.domain.secret import OneTimeToken
from paygate.gateway import Charge, digest_key
from paygate.testing import FakeGateway

IN_FLIGHT = 100


def measure(rounds: int) -> list[Measured]:
    with tempfile.TemporaryDirectory(prefix="paygate-bench-") as folder:
        made = Path(folder, "made.db")
        ledgers.make(made)
        payments = bare.capture(made)
        cpu: dict[str, list[float]] = {"floor": [], "ours": [], "in flight": []}
        floor, one, many, fake, disk = take_turns(
            rounds,
            partial(bare.run, made, payments, cpu["floor"]),
            partial(at_once, made, cpu["ours"]),
            partial(in_flight, made, cpu["in flight"]),
            fake_us,
            partial(fsync_us, Path(folder, "fsync")),
        )
    notes = {
        "rows that the floor writes": float(sum(map(len, payments[-1]))),
        "an fsync here, µs": statistics.median(disk),
        "CPU of the floor, µs per payment": statistics.median(cpu["floor"]),
        "CPU of ours, µs per payment": statistics.median(cpu["ours"]),
        "CPU with 100 in flight, µs per payment": statistics.median(cpu["in flight"]),
        "of it the fake, µs per payment": statistics.median(fake),
    }
    floor_name = "bare sqlite3, same rows"
    return [
        Measured(
            name="collect",
            floor_name=floor_name,
            unit="payments/s",
            ours=one,
            floor=floor,
            target=Target(bound=0.65, at_least=True),
            notes=notes,
        ),
        Measured(
            name="collect, 100 in flight",
            floor_name=floor_name,
            unit="payments/s",
            ours=many,
            floor=floor,
            target=Target(bound=2.0, at_least=True),
        ),
    ]


def at_once(made: Path, cpu_us: list[float]) -> float:
    """Collect every invoice with `Cashier`, and return invoices per second."""
    url = f"sqlite:///{ledgers.fresh(made, 'ours.db')}"
    with Cashier.open(url, gateways={"card": FakeGateway()}) as cashier:
        started, spent = time.perf_counter(), time.process_time()
        for number in ledgers.NUMBERS:
            payment = cashier.collect(
                number, via="card", method="tok_visa", key=f"checkout-{number}"
            )
            assert payment.status is PaymentStatus.SUCCEEDED
        taken = time.perf_counter() - started
        cpu_us.append((time.process_time() - spent) / len(ledgers.NUMBERS) * 1e6)
    return len(ledgers.NUMBERS) / taken


def in_flight(made: Path, cpu_us: list[float]) -> float:
    """Collect every invoice with `AsyncCashier`, a hundred at a time."""
    url = f"sqlite:///{ledgers.fresh(made, 'ours.db')}"

    async def collect_all() -> float:
        left = iter(ledgers.NUMBERS)

        async def worker() -> None:
            for number in left:
                payment = await cashier.collect(
                    number, via="card", method="tok_visa", key=f"checkout-{number}"
                )
                assert payment.status is PaymentStatus.SUCCEEDED

        async with AsyncCashier.open(url, gateways={"card": FakeGateway()}) as cashier:
            started, spent = time.perf_counter(), time.process_time()
            async with asyncio.TaskGroup() as workers:
                for _ in range(IN_FLIGHT):
                    workers.create_task(worker())
            cpu_us.append((time.process_time() - spent) / len(ledgers.NUMBERS) * 1e6)
            return time.perf_counter() - started

    return len(ledgers.NUMBERS) / asyncio.run(collect_all())


def fake_us() -> float:
    """Return how long the fake takes for one charge, including its driver."""
    gateway = FakeGateway()
    started = time.process_time()
    for number in ledgers.NUMBERS:
        dialogue = gateway.charge(
            Charge(
                key=digest_key("main", "collect", number),
                our_ref=f"att_{number}",
                payment=f"pay_{number}",
                amount=Money("USD", 3000),
                kind=Kind.CARD,
                method=OneTimeToken.of("tok_visa"),
                invoices=(number,),
            )
        )
        request = next(dialogue)
        try:
            dialogue.send(gateway.answer(request))  # type: ignore[arg-type]
        except StopIteration:
            continue
    return (time.process_time() - started) / len(ledgers.NUMBERS) * 1e6


def fsync_us(path: Path) -> float:
    """Return how long the disk takes to sync two pages: most of a commit, equal for both sides."""
    times: list[float] = []
    with path.open("wb", buffering=0) as file:
        for _ in range(50):
            file.write(bytes(8192))
            started = time.perf_counter()
            os.fsync(file.fileno())
            times.append((time.perf_counter() - started) * 1e6)
    return statistics.median(times)
