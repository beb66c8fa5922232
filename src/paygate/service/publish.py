"""Publish: deliver events from the outbox to sinks, and to subscribers in this process.

Delivery is at least once, and in order per aggregate. An event that is not accepted is retried
later, and holds up only its own aggregate. After its last refusal it is a dead letter, which stays
visible until somebody replays it.

A reader that cannot be reached has refused nothing. It is left alone for a growing pause, and its
events are kept however long that takes, so a system that is down for a week misses nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from paygate import logs, telemetry
from paygate.errors import InvalidValue, NothingToReplay, RecordNotFound
from paygate.ledger import customers, delivery_tries, holding, outbox, roots
from paygate.ledger.codec import write_instant
from paygate.printing import shown
from paygate.service import finding, invoice_documents
from paygate.service.delivering import hand_over, look_ahead
from paygate.service.flow import look, together, transact
from paygate.service.readers import Subscriber
from paygate.sink import Delivery
from paygate.telemetry import Attribute, Metric, Shape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from paygate.domain.customer import Customer
    from paygate.domain.event import Event
    from paygate.ledger.tx import Tx
    from paygate.service.delivering import Ended, Failure
    from paygate.service.flow import Flow
    from paygate.service.readers import ConfiguredSink, Reader

RETRY_PLAN: Final = (
    *(timedelta(seconds=seconds) for seconds in (5, 30, 120, 600)),
    timedelta(hours=1),
    timedelta(hours=4),
    *([timedelta(hours=12)] * 6),
)
"""The pauses before a refused event is retried; after the last it is a dead letter.

Together they are longer than a weekend, because a broken system on the other side often refuses
events, rather than not responding.
"""

SILENCE_PAUSES: Final = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 3600))
"""The pauses for a reader that could not be reached; the last one repeats."""

_BATCH = 100
_PER_FLIGHT = 10
"""How many events are read for each delivery that may be under way, so that few wait at the end."""
_LEASE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class PausedSink:
    """A sink or subscriber that could not be reached, and is tried again after `until`.

    If `until` is None, the other side wants no more events, and the sink is stopped.
    """

    name: str
    until: datetime | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """
    The result of one pass: events delivered, delayed, and given up.

    `unreached` are the sinks and subscribers that could not be reached. `paused` are these, and
    those that were not reached earlier and were therefore left alone. `busy` are those to which
    another process delivers right now.
    """

    delivered: int = 0
    delayed: int = 0
    dead: int = 0
    unreached: tuple[str, ...] = ()
    paused: tuple[PausedSink, ...] = ()
    busy: tuple[str, ...] = ()

    def __add__(self, other: Published) -> Published:
        return Published(
            delivered=self.delivered + other.delivered,
            delayed=self.delayed + other.delayed,
            dead=self.dead + other.dead,
            unreached=self.unreached + other.unreached,
            paused=self.paused + other.paused,
            busy=self.busy + other.busy,
        )


def publish(readers: Sequence[Reader], lease: str) -> Flow[Published]:
    """Deliver all waiting events to each of *readers*, and return the totals."""
    total = Published()
    for reader in readers:
        facts = {Attribute.SINK: reader.name, Attribute.DESTINATION: reader.name}
        with telemetry.record(Shape.PUBLISH, facts) as ending:
            done = yield from _publish_to(reader, lease)
            ending.outcome = _outcome_of(done)
            ending.facts[Attribute.MESSAGES] = done.delivered
        _count(reader.name, done)
        total += done
    return total


def _outcome_of(done: Published) -> str:
    """Return what came of a pass of one reader, in a word."""
    if done.unreached:
        return "unreached"
    if done.paused:
        return "paused"
    return "busy" if done.busy else "done"


def _count(name: str, done: Published) -> None:
    counts = {"delivered": done.delivered, "delayed": done.delayed, "dead": done.dead}
    for outcome, count in counts.items():
        facts = {Attribute.SINK: name, Attribute.OUTCOME: outcome}
        telemetry.add(Metric.EVENTS, count, facts)


def release(name: str, lease: str) -> Flow[None]:
    """End the *lease* of a reader, if it still has it, so that another process can serve it."""

    def work(tx: Tx) -> None:
        holding.hold_sink(tx, name)
        outbox.release_sink(tx, name, lease)

    yield from transact(work)


def place() -> Flow[None]:
    """Assign positions to the events that have none; required before events are read in order."""
    if (yield from look(outbox.unplaced_since)) is not None:
        yield from transact(outbox.place)


def register(sinks: Iterable[ConfiguredSink]) -> Flow[None]:
    """Register the *sinks* that are not known, so that one that starts with the next event can."""
    wanted = list(sinks)
    if not wanted:
        return
    known = yield from look(outbox.sinks)
    for sink in wanted:
        if sink.name not in known:
            yield from transact(registering(sink))


def registering(reader: Reader) -> Callable[[Tx], None]:
    """Return the work that registers a configured reader, if it is not known."""
    whole = isinstance(reader, Subscriber) or reader.from_beginning
    return partial(subscribe_in, name=reader.name, from_beginning=whole)


def subscribe_in(tx: Tx, name: str, *, from_beginning: bool) -> None:
    """Register a reader; a new one starts at the beginning, or at the next event."""
    holding.hold_sink(tx, name, *(() if from_beginning else (roots.EVENTS,)))
    outbox.add_sink(tx, name, from_beginning=from_beginning)


def resume(tx: Tx, sink: str) -> bool:
    """Let *sink* be tried at the next pass; return whether it was left alone."""
    holding.hold_sink(tx, sink)
    finding.sink(tx, sink)
    if outbox.is_stopped(tx, sink):
        outbox.emit(tx, "sink.resumed", _aggregate(sink), {"sink": sink})
    return outbox.reached(tx, sink)


def _aggregate(sink: str) -> str:
    return f"sink:{sink}"


def resend(tx: Tx, sink: str, event: str, wants: Callable[[str], bool]) -> None:
    """Let *sink* have an event again that it was done with, or that is its dead letter."""
    holding.hold_sink(tx, sink)
    finding.sink(tx, sink)
    place = outbox.place_of(tx, sink, event)
    if place is None:
        raise RecordNotFound(f"there is no event {shown(event)} in this ledger", argument="event")
    if outbox.revive_one(tx, sink, place.position):
        return
    if place.waiting:
        raise NothingToReplay(
            f"the event {event} still waits for the sink {shown(sink)}, and is sent by itself",
            sink=sink,
            event=event,
            state="waiting",
        )
    if not wants(place.type):
        raise InvalidValue(
            f"the sink {shown(sink)} does not receive {place.type}: its setting events says so",
            argument="event",
        )
    outbox.resend(tx, sink, place.position)


def replay(tx: Tx, sink: str, event: str | None) -> int:
    """Make the dead letters of *sink* due again, or only *event*; return how many there are."""
    holding.hold_sink(tx, sink)
    finding.sink(tx, sink)
    if event is None:
        return outbox.revive(tx, sink)
    place = outbox.place_of(tx, sink, event)
    if place is None:
        raise RecordNotFound(f"there is no event {shown(event)} in this ledger", argument="event")
    if not outbox.revive_one(tx, sink, place.position):
        state = "waiting" if place.waiting else "delivered"
        said = "still waits for the sink" if place.waiting else "was delivered or not wanted"
        raise NothingToReplay(
            f"the event {event} is not a dead letter of {shown(sink)}: it {said}",
            sink=sink,
            event=event,
            state=state,
        )
    return 1


def _publish_to(reader: Reader, lease: str) -> Flow[Published]:
    name = reader.name

    def take(tx: Tx) -> int | None:
        holding.hold_sink(tx, name)
        return outbox.lease_sink(tx, name, lease, write_instant(tx.now + _LEASE))

    position = yield from transact(take)
    if position is None and name not in (yield from look(outbox.sinks)):
        yield from transact(registering(reader))
        position = yield from transact(take)
    if position is None:  # another process serves it, or it was not reached a moment ago
        paused = yield from look(partial(_paused, name=name))
        return Published(paused=(paused,)) if paused is not None else Published(busy=(name,))
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
    work = partial(_end, name=name, lease=lease, silence=silence, done=total)
    paused = yield from transact(work)
    if silence is None:
        return total
    return total + Published(unreached=(name,), paused=() if paused is None else (paused,))


def _paused(tx: Tx, *, name: str) -> PausedSink | None:
    """Return until when the reader is left alone, and why; None if it is not."""
    pause = outbox.pause_of(tx, name)
    return None if pause is None else PausedSink(name=name, until=pause.until, reason=pause.fault)


def _end(
    tx: Tx, *, name: str, lease: str, silence: Failure | None, done: Published
) -> PausedSink | None:
    """Release the sink for other processes, and record whether it was reached."""
    holding.hold_sink(tx, name)
    outbox.release_sink(tx, name, lease)
    if done.delivered:
        delivery_tries.forget_old(tx, name)
    if silence and silence.stops:
        outbox.stop(tx, name, silence.reason)
        data = {"sink": name, "reason": silence.reason}
        outbox.emit(tx, "sink.stopped", _aggregate(name), data)
    elif silence:
        if outbox.unreached(tx, name, silence.reason, SILENCE_PAUSES):
            tx.log("sink.unreached", f"{name}: {_in_log(silence)}", logs.NOTHING)
    elif (done.delivered or done.delayed or done.dead) and outbox.reached(tx, name):
        tx.log("sink.reached", f"{name} answers again", logs.NOTHING)
    return _paused(tx, name=name)


def _next_batch(
    reader: Reader, lease: str, position: int
) -> Flow[tuple[Published, int, Failure | None] | None]:
    """Deliver the next events; return the progress, and why the reader was not reached."""
    name = reader.name

    def waiting(tx: Tx) -> tuple[int, list[Delivery], set[str]]:
        read = outbox.after(tx, position, max(_BATCH, _PER_FLIGHT * reader.in_flight))
        wanted = [each for each in read if reader.wants(each.type)]
        blocked = outbox.blocked(tx, name, {each.aggregate for each in wanted})
        return read[-1].position if read else 0, _deliveries(tx, reader, wanted), blocked

    yield from place()
    last, deliveries, blocked = yield from look(waiting)
    if not last:
        return None
    yield from look_ahead(reader, [d for d in deliveries if d.event.aggregate not in blocked])
    tried: list[Ended] = []
    done = yield from _hand_over_each(reader, deliveries, blocked, tried)
    last, failed = done.last or last, done.failed

    def advance(tx: Tx) -> int | None:
        holding.hold_sink(tx, name)
        until = write_instant(tx.now + _LEASE)
        if not outbox.advance_sink(tx, name, lease, last, until):
            return None
        delivery_tries.add(tx, name, [each.as_tried() for each in tried])
        dead = 0
        for event, failure in failed:
            if failure is None:  # it waits behind another event of its aggregate
                outbox.delay(tx, name, event)
            else:
                dead += _set_aside(tx, name, outbox.SetAside(event, 0, 0), failure)
        return dead

    dead = yield from transact(advance)
    if dead is None:
        return None
    delayed = len(failed) - dead
    return Published(delivered=done.delivered, delayed=delayed, dead=dead), last, done.silence


def _deliveries(tx: Tx, reader: Reader, events: Iterable[Event]) -> list[Delivery]:
    """Return a delivery of each event, with the facts and documents that the reader needs."""
    if isinstance(reader, Subscriber):
        return [Delivery(event=event) for event in events]
    wants = reader.traits
    return [
        Delivery(
            event=event,
            contact=_contact(tx, event) if wants.needs_contact else None,
            documents=invoice_documents.of_event(tx, event) if wants.needs_documents else (),
        )
        for event in events
    ]


def _contact(tx: Tx, event: Event) -> Customer | None:
    customer = event.data.get("customer")
    return customers.find(tx, str(customer)) if customer else None


@dataclass(frozen=True, slots=True)
class _HandedOver:
    """
    What became of the deliveries of a batch.

    `failed` are the events that were not accepted, in order: each with the reason, or None if it
    waits behind another one of its aggregate, or was not tried. If the reader was not reached,
    `silence` says why, and `last` is the position after which the next batch begins.
    """

    delivered: int
    failed: list[tuple[Event, Failure | None]]
    silence: Failure | None = None
    last: int = 0


def _hand_over_each(
    reader: Reader, deliveries: Sequence[Delivery], blocked: set[str], tried: list[Ended]
) -> Flow[_HandedOver]:
    """
    Make *deliveries* until the reader does not respond, except those of *blocked* aggregates.

    Those of one aggregate are made one after the other. Those of different aggregates may be under
    way at once; then later ones may be accepted although an earlier one got no response, and what
    was not tried before them is set aside.
    """
    lanes: dict[str, list[Delivery]] = {}
    for each in deliveries:
        if each.event.aggregate not in blocked:
            lanes.setdefault(each.event.aggregate, []).append(each)
    accepted: set[int] = set()
    refused: dict[int, Failure] = {}

    def run(lane: Sequence[Delivery]) -> Flow[None]:
        for delivery in lane:
            if any(failure.silent for failure in refused.values()):
                return
            failure = yield from hand_over(reader, delivery, tried)
            if failure is not None:
                refused[delivery.event.position] = failure
                return
            accepted.add(delivery.event.position)

    at_once = reader.in_flight
    if at_once == 1:  # in the order of all events, which is more than a sink is promised
        yield from _one_by_one(reader, deliveries, blocked, accepted, refused, tried)
    else:
        yield from together((partial(run, lane) for lane in lanes.values()), at_once)
    silence = next((each for each in refused.values() if each.silent), None)
    last = max((*accepted, *refused)) if silence is not None else 0
    failed = [
        (each.event, refused.get(each.event.position))
        for each in deliveries
        if each.event.position not in accepted and (not last or each.event.position <= last)
    ]
    return _HandedOver(len(accepted), failed, silence, last)


def _one_by_one(
    reader: Reader,
    deliveries: Sequence[Delivery],
    blocked: set[str],
    accepted: set[int],
    refused: dict[int, Failure],
    tried: list[Ended],
) -> Flow[None]:
    """Make *deliveries* in their order, and note what was *accepted* and *refused*."""
    waiting = set(blocked)
    for delivery in deliveries:
        event = delivery.event
        if event.aggregate in waiting:
            continue
        failure = yield from hand_over(reader, delivery, tried)
        if failure is None:
            accepted.add(event.position)
            continue
        refused[event.position] = failure
        waiting.add(event.aggregate)
        if failure.silent:
            return


def _retry_due(reader: Reader) -> Flow[tuple[Published, Failure | None, bool]]:
    """
    Retry the events that were set aside; an unblocked aggregate continues with its next events.

    An event that the reader does not want any more is dropped. Also return why the reader was last
    not reached, and whether it is down. One event that never gets a response must not hold up all
    others, so it takes two in a row to count as down.
    """
    name = reader.name
    total = Published()
    silence: Failure | None = None

    def waiting_in(tx: Tx) -> list[tuple[outbox.SetAside, Delivery]]:
        due = outbox.due(tx, name, _BATCH)
        return list(zip(due, _deliveries(tx, reader, [each.event for each in due]), strict=True))

    while True:
        due = yield from look(waiting_in)
        if not due:
            return total, silence, False
        yield from look_ahead(reader, [each for _, each in due if reader.wants(each.event.type)])
        for waiting, delivery in due:
            if not reader.wants(waiting.event.type):
                yield from transact(_done(name, waiting.event))
                continue
            tried: list[Ended] = []
            failure = yield from hand_over(reader, delivery, tried)
            if failure is None:
                yield from transact(_done(name, waiting.event, tried))
                total, silence = total + Published(delivered=1), None
                continue
            work = partial(_set_aside, name=name, of=waiting, why=failure, tried=tried)
            dead = yield from transact(work)
            total += Published(dead=1) if dead else Published(delayed=1)
            if failure.stops or (failure.silent and silence is not None):
                return total, failure, True
            silence = failure if failure.silent else None


def _done(sink: str, event: Event, tried: Sequence[Ended] = ()) -> Callable[[Tx], None]:
    def work(tx: Tx) -> None:
        holding.hold_sink(tx, sink)
        outbox.done(tx, sink, event)
        delivery_tries.add(tx, sink, [each.as_tried() for each in tried])

    return work


def _set_aside(
    tx: Tx, name: str, of: outbox.SetAside, why: Failure, tried: Sequence[Ended] = ()
) -> bool:
    """Delay an event, or give it up after its last refusal; return whether it was given up."""
    holding.hold_sink(tx, name)
    delivery_tries.add(tx, name, [each.as_tried() for each in tried])
    tries, silences = of.tries, of.silences
    if why.silent:
        pause: timedelta | None = SILENCE_PAUSES[min(silences, len(SILENCE_PAUSES) - 1)]
        silences += 1
    else:
        pause = None if why.final or tries >= len(RETRY_PLAN) else RETRY_PLAN[tries]
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
        error=why.reason,
    )
    line = f"{name} refused {of.event.type} {of.event.id} of {of.event.aggregate}: {_in_log(why)}"
    if again is None:
        tx.log("sink.dead_letter", line, logs.NOTHING)
    elif tries == 1 and not why.silent:
        tx.log("sink.refused", line, logs.NOTHING)
    return again is None


def _in_log(why: Failure) -> str:
    return why.logged or why.reason
