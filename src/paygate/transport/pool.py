"""Kept-alive connections of one account, newest first, and what each exchange proves.

httpx and httpcore speak HTTP; this replaces httpcore's pool below them, for
three reasons. The core must know whether the first byte of a request may have
left, and a deadline must hold for a whole exchange, not for each read: both are
known only where bytes are written and read. And httpcore's pool walks all of
its connections for every request, which is quadratic with many in flight.

A connection is lent to one exchange at a time. The one returned last is lent
first, so connections that are not needed grow old and are dropped.
"""

from __future__ import annotations

import socket
import time
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import httpcore
from typing_extensions import override

from paygate.dialogue import BODY_BYTES_MAX
from paygate.transport.network import HEAD_BYTES_MAX, ProxyRefused, opened

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Iterator

    from paygate.transport.network import Tunnel

# The first look-up of a name imports this codec. If another thread forks at that moment, the
# child can never import it.
import_module("encodings.idna")

Address: TypeAlias = tuple[bytes, bytes, int]
SocketOptions: TypeAlias = "Iterable[Any] | None"

IDLE_MAX = 100
"""How many unused connections to one host are kept."""

IDLE_S = 15.0
"""How long an unused connection is trusted; load balancers drop them after 60 s and more."""


class Deadline(float):
    """The deadline of one exchange, and how far the exchange got.

    It is handed to httpcore as the timeout, because that is what httpcore passes
    down, untouched, to where bytes are written and read.
    """

    __slots__ = ("answer_bytes_max", "at", "body_follows", "ended", "head", "sent")

    def __init__(
        self,
        timeout_s: float,
        *,
        body_follows: bool = False,
        answer_bytes_max: int = BODY_BYTES_MAX,
    ) -> None:
        super().__init__()
        self.answer_bytes_max = answer_bytes_max
        self.at = time.monotonic() + timeout_s
        self.body_follows = body_follows
        self.head = b""
        self.sent = False
        self.ended = False

    def __new__(  # noqa: D102, PYI034
        cls,
        timeout_s: float,
        *,
        body_follows: bool = False,  # noqa: ARG004
        answer_bytes_max: int = BODY_BYTES_MAX,  # noqa: ARG004
    ) -> Deadline:
        return super().__new__(cls, timeout_s)

    def left(self) -> float:
        """Tell how many seconds are left, or raise `TimeoutError`."""
        left = self.at - time.monotonic()
        if left <= 0:
            raise TimeoutError("the deadline of the exchange has passed")
        return left

    def outgoing(self, data: bytes) -> bytes:
        """
        Take what is to be written, and give what must be written now.

        The head waits for the body: one segment (and one TLS record) instead of
        two. From the first byte on, nothing proves any more that nothing left.
        """
        if self.body_follows:
            self.body_follows = False
            self.head = data
            return b""
        if self.head:
            data, self.head = self.head + data, b""
        if data:
            self.left()
            self.sent = True
        return data


def clock_of(timeout: float | None) -> Deadline:
    """Take the clock out of the timeout that httpcore passed down."""
    if isinstance(timeout, Deadline):
        return timeout
    raise TypeError("an exchange has a clock; use HttpTransport")


class PooledConnection(httpcore.NetworkStream):
    """One connection, read and written by the clock of the exchange that has it."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    @override
    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what is there, or wait for it until the deadline."""
        clock = clock_of(timeout)
        data = self._stream.read(max_bytes, clock.left())
        if not data:
            clock.ended = True
        return data

    @override
    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write *buffer*, after which it may have left."""
        clock = clock_of(timeout)
        data = clock.outgoing(buffer)
        if data:
            self._stream.write(data, clock.left())

    @override
    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    @override
    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """Shake hands, and verify whom we speak to."""
        left = clock_of(timeout).left()
        return PooledConnection(self._stream.start_tls(ssl_context, server_hostname, left))

    @override
    def get_extra_info(self, info: str) -> Any:
        """Tell httpcore whether an idle connection has become readable, which means closed."""
        return self._stream.get_extra_info(info)


class Dialer(httpcore.NetworkBackend):
    """Makes connections, all addresses of a host under one deadline."""

    def __init__(self, tunnel: Tunnel | None = None) -> None:
        self._sockets = httpcore.SyncBackend()
        self._tunnel = tunnel

    @override
    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: SocketOptions = None,
    ) -> httpcore.NetworkStream:
        """Connect to *host*, through the proxy if there is one."""
        clock = clock_of(timeout)
        if self._tunnel is None:
            return PooledConnection(self._connect(host, port, clock, local_address, socket_options))
        stream = self._connect(
            self._tunnel.host, self._tunnel.port, clock, local_address, socket_options
        )
        try:
            # What the proxy hears is no part of the request: nothing was sent yet if it refuses.
            stream.write(self._tunnel.request(host.encode("ascii"), port), clock.left())
            head, more = b"", b"-"
            while more and not opened(head):
                more = stream.read(HEAD_BYTES_MAX, clock.left())
                head += more
            if not more:
                _closed_by_proxy()
        except BaseException:
            stream.close()
            raise
        return PooledConnection(stream)

    def _connect(
        self,
        host: str,
        port: int,
        clock: Deadline,
        local_address: str | None,
        socket_options: SocketOptions,
    ) -> httpcore.NetworkStream:
        """Connect to the first address of *host* that answers."""
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        failure: Exception | None = None
        # A name can have both families of addresses; the second is tried when the first refuses.
        for address in dict.fromkeys(str(entry[4][0]) for entry in found):
            try:
                return self._sockets.connect_tcp(
                    address, port, clock.left(), local_address, socket_options or ()
                )
            except httpcore.ConnectError as error:
                failure = error
        raise failure or OSError("the name has no address")


def _closed_by_proxy() -> NoReturn:
    raise ProxyRefused(0, "the proxy closed the connection")


def reusable(connection: Any) -> bool:
    """
    Tell whether the answer was read to its end, and nothing came after it.

    Bytes that follow an answer would be taken for the answer to the next request,
    which is another payment's. httpcore does not look, so we look into it.
    """
    if not connection.is_idle():
        return False
    beyond, ended = connection._connection._h11_state.trailing_data  # noqa: SLF001
    return not beyond and not ended


def two_lengths(response: httpcore.Response) -> bool:
    """
    Return whether the answer says in two ways how long it is (RFC 9112, 6.3).

    One of them is wrong. If we believed that one, the rest of the answer is still to come, and
    would be taken for the answer to the next request.
    """
    return {b"content-length", b"transfer-encoding"} <= {
        name.lower() for name, _ in response.headers
    }


class Lent:
    """The body of an answer; closing it gives the connection back."""

    def __init__(
        self, stream: Any, connection: httpcore.HTTPConnection, give_back: Callable[[], None] | None
    ) -> None:
        self._stream = stream
        self._connection = connection
        self._give_back = give_back

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._stream)

    def close(self) -> None:
        """End the answer. What was read to its end can be used again; the rest cannot."""
        self._stream.close()
        if self._give_back is not None and reusable(self._connection):
            self._give_back()
        else:
            self._connection.close()


class Pool:
    """Connections by origin. Lists are popped and appended to, which threads may do at once."""

    def __init__(
        self, ssl_context: Callable[[], ssl.SSLContext], tunnel: Tunnel | None = None
    ) -> None:
        self._ssl_context = ssl_context
        self._idle: dict[Address, list[httpcore.HTTPConnection]] = {}
        self._dialer = Dialer(tunnel)
        self._closed = False

    def handle_request(self, request: httpcore.Request) -> httpcore.Response:
        """Send *request* on a connection of its own; httpx calls this."""
        origin = request.url.origin
        idle = self._idle.setdefault((origin.scheme, origin.host, origin.port), [])
        connection = self._take(idle) or self._new(origin)
        try:
            response = connection.handle_request(request)
        except BaseException:
            connection.close()
            raise
        give_back = None if two_lengths(response) else partial(self._keep, idle, connection)
        response.stream = Lent(response.stream, connection, give_back)
        return response

    def close(self) -> None:
        """Close what is idle now, and what is lent when it comes back."""
        self._closed = True
        for idle in self._idle.values():
            while idle:
                idle.pop().close()

    def _take(self, idle: list[httpcore.HTTPConnection]) -> httpcore.HTTPConnection | None:
        while idle:
            try:
                connection = idle.pop()
            except IndexError:  # another thread took the last one
                return None
            # Readable while idle means that the server closed it, or sent what nobody asked for.
            if not connection.has_expired():
                return connection
            connection.close()
        return None

    def _keep(
        self, idle: list[httpcore.HTTPConnection], connection: httpcore.HTTPConnection
    ) -> None:
        if self._closed or len(idle) >= IDLE_MAX:
            connection.close()
        else:
            idle.append(connection)

    def _new(self, origin: httpcore.Origin) -> httpcore.HTTPConnection:
        return httpcore.HTTPConnection(
            origin,
            ssl_context=self._ssl_context() if origin.scheme == b"https" else None,
            keepalive_expiry=IDLE_S,
            network_backend=self._dialer,
        )
