"""Read everything that a listing has, page by page, the oldest first."""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from paygate import Cashier, Event, Invoice, Payment

T = TypeVar("T", Invoice, Payment)


def every(list_: Callable[..., list[T]], **filters: Any) -> Iterator[T]:
    after = ""
    while page := list_(oldest_first=True, after=after, limit=1_000, **filters):
        yield from page
        after = page[-1].id


def every_event(cashier: Cashier) -> Iterator[Event]:
    after = 0
    while page := cashier.events(after=after, limit=1_000):
        yield from page
        after = page[-1].position
