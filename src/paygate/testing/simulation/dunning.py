"""Dunning: invoices that fall due, sweeps that are missed or done twice, promises, late payments.

Few schedules are long enough for a campaign, so its actors act in some seeds only, and the others
stay what they are.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from paygate.domain.money import Money
from paygate.testing.simulation import clerk
from paygate.testing.simulation.dice import dice
from paygate.testing.simulation.world import KeyedCall

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from paygate.testing.simulation.bias import Bias
    from paygate.testing.simulation.dice import Dice
    from paygate.testing.simulation.world import World

_SHARE: Final = 0.1
"""In how many seeds campaigns are played."""
_OWED: Final = """
SELECT number FROM paygate_item WHERE kind = 'invoice' AND status = 'open' AND overdue IS NOT NULL
  AND total_minor > allocated_minor + written_off_minor ORDER BY due, number
"""
_PAID: Final = """
SELECT DISTINCT p.id FROM paygate_payment p JOIN paygate_allocation a ON a.payment = p.id
JOIN paygate_item i ON i.id = a.item AND i.overdue IS NOT NULL
WHERE p.kind = 'check' AND p.reversal IS NULL ORDER BY p.id
"""
_LATE: Final = "SELECT id FROM paygate_customer WHERE state <> 'clear' ORDER BY id"
_TERMINATED: Final = "SELECT id FROM paygate_customer WHERE state = 'terminated' ORDER BY id"


def fall_due(world: World, name: str, rolls: Dice) -> None:
    """Issue an invoice that is due today or was due some days ago."""
    key, customer = f"DUE-{name}", rolls.choice(("C-1", "C-2"))
    total = Money("USD", rolls.choice((300, 3000, 3000, 10_000)))
    due = world.clock.now().date() - timedelta(days=rolls.choice((0, 0, 1, 5)))
    order = KeyedCall(
        "issue",
        key,
        lambda host: host.issue(number=key, customer=customer, total=total, due=due),
    )
    world.orders.append(order)
    world.place(name, order, rolls.choice(world.hosts), rolls)
    world.count("actor:invoice falls due")


def sweep(world: World, name: str, rolls: Dice) -> None:
    """Do the sweep of the day, perhaps in two processes at once."""
    for place in range(rolls.choice((1, 1, 2))):
        host = rolls.choice(world.hosts)
        world.begin(f"{name}.{place}", host, host.run_overdue(), rolls)
    world.count("actor:sweep")


def days_pass(world: World, name: str, rolls: Dice) -> None:
    """Let some days pass, each with its news and its sweep, unless the worker is down."""
    down = rolls.random() < 0.2
    for day in range(rolls.choice((1, 2, 4, 8))):
        world.advance(timedelta(days=1))
        if down:
            continue
        host = rolls.choice(world.hosts)
        if rolls.random() < 0.8:  # else the feeds cannot be read
            world.run(f"{name}.{day}f", host.read_feeds(), rolls, host)
        host = rolls.choice(world.hosts)
        world.begin(f"{name}.{day}", host, host.run_overdue(), rolls)
        world.drain(rolls)
    world.count("actor:days pass without a worker" if down else "actor:days pass")


def pay_late(world: World, name: str, rolls: Dice) -> None:
    """Record a check for an overdue invoice."""
    rows = world.store.look(_OWED)
    if rows:
        number, key = str(rolls.choice(rows)["number"]), f"late-{name}"
        order = KeyedCall("record", key, lambda host: host.record(number, by="check", key=key))
        world.orders.append(order)
        world.place(name, order, rolls.choice(world.hosts), rolls)
        world.count("actor:paid late")


def bounce(world: World, name: str, rolls: Dice) -> None:
    """Let a check that paid an overdue invoice bounce."""
    rows = world.store.look(_PAID)
    if rows:
        clerk.reverse(world, name, rolls, str(rolls.choice(rows)["id"]))


def promise(world: World, name: str, rolls: Dice) -> None:
    """Take a promise of a customer who is late."""
    rows = world.store.look(_LATE)
    if rows:
        host, customer = rolls.choice(world.hosts), str(rolls.choice(rows)["id"])
        until = host.clock.now().date() + timedelta(days=rolls.choice((0, 3, 10)))
        world.begin(name, host, host.promise(customer, until=until), rolls)
        world.count("actor:promise")


def reinstate(world: World, name: str, rolls: Dice) -> None:
    """Reinstate a customer who was terminated, or sometimes one who is late."""
    rows = world.store.look(_TERMINATED if rolls.random() < 0.8 else _LATE)
    if rows:
        host, customer = rolls.choice(world.hosts), str(rolls.choice(rows)["id"])
        world.begin(name, host, host.reinstate(customer, reason="settled"), rolls)
        world.count("actor:reinstate")


ACTIONS: Final[dict[str, tuple[int, Callable[[World, str, Dice], None]]]] = {
    "fall due": (8, fall_due),
    "sweep": (8, sweep),
    "days pass": (24, days_pass),
    "pay late": (6, pay_late),
    "bounce": (6, bounce),
    "promise": (3, promise),
    "reinstate": (2, reinstate),
}


def weights(seed: int, bias: Bias, *, biased: bool) -> Mapping[str, int]:
    """Return the weights of the actions in the schedule of *seed*; none in most of them."""
    wanted = any(name in bias.actions for name in ACTIONS)
    if not wanted and (biased or dice(seed, 20).random() >= _SHARE):
        return {}
    return {name: weight * bias.actions.get(name, 1) for name, (weight, _) in ACTIONS.items()}
