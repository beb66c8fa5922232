"""Plug-ins by name: found through entry points, and loaded only when they are needed.

Drivers and sinks that are part of paygate register in the same entry-point groups as all others.
If a plug-in cannot be loaded, the error names its package, and the others still work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from paygate.domain.secret import Sealed, Secret
from paygate.errors import (
    DriverBroken,
    GatewayNotFound,
    InvalidSettings,
    SinkBroken,
    SinkNotFound,
    UsageError,
)
from paygate.printing import shown

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic_core import ErrorDetails


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group of entry points: what its members are called, and the errors about them."""

    name: str
    noun: str
    not_found: type[UsageError]
    broken: type[UsageError]


GATEWAYS: Final = Group(
    name="paygate.gateways", noun="driver", not_found=GatewayNotFound, broken=DriverBroken
)
SINKS: Final = Group(name="paygate.sinks", noun="sink", not_found=SinkNotFound, broken=SinkBroken)


class Plugin(Protocol):
    """What an entry point refers to: a class that is created from its settings."""

    settings_model: type[Any]

    def __call__(self, settings: Any) -> Any:
        """Return an instance with these validated settings."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A plug-in that an installed package provides; `problem` says why it cannot be loaded."""

    name: str
    package: str
    target: str
    problem: str = ""


def installed(group: Group) -> list[Installed]:
    """Return the plug-ins of *group*, by name and package; each is loaded to find problems."""
    found: list[Installed] = []
    for point in sorted(
        entry_points(group=group.name), key=lambda point: (point.name, point.value)
    ):
        problem = ""
        try:
            load(group, point.name)
        except group.broken as error:
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


def load(group: Group, name: str) -> Plugin:
    """
    Return the plug-in *name* of *group*.

    Raises `group.not_found` if no installed package provides it, and `group.broken` if it
    cannot be imported or if several packages provide it.
    """
    points = [point for point in entry_points(group=group.name) if point.name == name]
    if not points:
        known = sorted({point.name for point in entry_points(group=group.name)})
        raise group.not_found(
            f"no installed package has a {group.noun} {shown(name)}; there are: {', '.join(known)}",
            name=name,
            known=known,
        )
    if len({(point.value, _package_of(point)) for point in points}) > 1:
        packages = ", ".join(sorted(f"{_package_of(point)} ({point.value})" for point in points))
        raise group.broken(
            f"several packages have a {group.noun} {name!r}: {packages}; remove all but one",
            name=name,
        )
    [point, *_] = points
    try:
        plugin: object = point.load()
    except (Exception, SystemExit) as error:  # a module may even end the process
        raise group.broken(
            f"the {group.noun} {name!r} of package {_package_of(point)} ({point.value}) cannot be "
            f"loaded: {type(error).__name__}: {error}",
            name=name,
        ) from error
    if not callable(plugin) or not _is_model(getattr(plugin, "settings_model", None)):
        raise group.broken(
            f"the {group.noun} {name!r} of package {_package_of(point)} ({point.value}) is not a "
            "class whose settings_model is a pydantic model",
            name=name,
        )
    return cast("Plugin", plugin)


def make(group: Group, plugin: Plugin, name: str, settings: Mapping[str, Any]) -> Any:
    """
    Return what *plugin*, called *name*, makes from plain settings.

    Raises `InvalidSettings` with every field that is wrong, and without the values.
    """
    from pydantic import ValidationError

    given = Sealed(settings)
    del settings
    model: type[BaseModel] = plugin.settings_model
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
        return plugin(checked)
    # Raised outside of the handler, so that it does not carry the first error and its frames.
    raise InvalidSettings(f"settings of {group.noun} {name!r}: {problems}")


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


def _is_model(value: object) -> bool:
    from pydantic import BaseModel

    return isinstance(value, type) and issubclass(value, BaseModel)


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


def _package_of(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else "an unknown package"
