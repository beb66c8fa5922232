"""Drivers by name: found through entry points, loaded only when asked for.

Built-in drivers register in the group ``paygate.gateways`` like everybody
else's. A driver that cannot be loaded names its culprit and harms nobody else.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from paygate.errors import DriverBroken, InvalidSettings, UnknownGateway
from paygate.gateway import Gateway

if TYPE_CHECKING:
    from collections.abc import Iterable

    from paygate.domain.method import Kind

GROUP = "paygate.gateways"

OF_ACCOUNT: Final = frozenset({"credit_on"})
"""Settings that are the account's, whatever its driver is; drivers do not see them."""


class Driver(Protocol):
    """
    What an entry point names: a class made from its settings.

    It may say in ``kinds``, a set of `Kind`, what it serves whatever the account;
    what an account of it can do, the traits say.
    """

    settings_model: type[Any]

    def __call__(self, settings: Any) -> Gateway:
        """Make a gateway account of checked settings."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A driver that some package brings; `problem` says why it cannot be loaded."""

    name: str
    package: str
    target: str
    problem: str = ""


def installed() -> list[Installed]:
    """List the drivers that are installed, by name, each tried."""
    found: list[Installed] = []
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        problem = ""
        try:
            load(point.name)
        except DriverBroken as error:
            problem = error.message
        found.append(
            Installed(
                name=point.name,
                package=_package_of(point),
                target=point.value,
                problem=problem,
            )
        )
    return found


def load(name: str) -> Driver:
    """
    Load the driver *name*.

    Raises `UnknownGateway` where no package brings it, `DriverBroken` where it
    cannot be imported or where two packages bring it.
    """
    points = [point for point in entry_points(group=GROUP) if point.name == name]
    if not points:
        known = sorted({point.name for point in entry_points(group=GROUP)})
        raise UnknownGateway(
            f"no installed package brings a driver {name!r}; there are: {', '.join(known)}",
            name=name,
            known=known,
        )
    if len({(point.value, _package_of(point)) for point in points}) > 1:
        packages = ", ".join(sorted(_package_of(point) for point in points))
        raise DriverBroken(
            f"the driver {name!r} is brought by several packages ({packages}); remove all but one",
            name=name,
        )
    [point, *_] = points
    try:
        driver: object = point.load()
    except Exception as error:
        raise DriverBroken(
            f"the driver {name!r} of package {_package_of(point)} ({point.value}) cannot be "
            f"loaded: {type(error).__name__}: {error}",
            name=name,
        ) from error
    if not callable(driver) or not hasattr(driver, "settings_model"):
        raise DriverBroken(
            f"the driver {name!r} of package {_package_of(point)} ({point.value}) is not a class "
            "with a settings_model",
            name=name,
        )
    return cast("Driver", driver)


def kinds_of(driver: Driver) -> list[Kind] | None:
    """Tell the kinds of payment that a driver serves at most; None where it does not say."""
    kinds: Iterable[Kind] | None = getattr(driver, "kinds", None)
    return None if kinds is None else sorted(kinds)


def filled(
    settings: Mapping[str, Any], environment: Mapping[str, str], secrets: list[str]
) -> dict[str, Any]:
    """
    Put values of the environment where *settings* say ``{"env": "NAME"}``, at any depth.

    What was put in is noted in *secrets*. Raises `InvalidSettings` with every name
    that the environment lacks.
    """
    missing: set[str] = set()

    def fill(value: object) -> Any:
        if isinstance(value, list):
            return [fill(each) for each in cast("list[object]", value)]
        if not isinstance(value, Mapping):
            return value
        pairs = cast("Mapping[str, object]", value)
        name = pairs.get("env")
        if len(pairs) > 1 or not isinstance(name, str):
            return {key: fill(each) for key, each in pairs.items()}
        if name not in environment:
            missing.add(name)
            return ""
        secrets.append(environment[name])
        return environment[name]

    done = {name: fill(value) for name, value in settings.items()}
    if missing:
        names = ", ".join(sorted(missing))
        raise InvalidSettings(
            f"settings are to be taken from the environment, which has no {names}",
            missing=sorted(missing),
        )
    return done


def build(settings: Mapping[str, Any]) -> Gateway:
    """
    Make a gateway account from plain settings, such as a table of a TOML file.

    The entry ``driver`` names the driver, the others are its settings, but for
    those of the account (`OF_ACCOUNT`); one that is ``{"env": "NAME"}`` is read
    from the environment, now. Instead of them, ``gateway`` may be a driver object.
    Raises `InvalidSettings` with every field that is wrong, and none of the values.
    """
    from pydantic import BaseModel, ValidationError

    values = {key: value for key, value in settings.items() if key not in OF_ACCOUNT}
    made: object = values.pop("gateway", None)
    if made is not None:
        if not isinstance(made, Gateway):
            raise InvalidSettings(f"'gateway' is a driver object, not {type(made).__name__}")
        if values:
            raise InvalidSettings(
                f"a gateway that is made already takes no settings: {', '.join(sorted(values))}"
            )
        return made
    values = filled(values, os.environ, [])
    name = values.pop("driver", None)
    if not isinstance(name, str):
        raise InvalidSettings("settings need a 'driver', such as driver = \"stripe\"")
    driver = load(name)
    model: type[BaseModel] = driver.settings_model
    try:
        checked = model.model_validate(values)
    except ValidationError as error:
        # The values are left out: one of them may be a key in the wrong field.
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc']) or 'settings'}: {problem['msg']}"
            for problem in error.errors(include_input=False, include_url=False)
        )
        raise InvalidSettings(f"settings of driver {name!r}: {problems}") from None
    return driver(checked)


def _package_of(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else "an unknown package"
