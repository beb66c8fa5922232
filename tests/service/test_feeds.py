"""Reading feeds: who reads, how far, and what counts as read to the end."""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from paygate import Cashier
from paygate.dialogue import Dialogue, at_once
from paygate.errors import BadResponse, StillCatchingUp
from paygate.gateway import FeedPage, Notice
from paygate.ledger import inbox
from paygate.service.account import Timing
from paygate.testing import FakeClock, FakeGateway
from tests.service.world import PAYER, Blind, PowerCut, usd


class Told(FakeGateway):
    """A processor with a feed of one event a page, which may be closed to us."""

    def __init__(self, name: str, pages: int, **given: Any) -> None:
        super().__init__(**given)
        self.called = name
        self.pages = pages
        self.closed = False
        self.page_takes_s = 0
        self.ticking: FakeClock = given["clock"]
        self.read: list[str] = []

    def feed(self, cursor: str) -> Dialogue[FeedPage]:
        self.read.append(self.called)
        self.ticking.advance(seconds=self.page_takes_s)
        if self.closed:
            raise BadResponse("the events of this account may not be read (403)")
        done = int(cursor or 0)
        notice = Notice(event_id=f"{self.called}-{done}", type="something")
        some = (notice,) if done < self.pages else ()
        after = done + len(some)
        more = done + 1 < self.pages
        return at_once(FeedPage(notices=some, cursor=str(after), more=more, read=len(some)))


class Stubborn(Told):
    """A feed that says that there is more, and shows the same page for ever."""

    def feed(self, cursor: str) -> Dialogue[FeedPage]:
        self.read.append(self.called)
        return at_once(FeedPage(notices=(), cursor=cursor, more=True))


class Office:
    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder / 'ledger.db'}"
        self.clock = FakeClock()
        self.first = Told("first", 3, clock=self.clock)
        self.second = Told("second", 2, clock=self.clock)
        self.running: list[Cashier] = []

    def process(self, face: type[Cashier] = Cashier) -> Cashier:
        gateways = {"first": self.first, "second": self.second}
        process = face.open(self.url, gateways=gateways, clock=self.clock, timing=Timing())
        self.running.append(process)
        return process


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = Office(tmp_path)
    yield office
    for process in office.running:
        assert process.fsck() == []
        process.close()


class Killed(Cashier):
    """A process that dies when it has read its first page."""

    def _do(self, step: Any) -> Any:
        result = super()._do(step)
        if isinstance(result, int) and not isinstance(result, bool) and result:
            raise PowerCut
        return result


def unread(cashier: Cashier) -> list[str]:
    """Return the feeds that sending still waits for."""
    with pytest.raises(StillCatchingUp) as refused:
        cashier.resume_sending(evidence="compared")
    return [wait for wait in refused.value.waits if "feed" in wait]


def test_feeds_are_read_in_turns_a_page_each(office: Office) -> None:
    log = office.first.read = office.second.read

    read = office.process().read_feeds()

    assert log == ["first", "second", "first", "second", "first"]
    assert (read.stored, dict(read.behind)) == (5, {"first": 0, "second": 0})
    assert read.read == {"first": 3, "second": 2}


def test_a_feed_that_cannot_be_kept_does_not_stop_the_others(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    cashier = office.process()
    original = inbox.insert

    def insert(tx: Any, **facts: Any) -> Any:
        if facts["account"] == "first":
            raise KeyError("a value of the driver")
        return original(tx, **facts)

    monkeypatch.setattr(inbox, "insert", insert)

    read = cashier.read_feeds()

    assert read.failed == {"first": "KeyError while a page was stored"}
    assert read.stored == 2


def test_a_feed_that_does_not_move_on_is_no_feed_that_was_read(office: Office) -> None:
    office.first = Stubborn("first", 1, clock=office.clock)

    read = office.process().read_feeds()

    assert "does not move the cursor" in read.failed["first"]
    assert office.first.read == ["first"]


def test_a_long_feed_does_not_keep_recovery_from_its_end(office: Office) -> None:
    office.first.pages = 1000
    office.first.page_takes_s = 2
    cashier = office.process()

    for passes in range(1, 5):
        cashier.recover()
        assert office.first.read.count("first") == 30 * passes

    assert cashier.read_feeds().failed == {}
    assert len(office.first.read) == 1000


def test_recovery_reads_a_feed_of_many_short_pages_to_its_end(office: Office) -> None:
    office.first.pages = 1000

    office.process().recover()

    assert office.first.read.count("first") == 1000


def test_a_pass_that_ends_before_a_feed_does_says_so(office: Office) -> None:
    cashier = office.process()

    first = cashier.read_feeds(pages=1)
    second = cashier.read_feeds(pages=1)
    third = cashier.read_feeds(pages=1)

    assert first.unfinished == {"first", "second"}
    assert second.unfinished == {"first"}
    assert third.unfinished == set()


def test_who_reads_and_until_when_is_told(office: Office) -> None:
    with pytest.raises(PowerCut):
        office.process(Killed).read_feeds()
    office.clock.advance(minutes=1)

    read = office.process().read_feeds()

    until = office.clock.now() + timedelta(minutes=4)
    assert read.busy == {"first": until, "second": until}
    assert read.behind == {"first": None, "second": None}
    assert (read.stored, read.failed) == (0, {})
    office.clock.advance(minutes=5)
    assert office.process().read_feeds().busy == {}


@pytest.mark.parametrize("pages", [None, 1])
def test_only_a_feed_that_was_read_to_its_end_since_the_stop_counts(
    office: Office, pages: int | None
) -> None:
    cashier = office.process()
    cashier.read_feeds()
    office.clock.advance(minutes=1)
    cashier.stop_sending(reason="restored from the backup of Monday")
    office.clock.advance(minutes=1)
    office.first.closed = pages is None
    office.first.pages = 9

    cashier.read_feeds(pages=pages)

    assert unread(cashier) == ["the feed of account 'first'"]
    office.first.closed = False
    cashier.read_feeds()
    cashier.apply_callbacks()
    cashier.resume_sending(evidence="compared")
    assert cashier.sending_stopped() is None
    resumed = [event for event in cashier.events() if event.type == "ledger.sending_resumed"]
    assert [event.data["feeds_read"] for event in resumed] == [["first", "second"]]


def test_a_reading_that_began_before_the_stop_does_not_count(office: Office) -> None:
    cashier = office.process()
    stopped = office.process()
    office.second.pages = 0
    told = office.first.feed

    def feed(cursor: str) -> Dialogue[FeedPage]:
        if not stopped.sending_stopped():
            office.clock.advance(seconds=1)
            stopped.stop_sending(reason="restored from the backup of Monday")
            office.clock.advance(seconds=1)
        return told(cursor)

    office.first.feed = feed  # type: ignore[method-assign]
    cashier.read_feeds()

    assert unread(cashier) == ["the feed of account 'first'", "the feed of account 'second'"]


def test_the_feed_of_an_account_that_is_not_configured_here_is_waited_for(office: Office) -> None:
    office.process().read_feeds()
    office.clock.advance(minutes=1)
    other = Cashier.open(
        office.url, gateways={"card": FakeGateway(clock=office.clock)}, clock=office.clock
    )
    office.running.append(other)
    other.stop_sending(reason="restored from the backup of Monday")
    other.read_feeds()

    assert unread(other) == ["the feed of account 'first'", "the feed of account 'second'"]


class Watched(Blind):
    """A wallet that is watched, and has no feed of another kind."""

    def watch(self, cursor: str, addresses: int, memory: Mapping[str, bytes]) -> Dialogue[FeedPage]:
        del cursor, addresses, memory
        return at_once(FeedPage(notices=(), cursor="7", more=False))


def test_what_is_watched_is_waited_for_as_well() -> None:
    clock = FakeClock()
    wallet = Watched(FakeGateway(clock=clock))
    cashier = Cashier.in_memory(gateways={"wallet": wallet}, clock=clock)
    cashier.stop_sending(reason="restored from the backup of Monday")
    clock.advance(minutes=1)

    assert unread(cashier) == ["the feed of account 'wallet'"]
    cashier.read_feeds()
    cashier.resume_sending(evidence="compared")
    cashier.issue(number="N-1", customer=PAYER, total=usd("9.00"), due="2026-02-01")
    assert cashier.sending_stopped() is None
    cashier.close()


def told(cashier: Cashier) -> list[str]:
    return [each.type for each in cashier.events(limit=1000) if each.type.startswith("feed.")]


def test_a_feed_that_keeps_failing_is_told_once_and_so_is_its_end(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    cashier = office.process()
    cashier.recover()
    office.first.closed = True
    office.clock.advance(minutes=10)
    began = office.clock.now()

    for _ in range(6):
        cashier.recover()
        office.clock.advance(minutes=10)
    before = told(cashier)
    for _ in range(60):
        cashier.recover()
        office.clock.advance(minutes=30)
    failing = told(cashier)
    office.first.closed = False
    for _ in range(3):
        cashier.recover()
        office.clock.advance(minutes=10)

    assert (before, failing) == ([], ["feed.failing"])
    assert told(cashier) == ["feed.failing", "feed.recovered"]
    [event] = [each for each in cashier.events(limit=1000) if each.type == "feed.failing"]
    assert event.data["account"] == "first"
    assert event.data["since"] == began.isoformat()
    assert "403" in event.data["reason"]
    warned = [each.__dict__["event"] for each in caplog.records if each.levelname == "WARNING"]
    assert warned == ["feed.failed", "feed.failing"]


def test_a_feed_that_fails_now_and_then_is_not_failing(office: Office) -> None:
    cashier = office.process()

    for closed in [True, False] * 20:
        office.first.closed = closed
        office.clock.advance(minutes=10)
        cashier.recover()

    assert told(cashier) == []


def test_a_new_spell_of_failing_is_told_again(office: Office) -> None:
    cashier = office.process()

    for closed in [True] * 10 + [False] + [True] * 10:
        office.first.closed = closed
        office.clock.advance(minutes=10)
        cashier.recover()

    assert told(cashier) == ["feed.failing", "feed.recovered", "feed.failing"]


# --- What a gateway remembers ---------------------------------------------------------------


class Remembering(Blind):
    """A wallet that is watched, does as it is told at each page, and stays where it is."""

    def __init__(self, fake: FakeGateway) -> None:
        super().__init__(fake)
        self.changes: list[Mapping[str, bytes | None]] = []
        self.saw: list[dict[str, bytes]] = []
        self.meanwhile: Callable[[], object] = lambda: None

    def watch(self, cursor: str, addresses: int, memory: Mapping[str, bytes]) -> Dialogue[FeedPage]:
        del cursor, addresses
        self.saw.append(dict(memory))
        change = self.changes.pop(0) if self.changes else {}
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()
        notice = Notice(event_id=f"page-{len(self.saw)}", type="something")
        more = bool(self.changes)
        return at_once(FeedPage(notices=(notice,), cursor="7", more=more, memory=change))


class Study:
    """A wallet that remembers, and as many processes as a test wants."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder / 'ledger.db'}"
        self.clock = FakeClock()
        self.wallet = Remembering(FakeGateway(clock=self.clock))
        self.running: list[Cashier] = []

    def process(self, face: type[Cashier] = Cashier) -> Cashier:
        process = face.open(self.url, gateways={"wallet": self.wallet}, clock=self.clock)
        self.running.append(process)
        return process


@pytest.fixture
def study(tmp_path: Path) -> Iterator[Study]:
    study = Study(tmp_path)
    yield study
    for process in study.running:
        assert process.fsck() == []
        process.close()


def test_what_a_gateway_remembers_is_there_for_the_next_page_and_the_next_process(
    study: Study,
) -> None:
    study.wallet.changes = [{"a": b"1", "b": b"2"}, {"a": None, "c": b"3"}, {"b": b"4"}]

    read = study.process().read_feeds()
    study.process().read_feeds()

    # The position did not change, and nobody takes that for standing still.
    assert read.failed == {}
    assert study.wallet.saw == [
        {},
        {"a": b"1", "b": b"2"},
        {"b": b"2", "c": b"3"},
        {"b": b"4", "c": b"3"},
    ]


def test_who_stays_where_it_is_and_remembers_nothing_new_does_not_move_on(study: Study) -> None:
    study.wallet.changes = [{"a": b"1"}, {}, {"b": b"2"}]

    read = study.process().read_feeds()

    assert "does not move the cursor" in read.failed["wallet"]


def test_a_page_that_is_not_kept_is_not_remembered(study: Study) -> None:
    study.wallet.changes = [{"a": b"1"}]

    class Dying(Cashier):
        died = False

        def _do(self, step: Any) -> Any:
            if study.wallet.saw and not self.died:
                self.died = True
                raise PowerCut
            return super()._do(step)

    with pytest.raises(PowerCut):
        study.process(Dying).read_feeds()
    study.clock.advance(minutes=6)
    study.process().read_feeds()

    assert study.wallet.saw == [{}, {}]


def test_who_was_overtaken_writes_nothing_over_what_the_other_one_remembers(study: Study) -> None:
    slow, quick = study.process(), study.process()
    study.wallet.changes = [{"a": b"of the slow one"}]

    def overtake() -> None:
        study.clock.advance(minutes=6)
        study.wallet.changes = [{"a": b"of the quick one"}]
        quick.read_feeds()

    study.wallet.meanwhile = overtake
    slow.read_feeds()
    quick.read_feeds()

    assert study.wallet.saw[-1] == {"a": b"of the quick one"}


@pytest.mark.parametrize(
    "memory", [{"a": "text"}, {1: b""}, {"": 1}, {"x" * 501: b""}, ["a"], {"a\x00": b""}]
)
def test_a_memory_that_cannot_be_kept_is_a_fault_of_the_driver(study: Study, memory: Any) -> None:
    study.wallet.changes = [memory]

    read = study.process().read_feeds()

    assert "FeedPage.memory" in read.failed["wallet"]
    assert read.stored == 0
