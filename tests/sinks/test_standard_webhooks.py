"""The webhook sink against receivers on loopback that verify with the scheme's own library."""

from __future__ import annotations

import base64
import json
import logging
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError
from typer.testing import CliRunner

from paygate import AsyncCashier, Cashier, DeliveryOutcome, Money
from paygate.cli.app import app
from paygate.dialogue import Request, Response
from paygate.domain.event import Event
from paygate.driver import Secret
from paygate.errors import (
    CredentialsRejected,
    EndpointGone,
    EventRefused,
    InvalidSettings,
    InvalidValue,
    NoResponse,
    NotSent,
    PaygateError,
)
from paygate.service.publish import SILENCE_PAUSES, Published
from paygate.sink import Delivery
from paygate.sinks.standard_webhooks import StandardWebhooks, StandardWebhooksSettings
from paygate.sinks.standard_webhooks.sink import body_of
from paygate.testing import FakeClock
from paygate.testing.conformance import SinkConformance
from tests.support.webhook_receiver import Receiver, receiver


def secret(number: int = 1) -> str:
    return "whsec_" + base64.b64encode(bytes([number]) * 32).decode()


AT = datetime(2026, 1, 5, 12, tzinfo=UTC)
NEAR: dict[str, Any] = {"secrets": [secret()], "allow_private_addresses": True}


def event(**data: Any) -> Event:
    return Event(
        id="evt_7",
        position=7,
        type="invoice.paid",
        aggregate="inv_1",
        seq=2,
        schema_version=1,
        occurred_at=AT,
        actor="host",
        data={"number": "INV-7", "customer": "C-1", **data},
    )


def request_of(sink: StandardWebhooks, about: Event) -> Request:
    request = next(sink.deliver(Delivery(event=about)))
    assert isinstance(request, Request)
    return request


# --- A server that answers as it is told ----------------------------------------


class Endpoint(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    answer: ClassVar[Callable[[Endpoint], None]]
    seen: ClassVar[list[tuple[str, str, dict[str, str], bytes]]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.seen.append((self.command, self.path, headers, body))
        type(self).answer(self)

    def do_OPTIONS(self) -> None:
        self.do_POST()

    def say(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


class Served:
    """The endpoint, and the requests it has seen."""

    def __init__(self, server: ThreadingHTTPServer, kind: type[Endpoint], scheme: str) -> None:
        self._kind = kind
        self.url = f"{scheme}://localhost:{server.server_address[1]}/hook?tenant=7"
        self.kind = kind

    @property
    def seen(self) -> list[tuple[str, str, dict[str, str], bytes]]:
        return self._kind.seen


@contextmanager
def served(
    answer: Callable[[Endpoint], None], certificate: ssl.SSLContext | None = None
) -> Generator[Served]:
    kind = type("Told", (Endpoint,), {"answer": answer, "seen": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    server.daemon_threads = True
    if certificate is not None:
        server.socket = certificate.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield Served(server, kind, "http" if certificate is None else "https")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def says(status: int, body: bytes = b"", **headers: str) -> Callable[[Endpoint], None]:
    return lambda endpoint: endpoint.say(status, body, **headers)


def cashier_of(url: str, clock: FakeClock | None = None, **settings: Any) -> Cashier:
    entry = {"sink": "standard_webhooks", "url": url, **NEAR, **settings}
    return Cashier.in_memory(sinks={"hook": entry}, clock=clock or FakeClock())


def issue(cashier: Cashier, number: str = "A") -> None:
    cashier.issue(number=number, customer="C-1", total=Money.of("USD", "30"), due="2026-02-01")


def outcome(url: str, **settings: Any) -> Published:
    """Issue an invoice, and return what came of the event."""
    with cashier_of(url, **settings) as cashier:
        issue(cashier)
        return cashier.publish()


# --- What is sent -----------------------------------------------------------------


def test_an_event_is_posted_and_the_library_of_the_scheme_verifies_it() -> None:
    with served(says(204)) as endpoint, cashier_of(endpoint.url) as cashier:
        issue(cashier)
        done = cashier.publish()
        [stored] = cashier.events()

    assert done == Published(delivered=1)
    [(method, path, headers, body)] = endpoint.seen
    assert (method, path) == ("POST", "/hook?tenant=7")
    assert headers["webhook-id"] == stored.id
    assert headers["content-type"] == "application/json"
    facts = Webhook(secret()).verify(body, headers)
    assert facts["type"] == "invoice.generated"
    assert facts["timestamp"] == stored.occurred_at.isoformat()
    assert (facts["aggregate"], facts["seq"]) == (stored.aggregate, 1)
    assert facts["data"] == dict(stored.data)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret(2)).verify(body, headers)


@given(
    text=st.text(max_size=40),
    keys=st.lists(st.binary(min_size=24, max_size=64), min_size=1, max_size=3),
)
def test_every_key_signs_whatever_the_event_says(text: str, keys: list[bytes]) -> None:
    secrets = ["whsec_" + base64.b64encode(key).decode() for key in keys]
    settings = StandardWebhooksSettings.model_validate(
        {"url": "https://shop.example/hook", "secrets": secrets}
    )
    request = request_of(StandardWebhooks(settings), event(text=text))

    for each in secrets:
        facts = Webhook(each).verify(request.body, dict(request.headers))
        encoded = text.encode("utf-8", "replace").decode()
        assert facts["data"]["text"] == encoded
    assert len(request.headers["webhook-signature"].split(" ")) == len(keys)
    shown = f"{settings!r} {request!r}"
    assert not any(each in shown or each[6:] in shown for each in secrets)


def test_the_signature_has_the_time_of_the_try_and_the_body_that_of_the_event() -> None:
    late = datetime(2026, 1, 9, tzinfo=UTC)
    settings = StandardWebhooksSettings.model_validate(
        {"url": "https://shop.example/hook", "secrets": secret()}
    )
    sink = StandardWebhooks(settings, now=lambda: late)
    request = request_of(sink, event())

    assert request.headers["webhook-timestamp"] == str(int(late.timestamp()))
    assert json.loads(request.body)["timestamp"] == AT.isoformat()
    assert request.public_only
    assert request.body == body_of(event())


def test_an_endpoint_gets_only_the_events_that_it_wants() -> None:
    with served(says(200)) as one, served(says(200)) as other:
        both: dict[str, Any] = {
            "one": {"sink": "standard_webhooks", "url": one.url, **NEAR, "events": ["invoice.*"]},
            "other": {
                "sink": "standard_webhooks",
                "url": other.url,
                "secrets": secret(2),
                "allow_private_addresses": True,
                "events": ["invoice.voided"],
            },
        }
        with Cashier.in_memory(sinks=both, clock=FakeClock()) as cashier:
            issue(cashier)
            cashier.void("A", reason="wrong")
            assert cashier.publish().delivered == 3

    types = [[json.loads(each[3])["type"] for each in endpoint.seen] for endpoint in (one, other)]
    assert types == [["invoice.generated", "invoice.voided"], ["invoice.voided"]]
    Webhook(secret(2)).verify(other.seen[0][3], other.seen[0][2])


def test_one_endpoint_that_is_down_delays_no_other() -> None:
    with served(says(200)) as well:
        entries = {
            "well": {"sink": "standard_webhooks", "url": well.url, **NEAR},
            "away": {"sink": "standard_webhooks", "url": "http://localhost:1", **NEAR},
        }
        with Cashier.in_memory(sinks=entries, clock=FakeClock()) as cashier:
            issue(cashier)
            done = cashier.publish()

    assert (done.delivered, done.unreached) == (1, ("away",))


def test_two_sinks_cannot_have_one_name(tmp_path: Path) -> None:
    table = '[sinks.hook]\nsink = "standard_webhooks"\n'
    gateways = tmp_path / "gateways.toml"
    gateways.write_text(table + table)
    done = CliRunner().invoke(app, ["sink", "check", "--gateways", str(gateways)])

    assert done.exit_code != 0
    assert "hook" in done.output
    with cashier_of("http://localhost:1") as cashier, pytest.raises(InvalidValue, match="hook"):
        cashier.subscribe("hook", lambda _: None)


# --- What the answers mean ----------------------------------------------------------


@pytest.mark.parametrize("status", [400, 403, 404, 500, 301, 302, 307, 308])
def test_a_refused_event_is_tried_again_later(status: int) -> None:
    with served(says(status, location="http://localhost:1/elsewhere")) as endpoint:
        done = outcome(endpoint.url)

    assert (done.delayed, done.unreached, done.dead) == (1, (), 0)
    assert len(endpoint.seen) == 1, "a redirect is not followed"


@pytest.mark.parametrize("status", [401, 408, 425, 429, 502, 503, 504])
def test_an_endpoint_that_takes_nothing_now_is_waited_for(status: int) -> None:
    with served(says(status)) as endpoint:
        done = outcome(endpoint.url)

    assert (done.delayed, done.unreached) == (1, ("hook",))


def test_an_endpoint_that_is_gone_gets_nothing_more() -> None:
    clock = FakeClock()
    with served(says(410)) as endpoint, cashier_of(endpoint.url, clock) as cashier:
        issue(cashier)
        cashier.publish()
        clock.advance(hours=24 * 30)
        [paused] = cashier.publish().paused
        [tried] = cashier.delivery_log("hook")

    assert (paused.until, len(endpoint.seen)) == (None, 1)
    assert (tried.status, tried.outcome) == (410, DeliveryOutcome.UNREACHED)


def test_the_log_has_the_status_of_each_answer() -> None:
    with served(says(202)) as endpoint, cashier_of(endpoint.url) as cashier:
        issue(cashier)
        cashier.publish()
        [tried] = cashier.delivery_log("hook")

    assert (tried.status, tried.outcome, tried.error) == (202, DeliveryOutcome.DELIVERED, "")


def test_an_answer_of_ten_megabytes_is_not_read() -> None:
    with served(says(200, b"x" * 10_000_000)) as endpoint:
        done = outcome(endpoint.url)

    assert (done.delivered, done.delayed) == (0, 1)


def test_an_answer_that_never_ends_ends_with_the_time_limit() -> None:
    over = threading.Event()

    def stream(endpoint: Endpoint) -> None:
        endpoint.send_response(200)
        endpoint.send_header("content-length", "1000")
        endpoint.end_headers()
        while not over.wait(0.05):
            endpoint.wfile.write(b"x")

    with served(stream) as endpoint:
        try:
            done = outcome(endpoint.url, timeout_s=0.4)
        finally:
            over.set()

    assert done.unreached == ("hook",)


def test_a_certificate_that_nobody_trusts_is_refused() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate: Any = trustme.CA().issue_cert("localhost")
    certificate.configure_cert(context)
    with served(says(200), context) as endpoint:
        done = outcome(endpoint.url)

    assert endpoint.seen == []
    assert done.unreached == ("hook",)


# --- Where it may go ---------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "::1",
        "fe80::1",
        "::ffff:10.0.0.1",
    ],
)
def test_a_name_with_a_private_address_is_refused(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET

    def look_up(*_: object, **__: object) -> list[Any]:
        return [(family, socket.SOCK_STREAM, 6, "", (address, 443))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    done = outcome("https://hooks.example/x", allow_private_addresses=False)

    [paused] = done.paused
    assert "not public" in paused.reason


def test_a_connection_goes_to_the_address_that_was_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked_up: list[str] = []
    dialed: list[str] = []

    def look_up(name: str, *_: object, **__: object) -> list[Any]:
        looked_up.append(name)
        address = "93.184.216.34" if len(looked_up) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443))]

    def dial(address: tuple[str, int], *_: object, **__: object) -> socket.socket:
        dialed.append(address[0])
        raise ConnectionRefusedError(111, "refused")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(socket, "create_connection", dial)
    settings: Any = {"url": "https://hooks.example/x", "allow_private_addresses": False}
    with cashier_of(**settings) as cashier, pytest.raises(NotSent):
        cashier.check_sink("hook")

    assert dialed == ["93.184.216.34"], "the address that was checked; later tries find another"
    assert set(looked_up) == {"hooks.example"}


# --- Settings and checks --------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"secrets": []},
        {"secrets": ["whsec_short"]},
        {"secrets": [secret().removeprefix("whsec_")]},
        {"secrets": ["whsec_" + "!" * 40]},
        {"secrets": [secret()] * 6},
        {"url": "ftp://shop.example"},
        {"url": "http://shop.example/hook"},
        {"url": "http://127.0.0.1/hook", "allow_private_addresses": False},
        {"url": "https://user:pass@shop.example/hook"},
        {"in_flight": 0},
    ],
)
def test_wrong_settings_are_refused_without_their_secret(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidSettings) as caught:
        outcome(**{"url": "https://shop.example/hook", **wrong})

    assert not any(each[6:] in str(caught.value) for each in wrong.get("secrets", ()))


@pytest.mark.parametrize(
    ("status", "raised"),
    [(200, None), (204, None), (404, None), (405, None), (401, CredentialsRejected),
     (302, EventRefused), (410, EndpointGone), (503, NoResponse), (500, EventRefused)],
)  # fmt: skip
def test_a_check_asks_for_options_and_sends_no_event(
    status: int, raised: type[PaygateError] | None
) -> None:
    with served(says(status)) as endpoint, cashier_of(endpoint.url) as cashier:
        if raised is None:
            cashier.check_sink("hook")
        else:
            with pytest.raises(raised):
                cashier.check_sink("hook")

    [(method, _, headers, body)] = endpoint.seen
    assert (method, body) == ("OPTIONS", b"")
    assert "webhook-signature" not in headers


def test_no_secret_is_in_a_log_or_a_dead_letter(caplog: pytest.LogCaptureFixture) -> None:
    def repeat(endpoint: Endpoint) -> None:
        said = "; ".join([secret(), secret()[6:], endpoint.headers["webhook-signature"]])
        endpoint.say(418, said.encode())

    caplog.set_level(logging.DEBUG)
    clock = FakeClock()
    with served(repeat) as endpoint, cashier_of(endpoint.url, clock) as cashier:
        issue(cashier)
        for _ in range(13):
            cashier.publish()
            clock.advance(hours=13)
        [letter] = cashier.dead_letters()
        signed = [each[2]["webhook-signature"].removeprefix("v1,") for each in endpoint.seen]
        shown = " ".join(
            [caplog.text, repr(letter), repr(cashier.status()), repr(cashier.events())]
        )

    assert letter.error == "the endpoint answered 418"
    assert not any(each in shown for each in (secret(), secret()[6:], *signed))


class Fixed(StandardWebhooks):
    """The sink, at a time that does not pass."""

    def __init__(self, settings: StandardWebhooksSettings) -> None:
        super().__init__(settings, now=lambda: AT)


class TestConformance(SinkConformance):
    sink = Fixed
    settings: ClassVar[Any] = {
        "url": "https://shop.example/hook",
        "secrets": (Secret(secret()),),
    }
    refusals = (Response(status=400), Response(status=500), Response(status=302))
    outages = (Response(status=503), Response(status=429))


# --- A stream of events to a receiver that fails, hangs and dies -----------------------

EVENTS = 2_000


async def test_no_event_of_a_stream_is_lost_and_none_is_doubled(tmp_path: Path) -> None:
    clock = FakeClock()
    ledger = f"sqlite:///{tmp_path / 'ledger.db'}"
    with receiver(tmp_path / "journal", secret()) as other:
        other.start(fail_every=37, die_at=450)
        entry = {"sink": "standard_webhooks", "url": other.url, **NEAR, "timeout_s": 2.0}
        with Cashier.open(ledger, clock=clock) as writer:
            for number in range(EVENTS // 2):
                issue(writer, f"INV-{number}")
                writer.void(f"INV-{number}", reason="wrong")
        cashier = AsyncCashier.open(ledger, sinks={"hook": entry}, clock=clock)
        async with cashier:
            await deliver_all(cashier, other, clock)
            stored = [each.id for each in await cashier.events(limit=1_000)]
            stored += [each.id for each in await cashier.events(after=EVENTS // 2, limit=1_000)]

    got = other.received()
    times = Counter(str(each["id"]) for each in got)
    assert len(set(stored)) == EVENTS
    assert set(times) == set(stored), "none is lost, and none is made up"
    assert max(times.values()) > 1, "some were sent twice, and are recognized by their id"
    seen: dict[Any, list[Any]] = {}
    for each in got:
        if each["seq"] not in seen.setdefault(each["aggregate"], []):
            seen[each["aggregate"]].append(each["seq"])
    assert all(numbers == [1, 2] for numbers in seen.values()), "in order within an aggregate"


async def deliver_all(cashier: AsyncCashier, other: Receiver, clock: FakeClock) -> None:
    """Publish until nothing waits; whenever the receiver is dead, it is started again."""
    lives: list[dict[str, int]] = [
        {"fail_every": 41, "hang_at": 300, "die_at": 700},
        {"fail_every": 43, "die_at": 300},
        {"fail_every": 47},
    ]
    for _ in range(200):
        done = await cashier.publish()
        if done == Published():
            return
        if other.is_dead:
            other.start(**lives.pop(0))
        clock.advance(seconds=SILENCE_PAUSES[-1].total_seconds())
    raise AssertionError("events still wait")
