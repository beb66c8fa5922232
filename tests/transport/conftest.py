"""Servers that misbehave on purpose, and one way to ask through either transport."""

import asyncio
import contextlib
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
import trustme

from paygate.dialogue import Request, Response
from paygate.transport import AsyncHttpTransport, HttpTransport

PATIENCE_S = 20.0

Part = Callable[[socket.socket], None]
Exchange = Callable[[Request], Response]


@dataclass
class Server:
    """Plays one part per connection, in order, and ends by itself."""

    parts: list[Part]
    tls: ssl.SSLContext | None = None
    received: list[bytes] = field(default_factory=list)
    failed: list[BaseException] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(PATIENCE_S)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://localhost:{self.port}/v1/charges"

    def _run(self) -> None:
        for part in self.parts:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            with plain:
                plain.settimeout(PATIENCE_S)
                try:
                    if self.tls is None:
                        part(plain)
                    else:
                        with self.tls.wrap_socket(plain, server_side=True) as secured:
                            part(secured)
                except OSError as error:
                    self.failed.append(error)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes up a thread that waits in accept
        self._listener.close()
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()


def read_request(connection: socket.socket) -> bytes:
    """Read one whole request."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return data
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
    while length and len(body) < int(length[1]):
        more = connection.recv(65536)
        data, body = data + more, body + more
    return data


def answer(body: bytes = b"{}", *, status: str = "200 OK", headers: bytes = b"") -> bytes:
    """Write a whole answer."""
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n%s" % (
        status.encode(),
        len(body),
        headers,
        body,
    )


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(*parts: Part, tls: ssl.SSLContext | None = None) -> Server:
        servers.append(Server(list(parts), tls))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def answering(serve: Callable[..., Server]) -> Callable[..., Server]:
    """Start a server that reads requests on one connection and gives *answers* in turn."""

    def start(*answers: bytes, tls: ssl.SSLContext | None = None) -> Server:
        def part(connection: socket.socket) -> None:
            for one in answers:
                server.received.append(read_request(connection))
                connection.sendall(one)

        server: Server = serve(part, tls=tls)
        return server

    return start


@pytest.fixture(params=["sync", "async"])
def face(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def transporting(face: str) -> Iterator[Callable[..., Exchange]]:
    """Make exchanges through the one or the other transport, called the same way."""
    with contextlib.ExitStack() as stack:

        def make(
            *, timeout_s: float = PATIENCE_S, ssl_context: ssl.SSLContext | None = None
        ) -> Exchange:
            if face == "sync":
                transport = HttpTransport(timeout_s=timeout_s, ssl_context=ssl_context)
                stack.callback(transport.close)
                return transport.exchange
            runner = stack.enter_context(asyncio.Runner())
            other = AsyncHttpTransport(timeout_s=timeout_s, ssl_context=ssl_context)
            stack.callback(lambda: runner.run(other.aclose()))
            return lambda request: runner.run(other.exchange(request))

        yield make


@pytest.fixture
def exchange(transporting: Callable[..., Exchange]) -> Exchange:
    return transporting()


@dataclass
class Certificates:
    """An authority of our own: its server, a server with another name, and who trusts it."""

    server: ssl.SSLContext
    other_server: ssl.SSLContext
    client: ssl.SSLContext


@pytest.fixture(scope="session")
def certificates() -> Certificates:
    authority = trustme.CA()

    def server(name: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name).configure_cert(context)
        return context

    client = ssl.create_default_context()
    authority.configure_trust(client)
    return Certificates(server("localhost"), server("other.example"), client)
