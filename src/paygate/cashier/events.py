"""Events: list them, and hand them to sinks and subscribers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paygate.cashier import arguments
from paygate.cashier.base import OnAccounts, OnLedger
from paygate.cashier.verbs import verb
from paygate.domain.text import identifier
from paygate.errors import InvalidValue
from paygate.service.flow import look, transact

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from paygate.domain.event import DeadLetter, Event
    from paygate.domain.invoice import Invoice
    from paygate.domain.method import PaymentMethod
    from paygate.domain.payment import Payment
    from paygate.ledger.tx import Tx
    from paygate.service.flow import Flow
    from paygate.service.publish import Published, Subscriber
    from paygate.sink import Sink


class Outbox(OnLedger):
    """Verbs about events that are stored."""

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

        The oldest comes first, because who reads them goes forward: pass the last one's
        position as *after* for the next page. With *aggregate* (or its id, or an invoice's number)
        only those about one payment, invoice or stored method; raises `RecordNotFound` if there
        is none of that id.
        """
        from paygate.ledger import outbox
        from paygate.service import finding

        about = arguments.maybe(arguments.aggregate, aggregate, "aggregate")
        behind, most = arguments.position(after, "after"), arguments.how_many(limit)

        def work(tx: Tx) -> list[Event]:
            which = None if about is None else finding.aggregate(tx, about)
            return outbox.after(tx, behind, most, which)

        return (yield from look(work))

    @verb
    def dead_letters(self, *, sink: str | None = None, limit: int = 100) -> Flow[list[DeadLetter]]:
        """
        List events that were given up for *sink*, or for any, the oldest of each first.

        Raises `RecordNotFound` if no sink of that name ever read.
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
    def replay_dead_letters(self, sink: str) -> Flow[int]:
        """
        Let *sink* try its dead letters again at the next `publish`; return how many.

        Raises `RecordNotFound` if no sink of that name ever read.
        """
        from paygate.ledger import outbox
        from paygate.service import finding

        which = arguments.named(sink, "sink")
        return (yield from transact(lambda tx: outbox.revive(tx, finding.sink(tx, which))))


class Publishing(OnAccounts):
    """Verbs that hand events on."""

    _awaits = False
    """Whether a handler of events may be one that is to be awaited."""

    _readers: dict[str, Sink | Subscriber]

    @verb
    def subscribe(
        self, name: str, handler: Callable[[Event], Any], *, from_beginning: bool = True
    ) -> Flow[None]:
        """
        Call *handler* with every event, when `publish` is called.

        The ledger remembers under *name* how far it has read, so events that
        happen while no process is running are not missed. An event may come
        twice; its id tells. Only `AsyncCashier` takes a handler that is to be awaited;
        here it raises `UsageError`.
        """
        from paygate.service import publish

        reader = identifier(name, "name")
        call = arguments.called(handler, "handler", "an Event")
        whole = arguments.flag(from_beginning, "from_beginning")
        if publish.is_async(handler) and not self._awaits:
            raise InvalidValue(
                f"the handler of {reader!r} is to be awaited, and Cashier awaits nothing: "
                "give it a plain function, or use AsyncCashier",
                argument="handler",
            )
        yield from transact(lambda tx: publish.subscribe_in(tx, reader, from_beginning=whole))
        self._readers[reader] = publish.Subscriber(reader, call)

    @verb
    def publish(self) -> Flow[Published]:
        """Hand waiting events to the sinks and subscribers, in order, and tell what happened."""
        from paygate.ledger.tx import TimedIds
        from paygate.service import publish

        lease = TimedIds().new("lease")
        return (yield from publish.publish(list(self._readers.values()), lease))
