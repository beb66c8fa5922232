"""Paging: read a list page by page, to its end or until an entry is found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from paygate.dialogue import Dialogue, Request, Response

T = TypeVar("T")
C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """The entries that were read; *complete* unless pages are left.

    What an incomplete listing does not contain may still exist: it is `Unknown`, not `NotFound`.
    """

    entries: list[T]
    complete: bool


def read_pages(
    first: C,
    build: Callable[[C], Request],
    parse: Callable[[Response], tuple[list[T], C | None]],
    *,
    until: Callable[[T], bool] | None = None,
    pages_max: int = 100,
) -> Dialogue[Listing[T]]:
    """Return the entries of all pages from the cursor *first*: an id, an offset or a page number.

    *parse* returns the entries of a page and the cursor of the next one, or None. Reading stops
    after a page with an entry for which *until* is true; such a listing counts as complete.
    """
    entries: list[T] = []
    cursor: C | None = first
    for _ in range(pages_max):
        if cursor is None:
            break
        page, cursor = parse((yield build(cursor)))
        entries += page
        if until is not None and any(until(each) for each in page):
            return Listing(entries, complete=True)
    return Listing(entries, complete=cursor is None)
