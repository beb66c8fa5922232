"""One of the two databases of a copy, with what is the same for SQLite and PostgreSQL."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from paygate.ledger.copying.tables import Table
    from paygate.ledger.tx import Connection

Key: TypeAlias = "tuple[Any, ...]"
Rows: TypeAlias = "Sequence[tuple[Any, ...]]"
Balances: TypeAlias = "Mapping[tuple[str, str, str], int]"
"""Sums of the postings, by tenant, ledger account and currency."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """How much of a table is copied: how many rows, the last key, and the digest of the rows."""

    rows: int
    last: Key
    digest: str


@dataclass(slots=True)
class Progress:
    """How far a copy has come; it is stored in the target with each batch of rows."""

    source: str
    tables: dict[str, Copied] = field(default_factory=dict[str, Copied])

    def text(self) -> str:
        """Return the progress as it is stored."""
        tables = {
            name: {"rows": of.rows, "last": list(of.last), "digest": of.digest}
            for name, of in self.tables.items()
        }
        return json.dumps({"source": self.source, "tables": tables})

    @classmethod
    def read(cls, text: str) -> Progress:
        """Return the progress that `text` wrote."""
        facts = json.loads(text)
        tables = {
            name: Copied(rows=of["rows"], last=tuple(of["last"]), digest=of["digest"])
            for name, of in facts["tables"].items()
        }
        return cls(facts["source"], tables)


class Side(Protocol):
    """A ledger as the source or the target of a copy, on one connection."""

    @property
    def name(self) -> str:
        """What messages call it; it contains no password."""
        ...

    def is_same(self, other: Side, /) -> bool:
        """Return whether both are the same ledger."""
        ...

    def close(self) -> None:
        """Close the connection; an open transaction is rolled back."""
        ...

    # --- A transaction ------------------------------------------------------------------------

    def begin_alone(self) -> None:
        """Begin a transaction during which no other process can write to the ledger."""
        ...

    def roll_back(self) -> None:
        """Roll back the open transaction, if there is one."""
        ...

    def commit(self) -> None:
        """Commit the open transaction durably."""
        ...

    # --- Reading ------------------------------------------------------------------------------

    def meta(self) -> dict[str, str] | None:
        """Return the facts about the database; None if it has no ledger."""
        ...

    def is_empty(self, table: Table) -> bool:
        """Return whether *table* has no row."""
        ...

    def count(self, table: Table) -> int:
        """Return the number of rows of *table*."""
        ...

    def rows(self, table: Table, after: Key | None, until: Key | None = None) -> Iterator[Rows]:
        """Yield the rows after and up to these keys, in the order of the key, in batches."""
        ...

    def counters(self) -> dict[str, int]:
        """Return how many rows were ever written to each table whose rows are counted."""
        ...

    def balances(self) -> Balances:
        """Return the balance of each ledger account."""
        ...

    def tenants(self) -> list[str]:
        """Return the tenants that have customers."""
        ...

    @property
    def session(self) -> Connection:
        """What the rules of the ledger are checked on, inside the open transaction."""
        ...

    # --- Writing ------------------------------------------------------------------------------

    def place_events(self) -> None:
        """Assign positions to the events that have none."""
        ...

    def create(self) -> None:
        """Create the tables."""
        ...

    def wipe(self, tables: Sequence[Table]) -> None:
        """Delete all rows, also those that are otherwise never deleted."""
        ...

    def set_meta(self, name: str, value: str | None) -> None:
        """Store a fact about the database, or delete it."""
        ...

    def guard(self, tables: Sequence[Table], *, on: bool) -> None:
        """Turn on or off what is slow while rows are copied and not needed for them."""
        ...

    def insert(self, table: Table, rows: Rows) -> None:
        """Insert *rows*."""
        ...

    def settle(self, tables: Sequence[Table], counters: Mapping[str, int]) -> None:
        """Make the counters of rows and the next numbers agree with the rows that were copied."""
        ...
