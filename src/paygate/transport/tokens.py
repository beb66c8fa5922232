"""Access tokens: obtained once per account, shared, and renewed before they expire.

Only one sign-in of an account is under way in a process: others that need a token wait for it, and
share its failure too. A token is kept in memory only, and never shown.
"""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import Future
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from paygate.dialogue import NOTED, Note, deferred
from paygate.domain.spellings import Spellings
from paygate.driving import contained, raised, relay
from paygate.errors import NotSent, PaygateError, Unsupported, UsageError
from paygate.transport import policy
from paygate.transport.errand import HeldToken

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from paygate.dialogue import Request, Response
    from paygate.gateway import SignsIn
    from paygate.transport.errand import Errand, TimeLimits

T = TypeVar("T")

MARGIN_MAX: Final = timedelta(seconds=60)
"""How long before its expiry a token is renewed, so that it does not expire in flight."""

_MARGIN_SHARE = 5  # of a short-lived token it is a fifth


def signing_in(gateway: SignsIn, limits: TimeLimits) -> Errand[HeldToken]:
    """Return a token; any failure is `NotSent`, since the waiting request was not sent."""
    since = limits.now()  # it may have been issued as soon as we asked
    try:
        token = yield from relay(
            contained(deferred(gateway.sign_in)), lambda step: _answer(step, limits)
        )
        lives = timedelta(seconds=token.expires_in_s)
        until = since + lives - min(MARGIN_MAX, lives / _MARGIN_SHARE)
        return HeldToken(token.value, since, until, Spellings([token.value]))
    except UsageError:
        raise
    except PaygateError as fault:
        reason = fault.message
    except Exception as bug:  # noqa: BLE001  (the driver's; its text may hold a secret)
        reason = f"the driver failed with {type(raised(bug)).__name__}"
    raise NotSent(f"could not sign in: {reason}")


def _answer(step: Request | Note, limits: TimeLimits) -> Errand[Response]:
    if isinstance(step, Note):
        return NOTED
    if step.sign_in:
        raise NotSent("the driver's sign_in asks for the token that it should return")
    return (yield from policy.deliver(limits.bound(step), limits))


class _TokenHolder:
    """Holds the token of one account."""

    def __init__(self, gateway: SignsIn | None, now: Callable[[], datetime]) -> None:
        self._gateway = gateway
        self._now = now
        self._held: HeldToken | None = None

    def _serves(self, held: HeldToken, stale: HeldToken | None) -> bool:
        return held is not stale and held.usable(self._now())

    def _signing_in(self, limits: TimeLimits) -> Errand[HeldToken]:
        if self._gateway is None:
            raise Unsupported("a request asks for an access token, but its driver cannot sign in")
        return signing_in(self._gateway, limits)


class Tokens(_TokenHolder):
    """The token of one account, for threads.

    There is no lock that a fork could leave locked permanently: the thread that first puts its
    sign-in into the dictionary does it, and a child does not see its parent's.
    """

    def __init__(self, gateway: SignsIn | None, now: Callable[[], datetime]) -> None:
        super().__init__(gateway, now)
        self._under_way: dict[tuple[int, int], Future[HeldToken]] = {}

    def get(
        self,
        stale: HeldToken | None,
        limits: TimeLimits,
        run: Callable[[Errand[HeldToken]], HeldToken],
    ) -> HeldToken:
        """Get a token other than *stale*, signing in by *run* unless somebody is at it."""
        replaced = self._held
        if replaced is not None and self._serves(replaced, stale):
            return replaced
        place = (os.getpid(), id(replaced))
        ours: Future[HeldToken] = Future()
        theirs = self._under_way.setdefault(place, ours)
        if theirs is not ours:
            return _shared(theirs, limits.left_s())
        try:
            held = self._held
            if held is None or held is replaced:  # else it has been renewed in the meantime
                held = self._held = run(self._signing_in(limits))
        except BaseException as failure:
            ours.set_exception(failure)
            raise
        else:
            ours.set_result(held)
            return held
        finally:
            del self._under_way[place]


def _shared(theirs: Future[HeldToken], left_s: float) -> HeldToken:
    try:
        failure = theirs.exception(left_s)
    except TimeoutError:
        raise _too_slow() from None
    if failure is None:
        return theirs.result()
    raise _same(failure)


RunAsync: TypeAlias = "Callable[[Errand[HeldToken]], Coroutine[Any, Any, HeldToken]]"


class AsyncTokens(_TokenHolder):
    """The token of one account, for the tasks of an event loop."""

    def __init__(self, gateway: SignsIn | None, now: Callable[[], datetime]) -> None:
        super().__init__(gateway, now)
        self._under_way: asyncio.Task[HeldToken] | None = None

    async def get(self, stale: HeldToken | None, limits: TimeLimits, run: RunAsync) -> HeldToken:
        """Get a token other than *stale*, signing in by *run* unless somebody is at it."""
        held = self._held
        if held is not None and self._serves(held, stale):
            return held
        task = self._under_way
        if task is None or task.done() or task.get_loop() is not asyncio.get_running_loop():
            # A separate task: a canceled caller stops waiting, and the others do not.
            task = self._under_way = asyncio.create_task(self._renew(limits, run))
            task.add_done_callback(_retrieve)
        done, _ = await asyncio.wait((task,), timeout=limits.left_s())
        if not done:
            raise _too_slow()
        failure = asyncio.CancelledError() if task.cancelled() else task.exception()
        if failure is None:
            return task.result()
        raise _same(failure)

    async def aclose(self) -> None:
        """Stop a sign-in that is under way."""
        task = self._under_way
        if task is not None and task.get_loop() is asyncio.get_running_loop():
            task.cancel()
            await asyncio.wait((task,))

    async def _renew(self, limits: TimeLimits, run: RunAsync) -> HeldToken:
        held = self._held = await run(self._signing_in(limits))
        return held


def _retrieve(task: asyncio.Task[HeldToken]) -> None:
    """Retrieve the failure, because nobody may be waiting for it any more."""
    if not task.cancelled():
        task.exception()


def _same(failure: BaseException) -> PaygateError:
    """Return a copy of a shared failure, so that each caller has its own traceback."""
    if isinstance(failure, PaygateError):
        return type(failure)(failure.message, **failure.facts)
    return NotSent(f"could not sign in: it failed with {type(failure).__name__}")


def _too_slow() -> NotSent:
    return NotSent("could not sign in before the deadline")
