"""A ledger on disk, a clock that stands still, and processes that die at a step."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from paygate import Cashier, Money
from paygate.dialogue import Dialogue, Request, Response
from paygate.domain.customer import Customer
from paygate.domain.kind import Kind
from paygate.domain.movement import MovementKind
from paygate.domain.outcome import Outcome
from paygate.domain.payment import Payment, PaymentStatus
from paygate.domain.receipt import Receipt
from paygate.gateway import Charge, Gateway, Traits
from paygate.service.account import Timing
from paygate.service.flow import Step
from paygate.testing import FakeClock, FakeGateway
from tests.reading import every, every_event

C = TypeVar("C", bound=Cashier)

BACK = "https://shop.example/back"
PAYER = Customer(id="C-1", email="ada@example.org", name="Ada Łovelace")
LEASE = Timing().lease


def usd(amount: str) -> Money:
    return Money.of("USD", amount)


class PowerCut(BaseException):
    """The process is gone: nothing catches this, and no code of a flow runs after it."""


class Doomed(Cashier):
    """
    A cashier whose process dies at step *dies_at*.

    Either the step is not done any more, or it is done and its result is lost;
    every yield of every flow is such a step. `steps` are those that began.
    """

    dies_at: int = 0
    lost: bool = False
    steps: list[Step]

    def _do(self, step: Step) -> Any:
        self.steps.append(step)
        last = len(self.steps) == self.dies_at
        if last and not self.lost:
            raise PowerCut
        try:
            return super()._do(step)
        finally:
            if last:
                raise PowerCut


class Blind:
    """A gateway that charges and cannot be asked."""

    name = "blind"

    def __init__(self, fake: FakeGateway) -> None:
        self._fake = fake

    @property
    def traits(self) -> Traits:
        return self._fake.traits

    def charge(self, charge: Charge) -> Dialogue[Outcome]:
        return self._fake.charge(charge)

    def answer(self, request: Request) -> Response:
        return self._fake.answer(request)


@dataclass
class World:
    """What outlives a process: the ledger's file, the processors, and the time."""

    folder: Path
    clock: FakeClock = field(default_factory=FakeClock)
    fakes: dict[str, FakeGateway] = field(default_factory=dict[str, FakeGateway])
    gateways: dict[str, Gateway | Mapping[str, Any]] = field(
        default_factory=dict[str, Gateway | Mapping[str, Any]]
    )
    # Feeds would tell what these tests want to see found out.
    timing: Timing = field(default_factory=lambda: Timing(feed_pause=None))
    running: list[Cashier] = field(default_factory=list[Cashier])

    def add(
        self, name: str, kind: Kind, *, blind: bool = False, credit_on: str = "", **traits: Any
    ) -> FakeGateway:
        """Add a gateway account; a *blind* one cannot be asked what became of a charge."""
        fake = FakeGateway(kind, clock=self.clock, **traits)
        self.fakes[name] = fake
        self.gateways[name] = Blind(fake) if blind else fake
        if credit_on:
            self.gateways[name] = {"gateway": fake, "credit_on": credit_on}
        return fake

    def process(self) -> Cashier:
        """Start a process: nothing of earlier ones is left but what is on disk."""
        return self.start(Cashier)

    def doomed(self, dies_at: int, *, lost: bool) -> Doomed:
        """Start a process that dies at a step."""
        process = self.start(Doomed)
        process.dies_at, process.lost, process.steps = dies_at, lost, []
        return process

    def start(self, face: type[C]) -> C:
        self.close()
        url = f"sqlite:///{self.folder / 'ledger.db'}"
        process = face.open(url, gateways=self.gateways, clock=self.clock, timing=self.timing)
        self.running.append(process)
        return process

    def close(self) -> None:
        """End the process that runs."""
        while self.running:
            self.running.pop().close()

    def settle(self, cashier: Cashier) -> None:
        """Recover as a worker would, at the times of the plan, while anything is on its way."""
        timing = Timing()
        for pause in (timing.lease, *timing.plan, *timing.plan):
            if not any(self._waits(cashier, payment) for payment in cashier.payments()):
                return
            self.clock.advance(pause + timedelta(seconds=1))
            cashier.recover()

    def _waits(self, cashier: Cashier, payment: Payment) -> bool:
        return on_its_way(payment) or any(
            attempt.state.in_doubt and not attempt.needs_review
            for attempt in cashier.attempts(payment)
        )


def on_its_way(payment: Payment) -> bool:
    """Tell whether waiting and asking can still tell more about *payment*."""
    waits = payment.status in (PaymentStatus.PROCESSING, PaymentStatus.UNKNOWN)
    return waits and not payment.needs_review


def receipts_of(cashier: Cashier) -> Iterator[Receipt]:
    for payment in every(cashier.payments):
        yield from cashier.receipts(payment)


def assert_sound(cashier: Cashier) -> None:
    """The books add up, and no event is missing."""
    found = cashier.fsck()
    assert found == [], found
    numbers: defaultdict[str, list[int]] = defaultdict(list)
    for event in every_event(cashier):
        numbers[event.aggregate].append(event.seq)
    for aggregate, seen in numbers.items():
        assert seen == list(range(1, len(seen) + 1)), aggregate


def assert_truth(world: World, cashier: Cashier) -> None:
    """What each processor moved is what we booked for it, movement by movement."""
    booked = Counter(
        (receipt.account, receipt.kind, receipt.movement_id, receipt.amount)
        for receipt in receipts_of(cashier)
        if receipt.account in world.fakes and receipt.kind is not MovementKind.REVERSAL
    )
    moved = Counter(
        (account, entry.kind, entry.movement_id, entry.amount)
        for account, fake in world.fakes.items()
        for entry in fake.processor.journal
    )
    assert booked == moved


def state_of(cashier: Cashier, customer: str = PAYER.id) -> dict[str, list[Any]]:
    """
    Tell where the money stands, without ids and times.

    Payments that failed without having sent anything leave no trace in it.
    """
    payments = list(every(cashier.payments))
    return {
        "invoices": sorted(
            (i.number, i.total, i.allocated, i.written_off, i.claimed, i.status)
            for i in every(cashier.invoices)
        ),
        "credits": [
            (credit.amount, credit.used, credit.reserved, credit.reason)
            for credit in cashier.credits(customer)
        ],
        "payments": sorted(
            (
                (
                    *(p.account, p.kind, p.status, p.amount, p.received, p.returned),
                    *(p.credited, p.unallocated, p.from_credit, p.needs_review, p.reversed),
                )
                for p in payments
                if p.status is not PaymentStatus.FAILED
            ),
            key=str,
        ),
        "receipts": sorted(
            ((r.account, r.kind, r.amount, r.allocated, r.credited) for r in receipts_of(cashier)),
            key=str,
        ),
    }
