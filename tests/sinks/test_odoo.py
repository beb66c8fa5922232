"""The sink for Odoo against a simulated one of version 16 and of version 19."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from time import monotonic
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from paygate import Cashier, Customer, Money
from paygate.dialogue import Request, Response
from paygate.domain.event import EVENT_TYPES, Event
from paygate.driver import Secret
from paygate.errors import CredentialsRejected, EventRefused, NoResponse, PaygateError
from paygate.sink import Delivery
from paygate.sinks.odoo import Odoo, OdooSettings
from paygate.sinks.odoo.mapping import BUILT_IN
from paygate.sinks.odoo.work import work_of
from paygate.testing import FakeClock
from paygate.testing.conformance import SinkConformance
from paygate.transport.courier import Courier
from paygate.transport.http import HttpTransport
from tests.support.simulated_odoo import DATABASE, KEY, LOGIN, SimulatedOdoo, serving

ANN = Customer("C-1", name="Ann & <b>Sons</b>", email="ann@example.com", phone="+1 555 0100")
NOTE = {"invoice.generated": {"note": "Invoice {number}: {total}"}}


@pytest.fixture(params=[16, 19])
def odoo(request: pytest.FixtureRequest) -> SimulatedOdoo:
    return SimulatedOdoo(version=request.param)


@pytest.fixture
def url(odoo: SimulatedOdoo) -> Iterator[str]:
    with serving(odoo) as url:
        yield url


def entry(url: str, **settings: Any) -> dict[str, Any]:
    given = {"api_url": url, "api_access_key": KEY, "database": DATABASE, "login": LOGIN}
    return {"sink": "odoo", **given, **settings}


class Shop:
    """A cashier whose events go to Odoo."""

    def __init__(self, url: str, **settings: Any) -> None:
        self.clock = FakeClock(datetime(2026, 1, 5, 12, tzinfo=UTC))
        self.cashier = Cashier.in_memory(sinks={"crm": entry(url, **settings)}, clock=self.clock)

    def issue(self, number: str = "A", customer: Customer = ANN) -> None:
        self.cashier.issue(
            number=number, customer=customer, total=Money.of("USD", "30"), due="2026-02-01"
        )

    def publish(self, seconds: float = 0) -> Any:
        self.clock.advance(seconds=seconds)
        return self.cashier.publish()


@pytest.fixture
def shop(url: str) -> Iterator[Shop]:
    with open_shop(url, effects=NOTE) as shop:
        yield shop


@contextmanager
def open_shop(url: str, **settings: Any) -> Generator[Shop]:
    made = Shop(url, **settings)
    made.publish()  # a new sink starts with the next event
    with made.cashier:
        yield made


def synthetic(type_: str, id_: str = "evt_1", **data: Any) -> Delivery:
    facts = {"customer": "C-1", "number": "INV-7", "currency": "USD", "due": "2026-01-01"}
    amounts = {"total_minor": 3000, "open_minor": 1250}
    event = Event(
        id=id_,
        position=1,
        type=type_,
        aggregate="inv_1",
        seq=1,
        schema_version=1,
        occurred_at=datetime(2026, 1, 5, 12, tzinfo=UTC),
        actor="worker",
        data={**facts, **amounts, **data},
    )
    return Delivery(event=event, contact=ANN)


def made_of(url: str, seconds: Callable[[], float] = monotonic, **settings: Any) -> Odoo:
    given = entry(url, **settings)
    del given["sink"]
    return Odoo(OdooSettings.model_validate(given), seconds=seconds)


def deliver(sink: Odoo, delivery: Delivery) -> None:
    """Deliver an event over HTTP, without a ledger."""
    drive(sink.deliver(delivery))


def drive(dialogue: Any) -> None:
    courier = Courier(HttpTransport(timeout_s=10))
    try:
        step = next(dialogue)
        while True:
            try:
                answer = courier.exchange(step)
            except PaygateError as error:
                step = dialogue.throw(error)
            else:
                step = dialogue.send(answer)
    except StopIteration:
        return
    finally:
        courier.close()


# --- What is written ----------------------------------------------------------------


def test_a_customer_becomes_a_partner_with_a_note(odoo: SimulatedOdoo, shop: Shop) -> None:
    shop.issue()
    assert shop.publish().delivered == 1

    assert odoo.external == {"paygate.customer_C-1": 7}
    assert odoo.partners[7] == {
        "name": "Ann & <b>Sons</b>",
        "ref": "C-1",
        "email": "ann@example.com",
        "phone": "+1 555 0100",
    }
    [note] = odoo.notes
    [event] = shop.cashier.events()
    assert (note["res_id"], note["subject"]) == (7, f"paygate:{event.id}")
    assert note["body"] == "<p>Invoice A: 30.00 USD</p>"
    assert odoo.calls == [
        "res.partner.load",
        "mail.message.search_read",
        "res.partner.message_post",
    ]


def test_events_without_an_effect_cause_no_call(odoo: SimulatedOdoo, shop: Shop) -> None:
    shop.issue()
    shop.publish()
    odoo.calls.clear()
    shop.cashier.void("A", reason="wrong")
    shop.publish()

    assert odoo.calls == []


def test_many_events_take_one_call_each_and_a_few_for_all(url: str, odoo: SimulatedOdoo) -> None:
    with open_shop(url, effects=NOTE) as shop:
        for number in range(40):
            shop.issue(f"A-{number}", Customer(f"C-{number % 8}", name="Ann", email="a@b.example"))
        assert shop.publish().delivered == 40

    assert Counter(odoo.calls) == {
        "res.partner.load": 1,
        "mail.message.search_read": 1,
        "res.partner.message_post": 40,
    }
    assert len(odoo.partners) == 8
    assert len({note["subject"] for note in odoo.notes}) == 40


def test_overdue_suspended_and_terminated_come_as_notes_and_activities(
    url: str, odoo: SimulatedOdoo
) -> None:
    sink = made_of(url)
    deliver(sink, synthetic("invoice.overdue", "evt_1"))
    deliver(sink, synthetic("customer.suspended", "evt_2"))
    deliver(sink, synthetic("customer.terminated", "evt_3"))

    assert [note["body"] for note in odoo.notes] == [
        "<p>Invoice INV-7 is overdue since 2026-01-01: 12.50 USD of 30.00 USD are open.</p>",
        "<p>The service is suspended for unpaid invoices.</p>",
        "<p>The service is terminated for unpaid invoices.</p>",
    ]
    assert [each["summary"] for each in odoo.activities] == [
        "Invoice INV-7 is overdue: 12.50 USD open [paygate:evt_1]",
        "Ann & <b>Sons</b> is suspended for unpaid invoices [paygate:evt_2]",
        "Ann & <b>Sons</b> is terminated for unpaid invoices [paygate:evt_3]",
    ]
    assert {each["date_deadline"] for each in odoo.activities} == {"2026-01-05"}
    assert {each["act_type_xmlid"] for each in odoo.activities} == {"mail.mail_activity_data_todo"}


def test_fields_of_the_partner_are_data_of_the_mapping(url: str, odoo: SimulatedOdoo) -> None:
    odoo.columns.add("x_amount_due")
    effects = {"invoice.overdue": {"fields": {"x_amount_due": "{open}"}}}
    deliver(made_of(url, effects=effects), synthetic("invoice.overdue"))

    assert odoo.partners[7]["x_amount_due"] == "12.50 USD"
    assert odoo.calls == ["res.partner.load"]


def test_a_text_message_follows_its_note_and_is_sent_once(url: str, odoo: SimulatedOdoo) -> None:
    effects = {"invoice.overdue": {"note": "{number}", "sms": "Please pay {open}"}}
    sink = made_of(url, effects=effects)
    deliver(sink, synthetic("invoice.overdue"))
    deliver(sink, synthetic("invoice.overdue"))

    [text] = odoo.texts
    assert (text["res_id"], text["body"]) == (7, "Please pay 12.50 USD")
    assert len(odoo.notes) == 1


def test_a_number_that_odoo_refuses_makes_a_dead_letter(url: str, odoo: SimulatedOdoo) -> None:
    odoo.sms_works = False
    effects = {"invoice.overdue": {"note": "{number}", "sms": "Please pay"}}
    with pytest.raises(EventRefused, match="Invalid recipient number") as caught:
        deliver(made_of(url, effects=effects), synthetic("invoice.overdue"))

    assert caught.value.final
    assert odoo.texts == []


def test_what_a_person_entered_is_not_erased(url: str, odoo: SimulatedOdoo) -> None:
    with open_shop(url, effects=NOTE) as shop:
        shop.issue("A")
        shop.publish()
        odoo.partners[7]["phone"] = "entered by hand"
        shop.cashier.save_customer(Customer("C-1", name="Ann", email="new@example.com"))
        shop.issue("B", Customer("C-1"))
        shop.publish()

    assert odoo.partners[7]["phone"] == "entered by hand"
    assert odoo.partners[7]["email"] == "new@example.com"


# --- The four traps ------------------------------------------------------------------


def test_a_transaction_that_met_another_is_tried_again(odoo: SimulatedOdoo, shop: Shop) -> None:
    odoo.busy = 2
    shop.issue()
    done = shop.publish()
    assert (done.delayed, done.dead, odoo.notes) == (1, 0, [])

    assert shop.publish(seconds=5).delayed == 1
    assert shop.publish(seconds=30).delivered == 1
    assert (len(odoo.partners), len(odoo.notes)) == (1, 1)


def test_a_column_that_does_not_exist_is_a_dead_letter_at_once(
    url: str, odoo: SimulatedOdoo
) -> None:
    with open_shop(url, effects=NOTE, partner={"name": "{customer_name}", "mobile": "1"}) as shop:
        shop.issue()
        assert shop.publish().dead == 1
        [letter] = shop.cashier.dead_letters()

    assert "Invalid field 'mobile'" in letter.error
    assert KEY not in letter.error
    assert "Traceback" not in letter.error
    assert odoo.calls == ["res.partner.load"]


@pytest.mark.parametrize("method", ["load", "message_post", "activity_schedule"])
def test_what_was_committed_before_the_answer_was_lost_is_not_repeated(
    url: str, odoo: SimulatedOdoo, method: str
) -> None:
    effects = {"invoice.generated": {"note": "{number}", "activity": {"summary": "{number}"}}}
    with open_shop(url, effects=effects) as shop:
        odoo.lose = {method}
        shop.issue()
        assert shop.publish().unreached == ("crm",)
        assert shop.publish(seconds=5).delivered == 1

    assert len(odoo.partners) == len(odoo.notes) == len(odoo.activities) == 1


def test_many_events_of_which_some_were_committed_are_not_repeated(
    url: str, odoo: SimulatedOdoo
) -> None:
    effects = {"invoice.generated": {"note": "{number}", "activity": {"summary": "{number}"}}}
    with open_shop(url, effects=effects) as shop:
        for number in range(10):
            shop.issue(f"A-{number}")
        odoo.lose = {"message_post", "activity_schedule"}
        for _ in range(4):
            shop.publish(seconds=5)
        assert shop.cashier.dead_letters() == []

    assert Counter(note["body"] for note in odoo.notes) == {f"<p>A-{n}</p>": 1 for n in range(10)}
    assert len(odoo.activities) == 10


def test_many_events_that_were_delivered_before_are_not_repeated(
    url: str, odoo: SimulatedOdoo
) -> None:
    effects = {"invoice.generated": {"note": "{number}", "activity": {"summary": "{number}"}}}
    with open_shop(url, effects=effects) as shop:
        for number in range(5):
            shop.issue(f"A-{number}")
        shop.publish()
        odoo.calls.clear()
        for event in shop.cashier.events():
            shop.cashier.resend_event("crm", event)  # as if the process had died after them
        assert shop.publish().delivered == 5

    assert odoo.calls == [
        "res.partner.load",
        "mail.message.search_read",
        "mail.activity.search_read",
    ]
    assert len(odoo.notes) == len(odoo.activities) == 5


@pytest.mark.parametrize("seconds", [0, 61])
def test_what_was_found_ahead_is_not_used_late(
    url: str, odoo: SimulatedOdoo, seconds: float
) -> None:
    time = iter([0.0, seconds, seconds])
    one, other = made_of(url, seconds=lambda: next(time)), made_of(url)
    events = [synthetic("customer.restored", f"evt_{number}") for number in range(2)]
    drive(one.look_ahead(events))
    for event in events:
        deliver(other, event)  # another process took over
    if not seconds:
        drive(one.look_ahead(events[:1]))  # a later pass, which has one event only
    deliver(one, events[0])

    assert len(odoo.notes) == 2


@pytest.mark.parametrize("version", [16, 17, 18, 19])
def test_a_name_with_html_is_shown_as_it_is(version: int) -> None:
    odoo = SimulatedOdoo(version=version)
    effects = {"invoice.generated": {"note": "{customer_name}\nowes {total}"}}
    with serving(odoo) as url, open_shop(url, effects=effects) as shop:
        shop.issue()
        shop.publish()

    assert odoo.notes[0]["body"] == "<p>Ann &amp; &lt;b&gt;Sons&lt;/b&gt;<br/>owes 30.00 USD</p>"


# --- Faults ----------------------------------------------------------------------------


def test_a_server_that_is_down_for_days_loses_nothing(odoo: SimulatedOdoo, shop: Shop) -> None:
    odoo.down = 1_000
    for number in range(3):
        shop.issue(f"A-{number}")
    for _ in range(40):
        shop.publish(seconds=7_200)
    assert shop.cashier.dead_letters() == []
    odoo.down = 0
    shop.publish(seconds=7_200)
    shop.publish(seconds=7_200)

    assert [note["body"] for note in odoo.notes] == [
        f"<p>Invoice A-{n}: 30.00 USD</p>" for n in range(3)
    ]


def test_a_field_that_a_customized_odoo_requires_is_said(
    odoo: SimulatedOdoo, url: str, shop: Shop
) -> None:
    odoo.columns.add("x_region")
    odoo.required.add("x_region")
    shop.issue()
    assert shop.publish().dead == 1
    assert "x_region" in shop.cashier.dead_letters()[0].error

    partner = {"name": "{customer_name}", "x_region": "north"}
    with open_shop(url, effects=NOTE, partner=partner) as other:
        other.issue("B")
        assert other.publish().delivered == 1
    assert odoo.partners[7]["x_region"] == "north"


def test_missing_rights_are_tried_for_days(odoo: SimulatedOdoo, shop: Shop) -> None:
    odoo.allowed = False
    shop.issue()
    assert shop.publish().delayed == 1
    odoo.allowed = True
    assert shop.publish(seconds=5).delivered == 1


def test_a_wrong_key_makes_events_wait_and_is_not_shown(
    url: str, odoo: SimulatedOdoo, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = "wrong-key-wrong-key-wrong"
    with open_shop(url, effects=NOTE, api_access_key=wrong) as shop:
        shop.issue()
        assert shop.publish().unreached == ("crm",)
        shown = f"{caplog.text} {shop.cashier.status()!r} {shop.cashier.delivery_log('crm')!r}"

    assert wrong not in shown
    assert "does not accept" in shown
    assert odoo.calls == []


# --- Checks -----------------------------------------------------------------------------


def test_a_check_changes_nothing(url: str, odoo: SimulatedOdoo) -> None:
    with open_shop(url) as shop:
        shop.cashier.check_sink("crm")

    assert (odoo.partners, odoo.notes, odoo.activities) == ({}, [], [])


@pytest.mark.parametrize(
    ("settings", "raised", "said"),
    [
        ({"api_access_key": "another-key"}, CredentialsRejected, "does not accept"),
        ({"database": "other"}, PaygateError, ""),
        ({"partner": {"name": "{customer_name}", "mobile": "1"}}, EventRefused, "mobile"),
        ({"effects": {"invoice.paid": {"fields": {"x_odd": "1"}}}}, EventRefused, "x_odd"),
    ],
)
def test_a_check_finds_what_is_wrong(
    url: str, settings: dict[str, Any], raised: type[PaygateError], said: str
) -> None:
    with open_shop(url, **settings) as shop:
        with pytest.raises(raised) as caught:
            shop.cashier.check_sink("crm")
        assert said in str(caught.value)
        assert "another-key" not in str(caught.value)


def test_the_dialect_follows_the_version() -> None:
    odoo = SimulatedOdoo(version=16)
    with serving(odoo) as url:
        with pytest.raises(CredentialsRejected, match="login"):
            drive(made_of(url, login="", database="").check())
        sink = made_of(url)
        deliver(sink, synthetic("customer.restored", "evt_1"))
        odoo.version = 19  # over night
        odoo.down = 1
        with pytest.raises(NoResponse):
            deliver(sink, synthetic("customer.restored", "evt_2"))
        deliver(sink, synthetic("customer.restored", "evt_2"))

    assert len(odoo.notes) == 2


# --- Settings ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"api_url": "http://odoo.example"},
        {"api_access_key": ""},
        {"dialect": "jsonrpc", "login": ""},
        {"namespace": "Pay.gate"},
        {"partner": {"ref": "{customer}"}},
        {"partner": {"name": "{nobody}"}},
        {"effects": {"invoice.generated": {}}},
        {"effects": {"invoice.generatd": {"note": "x"}}},
        {"effects": {"invoice.generated": {"note": "{nmber}"}}},
        {"effects": {"invoice.generated": {"sms": "pay"}}},
        {"effects": {"sink.stopped": {"note": "x"}}},
        {"effects": {"invoice.overdue": {"note": "{plan}"}}},
        {"effects": {"invoice.paid": {"activity": {"summary": "two\nlines"}}}},
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, Any]) -> None:
    given = entry("https://odoo.example", **wrong)
    del given["sink"]
    with pytest.raises(ValidationError):
        OdooSettings.model_validate(given)


def test_the_built_in_effects_are_of_events_that_exist() -> None:
    assert BUILT_IN.keys() <= EVENT_TYPES.keys()
    for type_, effect in BUILT_IN.items():
        effect.check(type_)


@given(st.lists(st.text(min_size=1, max_size=12), min_size=2, max_size=6, unique=True))
def test_external_ids_are_valid_and_never_the_same(customers: list[str]) -> None:
    settings = OdooSettings.model_validate(
        {"api_url": "https://odoo.example", "api_access_key": "k"}
    )
    works = [work_of(synthetic("customer.restored", customer=each), settings) for each in customers]
    ids = [each.external_id for each in works if each is not None]
    distinct = {each.encode("utf-8", "replace") for each in customers}
    assert len(set(ids)) == len(distinct)
    assert all(each.count(".") == 1 and each.isascii() for each in ids)


# --- The kit ------------------------------------------------------------------------------


def error(status: int, name: str) -> Response:
    body: dict[str, Any] = {
        "name": name,
        "message": "no",
        "arguments": [],
        "context": {},
        "debug": "trace",
    }
    return Response(status=status, body=json.dumps(body).encode())


class TestConformance(SinkConformance):
    sink = Odoo
    name = "odoo"
    settings: ClassVar[Any] = {
        "api_url": "https://odoo.example",
        "api_access_key": Secret(KEY),
        "dialect": "json2",
    }
    refusals = (
        error(500, "builtins.ValueError"),
        error(422, "odoo.exceptions.ValidationError"),
        error(403, "odoo.exceptions.AccessError"),
    )
    outages = (Response(status=503), Response(status=429), Response(status=502))

    def accept(self, request: Request) -> Response:
        if request.url.endswith("/load"):
            rows = json.loads(request.body)["data"]
            return Response(status=200, body=json.dumps({"ids": [7] * len(rows)}).encode())
        if request.url.endswith("/fields_get"):
            columns = ("name", "ref", "email", "phone")
            return Response(status=200, body=json.dumps({name: {} for name in columns}).encode())
        return Response(status=200, body=b"[]")
