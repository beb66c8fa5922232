"""Drivers by name: found through entry points, and loaded only when they are needed.

Built-in drivers register in the entry-point group ``paygate.gateways``, as every other driver
does. If a driver cannot be loaded, the error names its package, and the others still work.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from paygate.domain.kind import Kind
from paygate.domain.secret import Sealed, Secret
from paygate.errors import DriverBroken, GatewayNotFound, InvalidSettings
from paygate.gateway import (
    CAPABILITIES,
    CallbackStyle,
    Gateway,
    InquiryBy,
    LooksUp,
    Verifies,
    foreign_version,
)
from paygate.printing import shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import BaseModel
    from pydantic_core import ErrorDetails

GROUP = "paygate.gateways"

_VARIABLE: Final = re.compile(r"[A-Z_][A-Z0-9_]*")
_VARIABLE_MAX: Final = 40
OF_ACCOUNT: Final = frozenset(
    {"by_currency", "credit_on", "enabled", "refundable_after", "settles_within", "transport"}
)
"""Settings that belong to the account, whatever its driver is; the driver does not see them."""


class Driver(Protocol):
    """What an entry point refers to: a class that is created from its settings."""

    settings_model: type[Any]

    def __call__(self, settings: Any) -> Gateway:
        """Return a gateway account with these validated settings."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A driver that an installed package provides; `problem` says why it cannot be loaded."""

    name: str
    package: str
    target: str
    problem: str = ""


def installed() -> list[Installed]:
    """Return the installed drivers, by name and package; each is loaded to find problems."""
    found: list[Installed] = []
    for point in sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value)):
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
    return list(dict.fromkeys(found))


def load(name: str) -> Driver:
    """
    Return the driver *name*.

    Raises `GatewayNotFound` if no installed package provides it, and `DriverBroken` if it
    cannot be imported or if several packages provide it.
    """
    points = [point for point in entry_points(group=GROUP) if point.name == name]
    if not points:
        known = sorted({point.name for point in entry_points(group=GROUP)})
        raise GatewayNotFound(
            f"no installed package has a driver {shown(name)}; there are: {', '.join(known)}",
            name=name,
            known=known,
        )
    if len({(point.value, _package_of(point)) for point in points}) > 1:
        packages = ", ".join(sorted(f"{_package_of(point)} ({point.value})" for point in points))
        raise DriverBroken(
            f"several packages have a driver {name!r}: {packages}; remove all but one",
            name=name,
        )
    [point, *_] = points
    try:
        driver: object = point.load()
    except (Exception, SystemExit) as error:  # a module may even end the process
        raise DriverBroken(
            f"the driver {name!r} of package {_package_of(point)} ({point.value}) cannot be "
            f"loaded: {type(error).__name__}: {error}",
            name=name,
        ) from error
    if not callable(driver) or not _is_model(getattr(driver, "settings_model", None)):
        raise DriverBroken(
            f"the driver {name!r} of package {_package_of(point)} ({point.value}) is not a class "
            "whose settings_model is a pydantic model",
            name=name,
        )
    return cast("Driver", driver)


def _is_model(value: object) -> bool:
    from pydantic import BaseModel

    return isinstance(value, type) and issubclass(value, BaseModel)


def filled(
    settings: Mapping[str, Any], environment: Mapping[str, str], secrets: list[Secret[str]]
) -> dict[str, Any]:
    """
    Return *settings* with each ``{"env": "NAME"}``, at any depth, replaced from *environment*.

    The values put in are `Secret`, and are appended to *secrets*. Only for settings whose author
    may read the environment, such as the operator's own file; never for what a merchant
    entered in a form. Raises `InvalidSettings` with every name that is missing in the
    environment.
    """
    plain, known = Sealed(settings), Sealed(environment)
    del settings, environment
    missing: set[str] = set()

    def value_of(name: str, at: str) -> object:
        if name not in known.open():
            missing.add(_shown_variable(name, at))
            return ""
        secrets.append(Secret(known.open()[name]))
        return secrets[-1]

    done = Sealed({name: _filled(value, value_of, name) for name, value in plain.open().items()})
    if missing:
        names = ", ".join(sorted(missing))
        raise InvalidSettings(
            f"the environment has no {names}, which the settings refer to",
            missing=sorted(missing),
        )
    return done.open()


def _shown_variable(name: str, at: str) -> str:
    """Return *name* if it can be the name of a variable; it may be the secret itself, put *at*."""
    if len(name) <= _VARIABLE_MAX and _VARIABLE.fullmatch(name):
        return name
    return f"variable with the name given at {at} (not shown, as it may be the secret itself)"


def _filled(value: object, value_of: Callable[[str, str], object], at: str) -> Any:
    if isinstance(value, list):
        return [_filled(each, value_of, at) for each in cast("list[object]", value)]
    if not isinstance(value, Mapping):
        return value
    pairs = cast("Mapping[str, object]", value)
    name = _variable(pairs)
    if name is None:
        return {key: _filled(each, value_of, f"{at}.{key}") for key, each in pairs.items()}
    return value_of(name, at)


def _variable(value: object) -> str | None:
    """Return the name of the environment variable that *value* stands for, if it is one."""
    if not isinstance(value, Mapping) or len(cast("Mapping[str, object]", value)) != 1:
        return None
    name = cast("Mapping[str, object]", value).get("env")
    return name if isinstance(name, str) else None


def build(settings: Mapping[str, Any], *, environment: Mapping[str, str] | None = None) -> Gateway:
    """
    Return a gateway account made from plain settings, such as a table of a TOML file.

    The entry ``driver`` names the driver; the other entries are its settings, except
    those of the account (`OF_ACCOUNT`). Instead of them, ``gateway`` may be a driver
    object. ``{"env": "NAME"}`` is replaced from *environment*, if that is given; without it
    such a value is refused, because the author of the settings may not be the operator.
    Raises `InvalidSettings` with every field that is wrong, and without the values.
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
    if environment_given:
        given = Sealed(filled(given.open(), variables.open(), []))
    else:
        _refuse_variables(given)
    name = revealed(given.open().pop("driver", None))
    if not isinstance(name, str):
        raise InvalidSettings("the settings need a 'driver', such as driver = \"stripe\"")
    return make(load(name), name, given.open())


def _refuse_variables(settings: Sealed[dict[str, Any]]) -> None:
    fields = sorted(name for name, value in settings.open().items() if _names_variable(value))
    if fields:
        raise InvalidSettings(
            f"the settings {', '.join(fields)} refer to environment variables, which are only read "
            "for a configuration file of your own: give the values, or open the cashier with "
            "environment=os.environ",
            fields=fields,
        )


def _names_variable(value: object) -> bool:
    """Return whether *value*, or a part of it at any depth, refers to a variable."""
    if isinstance(value, list):
        return any(_names_variable(each) for each in cast("list[object]", value))
    if not isinstance(value, Mapping):
        return False
    if _variable(cast("object", value)) is not None:
        return True
    return any(_names_variable(each) for each in cast("Mapping[str, object]", value).values())


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
    if traits.callbacks is not CallbackStyle.NONE and not isinstance(gateway, Verifies):
        found.append(f"the traits say callbacks={traits.callbacks}, but verify or reply is missing")
    return found


def make(driver: Driver, name: str, settings: Mapping[str, Any]) -> Gateway:
    """Return an account of the driver called *name*, made from plain settings; see `build`."""
    from pydantic import ValidationError

    given = Sealed(settings)
    del settings
    model: type[BaseModel] = driver.settings_model
    try:
        checked = model.model_validate(revealed(given.open()))
    except ValidationError as error:
        # The values are left out: one of them may be a key in the wrong field.
        problems = "; ".join(
            _problem(model, problem)
            for problem in error.errors(include_input=False, include_url=False)
        )
    except Exception as bug:  # noqa: BLE001  (foreign code; its frames hold the settings)
        bug_of = type(bug).__name__
        problems = f"the settings model failed with {bug_of}; it may raise ValueError only"
    else:
        return driver(checked)
    # Raised outside of the handler, so that it does not carry the first error and its frames.
    raise InvalidSettings(f"settings of driver {name!r}: {problems}")


def _problem(model: type[BaseModel], problem: ErrorDetails) -> str:
    """Return what is wrong with one setting, or with all of them together."""
    from difflib import get_close_matches

    name = ".".join(str(part) for part in problem["loc"])
    words = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "missing":
        words = "this setting is needed"
    elif problem["type"] == "extra_forbidden":
        alike = get_close_matches(name, model.model_fields, n=1)
        words = "there is no setting with this name" + (
            f"; did you mean {alike[0]}?" if alike else ""
        )
    return f"{name}: {words}" if name else words


def revealed(value: object) -> Any:
    """Return *value* with each Secret in it as plain text; the model wraps its own secrets."""
    match value:
        case Secret():
            return cast("Secret[str]", value).reveal()
        case list():
            return [revealed(each) for each in cast("list[object]", value)]
        case Mapping():
            pairs = cast("Mapping[str, object]", value)
            return {key: revealed(each) for key, each in pairs.items()}
        case _:
            return value


def _package_of(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else "an unknown package"
