"""What we write ourselves is what httpx would write, and never two requests in one."""

from collections.abc import Callable

import h11
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paygate.dialogue import Request
from paygate.errors import InvalidSettings, InvalidValue
from paygate.transport.stock import wire_request
from paygate.transport.writing import message, place_of, written
from tests.transport.conftest import Server, answer

HEADERS = st.dictionaries(
    st.sampled_from(["X-One", "x-two", "Authorization", "User-Agent", "accept"]),
    st.text(st.characters(min_codepoint=1, max_codepoint=0x17F), max_size=8),
    max_size=4,
)
SEGMENT = st.text(st.sampled_from("az09_-.~=:@,%/?&# \\é\"'[]+*"), max_size=12)


def by_httpx(request: Request) -> bytes:
    """Write *request* as httpx and h11 do."""
    connection = h11.Connection(h11.CLIENT)
    try:
        wire = wire_request(request, 1.0)
        head = connection.send(
            h11.Request(method=wire.method, target=wire.url.raw_path, headers=wire.headers.raw)
        )
        assert head is not None
        return head + (connection.send(h11.Data(data=request.body)) or b"")
    except (h11.LocalProtocolError, UnicodeError):
        raise InvalidValue("a header cannot be written") from None


def parts(sent: bytes) -> tuple[bytes, set[bytes], bytes]:
    head, _, body = sent.partition(b"\r\n\r\n")
    first, *headers = head.split(b"\r\n")
    pairs = (line.partition(b": ") for line in headers)
    return first, {name.lower() + b": " + text for name, _, text in pairs}, body


@given(
    st.sampled_from(["GET", "POST", "post", "PUT", "DELETE", "HEAD"]),
    HEADERS,
    st.sampled_from([b"", b"amount=100", b"\r\n\r\nGET / HTTP/1.1\r\n\r\n"]),
)
def test_a_request_is_written_as_httpx_writes_it(
    method: str, headers: dict[str, str], body: bytes
) -> None:
    request = Request(method=method, url="http://x:8080/a", step="ask", headers=headers, body=body)
    try:
        wanted = by_httpx(request)
    except InvalidValue:
        with pytest.raises(InvalidValue):
            message(request)
    else:
        address, sent = message(request)
        assert address == (b"http", b"x", 8080)
        assert parts(sent) == parts(wanted)


@given(
    st.sampled_from(["http://x", "https://x:443", "http://x.example:81", "https://[::1]:8"]),
    st.lists(SEGMENT, max_size=3),
)
def test_an_address_is_read_as_httpx_reads_it(origin: str, segments: list[str]) -> None:
    text = "/".join([origin, *segments])
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        with pytest.raises(httpx.InvalidURL):
            place_of(text)
        return
    port = url.port or {"http": 80, "https": 443}[url.scheme]

    assert place_of(text) == ((url.raw_scheme, url.raw_host, port), url.netloc, url.raw_path)


@pytest.mark.parametrize(
    "headers",
    [
        {"content-length": "9"},
        {"Content-Length": "0"},
        {"transfer-encoding": "chunked"},
        {"x: y\r\nz": "1"},
        {"x ": "1"},
        {"": "1"},
        {"x": "1\r\n\r\nGET / HTTP/1.1"},
        {"x": "1\n2"},
        {"x": "1\r2"},
        {"x": " 1"},
    ],
)
def test_a_header_that_would_change_the_message_is_refused(headers: dict[str, str]) -> None:
    request = Request(method="POST", url="http://x/", step="ask", headers=headers, body=b"1=2")

    with pytest.raises(InvalidValue, match="nothing was sent"):
        message(request)


@pytest.mark.parametrize("method", ["GET /x HTTP/1.1\r\nX: ", "", "GE T"])
def test_a_method_that_would_change_the_message_is_refused(method: str) -> None:
    with pytest.raises(InvalidValue):
        message(Request(method=method, url="http://x/", step="ask"))


@pytest.mark.parametrize("target", [b"/ HTTP/1.1\r\nX: y", b"/a b", b"", b"/\xe9"])
def test_a_path_that_would_change_the_message_is_refused(target: bytes) -> None:
    with pytest.raises(ValueError, match=r"written|length"):
        written(b"GET", target, [], b"")


def test_two_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match=r"written|length"):
        written(b"POST", b"/", [(b"content-length", b"1"), (b"Content-Length", b"1")], b"1")


def test_an_address_with_a_user_or_a_break_in_it_goes_where_httpx_would_send_it() -> None:
    assert place_of("http://safe.example@evil.example/").address[1] == b"evil.example"
    with pytest.raises(InvalidSettings):
        message(Request(method="GET", url="http://x/\r\nX: y", step="ask"))


def test_both_faces_send_the_same_bytes(
    answering: Callable[..., Server], transporting: Callable[..., Callable[[Request], object]]
) -> None:
    server = answering(answer())
    headers = {"Authorization": "Bearer k", "Idempotency-Key": "k1"}

    transporting()(
        Request(method="POST", url=f"{server.url}?a=b", step="x", headers=headers, body=b"a=1")
    )

    first, sent, body = parts(server.received[0])
    agent = next(line for line in sent if line.startswith(b"user-agent: paygate/"))
    assert (first, body) == (b"POST /v1/charges?a=b HTTP/1.1", b"a=1")
    assert sent == {
        b"host: localhost:%d" % server.port,
        agent,
        b"accept: */*",
        b"accept-encoding: identity",
        b"authorization: Bearer k",
        b"idempotency-key: k1",
        b"content-length: 3",
    }
