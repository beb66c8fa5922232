"""What a driver's author writes, as the type checkers see it. Nothing here runs."""

from typing import assert_type

from paygate.dialogue import Dialogue, Note, Request, Response, at_once
from paygate.domain.outcome import Outcome


def charge(request: Request, outcome: Outcome) -> Dialogue[Outcome]:
    """Name the object, send, and tell the outcome."""
    yield Note("pi_1")
    response = yield request
    assert_type(response, Response)
    return outcome


def whole(request: Request, outcome: Outcome) -> Dialogue[str]:
    """Have one dialogue inside another: its result keeps its type."""
    charged = yield from charge(request, outcome)
    assert_type(charged, Outcome)
    count = yield from at_once(3)
    assert_type(count, int)
    return "done"


def wrong(request: Request) -> Dialogue[Outcome]:
    """Yield what is neither a request nor a note."""
    yield "GET /"  # type: ignore[misc]  # pyright: ignore[reportReturnType]
    return "paid"  # type: ignore[return-value]  # pyright: ignore[reportReturnType]
