"""Opening a cashier: accounts, sinks, and the imports that no payer should wait for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from paygate.errors import InvalidSettings

if TYPE_CHECKING:
    from paygate.domain.secret import Sealed
    from paygate.registry import Driver
    from paygate.service.account import GatewayAccount
    from paygate.service.readers import ConfiguredSink

_USED_LATER = (
    "paygate.statements",
    "paygate.transport",
    "cryptography.fernet",
    "cryptography.hazmat.primitives.kdf.hkdf",
    "tenacity",
)
"""What verbs import when they are called, in addition to use cases and tables."""


def account_of(
    name: str,
    given: Sealed[Any],
    environment: Sealed[Mapping[str, str] | None],
    drivers: dict[str, Driver] | None = None,
) -> GatewayAccount:
    """Return the account *name*, made from a driver object or from settings; see `build`."""
    from paygate import registry
    from paygate.gateway import Gateway
    from paygate.plugins import revealed
    from paygate.service.account import GatewayAccount

    if isinstance(given.open(), Gateway):
        return GatewayAccount.of(name, given.open())
    if not isinstance(given.open(), Mapping):
        raise InvalidSettings(
            f"the gateway account {name!r} needs a driver object, or settings by name such as "
            f'{{"driver": "stripe"}}, not {type(given.open()).__name__}'
        )
    gateway = registry.build(given.open(), environment=environment.open(), drivers=drivers)
    terms = {
        each: revealed(given.open()[each])
        for each in registry.OF_ACCOUNT - {"transport"}
        if each in given.open()
    }
    return GatewayAccount.of(name, gateway, **terms)


def sink_of(
    name: str, given: Sealed[Any], environment: Sealed[Mapping[str, str] | None]
) -> ConfiguredSink:
    """Return the sink *name*, made from a sink object or from settings."""
    from paygate import registry
    from paygate.plugins import revealed
    from paygate.service.readers import ConfiguredSink
    from paygate.sink import is_sink

    if is_sink(given.open()):
        return ConfiguredSink.of(name, given.open())
    if not isinstance(given.open(), Mapping):
        raise InvalidSettings(
            f"the sink {name!r} needs a sink object, or settings by name such as "
            f'{{"sink": "smtp"}}, not {type(given.open()).__name__}'
        )
    sink = registry.build_sink(given.open(), environment=environment.open())
    events = revealed(given.open().get("events"))
    return ConfiguredSink.of(name, sink, events, given.open().get("from_beginning"))


def preload_verbs() -> None:
    """Import all use cases and tables, and whatever else verbs import when they are called."""
    from pkgutil import iter_modules

    from paygate import ledger, service

    for package in (ledger, service):
        for module in iter_modules(package.__path__):
            import_module(f"{package.__name__}.{module.name}")
    for name in _USED_LATER:
        import_module(name)
