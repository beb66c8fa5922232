"""The pool for asyncio: the same lending as `pool`, on connections without a thread.

The deadline is not in here: the async transport cancels the whole exchange.

httpcore's own connections take locks, for they may be asked by several at once;
each costs a turn of the event loop. A connection that is lent to one exchange
needs none, so httpx stands on h11, which speaks the protocol, directly.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, cast

import h11
import httpcore

from paygate.transport.pool import IDLE_MAX, IDLE_S, Address, Clock, clock_of

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterable, AsyncIterator, Callable

LENT_MAX: Final = 1_000
"""How many exchanges of an account are under way at once; who comes later waits his turn."""

UNREAD_MAX: Final = 256 * 1024
"""How much is taken in before the server is told to wait."""

READ_MAX: Final = 64 * 1024

HEAD_MAX: Final = 100 * 1024
"""The largest head of an answer that is read."""


class AsyncLine(asyncio.Protocol):
    """One connection: what arrives waits here until it is read, and h11 reads it."""

    def __init__(self) -> None:
        self.idle_since = 0.0
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_MAX)
        self._unread = bytearray()
        self._ended = False
        self._paused = False
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
            self._paused = True
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

    # --- one exchange ---

    async def ask(self, request: httpcore.Request, clock: Clock) -> h11.Response:
        """Write *request* whole and read the head of its answer."""
        try:
            data = self._send(
                h11.Request(
                    method=request.method, target=request.url.target, headers=request.headers
                )
            )
            async for part in cast("AsyncIterable[bytes]", request.stream):
                data += self._send(h11.Data(data=part))
            data += self._send(h11.EndOfMessage())
        except h11.LocalProtocolError as error:
            raise httpcore.LocalProtocolError(str(error)) from None
        # In one piece: one segment, and one TLS record. Not waited for, since it is in memory
        # anyway; a failure shows on reading.
        if self._transport is not None:
            self._transport.write(clock.outgoing(data))
        while True:
            event = await self.event(clock)
            if isinstance(event, h11.Response):
                return event

    def _send(self, event: h11.Event) -> bytes:
        return self._http.send(event) or b""

    async def event(self, clock: Clock) -> Any:
        """Read until h11 knows what came: a head, a part of the body, or its end."""
        while True:
            try:
                event = self._http.next_event()
                if event is not h11.NEED_DATA:
                    return event
                data = await self._read(clock)
                if not data and self._http.their_state is h11.SEND_RESPONSE:
                    raise httpcore.RemoteProtocolError("the server sent no answer")
                self._http.receive_data(data)
            except h11.RemoteProtocolError as error:
                raise httpcore.RemoteProtocolError(str(error)) from None

    async def _read(self, clock: Clock) -> bytes:
        while not self._unread and not self._ended:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        data = bytes(self._unread[:READ_MAX])
        if data:
            del self._unread[:READ_MAX]
            if self._paused and not self._ended and self._transport is not None:
                self._paused = False
                self._transport.resume_reading()
        elif self._lost is not None:
            raise httpcore.ReadError(type(self._lost).__name__)
        else:
            clock.ended = True
        return data

    # --- between exchanges ---

    def rest(self) -> bool:
        """
        Get ready for another exchange, and tell whether that is possible.

        Bytes that follow an answer would be taken for the answer to the next
        request, which is another payment's: then it is not.
        """
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        beyond, ended = self._http.trailing_data
        if beyond or ended:
            return False
        self._http.start_next_cycle()
        return self.still

    @property
    def still(self) -> bool:
        """Tell whether the server neither closed the connection nor sent what we did not ask."""
        return not self._unread and not self._ended

    def drop(self) -> None:
        """Close the connection at once, without waiting for the other side."""
        if self._transport is not None:
            self._transport.abort()


class Answer:
    """The body of an answer; closing it gives the connection back, once."""

    def __init__(self, line: AsyncLine, clock: Clock, give_back: Callable[[], None]) -> None:
        self._line = line
        self._clock = clock
        self._give_back: Callable[[], None] | None = give_back

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            event = await self._line.event(self._clock)
            if not isinstance(event, h11.Data):
                return
            yield bytes(event.data)

    async def aclose(self) -> None:
        """End the answer. What was read to its end can be used again; the rest cannot."""
        give_back, self._give_back = self._give_back, None
        if give_back is not None:
            give_back()


class AsyncPool:
    """Connections by origin, of one event loop."""

    def __init__(self, ssl_context: Callable[[], ssl.SSLContext]) -> None:
        self._ssl_context = ssl_context
        self._idle: dict[Address, list[AsyncLine]] = {}
        self._turns = asyncio.Semaphore(LENT_MAX)  # first come, first served
        self._closed = False
        self.loop = asyncio.get_running_loop()

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        """Send *request* on a connection of its own; httpx calls this."""
        clock = clock_of(cast("Any", request).extensions["timeout"]["read"])
        origin = request.url.origin
        idle = self._idle.setdefault((origin.scheme, origin.host, origin.port), [])
        await self._turns.acquire()
        line = None
        try:
            line = self._take(idle) or await self._connect(origin)
            head = await line.ask(request, clock)
        except BaseException:
            self._turns.release()
            if line is not None:
                line.drop()
            raise
        return httpcore.Response(
            head.status_code,
            headers=head.headers.raw_items(),
            content=Answer(line, clock, lambda: self._give_back(idle, line)),
            extensions={
                "http_version": b"HTTP/" + head.http_version,
                "reason_phrase": bytes(head.reason),
            },
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
        self._turns.release()
        if self._closed or len(idle) >= IDLE_MAX or not line.rest():
            line.drop()
            return
        line.idle_since = self.loop.time()
        idle.append(line)
        # The newest are used first, so after a rush the oldest would lie here for ever.
        while idle and self._old(idle[0]):
            idle.pop(0).drop()

    def _old(self, line: AsyncLine) -> bool:
        return self.loop.time() - line.idle_since > IDLE_S

    async def _connect(self, origin: httpcore.Origin) -> AsyncLine:
        """Connect to the first address of a host that answers; TCP_NODELAY is the default."""
        _, line = await self.loop.create_connection(
            AsyncLine,
            origin.host.decode("ascii"),
            origin.port,
            ssl=self._ssl_context() if origin.scheme == b"https" else None,
        )
        return line
