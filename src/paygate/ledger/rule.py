"""A rule of the books: what must hold, and the queries that find what breaks it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from paygate.ledger.tx import Row


class FoundRow(Protocol):
    """A row that a query of a rule found, by name and in order."""

    def __getitem__(self, key: str, /) -> Any: ...
    def __iter__(self) -> Iterator[Any]: ...


def _detail(row: Row) -> str:
    return str(row["detail"])


@dataclass(frozen=True, slots=True)
class Rule:
    """
    A rule, and the queries that find what breaks it: columns `subject` and `detail`.

    With *judge* the queries find what may break it, and *judge* returns the detail of a
    row that does. A rule that is not *cheap* reads whole tables that grow with each step
    of a payment; who checks the books after every step leaves it for the end.
    """

    name: str
    says: str
    sql: str | tuple[str, ...]
    judge: Callable[[Any], str | None] = _detail
    cheap: bool = True

    @property
    def statements(self) -> tuple[str, ...]:
        """The queries of the rule; each takes the parameter `tenant`."""
        return (self.sql,) if isinstance(self.sql, str) else self.sql
