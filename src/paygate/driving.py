"""Driving: the loop that runs a generator to its end, and the observer that watches it.

A dialogue, an errand and a flow are generators that yield a step and are sent its result. They
differ in what a step is and in who executes it. The loop is the same:

- If a step raises an `Exception`, it is thrown into the generator, which decides what it means.
  Anything else that ends a step, such as a signal handler of the host or a cancellation, goes to
  the caller.
- The generator is always closed, so nothing that it holds outlives the call.
"""

from __future__ import annotations

from types import coroutine
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

S = TypeVar("S")
S_contra = TypeVar("S_contra", contravariant=True)
R = TypeVar("R")
T = TypeVar("T")
Y = TypeVar("Y")
A = TypeVar("A")


class Observer(Protocol[S_contra]):
    """Sees each step of a generator that is driven; used for log lines, spans and timing.

    Each step is announced by `before`, and ends with either `after` or `failed`. An exception
    raised by an observer ends the drive: thrown into the generator, it would look like a failure
    of the step.
    """

    def before(self, step: S_contra, /) -> None:
        """Note that *step* is about to be executed."""
        ...

    def after(self, step: S_contra, result: Any, /) -> None:
        """Note the result of *step*."""
        ...

    def failed(self, step: S_contra, error: BaseException, /) -> None:
        """Note what *step* raised, including a cancellation or an interruption."""
        ...


def drive(
    generator: Generator[S, R, T], do: Callable[[S], R], observer: Observer[S] | None = None
) -> T:
    """Return the result of *generator*, executing each of its steps with *do*."""
    try:
        step = next(generator)
        while True:
            if observer is not None:
                observer.before(step)
            try:
                result = do(step)
            except BaseException as error:
                if observer is not None:
                    observer.failed(step, error)
                if not isinstance(error, Exception):
                    raise
                step = generator.throw(error)
            else:
                if observer is not None:
                    observer.after(step, result)
                step = generator.send(result)
    except StopIteration as end:
        value: T = end.value
        return value
    finally:
        generator.close()


@coroutine
def drive_async(
    generator: Generator[S, R, T],
    do: Callable[[S], Awaitable[R]],
    observer: Observer[S] | None = None,
) -> Generator[Any, Any, T]:
    """Return the result of *generator*, executing each of its steps with *do*, awaited."""
    return (yield from relay(generator, lambda step: do(step).__await__(), observer))


def relay(
    generator: Generator[S, R, T],
    do: Callable[[S], Generator[Y, A, R]],
    observer: Observer[S] | None = None,
) -> Generator[Y, A, T]:
    """
    Return the result of *generator*, executing each of its steps with a generator of its own.

    *do* makes that generator from the step; what it yields goes to whoever drives this one.
    """
    try:
        step = next(generator)
        while True:
            if observer is not None:
                observer.before(step)
            try:
                result = yield from do(step)
            except BaseException as error:
                if observer is not None:
                    observer.failed(step, error)
                if not isinstance(error, Exception):
                    raise
                step = generator.throw(error)
            else:
                if observer is not None:
                    observer.after(step, result)
                step = generator.send(result)
    except StopIteration as end:
        value: T = end.value
        return value
    finally:
        generator.close()
