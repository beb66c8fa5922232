"""Events read from Stripe: what its webhooks told while nobody listened.

Stripe keeps events for 30 days and lists the newest first. Before anything was
read, we walk down to the oldest, so that the cursor is where we began and how
far down we came; after that we walk up from an event that was read. The last
page is read again each time, because an event may come to light a moment after
a later one; the inbox has each of them once, however it came.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from paygate.driver import FeedPage, NotAuthentic, Notice
from paygate.drivers.stripe import wire
from paygate.drivers.stripe.callbacks import read_event
from paygate.drivers.stripe.codes import ID

if TYPE_CHECKING:
    from paygate.driver import Dialogue, Fields, Form, Response
    from paygate.drivers.stripe.settings import StripeSettings
    from paygate.drivers.stripe.wire import Api

TYPES: Final = (
    "payment_intent.succeeded",
    "payment_intent.payment_failed",
    "payment_intent.canceled",
    "payment_intent.processing",
    "payment_intent.requires_action",
    "payment_intent.amount_capturable_updated",
    "checkout.session.completed",
    "checkout.session.expired",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "setup_intent.succeeded",
    "setup_intent.setup_failed",
    "setup_intent.canceled",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.dispute.created",
    "charge.dispute.closed",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
)
"""What is asked for: the events that can change what we know. Stripe takes no more than twenty."""

_DOWN: Final = ">"


def feed(api: Api, cursor: str) -> Dialogue[FeedPage]:
    """Read the page of events that *cursor* leads to, the oldest first."""
    top, down, low = cursor.partition(_DOWN)
    query: Form = [*(("types[]", each) for each in TYPES), ("limit", str(wire.PAGE))]
    if cursor:
        step, event = ("starting_after", low) if down else ("ending_before", top)
        query.append((step, wire.named(event)))
    response = yield api.get("events", query, step="events")
    if cursor and _gone(response):
        # The event where we stopped is older than what Stripe keeps: begin again with what it has.
        return FeedPage(notices=(), cursor="", more=True)
    entries, last = wire.read_page(wire.expect_ok(response))
    notices = tuple(_notice(api.settings, entry) for entry in reversed(entries))
    newest = next(filter(None, (entry.id("id", "", pattern=ID) for entry in entries)), "")
    if cursor and not down:
        return FeedPage(notices=notices, cursor=newest if last else cursor, more=bool(last))
    top = top or newest
    return FeedPage(notices=notices, cursor=f"{top}{_DOWN}{last}" if last else top, more=bool(last))


def _gone(response: Response) -> bool:
    if response.status not in (400, 404):
        return False
    return wire.error_of(response).text("code", "") == "resource_missing"


def _notice(settings: StripeSettings, event: Fields) -> Notice:
    try:
        return read_event(settings, event)
    except NotAuthentic as error:
        # The reader of webhooks does not believe it; here it is Stripe's answer, and what was
        # told after it must be read all the same.
        return Notice(
            event_id=event.id("id", "", pattern=ID),
            type=event.text("type", ""),
            unreadable=f"Stripe lists an event that cannot be read: {error.message}",
        )
