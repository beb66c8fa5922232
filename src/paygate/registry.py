"""Drivers and sinks by name, made from their settings.

Built-in ones register in the entry-point groups ``paygate.gateways`` and ``paygate.sinks``, as
those of every other package do.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from paygate import plugins
from paygate.domain.kind import Kind
from paygate.domain.secret import Sealed
from paygate.errors import InvalidSettings, SinkBroken
from paygate.gateway import (
    CAPABILITIES,
    Asks,
    CallbackStyle,
    Gateway,
    InquiryBy,
    LooksUp,
    Verifies,
    foreign_version,
)
from paygate.plugins import GATEWAYS, SINKS, revealed
from paygate.sink import is_sink
from paygate.variables import filled, refuse_variables

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

    from paygate.plugins import Installed
    from paygate.sink import AnySink

GROUP: Final = GATEWAYS.name

OF_ACCOUNT: Final = frozenset(
    {
        "brands",
        "by_currency",
        "credit_on",
        "enabled",
        "refundable_after",
        "settles_within",
        "transport",
    }
)
"""Settings that belong to the account, whatever its driver is; the driver does not see them."""

OF_SINK: Final = frozenset({"events", "from_beginning", "transport"})
"""Settings that every sink has; the sink itself does not see them."""


class Driver(Protocol):
    """What an entry point refers to: a class that is created from its settings."""

    settings_model: type[Any]

    def __call__(self, settings: Any) -> Gateway:
        """Return a gateway account with these validated settings."""
        ...


def installed() -> list[Installed]:
    """Return the installed drivers, by name and package; each is loaded to find problems."""
    return plugins.installed(GATEWAYS)


def load(name: str) -> Driver:
    """Return the driver *name*; raises `GatewayNotFound` or `DriverBroken`."""
    return plugins.load(GATEWAYS, name)


def make(driver: Driver, name: str, settings: Mapping[str, Any]) -> Gateway:
    """Return an account of the driver called *name*, made from plain settings; see `build`."""
    given = Sealed(settings)
    del settings
    return cast("Gateway", plugins.make(GATEWAYS, driver, name, given.open()))


def build(
    settings: Mapping[str, Any],
    *,
    environment: Mapping[str, str] | None = None,
    drivers: MutableMapping[str, Driver] | None = None,
) -> Gateway:
    """
    Return a gateway account made from plain settings, such as a table of a TOML file.

    The entry ``driver`` names the driver; the other entries are its settings, except
    those of the account (`OF_ACCOUNT`). Instead of them, ``gateway`` may be a driver
    object. ``{"env": "NAME"}`` is replaced from *environment*, if that is given; without it
    such a value is refused, because the author of the settings may not be the operator.
    Raises `InvalidSettings` with every field that is wrong, and without the values.

    *drivers* are those that were loaded before, by name, and it gets this one: to look for a driver
    among all installed packages takes tens of milliseconds.
    """
    given = Sealed({key: each for key, each in settings.items() if key not in OF_ACCOUNT})
    environment_given, variables = environment is not None, Sealed(environment or {})
    del settings, environment
    made = cast("object", given.open().pop("gateway", None))
    if made is not None:
        if not isinstance(made, Gateway):
            raise InvalidSettings(f"'gateway' must be a driver object, not {type(made).__name__}")
        if given.open():
            raise InvalidSettings(
                f"a gateway object takes no further settings: {', '.join(sorted(given.open()))}"
            )
        return made
    given = _with_variables(given, variables if environment_given else None)
    name = revealed(given.open().pop("driver", None))
    if not isinstance(name, str):
        raise InvalidSettings("the settings need a 'driver', such as driver = \"stripe\"")
    known: MutableMapping[str, Driver] = {} if drivers is None else drivers
    if name not in known:
        known[name] = load(name)
    return make(known[name], name, given.open())


def build_sink(
    settings: Mapping[str, Any], *, environment: Mapping[str, str] | None = None
) -> AnySink:
    """
    Return a sink made from plain settings, such as a table of a TOML file.

    The entry ``sink`` names the installed sink, or is a sink object; the other entries are its
    settings, except those of every sink (`OF_SINK`). For variables and errors see `build`.
    """
    given = Sealed({key: each for key, each in settings.items() if key not in OF_SINK})
    environment_given, variables = environment is not None, Sealed(environment or {})
    del settings, environment
    named = cast("object", revealed(given.open().pop("sink", None)))
    if is_sink(named):
        if given.open():
            raise InvalidSettings(
                f"a sink object takes no further settings: {', '.join(sorted(given.open()))}"
            )
        return named
    if not isinstance(named, str):
        raise InvalidSettings("the settings need a 'sink', such as sink = \"smtp\"")
    given = _with_variables(given, variables if environment_given else None)
    made = cast("object", plugins.make(SINKS, plugins.load(SINKS, named), named, given.open()))
    if not is_sink(made):
        raise SinkBroken(
            f"the sink {named!r} made something that is no sink: {type(made).__name__} needs "
            "traits, and deliver or send",
            name=named,
        )
    return made


def _with_variables(
    given: Sealed[dict[str, Any]], environment: Sealed[Mapping[str, str]] | None
) -> Sealed[dict[str, Any]]:
    """Return *given* with the variables of *environment*; without one, refuse to refer to any."""
    if environment is None:
        refuse_variables(given)
        return given
    return Sealed(filled(given.open(), environment.open(), []))


def samples(driver: Driver, name: str) -> list[Gateway]:
    """
    Return accounts of *driver* to inspect, made without credentials.

    Each setting without a default gets the first of its `examples`; a driver
    with a setting `kind` is made once for each kind of payment that it accepts.
    """
    fields = cast("dict[str, Any]", driver.settings_model.model_fields)
    given = {
        each: field.examples[0]
        for each, field in fields.items()
        if field.is_required() and field.examples
    }
    choices = [{**given, "kind": kind} for kind in Kind] if "kind" in fields else [given]
    made: list[Gateway] = []
    for settings in choices:
        # The driver is foreign code: if it cannot be made from examples, the list is empty.
        with suppress(Exception, SystemExit):
            made.append(make(driver, name, settings))
    return made


def disagreements(gateway: Gateway) -> list[str]:
    """Return the contradictions between the traits of *gateway* and its methods."""
    traits = gateway.traits
    foreign = foreign_version(traits.protocol_version)
    found = [foreign] if foreign else []
    found += [
        f"the traits offer {operation} for {kind}, but there is no method for it"
        for kind, rail in traits.rails.items()
        for operation in sorted(rail.operations)
        if not isinstance(gateway, CAPABILITIES[operation])
    ]
    if isinstance(gateway, LooksUp) is (traits.inquiry is InquiryBy.NONE):
        found.append(f"the traits say inquiry={traits.inquiry}, but look_up says otherwise")
    if traits.callbacks is not CallbackStyle.NONE and not isinstance(gateway, Verifies | Asks):
        found.append(f"the traits say callbacks={traits.callbacks}, but verify or reply is missing")
    return found
