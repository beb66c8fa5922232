"""What Authorize.Net reports: by webhooks, and by the lists of batches, which are the feed.

A webhook's signature covers the body and no time, so a repetition is recognized by its id alone.
The body is a hint: what became of the transaction is looked up.

No webhook reports a settlement, nor a returned e-check or a chargeback, which come days and months
later. They show on the transaction itself, in the batch in which it settled. So besides the new
batches, those that could still show one are read again for as long as the account's settings say:
those of e-checks once a day for two weeks and then once a week, and those that count money taken
back once a day while they are young, and then when the counts change, or once a week.

A refund made in the Merchant Interface is in a batch too, under a transaction that this ledger does
not know. It refers to the payment that it refunds, and is reported as money of that payment.

A driver has no clock: Authorize.Net states the time with each answer. The cursor holds how far the
batches were read and which pages are still to be read, so one page of one batch is one step.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from operator import methodcaller
from typing import TYPE_CHECKING, Final, NamedTuple

from pydantic import TypeAdapter

from paygate import driver
from paygate.driver import BadResponse, Notice, read_json, time_of
from paygate.drivers.authorize_net import codes, fields, inquiry, lists
from paygate.drivers.authorize_net.settings import BY

if TYPE_CHECKING:
    from paygate.driver import Callback, Dialogue, FeedPage, Fields, Movement
    from paygate.drivers.authorize_net.lists import Batch, ListedTransaction
    from paygate.drivers.authorize_net.messages import Channel

# --- Webhooks -------------------------------------------------------------------------------

SIGNATURE: Final = "x-anet-signature"
SCHEME: Final = "sha512="
REFUND_CREATED: Final = "net.authorize.payment.refund.created"
METHOD_DELETED: Final = "net.authorize.customer.paymentProfile.deleted"
_SHORT: Final = re.compile(r"[\x20-\x7e]{1,100}")


def read_webhook(channel: Channel, keys: driver.HmacKeys, callback: Callback) -> Dialogue[Notice]:
    """Authenticate the raw bytes of *callback* and read it, or raise `NotAuthentic`."""
    header = callback.headers.get(SIGNATURE, "")
    theirs = header.removeprefix(SCHEME).strip().upper() if header.startswith(SCHEME) else ""
    keys.check(callback.body, theirs)
    try:
        event = read_json(callback.body, BY)
        notice = Notice(
            event_id=event.id("notificationId", pattern=_SHORT),
            type=event.id("eventType", pattern=_SHORT),
            occurred_at=event.instant("eventDate", None, zone=UTC),
        )
    except BadResponse:
        text = "the webhook is signed, and does not read as an event"
        return Notice(event_id="", type="", unreadable=text)
    return (yield from _about(channel, event.at("payload"), notice))


def _about(channel: Channel, payload: Fields, notice: Notice) -> Dialogue[Notice]:
    """Add the operation of ours that an event is about; if it does not say, ask."""
    about = payload.id("id", "", pattern=fields.NUMBER)
    if notice.type == METHOD_DELETED and about:
        ended = driver.MethodNews(reference=about, ended=True, reason="deleted")
        return replace(notice, method=ended)
    if payload.text("entityName", "") != "transaction" or not about:
        return notice
    orders = (payload.id("merchantReferenceId", ""), payload.id("invoiceNumber", ""))
    order = next(filter(fields.is_ours, orders), "")
    if notice.type == REFUND_CREATED or not order:
        found = yield from inquiry.details(channel, about)
        if found is None:
            return notice
        if found.is_refund and not fields.is_ours(found.our_reference):
            # It was made in the Merchant Interface, and belongs to the payment that it refunds.
            payment = yield from inquiry.refunded_of(channel, found)
            moved = (inquiry.refund_of(found),)
            return replace(notice, reference=payment, movements=moved) if payment else notice
        order = found.order
    if not fields.is_ours(order):
        return notice  # another system's, at the same account
    return replace(notice, reference=about, earlier_reference=order)


# --- The feed -------------------------------------------------------------------------------

PAGE: Final = 100

FIRST_LOOK_BACK: Final = timedelta(days=31)
"""How far the first reading goes back."""

OVERLAP: Final = timedelta(days=3)
"""A batch may be listed later than one that settled after it."""

RETURNS_SOON: Final = timedelta(days=14)
"""Most returns of e-checks come within these days."""

YOUNG: Final = timedelta(days=70)
"""A consumer may dispute a debit for 60 days, and a dispute takes some days to show."""


class Visit(NamedTuple):
    """A page of a batch to read; what settled is reported when it is read for the *first* time."""

    batch: str
    page: int
    first: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedPosition:
    """How far the feed was read: until when, on which day for returns, and what is planned.

    `counts` has the counts of money taken back of the batches that are no longer young.
    """

    until: datetime | None = None
    swept: date | None = None
    recent: tuple[str, ...] = ()
    plan: tuple[Visit, ...] = ()
    counts: dict[str, int] = field(default_factory=dict[str, int])


_CURSOR: Final = TypeAdapter(FeedPosition)


def read_feed(channel: Channel, cursor: str) -> Dialogue[FeedPage]:
    """Read one page of one batch, or plan which batches to read."""
    place = _CURSOR.validate_json(cursor) if cursor else FeedPosition()
    notices: tuple[Notice, ...] = ()
    if place.plan:
        visit, *rest = place.plan
        notices, more = yield from _visit(channel, visit, place.swept)
        again = (visit._replace(page=visit.page + 1),) if more else ()
        place = replace(place, plan=(*again, *rest))
    else:
        place = yield from _look_around(channel, place)
    written = json.dumps(asdict(place), separators=(",", ":"), default=methodcaller("isoformat"))
    return driver.FeedPage(notices=notices, cursor=written, more=bool(place.plan))


def _look_around(channel: Channel, place: FeedPosition) -> Dialogue[FeedPosition]:
    # The batches of the last day: with them comes the time.
    response = yield channel.call(lists.BATCHES, {}, step="batches")
    latest = lists.parse_batches(channel, response)
    now = time_of(response)
    if now is None:
        raise BadResponse("Authorize.Net does not say what time it is")
    since = now - FIRST_LOOK_BACK if place.until is None else place.until - OVERLAP
    listed = (*latest, *(yield from lists.batches_between(channel, since, now)))
    found = {batch.id: batch for batch in listed}.values()
    new = [batch for batch in found if _read_as(batch) not in ("", *place.recent)]
    plan = {
        batch.id: Visit(batch.id, 1, first=True)
        for batch in sorted(new, key=lambda batch: int(batch.id))
    }
    counts = place.counts
    if place.swept != now.date():
        again, counts = yield from _sweep(channel, place, now)
        plan |= {visit.batch: visit for visit in again if visit.batch not in plan}
    young = [batch for batch in found if _age(batch, now) < 3 * OVERLAP]
    return FeedPosition(
        until=now,
        swept=now.date(),
        recent=tuple(sorted({_read_as(batch) for batch in (*young, *new)} - {""})),
        plan=tuple(plan.values()),
        counts=counts,
    )


def _read_as(batch: Batch) -> str:
    """Return a name of a batch in its state: one that failed to settle may settle later."""
    if batch.failed:
        return f"{batch.id}!"
    return batch.id if batch.settled else ""


def _age(batch: Batch, now: datetime) -> timedelta:
    return timedelta() if batch.settled_at is None else now - batch.settled_at


def _sweep(
    channel: Channel, place: FeedPosition, now: datetime
) -> Dialogue[tuple[list[Visit], dict[str, int]]]:
    """Plan which batches to read again for money taken back, and return the counts of old ones."""
    settings, swept = channel.settings, place.swept
    cards = timedelta(days=settings.watch_cards_days)
    e_checks = timedelta(days=settings.watch_e_checks_days)
    week = swept is None or swept.isocalendar()[:2] != now.isocalendar()[:2]
    plan: list[Visit] = []
    counts: dict[str, int] = {}
    batches = yield from lists.batches_between(channel, now - max(cards, e_checks), now)
    for batch in sorted(batches, key=lambda batch: int(batch.id)):
        age = _age(batch, now)
        if not batch.settled or age > (e_checks if batch.e_checks else cards):
            continue
        if age > YOUNG and batch.back:
            counts[batch.id] = batch.back
        news = batch.back > 0 and (age <= YOUNG or place.counts.get(batch.id) != batch.back)
        daily = batch.e_checks and age <= RETURNS_SOON
        if news or daily or (week and (batch.back > 0 or batch.e_checks)):
            plan.append(Visit(batch.id, 1, first=False))
    return plan, counts


def _visit(
    channel: Channel, visit: Visit, swept: date | None
) -> Dialogue[tuple[tuple[Notice, ...], bool]]:
    response = yield lists.build(channel, visit.batch, visit.page, PAGE)
    entries = lists.parse(channel, visit.batch, response)
    notices: list[Notice] = []
    for entry in entries:
        ours = fields.is_ours(entry.order)
        # One that was returned no longer says that it is a refund.
        if visit.first and entry.status.startswith("refund"):
            notices += yield from _refunded(channel, entry)
        elif visit.first and ours:
            failed = entry.status == "settlementError"
            notices.append(_hint("settlement_error" if failed else "settled", entry))
        if not ours:
            continue  # another system's, at the same account
        if entry.status in codes.DISPUTED and swept is not None:
            # A dispute has no id, and its state may change again; so it is asked about once a week.
            year, week, _ = swept.isocalendar()
            notices.append(_hint(entry.status, entry, f"-{year}W{week:02}"))
        elif entry.taken_back:
            notices += yield from _taken_back(channel, entry)
    return tuple(notices), len(entries) == PAGE


def _hint(type_: str, entry: ListedTransaction, turn: str = "") -> Notice:
    """Return a hint, whose meaning depends on the operation and the books."""
    return Notice(
        event_id=f"{type_}-{entry.transaction}{turn}",
        type=type_,
        reference=entry.transaction,
        earlier_reference=entry.order,
    )


def _refunded(channel: Channel, entry: ListedTransaction) -> Dialogue[list[Notice]]:
    """Return a refund of ours, or one that was made elsewhere of a payment of ours."""
    found = yield from inquiry.details(channel, entry.transaction)
    if found is None or not found.is_refund:
        return []
    if fields.is_ours(found.our_reference):
        return [_hint("settled", entry)] if fields.is_ours(entry.order) else []
    payment = yield from inquiry.refunded_of(channel, found)
    return [_moved(payment, inquiry.refund_of(found))] if payment else []


def _taken_back(channel: Channel, entry: ListedTransaction) -> Dialogue[list[Notice]]:
    """Return what a bank did to a transaction; the list only says that it did something."""
    found = yield from inquiry.details(channel, entry.transaction)
    if found is None:
        return []
    reference, order = entry.transaction, entry.order
    if found.is_refund and not fields.is_ours(found.our_reference):
        reference, order = found.related, ""
    return [_moved(reference, movement, order) for movement in inquiry.taken_back(found)]


def _moved(reference: str, movement: Movement, order: str = "") -> Notice:
    return Notice(
        event_id=f"{movement.kind}-{movement.movement_id}",
        type=str(movement.kind),
        reference=reference,
        earlier_reference=order,
        movements=(movement,),
    )
