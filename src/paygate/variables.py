"""Variables: settings that name an environment variable instead of a value.

``{"env": "NAME"}`` keeps a secret out of a file. Only the operator's own file may refer to the
environment, never what a merchant entered in a form.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from paygate.domain.secret import Sealed, Secret
from paygate.errors import InvalidSettings

if TYPE_CHECKING:
    from collections.abc import Callable

_VARIABLE: Final = re.compile(r"[A-Z_][A-Z0-9_]*")
_VARIABLE_MAX: Final = 40


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


def refuse_variables(settings: Sealed[dict[str, Any]]) -> None:
    """Raise `InvalidSettings` if *settings* refer to a variable, at any depth."""
    fields = sorted(name for name, value in settings.open().items() if _names_variable(value))
    if fields:
        raise InvalidSettings(
            f"the settings {', '.join(fields)} refer to environment variables, which are only read "
            "for a configuration file of your own: give the values, or open the cashier with "
            "environment=os.environ",
            fields=fields,
        )


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


def _names_variable(value: object) -> bool:
    """Return whether *value*, or a part of it at any depth, refers to a variable."""
    if isinstance(value, list):
        return any(_names_variable(each) for each in cast("list[object]", value))
    if not isinstance(value, Mapping):
        return False
    if _variable(cast("object", value)) is not None:
        return True
    return any(_names_variable(each) for each in cast("Mapping[str, object]", value).values())
