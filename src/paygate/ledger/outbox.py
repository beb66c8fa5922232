"""The outbox: events, stored in the transaction that caused them, and the positions of sinks.

On PostgreSQL, transactions commit in a different order than they begin, so a sink that stores its
position could skip an event that is committed later with a lower number. So an event has no
position at first. Whoever reads in order first assigns the next positions to the events that have
none, in the order of their insertion (`place`). Events of one aggregate are inserted one after the
other, because their transactions lock the same root, so they keep their order. On SQLite, events
are committed in the order of their insertion and have a position at once.

A sink reads the outbox in order and stores its position. An event that it cannot take becomes a
delivery row; later events of the same aggregate queue behind it, and all others continue.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from paygate import logs
from paygate.domain.event import EVENT_TYPES, SCHEMA_VERSION, DeadLetter, Event
from paygate.domain.money import Money
from paygate.ledger import checksums, delivery_tries
from paygate.ledger.codec import read_instant, read_instant_or_none, write_instant
from paygate.ledger.roots import EVENTS
from paygate.ledger.tx import LOGGER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime, timedelta

    from paygate.ledger.tx import Row, Tx

_INSERT = """
INSERT INTO paygate_outbox (
  id, tenant, type, aggregate, seq, schema_version, occurred_at, actor, data, checksum)
VALUES (
  :id, :tenant, :type, :aggregate,
  (SELECT coalesce(max(seq), 0) + 1 FROM paygate_outbox
   WHERE tenant = :tenant AND aggregate = :aggregate),
  :version, :at, :actor, :data, :checksum)
"""
_COLUMNS = "position, id, type, aggregate, seq, schema_version, occurred_at, actor, data"
_AFTER = f"""
SELECT {_COLUMNS} FROM paygate_outbox
WHERE tenant = :tenant AND position > :position ORDER BY position LIMIT :limit
"""
_BY_AGGREGATE = f"""
SELECT {_COLUMNS} FROM paygate_outbox
WHERE tenant = :tenant AND aggregate = :aggregate AND seq > :seq ORDER BY seq LIMIT :limit
"""
_OF_AGGREGATE_AFTER = f"""
SELECT {_COLUMNS} FROM paygate_outbox
WHERE tenant = :tenant AND aggregate = :aggregate AND +position > :position
ORDER BY seq LIMIT :limit
"""
# On SQLite an event has a position at once. PostgreSQL has other texts of these statements.
UNPLACED: Final = "SELECT '' AS occurred_at WHERE 1 = 0"
PLACE: Final = "UPDATE paygate_outbox SET position = position WHERE position = 0"
_LAST = """
SELECT position FROM paygate_outbox
WHERE tenant = :tenant AND position IS NOT NULL ORDER BY position DESC LIMIT 1
"""
_LAST_OF = """
SELECT occurred_at FROM paygate_outbox
WHERE tenant = :tenant AND aggregate = :aggregate ORDER BY seq DESC LIMIT 1
"""
_ANY_OF = "SELECT 1 AS one FROM paygate_outbox WHERE tenant = :tenant LIMIT 1"
_ANY_BEFORE = "SELECT 1 AS one FROM paygate_outbox WHERE tenant < :tenant LIMIT 1"
_ANY_AFTER = "SELECT 1 AS one FROM paygate_outbox WHERE tenant > :tenant LIMIT 1"
_ANY = "SELECT 1 AS one FROM paygate_outbox WHERE id > '' LIMIT 1"
_ADD_SINK = """
INSERT INTO paygate_sink (tenant, name, position) VALUES (:tenant, :name, :position)
ON CONFLICT (tenant, name) DO UPDATE SET position = :position, forgotten_at = NULL
WHERE paygate_sink.forgotten_at IS NOT NULL
"""
_LEASE = """
UPDATE paygate_sink SET lease = :lease, lease_until = :until
WHERE tenant = :tenant AND name = :name AND forgotten_at IS NULL
  AND (lease = '' OR lease = :lease OR lease_until < :at)
"""
_SINK = "SELECT position, pause_until FROM paygate_sink WHERE tenant = :tenant AND name = :name"
_PAUSE = """
SELECT pause_until, fault FROM paygate_sink
WHERE tenant = :tenant AND name = :name AND pause_until > :at
"""
_SINKS = """
SELECT name FROM paygate_sink WHERE tenant = :tenant AND forgotten_at IS NULL ORDER BY name
"""
_ADVANCE = """
UPDATE paygate_sink SET position = :position, lease_until = :until
WHERE tenant = :tenant AND name = :name AND lease = :lease AND position <= :position
"""
_RELEASE = """
UPDATE paygate_sink SET lease = '', lease_until = NULL
WHERE tenant = :tenant AND name = :name AND lease = :lease
"""
_BLOCKED = """
SELECT 1 AS one FROM paygate_delivery
WHERE tenant = :tenant AND sink = :sink AND aggregate = :aggregate LIMIT 1
"""
_DELAY = """
INSERT INTO paygate_delivery (
  tenant, sink, position, aggregate, tries, silences, since, next_try_at, dead, error)
VALUES (:tenant, :sink, :position, :aggregate, :tries, :silences, :at, :next_try_at, :dead, :error)
ON CONFLICT (tenant, sink, position) DO UPDATE SET
  tries = :tries, silences = :silences, next_try_at = :next_try_at, dead = :dead, error = :error
"""
_DUE = f"""
SELECT {", ".join("o." + name for name in _COLUMNS.split(", "))}, d.tries, d.silences
FROM paygate_delivery d JOIN paygate_outbox o ON o.position = d.position
WHERE d.tenant = :tenant AND d.sink = :sink AND d.dead = 0
  AND (d.next_try_at IS NULL OR d.next_try_at <= :at)
  AND NOT EXISTS (
    SELECT 1 FROM paygate_delivery e
    WHERE e.tenant = d.tenant AND e.sink = d.sink AND e.aggregate = d.aggregate
      AND e.position < d.position)
ORDER BY d.position LIMIT :limit
"""
_DONE = """
DELETE FROM paygate_delivery
WHERE tenant = :tenant AND sink = :sink AND position = :position
"""
_DEAD = f"""
SELECT {", ".join("o." + name for name in _COLUMNS.split(", "))}, d.sink, d.tries, d.since, d.error
FROM paygate_delivery d JOIN paygate_outbox o ON o.position = d.position
WHERE d.tenant = :tenant AND d.dead = 1 ORDER BY d.sink, d.position LIMIT :limit
"""
_DEAD_OF = _DEAD.replace("AND d.dead = 1", "AND d.sink = :sink AND d.dead = 1")
_REVIVE = """
UPDATE paygate_delivery SET dead = 0, tries = 0, silences = 0, next_try_at = NULL
WHERE tenant = :tenant AND sink = :sink AND dead = 1
"""
_REVIVE_ONE = """
UPDATE paygate_delivery SET dead = 0, tries = 0, silences = 0, next_try_at = NULL
WHERE tenant = :tenant AND sink = :sink AND position = :position AND dead = 1
"""
_PLACE_OF = """
SELECT o.position, o.type, d.sink AS set_aside,
  (SELECT s.position FROM paygate_sink s WHERE s.tenant = :tenant AND s.name = :sink) AS read
FROM paygate_outbox o
LEFT JOIN paygate_delivery d ON d.tenant = :tenant AND d.sink = :sink AND d.position = o.position
WHERE o.tenant = :tenant AND o.id = :id
"""
_POSITION = "SELECT position FROM paygate_outbox WHERE tenant = :tenant AND id = :id"
_RESEND = """
INSERT INTO paygate_delivery (tenant, sink, position, aggregate, since)
SELECT :tenant, :sink, o.position, o.aggregate, :at FROM paygate_outbox o
WHERE o.tenant = :tenant AND o.position = :position
"""
_FORGET_DELIVERIES = "DELETE FROM paygate_delivery WHERE tenant = :tenant AND sink = :sink"
_FORGET = """
UPDATE paygate_sink SET forgotten_at = :at, lease = '', lease_until = NULL, fault = '',
  unreached_since = NULL, silences = 0, pause_until = NULL
WHERE tenant = :tenant AND name = :sink
"""
_UNREACHED = """
UPDATE paygate_sink SET fault = :fault, unreached_since = coalesce(unreached_since, :at),
  silences = silences + 1, pause_until = :until
WHERE tenant = :tenant AND name = :sink
"""
_STOP = """
UPDATE paygate_sink SET fault = :fault, unreached_since = coalesce(unreached_since, :at),
  silences = silences + 1, pause_until = :never
WHERE tenant = :tenant AND name = :name
"""
_REACHED = """
UPDATE paygate_sink SET fault = '', unreached_since = NULL, silences = 0, pause_until = NULL
WHERE tenant = :tenant AND name = :sink AND silences > 0
"""
_SILENCES = "SELECT silences FROM paygate_sink WHERE tenant = :tenant AND name = :sink"


NEVER: Final = "9999-12-31T23:59:59.999999+00:00"
"""The end of the pause of a sink that is stopped."""

ERROR_MAX: Final = 500
"""The number of characters of a sink's error message that are stored."""

# Created once, because json.dumps with options creates an encoder for every call.
_write = json.JSONEncoder(separators=(",", ":")).encode


def emit(
    tx: Tx,
    type_: str,
    aggregate: str,
    data: Mapping[str, Any],
    about: logs.About = logs.NOTHING,
) -> None:
    """Store an event of *aggregate* in this transaction, and log it with the fields of *about*."""
    assert type_ in EVENT_TYPES, f"undocumented event type {type_}"
    params = {
        "id": tx.new_id("evt"),
        "tenant": tx.tenant,
        "type": type_,
        "aggregate": aggregate,
        "version": SCHEMA_VERSION,
        "at": tx.at,
        "actor": tx.actor,
        "data": _write(data),
    }
    if aggregate.startswith(_OF_NO_CUSTOMER):
        tx.queue_at_end(aggregate)
    tx.at_end(_INSERT, checksums.signed(checksums.OUTBOX, params))
    level = logs.level_of(type_, data.get("code", ""))
    if logs.wanted(LOGGER, level):
        account = about.account or data.get("account") or ""
        payment = about.payment or data.get("payment") or ""
        about = replace(about, account=account, payment=payment)
        tx.log(type_, _line(type_, aggregate, data), about, level=level)


_OF_NO_CUSTOMER: Final = ("account:", "callbacks:")
"""Prefixes of the aggregates whose events are stored by units that lock no root in common."""

_SHOWN: Final = ("event_id", "type", "code", "raw_code")


def _line(type_: str, aggregate: str, data: Mapping[str, Any]) -> str:
    """Return the log line of an event: its aggregate, amount, codes and reason."""
    parts = [f"{type_.partition('.')[0]} {data.get('number') or aggregate}"]
    minor = data.get("amount_minor", data.get("total_minor"))
    if isinstance(minor, int) and "currency" in data:
        parts.append(str(Money(data["currency"], minor)))
    parts += [str(data[name]) for name in _SHOWN if data.get(name)]
    reason = str(data.get("reason") or "")
    return ", ".join(parts) + (f": {reason}" if reason else "")


def unplaced_since(tx: Tx) -> str | None:
    """Return when the first event without a position occurred; None if all have one."""
    row = tx.one(UNPLACED, {"tenant": tx.tenant})
    return None if row is None else str(row["occurred_at"])


def place(tx: Tx) -> None:
    """Assign positions to the events that have none, in the order of their insertion."""
    tx.hold(EVENTS)
    tx.execute(PLACE, {})


def after(tx: Tx, position: int, limit: int, aggregate: str | None = None) -> list[Event]:
    """Return events after *position*, in order: all, or those of one *aggregate*."""
    params = {"tenant": tx.tenant, "position": position, "limit": limit, "aggregate": aggregate}
    rows = tx.all(_AFTER, params) if aggregate is None else tx.all(_OF_AGGREGATE_AFTER, params)
    return [event_of(row) for row in rows]


def of_aggregate(tx: Tx, aggregate: str, seq: int, limit: int) -> list[Event]:
    """Return the events of one aggregate after its number *seq*."""
    params = {"tenant": tx.tenant, "aggregate": aggregate, "seq": seq, "limit": limit}
    return [event_of(row) for row in tx.all(_BY_AGGREGATE, params)]


def last_of(tx: Tx, aggregate: str) -> datetime | None:
    """Return when the last event about *aggregate* occurred, or None."""
    row = tx.one(_LAST_OF, {"tenant": tx.tenant, "aggregate": aggregate})
    return None if row is None else read_instant(row["occurred_at"])


def only_of_others(tx: Tx) -> bool:
    """Return whether the ledger has events, but none of this tenant."""
    return tx.one(_ANY_OF, {"tenant": tx.tenant}) is None and tx.one(_ANY, {}) is not None


def has_others(tx: Tx) -> bool:
    """Return whether the ledger has events of other tenants."""
    params = {"tenant": tx.tenant}
    return tx.one(_ANY_BEFORE, params) is not None or tx.one(_ANY_AFTER, params) is not None


def add_sink(tx: Tx, name: str, *, from_beginning: bool) -> None:
    """Register sink *name*, once; it reads from the first event, or from the next one."""
    position = 0
    if not from_beginning:
        tx.execute(PLACE, {})
        row = tx.one(_LAST, {"tenant": tx.tenant})
        position = 0 if row is None else row["position"]
    tx.execute(_ADD_SINK, {"tenant": tx.tenant, "name": name, "position": position})


def sinks(tx: Tx) -> list[str]:
    """Return the names of the known sinks and subscribers."""
    return [row["name"] for row in tx.all(_SINKS, {"tenant": tx.tenant})]


def lease_sink(tx: Tx, name: str, lease: str, until: str) -> int | None:
    """
    Take the lease of sink *name*, and return its position.

    Return None while another reader has the lease, or while the sink is paused because it could
    not be reached.
    """
    params = {"tenant": tx.tenant, "name": name, "lease": lease, "until": until, "at": tx.at}
    if not tx.run(_LEASE, params):
        return None
    row = tx.one(_SINK, params)
    assert row is not None, "the row was just updated"
    if row["pause_until"] is not None and row["pause_until"] > tx.at:
        release_sink(tx, name, lease)
        return None
    return int(row["position"])


def advance_sink(tx: Tx, name: str, lease: str, position: int, until: str) -> bool:
    """Store the position of sink *name*, and renew its lease; False if another reader took over."""
    params = {"tenant": tx.tenant, "name": name, "lease": lease, "position": position}
    params["until"] = until
    return bool(tx.run(_ADVANCE, params))


def release_sink(tx: Tx, name: str, lease: str) -> None:
    """Release the lease of sink *name*."""
    tx.execute(_RELEASE, {"tenant": tx.tenant, "name": name, "lease": lease})


@dataclass(frozen=True, slots=True)
class Pause:
    """Until when a sink is left alone, and the fault for which; a stopped one has no end."""

    until: datetime | None
    fault: str


def pause_of(tx: Tx, name: str) -> Pause | None:
    """Return the pause of sink *name*; None if it is not left alone."""
    row = tx.one(_PAUSE, {"tenant": tx.tenant, "name": name, "at": tx.at})
    return None if row is None else Pause(end_of_pause(row["pause_until"]), row["fault"])


def end_of_pause(until: str | None) -> datetime | None:
    """Return when a pause ends; None without one, or if only a person ends it."""
    return None if until == NEVER else read_instant_or_none(until)


def blocked(tx: Tx, sink: str, aggregates: Iterable[str]) -> set[str]:
    """Return the *aggregates* that are blocked by an earlier event that was not taken."""
    params = {"tenant": tx.tenant, "sink": sink}
    return {each for each in aggregates if tx.one(_BLOCKED, {**params, "aggregate": each})}


def delay(
    tx: Tx,
    sink: str,
    event: Event,
    *,
    tries: int = 0,
    silences: int = 0,
    next_try_at: str | None = None,
    dead: bool = False,
    error: str = "",
) -> None:
    """Set *event* aside for *sink*, to be tried again, or as a dead letter."""
    params = {
        "tenant": tx.tenant,
        "sink": sink,
        "position": event.position,
        "aggregate": event.aggregate,
        "tries": tries,
        "silences": silences,
        "at": tx.at,
        "next_try_at": next_try_at,
        "dead": int(dead),
        "error": error[:ERROR_MAX],
    }
    tx.execute(_DELAY, params)


@dataclass(frozen=True, slots=True)
class SetAside:
    """An event that was set aside: how often it was refused, and how often the sink was silent."""

    event: Event
    tries: int
    silences: int


def due(tx: Tx, sink: str, limit: int) -> list[SetAside]:
    """Return set-aside events that are due, the first of each aggregate."""
    params = {"tenant": tx.tenant, "sink": sink, "at": tx.at, "limit": limit}
    return [SetAside(event_of(row), row["tries"], row["silences"]) for row in tx.all(_DUE, params)]


def unreached(tx: Tx, sink: str, fault: str, pauses: Sequence[timedelta]) -> bool:
    """Pause *sink*, longer each time; return whether it was reached the time before."""
    row = tx.one(_SILENCES, {"tenant": tx.tenant, "sink": sink})
    silences = 0 if row is None else int(row["silences"])
    pause = pauses[min(silences, len(pauses) - 1)]
    params = {"tenant": tx.tenant, "sink": sink, "at": tx.at, "fault": fault[:ERROR_MAX]}
    tx.execute(_UNREACHED, params | {"until": write_instant(tx.now + pause)})
    return not silences


def stop(tx: Tx, sink: str, fault: str) -> None:
    """Stop *sink*, so that no process publishes to it, until somebody resumes it."""
    params = {"tenant": tx.tenant, "name": sink, "at": tx.at, "fault": fault[:ERROR_MAX]}
    tx.execute(_STOP, params | {"never": NEVER})


def is_stopped(tx: Tx, sink: str) -> bool:
    """Return whether *sink* is stopped."""
    row = tx.one(_SINK, {"tenant": tx.tenant, "name": sink})
    return row is not None and row["pause_until"] == NEVER


def reached(tx: Tx, sink: str) -> bool:
    """Store that *sink* was reached; return whether it was unreachable before."""
    return bool(tx.run(_REACHED, {"tenant": tx.tenant, "sink": sink}))


def done(tx: Tx, sink: str, event: Event) -> None:
    """Delete the delivery of a set-aside *event*, because the sink has taken it."""
    tx.execute(_DONE, {"tenant": tx.tenant, "sink": sink, "position": event.position})


def dead_letters(tx: Tx, sink: str | None, limit: int) -> list[DeadLetter]:
    """Return the dead letters of *sink*, or of all sinks, oldest of each first."""
    params = {"tenant": tx.tenant, "sink": sink, "limit": limit}
    return [
        DeadLetter(
            sink=row["sink"],
            event=event_of(row),
            error=row["error"],
            tries=row["tries"],
            since=read_instant(row["since"]),
        )
        for row in tx.all(_DEAD if sink is None else _DEAD_OF, params)
    ]


def revive(tx: Tx, sink: str) -> int:
    """Make the dead letters of *sink* due again; return their number."""
    reached(tx, sink)
    return tx.run(_REVIVE, {"tenant": tx.tenant, "sink": sink})


def revive_one(tx: Tx, sink: str, position: int) -> bool:
    """Make one dead letter of *sink* due again; return whether it was a dead letter."""
    reached(tx, sink)
    return bool(tx.run(_REVIVE_ONE, {"tenant": tx.tenant, "sink": sink, "position": position}))


def position_of(tx: Tx, event: str) -> int | None:
    """Return the position of an event; None if the id belongs to no event."""
    row = tx.one(_POSITION, {"tenant": tx.tenant, "id": event})
    return None if row is None else int(row["position"] or 0)


def resend(tx: Tx, sink: str, position: int) -> None:
    """Let *sink* have an event that it was done with once more; it is due at once."""
    tx.execute(_RESEND, {"tenant": tx.tenant, "sink": sink, "position": position, "at": tx.at})


@dataclass(frozen=True, slots=True)
class Place:
    """The position and type of an event, and whether *sink* still has to take it."""

    position: int
    type: str
    waiting: bool


def place_of(tx: Tx, sink: str, event: str) -> Place | None:
    """Return where an event is for *sink*; None if there is no event with this id."""
    row = tx.one(_PLACE_OF, {"tenant": tx.tenant, "sink": sink, "id": event})
    if row is None:
        return None
    position = row["position"] or 0
    unread = row["position"] is None or row["read"] is None or row["read"] < position
    return Place(position, row["type"], unread or row["set_aside"] is not None)


def forget(tx: Tx, sink: str) -> int:
    """Forget *sink*; return how many events were set aside for it."""
    params = {"tenant": tx.tenant, "sink": sink, "at": tx.at}
    dropped = tx.run(_FORGET_DELIVERIES, params)
    delivery_tries.forget(tx, sink)
    tx.run(_FORGET, params)
    return dropped


def event_of(row: Row) -> Event:
    """Return the event of a row."""
    return Event(
        id=row["id"],
        position=row["position"] or 0,
        type=row["type"],
        aggregate=row["aggregate"],
        seq=row["seq"],
        schema_version=row["schema_version"],
        occurred_at=read_instant(row["occurred_at"]),
        actor=row["actor"],
        data=json.loads(row["data"]),
    )
