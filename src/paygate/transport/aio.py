"""The pool for asyncio: the same lending as `pool`, on connections without a thread.

The deadline is not in here: the async transport cancels the whole exchange.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import httpcore

from paygate.transport.pool import IDLE_MAX, IDLE_S, Address, SocketOptions, clock_of, reusable

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable

GiveBack: TypeAlias = "Callable[[], Awaitable[None]]"

UNREAD_MAX = 256 * 1024
"""How much is taken in before the server is told to wait."""


class AsyncLine(asyncio.Protocol, httpcore.AsyncNetworkStream):
    """One connection; what arrives waits here until it is read."""

    def __init__(self) -> None:
        self._unread = bytearray()
        self._ended = False
        self._lost: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None

    # --- what asyncio calls ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what we write to."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  (asyncio's own promise)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Keep what arrived until it is read."""
        self._unread += data
        if len(self._unread) > UNREAD_MAX and self._transport is not None:
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        """Note that nothing more will come."""
        self._ended = True
        self._wake()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the connection is gone, and why."""
        self._ended = True
        self._lost = exc
        self._wake()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    # --- what httpcore calls ---

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        """Read what is there, or wait for it."""
        while not self._unread and not self._ended:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        data = bytes(self._unread[:max_bytes])
        del self._unread[:max_bytes]
        if data:
            if self._transport is not None and not self._ended:
                self._transport.resume_reading()
            return data
        if self._lost is not None:
            raise httpcore.ReadError(type(self._lost).__name__)
        clock_of(timeout).ended = True
        return b""

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Write *buffer*, after which it may have left."""
        data = clock_of(timeout).outgoing(buffer)
        if data and self._transport is not None:
            # Not waited for: a body is in memory anyway, and a failure shows on reading.
            self._transport.write(data)

    async def aclose(self) -> None:
        """Close the connection at once, without waiting for the other side."""
        self.drop()

    def drop(self) -> None:
        """Close the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,  # noqa: ARG002
        server_hostname: str | None = None,  # noqa: ARG002
        timeout: float | None = None,  # noqa: ARG002, ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        """Do nothing: asyncio connects and shakes hands in one call."""
        return self

    def get_extra_info(self, info: str) -> Any:
        """Tell httpcore whether an idle connection has become readable, which means closed."""
        if info == "is_readable":
            return bool(self._unread) or self._ended
        return None if self._transport is None else self._transport.get_extra_info(info)


class AsyncDialer(httpcore.AsyncNetworkBackend):
    """Makes connections, with TLS where the pool says so."""

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        self._tls = tls

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109
        local_address: str | None = None,  # noqa: ARG002
        socket_options: SocketOptions = None,  # noqa: ARG002
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address of *host* that answers; TCP_NODELAY is asyncio's default."""
        _, line = await asyncio.get_running_loop().create_connection(
            AsyncLine, host, port, ssl=self._tls
        )
        return line


class AsyncLent:
    """The body of an answer; closing it gives the connection back."""

    def __init__(
        self, stream: Any, connection: httpcore.AsyncHTTPConnection, give_back: GiveBack
    ) -> None:
        self._stream = stream
        self._connection = connection
        self._give_back = give_back

    def __aiter__(self) -> AsyncIterator[bytes]:
        parts: AsyncIterator[bytes] = aiter(self._stream)
        return parts

    async def aclose(self) -> None:
        """End the answer. What was read to its end can be used again; the rest cannot."""
        await self._stream.aclose()
        if reusable(self._connection):
            await self._give_back()
        else:
            await self._connection.aclose()


class AsyncPool:
    """Connections by origin, of one event loop."""

    def __init__(self, ssl_context: Callable[[], ssl.SSLContext]) -> None:
        self._ssl_context = ssl_context
        self._idle: dict[Address, list[httpcore.AsyncHTTPConnection]] = {}
        self._closed = False
        self.loop = asyncio.get_running_loop()

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        """Send *request* on a connection of its own; httpx calls this."""
        origin = request.url.origin
        idle = self._idle.setdefault((origin.scheme, origin.host, origin.port), [])
        connection = await self._take(idle) or self._new(origin)
        try:
            response = await connection.handle_async_request(request)
        except BaseException:
            await connection.aclose()
            raise
        give_back = partial(self._keep, idle, connection)
        response.stream = AsyncLent(response.stream, connection, give_back)
        return response

    async def aclose(self) -> None:
        """Close what is idle now, and what is lent when it comes back."""
        self._closed = True
        for idle in self._idle.values():
            while idle:
                await idle.pop().aclose()
        # asyncio closes the sockets in its next round.
        await asyncio.sleep(0)

    async def _take(
        self, idle: list[httpcore.AsyncHTTPConnection]
    ) -> httpcore.AsyncHTTPConnection | None:
        while idle:
            connection = idle.pop()
            if not connection.has_expired():
                return connection
            await connection.aclose()
        return None

    async def _keep(
        self, idle: list[httpcore.AsyncHTTPConnection], connection: httpcore.AsyncHTTPConnection
    ) -> None:
        if self._closed or len(idle) >= IDLE_MAX:
            await connection.aclose()
        else:
            idle.append(connection)

    def _new(self, origin: httpcore.Origin) -> httpcore.AsyncHTTPConnection:
        tls = self._ssl_context() if origin.scheme == b"https" else None
        return httpcore.AsyncHTTPConnection(
            origin,
            ssl_context=tls,
            keepalive_expiry=IDLE_S,
            network_backend=AsyncDialer(tls),
        )
