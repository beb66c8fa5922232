"""The lists: what has not settled, the batches, and the search by our own name.

Authorize.Net finds a transaction by its own id only. If an answer was lost we do not have that, so
the lists are read: first what has not settled, the newest first, then the batches that settled
since. Every entry shows the invoice number, which is our name for the transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from paygate.driver import BadResponse, read_pages, time_of
from paygate.drivers.authorize_net import codes, fields

if TYPE_CHECKING:
    from collections.abc import Callable

    from paygate.driver import Dialogue, Fields, Members, Request, Response
    from paygate.drivers.authorize_net.messages import Channel

PAGE: Final = 1000
PAGES_MAX: Final = 50

UNSETTLED: Final = ""
"""Stands for the batch of what has not settled."""

BATCHES: Final = "getSettledBatchList"
_WRITTEN: Final = "%Y-%m-%dT%H:%M:%SZ"

CLOCKS_APART: Final = timedelta(minutes=2)
"""A transaction may be dated this much before we sent it, because clocks differ."""

PERIOD_MAX: Final = timedelta(days=31)
"""The longest period for which the batches can be requested at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedTransaction:
    """A transaction as a list shows it; of two, the one with the lower `rank` got further."""

    transaction: str
    order: str
    status: str
    submitted: datetime | None
    taken_back: bool
    rank: int

    @property
    def lives(self) -> bool:
        """Whether it took or holds money; a decline, or what was voided, did not."""
        return self.rank < codes.NOWHERE


def build(channel: Channel, batch: str, page: int, limit: int) -> Request:
    """Ask for a page of a batch, or of what has not settled; pages are counted from one."""
    members: Members = {
        **({"batchId": batch} if batch else {"status": "any"}),
        "sorting": {"orderBy": "id" if batch else "submitTimeUTC", "orderDescending": "true"},
        "paging": {"limit": str(limit), "offset": str(page)},
    }
    return channel.call(_list_of(batch), members, step="scan")


def parse(channel: Channel, batch: str, response: Response) -> list[ListedTransaction]:
    """Return a page of a batch, or of what has not settled, the newest first."""
    return [
        ListedTransaction(
            transaction=found.id("transId", pattern=fields.NUMBER),
            order=found.text("invoiceNumber", ""),
            status=(status := found.text("transactionStatus")),
            submitted=found.instant("submitTimeUTC", None, zone=UTC),
            taken_back=found.flag("hasReturnedItems", default=False) or status in codes.TAKEN_BACK,
            rank=codes.RANKS.get(status, codes.NOWHERE),
        )
        for found in channel.listed(_list_of(batch), "transactions.transaction", response)
    ]


def _list_of(batch: str) -> str:
    return "getTransactionList" if batch else "getUnsettledTransactionList"


def search(
    channel: Channel, order: str, sent_at: datetime
) -> Dialogue[tuple[ListedTransaction | None, datetime | None]]:
    """Find the transaction with our name that got furthest; return it and the processor's time."""
    begun = sent_at - CLOCKS_APART

    def is_older(entry: ListedTransaction) -> bool:
        return entry.submitted is not None and entry.submitted < begun

    def is_it(entry: ListedTransaction) -> bool:
        return entry.order == order and entry.lives

    found, now = yield from _named(channel, UNSETTLED, order, is_older)
    if any(entry.lives for entry in found):
        return furthest(found), now
    # A declined try on a form never settles, and what was paid on it later may have. A batch may
    # close a minute after we sent.
    for batch in (yield from batches_between(channel, begun, now or begun + PERIOD_MAX)):
        ours, _ = yield from _named(channel, batch.id, order, is_it)
        found += ours
        if any(entry.lives for entry in ours):
            break
    return furthest(found), now


def furthest(found: list[ListedTransaction]) -> ListedTransaction | None:
    """Return the transaction that got furthest; None without any."""
    return min(found, key=lambda entry: entry.rank, default=None)


def _named(
    channel: Channel, batch: str, order: str, until: Callable[[ListedTransaction], bool]
) -> Dialogue[tuple[list[ListedTransaction], datetime | None]]:
    """Return the transactions of a batch with the name *order*, and the processor's time."""
    times: list[datetime | None] = []

    def read(response: Response) -> tuple[list[ListedTransaction], int | None]:
        times.append(time_of(response))
        entries = parse(channel, batch, response)
        return entries, len(times) + 1 if len(entries) >= PAGE else None

    ask = partial(build, channel, batch, limit=PAGE)
    listing = yield from read_pages(1, ask, read, until=until, pages_max=PAGES_MAX)
    if not listing.complete:
        raise BadResponse("too many transactions since then to find this one among them")
    ours = [entry for entry in listing.entries if entry.order == order]
    return ours, next(filter(None, times), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What was to settle together; `back` counts what banks took back of it."""

    id: str
    settled_at: datetime | None
    settled: bool
    failed: bool
    e_checks: bool
    back: int


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


def _batch(found: Fields) -> Batch:
    state, statistics = found.text("settlementState", ""), found.each("statistics.statistic")
    return Batch(
        id=found.id("batchId", pattern=fields.NUMBER),
        settled_at=found.instant("settlementTimeUTC", None, zone=UTC),
        settled=state == "settledSuccessfully",
        failed=state == "settlementError",
        e_checks=found.text("paymentMethod", "") == "eCheck",
        back=sum(each.whole(name, 0) for each in statistics for name in _BACK),
    )


def batches_between(channel: Channel, first: datetime, last: datetime) -> Dialogue[list[Batch]]:
    """Return the batches of a period of any length, which is read a month at a time."""
    found: dict[str, Batch] = {}
    while first < last:
        until = min(first + PERIOD_MAX, last)
        period = {
            "includeStatistics": "true",
            "firstSettlementDate": f"{first.astimezone(UTC):{_WRITTEN}}",
            "lastSettlementDate": f"{until.astimezone(UTC):{_WRITTEN}}",
        }
        response = yield channel.call(BATCHES, period, step="batches")
        found |= {batch.id: batch for batch in parse_batches(channel, response)}
        first = until
    return list(found.values())
