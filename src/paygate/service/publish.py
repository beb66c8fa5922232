"""Publish: hand events from the outbox to sinks and to subscribers in this process.

At least once, and in order per aggregate. An event that is not taken is tried
again later and holds up only its own aggregate; a reader that does not answer at all is
left alone until the next pass, so that the others get their turn. After the last try it is a dead
letter that stays visible until somebody replays it.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

from paygate.dialogue import deferred
from paygate.domain.outcome import Unknown, Unsent
from paygate.ledger import outbox
from paygate.ledger.tx import instant
from paygate.service.flow import Flow, Tell, ask, look, transact
from paygate.service.hiding import Hidden, secrets_in

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from paygate.dialogue import Dialogue
    from paygate.domain.event import Event
    from paygate.ledger.tx import Tx

RETRY_PLAN: Final = tuple(
    timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 3600, 21600, 86400)
)
"""When an event that was not taken is tried again; after the last it is a dead letter."""

_BATCH = 100
_LEASE = timedelta(minutes=5)


@runtime_checkable
class Sink(Protocol):
    """Another system that is told about events, such as a CRM."""

    @property
    def name(self) -> str:
        """The name under which the ledger remembers how far this sink has read."""
        ...

    def deliver(self, event: Event) -> Dialogue[None]:
        """Tell *event*; raise `BadReply` where it was not taken."""
        ...


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A callable of the host, under a name that the ledger remembers."""

    name: str
    call: Callable[[Event], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What one pass did: events taken, set aside for later, and given up on."""

    delivered: int = 0
    delayed: int = 0
    dead: int = 0

    def __add__(self, other: Published) -> Published:
        return Published(
            delivered=self.delivered + other.delivered,
            delayed=self.delayed + other.delayed,
            dead=self.dead + other.dead,
        )


def is_async(handler: Callable[[Event], Any]) -> bool:
    """Return whether what *handler* returns is to be awaited."""
    if inspect.iscoroutinefunction(handler):
        return True
    return inspect.iscoroutinefunction(getattr(handler, "__call__", None))  # noqa: B004


def publish(readers: Sequence[Sink | Subscriber], lease: str) -> Flow[Published]:
    """Hand every waiting event to each of *readers* and tell what happened."""
    total = Published()
    for reader in readers:
        total += yield from _publish_to(reader, lease)
    return total


def subscribe_in(tx: Tx, name: str, *, from_beginning: bool) -> None:
    """Make a reader known; a new one reads from the beginning, or from the next event."""
    outbox.add_sink(tx, name, from_beginning=from_beginning)


def _publish_to(reader: Sink | Subscriber, lease: str) -> Flow[Published]:
    name = reader.name

    def take(tx: Tx) -> int | None:
        outbox.add_sink(tx, name, from_beginning=True)
        return outbox.lease_sink(tx, name, lease, instant(tx.now + _LEASE))

    position = yield from transact(take)
    if position is None:  # another process reads for it right now
        return Published()
    total, silent = yield from _retry_due(reader)
    while not silent:
        step = yield from _next_batch(reader, lease, position)
        if step is None:
            break
        done, position, silent = step
        total += done
    # If we are stopped before this, the lease runs out by itself.
    yield from transact(lambda tx: outbox.release_sink(tx, name, lease))
    return total


def _next_batch(
    reader: Sink | Subscriber, lease: str, position: int
) -> Flow[tuple[Published, int, bool] | None]:
    """Hand over the next events; return how far that came, and whether the reader was silent."""
    name = reader.name

    def waiting(tx: Tx) -> tuple[list[Event], set[str]]:
        return outbox.after(tx, position, _BATCH), outbox.blocked(tx, name)

    events, blocked = yield from look(waiting)
    if not events:
        return None
    failed: list[tuple[Event, str]] = []
    delivered, silent, last = 0, False, events[-1].position
    for event in events:
        if event.aggregate in blocked:
            failed.append((event, ""))
            continue
        failure = yield from _hand_over(reader, event)
        if failure is None:
            delivered += 1
            continue
        blocked.add(event.aggregate)
        failed.append((event, failure.error))
        if failure.silent:
            silent, last = True, event.position
            break

    def advance(tx: Tx) -> bool:
        if not outbox.advance_sink(tx, name, lease, last):
            return False
        for event, error in failed:
            again = instant(tx.now + RETRY_PLAN[0]) if error else None
            outbox.delay(tx, name, event, tries=1 if error else 0, next_try_at=again, error=error)
        return True

    if not (yield from transact(advance)):
        return None
    return Published(delivered=delivered, delayed=len(failed)), last, silent


def _retry_due(reader: Sink | Subscriber) -> Flow[tuple[Published, bool]]:
    """
    Try again what was set aside; a freed aggregate goes on with what waited behind.

    Return also whether the reader was silent: the rest waits for the next pass then.
    """
    name = reader.name
    total = Published()
    while True:
        due = yield from look(lambda tx: outbox.due(tx, name, _BATCH))
        if not due:
            return total, False
        for event, tries in due:
            failure = yield from _hand_over(reader, event)
            if failure is None:
                yield from transact(_done(name, event))
                total += Published(delivered=1)
                continue
            dead = tries >= len(RETRY_PLAN)
            yield from transact(_delay(name, event, tries, failure.error))
            total += Published(dead=1) if dead else Published(delayed=1)
            if failure.silent:
                return total, True


def _done(sink: str, event: Event) -> Callable[[Tx], None]:
    return lambda tx: outbox.done(tx, sink, event)


def _delay(sink: str, event: Event, tries: int, error: str) -> Callable[[Tx], None]:
    def work(tx: Tx) -> None:
        dead = tries >= len(RETRY_PLAN)
        again = None if dead else instant(tx.now + RETRY_PLAN[tries])
        outbox.delay(tx, sink, event, tries=tries + 1, next_try_at=again, dead=dead, error=error)

    return work


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why an event was not taken; `silent` if the reader said nothing at all."""

    error: str
    silent: bool = False


def _hand_over(reader: Sink | Subscriber, event: Event) -> Flow[_Failure | None]:
    """Hand one event over and return why it was not taken, or None if it was."""
    if isinstance(reader, Subscriber):
        try:
            result = yield Tell(reader.call, event)
        except Exception as error:  # noqa: BLE001  (the host's code; its aggregate waits)
            return _Failure(f"{type(error).__name__}: {error}")
        if inspect.isawaitable(result):
            # Nobody awaits it here, so what was to be done has not been done.
            if inspect.iscoroutine(result):
                result.close()
            return _Failure("the subscriber returned something to await, and nobody awaits it")
        return None
    deliver = deferred(partial(reader.deliver, event))
    answer = yield from ask(reader.name, deliver, hidden=Hidden(secrets_in(reader)))
    if not isinstance(answer, Unsent | Unknown):
        return None
    return _Failure(answer.reason, silent=answer.fault is not None and answer.fault.silent)
