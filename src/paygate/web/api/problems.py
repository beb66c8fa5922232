"""Problems: how a request is refused, as RFC 9457 describes it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, Field

from paygate import errors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response

MEDIA_TYPE: Final = "application/problem+json"

TITLES: Final[Mapping[int, str]] = {
    400: "The request cannot be read",
    401: "The API key is missing or not valid",
    403: "The API key may not do this",
    404: "Not found",
    405: "This method cannot be used here",
    408: "The request took too long to arrive",
    409: "Refused",
    413: "The request is too long",
    415: "The content is not JSON",
    422: "A value is not valid",
    429: "Too many requests with a wrong key",
    500: "An error of ours",
    503: "Try again later",
}
"""The titles of problems, by status."""

_STATUS: Final[Mapping[type[errors.PaygateError], int]] = {
    errors.RecordNotFound: 404,
    errors.TokenKeysMissing: 500,
    errors.PageKeysMissing: 500,
    errors.MissingExtra: 500,
    errors.InvalidSettings: 500,
    errors.LiveModeMismatch: 500,
    errors.NotAllowedHere: 500,
    errors.NumberReused: 409,
    errors.UsageError: 422,
    errors.SendingStopped: 503,
    errors.Refused: 409,
    errors.AccountsUnavailable: 503,
    errors.StoreBusy: 503,
    errors.StoreError: 500,
    errors.PaygateError: 500,
}
_LATER: Final = (429, 503)
_RETRY_AFTER_S: Final = "5"
_WORDS: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class ProblemFault(BaseModel):
    """One thing that is wrong with a body: where, as a JSON Pointer, and what."""

    pointer: str
    detail: str


class Problem(BaseModel):
    """Why a request was refused (RFC 9457); nothing of it was done."""

    type: str = Field(description="Names the problem for programs.")
    title: str
    status: int
    detail: str
    errors: list[ProblemFault] = Field(
        default_factory=list[ProblemFault], description="What is wrong with the body, and where."
    )


class ProblemError(Exception):
    """A request is refused with *status*; *name* is what programs know the problem by."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        name: str = "",
        faults: list[ProblemFault] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.name = name
        self.faults = faults or []
        self.headers = dict(headers or {})


def problem_of(error: errors.PaygateError) -> ProblemError:
    """Return the problem for an error of the cashier; the set-up of the host is not shown."""
    status = next(_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS)
    if status == 500:
        return ProblemError(500, "the merchant's server is not set up for this")
    return ProblemError(status, error.message, name=_name_of(type(error).__name__))


def problem_response(problem: ProblemError) -> Response:
    """Return the response that says why a request was refused."""
    from starlette.responses import Response

    body = Problem(
        type=f"urn:paygate:problem:{problem.name or _name_of(_plain(problem.status))}",
        title=TITLES[problem.status],
        status=problem.status,
        detail=problem.detail,
        errors=problem.faults,
    )
    headers = {**HEADERS, **problem.headers}
    if problem.status in _LATER:
        headers.setdefault("retry-after", _RETRY_AFTER_S)
    return Response(
        body.model_dump_json(), status_code=problem.status, headers=headers, media_type=MEDIA_TYPE
    )


HEADERS: Final[Mapping[str, str]] = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
}
"""The headers of every response."""


def _name_of(error: str) -> str:
    """Return the name of a class of errors as programs read it: ``already-paid``."""
    return _WORDS.sub("-", error).lower()


def _plain(status: int) -> str:
    names: dict[int, Any] = {
        400: "Unreadable",
        401: "Unauthorized",
        403: "Forbidden",
        404: "NotFound",
        405: "MethodNotAllowed",
        408: "Timeout",
        413: "TooLong",
        415: "NotJson",
        422: "NotValid",
        429: "TooMany",
        500: "OurFault",
    }
    return str(names.get(status, "TryLater"))
