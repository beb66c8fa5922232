"""The pool for asyncio: the same rules as `pool`, on connections without threads.

A connection serves one exchange at a time, so it needs no lock: it writes a complete request, and
lets `reading` parse the response.

Why not aiohttp? An adapter of 95 lines was tested against the same tests. aiohttp reuses a
connection on which bytes followed a response, so that they become the response to another payment's
request; it accepts folded headers and lines without a carriage return; and it does not say whether
a fault in a proxy or in TLS happened before the request had left. Its pool exposes none of that.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Final, TypeVar

from typing_extensions import override

from paygate.transport import names
from paygate.transport.network import ProxyRefused, closed_by_proxy, opened
from paygate.transport.pool import IDLE_MAX, IDLE_S, readable
from paygate.transport.reading import ConnectionEnded, ResponseReader, WholeResponse

if TYPE_CHECKING:
    from collections.abc import Callable

    from paygate.transport.deadline import Deadline
    from paygate.transport.names import Endpoint
    from paygate.transport.network import Tunnel

P = TypeVar("P", bound=asyncio.Protocol)

LENT_MAX: Final = 1_000
"""How many exchanges of an account are under way at once; further ones queue."""


class AsyncLine(asyncio.Protocol):
    """One connection, and the response that is read from it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.idle_since = 0.0
        self.ended = False
        self._loop = loop
        self._reading: ResponseReader | None = None
        self._done: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None

    # --- called by asyncio ---

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what we write to."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  (asyncio's own promise)
        self._transport = transport

    @override
    def data_received(self, data: bytes) -> None:
        """Parse *data*, or drop the connection if no response is expected."""
        if self._reading is None:
            self.ended = True
            self.drop()
        else:
            self._reading.feed(data)
            self._settle()

    @override
    def eof_received(self) -> bool:
        """Record that nothing more will come."""
        self._end(ConnectionEnded())
        return False

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        """Record that the connection is gone, and why."""
        self._end(exc or ConnectionEnded())

    def _end(self, lost: Exception) -> None:
        self.ended = True
        if self._reading is not None:
            self._reading.end(lost)
            self._settle()

    def _settle(self) -> None:
        """Wake up the task that waits for the response, if that is complete."""
        reading, done = self._reading, self._done
        if reading is None or reading.result is None or done is None or done.done():
            return
        done.set_result(None)

    # --- called by the pool ---

    async def ask(self, message: bytes, clock: Deadline) -> WholeResponse:
        """Write *message* and return the whole response, by the deadline."""
        assert self._transport is not None  # noqa: S101  (it is connected)
        left_s = clock.leave()
        reading = self._reading = ResponseReader(
            bodiless=message.startswith(b"HEAD "), bytes_max=clock.answer_bytes_max
        )
        self._done = self._loop.create_future()
        # In one piece: one segment, and one TLS record. There is nothing to await, since it is in
        # memory anyway; a failure shows when the response is read.
        self._transport.write(message)
        alarm = self._loop.call_later(left_s, self._too_late)
        try:
            await self._done
        finally:
            alarm.cancel()
            self._reading = self._done = None
        self.ended = self.ended or not reading.reusable
        match reading.result:
            case WholeResponse():
                return reading.result
            case error:
                raise error or ConnectionEnded()

    def _too_late(self) -> None:
        if self._reading is not None:
            self._reading.fail(TimeoutError("the deadline of the exchange has passed"))
            self._settle()

    @property
    def still(self) -> bool:
        """
        Return whether another exchange is possible; see `pool.Line.still`.

        Bytes may have arrived while the event loop was busy, so the socket is checked too.
        """
        return not self.ended and not self._readable()

    def _readable(self) -> bool:
        assert self._transport is not None  # noqa: S101  (it is connected)
        return readable(self._transport.get_extra_info("socket").fileno())

    def drop(self) -> None:
        """Close the connection at once, without waiting for the other side."""
        if self._transport is not None:
            self._transport.abort()


class _Asking(asyncio.Protocol):
    """Asks a proxy for a tunnel, and reads whether it is open."""

    def __init__(self, opening: asyncio.Future[None]) -> None:
        self._opening = opening
        self._head = b""
        self._transport: asyncio.Transport | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what we write to."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  (asyncio's own promise)
        self._transport = transport

    @override
    def data_received(self, data: bytes) -> None:
        """Read until the proxy's response is complete."""
        self._head += data
        try:
            if opened(self._head) and not self._opening.done():
                self._opening.set_result(None)
        except ProxyRefused as refused:
            self._fail(refused)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        """Record that the proxy has closed the connection."""
        self._fail(exc or closed_by_proxy())

    def _fail(self, fault: Exception) -> None:
        if not self._opening.done():
            self._opening.set_exception(fault)

    async def ask(self, message: bytes) -> asyncio.Transport:
        """Ask for the tunnel, and return its transport."""
        assert self._transport is not None  # noqa: S101  (it is connected)
        self._transport.write(message)
        await self._opening
        return self._transport

    def drop(self) -> None:
        """Close the connection at once, and discard its outcome."""
        self._opening.cancel()
        if self._transport is not None:
            self._transport.abort()


class AsyncDialer:
    """Makes the connections of one event loop; the caller sets the deadline."""

    def __init__(
        self,
        ssl_context: Callable[[], ssl.SSLContext],
        tunnel: Tunnel | None,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._ssl_context = ssl_context
        self._tunnel = tunnel
        self._loop = loop

    async def connect(self, endpoint: Endpoint) -> AsyncLine:
        """Connect to *endpoint*, through the proxy if there is one, and verify its certificate."""
        if self._tunnel is not None:
            return await self._through(self._tunnel, endpoint)
        return await self._connected(lambda: AsyncLine(self._loop), endpoint, tls=True)

    async def _connected(self, make: Callable[[], P], endpoint: Endpoint, *, tls: bool) -> P:
        """Connect to the first address that responds; TCP_NODELAY is the default."""
        name = endpoint.tls_name if tls else None
        failure: OSError | None = None
        for address in await self._resolved(endpoint):
            try:
                _, line = await self._loop.create_connection(
                    make,
                    address,
                    endpoint.port,
                    ssl=None if name is None else self._ssl_context(),
                    server_hostname=name,
                )
            except ssl.SSLError:
                raise  # a server responded, but not the right one
            except OSError as refused:
                failure = refused
            else:
                return line
        raise failure or OSError(0, "the name has no address")

    async def _resolved(self, endpoint: Endpoint) -> list[str]:
        known = endpoint.known_address
        found = (
            [known]
            if known
            else await asyncio.to_thread(names.look_up, endpoint.name, endpoint.port)
        )
        return names.allowed(endpoint, found)

    async def _through(self, tunnel: Tunnel, endpoint: Endpoint) -> AsyncLine:
        """Connect through a proxy; what it receives is not part of the request."""
        target = (await self._resolved(endpoint))[0] if endpoint.checked else endpoint.name
        asking = await self._connected(
            lambda: _Asking(self._loop.create_future()), tunnel.endpoint, tls=False
        )
        line = AsyncLine(self._loop)
        try:
            plain = await asking.ask(tunnel.request(target, endpoint.port))
            transport: asyncio.BaseTransport | None = plain
            if endpoint.tls_name is None:
                plain.set_protocol(line)
            else:
                transport = await self._loop.start_tls(
                    plain, line, self._ssl_context(), server_hostname=endpoint.tls_name
                )
        except BaseException:
            asking.drop()
            raise
        assert transport is not None  # noqa: S101  (None is for a transport that is closing)
        line.connection_made(transport)
        return line


class AsyncPool:
    """The connections of one event loop, by endpoint."""

    def __init__(
        self, ssl_context: Callable[[], ssl.SSLContext], tunnel: Tunnel | None = None
    ) -> None:
        self._idle: dict[Endpoint, list[AsyncLine]] = {}
        self._turns = asyncio.Semaphore(LENT_MAX)  # first come, first served
        self._closed = False
        self.loop = asyncio.get_running_loop()
        self._dialer = AsyncDialer(ssl_context, tunnel, self.loop)

    async def exchange(self, endpoint: Endpoint, message: bytes, clock: Deadline) -> WholeResponse:
        """Send *message* on a connection of its own, and return the response."""
        if self._turns.locked():
            async with asyncio.timeout(clock.left()):
                await self._turns.acquire()
        else:
            await self._turns.acquire()
        try:
            idle = self._idle.setdefault(endpoint, [])
            line = self._take(idle) or await self._connect(endpoint, clock)
            try:
                answer = await line.ask(message, clock)
            except BaseException:
                line.drop()
                raise
            self._give_back(idle, line)
            return answer
        finally:
            self._turns.release()

    async def aclose(self) -> None:
        """Close idle connections now, and those in use when they are returned."""
        self._closed = True
        for idle in self._idle.values():
            while idle:
                idle.pop().drop()
        # asyncio closes the sockets in the next iteration of its loop.
        await asyncio.sleep(0)

    def _take(self, idle: list[AsyncLine]) -> AsyncLine | None:
        while idle:
            line = idle.pop()
            if line.still and not self._old(line):
                return line
            line.drop()
        return None

    def _give_back(self, idle: list[AsyncLine], line: AsyncLine) -> None:
        if self._closed or len(idle) >= IDLE_MAX or line.ended:
            line.drop()
            return
        line.idle_since = self.loop.time()
        idle.append(line)
        # The newest are used first, so after a rush the oldest would stay open permanently.
        while idle and self._old(idle[0]):
            idle.pop(0).drop()

    def _old(self, line: AsyncLine) -> bool:
        return self.loop.time() - line.idle_since > IDLE_S

    async def _connect(self, endpoint: Endpoint, clock: Deadline) -> AsyncLine:
        async with asyncio.timeout(clock.to_connect().left()):
            return await self._dialer.connect(endpoint)
