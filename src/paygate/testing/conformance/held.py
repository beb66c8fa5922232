"""Running a dialogue against a transcript, and recording what it does."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Generic, TypeVar

from paygate.dialogue import NOTED, deferred
from paygate.driver import NoResponse, Note, Request, Response
from paygate.service.asking import ask
from paygate.service.flow import Exchange
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
"""A dialogue with more requests than this is taken to be endless."""


@dataclass(slots=True)
class HeldDialogue(Generic[T]):
    """A recorded dialogue: its requests and notes, in order, and its outcome or exception."""

    steps: list[Request | Note] = field(default_factory=list[Request | Note])
    outcome: T | None = None
    raised: Exception | None = None

    @property
    def requests(self) -> list[Request]:
        """The requests, in order."""
        return [step for step in self.steps if isinstance(step, Request)]

    @property
    def money_at(self) -> int | None:
        """The index of the request that moves money, if there is one."""
        moving = [number for number, each in enumerate(self.requests) if each.moves_money]
        return moving[0] if moving else None


def hold(
    begin: Callable[[], Dialogue[T]], respond: Callable[[int, Request], Response | Exception]
) -> HeldDialogue[T]:
    """Run the dialogue that *begin* starts to its end, whether it returns or raises."""
    numbers = count()

    def reply(step: Request | Note) -> Response | Exception:
        if isinstance(step, Note):
            return NOTED
        number = next(numbers)
        if number >= REQUESTS_MAX:
            fail(
                expected=f"a dialogue that ends within {REQUESTS_MAX} requests",
                got=f"one more request: {step!r}",
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
    except Exception as error:  # noqa: BLE001  (the exception is what the cases examine)
        held.raised = error
    return held


def conclude(
    begin: Callable[[], Dialogue[T]],
    respond: Callable[[int, Request], Response | Exception],
    *,
    all_matter: bool = False,
) -> T | Unsent | Unknown:
    """Run the dialogue as the core does, and return what the core concludes about the money."""
    numbers = count()

    def reply(step: Step) -> Response | Exception:
        assert isinstance(step, Exchange), "without an attempt nothing is written"
        return respond(next(numbers), step.request)

    return Player(reply).play(
        ask("conformance", deferred(begin), what="conformance", all_matter=all_matter)
    )


def scripted(case: Case, replies: Sequence[Response]) -> Callable[[int, Request], Response]:
    """Respond as *case* says; fail on an extra request, or on a request of another step."""

    def respond(number: int, request: Request) -> Response:
        if number >= len(replies):
            fail(
                expected=f"{len(replies)} requests, as many as the case {case.name!r} of "
                f"{case.file} has responses",
                got=f"one more: {request!r}",
                why="the case must contain the whole conversation, or the test covers only its "
                "beginning. Add the response, or fix the driver if it should not send the request",
                read=TRANSCRIPTS,
            )
        wanted = case.messages[number].step
        if wanted and wanted != request.step:
            fail(
                expected=f"the step {wanted!r}, as {case.file} line "
                f"{case.messages[number].line} says",
                got=request,
                why="each step has an idempotency key of its own: under another name, the same "
                "request counts as a new one and is executed again",
                read=TRANSCRIPTS,
            )
        return replies[number]

    return respond


def spoiled(
    case: Case, replies: Sequence[Response], at: int, reply: Response | Exception
) -> Callable[[int, Request], Response | Exception]:
    """Respond as *case* says up to request *at*, with *reply* to that one, and then not at all."""
    good = scripted(case, replies)

    def respond(number: int, request: Request) -> Response | Exception:
        if number < at:
            return good(number, request)
        return reply if number == at else NoResponse("the kit does not respond")

    return respond


class HostStops(BaseException):
    """The host's process ends while it waits for a response."""


def until(
    stop: int, respond: Callable[[int, Request], Response | Exception]
) -> Callable[[int, Request], Response | Exception]:
    """Respond as *respond* does; the host stops at request *stop*."""

    def reply(number: int, request: Request) -> Response | Exception:
        if number == stop:
            raise HostStops
        return respond(number, request)

    return reply


def followed_by_silence(
    replies: Sequence[Response],
) -> Callable[[int, Request], Response | Exception]:
    """Respond with *replies*, and then not at all."""

    def respond(number: int, _: Request) -> Response | Exception:
        return replies[number] if number < len(replies) else NoResponse("the kit does not respond")

    return respond


def heard_all(case: Case, held: HeldDialogue[T]) -> HeldDialogue[T]:
    """Fail if the dialogue ended before it had received every response of *case*."""
    if len(held.requests) < len(case.messages):
        fail(
            expected=f"{len(case.messages)} requests, as many as the case {case.name!r} of "
            f"{case.file} has responses",
            got=f"{len(held.requests)} requests: {held.requests!r}, and then "
            f"{held.raised if held.raised is not None else held.outcome!r}",
            why="a response that no request leads to tests nothing. Remove it, or fix the driver",
            read=TRANSCRIPTS,
        )
    return held
