"""One cashier, many threads: flows race, and the books stay right."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from paygate import Cashier, Kind, PaygateError, Refused
from tests.service.world import BACK, PAYER, World, assert_sound, assert_truth, usd

THREADS = 16


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    world.add("card", Kind.CARD)
    world.add("redirect", Kind.REDIRECT)
    yield world
    world.close()


def at_once(*calls: Callable[[], object]) -> list[object]:
    """Make each call in a thread of its own, all from the same moment on; refusals are results."""
    together = threading.Barrier(len(calls))

    def run(call: Callable[[], object]) -> object:
        together.wait()
        try:
            return call()
        except Refused as refusal:
            return refusal

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def issue(cashier: Cashier, number: str) -> None:
    cashier.issue(number=number, customer=PAYER, total=usd("30.00"), due="2026-02-01")


def refusals(results: Sequence[object]) -> list[str]:
    return [type(result).__name__ for result in results if isinstance(result, PaygateError)]


def test_sixteen_threads_collect_many_invoices(world: World) -> None:
    cashier = world.process()
    numbers = [f"INV-{number}" for number in range(10 * THREADS)]

    def work(part: list[str]) -> Callable[[], object]:
        def run() -> None:
            for number in part:
                issue(cashier, number)
                cashier.collect(number, via="card", method="tok_visa", key=number)

        return run

    at_once(*(work(numbers[thread::THREADS]) for thread in range(THREADS)))

    assert {invoice.open for invoice in cashier.invoices(limit=1_000)} == {usd("0")}
    assert_truth(world, cashier)
    assert_sound(cashier)


def test_sixteen_threads_pay_one_invoice(world: World) -> None:
    cashier = world.process()
    issue(cashier, "INV-1")

    def pay(key: str) -> Callable[[], object]:
        return lambda: cashier.collect("INV-1", via="card", method="tok_visa", key=key)

    results = at_once(*(pay(f"k-{number}") for number in range(THREADS)))

    assert len(refusals(results)) == THREADS - 1
    assert set(refusals(results)) <= {"AlreadyPaid", "ItemAlreadyBeingPaid"}
    assert world.fakes["card"].moved("USD") == usd("30.00")
    assert_sound(cashier)


def test_sixteen_threads_with_one_key_make_one_payment(world: World) -> None:
    cashier = world.process()
    issue(cashier, "INV-1")

    results = at_once(
        *[lambda: cashier.collect("INV-1", via="card", method="tok_visa", key="k").id] * THREADS
    )

    assert len(set(results)) == 1
    assert world.fakes["card"].moved("USD") == usd("30.00")


@pytest.mark.parametrize("round_", range(10))
def test_void_against_collect(world: World, round_: int) -> None:
    cashier = world.process()
    issue(cashier, "INV-1")

    at_once(
        lambda: cashier.void("INV-1", reason="issued twice"),
        lambda: cashier.collect("INV-1", via="card", method="tok_visa", key="k1"),
        lambda: cashier.collect("INV-1", via="redirect", key="k2", payer=PAYER, return_url=BACK),
        lambda: cashier.record("INV-1", by="check", key="k3", amount=usd("40.00")),
    )

    assert_sound(cashier)
    assert_truth(world, cashier)
    invoice = cashier.invoice("INV-1")
    assert invoice.allocated <= invoice.total


@pytest.mark.parametrize("round_", range(10))
def test_reverse_against_the_use_of_its_credit(world: World, round_: int) -> None:
    cashier = world.process()
    issue(cashier, "INV-1")
    issue(cashier, "INV-2")
    check = cashier.record([], customer=PAYER, amount=usd("20.00"), by="check", key="check")

    results = at_once(
        lambda: cashier.reverse(check, reason="check returned"),
        lambda: cashier.pay_from_credit("INV-1", key="use-1"),
        lambda: cashier.pay_from_credit("INV-2", key="use-2"),
        lambda: cashier.collect(
            "INV-2", via="card", method="tok_visa", key="card", credit=usd("10.00")
        ),
    )

    assert_sound(cashier)
    assert_truth(world, cashier)
    used = [credit.used for credit in cashier.credits(PAYER)]
    reversed_ = cashier.payment(check).reversed
    assert not (reversed_ and any(amount.minor for amount in used))
    assert refusals(results), "not all of this can be right at once"


@pytest.mark.parametrize("round_", range(5))
def test_every_verb_against_every_other(world: World, round_: int) -> None:
    cashier = world.process()
    issue(cashier, "INV-1")
    issue(cashier, "INV-2")
    both = ["INV-1", "INV-2"]
    check = cashier.record([], customer=PAYER, amount=usd("9.00"), by="check", key="check")
    unknown = cashier.collect(
        "INV-1", via="card", method="tok_unknown_executed", key="u", amount=usd("5.00")
    )

    at_once(
        lambda: cashier.collect(both, via="card", method="tok_visa", key="k1", amount=usd("40.00")),
        lambda: cashier.collect(both, via="card", method="tok_declined", key="k2"),
        lambda: cashier.collect("INV-2", via="card", method="tok_partial", key="k3"),
        lambda: cashier.collect("INV-2", via="redirect", key="p", payer=PAYER, return_url=BACK),
        lambda: cashier.write_off("INV-1", reason="goodwill", key="w", amount=usd("2.00")),
        lambda: cashier.pay_from_credit("INV-2", key="c"),
        lambda: cashier.reverse(check, reason="check returned", fee=usd("25.00")),
        lambda: cashier.record("INV-2", by="cash", key="cash", amount=usd("1.00")),
        lambda: cashier.inquire(unknown),
        cashier.recover,
        lambda: cashier.void("INV-2", reason="issued twice"),
        cashier.publish,
        cashier.fsck,
    )

    world.settle(cashier)
    assert_sound(cashier)
    assert_truth(world, cashier)
    for invoice in cashier.invoices():
        assert invoice.allocated + invoice.written_off + invoice.claimed <= invoice.total
