"""Feeds: what a processor does not call back about, and must be read from it.

A page is put into the inbox in the transaction that moves the cursor behind it.
So nothing is skipped, wherever a reader dies; what is read twice is there once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from paygate.dialogue import deferred
from paygate.domain.outcome import Unknown, Unsent
from paygate.gateway import Feeds
from paygate.ledger import feeds, inbox
from paygate.service import notices
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
    """What one pass brought: new entries of the inbox, and why some feeds could not be read."""

    stored: int = 0
    failed: Mapping[str, str]


def read_feeds(accounts: Mapping[str, GatewayAccount], pause: timedelta) -> Flow[FeedsRead]:
    """Read every feed to its end that nobody has read within *pause*."""
    having = {name: each for name, each in accounts.items() if isinstance(each.gateway, Feeds)}
    stored, failed = 0, dict[str, str]()
    resting = (yield from look(lambda tx: feeds.resting(tx, pause))) if having else ()
    for name, account in having.items():
        if name not in resting:
            new, fault = yield from _read(account)
            stored += new
            failed |= {name: fault} if fault else {}
    return FeedsRead(stored=stored, failed=failed)


def _read(account: GatewayAccount) -> Flow[tuple[int, str]]:
    gateway, name, stored = account.gateway, account.name, 0
    assert isinstance(gateway, Feeds), "only these are read"
    cursor = yield from transact(lambda tx: feeds.lease(tx, name, tx.now + _LEASE))
    if cursor is None:  # another process reads it right now
        return 0, ""
    while True:
        page = yield from ask(name, deferred(partial(gateway.feed, cursor)))
        fault = page.reason if isinstance(page, Unsent | Unknown) else ""
        if isinstance(page, Unsent | Unknown):
            break
        new = yield from transact(partial(_keep, account=account, before=cursor, page=page))
        if new is None:
            return stored, ""
        stored += new
        if not page.more or page.cursor == cursor:
            break
        cursor = page.cursor
    # If we are stopped before this, the lease runs out by itself.
    yield from transact(lambda tx: feeds.release(tx, name))
    return stored, fault


def _keep(tx: Tx, *, account: GatewayAccount, before: str, page: FeedPage) -> int | None:
    """Keep a page and move on; None where another reader took over."""
    until = tx.now + _LEASE
    if not feeds.advance(tx, account.name, before=before, after=page.cursor, until=until):
        return None
    return sum(_keep_notice(tx, account, notice) for notice in page.notices)


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
