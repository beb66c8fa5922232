"""Payers who pay to a number by themselves; a clerk assigns the number, before or after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from paygate.domain.money import Money
from paygate.domain.payer_number import Pays

if TYPE_CHECKING:
    from collections.abc import Callable

    from paygate.testing.simulation.dice import Dice
    from paygate.testing.simulation.world import World

_NUMBERS: Final = ("V-1", "V-2", "V-3")


def pay_number(world: World, _: str, rolls: Dice) -> None:
    """Pay to a number, whether or not it is assigned to a customer."""
    accounts = [
        name for name, profile in world.profiles.items() if profile.tells() and not profile.hints
    ]
    if not accounts:
        return
    account, number = rolls.choice(accounts), rolls.choice(_NUMBERS)
    amount = Money("USD", rolls.choice((300, 1234, 12_000)))
    reference = world.gateways[account].pay_number(number, amount)
    world.note(f"payer pays {amount} to {number}: {reference}")
    world.count("actor:pay number")


def assign_number(world: World, name: str, rolls: Dice) -> None:
    """Assign a number to a customer, or release it."""
    account, number = rolls.choice(list(world.profiles)), rolls.choice(_NUMBERS)
    customer, pays = rolls.choice(("C-1", "C-2")), rolls.choice(list(Pays))
    host = rolls.choice(world.hosts)
    if rolls.random() < 0.2:
        world.begin(
            name, host, host.release_payer_number(number, via=account, reason="moved"), rolls
        )
        world.count("actor:release number")
        return
    flow = host.assign_payer_number(customer, number, via=account, pays=pays)
    world.begin(name, host, flow, rolls)
    world.count("actor:assign number")


ACTIONS: Final[dict[str, tuple[int, Callable[[World, str, Dice], None]]]] = {
    "pay number": (3, pay_number),
    "assign number": (2, assign_number),
}
