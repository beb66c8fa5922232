"""The consumer: another system that receives every event, sometimes fails, and takes each once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from paygate.testing.simulation.faults import PlannedFault

if TYPE_CHECKING:
    from paygate.domain.event import Event
    from paygate.testing.simulation.dice import Dice
    from paygate.testing.simulation.tasks import Task


class ConsumerDown(Exception):
    """The consumer did not acknowledge the event."""


class FaultyWorld(Protocol):
    """What a consumer needs from a world: whether it fails now, and where to record."""

    def strikes(self, rolls: Dice, *faults: PlannedFault) -> PlannedFault | None:
        """Return the one of *faults* that happens now, if any."""
        ...

    def count(self, what: str) -> None:
        """Count that *what* was exercised."""
        ...

    def violated(self, rule: str, detail: str) -> None:
        """End the schedule because *rule* does not hold."""
        ...


@dataclass(slots=True)
class Consumer:
    """A consumer that de-duplicates by event id, as every consumer must, and checks the order."""

    world: FaultyWorld
    taken: dict[str, str] = field(default_factory=dict[str, str])
    last: dict[str, int] = field(default_factory=dict[str, int])

    def take(self, event: Event, task: Task | None) -> None:
        """Take *event*, or fail before or after that."""
        world = self.world
        fault = None
        if task is not None:
            fault = world.strikes(
                task.rolls, PlannedFault.CONSUMER_FAILS, PlannedFault.CONSUMER_FAILS_LATE
            )
        if fault is PlannedFault.CONSUMER_FAILS:
            raise ConsumerDown("simulated: the consumer is down")
        if event.id in self.taken:
            world.count("event delivered twice")
        else:
            before = self.last.get(event.aggregate, 0)
            if event.seq != before + 1:
                world.violated(
                    "I8", f"{event.aggregate}: event {event.seq} ({event.type}) after {before}"
                )
            self.last[event.aggregate] = event.seq
            self.taken[event.id] = event.type
        if fault is PlannedFault.CONSUMER_FAILS_LATE:
            raise ConsumerDown("simulated: the consumer took it and went down")
