"""Events reach every reader at least once, in order, and a poisoned aggregate harms only itself."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial

import pytest

from paygate import AsyncCashier, Cashier, Event, Money
from paygate.dialogue import Dialogue, Request, Response
from paygate.errors import EventRefused, NoResponse, NotSent, UsageError
from paygate.service.publish import RETRY_PLAN, SILENCE_PAUSES, PausedSink, Published
from paygate.sink import Delivery, SinkTraits
from paygate.testing import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def cashier(clock: FakeClock) -> Iterator[Cashier]:
    with Cashier.in_memory(clock=clock) as cashier:
        yield cashier


def issue(cashier: Cashier, number: str) -> str:
    invoice = cashier.issue(
        number=number, customer="C-1", total=Money.of("USD", "5"), due="2026-02-01"
    )
    return invoice.id


def test_a_subscriber_hears_each_event_once_and_in_order(cashier: Cashier) -> None:
    heard: list[Event] = []
    cashier.subscribe("mailer", heard.append)
    for number in "ABC":
        issue(cashier, number)
        cashier.record(number, by="cash", key=number)

    assert cashier.publish().delivered == len(cashier.events())
    assert cashier.publish() == Published()
    assert [event.position for event in heard] == sorted(event.position for event in heard)
    for aggregate in {event.aggregate for event in heard}:
        numbers = [event.seq for event in heard if event.aggregate == aggregate]
        assert numbers == list(range(1, len(numbers) + 1))


class _Awaited:
    async def __call__(self, event: Event) -> None: ...


async def _awaited(event: Event) -> None: ...


@pytest.mark.parametrize("handler", [_awaited, _Awaited(), partial(_awaited)])
def test_a_cashier_that_awaits_nothing_takes_no_subscriber_that_is_to_be_awaited(
    handler: Callable[[Event], object], cashier: Cashier
) -> None:
    with pytest.raises(UsageError, match="AsyncCashier"):
        cashier.subscribe("mailer", handler)

    issue(cashier, "A-1")
    assert cashier.publish() == Published()


def test_a_subscriber_that_returns_something_to_await_has_not_taken_the_event(
    cashier: Cashier,
) -> None:
    def later(event: Event) -> object:
        return _awaited(event)

    cashier.subscribe("mailer", later)
    issue(cashier, "A-1")

    assert cashier.publish() == Published(delayed=1)


def test_many_events_are_read_in_batches(cashier: Cashier) -> None:
    heard: list[str] = []
    cashier.subscribe("mailer", lambda event: heard.append(event.id))
    for number in range(250):
        issue(cashier, str(number))

    cashier.publish()

    assert len(heard) == len(set(heard)) == 250


def test_a_new_reader_may_start_with_the_next_event(cashier: Cashier) -> None:
    issue(cashier, "old")
    heard: list[str] = []
    cashier.subscribe("late", lambda event: heard.append(event.aggregate), from_beginning=False)

    new = issue(cashier, "new")
    cashier.publish()

    assert heard == [new]


def test_what_happened_while_nobody_listened_is_not_missed(tmp_path: object) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    with Cashier.open(url) as cashier:
        cashier.subscribe("mailer", lambda _: None)
        issue(cashier, "A")
        cashier.publish()
        issue(cashier, "B")

    heard: list[str] = []
    with Cashier.open(url) as cashier:
        cashier.subscribe("mailer", lambda event: heard.append(event.data["number"]))
        cashier.publish()

    assert heard == ["B"]


def test_a_poisoned_aggregate_blocks_only_itself(cashier: Cashier, clock: FakeClock) -> None:
    heard: list[tuple[str, int]] = []
    poisoned = issue(cashier, "bad")
    healthy = issue(cashier, "good")
    for number in ("bad", "good"):
        cashier.record(number, by="cash", key=number)
    broken = True

    def handler(event: Event) -> None:
        if broken and event.aggregate == poisoned:
            raise RuntimeError("cannot do this one")
        heard.append((event.aggregate, event.seq))

    cashier.subscribe("crm", handler)
    cashier.publish()
    assert [seq for aggregate, seq in heard if aggregate == healthy] == [1, 2]
    assert not [seq for aggregate, seq in heard if aggregate == poisoned]

    broken = False
    assert cashier.publish().delivered == 0  # not yet: it waits before it tries again
    clock.advance(RETRY_PLAN[0])
    assert cashier.publish().delivered == 2
    assert [seq for aggregate, seq in heard if aggregate == poisoned] == [1, 2]


def test_an_event_nobody_takes_becomes_a_dead_letter_that_can_be_replayed(
    cashier: Cashier, clock: FakeClock
) -> None:
    broken = True
    heard: list[int] = []

    def handler(event: Event) -> None:
        if broken:
            raise RuntimeError("the CRM says no")
        heard.append(event.seq)

    issue(cashier, "A")
    cashier.record("A", by="cash", key="A")
    cashier.subscribe("crm", handler)
    total, began = Published(), clock.now()
    for pause in (timedelta(0), *RETRY_PLAN):
        clock.advance(pause)
        total += cashier.publish()

    letters = cashier.dead_letters()
    assert [(one.sink, one.error, one.tries, one.since) for one in letters] == [
        ("crm", "RuntimeError: the CRM says no", 13, began)
    ] * len(letters)
    assert len({one.event.aggregate for one in letters}) == len(letters) == total.dead == 2

    broken = False
    assert cashier.replay_dead_letters("crm") == 2
    cashier.publish()
    assert sorted(heard) == [1, 1, 2, 2]
    assert cashier.dead_letters() == []


class Crm:
    """A sink that speaks HTTP, answered by a script."""

    traits = SinkTraits()

    def deliver(self, delivery: Delivery) -> Dialogue[None]:
        id_ = delivery.event.id.encode()
        response = yield Request(
            method="POST", url="http://crm.invalid/events", step="deliver", body=id_
        )
        if response.status != 200:
            raise EventRefused(f"the CRM answered {response.status}")


def test_a_sink_is_a_dialogue(
    request: pytest.FixtureRequest, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [Response(status=503), Response(status=200)]
    sent: list[bytes] = []
    cashier = Cashier.in_memory(clock=clock, sinks={"crm": Crm()})
    request.addfinalizer(cashier.close)

    class Courier:
        def exchange(self, request: Request, **_: object) -> Response:
            sent.append(request.body)
            return answers.pop(0)

        def close(self) -> None:
            pass

    def courier(_: str) -> Courier:
        return Courier()

    monkeypatch.setattr(cashier, "_courier", courier)
    issue(cashier, "A")

    assert cashier.publish() == Published(delayed=1)
    clock.advance(RETRY_PLAN[0])
    assert cashier.publish() == Published(delivered=1)
    assert sent[0] == sent[1] == cashier.events()[0].id.encode()


class Away:
    """A sink that is out of reach."""

    traits = SinkTraits()
    asked = 0

    def deliver(self, delivery: Delivery) -> Dialogue[None]:
        yield from ()
        self.asked += 1
        raise NoResponse(f"nothing within 30 s for {delivery.event.type}")


class Hasty:
    """A sink that fails before it has made a dialogue."""

    traits = SinkTraits()

    def deliver(self, delivery: Delivery) -> Dialogue[None]:
        raise KeyError(delivery.event.id)


def test_a_sink_that_does_not_answer_waits_for_the_next_pass_and_the_others_go_on(
    request: pytest.FixtureRequest, clock: FakeClock
) -> None:
    away = Away()
    cashier = Cashier.in_memory(clock=clock, sinks={"away": away})
    request.addfinalizer(cashier.close)
    heard: list[str] = []
    cashier.subscribe("books", lambda event: heard.append(event.aggregate), from_beginning=True)
    for number in "ABCDE":
        issue(cashier, number)

    pause = PausedSink(
        name="away",
        until=clock.now() + SILENCE_PAUSES[0],
        reason="no response: nothing within 30 s for invoice.generated",
    )
    first = Published(delivered=5, delayed=1, unreached=("away",), paused=(pause,))
    assert cashier.publish() == first
    assert (away.asked, len(heard)) == (1, 5)
    assert cashier.publish() == Published(paused=(pause,))
    assert away.asked == 1  # it is left alone for a moment
    clock.advance(SILENCE_PAUSES[0])
    cashier.publish()

    assert away.asked == 3  # the same event, and another one: it could be that one's fault


@pytest.mark.parametrize("fault", [NoResponse("no answer"), NotSent("no route"), ConnectionError()])
def test_a_system_that_is_down_for_a_fortnight_has_missed_nothing(
    fault: Exception, cashier: Cashier, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    down, asked, heard = True, 0, list[tuple[str, int]]()

    def handler(event: Event) -> None:
        nonlocal asked
        asked += 1
        if down:
            raise fault
        heard.append((event.aggregate, event.seq))

    cashier.subscribe("crm", handler)
    for number in range(20):
        issue(cashier, f"N-{number}")
        cashier.record(f"N-{number}", by="cash", key=f"N-{number}")
    total = Published()
    for _ in range(14 * 24 * 2):
        clock.advance(timedelta(minutes=30))
        total += cashier.publish()

    assert (total.dead, cashier.dead_letters()) == (0, [])
    assert asked < 2 * 14 * 24 + 20  # with two events, at most once an hour after a moment
    warned = [each for each in caplog.records if each.levelname == "WARNING"]
    assert [each.__dict__["event"] for each in warned] == ["sink.unreached"]
    assert "crm" in warned[0].getMessage()

    down = False
    for _ in range(30):
        clock.advance(timedelta(hours=1))
        cashier.publish()

    events = cashier.events(limit=1000)
    assert sorted(heard) == sorted((each.aggregate, each.seq) for each in events)
    assert all(
        [seq for name, seq in heard if name == each] == sorted(seq for n, seq in heard if n == each)
        for each in {name for name, _ in heard}
    )


def test_one_event_that_is_never_answered_holds_up_no_other(
    cashier: Cashier, clock: FakeClock
) -> None:
    poisoned = issue(cashier, "bad")
    heard: list[str] = []

    def handler(event: Event) -> None:
        if event.aggregate == poisoned:
            raise TimeoutError("it takes the CRM too long")
        heard.append(event.aggregate)

    cashier.subscribe("crm", handler)
    others = {issue(cashier, f"N-{number}") for number in range(5)}
    for _ in range(3):
        clock.advance(timedelta(minutes=5))
        cashier.publish()

    assert set(heard) == others


def test_a_dead_letter_is_a_warning_that_names_sink_and_event(
    cashier: Cashier, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    def handler(event: Event) -> None:
        raise RuntimeError("https://crm.example/?token=hunter2 says no")

    invoice = issue(cashier, "A")
    cashier.subscribe("crm", handler)
    for pause in (timedelta(0), *RETRY_PLAN):
        clock.advance(pause)
        cashier.publish()

    [line] = [each for each in caplog.records if each.levelname == "WARNING"]
    assert line.__dict__["event"] == "sink.dead_letter"
    assert all(text in line.getMessage() for text in ("crm", "invoice.generated", invoice))
    assert "hunter2" not in caplog.text


def test_a_sink_that_fails_at_once_stops_no_other(
    request: pytest.FixtureRequest, clock: FakeClock
) -> None:
    cashier = Cashier.in_memory(clock=clock, sinks={"hasty": Hasty()})
    request.addfinalizer(cashier.close)
    heard: list[str] = []
    cashier.subscribe("books", lambda event: heard.append(event.aggregate), from_beginning=True)
    issue(cashier, "A")

    assert cashier.publish() == Published(delivered=1, delayed=1)
    assert len(heard) == 1


def test_two_readers_of_one_name_do_not_read_at_once(
    request: pytest.FixtureRequest, tmp_path: object, clock: FakeClock
) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    first, second = Cashier.open(url, clock=clock), Cashier.open(url, clock=clock)
    request.addfinalizer(first.close)
    request.addfinalizer(second.close)
    issue(first, "A")
    heard: list[str] = []

    def slow(event: Event) -> None:
        heard.append(event.id)
        assert second.publish() == Published(busy=("mailer",))

    first.subscribe("mailer", slow)
    second.subscribe("mailer", lambda event: heard.append(event.id))
    first.publish()

    assert len(heard) == 1
    first.close()
    second.close()


def test_a_reader_that_needs_long_keeps_its_lease_from_batch_to_batch(
    request: pytest.FixtureRequest, tmp_path: object, clock: FakeClock
) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    first, second = Cashier.open(url, clock=clock), Cashier.open(url, clock=clock)
    request.addfinalizer(first.close)
    request.addfinalizer(second.close)
    for number in range(250):
        issue(first, str(number))
    heard: list[str] = []

    def slow(event: Event) -> None:
        heard.append(event.id)
        clock.advance(seconds=2)  # the whole takes longer than the lease, but no batch does
        if len(heard) % 25 == 0:
            assert second.publish() == Published(busy=("mailer",))

    first.subscribe("mailer", slow)
    second.subscribe("mailer", lambda event: heard.append(event.id))
    first.publish()

    assert len(heard) == len(set(heard)) == 250


async def test_an_async_subscriber_is_awaited() -> None:
    heard: list[str] = []

    async def handler(event: Event) -> None:
        heard.append(event.type)

    async with AsyncCashier.in_memory() as cashier:
        await cashier.subscribe("mailer", handler)
        await cashier.issue(number="A", customer="C", total=Money.of("USD", 5), due="2026-02-01")
        await cashier.publish()

    assert heard == ["invoice.generated"]
