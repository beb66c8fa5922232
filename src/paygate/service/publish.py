"""Publish: deliver events from the outbox to sinks, and to subscribers in this process.

Delivery is at least once, and in order per aggregate. An event that is not accepted is retried
later, and holds up only its own aggregate. After its last refusal it is a dead letter, which stays
visible until somebody replays it.

A reader that cannot be reached has refused nothing. It is left alone for a growing pause, and its
events are kept however long that takes, so a system that is down for a week misses nothing.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from paygate import logs
from paygate.dialogue import deferred
from paygate.domain.outcome import Unknown, Unsent
from paygate.errors import NoResponse, NotSent
from paygate.ledger import holding, outbox, roots
from paygate.ledger.codec import write_instant
from paygate.service.asking import ask
from paygate.service.flow import Deliver, Flow, look, transact
from paygate.service.hiding import Hidden
from paygate.service.secrets import secrets_in

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from paygate.domain.event import Event
    from paygate.ledger.tx import Tx
    from paygate.sink import Sink

RETRY_PLAN: Final = tuple(
    timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 3600, 21600, 86400)
)
"""The pauses before a refused event is retried; after the last it is a dead letter."""

SILENCE_PAUSES: Final = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 3600))
"""The pauses for a reader that could not be reached; the last one repeats."""

_BATCH = 100
_LEASE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A callable of the host, with a name under which the ledger stores its position."""

    name: str
    call: Callable[[Event], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """
    The result of one pass: events delivered, delayed, and given up.

    `unreached` are the sinks and subscribers that could not be reached.
    """

    delivered: int = 0
    delayed: int = 0
    dead: int = 0
    unreached: tuple[str, ...] = ()

    def __add__(self, other: Published) -> Published:
        return Published(
            delivered=self.delivered + other.delivered,
            delayed=self.delayed + other.delayed,
            dead=self.dead + other.dead,
            unreached=self.unreached + other.unreached,
        )


def is_async(handler: Callable[[Event], Any]) -> bool:
    """Return whether the result of *handler* must be awaited."""
    if inspect.iscoroutinefunction(handler):
        return True
    return inspect.iscoroutinefunction(getattr(handler, "__call__", None))  # noqa: B004


def publish(readers: Sequence[Sink | Subscriber], lease: str) -> Flow[Published]:
    """Deliver all waiting events to each of *readers*, and return the totals."""
    total = Published()
    for reader in readers:
        total += yield from _publish_to(reader, lease)
    return total


def place() -> Flow[None]:
    """Assign positions to the events that have none; required before events are read in order."""
    if (yield from look(outbox.unplaced_since)) is not None:
        yield from transact(outbox.place)


def subscribe_in(tx: Tx, name: str, *, from_beginning: bool) -> None:
    """Register a reader; a new one starts at the beginning, or at the next event."""
    holding.hold_sink(tx, name, *(() if from_beginning else (roots.EVENTS,)))
    outbox.add_sink(tx, name, from_beginning=from_beginning)


def _publish_to(reader: Sink | Subscriber, lease: str) -> Flow[Published]:
    name = reader.name

    def take(tx: Tx) -> int | None:
        holding.hold_sink(tx, name)
        outbox.add_sink(tx, name, from_beginning=True)
        return outbox.lease_sink(tx, name, lease, write_instant(tx.now + _LEASE))

    position = yield from transact(take)
    if position is None:  # another process serves it, or it was not reached a moment ago
        return Published()
    total, silence, down = yield from _retry_due(reader)
    while not down:
        step = yield from _next_batch(reader, lease, position)
        if step is None:
            break
        done, position, failure = step
        total += done
        down = failure is not None
        silence = failure if down or done.delivered else silence
    # If the process is stopped before this, the lease expires.
    yield from transact(partial(_end, name=name, lease=lease, silence=silence, done=total))
    return total + Published(unreached=(name,)) if silence else total


def _end(tx: Tx, *, name: str, lease: str, silence: _Failure | None, done: Published) -> None:
    """Release the sink for other processes, and record whether it was reached."""
    holding.hold_sink(tx, name)
    outbox.release_sink(tx, name, lease)
    if silence:
        if outbox.unreached(tx, name, silence.error, SILENCE_PAUSES):
            tx.log("sink.unreached", f"{name}: {_in_log(silence)}", logs.NOTHING)
    elif (done.delivered or done.delayed or done.dead) and outbox.reached(tx, name):
        tx.log("sink.reached", f"{name} answers again", logs.NOTHING)


def _next_batch(
    reader: Sink | Subscriber, lease: str, position: int
) -> Flow[tuple[Published, int, _Failure | None] | None]:
    """Deliver the next events; return the progress, and why the reader was not reached."""
    name = reader.name

    def waiting(tx: Tx) -> tuple[list[Event], set[str]]:
        found = outbox.after(tx, position, _BATCH)
        return found, outbox.blocked(tx, name, {each.aggregate for each in found})

    yield from place()
    events, blocked = yield from look(waiting)
    if not events:
        return None
    delivered, failed, silence = yield from _hand_over_each(reader, events, blocked)
    last = failed[-1][0].position if silence is not None else events[-1].position

    def advance(tx: Tx) -> bool:
        holding.hold_sink(tx, name)
        if not outbox.advance_sink(tx, name, lease, last):
            return False
        for event, failure in failed:
            if failure is None:  # it waits behind another event of its aggregate
                outbox.delay(tx, name, event)
            else:
                _set_aside(tx, name, outbox.SetAside(event, 0, 0), failure)
        return True

    if not (yield from transact(advance)):
        return None
    return Published(delivered=delivered, delayed=len(failed)), last, silence


def _hand_over_each(
    reader: Sink | Subscriber, events: Sequence[Event], blocked: set[str]
) -> Flow[tuple[int, list[tuple[Event, _Failure | None]], _Failure | None]]:
    """
    Deliver *events* until the reader does not respond, except those of *blocked* aggregates.

    Return how many were delivered, those that were not and why, and why the reader was not reached.
    """
    failed: list[tuple[Event, _Failure | None]] = []
    delivered = 0
    for event in events:
        if event.aggregate in blocked:
            failed.append((event, None))
            continue
        failure = yield from _hand_over(reader, event)
        if failure is None:
            delivered += 1
            continue
        blocked.add(event.aggregate)
        failed.append((event, failure))
        if failure.silent:
            return delivered, failed, failure
    return delivered, failed, None


def _retry_due(reader: Sink | Subscriber) -> Flow[tuple[Published, _Failure | None, bool]]:
    """
    Retry the events that were set aside; an unblocked aggregate continues with its next events.

    Also return why the reader was last not reached, and whether it is down. One event that never
    gets a response must not hold up all others, so it takes two in a row to count as down.
    """
    name = reader.name
    total = Published()
    silence: _Failure | None = None
    while True:
        due = yield from look(lambda tx: outbox.due(tx, name, _BATCH))
        if not due:
            return total, silence, False
        for waiting in due:
            failure = yield from _hand_over(reader, waiting.event)
            if failure is None:
                yield from transact(_done(name, waiting.event))
                total, silence = total + Published(delivered=1), None
                continue
            dead = yield from transact(partial(_set_aside, name=name, of=waiting, why=failure))
            total += Published(dead=1) if dead else Published(delayed=1)
            if failure.silent and silence is not None:
                return total, failure, True
            silence = failure if failure.silent else None


def _done(sink: str, event: Event) -> Callable[[Tx], None]:
    def work(tx: Tx) -> None:
        holding.hold_sink(tx, sink)
        outbox.done(tx, sink, event)

    return work


def _set_aside(tx: Tx, name: str, of: outbox.SetAside, why: _Failure) -> bool:
    """Delay an event, or give it up after its last refusal; return whether it was given up."""
    holding.hold_sink(tx, name)
    tries, silences = of.tries, of.silences
    if why.silent:
        pause: timedelta | None = SILENCE_PAUSES[min(silences, len(SILENCE_PAUSES) - 1)]
        silences += 1
    else:
        pause = RETRY_PLAN[tries] if tries < len(RETRY_PLAN) else None
        tries += 1
    again = None if pause is None else write_instant(tx.now + pause)
    outbox.delay(
        tx,
        name,
        of.event,
        tries=tries,
        silences=silences,
        next_try_at=again,
        dead=again is None,
        error=why.error,
    )
    line = f"{name} refused {of.event.type} {of.event.id} of {of.event.aggregate}: {_in_log(why)}"
    if again is None:
        tx.log("sink.dead_letter", line, logs.NOTHING)
    elif tries == 1 and not why.silent:
        tx.log("sink.refused", line, logs.NOTHING)
    return again is None


def _in_log(why: _Failure) -> str:
    return why.logged or why.error


_UNREACHED: Final = (NotSent, NoResponse, ConnectionError, TimeoutError)
"""The exceptions by which a subscriber reports that its system could not be reached."""


@dataclass(frozen=True, slots=True)
class _Failure:
    """
    Why an event was not accepted; `silent` if the reader was not reached at all.

    `logged` is the text for the log: the text of a host's own exception may contain a secret.
    """

    error: str
    silent: bool = False
    logged: str = ""


def _hand_over(reader: Sink | Subscriber, event: Event) -> Flow[_Failure | None]:
    """Deliver one event; return why it was not accepted, or None if it was."""
    if isinstance(reader, Subscriber):
        try:
            result = yield Deliver(reader.call, event)
        except Exception as error:  # noqa: BLE001  (the host's code; its aggregate waits)
            kind, silent = type(error).__name__, isinstance(error, _UNREACHED)
            return _Failure(f"{kind}: {error}", silent, logged=kind)
        if inspect.isawaitable(result):
            # Nothing awaits it here, so the work has not been done.
            if inspect.iscoroutine(result):
                result.close()
            return _Failure("the subscriber returned an awaitable, which is not awaited here")
        return None
    deliver = deferred(partial(reader.deliver, event))
    answer = yield from ask(reader.name, deliver, hidden=Hidden(secrets_in(reader)))
    if not isinstance(answer, Unsent | Unknown):
        return None
    return _Failure(answer.reason, silent=answer.fault is not None and answer.fault.silent)
