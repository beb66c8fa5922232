"""Bytes that no decent server sends: both faces say the same of them, and lend nothing twice.

Sync reads with h11 and async with llhttp. Neither calls a broken answer an answer;
where one refuses what the other still reads, that is said here.
"""

import socket
import threading
from collections.abc import Callable

import pytest

from paygate.dialogue import BODY_BYTES_MAX, Request
from paygate.errors import BadResponse, GatewayError, NoResponse
from tests.transport.conftest import Exchange, Server, answer, read_request

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


def post(url: str) -> Request:
    return Request(method="POST", url=url, step="charge", body=b"amount=100", moves_money=True)


def saying(told: bytes, *, then_close: bool = False) -> Callable[[socket.socket], None]:
    """Make a part that reads a request, says *told*, and waits until the client leaves."""

    def part(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(told)
        if not then_close:
            connection.recv(1)

    return part


# --- What is an answer, however oddly it is sent ---------------------------------------


@pytest.mark.parametrize(
    ("told", "body"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\n" + answer(b"paid"), b"paid"),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 3 + answer(b"paid"), b"paid"),
        (OK + b"Content-Length: 0\r\n\r\n", b""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", b""),
        (b"HTTP/1.1 200\r\nContent-Length: 4\r\n\r\npaid", b"paid"),
        (OK + b"X-Empty:\r\nContent-Length: 4\r\n\r\npaid", b"paid"),
        (CHUNKED + b"2;name=value\r\npa\r\n2\r\nid\r\n0\r\nTrailer: x\r\n\r\n", b"paid"),
        (CHUNKED + b"1\r\np\r\n" * 3000 + b"0\r\n\r\n", b"p" * 3000),
        (OK + b"Transfer-Encoding: Chunked\r\n\r\n4\r\npaid\r\n0\r\n\r\n", b"paid"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\npaid", b"paid"),
    ],
)
def test_an_odd_answer_is_read(
    serve: Callable[..., Server], exchange: Exchange, told: bytes, body: bytes
) -> None:
    server = serve(saying(told))

    assert exchange(post(server.url)).body == body


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_an_answer_without_a_length_lasts_until_the_connection_ends(
    serve: Callable[..., Server], exchange: Exchange, version: bytes
) -> None:
    server = serve(saying(b"HTTP/%b 200 OK\r\n\r\npaid" % version, then_close=True))

    assert exchange(post(server.url)).body == b"paid"


def test_an_answer_that_comes_byte_by_byte_is_read(
    serve: Callable[..., Server], exchange: Exchange
) -> None:
    def drip(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        read_request(connection)
        for byte in CHUNKED + b"4\r\npaid\r\n0\r\n\r\n":
            connection.sendall(bytes([byte]))
        connection.recv(1)

    assert exchange(post(serve(drip).url)).body == b"paid"


def test_the_answer_to_head_has_no_body(serve: Callable[..., Server], exchange: Exchange) -> None:
    server = serve(saying(OK + b"Content-Length: 10\r\nX: y\r\n\r\n"))

    response = exchange(Request(method="HEAD", url=server.url, step="look"))

    assert (response.body, response.headers["x"]) == (b"", "y")


def test_an_early_answer_is_an_answer(serve: Callable[..., Server], exchange: Exchange) -> None:
    """The server answers when it has read the head, and never reads the body."""

    def part(connection: socket.socket) -> None:
        connection.recv(20, socket.MSG_PEEK)
        connection.sendall(answer(b"too large", status="413 Content Too Large"))
        read_request(connection)

    response = exchange(post(serve(part).url))

    assert (response.status, response.body) == (413, b"too large")


# --- What is none ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "told",
    [
        OK + b"Content-Length: 4\r\nContent-Length: 2\r\n\r\npaid",
        OK + b"Content-Length: 4, 2\r\n\r\npaid",
        OK + b"Content-Length: -1\r\n\r\n",
        OK + b"Content-Length: +4\r\n\r\npaid",
        OK + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: gzip\r\n\r\npaid",
        OK + b"Transfer-Encoding: identity\r\n\r\npaid",
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n4\r\npaid\r\n0\r\n\r\n",
        CHUNKED + b"-4\r\npaid\r\n0\r\n\r\n",
        CHUNKED + b"0x4\r\npaid\r\n0\r\n\r\n",
        CHUNKED + b"4\r\npaid, not four\r\n0\r\n\r\n",
        CHUNKED + b"fffffffffffffffffffff\r\npaid\r\n0\r\n\r\n",
        OK + b"X : y\r\nContent-Length: 0\r\n\r\n",
        OK + b"X: a\0b\r\nContent-Length: 0\r\n\r\n",
        OK + b": nameless\r\nContent-Length: 0\r\n\r\n",
        OK + b"no colon\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 99 OK\r\nContent-Length: 0\r\n\r\n",
        b"ICY/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"\x15\x03\x03\x00\x02\x02\x28\r\n\r\n",
    ],
)
def test_what_breaks_the_rules_is_a_bad_reply(
    serve: Callable[..., Server], exchange: Exchange, told: bytes
) -> None:
    server = serve(saying(told))

    with pytest.raises(BadResponse, match="not HTTP"):
        exchange(post(server.url))


@pytest.mark.parametrize(
    "told",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"transfer-encoding: chunked\r\ncontent-length: 0\r\n\r\n4\r\npaid\r\n0\r\n\r\n",
    ],
)
def test_after_an_answer_with_two_lengths_the_connection_is_closed(
    serve: Callable[..., Server], exchange: Exchange, told: bytes
) -> None:
    server = serve(saying(OK + told), saying(answer(b"another payment's")))

    with pytest.raises(BadResponse):
        exchange(post(server.url))
    second = exchange(post(server.url))

    assert second.body == b"another payment's"


@pytest.mark.parametrize(
    "torn",
    [
        CHUNKED,
        CHUNKED + b"4",
        CHUNKED + b"4\r\npa",
        CHUNKED + b"4\r\npaid",
        CHUNKED + b"4\r\npaid\r\n",
        CHUNKED + b"4\r\npaid\r\n0\r\n",
        CHUNKED + b"4\r\npaid\r\n0\r\nTrailer: x\r\n",
        OK + b"Content-Length: 5\r\n\r\npaid",
        OK,
        b"HTTP/1.1 103 Early Hints\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n",
        b"",
    ],
)
def test_an_answer_cut_short_is_no_reply(
    serve: Callable[..., Server], exchange: Exchange, torn: bytes
) -> None:
    server = serve(saying(torn, then_close=True))

    with pytest.raises(NoResponse):
        exchange(post(server.url))


@pytest.mark.parametrize(
    "lines",
    [
        b"X: " + b"x" * 997 + b"\r\n",  # header after header
        b"x" * 1000,  # one header without an end
    ],
)
@pytest.mark.parametrize("start", [OK + b"Y: ", CHUNKED + b"4\r\npaid\r\n0\r\nY: "])
def test_headers_without_an_end_are_not_read_on(
    serve: Callable[..., Server], exchange: Exchange, start: bytes, lines: bytes
) -> None:
    sent: list[int] = []

    def endless(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(start)
        while sum(sent) < 50_000_000:
            sent.append(connection.send(lines))

    server = serve(endless)

    with pytest.raises(GatewayError) as caught:
        exchange(post(server.url))
    server.close()
    assert isinstance(caught.value, BadResponse)
    assert sum(sent) < 50_000_000


def test_provisional_answers_without_an_end_are_no_answer(
    serve: Callable[..., Server], exchange: Exchange
) -> None:
    def endless(connection: socket.socket) -> None:
        read_request(connection)
        while True:
            connection.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100)

    with pytest.raises(BadResponse):
        exchange(post(serve(endless).url))


def test_a_body_without_an_end_is_not_read_on(
    serve: Callable[..., Server], exchange: Exchange
) -> None:
    sent: list[int] = []

    def endless(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(CHUNKED)
        while sum(sent) < 50_000_000:
            sent.append(connection.send(b"400\r\n" + b"x" * 1024 + b"\r\n"))

    server = serve(endless)

    with pytest.raises(BadResponse, match=str(BODY_BYTES_MAX)):
        exchange(post(server.url))
    server.close()
    assert sum(sent) < 50_000_000


@pytest.mark.parametrize(
    "told",
    [
        b"HTTP/1.1 200 OK\nContent-Length: 4\n\npaid",  # lines that end without a return
        OK + b"X: a\r\n b\r\nContent-Length: 4\r\n\r\npaid",  # a folded header
        OK + b"Content-Length: 4\r\nContent-Length: 4\r\n\r\npaid",  # the same, told twice
        b"HTTP/2.0 200 OK\r\nContent-Length: 4\r\n\r\npaid",  # a version without this syntax
    ],
)
def test_what_other_clients_still_read_is_refused(
    serve: Callable[..., Server], exchange: Exchange, told: bytes
) -> None:
    server = serve(saying(told))

    with pytest.raises(BadResponse):
        exchange(post(server.url))


# --- What follows an answer is nobody's -------------------------------------------------


@pytest.mark.parametrize(
    "stray",
    [
        answer(b"stray"),
        b"HTTP/1.1 103 Early Hints\r\n\r\n",
        b"H",
        b"garbage",
        b"\x00",
    ],
)
@pytest.mark.parametrize(
    "told", [answer(b"1"), CHUNKED + b"1\r\n1\r\n0\r\n\r\n", b"HTTP/1.1 204 No\r\n\r\n"]
)
def test_bytes_after_an_answer_are_not_the_start_of_the_next(
    serve: Callable[..., Server], exchange: Exchange, told: bytes, stray: bytes
) -> None:
    server = serve(saying(told + stray), saying(answer(b"2")))

    assert exchange(post(server.url)).status in (200, 204)
    assert exchange(post(server.url)).body == b"2"


def test_a_stray_answer_that_comes_later_is_not_the_next_one(
    serve: Callable[..., Server], exchange: Exchange
) -> None:
    come, go = threading.Event(), threading.Event()

    def once(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(answer(b"1"))
        assert go.wait(20)
        connection.sendall(answer(b"stray"))
        come.set()
        connection.recv(1)

    server = serve(once, saying(answer(b"2")))

    assert exchange(post(server.url)).body == b"1"
    go.set()
    assert come.wait(20)
    assert exchange(post(server.url)).body == b"2"


def test_a_connection_that_the_server_half_closed_is_not_used_again(
    serve: Callable[..., Server], exchange: Exchange
) -> None:
    def half(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(answer(b"1"))
        connection.shutdown(socket.SHUT_WR)
        closed.set()
        assert connection.recv(1) == b""  # a second request would arrive here

    closed = threading.Event()
    server = serve(half, saying(answer(b"2")))

    assert exchange(post(server.url)).body == b"1"
    assert closed.wait(20)
    assert exchange(post(server.url)).body == b"2"
    assert server.failed == []


@pytest.mark.parametrize(
    "told",
    [
        answer(b"1", headers=b"Connection: close\r\n"),
        b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n1",
    ],
)
def test_a_connection_that_the_server_will_close_is_not_used_again(
    serve: Callable[..., Server], exchange: Exchange, told: bytes
) -> None:
    server = serve(saying(told), saying(answer(b"2")))

    assert exchange(post(server.url)).body == b"1"
    assert exchange(post(server.url)).body == b"2"
