"""A process dies anywhere while a settlement, a loss or a win is taken in: nothing is doubled."""

from __future__ import annotations

from pathlib import Path

import pytest

from paygate import Cashier, Kind
from paygate.gateway import Callback
from tests.service.world import PowerCut, World, assert_sound, usd

STEPS_MAX = 60


def prepared(folder: Path) -> tuple[World, str, str]:
    """A charge that was accepted by an account that credits on settlement."""
    world = World(folder)
    card = world.add("card", Kind.CARD, credit_on="settled")
    with world.process() as cashier:
        cashier.issue(number="A", customer="C", total=usd("30"), due="2026-02-01")
        payment = cashier.collect("A", via="card", method="tok_visa", key="pay")
    world.running.clear()
    card.callbacks()
    return world, payment.id, payment.reference


def take_in(cashier: Cashier, told: list[Callback]) -> None:
    for callback in told:
        cashier.receive("card", callback)
    cashier.apply_callbacks()


def play(world: World, reference: str, story: str) -> list[Callback]:
    """Let the processor do its part, and tell what it calls back about."""
    card = world.fakes["card"]
    if story == "part":
        card.pay_out(reference, percent=40, fee=usd("1"))
    card.pay_out(reference, fee=usd("1"))
    if story in ("lost", "won"):
        card.open_dispute(reference)
        card.dispute(reference)
        card.lose_dispute(reference)
    if story == "won":
        card.win_dispute(reference)
    return card.callbacks()


def seen(cashier: Cashier, payment: str) -> tuple[object, ...]:
    """All that may not depend on where a process died."""
    [receipt, *_] = cashier.receipts(payment)
    now, invoice = cashier.payment(payment), cashier.invoice("A")
    return (
        *(now.received, now.returned, now.awaiting, now.settled, now.disputed),
        *(invoice.open, invoice.claimed, invoice.disputed, receipt.settled, receipt.fee),
        tuple((each.state, each.taken, each.lost) for each in cashier.chargebacks()),
        sorted(each.type for each in cashier.events(limit=1000)),
    )


@pytest.mark.parametrize("lost", [False, True], ids=["not done", "done, result lost"])
@pytest.mark.parametrize("story", ["whole", "part", "lost", "won"])
def test_taking_it_in_may_stop_anywhere(tmp_path: Path, story: str, lost: bool) -> None:
    ends: list[tuple[object, ...]] = []
    for dies_at in range(STEPS_MAX):
        folder = tmp_path / str(dies_at)
        folder.mkdir()
        world, payment, reference = prepared(folder)
        told = play(world, reference, story)
        died = False
        try:
            take_in(world.doomed(dies_at, lost=lost), told)
        except PowerCut:
            died = True
        cashier = world.process()
        take_in(cashier, told)
        assert_sound(cashier)
        ends.append(seen(cashier, payment))
        world.close()
        if dies_at and not died:
            break
    assert len(ends) > 5, "it has steps to die at"
    assert all(end == ends[0] for end in ends)
