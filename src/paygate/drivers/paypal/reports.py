"""The feed: the list of events, among them those of lost webhooks, and the transaction report.

A driver has no clock: PayPal states the time with each answer. The cursor is the time up to which
was read, and a page is at most a day. The report is up to three hours late, so each reading begins
four hours before the cursor; the inbox keeps each row once.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from paygate import driver
from paygate.driver import BadResponse, MovementKind, NotAuthentic, Notice, read_pages, time_of
from paygate.drivers.paypal import codes, disputes, events, wire
from paygate.drivers.paypal.codes import AMOUNTS, ID

if TYPE_CHECKING:
    from paygate.driver import Dialogue, Fields, Money, Movement, Request, Response
    from paygate.drivers.paypal.wire import Api

WEBHOOKS: Final = "/v1/notifications/webhooks"
EVENTS: Final = "/v1/notifications/webhooks-events"
TRANSACTIONS: Final = "/v1/reporting/transactions"

LATE: Final = timedelta(hours=4)
"""How far the report is read again, because rows appear in it up to three hours late."""

OVERLAP: Final = timedelta(minutes=10)
"""How far events are read again, because one may be listed a moment after a later one."""

FIRST_LOOK_BACK: Final = timedelta(days=3)
PERIOD_MAX: Final = timedelta(days=1)
EVENTS_MAX, ROWS_MAX = 100, 500


def feed(api: Api, cursor: str) -> Dialogue[driver.FeedPage]:
    """Read what happened since *cursor*, at most a day of it."""
    response = yield api.get(WEBHOOKS, step="clock")
    wire.expect_ok(response)
    now = time_of(response)
    if now is None:
        raise BadResponse("PayPal does not say what time it is")
    since = datetime.fromisoformat(cursor) if cursor else now - FIRST_LOOK_BACK
    until = min(now, since + PERIOD_MAX)
    notices = yield from _events(api, since, until)
    served = until
    if api.settings.reports:
        rows, served = yield from _rows(api, since - LATE, until)
        for row in rows:
            notices += yield from _row(api, row)
    following = max(since, min(until, served) - OVERLAP)
    return driver.FeedPage(
        notices=tuple(notices), cursor=_written(following), more=until < now and following > since
    )


def _written(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


# --- Events ---------------------------------------------------------------------------------


def _events(api: Api, since: datetime, until: datetime) -> Dialogue[list[Notice]]:
    query = {
        "start_time": _written(since),
        "end_time": _written(until),
        "page_size": str(EVENTS_MAX),
    }
    first = api.get(EVENTS, query, step="events")
    listing = yield from read_pages(first, lambda request: request, lambda page: _page(api, page))
    notices: list[Notice] = []
    # The newest comes first.
    for event in reversed(listing.entries):
        try:
            notices.append((yield from events.read_event(api, event)))
        except NotAuthentic as error:
            # PayPal lists it in its own answer, and the events after it must be read anyway.
            about = event.id("id", ""), event.text("event_type", "")
            notices.append(Notice(event_id=about[0], type=about[1], unreadable=error.message))
    return notices


def _page(api: Api, response: Response) -> tuple[list[Fields], Request | None]:
    page = wire.expect_ok(response)
    links = {each.text("rel", ""): each.text("href", "") for each in page.each("links", ())}
    # A link is followed to the same place only.
    _, place, query = links.get("next", "").partition(f"{EVENTS}?")
    following = driver.Request(
        method="GET",
        url=f"{api.settings.base}{EVENTS}?{query}",
        step="events",
        repeatable=True,
        sign_in=True,
    )
    return page.each("events", ()), following if place and query.isprintable() else None


# --- Rows of the transaction report -----------------------------------------------------------


def _rows(api: Api, since: datetime, until: datetime) -> Dialogue[tuple[list[Fields], datetime]]:
    """Return the rows of a period, and until when the report can be served."""
    query = {
        "start_date": _written(since),
        "end_date": _written(until),
        "fields": "transaction_info",
        "page_size": str(ROWS_MAX),
    }
    served = [until]

    def build(page: int) -> Request:
        return api.get(TRANSACTIONS, {**query, "page": str(page)}, step="transactions")

    def parse(response: Response) -> tuple[list[Fields], int | None]:
        page = wire.expect_ok(response)
        served[0] = min(served[0], page.instant("end_date", until))
        number = page.whole("page", 1)
        rows = [each.at("transaction_info") for each in page.each("transaction_details", ())]
        return rows, number + 1 if number < page.whole("total_pages", 1) else None

    listing = yield from read_pages(1, build, parse)
    if not listing.complete:
        raise BadResponse("PayPal's report of one day has too many pages")
    return listing.entries, served[0]


def _row(api: Api, row: Fields) -> Dialogue[list[Notice]]:
    """Return what a row says about a payment of ours; most rows are about something else."""
    code, name = row.text("transaction_event_code", ""), row.id("transaction_id", "", pattern=ID)
    came, went = code.startswith(codes.PAID), code == codes.REFUNDED
    taken = code.startswith(codes.TAKEN)
    if not name or not (came or went or taken) or row.value("transaction_status") != "S":
        return []
    changed = row.instant("transaction_updated_date", None)
    stamp = "" if changed is None else f"-{changed:%Y%m%d%H%M%S}"
    notice = Notice(event_id=f"{name}-{code}{stamp}", type=code, occurred_at=changed)
    ids = wire.read_ids(row.text("custom_field", ""))
    of = row.id("paypal_reference_id", "", pattern=ID)
    if (not ids.our_ref and came) or (not of and not came):
        return []  # another system's, at the same account
    try:
        amount = _amount(row)
        kind = MovementKind.CAPTURE if ids.held else MovementKind.CHARGE
        moved = _settled(row, name, amount, MovementKind.REFUND if went else kind, changed)
    except BadResponse as error:
        return [replace(notice, our_ref=ids.our_ref, unreadable=error.message)]
    if taken:
        reversal = disputes.Reversal(name, of, amount)
        notice = yield from disputes.of_capture(api, reversal, notice)
    else:
        notice = replace(notice, movements=(replace(moved, undoes=of or None) if went else moved,))
    if ids.our_ref:
        return [replace(notice, our_ref=ids.our_ref)]
    return [(yield from events.about_capture(api, of, notice))]


def _settled(
    row: Fields, name: str, amount: Money, kind: MovementKind, on: datetime | None
) -> Movement:
    """Return money that is in the balance of the PayPal account, less what PayPal kept of it."""
    fee = _amount(row, "fee_amount") if kind.inward and row.at("fee_amount") else None
    kept = fee if fee is not None and fee.minor and fee.currency == amount.currency else None
    return driver.Movement(
        movement_id=name,
        amount=amount,
        kind=kind,
        settled=amount if kept is None else amount - kept,
        fee=kept,
        settled_on=None if on is None else on.date(),
    )


def _amount(row: Fields, path: str = "transaction_amount") -> Money:
    """Return the amount at *path*; what went out has a minus sign."""
    text = row.text(f"{path}.value").removeprefix("-")
    unsigned = driver.Fields({"value": text}, wire.BY, path)
    return AMOUNTS.read_decimal(unsigned, "value", row.text(f"{path}.currency_code"))
