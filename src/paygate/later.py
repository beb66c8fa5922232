"""Modules that are imported when they are first used.

Importing a name of paygate should not cost the use cases that the process may
never call. A stand-in takes the place of such a module in its user's namespace;
the first look at one of its names imports the module and puts it there instead.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


class _StandIn:
    def __init__(self, module: str, name: str, user: dict[str, Any]) -> None:
        self._module = module
        self._name = name
        self._user = user

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self.load(), attribute)

    def load(self) -> Any:
        """Import the module and put it in the place of this stand-in."""
        module = import_module(self._module)
        self._user[self._name] = module
        return module


def later(user: dict[str, Any], package: str, *names: str) -> None:
    """Let the modules *names* of *package* be imported into the namespace *user* when used."""
    for name in names:
        user[name] = _StandIn(f"{package}.{name}", name, user)


def load(user: dict[str, Any]) -> None:
    """Import every module that stands in *user* for later."""
    for each in list(user.values()):
        if isinstance(each, _StandIn):
            each.load()
