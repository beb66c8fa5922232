"""Shares: how many requests of one tenant are worked on at once.

A `Cashier` does its work in threads, whose number is fixed for all tenants together. If one
tenant's processor hangs, its requests wait for each other, and hold a part of the threads only.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


class Shares:
    """The requests of one event loop that are being worked on, by tenant."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._taken: dict[str, list[anyio.Semaphore]] = {}

    def __len__(self) -> int:
        return len(self._taken)

    @asynccontextmanager
    async def of(self, tenant: str) -> AsyncGenerator[None]:
        """Work on a request of *tenant* inside the block; wait while too many are inside."""
        # One entry for each request that is inside or waits; all are the same semaphore.
        inside = self._taken.setdefault(tenant, [])
        semaphore = inside[0] if inside else anyio.Semaphore(self._size)
        inside.append(semaphore)
        try:
            async with semaphore:
                yield
        finally:
            inside.pop()
            if not inside:
                del self._taken[tenant]
