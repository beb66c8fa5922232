"""Pages of a listing: which rows, in which direction, and from where on.

A listing is in the order of an instant (or date) and of the id. A page begins behind the last row
of the one before, by these two, and not after so many rows: so the hundredth page costs what the
first one does, and what is written meanwhile shifts nothing. Each statement names the index that
it walks. The planner could choose another one, by statistics that ``ANALYZE`` left in the file,
and would then read and sort all rows for each page.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from paygate.errors import RecordNotFound
from paygate.printing import told

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paygate.ledger.tx import Row, Tx

LIMIT_MAX: Final = 1_000
"""How many rows a page has at most."""

_LAST: Final = "~"  # behind every instant and every date


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """
    Which part of a listing is read: at most *limit* rows, those behind the row *after*.

    *since* is the first instant (or date) of the rows that count and *until* the first that
    does not count, as they are stored; empty for all.
    """

    after: str | int = ""
    limit: int = 100
    since: str = ""
    until: str = ""
    oldest_first: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A listing: a statement for each of its indexes and both directions.

    *position* finds the instant of a row by its id; if there is no such row, *missing* is raised.
    """

    statements: Mapping[tuple[str, bool], str]
    position: str
    noun: str
    missing: type[RecordNotFound] = RecordNotFound

    def read(self, tx: Tx, index: str, page: Page, **values: Any) -> Sequence[Row]:
        """Read the rows of *page*, in the order of *index*; *values* are those it is to find."""
        at, id_ = self._begin(tx, page)
        params = {"tenant": tx.tenant, **values, "at": at, "id": id_, "limit": page.limit}
        if page.oldest_first:
            params["until"] = page.until or _LAST
        else:
            params["since"] = page.since
        return tx.all(self.statements[index, page.oldest_first], params)

    def _begin(self, tx: Tx, page: Page) -> tuple[str, str | int]:
        """Return behind which instant and id the page begins."""
        nothing = 0 if isinstance(page.after, int) else ""
        first = page.since if page.oldest_first else page.until or _LAST
        if not page.after:
            return first, nothing
        row = tx.one(self.position, {"tenant": tx.tenant, "id": page.after})
        if row is None:
            raise self.missing(
                f"there is no {self.noun} {told(page.after)} in this ledger, so no page begins "
                "behind it; pass the id of the last one of the page before",
                after=page.after,
                argument="after",
            )
        after = (str(row["at"]), page.after)
        if page.oldest_first:
            return after if after[0] >= first else (first, nothing)
        return after if after[0] < first else (first, nothing)


def listing(
    select: str,
    *,
    table: str,
    alias: str,
    at: str,
    where: Mapping[str, str],
    rest: str = "TRUE",
    noun: str,
    missing: type[RecordNotFound] = RecordNotFound,
) -> Listing:
    """
    Return the listing of *table*, which *select* reads as *alias*, by the column *at*.

    *where* has, by index, the condition that the index finds; *rest* is what each row must meet
    besides. Without an index (``""``) the condition finds few rows by itself, which are sorted.
    """
    source = f"FROM {table} {alias}"
    assert select.count(source) == 1, f"the statement reads {table} once as {alias}"
    statements: dict[tuple[str, bool], str] = {}
    for index, condition in where.items():
        walked = select.replace(source, f"{source} INDEXED BY {index}") if index else select
        # A sign keeps the planner from an index in the order of the list: it would read all rows.
        own = f"{alias}." if index else f"+{alias}."
        found = f"{walked} WHERE {condition} AND ({rest.replace(f'{alias}.', own)})"
        row = f"({own}{at}, {own}id)"
        statements[index, False] = (
            f"{found} AND {own}{at} >= :since AND {row} < (:at, :id)"
            f" ORDER BY {own}{at} DESC, {own}id DESC LIMIT :limit"
        )
        statements[index, True] = (
            f"{found} AND {own}{at} < :until AND {row} > (:at, :id)"
            f" ORDER BY {own}{at}, {own}id LIMIT :limit"
        )
    position = f"SELECT {at} AS at FROM {table} WHERE tenant = :tenant AND id = :id"
    return Listing(statements=statements, position=position, noun=noun, missing=missing)
