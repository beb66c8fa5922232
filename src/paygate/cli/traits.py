"""Traits: what a driver declares, found by the driver's name or by an account of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from paygate import registry
from paygate.cli import accounts
from paygate.cli.drivers import disagreements
from paygate.errors import DriverBroken, InvalidSettings

if TYPE_CHECKING:
    from paygate.cli.opening import Where
    from paygate.gateway import Gateway, Traits


def traits_of_driver(name: str) -> Traits:
    """
    Return the traits of the installed driver *name*, without the settings of an account.

    They are those of the accounts that `registry.samples` makes: all kinds of payment
    of a driver whose accounts have one kind each. Raises `InvalidSettings` if no account
    can be made, or if they differ in more than their rails.
    """
    found = [_sound(account, name) for account in registry.samples(registry.load(name), name)]
    remedy = "name an account with its settings: --via NAME, with --gateways FILE or --app"
    if not found:
        raise InvalidSettings(
            f"no account of the driver {name!r} can be made from the examples of its settings; "
            f"{remedy}"
        )
    rails = {kind: rail for traits in found for kind, rail in traits.rails.items()}
    [first, *others] = [replace(traits, rails=rails) for traits in found]
    if any(other != first for other in others):
        raise InvalidSettings(
            f"accounts of the driver {name!r} differ in more than their kinds; {remedy}"
        )
    return first


def traits_of_account(where: Where, account: str) -> Traits:
    """Return the traits of a gateway account, without a request."""
    gateway = accounts.gateway_of(where, account)
    return _sound(gateway, gateway.name)


def _sound(account: Gateway, name: str) -> Traits:
    """Return the traits if they agree with the methods of the driver."""
    problems = disagreements(account)
    if problems:
        raise DriverBroken(
            f"the driver {name!r}: {'; '.join(problems)}. 'paygate drivers --check' looks again",
            name=name,
        )
    return account.traits
