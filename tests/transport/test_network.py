"""The way out: through a real proxy, by CAs of one's own, and with a certificate to show."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from paygate import Secret
from paygate.dialogue import Request, Response
from paygate.errors import BadResponse, GatewayError, InvalidSettings, NoResponse, NotSent
from paygate.transport import AsyncHttpTransport, HttpTransport, Network, names
from tests.transport.conftest import PATIENCE_S, Part, Server, answer, read_request
from tests.transport.proxy import OPENS, Proxy

Ask = Callable[[Network, Request], Response]


def _at_once(network: Network, request: Request) -> Response:
    transport = HttpTransport(timeout_s=PATIENCE_S, network=network)
    try:
        return transport.exchange(request)
    finally:
        transport.close()


def _awaited(network: Network, request: Request) -> Response:
    async def ask() -> Response:
        transport = AsyncHttpTransport(timeout_s=PATIENCE_S, network=network)
        try:
            return await transport.exchange(request)
        finally:
            await transport.aclose()

    return asyncio.run(ask())


@pytest.fixture(params=[_at_once, _awaited])
def ask(request: pytest.FixtureRequest) -> Ask:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("ca") / "ca.pem")
    authority.cert_pem.write_to_path(path)
    return path


@pytest.fixture(scope="module")
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "bank.example").configure_cert(context)
    authority.configure_trust(context)
    return context


@pytest.fixture(scope="module")
def strict_tls(authority: trustme.CA) -> ssl.SSLContext:
    """What a bank wants: a certificate of whoever speaks to it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.issue_cert("localhost").configure_cert(context)
    authority.configure_trust(context)
    return context


@pytest.fixture
def served(serve: Callable[..., Server], server_tls: ssl.SSLContext) -> Server:
    return serve(saying(answer(b"ok")), tls=server_tls)


@pytest.fixture
def proxy() -> Iterator[Callable[..., Proxy]]:
    made: list[Proxy] = []

    def start(says: bytes = OPENS, **more: bool) -> Proxy:
        made.append(Proxy(says, **more))
        return made[-1]

    yield start
    for each in made:
        each.close()


def saying(said: bytes, *, stop: threading.Event | None = None) -> Part:
    """Read a request, say *said*, and close, or first wait until the test ends."""

    def part(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(said)
        if stop is not None:
            stop.wait(PATIENCE_S)

    return part


def to(server: Server, **more: Any) -> Request:
    return Request(method="POST", url=server.url, step="charge", body=b"amount=1", **more)


def write(certificate: trustme.LeafCert, path: Path) -> str:
    certificate.private_key_and_cert_chain_pem.write_to_path(str(path))
    return str(path)


# --- Through a proxy ----------------------------------------------------------------------


def test_a_charge_goes_through_the_tunnel_of_a_proxy(
    ask: Ask, served: Server, ca_file: str, proxy: Callable[..., Proxy]
) -> None:
    between = proxy()
    network = Network(
        proxy=f"http://till:pa%20ss@127.0.0.1:{between.port}",
        ca_file=ca_file,
    )

    said = ask(network, to(served))

    [asked] = between.asked
    assert said.body == b"ok"
    assert asked.startswith(b"CONNECT localhost:%d HTTP/1.1\r\n" % served.port)
    assert b"Proxy-Authorization: Basic dGlsbDpwYSBzcw==" in asked
    assert b"amount" not in asked
    assert "pa%20ss" not in repr(network)


@pytest.mark.parametrize(
    ("says", "more", "reason"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", {}, "status 407"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://x.invalid/\r\n\r\n", {}, "status 302"),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", {}, "does not speak HTTP"),
        (OPENS + b"more than that", {}, "does not speak HTTP"),
        (b"HTTP/1.1 200 Connection est", {}, "the proxy closed"),
        (b"", {}, "the proxy closed"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000, {}, "too long"),
        (b"HTTP/1.1 200 OK\r\n", {"hangs": True}, "deadline"),
        (OPENS, {"cuts": True}, "nothing was sent"),
        (OPENS, {"hangs": True}, "deadline"),
    ],
)
def test_a_proxy_that_opens_no_tunnel_has_let_nothing_out(
    ask: Ask,
    served: Server,
    ca_file: str,
    proxy: Callable[..., Proxy],
    caplog: pytest.LogCaptureFixture,
    says: bytes,
    more: dict[str, bool],
    reason: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    between = proxy(says, **more)
    network = Network(proxy=f"http://till:hunter2@127.0.0.1:{between.port}", ca_file=ca_file)

    with pytest.raises(NotSent, match=reason) as refused:
        ask(network, to(served, timeout_s=0.5 if more.get("hangs") else None))

    said = f"{refused.value.message}{refused.value.facts}{network!r}{caplog.text}"
    assert "hunter2" not in said
    assert "dGls" not in said


@pytest.mark.parametrize(
    ("said", "hangs", "fault"),
    [
        (b"", False, NoResponse),
        (b"HTTP/1.1 200 OK\r\nContent-Le", False, NoResponse),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npaid", False, NoResponse),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npaid", True, NoResponse),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", True, BadResponse),
        (answer(b"x" * 1_000), True, BadResponse),
    ],
)
def test_what_goes_wrong_inside_a_tunnel_is_not_called_unsent(
    ask: Ask,
    serve: Callable[..., Server],
    server_tls: ssl.SSLContext,
    ca_file: str,
    proxy: Callable[..., Proxy],
    said: bytes,
    hangs: bool,
    fault: type[GatewayError],
) -> None:
    stop = threading.Event()
    server = serve(saying(said, stop=stop if hangs else None), tls=server_tls)
    network = Network(proxy=proxy().url, ca_file=ca_file)

    try:
        with pytest.raises(fault) as caught:
            ask(network, to(server, timeout_s=2.0, answer_bytes_max=500))
    finally:
        stop.set()

    assert type(caught.value) is fault


def test_a_redirect_inside_a_tunnel_is_an_answer(
    ask: Ask,
    serve: Callable[..., Server],
    server_tls: ssl.SSLContext,
    ca_file: str,
    proxy: Callable[..., Proxy],
) -> None:
    moved = answer(status="307 Temporary Redirect", headers=b"Location: /elsewhere\r\n")
    between = proxy()

    said = ask(
        Network(proxy=between.url, ca_file=ca_file), to(serve(saying(moved), tls=server_tls))
    )

    assert (said.status, len(between.asked)) == (307, 1)


def test_a_proxy_in_the_environment_is_not_used(
    ask: Ask, served: Server, ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    assert ask(Network(ca_file=ca_file), to(served)).status == 200


# --- Certificates ----------------------------------------------------------------------------


def test_only_the_authorities_that_are_given_are_trusted(
    ask: Ask, serve: Callable[..., Server], server_tls: ssl.SSLContext, tmp_path: Path
) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    served = serve(saying(b""), saying(b""), tls=server_tls)

    for network in (Network(), Network(ca_file=str(tmp_path / "other.pem"))):
        with pytest.raises(NotSent, match="certificate"):
            ask(network, to(served))


def test_a_bank_that_wants_to_see_a_certificate_is_shown_one(
    ask: Ask,
    serve: Callable[..., Server],
    authority: trustme.CA,
    strict_tls: ssl.SSLContext,
    ca_file: str,
    tmp_path: Path,
) -> None:
    issued = authority.issue_cert("till@shop.example")
    issued.cert_chain_pems[0].write_to_path(str(tmp_path / "till.pem"))
    key = load_pem_private_key(issued.private_key_pem.bytes(), None)
    (tmp_path / "till.key").write_bytes(
        key.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"the-password")
        )
    )
    network = Network(
        ca_file=ca_file,
        client_certificate=str(tmp_path / "till.pem"),
        client_key=str(tmp_path / "till.key"),
        client_key_password="the-password",
    )

    said = ask(network, to(serve(saying(answer()), tls=strict_tls)))

    assert said.status == 200
    assert "the-password" not in repr(network)


def test_a_key_that_another_password_opens_is_refused_without_showing_it(tmp_path: Path) -> None:
    issued = trustme.CA().issue_cert("till@shop.example")
    path = write(issued, tmp_path / "till.pem")
    key = load_pem_private_key(issued.private_key_pem.bytes(), None)
    (tmp_path / "till.key").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"right"))
    )

    with pytest.raises(InvalidSettings) as refused:
        Network(
            client_certificate=path,
            client_key=str(tmp_path / "till.key"),
            client_key_password="wrong-password",
        )

    assert "wrong-password" not in f"{refused.value.message}{refused.value.facts}"


def test_a_certificate_that_has_expired_is_not_shown_and_nothing_is_sent(
    ask: Ask,
    serve: Callable[..., Server],
    authority: trustme.CA,
    strict_tls: ssl.SSLContext,
    ca_file: str,
    tmp_path: Path,
) -> None:
    ended = datetime.now(UTC) - timedelta(days=1)
    issued = authority.issue_cert(
        "till@shop.example", not_before=ended - timedelta(days=9), not_after=ended
    )
    network = Network(ca_file=ca_file, client_certificate=write(issued, tmp_path / "till.pem"))
    server = serve(saying(answer()), tls=strict_tls)

    with pytest.raises(NotSent, match=f"expired on {ended:%Y-%m-%d}"):
        ask(network, to(server))


@pytest.mark.parametrize("of_a_stranger", [False, True])
@pytest.mark.parametrize(
    ("version", "fault"),
    [
        (ssl.TLSVersion.TLSv1_2, NotSent),
        # The server looks at our certificate when we may have sent the request already.
        (ssl.TLSVersion.TLSv1_3, NoResponse),
    ],
)
def test_a_certificate_that_the_bank_does_not_accept_is_known_by_when_it_says_so(
    ask: Ask,
    serve: Callable[..., Server],
    authority: trustme.CA,
    ca_file: str,
    tmp_path: Path,
    version: ssl.TLSVersion,
    fault: type[GatewayError],
    of_a_stranger: bool,
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = context.maximum_version = version
    authority.issue_cert("localhost").configure_cert(context)
    authority.configure_trust(context)
    stranger = write(trustme.CA().issue_cert("till@x.example"), tmp_path / "till.pem")
    network = Network(ca_file=ca_file, client_certificate=stranger if of_a_stranger else None)

    with pytest.raises(fault):
        ask(network, to(serve(saying(answer()), tls=context)))


# --- Time, and a pinned address -----------------------------------------------------------------


def test_connecting_may_take_less_than_the_whole(
    ask: Ask, served: Server, proxy: Callable[..., Proxy]
) -> None:
    network = Network(proxy=proxy(b"", hangs=True).url, connect_timeout_s=0.2)

    with pytest.raises(NotSent, match="deadline"):
        ask(network, to(served))


def test_an_account_may_wait_less_for_its_answers(
    ask: Ask, serve: Callable[..., Server], server_tls: ssl.SSLContext, ca_file: str
) -> None:
    stop = threading.Event()
    server = serve(saying(b"", stop=stop), tls=server_tls)

    try:
        with pytest.raises(NoResponse, match="deadline"):
            ask(Network(ca_file=ca_file, timeout_s=1.0), to(server))
    finally:
        stop.set()


def at_bank(server: Server, **more: Any) -> Request:
    return Request(method="POST", url=f"https://bank.example:{server.port}/", step="charge", **more)


@pytest.mark.parametrize("by_request", [False, True])
@pytest.mark.parametrize("through", [False, True])
def test_a_pinned_name_is_not_looked_up_and_still_verified(
    ask: Ask,
    served: Server,
    ca_file: str,
    proxy: Callable[..., Proxy],
    monkeypatch: pytest.MonkeyPatch,
    by_request: bool,
    through: bool,
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(names, "look_up", lambda name, _: asked.append(name))
    between = proxy()
    network = Network(
        ca_file=ca_file,
        proxy=between.url if through else None,
        addresses={} if by_request else {"Bank.example": "127.0.0.1"},
    )

    said = ask(network, at_bank(served, address="127.0.0.1" if by_request else ""))

    assert (said.body, asked) == (b"ok", [])
    assert [b"CONNECT 127.0.0.1:" in each for each in between.asked] == [True] * through


def test_a_pinned_server_with_another_name_is_not_sent_to(
    ask: Ask, served: Server, ca_file: str
) -> None:
    network = Network(ca_file=ca_file, addresses={"other.example": "127.0.0.1"})
    elsewhere = Request(method="POST", url=f"https://other.example:{served.port}/", step="charge")

    with pytest.raises(NotSent, match=r"other\.example"):
        ask(network, elsewhere)


# --- What is refused, and what goes before what --------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"proxy": "proxy.example:3128"},
        {"proxy": "socks5://secret@proxy.example"},
        {"proxy": "https://proxy.example"},
        {"proxy": Secret("http://secret@[half")},
        {"ca_file": "/nowhere/ca.pem"},
        {"client_key": "key.pem"},
        {"client_key_password": "secret"},
        {"client_certificate": 7},
        {"timeout_s": 0},
        {"timeout_s": "30"},
        {"connect_timeout_s": float("inf")},
        {"addresses": "127.0.0.1"},
        {"addresses": {"bank.example": "other.example"}},
        {"addresses": {"https://bank.example": "203.0.113.7"}},
    ],
)
def test_a_way_out_that_cannot_be_is_not_made(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidSettings) as refused:
        Network(**wrong)

    assert "secret" not in refused.value.message
    assert refused.value.facts.get("argument", "ca_file") == next(iter(wrong))


def test_what_an_account_says_goes_before_what_is_said_for_all(
    authority: trustme.CA, ca_file: str, tmp_path: Path
) -> None:
    ours = write(authority.issue_cert("us@shop.example"), tmp_path / "us.pem")
    till = write(authority.issue_cert("till@shop.example"), tmp_path / "till.pem")
    general = Network(
        proxy="http://proxy.example",
        ca_file=ca_file,
        client_certificate=ours,
        client_key=ours,
        timeout_s=20,
        addresses={"a.example": "203.0.113.1", "b.example": "203.0.113.2"},
    )
    own = Network(
        proxy="", client_certificate=till, timeout_s=5, addresses={"b.example": "203.0.113.9"}
    )

    merged = own.over(general)

    assert merged.tunnel is None
    assert merged.ca_file == ca_file
    assert (merged.client_certificate, merged.client_key) == (till, None)
    assert (merged.timeout_s, merged.connect_timeout_s) == (5, None)
    assert merged.addresses == {"a.example": "203.0.113.1", "b.example": "203.0.113.9"}
    assert Network().over(general) == general
