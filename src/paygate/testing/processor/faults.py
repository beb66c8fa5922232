"""The faults of the fake's network, in memory and over HTTP."""

from __future__ import annotations

from typing import Final, NoReturn

from paygate.dialogue import Response
from paygate.errors import NoResponse, NotSent
from paygate.testing.processor.magic import Wire

BEFORE: Final = frozenset({Wire.UNSENT, Wire.REQUEST_LOST, Wire.REQUEST_LATE})
"""Faults after which the processor has not received the request, or not yet."""

HUGE_BYTES: Final = 10_000_000


class LateAnswer(NoResponse):
    """The response is ready, but arrives only after the client has stopped waiting."""

    response: Response


def lose_request(wire: Wire) -> NoReturn:
    """Raise the fault of a network on which the request does not arrive."""
    if wire is Wire.UNSENT:
        raise NotSent("simulated fault: the connection was refused")
    raise NoResponse("simulated fault: the request was sent and no response came")


def server_error() -> Response:
    """Return the response of a server with an internal error."""
    return Response(status=500, headers={"content-type": "text/plain"}, body=b"internal error")


def damage(wire: Wire, response: Response) -> Response:
    """Return *response* as damaged by *wire*, or raise the fault that loses it."""
    match wire:
        case Wire.RESPONSE_LOST:
            raise NoResponse("simulated fault: the request arrived and its response was lost")
        case Wire.RESPONSE_LATE:
            raise LateAnswer("simulated fault: the response came too late", response=response)
        case Wire.GARBAGE:
            body = b"<html>\xff\xfe this is not what you asked for"
        case Wire.TRUNCATED:
            # The announced length is that of the whole response.
            size = str(len(response.body))
            half = response.body[: len(response.body) // 2]
            return Response(status=200, headers={"content-length": size}, body=half)
        case Wire.HUGE:
            body = response.body[:-1] + b',"padding":"' + b"x" * HUGE_BYTES + b'"}'
        case _:
            return response
    return Response(status=response.status, headers=response.headers, body=body)
