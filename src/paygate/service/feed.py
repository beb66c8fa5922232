"""Feeds: what a processor does not call back about, and must be read from it.

A page is put into the inbox in the transaction that moves the cursor behind it.
So nothing is skipped, wherever a reader dies; what is read twice is there once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from paygate.dialogue import deferred
from paygate.domain.outcome import Unknown, Unsent
from paygate.ledger import feeds, inbox, places
from paygate.service import door, notices
from paygate.service.flow import Flow, ask, look, transact
from paygate.service.receive import storable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.gateway import FeedPage, Notice
    from paygate.ledger.tx import Tx
    from paygate.service.account import GatewayAccount

_LEASE: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedsRead:
    """What one pass brought: new entries of the inbox, and why some feeds could not be read.

    `behind` is how much each feed has still to read, where its gateway can tell.
    """

    stored: int = 0
    failed: Mapping[str, str]
    behind: Mapping[str, int] = field(default_factory=dict[str, int])


def read_feeds(
    accounts: Mapping[str, GatewayAccount], pause: timedelta, pages: int | None = None
) -> Flow[FeedsRead]:
    """Read every feed that nobody has read within *pause*, to its end or for so many *pages*."""
    having = {
        name: each
        for name, each in accounts.items()
        if each.feed is not None or each.watch is not None
    }
    stored, failed, behind = 0, dict[str, str](), dict[str, int]()
    resting = (yield from look(lambda tx: feeds.resting(tx, pause))) if having else ()
    for name, account in having.items():
        if name not in resting:
            new, fault, left = yield from _read(account, pages)
            stored += new
            failed |= {name: fault} if fault else {}
            behind[name] = left
    return FeedsRead(stored=stored, failed=failed, behind=behind)


def _read(account: GatewayAccount, pages: int | None) -> Flow[tuple[int, str, int]]:
    name, stored, read, behind = account.name, 0, 0, 0
    cursor = yield from transact(lambda tx: feeds.lease(tx, name, tx.now + _LEASE))
    if cursor is None:  # another process reads it right now
        return 0, "", 0
    while True:
        page = yield from _page(account, cursor)
        fault = page.reason if isinstance(page, Unsent | Unknown) else ""
        if isinstance(page, Unsent | Unknown):
            break
        new = yield from transact(partial(_keep, account=account, before=cursor, page=page))
        if new is None:
            return stored, "", page.behind
        stored, read, behind = stored + new, read + 1, page.behind
        if not page.more or page.cursor == cursor or read == pages:
            break
        cursor = page.cursor
    # If we are stopped before this, the lease runs out by itself.
    yield from transact(lambda tx: feeds.release(tx, name))
    return stored, fault, behind


def _page(account: GatewayAccount, cursor: str) -> Flow[FeedPage | Unsent | Unknown]:
    if account.watch is not None:
        count = yield from look(lambda tx: places.counts(tx, _source(account)).allotted)
        watch = partial(account.watch.watch, cursor, count)
        return (yield from ask(account.name, deferred(watch), door=door.page(account)))
    assert account.feed is not None, "only these are read"
    feed = partial(account.feed.feed, cursor)
    return (yield from ask(account.name, deferred(feed), door=door.page(account)))


def _keep(tx: Tx, *, account: GatewayAccount, before: str, page: FeedPage) -> int | None:
    """Keep a page and move on; None where another reader took over."""
    until = tx.now + _LEASE
    if not feeds.advance(tx, account.name, before=before, after=page.cursor, until=until):
        return None
    told = [each for each in page.notices if places.ours(tx, _source(account), each.place)]
    for notice in told:
        if notice.place is not None:
            places.reach(tx, _source(account), notice.place)
    return sum(_keep_notice(tx, account, notice) for notice in told)


def _source(account: GatewayAccount) -> str:
    return account.traits.merchant_account


def _keep_notice(tx: Tx, account: GatewayAccount, notice: Notice) -> bool:
    text = notices.write_notice(storable(notice, account))
    row = inbox.insert(
        tx,
        account=account.name,
        event_id=notice.event_id or notices.digest(text),
        type_=notice.type,
        headers={},
        body=b"",
        notice=text,
        received_at=tx.now,
    )
    return row is not None
