"""Wires: requests of tasks on their way to a processor, and what comes of each."""

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
    """A request of a task on its way, and what comes of it."""

    exchange: Exchange
    sent_at: datetime
    fault: PlannedFault | None
    response: Response | None = None
    clean: bool = False
    fate: Exception | None = None
    slow: int = 0
