"""An answer as a driver gets it: without a content encoding, and of one length only."""

from __future__ import annotations

import zlib

from paygate.dialogue import Response
from paygate.errors import BadResponse
from paygate.transport.reading import too_large


def response(status: int, headers: dict[str, str], body: bytes, bytes_max: int) -> Response:
    """Return the answer as a driver gets it, or raise `BadResponse`."""
    if "transfer-encoding" in headers and "content-length" in headers:
        # One of them is wrong, and a proxy on the way may have believed that one (RFC 9112, 6.3).
        raise BadResponse("what came is not HTTP: it says twice how long it is")
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
