"""Holding a dialogue against a transcript, and keeping what there is to see of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Generic, TypeVar

from paygate.dialogue import NOTED, deferred
from paygate.driver import NoResponse, Note, Request, Response
from paygate.service.flow import Exchange, ask
from paygate.testing.conformance.explain import DIALOGUES, TRANSCRIPTS, fail
from paygate.testing.play import Player

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from paygate.domain.outcome import Unsent
    from paygate.driver import Dialogue, Unknown
    from paygate.service.flow import Step
    from paygate.testing.conformance.transcripts import Case

T = TypeVar("T")

REQUESTS_MAX = 1_000
"""A dialogue that asks more often than this never ends."""


@dataclass(slots=True)
class HeldDialogue(Generic[T]):
    """A dialogue as it went: what it asked and noted, in order, and how it ended."""

    steps: list[Request | Note] = field(default_factory=list[Request | Note])
    outcome: T | None = None
    raised: Exception | None = None

    @property
    def requests(self) -> list[Request]:
        """The requests, in order."""
        return [step for step in self.steps if isinstance(step, Request)]

    @property
    def money_at(self) -> int | None:
        """The place of the request that moves money among the requests, if there is one."""
        moving = [number for number, each in enumerate(self.requests) if each.moves_money]
        return moving[0] if moving else None


def hold(
    begin: Callable[[], Dialogue[T]], respond: Callable[[int, Request], Response | Exception]
) -> HeldDialogue[T]:
    """Hold the dialogue that *begin* begins to its end, whatever that is."""
    numbers = count()

    def reply(step: Request | Note) -> Response | Exception:
        if isinstance(step, Note):
            return NOTED
        number = next(numbers)
        if number >= REQUESTS_MAX:
            fail(
                expected=f"a dialogue that ends within {REQUESTS_MAX} requests",
                got=f"it still asks: {step!r}",
                why="an operation that never ends holds its claim on the invoice permanently",
                read=DIALOGUES,
            )
        return respond(number, step)

    player = Player(reply)
    held: HeldDialogue[T] = HeldDialogue(player.steps)
    try:
        held.outcome = player.play(deferred(begin))
    except AssertionError:
        raise
    except Exception as error:  # noqa: BLE001  (what it raises is what we look at)
        held.raised = error
    return held


def conclude(
    begin: Callable[[], Dialogue[T]],
    respond: Callable[[int, Request], Response | Exception],
    *,
    all_matter: bool = False,
) -> T | Unsent | Unknown:
    """Hold the dialogue as the core does, and return what the core concludes about the money."""
    numbers = count()

    def reply(step: Step) -> Response | Exception:
        assert isinstance(step, Exchange), "without an attempt nothing is written"
        return respond(next(numbers), step.request)

    return Player(reply).play(ask("conformance", deferred(begin), all_matter=all_matter))


def scripted(case: Case, replies: Sequence[Response]) -> Callable[[int, Request], Response]:
    """Answer as *case* says; a request too many, or of another step, fails."""

    def respond(number: int, request: Request) -> Response:
        if number >= len(replies):
            fail(
                expected=f"{len(replies)} requests, as many as the case {case.name!r} of "
                f"{case.file} has answers",
                got=f"one more: {request!r}",
                why="the case must hold the whole conversation, or the test proves only its "
                "beginning; add the answer, or mend the driver if it should not ask",
                read=TRANSCRIPTS,
            )
        wanted = case.messages[number].step
        if wanted and wanted != request.step:
            fail(
                expected=f"the step {wanted!r}, as {case.file} line "
                f"{case.messages[number].line} says",
                got=request,
                why="each step has an idempotency key of its own: under another name the same "
                "request counts as a new one, and is done again",
                read=TRANSCRIPTS,
            )
        return replies[number]

    return respond


def spoiled(
    case: Case, replies: Sequence[Response], at: int, reply: Response | Exception
) -> Callable[[int, Request], Response | Exception]:
    """Answer as *case* says, but the request at place *at* with *reply*, and none after it."""
    good = scripted(case, replies)

    def respond(number: int, request: Request) -> Response | Exception:
        if number < at:
            return good(number, request)
        return reply if number == at else NoResponse("the kit answers no more")

    return respond


class HostStops(BaseException):
    """The host's process ends while it waits for an answer."""


def until(
    stop: int, respond: Callable[[int, Request], Response | Exception]
) -> Callable[[int, Request], Response | Exception]:
    """Answer as *respond* does; the host stops at the request at place *stop*."""

    def reply(number: int, request: Request) -> Response | Exception:
        if number == stop:
            raise HostStops
        return respond(number, request)

    return reply


def then_silence(
    replies: Sequence[Response],
) -> Callable[[int, Request], Response | Exception]:
    """Answer with *replies*, and not at all after them."""

    def respond(number: int, _: Request) -> Response | Exception:
        return replies[number] if number < len(replies) else NoResponse("the kit answers no more")

    return respond


def heard_all(case: Case, held: HeldDialogue[T]) -> HeldDialogue[T]:
    """Fail where the dialogue ended before it had heard every answer of *case*."""
    if len(held.requests) < len(case.messages):
        fail(
            expected=f"{len(case.messages)} requests, as many as the case {case.name!r} of "
            f"{case.file} has answers",
            got=f"{len(held.requests)} requests: {held.requests!r}, and then "
            f"{held.raised if held.raised is not None else held.outcome!r}",
            why="an answer that is never asked for proves nothing; take it out, or mend the driver",
            read=TRANSCRIPTS,
        )
    return held
