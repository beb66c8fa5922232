"""Tasks: flows in progress, each paused at a yield until the scheduler picks it."""

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
    """A call of a verb on a host; `then` is called with its result, `failed` with its error.

    The error is None if the process was killed.
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
    """The attempt whose money request received an undamaged response."""
    bungled: bool = False
    """Whether the driver failed, or returned nonsense instead of the response."""
