"""What waits at the desk: callbacks that fit nothing, and events that a sink refused."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from paygate import Cashier, SinkTraits
from paygate.dialogue import Dialogue
from paygate.errors import EventRefused
from paygate.sink import Delivery
from paygate.web.desk import Role
from tests.web.desk.working import ROOT, Office, open_office, usd


@pytest.fixture
def office() -> Iterator[Office]:
    with open_office() as found:
        yield found


def orphan(office: Office) -> int:
    """Let the gateway report a charge of another system, and return the callback's number."""
    stranger = Cashier.in_memory(gateways=office.gateways, clock=office.clock)
    stranger.issue(number="X", customer="C-9", total=usd("9.00"), due="2031-12-01")
    stranger.collect("X", via="card", method="tok_visa", key="x")
    for callback in office.gateways["card"].callbacks():
        office.cashier.receive("card", callback)
    for _ in range(10):
        office.cashier.apply_callbacks()
        office.clock.advance(timedelta(days=1))
    [found] = office.cashier.orphans()
    return found.id


def test_an_orphan_is_dismissed_with_a_reason(office: Office) -> None:
    number = orphan(office)
    anna = office.sign_in("anna")
    page = f"{ROOT}/callbacks/{number}"
    assert page in anna.get("/callbacks").links.values()

    refused = [anna.send(page, do="dismiss"), anna.send(page)]
    assert [each.status for each in refused] == [422, 422]
    anna.does(page, do="dismiss", reason="an order of the old shop")

    [found] = office.cashier.callbacks()
    assert (found.state.value, found.dismissed_by) == ("dismissed", "anna")
    assert "Nothing waits here." in anna.get("/callbacks").text


def test_an_orphan_is_applied_again(office: Office) -> None:
    anna = office.sign_in("anna")
    number = orphan(office)

    assert "It is now: new." in anna.does(f"/callbacks/{number}", do="replay").text


@pytest.mark.parametrize("number", ["2", "0", "x", "-1", "9" * 30, "\u0661"])
def test_a_callback_that_does_not_exist_is_not_found(office: Office, number: str) -> None:
    orphan(office)

    assert office.sign_in("anna").get(f"/callbacks/{number}").status == 404


class Refusing:
    """A sink that refuses every event until it is mended."""

    traits = SinkTraits()
    mended = False

    def deliver(self, delivery: Delivery) -> Dialogue[None]:
        if not self.mended:
            raise EventRefused(f"the CRM has no customer for {delivery.event.id}", final=True)
        yield from ()


def test_a_manager_lets_a_sink_try_again() -> None:
    sink = Refusing()
    with open_office(sinks={"crm": sink}) as office:
        office.check()
        office.cashier.publish()
        waiting = len(office.cashier.dead_letters())
        anna, boss = office.sign_in("anna"), office.sign_in("boss", Role.MANAGER)
        assert waiting
        assert "the CRM has no customer" in anna.get("/dead-letters").text
        assert anna.send("/dead-letters", sink="crm").status == 403
        assert boss.send("/dead-letters").status == 422

        done = boss.does("/dead-letters", sink="crm")
        assert f"crm tries {waiting} events again." in done.text
        sink.mended = True
        office.cashier.publish()
        assert office.cashier.dead_letters() == []
