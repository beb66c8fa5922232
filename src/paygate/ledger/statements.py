"""Statements: written with named parameters, executed with positional ones.

Statements have `:name` parameters and take a mapping, because that reads well. Positional
parameters are faster: the sqlite3 module looks up each name for every execution, which takes as
long as the rest of a wide INSERT. So each statement is compiled once, on first use, into a text
with ``?`` placeholders and a getter of the values.
"""

from __future__ import annotations

import re
from functools import cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Values: TypeAlias = "Callable[[Mapping[str, Any]], tuple[Any, ...]]"
"""Returns the parameters of a statement in order."""

# A colon in an SQL string or comment does not begin a parameter.
_TOKEN: Final = re.compile(r"'[^']*'|--[^\n]*|:(\w+)")


@cache
def positional(sql: str) -> tuple[str, Values]:
    """
    Return *sql* with a ``?`` for each named parameter, and a getter of their values in order.

    A parameter that is used twice appears twice. The getter raises KeyError if a parameter
    is missing.
    """
    names: list[str] = []

    def marked(token: re.Match[str]) -> str:
        if token[1] is None:
            return token[0]
        names.append(token[1])
        return "?"

    return _TOKEN.sub(marked, sql), _values_of(names)


def _values_of(names: list[str]) -> Values:
    if len(names) > 1:
        return itemgetter(*names)
    return lambda params: tuple(params[name] for name in names)
