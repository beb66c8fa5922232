"""What each fault on a real socket proves about the money."""

import gzip
import json
import multiprocessing
import os
import re
import socket
import struct
import threading
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from paygate.dialogue import BODY_BYTES_MAX, Request
from paygate.errors import (
    BadResponse,
    InvalidSettings,
    InvalidValue,
    NoResponse,
    NotAllowedHere,
    NotSent,
)
from paygate.transport import AsyncHttpTransport, HttpTransport
from tests.transport.conftest import Exchange, Server, answer, read_request

Serve = Callable[..., Server]


def post(url: str, body: bytes = b"amount=100", **more: Any) -> Request:
    return Request(method="POST", url=url, step="charge", body=body, **more)


def get(url: str) -> Request:
    return Request(method="GET", url=url, step="look_up")


def reset(connection: socket.socket) -> None:
    """Close so that the other side gets a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


# --- It works ---------------------------------------------------------------------


def test_an_answer_comes_back_with_header_names_in_lower_case(
    answering: Serve, exchange: Exchange
) -> None:
    server = answering(answer(b'{"a": 1}', status="402 Declined", headers=b"Request-Id: r1\r\n"))

    response = exchange(post(server.url, headers={"Authorization": "Bearer k"}))

    assert (response.status, response.headers["request-id"]) == (402, "r1")
    assert json.loads(response.body) == {"a": 1}


def test_a_request_says_who_asks_and_does_not_ask_for_packed_answers(
    answering: Serve, exchange: Exchange
) -> None:
    server = answering(answer())

    exchange(post(server.url, headers={"Authorization": "Bearer k"}))

    head, _, body = server.received[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/charges HTTP/1.1\r\n")
    assert re.search(rb"(?mi)^user-agent: paygate/\d", head)
    assert b"accept-encoding: identity" in head.lower()
    assert b"authorization: Bearer k" in head
    assert body == b"amount=100"


def test_a_drivers_header_replaces_ours(answering: Serve, exchange: Exchange) -> None:
    server = answering(answer())

    exchange(post(server.url, headers={"User-Agent": "acme/2"}))

    assert re.findall(rb"(?mi)^user-agent: (.*)\r", server.received[0]) == [b"acme/2"]


def test_a_connection_is_used_again(answering: Serve, exchange: Exchange) -> None:
    server = answering(answer(b"1"), answer(b"2"), answer(b"3"))

    bodies = [exchange(post(server.url)).body for _ in range(3)]

    assert bodies == [b"1", b"2", b"3"]


def test_a_request_without_a_body_is_sent_whole(answering: Serve, exchange: Exchange) -> None:
    server = answering(answer(), answer())

    exchange(get(server.url))
    exchange(post(server.url, body=b""))

    assert server.received[0].startswith(b"GET /v1/charges")
    assert b"content-length: 0" in server.received[1].lower()


def test_a_redirect_is_an_answer_and_is_not_followed(answering: Serve, exchange: Exchange) -> None:
    server = answering(answer(status="302 Found", headers=b"Location: http://127.0.0.1:1/\r\n"))

    assert exchange(post(server.url)).status == 302


def test_a_cookie_is_not_kept(answering: Serve, exchange: Exchange) -> None:
    server = answering(answer(headers=b"Set-Cookie: who=me\r\n"), answer())

    exchange(get(server.url))
    exchange(get(server.url))

    assert b"cookie" not in server.received[1].lower()


def test_a_proxy_in_the_environment_is_not_used(
    answering: Serve, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    server = answering(answer())

    assert exchange(get(server.url)).status == 200


def test_repeated_headers_are_joined(answering: Serve, exchange: Exchange) -> None:
    server = answering(answer(headers=b"Warning: a\r\nwarning: b\r\n"))

    assert exchange(get(server.url)).headers["warning"] == "a, b"


def test_an_answer_in_chunks_is_put_together(answering: Serve, exchange: Exchange) -> None:
    chunked = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    )
    server = answering(chunked, answer())

    assert exchange(get(server.url)).body == b"abcde"
    assert exchange(get(server.url)).body == b"{}"


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        (b"gzip", gzip.compress(b"paid", mtime=0)),
        (b"deflate", zlib.compress(b"paid")),
        (b"deflate, gzip", gzip.compress(zlib.compress(b"paid"), mtime=0)),
        (b"identity", b"paid"),
    ],
)
def test_an_answer_that_is_packed_unasked_is_unpacked(
    answering: Serve, exchange: Exchange, encoding: bytes, packed: bytes
) -> None:
    server = answering(answer(packed, headers=b"Content-Encoding: %s\r\n" % encoding))

    assert exchange(get(server.url)).body == b"paid"


# --- It never left -------------------------------------------------------------------


def test_a_refused_connection_proves_that_nothing_was_sent(exchange: Exchange) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]

    with pytest.raises(NotSent, match=r"refused"):
        exchange(post(f"http://127.0.0.1:{port}/"))


def test_an_unknown_name_proves_that_nothing_was_sent(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    # RFC 6761 promises that no name under "invalid" exists; a resolver is not asked in a test.
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    with pytest.raises(NotSent, match="Name or service not known"):
        exchange(post("http://x.invalid/"))


def test_a_name_that_cannot_be_a_name_proves_that_nothing_was_sent(exchange: Exchange) -> None:
    with pytest.raises((NotSent, InvalidSettings)):
        exchange(post(f"http://{'a' * 300}.invalid/"))


def test_a_stranger_s_certificate_proves_that_nothing_was_sent(
    answering: Serve, transporting: Callable[..., Exchange], certificates: Any
) -> None:
    server = answering(answer(), tls=certificates.server)

    with pytest.raises(NotSent, match="certificate"):
        transporting()(post(server.url))

    assert server.received == []


def test_a_certificate_of_another_host_proves_that_nothing_was_sent(
    answering: Serve, transporting: Callable[..., Exchange], certificates: Any
) -> None:
    server = answering(answer(), tls=certificates.other_server)

    with pytest.raises(NotSent, match=r"[Hh]ostname"):
        transporting(ssl_context=certificates.client)(post(server.url))

    assert server.received == []


def test_a_server_without_tls_proves_that_nothing_was_sent(
    serve: Serve, exchange: Exchange
) -> None:
    server = serve(lambda connection: connection.sendall(b"220 mail ready\r\n"))

    with pytest.raises(NotSent):
        exchange(post(server.url.replace("http:", "https:")))


def test_a_deadline_while_shaking_hands_proves_that_nothing_was_sent(
    serve: Serve, transporting: Callable[..., Exchange]
) -> None:
    done = threading.Event()
    server = serve(lambda _: done.wait(20) and None)

    with pytest.raises(NotSent, match="deadline"):
        transporting(timeout_s=0.2)(post(server.url.replace("http:", "https:")))
    done.set()


def test_a_certificate_of_a_known_authority_is_accepted(
    answering: Serve, transporting: Callable[..., Exchange], certificates: Any
) -> None:
    server = answering(answer(b"1"), answer(b"2"), tls=certificates.server)
    exchange = transporting(ssl_context=certificates.client)

    assert [exchange(post(server.url)).body for _ in range(2)] == [b"1", b"2"]


# --- It may have left -----------------------------------------------------------------


def test_a_connection_closed_before_the_request_was_read_is_no_reply(
    serve: Serve, exchange: Exchange
) -> None:
    server = serve(lambda connection: connection.shutdown(socket.SHUT_WR))

    with pytest.raises(NoResponse):
        exchange(post(server.url))


def test_a_connection_reset_before_the_request_was_read_is_no_reply_or_unsent(
    serve: Serve, exchange: Exchange
) -> None:
    # The reset may win the race against connecting: then nothing was sent. It must not be read
    # as an answer, and bytes that were written must not be called unsent.
    server = serve(reset)

    with pytest.raises((NoResponse, NotSent)):
        exchange(post(server.url))


@pytest.mark.parametrize("leave", [socket.socket.close, reset])
def test_a_connection_closed_after_the_request_was_read_is_no_reply(
    serve: Serve, exchange: Exchange, leave: Callable[[socket.socket], None]
) -> None:
    def part(connection: socket.socket) -> None:
        read_request(connection)
        leave(connection)

    with pytest.raises(NoResponse):
        exchange(post(serve(part).url))


@pytest.mark.parametrize(
    "torn",
    [
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
)
@pytest.mark.parametrize("leave", [socket.socket.close, reset])
def test_an_answer_that_breaks_off_is_no_reply(
    serve: Serve, exchange: Exchange, torn: bytes, leave: Callable[[socket.socket], None]
) -> None:
    def part(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(torn)
        leave(connection)

    with pytest.raises(NoResponse):
        exchange(post(serve(part).url))


def test_a_kept_connection_that_the_server_closed_is_replaced(
    serve: Serve, exchange: Exchange
) -> None:
    closed = threading.Event()

    def once(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(answer(b"1"))
        connection.close()
        closed.set()

    server = serve(once, once)

    assert exchange(post(server.url)).body == b"1"
    assert closed.wait(20)
    assert exchange(post(server.url)).body == b"1"


def test_a_kept_connection_that_ends_while_we_send_is_not_called_unsent(
    serve: Serve, exchange: Exchange
) -> None:
    def once(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(answer(b"1"))
        read_request(connection)  # the second request arrives, and nobody will answer it

    server = serve(once)

    assert exchange(post(server.url)).body == b"1"
    with pytest.raises(NoResponse):
        exchange(post(server.url))


def test_what_nobody_asked_for_is_not_the_next_answer(serve: Serve, exchange: Exchange) -> None:
    def once(connection: socket.socket) -> None:
        read_request(connection)
        # In one write, and the connection stays open: only what was read can tell.
        connection.sendall(answer(b"1") + answer(b"stray", status="408 Idle"))
        kept.append(connection.dup())

    def other(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(answer(b"2"))

    kept: list[socket.socket] = []
    server = serve(once, other)

    try:
        assert exchange(post(server.url)).body == b"1"
        assert exchange(post(server.url)).body == b"2"
    finally:
        for connection in kept:
            connection.close()


@pytest.mark.parametrize(
    "start", [b"", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"]
)
def test_a_server_that_drips_hits_the_deadline(
    serve: Serve, transporting: Callable[..., Exchange], start: bytes
) -> None:
    stop = threading.Event()

    def part(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(start)
        while start and not stop.wait(0.02):
            connection.sendall(b"x")
        stop.wait(20)

    server = serve(part)

    try:
        with pytest.raises(NoResponse, match="deadline"):
            transporting(timeout_s=0.3)(post(server.url))
    finally:
        stop.set()


def test_a_request_can_have_its_own_deadline(serve: Serve, exchange: Exchange) -> None:
    stop = threading.Event()
    server = serve(lambda _: stop.wait(20) and None)

    try:
        with pytest.raises(NoResponse, match="deadline"):
            exchange(post(server.url, timeout_s=0.1))
    finally:
        stop.set()


# --- An answer that cannot be read ------------------------------------------------------


@pytest.mark.parametrize(
    "garbage",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"\x00\x01\x02\x03\r\n\r\n",
        b"HTTP/1.1 twohundred OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_garbage_is_a_bad_reply(serve: Serve, exchange: Exchange, garbage: bytes) -> None:
    stop = threading.Event()

    def part(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(garbage)
        stop.wait(20)

    server = serve(part)

    try:
        with pytest.raises(BadResponse, match="not HTTP"):
            exchange(post(server.url))
    finally:
        stop.set()


def test_ten_megabytes_are_a_bad_reply_and_are_not_read(serve: Serve, exchange: Exchange) -> None:
    sent: list[int] = []

    def part(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n")
        while sum(sent) < 10_000_000:
            sent.append(connection.send(b"x" * 65536))

    server = serve(part)

    with pytest.raises(BadResponse, match=str(BODY_BYTES_MAX)):
        exchange(post(server.url))
    server.close()
    assert sum(sent) < 10_000_000


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        (b"gzip", b"not packed"),
        (b"gzip", gzip.compress(b"x" * 100, mtime=0)[:-4]),
        (b"gzip", gzip.compress(b"\0" * (BODY_BYTES_MAX + 1), mtime=0)),
        (b"br", b"whatever"),
    ],
)
def test_an_encoding_that_cannot_be_undone_is_a_bad_reply(
    answering: Serve, exchange: Exchange, encoding: bytes, body: bytes
) -> None:
    server = answering(answer(body, headers=b"Content-Encoding: %s\r\n" % encoding))

    with pytest.raises(BadResponse):
        exchange(post(server.url))


@pytest.mark.parametrize("packed", [False, True])
def test_a_request_may_expect_a_larger_answer(
    answering: Serve, exchange: Exchange, *, packed: bool
) -> None:
    whole = b"x" * (BODY_BYTES_MAX + 1)
    body = gzip.compress(whole, mtime=0) if packed else whole
    headers = b"Content-Encoding: gzip\r\n" if packed else b""
    expecting = replace(
        post(answering(answer(body, headers=headers)).url), answer_bytes_max=len(whole)
    )

    assert exchange(expecting).body == whole

    short = replace(expecting, url=answering(answer(body, headers=headers)).url)
    with pytest.raises(BadResponse, match=str(len(whole) - 1)):
        exchange(replace(short, answer_bytes_max=len(whole) - 1))


# --- The caller is wrong ------------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["ftp://x/", "localhost/x", "", "http://", "http://[::1/", "http://x:y/"]
)
def test_an_address_that_is_not_http_is_a_wrong_setting(exchange: Exchange, url: str) -> None:
    with pytest.raises(InvalidSettings):
        exchange(post(url))


@pytest.mark.parametrize("text", ["a\r\nb: c", "k\N{EURO SIGN}", "a\0"])
def test_a_header_that_http_cannot_carry_is_refused(
    serve: Serve, exchange: Exchange, text: str
) -> None:
    server = serve(lambda connection: connection.recv(1) and None)

    with pytest.raises(InvalidValue) as caught:
        exchange(post(server.url, headers={"Idempotency-Key": text}))

    assert text not in str(caught.value)


def test_a_closed_transport_says_so() -> None:
    transport = HttpTransport()
    transport.close()

    with pytest.raises(NotAllowedHere):
        transport.exchange(get("http://127.0.0.1:1/"))


async def test_a_closed_async_transport_says_so() -> None:
    transport = AsyncHttpTransport()
    await transport.aclose()

    with pytest.raises(NotAllowedHere):
        await transport.exchange(get("http://127.0.0.1:1/"))


# --- Threads, tasks, processes ----------------------------------------------------------------


def test_threads_do_not_get_each_other_s_answers() -> None:
    """Fifty threads, ten exchanges each, over one transport."""
    import http.server

    class Echo(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    class Many(http.server.ThreadingHTTPServer):
        request_queue_size = 100

    server = Many(("127.0.0.1", 0), Echo)
    accepting = threading.Thread(target=server.serve_forever, daemon=True)
    accepting.start()
    transport = HttpTransport(timeout_s=20)
    url = f"http://127.0.0.1:{server.server_address[1]}/"
    wrong: list[object] = []

    def work(who: int) -> None:
        for turn in range(10):
            text = f"{who}-{turn}".encode()
            got = transport.exchange(post(url, body=text)).body
            if got != text:
                wrong.append((text, got))

    threads = [threading.Thread(target=work, args=(who,)) for who in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    transport.close()
    server.shutdown()
    server.server_close()
    accepting.join(10)

    assert wrong == []


def child(transport: HttpTransport, url: str, told: Any) -> None:
    transport.abandon()
    told.send(transport.exchange(post(url, body=b"child")).body)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_does_not_use_its_parent_s_connection(serve: Serve) -> None:
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("no fork on this system")

    def parents(connection: socket.socket) -> None:
        for text in (b"1", b"3"):
            assert read_request(connection).endswith(b"parent")
            connection.sendall(answer(text))
            parent_answered.set()
            if text == b"1":
                # The child is served in between, on a connection of its own.
                threading.Thread(target=children).start()
                child_served.wait(20)

    def children() -> None:
        connection, _ = listener.accept()
        with connection:
            assert read_request(connection).endswith(b"child")
            connection.sendall(answer(b"2"))
        child_served.set()

    parent_answered, child_served = threading.Event(), threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(20)

    def accept_parent() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(20)
            parents(connection)

    serving = threading.Thread(target=accept_parent)
    serving.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    transport = HttpTransport(timeout_s=20)

    assert transport.exchange(post(url, body=b"parent")).body == b"1"
    hears, tells = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(
        target=child, args=(transport, url, tells)
    )
    process.start()
    assert hears.poll(20)
    assert hears.recv() == b"2"
    process.join(20)
    assert transport.exchange(post(url, body=b"parent")).body == b"3"

    transport.close()
    serving.join(20)
    for end in (hears, tells, listener):
        end.close()
    process.close()


def test_an_interrupted_exchange_does_not_leave_its_answer_to_the_next(serve: Serve) -> None:
    class Interrupt(BaseException):
        pass

    arrived, go = threading.Event(), threading.Event()

    def first(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(answer(b"1"))
        read_request(connection)
        arrived.set()
        go.wait(20)

    def second(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(answer(b"3"))

    server = serve(first, second)
    transport = HttpTransport(timeout_s=20)
    assert transport.exchange(post(server.url)).body == b"1"

    import signal

    def raise_it(*_: object) -> None:
        raise Interrupt

    before = signal.signal(signal.SIGUSR1, raise_it)

    def interrupt() -> None:
        arrived.wait(20)
        os.kill(os.getpid(), signal.SIGUSR1)

    interrupting = threading.Thread(target=interrupt)
    interrupting.start()
    try:
        with pytest.raises(Interrupt):
            transport.exchange(post(server.url))
    finally:
        signal.signal(signal.SIGUSR1, before)
        go.set()
        interrupting.join(20)

    assert transport.exchange(post(server.url)).body == b"3"
    transport.close()


def test_a_canceled_exchange_does_not_leave_its_answer_to_the_next(serve: Serve) -> None:
    import asyncio

    go = threading.Event()

    async def story(url: str, arrived: asyncio.Event, loop: asyncio.AbstractEventLoop) -> bytes:
        transport = AsyncHttpTransport(timeout_s=20)
        assert (await transport.exchange(post(url))).body == b"1"
        task = asyncio.ensure_future(transport.exchange(post(url)))
        await arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go.set()
        body = (await transport.exchange(post(url))).body
        await transport.aclose()
        return body

    with asyncio.Runner() as runner:
        loop, arrived = runner.get_loop(), asyncio.Event()

        def first(connection: socket.socket) -> None:
            read_request(connection)
            connection.sendall(answer(b"1"))
            read_request(connection)
            loop.call_soon_threadsafe(arrived.set)
            go.wait(20)

        def second(connection: socket.socket) -> None:
            read_request(connection)
            connection.sendall(answer(b"3"))

        assert runner.run(story(serve(first, second).url, arrived, loop)) == b"3"


def test_an_async_transport_survives_a_change_of_its_event_loop(serve: Serve) -> None:
    import asyncio

    def once(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(answer(b"1", headers=b"Connection: close\r\n"))

    server = serve(once, once)
    transport = AsyncHttpTransport(timeout_s=20)

    for _ in range(2):
        assert asyncio.run(transport.exchange(post(server.url))).body == b"1"


def test_a_transport_shows_no_settings(face: str) -> None:
    transport = HttpTransport() if face == "sync" else AsyncHttpTransport()

    assert repr(transport) == f"{type(transport).__name__}(timeout_s=30.0)"
