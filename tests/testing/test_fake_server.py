"""The fake processor in a process of its own: real faults, and a truth that survives kill -9."""

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from paygate.dialogue import Request, Response
from paygate.domain.kind import Kind
from paygate.domain.movement import MovementKind
from paygate.domain.outcome import Approved, NotFound, Unknown
from paygate.errors import BadResponse, InvalidValue, LiveModeMismatch, NoResponse
from paygate.testing import FakeClock, FakeProcessor, LoopbackGateway, read_journal
from paygate.testing.fake import requests
from paygate.testing.fake_callbacks import Pusher
from paygate.testing.fake_server import FakeServer, main, serve
from tests.testing.helpers import charge_of, drive, inquiry_about, usd


def send(request: Request) -> Response:
    """Send over the standard library, with the faults that a transport would raise."""
    url = urlsplit(request.url)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=10)
    try:
        connection.request(
            request.method, f"{url.path}?{url.query}", request.body, dict(request.headers)
        )
        answer = connection.getresponse()
        return Response(status=answer.status, body=answer.read())
    except http.client.IncompleteRead as broken:
        raise BadResponse("the answer broke off") from broken
    except (ConnectionError, http.client.HTTPException, TimeoutError) as fault:
        raise NoResponse("no answer came") from fault
    finally:
        connection.close()


@contextmanager
def process(journal: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    command = [sys.executable, "-m", "paygate.testing.fake_server", "--journal", str(journal)]
    with subprocess.Popen(
        [*command, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as running:
        try:
            assert running.stdout is not None
            yield running, json.loads(running.stdout.readline())["url"]
        finally:
            running.kill()


@pytest.fixture
def server() -> Iterator[FakeServer]:
    server = FakeServer(FakeProcessor(clock=FakeClock()), late_s=0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_charge_over_loopback_is_the_same_as_in_memory(server: FakeServer) -> None:
    gateway = LoopbackGateway(url=server.url)

    paid = drive(gateway.charge(charge_of()), send)

    assert isinstance(paid, Approved)
    assert drive(gateway.look_up(inquiry_about(charge_of())), send) == paid
    assert gateway.moved("USD") == usd("10.00")
    assert gateway.journal == server.processor.journal


@pytest.mark.parametrize(
    ("token", "fault", "executed"),
    [
        ("tok_unsent", NoResponse, False),
        ("tok_unknown_lost", NoResponse, False),
        ("tok_unknown_executed", NoResponse, True),
        ("tok_garbage", BadResponse, True),
        ("tok_truncated", BadResponse, True),
        ("tok_10mb", BadResponse, True),
    ],
)
def test_faults_are_real_on_the_wire(
    server: FakeServer, token: str, fault: type[Exception], *, executed: bool
) -> None:
    gateway = LoopbackGateway(url=server.url)

    with pytest.raises(fault):
        drive(gateway.charge(charge_of(token)), send)

    found = drive(gateway.look_up(inquiry_about(charge_of())), send)
    assert isinstance(found, Approved if executed else NotFound)


def test_a_server_error_and_a_late_answer_are_real_on_the_wire(server: FakeServer) -> None:
    gateway = LoopbackGateway(url=server.url)

    assert isinstance(drive(gateway.charge(charge_of("tok_500", "a")), send), Unknown)
    assert isinstance(drive(gateway.charge(charge_of("tok_response_late", "b")), send), Approved)


def test_one_connection_serves_many_requests(server: FakeServer) -> None:
    url = urlsplit(server.url)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=10)
    sockets = set()
    for key in ("a", "b", "c"):
        request = requests.build_charge(server.url, charge_of(key=key))
        connection.request("POST", "/v1/charge", request.body, dict(request.headers))
        assert connection.getresponse().read()
        sockets.add(connection.sock)
    connection.close()

    assert len(sockets) == 1


def test_a_test_plays_the_payer_and_time_from_another_process(server: FakeServer) -> None:
    card = LoopbackGateway(url=server.url)
    e_check = LoopbackGateway(Kind.E_CHECK, url=server.url)
    page = LoopbackGateway(Kind.REDIRECT, url=server.url)

    card.script("declined")
    drive(card.charge(charge_of(key="a")), send)
    drive(e_check.charge(charge_of("tok_bank_returned_r01", "b", kind=Kind.E_CHECK)), send)
    asked = drive(page.charge(charge_of(key="c", kind=Kind.REDIRECT)), send)
    page.pay(asked.reference)
    card.advance(days=6)

    kinds = [entry.kind for entry in card.journal]
    assert kinds == [MovementKind.CHARGE, MovementKind.CHARGE, MovementKind.RETURN]
    assert drive(page.verify(page.callbacks()[-1]), send)
    with pytest.raises(InvalidValue, match="no order"):
        page.pay("ch_99")
    with pytest.raises(InvalidValue, match="another process"):
        page.script("declined", matching=lambda _: True)


def test_the_truth_survives_kill_9_of_the_processor(tmp_path: Path) -> None:
    journal, first, second = tmp_path / "truth.jsonl", charge_of(key="a"), charge_of(key="b")

    with process(journal) as (running, url):
        gateway = LoopbackGateway(url=url)
        paid = send(requests.build_charge(url, first))
        with pytest.raises(NoResponse):
            drive(gateway.charge(charge_of("tok_unknown_executed", "b")), send)
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
    before = read_journal(journal)
    with journal.open("ab") as torn:
        torn.write(b'{"serial":99,"moved":[{"sequ')

    with process(journal) as (_, url):
        gateway = LoopbackGateway(url=url)
        assert gateway.journal == tuple(before)
        assert send(requests.build_charge(url, first)) == paid
        assert isinstance(drive(gateway.look_up(inquiry_about(second)), send), Approved)
        assert gateway.moved("USD") == usd("20.00")


def test_kill_9_amid_a_run_loses_no_answer_and_doubles_no_charge(tmp_path: Path) -> None:
    journal, answered = tmp_path / "truth.jsonl", threading.Semaphore(0)
    first: dict[str, Response] = {}

    def charge_all(url: str) -> None:
        for number in range(200):
            key = f"k{number}"
            with suppress(NoResponse):
                first[key] = send(requests.build_charge(url, charge_of(key=key)))
                answered.release()

    with process(journal) as (running, url):
        payer = threading.Thread(target=charge_all, args=(url,))
        payer.start()
        for _ in range(20):
            assert answered.acquire(timeout=10)
        running.kill()
        payer.join()
    survived = {entry.our_ref for entry in read_journal(journal)}
    assert {f"ref-{key}" for key in first} <= survived

    with process(journal) as (_, url):
        for number in range(200):
            key = f"k{number}"
            again = send(requests.build_charge(url, charge_of(key=key)))
            assert first.get(key, again) == again
        assert LoopbackGateway(url=url).moved("USD") == usd("2000.00")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    with process(tmp_path / "j") as (running, url):
        drive(LoopbackGateway(url=url).charge(charge_of()), send)
        running.send_signal(number)

        assert running.wait(timeout=10) == 0


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    with process(tmp_path / "j", "--parent") as (running, _):
        assert running.stdin is not None
        running.stdin.close()

        assert running.wait(timeout=10) == 0


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.com", ""])  # noqa: S104
def test_it_binds_loopback_only(host: str) -> None:
    with pytest.raises(InvalidValue, match="loopback"):
        serve(host)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:99999/x",
        "http://127.0.0.1:port/x",
        "http://127.0.0.1/\u00fc",
        "http://127.0.0.1/a b",
        "http://127.0.0.1/?q=\u00fc",
        "http://[::1/x",
    ],
)
def test_an_address_that_no_callback_can_be_sent_to_is_refused_at_once(url: str) -> None:
    with pytest.raises(InvalidValue, match="callbacks need an http or https address"):
        Pusher(FakeProcessor(clock=FakeClock()), url)


def test_a_port_that_is_taken_is_one_line(
    server: FakeServer, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--port", str(server.server_address[1])])

    assert left.value.code == 1
    [line] = capsys.readouterr().err.splitlines()
    assert f"127.0.0.1:{server.server_address[1]}" in line


def test_it_does_not_run_in_production(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYGATE_ENV", "production")

    with pytest.raises(LiveModeMismatch):
        serve()
