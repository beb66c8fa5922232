"""Arguments about API keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from paygate.cashier.arguments.plain import choice, named, refuse
from paygate.domain.api_key import ApiKey, ApiScope

if TYPE_CHECKING:
    from collections.abc import Iterable


def api_key(value: object, name: str) -> str:
    """Return the id of an API key, or the name of a live one."""
    return value.id if isinstance(value, ApiKey) else named(value, name)


def scopes(value: object, name: str) -> tuple[ApiScope, ...]:
    """Return what an API key may do: one scope or more."""
    many = isinstance(value, list | tuple | set | frozenset)
    given = list(cast("Iterable[object]", value)) if many else []
    if not given:
        refuse(name, f"a list of one or more of {', '.join(ApiScope)}", value)
    wanted = {choice(ApiScope, each, name) for each in given}
    return tuple(each for each in ApiScope if each in wanted)
