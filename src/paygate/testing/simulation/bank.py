"""The payer's bank and the processor: what they do days later, without being asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from paygate.domain.method import Kind
from paygate.domain.outcome import MovementKind
from paygate.testing.processor.order import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from paygate.testing.processor.order import Order
    from paygate.testing.simulation.dice import Dice
    from paygate.testing.simulation.world import World


def return_check(world: World, _: str, rolls: Dice) -> None:
    """Send an e-check back, before or after it settled."""
    found = _orders(world, lambda order: order.kind == Kind.E_CHECK and _stands(order))
    found += _orders(
        world,
        lambda order: (
            order.kind == Kind.E_CHECK
            and order.operation == "charge"
            and order.state is State.PENDING
        ),
    )
    if found:
        account, order = rolls.choice(found)
        _act(world, order, "return")
        world.gateways[account].return_check(order.reference, "R01")


def dispute(world: World, _: str, rolls: Dice) -> None:
    """Take a card payment back for its holder, all of it or a part."""
    found = _orders(world, lambda order: order.kind == Kind.CARD and _stands(order))
    if found:
        account, order = rolls.choice(found)
        _act(world, order, "dispute")
        world.gateways[account].dispute(order.reference)
        if rolls.random() < 0.3:  # and we win it before anybody has looked
            _act(world, order, "won dispute")
            world.gateways[account].win_dispute(order.reference)


def win_dispute(world: World, _: str, rolls: Dice) -> None:
    """Give back what was disputed."""
    found = _orders(
        world,
        lambda order: (
            any(entry.kind is MovementKind.CHARGEBACK for entry in order.movements)
            and not any(entry.kind is MovementKind.CHARGEBACK_WON for entry in order.movements)
        ),
    )
    if found:
        account, order = rolls.choice(found)
        _act(world, order, "won dispute")
        world.gateways[account].win_dispute(order.reference)


def fail_refund(world: World, _: str, rolls: Dice) -> None:
    """Let a refund fail that had succeeded."""
    found = _orders(
        world,
        lambda order: (
            order.operation == "refund"
            and (
                order.state is State.PENDING
                or any(entry.kind is MovementKind.REFUND for entry in order.movements)
            )
            and not any(entry.kind is MovementKind.REFUND_FAILED for entry in order.movements)
        ),
    )
    if found:
        account, order = rolls.choice(found)
        _act(world, order, "failed refund")
        world.gateways[account].fail_refund(order.reference)


def approve_late(world: World, _: str, rolls: Dice) -> None:
    """Let money come on a charge that was declined."""
    found = _orders(
        world,
        lambda order: (
            order.operation == "charge" and order.state is State.DECLINED and not order.movements
        ),
    )
    found = [(account, order) for account, order in found if world.profiles[account].late]
    if found:
        account, order = rolls.choice(found)
        _act(world, order, "late success")
        world.gateways[account].approve_late(order.reference)


ACTIONS: Final[dict[str, tuple[int, Callable[[World, str, Dice], None]]]] = {
    "return check": (3, return_check),
    "dispute": (3, dispute),
    "win dispute": (4, win_dispute),
    "fail refund": (4, fail_refund),
    "late success": (2, approve_late),
}


def _orders(world: World, wanted: Callable[[Order], bool]) -> list[tuple[str, Order]]:
    """Find orders at processors that tell us of what they do by themselves."""
    found: list[tuple[str, Order]] = []
    for account, gateway in world.gateways.items():
        if world.profiles[account].tells():
            gateway.processor.catch_up()
            orders = gateway.processor.truth.orders.values()
            found += [(account, order) for order in orders if wanted(order)]
    return found


def _stands(order: Order) -> bool:
    """Tell whether money of *order* came that has not been taken back."""
    inward = any(
        entry.kind in (MovementKind.CHARGE, MovementKind.CAPTURE) for entry in order.movements
    )
    taken = (MovementKind.RETURN, MovementKind.CHARGEBACK)
    return inward and not any(entry.kind in taken for entry in order.movements)


def _act(world: World, order: Order, what: str) -> None:
    world.disturbed.add(order.payment)
    world.note(f"bank {what} {order.reference}")
    world.count(f"bank:{what}")
