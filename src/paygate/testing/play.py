"""Play the processor's part in a dialogue by hand: no network, no event loop, no mock."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from paygate.dialogue import NOTED, Note, Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from paygate.dialogue import Dialogue

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Played(Generic[T]):
    """How a dialogue went: what it asked, what it noted, and what it made of the answers."""

    outcome: T
    requests: list[Request] = field(default_factory=list[Request])
    notes: list[str] = field(default_factory=list[str])


def play(dialogue: Dialogue[T], *responses: Response | Exception) -> Played[T]:
    """
    Answer the requests of *dialogue* with *responses*, in order, and tell how it went.

    An exception among them is thrown in at that place, as the core throws
    `NotSent`, `NoReply` and `BadReply`. What the dialogue raises passes through.
    Asking more or less often than there are responses fails.

        >>> from paygate.dialogue import at_once
        >>> play(at_once("done")).outcome
        'done'
    """
    waiting = list(responses)

    def respond(request: Request) -> Response | Exception:
        assert waiting, f"no response is left for {request!r}"
        return waiting.pop(0)

    played = converse(dialogue, respond)
    assert not waiting, f"the dialogue ended with {len(waiting)} responses unheard"
    return played


def converse(
    dialogue: Dialogue[T], respond: Callable[[Request], Response | Exception]
) -> Played[T]:
    """Run *dialogue* to its end, each request answered by *respond*, each note taken down."""
    requests: list[Request] = []
    notes: list[str] = []
    reply: Response | Exception | None = None
    try:
        while True:
            try:
                asked = _go_on(dialogue, reply)
            except StopIteration as end:
                return Played(end.value, requests, notes)
            if isinstance(asked, Note):
                notes.append(asked.reference)
                reply = NOTED
            else:
                requests.append(asked)
                reply = respond(asked)
    finally:
        dialogue.close()


def _go_on(dialogue: Dialogue[T], reply: Response | Exception | None) -> Request | Note:
    if reply is None:
        return next(dialogue)
    return dialogue.throw(reply) if isinstance(reply, Exception) else dialogue.send(reply)
