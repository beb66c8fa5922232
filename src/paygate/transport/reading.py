"""Reading: parse one response of HTTP/1.1 as it arrives.

llhttp, the parser of Node.js, does the parsing (`httptools`), with all of its leniencies off. What
it leaves open is decided here: how large a response may be, how it ends, and whether the
connection may be reused.
"""

from __future__ import annotations

from typing import Final

import httptools

from paygate.dialogue import BODY_BYTES_MAX
from paygate.errors import BadResponse

HEAD_MAX: Final = 100 * 1024
"""The largest head of a response, including trailers and provisional responses."""

CHUNK_COST: Final = 8
"""How many bytes of framing a chunked body may have per byte; a one-byte chunk has five."""

_SIZED: Final = frozenset({"content-length", "transfer-encoding"})
_VERSIONS: Final = frozenset({"1.0", "1.1"})


class WholeResponse:
    """A whole response; header names are in lower case, and values of one name are joined."""

    __slots__ = ("body", "headers", "status", "version")

    def __init__(self, status: int, version: str, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.version = version
        self.headers = headers
        self.body = body


class ConnectionEnded(Exception):
    """The connection ended before a whole response arrived."""


class ResponseReader:
    """Reads the response to one request: `result` is the response, or the error in it.

    It is None while more must be read, and does not change after that.
    """

    __slots__ = (
        "_bodiless",
        "_body",
        "_body_size",
        "_bytes_max",
        "_headers",
        "_headers_ended",
        "_parser",
        "_received",
        "result",
        "reusable",
    )

    def __init__(self, *, bodiless: bool, bytes_max: int = BODY_BYTES_MAX) -> None:
        self.result: WholeResponse | Exception | None = None
        self.reusable = False
        # One parser per response, so nothing of an earlier one can be left in it.
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._bodiless = bodiless
        self._headers: dict[str, str] = {}
        self._headers_ended = False
        self._body: list[bytes] = []
        self._body_size = 0
        self._bytes_max = bytes_max
        self._received = 0

    # --- called by the connection ---

    def feed(self, data: bytes) -> None:
        """Parse *data*; `result` is set as soon as the response is complete or wrong."""
        parser = self._parser
        if parser is None:  # the response has ended, so these bytes do not belong to it
            self.reusable = False
            return None
        if not self._received and data[:1] != b"H":  # llhttp also reads RTSP, and empty lines
            return self.fail(_not_http())
        self._received += len(data)
        try:
            parser.feed_data(data)
        except httptools.HttpParserCallbackError as error:
            cause = error.__context__
            return self.fail(cause if isinstance(cause, Exception) else _not_http())
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            return self.fail(_not_http())
        if self._received - self._body_size > HEAD_MAX + CHUNK_COST * self._body_size:
            return self.fail(_not_http())
        return None

    def end(self, lost: Exception) -> None:
        """Record that nothing more will come, which ends a response without a length."""
        if self._parser is not None and self._headers_ended and not _SIZED & self._headers.keys():
            self._finish(self._parser)
        self.fail(lost)

    def fail(self, error: Exception) -> None:
        """Give up: the response is wrong, or bytes follow it."""
        self.reusable = False
        self._parser = None
        if self.result is None:
            self.result = error

    # --- called by llhttp ---

    def on_message_begin(self) -> None:
        """Note another response: the one after a provisional one, or an unsolicited one."""
        if self._parser is None:
            self.reusable = False

    def on_header(self, name: bytes, text: bytes) -> None:
        """Store a header; trailers are ignored."""
        if self._headers_ended:
            return
        known = self._headers
        key, value = name.decode("ascii").lower(), text.decode("latin-1").rstrip(" \t")
        if key == "transfer-encoding" and (key in known or value.lower() != "chunked"):
            # Other encodings (RFC 9112, 7) were not requested, and the length would be unknown.
            raise _not_http()
        known[key] = f"{known[key]}, {value}" if key in known else value

    def on_headers_complete(self) -> None:
        """Check the version; a response to HEAD ends here, which llhttp cannot know."""
        parser = self._parser
        if parser is None:
            return
        if parser.get_http_version() not in _VERSIONS:
            raise _not_http()
        if parser.get_status_code() >= 200:
            self._headers_ended = True
            if self._bodiless:
                self._finish(parser)

    def on_body(self, part: bytes) -> None:
        """Store a part of the body, up to the limit of the request."""
        if not self._headers_ended:  # a provisional response has no body
            raise _not_http()
        self._body_size += len(part)
        if self._body_size > self._bytes_max:
            raise too_large(self._bytes_max)
        self._body.append(part)

    def on_message_complete(self) -> None:
        """Set the response, unless it is a provisional one."""
        parser = self._parser
        if parser is None:
            return
        if self._headers_ended:
            self.reusable = parser.should_keep_alive()
            self._finish(parser)
        else:
            self._headers.clear()

    def _finish(self, parser: httptools.HttpResponseParser) -> None:
        self._parser = None
        if self.result is None:
            self.result = WholeResponse(
                parser.get_status_code(),
                parser.get_http_version(),
                self._headers,
                b"".join(self._body),
            )


def too_large(bytes_max: int) -> BadResponse:
    """Return the error for a response that is larger than its request allows."""
    return BadResponse(f"the response has more than {bytes_max} bytes; the rest was not read")


def _not_http() -> BadResponse:
    return BadResponse("the response is not HTTP")
