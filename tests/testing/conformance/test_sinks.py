"""The kit for sinks passes a right sink; each case fails for a sink that is wrong in its way."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from importlib.metadata import EntryPoint
from typing import Any, ClassVar

import pytest
from pydantic import ConfigDict

from paygate import Delivery, SinkTraits, plugins
from paygate.dialogue import Dialogue, Request, Response
from paygate.driver import NoResponse, Secret, Settings
from paygate.errors import CredentialsRejected, EventRefused, NotSent
from paygate.sinks.smtp import Smtp
from paygate.testing.conformance import BlockingSinkConformance, SinkConformance
from tests.support.mail_catcher import MailCatcher


class CrmSettings(Settings):
    api_key: Secret[str]


class Crm:
    """A right sink: it looks for the event first, and then stores it."""

    settings_model = CrmSettings
    traits = SinkTraits(events=("invoice.*", "payment.*"))

    def __init__(self, settings: CrmSettings) -> None:
        self.key = settings.api_key

    def request(self, method: str, path: str, body: bytes = b"") -> Request:
        return Request(
            method=method,
            url=f"https://crm.example/{path}",
            step=method,
            headers={"authorization": f"Bearer {self.key.reveal()}"},
            body=body,
        )

    def body(self, delivery: Delivery) -> bytes:
        return json.dumps(delivery.event.as_json()).encode()

    def deliver(self, delivery: Delivery) -> Dialogue[None]:
        found = yield self.request("GET", f"events/{delivery.event.id}")
        self.read(found)
        stored = yield self.request("POST", "events", self.body(delivery))
        self.read(stored)

    def read(self, response: Response) -> None:
        if response.status == 401:
            raise CredentialsRejected("the CRM rejects the key")
        if response.status == 503:
            raise NoResponse("the CRM is down")
        if response.status != 200:
            raise EventRefused(f"the CRM answered {response.status}")

    def check(self) -> Dialogue[None]:
        self.read((yield self.request("GET", "me")))


class OfCrm(SinkConformance):
    sink = Crm
    settings: ClassVar = {"api_key": Secret("hunter2-and-more")}
    refusals: ClassVar[Sequence[Response]] = (Response(status=409),)
    outages: ClassVar[Sequence[Response]] = (Response(status=503),)


CASES = [name for name in dir(SinkConformance) if name.startswith("test_")]


def failing(kit: type[Any], cases: list[str]) -> list[str]:
    """Return the cases that fail; each explains itself."""
    failed: dict[str, str] = {}
    for name in cases:
        try:
            getattr(kit(), name)()
        except AssertionError as error:
            failed[name] = str(error)
    assert all("why it matters" in text for text in failed.values())
    return list(failed)


def test_a_right_sink_passes() -> None:
    assert failing(OfCrm, CASES) == []


# --- Sinks that are wrong in one way ---------------------------------------------


class ShowsItsKey(Crm):
    def __repr__(self) -> str:
        return f"ShowsItsKey({self.key.reveal()})"


class TakesAnything(Crm):
    class settings_model(CrmSettings):  # noqa: N801
        model_config = ConfigDict(extra="ignore")


class OfAnotherVersion(Crm):
    traits = SinkTraits(events=("invoice.*",), protocol_version=2)


class SendsNothing(Crm):
    def deliver(self, _: Delivery) -> Dialogue[None]:
        yield from ()


class SaysItRefused(Crm):
    def deliver(self, delivery: Delivery) -> Dialogue[None]:
        yield from super().deliver(delivery)
        return False  # type: ignore[return-value]


class KeepsTheId(Crm):
    def deliver(self, delivery: Delivery) -> Dialogue[None]:
        self.read((yield self.request("POST", "events", str(delivery.event.seq).encode())))


class CountsItsRequests(Crm):
    made = 0

    def body(self, delivery: Delivery) -> bytes:
        CountsItsRequests.made += 1
        return super().body(delivery) + b" " * self.made


class KeepsTheDelivery(Crm):
    def deliver(self, delivery: Delivery) -> Dialogue[None]:
        self.last = delivery
        self.read((yield self.request("GET", f"events/{delivery.event.id}")))
        self.read((yield self.request("POST", "events", self.body(self.last))))


class TakesARefusal(Crm):
    def read(self, response: Response) -> None:
        if response.status != 409:
            super().read(response)


class TakesARefusalOfTheFirst(Crm):
    def deliver(self, delivery: Delivery) -> Dialogue[None]:
        _ = yield self.request("GET", f"events/{delivery.event.id}")
        stored = yield self.request("POST", "events", self.body(delivery))
        self.read(stored)


class GivesUpOnOutages(Crm):
    def read(self, response: Response) -> None:
        if response.status == 503:
            raise EventRefused("503")
        super().read(response)


class SwallowsFaults(Crm):
    def deliver(self, delivery: Delivery) -> Dialogue[None]:
        try:
            yield from super().deliver(delivery)
        except NotSent:
            return


class ReadsWithoutCare(Crm):
    def read(self, response: Response) -> None:
        super().read(response)
        json.loads(response.body)["ok"]


class KnowsAllTypes(Crm):
    def body(self, delivery: Delivery) -> bytes:
        return b"" if delivery.event.type == "future.event" else super().body(delivery)

    def deliver(self, delivery: Delivery) -> Dialogue[None]:
        {"invoice": 1, "payment": 2}[delivery.event.type.partition(".")[0]]
        yield from super().deliver(delivery)


class PutsTextIntoHeaders(Crm):
    def deliver(self, delivery: Delivery) -> Dialogue[None]:
        self.read(
            (yield self.request("GET", f"{delivery.event.id}/{delivery.event.data.get('number')}"))
        )


class AcceptsAnyKey(Crm):
    def check(self) -> Dialogue[None]:
        _ = yield self.request("GET", "me")


WRONG: list[tuple[type[Any], str, list[str]]] = [
    (ShowsItsKey, "test_it_is_made_from_its_settings", []),
    (TakesAnything, "test_it_is_made_from_its_settings", []),
    (OfAnotherVersion, "test_its_traits_are_valid", []),
    (
        SendsNothing,
        "test_it_delivers_every_event_that_it_wants",
        [
            "test_a_refusal_is_raised",
            "test_an_outage_is_no_refusal",
            "test_a_fault_of_the_network_is_passed_on",
        ],
    ),
    (SaysItRefused, "test_it_delivers_every_event_that_it_wants", []),
    (KeepsTheId, "test_the_id_of_the_event_is_passed_on", []),
    (CountsItsRequests, "test_a_repeated_delivery_sends_the_same", ["test_deliveries_do_not_mix"]),
    (KeepsTheDelivery, "test_deliveries_do_not_mix", []),
    (TakesARefusal, "test_a_refusal_is_raised", []),
    (
        TakesARefusalOfTheFirst,
        "test_a_refusal_is_raised",
        ["test_an_outage_is_no_refusal"],
    ),
    (GivesUpOnOutages, "test_an_outage_is_no_refusal", []),
    (SwallowsFaults, "test_a_fault_of_the_network_is_passed_on", []),
    (ReadsWithoutCare, "test_whatever_comes_back_is_read", []),
    (KnowsAllTypes, "test_odd_events_do_no_harm", []),
    (PutsTextIntoHeaders, "test_odd_events_do_no_harm", []),
    (AcceptsAnyKey, "test_a_check_reports_wrong_credentials", []),
]


@pytest.mark.parametrize(
    ("wrong", "case", "also"), WRONG, ids=lambda each: getattr(each, "__name__", "")
)
def test_a_wrong_sink_fails_in_its_case(wrong: type[Any], case: str, also: list[str]) -> None:
    class OfWrong(OfCrm):
        sink = wrong

        def accept(self, _: Request) -> Response:
            return Response(status=200, body=b'{"ok": true}')

    assert sorted(failing(OfWrong, CASES)) == sorted([case, *also])


def test_every_case_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    class Point(EntryPoint):
        def load(self) -> Any:
            return Crm

    def entry_points(**_: str) -> list[EntryPoint]:
        return [Point("crm", "crm:Crm", plugins.SINKS.name)]

    class OfAnother(OfCrm):
        sink = TakesARefusal
        name = "crm"
        refusals: ClassVar[Sequence[Response]] = ()
        outages: ClassVar[Sequence[Response]] = ()

    monkeypatch.setattr(plugins, "entry_points", entry_points)
    assert failing(OfAnother, CASES) == [
        "test_a_refusal_is_raised",
        "test_an_outage_is_no_refusal",
        "test_it_is_registered",
    ]
    assert {case for _, case, _ in WRONG} | {"test_it_is_registered"} == {*CASES}


# --- A sink that blocks ------------------------------------------------------------


class TestSmtp(BlockingSinkConformance):
    """The built-in mail sink, against a real mail server."""

    sink: ClassVar[Any] = Smtp
    name: ClassVar = "smtp"
    settings: ClassVar = {
        "host": "127.0.0.1",
        "security": "none",
        "sender": "bill@acme.example",
        "timeout_s": 5,
    }

    @cached_property
    def _server(self) -> MailCatcher:
        return MailCatcher()

    @contextmanager
    def accepting(self) -> Iterator[dict[str, Any]]:
        with self._server as server:
            yield {"port": server.port}

    def received(self) -> list[str]:
        return [each.raw.decode() for each in self._server.caught]

    @contextmanager
    def refusing(self) -> Iterator[dict[str, Any]]:
        self._server.answers = {"RCPT": "550 no such user"}
        with self._server as server:
            yield {"port": server.port}


class SwallowsAll(Smtp):
    def send(self, delivery: Delivery) -> None:
        try:
            super().send(delivery)
        except (EventRefused, NoResponse):
            return


class CallsAllRefused(Smtp):
    def send(self, delivery: Delivery) -> None:
        try:
            super().send(delivery)
        except NoResponse as error:
            raise EventRefused(error.message) from None


class SendsTwice(Smtp):
    def send(self, delivery: Delivery) -> None:
        super().send(delivery)
        super().send(delivery)


class ChecksNothing(Smtp):
    def check(self) -> None:
        return


class FailsOnOthers(Smtp):
    def send(self, delivery: Delivery) -> None:
        assert delivery.contact is not None
        super().send(delivery)


@pytest.mark.parametrize(
    ("wrong", "cases"),
    [
        (SwallowsAll, ["test_a_refusal_is_raised", "test_a_system_that_is_away_is_no_refusal"]),
        (CallsAllRefused, ["test_a_system_that_is_away_is_no_refusal"]),
        (SendsTwice, ["test_it_sends_every_event_that_it_wants"]),
        (ChecksNothing, ["test_a_check_finds_a_system_that_is_away"]),
        (FailsOnOthers, ["test_odd_events_do_no_harm"]),
    ],
)
def test_a_wrong_blocking_sink_fails_in_its_cases(wrong: type[Any], cases: list[str]) -> None:
    class OfWrong(TestSmtp):
        __test__ = False
        sink: ClassVar[Any] = wrong
        name: ClassVar = ""

    names = [name for name in dir(BlockingSinkConformance) if name.startswith("test_")]

    assert failing(OfWrong, names) == sorted(cases)


def test_nobody_listens_where_a_system_is_away() -> None:
    connect: Callable[..., Any] = socket.create_connection
    with TestSmtp().away() as settings, pytest.raises(OSError, match="refused"):
        connect((settings["host"], settings["port"]), timeout=5)
