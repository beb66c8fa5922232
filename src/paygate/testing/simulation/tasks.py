"""Tasks: flows under way, each at one of its yields until the scheduler picks it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from paygate.service.flow import Flow, Step
    from paygate.testing.simulation.dice import Dice
    from paygate.testing.simulation.hosts import Host
    from paygate.testing.simulation.wire import RequestInFlight


def ignore(_: Any) -> None:
    """Do nothing with a result."""


@dataclass(slots=True, eq=False)
class Task:
    """A call of a verb on a host; `then` is told its result, `failed` the error it ended with.

    An error of None says that its process was killed.
    """

    name: str
    host: Host
    flow: Flow[Any]
    rolls: Dice
    then: Callable[[Any], None] = ignore
    failed: Callable[[BaseException | None], None] = ignore
    step: Step | None = None
    wire: RequestInFlight | None = None
    steps: int = 0
    answered: str = ""
    """The attempt whose money request was answered, and well."""
    bungled: bool = False
    """Its driver made something else of what was answered, or nothing."""
