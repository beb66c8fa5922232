"""Exchanges over stock httpx, used while its handler is replaced.

vcrpy, pytest-httpx and measuring tools replace the handler of httpx's transports. A test that
relies on them must never reach a processor, so as soon as the handler is not httpx's own, exchanges
go through it. Less is known then: httpx shows only by the type of its error whether something was
sent, and its time limit applies to each read. Any error that is not a failure to connect counts as
possibly sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import contextmanager
from types import FunctionType
from typing import TYPE_CHECKING, Final, Generic, TypeAlias, TypeVar, cast

import httpx

from paygate.transport import redact
from paygate.transport.pool import IDLE_MAX, IDLE_S, resolved
from paygate.transport.reading import WholeResponse, too_large
from paygate.transport.writing import headers_of, place_of

if TYPE_CHECKING:
    import ssl
    from collections.abc import Generator

    from paygate.dialogue import Request
    from paygate.transport.deadline import Deadline
    from paygate.transport.names import Endpoint
    from paygate.transport.network import Tunnel

T = TypeVar("T")

_NOT_CONNECTED: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
)


def is_replaced(handler: object, constructor: object) -> bool:
    """
    Return whether *handler*, of one of httpx's classes, is not httpx's own.

    It is not compared with its value at import, which may have happened during a recording. httpx's
    own handler is defined in the same module as its *constructor*.
    """
    return not (
        isinstance(handler, FunctionType)
        and handler.__globals__ is cast("FunctionType", constructor).__globals__
    )


Make: TypeAlias = Callable[["ssl.SSLContext", httpx.Limits, httpx.Proxy | None], T]


class _Stock(Generic[T]):
    """Transports of httpx, one per exchange: one with many connections is slow."""

    def __init__(
        self, make: Make[T], ssl_context: Callable[[], ssl.SSLContext], tunnel: Tunnel | None
    ) -> None:
        self._make = make
        self._ssl_context = ssl_context
        self._tunnel = tunnel
        self._idle: list[T] = []
        redact.silence_httpcore()

    def take(self) -> T:
        """Return a transport, the one that was used last."""
        try:
            return self._idle.pop()
        except IndexError:
            limits = httpx.Limits(max_connections=1, keepalive_expiry=IDLE_S)
            return self._make(self._ssl_context(), limits, _proxy(self._tunnel))

    def give_back(self, transport: T) -> bool:
        """Keep *transport* for another exchange, and return whether there was room."""
        if len(self._idle) < IDLE_MAX:
            self._idle.append(transport)
            return True
        return False

    def all(self) -> list[T]:
        """Return all transports that are not in use, and forget them."""
        idle, self._idle = self._idle, []
        return idle


def _proxy(tunnel: Tunnel | None) -> httpx.Proxy | None:
    if tunnel is None:
        return None
    host = f"[{tunnel.endpoint.name}]" if b":" in tunnel.endpoint.host else tunnel.endpoint.name
    return httpx.Proxy(
        f"http://{host}:{tunnel.endpoint.port}",
        headers={"proxy-authorization": tunnel.authorization.reveal()},
    )


class StockPool:
    """Exchanges through httpx's sync transport."""

    def __init__(self, ssl_context: Callable[[], ssl.SSLContext], tunnel: Tunnel | None) -> None:
        self._stock = _Stock(_transport, ssl_context, tunnel)

    @staticmethod
    def wanted() -> bool:
        """Return whether exchanges must go through here."""
        return is_replaced(httpx.HTTPTransport.handle_request, httpx.HTTPTransport.__init__)

    def exchange(self, request: Request, endpoint: Endpoint, clock: Deadline) -> WholeResponse:
        """Send *request* and read the answer."""
        transport = self._stock.take()
        with _judged(clock):
            try:
                address = resolved(endpoint)[0] if endpoint.checked else ""
                answer = transport.handle_request(wire_request(request, clock.left(), address))
                body = _Body(clock)
                try:
                    for part in cast("httpx.SyncByteStream", answer.stream):
                        body.add(part)
                finally:
                    answer.close()
            except BaseException:
                transport.close()
                raise
        if not self._stock.give_back(transport):
            transport.close()
        return _whole(answer, body)

    def close(self) -> None:
        """Close the connections."""
        for transport in self._stock.all():
            transport.close()


class AsyncStockPool:
    """Exchanges through httpx's transport for asyncio."""

    def __init__(self, ssl_context: Callable[[], ssl.SSLContext], tunnel: Tunnel | None) -> None:
        self._stock = _Stock(_async_transport, ssl_context, tunnel)

    @staticmethod
    def wanted() -> bool:
        """Return whether exchanges must go through here."""
        transport = httpx.AsyncHTTPTransport
        return is_replaced(transport.handle_async_request, transport.__init__)

    async def exchange(
        self, request: Request, endpoint: Endpoint, clock: Deadline
    ) -> WholeResponse:
        """Send *request* and read the answer."""
        transport = self._stock.take()
        with _judged(clock):
            try:
                async with asyncio.timeout(clock.left()):
                    known = (
                        await asyncio.to_thread(resolved, endpoint) if endpoint.checked else [""]
                    )
                    wire = wire_request(request, clock.left(), known[0])
                    answer = await transport.handle_async_request(wire)
                    body = _Body(clock)
                    try:
                        async for part in cast("httpx.AsyncByteStream", answer.stream):
                            body.add(part)
                    finally:
                        await answer.aclose()
            except BaseException:
                await transport.aclose()
                raise
        if not self._stock.give_back(transport):
            await transport.aclose()
        return _whole(answer, body)

    async def aclose(self) -> None:
        """Close the connections."""
        for transport in self._stock.all():
            await transport.aclose()


def _transport(
    context: ssl.SSLContext, limits: httpx.Limits, proxy: httpx.Proxy | None
) -> httpx.HTTPTransport:
    return httpx.HTTPTransport(verify=context, trust_env=False, limits=limits, proxy=proxy)


def _async_transport(
    context: ssl.SSLContext, limits: httpx.Limits, proxy: httpx.Proxy | None
) -> httpx.AsyncHTTPTransport:
    return httpx.AsyncHTTPTransport(verify=context, trust_env=False, limits=limits, proxy=proxy)


def wire_request(request: Request, timeout_s: float, address: str = "") -> httpx.Request:
    """Return *request* as one of httpx's, sent to *address* if that is given."""
    url, headers = httpx.URL(request.url), headers_of(request)
    extensions: dict[str, object] = {
        "timeout": dict.fromkeys(("connect", "read", "write", "pool"), timeout_s)
    }
    if address:
        headers = {"host": place_of(request.url).host.decode()} | headers
        extensions["sni_hostname"] = url.host
        url = url.copy_with(host=address)
    return httpx.Request(
        request.method, url, headers=headers, content=request.body, extensions=extensions
    )


@contextmanager
def _judged(clock: Deadline) -> Generator[None]:
    """Record whether the request may have been sent, as far as the type of an error shows."""
    quiet = redact.exchanging.set(True)
    try:
        yield
    except _NOT_CONNECTED:
        raise
    except BaseException:
        clock.sent = True
        raise
    finally:
        redact.exchanging.reset(quiet)


class _Body:
    """The part of a response's body that has been read, up to the limit of its request."""

    def __init__(self, clock: Deadline) -> None:
        self._clock = clock
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, part: bytes) -> None:
        _ = self._clock.left()
        self._size += len(part)
        if self._size > self._clock.answer_bytes_max:
            raise too_large(self._clock.answer_bytes_max)
        self._parts.append(part)

    def whole(self) -> bytes:
        return b"".join(self._parts)


def _whole(answer: httpx.Response, body: _Body) -> WholeResponse:
    headers: dict[str, str] = {}
    for raw_name, raw_text in answer.headers.raw:
        name, text = raw_name.decode("latin-1").lower(), raw_text.decode("latin-1")
        headers[name] = f"{headers[name]}, {text}" if name in headers else text
    return WholeResponse(answer.status_code, "1.1", headers, body.whole())
