"""Feeds: facts that a processor sends no callback about, and that must be read from it.

A page is put into the inbox in the transaction that moves the cursor past it and stores what the
gateway remembers. So nothing is skipped if a reader dies at any point, and a page that is read
twice is stored once.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from paygate import logs
from paygate.dialogue import deferred
from paygate.domain.outcome import Fault, Unknown, Unsent
from paygate.errors import (
    BadResponse,
    FeedBusy,
    LedgerCorrupt,
    PaygateError,
    StoreError,
    Unsupported,
)
from paygate.gateway import Rescans
from paygate.ledger import accounts, addresses, feeds, holding, outbox
from paygate.service import door, intake, notices
from paygate.service.asking import ask
from paygate.service.flow import Flow, look, transact

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paygate.dialogue import Dialogue
    from paygate.gateway import FeedPage, Notice
    from paygate.ledger.elapsed import Lease
    from paygate.ledger.tx import Tx
    from paygate.service.account import GatewayAccount

FAILING_AFTER: Final = timedelta(hours=1)
"""How long a feed must fail before an event reports it."""

_LEASE: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedsRead:
    """The result of one pass: the new entries of the inbox, and why some feeds could not be read.

    `busy` are the feeds that another process is reading, with the end of its lease. `read` is how
    much of each feed this pass has read, and `behind` how much is left, as far as the gateway
    reports it; `behind` is None if nothing was read. `unfinished` are the feeds that have more to
    read and did not fail: the pass ended before their end.
    """

    stored: int = 0
    failed: Mapping[str, str]
    busy: Mapping[str, datetime] = field(default_factory=dict[str, "datetime"])
    read: Mapping[str, int] = field(default_factory=dict[str, int])
    behind: Mapping[str, int | None] = field(default_factory=dict[str, "int | None"])
    unfinished: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Reading:
    """The progress of the feed of *account* in this pass; `lost` if another reader took over.

    A `fault` ends the pass; `wrong`, about a page whose notices are stored, does not.
    """

    account: GatewayAccount
    began: feeds.Begun
    memory: dict[str, bytes]
    stored: int = 0
    pages: int = 0
    read: int = 0
    behind: int | None = None
    fault: str = ""
    credentials: bool = False
    wrong: str = ""
    at_end: bool = False
    lost: bool = False

    @property
    def problem(self) -> str:
        """Why the feed was not read to its end, or what is wrong with a page."""
        return self.fault or self.wrong

    def goes_on(self, pages: int | None) -> bool:
        return not (self.fault or self.at_end or self.lost or self.pages == pages)


def read_feeds(
    configured: Mapping[str, GatewayAccount],
    pause: timedelta,
    pages: int | None = None,
    time: timedelta | None = None,
) -> Flow[FeedsRead]:
    """
    Read every feed that nobody has read within *pause*, to its end.

    Feeds alternate page by page, so that a long one does not hold up the others. *pages* limits
    the pages per feed; after *time* no further round begins.
    """
    having = [each for each in configured.values() if each.has_feed]
    readings, busy = list[_Reading](), dict[str, datetime]()
    resting = (yield from look(lambda tx: feeds.resting(tx, pause))) if having else ()
    for account in having:
        if account.name in resting:
            continue
        begun = yield from transact(partial(_begin, account=account))
        if isinstance(begun, _Reading):
            readings.append(begun)
        else:
            busy[account.name] = begun
    under_way = list(readings)
    turns = None if time is None else (yield from look(lambda tx: tx.lease(time)))
    while under_way:
        for reading in under_way:
            yield from _turn(reading, pages)
        under_way = [each for each in under_way if each.goes_on(pages)]
        if under_way and turns is not None and (yield from look(partial(_is_over, lease=turns))):
            for reading in under_way:
                yield from transact(partial(_end, reading=reading))
            break
    return FeedsRead(
        stored=sum(each.stored for each in readings),
        failed={each.account.name: each.problem for each in readings if each.problem},
        busy=busy,
        read={each.account.name: each.read for each in readings},
        behind={each.account.name: each.behind for each in readings} | dict.fromkeys(busy),
        unfinished=frozenset(
            each.account.name for each in readings if not each.at_end and not each.fault
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescan:
    """The block from which a chain is read again, and how many blocks follow it."""

    account: str
    start: int
    behind: int


def rescan(account: GatewayAccount, start: int) -> Flow[Rescan]:
    """
    Make the feed of *account* continue at block *start*, whatever it has read before.

    This resolves a feed that cannot continue: the node no longer has its blocks, the chain has
    changed more deeply than is remembered, or it is another chain. Nobody else can read the feed in
    the meantime.
    """
    gateway = account.gateway
    if not isinstance(gateway, Rescans):
        raise Unsupported(f"the feed of account {account.name!r} has no blocks to read again")
    begun = yield from transact(partial(_begin, account=account))
    if isinstance(begun, datetime):
        raise FeedBusy(
            f"another process reads the feed of account {account.name!r}, until "
            f"{begun:%Y-%m-%d %H:%M:%S} UTC at the latest; stop it or wait, and try again",
            account=account.name,
            until=begun,
        )
    memory = MappingProxyType(begun.memory)
    asked: Dialogue[Any] = deferred(partial(gateway.rescan, begun.began.cursor, start, memory))
    answer = yield from ask(account.name, asked, what="rescan", door=door.page(account))
    if isinstance(answer, Unsent | Unknown):
        yield from transact(partial(_let_go, reading=begun))
        raise BadResponse(
            f"account {account.name!r} cannot be read from block {start}: {answer.reason}"
        )
    page = answer.page

    def move(tx: Tx) -> bool:
        kept = _keep(tx, account=account, version=begun.began.version, page=page)
        if kept is None:
            return False
        _let_go(tx, reading=begun)
        _emit(tx, "feed.rescanned", account.name, start=str(start), before=begun.began.cursor)
        return True

    if not (yield from transact(move)):
        raise FeedBusy(
            f"another process has begun to read the feed of account {account.name!r}; try again",
            account=account.name,
        )
    return Rescan(account=account.name, start=start, behind=page.behind)


def _let_go(tx: Tx, reading: _Reading) -> None:
    """Release the feed for other readers, and keep what is known of its faults."""
    holding.hold_feed(tx, reading.account.name)
    feeds.let_go(tx, reading.account.name)


def _begin(tx: Tx, account: GatewayAccount) -> _Reading | datetime:
    holding.hold_feed(tx, account.name)
    begun = feeds.begin(tx, account.name, _LEASE)
    if not isinstance(begun, feeds.Begun):
        return begun
    return _Reading(account, begun, {} if account.watch is None else feeds.memory(tx, account.name))


def _is_over(tx: Tx, lease: Lease) -> bool:
    return lease.left(tx.now, tx.mark) <= timedelta()


def _turn(reading: _Reading, pages: int | None) -> Flow[None]:
    """Read one page; a failure ends this feed's pass, and does not stop the other feeds."""
    try:
        yield from _read_page(reading)
    except StoreError as error:
        if not isinstance(error, LedgerCorrupt):
            raise  # the next feed would fail in the same way
        reading.fault = str(error)
    except PaygateError as error:
        reading.fault = str(error)
    except Exception as bug:  # noqa: BLE001  (its text may hold what must not be stored)
        reading.fault = f"{type(bug).__name__} while a page was stored"
    if reading.lost or reading.goes_on(pages):
        return
    # If the process is stopped before this, the lease expires.
    yield from transact(partial(_end, reading=reading))


def _read_page(reading: _Reading) -> Flow[None]:
    answer = yield from _page(reading)
    if isinstance(answer, Unsent | Unknown):
        reading.fault = answer.reason
        reading.credentials = answer.fault is Fault.CREDENTIALS
        return
    page, reading.wrong = answer.page, answer.wrong
    began = reading.began
    keep = partial(_keep, account=reading.account, version=began.version, page=page)
    new = yield from transact(keep)
    if new is None:
        reading.lost = True
        return
    reading.stored += new
    reading.pages += 1
    reading.read += page.read
    reading.behind = None if reading.wrong else page.behind
    reading.at_end = not page.more
    if page.more and page.cursor == began.cursor and not page.memory:
        reading.fault = "its gateway reports more pages, but does not move the cursor"
    reading.began = replace(began, cursor=page.cursor, version=began.version + 1)
    for name, value in page.memory.items():
        if value is None:
            reading.memory.pop(name, None)
        else:
            reading.memory[name] = value


def _end(tx: Tx, reading: _Reading) -> None:
    """End the pass over a feed, and record whether its end was reached, or the fault."""
    name = reading.account.name
    holding.hold_feed(tx, name)
    ended = feeds.end(
        tx, name, began=reading.began.at, at_end=reading.at_end, fault=reading.problem
    )
    if reading.credentials:
        accounts.reject(tx, name, reading.fault)
    elif reading.at_end:
        accounts.accept(tx, name)
    if reading.problem and ended.since is None:
        tx.log("feed.failed", reading.problem, logs.About(account=name))
    since = ended.since or tx.now
    if reading.problem and not ended.alerted and tx.now - since >= FAILING_AFTER:
        feeds.alert(tx, name)
        _emit(tx, "feed.failing", name, since=since.isoformat(), reason=reading.problem)
    if not reading.problem and reading.at_end and ended.alerted:
        _emit(tx, "feed.recovered", name)


def _emit(tx: Tx, type_: str, name: str, **more: str) -> None:
    outbox.emit(tx, type_, f"feed:{name}", {"account": name} | more)


def _page(reading: _Reading) -> Flow[door.AdmittedPage | Unsent | Unknown]:
    account, cursor = reading.account, reading.began.cursor
    asked: Dialogue[Any]  # the driver returns a page, the door an AdmittedPage
    if account.watch is not None:
        count = yield from look(lambda tx: addresses.counts(tx, _source(account)).allotted)
        memory = MappingProxyType(reading.memory)
        asked = deferred(partial(account.watch.watch, cursor, count, memory))
    else:
        assert account.feed is not None, "only these are read"
        asked = deferred(partial(account.feed.feed, cursor))
    return (yield from ask(account.name, asked, what="feed", door=door.page(account)))


def _keep(tx: Tx, *, account: GatewayAccount, version: int, page: FeedPage) -> int | None:
    """Store a page and move the cursor; return how many notices are new.

    None if another reader took over.
    """
    holding.hold_feed(tx, account.name, (each.event_id for each in page.notices if each.event_id))
    until = tx.now + _LEASE
    if not feeds.advance(tx, account.name, version=version, after=page.cursor, until=until):
        return None
    feeds.remember(tx, account.name, page.memory)
    ours = [
        each for each in page.notices if addresses.ours(tx, _source(account), each.address_index)
    ]
    for notice in ours:
        if notice.address_index is not None:
            addresses.reach(tx, _source(account), notice.address_index)
            if notice.movements:
                addresses.take(tx, _source(account), account.name, notice.address_index)
    count: Counter[str] = Counter()
    kept = 0
    for notice in ours:
        name = notice.event_id
        if not name:
            name = notices.digest(notices.write_notice(intake.storable(notice, account)))
        if notice.unreadable and not notice.event_id:
            # Each may be about other money, and has nothing left by which to distinguish them.
            count[name] += 1
            name = name if count[name] == 1 else f"{name}#{count[name]}"
        kept += _keep_notice(tx, account, name, notice)
    return kept


def _source(account: GatewayAccount) -> str:
    return account.traits.merchant_account


def _keep_notice(tx: Tx, account: GatewayAccount, event_id: str, notice: Notice) -> bool:
    # The processor answered our own request, so its notices need no other proof.
    kept = intake.keep(
        tx, account, event_id, notice, headers={}, body=b"", received_at=tx.now, proven=True
    )
    return kept.new
