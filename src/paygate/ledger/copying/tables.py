"""The tables that are copied, and their columns, as the schema of SQLite says.

Nothing is listed by hand, so a new table or column is copied without a change here.

What belongs to the processes of the source is left behind: who does a job, reads a feed or
publishes to a sink. The lease of an attempt is kept, because its request may still be on its way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from paygate.ledger.migrations import template

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

META: Final = "paygate_meta"
"""The table of facts about the database itself."""
ROW_COUNT: Final = "paygate_row_count"
"""The table of the numbers of rows, which the databases store differently."""
_NOT_COPIED: Final = (META, ROW_COUNT, "paygate_job")

_NAMES: Final = """
SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'paygate~_%' ESCAPE '~'
"""
_STORED: Final = 0
"""What SQLite says of a column that is not generated."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its stored columns, its key, and the tables that it refers to."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    parents: frozenset[str]
    numbered: bool = False
    """Whether its key is a number that the database assigns."""
    leases: Mapping[str, str | None] = field(default_factory=dict[str, "str | None"])
    """The columns of a lease, and their values if nobody has it."""

    @property
    def key_places(self) -> tuple[int, ...]:
        """The places of the columns of the key in a row."""
        return tuple(self.columns.index(name) for name in self.key)

    def released(self, row: Sequence[Any]) -> tuple[Any, ...]:
        """Return *row* without a lease."""
        if not self.leases:
            return tuple(row)
        return tuple(
            self.leases.get(name, value) for name, value in zip(self.columns, row, strict=True)
        )


@cache
def copied_tables() -> tuple[Table, ...]:
    """Return the tables that are copied, each after those it refers to."""
    [*names] = [name for (name,) in _rows(_NAMES) if name not in _NOT_COPIED]
    tables = {name: _table(name) for name in sorted(names)}
    ordered: list[Table] = []
    done: set[str] = set()
    while len(done) < len(tables):
        ready = [
            table
            for name, table in tables.items()
            if name not in done and table.parents <= done | {name}
        ]
        assert ready, f"tables refer to each other in a circle: {sorted(tables.keys() - done)}"
        ordered += ready
        done |= {table.name for table in ready}
    return tuple(ordered)


def _table(name: str) -> Table:
    columns = _rows(f"SELECT name, type, \"notnull\", pk, hidden FROM pragma_table_xinfo('{name}')")
    stored = [row for row in columns if row[4] == _STORED]
    key = sorted((pk, column, type_) for column, type_, _, pk, _ in stored if pk)
    parents = _rows(f"SELECT \"table\" FROM pragma_foreign_key_list('{name}')")
    return Table(
        name=name,
        columns=tuple(row[0] for row in stored),
        key=tuple(column for _, column, _ in key),
        parents=frozenset(parent for (parent,) in parents),
        numbered=[type_ for _, _, type_ in key] == ["INTEGER"],
        leases=_leases({row[0]: bool(row[2]) for row in stored}),
    )


def _leases(columns: Mapping[str, bool]) -> dict[str, str | None]:
    """Return the columns of a lease that can be free, of columns that may be NOT NULL."""
    if columns.get("lease_until", True):
        return {}
    free: dict[str, str | None] = {"lease_until": None, "lease": ""}
    return {name: value for name, value in free.items() if name in columns}


def _rows(sql: str) -> list[tuple[Any, ...]]:
    return template().execute(sql).fetchall()
