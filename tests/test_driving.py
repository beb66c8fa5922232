"""Driving a generator: sync, async, and from inside another generator."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

import pytest

from paygate.driving import Contained, Observer, contained, drive, drive_async, raised, relay
from paygate.errors import NoResponse


class Interrupted(BaseException):
    """What a signal handler of the host raises."""


@dataclass
class Talk:
    """A generator that asks twice, and remembers how it ended."""

    heard: list[Any] = field(default_factory=list[Any])
    closed: bool = False

    def begin(self) -> Generator[str, int, int]:
        try:
            for step in ("first", "second"):
                try:
                    self.heard.append((yield step))
                except NoResponse as fault:
                    self.heard.append(fault)
            return len(self.heard)
        finally:
            self.closed = True


@dataclass
class Watch:
    """An observer that writes down what it sees, and may raise."""

    seen: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]])
    raises: Exception | None = None

    def before(self, step: str) -> None:
        self.seen.append(("before", step))

    def after(self, step: str, result: Any) -> None:
        self.seen.append(("after", step, result))
        if self.raises is not None:
            raise self.raises

    def failed(self, step: str, error: BaseException) -> None:
        self.seen.append(("failed", step, error))


Do = Callable[[str], int]
Way = Callable[[Generator[str, int, int], Do, Observer[str] | None], int]


def in_asyncio(
    talk: Generator[str, int, int], do: Do, observer: Observer[str] | None = None
) -> int:
    async def later(step: str) -> int:
        await asyncio.sleep(0)
        return do(step)

    async def run() -> int:
        return await drive_async(talk, later, observer)

    return asyncio.run(run())


def inside_another(
    talk: Generator[str, int, int], do: Do, observer: Observer[str] | None = None
) -> int:
    def passed_on(step: str) -> Generator[str, int, int]:
        return (yield step.upper())

    return drive(relay(talk, passed_on, observer), lambda step: do(step.lower()))


ways = pytest.mark.parametrize("way", [drive, in_asyncio, inside_another])


@ways
def test_each_step_is_done_and_the_result_returned(way: Way) -> None:
    talk, watch = Talk(), Watch()

    result = way(talk.begin(), len, watch)

    assert (result, talk.heard, talk.closed) == (2, [5, 6], True)
    assert watch.seen == [
        ("before", "first"),
        ("after", "first", 5),
        ("before", "second"),
        ("after", "second", 6),
    ]


@ways
def test_an_error_of_a_step_is_thrown_into_the_generator(way: Way) -> None:
    talk, watch, fault = Talk(), Watch(), NoResponse("nobody answers")

    def do(step: str) -> int:
        if step == "first":
            raise fault
        return 2

    assert way(talk.begin(), do, watch) == 2

    assert talk.heard == [fault, 2]
    assert watch.seen[:2] == [("before", "first"), ("failed", "first", fault)]
    assert watch.seen[2:] == [("before", "second"), ("after", "second", 2)]


@ways
def test_an_error_that_the_generator_does_not_take_reaches_the_caller(way: Way) -> None:
    talk = Talk()

    def do(step: str) -> int:
        raise ValueError(step)

    with pytest.raises(ValueError, match="first"):
        way(talk.begin(), do, None)

    assert (talk.heard, talk.closed) == ([], True)


@ways
def test_an_interruption_is_not_thrown_into_the_generator_but_closes_it(way: Way) -> None:
    class Greedy(Talk):
        def begin(self) -> Generator[str, int, int]:
            try:
                return (yield from super().begin())
            except Interrupted:
                self.heard.append("taken")
                raise

    talk, watch, interruption = Greedy(), Watch(), Interrupted()

    def do(step: str) -> int:
        raise interruption

    with pytest.raises(Interrupted):
        way(talk.begin(), do, watch)

    assert talk.closed
    assert "taken" not in talk.heard
    assert [seen[:2] for seen in watch.seen] == [("before", "first"), ("failed", "first")]


@ways
def test_what_an_observer_raises_ends_the_drive_and_is_no_failure_of_the_step(way: Way) -> None:
    talk, watch = Talk(), Watch(raises=NoResponse("the log is full"))

    with pytest.raises(NoResponse, match="the log is full"):
        way(talk.begin(), len, watch)

    assert (talk.heard, talk.closed) == ([], True)
    assert watch.seen == [("before", "first"), ("after", "first", 5)]


def test_a_cancelled_drive_closes_the_generator_and_shows_the_cancellation() -> None:
    talk, watch = Talk(), Watch()

    async def forever(step: str) -> int:
        await asyncio.Event().wait()
        return len(step)

    async def run() -> None:
        async def driven() -> int:
            return await drive_async(talk.begin(), forever, watch)

        task = asyncio.create_task(driven())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait((task,))
        assert task.cancelled()

    asyncio.run(run())

    assert (talk.heard, talk.closed) == ([], True)
    assert [seen[:2] for seen in watch.seen] == [("before", "first"), ("failed", "first")]
    assert isinstance(watch.seen[1][2], asyncio.CancelledError)


# --- What foreign code raises -------------------------------------------------------------------


STRAYS = [asyncio.CancelledError("stop"), GeneratorExit("stop")]
strays = pytest.mark.parametrize("stray", STRAYS, ids=repr)


@ways
def test_a_contained_generator_is_driven_as_any_other(way: Way) -> None:
    talk, fault = Talk(), NoResponse("nobody answers")

    def do(step: str) -> int:
        if step == "first":
            raise fault
        return 2

    assert way(contained(talk.begin()), do, None) == 2

    assert (talk.heard, talk.closed) == ([fault, 2], True)


@ways
@strays
def test_what_would_end_the_caller_is_an_exception_like_any_other(
    way: Way, stray: BaseException
) -> None:
    def wrong() -> Generator[str, int, int]:
        yield "first"
        raise stray

    with pytest.raises(Contained, match=f"it raised {type(stray).__name__}") as caught:
        way(contained(wrong()), len, None)

    assert raised(caught.value) is stray
    assert caught.value.__traceback__ is not None


@ways
def test_an_interruption_is_not_contained(way: Way) -> None:
    def interrupted() -> Generator[str, int, int]:
        yield "first"
        raise Interrupted

    with pytest.raises(Interrupted):
        way(contained(interrupted()), len, None)


def test_closing_a_contained_generator_closes_the_foreign_one_and_raises_nothing() -> None:
    talk = Talk()
    driven = contained(talk.begin())
    next(driven)

    driven.close()

    assert (talk.heard, talk.closed) == ([], True)


def test_what_a_foreign_generator_raises_while_it_is_closed_is_contained() -> None:
    def wrong() -> Generator[str, int, int]:
        try:
            yield "first"
        finally:
            raise asyncio.CancelledError

    driven = contained(wrong())
    next(driven)

    with pytest.raises(Contained):
        driven.close()
