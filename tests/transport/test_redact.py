"""Nothing secret is in a log, a repr, or an error, whatever loggers are turned on."""

import asyncio
import copy
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from paygate.dialogue import Request, Response
from paygate.errors import BadResponse, PaygateError
from paygate.transport import AsyncCourier, AsyncHttpTransport, Courier, HttpTransport
from paygate.transport.redact import log_fault, log_response, place
from tests.transport.conftest import PATIENCE_S, Exchange, Server, answer, read_request

PAN = "4242424242424242"
SECRETS = [
    PAN,
    "4242 4242 4242 4242",
    "sk_live_abcdef",
    "hunter2",
    "api-token-in-query",
    "x-secret-value",
    "cookie-from-server",
    "client_secret_of_answer",
    "pi_secret_in_location",
]


def secretive(port: int) -> Request:
    return Request(
        method="POST",
        url=f"http://shop:hunter2@localhost:{port}/v1/cards/{PAN}/charge?key=api-token-in-query",
        step="charge",
        headers={
            "Authorization": "Bearer sk_live_abcdef",
            "X-Api-Key": "x-secret-value",
            "Idempotency-Key": "order-7",
        },
        body=b"number=4242424242424242&spaced=4242 4242 4242 4242",
    )


ANSWER = answer(
    b'{"client_secret": "client_secret_of_answer"}',
    headers=b"Set-Cookie: a=cookie-from-server\r\nLocation: /x?pi_secret_in_location\r\n"
    b"Request-Id: req_7\r\n",
)
GARBAGE = b"4242424242424242 client_secret_of_answer\r\n\r\n"


@pytest.fixture
def exchange(face: str) -> Iterator[Exchange]:
    """Exchange through the one or the other courier, which writes the lines."""
    if face == "sync":
        courier = Courier(HttpTransport(timeout_s=PATIENCE_S), sleep=lambda _: None)
        with closing(courier):
            yield courier.exchange
        return
    with asyncio.Runner() as runner:
        other = AsyncCourier(
            AsyncHttpTransport(timeout_s=PATIENCE_S), sleep=lambda _: asyncio.sleep(0)
        )
        yield lambda request: runner.run(other.exchange(request))
        runner.run(other.aclose())


def part_of(given: bytes) -> Callable[[socket.socket], None]:
    def part(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(given)

    return part


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(ANSWER, id="answered"),
        pytest.param(GARBAGE, id="garbage"),
        pytest.param(b"", id="closed"),
        pytest.param(ANSWER[:-9], id="truncated"),
        pytest.param(
            ANSWER.replace(b"Request-Id", b"Content-Encoding: br\r\nRequest-Id"), id="packed"
        ),
    ],
)
def test_no_secret_is_logged_shown_or_raised(
    given: bytes,
    serve: Callable[..., Server],
    exchange: Exchange,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for name in ("", "httpx", "httpcore", "httpcore.connection", "httpcore.http11", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)
    request = secretive(serve(part_of(given)).port)

    error: PaygateError | None = None
    try:
        text = repr(exchange(request))
    except PaygateError as caught:
        error = caught
        text = f"{caught!r} {caught} {caught.facts} {copy.copy(caught)!r}"

    text += caplog.text
    assert error is None or (error.__cause__, error.__context__) == (None, None)
    assert "charge" in caplog.text
    assert [secret for secret in SECRETS if secret in text] == []


def test_no_secret_is_told_when_nothing_could_be_sent(
    exchange: Exchange, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]

    with pytest.raises(PaygateError) as caught:
        exchange(secretive(port))

    text = caplog.text + repr(caught.value) + str(caught.value.facts)
    assert [secret for secret in SECRETS if secret in text] == []


def test_an_exchange_is_told_in_one_line(
    serve: Callable[..., Server], exchange: Exchange, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server = serve(part_of(ANSWER))

    exchange(Request(method="GET", url=server.url + "?a=b", step="look_up"))

    (line,) = [record for record in caplog.records if record.name == "paygate.transport"]
    message = line.getMessage()
    where = f"localhost:{server.port}/v1/charges"
    assert message.startswith(f"exchange.answered: look_up: GET {where} -> 200 in ")
    assert message.endswith("0 bytes out, 44 in [request_id=req_7]")
    assert line.__dict__["request_id"] == "req_7"


def test_httpcore_may_still_speak_about_exchanges_of_others(
    serve: Callable[..., Server], exchange: Exchange, caplog: pytest.LogCaptureFixture
) -> None:
    import httpx

    caplog.set_level(logging.DEBUG)
    server = serve(part_of(ANSWER), part_of(ANSWER))

    exchange(Request(method="GET", url=server.url, step="look_up"))
    ours = [record for record in caplog.records if record.name.startswith("httpcore")]
    httpx.get(server.url, trust_env=False)
    others = [record for record in caplog.records if record.name.startswith("httpcore")]

    assert ours == []
    assert others != []


def test_a_fault_is_told_once_and_plainly(
    serve: Callable[..., Server], exchange: Exchange, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    server = serve(part_of(GARBAGE))

    with pytest.raises(BadResponse) as caught:
        exchange(Request(method="GET", url=server.url, step="look_up"))

    assert caught.value.facts["step"] == "look_up"
    (line,) = [record for record in caplog.records if record.name == "paygate.transport"]
    assert line.levelno == logging.INFO
    assert line.getMessage().startswith("exchange.failed: BadResponse after ")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:pass@Host.example:8443/v1/x?q=1#f", "host.example:8443/v1/x"),
        ("https://h/pay/4242-4242-4242-4242/x", "h/pay/••••/x"),
        ("https://h/v1/charges/ch_123456", "h/v1/charges/ch_123456"),
        ("https://h/api/1400/" + "0aB" * 43 + "/status.reg", "h/api/1400/••••/status.reg"),
        ("http://[::1", "an unreadable address"),
        ("nonsense", "?nonsense"),
    ],
)
def test_a_place_is_host_and_path(url: str, shown: str) -> None:
    assert place(url) == shown


def test_a_request_id_from_a_server_cannot_smuggle_a_card_number(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)

    log_response(
        Request(method="GET", url="https://h/x", step="look_up"),
        Response(status=200, headers={"request-id": f"r {PAN}"}),
        0.1,
    )

    assert PAN not in caplog.text


@pytest.mark.parametrize(
    ("said", "logged"),
    [
        ("req_Wm3", "request_id=req_Wm3"),
        ("req\x1b]0;OWNED\x07\x9b31m", r"request_id=req\x1b]0;OWNED\x07\x9b31m"),
        ("for sk_live_abcdef", "request_id=••••"),
        ("bad value x-secret-value!", "request_id=••••"),
        ("number=4242424242424242", "request_id=••••"),
        ("key api-token-in-query", "request_id=••••"),
        ("for order-7", "request_id=for order-7"),
    ],
)
def test_a_request_id_of_a_stranger_repeats_nothing_and_moves_no_cursor(
    said: str, logged: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="paygate.transport")

    log_response(secretive(1), Response(status=200, headers={"request-id": said}), 0.1)

    assert logged in caplog.text
    assert "\x1b" not in caplog.text


def test_an_address_and_a_fault_are_escaped_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="paygate.transport")
    request = Request(method="GET", url="https://x.example/a%1b/\x1b[2J\u202e", step="look")

    log_response(request, Response(status=200), 0.1)
    log_fault(request, BadResponse("it said \x1b]8;;http://evil\x07\r\nfake line"), 0.1)

    assert "x.example/a%1b/\\x1b[2J\\u202e" in caplog.text
    assert "it said \\x1b]8;;http://evil\\x07\\r\\nfake line" in caplog.text
