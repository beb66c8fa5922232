"""HTTP for dialogues: a `Request` goes out, and a `Response` or one of three faults comes back.

What a fault proves decides what happens to the money:

- `NotSent`: not one byte of the request was handed to a connection: name look-up,
  connecting or TLS failed, or the deadline passed before.
- `NoResponse`: bytes may have left, and the connection or the deadline ended before
  a whole answer came. A kept-alive connection that the server had already closed
  ends here too, since nothing proves that the server did not read the request.
- `BadResponse`: an answer came and cannot be read: no HTTP, an unknown or broken
  content encoding, or more bytes than any processor's answer has.

The deadline is for the whole exchange. No redirect is followed, no cookie kept,
no proxy taken from the environment, and certificates are verified.

The pools are ours. The sync one (see `pool`) is called through httpx's own
transport, so whatever records or replaces exchanges there (vcrpy, pytest-httpx)
still does. The async one (see `aio`) is called directly, because httpx's
objects cost as much as the driver does; as soon as somebody has replaced
httpx's handler, it is called through that as well.
"""

from __future__ import annotations

import asyncio
import os
import zlib
from functools import cache
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final, cast

import httpx

from paygate._version import __version__
from paygate.dialogue import Request, Response
from paygate.errors import (
    BadResponse,
    GatewayError,
    InvalidSettings,
    InvalidValue,
    NoResponse,
    NotAllowedHere,
    NotSent,
    PaygateError,
)
from paygate.transport import redact
from paygate.transport.aio import AsyncPool
from paygate.transport.pool import Deadline, Pool
from paygate.transport.reading import too_large
from paygate.transport.writing import place_of, written

if TYPE_CHECKING:
    import ssl

    from paygate.transport.network import Network
    from paygate.transport.pool import Address

# Answers are a few kilobytes: unpacking them would cost more than their transport.
DEFAULT_HEADERS: Final = {
    "user-agent": f"paygate/{__version__}",
    "accept-encoding": "identity",
    "accept": "*/*",
}

TIMEOUT_S: Final = 30.0

# In a forked child the parent's connections are neither used nor closed: they are kept here,
# because a collected TLS or asyncio transport would close, and speak to the server.
_abandoned: Final[list[object]] = []


class HttpTransport:
    """HTTP for one gateway account, sync; may be used from several threads at once."""

    def __init__(
        self,
        *,
        timeout_s: float = TIMEOUT_S,
        ssl_context: ssl.SSLContext | None = None,
        network: Network | None = None,
    ) -> None:
        self._timeout_s = timeout_s
        self._ssl_context = network.context if network and not ssl_context else ssl_context
        self._tunnel = network.tunnel if network else None
        self._closed = False
        redact.silence_httpcore()
        self._open()

    def _open(self) -> None:
        self._process = os.getpid()
        self._pool = Pool(lambda: self._ssl_context or _verifying(), self._tunnel)
        self._wire = _Wire(self._pool)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(timeout_s={self._timeout_s})"

    @property
    def timeout_s(self) -> float:
        """How long an exchange may take that says nothing else."""
        return self._timeout_s

    def exchange(self, request: Request) -> Response:
        """Send *request* and read its answer, or raise `NotSent`, `NoResponse` or `BadResponse`."""
        _check_open(closed=self._closed)
        if self._process != os.getpid():
            self.abandon()
        clock = Deadline(
            _deadline_s(request, self._timeout_s),
            body_follows=bool(request.body),
            answer_bytes_max=request.answer_bytes_max,
        )
        wire = _wire_request(request, clock)
        try:
            redact.exchanging.set(True)
            body = _Body(clock.answer_bytes_max)
            answer = self._wire.handle_request(wire)
            try:
                for part in cast("httpx.SyncByteStream", answer.stream):
                    body.add(part)
            finally:
                answer.close()
            response = _response(
                answer.status_code,
                _joined(answer.headers.raw),
                body.whole(),
                clock.answer_bytes_max,
            )
        except Exception as error:  # noqa: BLE001  (whatever it was, it decides about money)
            fault = _fault(request, clock, error)
        else:
            return response
        finally:
            redact.exchanging.set(False)
        # Raised out here, so that it drags no traceback along whose frames hold the headers.
        raise fault

    def close(self) -> None:
        """Close the connections; an exchange under way ends first."""
        self._closed = True
        if self._process == os.getpid():
            self._pool.close()

    def abandon(self) -> None:
        """Forget the connections of the parent process, in a forked child, and make new ones."""
        _abandoned.append(self._pool)
        self._open()


class AsyncHttpTransport:
    """HTTP for one gateway account, for asyncio; used within one event loop at a time."""

    def __init__(
        self,
        *,
        timeout_s: float = TIMEOUT_S,
        ssl_context: ssl.SSLContext | None = None,
        network: Network | None = None,
    ) -> None:
        self._timeout_s = timeout_s
        self._ssl_context = network.context if network and not ssl_context else ssl_context
        self._tunnel = network.tunnel if network else None
        self._closed = False
        self._pool: AsyncPool | None = None
        self._process = os.getpid()
        redact.silence_httpcore()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(timeout_s={self._timeout_s})"

    @property
    def timeout_s(self) -> float:
        """How long an exchange may take that says nothing else."""
        return self._timeout_s

    async def exchange(self, request: Request) -> Response:
        """Send *request* and read its answer, or raise `NotSent`, `NoResponse` or `BadResponse`."""
        _check_open(closed=self._closed)
        pool = self._pool_here()
        clock = Deadline(
            _deadline_s(request, self._timeout_s), answer_bytes_max=request.answer_bytes_max
        )
        if _is_replaced():
            asking = _ask_through_httpx(pool, _wire_request(request, clock), clock)
        else:
            asking = _ask(pool, *_message(request), clock)
        try:
            response = await asking
        except Exception as error:  # noqa: BLE001  (whatever it was, it decides about money)
            fault = _fault(request, clock, error)
        else:
            return response
        raise fault

    async def aclose(self) -> None:
        """Close the connections; an exchange under way ends first."""
        self._closed = True
        if self._pool is not None and self._usable(self._pool):
            await self._pool.aclose()

    def abandon(self) -> None:
        """Forget connections that are not ours to close: another process's, or another loop's."""
        _abandoned.append(self._pool)
        self._pool = None
        self._process = os.getpid()

    def _pool_here(self) -> AsyncPool:
        if self._pool is not None and not self._usable(self._pool):
            self.abandon()
        if self._pool is None:
            self._pool = AsyncPool(lambda: self._ssl_context or _verifying(), self._tunnel)
        return self._pool

    def _usable(self, pool: AsyncPool) -> bool:
        return self._process == os.getpid() and pool.loop is asyncio.get_running_loop()


# httpx's own transports, whose handlers vcrpy and others replace, over our pools. Their
# constructors would only make the pool that is not wanted.


class _Wire(httpx.HTTPTransport):
    def __init__(self, pool: Pool) -> None:
        self._pool = cast("Any", pool)


class _AsyncWire(httpx.AsyncHTTPTransport):
    def __init__(self, pool: AsyncPool) -> None:
        self._pool = cast("Any", pool)


def _is_replaced() -> bool:
    """
    Tell whether somebody put himself in the place of httpx's handler.

    It is not compared with what it was when this was imported, for that may have
    been while somebody recorded. What httpx wrote itself stands beside its own
    constructor.
    """
    handler: object = httpx.AsyncHTTPTransport.handle_async_request
    return not (
        isinstance(handler, FunctionType)
        and handler.__globals__ is httpx.AsyncHTTPTransport.__init__.__globals__
    )


async def _ask(pool: AsyncPool, address: Address, message: bytes, clock: Deadline) -> Response:
    answer = await pool.exchange(address, message, clock)
    return _response(answer.status, answer.headers, answer.body, clock.answer_bytes_max)


async def _ask_through_httpx(pool: AsyncPool, wire: httpx.Request, clock: Deadline) -> Response:
    async with asyncio.timeout(clock.left()):
        answer = await _AsyncWire(pool).handle_async_request(wire)
        body = _Body(clock.answer_bytes_max)
        try:
            async for part in cast("httpx.AsyncByteStream", answer.stream):
                body.add(part)
        finally:
            await answer.aclose()
    return _response(
        answer.status_code, _joined(answer.headers.raw), body.whole(), clock.answer_bytes_max
    )


@cache
def _verifying() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)


def _check_open(*, closed: bool) -> None:
    if closed:
        raise NotAllowedHere("the transport is closed; open the cashier again")


def _deadline_s(request: Request, default_s: float) -> float:
    return default_s if request.timeout_s is None else request.timeout_s


def _wire_request(request: Request, clock: Deadline) -> httpx.Request:
    """Make httpx's request of ours, or raise `InvalidSettings` or `InvalidValue`."""
    problem: PaygateError
    try:
        url = httpx.URL(request.url)
        if url.scheme in ("http", "https") and url.host:
            return httpx.Request(
                request.method,
                url,
                headers=_headers(request),
                content=request.body,
                extensions={
                    "timeout": {"connect": clock, "read": clock, "write": clock, "pool": clock}
                },
            )
        problem = _elsewhere(request)
    except (httpx.InvalidURL, TypeError):
        problem = _unreadable(request)
    except UnicodeError:
        problem = _uncarried(request)
    raise problem


def _message(request: Request) -> tuple[Address, bytes]:
    """Write the bytes that httpx would, or raise `InvalidSettings` or `InvalidValue`."""
    problem: PaygateError
    try:
        place = place_of(request.url)
        scheme, host, _ = place.address
        if scheme in (b"http", b"https") and host:
            method, body = request.method.upper(), request.body
            headers = {"host": place.host.decode()} | _headers(request)
            if body:
                headers.setdefault("content-length", str(len(body)))
            elif method in _BODY_EXPECTED:
                headers.setdefault("content-length", "0")
            raw = [(name.encode("ascii"), text.encode("ascii")) for name, text in headers.items()]
            return place.address, written(method.encode("ascii"), place.target, raw, body)
        problem = _elsewhere(request)
    except (httpx.InvalidURL, TypeError):
        problem = _unreadable(request)
    except (UnicodeError, httpx.LocalProtocolError):
        problem = _uncarried(request)
    raise problem


_BODY_EXPECTED: Final = frozenset({"POST", "PUT", "PATCH"})


def _headers(request: Request) -> dict[str, str]:
    # A driver's header replaces ours, however it is written.
    return DEFAULT_HEADERS | {name.lower(): text for name, text in request.headers.items()}


def _elsewhere(request: Request) -> InvalidSettings:
    return InvalidSettings(
        f"{request.step}: {redact.place(request.url)} is no http or https address; "
        "correct the account's settings",
        step=request.step,
    )


def _unreadable(request: Request) -> InvalidSettings:
    return InvalidSettings(
        f"{request.step}: the address cannot be read; correct the account's settings",
        step=request.step,
    )


def _uncarried(request: Request) -> InvalidValue:
    return InvalidValue(
        f"{request.step}: a header has characters that HTTP cannot carry; nothing was sent",
        step=request.step,
    )


class _Body:
    """What has been read of an answer's body, and never more than its request expects."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self._bytes_max:
            raise too_large(self._bytes_max)
        self._parts.append(part)

    def whole(self) -> bytes:
        return b"".join(self._parts)


def _joined(raw: list[tuple[bytes, bytes]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_text in raw:
        name, text = raw_name.decode("latin-1").lower(), raw_text.decode("latin-1")
        headers[name] = f"{headers[name]}, {text}" if name in headers else text
    return headers


def _response(status: int, headers: dict[str, str], body: bytes, bytes_max: int) -> Response:
    if "transfer-encoding" in headers and "content-length" in headers:
        # One of them is wrong, and a proxy on the way may have believed that one (RFC 9112, 6.3).
        raise httpx.RemoteProtocolError("the answer says twice how long it is")
    encoding = headers.get("content-encoding")
    if encoding and body:
        body = _unpacked(body, encoding, bytes_max)
    return Response(status=status, headers=headers, body=body)


def _unpacked(body: bytes, encodings: str, bytes_max: int) -> bytes:
    """Undo *encodings*, the last first; a few bytes may claim to be many, so with a bound."""
    for encoding in reversed(encodings.lower().split(",")):
        match encoding.strip():
            case "identity" | "":
                continue
            case "gzip" | "x-gzip":
                unpack = zlib.decompressobj(zlib.MAX_WBITS | 16)
            case "deflate":
                unpack = zlib.decompressobj()
            case _:
                raise BadResponse("the answer is in a content encoding that was not asked for")
        try:
            body = unpack.decompress(body, bytes_max + 1)
        except zlib.error:
            raise BadResponse("the answer's content encoding is broken") from None
        if len(body) > bytes_max:
            raise too_large(bytes_max)
        if not unpack.eof:
            raise BadResponse("the answer's content encoding is broken off")
    return body


# Where httpx itself says that the request was on its way. Whoever replaces httpx's handlers
# writes nothing that our clock could see.
_ON_ITS_WAY: Final = (
    httpx.ReadError,
    httpx.ReadTimeout,
    httpx.WriteError,
    httpx.WriteTimeout,
    httpx.CloseError,
    httpx.RemoteProtocolError,
)


def _fault(request: Request, clock: Deadline, error: Exception) -> PaygateError:
    """Tell what *error* means for the money."""
    where = redact.place(request.url)
    facts: dict[str, Any] = {"step": request.step, "cause": type(error).__name__}
    if isinstance(error, GatewayError):
        return type(error)(f"{request.step}: {where}: {error.message}", **facts)
    if not clock.sent and not isinstance(error, _ON_ITS_WAY):
        if isinstance(error, httpx.LocalProtocolError):
            return _uncarried(request)
        return NotSent(f"{request.step}: nothing was sent to {where}: {_reason(error)}", **facts)
    if isinstance(error, httpx.RemoteProtocolError) and not clock.ended:
        return BadResponse(f"{request.step}: what {where} answered is not HTTP", **facts)
    return NoResponse(f"{request.step}: no whole answer from {where}: {_reason(error)}", **facts)


def _reason(error: BaseException) -> str:
    """Say why in the system's words; a protocol error's own text may quote what was received."""
    cause: BaseException | None = error
    while cause is not None:
        match cause:
            case TimeoutError():
                return "the deadline passed"
            case OSError():
                # asyncio puts the address into the text; the number has the plain words.
                number = cause.errno or 0
                plain = os.strerror(number) if number > 0 else cause.strerror
                words = getattr(cause, "verify_message", "") or plain
                if words:
                    return str(words)
            case _:
                pass
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx.RemoteProtocolError):
        return "the connection was closed"
    return type(error).__name__
