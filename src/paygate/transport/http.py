"""HTTP for dialogues: send a `Request`, return a `Response` or raise one of three faults.

What a fault proves decides what happens to the money; see `faults`. The deadline covers the whole
exchange. No redirect is followed, no cookie kept, no proxy taken from the environment, and
certificates are verified.

The connections are our own (see `pool` and `aio`). If httpx's handler has been replaced, in order
to record or to simulate a processor, the exchange goes through that instead (see `stock`).
"""

from __future__ import annotations

import asyncio
import os
from functools import cache
from typing import TYPE_CHECKING, Final

import httpx

from paygate.errors import InvalidValue, NotAllowedHere
from paygate.transport.aio import AsyncPool
from paygate.transport.deadline import TIMEOUT_S, Deadline
from paygate.transport.faults import fault_of
from paygate.transport.names import Endpoint, literal
from paygate.transport.network import Network
from paygate.transport.pool import Pool
from paygate.transport.stock import AsyncStockPool, StockPool
from paygate.transport.unpacking import response
from paygate.transport.writing import message

if TYPE_CHECKING:
    import ssl

    from paygate.dialogue import Request, Response
    from paygate.transport.reading import WholeResponse

# In a forked child the parent's connections are neither used nor closed: they are kept here,
# because a TLS or asyncio transport would close when collected, and send to the server.
_abandoned: Final[list[object]] = []


class _Http:
    """What both faces share: the network of an account, and its time limits."""

    def __init__(
        self,
        *,
        timeout_s: float = TIMEOUT_S,
        ssl_context: ssl.SSLContext | None = None,
        network: Network | None = None,
    ) -> None:
        self._network = network or Network()
        self._timeout_s = timeout_s if self._network.timeout_s is None else self._network.timeout_s
        self._given_context = ssl_context
        self._closed = False
        self._process = os.getpid()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(timeout_s={self._timeout_s})"

    def _context(self) -> ssl.SSLContext:
        return self._given_context or self._network.tls() or _verifying()

    def _ready(self, request: Request) -> tuple[Endpoint, bytes, Deadline]:
        """Return the endpoint, bytes and deadline of *request*, or raise if it is not valid."""
        if self._closed:
            raise NotAllowedHere("the transport is closed; open the cashier again")
        (scheme, host, port), written = message(request)
        if request.address and not literal(request.address):
            raise InvalidValue(f"{request.step}: the address of a request is an IP address")
        pinned = request.address or self._network.address_of(host)
        endpoint = Endpoint(scheme, host, port, pinned, request.public_only)
        clock = Deadline.of(request, self._timeout_s, self._network.connect_timeout_s)
        return endpoint, written, clock


class HttpTransport(_Http):
    """HTTP for one gateway account, sync; thread-safe."""

    def __init__(
        self,
        *,
        timeout_s: float = TIMEOUT_S,
        ssl_context: ssl.SSLContext | None = None,
        network: Network | None = None,
    ) -> None:
        super().__init__(timeout_s=timeout_s, ssl_context=ssl_context, network=network)
        self._open()

    def _open(self) -> None:
        self._process = os.getpid()
        self._pool = Pool(self._context, self._network.tunnel)
        self._stock = StockPool(self._context, self._network.tunnel)

    def exchange(self, request: Request) -> Response:
        """Send *request* and read its answer, or raise `NotSent`, `NoResponse` or `BadResponse`."""
        endpoint, written, clock = self._ready(request)
        if self._process != os.getpid():
            self.abandon()
        try:
            answer = self._answer(request, endpoint, written, clock)
            return _response(answer, clock)
        except Exception as error:  # noqa: BLE001  (whatever it was, it decides about money)
            fault = fault_of(request, error, sent=clock.sent)
        # Raised out here, so that it carries no traceback whose frames hold the headers.
        raise fault

    def _answer(
        self, request: Request, endpoint: Endpoint, written: bytes, clock: Deadline
    ) -> WholeResponse:
        if self._stock.wanted():
            return self._stock.exchange(request, endpoint, clock)
        return self._pool.exchange(endpoint, written, clock)

    def close(self) -> None:
        """Close the connections; an exchange under way ends first."""
        self._closed = True
        if self._process == os.getpid():
            self._pool.close()
            self._stock.close()

    def abandon(self) -> None:
        """Forget the connections of the parent process, in a forked child, and make new ones."""
        _abandoned.append((self._pool, self._stock))
        self._open()


class AsyncHttpTransport(_Http):
    """HTTP for one gateway account, for asyncio; used in one event loop at a time."""

    _pools: tuple[AsyncPool, AsyncStockPool] | None = None

    async def exchange(self, request: Request) -> Response:
        """Send *request* and read its answer, or raise `NotSent`, `NoResponse` or `BadResponse`."""
        endpoint, written, clock = self._ready(request)
        pool, stock = self._pools_here()
        try:
            if stock.wanted():
                answer = await stock.exchange(request, endpoint, clock)
            else:
                answer = await pool.exchange(endpoint, written, clock)
            return _response(answer, clock)
        except Exception as error:  # noqa: BLE001  (whatever it was, it decides about money)
            fault = fault_of(request, error, sent=clock.sent)
        raise fault

    async def aclose(self) -> None:
        """Close the connections; an exchange under way ends first."""
        self._closed = True
        if self._pools is not None and self._usable(self._pools[0]):
            for pool in self._pools:
                await pool.aclose()

    def abandon(self) -> None:
        """Forget connections that belong to another process or event loop."""
        _abandoned.append(self._pools)
        self._pools = None
        self._process = os.getpid()

    def _pools_here(self) -> tuple[AsyncPool, AsyncStockPool]:
        if self._pools is not None and not self._usable(self._pools[0]):
            self.abandon()
        if self._pools is None:
            tunnel = self._network.tunnel
            self._pools = AsyncPool(self._context, tunnel), AsyncStockPool(self._context, tunnel)
        return self._pools

    def _usable(self, pool: AsyncPool) -> bool:
        return self._process == os.getpid() and pool.loop is asyncio.get_running_loop()


def _response(answer: WholeResponse, clock: Deadline) -> Response:
    return response(answer.status, answer.headers, answer.body, clock.answer_bytes_max)


@cache
def _verifying() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)
