"""The delivery log, an event that is sent again, and a sink that the other side stops."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from paygate import Cashier, DeliveryOutcome, Money, SinkTraits
from paygate.dialogue import Dialogue
from paygate.errors import (
    EndpointGone,
    EventRefused,
    InvalidValue,
    NoResponse,
    NothingToReplay,
    RecordNotFound,
    SinkNotFound,
)
from paygate.ledger.delivery_tries import KEPT_FOR
from paygate.service.publish import Published
from paygate.sink import Delivery
from paygate.testing import FakeClock


class Told:
    """A sink that does what it is told; what it accepted is in `got`."""

    traits = SinkTraits(keeps_log=True)

    def __init__(self) -> None:
        self.fault: Exception | None = None
        self.got: list[str] = []

    def deliver(self, delivery: Delivery) -> Dialogue[None]:
        if self.fault is not None:
            raise self.fault
        self.got.append(delivery.event.id)
        yield from ()


class Silent(Told):
    traits = SinkTraits()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def sink() -> Told:
    return Told()


@pytest.fixture
def cashier(clock: FakeClock, sink: Told) -> Iterator[Cashier]:
    with Cashier.in_memory(
        sinks={"crm": sink, "silent": Silent(), "few": {"sink": Told(), "events": ["payment.*"]}},
        clock=clock,
    ) as cashier:
        yield cashier


def issue(cashier: Cashier, number: str = "A") -> None:
    cashier.issue(number=number, customer="C-1", total=Money.of("USD", "30"), due="2026-02-01")


# --- The log ------------------------------------------------------------------------


def test_each_try_is_in_the_log_with_its_result_and_time(
    cashier: Cashier, clock: FakeClock, sink: Told
) -> None:
    issue(cashier)
    sink.fault = EventRefused("unknown customer")
    cashier.publish()
    clock.advance(seconds=5)
    sink.fault = NoResponse("it is down")
    cashier.publish()
    clock.advance(hours=1)
    sink.fault = None
    cashier.publish()

    [event] = [each for each in cashier.events() if each.type == "invoice.generated"]
    log = cashier.delivery_log("crm")
    assert [each.outcome for each in log] == [
        DeliveryOutcome.DELIVERED,
        DeliveryOutcome.UNREACHED,
        DeliveryOutcome.REFUSED,
    ]
    assert [each.error for each in log] == ["", "no response: it is down", "unknown customer"]
    assert {(each.sink, each.event, each.type) for each in log} == {("crm", event.id, event.type)}
    ages = [clock.now() - each.at for each in log]
    for age, expected in zip(ages, (0, 3600, 3605), strict=True):
        assert timedelta(seconds=expected) <= age < timedelta(seconds=expected + 60)
    assert all(each.took_ms >= 0 for each in log)
    assert cashier.delivery_log("silent") == [], "it did not ask for a log"


def test_the_log_is_read_in_pages_and_by_event(cashier: Cashier, clock: FakeClock) -> None:
    for number in range(5):
        issue(cashier, f"A-{number}")
        clock.advance(seconds=1)
    cashier.publish()

    whole = cashier.delivery_log("crm")
    first = cashier.delivery_log("crm", limit=2)
    rest = cashier.delivery_log("crm", after=first[-1])
    assert [*first, *rest] == whole
    assert len({each.event for each in whole}) == 5
    assert cashier.delivery_log("crm", event=whole[3].event) == [whole[3]]
    with pytest.raises(RecordNotFound):
        cashier.delivery_log("crm", event="evt_0")
    with pytest.raises(RecordNotFound):
        cashier.delivery_log("crm", after="dtr_0")
    with pytest.raises(SinkNotFound):
        cashier.delivery_log("other")


def test_old_tries_are_deleted(cashier: Cashier, clock: FakeClock) -> None:
    issue(cashier, "A")
    cashier.publish()
    clock.advance(seconds=KEPT_FOR.total_seconds() + 60)
    issue(cashier, "B")
    cashier.publish()

    [only] = cashier.delivery_log("crm")
    assert only.aggregate == cashier.events()[-1].aggregate


# --- Once more -------------------------------------------------------------------------


def test_an_event_is_sent_again_with_its_id(cashier: Cashier, sink: Told) -> None:
    issue(cashier, "A")
    issue(cashier, "B")
    cashier.publish()
    first, second = sink.got

    cashier.resend_event("crm", first)

    assert cashier.publish() == Published(delivered=1)
    assert sink.got == [first, second, first]
    assert not cashier.fsck()


def test_an_event_that_waits_or_is_not_wanted_is_not_sent_again(
    cashier: Cashier, sink: Told, clock: FakeClock
) -> None:
    cashier.publish()
    issue(cashier)
    [event] = cashier.events()
    with pytest.raises(NothingToReplay):
        cashier.resend_event("crm", event)
    sink.fault = EventRefused("never", final=True)
    cashier.publish()
    with pytest.raises(InvalidValue, match=r"invoice\.generated"):
        cashier.resend_event("few", event)
    with pytest.raises(RecordNotFound):
        cashier.resend_event("crm", "evt_0")

    sink.fault = None
    cashier.resend_event("crm", event)  # a dead letter
    assert cashier.publish().delivered == 1
    assert sink.got == [event.id]


# --- Stopped ----------------------------------------------------------------------------


def test_a_sink_whose_other_side_wants_no_more_stops_until_it_is_resumed(
    cashier: Cashier, clock: FakeClock, sink: Told
) -> None:
    issue(cashier, "A")
    issue(cashier, "B")
    sink.fault = EndpointGone("it is gone (410)")
    done = cashier.publish()
    [paused] = done.paused
    assert (paused.name, paused.until, paused.reason) == ("crm", None, "it is gone (410)")

    clock.advance(hours=24 * 400)
    sink.fault = None
    assert cashier.publish().paused == done.paused
    assert sink.got == []
    status = {each.name: each for each in cashier.status().sinks}["crm"]
    assert (status.stopped, status.paused_until) == (True, None)
    [concern] = [each for each in cashier.status().concerns if each.name == "sink-stopped"]
    assert "paygate sink resume crm" in concern.text
    assert [each.type for each in cashier.events()][-1] == "sink.stopped"

    assert cashier.resume_sink("crm")
    assert not cashier.resume_sink("crm")
    cashier.publish()
    assert [each.type for each in cashier.events()][-1] == "sink.resumed"
    assert len(sink.got) == 4, "two invoices, and that it was stopped and resumed"
    assert not cashier.fsck()


def test_a_pause_ends_when_somebody_resumes_the_sink(cashier: Cashier, sink: Told) -> None:
    issue(cashier)
    sink.fault = NoResponse("down")
    assert cashier.publish().unreached == ("crm",)
    sink.fault = None
    assert cashier.publish().paused

    assert cashier.resume_sink("crm")
    assert cashier.publish().paused == ()
    assert all(each.type == "invoice.generated" for each in cashier.events())


def test_a_retried_event_can_stop_the_sink(cashier: Cashier, clock: FakeClock, sink: Told) -> None:
    issue(cashier, "A")
    issue(cashier, "B")
    sink.fault = EventRefused("not now")
    cashier.publish()
    clock.advance(seconds=5)
    sink.fault = EndpointGone("gone")
    cashier.publish()

    assert len(cashier.delivery_log("crm")) == 3, "the second event is not tried any more"
    assert {each.name: each for each in cashier.status().sinks}["crm"].stopped
