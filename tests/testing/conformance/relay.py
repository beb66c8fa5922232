"""Changing what a right dialogue asks, on its way out."""

from collections.abc import Callable
from typing import TypeVar

from paygate.dialogue import Dialogue, Note, Request, Response
from paygate.driving import relay

T = TypeVar("T")


def changing(dialogue: Dialogue[T], change: Callable[[Request], Request]) -> Dialogue[T]:
    """Hold *dialogue*, each of its requests changed."""

    def changed(step: Request | Note) -> Dialogue[Response]:
        return (yield change(step) if isinstance(step, Request) else step)

    return relay(dialogue, changed)
