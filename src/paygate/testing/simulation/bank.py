"""The payer's bank and the processor: what they do days later, without a request of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from paygate.domain.chargeback import DisputeState
from paygate.domain.kind import Kind
from paygate.domain.money import Money
from paygate.domain.movement import MovementKind
from paygate.testing.processor.order import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from paygate.testing.processor.order import Order
    from paygate.testing.simulation.dice import Dice
    from paygate.testing.simulation.world import World


_DECISIONS: Final = ((), (), (), (True,), (False,), (False, True))
"""Immediate decisions of a dispute: none yet, won, lost, or lost and then won."""


def return_check(world: World, _: str, rolls: Dice) -> None:
    """Return an e-check unpaid, before or after it settled."""
    found = orders(world, lambda order: order.kind == Kind.E_CHECK and stands(order))
    found += orders(
        world,
        lambda order: (
            order.kind == Kind.E_CHECK
            and order.operation == "charge"
            and order.state is State.PENDING
        ),
    )
    if found:
        _return(world, *rolls.choice(found))


def _return(world: World, account: str, order: Order) -> None:
    _act(world, order, "return")
    world.gateways[account].return_check(order.reference, "R01")


def take_back(world: World, account: str, order: Order, rolls: Dice) -> None:
    """Take back the money of *order* in the way of its kind, if there is one."""
    if order.kind == Kind.E_CHECK:
        _return(world, account, order)
    elif can_be_disputed(order):
        take(world, account, order, rolls)


def return_early(world: World, _: str, rolls: Dice) -> None:
    """Return a pending e-check; its settlement is reported days after its return."""
    found = orders(
        world,
        lambda order: (
            order.kind == Kind.E_CHECK
            and order.operation == "charge"
            and order.state is State.PENDING
        ),
    )
    if found:
        account, order = rolls.choice(found)
        _act(world, order, "early return")
        world.gateways[account].return_early(order.reference, days=rolls.choice((1, 4)))


def open_dispute(world: World, _: str, rolls: Dice) -> None:
    """Open a dispute of a card payment, all or part of it; no money moves yet."""
    found = orders(world, lambda order: can_be_disputed(order) and not order.disputes)
    if found:
        account, order = rolls.choice(found)
        open_one(world, account, order, rolls)


def open_one(world: World, account: str, order: Order, rolls: Dice) -> None:
    """Open a dispute of *order*."""
    _act(world, order, "opened dispute")
    world.gateways[account].open_dispute(order.reference, _part(order, rolls))


def dispute(world: World, _: str, rolls: Dice) -> None:
    """Take back a card payment, all or part of it, whether or not a dispute was opened before."""
    found = orders(world, can_be_disputed)
    if found:
        account, order = rolls.choice(found)
        take(world, account, order, rolls)
        for won in rolls.choice(_DECISIONS):  # it may be decided before the host hears of it
            decide(world, account, order, won=won)


def lose_dispute(world: World, _: str, rolls: Dice) -> None:
    """Decide a dispute for the cardholder, whether or not the bank has taken the money yet."""
    found = orders(world, lambda order: is_disputed(order) and not lost(order))
    if found:
        account, order = rolls.choice(found)
        decide(world, account, order, won=False)
        if can_be_disputed(order) and rolls.random() < 0.7:
            take(world, account, order, rolls)  # the money is taken at the decision


def win_dispute(world: World, _: str, rolls: Dice) -> None:
    """Decide a dispute for us, even one that was lost, and give back the money it took."""
    found = orders(world, is_disputed)
    if found:
        account, order = rolls.choice(found)
        decide(world, account, order, won=True)


def take(world: World, account: str, order: Order, rolls: Dice) -> None:
    """Take the money of *order* for a dispute."""
    _act(world, order, "dispute")
    told = next(iter(order.disputes.values()), None)
    amount = Money(told["currency"], told["minor"]) if told else _part(order, rolls)
    world.gateways[account].dispute(order.reference, amount)


def decide(world: World, account: str, order: Order, *, won: bool) -> None:
    """Decide the dispute of *order*."""
    _act(world, order, "won dispute" if won else "lost dispute")
    gateway = world.gateways[account]
    if won:
        if lost(order):
            world.count("bank:won after lost")
        gateway.win_dispute(order.reference)
    else:
        gateway.lose_dispute(order.reference)


def pay_out(world: World, _: str, rolls: Dice) -> None:
    """Pay out a batch: all or some of what an account collected; or report it once more."""
    accounts = [name for name, profile in world.profiles.items() if profile.pays_out]
    if not accounts:
        return
    account = rolls.choice(accounts)
    moved = _moved(world, account)
    batch = moved if rolls.random() < 0.5 else [each for each in moved if rolls.random() < 0.5]
    for order in batch:
        first = not order.settled
        if not first and not _unsettled(order) and rolls.random() < 0.5:
            continue  # it is reported again only sometimes
        percent = rolls.choice((50, 100)) if first else 100
        _pay_out(world, account, order, percent)


def pay_out_rest(world: World, rolls: Dice) -> None:
    """Pay out the rest, as a processor does in the end, or leave it unpaid."""
    for account, profile in world.profiles.items():
        if not profile.pays_out or rolls.random() < 0.4:
            continue
        for order in _moved(world, account):
            if _unsettled(order):
                _pay_out(world, account, order, 100)


def fail_refund(world: World, _: str, rolls: Dice) -> None:
    """Make a refund fail that had succeeded."""
    found = orders(
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
    """Make money arrive for a charge that was declined."""
    found = orders(
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
    "return early": (2, return_early),
    "open dispute": (2, open_dispute),
    "dispute": (3, dispute),
    "win dispute": (3, win_dispute),
    "lose dispute": (3, lose_dispute),
    "pay out": (6, pay_out),
    "fail refund": (7, fail_refund),
    "late success": (2, approve_late),
}


def orders(world: World, wanted: Callable[[Order], bool]) -> list[tuple[str, Order]]:
    """Return the *wanted* orders at processors that report what they do by themselves."""
    found: list[tuple[str, Order]] = []
    for account, gateway in world.gateways.items():
        if world.profiles[account].tells():
            gateway.processor.catch_up()
            mine = gateway.processor.truth.orders.values()
            found += [(account, order) for order in mine if wanted(order)]
    return found


def can_be_disputed(order: Order) -> bool:
    """Return whether *order* has money that a bank can dispute, and no dispute was won."""
    won = any(told["state"] == DisputeState.WON for told in order.disputes.values())
    return order.kind == Kind.CARD and stands(order) and not won


def is_disputed(order: Order) -> bool:
    """Return whether *order* was disputed, and the dispute was not won."""
    won = any(entry.kind is MovementKind.CHARGEBACK_WON for entry in order.movements)
    won = won or any(told["state"] == DisputeState.WON for told in order.disputes.values())
    taken = any(entry.kind is MovementKind.CHARGEBACK for entry in order.movements)
    return not won and (taken or bool(order.disputes))


def lost(order: Order) -> bool:
    """Return whether a dispute of *order* is lost."""
    return any(told["state"] == DisputeState.LOST for told in order.disputes.values())


def _part(order: Order, rolls: Dice) -> Money | None:
    """Return the disputed amount; None means all of it."""
    if rolls.random() < 0.7:
        return None
    came = next(entry for entry in order.movements if entry.kind.inward and not entry.undoes)
    return Money(came.currency, max(1, came.minor // 2))


def _moved(world: World, account: str) -> list[Order]:
    """Return the orders of *account* that moved money which can be paid out."""
    processor = world.gateways[account].processor
    processor.catch_up()
    truth = processor.truth
    return [
        order
        for order in truth.orders.values()
        if any(not truth.is_void(entry) for entry in order.movements)
    ]


def _unsettled(order: Order) -> bool:
    """Return whether a movement of *order* was not paid out, or only in part."""
    for entry in order.movements:
        told = order.settled.get(entry.movement_id)
        sign = -1 if entry.kind.inward else 1
        if told is None:
            return True
        if told["settled"]["minor"] != entry.minor + sign * told["fee"]["minor"]:
            return True
    return False


def _pay_out(world: World, account: str, order: Order, percent: int) -> None:
    """Pay out *percent* of an order; the payment does not count as disturbed by the bank."""
    what = "part" if percent < 100 else "again" if order.settled else "all"
    world.note(f"bank pays out {percent}% of {order.reference}")
    world.count(f"settled:{what}")
    came_back = {MovementKind.RETURN, MovementKind.CHARGEBACK} & {
        entry.kind for entry in order.movements
    }
    if came_back:
        world.count("settled:after it went back")
    if order.operation == "refund":
        world.count("settled:refund")
    world.gateways[account].pay_out(order.reference, percent=percent)


def stands(order: Order) -> bool:
    """Return whether *order* received money that was not taken back, or was given back again."""
    inward = any(
        entry.kind in (MovementKind.CHARGE, MovementKind.CAPTURE) for entry in order.movements
    )
    given_back = {entry.undoes for entry in order.movements}
    taken = (MovementKind.RETURN, MovementKind.CHARGEBACK)
    return inward and not any(
        entry.kind in taken and entry.movement_id not in given_back for entry in order.movements
    )


def _act(world: World, order: Order, what: str) -> None:
    world.disturbed.add(order.payment or order.reference)
    world.note(f"bank {what} {order.reference}")
    world.count(f"bank:{what}")
