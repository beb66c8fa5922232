"""Statements: written once with named parameters, executed with positional ones.

A statement is a text with `:name` parameters and is given a mapping, which is what reads well. A
database is faster with parameters in order: SQLite's module looks each name up again for every
execution, which took as long as the rest of a wide INSERT. So a text is compiled once, when it is
first used, into one with marks and a getter of its values.
"""

from __future__ import annotations

import re
from functools import cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Values: TypeAlias = "Callable[[Mapping[str, Any]], tuple[Any, ...]]"
"""Return the parameters of a statement in order."""

# A colon in a text of SQL or in a comment begins no parameter.
_TOKEN: Final = re.compile(r"'[^']*'|--[^\n]*|:(\w+)")


@cache
def positional(sql: str) -> tuple[str, Values]:
    """
    Return *sql* with a mark for each named parameter, and what takes their values in order.

    A parameter that is used twice is taken twice. What takes the values raises KeyError for
    one that is not given.
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
