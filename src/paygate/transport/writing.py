"""Writing: one request of HTTP/1.1 as bytes, and the address they are sent to.

Nothing is written that could be read as two requests, or as one with another header: that would be
somebody else's request under this account's credentials.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import httpx

from paygate._version import __version__
from paygate.errors import InvalidSettings, InvalidValue
from paygate.transport import redact

if TYPE_CHECKING:
    from collections.abc import Iterable

    from paygate.dialogue import Request
    from paygate.errors import PaygateError

Address: TypeAlias = tuple[bytes, bytes, int]
"""Scheme, host and port."""

# Responses are a few kilobytes: decompressing them would cost more than sending them plain.
DEFAULT_HEADERS: Final = {
    "user-agent": f"paygate/{__version__}",
    "accept-encoding": "identity",
    "accept": "*/*",
}

_PORTS: Final = {b"http": 80, b"https": 443}

# RFC 9110, 5.6.2 and 5.5: no control character that ends a line, no space at either end.
_TOKEN: Final = re.compile(rb"[-!#$%&'*+.^_`|~0-9A-Za-z]+").fullmatch
_VALUE: Final = re.compile(rb"(?:[^\x00\s]+(?:[ \t]+[^\x00\s]+)*)?").fullmatch
_TARGET: Final = re.compile(rb"[\x21-\x7e]+").fullmatch

# A URL that httpx would leave unchanged: nothing to escape, no dots to resolve, no user.
_PLAIN: Final = re.compile(
    r"(https?://[a-z0-9.-]+(?::[0-9]+)?)"
    r"((?:/(?!\.)[A-Za-z0-9_.~=:@,-]*)+(?:\?[A-Za-z0-9_.~=&:,-]+)?)"
).fullmatch


class Destination(NamedTuple):
    """The destination of a request: the server, its Host header, and the request target."""

    address: Address
    host: bytes
    target: bytes


def message(request: Request) -> tuple[Address, bytes]:
    """
    Return the address of *request*, and the bytes that httpx would write.

    Raises `InvalidSettings` or `InvalidValue` if it cannot be sent.
    """
    problem: PaygateError
    try:
        place = place_of(request.url)
        scheme, host, _ = place.address
        if scheme in (b"http", b"https") and host:
            method, body = request.method.upper(), request.body
            headers = {"host": place.host.decode()} | headers_of(request)
            if body:
                headers.setdefault("content-length", str(len(body)))
            elif method in _BODY_EXPECTED:
                headers.setdefault("content-length", "0")
            raw = [(name.encode("ascii"), text.encode("ascii")) for name, text in headers.items()]
            return place.address, written(method.encode("ascii"), place.target, raw, body)
        problem = _elsewhere(request)
    except (httpx.InvalidURL, TypeError):
        problem = _unreadable(request)
    except ValueError:
        problem = _uncarried(request)
    raise problem


_BODY_EXPECTED: Final = frozenset({"POST", "PUT", "PATCH"})


def headers_of(request: Request) -> dict[str, str]:
    """Return the headers of *request* and our own, with names in lower case."""
    # A driver's header replaces ours, in any case.
    return DEFAULT_HEADERS | {name.lower(): text for name, text in request.headers.items()}


def _elsewhere(request: Request) -> InvalidSettings:
    return InvalidSettings(
        f"{request.step}: {redact.place(request.url)} is not an http or https address; "
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


def place_of(url: str) -> Destination:
    """Return the destination of *url* as httpx reads it, or raise `httpx.InvalidURL`."""
    plain = _PLAIN(url)
    if plain is None:
        return _read(url)
    origin, path = plain.groups()
    found = _origin(origin)
    return Destination(found.address, found.host, path.encode())


# Parsing a URL takes a fifth of an exchange, and an account has one or two servers.
@lru_cache(maxsize=64)
def _origin(origin: str) -> Destination:
    return _read(origin)


def _read(text: str) -> Destination:
    url = httpx.URL(text)
    port = url.port or _PORTS.get(url.raw_scheme, 0)
    return Destination((url.raw_scheme, url.raw_host, port), url.netloc, url.raw_path)


def written(
    method: bytes, target: bytes, headers: Iterable[tuple[bytes, bytes]], body: bytes
) -> bytes:
    """Return a whole request as bytes, or raise `ValueError` for what HTTP cannot carry."""
    if not _TOKEN(method) or not _TARGET(target):
        raise ValueError("the method or the path cannot be written")
    lines = [b"%b %b HTTP/1.1" % (method, target)]
    length = None
    for name, text in headers:
        if not _TOKEN(name) or not _VALUE(text):
            raise ValueError("a header cannot be written")
        lines.append(b"%b: %b" % (name, text))
        match name.lower():
            case b"content-length" if length is None:
                length = text
            case b"content-length" | b"transfer-encoding":
                raise ValueError("a header says another length than the body has")
            case _:
                pass
    if length != b"%d" % len(body) and (body or length is not None):
        raise ValueError("a header says another length than the body has")
    lines.append(b"\r\n")
    return b"\r\n".join(lines) + body
