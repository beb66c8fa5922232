"""Workers: what runs next to the customers: callbacks, poller, feeds, relay, restarts, time."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from paygate.errors import NotAuthentic, NotVerified
from paygate.gateway import CallbackStyle
from paygate.testing.processor.callbacks import read_written, signed_events
from paygate.testing.simulation.dice import weighted
from paygate.testing.simulation.faults import CALLBACK, PlannedFault

if TYPE_CHECKING:
    from collections.abc import Callable

    from paygate.domain.job import Job
    from paygate.gateway import Callback
    from paygate.testing.simulation.dice import Dice
    from paygate.testing.simulation.hosts import Host
    from paygate.testing.simulation.world import World

_SPANS: Final = {
    timedelta(seconds=1): 4,
    timedelta(seconds=20): 4,
    timedelta(seconds=95): 4,
    timedelta(minutes=6): 4,
    timedelta(minutes=35): 3,
    timedelta(hours=2): 2,
    timedelta(hours=12): 2,
    timedelta(days=1, hours=1): 2,
    timedelta(days=3, hours=1): 1,
}


def deliver(world: World, name: str, rolls: Dice) -> None:
    """Send some of the callbacks that are due, in the order of a processor."""
    _contradict(world, f"{name}.c", rolls)
    for number in range(rolls.randint(1, 3)):
        waiting = [
            (account, mine) for account in world.profiles if (mine := unheard(world, account))
        ]
        if not waiting:
            return
        account, indices = rolls.choice(waiting)
        index = indices[0]
        if world.acknowledged[account] and world.strikes(rolls, PlannedFault.DUPLICATED):
            # It is sent again although it was acknowledged long ago, before all later events.
            index = rolls.choice(sorted(world.acknowledged[account]))
        elif len(indices) > 1 and world.strikes(rolls, PlannedFault.REORDERED):
            index = rolls.choice(indices)
        _send(world, f"{name}.{number}", account, index, rolls)


def _contradict(world: World, name: str, rolls: Dice) -> None:
    """Sometimes send an acknowledged callback again, with other contents."""
    heard = [
        (account, index)
        for account in world.profiles
        for index in sorted(world.acknowledged[account])
        if _may_change(world, account, index)
    ]
    # In few schedules money is reported while others still act, so this is tried several times.
    if heard and any(world.strikes(rolls, PlannedFault.CHANGED) for _ in range(5)):
        _send_changed(world, name, *rolls.choice(heard), rolls)


def poll(world: World, name: str, rolls: Dice) -> None:
    """Recover, take due jobs as a worker does, or inquire about one payment."""
    _contradict(world, f"{name}.c", rolls)
    host = rolls.choice(world.workers)
    rows = world.payments("kind NOT IN ('check', 'cash', 'transfer', 'credit')")
    if rows and rolls.random() < 0.3:
        payment = str(rolls.choice(rows)["id"])
        world.begin(name, host, host.inquire(payment), rolls)
        world.count("actor:inquire")
        return
    if rolls.random() < 0.5:
        _take(world, name, host, rolls)
        return
    world.begin(name, host, host.recover(limit=rolls.choice((1, 100))), rolls)
    world.count("actor:recover")


def _take(world: World, name: str, host: Host, rolls: Dice) -> None:
    """
    Take jobs and do them at the same time, each on some host; some are done again, much later.

    What was taken may be late: its host was killed, or its lease has ended.
    """

    def taken(jobs: list[Job]) -> None:
        world.jobs += jobs
        some = jobs + ([rolls.choice(world.jobs)] if world.jobs else [])
        for number, job in enumerate(some):
            does = rolls.choice(world.workers)
            world.begin(f"{name}.{number}", does, does.work(job), rolls)
            world.count(f"actor:job {job.kind}")

    limit = rolls.choice((1, 3, 100))
    world.begin(name, host, host.take_due(limit=limit), rolls, then=taken)


def read_feeds(world: World, name: str, rolls: Dice) -> None:
    """Read the processors' feeds."""
    host = rolls.choice(world.workers)
    world.begin(name, host, host.read_feeds(), rolls)
    world.count("actor:read_feeds")


def relay(world: World, name: str, rolls: Dice) -> None:
    """Publish events to the consumer."""
    host = rolls.choice(world.workers)
    world.begin(name, host, host.publish(), rolls)
    world.count("actor:publish")


def elsewhere(world: World, _: str, rolls: Dice) -> None:
    """Make another application charge at our account; its events reach us, some unreadable."""
    account = rolls.choice(list(world.profiles))
    readable = rolls.random() < 0.5
    world.gateways[account].elsewhere(rolls.choice((700, 4200)), readable=readable)
    world.count("somebody else's event" if readable else "somebody else's, unreadable")


def kill(world: World, name: str, rolls: Dice) -> None:
    """Kill a host at its current step."""
    del name
    busy = [task.host for task in world.tasks]
    world.kill(rolls.choice(busy or world.workers))
    world.count("actor:kill")


def restart(world: World, name: str, rolls: Dice) -> None:
    """Let a host finish its tasks, and restart it."""
    del name
    host = rolls.choice(world.hosts)
    while any(task.host is host for task in world.tasks):
        world.move(next(task for task in world.tasks if task.host is host))
        if host not in world.hosts:  # it was killed in the meantime
            return
    world.kill(host)
    world.count("actor:restart")


def wait(world: World, name: str, rolls: Dice) -> None:
    """Let time pass."""
    del name
    span = weighted(rolls, _SPANS)
    world.note(f"time {span}")
    world.advance(span)
    world.count("actor:time passes")


def set_clock(world: World, name: str, rolls: Dice) -> None:
    """Set the clock of a host wrong, or right again."""
    del name
    host = rolls.choice(world.hosts)
    fault = world.strikes(rolls, PlannedFault.SKEW, PlannedFault.CLOCK_BACK)
    host.clock.skew = timedelta(0)
    if fault is PlannedFault.SKEW:
        host.clock.skew = timedelta(seconds=rolls.uniform(-240, 240))
    if fault is PlannedFault.CLOCK_BACK:
        host.clock.skew = -timedelta(minutes=rolls.choice((10, 60, 3000)))


ACTIONS: Final[dict[str, tuple[int, Callable[[World, str, Dice], None]]]] = {
    "callbacks arrive": (8, deliver),
    "poller": (8, poll),
    "feeds": (3, read_feeds),
    "relay": (3, relay),
    "elsewhere": (2, elsewhere),
    "kill": (5, kill),
    "restart": (1, restart),
    "time passes": (11, wait),
    "clock": (4, set_clock),
}


def unheard(world: World, account: str) -> list[int]:
    """Return the events of a processor that no host has acknowledged, the oldest first."""
    if world.profiles[account].traits.callbacks is CallbackStyle.NONE:
        return []
    processor = world.gateways[account].processor
    processor.catch_up()
    heard = world.acknowledged[account]
    return [index for index in range(len(processor.truth.events)) if index not in heard]


def send_callback(world: World, name: str, account: str, index: int, rolls: Dice) -> None:
    """Send one event as a correct callback."""
    _begin(world, name, account, index, _signed(world, account, index), rolls)


def _send(world: World, name: str, account: str, index: int, rolls: Dice) -> None:
    callback = _signed(world, account, index)
    world.count("actor:callback")
    match world.strikes(rolls, *CALLBACK):
        case PlannedFault.DUPLICATED:
            _begin(world, f"{name}d", account, index, callback, rolls)
        case PlannedFault.CORRUPTED:
            body = bytearray(callback.body)
            body[rolls.randrange(len(body))] ^= 1 << rolls.randrange(7)
            _begin_bad(world, name, account, replace(callback, body=bytes(body)), rolls)
            return
        case PlannedFault.FORGED:
            event = world.gateways[account].processor.truth.events[index]
            [written] = signed_events([event], "somebody else's key", world.clock.now())
            _begin_bad(world, name, account, read_written(written), rolls)
            return
        case PlannedFault.RECORDED:
            late = replace(callback, received_at=callback.received_at + timedelta(minutes=6))
            _begin_bad(world, name, account, late, rolls)
            return
        case _:
            pass
    _begin(world, name, account, index, callback, rolls)


def _may_change(world: World, account: str, index: int) -> bool:
    """Return whether an event can be sent with other contents that make a difference."""
    truth = world.gateways[account].processor.truth
    event = truth.events[index]
    shows = bool(event.get("moved")) and not truth.is_foreign(event)
    # Money for a payer's number is reported in one event each.
    shows = shows and "payer_number" not in event["order"]
    return shows and not world.profiles[account].hints


def _send_changed(world: World, name: str, account: str, index: int, rolls: Dice) -> None:
    """Send an event that was already acknowledged, as if other money had moved."""
    changed = _signed(world, account, index, minor=rolls.choice((1, 77, 4000)))
    event_id = str(world.gateways[account].processor.truth.events[index]["id"])

    def heard(reply: Any) -> None:
        if 200 <= reply.status < 300:
            world.changed[account, event_id] = True

    world.changed.setdefault((account, event_id), False)
    host = rolls.choice(world.hosts)
    world.begin(name, host, host.receive(account, changed), rolls, then=heard)


def _signed(world: World, account: str, index: int, minor: int = 0) -> Callback:
    """Return an event as a signed callback; *minor* replaces the amount that moved."""
    processor = world.gateways[account].processor
    event = processor.truth.events[index]
    if minor:
        moved = [{**row, "id": f"{row['id']}x", "minor": minor} for row in event["moved"]]
        event = {**event, "moved": moved}
    [written] = signed_events([event], processor.signing_key, processor.clock.now())
    return read_written(written)


def _begin(
    world: World, name: str, account: str, index: int, callback: Callback, rolls: Dice
) -> None:
    def heard(reply: Any) -> None:
        world.note(f"{account} hears {reply.status} for event {index}")
        if world.replies.setdefault((account, index), reply) != reply:
            world.violated("callbacks", f"{account}: event {index} got two different replies")
        if 200 <= reply.status < 300:
            world.acknowledged[account].add(index)

    host = rolls.choice(world.hosts)
    world.begin(name, host, host.receive(account, callback), rolls, then=heard)


def _begin_bad(world: World, name: str, account: str, callback: Callback, rolls: Dice) -> None:
    """Send a callback that is not authentic, which must be refused."""

    def accepted(_: Any) -> None:
        world.violated("callbacks", f"{account}: a callback that is not authentic was accepted")

    def refused(error: BaseException | None) -> None:
        if error is not None and not isinstance(error, NotAuthentic | NotVerified):
            world.violated("callbacks", f"{account}: refused with {type(error).__name__}")

    host = rolls.choice(world.hosts)
    world.begin(name, host, host.receive(account, callback), rolls, accepted, refused)
