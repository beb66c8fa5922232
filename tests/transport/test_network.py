"""The way out: through a real proxy, by CAs of one's own, and with a certificate to show."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from paygate import Cashier, Secret
from paygate.dialogue import Request, Response
from paygate.errors import InvalidSettings, InvalidValue, NotSent
from paygate.transport import AsyncHttpTransport, HttpTransport, Network
from tests.transport.conftest import Server, read_request

Ask = Callable[[Network, Request], Response]


class Proxy:
    """A proxy that opens tunnels (CONNECT), or refuses them with *status*."""

    def __init__(self, status: bytes = b"200 Connection established") -> None:
        self.asked: list[bytes] = []
        self._status = status
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(20)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            client, _ = self._listener.accept()
        except OSError:
            return
        with client:
            head = read_request(client)
            self.asked.append(head)
            client.sendall(b"HTTP/1.1 " + self._status + b"\r\n\r\n")
            if self._status.startswith(b"200"):
                self._join(client, int(head.split(b" ")[1].rpartition(b":")[2]))

    def _join(self, client: socket.socket, port: int) -> None:
        with socket.create_connection(("127.0.0.1", port)) as server:
            back = threading.Thread(target=_pass_on, args=(server, client), daemon=True)
            back.start()
            _pass_on(client, server)
            back.join(20)

    def close(self) -> None:
        self._listener.close()
        self._thread.join(20)


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return


def _at_once(network: Network, request: Request) -> Response:
    transport = HttpTransport(timeout_s=10, network=network)
    try:
        return transport.exchange(request)
    finally:
        transport.close()


def _awaited(network: Network, request: Request) -> Response:
    async def ask() -> Response:
        transport = AsyncHttpTransport(timeout_s=10, network=network)
        try:
            return await transport.exchange(request)
        finally:
            await transport.aclose()

    return asyncio.run(ask())


@pytest.fixture(params=[_at_once, _awaited])
def ask(request: pytest.FixtureRequest) -> Ask:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def authority(tmp_path: Path) -> trustme.CA:
    made = trustme.CA()
    made.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return made


@pytest.fixture
def served(authority: trustme.CA) -> Iterator[Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.configure_trust(context)
    server = Server([_answer], tls=context)
    yield server
    server.close()


def _answer(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")


def to(server: Server) -> Request:
    return Request(method="POST", url=server.url, step="charge", body=b"amount=1")


def test_a_charge_goes_through_the_tunnel_of_a_proxy(
    ask: Ask, served: Server, tmp_path: Path
) -> None:
    proxy = Proxy()
    network = Network(
        proxy=f"http://till:pa%20ss@127.0.0.1:{proxy.port}", ca_file=str(tmp_path / "ca.pem")
    )

    answer = ask(network, to(served))

    proxy.close()
    [asked] = proxy.asked
    assert answer.body == b"ok"
    assert asked.startswith(b"CONNECT localhost:%d HTTP/1.1\r\n" % served.port)
    assert b"Proxy-Authorization: Basic dGlsbDpwYSBzcw==" in asked
    assert b"amount" not in asked
    assert "pa%20ss" not in repr(network)


def test_a_proxy_that_refuses_has_let_nothing_out(ask: Ask, served: Server) -> None:
    proxy = Proxy(b"407 Proxy Authentication Required")

    with pytest.raises(NotSent):
        ask(Network(proxy=f"http://127.0.0.1:{proxy.port}"), to(served))

    proxy.close()


def test_only_the_authorities_that_are_given_are_trusted(
    ask: Ask, served: Server, tmp_path: Path
) -> None:
    with pytest.raises(NotSent, match="certificate"):
        ask(Network(), to(served))


def test_a_bank_that_wants_to_see_a_certificate_is_shown_one(
    ask: Ask, authority: trustme.CA, tmp_path: Path
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.issue_cert("localhost").configure_cert(context)
    authority.configure_trust(context)
    authority.issue_cert("till@shop.example").private_key_and_cert_chain_pem.write_to_path(
        str(tmp_path / "till.pem")
    )
    server = Server([_answer], tls=context)
    network = Network(
        ca_file=str(tmp_path / "ca.pem"), client_certificate=str(tmp_path / "till.pem")
    )

    answer = ask(network, to(server))

    server.close()
    assert answer.status == 200


def test_a_proxy_in_the_environment_is_not_used(
    ask: Ask, served: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    assert ask(Network(ca_file=str(tmp_path / "ca.pem")), to(served)).status == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"proxy": "proxy.example:3128"},
        {"proxy": "socks5://secret@proxy.example"},
        {"proxy": Secret("http://secret@[half")},
        {"ca_file": "/nowhere/ca.pem"},
        {"client_key": "key.pem"},
        {"client_certificate": 7},
    ],
)
def test_a_way_out_that_cannot_be_is_not_made(wrong: dict[str, str]) -> None:
    with pytest.raises(InvalidSettings) as refused:
        Network(**wrong)

    assert "secret" not in refused.value.message


def test_a_network_for_an_account_that_is_not_there_is_refused() -> None:
    with pytest.raises(InvalidValue, match="network"):
        Cashier.in_memory(network={"card": Network()})
    with pytest.raises(InvalidValue, match="network"):
        Cashier.in_memory(network="http://proxy.example:3128")  # type: ignore[arg-type]
