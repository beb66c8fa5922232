"""Couriers over a script instead of a network, with a clock that only pauses move."""

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from paygate.dialogue import Dialogue, Request, Response
from paygate.domain.secret import Secret
from paygate.errors import GatewayError
from paygate.gateway import AccessToken, SignsIn
from paygate.testing import FakeClock
from paygate.transport import AsyncCourier, Courier

Told: TypeAlias = Response | Exception
Part: TypeAlias = Told | Callable[[Request], Told]


class Script:
    """What sends once: it tells its parts in turn, and keeps what was sent and when."""

    def __init__(self, parts: Iterator[Part], clock: FakeClock) -> None:
        self.sent: list[Request] = []
        self.sent_at: list[datetime] = []
        self._parts = parts
        self._clock = clock

    def tell(self, request: Request) -> Response:
        self.sent.append(request)
        self.sent_at.append(self._clock.now())
        part = next(self._parts)
        told = part(request) if callable(part) else part
        if isinstance(told, Exception):
            raise told
        return told

    def close(self) -> None:
        pass

    def abandon(self) -> None:
        pass


class SyncScript(Script):
    def exchange(self, request: Request) -> Response:
        return self.tell(request)


class AsyncScript(Script):
    async def exchange(self, request: Request) -> Response:
        await asyncio.sleep(0)
        return self.tell(request)

    async def aclose(self) -> None:
        pass


class Carried:
    """One courier of the one or the other face, called the same way."""

    def __init__(self, face: str, parts: Iterator[Part], signs_in: SignsIn | None = None) -> None:
        self.clock = FakeClock()
        self._began = self.clock.now()
        self.pauses: list[float] = []
        self.oversleeps = timedelta()
        self.script: Script
        self._exchange: Callable[[Request, datetime | None], Response]
        if face == "sync":
            script = SyncScript(parts, self.clock)
            courier = Courier(
                script, signs_in, now=self.clock.now, seconds=self._seconds, sleep=self._sleep
            )
            self.script = script
            self._exchange = lambda request, until: courier.exchange(request, not_after=until)
        else:
            other = AsyncScript(parts, self.clock)
            awaited = AsyncCourier(
                other, signs_in, now=self.clock.now, seconds=self._seconds, sleep=self._asleep
            )
            self.script = other
            self._exchange = lambda request, until: asyncio.run(
                awaited.exchange(request, not_after=until)
            )

    def exchange(self, request: Request, *, not_after: datetime | None = None) -> Response:
        return self._exchange(request, not_after)

    def told(self, request: Request, *, not_after: datetime | None = None) -> Told:
        """Tell the answer or the fault."""
        try:
            return self.exchange(request, not_after=not_after)
        except GatewayError as fault:
            return fault

    @property
    def sent(self) -> list[Request]:
        return self.script.sent

    def _seconds(self) -> float:
        return (self.clock.now() - self._began).total_seconds()

    def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.clock.advance(timedelta(seconds=seconds) + self.oversleeps)

    async def _asleep(self, seconds: float) -> None:
        self._sleep(seconds)


class Signer:
    """Signs in as an OAuth client does; each token has a number."""

    def __init__(self, *, expires_in_s: int = 3600, **more: Any) -> None:
        self._expires_in_s = expires_in_s
        self._more = more

    def sign_in(self) -> Dialogue[AccessToken]:
        response = yield Request(
            method="POST",
            url="http://auth.invalid/token",
            step="sign_in",
            headers={"authorization": "Basic client-secret"},
            **self._more,
        )
        if response.body == b"canceled":
            raise asyncio.CancelledError
        value = Secret(str(json.loads(response.body)["access_token"]))
        return AccessToken(value=value, expires_in_s=self._expires_in_s)


def request(step: str = "charge", **more: Any) -> Request:
    return Request(
        method="POST",
        url="http://api.invalid/charges",
        step=step,
        body=b"{}",
        **more,
    )
