"""Playing the processor's part in a dialogue: no network, no event loop, no mock."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from paygate.dialogue import NOTED, Note, Request, Response
from paygate.driving import drive

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from paygate.dialogue import Dialogue

S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Played(Generic[T]):
    """A finished dialogue: its outcome, its requests, and its notes."""

    outcome: T
    requests: list[Request] = field(default_factory=list[Request])
    notes: list[str] = field(default_factory=list[str])


def play(dialogue: Dialogue[T], *responses: Response | Exception) -> Played[T]:
    """
    Run *dialogue*, answer its requests with *responses* in order, and return what it did.

    An exception among the responses is thrown into the dialogue at that request, as the core
    throws `NotSent`, `NoResponse` and `BadResponse`. Exceptions of the dialogue propagate.
    Fails if the dialogue sends more or fewer requests than there are responses.

        >>> from paygate.dialogue import at_once
        >>> play(at_once("done")).outcome
        'done'
    """
    waiting = list(responses)

    def respond(request: Request) -> Response | Exception:
        assert waiting, f"no response is left for {request!r}"
        return waiting.pop(0)

    played = converse(dialogue, respond)
    assert not waiting, f"the dialogue ended with {len(waiting)} responses left over"
    return played


def converse(
    dialogue: Dialogue[T], respond: Callable[[Request], Response | Exception]
) -> Played[T]:
    """Run *dialogue* to its end with the responses of *respond*, and record its notes."""

    def reply(step: Request | Note) -> Response | Exception:
        return NOTED if isinstance(step, Note) else respond(step)

    player = Player(reply)
    outcome = player.play(dialogue)
    return Played(
        outcome,
        requests=[step for step in player.steps if isinstance(step, Request)],
        notes=[step.reference for step in player.steps if isinstance(step, Note)],
    )


class Player(Generic[S]):
    """Run a generator with the replies of *reply*, and record its steps.

    An exception that *reply* returns is thrown into the generator. An exception that it
    raises is a failure of the test: it ends the run, and the generator cannot catch it.
    """

    def __init__(self, reply: Callable[[S], object]) -> None:
        self.steps: list[S] = []
        self._reply = reply
        self._next: Any = None

    def play(self, generator: Generator[S, Any, T]) -> T:
        """Run *generator* and return its result."""
        return drive(generator, self._do, self)

    def before(self, step: S) -> None:
        """Record *step*, and get the reply to it."""
        self.steps.append(step)
        self._next = self._reply(step)

    def after(self, step: S, result: object) -> None:
        """Do nothing."""

    def failed(self, step: S, error: BaseException) -> None:
        """Do nothing."""

    def _do(self, _: S) -> Any:
        if isinstance(self._next, Exception):
            raise self._next
        return self._next
