"""Refusals: what the status of a response means, before and after money may have moved.

Before the request that moves money, every error means that nothing happened: the operation is
rejected, and may be repeated if the processor was only busy. From that request on, an error is a
refusal only if the processor itself certainly sent it; anything else, such as a 500, a 409 or the
page of a proxy, leaves the outcome unknown. A refused inquiry determines nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from paygate.domain.outcome import RejectCause, Rejected, Unknown
from paygate.errors import BadResponse, CredentialsRejected

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.dialogue import Response

Cause: TypeAlias = tuple[RejectCause, bool]
"""Why a request was refused, and whether it may be repeated."""

CAUSES_BY_STATUS: Final[Mapping[int, Cause]] = {
    400: (RejectCause.VALIDATION, False),  # not acceptable, such as a missing parameter
    401: (RejectCause.CREDENTIALS, False),  # no valid key was given
    403: (RejectCause.PERMISSION, False),  # the key may not do this
    404: (RejectCause.VALIDATION, False),  # the object of the request does not exist
    429: (RejectCause.RATE_LIMIT, True),  # too many requests, so this one was turned away
}
"""Why a request was refused, by status.

409, 422 and 5xx mean different things at different processors: they are refusals only if a driver
knows the code that came with them.
"""

BUSY: Final[Cause] = (RejectCause.UNAVAILABLE, True)
"""The cause if the processor was only busy: it certainly did nothing, and may be asked again."""


def refusal(
    response: Response,
    by: str,
    *,
    money_may_move: bool,
    cause: Cause | None = None,
    certain: bool = True,
    raw_code: str = "",
    message: str = "",
    reference: str = "",
) -> Rejected | Unknown:
    """Return the outcome of an operation whose response is an error.

    *cause* is what the processor's own code means; it takes precedence over the status. *certain*
    is whether the body shows that the processor itself refused, which matters once money may move.
    """
    found = cause or CAUSES_BY_STATUS.get(response.status)
    if money_may_move and (found is None or not certain):
        return Unknown(reason=f"{by} answered with status {response.status}", reference=reference)
    why, retryable = found or BUSY
    return Rejected(
        cause=why, retryable=retryable, raw_code=raw_code, message=message, reference=reference
    )


def unanswered(
    response: Response, by: str, *, cause: Cause | None = None, said: str = ""
) -> BadResponse:
    """Return the error for a refused inquiry; `CredentialsRejected` if the key was refused."""
    told = f"status {response.status}" + (f", {said}" if said else "")
    found = cause or CAUSES_BY_STATUS.get(response.status)
    if found is not None and found[0] is RejectCause.CREDENTIALS:
        return CredentialsRejected(f"{by} does not accept the key: {told}")
    return BadResponse(f"{by} did not answer the inquiry: {told}", status=response.status)
