"""Wires: the requests of tasks on their way to a processor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from paygate.dialogue import Response
    from paygate.service.flow import Exchange
    from paygate.testing.simulation.faults import PlannedFault


@dataclass(slots=True)
class RequestInFlight:
    """A request of a task in flight, with its fault, and its response or error once known."""

    exchange: Exchange
    sent_at: datetime
    fault: PlannedFault | None
    response: Response | None = None
    clean: bool = False
    fate: Exception | None = None
    slow: int = 0
