"""Policy: what may be sent again, when, and how often, decided without clock or socket.

| result | marked `repeatable` | moves money | neither |
|---|---|---|---|
| `NotSent`: not one byte left | again | again | again |
| `NoResponse`, `BadResponse` | again | never | no |
| status 409, 429, 502, 503, 504 | again | never | no |
| status 409 or 429 with `retry_header` true: turned away | again | again | again |
| any status with `retry_header` false | no | no | no |
| status 401 on `sign_in`: refused, so not executed | once, with a new token | the same | the same |

"Never" applies however the request is marked: what happened to money is determined by an inquiry,
not by sending again. A request that the processor turned away is not an exception: the processor
itself says that nothing was done, and keeps the key for the next try.

All tries and pauses of an exchange together keep its deadline, and none begins after the lease to
send has ended. Both faces run the same errand, a generator of steps like a dialogue.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar, cast

from paygate.dialogue import Response
from paygate.domain.secret import DOTS
from paygate.errors import BadResponse, GatewayError, NoResponse, NotSent
from paygate.transport import redact
from paygate.transport.errand import Pause, Send, Token

if TYPE_CHECKING:
    from collections.abc import Callable

    from paygate.dialogue import Request
    from paygate.transport.errand import Errand, HeldToken, TimeLimits

T = TypeVar("T")

TRIES_MAX: Final = 3
"""How often a request is sent at most, if sending it again is safe."""

PAUSE_S: Final = 0.5
"""The longest pause before the second try; it doubles with every try."""

RETRY_AFTER_MAX_S: Final = 10.0
"""The longest pause that a processor may ask for; if it asks for more, there is no retry."""

TURNED_AWAY: Final = frozenset({409, 429})
"""Statuses of a request that was not begun: another is in progress, or there were too many."""

BUSY: Final = TURNED_AWAY | {502, 503, 504}
"""Temporary statuses of the processor, or of a proxy in front of it."""

UNAUTHORIZED: Final = 401


def carry(request: Request, limits: TimeLimits) -> Errand[Response]:
    """Send *request* and return the response, with a token if it asks for one, and safe retries."""
    if not request.sign_in:
        return (yield from deliver(request, limits))
    token = cast("HeldToken", (yield Token(stale=None)))
    answer = yield from _deliver_signed(request, token, limits)
    if answer.status != UNAUTHORIZED:
        return answer
    try:
        token = cast("HeldToken", (yield Token(stale=token)))
        return (yield from _deliver_signed(request, token, limits))
    except NotSent:
        return answer  # the refusal stands: the processor did nothing


def deliver(request: Request, limits: TimeLimits) -> Errand[Response]:
    """Send *request* unchanged and return the response, with retries if they are safe."""
    result = yield from _try(request)
    if may_repeat(request, result):
        result = yield from _again(request, result, limits)
    if isinstance(result, GatewayError):
        raise result
    return result


def may_repeat(request: Request, result: Response | GatewayError) -> bool:
    """Return whether *request* may be sent again after this result."""
    if isinstance(result, NotSent):
        return True
    match _advice(request, result):
        case "false":
            return False
        case "true" if isinstance(result, Response) and result.status in TURNED_AWAY:
            return True
        case _:
            pass
    if request.moves_money or not request.repeatable:
        return False
    return result.status in BUSY if isinstance(result, Response) else isinstance(result, _NO_NEWS)


def _advice(request: Request, result: Response | GatewayError) -> str:
    """Return the processor's advice about sending *request* again, or an empty text."""
    if not request.retry_header or not isinstance(result, Response):
        return ""
    return result.headers.get(request.retry_header.lower(), "").strip().lower()


_NO_NEWS: Final = (NoResponse, BadResponse)


def _try(request: Request) -> Errand[Response | GatewayError]:
    try:
        return cast("Response", (yield Send(request)))
    except GatewayError as fault:
        return fault


def _again(
    request: Request, result: Response | GatewayError, limits: TimeLimits
) -> Errand[Response | GatewayError]:
    # Imported only after a failure, so that a process without failures never loads it.
    from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_random_exponential

    enough, jitter = stop_after_attempt(TRIES_MAX), wait_random_exponential(multiplier=PAUSE_S)
    latest, pauses = result, list[float]()
    rule = Retrying(
        retry=retry_if_result(partial(may_repeat, request)),
        wait=lambda state: jitter(state) + _asked_pause_s(latest, limits.now),
        stop=lambda state: enough(state) or not limits.may_send_in(state.upcoming_sleep),
        before_sleep=lambda state: redact.log_retry(
            request, state.attempt_number + 1, state.upcoming_sleep
        ),
        sleep=pauses.append,  # an errand does not sleep; its runner does
        retry_error_callback=lambda _: None,
    )
    for attempt in rule:
        if pauses:  # before every try except the first, which was made already
            yield Pause(pauses.pop())
            if not limits.may_send_in(0):  # this process was suspended during the pause
                return result
            latest = yield from _try(limits.bound(request))
            if not isinstance(latest, NotSent) or isinstance(result, NotSent):
                result = latest  # that a later try did not leave says nothing of an earlier one
        attempt.retry_state.set_result(latest)
    return result


def _asked_pause_s(result: Response | GatewayError, now: Callable[[], datetime]) -> float:
    """Return the pause that the processor asks for, in seconds (RFC 9110, 10.2.3)."""
    text = result.headers.get("retry-after", "").strip() if isinstance(result, Response) else ""
    if text.isascii() and text.isdigit():
        seconds = float(text)
    else:
        try:
            until = parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return 0.0
        until = until.replace(tzinfo=UTC) if until.tzinfo is None else until
        seconds = max(0.0, (until - now()).total_seconds())
    # A retry sooner than asked for would not help, so do not retry.
    return seconds if seconds <= RETRY_AFTER_MAX_S else float("inf")


def _deliver_signed(request: Request, token: HeldToken, limits: TimeLimits) -> Errand[Response]:
    """
    Send *request* with *token*, and return the response without the token.

    The driver never sees the token, so it cannot keep it out of a message that quotes the response.
    """
    answer = yield from deliver(limits.bound(_signed(request, token)), limits)
    body = _blotted(answer.body, token)
    headers = {
        name: token.spellings.blotted(text, prose=False, whole=True)
        for name, text in answer.headers.items()
    }
    if body == answer.body and headers == answer.headers:
        return answer
    return replace(answer, body=body, headers=headers)


def _blotted(body: bytes, token: HeldToken) -> bytes:
    # Bytes of any encoding; those of the token are ASCII.
    text = body.decode("latin-1")
    left = token.spellings.blotted(text, prose=False, whole=True)
    return body if left == text else left.replace(DOTS, _DOTS_BYTES).encode("latin-1")


_DOTS_BYTES: Final = DOTS.encode().decode("latin-1")


def _signed(request: Request, token: HeldToken) -> Request:
    others = {
        name: text for name, text in request.headers.items() if name.lower() != "authorization"
    }
    bearer = f"Bearer {token.value.reveal()}"
    return replace(request, headers={**others, "authorization": bearer})
