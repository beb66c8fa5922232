"""What may be sent again, when, and how often: decided without a clock or a socket of its own.

| what happened | marked `repeatable` | moves money | neither |
|---|---|---|---|
| `NotSent`: not one byte left | again | again | again |
| `NoResponse`, `BadResponse` | again | never | no |
| status 409, 429, 502, 503, 504 | again | never | no |
| status 409 or 429 with `retry_header` true: turned away | again | again | again |
| any status with `retry_header` false | no | no | no |
| status 401 on `sign_in`: refused, so not done | once, with a new token | the same | the same |

Never is never, however the request is marked: what became of money is found out
by asking the processor, not by sending once more. What the processor turned away is
no exception: it says itself that nothing was done, and keeps the key for the next try.

All tries and pauses of an exchange together keep its deadline, and none begins
after the lease to send has ended. Both faces run the same errand: a generator
that yields what is to be done, as a dialogue does.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar, cast

from paygate.dialogue import Response
from paygate.errors import BadResponse, GatewayError, NoResponse, NotSent
from paygate.transport import redact
from paygate.transport.errand import Pause, Send, Token

if TYPE_CHECKING:
    from collections.abc import Callable

    from paygate.dialogue import Request
    from paygate.transport.errand import Errand, HeldToken, TimeLimits

T = TypeVar("T")

TRIES_MAX: Final = 3
"""How often a request is sent at most, where sending it again is safe."""

PAUSE_S: Final = 0.5
"""The longest pause before the second try; it doubles with every try."""

RETRY_AFTER_MAX_S: Final = 10.0
"""The longest wait that a processor may ask of us; one that asks for more is not tried again."""

TURNED_AWAY: Final = frozenset({409, 429})
"""Statuses of a request that was not begun: another one is at work, or there were too many."""

BUSY: Final = TURNED_AWAY | {502, 503, 504}
"""Statuses that say "not now", of the processor or of what stands before it."""

UNAUTHORIZED: Final = 401


def carry(request: Request, limits: TimeLimits) -> Errand[Response]:
    """Send *request*, signed in if it asks for that, as often as that is safe."""
    if not request.sign_in:
        return (yield from deliver(request, limits))
    token = cast("HeldToken", (yield Token(stale=None)))
    answer = yield from deliver(limits.bound(_signed(request, token)), limits)
    if answer.status != UNAUTHORIZED:
        return answer
    try:
        token = cast("HeldToken", (yield Token(stale=token)))
        return (yield from deliver(limits.bound(_signed(request, token)), limits))
    except NotSent:
        return answer  # it stands: the processor refused, and nothing was done


def deliver(request: Request, limits: TimeLimits) -> Errand[Response]:
    """Send *request* as it is, as often as that is safe."""
    told = yield from _try(request)
    if may_repeat(request, told):
        told = yield from _again(request, told, limits)
    if isinstance(told, GatewayError):
        raise told
    return told


def may_repeat(request: Request, told: Response | GatewayError) -> bool:
    """Tell whether *request* may be sent again after what came of it."""
    if isinstance(told, NotSent):
        return True
    match _advice(request, told):
        case "false":
            return False
        case "true" if isinstance(told, Response) and told.status in TURNED_AWAY:
            return True
        case _:
            pass
    if request.moves_money or not request.repeatable:
        return False
    return told.status in BUSY if isinstance(told, Response) else isinstance(told, _NO_NEWS)


def _advice(request: Request, told: Response | GatewayError) -> str:
    """Return what the processor says of sending *request* again; empty if nothing."""
    if not request.retry_header or not isinstance(told, Response):
        return ""
    return told.headers.get(request.retry_header.lower(), "").strip().lower()


_NO_NEWS: Final = (NoResponse, BadResponse)


def _try(request: Request) -> Errand[Response | GatewayError]:
    try:
        return cast("Response", (yield Send(request)))
    except GatewayError as fault:
        return fault


def _again(
    request: Request, told: Response | GatewayError, limits: TimeLimits
) -> Errand[Response | GatewayError]:
    # Entered after a failure only, so that what always works never loads it.
    from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_random_exponential

    enough, jitter = stop_after_attempt(TRIES_MAX), wait_random_exponential(multiplier=PAUSE_S)
    latest, pauses = told, list[float]()
    rule = Retrying(
        retry=retry_if_result(partial(may_repeat, request)),
        wait=lambda state: jitter(state) + _asked_pause_s(latest, limits.now),
        stop=lambda state: enough(state) or not limits.may_send_in(state.upcoming_sleep),
        before_sleep=lambda state: redact.tell_repetition(
            request, state.attempt_number + 1, state.upcoming_sleep
        ),
        sleep=pauses.append,  # an errand does not sleep; whoever runs it does
        retry_error_callback=lambda _: None,
    )
    for attempt in rule:
        if pauses:  # before every try but the first, which was made already
            yield Pause(pauses.pop())
            if not limits.may_send_in(0):  # this process was stopped while it waited
                return told
            latest = yield from _try(limits.bound(request))
            if not isinstance(latest, NotSent) or isinstance(told, NotSent):
                told = latest  # that a later try did not leave says nothing of an earlier one
        attempt.retry_state.set_result(latest)
    return told


def _asked_pause_s(told: Response | GatewayError, now: Callable[[], datetime]) -> float:
    """Read for how long the processor asks us to stay away (RFC 9110, 10.2.3)."""
    text = told.headers.get("retry-after", "").strip() if isinstance(told, Response) else ""
    if text.isascii() and text.isdigit():
        seconds = float(text)
    else:
        try:
            until = parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return 0.0
        until = until.replace(tzinfo=UTC) if until.tzinfo is None else until
        seconds = max(0.0, (until - now()).total_seconds())
    # To come back sooner than we were asked to would be no favour; so we do not come back.
    return seconds if seconds <= RETRY_AFTER_MAX_S else float("inf")


def _signed(request: Request, token: HeldToken) -> Request:
    others = {
        name: text for name, text in request.headers.items() if name.lower() != "authorization"
    }
    bearer = f"Bearer {token.value.reveal()}"
    return replace(request, headers={**others, "authorization": bearer})
