"""The delivery log: every try to deliver an event to a sink that asks for a log.

It is for people who look into what another system received, and when; nothing depends on it. Tries
that are older than `KEPT_FOR` are deleted, so it grows with the traffic of a month, not forever.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from paygate.domain.event import DeliveryOutcome, DeliveryTry
from paygate.errors import RecordNotFound
from paygate.ledger.codec import read_instant, write_instant
from paygate.printing import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paygate.domain.event import Event
    from paygate.ledger.tx import Tx

KEPT_FOR: Final = timedelta(days=30)
"""How long a try is kept."""

ERROR_MAX: Final = 500
"""The number of characters of a reason that are stored."""

_ADD: Final = """
INSERT INTO paygate_delivery_try (
  tenant, sink, position, id, at, took_ms, outcome, status, error)
VALUES (:tenant, :sink, :position, :id, :at, :took_ms, :outcome, :status, :error)
"""
_COLUMNS: Final = """
t.id, t.at, t.took_ms, t.outcome, t.status, t.error, o.id AS event, o.type, o.aggregate
FROM paygate_delivery_try t JOIN paygate_outbox o ON o.position = t.position
WHERE t.tenant = :tenant AND t.sink = :sink
"""
_OF_SINK: Final = f"SELECT {_COLUMNS} ORDER BY t.at DESC, t.id DESC LIMIT :limit"
_OF_SINK_AFTER: Final = f"""
SELECT {_COLUMNS} AND (t.at, t.id) < (:at, :id) ORDER BY t.at DESC, t.id DESC LIMIT :limit
"""
_OF_EVENT: Final = f"""
SELECT {_COLUMNS} AND t.position = :position AND (t.at, t.id) < (:at, :id)
ORDER BY t.at DESC, t.id DESC LIMIT :limit
"""
_PLACE: Final = """
SELECT at, id FROM paygate_delivery_try WHERE tenant = :tenant AND sink = :sink AND id = :id
"""
_FORGET: Final = """
DELETE FROM paygate_delivery_try WHERE tenant = :tenant AND sink = :sink AND at < :at
"""
_LAST: Final = "~"  # after every instant and every id


@dataclass(frozen=True, slots=True)
class Tried:
    """A try that has ended: how, how long ago, how long it took, and the status of an answer."""

    event: Event
    outcome: DeliveryOutcome
    error: str
    status: int | None
    took: timedelta
    ago: timedelta


def add(tx: Tx, sink: str, tried: Sequence[Tried]) -> None:
    """Store what was *tried*."""
    if not tried:
        return
    tx.many(
        _ADD,
        [
            {
                "tenant": tx.tenant,
                "sink": sink,
                "position": each.event.position,
                "id": tx.new_id("dtr"),
                "at": write_instant(tx.now - each.ago - each.took),
                "took_ms": round(each.took / timedelta(milliseconds=1)),
                "outcome": each.outcome.value,
                "status": each.status,
                "error": each.error[:ERROR_MAX],
            }
            for each in tried
        ],
    )


def of_sink(tx: Tx, sink: str, position: int | None, after: str, limit: int) -> list[DeliveryTry]:
    """Return the tries of *sink* after the one called *after*, the newest first."""
    params = {"tenant": tx.tenant, "sink": sink, "limit": limit, "at": _LAST, "id": after or _LAST}
    if after:
        place = tx.one(_PLACE, params)
        if place is None:
            raise RecordNotFound(
                f"the log of {shown(sink)} has no try {shown(after)}", argument="after"
            )
        params["at"] = place["at"]
    if position is not None:
        rows = tx.all(_OF_EVENT, {**params, "position": position})
    else:
        rows = tx.all(_OF_SINK_AFTER if after else _OF_SINK, params)
    return [
        DeliveryTry(
            id=row["id"],
            sink=sink,
            event=row["event"],
            type=row["type"],
            aggregate=row["aggregate"],
            at=read_instant(row["at"]),
            took_ms=row["took_ms"],
            outcome=DeliveryOutcome(row["outcome"]),
            status=row["status"],
            error=row["error"],
        )
        for row in rows
    ]


def forget_old(tx: Tx, sink: str) -> None:
    """Delete the tries that are older than `KEPT_FOR`."""
    at = write_instant(tx.now - KEPT_FOR)
    tx.execute(_FORGET, {"tenant": tx.tenant, "sink": sink, "at": at})


def forget(tx: Tx, sink: str) -> None:
    """Delete all tries of *sink*."""
    tx.execute(_FORGET, {"tenant": tx.tenant, "sink": sink, "at": _LAST})
