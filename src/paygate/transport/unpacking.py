"""Unpacking: a response as a driver gets it, without content encoding, with one length."""

from __future__ import annotations

import zlib

from paygate.dialogue import Response
from paygate.errors import BadResponse
from paygate.transport.reading import too_large


def response(status: int, headers: dict[str, str], body: bytes, bytes_max: int) -> Response:
    """Return the response as a driver gets it, or raise `BadResponse`."""
    if "transfer-encoding" in headers and "content-length" in headers:
        # One of them is wrong, and a proxy may have followed the wrong one (RFC 9112, 6.3).
        raise BadResponse("the response is not HTTP: it states its length twice")
    encoding = headers.get("content-encoding")
    if encoding and body:
        body = _unpacked(body, encoding, bytes_max)
    return Response(status=status, headers=headers, body=body)


def _unpacked(body: bytes, encodings: str, bytes_max: int) -> bytes:
    """Return *body* decoded from *encodings*, last one first; limited, as it may be a bomb."""
    for encoding in reversed(encodings.lower().split(",")):
        match encoding.strip():
            case "identity" | "":
                continue
            case "gzip" | "x-gzip":
                unpack = zlib.decompressobj(zlib.MAX_WBITS | 16)
            case "deflate":
                unpack = zlib.decompressobj()
            case _:
                raise BadResponse("the response has a content encoding that was not requested")
        try:
            body = unpack.decompress(body, bytes_max + 1)
        except zlib.error:
            raise BadResponse("the response's content encoding is broken") from None
        if len(body) > bytes_max:
            raise too_large(bytes_max)
        if not unpack.eof:
            raise BadResponse("the response's content encoding is truncated")
    return body
