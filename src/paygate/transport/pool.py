"""The pool for threads: kept-alive connections of one account, newest first.

The core must know whether the first byte of a request may have left, and a deadline must hold for a
whole exchange, not for each read. Both are known only where bytes are written and read. So the
connections are our own, in both faces, and so are the parser of responses (`reading`) and the
writer of requests (`writing`).

A connection serves one exchange at a time. The one returned last is used first, so connections that
are not needed grow old and are dropped.
"""

from __future__ import annotations

import select
import socket
import time
from typing import TYPE_CHECKING, Final

from paygate.transport import names
from paygate.transport.network import HEAD_BYTES_MAX, closed_by_proxy, opened
from paygate.transport.reading import ConnectionEnded, ResponseReader, WholeResponse

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from paygate.transport.deadline import Deadline
    from paygate.transport.names import Endpoint
    from paygate.transport.network import Tunnel

IDLE_MAX: Final = 100
"""How many unused connections to one host are kept."""

IDLE_S: Final = 15.0
"""How long an unused connection is kept; load balancers drop them after 60 s or more."""

_READ_BYTES: Final = 65_536


class Line:
    """One connection, and the response that is read from it."""

    def __init__(self, plain: socket.socket) -> None:
        self.idle_since = 0.0
        self.reusable = False
        self._socket = plain

    def ask(self, message: bytes, clock: Deadline) -> WholeResponse:
        """Write *message* and return the whole response, by the deadline."""
        self.reusable = False
        reading = ResponseReader(
            bodiless=message.startswith(b"HEAD "), bytes_max=clock.answer_bytes_max
        )
        broken = self._write(message, clock)
        while reading.result is None:
            self._read(reading, clock, broken)
        if isinstance(reading.result, Exception):
            raise reading.result
        self.reusable = reading.reusable and broken is None
        return reading.result

    def _write(self, message: bytes, clock: Deadline) -> OSError | None:
        """Write *message*; return an error, since the server may have responded before it."""
        left = memoryview(message)
        wait_s = clock.leave()
        try:
            while left:
                self._socket.settimeout(wait_s)
                left = left[self._socket.send(left) :]
                wait_s = clock.left()
        except TimeoutError:
            raise
        except OSError as broken:
            return broken
        return None

    def _read(self, reading: ResponseReader, clock: Deadline, broken: OSError | None) -> None:
        self._socket.settimeout(clock.left())
        data = self._socket.recv(_READ_BYTES)
        if data:
            reading.feed(data)
        else:
            reading.end(broken or ConnectionEnded())

    @property
    def still(self) -> bool:
        """
        Return whether another exchange is possible.

        It is possible if the previous response was complete, nothing followed it, and the server
        has not closed the connection. Bytes after a response would be taken for the response to the
        next request, which belongs to another payment.
        """
        return self.reusable and not readable(self._socket.fileno())

    def drop(self) -> None:
        """Close the connection."""
        self._socket.close()


def readable(number: int) -> bool:
    """Return whether the socket *number* has data or has been closed by the other side."""
    if number < 0:
        return True
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(number, select.POLLIN)
        return bool(poll.poll(0))
    return bool(select.select([number], [], [], 0)[0])


class Dialer:
    """Makes connections, each under one deadline for all of its steps."""

    def __init__(self, ssl_context: Callable[[], ssl.SSLContext], tunnel: Tunnel | None) -> None:
        self._ssl_context = ssl_context
        self._tunnel = tunnel

    def connect(self, endpoint: Endpoint, clock: Deadline) -> Line:
        """Connect to *endpoint*, through the proxy if there is one, and verify its certificate."""
        found = self._tcp(endpoint, clock)
        try:
            if endpoint.tls_name is not None:
                found.settimeout(clock.left())
                context = self._ssl_context()
                found = context.wrap_socket(found, server_hostname=endpoint.tls_name)
            return Line(found)
        except BaseException:
            found.close()
            raise

    def _tcp(self, endpoint: Endpoint, clock: Deadline) -> socket.socket:
        if self._tunnel is None:
            return _connected(resolved(endpoint), endpoint.port, clock)
        target = resolved(endpoint)[0] if endpoint.checked else endpoint.name
        at = self._tunnel.endpoint
        found = _connected(resolved(at), at.port, clock)
        try:
            self._ask_proxy(found, self._tunnel.request(target, endpoint.port), clock)
        except BaseException:
            found.close()
            raise
        return found

    @staticmethod
    def _ask_proxy(proxy: socket.socket, message: bytes, clock: Deadline) -> None:
        """Have a tunnel opened; what a proxy receives is not part of the request."""
        proxy.settimeout(clock.left())
        proxy.sendall(message)
        head = b""
        while not opened(head):
            proxy.settimeout(clock.left())
            more = proxy.recv(HEAD_BYTES_MAX)
            if not more:
                raise closed_by_proxy()
            head += more


def resolved(endpoint: Endpoint) -> list[str]:
    """Return the addresses that a connection to *endpoint* may go to."""
    known = endpoint.known_address
    return names.allowed(
        endpoint, [known] if known else names.look_up(endpoint.name, endpoint.port)
    )


def _connected(addresses: list[str], port: int, clock: Deadline) -> socket.socket:
    """Connect to the first of *addresses* that responds; a name may have IPv4 and IPv6 ones."""
    failure: OSError | None = None
    for address in addresses:
        try:
            found = socket.create_connection((address, port), clock.left())
        except TimeoutError:
            raise
        except OSError as refused:
            failure = refused
        else:
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return found
    raise failure or OSError(0, "the name has no address")


class Pool:
    """Connections by endpoint; `list.pop` and `append` are safe to use from several threads."""

    def __init__(
        self, ssl_context: Callable[[], ssl.SSLContext], tunnel: Tunnel | None = None
    ) -> None:
        self._idle: dict[Endpoint, list[Line]] = {}
        self._dialer = Dialer(ssl_context, tunnel)
        self._closed = False

    def exchange(self, endpoint: Endpoint, message: bytes, clock: Deadline) -> WholeResponse:
        """Send *message* on a connection of its own, and return the response."""
        idle = self._idle.setdefault(endpoint, [])
        line = self._take(idle) or self._dialer.connect(endpoint, clock.to_connect())
        try:
            answer = line.ask(message, clock)
        except BaseException:
            line.drop()
            raise
        self._give_back(idle, line)
        return answer

    def close(self) -> None:
        """Close idle connections now, and those in use when they are returned."""
        self._closed = True
        for idle in list(self._idle.values()):
            while line := _popped(idle):
                line.drop()

    def _take(self, idle: list[Line]) -> Line | None:
        while line := _popped(idle):
            if line.still and not _old(line):
                return line
            line.drop()
        return None

    def _give_back(self, idle: list[Line], line: Line) -> None:
        if self._closed or len(idle) >= IDLE_MAX or not line.reusable:
            line.drop()
            return
        line.idle_since = time.monotonic()
        idle.append(line)
        # The newest are used first, so after a rush the oldest would stay open permanently.
        while idle and _old(idle[0]) and (oldest := _popped(idle, 0)):
            oldest.drop()


def _popped(idle: list[Line], at: int = -1) -> Line | None:
    try:
        return idle.pop(at)
    except IndexError:  # another thread took the last one
        return None


def _old(line: Line) -> bool:
    return time.monotonic() - line.idle_since > IDLE_S
