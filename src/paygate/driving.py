"""Driving: the loop that runs a generator to its end, and the observer that watches it.

A dialogue, an errand and a flow are generators that yield a step and are sent its result. They
differ in what a step is and in who executes it. The loop is the same:

- If a step raises an `Exception`, it is thrown into the generator, which decides what it means.
  Anything else that ends a step, such as a signal handler of the host or a cancellation, goes to
  the caller.
- The generator is always closed, so nothing that it holds outlives the call.

`GeneratorExit` and asyncio's `CancelledError` end a generator or a task from outside. Foreign code
can raise them, too: of its own accord, or because it waited for something that was canceled. Then
they must end that code only, and not whatever drives it. `contained` distinguishes the two: what a
generator raises itself becomes an exception like any other.
"""

from __future__ import annotations

import sys
from functools import partial
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


class Contained(Exception):
    """Foreign code raised `error`, which would have ended more than its own call."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(f"it raised {type(error).__name__}")
        self.error = error


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


def contained(
    generator: Generator[S, R, T], *, of: Callable[[BaseException], bool] | None = None
) -> Generator[S, R, T]:
    """
    Drive a foreign *generator*, and raise `Contained` instead of what would end its caller.

    By default, that is what `ends_callers` says; *of* returns whether an exception is meant.
    """
    stray = of or ends_callers
    go_on: Callable[[], S] = partial(next, generator)
    try:
        while True:
            try:
                step = contain(go_on, of=stray)
            except StopIteration as end:
                value: T = end.value
                return value
            try:
                result = yield step
            except GeneratorExit:
                raise
            except BaseException as error:  # noqa: BLE001  (for the generator to decide)
                go_on = partial(generator.throw, error)
            else:
                go_on = partial(generator.send, result)
    finally:
        contain(generator.close, of=stray)


def contain(call: Callable[[], T], *, of: Callable[[BaseException], bool] | None = None) -> T:
    """Return the result of foreign code, and raise `Contained` instead of what *of* names."""
    try:
        return call()
    except BaseException as error:
        if (of or ends_callers)(error):
            raise Contained(error).with_traceback(error.__traceback__) from None
        raise


def raised(error: BaseException) -> BaseException:
    """Return what foreign code raised, whether it was contained or not."""
    return error.error if isinstance(error, Contained) else error


def ends_callers(error: BaseException) -> bool:
    """Return whether *error* would end the generator or the task of whoever called foreign code."""
    # Nobody can have raised CancelledError without asyncio, which is slow to import.
    asyncio = sys.modules.get("asyncio")
    canceled = asyncio is not None and isinstance(error, asyncio.CancelledError)
    return canceled or isinstance(error, GeneratorExit)
