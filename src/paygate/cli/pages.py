"""Pages of a list in the terminal: the filters that lists share, and whether there is more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Protocol, TypeVar

import typer

from paygate.cli import show

if TYPE_CHECKING:
    from collections.abc import Callable

SinceOption = Annotated[
    str | None, typer.Option("--since", metavar="DATE", help="Only from this day on.")
]
UntilOption = Annotated[
    str | None, typer.Option("--until", metavar="DATE", help="Only before this day.")
]
OldestFirstOption = Annotated[
    bool, typer.Option("--oldest-first", help="Start with the oldest instead of the newest.")
]
ViaOption = Annotated[str | None, typer.Option("--via", help="Only those of this account.")]

AfterOption = Annotated[int, typer.Option("--after", help="Start after this number.")]


class HasId(Protocol):
    """A row of a list."""

    @property
    def id(self) -> str | int:
        """The id after which the next page begins."""
        ...


R = TypeVar("R")
T = TypeVar("T", bound=HasId)


def read(
    list_: Callable[[Any, int], list[T]], after: str | int, limit: int
) -> tuple[list[T], str | None]:
    """Return a page that *list_* reads, and the id after which the next one begins, if any."""
    return read_by(list_, after, limit, lambda one: one.id)


def read_by(
    list_: Callable[[Any, int], list[R]],
    after: str | int,
    limit: int,
    place: Callable[[R], str | int],
) -> tuple[list[R], str | None]:
    """Return a page as `read` does; the next page begins after the *place* of its last row."""
    page = list_(after, limit)
    more = len(page) == limit and list_(place(page[-1]), 1)
    return page, str(place(page[-1])) if more else None


def tell_more(following: str | None) -> None:
    """Say how to continue, if there is a next page."""
    if following is not None:
        show.console().print(f"There are more: --after {following}", style="dim")
