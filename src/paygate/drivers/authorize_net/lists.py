"""The lists: what has not settled, the batches, and the search for one without a name.

Authorize.Net can be asked for a transaction by its own id only. If an answer was lost we do not
have that, so the lists are read: first what has not settled, the newest first, then the batches
that settled since. Every entry shows the invoice number, which is the name that we gave it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from paygate.driver import (
    BadResponse,
    Dialogue,
    Fields,
    Request,
    Response,
    leaf,
    node,
    read_pages,
)
from paygate.drivers.authorize_net import codes, fields
from paygate.drivers.authorize_net.messages import now_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from paygate.drivers.authorize_net.messages import Channel

PAGE: Final = 1000
PAGES_MAX: Final = 50

UNSETTLED: Final = "getUnsettledTransactionList"
BATCH: Final = "getTransactionList"
BATCHES: Final = "getSettledBatchList"
_WRITTEN: Final = "%Y-%m-%dT%H:%M:%SZ"

CLOCKS_APART: Final = timedelta(minutes=2)
"""A transaction may be dated this much before we sent it: two clocks never agree."""

PERIOD_MAX: Final = timedelta(days=31)
"""For how long a time the batches can be asked for at once."""


# --- Their pages ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedTransaction:
    """A transaction as a list shows it."""

    transaction: str
    order: str
    status: str
    submitted: datetime | None
    taken_back: bool

    @property
    def rank(self) -> int:
        """How far it got; the furthest first."""
        return codes.RANKS.get(self.status, codes.NOWHERE)

    @property
    def is_refund(self) -> bool:
        """Whether it is known to send money back; one that was returned does not say so."""
        return self.status.startswith("refund")

    @property
    def disputed(self) -> bool:
        """Whether a card holder's bank took its money, or gave it back."""
        return self.status in codes.DISPUTED

    @property
    def lives(self) -> bool:
        """Whether it came to something: a decline, or what was voided, did not."""
        return self.rank < codes.NOWHERE


def build_unsettled(channel: Channel, page: int) -> Request:
    """Ask for what has not settled, the newest first; pages are counted from one."""
    return _build(channel, UNSETTLED, leaf("status", "any"), "submitTimeUTC", page, PAGE)


def build_batch(channel: Channel, batch: str, page: int, limit: int = PAGE) -> Request:
    """Ask for what settled in one batch."""
    return _build(channel, BATCH, leaf("batchId", batch), "id", page, limit)


def _build(channel: Channel, name: str, what: str, by: str, page: int, limit: int) -> Request:
    return channel.call(
        name,
        what,
        node("sorting", leaf("orderBy", by), leaf("orderDescending", "true")),
        node("paging", leaf("limit", str(limit)), leaf("offset", str(page))),
        step="scan",
    )


def parse_list(channel: Channel, name: str, response: Response) -> list[ListedTransaction]:
    """Return a page of a list."""
    return [_entry(each) for each in channel.listed(name, "transactions.transaction", response)]


def _entry(told: Fields) -> ListedTransaction:
    status = told.text("transactionStatus")
    return ListedTransaction(
        transaction=told.id("transId", pattern=fields.NUMBER),
        order=told.text("invoiceNumber", ""),
        status=status,
        submitted=told.instant("submitTimeUTC", None, zone=UTC),
        taken_back=told.flag("hasReturnedItems", default=False) or status in codes.TAKEN_BACK,
    )


# --- The search --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """What a search found, of those that got furthest if there are two, and when it was."""

    entry: ListedTransaction | None
    at: datetime | None


def search(channel: Channel, order: str, sent_at: datetime) -> Dialogue[Searched]:
    """Find the transaction that carries our name."""
    begun = sent_at - CLOCKS_APART

    def is_older(entry: ListedTransaction) -> bool:
        return entry.submitted is not None and entry.submitted < begun

    found, now = yield from _named(
        channel, UNSETTLED, partial(build_unsettled, channel), order, is_older
    )
    if not any(entry.lives for entry in found):
        # A declined try on a form never settles, and what was paid on it later may have.
        found += yield from _search_batches(channel, order, begun, now or begun + PERIOD_MAX)
    return Searched(entry=min(found, key=lambda entry: entry.rank, default=None), at=now)


def _search_batches(
    channel: Channel, order: str, begun: datetime, now: datetime
) -> Dialogue[list[ListedTransaction]]:
    """Search what settled meanwhile; a batch may close a minute after we sent."""
    found: list[ListedTransaction] = []
    for batch in (yield from batches_between(channel, begun, now)):
        build = partial(build_batch, channel, batch.id)
        ours, _ = yield from _named(
            channel, BATCH, build, order, lambda entry: entry.order == order and entry.lives
        )
        found += ours
        if any(entry.lives for entry in ours):
            break
    return found


def _named(
    channel: Channel,
    name: str,
    build: Callable[[int], Request],
    order: str,
    until: Callable[[ListedTransaction], bool],
) -> Dialogue[tuple[list[ListedTransaction], datetime | None]]:
    """Return what a list has of the name *order*, and what time it was."""
    times: list[datetime | None] = []

    def parse(response: Response) -> tuple[list[ListedTransaction], int | None]:
        times.append(now_of(response))
        entries = parse_list(channel, name, response)
        return entries, len(times) + 1 if len(entries) >= PAGE else None

    read = yield from read_pages(1, build, parse, until=until, pages_max=PAGES_MAX)
    if not read.complete:
        raise BadResponse("too many transactions since then to find this one among them")
    ours = [entry for entry in read.entries if entry.order == order]
    return ours, next(filter(None, times), None)


# --- Batches ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What was to settle together; `back` counts what banks took back of it."""

    id: str
    settled_at: datetime | None
    state: str
    e_checks: bool
    back: int

    @property
    def settled(self) -> bool:
        """Whether it settled."""
        return self.state == "settledSuccessfully"

    @property
    def failed(self) -> bool:
        """Whether it could not be settled."""
        return self.state == "settlementError"


def parse_batches(channel: Channel, response: Response) -> list[Batch]:
    """Return the batches of an answer."""
    return [_batch(each) for each in channel.listed(BATCHES, "batchList.batch", response)]


_BACK: Final = (
    "returnedItemCount",
    "chargebackCount",
    "chargeChargeBackCount",
    "refundChargeBackCount",
    "chargeReturnedItemsCount",
    "refundReturnedItemsCount",
)


def _batch(told: Fields) -> Batch:
    return Batch(
        id=told.id("batchId", pattern=fields.NUMBER),
        settled_at=told.instant("settlementTimeUTC", None, zone=UTC),
        state=told.text("settlementState", ""),
        e_checks=told.text("paymentMethod", "") == "eCheck",
        back=sum(
            each.whole(name, 0) for each in told.each("statistics.statistic") for name in _BACK
        ),
    )


def batches_between(channel: Channel, first: datetime, last: datetime) -> Dialogue[list[Batch]]:
    """Read the batches of a time of any length, a month at a time."""
    found: dict[str, Batch] = {}
    while first < last:
        until = min(first + PERIOD_MAX, last)
        response = yield channel.call(
            BATCHES,
            leaf("includeStatistics", "true"),
            leaf("firstSettlementDate", f"{first.astimezone(UTC):{_WRITTEN}}"),
            leaf("lastSettlementDate", f"{until.astimezone(UTC):{_WRITTEN}}"),
            step="batches",
        )
        found |= {batch.id: batch for batch in parse_batches(channel, response)}
        first = until
    return list(found.values())
