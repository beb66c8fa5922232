"""The lists: what has not settled, the batches, and the search for one without a name.

Authorize.Net can be asked for a transaction by its own id only. Where an answer
was lost we do not have that, so the lists are read: first what has not settled,
the newest first, then the batches that settled since. Every entry shows the
invoice number, which is the name that we gave the operation.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from paygate.driver import BadResponse
from paygate.drivers.authorize_net import codes, fields
from paygate.drivers.authorize_net.markup import each, leaf, node, text
from paygate.drivers.authorize_net.messages import (
    CallRefusal,
    instant,
    now_of,
    unanswered,
    wire_time,
)

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from paygate.driver import Dialogue, Request, Response
    from paygate.drivers.authorize_net.messages import Channel

PAGE: Final = 1000
PAGES_MAX: Final = 50

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
        """Tell how far it got; the furthest first."""
        for number, statuses in enumerate(codes.FURTHEST):
            if self.status in statuses:
                return number
        return len(codes.FURTHEST)

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
        """Tell whether it came to something: a decline, or what was voided, did not."""
        return self.rank < len(codes.FURTHEST)


def build_unsettled(channel: Channel, page: int) -> Request:
    """Ask for what has not settled, the newest first; pages are counted from one."""
    return channel.call(
        "getUnsettledTransactionList",
        leaf("status", "any"),
        _sorted_by("submitTimeUTC"),
        _page(page, PAGE),
        step="scan",
    )


def build_batch(channel: Channel, batch: str, page: int, limit: int = PAGE) -> Request:
    """Ask for what settled in one batch."""
    return channel.call(
        "getTransactionList",
        leaf("batchId", batch),
        _sorted_by("id"),
        _page(page, limit),
        step="scan",
    )


def _sorted_by(name: str) -> str:
    return node("sorting", leaf("orderBy", name), leaf("orderDescending", "true"))


def _page(page: int, limit: int) -> str:
    return node("paging", leaf("limit", str(limit)), leaf("offset", str(page)))


def parse_list(channel: Channel, name: str, response: Response) -> list[ListedTransaction]:
    """Read a page of a list; an empty one may be an error of theirs that says so."""
    root = channel.answer(name, response)
    if isinstance(root, CallRefusal):
        if root.code in (codes.NO_RECORDS, codes.NOTHING_FOUND):
            return []
        raise unanswered(root)
    return [_entry(one) for one in each(root, "transactions/transaction")]


def _entry(told: Element) -> ListedTransaction:
    transaction, status = text(told, "transId"), text(told, "transactionStatus")
    if not fields.is_number(transaction) or not status:
        raise BadResponse("Authorize.Net lists a transaction without its id or its status")
    return ListedTransaction(
        transaction=transaction,
        order=text(told, "invoiceNumber"),
        status=status,
        submitted=instant(text(told, "submitTimeUTC")),
        taken_back=text(told, "hasReturnedItems") == "true" or status in codes.TAKEN_BACK,
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
    found: list[ListedTransaction] = []
    now: datetime | None = None
    for page in range(1, PAGES_MAX + 1):
        response = yield build_unsettled(channel, page)
        now = now or now_of(response)
        entries = parse_list(channel, "getUnsettledTransactionList", response)
        found += [entry for entry in entries if entry.order == order]
        oldest = entries[-1].submitted if entries else None
        if len(entries) < PAGE or (oldest is not None and oldest < begun):
            break
    else:
        raise BadResponse("too many transactions since then to find this one among them")
    if not any(entry.lives for entry in found):
        # A declined try on a form never settles, and what was paid on it later may have.
        found += yield from _search_batches(channel, order, begun, now)
    return Searched(entry=min(found, key=lambda entry: entry.rank, default=None), at=now)


def _search_batches(
    channel: Channel, order: str, begun: datetime, now: datetime | None
) -> Dialogue[list[ListedTransaction]]:
    """Search what settled meanwhile; a batch may close a minute after we sent."""
    found: list[ListedTransaction] = []
    for batch in (yield from batches_between(channel, begun, now or begun + PERIOD_MAX)):
        for page in range(1, PAGES_MAX + 1):
            response = yield build_batch(channel, batch.id, page)
            entries = parse_list(channel, "getTransactionList", response)
            found += [entry for entry in entries if entry.order == order]
            if any(entry.lives for entry in found):
                return found
            if len(entries) < PAGE:
                break
    return found


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


def build_batches(channel: Channel, first: datetime, last: datetime) -> Request:
    """Ask for the batches that settled between two instants, at most a month apart."""
    return channel.call(
        "getSettledBatchList",
        leaf("includeStatistics", "true"),
        leaf("firstSettlementDate", wire_time(first)),
        leaf("lastSettlementDate", wire_time(last)),
        step="batches",
    )


def parse_batches(channel: Channel, response: Response) -> list[Batch]:
    """Read the batches."""
    root = channel.answer("getSettledBatchList", response)
    if isinstance(root, CallRefusal):
        if root.code in (codes.NO_RECORDS, codes.NOTHING_FOUND):
            return []
        raise unanswered(root)
    return [_batch(one) for one in each(root, "batchList/batch")]


_BACK: Final = (
    "returnedItemCount",
    "chargebackCount",
    "chargeChargeBackCount",
    "refundChargeBackCount",
    "chargeReturnedItemsCount",
    "refundReturnedItemsCount",
)


def _batch(told: Element) -> Batch:
    identity = text(told, "batchId")
    if not fields.is_number(identity):
        raise BadResponse("Authorize.Net lists a batch without its id")
    counts = [text(one, name) for one in each(told, "statistics/statistic") for name in _BACK]
    return Batch(
        id=identity,
        settled_at=instant(text(told, "settlementTimeUTC")),
        state=text(told, "settlementState"),
        e_checks=text(told, "paymentMethod") == "eCheck",
        back=sum(int(count) for count in counts if count.isdigit()),
    )


def batches_between(channel: Channel, first: datetime, last: datetime) -> Dialogue[list[Batch]]:
    """Read the batches of a time of any length, a month at a time."""
    found: dict[str, Batch] = {}
    while first < last:
        until = min(first + PERIOD_MAX, last)
        response = yield build_batches(channel, first, until)
        found |= {batch.id: batch for batch in parse_batches(channel, response)}
        first = until
    return list(found.values())
