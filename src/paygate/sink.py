"""Sinks: other systems that receive events, such as a CRM.

A sink works as a driver does: it yields requests, is sent the responses, and never holds a
connection. `paygate.service.publish` decides which event it receives and when, and what happens
to an event that it refuses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from paygate.dialogue import Dialogue
    from paygate.domain.event import Event


@runtime_checkable
class Sink(Protocol):
    """Another system that receives events, such as a CRM."""

    @property
    def name(self) -> str:
        """The name under which the ledger remembers how far this sink has read."""
        ...

    def deliver(self, event: Event) -> Dialogue[None]:
        """
        Deliver *event*.

        Raise `BadResponse` if the other side refuses it: after eight refusals it is a dead letter.
        Raise `NoResponse` if the other side is down: delivery is retried until it succeeds.
        """
        ...
