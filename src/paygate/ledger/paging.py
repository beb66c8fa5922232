"""Keyset pagination of listings.

A listing is ordered by an instant (or date) and the id. A page begins after the last row of the
page before, identified by these two values and not by an offset. So the hundredth page costs the
same as the first, and rows that are written meanwhile do not shift it. Each statement names the
index that it scans, because statistics left by ``ANALYZE`` could lead the planner to another one,
and then each page would read and sort all rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from paygate.errors import RecordNotFound
from paygate.printing import shown_value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paygate.ledger.tx import Row, Tx

LIMIT_MAX: Final = 1_000
"""The most rows that a page has."""

_LAST: Final = "~"  # after every instant and every date


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """
    The part of a listing to read: at most *limit* rows, after the row with the id *after*.

    Rows count from the instant (or date) *since*, inclusive, to *until*, exclusive, in their
    stored form; empty for no bound.
    """

    after: str | int = ""
    limit: int = 100
    since: str = ""
    until: str = ""
    oldest_first: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A listing: one statement for each index and direction.

    The statement *position* finds the instant of a row by its id; if the row does not exist,
    *missing* is raised.
    """

    statements: Mapping[tuple[str, bool], str]
    position: str
    noun: str
    missing: type[RecordNotFound] = RecordNotFound

    def read(self, tx: Tx, index: str, page: Page, **values: Any) -> Sequence[Row]:
        """Return the rows of *page*, in the order of *index*; *values* are the conditions."""
        at, id_ = self._begin(tx, page)
        params = {"tenant": tx.tenant, **values, "at": at, "id": id_, "limit": page.limit}
        if page.oldest_first:
            params["until"] = page.until or _LAST
        else:
            params["since"] = page.since
        return tx.all(self.statements[index, page.oldest_first], params)

    def _begin(self, tx: Tx, page: Page) -> tuple[str, str | int]:
        """Return the instant and the id after which the page begins."""
        nothing = 0 if isinstance(page.after, int) else ""
        first = page.since if page.oldest_first else page.until or _LAST
        if not page.after:
            return first, nothing
        row = tx.one(self.position, {"tenant": tx.tenant, "id": page.after})
        if row is None:
            raise self.missing(
                f"there is no {self.noun} {shown_value(page.after)} in this ledger, so no page "
                "begins after it; pass the id of the last one on the previous page",
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
    Return the listing of *table*, which *select* reads as *alias*, ordered by the column *at*.

    *where* maps each index to the condition that it serves; *rest* is a further condition on each
    row. The index ``""`` means none: the condition must then match few rows, which are sorted.
    """
    source = f"FROM {table} {alias}"
    assert select.count(source) == 1, f"the statement must read {table} once as {alias}"
    statements: dict[tuple[str, bool], str] = {}
    for index, condition in where.items():
        walked = select.replace(source, f"{source} INDEXED BY {index}") if index else select
        # The plus keeps the planner from an index in list order, which would read all rows.
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
