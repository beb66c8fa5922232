"""A rule of the ledger: an invariant, and the queries for the rows that violate it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from paygate.ledger.tx import Row


class FoundRow(Protocol):
    """A row that a query of a rule found; columns are read by name or in order."""

    def __getitem__(self, key: str, /) -> Any: ...
    def __iter__(self) -> Iterator[Any]: ...


def _detail(row: Row) -> str:
    return str(row["detail"])


@dataclass(frozen=True, slots=True)
class Rule:
    """
    An invariant, and the queries for its violations: columns `subject` and `detail`.

    With *judge*, the queries return candidates, and *judge* returns the detail of a row that
    violates the rule, or None. A rule that is not *cheap* reads whole tables, which grow with
    each step of a payment; a check after every step skips it until the end.
    """

    name: str
    description: str
    sql: str | tuple[str, ...]
    judge: Callable[[Any], str | None] = _detail
    cheap: bool = True

    @property
    def statements(self) -> tuple[str, ...]:
        """The queries of the rule; each takes the parameter `tenant`."""
        return (self.sql,) if isinstance(self.sql, str) else self.sql
