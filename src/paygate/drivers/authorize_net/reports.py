"""The feed: what settled, and what banks took back, read from the lists of batches.

No webhook tells of a returned e-check or of a chargeback, which come days and
weeks after the settlement. They show on the transaction itself, in the batch
that it settled in. So besides the batches that are new, those of e-checks are
read once a day for two weeks, and once a week until a return is not allowed any
more; and whatever else has counts of money taken back, once a day.

A driver has no clock: what time it is, Authorize.Net says with each answer. The
cursor holds how far the batches are read and which are still to be, so that one
page of one batch is one step.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, cast

from paygate.drivers.authorize_net import fields, inquiry, lists
from paygate.drivers.authorize_net.messages import now_of
from paygate.errors import BadReply
from paygate.gateway import FeedPage, Notice

if TYPE_CHECKING:
    from paygate.dialogue import Dialogue, Request
    from paygate.domain.outcome import Movement
    from paygate.drivers.authorize_net.lists import Batch, Entry
    from paygate.drivers.authorize_net.messages import Channel

PAGE: Final = 100

FIRST_LOOK_BACK: Final = timedelta(days=31)
"""How far back the first reading goes."""

OVERLAP: Final = timedelta(days=3)
"""A batch may be listed later than one that settled after it."""

RETURNS_SOON: Final = timedelta(days=14)
RETURNS_AT_ALL: Final = timedelta(days=70)
"""A consumer may dispute a debit for 60 days, and it takes some until that shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A page of a batch that is to be read; what settled is told when it is read first."""

    batch: str
    page: int
    first: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """How far the feed was read: until when, on which day for returns, and what is planned."""

    until: datetime | None = None
    swept: date | None = None
    recent: tuple[str, ...] = ()
    plan: tuple[Visit, ...] = ()


def read(channel: Channel, cursor: str) -> Dialogue[FeedPage]:
    """Read one page of one batch, or find out which batches there are."""
    place = _read_cursor(cursor)
    notices: tuple[Notice, ...] = ()
    if place.plan:
        visit, *rest = place.plan
        notices, more = yield from _visit(channel, visit)
        again = (replace(visit, page=visit.page + 1),) if more else ()
        place = replace(place, plan=(*again, *rest))
    else:
        place = yield from _look_around(channel, place)
    return FeedPage(notices=notices, cursor=_write_cursor(place), more=bool(place.plan))


# --- Which batches --------------------------------------------------------------------------


def build_today(channel: Channel) -> Request:
    """Ask for the batches of the last day, and with that for the time."""
    return channel.call("getSettledBatchList", step="batches")


def _look_around(channel: Channel, place: Place) -> Dialogue[Place]:
    reply = yield build_today(channel)
    latest = lists.parse_batches(channel, reply)
    now = now_of(reply)
    if now is None:
        raise BadReply("Authorize.Net does not say what time it is")
    since = now - FIRST_LOOK_BACK if place.until is None else place.until - OVERLAP
    found = {batch.id: batch for batch in latest}
    found |= {batch.id: batch for batch in (yield from lists.batches_between(channel, since, now))}
    new = [batch for batch in found.values() if batch.settled and batch.id not in place.recent]
    plan = [Visit(batch=batch.id, page=1, first=True) for batch in sorted(new, key=_number)]
    swept = place.swept
    if swept != now.date():
        old = yield from lists.batches_between(channel, now - RETURNS_AT_ALL, now)
        planned = {visit.batch for visit in plan}
        new_week = swept is None or swept.isocalendar()[:2] != now.isocalendar()[:2]
        plan += [
            Visit(batch=batch.id, page=1, first=False)
            for batch in sorted(old, key=_number)
            if batch.id not in planned and _may_have_returns(batch, now, whole=new_week)
        ]
        swept = now.date()
    recent = [
        batch.id
        for batch in found.values()
        if batch.settled and (batch.settled_at is None or batch.settled_at > now - 3 * OVERLAP)
    ]
    return Place(
        until=now,
        swept=swept,
        recent=tuple(sorted({*recent, *(visit.batch for visit in plan if visit.first)})),
        plan=tuple(plan),
    )


def _number(batch: Batch) -> int:
    return int(batch.id)


def _may_have_returns(batch: Batch, now: datetime, *, whole: bool) -> bool:
    if not batch.settled:
        return False
    young = batch.settled_at is None or now - batch.settled_at <= RETURNS_SOON
    return batch.back > 0 or (batch.e_checks and (young or whole))


# --- What is in one -------------------------------------------------------------------------


def _visit(channel: Channel, visit: Visit) -> Dialogue[tuple[tuple[Notice, ...], bool]]:
    reply = yield lists.build_batch(channel, visit.batch, visit.page, PAGE)
    entries = lists.parse_list(channel, "getTransactionList", reply)
    notices: list[Notice] = []
    for entry in entries:
        if not fields.is_ours(entry.order):
            continue  # another system's, at the same account
        if visit.first:
            notices.append(_settled(entry))
        if entry.taken_back:
            notices += yield from _taken_back(channel, entry)
    return tuple(notices), len(entries) == PAGE


def _settled(entry: Entry) -> Notice:
    """Tell that it settled, as a hint: only the operation knows whether it was a capture."""
    return Notice(
        event_id=f"settled-{entry.transaction}",
        type="settled",
        reference=entry.transaction,
        earlier_reference=entry.order,
    )


def _taken_back(channel: Channel, entry: Entry) -> Dialogue[list[Notice]]:
    """Ask what a bank did to a transaction: the list only says that it did."""
    reply = yield inquiry.build_details(channel, entry.transaction)
    found = inquiry.parse_details(channel, entry.transaction, reply)
    moved = inquiry.taken_back(found) if found is not None else ()
    return [_moved(entry, movement) for movement in moved]


def _moved(entry: Entry, movement: Movement) -> Notice:
    return Notice(
        event_id=f"{movement.kind}-{movement.movement_id}",
        type=str(movement.kind),
        reference=entry.transaction,
        earlier_reference=entry.order,
        movements=(movement,),
    )


# --- The cursor ------------------------------------------------------------------------------


def _write_cursor(place: Place) -> str:
    return json.dumps(
        {
            "until": None if place.until is None else place.until.isoformat(),
            "swept": None if place.swept is None else place.swept.isoformat(),
            "recent": place.recent,
            "plan": [[visit.batch, visit.page, visit.first] for visit in place.plan],
        },
        separators=(",", ":"),
    )


def _read_cursor(cursor: str) -> Place:
    if not cursor:
        return Place()
    told = cast("dict[str, Any]", json.loads(cursor))
    return Place(
        until=None
        if told["until"] is None
        else datetime.fromisoformat(told["until"]).astimezone(UTC),
        swept=None if told["swept"] is None else date.fromisoformat(told["swept"]),
        recent=tuple(told["recent"]),
        plan=tuple(
            Visit(batch=batch, page=page, first=first) for batch, page, first in told["plan"]
        ),
    )
