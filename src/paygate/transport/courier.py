"""Couriers: they carry the requests of one gateway account, sync and async.

A courier has the account's connections and its access token, and repeats requests that may be
repeated (see `policy`).
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar, assert_never

from paygate.driving import drive, drive_async
from paygate.transport.deadline import TIMEOUT_S
from paygate.transport.errand import Errand, Pause, Send, TimeLimits, Token
from paygate.transport.observing import observer
from paygate.transport.policy import carry
from paygate.transport.tokens import AsyncTokens, Tokens

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from paygate.dialogue import Request, Response
    from paygate.gateway import SignsIn
    from paygate.transport.host import AsyncTransport, Transport

T = TypeVar("T")


def _system_now() -> datetime:
    return datetime.now(UTC)


class _Timed:
    """Sets the time limits of exchanges, with clocks that a test may replace."""

    def __init__(
        self, timeout_s: float, now: Callable[[], datetime], seconds: Callable[[], float]
    ) -> None:
        self._timeout_s = timeout_s
        self._now = now
        self._seconds = seconds

    def _timed(self, request: Request, not_after: datetime | None) -> tuple[Request, TimeLimits]:
        """Return *request* with its deadline, and its time limits."""
        if request.timeout_s is None:
            request = replace(request, timeout_s=self._timeout_s)
        ends_s = self._seconds() + (request.timeout_s or 0)
        return request, TimeLimits(ends_s, not_after, self._now, self._seconds)


class Courier(_Timed):
    """Carries the requests of one gateway account; thread-safe.

    *timeout_s* is the default time limit of an exchange, including all tries. Time is injected:
    *now* for the lease and the lifetime of tokens, *seconds* and *sleep* for deadlines and pauses.
    """

    def __init__(
        self,
        transport: Transport,
        gateway: SignsIn | None = None,
        *,
        timeout_s: float = TIMEOUT_S,
        now: Callable[[], datetime] = _system_now,
        seconds: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        super().__init__(timeout_s, now, seconds)
        self._transport = transport
        self._tokens = Tokens(gateway, now)
        self._sleep = sleep

    def exchange(self, request: Request, *, not_after: datetime | None = None) -> Response:
        """
        Send *request* and return the response, or raise `NotSent`, `NoResponse` or `BadResponse`.

        Nothing is sent again after *not_after*, the end of the lease to send.
        """
        request, limits = self._timed(request, not_after)
        return self._run(carry(request, limits), limits)

    def close(self) -> None:
        """Close the connections; an exchange under way ends first."""
        self._transport.close()

    def abandon(self) -> None:
        """Forget the connections of the parent process, in a forked child."""
        self._transport.abandon()

    def _run(self, errand: Errand[T], limits: TimeLimits) -> T:
        watching = observer(self._seconds)
        return drive(errand, lambda step: self._do(step, limits), watching)

    def _do(self, step: Send | Pause | Token, limits: TimeLimits) -> Any:
        match step:
            case Send():
                return self._transport.exchange(step.request)
            case Pause():
                return self._sleep(step.seconds)
            case Token():
                return self._tokens.get(
                    step.stale, limits, lambda errand: self._run(errand, limits)
                )
            case _:
                assert_never(step)


class AsyncCourier(_Timed):
    """Carries the requests of one gateway account, for asyncio; see `Courier`."""

    def __init__(
        self,
        transport: AsyncTransport,
        gateway: SignsIn | None = None,
        *,
        timeout_s: float = TIMEOUT_S,
        now: Callable[[], datetime] = _system_now,
        seconds: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        super().__init__(timeout_s, now, seconds)
        self._transport = transport
        self._tokens = AsyncTokens(gateway, now)
        self._sleep = sleep

    async def exchange(self, request: Request, *, not_after: datetime | None = None) -> Response:
        """Send *request* as `Courier.exchange` does."""
        request, limits = self._timed(request, not_after)
        return await self._run(carry(request, limits), limits)

    async def aclose(self) -> None:
        """Close the connections; an exchange under way ends first."""
        await self._tokens.aclose()
        await self._transport.aclose()

    async def _run(self, errand: Errand[T], limits: TimeLimits) -> T:
        watching = observer(self._seconds)
        return await drive_async(errand, lambda step: self._do(step, limits), watching)

    async def _do(self, step: Send | Pause | Token, limits: TimeLimits) -> Any:
        match step:
            case Send():
                return await self._transport.exchange(step.request)
            case Pause():
                return await self._sleep(step.seconds)
            case Token():
                return await self._tokens.get(
                    step.stale, limits, lambda errand: self._run(errand, limits)
                )
            case _:
                assert_never(step)
