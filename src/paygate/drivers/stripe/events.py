"""Events read from Stripe: what its webhooks told while nobody listened.

Stripe keeps events for 30 days and lists the newest first. Before anything was
read, we walk down to the oldest, so that the cursor is where we began and how
far down we came; after that we walk up from an event that was read. The last
page is read again each time, because an event may come to light a moment after
a later one; the inbox has each of them once, however it came.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from paygate.driver import FeedPage, NotAuthentic, Notice
from paygate.drivers.stripe.callbacks import read_event
from paygate.drivers.stripe.messages import (
    ID,
    PAGE,
    error_of,
    get,
    named,
    read_page,
    text,
)

if TYPE_CHECKING:
    from paygate.driver import Form, Request, Response
    from paygate.drivers.stripe.settings import StripeSettings

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


def build_list(settings: StripeSettings, cursor: str) -> Request:
    """Ask for the page that *cursor* leads to."""
    query: Form = [*(("types[]", each) for each in TYPES), ("limit", str(PAGE))]
    if _DOWN in cursor:
        query.append(("starting_after", named(cursor.partition(_DOWN)[2])))
    elif cursor:
        query.append(("ending_before", named(cursor)))
    return get(settings, f"/v1/events?{urlencode(query)}", step="events")


def parse_list(settings: StripeSettings, cursor: str, response: Response) -> FeedPage:
    """Read a page of events, the oldest first."""
    if cursor and _gone(response):
        # The event where we stopped is older than what Stripe keeps: begin again with what it has.
        return FeedPage(notices=(), cursor="", more=True)
    entries, last = read_page(response)
    told = tuple(_notice(settings, entry) for entry in reversed(entries))
    ids = (text(entry, "id") for entry in entries)
    newest = next((each for each in ids if ID.fullmatch(each)), "")
    if cursor and _DOWN not in cursor:
        return FeedPage(notices=told, cursor=newest if last else cursor, more=bool(last))
    top = cursor.partition(_DOWN)[0] or newest
    if last:
        return FeedPage(notices=told, cursor=f"{top}{_DOWN}{last}", more=True)
    return FeedPage(notices=told, cursor=top, more=False)


def _gone(response: Response) -> bool:
    if response.status not in (400, 404):
        return False
    return text(error_of(response), "code") == "resource_missing"


def _notice(settings: StripeSettings, event: object) -> Notice:
    try:
        return read_event(event, live=settings.live, account=settings.account)
    except NotAuthentic as error:
        # The reader of webhooks does not believe it; here it is Stripe's answer, and what was
        # told after it must be read all the same.
        identity = text(event, "id")
        reason = f"Stripe lists an event that is none: {error.message}"
        return Notice(
            event_id=identity if ID.fullmatch(identity) else "",
            type=text(event, "type"),
            unreadable=reason,
        )
