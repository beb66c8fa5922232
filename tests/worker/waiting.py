"""Waiting for a condition, with a deadline that is never reached when all is well."""

import asyncio
from collections.abc import Callable
from typing import Final

PATIENCE_S: Final = 60.0


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110  (nothing tells of what is waited for)
            await asyncio.sleep(0.005)
