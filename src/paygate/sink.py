"""Sinks: other systems that receive events, such as a CRM or a mail server.

A sink for HTTP works as a driver does: it yields requests, is sent the responses, and holds no
connection. A sink for another protocol blocks, and runs in a thread.

The core decides which events a sink receives and when. It retries, keeps the order within an
aggregate, and keeps dead letters, so a sink does none of that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import TypeIs

    from paygate.dialogue import Dialogue
    from paygate.domain.customer import Customer
    from paygate.domain.document import Document
    from paygate.domain.event import Event

SINK_PROTOCOL_VERSION: Final = 1
"""The version of the protocol of sinks that this paygate speaks."""

ROUTE: Final = "sink:"
"""What the name of a sink begins with among the routes, because accounts have routes too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkTraits:
    """
    What the core has to know about a sink.

    - `events`: patterns of the event types that it receives unless the host sets others.
    - `needs_contact`: it needs the contact facts of the customer that an event is about.
    - `needs_documents`: it needs the documents of an invoice that was issued.
    - `only_new`: a new sink of this kind starts with the next event, because it notifies people,
      who must not be notified of last year's payments. Others start with the first event.
    - `in_flight`: how many deliveries, of different aggregates, an `AsyncCashier` may make at once;
      for a blocking sink it is always one.
    - `deadline_s`: how long one `send` or `check` of a blocking sink may take.
    - `keeps_log`: every try to deliver an event is stored for a month, for `delivery_log`.
    - `protocol_version`: the version of this protocol for which the sink was written.
    """

    events: tuple[str, ...] = ("*",)
    needs_contact: bool = False
    needs_documents: bool = False
    only_new: bool = False
    in_flight: int = 1
    deadline_s: float = 60.0
    keeps_log: bool = False
    protocol_version: int = SINK_PROTOCOL_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """
    One event for a sink, and what else the sink asked for.

    `contact` is the customer that the event is about, with the contact facts that are stored now;
    it is None if the sink does not need it, or if the event is about no customer. `documents` go
    with ``invoice.generated``: those that the host gave for the invoice, or else the one that is
    drawn with the letterhead.
    """

    event: Event
    contact: Customer | None = None
    documents: tuple[Document, ...] = ()


@runtime_checkable
class Sink(Protocol):
    """A system that receives events by HTTP."""

    @property
    def traits(self) -> SinkTraits:
        """What the core has to know about it."""
        ...

    def deliver(self, delivery: Delivery) -> Dialogue[None]:
        """
        Deliver one event; returning means that the other side has it.

        The same event may be delivered again, so pass on its id. Raise `EventRefused` if the other
        side refuses the event: it is retried for some days and is then a dead letter, or at once
        if the refusal is ``final``. Raise `NoResponse` if the other side is down, or says so: the
        event is retried until it is accepted. Raise `EndpointGone` if it wants no more events:
        the sink is stopped until a person resumes it.
        """
        ...


@runtime_checkable
class LooksAhead(Protocol):
    """A sink for HTTP whose system can answer one question about many events."""

    def look_ahead(self, deliveries: Sequence[Delivery]) -> Dialogue[None]:
        """
        Prepare for *deliveries*, which follow now, such as by looking for them all at once.

        It may fail: then each delivery meets the fault itself. What it found may be used for these
        deliveries only, and only soon, because another process may deliver the same events later.
        """
        ...


@runtime_checkable
class BlockingSink(Protocol):
    """A system that receives events by another protocol than HTTP; it runs in a thread."""

    @property
    def traits(self) -> SinkTraits:
        """What the core has to know about it."""
        ...

    def send(self, delivery: Delivery) -> None:
        """
        Deliver one event, as `Sink.deliver` does, and block until it is done.

        `ConnectionError` and `TimeoutError` mean, as `NoResponse` does, that the other side is
        down.
        """
        ...


AnySink: TypeAlias = Sink | BlockingSink


@runtime_checkable
class Checkable(Protocol):
    """A sink that can find out whether its settings work."""

    def check(self) -> Dialogue[None] | None:
        """
        Ask the other side whether it accepts the settings, without an effect there.

        A sink for HTTP returns a dialogue, a blocking sink blocks. Raise `CredentialsRejected` if
        the credentials are wrong, and `EventRefused` for anything else that a person must correct.
        """
        ...


def is_sink(value: object) -> TypeIs[AnySink]:
    """Return whether *value* can be used as a sink."""
    if isinstance(value, type) or not isinstance(getattr(value, "traits", None), SinkTraits):
        return False
    return callable(getattr(value, "deliver", None)) or callable(getattr(value, "send", None))
