"""Play the processor's part in a dialogue by hand: no network, no event loop, no mock."""

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
    """How a dialogue went: what it asked, what it noted, and what it made of the answers."""

    outcome: T
    requests: list[Request] = field(default_factory=list[Request])
    notes: list[str] = field(default_factory=list[str])


def play(dialogue: Dialogue[T], *responses: Response | Exception) -> Played[T]:
    """
    Answer the requests of *dialogue* with *responses*, in order, and tell how it went.

    An exception among them is thrown in at that place, as the core throws
    `NotSent`, `NoResponse` and `BadResponse`. What the dialogue raises passes through.
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
    """Does the steps of a generator as *reply* says, and keeps them.

    An exception that *reply* returns is thrown into the generator. One that it raises is a
    failure of the test: it ends the play, and the generator cannot hide it.
    """

    def __init__(self, reply: Callable[[S], object]) -> None:
        self.steps: list[S] = []
        self._reply = reply
        self._next: Any = None

    def play(self, generator: Generator[S, Any, T]) -> T:
        """Return the result of *generator*."""
        return drive(generator, self._do, self)

    def before(self, step: S) -> None:
        """Keep *step*, and ask for the reply to it."""
        self.steps.append(step)
        self._next = self._reply(step)

    def after(self, step: S, result: object) -> None:
        """Have nothing to add."""

    def failed(self, step: S, error: BaseException) -> None:
        """Have nothing to add."""

    def _do(self, _: S) -> Any:
        if isinstance(self._next, Exception):
            raise self._next
        return self._next
