"""Two flows at once, in every order that their steps can come in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations, islice
from pathlib import Path
from typing import Any

import pytest

from paygate import Cashier, Kind
from paygate.cashier.desk import Desk
from paygate.cashier.verbs import each_verb
from paygate.domain.payment import PaymentStatus
from paygate.errors import CreditConsumed, PaygateError, Refused
from paygate.service.flow import Flow
from tests.service.world import BACK, LEASE, PAYER, PowerCut, World, assert_sound, assert_truth, usd

VERBS = each_verb(Desk)


class Runner:
    """Runs a flow one step at a time; `result` is what it returned or raised."""

    def __init__(self, cashier: Cashier, verb: str, *args: Any, **kwargs: Any) -> None:
        self._cashier = cashier
        self._flow: Flow[Any] = VERBS[verb].flow(cashier, *args, **kwargs)
        self._sent: Any = None
        self.done = False
        self.result: Any = None

    def step(self) -> None:
        """Go on to the next step and do it."""
        if self.done:
            return
        try:
            if isinstance(self._sent, Exception):
                step = self._flow.throw(self._sent)
            else:
                step = self._flow.send(self._sent)
        except StopIteration as end:
            self.done, self.result = True, end.value
            return
        except PaygateError as error:
            self.done, self.result = True, error
            return
        try:
            self._sent = self._cashier._do(step)
        except Exception as error:  # noqa: BLE001  (the flow decides what it answers)
            self._sent = error

    def finish(self) -> Any:
        while not self.done:
            self.step()
        return self.result


def orders(first: int, second: int) -> Iterator[str]:
    """Every way to put *first* steps of A and *second* steps of B in a row."""
    for places in combinations(range(first + second), first):
        yield "".join("A" if place in places else "B" for place in range(first + second))


Start = Callable[[Cashier], Runner]


def collect(key: str, token: str = "tok_visa", **more: Any) -> Start:
    return lambda cashier: Runner(
        cashier, "collect", "INV-1", via="card", method=token, key=key, **more
    )


def redirect(key: str, **more: Any) -> Start:
    return lambda cashier: Runner(
        cashier, "collect", "INV-1", via="redirect", key=key, payer=PAYER, return_url=BACK, **more
    )


def void() -> Start:
    return lambda cashier: Runner(cashier, "void", "INV-1", reason="issued twice")


def write_off() -> Start:
    return lambda cashier: Runner(cashier, "write_off", "INV-1", reason="goodwill", key="w")


def record() -> Start:
    return lambda cashier: Runner(
        cashier, "record", "INV-1", by="check", key="r", amount=usd("40.00")
    )


def use_credit(key: str = "use") -> Start:
    return lambda cashier: Runner(cashier, "pay_from_credit", "INV-1", key=key)


def reverse_top_up() -> Start:
    def start(cashier: Cashier) -> Runner:
        [payment] = [p for p in cashier.payments() if p.kind is Kind.CASH]
        return Runner(cashier, "reverse", payment, reason="false note")

    return start


def recover() -> Start:
    return lambda cashier: Runner(cashier, "recover")


PAIRS: dict[str, tuple[int, Start, int, Start]] = {
    "two cards": (3, collect("a"), 3, collect("b")),
    "one card, the same key": (3, collect("a"), 3, collect("a")),
    "two halves": (
        3,
        collect("a", amount=usd("15.00")),
        3,
        collect("b", amount=usd("15.00")),
    ),
    "a declined card and another": (3, collect("a", "tok_declined"), 3, collect("b")),
    "a lost answer and another card": (3, collect("a", "tok_unknown_executed"), 3, collect("b")),
    "two pages": (3, redirect("a"), 3, redirect("b")),
    "two pages for a half each": (
        3,
        redirect("a", amount=usd("15.00")),
        3,
        redirect("b", amount=usd("15.00")),
    ),
    "a page and a card": (3, redirect("a"), 3, collect("b")),
    "a page and a check": (3, redirect("a"), 1, record()),
    "a card and a void": (3, collect("a"), 1, void()),
    "a page and a void": (3, redirect("a"), 1, void()),
    "a card and a write-off": (3, collect("a"), 1, write_off()),
    "a card and a check": (3, collect("a"), 1, record()),
    "a card and credit": (3, collect("a"), 1, use_credit()),
    "a card with credit, and that credit": (3, collect("a", credit=usd("5.00")), 1, use_credit()),
    "a card with credit, and its reversal": (
        3,
        collect("a", credit=usd("5.00")),
        1,
        reverse_top_up(),
    ),
    "credit and its reversal": (1, use_credit(), 1, reverse_top_up()),
    "two uses of one credit": (1, use_credit("a"), 1, use_credit("b")),
}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    world.add("card", Kind.CARD)
    world.add("redirect", Kind.REDIRECT)
    yield world
    world.close()


@pytest.mark.parametrize(
    ("pair", "order"),
    [
        pytest.param(name, order, id=f"{name}: {order}")
        for name, (first, _, second, _) in PAIRS.items()
        for order in orders(first, second)
    ],
)
def test_two_flows_in_any_order_never_pay_twice(world: World, pair: str, order: str) -> None:
    _, first, _, second = PAIRS[pair]
    cashier = world.process()
    cashier.issue(number="INV-1", customer=PAYER, total=usd("30.00"), due="2026-02-01")
    cashier.record([], customer=PAYER, amount=usd("10.00"), by="cash", key="credit")
    runners = {"A": first(cashier), "B": second(cashier)}

    for name in order:
        runners[name].step()
        assert_sound(cashier)
    results = [runner.finish() for runner in runners.values()]
    assert_sound(cashier)

    for result in results:
        assert not isinstance(result, PaygateError) or isinstance(result, Refused), result
    if (
        second.__qualname__.startswith("reverse_top_up")
        and not cashier.payments(oldest_first=True)[0].reversed
    ):
        assert any(isinstance(result, CreditConsumed) for result in results)
    assert all(credit.amount.minor > 0 for credit in cashier.credits(PAYER.id))
    pages = [p for p in cashier.payments() if p.status is PaymentStatus.REQUIRES_ACTION]
    for payment in pages:  # each payer pays, whatever was paid meanwhile
        world.fakes["redirect"].pay(payment.reference)
        cashier.inquire(payment)
    world.settle(cashier)
    assert_sound(cashier)
    assert_truth(world, cashier)
    invoice = cashier.invoice("INV-1")
    assert invoice.allocated + invoice.written_off <= invoice.total
    assert invoice.claimed == usd("0")
    cards = [entry.amount for entry in world.fakes["card"].processor.journal]
    assert sum(amount.minor for amount in cards) <= invoice.total.minor


def test_the_same_key_in_two_flows_at_once_is_one_payment(world: World) -> None:
    for order in orders(3, 3):
        cashier = world.process()
        number = f"INV-{order}"
        cashier.issue(number=number, customer=PAYER, total=usd("30.00"), due="2026-02-01")
        same = [
            Runner(cashier, "collect", number, via="card", method="tok_visa", key=order)
            for _ in range(2)
        ]

        for name in order:
            same["AB".index(name)].step()

        assert same[0].finish().id == same[1].finish().id
        assert cashier.invoice(number).open == usd("0")
    assert_truth(world, world.process())


def test_two_workers_that_recover_at_once_merge_once(world: World) -> None:
    for order in islice(orders(4, 4), 0, None, 3):
        cashier = world.process()
        number = f"INV-{order}"
        cashier.issue(number=number, customer=PAYER, total=usd("30.00"), due="2026-02-01")
        cashier.collect(number, via="card", method="tok_unknown_executed", key=order)
        world.clock.advance(minutes=1)
        workers = [Runner(cashier, "recover"), Runner(cashier, "recover")]

        for name in order:
            workers["AB".index(name)].step()
        for worker in workers:
            worker.finish()

        assert cashier.invoice(number).open == usd("0")
    assert_truth(world, world.process())
    assert_sound(world.process())


def test_two_workers_that_recover_at_once_send_again_once(world: World) -> None:
    for order in islice(orders(6, 6), 0, None, 41):
        world.process().issue(
            number=f"INV-{order}", customer=PAYER, total=usd("30.00"), due="2026-02-01"
        )
        doomed = world.doomed(2, lost=False)
        with pytest.raises(PowerCut):
            doomed.collect(f"INV-{order}", via="redirect", key=order, payer=PAYER, return_url=BACK)
        world.clock.advance(LEASE)
        cashier = world.process()
        before = len(world.fakes["redirect"].processor._truth.orders)
        workers = [Runner(cashier, "recover"), Runner(cashier, "recover")]

        for name in order:
            workers["AB".index(name)].step()
        for worker in workers:
            worker.finish()

        assert len(world.fakes["redirect"].processor._truth.orders) == before + 1
        assert cashier.invoice(f"INV-{order}").claimed == usd("0")
    assert_sound(world.process())
