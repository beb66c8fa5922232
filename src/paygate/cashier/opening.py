"""Opening a cashier: its gateway accounts, and the imports that no payer should wait for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from paygate.errors import InvalidSettings

if TYPE_CHECKING:
    from paygate.domain.secret import Sealed
    from paygate.service.account import GatewayAccount

_USED_LATER = ("paygate.transport", "cryptography.fernet", "tenacity")
"""What verbs import when they are called, in addition to use cases and tables."""


def account_of(
    name: str, given: Sealed[Any], environment: Sealed[Mapping[str, str] | None]
) -> GatewayAccount:
    """Return the account *name*, made from a driver object or from settings."""
    from paygate import registry
    from paygate.gateway import Gateway
    from paygate.service.account import GatewayAccount

    if isinstance(given.open(), Gateway):
        return GatewayAccount.of(name, given.open())
    if not isinstance(given.open(), Mapping):
        raise InvalidSettings(
            f"the gateway account {name!r} needs a driver object, or settings by name such as "
            f'{{"driver": "stripe"}}, not {type(given.open()).__name__}'
        )
    gateway = registry.build(given.open(), environment=environment.open())
    terms = {
        each: registry.revealed(given.open()[each])
        for each in registry.OF_ACCOUNT - {"transport"}
        if each in given.open()
    }
    return GatewayAccount.of(name, gateway, **terms)


def preload_verbs() -> None:
    """Import all use cases and tables, and whatever else verbs import when they are called."""
    from pkgutil import iter_modules

    from paygate import ledger, service

    for package in (ledger, service):
        for module in iter_modules(package.__path__):
            import_module(f"{package.__name__}.{module.name}")
    for name in _USED_LATER:
        import_module(name)
