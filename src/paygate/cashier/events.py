"""Events: list them, and deliver them to sinks and subscribers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.cashier import arguments
from paygate.cashier.base import OnAccounts, OnLedger
from paygate.cashier.verbs import verb
from paygate.domain.text import identifier
from paygate.errors import InvalidValue, SinkNotFound
from paygate.printing import shown
from paygate.service.flow import look, transact

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from paygate.domain.event import DeadLetter, DeliveryTry, Event
    from paygate.domain.invoice import Invoice
    from paygate.domain.method import PaymentMethod
    from paygate.domain.payment import Payment
    from paygate.ledger.tx import Tx
    from paygate.service.flow import Flow
    from paygate.service.publish import Published
    from paygate.service.readers import ConfiguredSink


class Outbox(OnLedger):
    """Verbs about stored events."""

    @verb
    def events(
        self,
        *,
        aggregate: Payment | Invoice | PaymentMethod | str | None = None,
        after: int = 0,
        limit: int = 100,
    ) -> Flow[list[Event]]:
        """
        List events in the order in which they happened, a page at a time.

        The oldest comes first, because events are read forward: pass the position of the last one
        as *after* for the next page. With *aggregate* (a record, its id, or an invoice number)
        only events about that payment, invoice or stored method are listed; raises
        `RecordNotFound` if it does not exist.
        """
        from paygate.ledger import outbox
        from paygate.service import finding, publish

        about = arguments.maybe(arguments.aggregate, aggregate, "aggregate")
        behind, most = arguments.position(after, "after"), arguments.how_many(limit)

        def work(tx: Tx) -> list[Event]:
            which = None if about is None else finding.aggregate(tx, about)
            return outbox.after(tx, behind, most, which)

        yield from publish.place()
        return (yield from look(work))

    @verb
    def dead_letters(self, *, sink: str | None = None, limit: int = 100) -> Flow[list[DeadLetter]]:
        """
        List the dead letters of *sink*, or of all sinks, the oldest of each sink first.

        Raises `SinkNotFound` if no sink with this name has ever read events.
        """
        from paygate.ledger import outbox
        from paygate.service import finding

        which = arguments.maybe(arguments.named, sink, "sink")
        most = arguments.how_many(limit)

        def work(tx: Tx) -> list[DeadLetter]:
            name = None if which is None else finding.sink(tx, which)
            return outbox.dead_letters(tx, name, most)

        return (yield from look(work))

    @verb
    def replay_dead_letters(self, sink: str, *, event: Event | str | None = None) -> Flow[int]:
        """
        Let *sink* retry its dead letters at the next `publish`; return how many there are.

        With *event* (or its id) only that one is retried; raises `NothingToReplay` if it is no
        dead letter of the sink. Raises `SinkNotFound` if no sink with this name has ever read
        events.
        """
        from paygate.service import publish

        which = arguments.named(sink, "sink")
        only = arguments.maybe(arguments.event, event, "event")
        return (yield from transact(lambda tx: publish.replay(tx, which, only)))

    @verb
    def delivery_log(
        self,
        sink: str,
        *,
        event: Event | str | None = None,
        after: DeliveryTry | str = "",
        limit: int = 100,
    ) -> Flow[list[DeliveryTry]]:
        """
        List the tries to deliver events to *sink*, the newest first; with *event* only its tries.

        Only sinks whose traits say `keeps_log` have a log, of the last 30 days. Pass the last try
        as *after* for the next page. Raises `SinkNotFound` if no sink with this name has ever read
        events, and `RecordNotFound` for an event or a try that does not exist.
        """
        from paygate.ledger import delivery_tries
        from paygate.service import finding

        which = arguments.named(sink, "sink")
        only = arguments.maybe(arguments.event, event, "event")
        behind = arguments.delivery_try(after, "after")
        most = arguments.how_many(limit)

        def work(tx: Tx) -> list[DeliveryTry]:
            name = finding.sink(tx, which)
            place = None if only is None else finding.event(tx, only)
            return delivery_tries.of_sink(tx, name, place, behind, most)

        return (yield from look(work))


class Publishing(OnAccounts):
    """Verbs that deliver events."""

    _awaits = False
    """Whether a handler of events may be a coroutine function."""

    _sinks: dict[str, ConfiguredSink]

    @verb
    def subscribe(
        self, name: str, handler: Callable[[Event], Any], *, from_beginning: bool = True
    ) -> Flow[None]:
        """
        Call *handler* with every event when `publish` is called.

        The ledger stores under *name* how far the handler has read, so it does not miss events
        that happen while no process is running. An event may be delivered
        twice; its id identifies it. Only `AsyncCashier` accepts a coroutine function as handler;
        `Cashier` raises `UsageError` for it. A name belongs to one sink or one handler.
        """
        from paygate.service import delivering, publish
        from paygate.service.readers import Subscriber

        reader = identifier(name, "name")
        call = arguments.called(handler, "handler", "an Event")
        whole = arguments.flag(from_beginning, "from_beginning")
        if reader in self._sinks:
            raise InvalidValue(
                f"{reader!r} is the name of a sink; give the handler another one", argument="name"
            )
        if delivering.is_async(handler) and not self._awaits:
            raise InvalidValue(
                f"the handler of {reader!r} is a coroutine function, which Cashier cannot await: "
                "give it a plain function, or use AsyncCashier",
                argument="handler",
            )
        yield from transact(lambda tx: publish.subscribe_in(tx, reader, from_beginning=whole))
        self._readers[reader] = Subscriber(reader, call)

    @verb
    def publish(self) -> Flow[Published]:
        """Deliver waiting events to the sinks and subscribers, in order, and return a summary."""
        from paygate.ledger.tx import TimedIds
        from paygate.service import publish

        lease = TimedIds().new("lease")
        return (yield from publish.publish(list(self._readers.values()), lease))

    @verb
    def resend_event(self, sink: str, event: Event | str) -> Flow[None]:
        """
        Send *event* to *sink* once more at the next `publish`, with the same id.

        For an event that the other side has lost. A dead letter is retried. Raises
        `NothingToReplay` if the event still waits, `InvalidValue` if the sink does not receive
        its type, `SinkNotFound` if no sink with this name has ever read events, and
        `RecordNotFound` if the event does not exist.
        """
        from paygate.service import publish

        which, id_ = arguments.named(sink, "sink"), arguments.event(event, "event")
        configured = self._sinks.get(which)

        def wants(type_: str) -> bool:
            return configured is None or configured.wants(type_)

        yield from publish.place()
        yield from transact(lambda tx: publish.resend(tx, which, id_, wants))

    @verb
    def resume_sink(self, sink: str) -> Flow[bool]:
        """
        Try *sink* again at the next `publish`; return whether it was left alone until now.

        For a sink that is stopped because the other side wanted no more events, or that pauses
        because it was not reached. Raises `SinkNotFound` if no sink with this name has ever read
        events.
        """
        from paygate.service import publish

        which = arguments.named(sink, "sink")
        return (yield from transact(lambda tx: publish.resume(tx, which)))

    @verb
    def check_sink(self, sink: str) -> Flow[None]:
        """
        Ask the system behind *sink* whether its settings work; it receives no event.

        Raises `Unsupported` if the sink cannot find out, `CredentialsRejected` if the credentials
        are wrong, `NoResponse` or `NotSent` if the system cannot be reached, and `EventRefused`
        for anything else that must be corrected. Raises `SinkNotFound` if it is not configured.
        """
        from paygate.service import delivering

        return (yield from delivering.check(self._configured(sink)))

    @verb
    def forget_sink(self, sink: str) -> Flow[int]:
        """
        Forget how far *sink* has read, and the events set aside for it; return how many those are.

        For a sink or subscriber that was removed. If the name is used again, it starts as a new
        one does. Raises `InvalidValue` if this cashier is configured with the sink, and
        `SinkNotFound` if no sink with this name has ever read events.
        """
        from paygate.ledger import holding, outbox
        from paygate.service import finding

        which = arguments.named(sink, "sink")
        if which in self._readers:
            raise InvalidValue(
                f"the sink {which!r} is in use; remove it from the configuration first",
                argument="sink",
            )

        def work(tx: Tx) -> int:
            holding.hold_sink(tx, which)
            return outbox.forget(tx, finding.sink(tx, which))

        return (yield from transact(work))

    def _configured(self, sink: str) -> ConfiguredSink:
        found = self._sinks.get(arguments.named(sink, "sink"))
        if found is None:
            known = sorted(self._sinks)
            raise SinkNotFound(
                f"there is no sink {shown(sink)}; configured are: {', '.join(known) or 'none'}",
                name=sink,
                known=known,
                argument="sink",
            )
        return found
