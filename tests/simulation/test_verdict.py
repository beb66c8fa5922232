"""The rules of the verdict, on ledgers that are written by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from paygate import Money
from paygate.service.flow import Flow
from paygate.testing.simulation import running, verdict
from paygate.testing.simulation.bias import Bias
from paygate.testing.simulation.dice import dice
from paygate.testing.simulation.faults import PlannedFault
from paygate.testing.simulation.ledger import SimulatedStore
from paygate.testing.simulation.world import KeyedCall, World

CALM = Bias(faults={PlannedFault.REQUEST_LOST: 0}, kinds=frozenset({"card"}))


@pytest.fixture
def world() -> Iterator[World]:
    """A schedule without faults, with a card account whose money counts when it is accepted."""
    world = running._world(0, frozenset(), None, CALM, SimulatedStore.fresh())
    yield world
    assert world.violations == []
    world.store.give_back()


def play(world: World, name: str, flow: Flow[Any]) -> Any:
    return world.run(name, flow, dice(world.seed, 0))


def usd(amount: int) -> Money:
    return Money.of("USD", amount)


def test_what_a_link_brought_is_paid_on_its_prepayment(world: World) -> None:
    """Only what was paid beyond the prepayment, on its invoice, may become credit."""
    host = world.hosts[0]
    made = play(world, "order", host.prepay("C-1", usd(10), assignment_key="O-1", key="order"))
    link = play(world, "link", host.link([made.id], key="link"))
    given = play(world, "form", host.begin_try(link))
    way: dict[str, Any] = {"via": "account-0", "method": "tok_visa"}
    paid = play(world, "pay", host.pay_link(link.token, given=given, **way))
    assert paid.received == usd(10)
    bill: dict[str, Any] = {"customer": "C-1", "due": "2026-02-01", "assignment_key": "O-1"}
    play(world, "issue", host.issue(number="WRONG", total=usd(14), **bill))
    more = KeyedCall(
        "record",
        "cash",
        lambda host: host.record(made.id, by="cash", key="cash", amount=usd(3)),
        items=(made.id,),
    )
    world.orders.append(more)
    play(world, "record", more.call(host))

    play(world, "void", host.void("WRONG", reason="wrong"))

    [credit] = world.store.look("SELECT amount_minor, reason FROM paygate_credit")
    assert tuple(credit) == (300, "invoice_voided")
    verdict._check_prepayments(world)
