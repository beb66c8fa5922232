"""Workers that collect from few customers, and are killed; a server that is stopped under them.

Each worker is a process of its own. It goes through the invoices in an order of its own, so that
several ask for the same payment with the same key, and between two of them it does something else:
it refunds, captures, lets the payer's bank open a dispute, takes callbacks in, recovers and
publishes. The processor is a process as well, and keeps a journal of the money that it moved.
"""

from __future__ import annotations

import os
import random
import select
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Final

from paygate import Cashier, Event, Kind, Money, PaygateError, Payment
from paygate.service.account import Timing
from paygate.testing import LoopbackGateway, WallClock, read_journal
from tests.concurrency.actors import PATIENCE_S, ProcessorProcess, context, kill
from tests.reading import every, every_event
from tests.service.world import receipts_of

CUSTOMERS: Final = 6
TOKENS: Final = {5: "tok_declined", 7: "tok_unknown_executed", 9: "tok_unknown_lost"}
"""What some invoices are paid with, by the remainder of their number; all others succeed."""
ROUND: Final = 12
HELD: Final = 11
"""The remainder of the number of an invoice that is authorized first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is collected, by how many workers, and how often something is killed."""

    invoices: int
    workers: int
    kills: int
    stops: int = 0
    """How often the server of the ledger is stopped immediately."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the ledger and the processor are, and the file into which a consumer writes."""

    ledger: str
    processor: str
    consumed: Path

    def card(self) -> LoopbackGateway:
        """Return the gateway, which can also play the payer's bank."""
        return LoopbackGateway(Kind.CARD, url=self.processor)

    def open(self, **more: Any) -> Cashier:
        """Open a cashier, with a consumer of its events."""
        gateways = {"card": self.card()}
        timing = Timing(feed_pause=None)
        cashier = Cashier.open(self.ledger, gateways=gateways, timing=timing, **more)
        line = os.open(self.consumed, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

        def take(event: Event) -> None:
            # One write, so that the lines of several processes do not mix.
            os.write(line, f"{event.id} {event.aggregate} {event.seq}\n".encode())

        cashier.subscribe("books", take)
        return cashier


def total_of(number: int) -> Money:
    return Money("USD", 1_000 + number)


def pay(cashier: Cashier, number: int) -> Payment:
    """Pay an invoice, in the way that its number says; another process may be doing the same."""
    name = f"INV-{number}"
    if number % ROUND == HELD:
        held = cashier.authorize(name, via="card", method="tok_visa", key=f"hold-{number}")
        cashier.capture(held, key=f"take-{number}")
        return cashier.payment(held.id)
    token = TOKENS.get(number % ROUND, "tok_visa")
    return cashier.collect(name, via="card", method=token, key=f"pay-{number}")


class Worker:
    """What one process does, until it is killed or through."""

    def __init__(
        self, cashier: Cashier, processor: LoopbackGateway, seed: int, size: Size, told: Connection
    ) -> None:
        self._cashier, self._processor = cashier, processor
        self._chance = random.Random(seed)  # noqa: S311  (no secret)
        self._seed, self._size, self._told = seed, size, told
        self._made = 0

    def work(self) -> None:
        """Go through half of the invoices."""
        self._try(self._begin_to_hear)
        mine = self._chance.sample(range(self._size.invoices), self._size.invoices // 2)
        for number in mine:
            self._try(partial(pay, self._cashier, number))
            if self._chance.random() < 0.6:
                self._try(self._chance.choice(self._others))
            os.write(self._told.fileno(), b".")

    def _try(self, call: Callable[[], object]) -> None:
        self._made += 1
        try:
            call()
        except (PaygateError, OSError):  # refused, or a server is away or slow: we go on
            time.sleep(0.01)

    @property
    def _others(self) -> list[Callable[[], object]]:
        return [
            *[self._refund] * 3,
            *[self._hear] * 3,
            self._dispute,
            self._cashier.recover,
            self._cashier.publish,
        ]

    def _payment(self) -> Payment | None:
        customer = f"C-{self._chance.randrange(CUSTOMERS)}"
        found = self._cashier.payments(customer=customer, limit=20)
        return self._chance.choice(found) if found else None

    def _refund(self) -> None:
        payment = self._payment()
        if payment is not None:
            amount = Money("USD", self._chance.randrange(100, 700))
            self._cashier.refund(payment, amount=amount, key=f"{self._seed}-{self._made}")

    def _begin_to_hear(self) -> None:
        """Hear what happened last again, and not all that ever happened."""
        heard = vars(self._processor)
        heard["_told"] = 1_000_000_000  # more than there is
        self._processor.callbacks()
        heard["_told"] = max(0, heard["_told"] - 20)

    def _hear(self) -> None:
        for callback in self._processor.callbacks():
            self._cashier.receive("card", callback)
        self._cashier.apply_callbacks()

    def _dispute(self) -> None:
        payment = self._payment()
        if payment is None or not payment.received.minor or payment.returned.minor:
            return
        self._processor.open_dispute(payment.reference)
        self._processor.dispute(payment.reference)
        end = self._chance.choice((self._processor.win_dispute, self._processor.lose_dispute))
        end(payment.reference)


def work(place: Place, seed: int, size: Size, told: Connection) -> None:
    """Be a worker; begin again when the server of the ledger is back."""
    with _opened(place) as cashier:
        Worker(cashier, place.card(), seed, size, told).work()
    os.write(told.fileno(), b"!")


def _opened(place: Place) -> Cashier:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return place.open()
        except PaygateError:
            assert time.monotonic() < deadline, "the ledger does not come back"
            time.sleep(0.05)


def issue(cashier: Cashier, size: Size) -> None:
    for number in range(size.invoices):
        cashier.issue(
            number=f"INV-{number}",
            customer=f"C-{number % CUSTOMERS}",
            total=total_of(number),
            due="2026-02-01",
        )


@dataclass(slots=True)
class Crew:
    """The workers of a run, and how many of them were killed."""

    place: Place
    size: Size
    seed: int

    def run(self, stop_server: Callable[[], None]) -> int:
        """Let the workers collect, kill some at random; return how many died of it."""
        chance = random.Random(self.seed)  # noqa: S311  (no secret)
        forks = context()
        hears, tells = forks.Pipe(duplex=False)
        seeds = iter(range(1_000 * self.seed, 1_000 * (self.seed + 1)))

        def start() -> BaseProcess:
            asked = (self.place, next(seeds), self.size, tells)
            child = forks.Process(target=work, args=asked)
            child.start()
            return child

        running = [start() for _ in range(self.size.workers)]
        steps = self.size.workers * self.size.invoices // 2
        killed = 0
        stops = sorted(chance.sample(range(self.size.kills), self.size.stops))
        for round_ in range(self.size.kills):
            wait_for(
                hears.fileno(), chance.randrange(1, max(2, 2 * steps // (self.size.kills + 1)))
            )
            if round_ in stops:
                stop_server()
            victim = running.pop(chance.randrange(len(running)))
            if victim.is_alive():
                with suppress(ProcessLookupError):  # it ends by itself at this moment
                    kill(victim)
            assert victim.exitcode in (-9, 0), f"a worker failed: {victim.exitcode}"
            killed += victim.exitcode == -9
            running.append(start())
        for child in running:
            child.join()
            assert child.exitcode == 0
        hears.close()
        tells.close()
        return killed


def wait_for(hears: int, dots: int) -> None:
    """Wait until the workers have done so many steps, or nothing happens any more."""
    while dots > 0:
        ready, _, _ = select.select([hears], [], [], 5)
        read = os.read(hears, dots) if ready else b""
        if not read:
            return
        dots -= len(read)


# --- The end ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is in the books and at the processor in the end."""

    booked: Counter[tuple[str, str, int]]
    moved: Counter[tuple[str, str, int]]
    violations: list[str]
    charged: dict[str, list[int]]
    """What was charged for each invoice."""
    in_doubt: list[str]
    events: int
    missing_events: int
    out_of_order: list[str]
    deliveries: int


def end(place: Place, size: Size, journal: Path) -> Found:
    """Let time pass until nothing is due, pay what is left, and read books and journal."""
    clock = WallClock()
    with place.open(clock=clock) as cashier:
        processor = place.card()
        for day in range(3):
            clock.advance(timedelta(days=1))
            for callback in processor.callbacks():
                cashier.receive("card", callback)
            for _ in range(200):
                cashier.apply_callbacks()
                if not cashier.recover(limit=1_000):
                    break
                clock.advance(timedelta(hours=1))
            charged = _charged(cashier)
            for number in range(size.invoices):
                if not charged[f"INV-{number}"]:
                    _pay_again(cashier, number, f"again-{number}-{day}")
        while cashier.publish().delivered:
            pass
        return _found(cashier, place, journal)


def _found(cashier: Cashier, place: Place, journal: Path) -> Found:
    entries = read_journal(journal)
    receipts = list(receipts_of(cashier))
    events = list(every_event(cashier))
    consumed, out_of_order = _consumed(place.consumed)
    return Found(
        booked=Counter((str(each.kind), each.movement_id, each.amount.minor) for each in receipts),
        moved=Counter((str(each.kind), each.movement_id, each.minor) for each in entries),
        violations=[f"{each.rule}: {each.subject}: {each.detail}" for each in cashier.fsck()],
        charged=dict(_charged(cashier)),
        in_doubt=[
            attempt.id
            for payment in every(cashier.payments)
            for attempt in cashier.attempts(payment)
            if attempt.state.in_doubt
        ],
        events=len(events),
        missing_events=len({event.id for event in events} - consumed.keys()),
        out_of_order=out_of_order,
        deliveries=sum(consumed.values()),
    )


def _pay_again(cashier: Cashier, number: int, key: str) -> None:
    """Pay an invoice that was not charged: its payment failed, or was held and not captured."""
    with suppress(PaygateError):
        pay(cashier, number)
    if not cashier.invoice(f"INV-{number}").claimed.minor:
        with suppress(PaygateError):
            cashier.collect(f"INV-{number}", via="card", method="tok_visa", key=key)


def _charged(cashier: Cashier) -> defaultdict[str, list[int]]:
    found: defaultdict[str, list[int]] = defaultdict(list)
    for payment in every(cashier.payments):
        [item] = payment.items
        found[item.invoice] += [
            receipt.amount.minor
            for receipt in cashier.receipts(payment)
            if str(receipt.kind) in ("charge", "capture")
        ]
    return found


def _consumed(path: Path) -> tuple[Counter[str], list[str]]:
    """Return how often each event was consumed, and the aggregates whose events came in disorder.

    A consumer passes over an event that it had before; what it then sees must be in order.
    """
    seen: Counter[str] = Counter()
    last: Counter[str] = Counter()
    disorder: list[str] = []
    for line in path.read_text("utf-8").splitlines():
        id_, aggregate, seq = line.split()
        seen[id_] += 1
        if seen[id_] > 1:
            continue
        if int(seq) != last[aggregate] + 1:
            disorder.append(f"{aggregate}: {seq} after {last[aggregate]}")
        last[aggregate] = int(seq)
    return seen, disorder


def assert_right(found: Found, size: Size) -> None:
    """Check that each invoice was charged once, and that the books are those of the processor."""
    assert found.violations == []
    assert found.in_doubt == []
    assert found.booked == found.moved
    assert found.charged == {
        f"INV-{number}": [total_of(number).minor] for number in range(size.invoices)
    }
    assert found.missing_events == 0
    assert found.out_of_order == []


def play(
    ledger: str,
    running: ProcessorProcess,
    folder: Path,
    size: Size,
    stop_server: Callable[[], None] = lambda: None,
    seed: int = 20,
) -> tuple[int, Found]:
    """Play a whole run; return how many workers were killed, and what was found in the end."""
    place = Place(ledger=ledger, processor=running.url, consumed=folder / "consumed")
    with place.open() as cashier:
        issue(cashier, size)
    killed = Crew(place, size, seed).run(stop_server)
    return killed, end(place, size, running.journal)
