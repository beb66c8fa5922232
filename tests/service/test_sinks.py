"""Sinks: what each receives, how its faults are told apart, and what a foreign one may do wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from threading import Event as Gate
from typing import Any

import pytest

from paygate import AsyncCashier, Cashier, Customer, Money
from paygate.dialogue import Dialogue, Request
from paygate.domain.secret import Secret
from paygate.errors import (
    CredentialsRejected,
    EventRefused,
    InvalidSettings,
    InvalidValue,
    NoResponse,
    NothingToReplay,
    RecordNotFound,
    SinkNotFound,
    Unsupported,
    UsageError,
)
from paygate.service.publish import RETRY_PLAN, SILENCE_PAUSES, Published
from paygate.sink import AnySink, Delivery, SinkTraits
from paygate.testing import FakeClock

USD_5 = Money("USD", 500)


class Told:
    """A sink in memory; `fault` is raised instead of taking the event."""

    def __init__(self, **traits: Any) -> None:
        self.traits = SinkTraits(**traits)
        self.heard: list[Delivery] = []
        self.fault: Callable[[Delivery], BaseException | None] = lambda _: None
        self.key = Secret("hunter2-and-more")

    def take(self, delivery: Delivery) -> None:
        fault = self.fault(delivery)
        if fault is not None:
            raise fault
        self.heard.append(delivery)

    def types(self) -> list[str]:
        return [each.event.type for each in self.heard]


class ByHttp(Told):
    def deliver(self, delivery: Delivery) -> Dialogue[None]:
        yield from ()
        self.take(delivery)

    def check(self) -> Dialogue[None]:
        yield from ()
        self.take(None)  # type: ignore[arg-type]


class InThread(Told):
    def send(self, delivery: Delivery) -> None:
        self.take(delivery)

    def check(self) -> None:
        self.take(None)  # type: ignore[arg-type]


@pytest.fixture(params=[ByHttp, InThread])
def kind(request: pytest.FixtureRequest) -> type[Told]:
    made: type[Told] = request.param
    return made


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def opened(clock: FakeClock) -> Iterator[Callable[..., Cashier]]:
    """Open a cashier with sinks by name."""
    cashiers: list[Cashier] = []

    def open_with(**sinks: Any) -> Cashier:
        cashiers.append(Cashier.in_memory(clock=clock, sinks=sinks))
        return cashiers[-1]

    yield open_with
    for cashier in cashiers:
        cashier.close()


def pay(cashier: Cashier, number: str, customer: Customer | str = "C-1") -> str:
    total = Money.of("USD", "5")
    invoice = cashier.issue(number=number, customer=customer, total=total, due="2026-02-01")
    cashier.record(number, by="cash", key=number)
    return invoice.id


# --- What a sink receives -----------------------------------------------------


def test_a_sink_receives_the_event_types_that_its_settings_name(
    kind: type[Told], opened: Callable[..., Cashier]
) -> None:
    crm, books = kind(), kind(events=("receipt.*",))
    cashier = opened(crm={"sink": crm, "events": ["invoice.*"]}, books=books)

    pay(cashier, "A")
    cashier.publish()

    every = [each.type for each in cashier.events()]
    assert sorted(set(crm.types())) == ["invoice.generated", "invoice.paid"]
    assert books.types() == ["receipt.booked"]
    assert len(every) > len(crm.heard) + len(books.heard)
    assert cashier.publish() == Published()


@pytest.mark.parametrize(
    ("events", "words"),
    [
        (["invoice.generate"], "did you mean invoice.generated?"),
        (["invoice.*", "subscription.*"], "no event type matches 'subscription.*'"),
        ([7], "no event type matches 7"),
        ("invoice.*", "is a list of types or patterns"),
        ([], "is a list of types or patterns"),
    ],
)
def test_a_pattern_that_matches_no_event_type_is_refused(
    events: object, words: str, opened: Callable[..., Cashier]
) -> None:
    with pytest.raises(InvalidSettings) as caught:
        opened(crm={"sink": ByHttp(), "events": events})

    assert "sink 'crm'" in caught.value.message
    assert words in caught.value.message


def test_a_narrower_filter_releases_what_was_set_aside(
    clock: FakeClock, opened: Callable[..., Cashier], tmp_path: object
) -> None:
    crm, url = ByHttp(), f"sqlite:///{tmp_path}/ledger.db"
    crm.fault = lambda each: (
        EventRefused("not these") if each.event.type == "invoice.generated" else None
    )
    with Cashier.open(url, clock=clock, sinks={"crm": crm}) as cashier:
        pay(cashier, "A")
        cashier.publish()

    clock.advance(RETRY_PLAN[0])
    narrow = {"sink": crm, "events": ["invoice.paid"]}
    with Cashier.open(url, clock=clock, sinks={"crm": narrow}) as cashier:
        cashier.publish()
        [state] = cashier.status().sinks

    assert crm.types()[-1] == "invoice.paid"
    assert state.set_aside == 0


def test_contact_facts_are_given_only_to_a_sink_that_needs_them(
    kind: type[Told], opened: Callable[..., Cashier]
) -> None:
    curious, modest = kind(needs_contact=True), kind()
    cashier = opened(curious=curious, modest=modest)

    pay(cashier, "A", Customer("C-1", name="Ann", email="ann@example.com"))
    cashier.publish()
    pay(cashier, "B", "C-2")
    cashier.save_customer(Customer("C-1", email="ann@new.example"))
    pay(cashier, "C", "C-1")
    cashier.publish()

    known = [each.contact for each in curious.heard if each.contact is not None]
    emails = {each.email for each in known if each.id == "C-1"}
    assert emails == {"ann@example.com", "ann@new.example"}
    assert {each.email for each in known if each.id == "C-2"} == {""}
    assert [each.contact for each in modest.heard] == [None] * len(modest.heard)
    assert "ann@" not in repr(cashier.events())


def test_a_sink_that_notifies_people_starts_with_the_next_event(
    clock: FakeClock, tmp_path: object
) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    mail, crm = InThread(only_new=True), ByHttp()
    with Cashier.open(url, clock=clock) as cashier:
        pay(cashier, "old")
    with Cashier.open(url, clock=clock, sinks={"mail": mail, "crm": crm}):
        pass
    with Cashier.open(url, clock=clock) as cashier:  # a process without sinks
        new = pay(cashier, "new")

    with Cashier.open(url, clock=clock, sinks={"mail": mail, "crm": crm}) as cashier:
        cashier.publish()

    assert {each.event.aggregate for each in mail.heard} >= {new}
    assert len(crm.heard) == 2 * len(mail.heard) > 0


def test_the_settings_of_a_sink_decide_where_it_starts(clock: FakeClock, tmp_path: object) -> None:
    url, mail = f"sqlite:///{tmp_path}/ledger.db", InThread(only_new=True)
    with Cashier.open(url, clock=clock) as cashier:
        pay(cashier, "old")

    given = {"sink": mail, "from_beginning": True}
    with Cashier.open(url, clock=clock, sinks={"mail": given}) as cashier:
        done = cashier.publish()

    assert done.delivered == len(mail.heard) > 0


# --- Refusals and silence -----------------------------------------------------


@pytest.mark.parametrize("fault", [NoResponse("503"), TimeoutError(), CredentialsRejected("401")])
def test_silence_is_waited_out_for_a_weekend(
    fault: Exception, kind: type[Told], clock: FakeClock, opened: Callable[..., Cashier]
) -> None:
    crm = kind()
    cashier = opened(crm=crm)
    crm.fault = lambda _: fault
    pay(cashier, "A")
    for _ in range(64):
        cashier.publish()
        clock.advance(hours=1)

    crm.fault = lambda _: None
    clock.advance(SILENCE_PAUSES[-1])
    cashier.publish()
    clock.advance(SILENCE_PAUSES[-1])
    cashier.publish()

    assert len(crm.heard) == len(cashier.events())
    assert cashier.dead_letters() == []


def test_a_system_that_answers_every_event_with_an_error_all_weekend_loses_nothing(
    kind: type[Told], clock: FakeClock, opened: Callable[..., Cashier]
) -> None:
    crm = kind()
    cashier = opened(crm=crm)
    crm.fault = lambda _: EventRefused("500")
    pay(cashier, "A")
    for _ in range(64):  # from Friday evening to Monday morning
        cashier.publish()
        clock.advance(hours=1)

    crm.fault = lambda _: None
    for _ in range(13):
        cashier.publish()
        clock.advance(hours=1)

    assert len(crm.heard) == len(cashier.events())
    assert cashier.dead_letters() == []


def test_a_final_refusal_is_a_dead_letter_at_once_and_blocks_only_its_aggregate(
    kind: type[Told], opened: Callable[..., Cashier]
) -> None:
    crm = kind()
    cashier = opened(crm=crm)
    bad, good = pay(cashier, "bad"), pay(cashier, "good")
    crm.fault = lambda each: (
        EventRefused("410 Gone", final=True) if each.event.aggregate == bad else None
    )

    done = cashier.publish()

    [letter] = cashier.dead_letters()
    assert (letter.event.aggregate, letter.error, letter.tries) == (bad, "410 Gone", 1)
    assert (done.dead, done.delayed) == (1, 1)
    assert {each.event.aggregate for each in crm.heard} >= {good}


class Unsayable(Exception):
    """An exception whose text cannot be read."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


class Ending(BaseException):
    """What ends a program, as a framework of the sink may raise it."""


FAULTS = [
    KeyError("x"),
    RecursionError(),
    SystemExit(3),
    StopIteration(),
    AssertionError(),
    RuntimeError("half of a pair: \ud800"),
    EventRefused("half of a pair: \ud800"),
    Unsayable(),
    asyncio.CancelledError("key hunter2-and-more"),
    CancelledError("of a future"),
    GeneratorExit(),
    Ending("key hunter2-and-more"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=repr)
def test_whatever_a_sink_raises_it_stops_no_other(
    fault: BaseException, kind: type[Told], opened: Callable[..., Cashier]
) -> None:
    wrong, right = kind(), kind()
    cashier = opened(a_wrong=wrong, right=right)
    wrong.fault = lambda _: fault
    pay(cashier, "A")

    done = cashier.publish()

    assert len(right.heard) == len(cashier.events()) == done.delivered
    assert done.delayed == len(right.heard)
    assert "hunter2" not in repr(cashier.status().sinks)


@pytest.mark.parametrize("fault", FAULTS, ids=repr)
async def test_whatever_a_sink_raises_it_stops_no_other_in_the_event_loop(
    fault: BaseException, kind: type[Told], clock: FakeClock
) -> None:
    wrong, right = kind(in_flight=2), kind(in_flight=2)
    wrong.fault = lambda _: fault
    sinks: Any = {"a_wrong": wrong, "right": right}
    async with AsyncCashier.in_memory(sinks=sinks, clock=clock) as shop:
        await shop.issue(number="A", customer="C-1", total=USD_5, due="2030-02-01")
        await shop.issue(number="B", customer="C-2", total=USD_5, due="2030-02-01")

        done = await shop.publish()

        assert len(right.heard) == len(await shop.events()) == done.delivered
        assert done.delayed == len(right.heard)


STRAYS = [asyncio.CancelledError("stop"), GeneratorExit("stop")]


@pytest.mark.parametrize("fault", STRAYS, ids=repr)
def test_a_subscriber_that_cancels_nothing_but_itself_stops_no_sink(
    fault: BaseException, kind: type[Told], opened: Callable[..., Cashier]
) -> None:
    def wrong(_: object) -> None:
        raise fault

    right = kind()
    cashier = opened(right=right)
    cashier.subscribe("a_wrong", wrong)
    pay(cashier, "A")

    done = cashier.publish()

    assert len(right.heard) == len(cashier.events()) == done.delivered
    assert done.delayed == len(right.heard)


@pytest.mark.parametrize("fault", STRAYS, ids=repr)
async def test_a_coroutine_that_cancels_nothing_but_itself_stops_no_sink(
    fault: BaseException, clock: FakeClock
) -> None:
    async def wrong(_: object) -> None:
        await asyncio.sleep(0)
        raise fault

    right = InThread()
    async with AsyncCashier.in_memory(sinks={"right": right}, clock=clock) as shop:
        await shop.subscribe("a_wrong", wrong)
        await shop.issue(number="A", customer="C-1", total=USD_5, due="2030-02-01")

        done = await shop.publish()

        assert len(right.heard) == len(await shop.events()) == done.delivered
        assert done.delayed == len(right.heard)


async def test_a_cancellation_of_our_own_task_ends_a_subscriber_that_waits(
    clock: FakeClock,
) -> None:
    began, ended = asyncio.Event(), list[BaseException]()

    async def waits(_: object) -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            ended.append(error)
            raise

    async with AsyncCashier.in_memory(clock=clock) as shop:
        await shop.subscribe("waits", waits)
        await shop.issue(number="A", customer="C-1", total=USD_5, due="2030-02-01")
        publishing = asyncio.create_task(shop.publish())
        await began.wait()
        await shop.aclose(deadline_s=0.001)

        with pytest.raises(asyncio.CancelledError):
            await publishing
    assert len(ended) == 1


def test_secrets_and_contact_facts_are_hidden_in_what_a_sink_reports(
    kind: type[Told], opened: Callable[..., Cashier], caplog: pytest.LogCaptureFixture
) -> None:
    crm = kind(needs_contact=True)
    cashier = opened(crm=crm)
    crm.fault = lambda _: EventRefused("key hunter2-and-more, no box ann@example.com", final=True)
    pay(cashier, "A", Customer("C-1", email="ann@example.com"))
    cashier.publish()

    errors = {each.error for each in cashier.dead_letters()}
    assert errors == {"key ••••, no box ••••"}
    assert "hunter2" not in caplog.text
    assert "ann@" not in caplog.text


# --- A sink that hangs --------------------------------------------------------


class Hangs:
    """A blocking sink that does not return before the gate opens."""

    traits = SinkTraits(deadline_s=0.05)

    def __init__(self) -> None:
        self.gate, self.began, self.ended = Gate(), 0, Gate()

    def send(self, _: Delivery) -> None:
        self.began += 1
        assert self.gate.wait(10)
        self.ended.set()


def test_a_sink_that_hangs_delays_no_other_and_is_not_called_twice_at_once(
    clock: FakeClock, opened: Callable[..., Cashier]
) -> None:
    hangs, right = Hangs(), InThread()
    cashier = opened(a_hangs=hangs, right=right)
    pay(cashier, "A")

    first = cashier.publish()
    clock.advance(hours=1)
    again = cashier.publish()

    assert first.unreached == again.unreached == ("a_hangs",)
    assert (len(right.heard), hangs.began) == (len(cashier.events()), 1)
    [state] = [each for each in cashier.status().sinks if each.name == "a_hangs"]
    assert "has not ended yet" in state.fault
    hangs.gate.set()
    assert hangs.ended.wait(10)


async def test_a_sink_that_hangs_does_not_hold_up_the_event_loop(clock: FakeClock) -> None:
    hangs, right = Hangs(), InThread()
    sinks: dict[str, AnySink] = {"a_hangs": hangs, "right": right}
    async with AsyncCashier.in_memory(clock=clock, sinks=sinks) as cashier:
        await cashier.issue(number="A", customer="C", total=Money.of("USD", 5), due="2026-02-01")
        done = await cashier.publish()

    assert (done.unreached, done.delivered) == (("a_hangs",), 1)
    hangs.gate.set()


# --- Checking -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "kind_of_error"),
    [
        (CredentialsRejected("401 with hunter2-and-more"), CredentialsRejected),
        (NoResponse("nothing within 30 s"), NoResponse),
        (EventRefused("no database 'crm'"), EventRefused),
        (KeyError("x"), EventRefused),
    ],
)
def test_a_check_says_what_is_wrong(
    fault: Exception,
    kind_of_error: type[Exception],
    kind: type[Told],
    opened: Callable[..., Cashier],
) -> None:
    crm = kind()
    cashier = opened(crm=crm)
    cashier.check_sink("crm")
    crm.fault = lambda _: fault

    with pytest.raises(kind_of_error, match="the sink 'crm': ") as caught:
        cashier.check_sink("crm")

    assert "hunter2" not in str(caught.value)


def test_a_check_of_a_sink_that_cannot_and_of_one_that_is_not_there(
    opened: Callable[..., Cashier],
) -> None:
    cashier = opened(hangs=Hangs())

    with pytest.raises(Unsupported, match="cannot check"):
        cashier.check_sink("hangs")
    with pytest.raises(SinkNotFound, match="configured are: hangs"):
        cashier.check_sink("crm")


# --- Names --------------------------------------------------------------------


def test_a_handler_does_not_take_the_name_of_a_sink(opened: Callable[..., Cashier]) -> None:
    crm = ByHttp()
    cashier = opened(crm=crm)

    with pytest.raises(InvalidValue, match="is the name of a sink"):
        cashier.subscribe("crm", print)

    pay(cashier, "A")
    cashier.publish()
    assert len(crm.heard) == len(cashier.events())


def test_a_sink_may_have_the_name_of_an_account_and_keeps_its_own_route(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from paygate.testing import FakeGateway

    asked: list[str] = []

    class Asks(ByHttp):
        def deliver(self, _: Delivery) -> Dialogue[None]:
            yield Request(method="POST", url="http://crm.invalid/", step="deliver")

    class Courier:
        def exchange(self, *_: object, **__: object) -> None:
            raise NoResponse("nothing")

        def close(self) -> None:
            pass

    gateways = {"crm": FakeGateway(clock=clock)}
    with Cashier.in_memory(clock=clock, gateways=gateways, sinks={"crm": Asks()}) as cashier:

        def courier(name: str) -> Courier:
            asked.append(name)
            return Courier()

        monkeypatch.setattr(cashier, "_courier", courier)
        pay(cashier, "A")
        cashier.publish()

    assert asked == ["sink:crm"]


@pytest.mark.parametrize("wrong", [print, ByHttp, object(), SinkTraits(), {"sink": print}, {}])
def test_what_is_no_sink_is_refused_when_the_cashier_is_opened(
    wrong: object, opened: Callable[..., Cashier]
) -> None:
    with pytest.raises(UsageError, match="sink"):
        opened(crm=wrong)


def test_a_sink_of_another_protocol_version_is_refused(opened: Callable[..., Cashier]) -> None:
    with pytest.raises(Unsupported, match="version 2 of the protocol of sinks"):
        opened(crm=ByHttp(protocol_version=2))


# --- Dead letters, one by one -------------------------------------------------


def test_one_dead_letter_is_replayed_and_the_other_stays(
    kind: type[Told], opened: Callable[..., Cashier]
) -> None:
    crm = kind()
    cashier = opened(crm=crm)
    for number in "AB":
        pay(cashier, number)
    crm.fault = lambda each: (
        EventRefused("409", final=True) if each.event.type == "invoice.generated" else None
    )
    cashier.publish()
    first, second = cashier.dead_letters()
    crm.fault = lambda _: None

    assert cashier.replay_dead_letters("crm", event=first.event) == 1
    cashier.publish()

    assert cashier.dead_letters() == [second]
    assert [each for each in crm.heard if each.event.aggregate == first.event.aggregate]
    assert not [each for each in crm.heard if each.event.aggregate == second.event.aggregate]


def test_a_replay_of_what_is_no_dead_letter_says_where_the_event_is(
    clock: FakeClock, opened: Callable[..., Cashier]
) -> None:
    crm = ByHttp()
    cashier = opened(crm=crm)
    pay(cashier, "A")
    cashier.publish()
    taken = cashier.events()[0]
    crm.fault = lambda _: EventRefused("later")
    pay(cashier, "B")
    unread = cashier.events()[-1]

    with pytest.raises(NothingToReplay, match="was delivered") as delivered:
        cashier.replay_dead_letters("crm", event=taken.id)
    with pytest.raises(NothingToReplay, match="still waits") as coming:
        cashier.replay_dead_letters("crm", event=unread)
    cashier.publish()
    with pytest.raises(NothingToReplay, match="still waits") as waiting:
        cashier.replay_dead_letters("crm", event=unread)
    with pytest.raises(RecordNotFound, match="there is no event"):
        cashier.replay_dead_letters("crm", event="evt_nothing")

    assert delivered.value.state == "delivered"
    assert coming.value.state == waiting.value.state == "waiting"
    crm.fault = lambda _: None
    clock.advance(RETRY_PLAN[0])
    cashier.publish()
    assert len(crm.heard) == len(cashier.events())  # nothing was delivered twice


# --- A sink that was removed --------------------------------------------------


def test_a_removed_sink_for_which_events_wait_is_a_concern_until_it_is_forgotten(
    clock: FakeClock, tmp_path: object
) -> None:
    crm, url = ByHttp(), f"sqlite:///{tmp_path}/ledger.db"
    crm.fault = lambda _: NoResponse("down")
    with Cashier.open(url, clock=clock, sinks={"crm": crm}) as cashier:
        pay(cashier, "A")
        cashier.publish()
        with pytest.raises(InvalidValue, match="remove it from the configuration"):
            cashier.forget_sink("crm")

    clock.advance(days=1)
    with Cashier.open(url, clock=clock) as cashier:
        [concern] = cashier.status().concerns
        assert (concern.name, concern.subject) == ("sink-behind", "crm")
        assert "paygate sink forget crm" in concern.text

        assert cashier.forget_sink("crm") == 1
        assert cashier.status().concerns == []
        assert cashier.status().sinks == []
        with pytest.raises(SinkNotFound):
            cashier.forget_sink("crm")
        assert cashier.fsck() == []

    crm.fault = lambda _: None
    with Cashier.open(url, clock=clock, sinks={"crm": crm}) as cashier:
        assert cashier.publish().delivered == len(cashier.events())


def test_a_removed_sink_with_only_a_delayed_event_is_a_concern_too(
    clock: FakeClock, tmp_path: object
) -> None:
    crm, url = ByHttp(), f"sqlite:///{tmp_path}/ledger.db"
    crm.fault = lambda each: EventRefused("409") if each.event.seq == 1 else None
    with Cashier.open(url, clock=clock, sinks={"crm": crm}) as cashier:
        pay(cashier, "A")
        cashier.publish()

    clock.advance(days=1)
    with Cashier.open(url, clock=clock) as cashier:
        [concern] = cashier.status().concerns

    assert (concern.name, concern.subject) == ("sink-behind", "crm")


# --- Many merchants -----------------------------------------------------------


def test_each_tenant_has_its_own_position_and_a_new_one_misses_nothing(clock: FakeClock) -> None:
    from paygate.testing import FakeGateway

    mail = InThread(only_new=True)
    gateways = {name: FakeGateway(clock=clock) for name in ("m-1", "m-2")}

    def accounts_of(tenant: str) -> dict[str, FakeGateway]:
        return {"card": gateways[tenant]}

    with Cashier.in_memory(clock=clock, merchants=accounts_of, sinks={"mail": mail}) as cashier:
        first, second = cashier.for_tenant("m-1"), cashier.for_tenant("m-2")
        for each in (first, second):
            each.top_up("C-1", Money.of("USD", 1), via="card", method="tok_visa", key="k")
        done = first.publish()

        assert done.delivered == len(mail.heard) == len(first.events()) > 0
        assert first.publish() == Published()
        assert second.publish().delivered == len(second.events())
        assert first.status().sinks[0].behind_since is None
