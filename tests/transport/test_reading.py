"""llhttp with our bounds, beside h11, which reads the same bytes."""

import itertools
import re
from dataclasses import dataclass

import h11
from hypothesis import given
from hypothesis import strategies as st

from paygate.errors import BadResponse
from paygate.transport.reading import ConnectionEnded, ResponseReader, WholeResponse


@dataclass
class Read:
    """What came of the bytes."""

    answer: tuple[int, dict[str, str], bytes] | None
    reusable: bool


def read(*parts: bytes, ended: bool = True) -> Read:
    """Read *parts* as they arrive; whatever they are, nothing but a protocol error is raised."""
    reading = ResponseReader(bodiless=False)
    for part in parts:
        reading.feed(part)
    if ended:
        reading.end(ConnectionEnded())
    match reading.result:
        case None:
            return Read(None, reusable=False)
        case WholeResponse() as answer:
            return Read((answer.status, answer.headers, answer.body), reading.reusable)
        case error:
            assert isinstance(error, ConnectionEnded | BadResponse)
            assert not reading.reusable
            return Read(None, reusable=False)


def read_by_h11(data: bytes) -> tuple[int, dict[str, str], bytes] | None:
    """Read the same with h11."""
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("host", "x")]))
    connection.send(h11.EndOfMessage())
    head: h11.Response | None = None
    body = b""
    try:
        connection.receive_data(data)
        connection.receive_data(b"")
        while True:
            match connection.next_event():
                case h11.Response() as done:
                    head = done
                case h11.InformationalResponse():
                    pass
                case h11.Data(data=more):
                    body += bytes(more)
                case h11.EndOfMessage():
                    break
                case _:
                    return None
    except h11.RemoteProtocolError:
        return None
    if head is None:
        return None
    headers: dict[str, str] = {}
    for raw_name, raw_text in head.headers:
        name, text = raw_name.decode("ascii"), raw_text.decode("latin-1")
        headers[name] = f"{headers[name]}, {text}" if name in headers else text
    return head.status_code, headers, body


def agreed(found: tuple[int, dict[str, str], bytes] | None, data: bytes) -> bool:
    """Tell whether h11 reads the same, where llhttp found an answer at all."""
    if found is None or found == read_by_h11(data):
        return True
    # Two things say nothing, and llhttp passes over them: what stands beside a status, and empty
    # lines after a provisional answer.
    data = re.sub(rb"(HTTP/\d\.\d \d{3} )[^\r\n]*", rb"\1OK", data)
    data = re.sub(rb"\r\n\r\n[\r\n]+HTTP/", b"\r\n\r\nHTTP/", data)
    return found == read_by_h11(data)


# Pieces of answers, right and wrong, which put together make answers that nearly are.
PIECES = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.0 402 OK\r\n",
        b"HTTP/1.1 204 OK\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 103 OK\r\n",
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"Content-Length: 4\r\n",
        b"Content-Length: 0\r\n",
        b"Content-Length: 5, 4\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: gzip\r\n",
        b"Connection: close\r\n",
        b"Connection: keep-alive\r\n",
        b"X: a \t\r\n",
        b"x: caf\xe9\r\n",
        b"X:\r\n",
        b"X : y\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b" folded\r\n",
        b"paid",
        b"4\r\npaid\r\n",
        b"4\r\npaidx\r\n",
        b"0\r\n\r\n",
        b"0\r\nTrailer: x\r\n\r\n",
        b"-4\r\n",
        b"\0",
    ]
)
WHOLE = st.tuples(
    st.sampled_from([b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 OK\r\nA: b\r\n\r\n"]),
    st.sampled_from([b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 402 OK\r\n", b"HTTP/1.1 503\r\n"]),
    st.lists(st.sampled_from([b"X: a \t\r\n", b"x: caf\xe9\r\n", b"Y:\r\n"]), max_size=3).map(
        b"".join
    ),
    st.sampled_from(
        [
            b"\r\npaid",
            b"Content-Length: 4\r\n\r\npaid",
            b"Transfer-Encoding: chunked\r\n\r\n4\r\npaid\r\n0\r\n\r\n",
            b"Transfer-Encoding: chunked\r\n\r\n2\r\npa\r\n2;x=y\r\nid\r\n0\r\nT: x\r\n\r\n",
        ]
    ),
).map(b"".join)


@given(WHOLE)
def test_a_whole_answer_is_read_as_h11_reads_it(data: bytes) -> None:
    found = read(data).answer

    assert found is not None
    assert found == read_by_h11(data)


@given(st.lists(PIECES, max_size=12).map(b"".join))
def test_what_is_read_at_all_is_what_h11_reads(data: bytes) -> None:
    found = read(data).answer

    assert agreed(found, data)


@given(WHOLE, st.data())
def test_a_byte_that_changed_makes_no_other_answer_than_h11_reads(
    data: bytes, draw: st.DataObject
) -> None:
    at = draw.draw(st.integers(0, len(data) - 1))
    mutated = data[:at] + bytes([draw.draw(st.integers(0, 255))]) + data[at + 1 :]
    found = read(mutated).answer

    assert agreed(found, mutated)


@given(
    st.one_of(WHOLE, st.lists(PIECES, max_size=12).map(b"".join)),
    st.lists(st.integers(0, 200), max_size=6),
)
def test_it_does_not_matter_in_which_pieces_an_answer_comes(data: bytes, cuts: list[int]) -> None:
    places = sorted({0, *(min(cut, len(data)) for cut in cuts), len(data)})
    parts = [data[a:b] for a, b in itertools.pairwise(places)]

    assert read(*parts) == read(data)


@given(WHOLE)
def test_until_its_last_byte_an_answer_is_none(data: bytes) -> None:
    found = read(data[:-1], ended=False)

    assert found.answer is None


@given(st.binary(max_size=200))
def test_noise_is_no_answer(data: bytes) -> None:
    assert read(data).answer is None


@given(WHOLE, st.sampled_from([b"H", b"HTTP/1.1 200 OK\r\n", b"x", b"\0", b"0\r\n\r\n"]))
def test_a_connection_with_more_on_it_is_not_reusable(data: bytes, more: bytes) -> None:
    assert not read(data + more, ended=False).reusable
    assert not read(data, more, ended=False).reusable
