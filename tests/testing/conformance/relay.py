"""Changing what a right dialogue asks, on its way out."""

from collections.abc import Callable, Generator
from typing import TypeVar

from paygate.dialogue import Dialogue, Note, Request, Response

T = TypeVar("T")


def changing(
    dialogue: Dialogue[T], change: Callable[[Request], Request]
) -> Generator[Request | Note, Response, T]:
    """Hold *dialogue*, each of its requests changed."""
    try:
        step = next(dialogue)
        while True:
            try:
                reply = yield change(step) if isinstance(step, Request) else step
            except Exception as fault:  # noqa: BLE001  (whatever is thrown in)
                step = dialogue.throw(fault)
            else:
                step = dialogue.send(reply)
    except StopIteration as end:
        outcome: T = end.value
        return outcome
