"""The pool for asyncio: the same lending as `pool`, on connections without a thread.

httpcore's own connections take locks, for they may be asked by several at once,
and h11 reads in Python what a parser in C reads in a tenth of the time. A
connection that is lent to one exchange at a time needs neither: it writes a
request that is ready, and lets `reading` make an answer of what comes.
"""

from __future__ import annotations

import asyncio
import select
from typing import TYPE_CHECKING, Any, Final, cast

import httpcore
import httpx
from typing_extensions import override

from paygate.transport.network import ProxyRefused, opened
from paygate.transport.pool import IDLE_MAX, IDLE_S, Address, Deadline, clock_of
from paygate.transport.reading import ResponseReader, WholeResponse
from paygate.transport.writing import written

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterable, Callable

    from paygate.transport.network import Tunnel

LENT_MAX: Final = 1_000
"""How many exchanges of an account are under way at once; who comes later waits his turn."""


class AsyncLine(asyncio.Protocol):
    """One connection, and the answer that is read from it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.idle_since = 0.0
        self._loop = loop
        self._reading: ResponseReader | None = None
        self._clock: Deadline | None = None
        self.ended = False
        self._transport: asyncio.Transport | None = None

    # --- what asyncio calls ---

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what we write to."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  (asyncio's own promise)
        self._transport = transport

    @override
    def data_received(self, data: bytes) -> None:
        """Read on; what nobody asked for is read by nobody."""
        if self._reading is None:
            self.ended = True
            self.drop()
        else:
            self._reading.feed(data)

    @override
    def eof_received(self) -> bool:
        """Note that nothing more will come."""
        self._end(httpx.RemoteProtocolError("the connection was closed"))
        return False

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the connection is gone, and why."""
        if exc is None:
            self._end(httpx.RemoteProtocolError("the connection was closed"))
        else:
            lost = httpx.ReadError("the connection was lost")
            lost.__cause__ = exc
            self._end(lost)

    def _end(self, lost: Exception) -> None:
        self.ended = True
        if self._reading is not None and self._clock is not None:
            # What was no HTTP before the connection ended stays that.
            self._clock.ended = not self._reading.told.done()
            self._reading.end(lost)

    # --- what the pool calls ---

    async def ask(self, message: bytes, clock: Deadline) -> WholeResponse:
        """Write *message* and read its answer whole, by the deadline."""
        assert self._transport is not None  # noqa: S101  (it is connected)
        left_s = clock.left()
        told: asyncio.Future[WholeResponse] = self._loop.create_future()
        reading = self._reading = ResponseReader(
            told, bodiless=message.startswith(b"HEAD "), bytes_max=clock.answer_bytes_max
        )
        self._clock = clock
        # In one piece: one segment, and one TLS record. Not waited for, since it is in memory
        # anyway; a failure shows on reading.
        self._transport.write(clock.outgoing(message))
        alarm = self._loop.call_later(left_s, _too_late, reading)
        try:
            answer = await told
            self.ended = self.ended or not reading.reusable
            return answer
        finally:
            alarm.cancel()
            self._reading = self._clock = None

    @property
    def still(self) -> bool:
        """
        Tell whether another exchange is possible.

        It is where the answer before came to its end, nothing followed it, and
        the server did not close the connection. Bytes that follow an answer
        would be taken for the answer to the next request, which is another
        payment's. They may have come while the event loop did something else,
        so the socket is asked, too.
        """
        return not self.ended and not self._readable()

    def _readable(self) -> bool:
        assert self._transport is not None  # noqa: S101  (it is connected)
        number = self._transport.get_extra_info("socket").fileno()
        if number < 0:
            return True
        if hasattr(select, "poll"):
            poll = select.poll()
            poll.register(number, select.POLLIN)
            return bool(poll.poll(0))
        return bool(select.select([number], [], [], 0)[0])

    def drop(self) -> None:
        """Close the connection at once, without waiting for the other side."""
        if self._transport is not None:
            self._transport.abort()


def _too_late(reading: ResponseReader) -> None:
    reading.fail(TimeoutError("the deadline of the exchange has passed"))


class _Asking(asyncio.Protocol):
    """Asks a proxy for a tunnel, and hears whether it is open."""

    def __init__(self, answer: asyncio.Future[None]) -> None:
        self.answer = answer
        self._head = b""

    @override
    def data_received(self, data: bytes) -> None:
        """Read on until the answer is whole."""
        self._head += data
        try:
            if opened(self._head) and not self.answer.done():
                self.answer.set_result(None)
        except ProxyRefused as refused:
            self._fail(refused)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the proxy says nothing more."""
        self._fail(exc or ProxyRefused(0, "the proxy closed the connection"))

    def _fail(self, fault: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(fault)


class AsyncPool:
    """Connections by origin, of one event loop."""

    def __init__(
        self, ssl_context: Callable[[], ssl.SSLContext], tunnel: Tunnel | None = None
    ) -> None:
        self._ssl_context = ssl_context
        self._tunnel = tunnel
        self._idle: dict[Address, list[AsyncLine]] = {}
        self._turns = asyncio.Semaphore(LENT_MAX)  # first come, first served
        self._closed = False
        self.loop = asyncio.get_running_loop()

    async def exchange(self, address: Address, message: bytes, clock: Deadline) -> WholeResponse:
        """Send *message* on a connection of its own, and read the answer."""
        if self._turns.locked():
            async with asyncio.timeout(clock.left()):
                await self._turns.acquire()
        else:
            await self._turns.acquire()
        try:
            idle = self._idle.setdefault(address, [])
            line = self._take(idle) or await self._connect(address, clock)
            try:
                answer = await line.ask(message, clock)
            except BaseException:
                line.drop()
                raise
            self._give_back(idle, line)
            return answer
        finally:
            self._turns.release()

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        """Do the same for httpx, which calls this where somebody records or replaces."""
        clock = clock_of(cast("Any", request).extensions["timeout"]["read"])
        origin = request.url.origin
        body = b"".join([part async for part in cast("AsyncIterable[bytes]", request.stream)])
        answer = await self.exchange(
            (origin.scheme, origin.host, origin.port),
            written(request.method, request.url.target, request.headers, body),
            clock,
        )
        version = b"HTTP/" + answer.version.encode()
        return httpcore.Response(
            answer.status,
            headers=[
                (name.encode("ascii"), text.encode("latin-1"))
                for name, text in answer.headers.items()
            ],
            content=answer.body,
            extensions={"http_version": version},
        )

    async def aclose(self) -> None:
        """Close what is idle now, and what is lent when it comes back."""
        self._closed = True
        for idle in self._idle.values():
            while idle:
                idle.pop().drop()
        # asyncio closes the sockets in its next round.
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
        # The newest are used first, so after a rush the oldest would lie here for ever.
        while idle and self._old(idle[0]):
            idle.pop(0).drop()

    def _old(self, line: AsyncLine) -> bool:
        return self.loop.time() - line.idle_since > IDLE_S

    async def _connect(self, address: Address, clock: Deadline) -> AsyncLine:
        """Connect to the first address of a host that answers; TCP_NODELAY is the default."""
        scheme, host, port = address
        if self._tunnel is not None:
            async with asyncio.timeout(clock.left()):
                return await self._through(self._tunnel, address)
        async with asyncio.timeout(clock.left()):
            _, line = await self.loop.create_connection(
                lambda: AsyncLine(self.loop),
                host.decode("ascii"),
                port,
                ssl=self._ssl_context() if scheme == b"https" else None,
            )
        return line

    async def _through(self, tunnel: Tunnel, address: Address) -> AsyncLine:
        """Connect through a proxy; what it hears is no part of the request."""
        scheme, host, port = address
        asking = _Asking(self.loop.create_future())
        plain, _ = await self.loop.create_connection(lambda: asking, tunnel.host, tunnel.port)
        line = AsyncLine(self.loop)
        transport: asyncio.BaseTransport | None = plain
        try:
            plain.write(tunnel.request(host, port))
            await asking.answer
            if scheme == b"https":
                transport = await self.loop.start_tls(
                    plain, line, self._ssl_context(), server_hostname=host.decode("ascii")
                )
            else:
                plain.set_protocol(line)
        except BaseException:
            asking.answer.cancel()
            plain.abort()
            raise
        assert transport is not None  # noqa: S101  (None is for a transport that is closing)
        line.connection_made(transport)
        return line
